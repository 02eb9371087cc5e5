/** What every cache must do; run over memory and Redis. `wait` moves time, on a fake clock or a real one. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { tenantId } from '../../src/model/tenant.ts';
import type { Cache } from '../../src/store/cache.ts';

const a = tenantId('a');
const b = tenantId("b*'()");

export function cacheConformance(
  open: () => Promise<Cache>,
  wait: (ms: number) => Promise<void>,
  eventually: (check: () => boolean) => Promise<void>,
): void {
  const withCache = async (work: (cache: Cache) => Promise<void>): Promise<void> => {
    await using cache = await open();
    for (const t of [a, b]) await cache.deleteTenant(t);
    await work(cache);
  };

  it('keeps values per tenant until they expire or are deleted', () =>
    withCache(async (cache) => {
      await cache.set(a, 'k', 'é🎵', 60_000);
      expect(await cache.get(a, 'k')).toBe('é🎵');
      expect(await cache.get(b, 'k')).toBeUndefined();
      await cache.set(a, 'short', 'x', 30);
      await wait(60);
      expect(await cache.get(a, 'short')).toBeUndefined();
      await cache.delete(a, 'k');
      expect(await cache.get(a, 'k')).toBeUndefined();
      await expect(cache.set(a, 'k', 'x'.repeat(1024 * 1024 + 1), 1_000)).rejects.toThrow(/more than/);
    }));

  it('never lets a tenant see or lose values to another', () =>
    withCache(async (cache) => {
      const operation = fc.record({
        tenant: fc.constantFrom(a, b),
        what: fc.constantFrom('set', 'delete', 'wipe'),
        key: fc.constantFrom('1', '2', '../b/1', '*'),
        value: fc.string({ maxLength: 4 }),
      });
      await fc.assert(
        fc.asyncProperty(fc.array(operation, { maxLength: 15 }), async (operations) => {
          for (const t of [a, b]) await cache.deleteTenant(t);
          const model = new Map<string, Map<string, string>>([
            [a, new Map()],
            [b, new Map()],
          ]);
          for (const o of operations) {
            if (o.what === 'set') await cache.set(o.tenant, o.key, o.value, 60_000);
            else if (o.what === 'delete') await cache.delete(o.tenant, o.key);
            else await cache.deleteTenant(o.tenant);
            if (o.what === 'set') model.get(o.tenant)!.set(o.key, o.value);
            else if (o.what === 'delete') model.get(o.tenant)!.delete(o.key);
            else model.get(o.tenant)!.clear();
          }
          for (const t of [a, b])
            for (const key of ['1', '2', '../b/1', '*']) expect(await cache.get(t, key)).toBe(model.get(t)!.get(key));
        }),
        { numRuns: 30 },
      );
    }));

  it('takes tokens up to the burst, then says when there are more', () =>
    withCache(async (cache) => {
      const limit = { perSecond: 10, burst: 5 };
      expect(await cache.take(a, 'q', 5, limit)).toEqual({ ok: true, retryAfterMs: 0 });
      const refused = await cache.take(a, 'q', 5, limit);
      expect(refused.ok).toBe(false);
      expect(refused.retryAfterMs).toBeGreaterThan(300);
      expect(refused.retryAfterMs).toBeLessThanOrEqual(500);
      expect(await cache.take(b, 'q', 5, limit)).toMatchObject({ ok: true });
      await wait(refused.retryAfterMs + 20);
      expect(await cache.take(a, 'q', 5, limit)).toMatchObject({ ok: true });
      expect(await cache.take(a, 'q', 6, limit)).toEqual({ ok: false, retryAfterMs: Number.MAX_SAFE_INTEGER });
    }));

  it('grants a lease to one holder at a time, with growing fencing numbers', () =>
    withCache(async (cache) => {
      const first = (await cache.acquireLease('conformance', 'one', 80))!;
      expect(await cache.acquireLease('conformance', 'two', 80)).toBeUndefined();
      expect(await first.renew()).toBe(true);
      await wait(140);
      const second = (await cache.acquireLease('conformance', 'two', 60_000))!;
      expect(second.fencing).toBeGreaterThan(first.fencing);
      expect(await first.renew()).toBe(false);
      await first.release();
      expect(await second.renew()).toBe(true);
      await second.release();
      const third = (await cache.acquireLease('conformance', 'one', 60_000))!;
      expect(third.fencing).toBeGreaterThan(second.fencing);
      await third.release();
    }));

  it('publishes to the subscribers of the tenant only', () =>
    withCache(async (cache) => {
      const seen: string[] = [];
      const stop = await cache.subscribe(a, 'c', (m) => seen.push(`a:${m}`));
      const stopB = await cache.subscribe(b, 'c', (m) => seen.push(`b:${m}`));
      await cache.publish(a, 'c', '1');
      await cache.publish(b, 'c', '2');
      await eventually(() => seen.length === 2);
      expect([...seen].sort()).toEqual(['a:1', 'b:2']);
      await stop();
      await cache.publish(a, 'c', '3');
      await cache.publish(b, 'c', '4');
      await eventually(() => seen.length === 3);
      expect(seen).toContain('b:4');
      await stopB();
    }));
}
