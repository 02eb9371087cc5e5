/** The cache on a real Redis: the conformance suite, and a restart under load. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/lib/clock.ts';
import { silentLogger } from '../../src/lib/logger.ts';
import { tenantId } from '../../src/model/tenant.ts';
import { RedisCache } from '../../src/store/external/redis/redis-cache.ts';
import { cacheConformance } from '../conformance/cache.ts';
import { findPeer, freePort, peerMissing, type Started, start, temporaryFolder } from '../support/peers.ts';

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const eventually = async (check: () => boolean): Promise<void> => {
  for (let i = 0; i < 1_000 && !check(); i++) await pause(5);
};

describe.skipIf(peerMissing('redis-server'))('cache on Redis', () => {
  const folder = temporaryFolder();
  let server: Started;
  let port: number;
  const go = async (): Promise<Started> =>
    start(findPeer('redis-server')!, {
      args: ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--dir', folder.path],
      ready: async () => {
        await (await RedisCache.open({ url: `redis://127.0.0.1:${port}`, clock: systemClock, logger: silentLogger }))[
          Symbol.asyncDispose
        ]();
        return true;
      },
    });
  const open = () => RedisCache.open({ url: `redis://127.0.0.1:${port}`, clock: systemClock, logger: silentLogger });
  beforeAll(async () => {
    port = await freePort();
    server = await go();
  });
  afterAll(async () => {
    await server.stop();
    folder[Symbol.dispose]();
  });

  cacheConformance(open, pause, eventually);

  it('goes on after a restart: commands wait, subscriptions come back, fencing numbers keep growing', async () => {
    await using cache = await open();
    const t = tenantId('a');
    const seen: string[] = [];
    await cache.subscribe(t, 'c', (m) => seen.push(m));
    const before = (await cache.acquireLease('restart', 'one', 60_000))!;
    await server.stop();
    const waiting = cache.set(t, 'k', 'v', 60_000);
    server = await go();
    await waiting;
    expect(await cache.get(t, 'k')).toBe('v');
    const after = (await cache.acquireLease('restart', 'one', 60_000))!;
    expect(after.fencing).toBeGreaterThan(before.fencing);
    for (let i = 0; i < 200 && seen.length === 0; i++) {
      await cache.publish(t, 'c', 'back');
      await pause(20);
    }
    expect(seen.length).toBeGreaterThan(0);
  });
});
