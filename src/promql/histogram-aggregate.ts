/** sum, avg and the other plain aggregations where native histograms take part. */
import type { NativeHistogram } from '../model/histogram.ts';
import type { Labels } from '../model/labels.ts';
import type { Aggregate } from './ast.ts';
import { ABSENT, FLOAT, floatsOnly, HISTOGRAM, newRow, type Row, withHistograms } from './block.ts';
import { type Context, ofMetric, type Sliced } from './context.ts';
import { addHistograms, type MergeNotes, scaleHistogram } from './native-histogram.ts';

const MIXED_SCHEMAS = 'vector contains a mix of histograms with exponential and custom buckets schemas';

export function* aggregateHistograms(
  c: Context,
  e: Aggregate,
  labels: Labels,
  rows: readonly Row[],
  floats: (rows: readonly Row[]) => Sliced<Row>,
): Sliced<Row> {
  if (e.op === 'count' || e.op === 'group') return yield* floats(rows);
  const base = yield* floats(rows.map(floatsOnly));
  const pos = e.expr.pos;
  if (e.op !== 'sum' && e.op !== 'avg') {
    if (rows.some((r) => r.present.includes(HISTOGRAM))) c.notes.info(`ignored histogram in ${e.op} aggregation`, pos);
    return base;
  }
  const out = withHistograms({ ...newRow(labels, c.n), values: base.values, present: base.present });
  for (let i = 0; i < c.n; i++) {
    let total: NativeHistogram | undefined;
    let count = 0;
    let floats = false;
    let histograms = false;
    let first = true;
    let incompatible = false;
    const notes: MergeNotes = {};
    // in the order of the series, as annotations depend on it: histograms after a float first in line are not added up
    for (const row of rows) {
      if (c.meter.due(8)) yield;
      const p = row.present[i]!;
      if (p === ABSENT || incompatible) continue;
      if (p === FLOAT) {
        floats = true;
        first = false;
        continue;
      }
      histograms = true;
      count++;
      const h = row.histograms![i]!;
      if (first) total = h;
      else if (total) {
        const next = addHistograms(total, h, 1, notes);
        if (next) total = next;
        else {
          incompatible = true;
          const name = row.labels.metricName;
          c.notes.warn(`${MIXED_SCHEMAS}${ofMetric(name)}`, pos);
        }
      }
      first = false;
    }
    if (!histograms) continue;
    if (notes.counterResetCollision) c.notes.warn('conflicting counter resets during histogram aggregation', pos);
    if (notes.reconciledBounds) c.notes.info('mismatched custom buckets were reconciled during aggregation', pos);
    if (floats) c.notes.warn('encountered a mix of histograms and floats for aggregation', pos);
    out.present[i] = ABSENT;
    if (floats || incompatible || !total) continue;
    out.present[i] = HISTOGRAM;
    out.histograms[i] = e.op === 'avg' && count > 1 ? scaleHistogram(total, 1 / count, count) : total;
  }
  return out;
}
