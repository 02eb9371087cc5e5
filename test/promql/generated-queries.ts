/** Seeded data and queries for the differential test: every function, aggregation, operator and modifier takes part. */
import { CUSTOM_BUCKETS_SCHEMA, type NativeHistogram } from '../../src/model/histogram.ts';
import { Labels } from '../../src/model/labels.ts';
import type { SeriesColumns } from '../../src/model/sample.ts';

export const DATA_START_MS = 1_700_000_000_000;
export const DATA_END_MS = DATA_START_MS + 2 * 3_600_000;

export function randomOf(seed: number): () => number {
  let s = seed >>> 0;
  return () => {
    s = (s + 0x6d2b79f5) >>> 0;
    let t = Math.imul(s ^ (s >>> 15), s | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** Counters with resets and gaps, gauges with NaN and infinities, classic histograms, and a series that ends early. */
export function testSeries(seed = 1): SeriesColumns[] {
  const r = randomOf(seed);
  const out: SeriesColumns[] = [];
  const add = (labels: Record<string, string>, value: (i: number) => number | undefined): void => {
    const ts: number[] = [];
    const vs: number[] = [];
    for (let t = DATA_START_MS, i = 0; t <= DATA_END_MS; t += 15_000, i++) {
      const v = value(i);
      if (v === undefined) continue;
      ts.push(t + Math.floor(r() * 200));
      vs.push(v);
    }
    out.push({
      labels: Labels.from(labels),
      length: ts.length,
      timestamps: Float64Array.from(ts),
      values: Float64Array.from(vs),
    });
  };
  for (const job of ['api', 'db'])
    for (let n = 0; n < 3; n++) {
      const base = { job, instance: `host${n}:90` };
      let c = Math.floor(r() * 1000);
      add({ __name__: 'requests_total', code: n === 0 ? '500' : '200', ...base }, (i) => {
        if (r() < 0.01) c = 0;
        c += r() * 10;
        return i > 200 && i < 240 && n === 1 ? undefined : c;
      });
      add({ __name__: 'temperature', ...base }, (i) =>
        i % 97 === 5 && n === 2
          ? Number.NaN
          : i % 89 === 7 && n === 1 && job === 'api'
            ? Number.POSITIVE_INFINITY
            : Math.sin(i / 10) * 20 + r() * 3 - n,
      );
      add({ __name__: 'whole', zone: `z${n % 2}`, ...base }, (i) =>
        i > 300 && n === 0 ? undefined : Math.floor(r() * 4),
      );
      add({ __name__: 'capacity', job }, () => (n === 0 ? 100 + (job === 'api' ? 1 : 2) : undefined));
      const counts = [0, 0, 0, 0];
      const les = ['0.1', '0.5', '2', '+Inf'];
      const rows: number[][] = [];
      for (let i = 0; i <= 480; i++) {
        for (let k = 0; k < 4; k++) for (let j = k; j < 4; j++) if (r() < 0.7) counts[j]!++;
        rows.push(counts.map((_, k) => Math.max(...counts.slice(0, k + 1))));
      }
      for (const [k, le] of les.entries()) {
        add({ __name__: 'latency_seconds_bucket', le, ...base }, (i) => rows[i]![k]);
      }
    }
  const histograms = (
    labels: Record<string, string>,
    value: (i: number) => NativeHistogram | number | undefined,
  ): void => {
    const ts: number[] = [];
    const vs: number[] = [];
    const hs: (NativeHistogram | undefined)[] = [];
    for (let t = DATA_START_MS, i = 0; t <= DATA_END_MS; t += 15_000, i++) {
      const v = value(i);
      if (v === undefined) continue;
      ts.push(t + Math.floor(r() * 200));
      vs.push(typeof v === 'number' ? v : 0);
      hs.push(typeof v === 'number' ? undefined : v);
    }
    out.push({
      labels: Labels.from(labels),
      length: ts.length,
      timestamps: Float64Array.from(ts),
      values: Float64Array.from(vs),
      histograms: hs,
    });
  };
  for (const job of ['api', 'db'])
    for (let n = 0; n < 2; n++) {
      const base = { job, instance: `host${n}:90` };
      const exponential = growing(r, n === 0 ? 1 : 0, job === 'api' ? 0.001 : 0.01);
      histograms({ __name__: 'sizes_total', ...base }, (i) =>
        i > 200 && i < 240 && n === 1 ? undefined : exponential(i),
      );
      const custom = growing(r, CUSTOM_BUCKETS_SCHEMA, 0);
      histograms({ __name__: 'waits_total', ...base }, (i) => custom(i));
      const gauge = growing(r, 0, 0.001);
      histograms({ __name__: 'backlog', ...base }, (i) => ({ ...gauge(i % 40), counterResetHint: 'gauge' as const }));
      const part = growing(r, 0, 0.001);
      histograms({ __name__: 'mixed_total', ...base }, (i) => (Math.floor(i / 60) % 2 === n ? part(i) : 1000 + i));
      add({ __name__: 'target_info', version: `v${n}`, ...base }, () => 1);
    }
  return out.filter((s) => s.length > 0).sort((a, b) => Labels.compare(a.labels, b.labels));
}

/**
 * A histogram that grows and is sometimes reset. Counts stay so high that no extrapolation reaches zero: there 3.5 and
 * later releases differ (docs/promql-differences.md).
 */
function growing(r: () => number, schema: number, zeroThreshold: number): (i: number) => NativeHistogram {
  const custom = schema === CUSTOM_BUCKETS_SCHEMA;
  let positive = [400, 700, 900, 300];
  let negative = custom ? [] : [200, 300];
  let zeroCount = custom ? 0 : 500;
  let sum = 4_000;
  return () => {
    if (r() < 0.01) {
      positive = positive.map(() => 300 + Math.floor(r() * 100));
      negative = negative.map(() => 150);
      zeroCount = custom ? 0 : 300;
      sum = 2_000;
    }
    positive = positive.map((b) => b + Math.floor(r() * 4));
    negative = negative.map((b) => b + Math.floor(r() * 2));
    if (!custom) zeroCount += Math.floor(r() * 2);
    sum += Math.floor(r() * 20);
    const total = (list: readonly number[]): number => list.reduce((a, b) => a + b, 0);
    return {
      schema,
      zeroThreshold,
      zeroCount,
      sum,
      count: zeroCount + total(positive) + total(negative),
      positiveSpans: custom
        ? [{ offset: 0, length: 4 }]
        : [
            { offset: 1, length: 2 },
            { offset: 2, length: 2 },
          ],
      positiveBuckets: positive,
      negativeSpans: custom ? [] : [{ offset: 0, length: 2 }],
      negativeBuckets: negative,
      ...(custom && { customValues: [0.5, 1, 5] }),
      counterResetHint: 'unknown',
    };
  };
}

const RANGE = [
  'rate',
  'increase',
  'delta',
  'irate',
  'idelta',
  'deriv',
  'changes',
  'resets',
  'avg_over_time',
  'sum_over_time',
  'min_over_time',
  'max_over_time',
  'count_over_time',
  'stddev_over_time',
  'stdvar_over_time',
  'last_over_time',
  'present_over_time',
  'absent_over_time',
  'mad_over_time',
  'ts_of_max_over_time',
  'ts_of_min_over_time',
  'ts_of_last_over_time',
];
const INSTANT = [
  'abs',
  'absent',
  'ceil',
  'floor',
  'exp',
  'ln',
  'log2',
  'log10',
  'sqrt',
  'sgn',
  'round',
  'sin',
  'cos',
  'tan',
  'asin',
  'acos',
  'atan',
  'sinh',
  'cosh',
  'tanh',
  'asinh',
  'acosh',
  'atanh',
  'deg',
  'rad',
  'timestamp',
  'sort',
  'sort_desc',
  'minute',
  'hour',
  'day_of_week',
  'day_of_month',
  'day_of_year',
  'days_in_month',
  'month',
  'year',
];
const HISTOGRAM = ['histogram_avg', 'histogram_count', 'histogram_sum', 'histogram_stddev', 'histogram_stdvar'];
const AGGREGATE = ['sum', 'avg', 'min', 'max', 'count', 'group', 'stddev', 'stdvar'];
const SELECTORS = [
  'requests_total',
  'temperature',
  'whole',
  'capacity',
  'requests_total{job="api"}',
  'temperature{instance=~"host[01].*"}',
  'whole{zone!="z1"}',
  '{__name__=~"whole|temperature"}',
  'requests_total{job!~"d.*"}',
  'nothing',
  'sizes_total',
  'waits_total',
  'backlog',
  'mixed_total',
  'sizes_total{instance=~".*0:90"}',
  '{__name__=~"waits_total|requests_total"}',
  'target_info',
];
const ARITHMETIC = ['+', '-', '*', '/', '%', '^', 'atan2'];
const COMPARE = ['==', '!=', '>', '<', '>=', '<='];

/** What a query is asked for: a range of steps, or one instant. */
export interface GeneratedQuery {
  readonly query: string;
  readonly atMs: number | undefined;
}

/** `count` queries, the same for the same seed. One in twenty is broken on purpose. */
export function generateQueries(seed: number, count: number): GeneratedQuery[] {
  const r = randomOf(seed);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(r() * list.length)]!;
  let instant = false;
  const modifier = (): string =>
    pick([
      ...['', '', '', '', '', ' offset 1m', ' offset -2m', ' @ 1700003600', ' @ end()', ' @ start() offset 3m'],
      ...[' offset 37s', ' @ 1700001234.567', ' offset 5m @ 1700004000'],
    ]);
  const duration = (): string =>
    pick(['45s', '1m', '5m', '17m', '1h', '2m3s', '90', '1m30s500ms', '1m + 30s', '2 * 45s']);
  const selector = (): string => pick(SELECTORS) + modifier();
  const matrix = (depth: number): string => {
    if (r() < 0.2) return `(${vector(depth - 1)})[${duration()}:${pick(['', '30s', '1m', '47s'])}]${modifier()}`;
    return `${pick(SELECTORS)}[${duration()}]${modifier()}`;
  };
  const grouping = (): string =>
    pick([
      ...[
        '',
        ' by (job)',
        ' by (job, instance)',
        ' without (instance)',
        ' by (zone)',
        ' by ()',
        ' without (job, code)',
      ],
      ...[' by (__name__)', ' without ()', ' by (nothing, job)'],
    ]);
  const matching = (): string =>
    pick([
      ...['on (job, instance)', 'ignoring (code, zone)', 'on (job) group_left ()', 'on(job) group_right (zone)', ''],
      ...[
        'ignoring (instance, code, zone) group_left ()',
        'ignoring (code, zone, version)',
        'on (instance, job, zone)',
      ],
      ...['on (job, instance) group_left (version)', 'on (instance, job) group_right (code, zone)', 'on ()'],
    ]);
  const scalar = (depth: number): string =>
    pick([
      ...['2', '-3', '0.5', '0', 'time()', 'NaN', 'scalar(capacity{job="api"})', 'Inf', '-Inf', '1e9', '5m', '0x10'],
      ...[`scalar(${depth > 1 ? vector(depth - 1) : 'capacity'})`, '(1 + 2 * time())', '-time()', 'pi()'],
    ]);
  const quantile = (): string => pick(['0.5', '0.9', '0', '1', '-1', '2', 'NaN', 'scalar(capacity{job="api"}) / 200']);
  const vector = (depth: number): string => {
    if (depth <= 0) return selector();
    switch (Math.floor(r() * 17)) {
      case 0:
        return `${pick(INSTANT.filter((f) => instant || !f.startsWith('sort')))}(${vector(depth - 1)})`;
      case 1:
      case 2:
      case 3:
        return `${pick(RANGE)}(${matrix(depth)})`;
      case 4:
      case 5:
        return `${pick(AGGREGATE)}${grouping()} (${vector(depth - 1)})`;
      case 6:
        return `quantile${grouping()} (${quantile()}, ${vector(depth - 1)})`;
      case 7:
        return `${vector(depth - 1)} ${pick([...ARITHMETIC, ...COMPARE, ...COMPARE.map((x) => `${x} bool`)])} ${scalar(depth)}`;
      case 8:
        return `${scalar(depth)} ${pick([...ARITHMETIC, ...COMPARE.map((x) => `${x} bool`), ...COMPARE])} ${vector(depth - 1)}`;
      case 9:
      case 10:
        return `${vector(depth - 1)} ${pick([...ARITHMETIC, ...COMPARE, ...COMPARE.map((x) => `${x} bool`)])} ${matching()} ${vector(depth - 1)}`;
      case 11:
        return `${vector(depth - 1)} ${pick(['and', 'or', 'unless'])} ${pick(['', 'on (job)', 'on ()', 'ignoring (code, zone)', 'on (job, instance)'])} ${vector(depth - 1)}`;
      case 12:
        return pick([
          `histogram_quantile(${pick(['0.5', '0.99', '0', '1', '1.2'])}, sum by (le${pick(['', ', job', ', instance'])}) (rate(latency_seconds_bucket[${duration()}])))`,
          `quantile_over_time(${quantile()}, ${matrix(depth)})`,
          `predict_linear(${matrix(depth)}, ${pick(['60', '3600', '-30'])})`,
          `double_exponential_smoothing(${matrix(depth)}, 0.3, 0.6)`,
          `clamp(${vector(depth - 1)}, ${scalar(depth)}, ${pick(['5', '-5'])})`,
          `clamp_min(${vector(depth - 1)}, ${scalar(depth)})`,
          `clamp_max(${vector(depth - 1)}, ${scalar(depth)})`,
          `round(${vector(depth - 1)}, ${pick(['0.1', '5'])})`,
          `vector(${scalar(depth)})`,
          `absent(${vector(depth - 1)})`,
          `absent(nothing{job="api",instance=~".+",zone="z"})`,
          `absent_over_time(nothing{job="x"}[5m]${modifier()})`,
        ]);
      case 13:
        return pick([
          `label_replace(${vector(depth - 1)}, "${pick(['job', 'new', 'zone', '__name__', 'a b'])}", "${pick(['$1-x', '', '$2', 'c'])}", "instance", "(host.).*")`,
          `label_join(${vector(depth - 1)}, "${pick(['joined', 'job', 'zone'])}", "/", "job", "instance")`,
          `count_values${grouping()} ("v", ${pick(['whole', 'round(temperature)', 'backlog', 'waits_total', 'mixed_total'])})`,
          `limit_ratio(${pick(['0.3', '-0.7', '1', '1.5'])}, ${vector(depth - 1)})`,
          `limitk${grouping()} (${pick(['1', '2', '0', '-3'])}, ${selector()})`,
          `${pick(['topk', 'bottomk'])}${grouping()} (${pick(['1', '2', '0', '3'])}, temperature{instance!="host2:90"} + 0.001 * time())`,
          `${pick(['topk', 'bottomk'])} (2, ${pick(['mixed_total', 'waits_total', 'requests_total * 1.000001'])})`,
          `info(${pick(['requests_total', 'temperature', 'sizes_total', 'rate(requests_total[5m])'])}${pick(['', ', {version="v0"}', ', {version=~".+"}', ', {nothing=""}'])})`,
          ...(instant
            ? [
                `sort_by_label(${vector(depth - 1)}, "instance", "job")`,
                `sort_by_label_desc(${vector(depth - 1)}, "zone")`,
              ]
            : []),
        ]);
      case 14:
        return `${pick(HISTOGRAM)}(${vector(depth - 1)})`;
      case 15:
        return pick([
          `histogram_quantile(${quantile()}, ${pick(['sizes_total', 'waits_total', 'backlog', 'mixed_total', vector(depth - 1)])})`,
          `histogram_fraction(${pick(['0', '-1', '0.3', '-Inf'])}, ${pick(['1', '4', '+Inf', '0.7'])}, ${pick(['sizes_total', 'backlog', 'rate(sizes_total[5m])', 'sum(backlog)'])})`,
          `${pick(['rate', 'increase', 'delta', 'irate', 'idelta', 'sum_over_time', 'avg_over_time', 'last_over_time', 'changes', 'resets'])}(${pick(['sizes_total', 'waits_total', 'backlog', 'mixed_total'])}[${duration()}])`,
          `${pick(['sum', 'avg'])}${grouping()} (${pick(['sizes_total', 'waits_total', 'rate(sizes_total[5m])', 'mixed_total'])})`,
          `${pick(['sizes_total', 'waits_total'])} ${pick(['+', '-', '==', '!=', '*', '/', '=='])} ${matching()} ${pick(['sizes_total', 'waits_total', 'sizes_total offset 1m'])}`,
          `${pick(['sizes_total', 'backlog'])} ${pick(['*', '/'])} ${scalar(depth)}`,
        ]);
      default:
        return `-${vector(depth - 1)}`;
    }
  };
  return Array.from({ length: count }, (_, i) => {
    instant = i % 3 === 0;
    const query = vector(1 + (i % 4));
    return {
      query: i % 20 === 19 ? broken(query, r) : query,
      atMs: instant ? DATA_START_MS + 1_800_000 + ((i * 7_000) % 5_000_000) : undefined,
    };
  });
}

/** A token taken away, doubled or exchanged: most of these must be refused, and by both alike. */
function broken(query: string, r: () => number): string {
  const tokens = query.match(/"[^"]*"|[\w.]+|[<>=!~]+|\s+|./g) ?? [];
  const at = Math.floor(r() * tokens.length);
  const other = tokens[Math.floor(r() * tokens.length)]!;
  tokens.splice(at, 1, ...[[], [tokens[at]!, tokens[at]!], [other]][Math.floor(r() * 3)]!);
  return tokens.join('');
}
