/** What every metrics store must do; run over the embedded one and over real servers. Times are near now. */
import { randomInt } from 'node:crypto';
import { expect, it } from 'vitest';
import { Labels } from '../../src/model/labels.ts';
import type { Matcher } from '../../src/model/matcher.ts';
import { isStale, type Sample, type SeriesColumns } from '../../src/model/sample.ts';
import { type TenantId, tenantId } from '../../src/model/tenant.ts';
import type { MetricsStore } from '../../src/store/metrics.ts';

export interface ConformanceOptions {
  /** Called once per test; the store may be shared, tenants are fresh each time. */
  readonly open: () => Promise<MetricsStore>;
  /** VictoriaMetrics takes samples in any order and keeps neither stale markers in answers nor native histograms. */
  readonly strict: boolean;
  readonly histograms: boolean;
  readonly signedZero?: boolean;
  /** Waits until what was acknowledged can be read; nothing to wait for where that is promised. */
  readonly settle?: () => Promise<void>;
}

const name = (value: string): Matcher => ({ name: '__name__', op: '=', value });
/** What a server cannot do by its nature is not asked of it; nothing is skipped. */
const only = (able: boolean | undefined) => (able ? it : () => undefined);

const rows = (list: readonly SeriesColumns[]): Record<string, [number, number][]> =>
  Object.fromEntries(
    list.map((s) => [
      String(s.labels),
      Array.from({ length: s.length }, (_, i): [number, number] => [s.timestamps[i]!, s.values[i]!]),
    ]),
  );
let count = 0;
const freshTenant = (): TenantId => tenantId(`c${randomInt(1e9)}-${count++}`);

export function metricsConformance(options: ConformanceOptions): void {
  const t0 = Math.floor(Date.now() / 1000) * 1000 - 600_000;
  const sample = (metric: string, at: number, value: number, more: Record<string, string> = {}): Sample => ({
    labels: Labels.from({ __name__: metric, ...more }),
    timestampMs: t0 + at,
    value,
  });
  const range = { startMs: t0 - 1_000, endMs: t0 + 300_000 };
  const withStore = async (work: (store: MetricsStore, a: TenantId, b: TenantId) => Promise<void>): Promise<void> => {
    await using store = await options.open();
    await work(store, freshTenant(), freshTenant());
  };
  const settle = options.settle ?? (async () => {});

  it('gives back what was acknowledged, by range and matcher', () =>
    withStore(async (store, a) => {
      for (let i = 0; i < 5; i++) {
        const r = await store
          .writer(a)
          .appendSamples([
            sample('m', i * 1000, i, { i: 'x' }),
            sample('m', i * 1000, i / 4, { i: 'y', only: 'here' }),
            sample('n', i * 1000, -i, { i: 'x' }),
          ]);
        expect(r).toMatchObject({ samplesAccepted: 3, rejected: {} });
      }
      await settle();
      const all = async (matchers: readonly Matcher[], from = 0, to = 300_000) =>
        rows(await store.reader(a).select(matchers, { startMs: t0 + from, endMs: t0 + to }));
      const x = (from: number, to: number) =>
        Array.from({ length: to - from + 1 }, (_, k) => [t0 + (from + k) * 1000, from + k]);
      expect(await all([name('m'), { name: 'i', op: '=', value: 'x' }])).toEqual({ 'm{i="x"}': x(0, 4) });
      // both ends belong to the range
      expect(await all([name('m'), { name: 'i', op: '=', value: 'x' }], 1_000, 3_000)).toEqual({ 'm{i="x"}': x(1, 3) });
      expect(await all([name('m'), { name: 'i', op: '=', value: 'x' }], 1_001, 2_999)).toEqual({ 'm{i="x"}': x(2, 2) });
      expect(await all([name('m'), { name: 'i', op: '=', value: 'x' }], 3_001, 3_999)).toEqual({});
      expect(Object.keys(await all([name('m'), { name: 'only', op: '=', value: '' }]))).toEqual(['m{i="x"}']);
      expect(Object.keys(await all([name('m'), { name: 'only', op: '!=', value: '' }]))).toEqual([
        'm{i="y", only="here"}',
      ]);
      expect(Object.keys(await all([name('m'), { name: 'i', op: '!=', value: 'x' }]))).toEqual([
        'm{i="y", only="here"}',
      ]);
      expect(
        Object.keys(
          await all([
            { name: '__name__', op: '=~', value: 'm|n' },
            { name: 'i', op: '=', value: 'x' },
          ]),
        ).sort(),
      ).toEqual(['m{i="x"}', 'n{i="x"}']);
      expect(Object.keys(await all([{ name: '__name__', op: '!~', value: 'm|o' }]))).toEqual(['n{i="x"}']);
      expect(await all([name('nothing')])).toEqual({});
    }));

  it('keeps every value as it is', () =>
    withStore(async (store, a) => {
      // VictoriaMetrics rounds numbers of very different size that are written together; Prometheus' remote read drops
      // the sign of zero
      const values = options.strict
        ? [
            0,
            1e-300,
            -1.7976931348623157e308,
            0.1,
            1 / 3,
            2 ** 53,
            Number.POSITIVE_INFINITY,
            Number.NEGATIVE_INFINITY,
            Number.NaN,
          ]
        : [0, 0.1, 42, -1_000_000, 12.25];
      if (options.signedZero) values.push(-0);
      for (const [i, v] of values.entries()) await store.writer(a).appendSamples([sample('v', i * 1000, v)]);
      await settle();
      expect(rows(await store.reader(a).select([name('v')], range))['v']!.map(([, v]) => v)).toEqual(values);
    }));

  it('keeps label values of any kind, and no selector can be broken out of', () =>
    withStore(async (store, a, b) => {
      const odd = ['"', '\\', '\n', '}', '",tenant=~".*', 'é🎵', '`', "'"];
      for (const v of odd) await store.writer(a).appendSamples([sample('odd', 0, 1, { v })]);
      await store.writer(b).appendSamples([sample('odd', 0, 99, { v: 'secret' })]);
      await settle();
      for (const v of odd) {
        const got = await store.reader(a).select([name('odd'), { name: 'v', op: '=', value: v }], range);
        expect(got.map((s) => s.labels.get('v'))).toEqual([v]);
      }
      expect([...(await store.reader(a).labelValues('v', [[name('odd')]], range))].sort()).toEqual([...odd].sort());
    }));

  only(options.strict)('keeps stale markers apart from other NaNs', () =>
    withStore(async (store, a) => {
      await store.writer(a).appendSamples([sample('s', 0, 1)]);
      await store.writer(a).appendSamples([{ ...sample('s', 1_000, 0), stale: true }]);
      await store.writer(a).appendSamples([sample('s', 2_000, Number.NaN)]);
      const [s] = await store.reader(a).select([name('s')], range);
      expect([0, 1, 2].map((i) => isStale(s!.values, i))).toEqual([false, true, false]);
    }),
  );

  only(options.histograms)('keeps native histograms', () =>
    withStore(async (store, a) => {
      const histogram = {
        schema: 3,
        zeroThreshold: 0.001,
        zeroCount: 2,
        count: 7,
        sum: 18.4,
        counterResetHint: 'unknown' as const,
        positiveSpans: [
          { offset: -2, length: 2 },
          { offset: 1, length: 1 },
        ],
        positiveBuckets: [1, 2, 2],
        negativeSpans: [],
        negativeBuckets: [],
      };
      const r = await store.writer(a).appendSamples([{ ...sample('h', 0, 0), histogram }]);
      expect(r).toMatchObject({ histogramsAccepted: 1, rejected: {} });
      const [s] = await store.reader(a).select([name('h')], range);
      expect({ ...s!.histograms![0], counterResetHint: 'unknown' }).toEqual(histogram);
    }),
  );

  it('shows a tenant nothing of another, whatever it asks or sends', () =>
    withStore(async (store, a, b) => {
      // each tries to look like the other by a label
      await store.writer(a).appendSamples([sample('shared', 0, 1, { owner: 'a', tenant: b, __tenant__: b })]);
      await store.writer(b).appendSamples([sample('shared', 0, 2, { owner: 'b', tenant: a }), sample('secret', 0, 3)]);
      await settle();
      const reader = store.reader(a);
      const any: Matcher[][] = [
        [],
        [name('shared')],
        [{ name: '__name__', op: '=~', value: 'shared|secret' }],
        [{ name: 'tenant', op: '=~', value: `${a}|${b}` }],
        [name('shared'), { name: 'tenant', op: '!=', value: '' }],
        [{ name: 'owner', op: '=', value: 'b' }],
      ];
      let seen = 0;
      for (const matchers of any) {
        const set = matchers.length === 0 ? [{ name: '__name__', op: '!=' as const, value: '' }] : matchers;
        for (const s of await reader.select(set, range)) {
          expect(s.labels.get('owner')).toBe('a');
          seen++;
        }
        for (const l of await reader.series([set], range)) expect(l.get('owner')).toBe('a');
        expect(await reader.labelValues('owner', [set], range)).not.toContain('b');
        expect(await reader.labelValues('__name__', [set], range)).not.toContain('secret');
      }
      expect(seen).toBeGreaterThan(2);
      expect(await reader.labelValues('__name__', [], range)).toEqual(['shared']);
      expect(await store.reader(freshTenant()).labelNames([], range)).toEqual([]);
      expect((await reader.metadata()).some((m) => m.metric === 'secret')).toBe(false);
    }));

  it('answers names, values and series sorted and limited', () =>
    withStore(async (store, a) => {
      const list = ['z', 'a', 'm', 'B'].map((v) => sample('metric', 0, 1, { v, [`label_${v}`]: '1' }));
      await store.writer(a).appendSamples(list);
      await settle();
      const reader = store.reader(a);
      expect(await reader.labelValues('v', [], range)).toEqual(['B', 'a', 'm', 'z']);
      expect(await reader.labelValues('v', [[{ name: 'v', op: '=~', value: 'a|z' }]], range)).toEqual(['a', 'z']);
      expect(await reader.labelValues('v', [], range, 2)).toEqual(['B', 'a']);
      expect(await reader.labelNames([[name('metric')]], range)).toEqual([
        '__name__',
        'label_B',
        'label_a',
        'label_m',
        'label_z',
        'v',
      ]);
      expect(await reader.labelValues('absent', [], range)).toEqual([]);
      expect(await reader.series([[name('metric')], [{ name: 'v', op: '=', value: 'a' }]], range)).toHaveLength(4);
    }));

  only(options.strict)('refuses what is out of order or contradicts, and takes the rest of the request', () =>
    withStore(async (store, a) => {
      const w = store.writer(a);
      await w.appendSamples([sample('o', 10_000, 1), sample('p', 10_000, 1)]);
      expect(await w.appendSamples([sample('o', 10_000, 1)])).toMatchObject({ samplesAccepted: 1, rejected: {} });
      expect(await w.appendSamples([sample('o', 5_000, 1), sample('p', 11_000, 2)])).toMatchObject({
        samplesAccepted: 1,
        rejected: { out_of_order: 1 },
      });
      expect(await w.appendSamples([sample('o', 10_000, 7), sample('p', 12_000, 3), sample('q', 0, 1)])).toMatchObject({
        samplesAccepted: 2,
        rejected: { duplicate_timestamp: 1 },
      });
      expect(rows(await store.reader(a).select([name('p')], range))['p']).toHaveLength(3);
      expect(rows(await store.reader(a).select([name('o')], range))['o']).toEqual([[t0 + 10_000, 1]]);
    }),
  );

  it('stops at the limits of a query', () =>
    withStore(async (store, a) => {
      await store.writer(a).appendSamples(Array.from({ length: 10 }, (_, i) => sample('l', 0, i, { i: String(i) })));
      await settle();
      const select = async (hints: object) => store.reader(a).select([name('l')], range, hints);
      expect(await select({ seriesMax: 10, samplesMax: 10 })).toHaveLength(10);
      await expect(select({ seriesMax: 9 })).rejects.toMatchObject({ code: 'query_limit' });
      await expect(select({ samplesMax: 9 })).rejects.toMatchObject({ code: 'query_limit' });
    }));

  it('deletes series and tenants, and nobody else’s', () =>
    withStore(async (store, a, b) => {
      for (const t of [a, b]) await store.writer(t).appendSamples([sample('d', 0, 1), sample('e', 0, 1)]);
      await settle();
      await store.deleteSeries(a, [name('d')], { startMs: 0, endMs: Number.MAX_SAFE_INTEGER });
      expect(await store.reader(a).select([name('d')], range)).toEqual([]);
      expect(await store.reader(a).select([name('e')], range)).toHaveLength(1);
      await store.deleteTenant(a);
      expect(await store.reader(a).select([{ name: '__name__', op: '!=', value: '' }], range)).toEqual([]);
      expect(await store.reader(b).select([{ name: '__name__', op: '!=', value: '' }], range)).toHaveLength(2);
    }));

  it('counts what a tenant has', () =>
    withStore(async (store, a) => {
      const now = Date.now();
      const list = Array.from({ length: 7 }, (_, i) => ({
        ...sample(i < 5 ? 'many' : 'few', 0, 1, { i: String(i), ...(i % 2 === 1 && { odd: 'yes' }) }),
        timestampMs: now - 40_000,
      }));
      await store.writer(a).appendSamples(list);
      await settle();
      const c = await store.cardinality(a, 10);
      expect(c.headSeries).toBe(7);
      expect(c.seriesCountByMetricName).toEqual([
        { name: 'many', value: 5 },
        { name: 'few', value: 2 },
      ]);
      expect(c.labelValueCountByLabelName).toContainEqual({ name: 'i', value: 7 });
      expect(c.seriesCountByLabelName).toContainEqual({ name: '__name__', value: 7 });
      expect(c.seriesCountByLabelName).toContainEqual({ name: 'odd', value: 3 });
      expect(store.stats(a).samplesTotal).toBeGreaterThanOrEqual(0);
      expect(store.tenants()).toContain(a);
    }));
}
