/** What one evaluation carries along: its steps, data, limits and the annotations it collects. */
import { VigieError } from '../lib/errors.ts';
import type { SeriesColumns } from '../model/sample.ts';
import { type DurationNode, type Expr, type Pos, positionText, type VectorSelector } from './ast.ts';
import type { Feature } from './function-table.ts';
import type { CompileRegex } from './regex-port.ts';

/** Steps a range query may have; Prometheus' own bound. */
export const STEPS_MAX = 11_000;
/** How long evaluation holds the thread before it lets others run; measured in docs/decisions/0010. */
const SLICE_MS = 6;

/** Steps of series between two looks at the clock: some tenths of a millisecond. */
const STEPS_PER_CLOCK = 2_048;

/** Work cut into slices: at each `yield` the thread may do something else. */
export type Sliced<T> = Generator<undefined, T, undefined>;

export interface QueryLimits {
  /** Samples held at once, as Prometheus' --query.max-samples. */
  readonly samplesMax: number;
  /** Series selected by one query. */
  readonly seriesMax: number;
  readonly timeoutMs: number;
}

export const DEFAULT_LIMITS: QueryLimits = { samplesMax: 50_000_000, seriesMax: 1_000_000, timeoutMs: 120_000 };

/** End of an annotation's text; a name that is not known is left out. */
export function ofMetric(name: string): string {
  return name === '' ? '' : ` for metric name ${JSON.stringify(name)}`;
}

/**
 * Warnings and infos, each text once, with the position of the last expression that said it: what Prometheus keeps.
 */
export class Annotations {
  // made when there is something to say: most queries have nothing
  #warnings: Map<string, Pos | undefined> | undefined;
  #infos: Map<string, Pos | undefined> | undefined;

  warn(message: string, pos?: Pos): void {
    (this.#warnings ??= new Map()).set(`PromQL warning: ${message}`, pos);
  }

  info(message: string, pos?: Pos): void {
    (this.#infos ??= new Map()).set(`PromQL info: ${message}`, pos);
  }

  /** A message that is not PromQL's own: from the store. */
  plain(message: string): void {
    (this.#warnings ??= new Map()).set(message, undefined);
  }

  texts(query: string, limit = 10): { readonly warnings: readonly string[]; readonly infos: readonly string[] } {
    const list = (map: Map<string, Pos | undefined> | undefined, kind: string): string[] => {
      if (!map) return [];
      const all = [...map].map(([text, pos]) => (pos ? `${text} (${positionText(query, pos.start)})` : text));
      if (all.length <= limit) return all;
      return [...all.slice(0, limit), `${all.length - limit} more ${kind} annotations omitted`];
    };
    return { warnings: list(this.#warnings, 'warning'), infos: list(this.#infos, 'info') };
  }
}

/** Counters of one query, for the answer's `stats`. */
export class QueryMeter {
  readonly #limits: QueryLimits;
  readonly #cancelled: () => boolean;
  readonly #now: () => number;
  readonly #deadline: number;
  #sliceStart: number;
  #work = 0;
  samples = 0;
  peakSamples = 0;
  series = 0;

  constructor(limits: QueryLimits, nowMs: () => number, cancelled: () => boolean) {
    this.#limits = limits;
    this.#now = nowMs;
    this.#cancelled = cancelled;
    this.#sliceStart = nowMs();
    this.#deadline = this.#sliceStart + limits.timeoutMs;
  }

  /**
   * Has this slice lasted long enough? Asked between rows, and between blocks of steps where a row is long, with the
   * steps worked on since: the clock is looked at only every so many.
   */
  due(steps: number): boolean {
    this.#work += steps;
    if (this.#work < STEPS_PER_CLOCK) return false;
    this.#work = 0;
    return this.#now() - this.#sliceStart > SLICE_MS;
  }

  /** The thread was free for others in between: look whether the query is still wanted, and begin anew. */
  resume(): void {
    this.look();
    this.#sliceStart = this.#now();
  }

  /** Throws when the query must end. */
  look(): void {
    if (this.#cancelled()) throw new VigieError('canceled', 'query was canceled in expression evaluation');
    if (this.#now() > this.#deadline)
      throw new VigieError(
        'query_timeout',
        `query timed out in expression evaluation (limit: ${this.#limits.timeoutMs} ms)`,
      );
  }

  addSamples(count: number): void {
    this.samples += count;
    if (this.samples > this.peakSamples) this.peakSamples = this.samples;
    if (this.samples > this.#limits.samplesMax)
      throw new VigieError(
        'query_limit',
        `query processing would load too many samples into memory in query execution (limit: ${this.#limits.samplesMax})`,
      );
  }

  addSeries(count: number): void {
    this.series += count;
    if (this.series > this.#limits.seriesMax)
      throw new VigieError(
        'query_limit',
        `the query selects ${this.series} series; at most ${this.#limits.seriesMax} are allowed`,
      );
  }
}

export interface Shared {
  readonly data: Map<VectorSelector, readonly SeriesColumns[]>;
  readonly lookbackMs: number;
  /** Step of subqueries that name none. */
  readonly defaultStepMs: number;
  readonly features: ReadonlySet<Feature>;
  readonly compileRegex: CompileRegex;
  readonly notes: Annotations;
  readonly meter: QueryMeter;
  /** Of the outermost query, for start() and end() and duration expressions. */
  readonly queryStartMs: number;
  readonly queryEndMs: number;
  readonly queryStepMs: number;
  /** Info series found for info(), by the data selector or the call. */
  readonly infoData: Map<Expr, readonly SeriesColumns[]>;
}

export interface Context extends Shared {
  readonly startMs: number;
  readonly stepMs: number;
  readonly n: number;
  /** End of the range asked for; the last step may lie before it, and subqueries run up to here. */
  readonly endMs: number;
  /** Samples read per step, for `stats`; absent within subqueries, whose samples are counted where they are used. */
  readonly read?: Float64Array;
}

/** Milliseconds of a duration in this query. Throws `execution` when it cannot be had. */
export function durationMs(
  d: DurationNode | undefined,
  c: Pick<Shared, 'queryStartMs' | 'queryEndMs' | 'queryStepMs'>,
): number {
  return d === undefined ? 0 : Math.round(seconds(d, c) * 1000);
}

/** As `durationMs`, for ranges and steps, which must be positive. */
export function positiveMs(d: DurationNode, c: Pick<Shared, 'queryStartMs' | 'queryEndMs' | 'queryStepMs'>): number {
  const ms = durationMs(d, c);
  if (!(ms > 0)) throw new VigieError('execution', 'duration must be greater than 0');
  return ms;
}

function seconds(d: DurationNode, c: Pick<Shared, 'queryStartMs' | 'queryEndMs' | 'queryStepMs'>): number {
  switch (d.kind) {
    case 'number':
      return d.seconds;
    case 'step':
      return c.queryStepMs / 1000;
    case 'range':
      return (c.queryEndMs - c.queryStartMs) / 1000;
    case 'paren':
      return seconds(d.inner, c);
    case 'unary':
      return d.op === '-' ? -seconds(d.inner, c) : seconds(d.inner, c);
    case 'binary': {
      const a = seconds(d.left, c);
      const b = seconds(d.right, c);
      if ((d.op === '/' || d.op === '%') && b === 0)
        throw new VigieError('execution', d.op === '/' ? 'division by zero' : 'modulo by zero');
      const v =
        d.op === '+'
          ? a + b
          : d.op === '-'
            ? a - b
            : d.op === '*'
              ? a * b
              : d.op === '/'
                ? a / b
                : d.op === '%'
                  ? a % b
                  : d.op === '^'
                    ? a ** b
                    : d.op === 'min_of'
                      ? Math.min(a, b)
                      : Math.max(a, b);
      if (!Number.isFinite(v)) throw new VigieError('execution', 'duration out of range');
      return v;
    }
  }
}
