import fc from 'fast-check';
import protobuf from 'protobufjs';
import { describe, expect, it } from 'vitest';
import { isVigieError } from '../../lib/errors.ts';
import { Labels } from '../../model/labels.ts';
import { createExpositionParser } from './parser.ts';
import { rawKey } from './protobuf-parser.ts';
import { RawSeriesMemory } from './series-memory.ts';

const parser = createExpositionParser();
type Format = 'PrometheusText' | 'OpenMetricsText' | 'PrometheusProto';

function read(body: string | Uint8Array, format: Format = 'PrometheusText', memory = new RawSeriesMemory()) {
  const e = parser.parse(typeof body === 'string' ? Buffer.from(body) : body, format, memory);
  const samples: [string, number, number?][] = [];
  for (let i = 0; i < e.count; i++) {
    const ts = e.timestamps[i]!;
    samples.push([memory.labels(e.ids[i]!).toString(), e.values[i]!, ...(Number.isNaN(ts) ? [] : [ts])] as never);
  }
  return { samples, e, metadata: e.metadata() };
}

function problem(body: string | Uint8Array, format: Format = 'PrometheusText'): string {
  try {
    read(body, format);
  } catch (error) {
    expect(isVigieError(error, 'bad_data')).toBe(true);
    return (error as Error).message;
  }
  return 'accepted';
}

describe('text 0.0.4', () => {
  it('reads series, escapes, timestamps, special values and metadata', () => {
    const body = `# HELP up Is it \\\\ up?\\nyes
# TYPE up gauge
# just a comment
up 1
 up{a="b"} 2.5e3 1700000000123
up { a = "x\\"y\\\\z\\n" , b="é", } -Inf
{"odd.name",c="d"} NaN

t 0x 
`.replace('t 0x \n', 't -0\n');
    const { samples, metadata } = read(body);
    expect(samples).toEqual([
      ['up', 1],
      ['up{a="b"}', 2500, 1_700_000_000_123],
      ['up{a="x\\"y\\\\z\\n", b="é"}', Number.NEGATIVE_INFINITY],
      ['{"odd.name", c="d"}', Number.NaN],
      ['t', -0],
    ]);
    expect(metadata).toEqual([{ metric: 'up', type: 'gauge', help: 'Is it \\ up?\nyes', unit: '' }]);
  });

  it.each([
    ['a', 'line 1: wanted a value after the series, got the line end'],
    ['ok 1\na{b} 1', 'line 2: wanted "=" after the label name, got "} 1"'],
    ['a{b="c} 1\n', 'line 1: a quoted string does not end, got "\\"c} 1"'],
    ['a 1 2 3', 'line 1: wanted the line end after the timestamp, got "3"'],
    ['a 1 1.5', 'line 1: wanted the line end after the timestamp, got ".5"'],
    ['a 0x1p3', 'line 1: the value is not a number, got "0x1p3"'],
    ['a 1_0', 'line 1: the value is not a number, got "1_0"'],
    ['a 1e999', 'line 1: the value is not a number, got "1e999"'],
    ['9a 1', 'line 1: wanted a metric name, got "9a 1"'],
    ['{a="b"} 1', 'line 1: the series has no metric name, got " 1"'],
    ['a{"b"} 1', 'line 1: the metric name is given twice, got "} 1"'],
    [
      '# TYPE a thing',
      'line 1: invalid metric type "thing"; want counter, gauge, histogram, summary, untyped, got "a thing"',
    ],
  ])('refuses %j', (body, message) => {
    const got = problem(body);
    if (message.includes('invalid metric type')) expect(got).toContain('invalid metric type "thing"');
    else expect(got).toBe(message);
  });

  it('refuses invalid UTF-8 and labels given twice', () => {
    expect(problem(Buffer.from([97, 123, 98, 61, 34, 0xff, 34, 125, 32, 49]))).toMatch(/UTF-8/);
    expect(problem('a{b="1",b="2"} 1')).toMatch(/occurs twice/);
  });

  it('writes le and quantile canonically', () => {
    const { samples } = read(
      '# TYPE h histogram\nh_bucket{le="1"} 1\nh_bucket{le="1000000"} 2\nh_bucket{le="0.5"} 0\n',
    );
    expect(samples.map((s) => s[0])).toEqual(['h_bucket{le="1.0"}', 'h_bucket{le="1e+06"}', 'h_bucket{le="0.5"}']);
  });

  it('gives a repeated series the same id and survives a changed order, prefixes and compaction', () => {
    const memory = new RawSeriesMemory(Buffer.from('p|'));
    const ids = (body: string): number[] => {
      const e = parser.parse(Buffer.from(body), 'PrometheusText', memory);
      return [...e.ids.subarray(0, e.count)];
    };
    expect(ids('a 1\nab 2\na{x="1"} 3\n')).toEqual([0, 1, 2]);
    expect(ids('a 1\nab 2\na{x="1"} 3\n')).toEqual([0, 1, 2]);
    expect(ids('a{x="1"} 3\nab 2\na 1\na {x="1"} 9\n')).toEqual([2, 1, 0, 3]);
    expect(Buffer.from(memory.bytes.subarray(memory.keyStart[2]!, memory.keyEnd[2]!)).toString()).toBe('p|a{x="1"}');
    const map = memory.compact(Uint8Array.from([1, 0, 1, 0]));
    expect([...map]).toEqual([0, 0xffffffff, 1, 0xffffffff]);
    expect(ids('a{x="1"} 3\na 1\nnew 1\n')).toEqual([1, 0, 2]);
  });
});

describe('OpenMetrics 1.0', () => {
  it('reads exemplars, UNIT, fractional timestamps, created lines', () => {
    const body = `# TYPE a_seconds counter
# UNIT a_seconds seconds
# HELP a_seconds say \\"hi\\"
a_seconds_total{x="y"} 3 1.5 # {trace_id="abc"} 0.25 1.25
a_seconds_created{x="y"} 1
# TYPE i info
i_info{v="1"} 1
# EOF
`;
    const { samples, e, metadata } = read(body, 'OpenMetricsText');
    expect(samples).toEqual([
      ['a_seconds_total{x="y"}', 3, 1500],
      ['a_seconds_created{x="y"}', 1],
      ['i_info{v="1"}', 1],
    ]);
    expect(e.exemplars).toEqual([
      { sample: 0, labels: Labels.from({ trace_id: 'abc' }), value: 0.25, timestampMs: 1250 },
    ]);
    expect(metadata[0]).toEqual({ metric: 'a_seconds', type: 'counter', help: 'say "hi"', unit: 'seconds' });
  });

  it.each([
    ['a 1\n', /without the line "# EOF"/],
    ['a 1\n# EOF\nb 1\n', /data after/],
    ['a  1\n# EOF\n', /wanted a value after the series/],
    [' a 1\n# EOF\n', /wanted a metric name/],
    ['\na 1\n# EOF\n', /wanted a metric name/],
    ['# comment\n# EOF\n', /wanted "# HELP"/],
    ['# UNIT a seconds\n# EOF\n', /not a suffix/],
    ['a{b="c"d="e"} 1\n# EOF\n', /wanted "," or "}"/],
    ['a 1 NaN\n# EOF\n', /not finite/],
    ['a 1 # {b} 1\n# EOF\n', /wanted "="/],
    ['# TYPE a untyped\n# EOF\n', /invalid metric type/],
  ])('refuses %j', (body, message) => expect(problem(body, 'OpenMetricsText')).toMatch(message));
});

describe('properties', () => {
  const name = fc.stringMatching(/^[a-zA-Z_:][a-zA-Z0-9_:]{0,12}$/);
  const labelName = fc.stringMatching(/^[a-zA-Z_][a-zA-Z0-9_]{0,8}$/).filter((n) => n !== '__name__');
  const labels = fc.dictionary(labelName, fc.string({ unit: 'grapheme', maxLength: 12 }), { maxKeys: 5 });
  const value = fc.double();

  it('what is written is what is read, in both text formats', () => {
    fc.assert(
      fc.property(fc.array(fc.record({ name, labels, value }), { maxLength: 20 }), fc.boolean(), (series, open) => {
        const memory = new RawSeriesMemory();
        const number = (v: number): string =>
          Number.isNaN(v)
            ? 'NaN'
            : Object.is(v, -0)
              ? '-0'
              : `${v < 0 ? '-' : '+'}${Number.isFinite(v) ? Math.abs(v) : 'Inf'}`;
        const lines = series.map((s) => `${rawKey(s.name, Object.entries(s.labels).flat())} ${number(s.value)}\n`);
        const body = Buffer.from(lines.join('') + (open ? '# EOF\n' : ''));
        for (let round = 0; round < 2; round++) {
          const e = parser.parse(body, open ? 'OpenMetricsText' : 'PrometheusText', memory);
          expect(e.count).toBe(series.length);
          series.forEach((s, i) => {
            expect(Object.is(e.values[i], s.value)).toBe(true);
            expect(memory.labels(e.ids[i]!).equals(Labels.from({ ...s.labels, __name__: s.name }))).toBe(true);
          });
        }
      }),
      { numRuns: 150 },
    );
  });

  it('any bytes are read or refused with bad_data, in every format, alone and with a memory of good ones', () => {
    const formats = ['PrometheusText', 'OpenMetricsText', 'PrometheusProto'] as const;
    const alphabet = fc.constantFrom(
      ...'a{}="\\ \n\t#,1.eE+-NHTYPELU_:\u0000é'.split(''),
      '# TYPE a gauge\n',
      'a{b="c"} 1\n',
      '# EOF\n',
    );
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc.array(alphabet, { maxLength: 40 }).map((a) => new Uint8Array(Buffer.from(a.join('')))),
    );
    fc.assert(
      fc.property(bytes, fc.constantFrom(...formats), (body, format) => {
        const fresh = problem(body, format);
        const memory = new RawSeriesMemory();
        read('a{b="c"} 1\na 1\n', 'PrometheusText', memory);
        let warm = 'accepted';
        try {
          read(body, format, memory);
        } catch (error) {
          warm = (error as Error).message;
        }
        expect(warm).toBe(fresh);
      }),
      { numRuns: 800 },
    );
  });
});

describe('protobuf exposition', () => {
  const root = protobuf.parse(`syntax = "proto3"; package p;
    message LabelPair { string name = 1; string value = 2; }
    message Ts { int64 seconds = 1; int32 nanos = 2; }
    message Exemplar { repeated LabelPair label = 1; double value = 2; Ts timestamp = 3; }
    message Value { double value = 1; Exemplar exemplar = 2; }
    message Quantile { double quantile = 1; double value = 2; }
    message Summary { uint64 sample_count = 1; double sample_sum = 2; repeated Quantile quantile = 3; }
    message Bucket { uint64 cumulative_count = 1; double upper_bound = 2; Exemplar exemplar = 3; }
    message Span { sint32 offset = 1; uint32 length = 2; }
    message Histogram { uint64 sample_count = 1; double sample_sum = 2; repeated Bucket bucket = 3; sint32 schema = 5;
      double zero_threshold = 6; uint64 zero_count = 7; repeated Span negative_span = 9; repeated sint64 negative_delta = 10;
      repeated Span positive_span = 12; repeated sint64 positive_delta = 13; }
    message Metric { repeated LabelPair label = 1; Value gauge = 2; Value counter = 3; Summary summary = 4; Value untyped = 5;
      int64 timestamp_ms = 6; Histogram histogram = 7; }
    message MetricFamily { string name = 1; string help = 2; uint32 type = 3; repeated Metric metric = 4; string unit = 5; }`).root;
  const Family = root.lookupType('p.MetricFamily');
  const encode = (...families: object[]): Uint8Array =>
    Buffer.concat(families.map((f) => Family.encodeDelimited(Family.fromObject(f)).finish()));

  it('reads every type, exemplars and native histograms, with the keys of the text format', () => {
    const histogram = {
      sampleCount: 6,
      sampleSum: 10.5,
      bucket: [{ cumulativeCount: 4, upperBound: 1 }],
      schema: 1,
      zeroThreshold: 0.001,
      zeroCount: 2,
      positiveSpan: [
        { offset: -1, length: 2 },
        { offset: 3, length: 1 },
      ],
      positiveDelta: [1, 1, -1],
    };
    const body = encode(
      {
        name: 'c_total',
        help: 'h',
        type: 0,
        metric: [
          {
            label: [{ name: 'a', value: 'x"y' }],
            counter: {
              value: 3,
              exemplar: { label: [{ name: 't', value: '1' }], value: 0.5, timestamp: { seconds: 2, nanos: 5e8 } },
            },
            timestampMs: 99,
          },
        ],
      },
      {
        name: 's',
        type: 2,
        metric: [{ summary: { sampleCount: 2, sampleSum: 3, quantile: [{ quantile: 0.99, value: 7 }] } }],
      },
      { name: 'h', type: 4, metric: [{ histogram }] },
      {
        name: 'classic',
        type: 4,
        metric: [{ histogram: { sampleCount: 5, sampleSum: 1, bucket: [{ cumulativeCount: 2, upperBound: 1 }] } }],
      },
    );
    const memory = new RawSeriesMemory();
    const { samples, e } = read(body, 'PrometheusProto', memory);
    expect(samples).toEqual([
      ['c_total{a="x\\"y"}', 3, 99],
      ['s_count', 2],
      ['s_sum', 3],
      ['s{quantile="0.99"}', 7],
      ['h', 0],
      ['classic_count', 5],
      ['classic_sum', 1],
      ['classic_bucket{le="1.0"}', 2],
      ['classic_bucket{le="+Inf"}', 5],
    ]);
    expect(e.exemplars).toEqual([{ sample: 0, labels: Labels.from({ t: '1' }), value: 0.5, timestampMs: 2500 }]);
    expect(e.histograms).toEqual([
      {
        sample: 4,
        histogram: {
          schema: 1,
          zeroThreshold: 0.001,
          zeroCount: 2,
          count: 6,
          sum: 10.5,
          positiveSpans: [
            { offset: -1, length: 2 },
            { offset: 3, length: 1 },
          ],
          positiveBuckets: [1, 2, 1],
          negativeSpans: [],
          negativeBuckets: [],
          counterResetHint: 'unknown',
        },
      },
    ]);
    const text = parser.parse(Buffer.from('c_total{a="x\\"y"} 4\n'), 'PrometheusText', memory);
    expect(text.ids[0]).toBe(0);
    const both = parser.parse(
      encode({ name: 'h', type: 4, metric: [{ histogram }] }),
      'PrometheusProto',
      new RawSeriesMemory(),
      { classicHistograms: true },
    );
    expect(both.count).toBe(5);
  });

  it('refuses spans that disagree with buckets and cut bodies', () => {
    const body = encode({
      name: 'h',
      type: 4,
      metric: [
        {
          histogram: { sampleCount: 1, zeroThreshold: 1, positiveSpan: [{ offset: 0, length: 2 }], positiveDelta: [1] },
        },
      ],
    });
    expect(problem(body, 'PrometheusProto')).toMatch(/positive spans name 2 buckets, got 1/);
    for (let cut = 1; cut < body.length; cut++)
      expect(problem(body.subarray(0, cut), 'PrometheusProto')).toMatch(/malformed protobuf|no name|positive spans/);
  });
});
