/**
 * Arithmetic on native histograms: bucket walks, schema reduction, zero bucket and bound reconciliation, addition,
 * comparison, reset detection. Works on sparse index maps; immutable in, immutable out.
 */
import {
  type BucketSpan,
  type CounterResetHint,
  CUSTOM_BUCKETS_SCHEMA,
  type NativeHistogram,
} from '../model/histogram.ts';
import { exponentialBound } from './exponential-bounds.ts';

export interface Bucket {
  lower: number;
  upper: number;
  count: number;
}

type Counts = Map<number, number>;

export const isCustom = (h: NativeHistogram): boolean => h.schema === CUSTOM_BUCKETS_SCHEMA;

export function countsOf(spans: readonly BucketSpan[], buckets: readonly number[]): Counts {
  const out: Counts = new Map();
  let index = 0;
  let k = 0;
  for (const s of spans) {
    index += s.offset;
    for (let i = 0; i < s.length; i++, index++) out.set(index, buckets[k++] ?? 0);
  }
  return out;
}

function spansOf(counts: Counts): { spans: BucketSpan[]; buckets: number[] } {
  const indices = [...counts.keys()].filter((i) => counts.get(i) !== 0).sort((a, b) => a - b);
  const spans: { offset: number; length: number }[] = [];
  const buckets: number[] = [];
  let next = 0;
  for (const i of indices) {
    const last = spans.at(-1);
    if (last && i === next) last.length++;
    else spans.push({ offset: last ? i - next : i, length: 1 });
    buckets.push(counts.get(i)!);
    next = i + 1;
  }
  return { spans, buckets };
}

/** All non-empty buckets from the lowest to the highest, the zero bucket between. */
export function bucketsOf(h: NativeHistogram, belowZero = false): Bucket[] {
  const out: Bucket[] = [];
  if (isCustom(h)) {
    const bounds = h.customValues ?? [];
    for (const [i, count] of countsOf(h.positiveSpans, h.positiveBuckets))
      out.push({
        lower: i === 0 ? Number.NEGATIVE_INFINITY : bounds[i - 1]!,
        upper: i < bounds.length ? bounds[i]! : Number.POSITIVE_INFINITY,
        count,
      });
    return out;
  }
  for (const [i, count] of [...countsOf(h.negativeSpans, h.negativeBuckets)].reverse())
    out.push({ lower: -exponentialBound(i, h.schema), upper: -exponentialBound(i - 1, h.schema), count });
  if (h.zeroCount > 0 || (belowZero && h.zeroCount < 0))
    out.push({ lower: -h.zeroThreshold, upper: h.zeroThreshold, count: h.zeroCount });
  for (const [i, count] of countsOf(h.positiveSpans, h.positiveBuckets))
    out.push({ lower: exponentialBound(i - 1, h.schema), upper: exponentialBound(i, h.schema), count });
  return out;
}

export function scaleHistogram(h: NativeHistogram, factor: number, divisor?: number): NativeHistogram {
  const f = divisor === undefined ? (x: number): number => x * factor : (x: number): number => x / divisor;
  const hint: CounterResetHint = (divisor ?? factor) < 0 ? 'gauge' : h.counterResetHint;
  const scaled: NativeHistogram = {
    ...h,
    zeroCount: f(h.zeroCount),
    count: f(h.count),
    sum: f(h.sum),
    positiveBuckets: h.positiveBuckets.map(f),
    negativeBuckets: h.negativeBuckets.map(f),
    counterResetHint: hint,
  };
  // division by zero leaves no bucket that could be told from another
  return divisor === 0
    ? { ...scaled, positiveSpans: [], positiveBuckets: [], negativeSpans: [], negativeBuckets: [] }
    : scaled;
}

function reduced(counts: Counts, from: number, to: number): Counts {
  if (from === to) return counts;
  const out: Counts = new Map();
  for (const [i, c] of counts) {
    const j = ((i - 1) >> (from - to)) + 1;
    out.set(j, (out.get(j) ?? 0) + c);
  }
  return out;
}

/** What happened while two histograms were brought together. */
export interface MergeNotes {
  counterResetCollision?: boolean;
  reconciledBounds?: boolean;
}

interface Parts {
  schema: number;
  zeroThreshold: number;
  zeroCount: number;
  positive: Counts;
  negative: Counts;
}

const partsOf = (h: NativeHistogram): Parts => ({
  schema: h.schema,
  zeroThreshold: h.zeroThreshold,
  zeroCount: h.zeroCount,
  positive: countsOf(h.positiveSpans, h.positiveBuckets),
  negative: countsOf(h.negativeSpans, h.negativeBuckets),
});

/** Widens the zero bucket to at least `threshold`; a populated bucket that it cuts is swallowed whole. */
function widenZero(p: Parts, threshold: number): void {
  for (let again = true; again; ) {
    again = false;
    for (const side of [p.positive, p.negative]) {
      for (const [i, c] of side) {
        const lower = exponentialBound(i - 1, p.schema);
        if (lower >= threshold) continue;
        const upper = exponentialBound(i, p.schema);
        if (c !== 0 && upper > threshold) {
          threshold = upper;
          again = true;
        }
        p.zeroCount += c;
        side.delete(i);
      }
    }
  }
  p.zeroThreshold = threshold;
}

function mergeCustom(h: NativeHistogram, bounds: readonly number[]): Counts {
  const own = h.customValues ?? [];
  const out: Counts = new Map();
  for (const [i, c] of countsOf(h.positiveSpans, h.positiveBuckets)) {
    let j = bounds.length;
    if (i < own.length) {
      j = 0;
      while (j < bounds.length && bounds[j]! < own[i]!) j++;
    }
    out.set(j, (out.get(j) ?? 0) + c);
  }
  return out;
}

/** `a + sign * b`; undefined when one has custom buckets and the other has not. */
export function addHistograms(
  a: NativeHistogram,
  b: NativeHistogram,
  sign: 1 | -1,
  notes: MergeNotes = {},
): NativeHistogram | undefined {
  if (isCustom(a) !== isCustom(b)) return undefined;
  let hint: CounterResetHint = a.counterResetHint;
  if (sign === -1) hint = 'gauge';
  else if (a.counterResetHint !== b.counterResetHint) {
    const hints = [a.counterResetHint, b.counterResetHint];
    if (hints.includes('gauge')) hint = 'gauge';
    else {
      if (hints.includes('reset') && hints.includes('not_reset')) notes.counterResetCollision = true;
      hint = 'unknown';
    }
  }
  const base = { count: a.count + sign * b.count, sum: a.sum + sign * b.sum, counterResetHint: hint };
  const combine = (x: Counts, y: Counts): { spans: BucketSpan[]; buckets: number[] } => {
    const out = new Map(x);
    for (const [i, c] of y) out.set(i, (out.get(i) ?? 0) + sign * c);
    return spansOf(out);
  };
  if (isCustom(a)) {
    const other = b.customValues ?? [];
    let bounds = a.customValues ?? [];
    if (bounds.length !== other.length || bounds.some((v, i) => v !== other[i])) {
      notes.reconciledBounds = true;
      bounds = bounds.filter((v) => other.includes(v));
    }
    const merged = combine(mergeCustom(a, bounds), mergeCustom(b, bounds));
    return { ...a, ...base, customValues: bounds, positiveSpans: merged.spans, positiveBuckets: merged.buckets };
  }
  const [x, y] = aligned(a, b);
  const positive = combine(x.positive, y.positive);
  const negative = combine(x.negative, y.negative);
  return {
    ...base,
    schema: x.schema,
    zeroThreshold: x.zeroThreshold,
    zeroCount: x.zeroCount + sign * y.zeroCount,
    positiveSpans: positive.spans,
    positiveBuckets: positive.buckets,
    negativeSpans: negative.spans,
    negativeBuckets: negative.buckets,
  };
}

/** Both in the coarser schema with one zero threshold. */
function aligned(a: NativeHistogram, b: NativeHistogram): [Parts, Parts] {
  const x = partsOf(a);
  const y = partsOf(b);
  while (x.zeroThreshold !== y.zeroThreshold) {
    if (x.zeroThreshold < y.zeroThreshold) widenZero(x, y.zeroThreshold);
    else widenZero(y, x.zeroThreshold);
  }
  const schema = Math.min(x.schema, y.schema);
  for (const p of [x, y]) {
    p.positive = reduced(p.positive, p.schema, schema);
    p.negative = reduced(p.negative, p.schema, schema);
    p.schema = schema;
  }
  return [x, y];
}

/** Same observations in the same buckets; empty buckets do not count. */
export function equalHistograms(a: NativeHistogram, b: NativeHistogram): boolean {
  const same = Object.is;
  if (a.schema !== b.schema || !same(a.count, b.count) || !same(a.sum, b.sum)) return false;
  if (isCustom(a)) {
    const u = a.customValues ?? [];
    const v = b.customValues ?? [];
    if (u.length !== v.length || u.some((x, i) => x !== v[i])) return false;
  } else if (a.zeroThreshold !== b.zeroThreshold || !same(a.zeroCount, b.zeroCount)) return false;
  const text = (spans: readonly BucketSpan[], buckets: readonly number[]): string =>
    JSON.stringify(spansOf(countsOf(spans, buckets)));
  return (
    text(a.positiveSpans, a.positiveBuckets) === text(b.positiveSpans, b.positiveBuckets) &&
    text(a.negativeSpans, a.negativeBuckets) === text(b.negativeSpans, b.negativeBuckets)
  );
}

/** Did the counter start anew between `previous` and `h`? */
export function detectReset(h: NativeHistogram, previous: NativeHistogram): boolean {
  if (h.counterResetHint === 'reset') return true;
  if (h.counterResetHint === 'not_reset') return false;
  if (h.count < previous.count) return true;
  if (isCustom(h) !== isCustom(previous)) return true;
  if (isCustom(h)) {
    const u = h.customValues ?? [];
    const v = previous.customValues ?? [];
    if (u.length !== v.length || u.some((x, i) => x !== v[i])) return true;
    return fell(
      countsOf(h.positiveSpans, h.positiveBuckets),
      countsOf(previous.positiveSpans, previous.positiveBuckets),
    );
  }
  if (h.schema > previous.schema || h.zeroThreshold < previous.zeroThreshold) return true;
  const before = partsOf(previous);
  if (h.zeroThreshold !== before.zeroThreshold) {
    widenZero(before, h.zeroThreshold);
    if (before.zeroThreshold !== h.zeroThreshold) return true;
  }
  if (h.zeroCount < before.zeroCount) return true;
  return (
    fell(countsOf(h.positiveSpans, h.positiveBuckets), reduced(before.positive, before.schema, h.schema)) ||
    fell(countsOf(h.negativeSpans, h.negativeBuckets), reduced(before.negative, before.schema, h.schema))
  );
}

function fell(now: Counts, before: Counts): boolean {
  for (const [i, c] of before) if ((now.get(i) ?? 0) < c) return true;
  return false;
}

/** Keeps what lies below (`upper`) or above a bound; the bucket the bound cuts is split by interpolation. */
export function trimHistogram(h: NativeHistogram, bound: number, upper: boolean): NativeHistogram {
  let count = 0;
  let sum = 0;
  let zeroCount = 0;
  const keep = (b: Bucket): number => {
    const share = shareBelow(h, b, bound);
    const kept = b.count * (upper ? share : 1 - share);
    if (kept > 0) {
      const lo = upper ? b.lower : Math.max(b.lower, bound);
      const hi = upper ? Math.min(b.upper, bound) : b.upper;
      // a bucket without lower bound is taken to start at zero when it reaches above it
      const mid = !Number.isFinite(lo)
        ? hi > 0
          ? hi / 2
          : hi
        : !Number.isFinite(hi)
          ? lo
          : lo > 0 && !isCustom(h)
            ? Math.sqrt(lo * hi)
            : hi < 0 && !isCustom(h)
              ? -Math.sqrt(lo * hi)
              : (lo + hi) / 2;
      count += kept;
      sum += mid * kept;
    }
    return kept;
  };
  const side = (
    spans: readonly BucketSpan[],
    buckets: readonly number[],
    sign: 1 | -1,
  ): { spans: BucketSpan[]; buckets: number[] } => {
    const out: Counts = new Map();
    const bounds = h.customValues ?? [];
    for (const [i, c] of countsOf(spans, buckets)) {
      const b: Bucket = isCustom(h)
        ? {
            lower: i === 0 ? Number.NEGATIVE_INFINITY : bounds[i - 1]!,
            upper: bounds[i] ?? Number.POSITIVE_INFINITY,
            count: c,
          }
        : sign === 1
          ? { lower: exponentialBound(i - 1, h.schema), upper: exponentialBound(i, h.schema), count: c }
          : { lower: -exponentialBound(i, h.schema), upper: -exponentialBound(i - 1, h.schema), count: c };
      out.set(i, keep(b));
    }
    return spansOf(out);
  };
  const positive = side(h.positiveSpans, h.positiveBuckets, 1);
  const negative = side(h.negativeSpans, h.negativeBuckets, -1);
  if (!isCustom(h) && h.zeroCount > 0) zeroCount = keep(zeroBucket(h));
  const unchanged = count === h.count;
  return {
    ...h,
    zeroCount,
    count,
    sum: unchanged ? h.sum : sum,
    positiveSpans: positive.spans,
    positiveBuckets: positive.buckets,
    negativeSpans: negative.spans,
    negativeBuckets: negative.buckets,
    counterResetHint: 'gauge',
  };
}

/** The zero bucket; one-sided when all other observations lie on one side. */
export function zeroBucket(h: NativeHistogram): Bucket {
  const neg = h.negativeBuckets.length > 0;
  const pos = h.positiveBuckets.length > 0;
  return { lower: !neg && pos ? 0 : -h.zeroThreshold, upper: !pos && neg ? 0 : h.zeroThreshold, count: h.zeroCount };
}

/** Which part of a bucket's observations is taken to lie at or below `v`. */
export function shareBelow(h: NativeHistogram, b: Bucket, v: number): number {
  if (v <= b.lower) return 0;
  if (v >= b.upper) return 1;
  if (!Number.isFinite(b.lower)) return b.upper > 0 && v >= 0 ? v / b.upper : 0;
  if (!Number.isFinite(b.upper)) return 0;
  if (isCustom(h) || (b.lower <= 0 && b.upper >= 0)) return (v - b.lower) / (b.upper - b.lower);
  const l = Math.log2(Math.abs(b.lower));
  const u = Math.log2(Math.abs(b.upper));
  const x = Math.log2(Math.abs(v));
  return b.lower > 0 ? (x - l) / (u - l) : 1 - (x - u) / (l - u);
}
