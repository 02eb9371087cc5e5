/** sum, avg and the other plain aggregations where native histograms take part. */
import type { NativeHistogram } from '../model/histogram.ts';
import type { Labels } from '../model/labels.ts';
import type { Aggregate } from './ast.ts';
import { FLOAT, floatsOnly, HISTOGRAM, newRow, type Row, withHistograms } from './block.ts';
import type { Context } from './context.ts';
import { addHistograms, type MergeNotes, scaleHistogram } from './native-histogram.ts';

export function aggregateHistograms(
  c: Context,
  e: Aggregate,
  labels: Labels,
  rows: readonly Row[],
  floats: (rows: readonly Row[]) => Row,
): Row {
  if (e.op === 'count' || e.op === 'group') return floats(rows);
  const base = floats(rows.map(floatsOnly));
  const pos = e.expr.pos;
  if (e.op !== 'sum' && e.op !== 'avg') {
    if (rows.some((r) => r.present.includes(HISTOGRAM))) c.notes.info(`ignored histogram in ${e.op} aggregation`, pos);
    return base;
  }
  const out = withHistograms({ ...newRow(labels, c.n), values: base.values, present: base.present });
  for (let i = 0; i < c.n; i++) {
    let total: NativeHistogram | undefined;
    let count = 0;
    let incompatible = false;
    const notes: MergeNotes = {};
    for (const row of rows) {
      if (row.present[i] !== HISTOGRAM) continue;
      const h = row.histograms![i]!;
      count++;
      if (!total) total = h;
      else {
        const next = addHistograms(total, h, 1, notes);
        if (!next) incompatible = true;
        else total = next;
      }
    }
    if (!total) continue;
    if (notes.counterResetCollision) c.notes.warn('conflicting counter resets during histogram aggregation', pos);
    if (notes.reconciledBounds) c.notes.info('mismatched custom buckets were reconciled during aggregation', pos);
    if (out.present[i] === FLOAT) {
      c.notes.warn('encountered a mix of histograms and floats for aggregation', pos);
      out.present[i] = 0;
      continue;
    }
    if (incompatible) {
      c.notes.warn(
        'vector contains a mix of histograms with exponential and custom buckets schemas for metric name ""',
        pos,
      );
      continue;
    }
    out.present[i] = HISTOGRAM;
    out.histograms[i] = e.op === 'avg' && count > 1 ? scaleHistogram(total, 1 / count, count) : total;
  }
  return out;
}
