/** Instant selectors (look-back) and the columns that range functions slide over. */
import type { NativeHistogram } from '../model/histogram.ts';
import { isStale, type SeriesColumns } from '../model/sample.ts';
import type { Expr, Pos, Subquery, VectorSelector } from './ast.ts';
import { FLOAT, HISTOGRAM, newRow, ONE_FLOAT, type Row, repeat, singleRow, withHistograms } from './block.ts';
import { type Context, durationMs, positiveMs, type Sliced } from './context.ts';
import { lastAtOrBefore, smoothedAt } from './extended-range.ts';
import { alignedStart, atTime } from './populate.ts';

/** Samples of an instant selector at each step: the newest within the look-back, unless that is a stale marker. */
export function* instantRows(c: Context, s: VectorSelector, timestamps = false): Sliced<Row[]> {
  const at = atTime(s.at, c);
  const offset = durationMs(s.offset, c);
  const n = at === undefined ? c.n : 1;
  const out: Row[] = [];
  // own counts first: with @ they are those of one step, the same for all
  const read = c.read && (at === undefined ? c.read : new Float64Array(c.n));
  if (s.extended === 'smoothed' && !timestamps) return yield* smoothedRows(c, s, at, offset, n);
  for (const series of c.data.get(s) ?? []) {
    if (c.meter.due(c.n)) yield;
    const { timestamps: ts, values, length } = series;
    let k = -1;
    let any = 0;
    let ref = (at ?? c.startMs) - offset;
    if (length > 64) k = lastAtOrBefore(ts, length, ref) - 1;
    if (k < -1) k = -1;
    if (c.n === 1 && !series.histograms) {
      // the way of most queries: one step of floats
      while (k + 1 < length && ts[k + 1]! <= ref) k++;
      if (k < 0 || ts[k]! <= ref - c.lookbackMs) continue;
      const v = values[k]!;
      if (Number.isNaN(v) && isStale(values, k)) continue;
      if (read) read[0]!++;
      c.meter.addSamples(1);
      // a column of one sample is the row's already
      if (length === 1 && !timestamps) out.push({ labels: series.labels, dropName: false, values, present: ONE_FLOAT });
      else out.push(singleRow(series.labels, false, timestamps ? ts[k]! / 1000 : v));
      continue;
    }
    let row = newRow(series.labels, n);
    for (let i = 0; i < n; i++, ref += c.stepMs) {
      while (k + 1 < length && ts[k + 1]! <= ref) k++;
      if (k < 0 || ts[k]! <= ref - c.lookbackMs) continue;
      const h = series.histograms?.[k];
      if (h) {
        if (h.stale) continue;
        any++;
        if (read) read[i]! += histogramWeight(h);
        if (timestamps) {
          row.present[i] = FLOAT;
          row.values[i] = ts[k]! / 1000;
          continue;
        }
        row = withHistograms(row);
        row.present[i] = HISTOGRAM;
        row.histograms![i] = h;
        continue;
      }
      const v = values[k]!;
      if (Number.isNaN(v) && isStale(values, k)) continue;
      row.present[i] = FLOAT;
      row.values[i] = timestamps ? ts[k]! / 1000 : v;
      if (read) read[i]!++;
      any++;
    }
    if (any === 0) continue;
    c.meter.addSamples(any);
    out.push(n === c.n ? row : repeat(row, c.n));
  }
  if (at !== undefined && read) for (let i = 0; i < c.n; i++) c.read![i]! += read[0]!;
  return out;
}

/** What a native histogram counts for in statistics: its bytes in Prometheus by those of a float sample. */
function histogramWeight(h: NativeHistogram): number {
  const spans = h.positiveSpans.length + h.negativeSpans.length;
  const buckets = h.positiveBuckets.length + h.negativeBuckets.length;
  return Math.floor((168 + 8 * (spans + buckets + (h.customValues?.length ?? 0)) + 8) / 16);
}

/** What the samples [lo, hi) count for. */
export function sampleWeight(s: SeriesColumns, lo: number, hi: number): number {
  if (!s.histograms) return hi - lo;
  let sum = 0;
  for (let i = lo; i < hi; i++) sum += s.histograms[i] ? histogramWeight(s.histograms[i]!) : 1;
  return sum;
}

/** Floats on the line between the samples around each step; histograms have no such line and are left out. */
function* smoothedRows(
  c: Context,
  s: VectorSelector,
  at: number | undefined,
  offset: number,
  n: number,
): Sliced<Row[]> {
  const out: Row[] = [];
  for (const stored of c.data.get(s) ?? []) {
    if (c.meter.due(c.n)) yield;
    if (stored.histograms) continue;
    const series = withoutStale(stored);
    const row = newRow(series.labels, n);
    for (let i = 0; i < n; i++) {
      const v = smoothedAt(series, (at ?? c.startMs + i * c.stepMs) - offset, c.lookbackMs);
      if (v === undefined) continue;
      row.values[i] = v;
      row.present[i] = FLOAT;
    }
    c.meter.addSamples(n);
    out.push(n === c.n ? row : repeat(row, c.n));
  }
  return out;
}

/** What a range function slides over. `atMs` set: the same window at every step. */
export interface RangeInput {
  readonly series: readonly (SeriesColumns & { readonly dropName?: boolean })[];
  readonly rangeMs: number;
  readonly offsetMs: number;
  readonly atMs: number | undefined;
  readonly pos: Pos;
  readonly extended?: 'anchored' | 'smoothed';
}

type Evaluate = (c: Context, e: Expr) => Sliced<readonly Row[]>;

export function* rangeInput(c: Context, e: Expr, evaluate: Evaluate): Sliced<RangeInput> {
  while (e.kind === 'paren') e = e.expr;
  if (e.kind === 'matrix') {
    const s = e.selector;
    const series: SeriesColumns[] = [];
    for (const x of c.data.get(s) ?? []) {
      if (c.meter.due(c.n)) yield;
      series.push(withoutStale(x));
    }
    return {
      series,
      rangeMs: positiveMs(e.range, c),
      offsetMs: durationMs(s.offset, c),
      atMs: atTime(s.at, c),
      pos: e.pos,
      ...(s.extended && { extended: s.extended }),
    };
  }
  return yield* subqueryInput(c, e as Subquery, evaluate);
}

function* subqueryInput(c: Context, e: Subquery, evaluate: Evaluate): Sliced<RangeInput> {
  const rangeMs = positiveMs(e.range, c);
  const stepMs = e.step ? positiveMs(e.step, c) : c.defaultStepMs;
  const offsetMs = durationMs(e.offset, c);
  const atMs = atTime(e.at, c);
  const startMs = alignedStart((atMs ?? c.startMs) - offsetMs - rangeMs, stepMs);
  const endMs = (atMs ?? c.endMs) - offsetMs;
  const n = Math.max(0, Math.floor((endMs - startMs) / stepMs) + 1);
  const input = { rangeMs, offsetMs, atMs, pos: e.pos };
  if (n === 0) return { ...input, series: [] };
  c.meter.addSamples(n);
  const { read: _, ...outer } = c;
  const inner: Context = { ...outer, startMs, stepMs, n, endMs };
  const series: SeriesColumns[] = [];
  for (const row of yield* evaluate(inner, e.expr)) {
    if (c.meter.due(c.n)) yield;
    series.push(toColumns(row, startMs, stepMs));
  }
  return { ...input, series };
}

/** A row's samples as a series, absent steps left out. */
export function toColumns(row: Row, startMs: number, stepMs: number): SeriesColumns & { readonly dropName: boolean } {
  const n = row.values.length;
  const timestamps = new Float64Array(n);
  const values = new Float64Array(n);
  const histograms = row.histograms ? new Array(n).fill(undefined) : undefined;
  let k = 0;
  for (let i = 0; i < n; i++) {
    if (row.present[i] === 0) continue;
    timestamps[k] = startMs + i * stepMs;
    values[k] = row.values[i]!;
    if (histograms && row.present[i] === HISTOGRAM) histograms[k] = row.histograms![i];
    k++;
  }
  return {
    labels: row.labels,
    dropName: row.dropName,
    length: k,
    timestamps,
    values,
    ...(histograms && { histograms }),
  };
}

function withoutStale(s: SeriesColumns): SeriesColumns {
  const { values: all, length, histograms: hs } = s;
  let stale = false;
  for (let i = 0; i < length && !stale; i++) {
    const h = hs?.[i];
    if (h) stale = h.stale === true;
    else if (Number.isNaN(all[i])) stale = isStale(all, i);
  }
  if (!stale) return s;
  const timestamps = new Float64Array(s.length);
  const values = new Float64Array(s.length);
  const histograms = s.histograms ? new Array(s.length).fill(undefined) : undefined;
  let k = 0;
  for (let i = 0; i < s.length; i++) {
    const h = s.histograms?.[i];
    if (h ? h.stale : isStale(s.values, i)) continue;
    timestamps[k] = s.timestamps[i]!;
    values[k] = s.values[i]!;
    if (histograms) histograms[k] = h;
    k++;
  }
  return { labels: s.labels, length: k, timestamps, values, ...(histograms && { histograms }) };
}
