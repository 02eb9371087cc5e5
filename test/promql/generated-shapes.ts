/**
 * Seeded data and queries at the edges of the language, for the differential test of the running server: look-back to the
 * millisecond, stale markers, odd dates and magnitudes, broken classic histograms, native ones of many schemas, UTF-8
 * names, odd regular expressions, clashes of labels, modifiers and parameters in unusual places.
 */
import { CUSTOM_BUCKETS_SCHEMA, type NativeHistogram } from '../../src/model/histogram.ts';
import { Labels } from '../../src/model/labels.ts';
import { type SeriesColumns, setStale } from '../../src/model/sample.ts';
import { randomOf } from './generated-queries.ts';

export const SHAPES_START_MS = 1_700_000_000_000;
export const SHAPES_END_MS = SHAPES_START_MS + 3_600_000;
const STEP_MS = 30_000;

type Value = number | 'stale' | NativeHistogram | undefined;

/** Numbers that calendars, remainders and sums find hard. */
const ODD = [
  ...[0, -0, 1, -1, 59, 60, 86_399, 86_400, 951_782_400, 951_868_799, 1_709_164_800, 4_107_542_400, 253_402_300_799],
  ...[
    253_402_300_800, 1e12, 1e15, 9.3e18, 1e19, -62_135_596_800, -62_135_596_801, -1e15, 5e-324, 1.7976931348623157e308,
  ],
  ...[-1.7976931348623157e308, 1e-300, 0.1, 0.30000000000000004, Number.NaN, Number.POSITIVE_INFINITY],
  ...[Number.NEGATIVE_INFINITY, 2 ** 53, 2 ** 53 + 2, 2 ** 63, -(2 ** 63), 1.5, -1.5, 2.5],
];

/** The data of a seed. Every series is in order of time; look-back edges stand at whole multiples of 5 minutes. */
export function shapeSeries(seed: number): SeriesColumns[] {
  const r = randomOf(seed * 7 + 3);
  const out: SeriesColumns[] = [];
  const add = (labels: Record<string, string>, value: (i: number, t: number) => Value, jitter = 0): void => {
    const ts: number[] = [];
    const vs: Value[] = [];
    for (let t = SHAPES_START_MS, i = 0; t <= SHAPES_END_MS; t += STEP_MS, i++) {
      const v = value(i, t);
      if (v === undefined) continue;
      ts.push(t + (jitter ? Math.floor(r() * jitter) : 0));
      vs.push(v);
    }
    push(labels, ts, vs);
  };
  const push = (labels: Record<string, string>, ts: number[], vs: Value[]): void => {
    const values = new Float64Array(ts.length);
    const histograms = vs.map((v) => (typeof v === 'object' ? v : undefined));
    vs.forEach((v, i) => {
      if (typeof v === 'number') values[i] = v;
      else if (v === 'stale') setStale(values, i);
    });
    if (ts.length > 0)
      out.push({
        labels: Labels.from(labels),
        length: ts.length,
        timestamps: Float64Array.from(ts),
        values,
        ...(histograms.some((h) => h) && { histograms }),
      });
  };
  for (let n = 0; n < 4; n++) {
    const who = { i: String(n), g: n < 2 ? 'a' : 'b' };
    add({ __name__: 'odd', ...who }, (i) => ODD[(i * (n + 1) + n * 5) % ODD.length]);
    let c = 0;
    add(
      { __name__: 'steps_total', ...who },
      () => (c = r() < 0.1 ? Math.floor(r() * 3) : c + Math.floor(r() * 5)),
      900,
    );
    add({ __name__: 'flap', ...who }, (i) => (r() < 0.2 ? 'stale' : r() < 0.2 ? undefined : i - 50), 0);
    add({ __name__: 'flat', ...who }, () => n * 1.1);
    add({ __name__: 'tiny', ...who }, (i) => 1e-9 * Math.sin(i + n) + 1e6);
  }
  // one sample each, at the edges of the five minutes that an instant query looks back
  for (const [k, offset] of [-300_001, -300_000, -299_999, -1, 0, 1].entries())
    for (let w = 1; w <= 5; w++)
      push({ __name__: 'edge', k: String(k), w: String(w) }, [SHAPES_START_MS + w * 600_000 + offset], [k + w]);
  push({ __name__: 'single_total' }, [SHAPES_START_MS + 1_800_000], [7]);
  push({ __name__: 'pair_total' }, [SHAPES_START_MS + 1_800_000, SHAPES_START_MS + 1_830_000], [7, 9]);
  add({ __name__: 'http.requests', 'a b': 'x', é: 'ü', '1': 'one' }, (i) => i);
  add({ __name__: 'http.requests', 'a b': 'y', é: '', '1': 'two' }, (i) => i * 2);
  // classic histograms: sound, not monotonic, without +Inf, twice the same bound, one bucket, bounds below zero
  const classic: Record<string, readonly string[]> = {
    sound: ['0.1', '1', '10', '+Inf'],
    bent: ['0.1', '1', '10', '+Inf'],
    open: ['0.1', '1', '10'],
    twice: ['1', '1.0', '1e0', '2', '+Inf'],
    one: ['+Inf'],
    below: ['-5', '-1', '0', '+Inf'],
    words: ['a', '1', '+Inf'],
  };
  for (const [kind, bounds] of Object.entries(classic))
    for (const [k, le] of bounds.entries())
      add({ __name__: 'classic_bucket', kind, le }, (i) => (k + 1) * i + (kind === 'bent' && k === 1 ? 3 * i : 0));
  for (const [kind, make] of Object.entries(NATIVE)) {
    const next = make(r);
    add({ __name__: 'native', kind, g: kind.length % 2 ? 'a' : 'b' }, next);
  }
  add({ __name__: 'build_info', version: '1', job: 'j', instance: 'x' }, () => 1);
  add({ __name__: 'other_info', version: '2', job: 'j', instance: 'x' }, () => 1);
  add({ __name__: 'target_info', i: '0', job: 'j', instance: 'x', data: 'd0' }, () => 1);
  add({ __name__: 'target_info', i: '1', job: 'j', instance: 'y', data: 'd1' }, () => 1);
  add({ __name__: 'work_total', job: 'j', instance: 'x' }, (i) => i);
  add({ __name__: 'work_total', job: 'j', instance: 'y' }, (i) => 2 * i);
  add({ __name__: 'work_total', job: 'j', instance: 'z' }, (i) => 3 * i);
  return out.sort((a, b) => Labels.compare(a.labels, b.labels));
}

const total = (list: readonly number[]): number => list.reduce((a, b) => a + b, 0);
function histogram(part: Partial<NativeHistogram> & { schema: number; positiveBuckets: number[] }): NativeHistogram {
  const h = {
    zeroThreshold: part.schema === CUSTOM_BUCKETS_SCHEMA ? 0 : 0.001,
    zeroCount: 0,
    sum: 10,
    positiveSpans: [{ offset: 0, length: part.positiveBuckets.length }],
    negativeSpans: [],
    negativeBuckets: [],
    counterResetHint: 'unknown' as const,
    ...part,
  };
  return { ...h, count: part.count ?? h.zeroCount + total(h.positiveBuckets) + total(h.negativeBuckets) };
}

/** Native histograms by kind: every series keeps its kind so that rates are asked of equal and of unequal ones. */
const NATIVE: Record<string, (r: () => number) => (i: number) => Value> = {
  fine: () => (i) =>
    histogram({ schema: 3, zeroCount: 100 + i, sum: 5 * i, positiveBuckets: [200 + i, 300 + 2 * i, 500, 10 + i] }),
  coarse: () => (i) => histogram({ schema: -2, zeroCount: 500, sum: i, positiveBuckets: [900 + i, 700 + 3 * i] }),
  both: () => (i) =>
    histogram({
      schema: 1,
      zeroCount: 400 + i,
      zeroThreshold: 0.01,
      sum: -3 * i,
      positiveBuckets: [300 + i, 200],
      negativeSpans: [
        { offset: -1, length: 1 },
        { offset: 2, length: 2 },
      ],
      negativeBuckets: [300 + i, 200, 100 + i],
    }),
  gauge: (r) => () =>
    histogram({
      schema: 0,
      sum: r() * 10,
      positiveBuckets: [900 + Math.floor(r() * 99), 300],
      counterResetHint: 'gauge',
    }),
  custom: () => (i) =>
    histogram({
      schema: CUSTOM_BUCKETS_SCHEMA,
      sum: i,
      positiveBuckets: [300 + i, 500 + i, 400],
      customValues: [1, 5],
    }),
  custom2: () => (i) =>
    histogram({
      schema: CUSTOM_BUCKETS_SCHEMA,
      sum: i,
      positiveBuckets: [500 + 2 * i, 600, 400],
      customValues: [1, 5],
    }),
  turned: () => (i) =>
    i % 40 < 20 ? 100 + i : histogram({ schema: 0, zeroCount: 300, sum: i, positiveBuckets: [300 + i, 500 + i] }),
  gone: () => (i) =>
    i % 25 > 20 ? 'stale' : histogram({ schema: 0, zeroCount: 300, sum: i, positiveBuckets: [300 + i, 500 + i] }),
  empty: () => () => histogram({ schema: 2, zeroCount: 0, sum: 0, positiveBuckets: [], positiveSpans: [] }),
};

/**
 * The same series as requests to be sent one after the other: within one, a series has floats or histograms only, for a
 * receiver takes the floats of a request first and may find the histograms between them late.
 */
export function inRequests(series: readonly SeriesColumns[]): SeriesColumns[][] {
  const requests: SeriesColumns[][] = [];
  for (const s of series) {
    let from = 0;
    for (let i = 1, k = 0; i <= s.length; i++) {
      if (i < s.length && (s.histograms?.[i] === undefined) === (s.histograms?.[from] === undefined)) continue;
      requests[k] ??= [];
      requests[k++]!.push({
        labels: s.labels,
        length: i - from,
        timestamps: s.timestamps.slice(from, i),
        values: s.values.slice(from, i),
        ...(s.histograms && { histograms: s.histograms.slice(from, i) }),
      });
      from = i;
    }
  }
  return requests;
}

export interface ShapeQuery {
  readonly query: string;
  /** Parameters beside the query: of an instant query when `time` is set, else of a range. */
  readonly parameters: Readonly<Record<string, string>>;
}

/** `count` queries, the same for the same seed. */
export function shapeQueries(seed: number, count: number): ShapeQuery[] {
  const r = randomOf(seed);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(r() * list.length)]!;
  const start = SHAPES_START_MS / 1000;
  const floats = [
    ...['odd', 'odd{g="a"}', 'steps_total', 'flap', 'flat', 'tiny', 'edge', 'edge{k=~"[0-2]"}', '{"http.requests"}'],
    ...['{"http.requests","a b"="x"}', 'work_total', 'single_total', 'pair_total', 'classic_bucket{kind="sound"}'],
    ...['{__name__=~"f.*"}', '{__name__=~"odd|flat",g!~"b?"}', '{g="a",i!=""}', 'flap{i=~"0|1|"}', 'odd{nothing=""}'],
  ];
  const natives = [
    ...['native', 'native{kind="fine"}', 'native{kind="coarse"}', 'native{kind="both"}', 'native{kind="gauge"}'],
    ...['native{kind=~"custom.*"}', 'native{kind="custom"}', 'native{kind="turned"}', 'native{kind="gone"}'],
    ...['native{kind="empty"}', 'native{kind!~"custom.*|turned"}', 'native{g="a"}'],
  ];
  const at = (): string =>
    pick([
      ...['', '', '', '', '', '', ' offset 30s', ' offset -30s', ' offset 5m', ' offset 1ms', ' offset -1ms'],
      ...[` @ ${start + 1800}`, ` @ ${start + 1800.001}`, ' @ start()', ' @ end()', ' @ end() offset 1m', ' offset 1y'],
      ...[` offset 5m @ ${start + 600}`, ' offset (30s + 1m)', ' offset -(1m)', ' @ 0', ' offset 0s'],
    ]);
  const length = (): string =>
    pick(['30s', '1m', '5m', '59s999ms', '1m1ms', '300', '1h', '29s', '1ms', '(1m + 30s)', '2m30s', '1d']);
  const any = (): string => (r() < 0.3 ? pick(natives) : pick(floats));
  const label = (): string => pick(['i', 'g', 'kind', 'k', '"a b"', 'é', 'le', '__name__', 'nope', '"1"', 'w']);
  const labels = (): string =>
    Array.from({ length: Math.floor(r() * 3) }, label)
      .map((l) => (l === 'é' ? '"é"' : l))
      .join(', ');
  const grouping = (): string => pick(['', '', ` by (${labels()})`, ` without (${labels()})`]);
  const number = (): string =>
    pick([
      ...[
        '0',
        '1',
        '-1',
        '2.5',
        'NaN',
        'Inf',
        '-Inf',
        '1e308',
        '0.5',
        '1e-320',
        '0x1p-2',
        '1_000',
        '.5',
        '5.',
        '1h30m',
      ],
      ...['time()', 'scalar(flat{i="1"})', 'scalar(flat)', '-time()', '(2 ^ 3 ^ 2)', '-2 ^ 2', '7 % -3', '1 / 0'],
    ]);
  const matrix = (depth: number): string => {
    const x = r();
    if (x < 0.25) return `(${vector(depth - 1)})[${length()}:${pick(['', '30s', '7s', '1m', '45s', '(15s)'])}]${at()}`;
    return `${any()}[${length()}]${at()}`;
  };
  const over = [
    ...['rate', 'increase', 'delta', 'irate', 'idelta', 'deriv', 'changes', 'resets', 'avg_over_time', 'sum_over_time'],
    ...['min_over_time', 'max_over_time', 'count_over_time', 'stddev_over_time', 'stdvar_over_time', 'last_over_time'],
    ...['present_over_time', 'absent_over_time', 'mad_over_time', 'ts_of_last_over_time', 'ts_of_min_over_time'],
  ];
  const dates = ['minute', 'hour', 'day_of_week', 'day_of_month', 'day_of_year', 'days_in_month', 'month', 'year'];
  const simple = ['abs', 'ceil', 'floor', 'sqrt', 'sgn', 'round', 'timestamp', 'scalar', 'absent', 'exp', 'ln', 'rad'];
  const pattern = (): string =>
    pick([
      ...[
        '(.*)',
        '',
        '.',
        '(.)(.)?',
        '(?i)A',
        '(?P<x>.*)',
        '[^a]',
        '\\\\d+',
        '(a|b)*',
        '.*(b).*',
        '^a$',
        '(?s).*',
        'é?.+',
      ],
      ...['(', 'a{2,1}', '(?:a|b)(.?)', '(a)|(b)', '\\\\pL*', '[[:alpha:]]+', 'x*'],
    ]);
  const template = (): string =>
    pick([
      '$1',
      `\${1}`,
      '$x',
      `\${x}y`,
      '$2',
      '$1$1',
      '$$1',
      '',
      '$0',
      `\${}`,
      '$',
      'a$1b',
      '${1',
      'ü$1',
      '$12',
      `\${12}`,
    ]);
  const target = (): string => pick(['i', 'new', 'g', '__name__', 'a b', 'é', '1', '', 'le', '9x']);
  const vector = (depth: number): string => {
    if (depth <= 0) return any() + at();
    switch (Math.floor(r() * 22)) {
      case 0:
      case 1:
      case 2:
        return `${pick(over)}(${matrix(depth)})`;
      case 3:
        return `${pick(dates)}(${pick([any(), vector(depth - 1), ''])})`;
      case 4:
        return `${pick(simple)}(${vector(depth - 1)})`;
      case 5:
        return `${pick(['sum', 'avg', 'min', 'max', 'count', 'group', 'stddev', 'stdvar'])}${grouping()} (${vector(depth - 1)})`;
      case 6:
        return `${pick(['topk', 'bottomk', 'quantile', 'limitk', 'limit_ratio'])}${grouping()} (${number()}, ${vector(depth - 1)})`;
      case 7:
        return `count_values${grouping()} ("${target()}", ${vector(depth - 1)})`;
      case 8:
        return `label_replace(${vector(depth - 1)}, "${target()}", "${template()}", "${target()}", "${pattern()}")`;
      case 9:
        return `label_join(${vector(depth - 1)}, "${target()}", "${pick(['', '-', 'ü'])}"${pick(['', ', "i"', ', "i", "g"', ', "nope"', ', ""'])})`;
      case 10:
        return `${vector(depth - 1)} ${pick(['and', 'or', 'unless'])} ${pick(['', 'on (i)', 'on ()', 'ignoring (i)', 'ignoring (kind, g)', 'on (g)'])} ${vector(depth - 1)}`;
      case 11:
        return `${vector(depth - 1)} ${pick(['+', '-', '*', '/', '%', '^', '==', '!=', '>', '<', '>=', '<=', '== bool', '> bool', 'atan2'])} ${pick(['on (i)', 'ignoring (g)', 'on (g) group_left ()', 'on (g) group_right (i)', '', 'ignoring (i, g) group_left (i)', 'on (i, g)', 'on (i) group_left (g)'])} ${vector(depth - 1)}`;
      case 12:
        return `${vector(depth - 1)} ${pick(['+', '*', '/', '%', '^', '==', '> bool', '!=', '<', 'atan2'])} ${number()}`;
      case 13:
        return `${number()} ${pick(['-', '*', '/', '%', '^', '==', '> bool', '!= bool', '<'])} ${vector(depth - 1)}`;
      case 14:
        return pick([
          `histogram_quantile(${number()}, classic_bucket${at()})`,
          `histogram_quantile(${number()}, ${pick(['rate', 'increase', 'delta'])}(classic_bucket[${length()}]))`,
          `histogram_quantile(${number()}, ${pick(natives)}${at()})`,
          `histogram_quantile(${number()}, ${pick(['rate', 'irate', 'increase'])}(${pick(natives)}[${length()}]))`,
          `histogram_quantile(${number()}, {__name__=~"classic_bucket|native"})`,
          `histogram_fraction(${number()}, ${number()}, ${pick(['native{kind="fine"}', 'native{kind="both"}', 'native{kind="coarse"}'])})`,
          `histogram_quantile(0.5, label_replace(classic_bucket, "kind", "x", "kind", ".*"))`,
        ]);
      case 15:
        return `${pick(['histogram_count', 'histogram_sum', 'histogram_avg', 'histogram_stddev', 'histogram_stdvar'])}(${pick(natives)}${at()})`;
      case 16:
        return pick([
          `quantile_over_time(${number()}, ${matrix(depth)})`,
          `predict_linear(${matrix(depth)}, ${number()})`,
          `double_exponential_smoothing(${matrix(depth)}, ${pick(['0.1', '0.5', '0', '1', '0.99'])}, ${pick(['0.1', '0.5', '2'])})`,
        ]);
      case 17:
        return pick([
          `clamp(${vector(depth - 1)}, ${number()}, ${number()})`,
          `clamp_min(${vector(depth - 1)}, ${number()})`,
          `round(${vector(depth - 1)}, ${number()})`,
          `vector(${number()})`,
          `absent({i="1",g=~".+",nope="${pick(['', 'x'])}"}${at()})`,
          `absent(${pick(['nothing{i="1",i="2"}', 'nothing{"a b"="1"}', 'nothing{i="1"} + 1', 'sum(nothing{i="1"})', '(nothing{i="1"})'])})`,
          `absent_over_time(${pick(['nothing{i="1",g=~"a"}', 'flap', '{__name__="nothing",i="3"}'])}[${length()}]${at()})`,
        ]);
      case 18:
        return `info(${pick(['work_total', 'rate(work_total[5m])', 'work_total{instance="y"}', 'target_info'])}${pick(['', ', {data=~".+"}', ', {data="d1"}', ', {__name__="build_info"}', ', {__name__=~".+_info"}', ', {}'])})`;
      case 19:
        return `sum${grouping()} (${pick(natives)}${at()})`;
      case 20:
        return `${pick(natives)} ${pick(['+', '-', '==', '!=', '*', '/', '>', 'and', 'or', 'unless', '== bool'])} ${pick(['on (kind)', 'ignoring (kind)', '', 'on (g) group_left ()'])} ${pick([...natives, number()])}`;
      default:
        return `${pick(['-', '+', ''])}(${vector(depth - 1)})`;
    }
  };
  return Array.from({ length: count }, (_, n) => {
    const instant = n % 2 === 0;
    const query = vector(1 + (n % 3));
    const extra: Record<string, string> = {
      ...(r() < 0.15 && { lookback_delta: pick(['30s', '1ms', '10m', '300.001', '60']) }),
    };
    if (instant) {
      const edges = [0, 1, 600, 600.001, 599.999, 900, 899.999, 1200, 1800, 1800.001, 3600, 3900, 3900.001, -1, 7200];
      const time = r() < 0.5 ? pick(edges) : Math.floor(r() * 3_700_000) / 1000;
      return { query, parameters: { time: (start + time).toFixed(3), ...extra } };
    }
    const from = pick([0, 0.001, 300, 600, 1799.999, -60]);
    const step = pick(['30', '60', '299.999', '300', '7.5', '1000']);
    const end = (start + from + Math.min(Number(step) * pick([0, 1, 7, 40]), 3_900)).toFixed(3);
    return { query, parameters: { start: (start + from).toFixed(3), end, step, ...extra } };
  });
}
