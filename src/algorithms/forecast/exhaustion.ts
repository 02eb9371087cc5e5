/**
 * When something that fills will be full: robust slopes (Theil, 1950; Sen, 1968) over the shortest window with a steady
 * rise, the regular emptyings (log rotation, garbage collection, clean-up jobs) learned from the past, and a check
 * against what followed comparable rises before. "Full" is rising past a threshold; negate for running low. A daily
 * rhythm without trend is better served by `forecast`.
 */
import { normalQuantile, normalUpper } from '../special-functions.ts';

export interface ExhaustionOptions {
  /** Points ahead. */
  readonly horizon: number;
  readonly threshold: number;
  /** Central intervals, each in (0, 1). */
  readonly levels?: readonly number[];
}

export interface Exhaustion {
  readonly mean: Float64Array;
  readonly intervals: readonly { readonly level: number; readonly lower: Float64Array; readonly upper: Float64Array }[];
  /** That a value exceeds the threshold within the horizon. */
  readonly crossProbability: number;
  /** Points until the threshold at the present pace, 0 when past it, Infinity when not in sight. */
  readonly pointsToThreshold: number;
  /** Emptyings seen in the history. */
  readonly resets: number;
}

/** Only so much history is looked at. */
const POINTS_MAX = 6_000;
const PAIRS_MAX = 40;
const BLOCKS = 6;
/** A pace is believed when it exceeds its own spread so many times. */
const STEADY_RATIO = 3;
/** Points a window needs. */
const WINDOW_MIN = 12;
/** Windows in which a rise without precedent is looked for, how many of them the history must hold, */
const SUDDEN_WINDOWS = [6, 9, 14, 20];
const SUDDEN_HISTORY = 20;
/** how far above its own spread it must be, and what share of it would be a precedent. */
const SUDDEN_RATIO = 6;
const SUDDEN_PRECEDENT = 0.6;
const LOOKS_BACK_MAX = 240;
/** Points of the present that are compared with the past; how unlike they may be, in shares of their own range; */
const SHAPE_POINTS = 24;
const ALIKE_MAX = 0.12;
/** how much less steep the past's latest quarter may have been; how often it must have looked like that to be asked. */
const STEEPER_MAX = 0.15;
const ALIKE_MIN = 2;
/** Earlier moments, and steps ahead of each, that say how wide an interval has to be. */
const ORIGINS = 8;
const CHECKS = 5;
const WIDENING_MAX = 1e9;

interface Pace {
  readonly slope: number;
  /** Standard error of the slope. */
  readonly slopeError: number;
  /** Typical deviation of one point from the line. */
  readonly noise: number;
  readonly level: number;
}

interface Rotation {
  /** Points between emptyings, longest seen. */
  readonly every: number;
  readonly longest: number;
  readonly bottom: number;
  readonly peaks: readonly number[];
  readonly at: readonly number[];
}

/** What is expected of the values after `values`, whose emptyings are `resets`. */
interface Projection {
  readonly mean: Float64Array;
  /** Typical error so many points ahead. */
  readonly spread: (ahead: number) => number;
  readonly pace: Pace;
  /** Set while regular emptyings are to be relied on. */
  readonly rotation: Rotation | undefined;
  /** Points until the next emptying; Infinity without. */
  readonly next: number;
}

function project(values: Float64Array, resets: readonly number[], horizon: number): Projection {
  const n = values.length;
  const from = resets.length > 0 ? resets[resets.length - 1]! : 0;
  const last = values[n - 1]!;
  const known = rotationOf(values, resets);
  const pace = paceOf(values, Math.min(from, Math.max(0, n - 4)), n, horizon, resets);
  const sinceReset = n - 1 - from;
  const rotation =
    known !== undefined &&
    sinceReset <= known.longest * 1.1 + 2 &&
    last <= Math.max(...known.peaks) + 3 * pace.noise + Math.abs(pace.slope) * known.every * 0.1
      ? known
      : undefined;
  const next = rotation ? Math.max(1, Math.round(rotation.longest - sinceReset)) : Number.POSITIVE_INFINITY;
  const mean = new Float64Array(horizon);
  for (let h = 0; h < horizon; h++) {
    const ahead = h + 1;
    if (ahead <= next) mean[h] = pace.level + pace.slope * ahead;
    else mean[h] = rotation!.bottom + pace.slope * ((ahead - next) % Math.max(1, rotation!.every));
  }
  const spread = (ahead: number): number =>
    Math.hypot(pace.noise, pace.slopeError * ahead, pace.noise * 0.3 * Math.sqrt(ahead)) + 1e-12 * Math.abs(last);
  return { mean, spread, pace, rotation, next };
}

/** Forecasts a filling thing. Missing values repeat the one before. */
export function exhaustion(input: ArrayLike<number | null>, options: ExhaustionOptions): Exhaustion {
  const values = clean(input);
  const n = values.length;
  const horizon = Math.max(1, Math.floor(options.horizon));
  const { threshold } = options;
  const resets = findResets(values);
  const last = values[n - 1]!;
  const { mean, spread, pace, rotation, next } = project(values, resets, horizon);
  const levels = options.levels ?? [];
  const ratios = levels.length > 0 ? pastRatios(values, resets, horizon) : [];
  const intervals = levels.map((level) => {
    const z = widening(ratios, level);
    return {
      level,
      lower: mean.map((m, h) => m - z * spread(h + 1)),
      upper: mean.map((m, h) => m + z * spread(h + 1)),
    };
  });
  if (last > threshold) return { mean, intervals, crossProbability: 1, pointsToThreshold: 0, resets: resets.length };

  const reach = Math.min(horizon, next);
  let probability = normalUpper((threshold - (pace.level + pace.slope * reach)) / spread(reach));
  if (rotation) probability = Math.max(probability, peakProbability(rotation, threshold, horizon));
  else if (pace.slope > 0) probability = comparable(values, resets, pace.slope, horizon, threshold, probability);
  const eta = pace.slope > 0 ? Math.max(0, (threshold - pace.level) / pace.slope) : Number.POSITIVE_INFINITY;
  const steady = pace.slope > STEADY_RATIO * pace.slopeError;
  return {
    mean,
    intervals,
    crossProbability: Math.min(1, Math.max(0, probability)),
    pointsToThreshold: steady && eta <= next ? Math.min(eta, 1e6) : Number.POSITIVE_INFINITY,
    resets: resets.length,
  };
}

/** Errors of forecasts from earlier moments over their own spread, ascending. */
function pastRatios(values: Float64Array, resets: readonly number[], horizon: number): number[] {
  const n = values.length;
  const first = Math.max(2 * WINDOW_MIN, n >> 1);
  const latest = n - Math.max(1, Math.ceil(horizon / 2));
  const out: number[] = [];
  if (latest <= first) return out;
  for (let k = 0; k < ORIGINS; k++) {
    const o = Math.round(first + ((latest - first) * k) / (ORIGINS - 1));
    const p = project(
      values.subarray(0, o),
      resets.filter((r) => r < o),
      horizon,
    );
    for (let q = 1; q <= CHECKS; q++) {
      const h = Math.ceil((horizon * q) / CHECKS);
      if (o + h <= n) out.push(Math.min(WIDENING_MAX, Math.abs(values[o + h - 1]! - p.mean[h - 1]!) / p.spread(h)));
    }
  }
  return out.sort((a, b) => a - b);
}

/** Half width in spreads: what held before (conformal), with the normal's as the least. */
function widening(ratios: readonly number[], level: number): number {
  const z = normalQuantile(0.5 + level / 2);
  if (ratios.length < 8) return z;
  const rank = Math.ceil((ratios.length + 1) * level) - 1;
  return Math.max(z, ratios[Math.min(rank, ratios.length - 1)]!);
}

function clean(input: ArrayLike<number | null>): Float64Array {
  const from = Math.max(0, input.length - POINTS_MAX);
  const out = Float64Array.from({ length: Math.max(1, input.length - from) }, (_, i) => {
    const v = input[from + i];
    return typeof v === 'number' && Number.isFinite(v) ? Math.max(-1e300, Math.min(1e300, v)) : Number.NaN;
  });
  let before = out.find((v) => !Number.isNaN(v)) ?? 0;
  for (let i = 0; i < out.length; i++) {
    if (Number.isNaN(out[i]!)) out[i] = before;
    else before = out[i]!;
  }
  return out;
}

/** Indexes of the first point after each fall that is large against both the range and the usual steps. */
function findResets(values: Float64Array): number[] {
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (const v of values) {
    low = Math.min(low, v);
    high = Math.max(high, v);
  }
  const steps = values.subarray(1).map((v, i) => Math.abs(v - values[i]!));
  const fall = Math.max(0.2 * (high - low), 8 * median(steps), 1e-9 * Math.abs(high));
  const out: number[] = [];
  // a fall may take two steps when the sample lies in its middle
  for (let i = 1; i < values.length; i++) {
    const one = values[i - 1]! - values[i]!;
    const two = i > 1 ? values[i - 2]! - values[i]! : one;
    if (!(one > 0.5 * fall && Math.max(one, two) > fall)) continue;
    if (out.length > 0 && i - out[out.length - 1]! <= 2) out[out.length - 1] = i;
    else out.push(i);
  }
  return out;
}

function rotationOf(values: Float64Array, resets: readonly number[]): Rotation | undefined {
  if (resets.length < 2) return undefined;
  const gaps = resets.slice(1).map((r, i) => r - resets[i]!);
  const peaks = resets.map((r) => Math.max(values[r - 1]!, values[Math.max(0, r - 2)]!));
  const bottom = median(Float64Array.from(resets, (r) => values[r]!));
  return { every: median(Float64Array.from(gaps)), longest: Math.max(...gaps), bottom, peaks, at: resets };
}

/**
 * A rise as this thing has never risen: steady over a few points, and more than it ever rose in as many. Medians over
 * half a horizon would see it only when most of them rise; what rose so before is left to them, for it stopped before.
 */
function suddenPace(values: Float64Array, from: number, to: number, horizon: number): Pace | undefined {
  for (const w of SUDDEN_WINDOWS) {
    if (w >= horizon / 2 || to - from < w || to < SUDDEN_HISTORY * w) return undefined;
    const pace = linePace(values, to - w, to);
    const rise = pace.slope * (w - 1);
    const steady = pace.slope > SUDDEN_RATIO * pace.slopeError && rise > SUDDEN_RATIO * pace.noise;
    if (steady && !roseBefore(values, to - w, w, SUDDEN_PRECEDENT * rise)) return pace;
  }
  return undefined;
}

/** Whether the first `end` values ever rose by `rise` within `w` points. */
function roseBefore(values: Float64Array, end: number, w: number, rise: number): boolean {
  for (let o = w - 1; o < end; o++) if (values[o]! - values[o - w + 1]! >= rise) return true;
  return false;
}

/** The shortest window with a steady rise, else the longest; after a recent emptying, the slopes of earlier fillings. */
function paceOf(values: Float64Array, from: number, to: number, horizon: number, resets: readonly number[]): Pace {
  const length = to - from;
  const sudden = suddenPace(values, from, to, horizon);
  if (sudden) return sudden;
  let longest: Pace | undefined;
  for (const w of [horizon / 2, horizon, 2 * horizon, 6 * horizon, POINTS_MAX].map((x) =>
    Math.max(WINDOW_MIN, Math.round(x)),
  )) {
    const size = Math.min(w, length);
    if (size < WINDOW_MIN) break;
    longest = linePace(values, to - size, to);
    if (
      Math.abs(longest.slope) > STEADY_RATIO * longest.slopeError &&
      Math.abs(longest.slope) * size > 3 * longest.noise
    )
      return longest;
    if (size === length) break;
  }
  if (longest) return longest;
  const earlier = resets
    .map((r, i) => linePace(values, i === 0 ? 0 : resets[i - 1]!, r))
    .filter((_, i) => resets[i]! - (i === 0 ? 0 : resets[i - 1]!) >= 4);
  const level = values[to - 1]!;
  if (earlier.length === 0) return { ...linePace(values, Math.max(0, to - WINDOW_MIN), to), level };
  const slopes = Float64Array.from(earlier, (p) => p.slope);
  const slope = median(slopes);
  return {
    slope,
    slopeError: deviation(slopes, slope) + Math.abs(slope) * 0.1,
    noise: median(Float64Array.from(earlier, (p) => p.noise)),
    level,
  };
}

function linePace(values: Float64Array, from: number, to: number): Pace {
  const n = to - from;
  const slope = theilSen(values, from, to);
  const rest = new Float64Array(n);
  for (let i = 0; i < n; i++) rest[i] = values[from + i]! - slope * i;
  const base = median(rest);
  const noise = deviation(rest, base);
  // the end of the line is where the last points are, else a bend would be forecast away
  const tail = rest.subarray(Math.max(0, n - 3));
  const level = base + slope * (n - 1) + clampTo(median(tail) - base, 6 * noise);
  const blocks = Math.min(BLOCKS, Math.floor(n / 2));
  const slopes = new Float64Array(Math.max(1, blocks));
  for (let b = 0; b < blocks; b++) {
    const a = from + Math.floor((b * (n - 1)) / blocks);
    const z = from + Math.floor(((b + 1) * (n - 1)) / blocks);
    slopes[b] = (values[z]! - values[a]!) / Math.max(1, z - a);
  }
  const middle = median(slopes);
  return {
    slope,
    slopeError: Math.hypot(deviation(slopes, middle), middle - slope) / Math.sqrt(Math.max(1, blocks)),
    noise,
    level,
  };
}

function clampTo(x: number, limit: number): number {
  return Math.max(-limit, Math.min(limit, x));
}

/** Median slope over all pairs of at most PAIRS_MAX evenly spaced points. */
export function theilSen(values: Float64Array, from = 0, to = values.length): number {
  const n = to - from;
  if (n < 2) return 0;
  const k = Math.min(n, PAIRS_MAX);
  const at = Array.from({ length: k }, (_, i) => from + Math.round((i * (n - 1)) / (k - 1)));
  const slopes = new Float64Array((k * (k - 1)) / 2);
  let used = 0;
  for (let i = 0; i < k; i++)
    for (let j = 0; j < i; j++) slopes[used++] = (values[at[i]!]! - values[at[j]!]!) / (at[i]! - at[j]!);
  return median(slopes);
}

/** With regular emptyings only growing peaks lead past the threshold. */
function peakProbability(rotation: Rotation, threshold: number, horizon: number): number {
  const { peaks, every } = rotation;
  const recent = Float64Array.from(peaks.slice(-12));
  const growth = Math.max(0, theilSen(recent));
  const middle = median(recent);
  const spread = deviation(recent, middle) + 0.02 * Math.abs(middle - rotation.bottom) + 1e-12;
  const ahead = Math.floor(horizon / Math.max(1, every));
  const level = recent.length > 3 ? recent[recent.length - 1]! + growth * ahead : Math.max(...recent);
  return normalUpper((threshold - level) / spread);
}

/** Blends in how often the threshold's distance was covered after rises at least half as steep. */
function comparable(
  values: Float64Array,
  resets: readonly number[],
  slope: number,
  horizon: number,
  threshold: number,
  prior: number,
): number {
  const n = values.length;
  const w = Math.max(WINDOW_MIN, Math.min(Math.round(horizon / 2), 60));
  const needed = threshold - values[n - 1]!;
  const analogues = risesAfterTheLike(values, horizon);
  if (analogues.length >= ALIKE_MIN)
    return (prior + analogues.filter((rise) => rise >= needed).length) / (1 + analogues.length);
  const step = Math.max(1, Math.ceil((n - horizon - w) / LOOKS_BACK_MAX));
  let seen = 0;
  let covered = 0;
  let lastCounted = Number.NEGATIVE_INFINITY;
  for (let o = w; o + horizon < n; o += step) {
    if (resets.some((r) => r > o - w && r <= o)) continue;
    if ((values[o]! - values[o - w]!) / w < 0.5 * slope) continue;
    // overlapping windows tell one story: each stretch of half a horizon counts once
    if (o - lastCounted < horizon / 2) continue;
    lastCounted = o;
    seen++;
    let most = 0;
    for (let h = 1; h <= horizon; h++) most = Math.max(most, values[o + h]! - values[o]!);
    if (most >= needed) covered++;
  }
  return (prior * 2 + covered) / (2 + seen);
}

/**
 * What followed whenever the past looked like the present: the most by which the values rose within the horizon after
 * each stretch that has the shape of the last one, whatever its level, and ends as steeply (analogues; Lorenz, 1969). A
 * rise that is part of a rhythm is known by it; one that is faster than the rhythm, or on top of it, has no precedent.
 */
function risesAfterTheLike(values: Float64Array, horizon: number): number[] {
  const n = values.length;
  const reach = Math.max(WINDOW_MIN, horizon);
  const k = Math.min(SHAPE_POINTS, reach);
  if (n < 3 * reach) return [];
  const shapeAt = (o: number, j: number): number => values[o - Math.round((j * reach) / k)]!;
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (let j = 0; j <= k; j++) {
    low = Math.min(low, shapeAt(n - 1, j));
    high = Math.max(high, shapeAt(n - 1, j));
  }
  const limit = ALIKE_MAX * (high - low);
  const quarter = Math.round(reach / 4);
  const middle = (o: number): number => values[o]! / 3 + values[o - 1]! / 3 + values[o - 2]! / 3;
  const latest = middle(n - 1) - middle(n - 1 - quarter);
  const least = latest - STEEPER_MAX * Math.abs(latest);
  const out: number[] = [];
  let best = Number.POSITIVE_INFINITY;
  let at = -1;
  for (let o = reach; o + horizon < n; o++) {
    let shift = 0;
    for (let j = 0; j <= k; j++) shift += (shapeAt(o, j) - shapeAt(n - 1, j)) / (k + 1);
    let sum = 0;
    for (let j = 0; j <= k; j++) sum += (shapeAt(o, j) - shapeAt(n - 1, j) - shift) ** 2;
    const distance = Math.sqrt(sum / (k + 1));
    if (distance <= limit && distance < best && middle(o) - middle(o - quarter) >= least) {
      best = distance;
      at = o;
    }
    // neighbours tell one story: the likest of each stretch counts
    if (at >= 0 && (o - at >= reach / 2 || o + 1 + horizon >= n)) {
      let most = Number.NEGATIVE_INFINITY;
      for (let h = 1; h <= horizon; h++) most = Math.max(most, values[at + h]!);
      out.push(most - values[at]!);
      best = Number.POSITIVE_INFINITY;
      at = -1;
      o += reach >> 1;
    }
  }
  return out;
}

function median(x: Float64Array): number {
  if (x.length === 0) return 0;
  const s = Float64Array.from(x).sort();
  const m = s.length >> 1;
  return s.length % 2 ? s[m]! : s[m - 1]! / 2 + s[m]! / 2;
}

/** Median absolute deviation, as a standard deviation. */
function deviation(x: Float64Array, centre: number): number {
  return 1.4826 * median(x.map((v) => Math.abs(v - centre)));
}
