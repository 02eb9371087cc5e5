/** Evaluates function calls, for all steps at once. Kernels live in the *-functions files. */
import { unreachable, VigieError } from '../lib/errors.ts';
import type { NativeHistogram } from '../model/histogram.ts';
import { Labels, METRIC_NAME } from '../model/labels.ts';
import { checkQuantile } from './aggregate.ts';
import { type Call, type Expr, unwrap } from './ast.ts';
import { put, renamed } from './binary.ts';
import {
  ABSENT,
  FLOAT,
  HISTOGRAM,
  isEmpty,
  mergedRows,
  newRow,
  oneName,
  type Row,
  singleRow,
  type Value,
} from './block.ts';
import type { Context, Sliced } from './context.ts';
import { extendedWindow } from './extended-range.ts';
import { overBuckets } from './histogram-call.ts';
import { histogramWindow } from './histogram-range.ts';
import { infoJoin } from './info.ts';
import { DATE_FUNCTIONS, HISTOGRAM_MAPPERS, MAPPERS, naturalCompare } from './instant-functions.ts';
import {
  checkSmoothing,
  findResets,
  KEEPS_NAME,
  RANGE_KERNELS,
  slidingKernel,
  type Window,
} from './range-functions.ts';
import { instantRows, type RangeInput, rangeInput, sampleWeight } from './select.ts';
import { sortedSlices } from './sorted-slices.ts';

export interface Evaluator {
  vector(c: Context, e: Expr): Sliced<readonly Row[]>;
  scalar(c: Context, e: Expr): Sliced<Float64Array>;
  text(c: Context, e: Expr): string;
}

const filled = (n: number, f: (i: number) => number): Float64Array => {
  const out = new Float64Array(n);
  for (let i = 0; i < n; i++) out[i] = f(i);
  return out;
};
const vector = (rows: readonly Row[]): Value => ({ kind: 'vector', rows });

/** Steps between two looks at the clock within one series. */
const STEPS_PER_LOOK = 64;
/** What a block of them counts for: a window is more than one sample. */
const WORK_PER_LOOK = 1_024;
/** Fewer windows are not worth the bookkeeping of a sliding one. */
const SLIDING_FROM_STEPS = 8;
const NO_RESETS = new Int32Array(0);

export function* evaluateCall(c: Context, e: Call, ev: Evaluator): Sliced<Value> {
  const merged = (rows: readonly Row[], strict = false): Sliced<Row[]> =>
    mergedRows(() => c.meter.due(c.n), rows, strict);
  const { func, args } = e;
  const time = (i: number): number => (c.startMs + i * c.stepMs) / 1000;
  switch (func) {
    case 'time':
      return { kind: 'scalar', values: filled(c.n, time) };
    case 'pi':
      return { kind: 'scalar', values: new Float64Array(c.n).fill(Math.PI) };
    case 'start':
    case 'end':
    case 'range':
    case 'step': {
      const v = { start: c.queryStartMs, end: c.queryEndMs, range: c.queryEndMs - c.queryStartMs, step: c.queryStepMs }[
        func
      ];
      return { kind: 'scalar', values: new Float64Array(c.n).fill(v / 1000) };
    }
    case 'scalar': {
      const rows = yield* ev.vector(c, args[0]!);
      return {
        kind: 'scalar',
        values: filled(c.n, (i) => {
          let found = Number.NaN;
          let count = 0;
          for (const r of rows) {
            if (r.present[i] !== FLOAT) continue;
            count++;
            found = r.values[i]!;
          }
          return count === 1 ? found : Number.NaN;
        }),
      };
    }
    case 'vector':
      return vector([
        {
          labels: Labels.EMPTY,
          dropName: false,
          values: yield* ev.scalar(c, args[0]!),
          present: new Uint8Array(c.n).fill(FLOAT),
        },
      ]);
    case 'absent':
    case 'absent_over_time': {
      const rows =
        func === 'absent'
          ? yield* ev.vector(c, args[0]!)
          : (yield* overRange(c, { ...e, func: 'present_over_time' }, args[0]!, ev, true)).list;
      const row = newRow(absentLabels(unwrap(args[0]!)), c.n);
      row.present.fill(FLOAT);
      row.values.fill(1);
      for (const r of rows) {
        if (c.meter.due(c.n)) yield;
        for (let i = 0; i < c.n; i++) if (r.present[i] !== ABSENT) row.present[i] = ABSENT;
      }
      return vector(yield* merged([row]));
    }
    case 'timestamp':
    case 'start_timestamp': {
      if (func === 'start_timestamp')
        throw new VigieError('unsupported', 'start_timestamp() needs start timestamps, which this store does not keep');
      const arg = unwrap(args[0]!);
      if (arg.kind === 'selector')
        return vector(yield* merged((yield* instantRows(c, arg, true)).map((r) => ({ ...r, ...renamed(c, r, true) }))));
      return vector(
        yield* merged(
          (yield* ev.vector(c, arg)).map((r) => ({
            ...renamed(c, r, true),
            values: filled(c.n, time),
            present: r.present.map((p) => (p ? FLOAT : ABSENT)),
          })),
        ),
      );
    }
    case 'sort':
    case 'sort_desc':
    case 'sort_by_label':
    case 'sort_by_label_desc':
      return vector(yield* sorted(c, e, ev));
    case 'label_replace':
    case 'label_join':
      return vector(yield* relabelled(c, e, ev));
    case 'histogram_quantile':
    case 'histogram_quantiles':
    case 'histogram_fraction': {
      const many = func === 'histogram_quantiles';
      const source = unwrap(args[many ? 0 : args.length - 1]!);
      const scalars: { values: Float64Array; pos: Expr['pos'] }[] = [];
      for (const a of many ? args.slice(2) : args.slice(0, -1))
        scalars.push({ values: yield* ev.scalar(c, a), pos: unwrap(a).pos });
      const rows = yield* ev.vector(c, source);
      return vector(yield* overBuckets(c, e, rows, source, scalars, many ? ev.text(c, args[1]!) : ''));
    }
    case 'info':
      return vector(yield* infoJoin(c, e, yield* ev.vector(c, args[0]!)));
  }
  const ofHistogram = HISTOGRAM_MAPPERS.get(func);
  if (ofHistogram) {
    const out: Row[] = [];
    for (const r of yield* ev.vector(c, args[0]!)) {
      if (c.meter.due(c.n)) yield;
      if (!r.histograms) continue;
      const row = { ...newRow(r.labels, c.n), ...renamed(c, r, true) };
      for (let i = 0; i < c.n; i++) if (r.present[i] === HISTOGRAM) put(row, i, ofHistogram(r.histograms[i]!));
      out.push(row);
    }
    return vector(yield* merged(out));
  }
  const mapper = MAPPERS.get(func);
  if (mapper) {
    const nowRow: Row = {
      labels: Labels.EMPTY,
      dropName: false,
      values: filled(c.n, time),
      present: new Uint8Array(c.n).fill(FLOAT),
    };
    const rows = args.length === 0 && DATE_FUNCTIONS.has(func) ? [nowRow] : yield* ev.vector(c, args[0]!);
    const a = args[1] ? yield* ev.scalar(c, args[1]) : new Float64Array(c.n).fill(func === 'round' ? 1 : 0);
    const b = args[2] ? yield* ev.scalar(c, args[2]) : new Float64Array(c.n);
    const out: Row[] = [];
    for (const r of rows) {
      if (c.meter.due(c.n)) yield;
      const row = { ...newRow(r.labels, c.n), ...renamed(c, r, true) };
      for (let i = 0; i < c.n; i++) {
        if (r.present[i] !== FLOAT || (func === 'clamp' && b[i]! < a[i]!)) continue;
        row.values[i] = mapper(r.values[i]!, a[i]!, b[i]!);
        row.present[i] = FLOAT;
      }
      out.push(row);
    }
    return vector(oneName(rows) ? out.filter((r) => !isEmpty(r)) : yield* merged(out));
  }
  const rangeArg = func === 'quantile_over_time' ? args[1]! : args[0]!;
  if (RANGE_KERNELS.has(func)) {
    const rows = yield* overRange(c, e, rangeArg, ev);
    // what has one name stays distinct without it
    return vector(rows.distinct ? rows.list : yield* merged(rows.list, true));
  }
  return unreachable(func as never);
}

const NO_POSITION = { start: 0, end: 0 };
const COUNTERS: ReadonlySet<string> = new Set(['rate', 'increase']);
const COUNTER_SUFFIX = /_(?:total|sum|count|bucket)$/;

/** Slides the function's window over each series. */
interface RangeRows {
  readonly list: Row[];
  /** No two have the same labels. */
  readonly distinct: boolean;
}

function* overRange(c: Context, e: Call, arg: Expr, ev: Evaluator, ignoreHistograms = false): Sliced<RangeRows> {
  const input: RangeInput = yield* rangeInput(c, arg, (inner, x) => ev.vector(inner, x));
  const kernel = RANGE_KERNELS.get(e.func)!;
  const p1 =
    e.func === 'quantile_over_time'
      ? yield* ev.scalar(c, e.args[0]!)
      : e.args[1]
        ? yield* ev.scalar(c, e.args[1])
        : undefined;
  const p2 = e.args[2] ? yield* ev.scalar(c, e.args[2]) : undefined;
  const steady = input.atMs !== undefined && e.func !== 'predict_linear' && !p1;
  const n = steady ? Math.min(1, c.n) : c.n;
  const list: Row[] = [];
  const counter = COUNTERS.has(e.func);
  const quantiles = e.func === 'quantile_over_time';
  const smoothed = e.func === 'double_exponential_smoothing';
  const keepsName = KEEPS_NAME.has(e.func);
  // annotations point at the first argument; Prometheus evaluates a subquery as a range without a position
  const notePos = unwrap(e.args[0]!).kind === 'subquery' ? NO_POSITION : unwrap(e.args[0]!).pos;
  const slide = n >= SLIDING_FROM_STEPS && !input.extended ? slidingKernel(e.func) : undefined;
  let lastName = '';
  for (const s of input.series) {
    if (c.meter.due(c.n)) yield;
    const base = renamed(c, { labels: s.labels, dropName: s.dropName ?? false }, !keepsName);
    const t = s.timestamps;
    const v = s.values;
    const run = s.histograms ? kernel : (slide?.(s.length) ?? kernel);
    const w: Window = {
      timeMs: 0,
      endMs: 0,
      rangeMs: input.rangeMs,
      p1: 0,
      p2: 0,
      none: false,
      resets: counter && !s.histograms ? findResets(v, s.length) : NO_RESETS,
      resetLo: 0,
    };
    let row: Row | undefined;
    let lo = 0;
    let hi = 0;
    let floats = false;
    for (let i = 0; i < n; i++) {
      if (i % STEPS_PER_LOOK === STEPS_PER_LOOK - 1 && c.meter.due(WORK_PER_LOOK)) yield;
      const timeMs = c.startMs + i * c.stepMs;
      const endMs = (input.atMs ?? timeMs) - input.offsetMs;
      const startMs = endMs - input.rangeMs;
      while (hi < s.length && t[hi]! <= endMs) hi++;
      while (lo < hi && t[lo]! <= startMs) lo++;
      w.timeMs = timeMs;
      w.endMs = endMs;
      if (input.extended) {
        const got = extendedWindow(c, e.func, input.extended, s, startMs, endMs, w, kernel);
        if (got !== undefined) row = put(row ?? newRow(base.labels, c.n, base.dropName), i, got);
        continue;
      }
      if (hi === lo) continue;
      if (c.read) {
        const weight = s.histograms ? sampleWeight(s, lo, hi) : hi - lo;
        if (steady) for (let k = 0; k < c.n; k++) c.read[k]! += weight;
        else c.read[i]! += weight;
      }
      if (p1) w.p1 = p1[i]!;
      if (p2) w.p2 = p2[i]!;
      if (smoothed) checkSmoothing(w.p1, w.p2);
      if (s.histograms && !ignoreHistograms && hasHistogram(s.histograms, lo, hi)) {
        const got = histogramWindow(c, e.func, s, lo, hi, w, kernel, notePos);
        if (got === undefined) continue;
        if (quantiles) checkQuantile(c, w.p1, unwrap(e.args[0]!).pos);
        row = put(row ?? newRow(base.labels, c.n, base.dropName), i, got);
        continue;
      }
      if (quantiles) checkQuantile(c, w.p1, unwrap(e.args[0]!).pos);
      if (s.histograms && counter) w.resets = findResets(v, s.length);
      w.none = false;
      const r = run(t, v, lo, hi, w);
      if (w.none) continue;
      floats = true;
      if (c.n === 1 && !row) row = singleRow(base.labels, base.dropName, r);
      else {
        row ??= newRow(base.labels, c.n, base.dropName);
        row.values[i] = r;
        row.present[i] = FLOAT;
      }
    }
    if (!row) continue;
    if (floats && counter) {
      const name = s.labels.metricName;
      if (name !== lastName && !COUNTER_SUFFIX.test(name))
        c.notes.info(
          `metric might not be a counter, name does not end in _total/_sum/_count/_bucket: ${JSON.stringify(name)}`,
          notePos,
        );
      lastName = name;
    }
    if (steady && c.n > 1)
      for (let i = 1; i < c.n; i++)
        if (row.present[0] !== ABSENT)
          row = put(row, i, row.present[0] === FLOAT ? row.values[0]! : row.histograms![0]);
    c.meter.addSamples(c.n);
    list.push(row);
  }
  return { list, distinct: keepsName || oneName(input.series) };
}

function hasHistogram(h: readonly (NativeHistogram | undefined)[], lo: number, hi: number): boolean {
  for (let i = lo; i < hi; i++) if (h[i]) return true;
  return false;
}

/** Labels that the absent series would have had: those of equality matchers that stand alone. */
function absentLabels(e: Expr): Labels {
  const s = e.kind === 'matrix' ? e.selector : e;
  if (s.kind !== 'selector') return Labels.EMPTY;
  const pairs = new Map<string, string>();
  const spoilt = new Set<string>();
  for (const m of s.matchers) {
    if (m.name === METRIC_NAME) continue;
    if (m.op === '=' && !pairs.has(m.name) && !spoilt.has(m.name)) pairs.set(m.name, m.value);
    else {
      pairs.delete(m.name);
      spoilt.add(m.name);
    }
  }
  return Labels.fromPairs(pairs);
}

function* sorted(c: Context, e: Call, ev: Evaluator): Sliced<readonly Row[]> {
  const rows = yield* ev.vector(c, e.args[0]!);
  // an order over time means nothing: range results are sorted by labels
  if (c.n > 1) {
    c.notes.warn('sort is ineffective for range queries since results are always ordered by labels', e.pos);
    return e.func.startsWith('sort_by')
      ? rows
      : rows.map((r) => (r.histograms ? { ...r, present: r.present.map((p) => (p === FLOAT ? p : ABSENT)) } : r));
  }
  const sign = e.func.endsWith('desc') ? -1 : 1;
  if (e.func.startsWith('sort_by_label')) {
    const names = e.args.slice(1).map((a) => ev.text(c, a));
    return yield* sortedSlices(c, rows, (a, b) => {
      for (const n of names) {
        const x = a.labels.get(n);
        const y = b.labels.get(n);
        if (x !== y) return sign * naturalCompare(x, y);
      }
      return sign * Labels.compare(a.labels, b.labels);
    });
  }
  const value = (r: Row): number => r.values[0]!;
  const floats = rows.filter((r) => r.present[0] === FLOAT);
  return yield* sortedSlices(c, floats, (a, b) => {
    if (Number.isNaN(value(a))) return Number.isNaN(value(b)) ? 0 : 1;
    if (Number.isNaN(value(b))) return -1;
    return sign * (value(a) < value(b) ? -1 : value(a) > value(b) ? 1 : 0);
  });
}

function* relabelled(c: Context, e: Call, ev: Evaluator): Sliced<Row[]> {
  const rows = yield* ev.vector(c, e.args[0]!);
  const out: Row[] = [];
  const texts = e.args.slice(1).map((a) => ev.text(c, a));
  const dst = texts[0]!;
  if (dst === '' || !dst.isWellFormed())
    throw new VigieError(
      'execution',
      `invalid ${e.func === 'label_join' ? 'destination ' : 'destination '}label name in ${e.func}(): ${dst}`,
    );
  const change = (row: Row, labels: Labels): Row => ({
    ...row,
    labels,
    dropName: dst === METRIC_NAME ? false : row.dropName,
  });
  if (e.func === 'label_join') {
    const [, separator, ...sources] = texts;
    for (const s of sources)
      if (s === '' || !s.isWellFormed())
        throw new VigieError('execution', `invalid source label name in label_join(): ${s}`);
    for (const r of rows) {
      if (c.meter.due(c.n)) yield;
      out.push(change(r, r.labels.with(dst, sources.map((name) => r.labels.get(name)).join(separator))));
    }
    return yield* mergedRows(() => c.meter.due(c.n), out);
  }
  const [, replacement, source, pattern] = texts as [string, string, string, string];
  let regex: ReturnType<Context['compileRegex']>;
  try {
    regex = c.compileRegex(pattern);
  } catch (cause) {
    throw new VigieError('execution', `invalid regular expression in label_replace(): ${pattern}`, { cause });
  }
  for (const r of rows) {
    if (c.meter.due(c.n)) yield;
    const value = regex.replace(r.labels.get(source), replacement);
    out.push(value === undefined ? r : change(r, r.labels.with(dst, value)));
  }
  return yield* mergedRows(() => c.meter.due(c.n), out);
}
