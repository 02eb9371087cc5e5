import fc from 'fast-check';
import protobuf from 'protobufjs';
// @ts-expect-error the package carries no types
import SnappyJS from 'snappyjs';
import { describe, expect, it } from 'vitest';
import { isStale } from '../../model/sample.ts';
import type { WriteBatch } from '../../store/metrics.ts';
import { SnappyDecoder } from '../snappy.ts';
import { RemoteWrite1Decoder } from './decode-v1.ts';
import { RemoteWrite2Decoder } from './decode-v2.ts';

const proto = protobuf.parse(`syntax = "proto3";
message WriteRequest { repeated TimeSeries timeseries = 1; repeated MetricMetadata metadata = 3; }
message MetricMetadata { int32 type = 1; string metric_family_name = 2; string help = 4; string unit = 5; }
message Label { string name = 1; string value = 2; }
message Sample { double value = 1; int64 timestamp = 2; }
message Exemplar { repeated Label labels = 1; double value = 2; int64 timestamp = 3; }
message BucketSpan { sint32 offset = 1; uint32 length = 2; }
message Histogram { uint64 count_int = 1; double sum = 3; sint32 schema = 4; double zero_threshold = 5; uint64 zero_count_int = 6;
  repeated BucketSpan negative_spans = 8; repeated sint64 negative_deltas = 9; repeated BucketSpan positive_spans = 11;
  repeated sint64 positive_deltas = 12; repeated double positive_counts = 13; int32 reset_hint = 14; int64 timestamp = 15; repeated double custom_values = 16; }
message TimeSeries { repeated Label labels = 1; repeated Sample samples = 2; repeated Exemplar exemplars = 3; repeated Histogram histograms = 4; }
message Request { repeated string symbols = 4; repeated TimeSeries2 timeseries = 5; }
message Exemplar2 { repeated uint32 labels_refs = 1; double value = 2; int64 timestamp = 3; }
message Metadata2 { int32 type = 1; uint32 help_ref = 3; uint32 unit_ref = 4; }
message TimeSeries2 { repeated uint32 labels_refs = 1; repeated Sample samples = 2; repeated Histogram histograms = 3; repeated Exemplar2 exemplars = 4; Metadata2 metadata = 5; int64 created_timestamp = 6; }
`).root;
const V1 = proto.lookupType('WriteRequest');
const V2 = proto.lookupType('Request');

function plain(b: WriteBatch): unknown {
  return Array.from({ length: b.seriesCount }, (_, i) => ({
    labels: b.labels(i).toObject(),
    samples: Array.from({ length: b.sampleStart[i + 1]! - b.sampleStart[i]! }, (_, k) => [
      b.timestamps[b.sampleStart[i]! + k]!,
      b.values[b.sampleStart[i]! + k]!,
    ]),
  }));
}

const series = fc.array(
  fc.record({
    labels: fc.dictionary(fc.string({ minLength: 1, unit: 'binary' }), fc.string({ minLength: 1, unit: 'binary' }), {
      maxKeys: 6,
    }),
    samples: fc.array(fc.tuple(fc.integer({ min: -(2 ** 50), max: 2 ** 50 }), fc.double()), { maxLength: 4 }),
  }),
  { maxLength: 20 },
);

describe('remote write decoders', () => {
  it('1.0 and 2.0 read what protobufjs writes', () => {
    const one = new RemoteWrite1Decoder();
    const two = new RemoteWrite2Decoder();
    fc.assert(
      fc.property(series, (rows) => {
        const want = rows.map((r) => ({
          labels: { ...r.labels, __name__: 'm' },
          samples: r.samples.map((s) => [s[0], s[1]]),
        }));
        const symbols = ['', ...new Set(want.flatMap((r) => Object.entries(r.labels).flat()))];
        const samples = (r: (typeof want)[number]) => r.samples.map(([timestamp, value]) => ({ timestamp, value }));
        const v1 = V1.encode(
          V1.fromObject({
            timeseries: want.map((r) => ({
              labels: Object.entries(r.labels).map(([name, value]) => ({ name, value })),
              samples: samples(r),
            })),
          }),
        ).finish();
        const v2 = V2.encode(
          V2.fromObject({
            symbols,
            timeseries: want.map((r) => ({
              labelsRefs: Object.entries(r.labels)
                .flat()
                .map((s) => symbols.indexOf(s)),
              samples: samples(r),
            })),
          }),
        ).finish();
        expect(plain(one.decode(v1))).toEqual(want);
        expect(plain(two.decode(v2))).toEqual(want);
      }),
      { numRuns: 300 },
    );
  });

  it('reads histograms, exemplars, metadata and stale markers of both versions', () => {
    const histogram = {
      countInt: 5,
      sum: 9.5,
      schema: -1,
      zeroThreshold: 1e-9,
      zeroCountInt: 1,
      positiveSpans: [{ offset: -2, length: 2 }],
      positiveDeltas: [3, -2],
      resetHint: 1,
      timestamp: 123,
    };
    const v1 = V1.encode(
      V1.fromObject({
        timeseries: [
          {
            labels: [{ name: '__name__', value: 'h' }],
            histograms: [histogram],
            exemplars: [{ labels: [{ name: 'trace_id', value: 'x' }], value: 2, timestamp: 7 }],
          },
        ],
        metadata: [{ type: 3, metricFamilyName: 'h', help: 'Helps.', unit: 'seconds' }],
      }),
    ).finish();
    const v2 = V2.encode(
      V2.fromObject({
        symbols: ['', '__name__', 'h', 'trace_id', 'x', 'Helps.', 'seconds'],
        timeseries: [
          {
            labelsRefs: [1, 2],
            histograms: [histogram],
            exemplars: [{ labelsRefs: [3, 4], value: 2, timestamp: 7 }],
            metadata: { type: 3, helpRef: 5, unitRef: 6 },
            createdTimestamp: 1,
          },
        ],
      }),
    ).finish();
    for (const batch of [new RemoteWrite1Decoder().decode(v1), new RemoteWrite2Decoder().decode(v2)]) {
      expect(batch.histograms).toMatchObject([
        {
          series: 0,
          timestampMs: 123,
          histogram: {
            schema: -1,
            count: 5,
            zeroCount: 1,
            sum: 9.5,
            positiveSpans: [{ offset: -2, length: 2 }],
            positiveBuckets: [3, 1],
            counterResetHint: 'reset',
          },
        },
      ]);
      expect(
        batch.exemplars!.map((e) => [e.exemplar.labels.toObject(), e.exemplar.value, e.exemplar.timestampMs]),
      ).toEqual([[{ trace_id: 'x' }, 2, 7]]);
      expect(batch.metadata).toEqual([{ metric: 'h', type: 'histogram', help: 'Helps.', unit: 'seconds' }]);
    }
    const stale = Buffer.from('0a1c0a0d0a085f5f6e616d655f5f12016d120b09020000000000f07f1001', 'hex');
    const batch = new RemoteWrite1Decoder().decode(stale);
    expect(isStale(batch.values, 0)).toBe(true);
  });

  it.each([
    [
      'duplicate label',
      [
        ['__name__', 'm'],
        ['a', '1'],
        ['a', '2'],
      ],
      /"a" occurs twice/,
    ],
    [
      'empty label name',
      [
        ['__name__', 'm'],
        ['', '1'],
      ],
      /label name is empty/,
    ],
    ['no metric name', [['a', '1']], /__name__ is missing/],
  ])('refuses a series with %s', (_, labels, message) => {
    const body = V1.encode(
      V1.fromObject({ timeseries: [{ labels: labels.map(([name, value]) => ({ name, value })) }] }),
    ).finish();
    expect(() => new RemoteWrite1Decoder().decode(body).labels(0)).toThrow(message);
  });

  it('answers any damage with an error of its own', () => {
    const one = new RemoteWrite1Decoder();
    const two = new RemoteWrite2Decoder();
    const good1 = V1.encode(
      V1.fromObject({
        timeseries: [{ labels: [{ name: '__name__', value: 'm' }], samples: [{ timestamp: 1, value: 1.5 }] }],
      }),
    ).finish();
    const good2 = V2.encode(
      V2.fromObject({
        symbols: ['', '__name__', 'm'],
        timeseries: [{ labelsRefs: [1, 2], samples: [{ timestamp: 1, value: 1.5 }] }],
      }),
    ).finish();
    const attempt = (decode: () => WriteBatch): void => {
      try {
        const b = decode();
        for (let i = 0; i < b.seriesCount; i++) b.labels(i);
      } catch (error) {
        expect(error).toMatchObject({ name: 'VigieError' });
      }
    };
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), fc.nat(), fc.nat(255), (noise, at, byte) => {
        attempt(() => one.decode(noise));
        attempt(() => two.decode(noise));
        for (const [good, decoder] of [
          [good1, one],
          [good2, two],
        ] as const) {
          const b = Uint8Array.from(good);
          b[at % b.length] = byte;
          attempt(() => decoder.decode(b));
          attempt(() => decoder.decode(good.subarray(0, at % good.length)));
        }
      }),
      { numRuns: 3_000 },
    );
  });
});

describe('snappy', () => {
  it('reads what snappyjs writes', () => {
    const decoder = new SnappyDecoder();
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.uint8Array({ maxLength: 200 }), fc.constant(new Uint8Array(500).fill(7)))),
        (parts) => {
          const bytes = Buffer.concat(parts);
          expect(Buffer.compare(decoder.decode(SnappyJS.compress(bytes), 1e7), bytes)).toBe(0);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('refuses damage and lies about lengths', () => {
    const decoder = new SnappyDecoder();
    expect(() => decoder.decode(Uint8Array.of(0x80, 0x80, 0x80, 0x80, 0x08, 0), 1e6)).toThrow(/limit/);
    expect(() => decoder.decode(Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff), 1e6)).toThrow(/does not end/);
    expect(() => decoder.decode(Uint8Array.of(0xff, 0xff, 0x03, 0), 1e6)).toThrow(/announces/);
    expect(() => decoder.decode(Uint8Array.of(4, 1, 9), 1e6)).toThrow(/reaches back/);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        try {
          decoder.decode(bytes, 1e5);
        } catch (error) {
          expect(error).toMatchObject({ name: 'VigieError' });
        }
      }),
      { numRuns: 3_000 },
    );
  });
});
