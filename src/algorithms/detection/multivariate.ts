/**
 * Streaming detection over several metrics of one thing: robust standardisation, principal components of a learned
 * correlation, and two distances (left over outside the components; Hotelling's T-squared within) with the contribution
 * of each metric. It sees relations break; it does not model the season of one metric.
 */
import { symmetricEigen } from '../linear-algebra.ts';
import { TAIL_SIZE, tailLearn, tailSurprise } from './tail.ts';

export interface MultivariateOptions {
  readonly dims: number;
  readonly warmupPoints?: number;
}

export interface MultivariateDetection {
  score: number;
  alertScore: number;
  alert: boolean;
}

export interface MultivariateState {
  readonly version: 1;
  readonly options: MultivariateOptions;
  readonly numbers: readonly number[];
  readonly covariance: readonly number[];
  readonly components: readonly number[];
  readonly values: readonly number[];
  readonly rest: number;
}

export interface MultivariateDetector {
  /** Scores one row, then learns it. Missing numbers count as usual. `train` rows are trusted to be mostly normal. */
  update(tSeconds: number, row: readonly (number | null)[], train?: boolean): MultivariateDetection;
  /** Share of each metric in the last row's distance; sums to 1 or is all 0. */
  contributions(): Float64Array;
  state(): MultivariateState;
}

export const MULTIVARIATE_TUNING = {
  explained: 0.9,
  /** Standardised values are cut here when judged; learning cuts them much lower. */
  clip: 1e4,
  /** The same for metrics that hardly ever moved: how far says little there. */
  stillClip: 100,
  /** Smoothing of T-squared and of the residual, per row. */
  smooth: 0.08,
  residualWeight: 1,
  smoothResidualWeight: 1,
  hotellingWeight: 1.5,
  /** Least spread of a metric, as a share of the range seen. */
  spreadFloor: 0.01,
  rangeDecay: 0.99998,
  /** Standard deviations at which mean and covariance are cut when they learn. */
  learned: 30,
  rateMin: 0.00002,
  /** Surprise at which to notify. */
  alert: 5,
};
export const DIMS_MAX = 256;
const REFIT_EVERY_MAX = 2000;

const COUNT = 0;
const HELD = 1;
const NEXT_FIT = 2;
const SLOW_RESIDUAL = 3;
const SLOW_HOTELLING = 4;
const HEAD = 8;
/** Tails: one, of the sum. */
const TAILS = 1;
/** Numbers per metric: mean, smallest and largest seen. */
const PER_METRIC = 3;

class PcaDetector implements MultivariateDetector {
  readonly #options: MultivariateOptions;
  readonly #d: number;
  /** Head, tails, then mean, low and high, each for all metrics. */
  readonly #a: Float64Array;
  readonly #covariance: Float64Array;
  readonly #z: Float64Array;
  /** Deviations that are learned, in the metrics' units; NaN where missing. */
  readonly #e: Float64Array;
  readonly #part: Float64Array;
  #components = new Float64Array(0);
  #values = new Float64Array(0);
  #rest = 1;
  readonly #out: MultivariateDetection = { score: 0, alertScore: 0, alert: false };

  constructor(options: MultivariateOptions, state?: MultivariateState) {
    this.#options = options;
    this.#d = options.dims;
    this.#a = new Float64Array(HEAD + TAILS * TAIL_SIZE + PER_METRIC * this.#d);
    this.#covariance = new Float64Array(this.#d * this.#d);
    this.#z = new Float64Array(this.#d);
    this.#e = new Float64Array(this.#d);
    this.#part = new Float64Array(this.#d);
    if (state) {
      this.#a.set(state.numbers);
      this.#covariance.set(state.covariance);
      this.#components = Float64Array.from(state.components);
      this.#values = Float64Array.from(state.values);
      this.#rest = state.rest;
    }
  }

  state(): MultivariateState {
    return {
      version: 1,
      options: this.#options,
      numbers: Array.from(this.#a),
      covariance: Array.from(this.#covariance),
      components: Array.from(this.#components),
      values: Array.from(this.#values),
      rest: this.#rest,
    };
  }

  contributions(): Float64Array {
    let sum = 0;
    for (const p of this.#part) sum += p;
    return this.#part.map((p) => (sum > 0 ? p / sum : 0));
  }

  update(_tSeconds: number, row: readonly (number | null)[], train = false): MultivariateDetection {
    const a = this.#a;
    const d = this.#d;
    const n = ++a[COUNT]!;
    const rate = Math.max(1 / n, MULTIVARIATE_TUNING.rateMin);
    const means = HEAD + TAILS * TAIL_SIZE;
    const clip = MULTIVARIATE_TUNING.clip;
    for (let i = 0; i < d; i++) {
      const v = row[i];
      if (typeof v !== 'number' || !Number.isFinite(v)) {
        this.#z[i] = 0;
        this.#e[i] = Number.NaN;
        continue;
      }
      const x = Math.max(-1e150, Math.min(1e150, v));
      const mean = a[means + i]!;
      const e = x - mean;
      const low = means + d + i;
      const high = means + 2 * d + i;
      if (n === 1) a[low] = a[high] = x;
      else {
        a[low] = Math.min(x, mean + (a[low]! - mean) * MULTIVARIATE_TUNING.rangeDecay);
        a[high] = Math.max(x, mean + (a[high]! - mean) * MULTIVARIATE_TUNING.rangeDecay);
      }
      const floor = this.#floor(i);
      const deviation = Math.sqrt(this.#covariance[i * d + i]!);
      const limit = deviation > floor ? clip : MULTIVARIATE_TUNING.stillClip;
      this.#z[i] = n < 4 ? 0 : Math.max(-limit, Math.min(limit, e / Math.max(deviation, floor)));
      const far = MULTIVARIATE_TUNING.learned * deviation + floor;
      this.#e[i] = n < 30 ? e : Math.max(-far, Math.min(far, e));
      a[means + i] = mean + this.#e[i]! * rate;
    }
    const sum = this.#distance();
    this.#learn(n, rate);
    return this.#judge(sum, n, train);
  }

  /** Residual and T-squared, each over what is expected of it; at once and smoothed. */
  #distance(): number {
    const a = this.#a;
    const d = this.#d;
    const z = this.#z;
    const part = this.#part;
    const k = this.#values.length;
    const t = MULTIVARIATE_TUNING;
    part.set(z);
    let hotelling = 0;
    for (let c = 0; c < k; c++) {
      let dot = 0;
      for (let i = 0; i < d; i++) dot += this.#components[c * d + i]! * z[i]!;
      hotelling += (dot * dot) / (this.#values[c]! + 0.05);
      for (let i = 0; i < d; i++) part[i]! -= dot * this.#components[c * d + i]!;
    }
    let residual = 0;
    for (let i = 0; i < d; i++) {
      part[i] = part[i]! * part[i]!;
      residual += part[i]!;
    }
    a[SLOW_RESIDUAL] = a[SLOW_RESIDUAL]! + (residual - a[SLOW_RESIDUAL]!) * t.smooth;
    a[SLOW_HOTELLING] = a[SLOW_HOTELLING]! + (hotelling - a[SLOW_HOTELLING]!) * t.smooth;
    // over what the model itself expects: a level learned from the distances would rise with the faults
    const usual = this.#rest + 0.05 * d;
    return (
      t.residualWeight * Math.log1p(residual / usual) +
      t.smoothResidualWeight * Math.log1p(a[SLOW_RESIDUAL]! / usual) +
      t.hotellingWeight * Math.log1p(a[SLOW_HOTELLING]! / Math.max(1, k))
    );
  }

  /** A metric that stood still so far and moves once must not outweigh all others. */
  #floor(i: number): number {
    const a = this.#a;
    const means = HEAD + TAILS * TAIL_SIZE;
    const range = a[means + 2 * this.#d + i]! - a[means + this.#d + i]!;
    return Math.max(MULTIVARIATE_TUNING.spreadFloor * range, 1e-9 * Math.abs(a[means + i]!), 1e-300);
  }

  /** Covariance in the metrics' own units: their scale is put in when the components are fitted, not before. */
  #learn(n: number, rate: number): void {
    const d = this.#d;
    const e = this.#e;
    for (let i = 0; i < d; i++) {
      const ei = e[i]!;
      if (Number.isNaN(ei)) continue;
      const at = i * d;
      for (let j = 0; j <= i; j++) {
        const ej = e[j]!;
        if (Number.isNaN(ej)) continue;
        this.#covariance[at + j]! += (ei * ej - this.#covariance[at + j]!) * rate;
      }
    }
    if (n >= Math.max(this.#a[NEXT_FIT]!, 2 * 10)) {
      this.#fit();
      this.#a[NEXT_FIT] = n + Math.min(REFIT_EVERY_MAX, Math.max(50, n * 0.25));
    }
  }

  #fit(): void {
    const d = this.#d;
    const full = new Float64Array(d * d);
    const scale = Float64Array.from({ length: d }, (_, i) =>
      Math.max(Math.sqrt(this.#covariance[i * d + i]!), this.#floor(i)),
    );
    let trace = 0;
    for (let i = 0; i < d; i++) {
      for (let j = 0; j <= i; j++)
        full[i * d + j] = full[j * d + i] = this.#covariance[i * d + j]! / scale[i]! / scale[j]!;
      trace += full[i * d + i]!;
    }
    const { values, vectors } = symmetricEigen(full, d);
    let sum = 0;
    let k = 0;
    while (k < d - 1 && sum < MULTIVARIATE_TUNING.explained * trace) sum += values[k++]!;
    this.#values = values.slice(0, k);
    this.#components = vectors.slice(0, k * d);
    this.#rest = Math.max(1e-6, trace - sum);
  }

  #judge(s: number, n: number, train: boolean): MultivariateDetection {
    const a = this.#a;
    const out = this.#out;
    const surprise = tailSurprise(a, HEAD, s);
    tailLearn(a, HEAD, s);
    out.score = 0;
    out.alertScore = 0;
    out.alert = false;
    if (n <= (this.#options.warmupPoints ?? 0)) return out;
    out.score = 1 - Math.exp(-s / 3);
    const held = a[HELD]! * 0.998;
    const fresh = surprise > held ? surprise : 0;
    a[HELD] = Math.max(held, surprise);
    out.alertScore = 1 - Math.exp(-fresh / 6);
    out.alert = !train && n > 200 && fresh > MULTIVARIATE_TUNING.alert;
    return out;
  }
}

export function createMultivariateDetector(
  options: MultivariateOptions,
  state?: MultivariateState,
): MultivariateDetector {
  return new PcaDetector(options, state);
}
