import { describe, expect, it } from 'vitest';
import type { Columns, RangeSeries } from '../lib/series.ts';
import { LiveTail, MEND_EVERY_MS } from './live-tail.ts';

const STEP_MS = 10_000;
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A query whose value is its time in seconds; `lost` are steps that the store learns of only later. */
function setUp(options: { onGrid?: boolean; windowMs?: number; base?: readonly number[] } = {}) {
  const { onGrid = true, windowMs = 60_000, base = [0, 10, 20, 30] } = options;
  const asked: [number, number][] = [];
  const state = {
    now: 30_000,
    columns: { times: [...base], series: [{ metric: { a: '1' }, values: [...base] }] } as Columns | undefined,
    refetched: 0,
    failing: false,
    corrected: 0,
  };
  const tail = new LiveTail(
    { stepMs: STEP_MS, onGrid },
    {
      read: () => state.columns,
      write: (columns) => void (state.columns = columns),
      fetch: async (startMs, endMs) => {
        asked.push([startMs / 1_000, endMs / 1_000]);
        if (state.failing) throw new Error('no answer');
        const values: [number, string][] = [];
        for (let t = startMs; t <= endMs; t += STEP_MS) values.push([t / 1_000, String(t / 1_000 + state.corrected)]);
        return [{ metric: { a: '1' }, values }] satisfies RangeSeries[];
      },
      refetch: () => void state.refetched++,
      startAt: (endMs) => endMs - windowMs,
      now: () => state.now,
    },
  );
  const step = (atS: number): void => {
    state.now = atS * 1_000;
    tail.receive({ atMs: atS * 1_000, result: [{ metric: { a: '1' }, value: [atS, String(atS)] }] });
  };
  return { tail, state, asked, step };
}

describe('LiveTail', () => {
  it('appends each step and asks for nothing', async () => {
    const { state, asked, step } = setUp();
    for (const at of [40, 50, 60, 70, 80]) step(at);
    await settled();
    expect(state.columns).toEqual({
      times: [20, 30, 40, 50, 60, 70, 80],
      series: [{ metric: { a: '1' }, values: [20, 30, 40, 50, 60, 70, 80] }],
    });
    expect(asked).toEqual([]);
  });

  it('fills the hole after a sleep by asking for just that, while later steps wait', async () => {
    const { state, asked, step } = setUp({ windowMs: 600_000 });
    step(40);
    step(90);
    step(100);
    await settled();
    expect(asked).toEqual([[50, 80]]);
    expect(state.columns!.times).toEqual([0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100]);
    expect(state.columns!.series[0]!.values).toEqual(state.columns!.times);
  });

  it('asks all anew after a sleep longer than the range', async () => {
    const { state, asked, step } = setUp();
    step(4_000);
    await settled();
    expect(state.refetched).toBe(1);
    expect(asked).toEqual([]);
  });

  it('waits for the first answer, then takes what came meanwhile', () => {
    const { tail, state, step } = setUp();
    const { columns } = state;
    state.columns = undefined;
    step(40);
    state.columns = columns;
    tail.drain();
    expect(state.columns!.times.at(-1)).toBe(40);
  });

  it('loses nothing when filling fails: it tries again, not at once', async () => {
    const { state, asked, step } = setUp({ windowMs: 600_000 });
    state.failing = true;
    step(60);
    await settled();
    step(65);
    await settled();
    expect(asked).toHaveLength(1);
    state.failing = false;
    step(70);
    await settled();
    expect(asked.at(-1)).toEqual([40, 50]);
    expect(state.columns!.times.slice(3)).toEqual([30, 40, 50, 60, 65, 70]);
  });

  it('mends what the store learned late', async () => {
    const { state, asked, step } = setUp({ windowMs: 60_000 });
    state.corrected = 0.5;
    for (let at = 40; at * 1_000 <= 30_000 + MEND_EVERY_MS; at += 10) step(at);
    await settled();
    expect(asked).toEqual([[270, 330]]);
    expect(state.columns!.series[0]!.values).toEqual([270.5, 280.5, 290.5, 300.5, 310.5, 320.5, 330.5]);
  });

  it('without a stream asks only for what is new', async () => {
    const { tail, state, asked } = setUp();
    await tail.catchUp(38_000);
    expect(asked).toEqual([]);
    await tail.catchUp(57_000);
    expect(asked).toEqual([[40, 50]]);
    expect(state.columns!.times).toEqual([0, 10, 20, 30, 40, 50]);
  });

  it('off the grid has the newest value at its own time', async () => {
    const { tail, state, step } = setUp({ onGrid: false });
    step(33);
    step(38);
    expect(state.columns!.times).toEqual([0, 10, 20, 30, 38]);
    await tail.catchUp(44_000);
    expect(state.columns!.times).toEqual([0, 10, 20, 30, 38, 44]);
  });

  it('does nothing once closed', async () => {
    const { tail, state, step } = setUp();
    tail.close();
    step(40);
    await tail.catchUp(90_000);
    expect(state.columns!.times.at(-1)).toBe(30);
  });
});
