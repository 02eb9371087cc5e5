/** A reading of many series gives way to others, and what they do meanwhile leaves its answer whole. */
import { describe, expect, it, vi } from 'vitest';
import { FakeClock } from '../../../../test/support/fake-clock.ts';
import { named, openStore, rowsOf, sample, T0 } from '../../../../test/support/metrics-store.ts';
import { temporaryFolder } from '../../../../test/support/peers.ts';
import { tenantId } from '../../../model/tenant.ts';
import type { EmbeddedMetricsStore } from './embedded-metrics-store.ts';

const A = tenantId('a');
const SERIES = 3_000;
const RANGE = { startMs: 0, endMs: T0 + 7_199_999 };

/** Each look at it costs two milliseconds, so that every reading is a long one. */
class SlowClock extends FakeClock {
  #looks = 0;
  slow = false;

  override monotonicMs(): number {
    if (this.slow) this.#looks++;
    return super.monotonicMs() + 2 * this.#looks;
  }
}

const filled = async (folder: string): Promise<{ store: EmbeddedMetricsStore; clock: SlowClock }> => {
  const clock = new SlowClock(T0 + 3_600_000);
  const store = await openStore(folder, { clock });
  for (let t = 0; t < 3; t++)
    await store
      .writer(A)
      .appendSamples(
        Array.from({ length: SERIES }, (_, s) =>
          sample(s < SERIES / 2 ? 'm' : 'n', T0 + t * 15_000, s * 10 + t, { s: String(s) }),
        ),
      );
  return { store, clock };
};

/** Of `m`, each series with its own three values. */
const expectWhole = (rows: Record<string, [number, number][]>): void => {
  expect(Object.keys(rows).length).toBe(SERIES / 2);
  for (let s = 0; s < SERIES / 2; s++)
    expect(rows[`m{s="${s}"}`]).toEqual([0, 1, 2].map((t) => [T0 + t * 15_000, s * 10 + t]));
};

/** The answer to a reading whose first pause lasts until `meanwhile` has ended. */
async function during(
  store: EmbeddedMetricsStore,
  clock: SlowClock,
  meanwhile: () => Promise<unknown>,
): Promise<Record<string, [number, number][]>> {
  let resume: (() => void) | undefined;
  const turn = vi.spyOn(globalThis, 'setImmediate').mockImplementationOnce(((callback: () => void) => {
    resume = callback;
  }) as never);
  clock.slow = true;
  const answer = store.reader(A).select(named('m'), RANGE);
  clock.slow = false;
  turn.mockRestore();
  expect(answer).toBeInstanceOf(Promise);
  await meanwhile();
  clock.slow = true;
  resume!();
  const rows = rowsOf(await answer);
  clock.slow = false;
  return rows;
}

describe('a long reading', () => {
  it('is at once while its slice lasts', async () => {
    using folder = temporaryFolder();
    const { store } = await filled(folder.path);
    await using _ = store;
    const answer = store.reader(A).select(named('m'), RANGE);
    expect(answer).not.toBeInstanceOf(Promise);
    expectWhole(rowsOf(await answer));
  });

  it('gives way, and answers what an undivided one does', async () => {
    using folder = temporaryFolder();
    const { store, clock } = await filled(folder.path);
    await using _ = store;
    let turns = 0;
    const rows = await during(store, clock, async () => {
      for (; turns < 3; turns++) await new Promise((resolve) => setImmediate(resolve));
    });
    expect(turns).toBe(3);
    expectWhole(rows);
  });

  it('gives way while it puts together what blocks hold, too', async () => {
    using folder = temporaryFolder();
    const { store, clock } = await filled(folder.path);
    await using _ = store;
    const turnsOf = async (): Promise<number> => {
      const turn = vi.spyOn(globalThis, 'setImmediate');
      clock.slow = true;
      const rows = rowsOf(await store.reader(A).select(named('m'), RANGE));
      clock.slow = false;
      const turns = turn.mock.calls.length;
      turn.mockRestore();
      expectWhole(rows);
      return turns;
    };
    const fromMemory = await turnsOf();
    await store.maintain({ all: true });
    // the index of the block is read once
    await store.reader(A).select(named('m'), RANGE);
    expect(fromMemory).toBeGreaterThanOrEqual(1);
    expect(await turnsOf()).toBeGreaterThan(fromMemory);
  });

  it('loses nothing to a window that is cut in a pause', async () => {
    using folder = temporaryFolder();
    const { store, clock } = await filled(folder.path);
    await using _ = store;
    const rows = await during(store, clock, () => store.maintain({ all: true }));
    expectWhole(rows);
  });

  it('never takes the samples of a series that got the number of a forgotten one', async () => {
    using folder = temporaryFolder();
    const { store, clock } = await filled(folder.path);
    await using _ = store;
    const rows = await during(store, clock, async () => {
      await store.maintain({ all: true });
      await store
        .writer(A)
        .appendSamples(Array.from({ length: SERIES }, (_, s) => sample('other', T0 + 7_000_000, -s, { s: `x${s}` })));
    });
    expectWhole(rows);
  });

  it('answers nothing of a tenant that was removed in a pause, nor of another in its place', async () => {
    using folder = temporaryFolder();
    const { store, clock } = await filled(folder.path);
    await using _ = store;
    const read = during(store, clock, async () => {
      await store.deleteTenant(A);
      await store
        .writer(tenantId('b'))
        .appendSamples(Array.from({ length: SERIES }, (_, s) => sample('m', T0 + 1_000, -s, { s: String(s) })));
    });
    expect(await read.catch(() => ({}))).toEqual({});
  });

  it('ends when its asker has gone', async () => {
    using folder = temporaryFolder();
    const { store, clock } = await filled(folder.path);
    await using _ = store;
    const gone = new AbortController();
    clock.slow = true;
    const answer = Promise.resolve(store.reader(A).select(named('m'), RANGE, { signal: gone.signal }));
    gone.abort();
    await expect(answer).rejects.toThrow(/abort/);
  });

  it('counts samples over all its pieces', async () => {
    using folder = temporaryFolder();
    const { store, clock } = await filled(folder.path);
    await using _ = store;
    clock.slow = true;
    const least = 3 * (SERIES / 2);
    const answer = Promise.resolve(store.reader(A).select(named('m'), RANGE, { samplesMax: least - 1 }));
    await expect(answer).rejects.toThrow(`more than ${least - 1} samples`);
    await store.reader(A).select(named('m'), RANGE, { samplesMax: least });
  });
});
