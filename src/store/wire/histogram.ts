/**
 * The Histogram message of Prometheus' remote protocols: whole counts are written as integers with deltas, which every
 * version takes, fractional ones as absolute floats.
 */
import type { BucketSpan, CounterResetHint, NativeHistogram } from '../../model/histogram.ts';
import { isStale, STALE_NAN_HI, STALE_NAN_LO } from '../../model/sample.ts';
import type { ProtoReader, ProtoWriter } from './protobuf.ts';

const BUCKETS_MAX = 65_536;
const HINTS: readonly CounterResetHint[] = ['unknown', 'reset', 'not_reset', 'gauge'];

export function writeHistogram(w: ProtoWriter, field: number, timestampMs: number, h: NativeHistogram): void {
  const whole = [h.count, h.zeroCount, ...h.positiveBuckets, ...h.negativeBuckets].every(Number.isSafeInteger);
  w.message(field, () => {
    if (whole) {
      // present also when zero: which of the two fields is there tells integers from floats
      w.varint(8);
      w.varint(h.count);
    } else w.double(2, h.count);
    if (h.stale) w.doubleBits(3, STALE_NAN_LO, STALE_NAN_HI);
    else w.double(3, h.sum);
    w.sint(4, h.schema);
    w.double(5, h.zeroThreshold);
    if (whole) {
      w.varint(6 * 8);
      w.varint(h.zeroCount);
    } else w.double(7, h.zeroCount);
    const spans = (number: number, list: readonly BucketSpan[]): void => {
      for (const s of list)
        w.message(number, () => {
          w.sint(1, s.offset);
          w.int(2, s.length);
        });
    };
    spans(8, h.negativeSpans);
    if (whole) w.deltas(9, h.negativeBuckets);
    else w.doubles(10, h.negativeBuckets);
    spans(11, h.positiveSpans);
    if (whole) w.deltas(12, h.positiveBuckets);
    else w.doubles(13, h.positiveBuckets);
    w.int(14, HINTS.indexOf(h.counterResetHint));
    w.int(15, timestampMs);
    w.doubles(16, h.customValues ?? []);
  });
}

/** Reads integer (delta) and float histograms alike. Throws `bad_data`. */
export function readHistogram(r: ProtoReader): { readonly timestampMs: number; readonly histogram: NativeHistogram } {
  let [count, zeroCount, schema, zeroThreshold, timestampMs, hint] = [0, 0, 0, 0, 0, 0];
  const sum = new Float64Array(1);
  const spans: [BucketSpan[], BucketSpan[]] = [[], []];
  const deltas: [number[], number[]] = [[], []];
  const counts: [number[], number[]] = [[], []];
  const customValues: number[] = [];
  r.each((field, wire) => {
    const side = field >= 11 ? 1 : 0;
    if (field === 1) count = r.varint();
    else if (field === 2) count = r.double();
    else if (field === 3) r.doubleTo(new Uint32Array(sum.buffer), 0);
    else if (field === 4) schema = r.sint();
    else if (field === 5) zeroThreshold = r.double();
    else if (field === 6) zeroCount = r.varint();
    else if (field === 7) zeroCount = r.double();
    else if (field === 8 || field === 11) {
      const m = r.message();
      let [offset, length] = [0, 0];
      m.each((f, w) => {
        if (f === 1) offset = m.sint();
        else if (f === 2) length = m.varint();
        else m.skip(w);
      });
      if (spans[side].length >= BUCKETS_MAX) throw r.fail(`more than ${BUCKETS_MAX} spans`);
      spans[side].push({ offset, length });
    } else if (field === 9 || field === 12) r.numbers(wire, deltas[side], (x) => x.sint(), BUCKETS_MAX);
    else if (field === 10 || field === 13) r.numbers(wire, counts[side], (x) => x.double(), BUCKETS_MAX);
    else if (field === 14) hint = r.varint();
    else if (field === 15) timestampMs = r.varint();
    else if (field === 16) r.numbers(wire, customValues, (x) => x.double(), BUCKETS_MAX);
    else r.skip(wire);
  });
  const absolute = (side: 0 | 1): number[] => {
    if (counts[side].length > 0) return counts[side];
    let v = 0;
    return deltas[side].map((d) => (v += d));
  };
  return {
    timestampMs,
    histogram: {
      schema,
      zeroThreshold,
      zeroCount,
      count,
      sum: sum[0]!,
      ...(isStale(sum, 0) ? { stale: true } : {}),
      positiveSpans: spans[1],
      positiveBuckets: absolute(1),
      negativeSpans: spans[0],
      negativeBuckets: absolute(0),
      ...(schema === -53 ? { customValues } : {}),
      counterResetHint: HINTS[hint] ?? 'unknown',
    },
  };
}
