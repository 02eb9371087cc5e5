import { cpSync } from 'node:fs';
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
  T0,
} from '../../../../test/support/metrics-store.ts';
import { temporaryFolder } from '../../../../test/support/peers.ts';
import type { Sample } from '../../../model/sample.ts';
import { tenantId } from '../../../model/tenant.ts';

const A = tenantId('a');
const LATE = { quota: () => ({ outOfOrderWindowMs: 3_600_000 }) };

/** Round r of three series; every third round one of them is half an interval late and one a whole round. */
function roundAt(r: number, startMs = T0): Sample[] {
  const t = startMs + r * 10_000;
  const out = [sample('a', t, r * 1.5), sample('b', t, Math.sin(r)), sample('c', t, r % 9 === 0 ? Number.NaN : r)];
  if (r % 3 === 2) out.push(sample('a', t - 5_000, -r), sample('b', t - 15_000, r / 7));
  return out;
}

describe('replay of the log', () => {
  it('takes sealed chunks instead of their samples, and late samples beside them', async () => {
    using folder = temporaryFolder();
    let want: ReturnType<typeof rowsOf> = {};
    for (let start = 0; start < 330; start += 110) {
      await using store = await openStore(folder.path, LATE);
      expect(rowsOf(await store.reader(A).select(ANY_SERIES, EVERYTHING))).toEqual(want);
      for (let r = start; r < start + 110; r++) {
        const got = await store.writer(A).appendSamples(roundAt(r));
        expect(got.samplesAccepted, got.examples.join()).toBe(roundAt(r).length);
      }
      want = rowsOf(await store.reader(A).select(ANY_SERIES, EVERYTHING));
    }
    await using store = await openStore(folder.path, LATE);
    expect(rowsOf(await store.reader(A).select(ANY_SERIES, EVERYTHING))).toEqual(want);
    // chunks of 120 whatever the restarts: two of each series
    expect(store.replay).toMatchObject({ inChunks: 3 * 240, damagedSpans: 0, orphans: 0 });
    expect(store.stats(A).samplesTotal).toBe(Object.values(want).reduce((n, rows) => n + rows.length, 0));
    const again = await store.writer(A).appendSamples([sample('a', T0 + 3_290_000, 329 * 1.5)]);
    expect(again).toMatchObject({ samplesAccepted: 1, rejected: {} });
    const other = await store.writer(A).appendSamples([sample('a', T0 + 3_290_000, 1)]);
    expect(other.rejected).toEqual({ duplicate_timestamp: 1 });
  });

  it('takes no chunk for samples that a block holds', async () => {
    using folder = temporaryFolder();
    {
      await using store = await openStore(folder.path);
      const write = async (from: number, to: number): Promise<void> => {
        for (let r = from; r < to; r++) await store.writer(A).appendSamples([sample('a', T0 + r * 10_000, r)]);
      };
      await write(0, 150);
      await store.maintain({ all: true });
      await write(150, 300);
    }
    await using store = await openStore(folder.path);
    const [rows] = Object.values(rowsOf(await store.reader(A).select(named('a'), EVERYTHING)));
    expect(rows).toEqual(Array.from({ length: 300 }, (_, r) => [T0 + r * 10_000, r]));
    expect(store.replay.inChunks).toBe(120);
  });

  it('logs no chunks beside segments of the first format, whose late samples they would hide', async () => {
    using copy = temporaryFolder();
    const folder = path.join(copy.path, 'metrics');
    const fixture = path.join(import.meta.dirname, '../../../../test/fixtures/release-0.1.0/metrics');
    cpSync(fixture, folder, { recursive: true });
    const [tenant] = [tenantId('alpha')];
    const late = named('late');
    let want: ReturnType<typeof rowsOf> = {};
    {
      await using store = await openStore(folder, { ...LATE, clock: new FakeClock(T0 + 86_400_000) });
      const [before] = await store.reader(tenant).select(late, EVERYTHING);
      const last = before!.timestamps[before!.length - 1]!;
      const { labels } = before!;
      for (let r = 1; r < 200; r++)
        await store.writer(tenant).appendSamples([{ labels, timestampMs: last + r * 1_000, value: r }]);
      want = rowsOf(await store.reader(tenant).select(late, EVERYTHING));
    }
    {
      await using store = await openStore(folder, { ...LATE, clock: new FakeClock(T0 + 86_400_000) });
      expect(rowsOf(await store.reader(tenant).select(late, EVERYTHING))).toEqual(want);
      expect(store.replay.inChunks).toBe(0);
      await store.maintain({ all: true });
    }
    await using store = await openStore(folder, { ...LATE, clock: new FakeClock(T0 + 86_400_000) });
    expect(rowsOf(await store.reader(tenant).select(late, EVERYTHING))).toEqual(want);
  });
});
