import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { PLATFORM_TENANT, type TenantId, tenantId } from '../model/tenant.ts';
import type { MetricsReader } from '../store/metrics.ts';
import { TenantUsage, USAGE_FRESH_MS, USAGE_TENANTS_MAX, USUAL_FRESH_MS, type UseRange } from './tenant-usage.ts';

const a = tenantId('a');
const b = tenantId('b');
const c = tenantId('c');
const NOW = Date.UTC(2026, 2, 2, 10);

interface Use {
  readonly labels?: Record<string, string>;
  readonly at: (atMs: number) => number;
}

function world(tenants: readonly TenantId[], use: (tenant: TenantId, expr: string) => readonly Use[]) {
  const clock = new FakeClock(NOW);
  const audited: unknown[] = [];
  const asked: { tenant: TenantId; range: UseRange }[] = [];
  const readers = new Map<TenantId, MetricsReader>();
  const usage = new TenantUsage({
    reader: (t) => {
      const made = readers.get(t) ?? ({ tenant: t } as unknown as MetricsReader);
      readers.set(t, made);
      return made;
    },
    audit: async (context, action, target, _before, after) =>
      void audited.push([context.tenant, context.principal.name, action, target, after]),
    tenants: () => tenants,
    queries: () => ({ platform: 'by customer', tenant: 'own', label: 'tenant_id' }),
    evaluate: async (tenant, reader, expr, range) => {
      expect(reader).toBe(readers.get(tenant));
      asked.push({ tenant, range });
      const times: number[] = [];
      for (let t = range.startMs; t <= range.endMs; t += range.stepMs) times.push(t);
      return use(tenant, expr).map((u) => ({
        label: (n) => u.labels?.[n] ?? '',
        points: times.map((t) => [t, u.at(t)] as const),
      }));
    },
    clock,
  });
  return { clock, usage, audited, asked };
}
const jump = (usual: number, now: number) => (atMs: number) => (atMs >= NOW - 10 * 60_000 ? now : usual);

describe('TenantUsage', () => {
  it("reads the platform's telemetry by customer, through an audited platform reader", async () => {
    const w = world([PLATFORM_TENANT, a], (t, expr) =>
      t === PLATFORM_TENANT && expr === 'by customer'
        ? [
            { labels: { tenant_id: 'one' }, at: jump(10, 90) },
            { labels: { tenant_id: 'two' }, at: () => 10 },
            { at: () => 1_000 },
            { labels: { tenant_id: 'broken' }, at: () => Number.NaN },
          ]
        : [],
    );
    expect(await w.usage.current()).toEqual([
      { tenant: 'one', share: 0.9, usualShare: 0.5 },
      { tenant: 'two', share: 0.1, usualShare: 0.5 },
    ]);
    expect(w.audited).toEqual([
      [
        PLATFORM_TENANT,
        'vigie',
        'platform.read',
        'use per tenant, for the verdict of incidents',
        { tenants: [PLATFORM_TENANT, a] },
      ],
    ]);
  });

  it("asks each tenant's own store where the platform knows nothing", async () => {
    const w = world([PLATFORM_TENANT, a, b, c], (t) =>
      t === PLATFORM_TENANT ? [] : [{ at: t === b ? jump(1, 8) : () => 1 }],
    );
    expect(await w.usage.current()).toEqual([
      { tenant: 'b', share: 0.8, usualShare: 1 / 3 },
      { tenant: 'a', share: 0.1, usualShare: 1 / 3 },
      { tenant: 'c', share: 0.1, usualShare: 1 / 3 },
    ]);
  });

  it('says nothing of one tenant alone, of more than it may ask, and calls a newcomer usual', async () => {
    expect(await world([a], () => [{ at: () => 1 }]).usage.current()).toEqual([]);
    const many = Array.from({ length: USAGE_TENANTS_MAX + 1 }, (_, i) => tenantId(`t${i}`));
    const crowd = world(many, () => [{ at: () => 1 }]);
    expect(await crowd.usage.current()).toEqual([]);
    expect(crowd.asked).toEqual([]);
    const fresh = world([a, b], (t) => [{ at: t === a ? jump(0, 9) : () => 1 }]);
    expect((await fresh.usage.current())[0]).toEqual({ tenant: 'a', share: 0.9, usualShare: 0.9 });
  });

  it('looks at most once a minute, works out the usual once an hour, and tries again after a failure', async () => {
    let fail = true;
    const w = world([a, b], () => {
      if (fail) throw new Error('no store');
      return [{ at: () => 1 }];
    });
    await expect(w.usage.current()).rejects.toThrow('no store');
    fail = false;
    await Promise.all([w.usage.current(), w.usage.current()]);
    const long = () => w.asked.filter(({ range }) => range.endMs > range.startMs).length;
    expect([w.audited.length, long()]).toEqual([2, 2]);
    await w.clock.advance(USAGE_FRESH_MS);
    await w.usage.current();
    expect([w.audited.length, long()]).toEqual([3, 2]);
    await w.clock.advance(USUAL_FRESH_MS);
    await w.usage.current();
    expect(long()).toBe(4);
  });
});
