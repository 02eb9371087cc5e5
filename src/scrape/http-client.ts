/**
 * The HTTP client of scrapes and discoveries: one kept-alive agent per configuration, credentials from text or file,
 * OAuth2 client credentials, bounded bodies, redirects, and the address guard for addresses that tenants gave. It
 * speaks HTTP/1.1 and does not use proxies.
 */
import { readFile } from 'node:fs/promises';
import http, { type IncomingMessage } from 'node:http';
import https from 'node:https';
import { gunzipSync } from 'node:zlib';
import type { AddressGuard } from '../lib/address-guard.ts';
import type { Clock } from '../lib/clock.ts';
import { messageOf, VigieError } from '../lib/errors.ts';
import type { HttpClientConfig, OAuth2Config, TlsClientConfig } from './http-config.ts';

export const REDIRECTS_MAX = 10;
/** Largest body when the job sets no limit. */
export const BODY_BYTES_MAX = 256 * 1024 * 1024;
/** A token is renewed this long before it ends. */
const TOKEN_EARLY_MS = 10_000;
const TOKEN_TIMEOUT_MS = 10_000;

export interface FetchOptions {
  readonly headers?: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly bodyBytesMax?: number;
  readonly signal?: AbortSignal;
  readonly method?: 'GET' | 'POST';
  readonly payload?: string;
}

export interface Fetched {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
}

export interface HttpClientOptions {
  readonly config: HttpClientConfig;
  readonly clock: Clock;
  /** Present when a tenant gave the address. */
  readonly guard?: AddressGuard | undefined;
  /** Folder that relative `_file` names start from. */
  readonly resolveFile: (name: string) => string;
}

export class HttpClient {
  readonly #options: HttpClientOptions;
  #agents: { http: http.Agent; https: https.Agent } | undefined;
  #token: { value: string; untilMs: number } | undefined;

  constructor(options: HttpClientOptions) {
    this.#options = options;
  }

  /** One answer, redirects followed when configured. Throws VigieError with a reason fit for `lastError`. */
  async fetch(url: string, options: FetchOptions): Promise<Fetched> {
    let current = new URL(url);
    const deadlineMs = this.#options.clock.monotonicMs() + options.timeoutMs;
    let credentials = true;
    for (let hop = 0; ; hop++) {
      const leftMs = deadlineMs - this.#options.clock.monotonicMs();
      if (leftMs <= 0) throw new VigieError('unavailable', 'context deadline exceeded');
      const answer = await this.#once(current, { ...options, timeoutMs: leftMs }, credentials);
      const location = answer.headers.location;
      if (!this.#options.config.followRedirects || !location || ![301, 302, 303, 307, 308].includes(answer.status))
        return answer;
      if (hop >= REDIRECTS_MAX) throw new VigieError('upstream', `stopped after ${REDIRECTS_MAX} redirects`);
      const next = new URL(location, current);
      if (next.protocol !== 'http:' && next.protocol !== 'https:')
        throw new VigieError('upstream', `redirected to ${next.protocol}, want http or https`);
      // credentials never leave for another host, nor for plain text
      if (next.host !== current.host || (current.protocol === 'https:' && next.protocol === 'http:'))
        credentials = false;
      current = next;
    }
  }

  close(): void {
    this.#agents?.http.destroy();
    this.#agents?.https.destroy();
    this.#agents = undefined;
  }

  async #once(url: URL, options: FetchOptions, credentials: boolean): Promise<Fetched> {
    const { config, guard } = this.#options;
    const headers: Record<string, string | string[]> = { 'accept-encoding': 'identity', ...options.headers };
    for (const [name, values] of Object.entries(config.headers)) headers[name] = [...values];
    const authorization = credentials ? await this.#authorization() : undefined;
    if (authorization) headers['authorization'] = authorization;
    const pinned = guard ? await guard(url.hostname) : undefined;
    const agents = (this.#agents ??= await this.#createAgents());
    const secure = url.protocol === 'https:';
    return await new Promise<Fetched>((resolve, reject) => {
      const max = options.bodyBytesMax || BODY_BYTES_MAX;
      const request = (secure ? https : http).request(
        url,
        {
          agent: secure ? agents.https : agents.http,
          method: options.method ?? 'GET',
          headers,
          ...(pinned ? { lookup: pinned.lookup } : {}),
          ...(options.signal ? { signal: options.signal } : {}),
        },
        (response) => {
          const chunks: Buffer[] = [];
          let size = 0;
          response.on('data', (chunk: Buffer) => {
            size += chunk.length;
            if (size > max) request.destroy(new VigieError('too_large', 'body size limit exceeded'));
            else chunks.push(chunk);
          });
          response.on('end', () => {
            timer.cancel();
            try {
              resolve({
                status: response.statusCode ?? 0,
                headers: response.headers,
                body: decoded(response, Buffer.concat(chunks), max),
              });
            } catch (error) {
              reject(error);
            }
          });
          response.on('error', fail);
        },
      );
      const timer = this.#options.clock.setTimer(
        () => request.destroy(new VigieError('unavailable', 'context deadline exceeded')),
        options.timeoutMs,
      );
      const fail = (error: unknown): void => {
        timer.cancel();
        reject(
          error instanceof VigieError
            ? error
            : new VigieError(
                'unavailable',
                `${options.method ?? 'Get'} ${JSON.stringify(withoutCredentials(url))}: ${messageOf(error)}`,
                { cause: error },
              ),
        );
      };
      request.on('error', fail);
      request.end(options.payload);
    });
  }

  async #authorization(): Promise<string | undefined> {
    const { basicAuth, authorization, oauth2 } = this.#options.config;
    if (basicAuth) {
      const user = basicAuth.usernameFile ? await this.#file(basicAuth.usernameFile) : (basicAuth.username ?? '');
      const password = basicAuth.passwordFile ? await this.#file(basicAuth.passwordFile) : (basicAuth.password ?? '');
      return `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
    }
    if (authorization) {
      const text = authorization.credentialsFile
        ? await this.#file(authorization.credentialsFile)
        : (authorization.credentials ?? '');
      return text === '' ? undefined : `${authorization.type} ${text}`;
    }
    return oauth2 ? `Bearer ${await this.#oauth2Token(oauth2)}` : undefined;
  }

  async #oauth2Token(config: OAuth2Config): Promise<string> {
    const { clock, guard, resolveFile } = this.#options;
    if (this.#token && clock.now() < this.#token.untilMs) return this.#token.value;
    const secret = config.clientSecretFile ? await this.#file(config.clientSecretFile) : (config.clientSecret ?? '');
    const client = new HttpClient({
      config: {
        tls: config.tls,
        followRedirects: false,
        headers: {},
        basicAuth: { username: encodeURIComponent(config.clientId), password: encodeURIComponent(secret) },
      },
      clock,
      guard,
      resolveFile,
    });
    try {
      const form = new URLSearchParams({ grant_type: 'client_credentials', ...config.endpointParams });
      if (config.scopes.length > 0) form.set('scope', config.scopes.join(' '));
      const answer = await client.fetch(config.tokenUrl, {
        method: 'POST',
        payload: form.toString(),
        headers: { 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json' },
        timeoutMs: TOKEN_TIMEOUT_MS,
        bodyBytesMax: 1024 * 1024,
      });
      if (answer.status !== 200)
        throw new VigieError('upstream', `the OAuth2 token address answered HTTP status ${answer.status}`);
      let token: { access_token?: unknown; expires_in?: unknown };
      try {
        token = JSON.parse(answer.body.toString('utf8')) as typeof token;
      } catch (cause) {
        throw new VigieError('upstream', 'the OAuth2 token address answered no JSON', { cause });
      }
      if (typeof token.access_token !== 'string' || token.access_token === '')
        throw new VigieError('upstream', 'the OAuth2 token address answered no access_token');
      const seconds = Number(token.expires_in);
      const lifeMs = Number.isFinite(seconds) && seconds > 0 ? seconds * 1000 : 3_600_000;
      this.#token = { value: token.access_token, untilMs: clock.now() + Math.max(0, lifeMs - TOKEN_EARLY_MS) };
      return token.access_token;
    } finally {
      client.close();
    }
  }

  async #createAgents(): Promise<{ http: http.Agent; https: https.Agent }> {
    const tls = await loadTls(this.#options.config.tls, (name) => this.#file(name));
    return {
      http: new http.Agent({ keepAlive: true, maxFreeSockets: 256 }),
      https: new https.Agent({ keepAlive: true, maxFreeSockets: 256, ...tls }),
    };
  }

  async #file(name: string): Promise<string> {
    try {
      return (await readFile(this.#options.resolveFile(name), 'utf8')).trim();
    } catch (cause) {
      throw new VigieError('bad_config', `cannot read ${name}: ${messageOf(cause)}`, { cause });
    }
  }
}

async function loadTls(t: TlsClientConfig, file: (name: string) => Promise<string>): Promise<https.AgentOptions> {
  const ca = t.ca ?? (t.caFile && (await file(t.caFile)));
  const cert = t.cert ?? (t.certFile && (await file(t.certFile)));
  const key = t.key ?? (t.keyFile && (await file(t.keyFile)));
  return {
    ...(ca ? { ca } : {}),
    ...(cert ? { cert } : {}),
    ...(key ? { key } : {}),
    ...(t.serverName ? { servername: t.serverName } : {}),
    ...(t.minVersion ? { minVersion: t.minVersion } : {}),
    ...(t.maxVersion ? { maxVersion: t.maxVersion } : {}),
    rejectUnauthorized: !t.insecureSkipVerify,
  };
}

function decoded(response: IncomingMessage, body: Buffer, max: number): Buffer {
  const encoding = response.headers['content-encoding'] ?? 'identity';
  if (encoding === 'identity' || body.length === 0) return body;
  if (encoding !== 'gzip')
    throw new VigieError('upstream', `the answer is encoded as ${JSON.stringify(encoding)}, want gzip or none`);
  try {
    return gunzipSync(body, { maxOutputLength: max });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE')
      throw new VigieError('too_large', 'body size limit exceeded', { cause });
    throw new VigieError('upstream', 'the answer is not valid gzip', { cause });
  }
}

function withoutCredentials(url: URL): string {
  const copy = new URL(url);
  copy.username = '';
  copy.password = '';
  return copy.toString();
}
