/** Seeded data and queries for the differential test: every function, aggregation, operator and modifier takes part. */
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
  return out.filter((s) => s.length > 0);
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
];
const ARITHMETIC = ['+', '-', '*', '/', '%', '^', 'atan2'];
const COMPARE = ['==', '!=', '>', '<', '>=', '<='];

/** `count` queries, the same for the same seed. */
export function generateQueries(seed: number, count: number): string[] {
  const r = randomOf(seed);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(r() * list.length)]!;
  const modifier = (): string =>
    pick([
      '',
      '',
      '',
      '',
      ' offset 1m',
      ' offset -2m',
      ' @ 1700003600',
      ' @ end()',
      ' @ start() offset 3m',
      ' offset 37s',
    ]);
  const duration = (): string => pick(['45s', '1m', '5m', '17m', '1h', '2m3s']);
  const selector = (): string => pick(SELECTORS) + modifier();
  const matrix = (depth: number): string => {
    if (r() < 0.2) return `(${vector(depth - 1)})[${duration()}:${pick(['', '30s', '1m', '47s'])}]${modifier()}`;
    return `${pick(SELECTORS)}[${duration()}]${modifier()}`;
  };
  const grouping = (): string =>
    pick([
      '',
      ' by (job)',
      ' by (job, instance)',
      ' without (instance)',
      ' by (zone)',
      ' by ()',
      ' without (job, code)',
    ]);
  const vector = (depth: number): string => {
    if (depth <= 0) return selector();
    switch (Math.floor(r() * 13)) {
      case 0:
        return `${pick(INSTANT)}(${vector(depth - 1)})`;
      case 1:
      case 2:
      case 3:
        return `${pick(RANGE)}(${matrix(depth)})`;
      case 4:
      case 5:
        return `${pick(AGGREGATE)}${grouping()} (${vector(depth - 1)})`;
      case 6:
        return `${pick(['quantile', 'quantile'])}${grouping()} (${pick(['0.5', '0.9', '0', '1', '-1', '2', 'NaN'])}, ${vector(depth - 1)})`;
      case 7:
        return `${vector(depth - 1)} ${pick(ARITHMETIC)} ${pick(['2', '-3', '0.5', '0', 'time()', 'NaN', 'scalar(capacity{job="api"})'])}`;
      case 8:
        return `${pick(['1', '-2', 'pi()'])} ${pick([...ARITHMETIC, ...COMPARE.map((x) => `${x} bool`), ...COMPARE])} ${vector(depth - 1)}`;
      case 9:
        return `${vector(depth - 1)} ${pick([...ARITHMETIC, ...COMPARE, ...COMPARE.map((x) => `${x} bool`)])} ${pick(['on (job, instance)', 'ignoring (code, zone)', 'on (job) group_left ()', 'ignoring (instance, code, zone) group_left ()', 'on(job) group_right (zone)', ''])} ${vector(depth - 1)}`;
      case 10:
        return `${vector(depth - 1)} ${pick(['and', 'or', 'unless'])} ${pick(['', 'on (job)', 'on ()', 'ignoring (code, zone)'])} ${vector(depth - 1)}`;
      case 11:
        return pick([
          `histogram_quantile(${pick(['0.5', '0.99', '0', '1', '1.2'])}, sum by (le${pick(['', ', job', ', instance'])}) (rate(latency_seconds_bucket[${duration()}])))`,
          `quantile_over_time(${pick(['0.1', '0.5', '0.95', '-1'])}, ${matrix(depth)})`,
          `predict_linear(${matrix(depth)}, ${pick(['60', '3600', '-30'])})`,
          `double_exponential_smoothing(${matrix(depth)}, 0.3, 0.6)`,
          `clamp(${vector(depth - 1)}, -1, ${pick(['5', '-5'])})`,
          `clamp_min(${vector(depth - 1)}, 0.5)`,
          `clamp_max(${vector(depth - 1)}, 3)`,
          `round(${vector(depth - 1)}, ${pick(['0.1', '5'])})`,
          `label_replace(${vector(depth - 1)}, "${pick(['job', 'new', 'zone'])}", "$1-x", "instance", "(host.).*")`,
          `label_join(${vector(depth - 1)}, "joined", "/", "job", "instance")`,
          `count_values${grouping()} ("v", ${pick(['whole', 'round(temperature)'])})`,
          `vector(${pick(['1', 'time()', 'scalar(capacity)'])})`,
          `limit_ratio(${pick(['0.3', '-0.7', '1'])}, ${vector(depth - 1)})`,
          `${pick(['topk', 'bottomk'])}${grouping()} (${pick(['1', '2', '0'])}, temperature{instance!="host2:90"} + 0.001 * time())`,
        ]);
      default:
        return `-${vector(depth - 1)}`;
    }
  };
  return Array.from({ length: count }, (_, i) => vector(1 + (i % 4)));
}
