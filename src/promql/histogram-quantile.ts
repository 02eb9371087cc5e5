/** Quantiles and fractions of classic buckets and native histograms. */
import type { NativeHistogram } from '../model/histogram.ts';
import { kahan, kahanState } from './float-math.ts';
import { type Bucket, bucketsOf, isCustom, shareBelow, zeroBucket } from './native-histogram.ts';

export interface ClassicBucket {
  upper: number;
  count: number;
}

/** Relative difference below which a falling bucket count is taken for rounding. */
const SMALL_DELTA = 1e-12;

/** What NaN observations, which are in the count but in no bucket, do to an answer. */
export type NanNote = 'result' | 'skewed' | 'excluded';

/** Sorted, and buckets of the same bound added up. */
function coalesced(buckets: ClassicBucket[]): ClassicBucket[] {
  buckets.sort((a, b) => a.upper - b.upper || 0);
  const list: ClassicBucket[] = [];
  for (const b of buckets) {
    const last = list.at(-1);
    if (last && last.upper === b.upper) last.count += b.count;
    else list.push({ ...b });
  }
  return list;
}

/** Makes `counts[at .. at + n)` rise where they fall; says whether that was more than rounding. */
export function forceRising(counts: Float64Array, at: number, n: number): boolean {
  let forced = false;
  let previous = n > 0 ? counts[at]! : 0;
  for (let i = at + 1; i < at + n; i++) {
    const now = counts[i]!;
    if (now === previous) continue;
    if (nearly(previous, now)) counts[i] = previous;
    else if (now < previous) {
      counts[i] = previous;
      forced = true;
    } else previous = now;
  }
  return forced;
}

function nearly(a: number, b: number): boolean {
  const sum = Math.abs(a) + Math.abs(b);
  const diff = Math.abs(a - b);
  if (a === 0 || b === 0 || sum < 2.2250738585072014e-308) return diff < SMALL_DELTA * 2.2250738585072014e-308;
  return diff / Math.min(sum, Number.MAX_VALUE) < SMALL_DELTA;
}

/** Answers that need no bucket. */
function trivialQuantile(q: number): number | undefined {
  if (Number.isNaN(q)) return Number.NaN;
  if (q < 0) return Number.NEGATIVE_INFINITY;
  if (q > 1) return Number.POSITIVE_INFINITY;
  return undefined;
}

/** The quantile of buckets `[at, at + n)` in columns: bounds distinct and rising to +Inf or not, counts never falling. */
export function quantileOfRising(q: number, upper: Float64Array, counts: Float64Array, at: number, n: number): number {
  const trivial = trivialQuantile(q);
  if (trivial !== undefined) return trivial;
  const last = at + n - 1;
  if (n < 2 || upper[last] !== Number.POSITIVE_INFINITY) return Number.NaN;
  const total = counts[last]!;
  if (total === 0) return Number.NaN;
  let rank = q * total;
  let b = at;
  while (b < last && !(counts[b]! >= rank)) b++;
  if (b === last) return upper[last - 1]!;
  if (b === at && upper[at]! <= 0) return upper[at]!;
  let start = 0;
  let count = counts[b]!;
  if (b > at) {
    start = upper[b - 1]!;
    count -= counts[b - 1]!;
    rank -= counts[b - 1]!;
  }
  return start + (upper[b]! - start) * (rank / count);
}

export function classicQuantile(
  q: number,
  buckets: ClassicBucket[],
): { readonly value: number; readonly forced: boolean } {
  const trivial = trivialQuantile(q);
  if (trivial !== undefined) return { value: trivial, forced: false };
  if (!buckets.some((b) => b.upper === Number.POSITIVE_INFINITY)) return { value: Number.NaN, forced: false };
  const list = coalesced(buckets);
  const upper = Float64Array.from(list, (b) => b.upper);
  const counts = Float64Array.from(list, (b) => b.count);
  const forced = forceRising(counts, 0, list.length);
  if (list.length < 2 || counts.at(-1) === 0) return { value: Number.NaN, forced: false };
  return { value: quantileOfRising(q, upper, counts, 0, list.length), forced };
}

export function classicFraction(lower: number, upper: number, buckets: ClassicBucket[]): number {
  const list = coalesced(buckets);
  if (list.at(-1)?.upper !== Number.POSITIVE_INFINITY) return Number.NaN;
  const total = list.at(-1)!.count;
  if (total === 0 || Number.isNaN(lower) || Number.isNaN(upper)) return Number.NaN;
  if (lower >= upper) return 0;
  const below = (v: number): number => {
    if (v === Number.POSITIVE_INFINITY) return total;
    if (v === Number.NEGATIVE_INFINITY) return 0;
    let from = Number.NEGATIVE_INFINITY;
    let seen = 0;
    for (const b of list) {
      const start = from === Number.NEGATIVE_INFINITY && b.upper > 0 ? 0 : from;
      if (v < b.upper) {
        if (v <= start || !Number.isFinite(start) || !Number.isFinite(b.upper)) return seen;
        return seen + (b.count - seen) * ((v - start) / (b.upper - start));
      }
      seen = b.count;
      from = b.upper;
    }
    return total;
  };
  return (below(upper) - below(lower)) / total;
}

function orientedBuckets(h: NativeHistogram): Bucket[] {
  return bucketsOf(h).map((b) =>
    !isCustom(h) && b.lower < 0 && b.upper > 0 ? { ...zeroBucket(h), count: b.count } : b,
  );
}

export function nativeQuantile(q: number, h: NativeHistogram, note?: (n: NanNote) => void): number {
  if (q < 0) return Number.NEGATIVE_INFINITY;
  if (q > 1) return Number.POSITIVE_INFINITY;
  if (h.count === 0 || Number.isNaN(q)) return Number.NaN;
  const forward = Number.isNaN(h.sum) || q < 0.5;
  const list = orientedBuckets(h);
  if (!forward) list.reverse();
  let rank = (forward ? q : 1 - q) * h.count;
  let count = 0;
  let bucket: Bucket = { lower: 0, upper: 0, count: 0 };
  for (const b of list) {
    if (b.count === 0) continue;
    bucket = { ...b };
    count += b.count;
    if (count >= rank) break;
  }
  if (isCustom(h)) {
    if (bucket.lower === Number.NEGATIVE_INFINITY) {
      if (bucket.upper <= 0) return bucket.upper;
      bucket.lower = 0;
    } else if (bucket.upper === Number.POSITIVE_INFINITY) return bucket.lower;
  }
  if (count > h.count) count = h.count;
  if (count < rank) {
    if (!Number.isNaN(h.sum)) return bucket.upper;
    note?.('result');
    return Number.NaN;
  }
  if (note && Number.isNaN(h.sum) && observed(list) < h.count) note('skewed');
  rank = forward ? rank - (count - bucket.count) : count - rank;
  const fraction = rank / bucket.count;
  if (isCustom(h) || (bucket.lower <= 0 && bucket.upper >= 0))
    return bucket.lower + (bucket.upper - bucket.lower) * fraction;
  const l = Math.log2(Math.abs(bucket.lower));
  const u = Math.log2(Math.abs(bucket.upper));
  return bucket.lower > 0 ? 2 ** (l + (u - l) * fraction) : -(2 ** (u + (l - u) * (1 - fraction)));
}

const observed = (list: readonly Bucket[]): number => list.reduce((n, b) => n + b.count, 0);

export function nativeFraction(lower: number, upper: number, h: NativeHistogram, note?: (n: NanNote) => void): number {
  if (h.count === 0 || Number.isNaN(lower) || Number.isNaN(upper)) return Number.NaN;
  if (lower >= upper) return 0;
  const list = orientedBuckets(h);
  const below = (v: number): number => {
    let n = 0;
    for (const b of list) n += b.count * shareBelow(h, b, v);
    return n;
  };
  const total = observed(list);
  if (note && Number.isNaN(h.sum) && total < h.count) note('excluded');
  const up = upper === Number.POSITIVE_INFINITY && !Number.isNaN(h.sum) ? h.count : Math.min(below(upper), total);
  return (up - below(lower)) / h.count;
}

/** Population variance with every observation at its bucket's middle. */
export function nativeVariance(h: NativeHistogram): number {
  const mean = h.sum / h.count;
  let variance = 0;
  let c = 0;
  for (const b of bucketsOf(h)) {
    if (b.count === 0) continue;
    let middle: number;
    if (isCustom(h)) middle = (b.lower + b.upper) / 2;
    else if (b.lower <= 0 && b.upper >= 0) middle = 0;
    else middle = (b.upper < 0 ? -1 : 1) * Math.sqrt(b.upper * b.lower);
    const delta = middle - mean;
    variance = kahan(b.count * delta * delta, variance, c);
    c = kahanState.c;
  }
  return (variance + c) / h.count;
}
