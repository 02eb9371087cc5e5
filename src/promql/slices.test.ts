/** Queries built to explode: they let others use the thread in between, end when told to, and are refused in time. */
import { describe, expect, it } from 'vitest';
import { compileRegex, MemorySource } from '../../test/promql/memory-source.ts';
import { isVigieError } from '../lib/errors.ts';
import { Labels } from '../model/labels.ts';
import { QueryEngine, type QueryOptions } from './engine.ts';

const SERIES = 120;
const SAMPLES = 960;
const source = new MemorySource();
for (let k = 0; k < SERIES; k++) {
  const timestamps = Float64Array.from({ length: SAMPLES }, (_, i) => i * 15_000);
  const values = Float64Array.from({ length: SAMPLES }, (_, i) => ((i * (k + 3)) % 97) + k);
  const labels = { __name__: 'm_total', a: `a${k % 10}`, le: String(k % 7), id: `id-${k}` };
  source.set({ labels: Labels.from(labels), length: SAMPLES, timestamps, values });
}
const RANGE = { startMs: 600_000, endMs: SAMPLES * 15_000, stepMs: 1_300 };

/** Runs a query and tells how long the thread was held at most, in ms of its own processor time. */
async function held(query: string, options: QueryOptions = {}, sliceLimit = Number.POSITIVE_INFINITY) {
  let slices = 0;
  let longest = 0;
  let mark = process.threadCpuUsage();
  const engine = new QueryEngine({
    compileRegex,
    monotonicMs: () => performance.now(),
    breathe: async () => {
      const spent = process.threadCpuUsage(mark);
      longest = Math.max(longest, (spent.user + spent.system) / 1000);
      if (++slices > sliceLimit) throw new Error('too many slices');
      mark = process.threadCpuUsage();
    },
  });
  const result = await engine.range(source, query, RANGE, options);
  return { slices, longest, result };
}

const HEAVY = [
  'sum by (a) (rate(m_total[20m]))',
  'quantile_over_time(0.9, m_total{a="a1"}[15m])',
  'm_total * on (id) group_left () m_total',
  'm_total and on (id) m_total > 5 or m_total unless on (a) m_total{a="a2"}',
  'topk by (a) (3, m_total)',
  'quantile(0.5, m_total)',
  'stddev without (id) (m_total) + avg without (id) (m_total)',
  'histogram_quantile(0.9, sum by (le, a) (m_total))',
  'max_over_time((m_total > 3)[5m:10s])',
  'count_values("v", m_total{a="a3"})',
  'label_replace(abs(-m_total), "b", "$1", "id", "(.*)")',
  'avg_over_time(sum(m_total)[5m:1s])',
];

describe('evaluation in slices', () => {
  it.each(HEAVY)(
    '%s',
    async (query) => {
      await held(query); // compiled code first: the bound is about the work, not about the compiler
      const runs = [await held(query), await held(query)];
      expect(runs[0]!.slices).toBeGreaterThan(1);
      expect(Math.min(...runs.map((r) => r.longest))).toBeLessThan(20);
    },
    60_000,
  );

  it('lets the event loop turn while a query runs', async () => {
    const engine = new QueryEngine({ compileRegex, monotonicMs: () => performance.now() });
    let turns = 0;
    let ended = false;
    const turn = (): void => {
      turns++;
      if (!ended) setImmediate(turn);
    };
    setImmediate(turn);
    await engine.range(source, 'sum by (a) (rate(m_total[20m]))', RANGE);
    ended = true;
    expect(turns).toBeGreaterThan(3);
  });

  it('ends within a slice when the client leaves', async () => {
    const controller = new AbortController();
    const engine = new QueryEngine({
      compileRegex,
      monotonicMs: () => performance.now(),
      breathe: async () => controller.abort(),
    });
    const query = engine.range(source, HEAVY[1]!, RANGE, { signal: controller.signal });
    await expect(query).rejects.toSatisfy((e) => isVigieError(e, 'canceled'));
  });

  it('ends at its time limit, which it names', async () => {
    let nowMs = 0;
    const engine = new QueryEngine({ compileRegex, monotonicMs: () => (nowMs += 7), limits: { timeoutMs: 2_000 } });
    await expect(engine.range(source, HEAVY[1]!, RANGE)).rejects.toThrow('limit: 2000 ms');
  });

  it.each([
    ['too many samples', 'sum_over_time((m_total + m_total)[4h:1s])', { samplesMax: 1_000_000 }, 'limit: 1000000'],
    ['too many series', 'm_total + m_total', { seriesMax: 119 }, 'at most 119'],
    [
      'scalars over endless steps',
      'sum_over_time(vector((time() + time()) + (time() + time()))[40000000s:1s])',
      {},
      'too many samples',
    ],
    ['as many rows as values', 'count_values("v", m_total * time())', { samplesMax: 20_000_000 }, 'too many samples'],
    [
      'many pairs',
      'm_total * on (a) group_left () topk by (a) (1, m_total)',
      { samplesMax: 2_600_000 },
      'too many samples',
    ],
    [
      'samples of nested subqueries',
      'max_over_time(max_over_time(m_total[2h:1s])[2h:1s])',
      { samplesMax: 2_000_000 },
      'too many samples',
    ],
  ])('refuses %s early', async (_what, query, limits, message) => {
    await expect(held(query, { limits }, 300)).rejects.toThrow(message);
  });

  it('refuses more steps than Prometheus allows, and nesting that would exhaust the stack', async () => {
    const engine = new QueryEngine({ compileRegex, monotonicMs: () => 0 });
    await expect(engine.range(source, 'm_total', { startMs: 0, endMs: 11_001, stepMs: 1 })).rejects.toThrow(
      '11000 points',
    );
    const deep = `${'('.repeat(5_000)}m_total${')'.repeat(5_000)}`;
    await expect(engine.instant(source, deep, 0)).rejects.toThrow('parse error');
    await expect(engine.instant(source, `${'-'.repeat(20_000)}m_total`, 0)).rejects.toThrow();
    await expect(engine.instant(source, `m_total${' + m_total'.repeat(380)}`, 0)).rejects.toThrow('operators in a row');
  });

  it.each([
    ['brackets', 'm{'.repeat(50_000)],
    ['quotes', '"'.repeat(99_999)],
    ['words', 'm '.repeat(50_000)],
    ['a chain', `m${' + m'.repeat(24_000)}`],
    ['labels', `sum by (${Array.from({ length: 8_000 }, (_, i) => `label_${i}`).join(', ')}) (m)`],
  ])('reads or refuses a text of 100,000 characters of %s without holding the thread', (_what, text) => {
    const engine = new QueryEngine({ compileRegex, monotonicMs: () => 0 });
    const spent: number[] = [];
    for (let round = 0; round < 4; round++) {
      const mark = process.threadCpuUsage();
      try {
        engine.parse(text);
      } catch (error) {
        expect(isVigieError(error, 'bad_query')).toBe(true);
      }
      const used = process.threadCpuUsage(mark);
      spent.push((used.user + used.system) / 1000);
    }
    expect(Math.min(...spent)).toBeLessThan(50);
  });

  it('refuses longer texts', async () => {
    const engine = new QueryEngine({ compileRegex, monotonicMs: () => 0 });
    await expect(engine.instant(source, `m${' '.repeat(100_000)}`, 0)).rejects.toThrow('at most 100000 are read');
  });
});
