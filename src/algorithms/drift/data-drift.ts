/**
 * Whether current rows of features are distributed as the reference rows: per feature Kolmogorov-Smirnov, chi-squared
 * (few distinct values), rates of missing and zero values, with PSI and Wasserstein distance as sizes; and a joint test on
 * rank correlations that sees a broken relation when every single feature looks as before. Sizes of samples are cut for
 * autocorrelated rows. No cause is named.
 */
import { chiSquaredTail, kolmogorovTail, normalTwoSided } from '../special-functions.ts';

export interface FeatureDrift {
  /** 1 - p of the strongest test of this feature, corrected for the number of tests. */
  readonly score: number;
  readonly ks: number;
  readonly psi: number;
  /** In standard deviations of the reference. */
  readonly wasserstein: number;
  readonly missingRateChange: number;
  readonly zeroRateChange: number;
}

export interface DataDrift {
  readonly drift: boolean;
  /** 1 - p over all tests. */
  readonly score: number;
  readonly joint: number;
  /** The pair of features whose relation changed most. */
  readonly pair?: readonly [number, number];
  readonly features: readonly FeatureDrift[];
}

export interface DataDriftOptions {
  /** Chance of a false alarm over all tests together. */
  readonly falseAlarmRate?: number;
}

type Rows = readonly (readonly (number | null)[])[];

export const DRIFT_ROWS_MAX = 100_000;
export const DRIFT_FEATURES_MAX = 500;
const ROWS_MIN = 8;
const DISTINCT_MAX = 12;
const PSI_BINS = 10;

/** Compares current with reference rows. Too few rows of either: no drift, score 0. */
export function drift(reference: Rows, current: Rows, options: DataDriftOptions = {}): DataDrift {
  const dims = Math.min(DRIFT_FEATURES_MAX, reference[0]?.length ?? 0);
  if (dims === 0 || reference.length < ROWS_MIN || current.length < ROWS_MIN)
    return { drift: false, score: 0, joint: 0, features: Array.from({ length: dims }, () => NO_DRIFT) };
  const rate = options.falseAlarmRate ?? 0.01;
  const a = Array.from({ length: dims }, (_, d) => columnOf(reference, d));
  const b = Array.from({ length: dims }, (_, d) => columnOf(current, d));
  const features = a.map((x, d) => featureDrift(x, b[d]!));
  const joint = jointDrift(a, b);
  let least = 1;
  for (const f of features) least = Math.min(least, 1 - f.score);
  const single = Math.min(1, least * dims);
  const p = Math.min(1, 2 * Math.min(single, joint.p));
  return { drift: p < rate, score: 1 - p, joint: 1 - joint.p, ...(joint.pair ? { pair: joint.pair } : {}), features };
}

const NO_DRIFT: FeatureDrift = { score: 0, ks: 0, psi: 0, wasserstein: 0, missingRateChange: 0, zeroRateChange: 0 };

interface Column {
  readonly values: Float64Array;
  readonly sorted: Float64Array;
  readonly present: number;
  readonly zeros: number;
  /** Rows over effective rows; 1 for independent rows. */
  readonly dependence: number;
}

function columnOf(rows: Rows, d: number): Column {
  const n = Math.min(rows.length, DRIFT_ROWS_MAX);
  const values = new Float64Array(n);
  let zeros = 0;
  for (let i = 0; i < n; i++) {
    const v = rows[i]![d];
    const ok = typeof v === 'number' && Number.isFinite(v);
    values[i] = ok ? v : Number.NaN;
    if (ok && v === 0) zeros++;
  }
  const sorted = values.filter((v) => !Number.isNaN(v)).sort();
  return { values, sorted, present: sorted.length, zeros, dependence: dependenceOf(ranks(values, sorted)) };
}

function lowerBound(sorted: Float64Array, x: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const mid = (low + high) >> 1;
    if (sorted[mid]! < x) low = mid + 1;
    else high = mid;
  }
  return low;
}

/** Middle rank in -1..1; 0 where missing. */
function ranks(values: Float64Array, sorted: Float64Array): Float64Array {
  const n = sorted.length;
  return values.map((v) => {
    if (Number.isNaN(v) || n === 0) return 0;
    const below = lowerBound(sorted, v);
    let upTo = below;
    if (below < n && sorted[below] === v) upTo = upperBound(sorted, v, below);
    return (below + upTo - n) / n;
  });
}

function upperBound(sorted: Float64Array, x: number, from: number): number {
  let low = from;
  let high = sorted.length;
  while (low < high) {
    const mid = (low + high) >> 1;
    if (sorted[mid]! <= x) low = mid + 1;
    else high = mid;
  }
  return low;
}

function dependenceOf(r: Float64Array): number {
  let over = 0;
  let under = 1e-12;
  for (let i = 0; i < r.length; i++) {
    under += r[i]! * r[i]!;
    if (i > 0) over += r[i]! * r[i - 1]!;
  }
  const rho = over / under;
  // Chance correlation of independent rows is left alone.
  if (rho < 2.5 / Math.sqrt(Math.max(1, r.length))) return 1;
  return Math.min(50, (1 + rho) / Math.max(0.02, 1 - rho));
}

function featureDrift(a: Column, b: Column): FeatureDrift {
  const na = a.values.length / a.dependence;
  const nb = b.values.length / b.dependence;
  const ma = 1 - a.present / a.values.length;
  const mb = 1 - b.present / b.values.length;
  const za = a.present > 0 ? a.zeros / a.present : 0;
  const zb = b.present > 0 ? b.zeros / b.present : 0;
  const ps = [rateTest(ma, na, mb, nb), rateTest(za, na, zb, nb)];
  let ks = 0;
  let psi = 0;
  let wasserstein = 0;
  if (a.present >= ROWS_MIN && b.present >= ROWS_MIN) {
    ks = ksStatistic(a.sorted, b.sorted);
    wasserstein = wassersteinDistance(a.sorted, b.sorted);
    psi = populationStability(a.sorted, b.sorted);
    const ea = a.present / a.dependence;
    const eb = b.present / b.dependence;
    ps.push(kolmogorovTail(ks, (ea * eb) / (ea + eb)));
    const categories = distinct(a.sorted, b.sorted);
    if (categories) ps.push(chiSquaredTest(a, b, categories));
  }
  const score = 1 - Math.min(1, Math.min(...ps) * ps.length);
  return { score, ks, psi, wasserstein, missingRateChange: mb - ma, zeroRateChange: zb - za };
}

function rateTest(pa: number, na: number, pb: number, nb: number): number {
  if (pa === pb) return 1;
  const pooled = (pa * na + pb * nb + 0.5) / (na + nb + 1);
  const spread = Math.sqrt(pooled * (1 - pooled) * (1 / na + 1 / nb));
  return normalTwoSided(Math.max(0, Math.abs(pa - pb) - 0.5 / Math.min(na, nb)) / spread);
}

function ksStatistic(a: Float64Array, b: Float64Array): number {
  let i = 0;
  let j = 0;
  let most = 0;
  while (i < a.length && j < b.length) {
    const x = Math.min(a[i]!, b[j]!);
    while (i < a.length && a[i]! <= x) i++;
    while (j < b.length && b[j]! <= x) j++;
    most = Math.max(most, Math.abs(i / a.length - j / b.length));
  }
  return most;
}

function wassersteinDistance(a: Float64Array, b: Float64Array): number {
  const points = 200;
  const q = (s: Float64Array, u: number): number => s[Math.min(s.length - 1, Math.floor(u * s.length))]!;
  const spread = (q(a, 0.84) - q(a, 0.16)) / 2 || (a[a.length - 1]! - a[0]!) / 2 || Math.abs(a[0]!) || 1;
  let sum = 0;
  for (let k = 0; k < points; k++)
    sum += Math.abs(q(a, (k + 0.5) / points) - q(b, (k + 0.5) / points)) / spread / points;
  return Number.isFinite(sum) ? sum : Number.MAX_VALUE;
}

function populationStability(a: Float64Array, b: Float64Array): number {
  const edges = [
    ...new Set(Array.from({ length: PSI_BINS - 1 }, (_, k) => a[Math.floor(((k + 1) / PSI_BINS) * a.length)]!)),
  ];
  let sum = 0;
  let fromA = 0;
  let fromB = 0;
  for (const edge of [...edges, Number.POSITIVE_INFINITY]) {
    const toA = edge === Number.POSITIVE_INFINITY ? a.length : upperBound(a, edge, 0);
    const toB = edge === Number.POSITIVE_INFINITY ? b.length : upperBound(b, edge, 0);
    const pa = (toA - fromA + 0.5) / (a.length + 5);
    const pb = (toB - fromB + 0.5) / (b.length + 5);
    sum += (pb - pa) * Math.log(pb / pa);
    fromA = toA;
    fromB = toB;
  }
  return sum;
}

function distinct(a: Float64Array, b: Float64Array): number[] | undefined {
  const seen = new Set<number>();
  for (const s of [a, b])
    for (const v of s) {
      seen.add(v);
      if (seen.size > DISTINCT_MAX) return undefined;
    }
  return seen.size > 1 ? [...seen] : undefined;
}

function chiSquaredTest(a: Column, b: Column, categories: readonly number[]): number {
  const na = a.present / a.dependence;
  const nb = b.present / b.dependence;
  let sum = 0;
  let used = 0;
  for (const c of categories) {
    const share = (x: Column): number => (upperBound(x.sorted, c, 0) - lowerBound(x.sorted, c)) / x.present;
    const pooled = (share(a) * na + share(b) * nb) / (na + nb);
    if (pooled * Math.min(na, nb) < 3) continue;
    sum += (na * (share(a) - pooled) ** 2 + nb * (share(b) - pooled) ** 2) / pooled;
    used++;
  }
  return used > 1 ? chiSquaredTail(sum, used - 1) : 1;
}

/** Rank correlations, and those of the distances from the median, by Fisher's z; the largest difference counts. */
function jointDrift(a: readonly Column[], b: readonly Column[]): { p: number; pair?: readonly [number, number] } {
  const dims = a.length;
  if (dims < 2) return { p: 1 };
  const ra = a.map((c) => ranks(c.values, c.sorted));
  const rb = b.map((c) => ranks(c.values, c.sorted));
  const fold = (r: Float64Array): Float64Array => r.map((x) => Math.abs(x) - 0.5);
  const fa = ra.map(fold);
  const fb = rb.map(fold);
  let least = 1;
  let pair: readonly [number, number] | undefined;
  let tests = 0;
  for (let i = 0; i < dims; i++)
    for (let j = 0; j < i; j++) {
      if (a[i]!.present < ROWS_MIN || b[i]!.present < ROWS_MIN) continue;
      const na = a[i]!.values.length / Math.sqrt(a[i]!.dependence * a[j]!.dependence);
      const nb = b[i]!.values.length / Math.sqrt(b[i]!.dependence * b[j]!.dependence);
      if (na < 6 || nb < 6) continue;
      const spread = Math.sqrt(1.06 / (na - 3) + 1.06 / (nb - 3));
      for (const [x, y] of [[ra, rb] as const, [fa, fb] as const]) {
        const p = normalTwoSided((fisher(correlation(x[i]!, x[j]!)) - fisher(correlation(y[i]!, y[j]!))) / spread);
        tests++;
        if (p < least) {
          least = p;
          pair = [j, i];
        }
      }
    }
  return { p: Math.min(1, least * Math.max(1, tests)), ...(pair ? { pair } : {}) };
}

const fisher = (r: number): number => Math.atanh(Math.max(-0.995, Math.min(0.995, r)));

function correlation(x: Float64Array, y: Float64Array): number {
  const n = x.length;
  let mx = 0;
  let my = 0;
  for (let i = 0; i < n; i++) {
    mx += x[i]!;
    my += y[i]!;
  }
  mx /= n;
  my /= n;
  let xy = 0;
  let xx = 0;
  let yy = 0;
  for (let i = 0; i < n; i++) {
    const dx = x[i]! - mx;
    const dy = y[i]! - my;
    xy += dx * dy;
    xx += dx * dx;
    yy += dy * dy;
  }
  return xx > 0 && yy > 0 ? xy / Math.sqrt(xx * yy) : 0;
}
