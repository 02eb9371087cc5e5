/** histogram_quantile, histogram_quantiles and histogram_fraction over classic buckets and native histograms. */
import type { NativeHistogram } from '../model/histogram.ts';
import { type Labels, METRIC_NAME } from '../model/labels.ts';
import { checkQuantile } from './aggregate.ts';
import { type Call, type Expr, unwrap } from './ast.ts';
import { put, renamed } from './binary.ts';
import { FLOAT, HISTOGRAM, mergedRows, newRow, type Row } from './block.ts';
import { type Context, ofMetric, type Sliced } from './context.ts';
import {
  type ClassicBucket,
  classicFraction,
  classicQuantile,
  type NanNote,
  nativeFraction,
  nativeQuantile,
} from './histogram-quantile.ts';
import { formatPlain } from './literal.ts';

const FORCED =
  'input to histogram_quantile needed to be fixed for monotonicity (see https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile)';
const NAN_NOTES: Readonly<Record<NanNote, string>> = {
  result: 'input to histogram_quantile has NaN observations, result is NaN',
  skewed: 'input to histogram_quantile has NaN observations, result is skewed higher',
  excluded: 'input to histogram_fraction has NaN observations, which are excluded from all fractions',
};

export function parseLe(text: string): number | undefined {
  if (/^[+]?inf(inity)?$/i.test(text)) return Number.POSITIVE_INFINITY;
  if (/^-inf(inity)?$/i.test(text)) return Number.NEGATIVE_INFINITY;
  if (text === '' || /\s/.test(text)) return undefined;
  const v = Number(text);
  return Number.isNaN(v) ? undefined : v;
}

/** Series that differ only in `le`, and the native histograms of the same labels. */
interface BucketGroup {
  readonly labels: Labels;
  readonly dropName: boolean;
  readonly name: string;
  readonly buckets: { readonly upper: number; readonly row: Row }[];
  native: Row | undefined;
}

/** What a call asks of each histogram: a quantile or a fraction, at each step. */
interface Question {
  readonly label: string | undefined;
  native(i: number, h: NativeHistogram, note: (n: NanNote) => void): number;
  classic(i: number, buckets: ClassicBucket[], forced: () => void): number;
}

function quantileQuestion(q: Float64Array, label: string | undefined): Question {
  return {
    label,
    native: (i, h, note) => nativeQuantile(q[i]!, h, note),
    classic: (i, buckets, forced) => {
      const r = classicQuantile(q[i]!, buckets);
      if (r.forced) forced();
      return r.value;
    },
  };
}

export function* overBuckets(
  c: Context,
  e: Call,
  rows: readonly Row[],
  source: Expr,
  scalars: readonly { readonly values: Float64Array; readonly pos: Expr['pos'] }[],
  label: string,
): Sliced<Row[]> {
  const fraction = e.func === 'histogram_fraction';
  if (!fraction) for (const p of scalars) for (let i = 0; i < c.n; i++) checkQuantile(c, p.values[i]!, p.pos);
  const questions: Question[] = fraction
    ? [
        {
          label: undefined,
          native: (i, h, note) => nativeFraction(scalars[0]!.values[i]!, scalars[1]!.values[i]!, h, note),
          classic: (i, buckets) => classicFraction(scalars[0]!.values[i]!, scalars[1]!.values[i]!, buckets),
        },
      ]
    : scalars.map((p) =>
        quantileQuestion(p.values, e.func === 'histogram_quantiles' ? formatPlain(p.values[0]!) : undefined),
      );
  const out: Row[] = [];
  for (const g of yield* grouped(c, rows, source)) {
    for (const question of questions) {
      const base = renamed(c, g, true);
      const labels = question.label === undefined ? base.labels : base.labels.with(label, question.label);
      const row = newRow(labels, c.n, base.dropName);
      for (let i = 0; i < c.n; i++) {
        if (c.meter.due(g.buckets.length)) yield;
        const list: ClassicBucket[] = [];
        for (const b of g.buckets)
          if (b.row.present[i] === FLOAT) list.push({ upper: b.upper, count: b.row.values[i]! });
        const native = g.native?.present[i] === HISTOGRAM ? g.native.histograms![i]! : undefined;
        if (native && list.length > 0) {
          c.notes.warn(`vector contains a mix of classic and native histograms${ofMetric(g.name)}`, source.pos);
        } else if (native) {
          put(
            row,
            i,
            question.native(i, native, (n) => c.notes.info(NAN_NOTES[n] + ofMetric(g.name), unwrap(e.args[0]!).pos)),
          );
        } else if (list.length > 0) {
          put(
            row,
            i,
            question.classic(i, list, () => c.notes.info(FORCED + ofMetric(g.name), source.pos)),
          );
        }
      }
      out.push(row);
    }
  }
  return yield* mergedRows(() => c.meter.due(c.n), out);
}

function* grouped(c: Context, rows: readonly Row[], source: Expr): Sliced<Iterable<BucketGroup>> {
  const groups = new Map<string, BucketGroup>();
  const groupOf = (labels: Labels, row: Row): BucketGroup => {
    let g = groups.get(labels.key);
    if (!g) {
      g = { labels, dropName: row.dropName, name: labels.get(METRIC_NAME), buckets: [], native: undefined };
      groups.set(labels.key, g);
    }
    return g;
  };
  for (const row of rows) {
    if (c.meter.due(c.n)) yield;
    // a label le on a native histogram is a label like any other
    if (row.present.includes(HISTOGRAM)) groupOf(row.labels, row).native = row;
    if (!row.present.includes(FLOAT)) continue;
    const le = row.labels.get('le');
    const upper = parseLe(le);
    if (upper === undefined) {
      c.notes.warn(
        `bucket label "le" is missing or has a malformed value of ${JSON.stringify(le)}${ofMetric(row.labels.metricName)}`,
        source.pos,
      );
      continue;
    }
    groupOf(row.labels.without('le'), row).buckets.push({ upper, row });
  }
  return groups.values();
}
