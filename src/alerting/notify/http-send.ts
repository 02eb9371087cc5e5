/**
 * Sends one HTTP request to a receiver: guarded addresses, credentials, TLS, redirects, bounded answers. It never
 * retries; that is deliver.ts.
 */
import { type AgentOptions, Agent as HttpAgent, request as httpRequest, type RequestOptions } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import type { AddressGuard } from '../../lib/address-guard.ts';
import { type Clock, systemClock } from '../../lib/clock.ts';
import { messageOf, VigieError } from '../../lib/errors.ts';
import type { HttpConfig, HttpSend, OutgoingRequest, OutgoingResponse } from './channel.ts';
import { OAuth2Tokens } from './oauth2.ts';

/** Bytes of an answer that are read; the rest is dropped. */
export const RESPONSE_BYTES_MAX = 64 * 1024;
/** A receiver that sends nothing for this long is given up. */
export const IDLE_MS_MAX = 60_000;
const REDIRECTS_MAX = 10;
/** Connections to one receiver at a time; more requests wait for one. */
export const SOCKETS_PER_RECEIVER_MAX = 64;
/** Connections that are kept for the next request, and for how long. */
const FREE_SOCKETS_PER_RECEIVER_MAX = 8;
const FREE_SOCKET_MS_MAX = 5_000;

/**
 * Connections of one sender. They are never shared with another sender: one that is not guarded may hold connections
 * that the guard would refuse.
 */
interface Agents {
  readonly http: HttpAgent;
  readonly https: HttpsAgent;
}

function createAgents(): Agents {
  const options: AgentOptions = {
    keepAlive: true,
    maxSockets: SOCKETS_PER_RECEIVER_MAX,
    maxFreeSockets: FREE_SOCKETS_PER_RECEIVER_MAX,
    timeout: FREE_SOCKET_MS_MAX,
  };
  return { http: new HttpAgent(options), https: new HttpsAgent(options) };
}

/** `guard` judges every address, those of redirects too; undefined trusts them all (the operator's own files). */
export function createHttpSend(guard: AddressGuard | undefined, clock: Pick<Clock, 'now'> = systemClock): HttpSend {
  const agents = createAgents();
  const tokens = new OAuth2Tokens((request) => follow(request, guard, agents), clock);
  return async (request) => {
    const { oauth2 } = request.http;
    if (!oauth2) return follow(request, guard, agents);
    const token = await tokens.get(oauth2, request.signal);
    const response = await follow({ ...request, http: { ...request.http, authorization: token } }, guard, agents);
    // revoked before its time: the next try asks for a new one
    if (response.status === 401) tokens.forget(oauth2);
    return response;
  };
}

async function follow(
  request: OutgoingRequest,
  guard: AddressGuard | undefined,
  agents: Agents,
): Promise<OutgoingResponse> {
  let next = request;
  for (let hop = 0; ; hop++) {
    const response = await exchange(next, guard, agents);
    const location = response.headers['location'];
    if (![301, 302, 303, 307, 308].includes(response.status) || !location || !request.http.followRedirects)
      return response;
    if (hop >= REDIRECTS_MAX)
      throw new VigieError('upstream', `the receiver redirects more than ${REDIRECTS_MAX} times`);
    if (!URL.canParse(location, next.url))
      throw new VigieError('upstream', 'the receiver redirects to no valid address');
    next = redirected(next, new URL(location, next.url), response.status);
  }
}

function redirected(from: OutgoingRequest, to: URL, status: number): OutgoingRequest {
  const keeps = status === 307 || status === 308;
  const sameHost = to.host === new URL(from.url).host;
  return {
    ...from,
    url: to.href,
    // as Go's client: the body goes along with 307 and 308 only, credentials only to the same host
    ...(keeps ? {} : { method: 'GET' as const, body: '' }),
    ...(sameHost
      ? {}
      : { http: { followRedirects: from.http.followRedirects, ...(from.http.tls ? { tls: from.http.tls } : {}) } }),
  };
}

async function exchange(
  request: OutgoingRequest,
  guard: AddressGuard | undefined,
  agents: Agents,
): Promise<OutgoingResponse> {
  const url = new URL(request.url);
  const pinned = guard ? await guard(url.hostname) : undefined;
  const headers: Record<string, string> = { ...request.headers, ...request.http.headers };
  const credentials = credentialsOf(request.http, url);
  if (credentials) headers['authorization'] = credentials;
  // encoded once: its length would be counted by encoding it too
  const body = request.method === 'GET' ? undefined : Buffer.from(request.body);
  if (body) headers['content-length'] = String(body.length);
  const { tls } = request.http;
  const options: RequestOptions & Record<string, unknown> = {
    method: request.method,
    headers,
    signal: request.signal,
    timeout: IDLE_MS_MAX,
    ...(pinned ? { lookup: pinned.lookup } : {}),
    ...(tls
      ? {
          rejectUnauthorized: !tls.insecureSkipVerify,
          ...(tls.ca ? { ca: tls.ca } : {}),
          ...(tls.cert ? { cert: tls.cert } : {}),
          ...(tls.key ? { key: tls.key } : {}),
          ...(tls.serverName ? { servername: tls.serverName } : {}),
          ...(tls.minVersion ? { minVersion: tls.minVersion } : {}),
          ...(tls.maxVersion ? { maxVersion: tls.maxVersion } : {}),
        }
      : {}),
  };
  url.username = '';
  url.password = '';
  const secure = url.protocol === 'https:';
  options.agent = secure ? agents.https : agents.http;
  return new Promise((resolve, reject) => {
    const send = secure ? httpsRequest : httpRequest;
    const outgoing = send(url, options, (incoming) => {
      const chunks: Buffer[] = [];
      let size = 0;
      const done = (): void => {
        const headers: Record<string, string | undefined> = {};
        for (const [name, v] of Object.entries(incoming.headers)) headers[name] = Array.isArray(v) ? v[0] : v;
        resolve({ status: incoming.statusCode ?? 0, headers, body: Buffer.concat(chunks).toString('utf8') });
      };
      incoming.on('data', (chunk: Buffer) => {
        if (size < RESPONSE_BYTES_MAX) chunks.push(chunk.subarray(0, RESPONSE_BYTES_MAX - size));
        size += chunk.length;
        if (size < RESPONSE_BYTES_MAX) return;
        done();
        incoming.destroy();
      });
      incoming.on('end', done);
      incoming.on('error', (cause) => reject(broken(url, cause)));
    });
    outgoing.on('timeout', () => outgoing.destroy(new Error(`nothing came for ${IDLE_MS_MAX / 1_000} s`)));
    outgoing.on('error', (cause) => reject(broken(url, cause)));
    outgoing.end(body);
  });
}

/** Names the host only: path and query of a receiver's address are secrets. */
const broken = (url: URL, cause: unknown): VigieError =>
  new VigieError('unavailable', `${url.protocol}//${url.host}: ${messageOf(cause)}`, { cause });

function credentialsOf(http: HttpConfig, url: URL): string | undefined {
  const basic = (user: string, password: string): string =>
    `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
  if (http.basicAuth) return basic(http.basicAuth.username, http.basicAuth.password);
  if (http.authorization) return `${http.authorization.type} ${http.authorization.credentials}`;
  if (url.username) return basic(decodeURIComponent(url.username), decodeURIComponent(url.password));
  return undefined;
}
