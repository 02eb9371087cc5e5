/**
 * The Histogram message, which remote write 1.0 and 2.0 share but for the custom values: integer histograms carry
 * deltas, float histograms absolute counts; both come out absolute.
 */
import type { BucketSpan, CounterResetHint, NativeHistogram } from '../../model/histogram.ts';
import { isStale } from '../../model/sample.ts';
import { type ProtobufReader, WIRE_FIXED64, WIRE_VARINT } from '../protobuf.ts';

const BUCKETS_MAX = 65_536;
const HINTS: readonly CounterResetHint[] = ['unknown', 'reset', 'not_reset', 'gauge'];
const sumColumn = new Float64Array(1);
const sumBytes = new Uint8Array(sumColumn.buffer);

/** Reads the message that `r` stands in; answers it with its time stamp in ms. */
export function readHistogram(r: ProtobufReader): {
  readonly timestampMs: number;
  readonly histogram: NativeHistogram;
} {
  let count = 0;
  let zeroCount = 0;
  let sum = 0;
  let stale = false;
  let schema = 0;
  let zeroThreshold = 0;
  let timestampMs = 0;
  let hint = 0;
  const spans: [BucketSpan[], BucketSpan[]] = [[], []];
  const deltas: [number[], number[]] = [[], []];
  const counts: [number[], number[]] = [[], []];
  const customValues: number[] = [];
  const read = { sint64: () => r.sint64(), double: () => r.double() };
  while (r.at < r.end) {
    const tag = r.varint();
    const wire = tag & 7;
    const field = Math.floor(tag / 8);
    switch (field) {
      case 1:
        count = r.varint();
        break;
      case 2:
        count = r.double();
        break;
      case 3:
        if (r.at + 8 <= r.end) sumBytes.set(r.bytes.subarray(r.at, r.at + 8));
        sum = r.double();
        stale = isStale(sumColumn, 0);
        break;
      case 4:
        schema = r.sint32();
        break;
      case 5:
        zeroThreshold = r.double();
        break;
      case 6:
        zeroCount = r.varint();
        break;
      case 7:
        zeroCount = r.double();
        break;
      case 8:
      case 11: {
        const list = spans[field === 8 ? 0 : 1];
        if (list.length >= BUCKETS_MAX) throw r.fail(`a histogram has more than ${BUCKETS_MAX} spans`);
        list.push(r.message(readSpan));
        break;
      }
      case 9:
      case 12:
        r.repeated(wire, WIRE_VARINT, deltas[field === 9 ? 0 : 1], read.sint64, BUCKETS_MAX);
        break;
      case 10:
      case 13:
        r.repeated(wire, WIRE_FIXED64, counts[field === 10 ? 0 : 1], read.double, BUCKETS_MAX);
        break;
      case 14:
        hint = r.varint();
        break;
      case 15:
        timestampMs = r.int64();
        break;
      case 16:
        r.repeated(wire, WIRE_FIXED64, customValues, read.double, BUCKETS_MAX);
        break;
      default:
        r.skip(wire);
    }
  }
  // the first span list read is of the negative side in the numbering of the message
  const [negativeSpans, positiveSpans] = spans;
  return {
    timestampMs,
    histogram: {
      schema,
      zeroThreshold,
      zeroCount,
      count,
      sum,
      ...(stale ? { stale: true } : {}),
      positiveSpans,
      positiveBuckets: counts[1].length > 0 ? counts[1] : absolute(deltas[1]),
      negativeSpans,
      negativeBuckets: counts[0].length > 0 ? counts[0] : absolute(deltas[0]),
      ...(schema === -53 ? { customValues } : {}),
      counterResetHint: HINTS[hint] ?? 'unknown',
    },
  };
}

function readSpan(r: ProtobufReader): BucketSpan {
  let offset = 0;
  let length = 0;
  while (r.at < r.end) {
    const tag = r.varint();
    if (tag === 8) offset = r.sint32();
    else if (tag === 16) length = r.varint();
    else r.skipField(tag);
  }
  return { offset, length };
}

function absolute(deltas: readonly number[]): number[] {
  let v = 0;
  return deltas.map((d) => (v += d));
}
