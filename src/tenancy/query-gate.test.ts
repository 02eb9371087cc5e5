import { describe, expect, it } from 'vitest';
import { FakeClock, settle } from '../../test/support/fake-clock.ts';
import { tenantId } from '../model/tenant.ts';
import { QueryGate, WAITING_MAX } from './query-gate.ts';

const a = tenantId('a');
const b = tenantId('b');

function blocked() {
  let release!: () => void;
  const done = new Promise<void>((resolve) => {
    release = resolve;
  });
  return { done, release };
}

describe('QueryGate', () => {
  it('runs so many at a time per tenant, in order, and another tenant at once', async () => {
    const gate = new QueryGate(new FakeClock(), () => 2);
    const log: string[] = [];
    const holds = [blocked(), blocked(), blocked()];
    const runs = holds.map((h, i) =>
      gate.run(a, undefined, async () => {
        log.push(`start ${i}`);
        await h.done;
      }),
    );
    await settle();
    expect(log).toEqual(['start 0', 'start 1']);
    await gate.run(b, undefined, () => log.push('b'));
    holds[0]!.release();
    await settle();
    expect(log).toEqual(['start 0', 'start 1', 'b', 'start 2']);
    for (const h of holds) h.release();
    await Promise.all(runs);
    expect(gate.running(a)).toBe(0);
  });

  it('refuses with 429 when the wait is over or too long, and leaves on abort', async () => {
    const clock = new FakeClock();
    const gate = new QueryGate(clock, () => 1);
    const hold = blocked();
    const first = gate.run(a, undefined, () => hold.done);
    const late = gate.run(a, undefined, () => 'never').catch((e) => e.code);
    const controller = new AbortController();
    const left = gate.run(a, controller.signal, () => 'never').catch((e) => e.message);
    controller.abort(new Error('gone'));
    expect(await left).toBe('gone');
    await clock.advance(10_000);
    expect(await late).toBe('quota');
    const crowd = Array.from({ length: WAITING_MAX + 5 }, () =>
      gate.run(a, undefined, () => 'ok').catch((e) => e.code),
    );
    await settle();
    hold.release();
    const results = await Promise.all(crowd);
    expect(results.filter((r) => r === 'quota')).toHaveLength(5);
    await first;
    expect(clock.pendingTimers).toBe(0);
  });
});
