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
  explained: 0.97,
  clip: 20,
  smooth: 0.3,
  /** Share of the last peak kept per row: a fault lasts longer than its first row. */
  hold: 0.95,
  residualWeight: 1,
  hotellingWeight: 2,
  deviationWeight: 0.5,
  rateMin: 0.00002,
  /** Surprise at which to notify; 0.3 false alerts per series and week where it was tuned. */
  alert: 4,
};
export const DIMS_MAX = 256;
const REFIT_EVERY_MAX = 2000;

const COUNT = 0;
const SMOOTH = 1;
const HELD = 2;
const NEXT_FIT = 3;
const PEAK = 4;
const HEAD = 8;

class PcaDetector implements MultivariateDetector {
  readonly #options: MultivariateOptions;
  readonly #d: number;
  /** Head, tails (2), then mean and absolute deviation per metric. */
  readonly #a: Float64Array;
  readonly #covariance: Float64Array;
  readonly #z: Float64Array;
  readonly #part: Float64Array;
  #components = new Float64Array(0);
  #values = new Float64Array(0);
  #rest = 1;
  readonly #out: MultivariateDetection = { score: 0, alertScore: 0, alert: false };

  constructor(options: MultivariateOptions, state?: MultivariateState) {
    this.#options = options;
    this.#d = options.dims;
    this.#a = new Float64Array(HEAD + 3 * TAIL_SIZE + 2 * this.#d);
    this.#covariance = new Float64Array(this.#d * this.#d);
    this.#z = new Float64Array(this.#d);
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
    const means = HEAD + 3 * TAIL_SIZE;
    const clip = MULTIVARIATE_TUNING.clip;
    for (let i = 0; i < d; i++) {
      const v = row[i];
      if (typeof v !== 'number' || !Number.isFinite(v)) {
        this.#z[i] = 0;
        continue;
      }
      const x = Math.max(-1e150, Math.min(1e150, v));
      const mean = a[means + i]!;
      const spread = a[means + d + i]!;
      const e = x - mean;
      const floor = 1e-9 * Math.abs(mean) + 1e-300;
      this.#z[i] = n < 4 ? 0 : Math.max(-clip, Math.min(clip, e / (Math.sqrt(spread) + floor)));
      const cut = n < 30 ? e : Math.max(-8 * Math.sqrt(spread) - floor, Math.min(8 * Math.sqrt(spread) + floor, e));
      a[means + i] = mean + cut * rate;
      a[means + d + i] = spread + (cut * cut - spread) * rate;
    }
    const raw = this.#distance();
    this.#learn(n, rate);
    return this.#judge(raw, n, train);
  }

  #distance(): number {
    const d = this.#d;
    const z = this.#z;
    const part = this.#part;
    const k = this.#values.length;
    part.set(z);
    let hotelling = 0;
    for (let c = 0; c < k; c++) {
      let dot = 0;
      for (let i = 0; i < d; i++) dot += this.#components[c * d + i]! * z[i]!;
      hotelling += (dot * dot) / (this.#values[c]! + 0.05);
      for (let i = 0; i < d; i++) part[i]! -= dot * this.#components[c * d + i]!;
    }
    let residual = 0;
    let deviation = 0;
    for (let i = 0; i < d; i++) {
      part[i] = part[i]! * part[i]!;
      residual += part[i]!;
      deviation += Math.abs(z[i]!);
    }
    const t = MULTIVARIATE_TUNING;
    return (
      t.residualWeight * Math.log1p(residual / (this.#rest + 0.05 * d)) +
      t.hotellingWeight * Math.log1p(hotelling / Math.max(1, k)) +
      t.deviationWeight * Math.log1p(deviation / d)
    );
  }

  #learn(n: number, rate: number): void {
    const d = this.#d;
    const z = this.#z;
    for (let i = 0; i < d; i++) {
      const zi = Math.max(-4, Math.min(4, z[i]!));
      const at = i * d;
      for (let j = 0; j <= i; j++) {
        const zj = z[j]!;
        this.#covariance[at + j]! += (zi * (zj > 4 ? 4 : zj < -4 ? -4 : zj) - this.#covariance[at + j]!) * rate;
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
    let trace = 0;
    for (let i = 0; i < d; i++) {
      trace += this.#covariance[i * d + i]!;
      for (let j = 0; j <= i; j++) full[i * d + j] = full[j * d + i] = this.#covariance[i * d + j]!;
    }
    const { values, vectors } = symmetricEigen(full, d);
    let sum = 0;
    let k = 0;
    while (k < d - 1 && sum < MULTIVARIATE_TUNING.explained * trace) sum += values[k++]!;
    this.#values = values.slice(0, k);
    this.#components = vectors.slice(0, k * d);
    this.#rest = Math.max(1e-6, trace - sum);
  }

  #judge(raw: number, n: number, train: boolean): MultivariateDetection {
    const a = this.#a;
    const out = this.#out;
    a[SMOOTH] = a[SMOOTH]! + (raw - a[SMOOTH]!) * MULTIVARIATE_TUNING.smooth;
    const s = Math.max(a[SMOOTH]!, a[PEAK]! * MULTIVARIATE_TUNING.hold + a[SMOOTH]! * (1 - MULTIVARIATE_TUNING.hold));
    a[PEAK] = s;
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
