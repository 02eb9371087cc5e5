import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { tenantId } from '../model/tenant.ts';
import { type LiveResult, QuerySubscriptions } from './query-subscriptions.ts';

const a = tenantId('a');
const b = tenantId('b');

function setup() {
  const clock = new FakeClock(1_000_000_500);
  const calls: string[] = [];
  const live = new QuerySubscriptions<string>(clock, async (context, expr, atMs) => {
    calls.push(`${context} ${expr} ${atMs}`);
    if (expr === 'bad') throw new Error('no such thing');
    return [{ metric: { tenant: context }, value: [atMs / 1000, '1'] }];
  });
  return { clock, calls, live };
}

describe('QuerySubscriptions', () => {
  it('evaluates once per aligned step for all viewers of a tenant, and apart for another tenant', async () => {
    const { clock, calls, live } = setup();
    const got: LiveResult[][] = [[], [], []];
    const query = { expr: 'up', stepMs: 5_000 };
    const stops = [
      live.add(a, '', 'A', query, (r) => got[0]!.push(r)),
      live.add(a, '', 'A', query, (r) => got[1]!.push(r)),
      live.add(b, '', 'B', query, (r) => got[2]!.push(r)),
    ];
    await clock.advance(10_000);
    expect(calls).toEqual(['A up 1000005000', 'B up 1000005000', 'A up 1000010000', 'B up 1000010000']);
    expect(got.map((g) => g.length)).toEqual([2, 2, 2]);
    expect(got[2]![0]!.result![0]!.metric).toEqual({ tenant: 'B' });
    for (const stop of stops) stop();
    expect(clock.pendingTimers).toBe(0);
    expect(live.count(a)).toBe(0);
  });

  it('hands the newest result to a late viewer at once, and errors as errors', async () => {
    const { clock, live } = setup();
    live.add(a, '', 'A', { expr: 'bad', stepMs: 1_000 }, () => {});
    await clock.advance(1_000);
    const late: LiveResult[] = [];
    live.add(a, '', 'A', { expr: 'bad', stepMs: 1_000 }, (r) => late.push(r));
    expect(late).toEqual([{ atMs: 1_000_001_000, error: 'no such thing' }]);
    live.close();
    expect(clock.pendingTimers).toBe(0);
  });

  it('refuses steps too short and queries too many, and keeps views apart', () => {
    const { live, calls } = setup();
    expect(() => live.add(a, '', 'A', { expr: 'up', stepMs: 10 }, () => {})).toThrow(/at least 1000 ms/);
    live.add(a, '', 'A', { expr: '1', stepMs: 1_000 }, () => {}, 2);
    live.add(a, 'view', 'A', { expr: '1', stepMs: 1_000 }, () => {}, 2);
    expect(live.count(a)).toBe(2);
    expect(() => live.add(a, '', 'A', { expr: '2', stepMs: 1_000 }, () => {}, 2)).toThrow(/at most 2/);
    expect(calls).toEqual([]);
    live.close();
  });
});
