/**
 * Runs queries: parse, read all samples once, evaluate for all steps, in slices so that a large query does not hold the
 * thread. Holds no data between queries and knows neither tenants nor HTTP.
 */
import { VigieError } from '../lib/errors.ts';
import type { NativeHistogram } from '../model/histogram.ts';
import { Labels } from '../model/labels.ts';
import type { SeriesColumns } from '../model/sample.ts';
import { aggregate } from './aggregate.ts';
import { type Expr, stepInvariant, unwrap } from './ast.ts';
import { put, renamed, scalarScalar, vectorScalar, vectorVector } from './binary.ts';
import { ABSENT, FLOAT, HISTOGRAM, mergedRows, nameless, newRow, type Row, type Value } from './block.ts';
import { type Evaluator, evaluateCall } from './call.ts';
import { typeOf } from './check.ts';
import {
  Annotations,
  type Context,
  DEFAULT_LIMITS,
  type QueryLimits,
  QueryMeter,
  type Shared,
  type Sliced,
  STEPS_MAX,
} from './context.ts';
import type { Feature } from './function-table.ts';
import { scaleHistogram } from './native-histogram.ts';
import { parse } from './parse.ts';
import { populate } from './populate.ts';
import { print } from './print.ts';
import type { CompileRegex } from './regex-port.ts';
import { instantRows, rangeInput, sampleWeight, toColumns } from './select.ts';
import { sortedSlices } from './sorted-slices.ts';
import type { SampleSource } from './source.ts';

export interface EngineOptions {
  readonly compileRegex: CompileRegex;
  /** Monotonic milliseconds, for time limits and statistics. */
  readonly monotonicMs: () => number;
  readonly features?: ReadonlySet<Feature>;
  /** Default 5 minutes. */
  readonly lookbackMs?: number;
  /** Step of subqueries without one; default 1 minute. */
  readonly defaultStepMs?: number;
  readonly limits?: Partial<QueryLimits>;
  /**
   * Lets others use the thread: awaited whenever evaluation has held it for some milliseconds. Default: the next turn of
   * the event loop.
   */
  readonly breathe?: () => Promise<void>;
}

export interface QueryOptions {
  readonly lookbackMs?: number;
  readonly limits?: Partial<QueryLimits>;
  readonly signal?: AbortSignal;
  /** Extra cancel check for callers whose signal cannot fire while evaluation holds the thread. */
  readonly cancelled?: () => boolean;
  /** Text the positions of annotations refer to, when an Expr is given. */
  readonly text?: string;
}

export interface VectorSample {
  readonly labels: Labels;
  readonly timestampMs: number;
  readonly value: number;
  readonly histogram?: NativeHistogram;
}

export type QueryValue =
  | { readonly type: 'scalar'; readonly timestampMs: number; readonly value: number }
  | { readonly type: 'string'; readonly timestampMs: number; readonly value: string }
  | { readonly type: 'vector'; readonly samples: readonly VectorSample[] }
  | { readonly type: 'matrix'; readonly series: readonly SeriesColumns[] };

export interface QueryStats {
  /** Samples that selectors read, over all steps; a native histogram counts by its size. */
  readonly samplesTotal: number;
  readonly samplesPerStep: Float64Array;
  readonly samplesPeak: number;
  readonly series: number;
  readonly prepareMs: number;
  readonly evalMs: number;
}

export interface QueryResult {
  readonly value: QueryValue;
  readonly warnings: readonly string[];
  readonly infos: readonly string[];
  readonly stats: QueryStats;
}

interface Prepared {
  readonly expr: Expr;
  readonly text: string;
  readonly context: Context;
  readonly prepareMs: number;
}

/** Trees kept by their text: dashboards and live charts ask the same few hundred questions over and over. */
const PARSED_KEPT_MAX = 1_000;
const PARSED_CHARS_MAX = 4_000;

export class QueryEngine {
  /** Trees are never written to, so one may be evaluated many times at once. */
  readonly #parsed = new Map<string, Expr>();
  readonly #options: EngineOptions;

  constructor(options: EngineOptions) {
    this.#options = options;
  }

  /** Parses with the engine's features. Throws `bad_query`. */
  parse(text: string): Expr {
    const known = this.#parsed.get(text);
    if (known) {
      // the least recently used goes first
      this.#parsed.delete(text);
      this.#parsed.set(text, known);
      return known;
    }
    const expr = parse(text, {
      compileRegex: this.#options.compileRegex,
      ...(this.#options.features && { features: this.#options.features }),
    });
    if (text.length <= PARSED_CHARS_MAX) {
      if (this.#parsed.size >= PARSED_KEPT_MAX) this.#parsed.delete(this.#parsed.keys().next().value!);
      this.#parsed.set(text, expr);
    }
    return expr;
  }

  async instant(
    source: SampleSource,
    query: Expr | string,
    timeMs: number,
    options: QueryOptions = {},
  ): Promise<QueryResult> {
    const p = await this.#prepare(source, query, { startMs: timeMs, endMs: timeMs, stepMs: 0 }, options);
    const c = p.context;
    return await this.#finish(p, function* () {
      const type = typeOf(p.expr);
      if (type === 'matrix') {
        const input = yield* rangeInput(c, p.expr, evaluator.vector);
        const end = (input.atMs ?? timeMs) - input.offsetMs;
        const series = input.series.map((s) => window(s, end - input.rangeMs, end)).filter((s) => s.length > 0);
        for (const s of series) c.read![0]! += sampleWeight(s, 0, s.length);
        return { type: 'matrix', series: yield* sortSeries(c, series) };
      }
      const v = yield* evaluate(c, p.expr);
      if (v.kind === 'scalar') return { type: 'scalar', timestampMs: timeMs, value: v.values[0]! };
      if (v.kind === 'string') return { type: 'string', timestampMs: timeMs, value: v.value };
      const samples: VectorSample[] = [];
      for (const r of yield* finalNames(c, v.rows)) {
        if (c.meter.due(c.n)) yield;
        if (r.present[0] === FLOAT) samples.push({ labels: r.labels, timestampMs: timeMs, value: r.values[0]! });
        else if (r.present[0] === HISTOGRAM)
          samples.push({ labels: r.labels, timestampMs: timeMs, value: 0, histogram: r.histograms![0]! });
      }
      return { type: 'vector', samples };
    });
  }

  async range(
    source: SampleSource,
    query: Expr | string,
    range: { readonly startMs: number; readonly endMs: number; readonly stepMs: number },
    options: QueryOptions = {},
  ): Promise<QueryResult> {
    if (!(range.stepMs > 0))
      throw new VigieError(
        'bad_data',
        'zero or negative query resolution step widths are not accepted. Try a positive integer',
      );
    if (range.endMs < range.startMs) throw new VigieError('bad_data', 'end timestamp must not be before start time');
    if ((range.endMs - range.startMs) / range.stepMs > STEPS_MAX)
      throw new VigieError(
        'bad_data',
        `exceeded maximum resolution of ${STEPS_MAX} points per timeseries. Try decreasing the query resolution (?step=XX)`,
      );
    const p = await this.#prepare(source, query, range, options);
    const c = p.context;
    return await this.#finish(p, function* () {
      const v = yield* evaluate(c, p.expr);
      if (v.kind === 'string') throw new VigieError('bad_data', 'BUG: string in a range query');
      const rows: readonly Row[] =
        v.kind === 'scalar'
          ? [
              {
                labels: Labels.EMPTY,
                dropName: false,
                values: v.values,
                present: new Uint8Array(p.context.n).fill(FLOAT),
              },
            ]
          : yield* finalNames(c, v.rows);
      const series: SeriesColumns[] = [];
      for (const r of rows) {
        if (c.meter.due(c.n)) yield;
        const columns = toColumns(r, range.startMs, range.stepMs);
        if (columns.length > 0) series.push(columns);
      }
      return {
        type: 'matrix',
        series: yield* sortSeries(c, series),
      };
    });
  }

  async #prepare(
    source: SampleSource,
    query: Expr | string,
    range: { readonly startMs: number; readonly endMs: number; readonly stepMs: number },
    options: QueryOptions,
  ): Promise<Prepared> {
    const o = this.#options;
    const expr = typeof query === 'string' ? this.parse(query) : query;
    const type = typeOf(expr);
    if (range.stepMs > 0 && type !== 'scalar' && type !== 'vector')
      throw new VigieError(
        'bad_data',
        `invalid expression type ${JSON.stringify(type === 'matrix' ? 'range vector' : type)} for range query, must be Scalar or instant Vector`,
      );
    const limits: QueryLimits = { ...DEFAULT_LIMITS, ...o.limits, ...options.limits };
    const { signal } = options;
    const meter = new QueryMeter(
      limits,
      o.monotonicMs,
      () => signal?.aborted === true || options.cancelled?.() === true,
    );
    const began = o.monotonicMs();
    meter.look();
    const shared: Shared = {
      data: new Map(),
      infoData: new Map(),
      lookbackMs: options.lookbackMs ?? o.lookbackMs ?? 300_000,
      defaultStepMs: o.defaultStepMs ?? 60_000,
      features: o.features ?? new Set(),
      compileRegex: o.compileRegex,
      notes: new Annotations(),
      meter,
      queryStartMs: range.startMs,
      queryEndMs: range.endMs,
      queryStepMs: range.stepMs,
    };
    await populate(expr, range.startMs, range.endMs, shared, source, signal);
    const n = range.stepMs > 0 ? Math.floor((range.endMs - range.startMs) / range.stepMs) + 1 : 1;
    const context: Context = {
      ...shared,
      startMs: range.startMs,
      stepMs: range.stepMs || 1,
      n,
      endMs: range.endMs,
      read: new Float64Array(n),
    };
    const text = typeof query === 'string' ? query : (options.text ?? print(expr));
    return { expr, text, context, prepareMs: o.monotonicMs() - began };
  }

  async #finish(p: Prepared, run: () => Sliced<QueryValue>): Promise<QueryResult> {
    const began = this.#options.monotonicMs();
    const breathe = this.#options.breathe ?? nextTurn;
    const slices = run();
    let step = slices.next();
    while (!step.done) {
      await breathe();
      p.context.meter.resume();
      step = slices.next();
    }
    const value = step.value;
    const { meter, notes } = p.context;
    const read = p.context.read!;
    return {
      value,
      ...notes.texts(p.text),
      stats: {
        samplesTotal: read.reduce((a, b) => a + b, 0),
        samplesPerStep: read,
        samplesPeak: meter.peakSamples,
        series: meter.series,
        prepareMs: p.prepareMs,
        evalMs: this.#options.monotonicMs() - began,
      },
    };
  }
}

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function sortSeries(c: Context, series: readonly SeriesColumns[]): Sliced<SeriesColumns[]> {
  return sortedSlices(c, series, (a, b) => Labels.compare(a.labels, b.labels));
}

function window(s: SeriesColumns, afterMs: number, endMs: number): SeriesColumns {
  let lo = 0;
  while (lo < s.length && s.timestamps[lo]! <= afterMs) lo++;
  let hi = lo;
  while (hi < s.length && s.timestamps[hi]! <= endMs) hi++;
  return {
    labels: s.labels,
    length: hi - lo,
    timestamps: s.timestamps.subarray(lo, hi),
    values: s.values.subarray(lo, hi),
    ...(s.histograms && { histograms: s.histograms.slice(lo, hi) }),
  };
}

/** Delayed name removal: names marked for dropping go now, and what then collides is an error. */
function* finalNames(c: Context, rows: readonly Row[]): Sliced<readonly Row[]> {
  if (!rows.some((r) => r.dropName)) return rows;
  return yield* merged(
    c,
    rows.map((r) => (r.dropName ? { ...r, labels: nameless(r.labels), dropName: false } : r)),
  );
}

const evaluator: Evaluator = {
  *vector(c, e) {
    const v = yield* evaluate(c, e);
    if (v.kind === 'vector') return v.rows;
    if (v.kind === 'scalar')
      return [{ labels: Labels.EMPTY, dropName: false, values: v.values, present: new Uint8Array(c.n).fill(FLOAT) }];
    throw new Error('BUG: string where a vector was checked');
  },
  *scalar(c, e) {
    const v = yield* evaluate(c, e);
    if (v.kind !== 'scalar') throw new Error(`BUG: ${v.kind} where a scalar was checked`);
    return v.values;
  },
  text(_c, e) {
    const inner = unwrap(e);
    if (inner.kind !== 'string') throw new Error(`BUG: ${inner.kind} where a string was checked`);
    return inner.value;
  },
};

/** Over an operand fixed in time Prometheus evaluates an aggregation once, with the parameter of the first step. */
function aggregateParam(c: Context, operand: Expr, param: Float64Array): Float64Array {
  return c.n > 1 && stepInvariant(operand) ? param.fill(param[0]!) : param;
}

const merged = (c: Context, rows: readonly Row[]): Sliced<Row[]> => mergedRows(() => c.meter.due(c.n), rows);

function* evaluate(c: Context, e: Expr): Sliced<Value> {
  // scalars and the like take memory too: steps without end must not go uncounted
  c.meter.addSamples(c.n);
  switch (e.kind) {
    case 'number':
      return { kind: 'scalar', values: new Float64Array(c.n).fill(e.value) };
    case 'string':
      return { kind: 'string', value: e.value };
    case 'paren':
      return yield* evaluate(c, e.expr);
    case 'selector':
      return { kind: 'vector', rows: yield* instantRows(c, e) };
    case 'unary': {
      const v = yield* evaluate(c, e.expr);
      if (e.op === '+') return v;
      if (v.kind === 'scalar') return { kind: 'scalar', values: v.values.map((x) => -x) };
      if (v.kind !== 'vector') return v;
      const rows: Row[] = [];
      for (const r of v.rows) {
        if (c.meter.due(c.n)) yield;
        let out: Row = { ...newRow(r.labels, c.n), ...renamed(c, r, true) };
        for (let i = 0; i < c.n; i++) {
          if (r.present[i] === ABSENT) continue;
          out = put(out, i, r.present[i] === FLOAT ? -r.values[i]! : scaleHistogram(r.histograms![i]!, -1));
        }
        rows.push(out);
      }
      return { kind: 'vector', rows: yield* merged(c, rows) };
    }
    case 'aggregate': {
      const param = e.param
        ? e.op === 'count_values'
          ? evaluator.text(c, e.param)
          : aggregateParam(c, e.expr, yield* evaluator.scalar(c, e.param))
        : undefined;
      const rows = yield* evaluator.vector(c, e.expr);
      return { kind: 'vector', rows: yield* aggregate(c, e, rows, param) };
    }
    case 'binary': {
      const l = yield* evaluate(c, e.left);
      const r = yield* evaluate(c, e.right);
      if (l.kind === 'scalar' && r.kind === 'scalar')
        return { kind: 'scalar', values: scalarScalar(e.op, l.values, r.values) };
      if (l.kind === 'vector' && r.kind === 'scalar')
        return { kind: 'vector', rows: yield* vectorScalar(c, e, l.rows, r.values, false) };
      if (l.kind === 'scalar' && r.kind === 'vector')
        return { kind: 'vector', rows: yield* vectorScalar(c, e, r.rows, l.values, true) };
      if (l.kind === 'vector' && r.kind === 'vector')
        return { kind: 'vector', rows: yield* vectorVector(c, e, l.rows, r.rows) };
      throw new Error('BUG: string in a binary expression');
    }
    case 'call':
      return yield* evaluateCall(c, e, evaluator);
    case 'matrix':
    case 'subquery':
      throw new Error('BUG: range vector outside a function');
  }
}
