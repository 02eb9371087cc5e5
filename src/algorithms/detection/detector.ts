/**
 * Streaming anomaly detection on one series: a clipped level with a day and week profile beside a local level; members
 * (innovation, short mean, drift, range novelty, difference, flat line, spread) become tail surprise and are added with
 * fixed weights. O(1) per point and a fixed number of bytes. It neither labels causes nor looks at other series.
 */
import { TAIL_EXCESS, TAIL_QUANTILE, TAIL_SIZE, tailLearn, tailSurprise } from './tail.ts';

const DAY_SECONDS = 86_400;
const WEEK_SECONDS = 7 * DAY_SECONDS;
const DAY_BINS = 144;
const WEEK_BINS = 168;
const RING = 32;
/** Equal values after which an alert is not raised for what they are. */
const STALE_POINTS = 4;
const MEMBERS = 7;
/** Values beyond this magnitude are cut: differences must stay finite. */
const VALUE_MAX = 1e300;
/** Ratios of a deviation to its scale are cut here. */
const RATIO_MAX = 1e9;
/** Largest ratio that a tail learns. */
const LEARNED_MAX = 1e3;

const LEVEL = 0;
const SLOW = 1;
const SCALE = 2;
const COUNT = 3;
const LAST_V = 4;
const LAST_T = 5;
const CARRY = 6;
const SHORT = 7;
const LOW = 10;
const HIGH = 11;
const FLAT = 12;
const ERR_LOCAL = 13;
const ERR_DAY = 14;
const HELD = 16;
const SPREAD_SHORT = 18;
const SPREAD_LONG = 19;
const STEP = 20;
const FLAT_MAX = 21;
const MEDIUM = 25;
const SCALARS = 32;
const TAILS = SCALARS;
const RINGS = TAILS + (MEMBERS + 1) * TAIL_SIZE;
const NUMBERS = RINGS + RING;

export interface DetectorOptions {
  /** Seconds between points; found from the data if absent. */
  readonly stepSeconds?: number;
  /** Leading points that are learned but not scored. */
  readonly warmupPoints?: number;
  /** False alerts per series and week that `alert` may cost. */
  readonly falseAlertsPerWeek?: number;
}

export interface Detection {
  /** 0..1, comparable between series. */
  score: number;
  /** The same with repeats suppressed. */
  alertScore: number;
  /** Whether to notify, within the budget of false alerts. */
  alert: boolean;
}

export interface DetectorState {
  readonly version: 1;
  readonly options: DetectorOptions;
  readonly numbers: readonly (number | null)[];
  readonly profile: readonly number[];
}

/** Tunables, found by scripts/tune on one half of the series and judged on the other. */
export const DETECTOR_TUNING = {
  /** By member: innovation, short mean, drift, range novelty, difference, flat line, spread. */
  weights: [0, 1, 1, 3, 0.2, 0.3, 0] as number[],
  /** Points in which a suppressed repeat fades by 1/e. */
  holdPoints: 200,
  shortRate: 0.0275,
  /** Hours of history that what an hour of the week adds must outweigh, whatever the step: its first visit counts 2/3. */
  weekPrior: 0.5,
  mediumRate: 0.01,
  rawShare: 1,
  surpriseShare: 0,
  noveltyHalf: 0.3,
  youngPoints: 200,
  scoreScale: 8,
  /** An alert must also be this rare among the sums of its own series, in powers of ten. */
  alertSurprise: 4,
  /** Or its innovation (powers of ten) and range novelty (0..4) must be this large. */
  plainInnovation: 8,
  plainNovelty: 2,
  /** Level of the sum at which to notify under the default budget. */
  alertAt: 7,
};

export interface Detector {
  /** Scores one point against what came before it, then learns it. A missing value (null, NaN, infinite) scores 0. */
  update(tSeconds: number, value: number | null): Detection;
  /** Everything needed to go on after a restart, as JSON. */
  state(): DetectorState;
  /** Surprise of each member at the last point, in powers of ten. */
  readonly members: Float64Array;
  /** What was expected of the last point before it was learned: expected, lower, upper. NaN before the second point. */
  readonly band: Float64Array;
  /** Changes what `alert` may cost, in false alerts per series and week. */
  setBudget(falseAlertsPerWeek: number): void;
}

const modulo = (a: number, b: number): number => ((a % b) + b) % b;
const clamp = (x: number, low: number, high: number): number => (x < low ? low : x > high ? high : x);

/** Budget unless another is asked for, per series and week. */
const FALSE_ALERTS_PER_WEEK = 0.25;

/** The level that keeps a budget: rates of false alerts measured at several levels fall about exponentially. */
function alertLevel(falseAlertsPerWeek: number): number {
  return clamp(DETECTOR_TUNING.alertAt + Math.log(0.25 / Math.max(1e-6, falseAlertsPerWeek)) / 0.5, 3, 20);
}

class StreamingDetector implements Detector {
  readonly members = new Float64Array(MEMBERS);
  readonly band = new Float64Array(3).fill(Number.NaN);
  readonly #options: DetectorOptions;
  readonly #a: Float64Array;
  /** Day: mean, absolute residual, count per bin; then week: mean, count per bin. */
  readonly #profile: Float64Array;
  #alertAt: number;
  readonly #result: Detection = { score: 0, alertScore: 0, alert: false };

  constructor(options: DetectorOptions, state?: DetectorState) {
    this.#options = options;
    this.#alertAt = alertLevel(options.falseAlertsPerWeek ?? FALSE_ALERTS_PER_WEEK);
    this.#a = new Float64Array(NUMBERS);
    this.#profile = new Float64Array(DAY_BINS * 3 + WEEK_BINS * 2);
    if (state) {
      this.#a.set(state.numbers.map((x) => x ?? Number.NaN));
      this.#profile.set(state.profile);
    } else {
      this.#a[STEP] = options.stepSeconds ?? 0;
      this.#a[LAST_T] = Number.NaN;
    }
  }

  state(): DetectorState {
    return {
      version: 1,
      options: this.#options,
      numbers: Array.from(this.#a, (x) => (Number.isFinite(x) ? x : null)),
      profile: Array.from(this.#profile),
    };
  }

  setBudget(falseAlertsPerWeek: number): void {
    this.#alertAt = alertLevel(falseAlertsPerWeek);
  }

  update(tSeconds: number, value: number | null): Detection {
    const out = this.#result;
    out.score = 0;
    out.alertScore = 0;
    out.alert = false;
    if (value === null || !Number.isFinite(value) || !Number.isFinite(tSeconds)) return out;
    const a = this.#a;
    const v = clamp(value, -VALUE_MAX, VALUE_MAX);
    const n = a[COUNT]! + 1;
    a[COUNT] = n;
    if (n === 1) {
      this.#first(tSeconds, v);
      return out;
    }
    const gap = tSeconds - a[LAST_T]!;
    if (!(a[STEP]! > 0)) a[STEP] = gap > 0 ? gap : 0;
    a[LAST_T] = tSeconds;
    const raw = this.#combine(tSeconds, v, n);
    a[LAST_V] = v;
    return this.#judge(raw, n, out);
  }

  #first(tSeconds: number, v: number): void {
    const a = this.#a;
    a[LEVEL] = v;
    a[SLOW] = v;
    a[LAST_V] = v;
    a[LAST_T] = tSeconds;
    a[LOW] = v;
    a[HIGH] = v;
    a.fill(v, RINGS, RINGS + RING);
  }

  /** Learns the point and returns the weighted sum of its members' surprise. */
  #combine(tSeconds: number, v: number, n: number): number {
    const a = this.#a;
    const p = this.#profile;
    const m = this.members;
    const floor = Math.max(1e-9 * Math.abs(a[SLOW]!), 1e-300);
    const scale = Math.max(a[SCALE]!, floor);
    const dayPosition = (modulo(tSeconds, DAY_SECONDS) / DAY_SECONDS) * DAY_BINS;
    const d = Math.min(DAY_BINS - 1, Math.floor(dayPosition)) * 3;
    const weekBin = Math.min(WEEK_BINS - 1, Math.floor((modulo(tSeconds, WEEK_SECONDS) / WEEK_SECONDS) * WEEK_BINS));
    const w = DAY_BINS * 3 + weekBin * 2;
    const dayCount = p[d + 2]!;
    const weekCount = p[w + 1]!;
    const seasonalDay = (p[d]! * dayCount) / (dayCount + 2);
    const seasonalWeek =
      (p[w]! * weekCount) /
      (weekCount + DETECTOR_TUNING.weekPrior * (a[STEP]! > 0 ? clamp(3600 / a[STEP]!, 1, 60) : 6));

    const eLocal = v - a[LEVEL]!;
    const daySeason = a[SLOW]! + seasonalDay;
    const eDay = v - daySeason - a[CARRY]!;
    // Weights by inverse squared error, from a ratio so that no magnitude overflows.
    const trust = (a[ERR_DAY]! + floor) / (a[ERR_LOCAL]! + a[ERR_DAY]! + 2 * floor);
    const share = trust ** 2 / (trust ** 2 + (1 - trust) ** 2);
    const innovation = share * eLocal + (1 - share) * eDay;
    const binScale = (p[d + 1]! * dayCount + scale * 6) / (dayCount + 6);
    const local = Math.max(0.5 * scale + 0.5 * binScale, floor);
    const r = Math.min(RATIO_MAX, Math.abs(innovation) / local);
    // The tail of past ratios says how far from the expected value about one point in some hundred lies.
    const reach = Math.min(LEARNED_MAX, Math.max(2, a[TAILS + TAIL_QUANTILE]! + 2 * a[TAILS + TAIL_EXCESS]!)) * local;
    this.band[0] = v - innovation;
    this.band[1] = v - innovation - reach;
    this.band[2] = v - innovation + reach;
    const seasonal = v - daySeason - seasonalWeek;

    // Members.
    a[SHORT] = a[SHORT]! + (clamp(seasonal / scale, -12, 12) - a[SHORT]!) * DETECTOR_TUNING.shortRate;
    a[MEDIUM] = a[MEDIUM]! + (clamp(seasonal / scale, -12, 12) - a[MEDIUM]!) * DETECTOR_TUNING.mediumRate;
    this.#member(0, r);
    this.#member(1, Math.abs(a[SHORT]!));
    this.#member(2, Math.abs(a[MEDIUM]!));
    const range = Math.max(a[HIGH]! - a[LOW]!, 4 * scale, floor);
    const beyond = Math.min(RATIO_MAX, Math.max(0, v - a[HIGH]!, a[LOW]! - v) / range);
    m[3] = (4 * beyond) / (beyond + DETECTOR_TUNING.noveltyHalf);
    const difference = Math.abs(v - a[LAST_V]!);
    this.#member(4, Math.min(RATIO_MAX, difference / scale));
    const flat = v === a[LAST_V]! ? a[FLAT]! + 1 : 0;
    const flatMax = a[FLAT_MAX]!;
    m[5] = flat > 3 * (flatMax + 8) ? 2 : 0;
    a[FLAT] = flat;
    if (flat > flatMax) a[FLAT_MAX] = Math.min(flat, flatMax + 0.2);
    const size = clamp(r, 0, 12);
    a[SPREAD_SHORT] = a[SPREAD_SHORT]! + (size - a[SPREAD_SHORT]!) * 0.06;
    a[SPREAD_LONG] = a[SPREAD_LONG]! + (size - a[SPREAD_LONG]!) * Math.max(1 / n, 0.002);
    this.#member(6, Math.abs(Math.log((a[SPREAD_SHORT]! + 0.05) / (a[SPREAD_LONG]! + 0.05))));

    // Learning, everything cut against outliers.
    a[ERR_LOCAL] =
      a[ERR_LOCAL]! + (Math.min(Math.abs(eLocal), 8 * scale + floor) - a[ERR_LOCAL]!) * Math.max(1 / n, 0.01);
    a[ERR_DAY] = a[ERR_DAY]! + (Math.min(Math.abs(eDay), 8 * scale + floor) - a[ERR_DAY]!) * Math.max(1 / n, 0.01);
    a[LEVEL] = a[LEVEL]! + (n < 10 ? eLocal / n : clamp(eLocal, -8 * local, 8 * local) * 0.4);
    a[CARRY] = 0.5 * a[CARRY]! + 0.35 * clamp(v - daySeason, -20 * local, 20 * local);
    const perDay = a[STEP]! > 0 ? DAY_SECONDS / a[STEP]! : 288;
    const slowRate = Math.max(1 / n, 1 / clamp(perDay, 50, 2000));
    const deviation = v - a[SLOW]! - seasonalDay;
    a[SLOW] = a[SLOW]! + (n < 10 ? deviation / n : clamp(deviation, -10 * scale, 10 * scale) * slowRate);
    const absolute = Math.min(Math.abs(innovation), n < 30 ? Number.POSITIVE_INFINITY : 6 * scale + floor);
    a[SCALE] = a[SCALE]! + (absolute - a[SCALE]!) * Math.max(1 / n, 0.002);
    const toSlow = v - a[SLOW]!;
    const dayRate = 1 / Math.min(dayCount + 1, 14);
    const cutDay = dayCount > 3 ? clamp(toSlow - p[d]!, -8 * binScale, 8 * binScale) : toSlow - p[d]!;
    p[d] = p[d]! + cutDay * dayRate;
    p[d + 1] = p[d + 1]! + (Math.min(Math.abs(innovation), 30 * scale) - p[d + 1]!) * dayRate;
    p[d + 2] = Math.min(dayCount + 1, 200);
    const weekRate = 1 / Math.min(weekCount + 1, 40);
    p[w] = p[w]! + (clamp(toSlow - seasonalDay, -20 * scale, 20 * scale) - p[w]!) * weekRate;
    p[w + 1] = Math.min(weekCount + 1, 200);
    a[HIGH] = v > a[HIGH]! ? v : a[HIGH]! - (a[HIGH]! - a[SLOW]!) * 0.0002;
    a[LOW] = v < a[LOW]! ? v : a[LOW]! + (a[SLOW]! - a[LOW]!) * 0.0002;
    const weights = DETECTOR_TUNING.weights;
    let sum = 0;
    for (let i = 0; i < MEMBERS; i++) sum += weights[i]! * m[i]!;
    return sum;
  }

  #member(index: number, x: number): void {
    const at = TAILS + index * TAIL_SIZE;
    this.members[index] = tailSurprise(this.#a, at, x);
    // The first ratios are taken to a scale that is not known yet.
    if (this.#a[COUNT]! > 12) tailLearn(this.#a, at, Math.min(x, LEARNED_MAX));
  }

  #judge(raw: number, n: number, out: Detection): Detection {
    const a = this.#a;
    const at = TAILS + MEMBERS * TAIL_SIZE;
    const surprise = tailSurprise(a, at, raw);
    tailLearn(a, at, raw);
    const young = n / (n + DETECTOR_TUNING.youngPoints);
    const combined = (DETECTOR_TUNING.rawShare * raw + DETECTOR_TUNING.surpriseShare * surprise) * young;
    if (n <= (this.#options.warmupPoints ?? 0)) return out;
    out.score = 1 - Math.exp(-combined / DETECTOR_TUNING.scoreScale);
    const held = a[HELD]! * (1 - 1 / DETECTOR_TUNING.holdPoints);
    const fresh = combined > held ? combined : 0;
    a[HELD] = Math.max(held, combined * 1.0);
    out.alertScore = 1 - Math.exp(-fresh / DETECTOR_TUNING.scoreScale);
    // A point far outside both its expectation and all that was ever seen needs no long history of sums to be rare.
    const plain = this.members[0]! > DETECTOR_TUNING.plainInnovation && this.members[3]! > DETECTOR_TUNING.plainNovelty;
    // A value that has stood still is no news, whatever the profiles expected instead; standing still itself may be.
    const stale = a[FLAT]! >= STALE_POINTS && this.members[5] === 0;
    out.alert = !stale && fresh > this.#alertAt && (plain || surprise > DETECTOR_TUNING.alertSurprise);
    return out;
  }
}

/** A detector for one series. */
export function createDetector(options: DetectorOptions = {}): Detector {
  return new StreamingDetector(options);
}

/** A detector that goes on where `state()` was taken. */
export function restoreDetector(state: DetectorState): Detector {
  return new StreamingDetector(state.options, state);
}
