import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isVigieError } from '../../lib/errors.ts';
import { decodeMetricsJson } from './decode-json.ts';
import { decodeMetricsProtobuf } from './decode-protobuf.ts';
import { labelName, prometheusName } from './names.ts';
import { translateMetrics } from './translate.ts';

const json = (metrics: unknown[]) =>
  translateMetrics(
    decodeMetricsJson(Buffer.from(JSON.stringify({ resourceMetrics: [{ scopeMetrics: [{ metrics }] }] }))),
  );

describe('OTLP', () => {
  it.each([
    ['http.server.duration', 'ms', 'other', 'http_server_duration_milliseconds'],
    ['requests', '1', 'counter', 'requests_total'],
    ['total.bytes', 'By', 'counter', 'bytes_total'],
    ['used', '1', 'gauge', 'used_ratio'],
    ['1st', '{thing}', 'gauge', '_1st'],
    ['rate', 'By/s', 'gauge', 'rate_bytes_per_second'],
  ] as const)('%s in %s as %s is %s', (name, unit, kind, wanted) =>
    expect(prometheusName(name, unit, kind)).toBe(wanted),
  );

  it('names labels', () =>
    expect(['a.b', '1a', '_a', '__a'].map(labelName)).toEqual(['a_b', 'key_1a', 'key_a', '__a']));

  it('rejects delta by name and takes the rest', () => {
    const point = { timeUnixNano: '1700000000123456789', asInt: '5' };
    const out = json([
      { name: 'd', sum: { aggregationTemporality: 1, isMonotonic: true, dataPoints: [point, point] } },
      { name: 'g', gauge: { dataPoints: [point] } },
    ]);
    expect(out.rejected).toBe(2);
    expect(out.problems).toEqual(['metric "d": got delta temporality of a sum, want cumulative']);
    expect([out.batch.labels(0).toString(), out.batch.timestamps[0], out.batch.values[0]]).toEqual([
      'g',
      1_700_000_000_123,
      5,
    ]);
  });

  it('turns exponential buckets into spans and halves resolution above 8', () => {
    const exponentialHistogram = (scale: number) => ({
      aggregationTemporality: 2,
      dataPoints: [
        {
          timeUnixNano: '1000000',
          count: '6',
          sum: 1,
          scale,
          zeroCount: '1',
          positive: { offset: 2, bucketCounts: ['1', '2', '0', '2'] },
        },
      ],
    });
    const h = json([{ name: 'e', exponentialHistogram: exponentialHistogram(3) }]).batch.histograms![0]!.histogram;
    expect([h.schema, h.positiveSpans, h.positiveBuckets]).toEqual([
      3,
      [
        { offset: 3, length: 2 },
        { offset: 1, length: 1 },
      ],
      [1, 2, 2],
    ]);
    const down = json([{ name: 'e', exponentialHistogram: exponentialHistogram(9) }]).batch.histograms![0]!.histogram;
    expect([down.schema, down.positiveSpans, down.positiveBuckets]).toEqual([8, [{ offset: 2, length: 2 }], [3, 2]]);
  });

  it('names the path of what is wrong', () => {
    expect(() => json([{ name: 5 }])).toThrow(
      'resourceMetrics[0].scopeMetrics[0].metrics[0].name: got 5, want a string',
    );
    expect(() => json([{ gauge: { dataPoints: [{ timeUnixNano: 'x' }] } }])).toThrow(
      /dataPoints\[0\]\.timeUnixNano: got "x"/,
    );
  });

  it('reads or refuses any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 120 }), fc.boolean(), (bytes, asJson) => {
        try {
          translateMetrics(asJson ? decodeMetricsJson(bytes) : decodeMetricsProtobuf(bytes));
        } catch (error) {
          expect(isVigieError(error, 'bad_data')).toBe(true);
        }
      }),
      { numRuns: 500 },
    );
  });
});
