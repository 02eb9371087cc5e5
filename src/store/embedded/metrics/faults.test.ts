import { randomInt } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../../test/support/fake-clock.ts';
import {
  ANY_SERIES,
  EVERYTHING,
  named,
  openStore,
  rowsOf,
  sample,
  seededRandom,
  T0,
} from '../../../../test/support/metrics-store.ts';
import { temporaryFolder } from '../../../../test/support/peers.ts';
import { type TenantId, tenantId } from '../../../model/tenant.ts';
import { type Disk, realDisk } from './disk.ts';
import { hashOf, KeyCache } from './key-cache.ts';
import { NO_SERIES } from './series-index.ts';

const A = tenantId('a');
const B = tenantId('b');

/** A disk with so many bytes left; a write that does not fit writes what fits, then fails, as a real one does. */
class SmallDisk implements Disk {
  bytesLeft = Number.POSITIVE_INFINITY;
  failSync = false;
  failures = 0;

  open(file: string, flags: 'w' | 'wx'): number {
    if (this.bytesLeft <= 0) throw this.#full();
    return realDisk.open(file, flags);
  }

  async write(fd: number, bytes: Uint8Array, offset: number, length: number, position: number): Promise<number> {
    const n = Math.min(length, this.bytesLeft);
    if (n <= 0) throw this.#full();
    this.bytesLeft -= n;
    return realDisk.write(fd, bytes, offset, n, position);
  }

  async sync(fd: number): Promise<void> {
    if (this.failSync) {
      this.failures++;
      throw Object.assign(new Error('EIO: input/output error'), { code: 'EIO' });
    }
    await realDisk.sync(fd);
  }

  truncate = realDisk.truncate;
  close = realDisk.close;

  #full(): Error {
    this.failures++;
    return Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' });
  }
}

describe('disk full', () => {
  it.each(['interval', 'always'] as const)('keeps what it acknowledged and goes on afterwards (%s)', async (sync) => {
    const seed = Number(process.env['VIGIE_SEED'] ?? randomInt(1_000_000));
    const next = seededRandom(seed);
    let refusedTotal = 0;
    for (let round = 0; round < 12; round++) {
      using folder = temporaryFolder();
      const disk = new SmallDisk();
      const acknowledged = new Set<number>();
      const tried = new Set<number>();
      {
        await using store = await openStore(folder.path, { disk, sync, segmentBytes: 2_000 });
        const write = async (i: number): Promise<void> => {
          tried.add(i);
          try {
            const r = await store.writer(A).appendSamples([sample('m', T0 + i, i), sample('n', T0 + i, i)]);
            expect(r.rejected).toEqual({});
            acknowledged.add(i);
          } catch (error) {
            expect(error).toMatchObject({ code: 'storage' });
            refusedTotal++;
          }
        };
        for (let i = 1; i < 60; i++) {
          if (i === 20) disk.bytesLeft = Math.floor(next() * 900);
          if (i === 40) disk.bytesLeft = Number.POSITIVE_INFINITY;
          await write(i);
          // a sender tries a refused batch again before it sends the next
          if (!acknowledged.has(i) && next() < 0.5) await write(i);
        }
        expect(acknowledged.has(59)).toBe(true);
        await store.sync();
      }
      await using store = await openStore(folder.path);
      expect(store.replay.damagedSpans, `seed ${seed}`).toBe(0);
      for (const name of ['m', 'n']) {
        const got = new Set(rowsOf(await store.reader(A).select(named(name), EVERYTHING))[name]!.map(([, v]) => v));
        for (const i of acknowledged) expect(got.has(i), `seed ${seed}, round ${round}: ${name} ${i}`).toBe(true);
        for (const i of got) expect(tried.has(i)).toBe(true);
      }
    }
    expect(refusedTotal).toBeGreaterThan(40);
  });

  it('loses nothing when a block cannot be written, and writes it later', async () => {
    using folder = temporaryFolder();
    const disk = new SmallDisk();
    const want: [number, number][] = [];
    {
      await using store = await openStore(folder.path, { disk });
      for (let i = 0; i < 300; i++) {
        await store.writer(A).appendSamples([sample('m', T0 + i * 1000, i)]);
        want.push([T0 + i * 1000, i]);
      }
      disk.bytesLeft = 40;
      await expect(store.maintain({ all: true })).rejects.toMatchObject({ code: 'storage' });
      expect(readdirSync(path.join(folder.path, 'tenants/a/blocks'))).toEqual([]);
      expect(rowsOf(await store.reader(A).select(named('m'), EVERYTHING))).toEqual({ m: want });
      disk.bytesLeft = Number.POSITIVE_INFINITY;
      // a sample of the same span while its window waits for the disk
      await store.writer(A).appendSamples([sample('m', T0 + 300_000, 300)]);
      want.push([T0 + 300_000, 300]);
      await store.maintain({ all: true });
      await store.maintain({ all: true });
      expect(rowsOf(await store.reader(A).select(named('m'), EVERYTHING))).toEqual({ m: want });
      expect(store.stats(A).activeSeries).toBe(0);
    }
    await using store = await openStore(folder.path);
    expect(rowsOf(await store.reader(A).select(named('m'), EVERYTHING))).toEqual({ m: want });
  });

  it('does not acknowledge what could not be synced with `always`', async () => {
    using folder = temporaryFolder();
    const disk = new SmallDisk();
    await using store = await openStore(folder.path, { disk, sync: 'always' });
    await store.writer(A).appendSamples([sample('m', T0, 1)]);
    disk.failSync = true;
    await expect(store.writer(A).appendSamples([sample('m', T0 + 1, 2)])).rejects.toMatchObject({ code: 'storage' });
    // the same batch again is a repetition in memory, and still no lie
    await expect(store.writer(A).appendSamples([sample('m', T0 + 1, 2)])).rejects.toMatchObject({ code: 'storage' });
    disk.failSync = false;
    expect(await store.writer(A).appendSamples([sample('m', T0 + 1, 2)])).toMatchObject({ samplesAccepted: 1 });
  });

  it('finishes a deletion that the disk interrupted', async () => {
    using folder = temporaryFolder();
    const disk = new SmallDisk();
    {
      await using store = await openStore(folder.path, { disk });
      for (const t of [A, B]) await store.writer(t).appendSamples([sample('m', T0, 1)]);
      disk.bytesLeft = 0;
      await expect(store.deleteTenant(A)).rejects.toMatchObject({ code: 'storage' });
      disk.bytesLeft = Number.POSITIVE_INFINITY;
      await store.deleteTenant(A);
    }
    await using store = await openStore(folder.path);
    expect(store.tenants()).toEqual([B]);
    expect(rowsOf(await store.reader(B).select(named('m'), EVERYTHING))).toEqual({ m: [[T0, 1]] });
  });
});

describe('isolation of a deleted tenant', () => {
  it('a writer and a query that outlive it touch nobody else', async () => {
    using folder = temporaryFolder();
    await using store = await openStore(folder.path);
    const stale = store.writer(A);
    for (let i = 0; i < 20; i++) await stale.appendSamples([sample('secret', T0 + i, 42)]);
    await store.maintain({ all: true });
    for (let i = 20; i < 25; i++) await stale.appendSamples([sample('secret', T0 + i, 42)]);
    const pending = store.reader(A).select(ANY_SERIES, EVERYTHING);
    const deleted = store.deleteTenant(A);
    for (let i = 0; i < 25; i++) await store.writer(B).appendSamples([sample('other', T0 + i, i)]);
    await deleted;
    for (const s of await pending) expect(String(s.labels)).toBe('secret');
    await stale.appendSamples([sample('secret', T0 + 100, 7)]);
    for (let i = 25; i < 50; i++) await store.writer(B).appendSamples([sample('other', T0 + i, i)]);
    expect(rowsOf(await store.reader(B).select(ANY_SERIES, EVERYTHING))).toEqual({
      other: Array.from({ length: 50 }, (_, i) => [T0 + i, i]),
    });
    expect(rowsOf(await store.reader(A).select(ANY_SERIES, EVERYTHING))).toEqual({ secret: [[T0 + 100, 7]] });
  });
});

describe('merging', () => {
  it('joins blocks level by level, keeps every sample and drops deleted ones', async () => {
    using folder = temporaryFolder();
    const clock = new FakeClock(T0 - (T0 % (6 * 3_600_000)) + 6 * 3_600_000);
    const start = clock.now();
    const want: Record<string, [number, number][]> = { 'm{i="0"}': [], 'm{i="1"}': [], 'm{i="2"}': [] };
    const open = () => openStore(folder.path, { clock, quota: () => ({ outOfOrderWindowMs: 3_600_000 }) });
    {
      await using store = await open();
      for (let k = 0; k < 6 * 60; k++) {
        const t = start + k * 60_000;
        clock.step(t - clock.now());
        // one series comes late, one has gaps, one repeats nothing
        const batch = [sample('m', t, k, { i: '0' }), sample('m', t - 1_800_000 * (k % 2), k / 4, { i: '1' })];
        if (k % 50 < 5) batch.push(sample('m', t, -k, { i: '2' }));
        const r = await store.writer(A).appendSamples(batch);
        expect(r.rejected).toEqual({});
        for (const s of batch) want[String(s.labels)]!.push([s.timestampMs, s.value]);
        if (k % 60 === 59) await store.maintain({ all: true });
      }
      for (const rows of Object.values(want)) rows.sort((a, b) => a[0] - b[0]);
      const before = readdirSync(path.join(folder.path, 'tenants/a/blocks')).length;
      expect(rowsOf(await store.reader(A).select(named('m'), EVERYTHING))).toEqual(want);
      clock.step(3_600_000);
      await store.deleteSeries(A, [{ name: 'i', op: '=', value: '2' }], { startMs: start, endMs: start + 7_200_000 });
      want['m{i="2"}'] = want['m{i="2"}']!.filter(([t]) => t > start + 7_200_000);
      for (let i = 0; i < 5; i++) await store.maintain();
      const after = readdirSync(path.join(folder.path, 'tenants/a/blocks'));
      expect(before).toBeGreaterThan(3);
      expect(after).toHaveLength(1);
      expect(rowsOf(await store.reader(A).select(named('m'), EVERYTHING))).toEqual(want);
      await store.cleanTombstones(A);
      expect(rowsOf(await store.reader(A).select(named('m'), EVERYTHING))).toEqual(want);
    }
    await using store = await open();
    expect(rowsOf(await store.reader(A).select(named('m'), EVERYTHING))).toEqual(want);
    expect(await store.reader(A).labelValues('i', [], EVERYTHING)).toEqual(['0', '1', '2']);
    expect(await store.reader(A).labelValues('i', [], { startMs: start, endMs: start + 3_600_000 })).toEqual([
      '0',
      '1',
    ]);
  });

  it('lets a query finish that began before its blocks were merged away', async () => {
    using folder = temporaryFolder();
    await using store = await openStore(folder.path);
    for (let k = 0; k < 3; k++) {
      await store.writer(A).appendSamples([sample('m', T0 + k, k)]);
      await store.maintain({ all: true });
    }
    const queries = Array.from({ length: 20 }, () => store.reader(A).select(named('m'), EVERYTHING));
    const merged = store.maintain();
    const clockPast = queries.map(async (q) => rowsOf(await q)['m']!.length);
    await merged;
    expect(await Promise.all(clockPast)).toEqual(Array.from({ length: 20 }, () => 3));
  });
});

describe('retention', () => {
  it('goes by age and by size, tenant by tenant, and not by a clock that jumped', async () => {
    using folder = temporaryFolder();
    const clock = new FakeClock(T0);
    const quota = (t: TenantId) => (t === A ? { retentionMs: 12 * 3_600_000 } : { retentionBytesMax: 2_500 });
    await using store = await openStore(folder.path, { clock, quota });
    for (let k = 0; k < 24 * 60; k += 5) {
      clock.step(T0 + k * 60_000 - clock.now());
      await clock.advance(0);
      for (const t of [A, B]) await store.writer(t).appendSamples([sample('m', T0 + k * 60_000, Math.sin(k))]);
    }
    await store.maintain({ all: true });
    // the clock was stepped all the while, so nothing was believed yet; an hour of steady time later it is
    expect(store.stats(A).minTimeMs).toBe(T0);
    await clock.advance(3_700_000);
    await store.maintain();
    expect(store.stats(A).minTimeMs).toBeGreaterThanOrEqual(clock.now() - 14 * 3_600_000);
    expect(store.stats(B).diskBytes).toBeLessThanOrEqual(2_500);
    expect(store.stats(B).diskBytes).toBeGreaterThan(500);
    const before = store.stats(A).minTimeMs;
    clock.step(100 * 24 * 3_600_000);
    await store.maintain();
    expect(store.stats(A).minTimeMs).toBe(before);
    expect(await store.reader(A).select(named('m'), EVERYTHING)).toEqual([]);
    clock.step(-100 * 24 * 3_600_000);
    await store.maintain();
    expect(rowsOf(await store.reader(A).select(named('m'), EVERYTHING))['m']!.length).toBeGreaterThan(100);
  });
});

describe('churn', () => {
  it('gives back series, strings and memory of those that left', async () => {
    using folder = temporaryFolder();
    const clock = new FakeClock(T0);
    await using store = await openStore(folder.path, { clock });
    let sizes: number[] = [];
    for (let generation = 0; generation < 12; generation++) {
      for (let i = 0; i < 4; i++) {
        const t = T0 + generation * 7_200_000 + i * 1_000_000;
        clock.step(t - clock.now());
        await store
          .writer(A)
          .appendSamples(
            Array.from({ length: 400 }, (_, s) =>
              sample('container_cpu', t, s, { pod: `pod-${generation}-${s}`, namespace: 'n' }),
            ),
          );
      }
      await store.maintain({ all: true });
      expect(store.stats(A).activeSeries).toBe(0);
      sizes.push(store.stats(A).memoryBytes);
    }
    expect(Math.max(...sizes.slice(6))).toBeLessThanOrEqual(1.1 * Math.max(...sizes.slice(0, 3)));
    sizes = [];
    const pods = await store.reader(A).labelValues('pod', [], EVERYTHING);
    expect(pods).toHaveLength(4_800);
  });

  it('stops a flood of labels at the quota, and takes old and new series again after it', async () => {
    using folder = temporaryFolder();
    const clock = new FakeClock(T0);
    await using store = await openStore(folder.path, { clock, quota: () => ({ activeSeriesMax: 1_000 }) });
    await store.writer(A).appendSamples([sample('steady', T0, 1)]);
    let refused = 0;
    for (let i = 0; i < 50; i++) {
      const flood = Array.from({ length: 200 }, (_, s) => sample('flood', T0 + i, 1, { id: `${i}-${s}` }));
      refused += (await store.writer(A).appendSamples(flood)).rejected.series_quota ?? 0;
    }
    expect(refused).toBe(50 * 200 - 999);
    expect((await store.writer(A).appendSamples([sample('steady', T0 + 100, 2)])).rejected).toEqual({});
    expect((await store.writer(B).appendSamples([sample('other', T0, 1)])).rejected).toEqual({});
    await store.maintain({ all: true });
    expect((await store.writer(A).appendSamples([sample('fresh', T0 + 200, 2)])).rejected).toEqual({});
  });
});

describe('hash collisions', () => {
  /** Keys with the same slot under a known seed, found by search. */
  function colliding(seed: number, n: number): Uint8Array[] {
    const out: Uint8Array[] = [];
    for (let i = 0; out.length < n; i++) {
      const key = Buffer.from(`key-${i.toString(36)}`);
      if ((hashOf(seed, key, 0, key.length) & 0xfff) === 5) out.push(key);
    }
    return out;
  }

  it('a flood of colliding keys makes the cache choose another seed and stays right', () => {
    const seed = 12345;
    const cache = new KeyCache(seed);
    const keys = colliding(seed, 1_200);
    const put = (key: Uint8Array, ref: number): void => {
      const view = new DataView(key.buffer, key.byteOffset, key.byteLength);
      expect(cache.find(NO_SERIES, key, view, 0, key.length)).toBe(NO_SERIES);
      cache.add(NO_SERIES, key, 0, key.length, ref);
    };
    keys.forEach(put);
    expect(cache.reseeds).toBeGreaterThan(0);
    keys.forEach((key, i) => {
      const entry = cache.find(NO_SERIES, key, new DataView(key.buffer, key.byteOffset, key.byteLength), 0, key.length);
      expect(cache.ref(entry)).toBe(i);
    });
  });
});

describe('late histograms', () => {
  it('are taken within the window and come back in order, also from log and block', async () => {
    using folder = temporaryFolder();
    const h = (count: number) => ({
      schema: 0,
      zeroThreshold: 0,
      zeroCount: count,
      count,
      sum: 1,
      counterResetHint: 'unknown' as const,
      positiveSpans: [],
      positiveBuckets: [],
      negativeSpans: [],
      negativeBuckets: [],
    });
    const quota = () => ({ outOfOrderWindowMs: 60_000 });
    for (const round of ['write', 'log', 'block']) {
      await using store = await openStore(folder.path, { quota });
      if (round === 'write') {
        for (const t of [10_000, 30_000, 20_000, 25_000]) {
          const s = { ...sample('h', T0 + t, 0), histogram: h(t) };
          expect(await store.writer(A).appendSamples([s])).toMatchObject({ histogramsAccepted: 1, rejected: {} });
        }
        const again = { ...sample('h', T0 + 20_000, 0), histogram: h(1) };
        expect((await store.writer(A).appendSamples([again])).rejected).toEqual({ duplicate_timestamp: 1 });
        const old = { ...sample('h', T0 - 40_000, 0), histogram: h(1) };
        expect((await store.writer(A).appendSamples([old])).rejected).toEqual({ out_of_order: 1 });
      }
      if (round === 'block') await store.maintain({ all: true });
      const [s] = await store.reader(A).select(named('h'), EVERYTHING);
      expect(s!.histograms!.map((x) => x!.count)).toEqual([10_000, 20_000, 25_000, 30_000]);
      expect(existsSync(path.join(folder.path, 'tenants/a/blocks'))).toBe(round === 'block');
    }
  });
});
