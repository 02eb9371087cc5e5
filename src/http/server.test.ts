import { gzipSync, zstdCompressSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { VigieError } from '../lib/errors.ts';
import { silentLogger } from '../lib/logger.ts';
import { SelfMetrics } from '../lib/self-metrics.ts';
import { tenantId } from '../model/tenant.ts';
import type { RequestContext, Role } from '../tenancy/context.ts';
import { ADMIN, type HttpAnswer, INGEST, PLATFORM, PUBLIC, type Route, VIEWER } from './route.ts';
import { type AuthInput, HttpServer } from './server.ts';

const echo = (family: Route['family'], path: string, access: Route['access'] = VIEWER): Route => ({
  method: 'POST',
  path,
  family,
  access,
  bodyBytesMax: 1_000,
  handle: (request) => ({
    json: {
      tenant: request.context.tenant,
      path: request.path,
      params: request.params,
      q: request.query.get('q'),
      body: request.body.toString(),
    },
  }),
});

const failing = (family: Route['family'], path: string): Route => ({
  method: 'GET',
  path,
  family,
  access: PUBLIC,
  handle: (request) => {
    if (request.query.has('foreign')) throw new Error('secret detail of a library');
    throw new VigieError('quota', 'too many samples', {
      details: { retryAfterMs: 1_500, limit: 'samples_per_second' },
    });
  },
});

function server(routes: readonly Route[], role: Role = 'platform_admin', scopes?: RequestContext['scopes']) {
  const seen: AuthInput[] = [];
  const http = new HttpServer({
    routes,
    authenticate: (input) => {
      seen.push(input);
      return {
        tenant: tenantId(input.pathTenant ?? 'default'),
        principal: { id: 'p', kind: 'key', name: 'p' },
        role,
        grants: 'all',
        requestId: input.requestId,
        ...(scopes ? { scopes } : {}),
      };
    },
    clock: new FakeClock(),
    logger: silentLogger,
    metrics: new SelfMetrics(),
  });
  return { http, seen };
}

describe('HttpServer', () => {
  it('hands path, parameters, query and body to the route, with the tenant of the path prefix', async () => {
    const { http } = server([echo('vigie', '/vigie/v1/x/:id')]);
    const plain = await http.inject({
      method: 'POST',
      url: '/vigie/v1/x/a%2Fb?q=1',
      payload: 'hello',
      headers: { 'content-type': 'text/plain' },
    });
    expect(JSON.parse(plain.body)).toEqual({
      tenant: 'default',
      path: '/vigie/v1/x/a%2Fb',
      params: { id: 'a/b' },
      q: '1',
      body: 'hello',
    });
    const prefixed = await http.inject({ method: 'POST', url: '/t/acme/vigie/v1/x/1' });
    expect(JSON.parse(prefixed.body)).toMatchObject({ tenant: 'acme', path: '/vigie/v1/x/1' });
    await http.close();
  });

  it.each([
    ['gzip', gzipSync('hello')],
    ['zstd', zstdCompressSync('hello')],
  ])('undoes %s and bounds what comes out', async (encoding, payload) => {
    const { http } = server([echo('vigie', '/vigie/v1/x')]);
    const headers = { 'content-type': 'application/json', 'content-encoding': encoding };
    expect(JSON.parse((await http.inject({ method: 'POST', url: '/vigie/v1/x', headers, payload })).body).body).toBe(
      'hello',
    );
    const bomb = encoding === 'gzip' ? gzipSync(Buffer.alloc(100_000)) : zstdCompressSync(Buffer.alloc(100_000));
    expect((await http.inject({ method: 'POST', url: '/vigie/v1/x', headers, payload: bomb })).statusCode).toBe(413);
    expect(
      (await http.inject({ method: 'POST', url: '/vigie/v1/x', headers, payload: Buffer.from('not that') })).statusCode,
    ).toBe(400);
    expect(
      (
        await http.inject({
          method: 'POST',
          url: '/vigie/v1/x',
          headers: { ...headers, 'content-encoding': 'lzma' },
          payload: 'x',
        })
      ).statusCode,
    ).toBe(415);
    await http.close();
  });

  it.each([
    ['prometheus', { status: 'error', errorType: 'too_many_requests', error: 'too many samples' }],
    ['alertmanager', 'too many samples'],
    ['otlp', { code: 8, message: 'too many samples' }],
    ['elasticsearch', { error: { type: 'quota_exception', reason: 'too many samples' }, status: 429 }],
  ] as const)('writes errors as %s clients expect them', async (family, body) => {
    const { http } = server([failing(family, '/f')]);
    const answer = await http.inject({ method: 'GET', url: '/f' });
    expect(answer.statusCode).toBe(429);
    expect(answer.headers['retry-after']).toBe('2');
    expect(JSON.parse(answer.body)).toEqual(body);
    await http.close();
  });

  it('never shows the text of a foreign error', async () => {
    const { http } = server([failing('vigie', '/f')]);
    const answer = await http.inject({ method: 'GET', url: '/f?foreign=1', headers: { 'x-request-id': 'abc' } });
    expect(answer.statusCode).toBe(500);
    expect(answer.body).not.toContain('secret');
    expect(JSON.parse(answer.body).error).toMatchObject({ code: 'internal', requestId: 'abc' });
    await http.close();
  });

  it.each([
    ['viewer', undefined, 200, 403, 403, 403],
    ['editor', undefined, 200, 200, 403, 403],
    ['editor', ['ingest'], 403, 200, 403, 403],
    ['admin', ['query'], 200, 403, 403, 403],
    ['admin', undefined, 200, 200, 200, 403],
    ['platform_admin', undefined, 200, 200, 200, 200],
  ] as const)('checks role %s with scopes %j', async (role, scopes, ...statuses) => {
    const routes = [
      echo('vigie', '/view'),
      echo('vigie', '/ingest', INGEST),
      echo('vigie', '/admin', ADMIN),
      echo('vigie', '/platform', PLATFORM),
    ];
    const { http } = server(routes, role, scopes && new Set(scopes));
    const got = [];
    for (const r of routes) got.push((await http.inject({ method: 'POST', url: r.path })).statusCode);
    expect(got).toEqual(statuses);
    await http.close();
  });

  it('refuses a method that a path does not answer, and names those that it does', async () => {
    const handle = (): HttpAnswer => ({ json: {} });
    const { http } = server([
      { method: 'GET', path: '/api/v1/label/:name/values', family: 'prometheus', access: PUBLIC, handle },
      { method: 'GET', path: '/api/v1/query', family: 'prometheus', access: PUBLIC, handle },
      { method: 'POST', path: '/api/v1/query', family: 'prometheus', access: PUBLIC, handle },
    ]);
    const fixed = await http.inject({ method: 'DELETE', url: '/api/v1/query?query=1' });
    expect([fixed.statusCode, fixed.headers['allow']]).toEqual([405, 'GET, POST']);
    const named = await http.inject({ method: 'POST', url: '/t/acme/api/v1/label/job/values' });
    expect([named.statusCode, named.headers['allow']]).toEqual([405, 'GET']);
    expect((await http.inject({ method: 'POST', url: '/api/v1/label/job/value' })).statusCode).toBe(404);
    await http.close();
  });

  it('answers unknown paths in the shape of their family', async () => {
    const { http } = server([]);
    expect(JSON.parse((await http.inject({ method: 'GET', url: '/api/v1/nope' })).body)).toMatchObject({
      status: 'error',
      errorType: 'not_found',
    });
    expect(JSON.parse((await http.inject({ method: 'GET', url: '/vigie/v1/nope' })).body).error.code).toBe('not_found');
    await http.close();
  });
});
