/** The way past the framework answers as the framework does: every case is asked on both and compared. */
import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { VigieError } from '../lib/errors.ts';
import { silentLogger } from '../lib/logger.ts';
import { SelfMetrics } from '../lib/self-metrics.ts';
import { tenantId } from '../model/tenant.ts';
import { PUBLIC, type Route, VIEWER } from './route.ts';
import { HttpServer } from './server.ts';

let signal: AbortSignal | undefined;
const handlers: Record<string, Route['handle']> = {
  echo: (r) => ({
    json: { tenant: r.context.tenant, q: r.query.getAll('q'), body: r.body.toString(), path: r.path, params: r.params },
  }),
  text: () => ({ headers: { 'content-type': 'text/plain; charset=utf-8', 'x-more': '1' }, body: 'é€😀' }),
  bytes: () => ({ headers: { 'content-type': 'application/octet-stream' }, body: Uint8Array.of(0, 255, 1) }),
  nothing: () => ({}),
  created: () => ({ status: 201, json: { a: 1 } }),
  empty: () => ({ status: 200, body: '' }),
  'bad-header': () => ({ headers: { 'x-more': 'a\r\nb' }, body: 'x' }),
  fails: () => {
    throw new VigieError('quota', 'too much', { details: { retryAfterMs: 1500 } });
  },
  breaks: () => {
    throw new Error('secret of a library');
  },
  stream: () => ({
    headers: { 'content-type': 'text/plain' },
    body: (async function* () {
      yield 'one ';
      yield 'two';
    })(),
  }),
  waits: (r) => {
    signal = r.signal;
    return new Promise((_resolve, reject) =>
      r.signal.addEventListener('abort', () => reject(r.signal.reason), { once: true }),
    );
  },
};
const families: Route['family'][] = ['prometheus', 'vigie', 'alertmanager', 'otlp'];
// the parameter sends the twin through the framework
const routes = families.flatMap((family) =>
  Object.entries(handlers).flatMap(([name, handle]) =>
    (['GET', 'POST'] as const).flatMap((method): Route[] => {
      const route = { method, family, access: VIEWER, bodyBytesMax: 1000, handle };
      return [
        { ...route, path: `/api/${family}/${name}` },
        { ...route, path: `/:via/${family}/${name}` },
      ];
    }),
  ),
);

const http = new HttpServer({
  routes: [...routes, { method: 'GET', path: '/open', family: 'vigie', access: PUBLIC, handle: () => ({}) }],
  authenticate: (input) => {
    if (input.headers.authorization === 'no') throw new VigieError('unauthenticated', 'who is it?');
    return {
      tenant: tenantId(input.pathTenant ?? 'default'),
      principal: { id: 'p', kind: 'key', name: 'p' },
      role: 'viewer',
      grants: 'all',
      requestId: input.requestId,
    };
  },
  clock: new FakeClock(),
  logger: silentLogger,
  metrics: new SelfMetrics(),
  headers: { 'strict-transport-security': 'max-age=1' },
  challenge: 'Basic realm="x"',
});
let port = 0;
beforeAll(async () => {
  ({ port } = await http.listen('127.0.0.1', 0));
});
afterAll(() => http.close());

interface Ask {
  readonly method?: string;
  readonly query?: string;
  readonly headers?: Record<string, string>;
  readonly body?: Buffer | string;
  readonly chunked?: boolean;
}
function ask(path: string, a: Ask): Promise<{ status: number; headers: Record<string, unknown>; body: string }> {
  return new Promise((resolve, reject) => {
    const headers: Record<string, string> = { 'x-request-id': 'r1', ...a.headers };
    if (a.body !== undefined && !a.chunked) headers['content-length'] = String(Buffer.byteLength(a.body));
    const request = httpRequest(
      { host: '127.0.0.1', port, path: path + (a.query ?? ''), method: a.method ?? 'GET', headers, agent: false },
      (response) => {
        const parts: Buffer[] = [];
        response.on('data', (p: Buffer) => parts.push(p));
        response.on('end', () => {
          const { date: _date, connection: _connection, 'keep-alive': _alive, ...rest } = response.headers;
          resolve({ status: response.statusCode!, headers: rest, body: Buffer.concat(parts).toString('latin1') });
        });
      },
    );
    request.on('error', reject);
    request.end(a.body);
  });
}

const cases: [string, string, Ask][] = [
  ['a query string with odd escapes', 'echo', { query: '?q=a%20b&q=%zz&q=+' }],
  ['a body', 'echo', { method: 'POST', body: 'héllo', headers: { 'content-type': 'text/plain' } }],
  ['a body without a type', 'echo', { method: 'POST', body: 'x' }],
  ['a chunked body', 'echo', { method: 'POST', body: 'x'.repeat(500), chunked: true }],
  ['no body', 'echo', { method: 'POST' }],
  ['gzip', 'echo', { method: 'POST', body: gzipSync('hello'), headers: { 'content-encoding': 'gzip' } }],
  ['zstd', 'echo', { method: 'POST', body: zstdCompressSync('hello'), headers: { 'content-encoding': 'zstd' } }],
  ['broken gzip', 'echo', { method: 'POST', body: 'no', headers: { 'content-encoding': 'gzip' } }],
  ['an unknown encoding', 'echo', { method: 'POST', body: 'no', headers: { 'content-encoding': 'rot13' } }],
  ['a bomb', 'echo', { method: 'POST', body: gzipSync(Buffer.alloc(1e6)), headers: { 'content-encoding': 'gzip' } }],
  ['a body over the limit of the route', 'echo', { method: 'POST', body: 'x'.repeat(1001) }],
  ['a body with a GET', 'echo', { method: 'GET', body: 'x' }],
  ['text', 'text', {}],
  ['bytes', 'bytes', {}],
  ['nothing', 'nothing', {}],
  ['a status', 'created', {}],
  ['an empty body', 'empty', {}],
  ['an error', 'fails', {}],
  ['a fault', 'breaks', {}],
  ['a stream', 'stream', {}],
  ['no credential', 'echo', { headers: { authorization: 'no' } }],
];

describe('requests that pass the framework by', () => {
  it.each(families)('are answered the same in the family %s', async (family) => {
    let compared = 0;
    for (const [what, name, a] of cases) {
      const direct = await ask(`/api/${family}/${name}`, a);
      const framework = await ask(`/via/${family}/${name}`, a);
      // the twin's path and parameters differ by design
      framework.body = framework.body.replace(`/via/${family}`, `/api/${family}`).replace('{"via":"via"}', '{}');
      // the framework adds what JSON and text are anyway
      for (const x of [direct, framework])
        if (x.headers['content-type'])
          x.headers['content-type'] = String(x.headers['content-type']).replace('; charset=utf-8', '');
      const length = framework.headers['content-length'];
      if (length !== undefined) framework.headers['content-length'] = String(framework.body.length);
      expect(direct, what).toEqual(framework);
      compared++;
    }
    expect(compared).toBe(cases.length);
  });

  it('a header that cannot be written spoils that answer alone', async () => {
    const [bad, good] = await Promise.all([ask('/api/vigie/bad-header', {}), ask('/api/vigie/text', {})]);
    expect(bad.status).toBe(500);
    expect(good.status).toBe(200);
  });

  it('refuse a body that grows over what any route takes, and end the connection', async () => {
    const socket = connect(port, '127.0.0.1');
    const said = new Promise<string>((resolve) => {
      let text = '';
      socket.on('data', (d) => {
        text += d.toString();
      });
      socket.on('close', () => resolve(text));
      socket.on('error', () => {});
    });
    socket.write('POST /api/vigie/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n');
    const answer = await said;
    expect(answer).toMatch(/^HTTP\/1\.1 413 /);
    expect(answer.toLowerCase()).toContain('connection: close');
  });

  it('end with the client, and with the server', async () => {
    for (const leave of ['client', 'server']) {
      signal = undefined;
      const socket = connect(port, '127.0.0.1');
      socket.on('error', () => {});
      socket.write('GET /api/vigie/waits HTTP/1.1\r\nHost: x\r\n\r\n');
      while (!signal) await new Promise((resolve) => setImmediate(resolve));
      const ended = new Promise((resolve) => (signal as AbortSignal | undefined)!.addEventListener('abort', resolve));
      if (leave === 'client') socket.destroy();
      else void http.close();
      await ended;
      expect((signal as AbortSignal | undefined)?.reason).toBeInstanceOf(VigieError);
    }
  });
});
