/** The real worker thread: same answers as without it, forecasts first, faults fail alone, and the event loop stays free. */
import { setTimeout as wait } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../lib/clock.ts';
import { fitOne } from './fit.ts';
import { FitPool } from './fit-pool.ts';
import type { FitRequest } from './fit-protocol.ts';

const request = (n = 800): FitRequest => ({
  values: Float64Array.from({ length: n }, (_, i) => 100 + 20 * Math.sin((2 * Math.PI * i) / 24) + ((i * 7919) % 13)),
  stepSeconds: 3600,
  horizon: 24,
  method: 'ensemble',
  levels: [0.95],
  threshold: { above: 130 },
});

describe('fit pool', () => {
  it('answers as the function itself', async () => {
    await using pool = new FitPool(systemClock);
    const [result] = await pool.forecast([request()]);
    expect(result).toEqual(fitOne(request()));
    expect(pool.busyMs).toBeGreaterThan(0);
  });

  it('keeps the event loop free while it works', async () => {
    await using pool = new FitPool(systemClock);
    await pool.forecast([request()]);
    let turns = 0;
    const busyBefore = pool.busyMs;
    const timer = setInterval(() => {
      turns++;
    }, 5);
    const results = await pool.forecast(Array.from({ length: 120 }, () => request(2_000)));
    clearInterval(timer);
    expect(results).toHaveLength(120);
    const busyMs = pool.busyMs - busyBefore;
    expect(busyMs).toBeGreaterThan(100);
    // fits on this thread would leave no turn at all until the last was done
    expect(turns).toBeGreaterThan(busyMs / 50);
  });

  it('fails one broken request alone and goes on', async () => {
    await using pool = new FitPool(systemClock);
    const broken = { ...request(), values: undefined } as unknown as FitRequest;
    await expect(pool.forecast([broken])).rejects.toMatchObject({ code: 'execution' });
    expect(await pool.forecast([request(100)])).toHaveLength(1);
  });

  it('rejects what waits when it is stopped, and what comes after', async () => {
    const pool = new FitPool(systemClock);
    const waiting = Promise.allSettled([pool.forecast([request()]), pool.forecast([request()])]);
    await wait(1);
    await pool[Symbol.asyncDispose]();
    for (const w of await waiting) expect(w).toMatchObject({ status: 'rejected', reason: { code: 'canceled' } });
    await expect(pool.forecast([request()])).rejects.toMatchObject({ code: 'canceled' });
  });

  it('bounds its queue', async () => {
    const pool = new FitPool(systemClock);
    const all = Array.from({ length: 260 }, () => pool.forecast([request(60)]).catch((e: unknown) => e));
    await pool[Symbol.asyncDispose]();
    const codes = (await Promise.all(all)).map((r) => (r as { code?: string }).code);
    expect(codes.filter((c) => c === 'unavailable').length).toBeGreaterThanOrEqual(50);
  });
});
