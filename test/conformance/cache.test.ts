/** The embedded cache: the conformance suite, and its bound. */
import { describe, expect, it } from 'vitest';
import { tenantId } from '../../src/model/tenant.ts';
import { MemoryCache } from '../../src/store/embedded/cache/memory-cache.ts';
import { FakeClock, settle } from '../support/fake-clock.ts';
import { cacheConformance } from './cache.ts';

describe('cache in memory', () => {
  const clock = new FakeClock();
  cacheConformance(
    async () => new MemoryCache({ clock }),
    (ms) => clock.advance(ms),
    () => settle(),
  );

  it('stays within its bytes, dropping what was used longest ago', async () => {
    const cache = new MemoryCache({ clock, bytesMax: 2_000 });
    const t = tenantId('a');
    await cache.set(t, 'kept', 'x', 60_000);
    for (let i = 0; i < 200; i++) {
      await cache.set(t, `k${i}`, 'y'.repeat(20), 60_000);
      expect(await cache.get(t, 'kept')).toBe('x');
      expect(cache.bytes).toBeLessThanOrEqual(2_000);
    }
    expect(await cache.get(t, 'k0')).toBeUndefined();
    expect(await cache.get(t, 'k199')).toBeDefined();
  });
});
