/**
 * Functions over ranges of floats. Each kernel answers for the window [lo, hi) of one series' columns; `w.none` says
 * there is no answer. Windows with native histograms go to histogram-range.ts.
 */
import { VigieError } from '../lib/errors.ts';
import { kahan, kahanState, linearRegression, quantile } from './float-math.ts';

export interface Window {
  /** Time of the step in ms. */
  timeMs: number;
  /** End of the window: the step's time less the offset. */
  endMs: number;
  rangeMs: number;
  /** Scalar parameters at this step. */
  p1: number;
  p2: number;
  /** Set by a kernel that yields nothing. */
  none: boolean;
  /** Indices at which the series falls, ascending, and the part of them that may concern the window. */
  resets: Int32Array;
  resetLo: number;
}

export type Kernel = (t: Float64Array, v: Float64Array, lo: number, hi: number, w: Window) => number;

function none(w: Window): number {
  w.none = true;
  return 0;
}

/**
 * How much of the change seen stands for the whole window; Prometheus' extrapolation. A counter is not taken below zero:
 * `toZeroFraction` of the time seen leads from its first sample to zero, Infinity when it never gets there.
 */
export function extrapolationFactor(
  firstT: number,
  lastT: number,
  samples: number,
  w: Pick<Window, 'endMs' | 'rangeMs'>,
  toZeroFraction: number,
): number {
  let toStart = (firstT - (w.endMs - w.rangeMs)) / 1000;
  let toEnd = (w.endMs - lastT) / 1000;
  const sampled = (lastT - firstT) / 1000;
  const average = sampled / (samples - 1);
  const threshold = average * 1.1;
  if (toStart >= threshold) toStart = average / 2;
  const toZero = sampled * toZeroFraction;
  if (toZero < toStart) toStart = toZero;
  if (toEnd >= threshold) toEnd = average / 2;
  return (sampled + toStart + toEnd) / sampled;
}

/** What rate, increase and delta differ in. */
export interface Extrapolation {
  readonly counter: boolean;
  readonly perSecond: boolean;
}

export const EXTRAPOLATED: ReadonlyMap<string, Extrapolation> = new Map([
  ['rate', { counter: true, perSecond: true }],
  ['increase', { counter: true, perSecond: false }],
  ['delta', { counter: false, perSecond: false }],
]);

/** The answer for one window into `out[at]`; false when there is none. Numbers pass through columns alone: many windows. */
export function extrapolateInto(
  how: Extrapolation,
  t: Float64Array,
  v: Float64Array,
  lo: number,
  hi: number,
  w: Window,
  out: Float64Array,
  at: number,
): boolean {
  if (hi - lo < 2) return false;
  const first = v[lo]!;
  let result = v[hi - 1]! - first;
  if (how.counter) {
    const { resets } = w;
    if (resets.length > 0) {
      let k = w.resetLo;
      while (k < resets.length && resets[k]! <= lo) k++;
      w.resetLo = k;
      for (; k < resets.length && resets[k]! < hi; k++) result += v[resets[k]! - 1]!;
    }
  }
  let factor = extrapolationFactor(
    t[lo]!,
    t[hi - 1]!,
    hi - lo,
    w,
    how.counter && result > 0 && first >= 0 ? first / result : Number.POSITIVE_INFINITY,
  );
  if (how.perSecond) factor /= w.rangeMs / 1000;
  out[at] = result * factor;
  return true;
}

const answer = new Float64Array(1);

function extrapolated(how: Extrapolation): Kernel {
  return (t, v, lo, hi, w) => (extrapolateInto(how, t, v, lo, hi, w, answer, 0) ? answer[0]! : none(w));
}

function lastTwo(rate: boolean): Kernel {
  return (t, v, lo, hi, w) => {
    if (hi - lo < 2) return none(w);
    const last = v[hi - 1]!;
    const previous = v[hi - 2]!;
    const interval = t[hi - 1]! - t[hi - 2]!;
    if (interval === 0) return none(w);
    const delta = rate && last < previous ? last : last - previous;
    return rate ? delta / (interval / 1000) : delta;
  };
}

function variance(v: Float64Array, lo: number, hi: number): number {
  let count = 0;
  let mean = 0;
  let cMean = 0;
  let aux = 0;
  let cAux = 0;
  for (let i = lo; i < hi; i++) {
    count++;
    const delta = v[i]! - (mean + cMean);
    mean = kahan(delta / count, mean, cMean);
    cMean = kahanState.c;
    aux = kahan(delta * (v[i]! - (mean + cMean)), aux, cAux);
    cAux = kahanState.c;
  }
  return (aux + cAux) / count;
}

function sum(v: Float64Array, lo: number, hi: number): number {
  let s = 0;
  let c = 0;
  // kahan() written out: most windows are summed
  for (let i = lo; i < hi; i++) {
    const x = v[i]!;
    const t = s + x;
    if (t === Number.POSITIVE_INFINITY || t === Number.NEGATIVE_INFINITY) c = 0;
    else if (Math.abs(s) >= Math.abs(x)) c += s - t + x;
    else c += x - t + s;
    s = t;
  }
  return s === Number.POSITIVE_INFINITY || s === Number.NEGATIVE_INFINITY ? s : s + c;
}

function average(v: Float64Array, lo: number, hi: number): number {
  let s = v[lo]!;
  let c = 0;
  let mean = 0;
  let incremental = false;
  let count = 1;
  for (let i = lo + 1; i < hi; i++) {
    count++;
    const x = v[i]!;
    if (!incremental) {
      const next = s + x;
      if (next !== Number.POSITIVE_INFINITY && next !== Number.NEGATIVE_INFINITY) {
        c += Math.abs(s) >= Math.abs(x) ? s - next + x : x - next + s;
        s = next;
        continue;
      }
      // the plain sum would overflow: go on with a running mean
      incremental = true;
      mean = s / (count - 1);
      c /= count - 1;
    }
    const q = (count - 1) / count;
    mean = kahan(x / count, q * mean, q * c);
    c = kahanState.c;
  }
  return incremental ? mean + c : s / count + c / count;
}

function extreme(
  wins: (a: number, b: number) => boolean,
  orEqual = false,
): (v: Float64Array, lo: number, hi: number) => number {
  return (v, lo, hi) => {
    let at = lo;
    for (let i = lo + 1; i < hi; i++) {
      const b = v[at]!;
      const x = v[i]!;
      if (wins(x, b) || Number.isNaN(b) || (orEqual && x === b)) at = i;
    }
    return at;
  };
}
const indexOfMax = extreme((a, b) => a > b);
const indexOfMin = extreme((a, b) => a < b);
const lastIndexOfMax = extreme((a, b) => a > b, true);
const lastIndexOfMin = extreme((a, b) => a < b, true);

/**
 * Extremes of windows that only move forward: a queue of the samples that may still become one, so that each sample is
 * looked at once instead of once per window. NaN never wins; of equals the first is kept, as in `extreme`.
 */
function sliding(wins: (a: number, b: number) => boolean): (length: number) => Kernel {
  return (length) => {
    const queue = new Int32Array(length);
    let head = 0;
    let tail = 0;
    let next = 0;
    return (_t, v, lo, hi) => {
      if (next < lo) next = lo;
      for (; next < hi; next++) {
        const x = v[next]!;
        if (Number.isNaN(x)) continue;
        while (tail > head && wins(x, v[queue[tail - 1]!]!)) tail--;
        queue[tail++] = next;
      }
      while (head < tail && queue[head]! < lo) head++;
      return head < tail ? v[queue[head]!]! : Number.NaN;
    };
  };
}
const slidingMax = sliding((a, b) => a > b);
const slidingMin = sliding((a, b) => a < b);

/** Makes a kernel for one series whose windows move forward; undefined where there is none. */
export function slidingKernel(func: string): ((length: number) => Kernel) | undefined {
  return func === 'max_over_time' ? slidingMax : func === 'min_over_time' ? slidingMin : undefined;
}

/** Throws when the factors of double_exponential_smoothing are not between 0 and 1; asked of any window with a sample. */
export function checkSmoothing(sf: number, tf: number): void {
  if (sf <= 0 || sf >= 1)
    throw new VigieError('execution', `invalid smoothing factor. Expected: 0 < sf < 1, got: ${sf.toFixed(6)}`);
  if (tf <= 0 || tf >= 1)
    throw new VigieError('execution', `invalid trend factor. Expected: 0 < tf < 1, got: ${tf.toFixed(6)}`);
}

const smoothing: Kernel = (_t, v, lo, hi, w) => {
  const sf = w.p1;
  const tf = w.p2;
  if (hi - lo < 2) return none(w);
  let s0 = 0;
  let s1 = v[lo]!;
  let b = v[lo + 1]! - v[lo]!;
  for (let i = lo + 1; i < hi; i++) {
    if (i > lo + 1) b = tf * (s1 - s0) + (1 - tf) * b;
    const next = sf * v[i]! + (1 - sf) * (s1 + b);
    s0 = s1;
    s1 = next;
  }
  return s1;
};

export const RANGE_KERNELS: ReadonlyMap<string, Kernel> = new Map<string, Kernel>([
  ...[...EXTRAPOLATED].map(([func, how]): [string, Kernel] => [func, extrapolated(how)]),
  ['irate', lastTwo(true)],
  ['idelta', lastTwo(false)],
  ['deriv', (t, v, lo, hi, w) => (hi - lo < 2 ? none(w) : linearRegression(t, v, lo, hi, t[lo]!).slope)],
  [
    'predict_linear',
    (t, v, lo, hi, w) => {
      if (hi - lo < 2) return none(w);
      const { slope, intercept } = linearRegression(t, v, lo, hi, w.timeMs);
      return slope * w.p1 + intercept;
    },
  ],
  ['double_exponential_smoothing', smoothing],
  ['sum_over_time', (_t, v, lo, hi) => sum(v, lo, hi)],
  ['avg_over_time', (_t, v, lo, hi) => average(v, lo, hi)],
  ['count_over_time', (_t, _v, lo, hi) => hi - lo],
  ['present_over_time', () => 1],
  ['last_over_time', (_t, v, _lo, hi) => v[hi - 1]!],
  ['first_over_time', (_t, v, lo) => v[lo]!],
  ['max_over_time', (_t, v, lo, hi) => v[indexOfMax(v, lo, hi)]!],
  ['min_over_time', (_t, v, lo, hi) => v[indexOfMin(v, lo, hi)]!],
  ['stddev_over_time', (_t, v, lo, hi) => Math.sqrt(variance(v, lo, hi))],
  ['stdvar_over_time', (_t, v, lo, hi) => variance(v, lo, hi)],
  ['quantile_over_time', (_t, v, lo, hi, w) => quantile(w.p1, v.slice(lo, hi))],
  [
    'mad_over_time',
    (_t, v, lo, hi) => {
      const window = v.slice(lo, hi);
      const median = quantile(0.5, window);
      return quantile(
        0.5,
        window.map((x) => Math.abs(x - median)),
      );
    },
  ],
  [
    'changes',
    (_t, v, lo, hi) => {
      let n = 0;
      for (let i = lo + 1; i < hi; i++) {
        const a = v[i - 1]!;
        const b = v[i]!;
        if (a !== b && !(Number.isNaN(a) && Number.isNaN(b))) n++;
      }
      return n;
    },
  ],
  [
    'resets',
    (_t, v, lo, hi) => {
      let n = 0;
      for (let i = lo + 1; i < hi; i++) if (v[i]! < v[i - 1]!) n++;
      return n;
    },
  ],
  ['ts_of_first_over_time', (t, _v, lo) => t[lo]! / 1000],
  ['ts_of_last_over_time', (t, _v, _lo, hi) => t[hi - 1]! / 1000],
  ['ts_of_max_over_time', (t, v, lo, hi) => t[lastIndexOfMax(v, lo, hi)]! / 1000],
  ['ts_of_min_over_time', (t, v, lo, hi) => t[lastIndexOfMin(v, lo, hi)]! / 1000],
]);

/** Functions that leave the metric's name in place. */
export const KEEPS_NAME: ReadonlySet<string> = new Set(['last_over_time', 'first_over_time']);

const NO_RESETS = new Int32Array(0);

/** Where the series falls, for counters: a look at each sample once instead of once per window. */
export function findResets(v: Float64Array, length: number): Int32Array {
  let out: number[] | undefined;
  for (let i = 1; i < length; i++) if (v[i]! < v[i - 1]!) (out ??= []).push(i);
  return out ? Int32Array.from(out) : NO_RESETS;
}
