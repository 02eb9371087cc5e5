/**
 * Incremental evaluation of rules answers what the engine answers, bit by bit: over the real embedded store, random
 * series with resets, gaps, staleness, churn, late samples and deletions, missed cycles, cuts of blocks, and
 * evaluations behind the newest sample.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { promqlRegex } from '../../src/app/regex-ports.ts';
import { testPorts } from '../../src/cli/test-rules.ts';
import { silentLogger } from '../../src/lib/logger.ts';
import { SelfMetrics } from '../../src/lib/self-metrics.ts';
import type { NativeHistogram } from '../../src/model/histogram.ts';
import { Labels } from '../../src/model/labels.ts';
import type { Sample, SeriesColumns } from '../../src/model/sample.ts';
import { tenantId } from '../../src/model/tenant.ts';
import { compileMatcher } from '../../src/regex/matcher.ts';
import { createEvaluators } from '../../src/rules/incremental/create-evaluators.ts';
import { IncrementalEvaluator } from '../../src/rules/incremental/incremental-evaluator.ts';
import type { FallBackReason } from '../../src/rules/incremental/source.ts';
import { type RuleExpression, type RuleSample, samplesOf } from '../../src/rules/ports.ts';
import { RuleService } from '../../src/rules/rule-service.ts';
import { differenceOf } from '../../src/rules/running-rule.ts';
import { createRuleTemplates } from '../../src/rules/templates.ts';
import { EmbeddedMetricsStore } from '../../src/store/embedded/metrics/embedded-metrics-store.ts';
import { FakeClock, settle } from '../support/fake-clock.ts';
import { temporaryFolder } from '../support/peers.ts';

const EXPRESSIONS = [
  'x',
  'x > 5',
  'x == bool 3',
  '-x',
  '100 - x / 2',
  '2 < x',
  'abs(x - 10)',
  'clamp(x, 3, 8)',
  'round(x, 0.5)',
  'sum(x)',
  'sum by (a) (x)',
  'avg without (i) (x)',
  'min by (a) (x)',
  'max by (a, b) (x)',
  'count by (a) (x > 3)',
  'group by (b) (x)',
  'stddev by (a) (x)',
  'topk(2, x)',
  'quantile by (a) (0.7, x)',
  'count_values("v", x)',
  'rate(c_total[1m])',
  'increase(c_total[3m])',
  'irate(c_total[2m])',
  'delta(x[2m])',
  'idelta(x[2m])',
  'deriv(x[3m])',
  'predict_linear(x[3m], 600)',
  'avg_over_time(x[2m])',
  'sum_over_time(x[2m])',
  'max_over_time(x[5m])',
  'min_over_time(x[1m])',
  'count_over_time(x[2m])',
  'last_over_time(x[2m])',
  'stddev_over_time(x[2m])',
  'quantile_over_time(0.5, x[2m])',
  'changes(x[5m])',
  'resets(c_total[5m])',
  'present_over_time(x[1m])',
  'sum by (a) (rate(c_total[2m]))',
  'sum by (a) (rate(c_total[2m])) / sum by (a) (increase(c_total[5m])) > 0.001',
  'sum(sum by (a, b) (rate(c_total[1m])))',
  'x / on (a, b, i) c_total',
  'x * on (a) group_left () count by (a) (x)',
  'x * on (a) group_left (b) max by (a, b) (y)',
  'x and on (a) (x > 4)',
  'x unless on (a, b) y',
  'x or y',
  'x > 2 or vector(1)',
  'sum(x) / count(x)',
  'absent(x{a="nope"})',
  'absent(x)',
  'absent_over_time(y[1m])',
  'label_replace(x, "z", "$1", "a", "(.*)")',
  'histogram_quantile(0.9, sum by (le, a) (rate(h_bucket[2m])))',
  'histogram_quantile(0.5, h_bucket)',
  'histogram_quantile(0.99, sum by (le, a) (rate(h_bucket[2m])))',
  'histogram_quantile(1.5, h_bucket) or histogram_quantile(-1, h_bucket)',
  'histogram_quantile(0.7, odd_bucket)',
  'histogram_quantile(scalar(sum(x)) / 100, odd_bucket)',
  'z',
  'rate(z[2m])',
  '{__name__=~"x|y"}',
  'rate({__name__=~"c_total|d_total"}[2m])',
  'x{a=~"1|2"} + ignoring (b) y',
  'scalar(sum(x)) + 1',
  'vector(time())',
  'x offset 1m',
  'x offset -1m',
  'x offset 20m',
  'x - x offset 45s',
  'sum by (a) (rate(c_total[1m] offset 30s))',
  'predict_linear(x[2m] offset 45s, 60)',
  'absent(x offset 3m)',
  'absent_over_time(y[1m] offset 1m)',
  'label_join(x, "z", "-", "a", "b")',
  'label_replace(x{a="1"}, "i", "same", "i", ".*")',
  'sum by (z) (label_replace(rate(c_total[2m]), "z", "$1", "i", "(.).*"))',
  'label_replace(x, "__name__", "w", "a", "1")',
  'x @ 1700000000',
  'max_over_time(rate(c_total[1m])[5m:1m])',
  'sum_over_time(x[2h])',
];

function random(seed: number): () => number {
  let a = seed;
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const HISTOGRAM: NativeHistogram = {
  schema: 0,
  zeroThreshold: 0.001,
  zeroCount: 1,
  count: 4,
  sum: 6,
  positiveSpans: [{ offset: 0, length: 2 }],
  positiveBuckets: [1, 2],
  negativeSpans: [],
  negativeBuckets: [],
  counterResetHint: 'gauge',
};

interface Outcome {
  readonly compared: number;
  readonly incremental: number;
  readonly results: number;
  readonly differences: string[];
  readonly reasons: Map<FallBackReason, number>;
}

const T0 = 1_700_000_000_000 - (1_700_000_000_000 % 7_200_000);
const A = tenantId('a');

interface Feed {
  readonly labels: Labels;
  value: number;
  readonly counter: boolean;
  gone: number;
}

async function simulate(
  seed: number,
  steps: number,
  spoil: (s: RuleSample) => RuleSample = (s) => s,
): Promise<Outcome> {
  using folder = temporaryFolder();
  const next = random(seed);
  const pick = (n: number): number => Math.floor(next() * n);
  const clock = new FakeClock(T0 + 60_000);
  await using store = await EmbeddedMetricsStore.open({
    folder: folder.path,
    clock,
    logger: silentLogger,
    metrics: new SelfMetrics(),
    compileMatcher,
    quota: () => ({ outOfOrderWindowMs: 300_000 }),
    background: false,
    blockMs: 1_200_000,
  });
  const reader = store.reader(A);
  const engine = testPorts().engine(60_000);
  const reasons = new Map<FallBackReason, number>();
  const evaluator = new IncrementalEvaluator({
    source: store.incremental(A),
    compileRegex: promqlRegex,
    onFallBack: (r) => reasons.set(r, (reasons.get(r) ?? 0) + 1),
  });
  // twice, so that each is asked again after such a write
  const rules: RuleExpression[] = [...EXPRESSIONS, ...EXPRESSIONS].map((text) => ({
    name: text,
    expr: engine.parse(text),
  }));
  evaluator.configure(rules);

  const feeds: Feed[] = [];
  const add = (name: string, more: Record<string, string>): void => {
    feeds.push({
      labels: Labels.from({ __name__: name, ...more }),
      value: pick(20),
      counter: /total|bucket/.test(name),
      gone: 0,
    });
  };
  for (let i = 0; i < 5; i++) add('x', { a: String(i % 3), b: String(i % 2), i: String(i) });
  for (let i = 0; i < 5; i++) add('c_total', { a: String(i % 3), b: String(i % 2), i: String(i) });
  for (let i = 0; i < 3; i++) add('y', { a: String(i), b: String(i % 2) });
  add('d_total', { a: '9' });
  for (const le of ['0.1', '1', '5', '+Inf']) for (const a of ['0', '1']) add('h_bucket', { le, a });
  // two buckets of one bound, a bound that is none, a histogram without +Inf
  for (const le of ['0.1', '1', '1.0', '5', '+Inf', 'much']) add('odd_bucket', { le, a: '0' });
  for (const le of ['-1', '2']) add('odd_bucket', { le, a: '1' });
  add('z', { a: '0' });
  add('z', { a: '1' });

  // late samples, deletions and histograms make all of a tenant be looked at twice: half of the runs go without
  const tidy = seed % 2 === 0;
  const out = { compared: 0, incremental: 0, results: 0, differences: [] as string[] };
  let serial = 100;
  for (let step = 0; step < steps; step++) {
    const advance = next() < 0.9 ? 15_000 : [1_000, 45_000, 16_001, 330_000][pick(4)]!;
    await clock.advance(advance);
    const now = clock.now();
    const batch: Sample[] = [];
    for (const f of feeds) {
      if (f.gone > 0) {
        f.gone--;
        continue;
      }
      const r = next();
      if (r < 0.05) continue;
      if (r < 0.07) {
        batch.push({ labels: f.labels, timestampMs: now, value: 0, stale: true });
        f.gone = pick(12);
        continue;
      }
      if (r < 0.08) f.gone = 30;
      if (f.counter) f.value = next() < 0.04 ? pick(3) : f.value + next() * 4;
      else
        f.value = next() < 0.02 ? Number.NaN : next() < 0.03 ? Number.POSITIVE_INFINITY : Math.round(next() * 200) / 10;
      // a series may be a histogram now and then
      const mixed = !tidy && step > 60 && f.labels.metricName === 'z' && next() < 0.2;
      batch.push({ labels: f.labels, timestampMs: now, value: f.value, ...(mixed && { histogram: HISTOGRAM }) });
      if (!tidy && next() < 0.01) batch.push({ labels: f.labels, timestampMs: now - 5_000 - pick(100_000), value: 7 });
    }
    await store.writer(A).appendSamples(batch);
    if (next() < 0.03)
      add(['x', 'c_total', 'y'][pick(3)]!, { a: String(pick(3)), b: String(pick(2)), i: String(serial++) });
    if (next() < 0.01) feeds.splice(pick(feeds.length), 1);
    if (!tidy && next() < 0.005)
      await store.deleteSeries(A, [{ name: 'a', op: '=', value: String(pick(3)) }], {
        startMs: now - 120_000,
        endMs: now - 30_000,
      });
    if (step % 25 === 24) await store.maintain();
    let clockAhead = now;
    const atMs = next() < 0.85 ? now + pick(2) : now - pick(40_000);
    for (const [k, rule] of rules.entries()) {
      // as rules of a group do: some series get samples between two of them
      if (k % 20 === 19)
        await store
          .writer(A)
          .appendSamples(
            feeds
              .filter(() => next() < 0.05)
              .map((f) => ({ labels: f.labels, timestampMs: ++clockAhead, value: pick(9) })),
          );
      const answer = evaluator.evaluate(rule, atMs);
      if (!answer) continue;
      out.incremental++;
      out.compared++;
      out.results += answer.labels.length;
      let wanted: readonly RuleSample[] | undefined;
      let failure = '';
      try {
        const { value } = await engine.instant(reader, rule.expr, atMs);
        wanted =
          value.type === 'vector'
            ? value.samples
            : value.type === 'scalar'
              ? [{ labels: Labels.EMPTY, value: value.value }]
              : undefined;
      } catch (error) {
        failure = (error as Error).message;
      }
      const difference = wanted
        ? differenceOf(samplesOf(answer).map(spoil), wanted)
        : `answered although the engine says ${failure}`;
      if (difference !== '')
        out.differences.push(`seed ${seed} step ${step} at ${atMs - T0}: ${rule.name}: ${difference}`);
    }
  }
  evaluator[Symbol.dispose]();
  return { ...out, reasons };
}

describe('incremental evaluation of rules', () => {
  it('equals re-evaluation by the engine, bit by bit', { timeout: 240_000 }, async () => {
    let compared = 0;
    let results = 0;
    const reasons = new Map<FallBackReason, number>();
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 2 ** 31 - 1 }), async (seed) => {
        const o = await simulate(seed, 90);
        compared += o.compared;
        results += o.results;
        for (const [r, n] of o.reasons) reasons.set(r, (reasons.get(r) ?? 0) + n);
        expect(o.differences.slice(0, 3)).toEqual([]);
      }),
      { numRuns: 10, endOnFailure: true },
    );
    expect(compared).toBeGreaterThan(20_000);
    expect(results).toBeGreaterThan(30_000);
    // each reason that the expressions above can give was given
    for (const r of [
      'at_modifier',
      'offset',
      'subquery',
      'older_than_memory',
      'duplicate_match',
      'native_histograms',
    ] as const)
      expect(reasons.get(r) ?? 0, r).toBeGreaterThan(0);
  });

  it('serves the rule manager: no difference in compare mode, tenants apart, a difference is told and not used', async () => {
    using folder = temporaryFolder();
    const clock = new FakeClock(T0 + 60_000);
    const metrics = new SelfMetrics();
    await using store = await EmbeddedMetricsStore.open({
      folder: folder.path,
      clock,
      logger: silentLogger,
      metrics: new SelfMetrics(),
      compileMatcher,
      quota: () => ({}),
      background: false,
    });
    const B = tenantId('b');
    let wrong = false;
    const evaluators = createEvaluators({
      mode: 'compare',
      source: (t) => store.incremental(t),
      compileRegex: promqlRegex,
      logger: silentLogger,
      metrics,
    });
    await using rules = new RuleService({
      clock,
      logger: silentLogger,
      metrics,
      engine: testPorts().engine(60_000),
      source: (t) => store.reader(t),
      writer: (t) => store.writer(t),
      notify: () => undefined,
      templates: () => createRuleTemplates({ externalUrl: '', externalLabels: Labels.EMPTY }),
      externalUrl: '',
      evaluator: (t) => {
        const inner = evaluators(t)!;
        return {
          onDifference: inner.onDifference!,
          configure: (r) => inner.configure(r),
          evaluate: (r, at) => {
            const answer = inner.evaluate(r, at);
            return answer && wrong ? { ...answer, values: answer.values.map((v) => v + 1) } : answer;
          },
          [Symbol.dispose]: () => inner[Symbol.dispose](),
        };
      },
    });
    const text =
      'groups:\n- name: g\n  interval: 15s\n  rules:\n  - record: y\n    expr: sum by (a) (rate(c_total[1m]))\n  - alert: Y\n    expr: y > 1\n';
    for (const t of [A, B]) await rules.configure(t, [{ name: 'f', text }]);
    const run = async (n: number): Promise<void> => {
      for (let i = 0; i < n; i++) {
        const value = (clock.now() - T0) / 100;
        await store
          .writer(A)
          .appendSamples([{ labels: Labels.from({ __name__: 'c_total', a: '1' }), timestampMs: clock.now(), value }]);
        await clock.advance(15_000);
      }
    };
    await run(20);
    expect(rules.view(A).groups[0]!.rules.map((r) => [r.health, r.state])).toEqual([
      ['ok', 'inactive'],
      ['ok', 'firing'],
    ]);
    expect(rules.view(B).groups[0]!.rules.map((r) => r.health)).toEqual(['unknown', 'unknown']);
    const y = (): SeriesColumns[] => [
      ...(store
        .reader(A)
        .select([{ name: '__name__', op: '=', value: 'y' }], { startMs: T0, endMs: clock.now() }) as SeriesColumns[]),
    ];
    const last = (): number => y()[0]!.values[y()[0]!.length - 1]!;
    const before = last();
    expect(metrics.expose()).toMatch(/vigie_rule_incremental_evaluations_total [1-9]/);
    expect(metrics.expose()).not.toMatch(/differences_total [1-9]/);
    wrong = true;
    await run(3);
    expect(metrics.expose()).toMatch(/vigie_rule_incremental_differences_total [1-9]/);
    expect(last()).toBeCloseTo(before, 6);
  });

  it('records what the engine records: values, times and stale markers', { timeout: 60_000 }, async () => {
    using folder = temporaryFolder();
    const clock = new FakeClock(T0 + 60_000);
    const metrics = new SelfMetrics();
    await using store = await EmbeddedMetricsStore.open({
      folder: folder.path,
      clock,
      logger: silentLogger,
      metrics: new SelfMetrics(),
      compileMatcher,
      quota: () => ({}),
      background: false,
    });
    const B = tenantId('b');
    const evaluators = createEvaluators({
      mode: 'incremental',
      source: (t) => store.incremental(t),
      compileRegex: promqlRegex,
      logger: silentLogger,
      metrics,
    });
    await using rules = new RuleService({
      clock,
      logger: silentLogger,
      metrics,
      engine: testPorts().engine(60_000),
      source: (t) => store.reader(t),
      writer: (t) => store.writer(t),
      notify: () => undefined,
      templates: () => createRuleTemplates({ externalUrl: '', externalLabels: Labels.EMPTY }),
      externalUrl: '',
      evaluator: (t) => (t === A ? evaluators(t) : undefined),
    });
    const file = (more: string): string =>
      `groups:\n- name: g\n  interval: 15s\n  rules:\n  - { record: r1, expr: "sum by (a) (x)", labels: { l: v } }\n  - { record: r2, expr: x > 4 }\n  - { record: r3, expr: "r2 * 2" }\n  - { record: r4, expr: scalar(sum(x)) }\n  - { record: r5, expr: x offset 15s }\n  - { alert: R, expr: r3 > 12, for: 15s }\n${more}- name: few\n  interval: 15s\n  limit: 3\n  rules:\n  - { record: r6, expr: x > 6 }\n`;
    for (const t of [A, B]) await rules.configure(t, [{ name: 'f', text: file('') }]);
    const next = random(11);
    for (let step = 0; step < 120; step++) {
      const batch: Sample[] = [];
      for (let i = 0; i < 8; i++) {
        const r = next();
        const labels = Labels.from({ __name__: 'x', a: String(i % 3), i: String(i) });
        if (r < 0.1) continue;
        batch.push({ labels, timestampMs: clock.now(), value: Math.floor(next() * 10), stale: r < 0.2 });
      }
      for (const t of [A, B]) await store.writer(t).appendSamples(batch);
      if (step === 60)
        for (const t of [A, B])
          await rules.configure(t, [{ name: 'f', text: file('  - { record: r7, expr: "-x" }\n') }]);
      await clock.advance(15_000);
      // the log is a real file: a slow disk must not cost one of the two an evaluation
      const done = (t: typeof A): boolean => rules.view(t).groups.every((g) => g.iterations === step + 1);
      for (let i = 0; i < 100_000 && !(done(A) && done(B)); i++) await settle();
    }
    const recorded = (t: typeof A): unknown => {
      const found = store
        .reader(t)
        .select([{ name: '__name__', op: '=~', value: 'r.|ALERTS.*' }], { startMs: T0, endMs: clock.now() });
      return [...(found as SeriesColumns[])]
        .map((s) => [
          s.labels.toString(),
          [...s.timestamps.subarray(0, s.length)],
          [...new BigUint64Array(s.values.slice(0, s.length).buffer)].map(String),
        ])
        .sort((a, b) => (String(a[0]) < String(b[0]) ? -1 : 1));
    };
    const own = recorded(A) as unknown[];
    expect(own.length).toBeGreaterThan(40);
    expect(own).toEqual(recorded(B));
    const failures = (t: typeof A): number => rules.view(t).groups.reduce((n, g) => n + g.failures, 0);
    expect(failures(A)).toBeGreaterThan(3);
    expect(failures(A)).toBe(failures(B));
    expect(metrics.expose()).toMatch(/vigie_rule_incremental_evaluations_total [1-9]\d\d/);
  });

  it('would see one bit', async () => {
    const one = (s: RuleSample): RuleSample => ({ ...s, value: s.value + Math.abs(s.value) * Number.EPSILON });
    expect((await simulate(7, 10, one)).differences.length).toBeGreaterThan(50);
  });
});
