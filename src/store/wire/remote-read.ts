/**
 * Messages of the remote-read protocol, both sides: ReadRequest, ReadResponse (samples) and the frames of the chunked
 * stream (STREAMED_XOR_CHUNKS).
 */
import { VigieError } from '../../lib/errors.ts';
import type { NativeHistogram } from '../../model/histogram.ts';
import { Labels } from '../../model/labels.ts';
import type { Matcher, MatchOp } from '../../model/matcher.ts';
import type { SeriesColumns } from '../../model/sample.ts';
import { readHistogram } from './histogram.ts';
import { ProtoReader, ProtoWriter } from './protobuf.ts';
import { writeLabels, writeSeries } from './remote-write.ts';
import { encodeXorChunk, XOR_SAMPLES } from './xor-chunk.ts';

const OPS: readonly MatchOp[] = ['=', '!=', '=~', '!~'];
/** Queries of one request. */
export const READ_QUERIES_MAX = 100;

export interface ReadQuery {
  readonly startMs: number;
  /** Inclusive. */
  readonly endMs: number;
  readonly matchers: readonly Matcher[];
}

export interface ReadRequest {
  readonly queries: readonly ReadQuery[];
  /** The client prefers the chunked stream. */
  readonly chunked: boolean;
  /** The client takes samples. */
  readonly samples: boolean;
}

const writer = new ProtoWriter();

/** Asks for samples. */
export function encodeReadRequest(queries: readonly ReadQuery[]): Uint8Array {
  const w = writer.reset();
  for (const q of queries)
    w.message(1, () => {
      w.int(1, q.startMs);
      w.int(2, q.endMs);
      for (const m of q.matchers)
        w.message(3, () => {
          w.int(1, OPS.indexOf(m.op));
          w.text(2, m.name);
          w.text(3, m.value);
        });
    });
  w.varint(2 * 8);
  w.varint(0);
  return w.result();
}

/** Throws `bad_data`. */
export function decodeReadRequest(b: Uint8Array): ReadRequest {
  const queries: ReadQuery[] = [];
  const accepted: number[] = [];
  const r = new ProtoReader(b);
  r.each((field, wire) => {
    if (field === 2) return r.numbers(wire, accepted, (x) => x.varint(), 16);
    if (field !== 1) return r.skip(wire);
    if (queries.length >= READ_QUERIES_MAX) throw r.fail(`more than ${READ_QUERIES_MAX} queries`);
    const m = r.message();
    let [startMs, endMs] = [0, 0];
    const matchers: Matcher[] = [];
    m.each((f, w) => {
      if (f === 1) startMs = m.varint();
      else if (f === 2) endMs = m.varint();
      else if (f === 3) matchers.push(readMatcher(m.message()));
      else m.skip(w);
    });
    queries.push({ startMs, endMs, matchers });
  });
  // the first type that is known wins; none means samples
  const first = accepted.find((t) => t === 0 || t === 1);
  return { queries, chunked: first === 1, samples: first === undefined || accepted.includes(0) };
}

function readMatcher(m: ProtoReader): Matcher {
  let [type, name, value] = [0, '', ''];
  m.each((f, w) => {
    if (f === 1) type = m.varint();
    else if (f === 2) name = m.text();
    else if (f === 3) value = m.text();
    else m.skip(w);
  });
  const op = OPS[type];
  if (!op) throw m.fail(`matcher type ${type}`);
  return { name, op, value };
}

/** One result per query, series sorted by labels. Valid until the next call. */
export function encodeReadResponse(results: readonly (readonly SeriesColumns[])[]): Uint8Array {
  const w = writer.reset();
  for (const result of results)
    w.message(1, () => {
      for (const s of sortedSeries(result)) writeSeries(w, 1, s);
    });
  return w.result();
}

/** One list of series per query. Throws `bad_data`. */
export function decodeReadResponse(b: Uint8Array): SeriesColumns[][] {
  const out: SeriesColumns[][] = [];
  const r = new ProtoReader(b);
  r.each((field, wire) => {
    if (field !== 1) return r.skip(wire);
    const series: SeriesColumns[] = [];
    const m = r.message();
    m.each((f, w) => {
      if (f === 1) series.push(readSeries(m.message()));
      else m.skip(w);
    });
    out.push(series);
  });
  return out;
}

function readSeries(m: ProtoReader): SeriesColumns {
  const pairs: [string, string][] = [];
  let ts = new Float64Array(16);
  let values = new Float64Array(16);
  let bits = new Uint32Array(values.buffer);
  let n = 0;
  const histograms: { timestampMs: number; histogram: NativeHistogram }[] = [];
  m.each((field, wire) => {
    if (field === 1) pairs.push(readPair(m.message()));
    else if (field === 2) {
      if (n === ts.length) {
        const [oldTs, oldBits] = [ts, bits];
        ts = new Float64Array(2 * n);
        values = new Float64Array(2 * n);
        bits = new Uint32Array(values.buffer);
        ts.set(oldTs);
        bits.set(oldBits);
      }
      const s = m.message();
      bits[2 * n] = bits[2 * n + 1] = 0;
      s.each((f, w) => {
        if (f === 1) s.doubleTo(bits, n);
        else if (f === 2) ts[n] = s.varint();
        else s.skip(w);
      });
      n++;
    } else if (field === 4) histograms.push(readHistogram(m.message()));
    else m.skip(wire);
  });
  const labels = Labels.fromPairs(pairs);
  if (histograms.length === 0) return { labels, length: n, timestamps: ts, values };
  return mixed(labels, ts, bits, n, histograms);
}

function mixed(
  labels: Labels,
  ts: Float64Array,
  bits: Uint32Array,
  n: number,
  histograms: readonly { timestampMs: number; histogram: NativeHistogram }[],
): SeriesColumns {
  const total = n + histograms.length;
  const timestamps = new Float64Array(total);
  const values = new Float64Array(total);
  const to = new Uint32Array(values.buffer);
  const column: (NativeHistogram | undefined)[] = [];
  for (let i = 0, h = 0, k = 0; k < total; k++) {
    if (h < histograms.length && (i >= n || histograms[h]!.timestampMs < ts[i]!)) {
      timestamps[k] = histograms[h]!.timestampMs;
      values[k] = histograms[h]!.histogram.sum;
      column.push(histograms[h++]!.histogram);
    } else {
      timestamps[k] = ts[i]!;
      to[2 * k] = bits[2 * i]!;
      to[2 * k + 1] = bits[2 * i + 1]!;
      column.push(undefined);
      i++;
    }
  }
  return { labels, length: total, timestamps, values, histograms: column };
}

function readPair(m: ProtoReader): [string, string] {
  const pair: [string, string] = ['', ''];
  m.each((f, w) => {
    if (f === 1) pair[0] = m.text();
    else if (f === 2) pair[1] = m.text();
    else m.skip(w);
  });
  return pair;
}

const sortedSeries = (list: readonly SeriesColumns[]): SeriesColumns[] =>
  [...list].sort((a, b) => Labels.compare(a.labels, b.labels));

/** Frames of the chunked stream: a series with float samples only in each. Histograms have no XOR form. */
export function* chunkedFrames(results: readonly (readonly SeriesColumns[])[]): Generator<Uint8Array> {
  for (let query = 0; query < results.length; query++)
    for (const s of sortedSeries(results[query]!)) {
      if (s.histograms?.some((h) => h))
        throw new VigieError('unsupported', 'the chunked stream carries no native histograms; ask for samples');
      const w = writer.reset();
      w.message(1, () => {
        writeLabels(w, 1, s.labels);
        const bits = new Uint32Array(s.values.buffer, s.values.byteOffset, 2 * s.length);
        for (let from = 0; from < s.length; from += XOR_SAMPLES) {
          const n = Math.min(XOR_SAMPLES, s.length - from);
          w.message(2, () => {
            w.int(1, s.timestamps[from]!);
            w.int(2, s.timestamps[from + n - 1]!);
            w.int(3, 1);
            w.data(4, encodeXorChunk(s.timestamps, bits, from, n));
          });
        }
      });
      w.int(2, query);
      yield frame(w.result());
    }
}

/** Length (uvarint), CRC-32C of the payload (big-endian), payload. */
function frame(payload: Uint8Array): Uint8Array {
  const out = new Uint8Array(payload.length + 9);
  let at = 0;
  for (let n = payload.length; ; n = Math.floor(n / 128)) {
    out[at++] = n > 127 ? (n % 128) | 128 : n;
    if (n <= 127) break;
  }
  new DataView(out.buffer).setUint32(at, crc32c(payload), false);
  out.set(payload, at + 4);
  return out.subarray(0, at + 4 + payload.length);
}

const CASTAGNOLI = new Uint32Array(256).map((_, n) => {
  let c = n;
  for (let k = 0; k < 8; k++) c = c & 1 ? 0x82f63b78 ^ (c >>> 1) : c >>> 1;
  return c >>> 0;
});

export function crc32c(b: Uint8Array): number {
  let c = 0xffffffff;
  for (let i = 0; i < b.length; i++) c = CASTAGNOLI[(c ^ b[i]!) & 255]! ^ (c >>> 8);
  return (c ^ 0xffffffff) >>> 0;
}
