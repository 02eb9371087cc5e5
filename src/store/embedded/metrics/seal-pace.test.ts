/** Series that fill their chunks at the same time are sealed over several requests, and nothing of it shows. */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { FakeClock } from '../../../../test/support/fake-clock.ts';
import { named, openStore, rowsOf, sample, T0 } from '../../../../test/support/metrics-store.ts';
import { temporaryFolder } from '../../../../test/support/peers.ts';
import { tenantId } from '../../../model/tenant.ts';
import type { EmbeddedMetricsStore } from './embedded-metrics-store.ts';
import { HeadWindow } from './head-window.ts';

const A = tenantId('a');
const SERIES = 400;
/** What one request of all series may seal without need. */
const BUDGET = 64 + SERIES / 4;
const STEP_MS = 15_000;
const WINDOW_MS = 7_200_000;

afterEach(() => void vi.restoreAllMocks());

/** Writes rounds of all series from `fromMs` on; answers how many chunks each sealed. */
async function write(store: EmbeddedMetricsStore, fromMs: number, rounds: number): Promise<number[]> {
  const sealed = vi.spyOn(HeadWindow.prototype, 'addChunk');
  const out: number[] = [];
  for (let r = 0; r < rounds; r++) {
    const before = sealed.mock.calls.length;
    const result = await store
      .writer(A)
      .appendSamples(
        Array.from({ length: SERIES }, (_, s) => sample('m', fromMs + r * STEP_MS, s * 1_000 + r, { s: String(s) })),
      );
    expect(result.samplesAccepted).toBe(SERIES);
    out.push(sealed.mock.calls.length - before);
  }
  sealed.mockRestore();
  return out;
}

/** All at once, and what lies on either side of the window's edge, for which one block or the other is not looked at. */
async function expectWhole(store: EmbeddedMetricsStore, fromMs: number, rounds: number): Promise<void> {
  const endMs = fromMs + rounds * STEP_MS;
  const edgeMs = Math.ceil(fromMs / WINDOW_MS) * WINDOW_MS;
  for (const range of [
    { startMs: 0, endMs },
    { startMs: 0, endMs: edgeMs - 1 },
    { startMs: edgeMs, endMs },
  ]) {
    const rows = rowsOf(await store.reader(A).select(named('m'), range));
    for (let s = 0; s < SERIES; s++)
      expect(rows[`m{s="${s}"}`] ?? []).toEqual(
        Array.from({ length: rounds }, (_, r) => [fromMs + r * STEP_MS, s * 1_000 + r]).filter(
          ([t]) => t! >= range.startMs && t! <= range.endMs,
        ),
      );
  }
}

describe('sealing', () => {
  // the 121st sample of each comes with room to spare, the first of a new window with chunks of any length before it
  const edge = Math.ceil(T0 / WINDOW_MS) * WINDOW_MS;
  it.each([
    ['full chunks', edge + STEP_MS, 260],
    ['the end of a window, half full', edge - 60 * STEP_MS, 90],
    ['the end of a window, just full', edge - 120 * STEP_MS, 140],
    ['the end of a window while full chunks wait', edge - 122 * STEP_MS, 300],
  ])('is spread over requests: %s', async (_name, fromMs, rounds) => {
    using folder = temporaryFolder();
    const clock = new FakeClock(fromMs + rounds * STEP_MS);
    {
      await using store = await openStore(folder.path, { clock });
      const sealed = await write(store, fromMs, rounds);
      expect(Math.max(...sealed)).toBe(BUDGET);
      const chunks = sealed.reduce((sum, n) => sum + n, 0);
      expect(chunks % SERIES).toBe(0);
      expect(chunks).toBeGreaterThanOrEqual(SERIES);
      await expectWhole(store, fromMs, rounds);
    }
    {
      // the log tells it again, with chunks that were sealed after later samples
      await using store = await openStore(folder.path, { clock });
      await expectWhole(store, fromMs, rounds);
      await store.maintain({ all: true });
      await expectWhole(store, fromMs, rounds);
    }
    await using store = await openStore(folder.path, { clock });
    await expectWhole(store, fromMs, rounds);
  });

  it('waits no longer than there is room', async () => {
    using folder = temporaryFolder();
    const clock = new FakeClock(edge + 400 * STEP_MS);
    await using store = await openStore(folder.path, { clock });
    // several samples of each series in a request: the budget, which is for series, is spent long before they are in
    const rounds = 240;
    const all = Array.from({ length: SERIES * rounds }, (_, i) => {
      const [s, r] = [Math.floor(i / rounds), i % rounds];
      return sample('m', edge + r * STEP_MS, s * 1_000 + r, { s: String(s) });
    });
    expect((await store.writer(A).appendSamples(all)).samplesAccepted).toBe(all.length);
    await expectWhole(store, edge, rounds);
    await store.maintain({ all: true });
    await expectWhole(store, edge, rounds);
  });
});
