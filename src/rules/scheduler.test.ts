import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { groupOffsetNs, slotAtOrBefore } from './group-offset.ts';
import { type ScheduledRun, Scheduler } from './scheduler.ts';

describe('slotAtOrBefore', () => {
  it('is at the offset, not after the time, and not a whole interval before it', () => {
    for (const name of ['a', 'b', 'long name of a group'])
      for (const interval of [1_000, 15_000, 60_000])
        for (const now of [0, 1, 999, 1_767_225_600_123]) {
          const offset = groupOffsetNs(name, 'f.yml', interval);
          const slot = slotAtOrBefore(now, offset, interval);
          expect(slot).toBeLessThanOrEqual(now);
          expect(slot).toBeGreaterThan(now - interval - 1);
          expect(((slot % interval) + interval) % interval).toBe(Number(offset / 1_000_000n));
        }
  });
});

interface Log {
  readonly name: string;
  readonly at: number;
  readonly run: ScheduledRun;
}

function world(concurrency = 2, perTenant = 1) {
  const clock = new FakeClock();
  const scheduler = new Scheduler(clock, concurrency, perTenant);
  const log: Log[] = [];
  const add = (tenant: string, name: string, tookMs = 0, intervalMs = 10_000) =>
    scheduler.add({
      tenant,
      name,
      file: 'f',
      intervalMs,
      run: async (run) => {
        log.push({ name, at: clock.now(), run });
        if (tookMs > 0) await new Promise<void>((resolve) => clock.setTimer(resolve, tookMs));
      },
    });
  return { clock, scheduler, log, add };
}

describe('Scheduler', () => {
  it('runs each group at its own slots', async () => {
    const { clock, log, add } = world();
    add('a', 'one');
    add('b', 'two', 0, 5_000);
    await clock.advance(60_000);
    const of = (name: string): Log[] => log.filter((l) => l.name === name);
    expect(of('one')).toHaveLength(6);
    expect(of('two')).toHaveLength(12);
    for (const l of log) expect(l).toMatchObject({ at: l.run.slotMs, run: { missed: 0 } });
  });

  it('counts what a slow run misses and goes on at the newest slot', async () => {
    const { clock, log, add } = world();
    add('a', 'slow', 34_000);
    await clock.advance(120_000);
    expect(log[1]!.run).toMatchObject({ missed: 2, slotMs: log[0]!.run.slotMs + 30_000 });
    // every slot was run or missed
    const slots = log.slice(1).reduce((n, l) => n + 1 + l.run.missed, 0);
    expect(log.at(-1)!.run.slotMs - log[0]!.run.slotMs).toBe(slots * 10_000);
  });

  it('gives every tenant a turn before one has another', async () => {
    const { clock, log, add } = world(1, 1);
    for (let i = 0; i < 8; i++) add('greedy', `g${i}`, 900, 60_000);
    add('modest', 'm', 0, 60_000);
    await clock.advance(60_000);
    await clock.advance(60_000);
    const m = log.filter((l) => l.name === 'm');
    expect(m.length).toBeGreaterThanOrEqual(1);
    // never more than one run of the other tenant lies between its slot and its run
    for (const l of m) expect(l.at - l.run.slotMs).toBeLessThanOrEqual(900);
  });

  it('stops a cancelled group after the run in flight', async () => {
    const { clock, log, add } = world();
    const scheduled = add('a', 'x', 3_000);
    await clock.advance(11_000);
    const before = log.length;
    let done = false;
    const cancelled = scheduled.cancel().then(() => (done = true));
    await clock.advance(1);
    await clock.advance(20_000);
    await cancelled;
    expect(done).toBe(true);
    expect(log).toHaveLength(before);
  });

  it('is not thrown off by a clock that steps', async () => {
    const { clock, log, add } = world();
    add('a', 'x');
    await clock.advance(30_000);
    clock.step(-3_600_000);
    await clock.advance(60_000);
    expect(log.length).toBeGreaterThanOrEqual(7);
    clock.step(3_600_000);
    await clock.advance(30_000);
    expect(log.at(-1)!.at - log.at(-1)!.run.slotMs).toBeLessThan(10_000);
    expect(log.reduce((n, l) => n + l.run.missed, 0)).toBeGreaterThan(300);
  });

  it('ends with the runs in flight', async () => {
    const { clock, scheduler, log, add } = world();
    add('a', 'x', 2_000);
    await clock.advance(10_000);
    const closing = scheduler[Symbol.asyncDispose]();
    await clock.advance(60_000);
    await closing;
    expect(log).toHaveLength(1);
  });
});
