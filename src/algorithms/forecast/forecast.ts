/**
 * One forecast of one regular series: the candidates of `candidates.ts`, weighted by their errors in rolling back-tests,
 * part by part of the horizon; intervals are conformal (quantiles of the
 * combination's own back-test errors), and so is the probability of crossing a threshold. It keeps no state.
 */
import { candidatesOf, type Predict } from './candidates.ts';
import { findSeasons } from './season.ts';
import { withoutSpikes } from './spikes.ts';

export interface ForecastOptions {
  readonly stepSeconds: number;
  /** Points ahead. */
  readonly horizon: number;
  /** Central intervals, each in (0, 1). */
  readonly levels?: readonly number[];
  readonly threshold?: number;
  /** Leading steps of the horizon in which the threshold counts; the whole horizon if absent. */
  readonly within?: number;
  /** Season lengths in points; found from the values if absent. */
  readonly seasons?: readonly number[];
}

export interface Forecast {
  readonly mean: Float64Array;
  readonly intervals: readonly { readonly level: number; readonly lower: Float64Array; readonly upper: Float64Array }[];
  /** Probability that a value exceeds the threshold; present if one was given. */
  readonly crossProbability?: number;
  readonly seasons: readonly number[];
  readonly weights: Readonly<Record<string, number>>;
}

/** Only so much history is looked at. */
export const HISTORY_POINTS_MAX = 4000;
export const HORIZON_POINTS_MAX = 2000;
const ORIGINS_MAX = 14;
export const FORECAST_TUNING = {
  /** Weights are the inverse back-test error to this power. */
  weightPower: 5,
  /** Ends of the parts of the horizon, and how much a part's own errors count in its weights beside all errors. */
  partEnds: [0.15, 0.5, 1],
  partShare: 0.5,
  /** Seasons before the end over which the back-tests begin. */
  roomSeasons: 7,
  /** Back-tests share their history and so are too kind: widening per unevenness of their errors. */
  widen: 0.85,
  /** Earlier forecasts count for a crossing by their distance in margin, in typical errors; against so many of the model's own. */
  crossingBandwidth: 0.5,
  crossingPrior: 4,
};
const PAST_CROSSINGS_MAX = 80;
/** Probability from which a crossing is announced; the best balance of precision and recall in back-tests. */
export const CROSS_PROBABILITY_MIN = 0.35;

/** Forecasts `horizon` points. Missing values are filled in from a season before or their neighbour. */
export function forecast(input: ArrayLike<number | null>, options: ForecastOptions): Forecast {
  const horizon = Math.max(1, Math.min(HORIZON_POINTS_MAX, Math.floor(options.horizon)));
  const { values: seen, offset, scale } = prepare(input);
  const n = seen.length;
  const seasons = options.seasons ?? seasonsOf(seen, options.stepSeconds);
  // fitted and weighted on what is usual; intervals and crossings answer for the spikes, too
  const values = withoutSpikes(seen, seasons);
  const candidates = candidatesOf(values, seasons);
  const origins = chooseOrigins(n, horizon, seasons[0] ?? 1);
  const firstOrigin = origins[0] ?? n;

  const tests = candidates.map((c) => {
    const predict = origins.length > 0 ? c.fit(firstOrigin) : undefined;
    return predict ? origins.map((o) => predict(o, Math.min(horizon, n - o))) : undefined;
  });
  const errors = tests.map((paths) => (paths ? meanAbsolute(paths, origins, values) : Number.POSITIVE_INFINITY));
  const finals = candidates.map((c) => c.fit(n)?.(n, horizon));
  const usable = finals.map(
    (f, i) => f?.every(Number.isFinite) === true && (origins.length === 0 || Number.isFinite(errors[i])),
  );
  const weights = weigh(errors, usable);
  const ends = FORECAST_TUNING.partEnds.map((end) => Math.ceil(end * horizon));
  const parts = ends.map((end, k) => {
    const from = k > 0 ? ends[k - 1]! : 0;
    const own = tests.map((paths, i) => {
      const e = paths ? meanAbsolute(paths, origins, values, from, end) : Number.POSITIVE_INFINITY;
      return Number.isFinite(e) ? errors[i]! + FORECAST_TUNING.partShare * (e - errors[i]!) : errors[i]!;
    });
    return weigh(own, usable);
  });
  const weightsAt = Array.from({ length: horizon }, (_, h) => parts[ends.findIndex((end) => h < end)]!);

  const mean = new Float64Array(horizon);
  finals.forEach((f, i) => {
    if (f && weights[i]! > 0) for (let h = 0; h < horizon; h++) mean[h]! += weightsAt[h]![i]! * f[h]!;
  });
  const residuals = origins.map((o, k) => {
    const length = Math.min(horizon, n - o);
    const r = new Float64Array(length);
    for (let h = 0; h < length; h++) {
      let m = 0;
      for (let i = 0; i < tests.length; i++) if (weights[i]! > 0) m += weightsAt[h]![i]! * tests[i]![k]![h]!;
      r[h] = seen[o + h]! - m;
    }
    return r;
  });
  const width = widths(residuals, horizon, values);
  const normal = residuals.flatMap((r) => Array.from(r, (e, h) => Math.abs(e) / width[h]!)).sort((a, b) => a - b);
  const widen = 1 + FORECAST_TUNING.widen * unevenness(residuals);
  const intervals = (options.levels ?? []).map((level) => {
    const q = conformalQuantile(normal, level) * widen;
    return {
      level,
      lower: mean.map((m, h) => (m - q * width[h]!) * scale + offset),
      upper: mean.map((m, h) => (m + q * width[h]!) * scale + offset),
    };
  });
  const result = {
    mean: mean.map((m) => m * scale + offset),
    intervals,
    seasons,
    weights: Object.fromEntries(candidates.map((c, i) => [c.name, weights[i]!])),
  };
  if (options.threshold === undefined) return result;
  const within = Math.max(1, Math.min(horizon, options.within ?? horizon));
  const threshold = (options.threshold - offset) / scale;
  const prior = crossing(mean, residuals, width, threshold, within);
  const best = weights.indexOf(Math.max(...weights));
  const predict = candidates[best]?.fit(firstOrigin);
  const past = predict ? pastCrossings(predict, seen, firstOrigin, threshold, within) : [];
  return { ...result, crossProbability: calibrated(prior, mean, past, width, threshold, within) };
}

/** One high spike can hide a rhythm: where none is seen, it is looked for without them. */
function seasonsOf(seen: Float64Array, stepSeconds: number): readonly number[] {
  const found = findSeasons(seen, stepSeconds);
  return found.length > 0 ? found : findSeasons(withoutSpikes(seen, []), stepSeconds);
}

function prepare(input: ArrayLike<number | null>): { values: Float64Array; offset: number; scale: number } {
  const from = Math.max(0, input.length - HISTORY_POINTS_MAX);
  const raw = Float64Array.from({ length: input.length - from }, (_, i) => {
    const v = input[from + i];
    return typeof v === 'number' && Number.isFinite(v) ? Math.max(-1e300, Math.min(1e300, v)) : Number.NaN;
  });
  let last = raw.find((v) => !Number.isNaN(v)) ?? 0;
  for (let i = 0; i < raw.length; i++) {
    if (Number.isNaN(raw[i]!)) raw[i] = last;
    else last = raw[i]!;
  }
  if (raw.length === 0) return { values: new Float64Array([0]), offset: 0, scale: 1 };
  let low = raw[0]!;
  let high = raw[0]!;
  for (const v of raw) {
    if (v < low) low = v;
    if (v > high) high = v;
  }
  const offset = low / 2 + high / 2;
  const scale = high / 2 - low / 2 || 1;
  return { values: raw.map((v) => (v - offset) / scale), offset, scale };
}

function chooseOrigins(n: number, horizon: number, season: number): number[] {
  const room = Math.min(Math.floor(n / 3), Math.max(2 * horizon, horizon + FORECAST_TUNING.roomSeasons * season));
  const first = n - room;
  const last = n - Math.max(1, Math.min(horizon, Math.floor(room / 2)));
  if (first < 8) return [];
  const count = Math.min(ORIGINS_MAX, last - first + 1);
  const out = new Set<number>();
  for (let i = 0; i < count; i++) out.add(Math.round(first + ((last - first) * i) / Math.max(1, count - 1)));
  return [...out];
}

/** Over the steps [from, end) of every path; infinite where there are none. */
function meanAbsolute(
  paths: readonly Float64Array[],
  origins: readonly number[],
  values: Float64Array,
  from = 0,
  end = Number.POSITIVE_INFINITY,
): number {
  let sum = 0;
  let count = 0;
  paths.forEach((path, k) => {
    for (let h = from; h < Math.min(end, path.length); h++) {
      sum += Math.abs(path[h]! - values[origins[k]! + h]!);
      count++;
    }
  });
  return count > 0 ? sum / count : Number.POSITIVE_INFINITY;
}

function weigh(errors: readonly number[], usable: readonly boolean[]): number[] {
  const least = Math.min(...errors.map((e, i) => (usable[i] ? e : Number.POSITIVE_INFINITY)));
  const raw = errors.map((e, i) => {
    if (!usable[i]) return 0;
    if (!Number.isFinite(least)) return 1;
    return ((least + 1e-12) / (e + 1e-12)) ** FORECAST_TUNING.weightPower;
  });
  const total = raw.reduce((a, b) => a + b, 0);
  return total > 0 ? raw.map((w) => w / total) : raw.map((_, i) => (i === errors.length - 1 ? 1 : 0));
}

/** Typical absolute error by step ahead, never falling with the horizon. */
function widths(residuals: readonly Float64Array[], horizon: number, values: Float64Array): Float64Array {
  const out = new Float64Array(horizon);
  let overall = 0;
  let count = 0;
  for (const r of residuals)
    for (const e of r) {
      overall += Math.abs(e);
      count++;
    }
  if (count === 0) {
    for (let i = 1; i < values.length; i++) overall += Math.abs(values[i]! - values[i - 1]!);
    overall /= Math.max(1, values.length - 1);
    return out.map((_, h) => Math.max(1e-9, overall * Math.sqrt(h + 1)));
  }
  overall /= count;
  let running = 0;
  for (let h = 0; h < horizon; h++) {
    let sum = overall * 6;
    let weight = 6;
    for (const r of residuals)
      for (let k = Math.max(0, h - 2); k <= Math.min(r.length - 1, h + 2); k++) {
        sum += Math.abs(r[k]!);
        weight++;
      }
    running = Math.max(running, sum / weight);
    out[h] = Math.max(running, 1e-9);
  }
  return out;
}

/** Spread of the back-tests' mean errors over their mean, 0..1: a history of changing difficulty deserves more doubt. */
function unevenness(residuals: readonly Float64Array[]): number {
  const means = residuals.map((r) => r.reduce((sum, e) => sum + Math.abs(e), 0) / Math.max(1, r.length));
  const mean = means.reduce((a, b) => a + b, 0) / Math.max(1, means.length);
  if (!(mean > 0)) return 0;
  const variance = means.reduce((sum, m) => sum + (m - mean) ** 2, 0) / means.length;
  return Math.min(1, Math.sqrt(variance) / mean);
}

function conformalQuantile(sorted: readonly number[], level: number): number {
  const n = sorted.length;
  if (n === 0) return level >= 0.94 ? 2.5 : 2.5 * level;
  const rank = Math.ceil((n + 1) * level) - 1;
  return rank < n ? sorted[Math.max(0, rank)]! : sorted[n - 1]! * 1.2;
}

interface PastCrossing {
  /** Highest forecast over the threshold, in the values' units. */
  readonly margin: number;
  readonly crossed: boolean;
}

/** What a forecast of the back-tests' stretch said about this threshold, and what came. */
function pastCrossings(
  predict: Predict,
  values: Float64Array,
  from: number,
  threshold: number,
  within: number,
): PastCrossing[] {
  const n = values.length;
  const step = Math.max(1, Math.ceil((n - from - within) / PAST_CROSSINGS_MAX));
  const out: PastCrossing[] = [];
  for (let o = from; o + within <= n; o += step) {
    const path = predict(o, within);
    let margin = Number.NEGATIVE_INFINITY;
    let crossed = false;
    for (let h = 0; h < within; h++) {
      margin = Math.max(margin, path[h]! - threshold);
      crossed ||= values[o + h]! > threshold;
    }
    out.push({ margin, crossed });
  }
  return out;
}

/** Moves the probability towards how often forecasts as near to the threshold came true before. */
function calibrated(
  prior: number,
  mean: Float64Array,
  seen: readonly PastCrossing[],
  width: Float64Array,
  threshold: number,
  within: number,
): number {
  let margin = Number.NEGATIVE_INFINITY;
  for (let h = 0; h < within; h++) margin = Math.max(margin, mean[h]! - threshold);
  const scale = FORECAST_TUNING.crossingBandwidth * width[within - 1]!;
  let weight = FORECAST_TUNING.crossingPrior;
  let sum = prior * weight;
  for (const s of seen) {
    const k = Math.exp(-0.5 * ((s.margin - margin) / scale) ** 2);
    weight += k;
    if (s.crossed) sum += k;
  }
  return sum / weight;
}

function crossing(
  mean: Float64Array,
  residuals: readonly Float64Array[],
  width: Float64Array,
  threshold: number,
  within: number,
): number {
  let sum = 0;
  let count = 0;
  for (const r of residuals) {
    if (r.length < within) continue;
    let margin = Number.NEGATIVE_INFINITY;
    for (let h = 0; h < within; h++) margin = Math.max(margin, (mean[h]! + r[h]! - threshold) / width[h]!);
    sum += 1 / (1 + Math.exp(-4 * margin));
    count++;
  }
  if (count > 0) return sum / count;
  let margin = Number.NEGATIVE_INFINITY;
  for (let h = 0; h < within; h++) margin = Math.max(margin, (mean[h]! - threshold) / width[h]!);
  return 1 / (1 + Math.exp(-2 * margin));
}
