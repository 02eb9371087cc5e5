/** Every decoder of telemetry over damaged copies of valid input: a value or a VigieError, in bounded time. */
import protobuf from 'protobufjs';
import { describe, expect, it } from 'vitest';
import { damaged, fuzz } from '../../test/support/fuzz.ts';
import { VigieError } from '../lib/errors.ts';
import { snappyCompress } from '../store/wire/snappy.ts';
import { createExpositionParser } from './exposition/parser.ts';
import { RawSeriesMemory } from './exposition/series-memory.ts';
import { decodeMetricsJson } from './otlp/decode-json.ts';
import { decodeMetricsProtobuf } from './otlp/decode-protobuf.ts';
import { translateMetrics } from './otlp/translate.ts';
import { RemoteWrite1Decoder } from './remote-write/decode-v1.ts';
import { RemoteWrite2Decoder } from './remote-write/decode-v2.ts';
import { SnappyDecoder } from './snappy.ts';

const proto = protobuf.parse(`syntax = "proto3";
message Label { string name = 1; string value = 2; }
message Sample { double value = 1; int64 timestamp = 2; }
message Exemplar { repeated Label labels = 1; double value = 2; int64 timestamp = 3; }
message Span { sint32 offset = 1; uint32 length = 2; }
message Histogram { uint64 count_int = 1; double sum = 3; sint32 schema = 4; double zero_threshold = 5; uint64 zero_count_int = 6;
  repeated Span positive_spans = 11; repeated sint64 positive_deltas = 12; int64 timestamp = 15; }
message Metadata { int32 type = 1; string metric_family_name = 2; string help = 4; }
message Series1 { repeated Label labels = 1; repeated Sample samples = 2; repeated Exemplar exemplars = 3; repeated Histogram histograms = 4; }
message Write1 { repeated Series1 timeseries = 1; repeated Metadata metadata = 3; }
message Exemplar2 { repeated uint32 labels_refs = 1; double value = 2; int64 timestamp = 3; }
message Metadata2 { int32 type = 1; uint32 help_ref = 3; uint32 unit_ref = 4; }
message Series2 { repeated uint32 labels_refs = 1; repeated Sample samples = 2; repeated Histogram histograms = 3; repeated Exemplar2 exemplars = 4; Metadata2 metadata = 5; int64 created_timestamp = 6; }
message Write2 { repeated string symbols = 4; repeated Series2 timeseries = 5; }
message Any { string string_value = 1; double double_value = 4; AnyList array_value = 5; }
message AnyList { repeated Any values = 1; }
message Pair { string key = 1; Any value = 2; }
message Attributes { repeated Pair attributes = 1; }
message Point { fixed64 time_unix_nano = 3; double as_double = 4; repeated Pair attributes = 7; }
message Gauge { repeated Point data_points = 1; }
message Sum { repeated Point data_points = 1; int32 aggregation_temporality = 2; bool is_monotonic = 3; }
message Metric { string name = 1; string description = 2; string unit = 3; Gauge gauge = 5; Sum sum = 7; }
message Scope { repeated Metric metrics = 2; }
message Resource { Attributes resource = 1; repeated Scope scope_metrics = 2; }
message Otlp { repeated Resource resource_metrics = 1; }
message LabelPair { string name = 1; string value = 2; }
message Counter { double value = 1; }
message Bucket { uint64 cumulative_count = 1; double upper_bound = 2; }
message ClassicOrNative { uint64 sample_count = 1; double sample_sum = 2; repeated Bucket bucket = 3; sint32 schema = 5; double zero_threshold = 6; repeated Span positive_span = 12; repeated sint64 positive_delta = 13; }
message M { repeated LabelPair label = 1; Counter counter = 3; ClassicOrNative histogram = 7; int64 timestamp_ms = 6; }
message Family { string name = 1; string help = 2; int32 type = 3; repeated M metric = 4; }
`).root;
const encode = (type: string, value: object): Uint8Array => {
  const t = proto.lookupType(type);
  return t.encode(t.fromObject(value)).finish();
};

const NOW = 1_767_225_600_000;
const histogram = {
  countInt: 9,
  sum: 4,
  schema: 3,
  zeroThreshold: 1e-9,
  zeroCountInt: 1,
  positiveSpans: [
    { offset: -2, length: 2 },
    { offset: 3, length: 1 },
  ],
  positiveDeltas: [3, -1, 1],
  timestamp: NOW,
};
const write1 = encode('Write1', {
  timeseries: [
    {
      labels: [
        { name: '__name__', value: 'http_requests_total' },
        { name: 'job', value: 'é' },
      ],
      samples: [
        { value: 1.5, timestamp: NOW },
        { value: -2, timestamp: NOW + 1 },
      ],
      exemplars: [{ labels: [{ name: 'trace_id', value: 'abc' }], value: 1, timestamp: NOW }],
    },
    { labels: [{ name: '__name__', value: 'h' }], histograms: [histogram] },
  ],
  metadata: [{ type: 1, metricFamilyName: 'http_requests_total', help: 'Requests.' }],
});
const write2 = encode('Write2', {
  symbols: ['', '__name__', 'a', 'job', 'x', 'Help.'],
  timeseries: [
    {
      labelsRefs: [1, 2, 3, 4],
      samples: [{ value: 1, timestamp: NOW }],
      exemplars: [{ labelsRefs: [3, 4], value: 1, timestamp: NOW }],
      metadata: { type: 1, helpRef: 5 },
      createdTimestamp: NOW - 1,
    },
    { labelsRefs: [1, 4], histograms: [histogram] },
  ],
});
const point = {
  timeUnixNano: '1767225600000000000',
  asDouble: 2,
  attributes: [{ key: 'a.b', value: { stringValue: 'x' } }],
};
const otlpRequest = {
  resourceMetrics: [
    {
      resource: {
        attributes: [
          { key: 'service.name', value: { arrayValue: { values: [{ stringValue: 's' }, { doubleValue: 2 }] } } },
        ],
      },
      scopeMetrics: [
        {
          metrics: [
            { name: 'm.temperature', unit: 'Cel', gauge: { dataPoints: [point] } },
            {
              name: 'm.requests',
              unit: '1',
              sum: { dataPoints: [point], aggregationTemporality: 2, isMonotonic: true },
            },
          ],
        },
      ],
    },
  ],
};
const family = (value: object): Uint8Array => {
  const bytes = encode('Family', value);
  return Buffer.concat([Uint8Array.of((bytes.length & 127) | 128, bytes.length >>> 7), bytes]);
};
const exposition = Buffer.concat([
  family({
    name: 'c_total',
    help: 'C.',
    type: 0,
    metric: [{ label: [{ name: 'a', value: 'b' }], counter: { value: 3 } }],
  }),
  family({
    name: 'h',
    type: 4,
    metric: [
      {
        histogram: {
          sampleCount: 3,
          sampleSum: 2,
          bucket: [
            { cumulativeCount: 1, upperBound: 0.5 },
            { cumulativeCount: 3, upperBound: 1 },
          ],
        },
      },
      {
        histogram: {
          sampleCount: 3,
          sampleSum: 2,
          schema: 2,
          zeroThreshold: 1e-9,
          positiveSpan: [{ offset: 0, length: 2 }],
          positiveDelta: [1, 1],
        },
        timestampMs: NOW,
      },
    ],
  }),
]);
const TEXT = `# HELP c_total A "counter"\\nof things.
# TYPE c_total counter
c_total{a="b",c="d\\"e"} 3 ${NOW}
# TYPE h histogram
h_bucket{le="0.5"} 1
h_bucket{le="+Inf"} 3
h_sum 2
h_count 3
{"odd name",x="y"} NaN
`;
const OPEN = `# TYPE c counter
# UNIT c_seconds seconds
c_total{a="b"} 3 1767225600.123 # {trace_id="x"} 1 1767225600
c_created{a="b"} 1767225000
# TYPE h histogram
h_bucket{le="1"} 1 # {} 0.3
h_bucket{le="+Inf"} 2
h_count 2
h_sum 3
# EOF
`;
const WORDS = [
  '# TYPE ',
  '# HELP ',
  '# EOF\n',
  '{',
  '}',
  '"',
  '\\',
  'le="',
  '=',
  ',',
  '\n',
  ' ',
  'NaN',
  '+Inf',
  '1e400',
  '-',
  '\0',
  '\xff',
];

const oneWrite = new RemoteWrite1Decoder();
const twoWrite = new RemoteWrite2Decoder();
const snappy = new SnappyDecoder();
const parser = createExpositionParser();
/** Labels are decoded when asked for: a batch is read only with them. A series with bad labels is refused alone. */
function readAll(b: { readonly seriesCount: number; labels(i: number): unknown }): void {
  for (let i = 0; i < b.seriesCount; i++) b.labels(i);
}
function expose(bytes: Uint8Array, format: 'PrometheusText' | 'OpenMetricsText' | 'PrometheusProto'): void {
  const memory = new RawSeriesMemory();
  const e = parser.parse(bytes, format, memory);
  for (let i = 0; i < e.count; i++) memory.labels(e.ids[i]!);
  e.metadata();
}

describe('decoders over damaged input', () => {
  it.each<[string, readonly (string | Uint8Array)[], readonly string[], (b: Uint8Array) => unknown]>([
    [
      'snappy',
      [snappyCompress(write1), snappyCompress(Buffer.from('abcd'.repeat(200)))],
      [],
      (b) => snappy.decode(b, 1e6),
    ],
    ['remote write 1.0', [write1], [], (b) => readAll(oneWrite.decode(b))],
    ['remote write 2.0', [write2], [], (b) => readAll(twoWrite.decode(b))],
    [
      'remote write behind snappy',
      [snappyCompress(write1)],
      [],
      (b) => readAll(oneWrite.decode(snappy.decode(b, 1e6))),
    ],
    ['OTLP protobuf', [encode('Otlp', otlpRequest)], [], (b) => translateMetrics(decodeMetricsProtobuf(b))],
    [
      'OTLP JSON',
      [JSON.stringify(otlpRequest)],
      ['{', '}', '[', ']', '"', ':', ',', 'null', '-1', '1e400', '"x"', 'true'],
      (b) => translateMetrics(decodeMetricsJson(b)),
    ],
    ['text exposition', [TEXT], WORDS, (b) => expose(b, 'PrometheusText')],
    ['OpenMetrics', [OPEN], WORDS, (b) => expose(b, 'OpenMetricsText')],
    ['protobuf exposition', [exposition], [], (b) => expose(b, 'PrometheusProto')],
  ])('%s', (_name, valid, words, decode) => {
    for (const v of valid) decode(Buffer.from(v as Uint8Array)); // undamaged it is read
    const { accepted, refused } = fuzz(damaged(valid, words), decode, 2_000);
    expect(accepted + refused).toBeGreaterThanOrEqual(2_000);
    expect(refused, 'damage is found').toBeGreaterThan(100);
  });

  it('JSON of any shape as OTLP', () => {
    const shapes: unknown[] = [1, 'x', null, true, [], {}, [[]], [null], { a: 1 }];
    let refused = 0;
    const replaceAt = (value: unknown, path: readonly string[], by: unknown): unknown => {
      if (path.length === 0) return by;
      const [head, ...rest] = path;
      const copy = (Array.isArray(value) ? [...value] : { ...(value as object) }) as Record<string, unknown>;
      copy[head!] = replaceAt(copy[head!], rest, by);
      return copy;
    };
    const paths: string[][] = [];
    const walk = (value: unknown, path: string[]): void => {
      paths.push(path);
      if (typeof value === 'object' && value !== null)
        for (const [k, v] of Object.entries(value)) walk(v, [...path, k]);
    };
    walk(otlpRequest, []);
    for (const path of paths)
      for (const by of shapes)
        try {
          translateMetrics(decodeMetricsJson(Buffer.from(JSON.stringify(replaceAt(otlpRequest, path, by)))));
        } catch (error) {
          expect(error).toBeInstanceOf(VigieError);
          expect((error as Error).message).toMatch(/got .*want|JSON/);
          refused++;
        }
    expect(refused).toBeGreaterThan(paths.length);
  });
});
