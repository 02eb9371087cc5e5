/**
 * Streaming detection over several metrics of one thing. Every metric is put into robust units (median and quantile
 * ranges of a thinned history); principal components are kept of the mean of two neighbouring rows and of their
 * difference, and the distance is the mean size along all components, each over its own spread (Shyu et al. 2003; sizes
 * instead of squares, so that no single component decides). It does not model the season of one metric.
 */
import { VigieError } from '../../lib/errors.ts';
import { symmetricEigen } from '../linear-algebra.ts';
import { TAIL_SIZE, tailLearn, tailSurprise } from './tail.ts';

export interface MultivariateOptions {
  readonly dims: number;
  readonly warmupPoints?: number;
  /** False alerts per group and week that `alert` may cost. */
  readonly falseAlertsPerWeek?: number;
}

export interface MultivariateDetection {
  score: number;
  alertScore: number;
  alert: boolean;
}

export interface MultivariateState {
  readonly version: 3;
  readonly options: MultivariateOptions;
  readonly numbers: readonly number[];
  readonly covariance: readonly number[];
  /** Rows of the thinned history; null where a value was missing. */
  readonly history: readonly (number | null)[];
}

export interface MultivariateDetector {
  /** Scores one row, then learns it. Missing numbers count as usual. `train` rows are trusted to be mostly normal. */
  update(tSeconds: number, row: readonly (number | null)[], train?: boolean): MultivariateDetection;
  /** Share of each metric in the last row's distance; sums to 1 or is all 0. */
  contributions(): Float64Array;
  /** Changes what `alert` may cost, in false alerts per group and week. */
  setBudget(falseAlertsPerWeek: number): void;
  state(): MultivariateState;
}

export const MULTIVARIATE_TUNING = {
  /** Robust units at which a value is cut when judged, and when the covariances learn. */
  clip: 40,
  learnedClip: 8,
  /** Least unit of a metric, as a share of the range seen: one that hardly ever moved must not outweigh all others. */
  unitFloor: 0.02,
  rangeDecay: 0.99998,
  /** Added to each component's variance, in squared robust units. */
  ridge: 0.07,
  /** Rates at which the distance is smoothed beside its value at once. */
  smoothFast: 0.2,
  smoothSlow: 0.05,
  /** Slowest learning, and the share of it that suspect rows get. */
  rateMin: 1 / 40_000,
  suspectShare: 0.02,
  /** Mean deviations above its median from which a score makes its row suspect. */
  suspectSpreads: 3,
  scoreScale: 6,
  /**
   * Level of surprise that rows must keep up to notify, at one false alert a week in rows a minute apart, and by how
   * much it rises for every tenth of that: fitted to the rates of seven levels on four machines, 0.2 to 3.4 a week.
   */
  alert: 2.2,
  alertPerDecade: 0.6,
};
export const DIMS_MAX = 256;
/** Rows of history from which medians and units are taken; every STRIDE_MAX-th row at the thinnest. */
const HISTORY = 256;
const STRIDE_MAX = 128;
/** Rows before the first fit. */
const FIRST_FIT = 64;
const REFIT_EVERY_MAX = 2000;
/** Share of the way to a suspect row's value that the range seen widens. */
const SUSPECT_RANGE = 0.0002;
/** A state in which nearly all rows were suspect, smoothed over so many, is the new norm: about twice as many rows. */
const NORM_ROWS = 10_000;
const NORM_SHARE = 0.9;
/** Rows in succession that must surprise, and calm ones that end an alert: single odd rows were most false alerts. */
const ALERT_ROWS = 3;
const CALM_ROWS = 10;
const CALM_SHARE = 0.6;
const ALERT_MIN = 1.8;
const ALERT_MAX = 6;
/** Budget unless another is asked for. */
const FALSE_ALERTS_PER_WEEK = 0.25;
/** Believed distances of rows, seconds. */
const STEP_MIN_S = 1;
const STEP_MAX_S = 3600;
/** The level was fitted on rows this far apart, which also counts until two have come. */
const STEP_FITTED_S = 60;
/** A normal sample's distance between these quantiles, in standard deviations. */
const INNER = [0.25, 0.75, 1.349] as const;
const OUTER = [0.05, 0.95, 3.29] as const;

const COUNT = 0;
const HELD = 1;
const NEXT_FIT = 2;
const FAST = 3;
const SLOW = 4;
const STRIDE = 5;
/** Rows in the history, and where the next one goes once it is a ring. */
const KEPT = 6;
const NEXT_ROW = 7;
const FITTED = 8;
const MIDDLE = 9;
const SUSPECT = 10;
const SUSPECTS = 11;
const SPREAD = 12;
const SUSPECT_LATELY = 13;
const LAST_T = 14;
const STEP_S = 15;
const ODD_ROWS = 16;
const CALM = 17;
const OPEN = 18;
const HEAD = 19;
const METRICS = HEAD + TAIL_SIZE;
/** Per metric: median, unit, lowest and highest seen, mean in units, last value in units. */
const PER_METRIC = 6;

class PcaDetector implements MultivariateDetector {
  readonly #options: MultivariateOptions;
  readonly #d: number;
  readonly #a: Float64Array;
  /** Of the sum of neighbouring rows, then of their difference, in robust units; lower triangles are kept. */
  readonly #covariance: Float64Array;
  readonly #history: Float64Array;
  readonly #median: Float64Array;
  readonly #unit: Float64Array;
  readonly #low: Float64Array;
  readonly #high: Float64Array;
  readonly #mean: Float64Array;
  readonly #last: Float64Array;
  readonly #row: Float64Array;
  readonly #z: Float64Array;
  readonly #sum: Float64Array;
  readonly #step: Float64Array;
  readonly #part: Float64Array;
  /** Components over their spread, d x d, of the sum and of the difference. */
  #levels: Float64Array = new Float64Array(0);
  #steps: Float64Array = new Float64Array(0);
  #budget: number;
  readonly #out: MultivariateDetection = { score: 0, alertScore: 0, alert: false };

  constructor(options: MultivariateOptions, state?: MultivariateState) {
    this.#options = options;
    this.#budget = options.falseAlertsPerWeek ?? FALSE_ALERTS_PER_WEEK;
    const d = (this.#d = options.dims);
    this.#a = new Float64Array(METRICS + PER_METRIC * d);
    const slice = (k: number): Float64Array => this.#a.subarray(METRICS + k * d, METRICS + (k + 1) * d);
    [this.#median, this.#unit, this.#low] = [slice(0), slice(1), slice(2)];
    [this.#high, this.#mean, this.#last] = [slice(3), slice(4), slice(5)];
    this.#covariance = new Float64Array(2 * d * d);
    this.#history = new Float64Array(HISTORY * d);
    this.#row = new Float64Array(d);
    this.#z = new Float64Array(d);
    this.#sum = new Float64Array(d);
    this.#step = new Float64Array(d);
    this.#part = new Float64Array(d);
    this.#low.fill(Number.MAX_VALUE);
    this.#high.fill(-Number.MAX_VALUE);
    this.#a[STRIDE] = 1;
    this.#a[FAST] = this.#a[SLOW] = 1;
    if (state) {
      if (state.version !== 3)
        throw new VigieError(
          'conflict',
          `kept state: wanted version 3, got ${String((state as { version: unknown }).version)}`,
        );
      this.#a.set(state.numbers);
      this.#covariance.set(state.covariance);
      this.#history.set(state.history.map((x) => x ?? Number.NaN));
      if (this.#a[FITTED]) this.#components();
    }
  }

  state(): MultivariateState {
    const kept = this.#history.subarray(0, this.#a[KEPT]! * this.#d);
    return {
      version: 3,
      options: this.#options,
      numbers: Array.from(this.#a),
      covariance: Array.from(this.#covariance),
      history: Array.from(kept, (x) => (Number.isNaN(x) ? null : x)),
    };
  }

  contributions(): Float64Array {
    let sum = 0;
    for (const p of this.#part) sum += p;
    return this.#part.map((p) => (sum > 0 ? p / sum : 0));
  }

  setBudget(falseAlertsPerWeek: number): void {
    this.#budget = falseAlertsPerWeek;
  }

  update(tSeconds: number, row: readonly (number | null)[], train = false): MultivariateDetection {
    const a = this.#a;
    const out = this.#out;
    const n = ++a[COUNT]!;
    this.#pace(tSeconds);
    this.#read(row);
    if (!a[FITTED]) this.#keep(n);
    out.score = 0;
    out.alertScore = 0;
    out.alert = false;
    if (!a[FITTED]) {
      if (n >= FIRST_FIT) this.#first(n);
      return out;
    }
    const sum = this.#distance();
    const rate = Math.max(1 / n, MULTIVARIATE_TUNING.rateMin);
    this.#suspect(sum, rate, n, train);
    this.#learn(a[SUSPECT] ? rate * MULTIVARIATE_TUNING.suspectShare : rate);
    this.#keep(n);
    if (n >= a[NEXT_FIT]!) this.#fit(n);
    return this.#judge(sum, n, train);
  }

  /** The usual distance of rows: the rarer they come, the fewer false alerts a level costs in a week. */
  #pace(tSeconds: number): void {
    const a = this.#a;
    const step = tSeconds - a[LAST_T]!;
    if (Number.isFinite(tSeconds)) a[LAST_T] = tSeconds;
    if (!(step >= STEP_MIN_S && step <= STEP_MAX_S)) return;
    a[STEP_S] = a[STEP_S] ? a[STEP_S]! + (step - a[STEP_S]!) * 0.02 : step;
  }

  #level(): number {
    const t = MULTIVARIATE_TUNING;
    const atAMinute = this.#budget * ((this.#a[STEP_S] || STEP_FITTED_S) / STEP_FITTED_S);
    const level = t.alert - t.alertPerDecade * Math.log10(Math.max(1e-6, atAMinute));
    return Math.max(ALERT_MIN, Math.min(ALERT_MAX, level));
  }

  /** Once when so many rows in succession surprise, and not again before it has been calm. */
  #alerts(surprise: number): boolean {
    const a = this.#a;
    const level = this.#level();
    a[ODD_ROWS] = surprise > level ? a[ODD_ROWS]! + 1 : 0;
    if (a[OPEN]) {
      a[CALM] = surprise < CALM_SHARE * level ? a[CALM]! + 1 : 0;
      if (a[CALM] >= CALM_ROWS) a[OPEN] = 0;
      return false;
    }
    if (a[ODD_ROWS] < ALERT_ROWS) return false;
    a[OPEN] = 1;
    a[CALM] = 0;
    return true;
  }

  /** What looks wrong is learned slowly: a fault that lasts must not become the norm within the day. */
  #suspect(sum: number, rate: number, n: number, train: boolean): void {
    const a = this.#a;
    const spread = a[SPREAD]!;
    const off = sum - a[MIDDLE]!;
    const far = !train && n > 4 * FIRST_FIT && off > MULTIVARIATE_TUNING.suspectSpreads * spread;
    a[SUSPECT_LATELY]! += ((far ? 1 : 0) - a[SUSPECT_LATELY]!) / NORM_ROWS;
    a[SUSPECT] = far && a[SUSPECT_LATELY]! < NORM_SHARE ? 1 : 0;
    if (a[SUSPECT]) a[SUSPECTS]!++;
    if (!a[MIDDLE]) a[MIDDLE] = sum;
    else {
      // A median and a cut mean deviation: a fifth of all rows being wrong moves them little.
      const brisk = Math.max(rate, 1 / (n - FIRST_FIT + 1));
      a[MIDDLE]! += 2 * brisk * Math.max(-spread, Math.min(spread, 1e3 * off));
      a[SPREAD]! += brisk * (Math.min(Math.abs(off), spread > 0 ? 4 * spread : Number.MAX_VALUE) - spread);
    }
  }

  /** The row as finite numbers or NaN, with the range it widens. */
  #read(row: readonly (number | null)[]): void {
    const decay = MULTIVARIATE_TUNING.rangeDecay;
    for (let i = 0; i < this.#d; i++) {
      const v = row[i];
      if (typeof v !== 'number' || !Number.isFinite(v)) {
        this.#row[i] = Number.NaN;
        continue;
      }
      const x = Math.max(-1e150, Math.min(1e150, v));
      this.#row[i] = x;
      if (!(this.#low[i]! <= this.#high[i]!)) this.#low[i] = this.#high[i] = x;
      const middle = this.#a[FITTED] ? this.#median[i]! : x;
      const share = this.#a[SUSPECT] ? SUSPECT_RANGE : 1;
      if (x < this.#low[i]!) this.#low[i]! += (x - this.#low[i]!) * share;
      else if (this.#low[i]! < middle) this.#low[i] = middle + (this.#low[i]! - middle) * decay;
      if (x > this.#high[i]!) this.#high[i]! += (x - this.#high[i]!) * share;
      else if (this.#high[i]! > middle) this.#high[i] = middle + (this.#high[i]! - middle) * decay;
    }
  }

  /** Keeps every so many-th row: the stride doubles when the room is full, up to a limit; then the oldest goes. */
  #keep(n: number): void {
    const a = this.#a;
    const d = this.#d;
    if (n % a[STRIDE]! !== 0) return;
    if (a[SUSPECT] && a[SUSPECTS]! % Math.round(1 / MULTIVARIATE_TUNING.suspectShare) !== 0) return;
    if (a[KEPT] === HISTORY && a[STRIDE]! < STRIDE_MAX) {
      for (let k = 0; k < HISTORY / 2; k++) this.#history.copyWithin(k * d, (2 * k + 1) * d, (2 * k + 2) * d);
      a[KEPT] = HISTORY / 2;
      a[STRIDE]! *= 2;
      if (n % a[STRIDE]! !== 0) return;
    }
    if (a[KEPT]! < HISTORY) {
      this.#history.set(this.#row, a[KEPT]! * d);
      a[KEPT]!++;
      return;
    }
    this.#history.set(this.#row, a[NEXT_ROW]! * d);
    a[NEXT_ROW] = (a[NEXT_ROW]! + 1) % HISTORY;
  }

  /** Units from the first rows, which are then learned as if they had just come. */
  #first(n: number): void {
    this.#units();
    this.#a[FITTED] = 1;
    const newest = Float64Array.from(this.#row);
    for (let k = 0; k < n; k++) {
      this.#row.set(this.#history.subarray(k * this.#d, (k + 1) * this.#d));
      this.#standardise();
      if (k > 0) this.#learn(1 / k);
    }
    this.#row.set(newest);
    this.#components();
    this.#a[NEXT_FIT] = n + FIRST_FIT;
  }

  #fit(n: number): void {
    const d = this.#d;
    const [median, unit] = [Float64Array.from(this.#median), Float64Array.from(this.#unit)];
    this.#units();
    // What was learned in the old units is put into the new ones.
    for (let i = 0; i < d; i++) {
      const ratio = unit[i]! / this.#unit[i]!;
      const moved = (median[i]! - this.#median[i]!) / this.#unit[i]!;
      this.#mean[i] = this.#mean[i]! * ratio + moved;
      this.#last[i] = cut(this.#last[i]! * ratio + moved, MULTIVARIATE_TUNING.clip);
      // Row and column of the metric; its own variance stands in both and is thus scaled twice.
      for (let j = 0; j < d; j++)
        for (const at of [i * d + j, d * d + i * d + j, j * d + i, d * d + j * d + i]) this.#covariance[at]! *= ratio;
    }
    this.#components();
    this.#a[NEXT_FIT] = n + Math.min(REFIT_EVERY_MAX, Math.max(FIRST_FIT, n * 0.25));
  }

  #units(): void {
    const kept = this.#a[KEPT]!;
    const column = new Float64Array(kept);
    for (let i = 0; i < this.#d; i++) {
      let m = 0;
      for (let k = 0; k < kept; k++) {
        const x = this.#history[k * this.#d + i]!;
        if (!Number.isNaN(x)) column[m++] = x;
      }
      const sorted = column.subarray(0, m).sort();
      const at = (q: number): number => sorted[Math.round(q * (m - 1))] ?? 0;
      const spread = ([low, high, width]: readonly [number, number, number]): number => (at(high) - at(low)) / width;
      const range = Math.max(0, this.#high[i]! - this.#low[i]!);
      this.#median[i] = at(0.5);
      this.#unit[i] = Math.max(
        spread(INNER),
        spread(OUTER),
        MULTIVARIATE_TUNING.unitFloor * range,
        1e-9 * Math.abs(at(0.5)),
        1e-300,
      );
    }
  }

  /** The row in robust units, beside the one before. */
  #standardise(): void {
    const clip = MULTIVARIATE_TUNING.clip;
    for (let i = 0; i < this.#d; i++) {
      const x = this.#row[i]!;
      this.#z[i] = Number.isNaN(x) ? this.#mean[i]! : cut((x - this.#median[i]!) / this.#unit[i]!, clip);
    }
  }

  #distance(): number {
    const a = this.#a;
    const d = this.#d;
    const t = MULTIVARIATE_TUNING;
    this.#standardise();
    for (let i = 0; i < d; i++) {
      this.#sum[i] = this.#z[i]! + this.#last[i]! - 2 * this.#mean[i]!;
      this.#step[i] = this.#z[i]! - this.#last[i]!;
    }
    this.#part.fill(0);
    const size = (this.#along(this.#levels, this.#sum) + this.#along(this.#steps, this.#step)) / (2 * d);
    const distance = size * size;
    a[FAST] = a[FAST]! + (distance - a[FAST]!) * t.smoothFast;
    a[SLOW] = a[SLOW]! + (distance - a[SLOW]!) * t.smoothSlow;
    return Math.log1p(distance) + Math.log1p(a[FAST]!) + Math.log1p(a[SLOW]!);
  }

  /** Sum of sizes along all components; adds each metric's share of it. */
  #along(components: Float64Array, x: Float64Array): number {
    const d = this.#d;
    let total = 0;
    for (let c = 0; c < d; c++) {
      const at = c * d;
      let dot = 0;
      for (let i = 0; i < d; i++) dot += components[at + i]! * x[i]!;
      total += Math.abs(dot);
      if (Math.abs(dot) < 1) continue;
      const sign = Math.sign(dot);
      for (let i = 0; i < d; i++) this.#part[i]! += sign * components[at + i]! * x[i]!;
    }
    return total;
  }

  #learn(rate: number): void {
    const d = this.#d;
    const clip = MULTIVARIATE_TUNING.learnedClip;
    const steps = d * d;
    for (let i = 0; i < d; i++) {
      const now = cut(this.#z[i]!, clip);
      const last = cut(this.#last[i]!, clip);
      this.#sum[i] = now + last - 2 * this.#mean[i]!;
      this.#step[i] = now - last;
      this.#mean[i]! += (now - this.#mean[i]!) * rate;
      this.#last[i] = this.#z[i]!;
    }
    for (let i = 0; i < d; i++) {
      const si = this.#sum[i]!;
      const di = this.#step[i]!;
      const at = i * d;
      for (let j = 0; j <= i; j++) {
        this.#covariance[at + j]! += (si * this.#sum[j]! - this.#covariance[at + j]!) * rate;
        this.#covariance[steps + at + j]! += (di * this.#step[j]! - this.#covariance[steps + at + j]!) * rate;
      }
    }
  }

  #components(): void {
    const d = this.#d;
    const whiten = (from: number): Float64Array => {
      const full = new Float64Array(d * d);
      for (let i = 0; i < d; i++)
        for (let j = 0; j <= i; j++) full[i * d + j] = full[j * d + i] = this.#covariance[from + i * d + j]!;
      const { values, vectors } = symmetricEigen(full, d);
      // Sum and difference have twice the variance of a row.
      for (let c = 0; c < d; c++) {
        const spread = Math.sqrt(Math.max(0, values[c]!) + 2 * MULTIVARIATE_TUNING.ridge);
        for (let i = 0; i < d; i++) vectors[c * d + i]! /= spread;
      }
      return vectors;
    };
    this.#levels = whiten(0);
    this.#steps = whiten(d * d);
  }

  #judge(s: number, n: number, train: boolean): MultivariateDetection {
    const a = this.#a;
    const out = this.#out;
    const surprise = tailSurprise(a, HEAD, s);
    tailLearn(a, HEAD, s);
    for (let i = 0; i < this.#d; i++) this.#part[i] = Math.max(0, this.#part[i]!);
    const alerts = this.#alerts(surprise);
    if (n <= (this.#options.warmupPoints ?? 0)) return out;
    out.score = 1 - Math.exp(-s / MULTIVARIATE_TUNING.scoreScale);
    const held = a[HELD]! * 0.998;
    const fresh = surprise > held ? surprise : 0;
    a[HELD] = Math.max(held, surprise);
    out.alertScore = 1 - Math.exp(-fresh / MULTIVARIATE_TUNING.scoreScale);
    out.alert = alerts && !train && n > 200;
    return out;
  }
}

const cut = (x: number, limit: number): number => (x < -limit ? -limit : x > limit ? limit : x);

export function createMultivariateDetector(
  options: MultivariateOptions,
  state?: MultivariateState,
): MultivariateDetector {
  return new PcaDetector(options, state);
}
