/** Native histograms as bytes, for the WAL and for blocks. Layout: docs/formats/wal.md. Reading checks every bound. */
import { VigieError } from '../../../lib/errors.ts';
import type { BucketSpan, CounterResetHint, NativeHistogram } from '../../../model/histogram.ts';
import { getVarint, putVarint, varintEnd } from './bits.ts';

export const BUCKETS_MAX = 65_536;
const HINTS: readonly CounterResetHint[] = ['unknown', 'reset', 'not_reset', 'gauge'];
const number = new DataView(new ArrayBuffer(8));

/** The bytes of `h`: schema, hint, flags, numbers, spans, buckets. */
export function encodeHistogram(h: NativeHistogram): Uint8Array {
  const floats = 4 + h.positiveBuckets.length + h.negativeBuckets.length + (h.customValues?.length ?? 0);
  const out = new Uint8Array(64 + floats * 8 + (h.positiveSpans.length + h.negativeSpans.length) * 12);
  let at = 0;
  out[at++] = h.schema + 128;
  out[at++] = HINTS.indexOf(h.counterResetHint);
  out[at++] = (h.stale ? 1 : 0) | (h.customValues ? 2 : 0);
  const f64 = (v: number): void => {
    number.setFloat64(0, v, true);
    for (let i = 0; i < 8; i++) out[at++] = number.getUint8(i);
  };
  const list = (values: readonly number[]): void => {
    at = putVarint(out, at, values.length);
    for (const v of values) f64(v);
  };
  const spans = (values: readonly BucketSpan[]): void => {
    at = putVarint(out, at, values.length);
    for (const s of values) {
      at = putVarint(out, at, s.offset < 0 ? -2 * s.offset - 1 : 2 * s.offset);
      at = putVarint(out, at, s.length);
    }
  };
  f64(h.zeroThreshold);
  f64(h.zeroCount);
  f64(h.count);
  f64(h.sum);
  spans(h.positiveSpans);
  list(h.positiveBuckets);
  spans(h.negativeSpans);
  list(h.negativeBuckets);
  if (h.customValues) list(h.customValues);
  return out.subarray(0, at);
}

/** Reads what `encodeHistogram` wrote. Throws `corrupt`. */
export function decodeHistogram(b: Uint8Array, at: number, end: number): NativeHistogram {
  const view = new DataView(b.buffer, b.byteOffset, b.byteLength);
  const short = (): VigieError => new VigieError('corrupt', 'a native histogram ends early');
  if (at + 35 > end) throw short();
  const schema = b[at]! - 128;
  const counterResetHint = HINTS[b[at + 1]!];
  const flags = b[at + 2]!;
  if (!counterResetHint) throw new VigieError('corrupt', 'a native histogram has an unknown reset hint');
  at += 3;
  const f64 = (): number => {
    if (at + 8 > end) throw short();
    const v = view.getFloat64(at, true);
    at += 8;
    return v;
  };
  const count = (): number => {
    const n = getVarint(b, at, end);
    at = varintEnd;
    if (n > BUCKETS_MAX) throw new VigieError('corrupt', `a native histogram claims ${n} buckets`);
    return n;
  };
  const list = (): number[] => Array.from({ length: count() }, f64);
  const spans = (): BucketSpan[] =>
    Array.from({ length: count() }, () => {
      const z = getVarint(b, at, end);
      const length = getVarint(b, varintEnd, end);
      at = varintEnd;
      return { offset: z % 2 === 1 ? -(z + 1) / 2 : z / 2, length };
    });
  const [zeroThreshold, zeroCount, totalCount, sum] = [f64(), f64(), f64(), f64()];
  const positiveSpans = spans();
  const positiveBuckets = list();
  const negativeSpans = spans();
  const negativeBuckets = list();
  return {
    schema,
    zeroThreshold,
    zeroCount,
    count: totalCount,
    sum,
    positiveSpans,
    positiveBuckets,
    negativeSpans,
    negativeBuckets,
    counterResetHint,
    ...(flags & 1 ? { stale: true } : {}),
    ...(flags & 2 ? { customValues: list() } : {}),
  };
}

/** Why a histogram cannot be right, or undefined. The checks of Prometheus' `Validate`, in its order. */
export function histogramProblem(h: NativeHistogram): string | undefined {
  if (h.stale) return undefined;
  if (h.schema !== -53 && (h.schema < -4 || h.schema > 8)) return `schema ${h.schema}, want -4 to 8 or -53`;
  if (h.schema === -53 && (h.negativeBuckets.length > 0 || h.zeroCount !== 0))
    return 'custom buckets with negative or zero buckets';
  let total = h.zeroCount;
  for (const [side, spans, buckets] of [
    ['positive', h.positiveSpans, h.positiveBuckets],
    ['negative', h.negativeSpans, h.negativeBuckets],
  ] as const) {
    let n = 0;
    for (let i = 0; i < spans.length; i++) {
      if (i > 0 && spans[i]!.offset < 0) return `${side} span ${i} has the negative offset ${spans[i]!.offset}`;
      n += spans[i]!.length;
    }
    if (n !== buckets.length) return `${side} spans cover ${n} buckets, got ${buckets.length}`;
    for (const v of buckets) {
      if (v < 0) return `a ${side} bucket has the count ${v}`;
      total += v;
    }
  }
  // a NaN observation counts but lies in no bucket
  if (
    !Number.isNaN(h.sum) &&
    Number.isInteger(total) &&
    total !== h.count &&
    Math.abs(total - h.count) > 1e-9 * h.count
  )
    return `the buckets hold ${total} observations, the count says ${h.count}`;
  if (h.customValues)
    for (let i = 1; i < h.customValues.length; i++)
      if (!(h.customValues[i]! > h.customValues[i - 1]!)) return 'custom bounds do not ascend';
  return undefined;
}
