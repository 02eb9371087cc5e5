import { appendFileSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../../test/support/fake-clock.ts';
import { temporaryFolder } from '../../../../test/support/peers.ts';
import { silentLogger } from '../../../lib/logger.ts';
import { SelfMetrics } from '../../../lib/self-metrics.ts';
import { Labels } from '../../../model/labels.ts';
import type { CompiledMatcher, Matcher } from '../../../model/matcher.ts';
import { isStale, type Sample, type SeriesColumns } from '../../../model/sample.ts';
import { tenantId } from '../../../model/tenant.ts';
import type { MetricsQuota } from '../../metrics.ts';
import { EmbeddedMetricsStore } from './embedded-metrics-store.ts';

const T0 = 1_700_000_000_000 - (1_700_000_000_000 % 7_200_000);
const compile = (m: Matcher): CompiledMatcher => {
  const alternatives = m.value.split('|');
  const plain = m.op === '=' || m.op === '!=' ? (v: string) => v === m.value : (v: string) => alternatives.includes(v);
  return {
    ...m,
    matches: m.op.startsWith('!') ? (v) => !plain(v) : plain,
    ...(m.op === '=~' ? { literals: alternatives } : {}),
  };
};

async function open(
  folder: string,
  clock = new FakeClock(T0 + 3_600_000),
  quota: MetricsQuota = {},
): Promise<EmbeddedMetricsStore> {
  return EmbeddedMetricsStore.open({
    folder,
    clock,
    logger: silentLogger,
    metrics: new SelfMetrics(),
    compileMatcher: compile,
    quota: () => quota,
    background: false,
  });
}

const A = tenantId('a');
const B = tenantId('b');
const ALL = { startMs: 0, endMs: Number.MAX_SAFE_INTEGER };
const sample = (name: string, t: number, value: number, more: Record<string, string> = {}): Sample => ({
  labels: Labels.from({ __name__: name, ...more }),
  timestampMs: t,
  value,
});
const rows = (columns: readonly SeriesColumns[]): Record<string, [number, number][]> =>
  Object.fromEntries(
    columns.map((c) => [
      String(c.labels),
      Array.from({ length: c.length }, (_, i): [number, number] => [c.timestamps[i]!, c.values[i]!]),
    ]),
  );
const name = (value: string): Matcher[] => [{ name: '__name__', op: '=', value }];

describe('embedded metrics store', () => {
  it('gives back what was appended, before and after a restart, from log and blocks', async () => {
    using folder = temporaryFolder();
    const want: Record<string, [number, number][]> = {};
    const clock = new FakeClock(T0 + 3_600_000);
    {
      await using store = await open(folder.path, clock);
      for (let i = 0; i < 700; i++) {
        const t = T0 + i * 15_000;
        clock.step(t + 1_000 - clock.now());
        const batch = ['x', 'y'].map((i2) => sample('up', t, i * (i2 === 'x' ? 1 : 0.25), { instance: i2 }));
        await store.writer(A).appendSamples(batch);
        for (const s of batch) (want[String(s.labels)] ??= []).push([t, s.value]);
      }
      expect(rows(await store.reader(A).select(name('up'), ALL))).toEqual(want);
      expect(await store.reader(B).select(name('up'), ALL)).toEqual([]);
    }
    {
      await using store = await open(folder.path, clock);
      expect(store.replay).toMatchObject({ samples: 1400, damagedSpans: 0 });
      expect(rows(await store.reader(A).select(name('up'), ALL))).toEqual(want);
      clock.step(3 * 3_600_000);
      await clock.advance(120_000);
      await store.maintain();
      expect(readdirSync(path.join(folder.path, 'tenants/a/blocks'))).toHaveLength(2);
      expect(rows(await store.reader(A).select(name('up'), ALL))).toEqual(want);
      expect(readdirSync(path.join(folder.path, 'wal'))).toHaveLength(1);
    }
    await using store = await open(folder.path, clock);
    expect(rows(await store.reader(A).select(name('up'), ALL))).toEqual(want);
    expect(await store.reader(A).labelValues('instance', [], ALL)).toEqual(['x', 'y']);
  });

  it('does not store twice what a block holds when the log was not cut yet', async () => {
    using folder = temporaryFolder();
    using copy = temporaryFolder();
    const clock = new FakeClock(T0 + 3_600_000);
    {
      await using store = await open(folder.path, clock);
      for (let i = 0; i < 50; i++) await store.writer(A).appendSamples([sample('m', T0 + i * 1000, i)]);
      await store.sync();
      const wal = readdirSync(path.join(folder.path, 'wal'))[0]!;
      writeFileSync(path.join(copy.path, wal), readFileSync(path.join(folder.path, 'wal', wal)));
      await store.maintain({ all: true });
      expect(readdirSync(path.join(folder.path, 'wal'))).not.toContain(wal);
      writeFileSync(path.join(folder.path, 'wal', wal), readFileSync(path.join(copy.path, wal)));
    }
    await using store = await open(folder.path, clock);
    expect(store.stats(A).samplesTotal).toBe(0);
    expect(rows(await store.reader(A).select(name('m'), ALL))['m']).toHaveLength(50);
  });

  it('refuses like Prometheus and says why', async () => {
    using folder = temporaryFolder();
    await using store = await open(folder.path);
    const w = store.writer(A);
    const put = (t: number, v: number) => w.appendSamples([sample('m', t, v)]);
    expect(await put(T0 + 1000, 1)).toMatchObject({ samplesAccepted: 1, rejected: {} });
    expect(await put(T0 + 1000, 1)).toMatchObject({ samplesAccepted: 1, rejected: {} });
    expect(await put(T0 + 1000, 2)).toMatchObject({ samplesAccepted: 0, rejected: { duplicate_timestamp: 1 } });
    expect(await put(T0 + 999, 2)).toMatchObject({ rejected: { out_of_order: 1 } });
    expect(await put(T0 + 3_600_000 + 600_001, 2)).toMatchObject({ rejected: { too_far_in_future: 1 } });
    expect(await put(Number.NaN, 2)).toMatchObject({ rejected: { too_far_in_future: 1 } });
    expect((await put(-1, 2)).rejected).toEqual({ out_of_order: 1 });
    expect(rows(await store.reader(A).select(name('m'), ALL))).toEqual({ m: [[T0 + 1000, 1]] });
  });

  it('takes late samples within the window and keeps their order', async () => {
    using folder = temporaryFolder();
    const quota = { outOfOrderWindowMs: 60_000 };
    for (const restart of [false, true]) {
      await using store = await open(folder.path, undefined, quota);
      if (!restart) {
        for (const t of [100_000, 150_000, 120_000, 149_999, 120_000])
          expect((await store.writer(A).appendSamples([sample('m', T0 + t, t)])).rejected).toEqual({});
        expect((await store.writer(A).appendSamples([sample('m', T0 + 120_000, 7)])).rejected).toEqual({
          duplicate_timestamp: 1,
        });
        expect((await store.writer(A).appendSamples([sample('m', T0 + 89_999, 7)])).rejected).toEqual({
          out_of_order: 1,
        });
      }
      expect(rows(await store.reader(A).select(name('m'), ALL))['m']!.map((r) => r[0] - T0)).toEqual([
        100_000, 120_000, 149_999, 150_000,
      ]);
      if (restart) {
        await store.maintain({ all: true });
        expect(rows(await store.reader(A).select(name('m'), ALL))['m']!.map((r) => r[0] - T0)).toEqual([
          100_000, 120_000, 149_999, 150_000,
        ]);
      }
    }
  });

  it('keeps stale markers and native histograms through log and block', async () => {
    using folder = temporaryFolder();
    const histogram = {
      schema: 3,
      zeroThreshold: 0.001,
      zeroCount: 2,
      count: 7,
      sum: 18.4,
      counterResetHint: 'unknown' as const,
      positiveSpans: [
        { offset: 0, length: 2 },
        { offset: 1, length: 1 },
      ],
      positiveBuckets: [1, 2, 2],
      negativeSpans: [],
      negativeBuckets: [],
    };
    for (const round of ['write', 'log', 'block', 'block again']) {
      await using store = await open(folder.path);
      if (round === 'write') {
        const r0 = await store
          .writer(A)
          .appendSamples([{ labels: Labels.from({ __name__: 'h' }), timestampMs: T0 + 1, value: 0, histogram }]);
        expect(r0.histogramsAccepted).toBe(1);
        const r = await store.writer(A).appendSamples([
          { labels: Labels.from({ __name__: 'h' }), timestampMs: T0 + 2, value: 0, stale: true },
          {
            labels: Labels.from({ __name__: 'h' }),
            timestampMs: T0 + 3,
            value: 0,
            histogram: { ...histogram, count: 9 },
          },
        ]);
        expect(r).toMatchObject({ samplesAccepted: 1, histogramsAccepted: 0, rejected: { invalid_histogram: 1 } });
      }
      if (round === 'block') await store.maintain({ all: true });
      const [s] = await store.reader(A).select(name('h'), ALL);
      expect(s).toMatchObject({ length: 2, histograms: [histogram, undefined] });
      expect(isStale(s!.values, 1)).toBe(true);
    }
  });

  it('holds tenants to their quotas', async () => {
    using folder = temporaryFolder();
    const clock = new FakeClock(T0 + 3_600_000);
    await using store = await open(folder.path, clock, {
      activeSeriesMax: 2,
      samplesPerSecondMax: 10,
      samplesBurstMax: 10,
      labelsPerSeriesMax: 3,
      labelNameBytesMax: 10,
      labelValueBytesMax: 5,
    });
    const w = store.writer(A);
    expect((await w.appendSamples([sample('a', T0, 1), sample('b', T0, 1), sample('c', T0, 1)])).rejected).toEqual({
      series_quota: 1,
    });
    expect((await w.appendSamples([sample('a', T0 + 1, 1, { long: '123456' })])).rejected).toEqual({ label_limit: 1 });
    expect((await w.appendSamples(Array.from({ length: 7 }, (_, i) => sample('a', T0 + 10 + i, 1)))).rejected).toEqual({
      rate_quota: 7,
    });
    await clock.advance(1000);
    expect((await w.appendSamples(Array.from({ length: 7 }, (_, i) => sample('a', T0 + 10 + i, 1)))).rejected).toEqual(
      {},
    );
    expect((await store.writer(B).appendSamples([sample('a', T0, 1)])).samplesAccepted).toBe(1);
  });

  it('cuts a torn tail and skips damage in the middle, losing only that', async () => {
    using folder = temporaryFolder();
    {
      await using store = await open(folder.path);
      for (let i = 0; i < 100; i++) await store.writer(A).appendSamples([sample('m', T0 + i, i)]);
    }
    const file = path.join(folder.path, 'wal/00000001.wal');
    const bytes = readFileSync(file);
    bytes[bytes.length - 40 * 50 + 30]! ^= 0x10;
    writeFileSync(file, bytes);
    appendFileSync(file, Buffer.alloc(13, 7));
    {
      await using store = await open(folder.path);
      expect(store.replay.damagedSpans).toBe(1);
      const got = rows(await store.reader(A).select(name('m'), ALL))['m']!;
      expect(got).toHaveLength(99);
      for (const [t, v] of got) expect(t - T0).toBe(v);
    }
    truncateSync(file, 1000);
    await using store = await open(folder.path);
    for (const [t, v] of rows(await store.reader(A).select(name('m'), ALL))['m'] ?? []) expect(t - T0).toBe(v);
  });

  it('leaves out a damaged chunk of a block, by name', async () => {
    using folder = temporaryFolder();
    {
      await using store = await open(folder.path);
      for (const n of ['m', 'n']) await store.writer(A).appendSamples([sample(n, T0, 1.5), sample(n, T0 + 1, 2.5)]);
      await store.maintain({ all: true });
    }
    const blocks = path.join(folder.path, 'tenants/a/blocks');
    const file = path.join(blocks, readdirSync(blocks)[0]!);
    const bytes = readFileSync(file);
    bytes[3]! ^= 1;
    writeFileSync(file, bytes);
    await using store = await open(folder.path);
    const warnings: string[] = [];
    const all = [{ name: '__name__', op: '!=' as const, value: '' }];
    expect(Object.keys(rows(await store.reader(A).select(all, ALL, { warn: (m) => warnings.push(m) })))).toEqual(['n']);
    expect(warnings.join()).toContain('of m (');
  });

  it('deletes series and tenants for good, and snapshots', async () => {
    using folder = temporaryFolder();
    using other = temporaryFolder();
    {
      await using store = await open(folder.path);
      for (const t of [A, B]) await store.writer(t).appendSamples([sample('m', T0, 1), sample('n', T0, 1)]);
      await store.deleteSeries(A, name('m'), ALL);
      await store.snapshot(path.join(other.path, 'snap'));
      await store.deleteTenant(B);
      expect(store.tenants()).toEqual([A]);
    }
    {
      await using store = await open(folder.path);
      expect(store.tenants()).toEqual([A]);
      expect(await store.reader(A).select(name('m'), ALL)).toEqual([]);
      expect(Object.keys(rows(await store.reader(A).select(name('n'), ALL)))).toEqual(['n']);
    }
    await using snap = await open(path.join(other.path, 'snap'));
    expect([...snap.tenants()].sort()).toEqual([A, B]);
    expect(await snap.reader(A).select(name('m'), ALL)).toEqual([]);
    expect(Object.keys(rows(await snap.reader(B).select(name('m'), ALL)))).toEqual(['m']);
  });

  it('refuses a folder of a newer version', async () => {
    using folder = temporaryFolder();
    writeFileSync(path.join(folder.path, 'FORMAT'), '{"metrics":3}');
    await expect(open(folder.path)).rejects.toMatchObject({ code: 'format_newer' });
  });
});
