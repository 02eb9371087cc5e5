/**
 * The HTTP contract of ARCHITECTURE.md as an outsider meets it: every path answers in the shape of its family, a tenant
 * can be named in every promised way and in no other, and what needs a platform role outside dev does need one.
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually, MAIN, NODE, startVigie, type VigieProcess } from '../support/vigie.ts';

const run = promisify(execFile);
const JSON_TYPE = { 'content-type': 'application/json' };
const gauge = (name: string, value: number, atMs: number): string =>
  JSON.stringify({
    resourceMetrics: [
      {
        scopeMetrics: [
          { metrics: [{ name, gauge: { dataPoints: [{ timeUnixNano: `${atMs}000000`, asDouble: value }] } }] },
        ],
      },
    ],
  });

describe('in dev on loopback', () => {
  let vigie: VigieProcess;
  beforeAll(async () => {
    vigie = await startVigie({ args: ['--retention', '0'] });
    await eventually('the built-in targets', async () => {
      const { data } = await vigie.json<{ data: { result: unknown[] } }>('/api/v1/query?query=up');
      return data.result.length >= 2;
    });
  }, 60_000);
  afterAll(() => vigie?.[Symbol.asyncDispose]());

  it.each([
    '/api/v1/query?query=up',
    '/api/v1/query_range?query=up&start=1&end=2&step=1',
    '/api/v1/series?match[]=up',
    '/api/v1/labels',
    '/api/v1/label/job/values',
    '/api/v1/metadata',
    '/api/v1/query_exemplars?query=up&start=1&end=2',
    '/api/v1/rules',
    '/api/v1/alerts',
    '/api/v1/alertmanagers',
    '/api/v1/targets',
    '/api/v1/targets/metadata',
    '/api/v1/scrape_pools',
    '/api/v1/status/buildinfo',
    '/api/v1/status/runtimeinfo',
    '/api/v1/status/config',
    '/api/v1/status/flags',
    '/api/v1/status/tsdb',
    '/api/v1/format_query?query=up',
    '/api/v1/parse_query?query=up',
  ])('Prometheus: %s', async (target) => {
    const body = await vigie.json<{ status: string; data: unknown }>(target);
    expect(body.status).toBe('success');
    expect(body.data).toBeDefined();
  });

  it.each([
    ['/api/v2/status', 'object'],
    ['/api/v2/alerts', 'array'],
    ['/api/v2/alerts/groups', 'array'],
    ['/api/v2/silences', 'array'],
    ['/api/v2/receivers', 'array'],
    ['/vigie/v1/openapi.json', 'object'],
  ])('%s answers an %s', async (target, kind) => {
    const body = await vigie.json<unknown>(target);
    expect(Array.isArray(body) ? 'array' : typeof body).toBe(kind);
  });

  it('/federate, /metrics, health and the console', async () => {
    expect(await (await vigie.fetch('/federate?match[]=up')).text()).toMatch(/^# TYPE up untyped\nup\{/);
    expect(await (await vigie.fetch('/metrics')).text()).toContain('# TYPE vigie_http_requests_total counter');
    for (const p of ['/-/ready', '/-/healthy'])
      for (const method of ['GET', 'HEAD']) expect((await vigie.fetch(p, { method })).status, p).toBe(200);
    expect(await (await vigie.fetch('/-/reload', { method: 'POST' })).json()).toMatchObject({ status: 'success' });
    for (const [method, target, allow] of [
      ['DELETE', '/api/v1/query', 'GET, POST'],
      ['GET', '/api/v1/write', 'POST'],
      ['GET', '/-/reload', 'POST'],
    ] as const) {
      const r = await vigie.fetch(target, { method });
      expect([r.status, r.headers.get('allow')], target).toEqual([405, allow]);
    }
    expect((await vigie.fetch('/api/v1/nothing')).status).toBe(404);
  });

  it('takes samples from 1970 on with --retention 0, and sees them after the 2xx', async () => {
    for (const [name, atMs] of [
      ['early', 1_000],
      ['moon', 86_400_000 * 365],
    ] as const) {
      const r = await vigie.fetch('/v1/metrics', { method: 'POST', headers: JSON_TYPE, body: gauge(name, 7, atMs) });
      expect([r.status, await r.json()]).toEqual([200, {}]);
      const { data } = await vigie.json<{ data: { result: { value: unknown }[] } }>(
        `/api/v1/query?query=${name}&time=${atMs / 1_000}`,
      );
      expect(data.result.map((s) => s.value)).toEqual([[atMs / 1_000, '7']]);
    }
  });

  it('an unknown tenant comes to be with its first write, by header or path, and reading makes none', async () => {
    const has = async (id: string): Promise<boolean> => {
      const list = JSON.stringify(await vigie.json('/vigie/v1/tenants'));
      return list.includes(`"${id}"`);
    };
    await vigie.json('/api/v1/query?query=up', { tenant: 'looked' });
    expect(await has('looked')).toBe(false);
    const body = gauge('x', 1, Date.now());
    expect((await vigie.fetch('/v1/metrics', { method: 'POST', headers: JSON_TYPE, body, tenant: 'one' })).status).toBe(
      200,
    );
    expect((await vigie.fetch('/t/two/v1/metrics', { method: 'POST', headers: JSON_TYPE, body })).status).toBe(200);
    expect([await has('one'), await has('two')]).toEqual([true, true]);
    const count = async (prefix: string, tenant?: string): Promise<number> => {
      const found = await vigie.json<{ data: { result: unknown[] } }>(
        `${prefix}/api/v1/query?query=x`,
        tenant === undefined ? {} : { tenant },
      );
      return found.data.result.length;
    };
    expect([await count('', 'one'), await count('/t/one'), await count('', 'two'), await count('')]).toEqual([
      1, 1, 1, 0,
    ]);
  });

  it('three hundred clients that never finish a request keep nobody waiting', async () => {
    const { connect } = await import('node:net');
    const sockets = Array.from({ length: 300 }, () => {
      const socket = connect(vigie.port, '127.0.0.1');
      socket.on('error', () => {});
      socket.write('POST /api/v1/write HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ');
      return socket;
    });
    try {
      const began = performance.now();
      expect((await vigie.fetch('/api/v1/query?query=up')).status).toBe(200);
      expect(performance.now() - began).toBeLessThan(5_000);
    } finally {
      for (const s of sockets) s.destroy();
    }
  });
});

describe('outside dev', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'vigie-contract-'));
  let vigie: VigieProcess;
  let platform = '';
  const keys: Record<'viewer' | 'editor', string> = { viewer: '', editor: '' };
  beforeAll(async () => {
    const env = { PATH: process.env['PATH'], MONITORING_ENV: 'prod' };
    const { stdout } = await run(NODE, [MAIN, 'tenant', 'bootstrap', '--data-dir', folder], { env, timeout: 60_000 });
    platform = stdout.split('\n')[0]!.trim();
    vigie = await startVigie({ dataDir: folder, env: { MONITORING_ENV: 'prod' } });
    await vigie.json('/vigie/v1/tenants/acme', {
      method: 'PUT',
      headers: JSON_TYPE,
      body: '{"name":"Acme"}',
      key: platform,
    });
    for (const role of ['viewer', 'editor'] as const)
      keys[role] = (
        await vigie.json<{ secret: string }>('/vigie/v1/keys', {
          method: 'POST',
          headers: JSON_TYPE,
          body: JSON.stringify({ name: role, role }),
          key: platform,
          tenant: 'acme',
        })
      ).secret;
  }, 120_000);
  afterAll(async () => {
    await vigie?.[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });
  const status = async (target: string, headers: Record<string, string> = {}, method = 'GET'): Promise<number> =>
    (await vigie.fetch(target, { method, headers })).status;
  const QUERY = '/api/v1/query?query=up';
  const basic = (user: string, password: string): Record<string, string> => ({
    authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`,
  });

  it('names the tenant by credential, header, Basic user or path, and by nothing that the credential does not cover', async () => {
    const bearer = { authorization: `Bearer ${keys.viewer}` };
    expect(await status(QUERY, bearer)).toBe(200);
    expect(await status(QUERY, { ...bearer, 'x-scope-orgid': 'acme' })).toBe(200);
    expect(await status(`/t/acme${QUERY}`, bearer)).toBe(200);
    expect(await status(QUERY, basic('acme', keys.viewer))).toBe(200);
    expect(await status(QUERY, { authorization: `ApiKey ${keys.viewer}` })).toBe(200);
    expect(await status(QUERY, { ...bearer, 'x-scope-orgid': 'default' })).toBe(403);
    expect(await status(`/t/default${QUERY}`, bearer)).toBe(403);
    expect(await status(QUERY, basic('default', keys.viewer))).toBe(403);
    expect(await status(`/t/acme${QUERY}`, { ...bearer, 'x-scope-orgid': 'other' })).toBe(400);
    expect(await status(QUERY)).toBe(401);
    for (const authorization of ['Bearer nothing', `Digest ${keys.viewer}`])
      expect(await status(QUERY, { authorization })).toBe(401);
    expect(await status(`${QUERY}&key=${keys.viewer}`)).toBe(401);
  });

  it('asks for a platform role where the contract says so, and for none where it must not', async () => {
    for (const [method, target] of [
      ['GET', '/metrics'],
      ['GET', '/api/v1/status/flags'],
      ['POST', '/-/reload'],
    ] as const) {
      expect(await status(target, {}, method), target).toBe(401);
      expect(await status(target, { authorization: `Bearer ${keys.editor}` }, method), target).toBe(403);
      expect(await status(target, { authorization: `Bearer ${platform}` }, method), target).toBe(200);
    }
    for (const target of ['/-/ready', '/-/healthy', '/', '/vigie/v1/openapi.json'])
      expect(await status(target), target).toBe(200);
  });

  it('creates no tenant on a write, and lets a viewer write nothing', async () => {
    const write = (key: string, tenant: string): Promise<Response> =>
      vigie.fetch('/v1/metrics', { method: 'POST', headers: JSON_TYPE, body: gauge('x', 1, Date.now()), key, tenant });
    expect((await write(platform, 'brandnew')).status).toBe(404);
    expect((await write(keys.viewer, 'acme')).status).toBe(403);
    expect((await write(keys.editor, 'acme')).status).toBe(200);
  });
});
