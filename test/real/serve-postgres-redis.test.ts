/**
 * The real program on a real PostgreSQL and a real Redis: tenants, keys, silences, configuration and dashboards work
 * and outlive the process; both servers restart under load and nothing accepted is lost; a database is used by one only.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/lib/clock.ts';
import type { VigieError } from '../../src/lib/errors.ts';
import { silentLogger } from '../../src/lib/logger.ts';
import { takeSoleUse } from '../../src/store/external/postgres/sole-use.ts';
import { startPrometheus } from '../promql/prometheus-peer.ts';
import { findPeer, freePort, peerMissing, type Started, start, temporaryFolder } from '../support/peers.ts';
import { type PostgresServer, startPostgres } from '../support/postgres.ts';
import { eventually, startVigie, type VigieProcess } from '../support/vigie.ts';

const JSON_TYPE = { 'content-type': 'application/json' };
const RULES = 'groups: [{name: g, rules: [{record: "a:b", expr: "vector(1)"}]}]\n';

describe.skipIf(peerMissing('initdb') || peerMissing('redis-server'))('serve on PostgreSQL and Redis', () => {
  const folder = temporaryFolder();
  const data = temporaryFolder();
  let postgres: PostgresServer;
  let redis: Started;
  let redisPort: number;
  const goRedis = (): Promise<Started> =>
    start(findPeer('redis-server')!, {
      args: ['--port', String(redisPort), '--bind', '127.0.0.1', '--save', '', '--dir', folder.path],
      ready: async () => true,
    });
  const serve = (): Promise<VigieProcess> =>
    startVigie({
      dataDir: data.path,
      env: { DATABASE_URL: postgres.url, REDIS_URL: `redis://127.0.0.1:${redisPort}` },
    });
  beforeAll(async () => {
    postgres = await startPostgres();
    redisPort = await freePort();
    redis = await goRedis();
  }, 60_000);
  afterAll(async () => {
    await redis?.stop();
    await postgres?.[Symbol.asyncDispose]();
    folder[Symbol.dispose]();
    data[Symbol.dispose]();
  });

  const send = async (
    vigie: VigieProcess,
    method: string,
    path: string,
    body: unknown,
    tenant?: string,
  ): Promise<Record<string, unknown>> => {
    const response = await vigie.fetch(path, {
      method,
      headers: JSON_TYPE,
      body: JSON.stringify(body),
      ...(tenant === undefined ? {} : { tenant }),
    });
    const text = await response.text();
    expect(response.status, `${method} ${path}: ${text}`).toBeLessThan(300);
    return (text === '' ? {} : JSON.parse(text)) as Record<string, unknown>;
  };

  it('keeps tenants, keys, silences, configuration and dashboards in PostgreSQL, over kill -9', async () => {
    let secret = '';
    let silence = '';
    {
      await using vigie = await serve();
      await send(vigie, 'PUT', '/vigie/v1/tenants/acme', { name: 'Acme' });
      secret = String((await send(vigie, 'POST', '/vigie/v1/keys', { name: 'k', role: 'editor' }, 'acme'))['secret']);
      await send(vigie, 'PUT', '/vigie/v1/tenants/acme/config', { rules: { r: RULES } }, 'acme');
      await send(
        vigie,
        'PUT',
        '/vigie/v1/dashboards/d1',
        { dashboard: { title: 'One', panels: [] }, baseVersion: 0 },
        'acme',
      );
      silence = String(
        (
          await send(
            vigie,
            'POST',
            '/api/v2/silences',
            {
              matchers: [{ name: 'a', value: 'b', isRegex: false, isEqual: true }],
              startsAt: new Date().toISOString(),
              endsAt: new Date(Date.now() + 3_600_000).toISOString(),
              createdBy: 'test',
              comment: 'test',
            },
            'acme',
          )
        )['silenceID'],
      );
      await vigie.stop('SIGKILL');
    }
    await using vigie = await serve();
    const own = { key: secret, tenant: 'acme' };
    const dashboards = await vigie.json<{ dashboards: { uid: string }[] }>('/vigie/v1/dashboards', own);
    expect(dashboards.dashboards.map((d) => d.uid)).toContain('d1');
    const silences = await vigie.json<{ id: string }[]>('/api/v2/silences', own);
    expect(silences.map((s) => s.id)).toContain(silence);
    const config = await vigie.json<{ rules: Record<string, string> }>('/vigie/v1/tenants/acme/config', {
      tenant: 'acme',
    });
    expect(config.rules['r']).toBe(RULES);
    await eventually('the rule of the tenant', async () => {
      const { data } = await vigie.json<{ data: { groups: { name: string }[] } }>('/api/v1/rules', own);
      return data.groups.some((g) => g.name === 'g');
    });
    // the other tenant has none of it
    const other = await vigie.json<{ dashboards: { uid: string }[] }>('/vigie/v1/dashboards');
    expect(other.dashboards.map((d) => d.uid)).not.toContain('d1');
    expect(await vigie.stop()).toBe(0);
  }, 120_000);

  it('loses nothing accepted when PostgreSQL and Redis restart under writes', async () => {
    const accepted = new Set<string>();
    const dashboards = new Set<string>();
    const refused: string[] = [];
    {
      await using vigie = await serve();
      let stop = false;
      const put = async (id: string, attempt: () => Promise<Response>, into: Set<string>): Promise<void> => {
        try {
          const response = await attempt();
          const text = await response.text();
          // a conflict with itself: the write had landed when its answer was lost, so it must be there too
          if (response.ok || response.status === 409) into.add(id);
          else refused.push(`${response.status} ${text.slice(0, 300)}`);
        } catch (error) {
          refused.push(String(error));
        }
      };
      const workers = Array.from({ length: 4 }, async (_, w) => {
        for (let i = 0; !stop && i < 20_000; i++) {
          const id = `e${w}-${i}`;
          await put(
            id,
            () =>
              vigie.fetch('/vigie/v1/events', {
                method: 'POST',
                headers: { 'content-type': 'application/cloudevents+json' },
                body: JSON.stringify({ specversion: '1.0', id, source: '/load', type: 'deploy' }),
              }),
            accepted,
          );
          if (i % 10 === 0)
            await put(
              `d${w}-${i}`,
              () =>
                vigie.fetch(`/vigie/v1/dashboards/d${w}-${i}`, {
                  method: 'PUT',
                  headers: JSON_TYPE,
                  body: JSON.stringify({ dashboard: { title: id, panels: [] }, baseVersion: 0 }),
                }),
              dashboards,
            );
        }
      });
      await eventually('some load', async () => accepted.size > 100);
      await postgres.stop();
      await new Promise((done) => setTimeout(done, 500));
      expect((await vigie.fetch('/-/healthy')).status).toBe(200);
      const before = accepted.size;
      await postgres.startAgain();
      await eventually('load after the restart', async () => accepted.size > before + 100, 60_000);
      await redis.stop('SIGKILL');
      redis = await goRedis();
      const after = accepted.size;
      await eventually('load after the restart of Redis', async () => accepted.size > after + 100, 60_000);
      stop = true;
      await Promise.all(workers);
      await vigie.stop('SIGKILL');
    }
    await using vigie = await serve();
    const found = new Set<string>();
    let next: string | undefined;
    for (let page = 0; page < 200; page++) {
      const answer = await vigie.json<{ events: { id: string; source: string }[]; next?: string }>(
        `/vigie/v1/events?source=/load&limit=500${next === undefined ? '' : `&after=${encodeURIComponent(next)}`}`,
      );
      for (const e of answer.events) found.add(e.id);
      next = answer.next;
      if (next === undefined) break;
    }
    expect(
      [...accepted].filter((id) => !found.has(id)),
      'accepted events that are gone',
    ).toEqual([]);
    const list = await vigie.json<{ dashboards: { uid: string }[] }>('/vigie/v1/dashboards');
    const uids = new Set(list.dashboards.map((d) => d.uid));
    expect(
      [...dashboards].filter((id) => !uids.has(id)),
      'accepted dashboards that are gone',
    ).toEqual([]);
    expect(dashboards.size).toBeGreaterThan(10);
    console.info(
      `${accepted.size} events and ${dashboards.size} dashboards accepted, ${refused.length} refused meanwhile`,
    );
    expect(refused, 'a restart is waited for, not passed on').toEqual([]);
    const verified = await vigie.json<Record<string, unknown>>('/vigie/v1/audit/verify', { method: 'POST' });
    expect(verified).toMatchObject({ ok: true });
  }, 180_000);

  it.skipIf(peerMissing('prometheus', 'sid'))(
    'refuses a second one, also where metrics and cache are outside too, and lets it in when the first was killed',
    async () => {
      const prometheus = await startPrometheus(folder.path, 'sid');
      const env = {
        DATABASE_URL: postgres.url,
        REDIS_URL: `redis://127.0.0.1:${redisPort}`,
        PROMETHEUS_URL: prometheus.url,
      };
      const elsewhere = temporaryFolder();
      try {
        await using first = await startVigie({ dataDir: data.path, env });
        expect((await first.fetch('/-/ready')).status).toBe(200);
        await expect(startVigie({ dataDir: elsewhere.path, env })).rejects.toThrow(/in use by another Vigie/);
        expect((await first.fetch('/-/ready')).status).toBe(200);
        await first.stop('SIGKILL');
        await using second = await startVigie({ dataDir: elsewhere.path, env });
        expect((await second.fetch('/-/ready')).status).toBe(200);
      } finally {
        await prometheus.started.stop();
        elsewhere[Symbol.dispose]();
      }
    },
    90_000,
  );

  it('a database is for one, and the lock survives a restart of the server', async () => {
    const options = { url: postgres.url, clock: systemClock, logger: silentLogger };
    const lost: VigieError[] = [];
    const first = await takeSoleUse({ ...options, onLost: (e) => lost.push(e) });
    await expect(takeSoleUse({ ...options, onLost: () => {} })).rejects.toMatchObject({
      code: 'locked',
      message: expect.stringMatching(/in use by another Vigie/),
    });
    await postgres.stop();
    await postgres.startAgain();
    // it is held again without asking
    await eventually(
      'the lock again',
      async () => {
        const other = await takeSoleUse({ ...options, onLost: () => {} }).catch((e: VigieError) => e.code);
        if (other === 'locked') return true;
        if (typeof other !== 'string') await other[Symbol.asyncDispose]();
        return false;
      },
      30_000,
    );
    await first[Symbol.asyncDispose]();
    const second = await takeSoleUse({ ...options, onLost: () => {} });
    await second[Symbol.asyncDispose]();
    expect(lost.every((e) => e.code === 'locked')).toBe(true);
  }, 60_000);
});
