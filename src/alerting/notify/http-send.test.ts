/** Receivers that misbehave, over real sockets: what comes of each, and that nothing secret is said about it. */
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTcpServer, type Socket, type Server as TcpServer } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { createAddressGuard } from '../../lib/address-guard.ts';
import { Labels } from '../../model/labels.ts';
import type { Notification, Outcome } from './channel.ts';
import { createHttpSend, RESPONSE_BYTES_MAX } from './http-send.ts';
import { rocketchat } from './rocketchat.ts';
import { slack } from './slack.ts';
import { goTemplates } from './templates.ts';
import { webhook } from './webhook.ts';

const OAUTH2 = { clientId: 'id', clientSecret: 'geheim', scopes: [], endpointParams: {} };

const opened: (Server | TcpServer)[] = [];
const sockets = new Set<Socket>();
afterEach(async () => {
  for (const s of sockets) s.destroy();
  await Promise.all(opened.splice(0).map((s) => new Promise((resolve) => s.close(resolve))));
});

async function listen(server: Server | TcpServer): Promise<string> {
  opened.push(server);
  server.on('connection', (s: Socket) => {
    sockets.add(s);
    s.on('close', () => sockets.delete(s));
    s.on('error', () => {});
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as { port: number }).port}`;
}
const http = (listener: RequestListener): Promise<string> => listen(createServer(listener));
const tcp = (onSocket: (socket: Socket) => void): Promise<string> => listen(createTcpServer(onSocket));

function notification(url: string, config: object = {}, extra: Partial<Notification> = {}): Notification {
  return {
    config: { url: `${url}/hook/geheim?token=geheim`, ...config },
    http: { followRedirects: true },
    receiver: 'r',
    groupKey: '{}:{}',
    data: {
      receiver: 'r',
      status: 'firing',
      alerts: [],
      groupLabels: Labels.EMPTY,
      commonLabels: Labels.EMPTY,
      commonAnnotations: Labels.EMPTY,
      externalURL: '',
      notificationReason: '',
    },
    alerts: [],
    resolved: false,
    templates: goTemplates([]),
    nowMs: 0,
    flushedAtMs: 0,
    signal: AbortSignal.timeout(5_000),
    ports: { http: createHttpSend(undefined), mail: async () => {} },
    idempotencyKey: 'k',
    ...extra,
  };
}
/** As deliver.ts sees it: an outcome, or what was thrown. */
const outcome = async (n: Notification, channel = webhook): Promise<Outcome | Error> =>
  channel.send(n).catch((error: Error) => error);

describe('a receiver that', () => {
  it.each([
    [200, {}, { kind: 'sent' }],
    [204, {}, { kind: 'sent' }],
    [400, {}, { kind: 'failed', retry: false, refused: true }],
    [404, {}, { kind: 'failed', retry: false, refused: true }],
    [429, {}, { kind: 'failed', retry: false }],
    [429, { 'retry-after': '7' }, { kind: 'failed', retry: true, retryAfterMs: 7_000 }],
    [503, { 'retry-after': 'Thu, 01 Jan 1970 00:00:30 GMT' }, { kind: 'failed', retry: true, retryAfterMs: 30_000 }],
    [500, { 'retry-after': 'soon' }, { kind: 'failed', retry: true, refused: true }],
  ])('answers %i %j', async (status, headers, wanted) => {
    const url = await http((_, answer) => void answer.writeHead(status, headers).end('why'));
    expect(await outcome(notification(url))).toMatchObject(wanted);
  });

  it('closes the connection, or speaks no HTTP, is unavailable; the error names the host alone', async () => {
    for (const url of [
      await tcp((s) => void s.destroy()),
      await tcp((s) => void s.once('data', () => s.destroy())),
      await tcp((s) => void s.end('\u0000\u0001 garbage\r\n\r\n')),
      'http://127.0.0.1:1',
    ]) {
      const failed = await outcome(notification(url));
      expect(failed).toMatchObject({ code: 'unavailable' });
      expect((failed as Error).message).toContain(new URL(url).host);
      expect((failed as Error).message).not.toContain('geheim');
    }
  });

  it('says nothing is left when the flush is over', async () => {
    const url = await http(() => {});
    const begun = performance.now();
    const failed = await outcome(notification(url, {}, { signal: AbortSignal.timeout(100) }));
    expect(failed).toMatchObject({ code: 'unavailable' });
    expect(performance.now() - begun).toBeLessThan(4_000);
  });

  it('floods is cut off', async () => {
    let written = 0;
    const url = await http((_, answer) => {
      const chunk = Buffer.alloc(64 * 1_024, 0x61);
      answer.writeHead(500);
      const pour = (): void => {
        while (!answer.destroyed && written < 1e9) {
          written += chunk.length;
          if (!answer.write(chunk)) return void answer.once('drain', pour);
        }
      };
      pour();
    });
    const failed = (await outcome(notification(url))) as { kind: string; error: string };
    expect(failed.kind).toBe('failed');
    expect(failed.error.length).toBeLessThan(1_000);
    expect(written).toBeLessThan(200 * RESPONSE_BYTES_MAX);
  });

  it('redirects in circles, or nowhere, is given up', async () => {
    let hops = 0;
    const circle = await http((request, answer) => {
      hops++;
      answer.writeHead(307, { location: request.url! }).end();
    });
    expect(await outcome(notification(circle))).toMatchObject({ code: 'upstream' });
    expect(hops).toBeLessThan(20);
    const nowhere = await http((_, answer) => void answer.writeHead(307, { location: 'http://[' }).end());
    expect(await outcome(notification(nowhere))).toMatchObject({ code: 'upstream' });
  });

  it('redirects elsewhere gets no credentials there', async () => {
    const seen: (string | undefined)[] = [];
    const other = await http((request, answer) => {
      seen.push(request.headers.authorization);
      answer.end();
    });
    const first = await http((_, answer) => void answer.writeHead(307, { location: other }).end());
    const basicAuth = { username: 'u', password: 'geheim' };
    await outcome(notification(first, {}, { http: { followRedirects: true, basicAuth } }));
    expect(seen).toEqual([undefined]);
  });

  it('answers with status 200 and garbage is judged by its protocol', async () => {
    const of = (body: string, type: string): Promise<string> =>
      http((_, answer) => void answer.writeHead(200, { 'content-type': type }).end(body));
    const said = async (channel: typeof slack, body: string, type: string): Promise<unknown> => {
      const url = await of(body, type);
      return outcome(notification(url, { api_url: url, token: 't', token_id: 'i' }), channel);
    };
    expect(await said(slack, 'ok', 'text/plain')).toEqual({ kind: 'sent' });
    expect(await said(slack, '{"ok":true}', 'application/json')).toEqual({ kind: 'sent' });
    expect(await said(slack, '{"ok":false,"error":"channel_not_found"}', 'application/json')).toMatchObject({
      retry: false,
      error: 'Slack says: channel_not_found',
    });
    expect(await said(slack, '<html>', 'text/html')).toMatchObject({ kind: 'failed', retry: false });
    expect(await said(slack, '{', 'application/json')).toMatchObject({ kind: 'failed', retry: true });
    expect(await said(rocketchat, '{"success":true}', 'application/json')).toEqual({ kind: 'sent' });
    expect(await said(rocketchat, '{"success":false,"error":"no"}', 'application/json')).toMatchObject({
      retry: false,
    });
    expect(await said(rocketchat, 'x', 'text/plain')).toMatchObject({ retry: true });
  });
});

describe('an address that a tenant gives', () => {
  it('is refused when it is internal, also after a redirect or when the name answers so', async () => {
    const inside = await http((_, answer) => void answer.end());
    const names: Record<string, string> = { 'rebound.test': '169.254.169.254', 'ten.test': '10.1.2.3' };
    const guard = createAddressGuard({
      resolve: async (host) => [{ address: names[host] ?? host, family: 4 }],
    });
    const ports = { http: createHttpSend(guard), mail: async () => {} };
    for (const url of [inside, 'http://rebound.test', 'http://ten.test:9093', 'http://localhost:1'])
      expect(await outcome(notification(url, {}, { ports }))).toMatchObject({
        code: expect.stringMatching(/address_refused|unavailable/),
      });
    const hidden = await http((_, answer) => void answer.writeHead(307, { location: 'http://ten.test/' }).end());
    const open = createAddressGuard({
      allow: ['127.0.0.0/8'],
      resolve: async (host) => [{ address: names[host] ?? host, family: 4 }],
    });
    const opened = { http: createHttpSend(open), mail: async () => {} };
    expect(await outcome(notification(inside, {}, { ports: opened }))).toEqual({ kind: 'sent' });
    expect(await outcome(notification(hidden, {}, { ports: opened }))).toMatchObject({ code: 'address_refused' });
  });
});

describe('a connection that is kept', () => {
  it('serves the next request of its sender, and none of another sender whose guard judged another address', async () => {
    const seen: { at: string; socket: Socket }[] = [];
    const at = (name: string): Server =>
      createServer((request, answer) => {
        seen.push({ at: name, socket: request.socket });
        request.resume().on('end', () => answer.end());
      });
    const { port } = new URL(await listen(at('first')));
    const second = at('second');
    await new Promise<void>((resolve) => second.listen(Number(port), '127.0.0.2', resolve));
    opened.push(second);
    second.on('connection', (s: Socket) => void sockets.add(s));
    const sender = (address: string) =>
      createHttpSend(createAddressGuard({ allow: ['127.0.0.0/8'], resolve: async () => [{ address, family: 4 }] }));
    const [one, other] = [sender('127.0.0.1'), sender('127.0.0.2')];
    for (const http of [one, one, other])
      expect(
        await outcome(notification(`http://same.test:${port}`, {}, { ports: { http, mail: async () => {} } })),
      ).toEqual({ kind: 'sent' });
    expect(seen.map((s) => s.at)).toEqual(['first', 'first', 'second']);
    expect(seen[1]!.socket).toBe(seen[0]!.socket);
  });
});

describe('OAuth 2', () => {
  const text = (chunks: Buffer[]): string => Buffer.concat(chunks).toString();

  it('puts the credentials into the form where a server wants them there, and keeps the token until it ends', async () => {
    const asked: string[] = [];
    const used: (string | undefined)[] = [];
    const server = await http((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (c: Buffer) => chunks.push(c));
      request.on('end', () => {
        if (request.url !== '/token') {
          used.push(request.headers.authorization);
          // the second token is refused once
          response.writeHead(used.length === 3 ? 401 : 200).end();
          return;
        }
        asked.push(text(chunks));
        const ok = text(chunks).includes('client_secret=geheim');
        response.writeHead(ok ? 200 : 401).end(JSON.stringify({ access_token: `t${asked.length}`, expires_in: 60 }));
      });
    });
    let nowMs = 0;
    const send = createHttpSend(undefined, { now: () => nowMs });
    const post = async (): Promise<number> =>
      (
        await send({
          method: 'POST',
          url: `${server}/hook`,
          headers: {},
          body: 'x',
          http: { followRedirects: true, oauth2: { ...OAUTH2, tokenUrl: `${server}/token` } },
          signal: AbortSignal.timeout(5_000),
        })
      ).status;
    expect(await Promise.all([post(), post()])).toEqual([200, 200]);
    expect(asked).toHaveLength(2);
    nowMs = 51_000;
    expect(await post()).toBe(401);
    expect(await post()).toBe(200);
    expect(used).toEqual(['Bearer t2', 'Bearer t2', 'Bearer t4', 'Bearer t6']);
  });

  it.each([
    ['a server that gives none', 'upstream', '{"error":"geheim"}', undefined],
    ['one inside the network', 'address_refused', '{"access_token":"t"}', createAddressGuard()],
  ])('says no secret about %s', async (_what, code, answer, guard) => {
    const server = await http((_request, response) => void response.end(answer));
    const outcome = createHttpSend(guard)({
      method: 'POST',
      url: 'http://192.0.2.1/hook',
      headers: {},
      body: 'x',
      http: { followRedirects: true, oauth2: { ...OAUTH2, tokenUrl: `${server}/token?key=geheim` } },
      signal: AbortSignal.timeout(5_000),
    });
    const error = await outcome.catch((e: unknown) => e as Error & { code: string });
    expect(error).toMatchObject({ code });
    expect(String((error as Error).message)).not.toContain('geheim');
  });
});
