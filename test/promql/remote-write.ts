/**
 * Writes series as a remote write 1.0 request for the real Prometheus: floats, stale markers, native histograms of both
 * kinds. Snappy without compression: one literal after the other.
 */
import type { BucketSpan, CounterResetHint, NativeHistogram } from '../../src/model/histogram.ts';
import type { Labels } from '../../src/model/labels.ts';
import type { Exemplar, SeriesColumns } from '../../src/model/sample.ts';

const HINTS: readonly CounterResetHint[] = ['unknown', 'reset', 'not_reset', 'gauge'];
const STALE = Buffer.from([2, 0, 0, 0, 0, 0, 0xf0, 0x7f]);

function varint(value: number | bigint): Buffer {
  let v = BigInt.asUintN(64, BigInt(value));
  const out: number[] = [];
  while (v >= 128n) {
    out.push(Number(v & 127n) | 128);
    v >>= 7n;
  }
  out.push(Number(v));
  return Buffer.from(out);
}
const zigzag = (v: number): Buffer => varint(v < 0 ? -2 * v - 1 : 2 * v);
const bytes = (field: number, b: Uint8Array): Buffer => Buffer.concat([varint(field * 8 + 2), varint(b.length), b]);
const numberField = (field: number, v: number | bigint): Buffer => Buffer.concat([varint(field * 8), varint(v)]);
function double(v: number): Buffer {
  const b = Buffer.alloc(8);
  b.writeDoubleLE(v);
  return b;
}
const doubleField = (field: number, b: Buffer): Buffer => Buffer.concat([varint(field * 8 + 1), b]);
const doubles = (field: number, list: readonly number[]): Buffer =>
  list.length === 0 ? Buffer.alloc(0) : bytes(field, Buffer.concat(list.map(double)));

function spans(field: number, list: readonly BucketSpan[]): Buffer {
  return Buffer.concat(
    list.map((s) => bytes(field, Buffer.concat([varint(8), zigzag(s.offset), numberField(2, s.length)]))),
  );
}

function histogram(h: NativeHistogram, ms: number): Buffer {
  return Buffer.concat([
    doubleField(2, double(h.count)),
    doubleField(3, h.stale ? STALE : double(h.sum)),
    Buffer.concat([varint(32), zigzag(h.schema)]),
    doubleField(5, double(h.zeroThreshold)),
    doubleField(7, double(h.zeroCount)),
    spans(8, h.negativeSpans),
    doubles(10, h.negativeBuckets),
    spans(11, h.positiveSpans),
    doubles(13, h.positiveBuckets),
    numberField(14, HINTS.indexOf(h.counterResetHint)),
    numberField(15, BigInt(ms)),
    doubles(16, h.customValues ?? []),
  ]);
}

function labelsOf(labels: Labels): Buffer[] {
  return [...labels.entries()].map(([n, v]) =>
    bytes(1, Buffer.concat([bytes(1, Buffer.from(n)), bytes(2, Buffer.from(v))])),
  );
}

function exemplar(e: Exemplar): Buffer {
  return Buffer.concat([...labelsOf(e.labels), doubleField(2, double(e.value)), numberField(3, BigInt(e.timestampMs))]);
}

/** The bytes of a WriteRequest, snappy around it. */
export function remoteWriteBody(
  series: Iterable<SeriesColumns>,
  exemplars?: ReadonlyMap<string, readonly Exemplar[]>,
): Buffer {
  const parts: Buffer[] = [];
  for (const s of series) {
    const own: Buffer[] = labelsOf(s.labels);
    for (let i = 0; i < s.length; i++) {
      const h = s.histograms?.[i];
      if (h) own.push(bytes(4, histogram(h, s.timestamps[i]!)));
      else {
        // the column's own bytes: a stale marker must keep its payload
        const raw = Buffer.from(s.values.buffer.slice(s.values.byteOffset + i * 8, s.values.byteOffset + i * 8 + 8));
        own.push(bytes(2, Buffer.concat([doubleField(1, raw), numberField(2, BigInt(s.timestamps[i]!))])));
      }
    }
    for (const e of exemplars?.get(s.labels.key) ?? []) own.push(bytes(3, exemplar(e)));
    parts.push(bytes(1, Buffer.concat(own)));
  }
  const plain = Buffer.concat(parts);
  const out: Buffer[] = [varint(plain.length)];
  for (let at = 0; at < plain.length; at += 65_536) {
    const piece = plain.subarray(at, at + 65_536);
    const size = piece.length - 1;
    out.push(Buffer.from([61 << 2, size & 255, size >> 8]), piece);
  }
  return Buffer.concat(out);
}
