import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RemoteWrite1Decoder } from '../../ingest/remote-write/decode-v1.ts';
import { SnappyDecoder } from '../../ingest/snappy.ts';
import { Labels } from '../../model/labels.ts';
import type { SeriesColumns } from '../../model/sample.ts';
import { setStale } from '../../model/sample.ts';
import { crc32c, decodeReadRequest, decodeReadResponse, encodeReadRequest, encodeReadResponse } from './remote-read.ts';
import { encodeWriteRequest } from './remote-write.ts';
import { snappyCompress } from './snappy.ts';
import { decodeXorChunk, encodeXorChunk } from './xor-chunk.ts';

const text = fc.string({ unit: 'binary', maxLength: 60 }).map((s) => s.toWellFormed().replaceAll('\u0000', 'x'));
const labels = fc.dictionary(text, text, { maxKeys: 8 }).map((d) => Labels.from(d));
const series = fc
  .record({
    labels,
    samples: fc.uniqueArray(
      fc.record({ t: fc.integer({ min: -5_000_000, max: 4_000_000_000_000 }), v: fc.double(), stale: fc.boolean() }),
      { selector: (s) => s.t, maxLength: 150 },
    ),
  })
  .map(({ labels: l, samples }): SeriesColumns => {
    samples.sort((a, b) => a.t - b.t);
    const values = Float64Array.from(samples, (s) => s.v);
    for (const [i, s] of samples.entries()) if (s.stale) setStale(values, i);
    return { labels: l, length: samples.length, timestamps: Float64Array.from(samples, (s) => s.t), values };
  });
const bitsOf = (s: SeriesColumns): unknown => [
  [...s.labels],
  [...s.timestamps.subarray(0, s.length)],
  [...new Uint32Array(s.values.buffer, s.values.byteOffset, 2 * s.length)],
];

describe('wire', () => {
  it('snappy comes back from the decoder, and compresses', () => {
    const decoder = new SnappyDecoder();
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.uint8Array({ maxLength: 300 }), fc.constant(Buffer.from('http_requests_total'))), {
          maxLength: 60,
        }),
        (parts) => {
          const plain = Buffer.concat(parts);
          expect(Buffer.from(decoder.decode(snappyCompress(plain), 1 << 20)).equals(plain)).toBe(true);
        },
      ),
      { numRuns: 300 },
    );
    const much = Buffer.from('http_requests_total{job="a"} '.repeat(20_000));
    expect(snappyCompress(much).length).toBeLessThan(much.length / 15);
  });

  it('write requests are understood by the receiver, bit by bit', () => {
    const decoder = new RemoteWrite1Decoder();
    fc.assert(
      fc.property(fc.array(series, { maxLength: 5 }), (list) => {
        const batch = decoder.decode(Uint8Array.from(encodeWriteRequest(list)));
        expect(batch.seriesCount).toBe(list.length);
        list.forEach((s, i) => {
          const [from, to] = [batch.sampleStart[i]!, batch.sampleStart[i + 1]!];
          expect([...batch.timestamps.subarray(from, to)]).toEqual([...s.timestamps]);
          expect([
            ...new Uint32Array(batch.values.buffer, batch.values.byteOffset + 8 * from, 2 * (to - from)),
          ]).toEqual((bitsOf(s) as unknown[])[2]);
        });
      }),
      { numRuns: 200 },
    );
  });

  it('read requests and responses come back', () => {
    const queries = [
      {
        startMs: 5,
        endMs: 1_700_000_000_000,
        matchers: [
          { name: '__name__', op: '=' as const, value: 'up' },
          { name: 'é', op: '!~' as const, value: 'a|b' },
        ],
      },
      { startMs: -1_000, endMs: 7, matchers: [] },
    ];
    expect(decodeReadRequest(Uint8Array.from(encodeReadRequest(queries)))).toEqual({
      queries,
      chunked: false,
      samples: true,
    });
    fc.assert(
      fc.property(fc.array(series, { maxLength: 5 }), (list) => {
        const sorted = [...list].sort((a, b) => Labels.compare(a.labels, b.labels));
        const [got] = decodeReadResponse(Uint8Array.from(encodeReadResponse([list])));
        expect((got ?? []).map(bitsOf)).toEqual(sorted.map(bitsOf));
      }),
      { numRuns: 200 },
    );
  });

  it('histograms come back whole', () => {
    const h = {
      schema: -53,
      zeroThreshold: 0.5,
      zeroCount: 0,
      count: 6.5,
      sum: -3,
      positiveSpans: [
        { offset: -3, length: 1 },
        { offset: 2, length: 1 },
      ],
      positiveBuckets: [2.5, 4],
      negativeSpans: [],
      negativeBuckets: [],
      customValues: [0.1, 5],
      counterResetHint: 'gauge' as const,
    };
    const s: SeriesColumns = {
      labels: Labels.from({ __name__: 'h' }),
      length: 2,
      timestamps: Float64Array.of(1, 2),
      values: Float64Array.of(7, -3),
      histograms: [undefined, h],
    };
    const [[got]] = decodeReadResponse(Uint8Array.from(encodeReadResponse([[s]]))) as [[SeriesColumns]];
    expect(got.histograms).toEqual([undefined, h]);
    expect([...got.timestamps]).toEqual([1, 2]);
  });

  it('XOR chunks come back bit by bit', () => {
    fc.assert(
      fc.property(series, (s) => {
        const bits = new Uint32Array(s.values.buffer);
        const got = decodeXorChunk(encodeXorChunk(s.timestamps, bits, 0, s.length));
        expect([...got.ts]).toEqual([...s.timestamps]);
        expect([...new Uint32Array(got.values.buffer)]).toEqual([...bits]);
      }),
      { numRuns: 300 },
    );
  });

  it('CRC-32C has the check value of its catalogue entry', () => {
    // "123456789" -> E3069283 (RFC 3720, appendix B.4)
    expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283);
  });
});
