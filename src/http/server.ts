/**
 * The HTTP server: mounts the route tables on Fastify, asks who is calling, checks access, bounds and decompresses
 * bodies, maps errors, counts. It knows no protocol and no feature. /t/<tenant>/... reaches the same routes.
 */
import { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { brotliDecompress, gunzip, inflate, zstdDecompress } from 'node:zlib';
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { Clock } from '../lib/clock.ts';
import { messageOf, VigieError } from '../lib/errors.ts';
import type { Logger } from '../lib/logger.ts';
import type { SelfMetrics } from '../lib/self-metrics.ts';
import { type RequestContext, roleAtLeast } from '../tenancy/context.ts';
import { asVigieError, errorAnswer } from './error-body.ts';
import type { Access, HttpAnswer, HttpRequest, Route, RouteFamily } from './route.ts';

/** Largest body a route takes unless it says otherwise, after decompression. */
export const BODY_BYTES_MAX = 1024 * 1024;
/** A compressed body may be this much at most, whatever the route allows after decompression. */
const WIRE_BYTES_MAX = 64 * 1024 * 1024;
const URL_BYTES_MAX = 256 * 1024;
/** Idle keep-alive connections are closed after this long. */
const KEEP_ALIVE_MS = 75_000;

export interface AuthInput {
  readonly method: string;
  readonly path: string;
  /** From the path prefix /t/<tenant>, still unchecked. */
  readonly pathTenant: string | undefined;
  readonly headers: HttpRequest['headers'];
  readonly remoteAddress: string;
  readonly access: Access;
  readonly requestId: string;
}
export type Authenticate = (input: AuthInput) => Promise<RequestContext> | RequestContext;

export interface HttpServerOptions {
  readonly routes: readonly Route[];
  readonly authenticate: Authenticate;
  /** Answers GETs that no route knows: the console's files. Undefined: 404. */
  readonly fallback?: (path: string, headers: HttpRequest['headers']) => Promise<HttpAnswer | undefined>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: SelfMetrics;
  readonly tls?: { readonly https: object } | undefined;
  /** Headers on every answer, for example Strict-Transport-Security. */
  readonly headers?: Readonly<Record<string, string>>;
  /** `WWW-Authenticate` of a 401, where browsers should ask for a user. */
  readonly challenge?: string;
  /** Told of the listening server, for certificates that change. */
  readonly onServer?: (server: import('node:http').Server) => void;
  /** Lets a request in or refuses it before anything is read, e.g. while starting. */
  readonly gate?: (path: string) => VigieError | undefined;
}

const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'same-origin',
};

const decoders: Readonly<Record<string, (body: Buffer, max: number) => Promise<Buffer>>> = {
  gzip: (body, max) => promisify<Buffer, object, Buffer>(gunzip)(body, { maxOutputLength: max }),
  'x-gzip': (body, max) => promisify<Buffer, object, Buffer>(gunzip)(body, { maxOutputLength: max }),
  deflate: (body, max) => promisify<Buffer, object, Buffer>(inflate)(body, { maxOutputLength: max }),
  br: (body, max) => promisify<Buffer, object, Buffer>(brotliDecompress)(body, { maxOutputLength: max }),
  zstd: (body, max) => promisify<Buffer, object, Buffer>(zstdDecompress)(body, { maxOutputLength: max }),
};

const EMPTY = Buffer.alloc(0);

export class HttpServer {
  readonly #fastify: FastifyInstance;
  readonly #options: HttpServerOptions;
  readonly #open = new Set<AbortController>();
  readonly #pathTenants = new WeakMap<object, string>();
  #requestCount = 0;
  #draining = false;

  constructor(options: HttpServerOptions) {
    this.#options = options;
    this.#fastify = Fastify({
      logger: false,
      bodyLimit: WIRE_BYTES_MAX,
      keepAliveTimeout: KEEP_ALIVE_MS,
      forceCloseConnections: 'idle',
      routerOptions: { maxParamLength: URL_BYTES_MAX },
      exposeHeadRoutes: false,
      return503OnClosing: false,
      // a path that is no valid percent-encoding
      frameworkErrors: (error: unknown, request: FastifyRequest, reply: FastifyReply) =>
        this.#fail(familyOfPath(request.url), error, String(request.id), reply),
      ...(options.tls ?? {}),
      // /t/<tenant>/x is /x with the tenant taken from the path
      rewriteUrl: (raw: { url?: string }) => {
        const url = raw.url ?? '/';
        if (!url.startsWith('/t/')) return url;
        const end = url.indexOf('/', 3);
        if (end < 0) return url;
        let tenant = url.slice(3, end);
        try {
          tenant = decodeURIComponent(tenant);
        } catch {
          tenant = '%'; // refused by the tenant check with a message of its own
        }
        this.#pathTenants.set(raw, tenant);
        return url.slice(end);
      },
    } as object) as unknown as FastifyInstance;
    options.onServer?.(this.#fastify.server);
    this.#fastify.removeAllContentTypeParsers();
    this.#fastify.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
    this.#fastify.setErrorHandler((error, request, reply) =>
      this.#fail(familyOfPath(request.url), error, String(request.id), reply),
    );
    this.#fastify.setNotFoundHandler((request, reply) => this.#notFound(request, reply));
    const requests = options.metrics.counter('vigie_http_requests_total', 'Answered HTTP requests.', [
      'family',
      'code',
    ]);
    const seconds = options.metrics.histogram(
      'vigie_http_request_duration_seconds',
      'Time to answer, streams left out.',
      { labelNames: ['family'] },
    );
    const inFlight = options.metrics.gauge(
      'vigie_http_requests_in_flight',
      'Requests being answered, streams included.',
    );
    options.metrics.onCollect(() => inFlight.set(this.#open.size));
    for (const route of options.routes) {
      const observe = (status: number, startMs: number, stream: boolean): void => {
        requests.labels(route.family, String(status)).inc();
        if (!stream) seconds.labels(route.family).observe((options.clock.monotonicMs() - startMs) / 1000);
      };
      this.#fastify.route({
        method: route.method,
        url: route.path,
        handler: (request, reply) => this.#handle(route, request, reply, observe),
      });
    }
  }

  /** Starts to listen; answers with the real address (port 0 picks one). Throws with what to do when the port is taken. */
  async listen(host: string, port: number): Promise<{ host: string; port: number }> {
    try {
      await this.#fastify.listen({ host, port });
    } catch (cause) {
      const code = (cause as NodeJS.ErrnoException).code;
      if (code === 'EADDRINUSE')
        throw new VigieError(
          'bad_config',
          `cannot listen on ${host}:${port}: the port is in use; choose another with --listen`,
          { cause },
        );
      throw new VigieError('bad_config', `cannot listen on ${host}:${port}: ${messageOf(cause)}`, { cause });
    }
    const address = this.#fastify.server.address();
    return { host, port: address && typeof address === 'object' ? address.port : port };
  }

  /** One request without a socket, for tests. */
  inject(input: {
    method: string;
    url: string;
    headers?: Record<string, string>;
    payload?: Buffer | string;
  }): Promise<{ statusCode: number; headers: Record<string, unknown>; body: string; rawPayload: Buffer }> {
    return this.#fastify.inject(input as never) as never;
  }

  /** Refuses new work, ends streams, and waits for what is under way. */
  async close(): Promise<void> {
    this.#draining = true;
    for (const controller of this.#open) controller.abort(new VigieError('unavailable', 'Vigie is stopping'));
    await this.#fastify.close();
  }

  async #handle(
    route: Route,
    raw: FastifyRequest,
    reply: FastifyReply,
    observe: (status: number, startMs: number, stream: boolean) => void,
  ): Promise<unknown> {
    const startMs = this.#options.clock.monotonicMs();
    const requestId =
      String(raw.headers['x-request-id'] ?? '')
        .slice(0, 64)
        .replace(/[^\w.-]/g, '') || `r${(++this.#requestCount).toString(36)}`;
    const controller = new AbortController();
    this.#open.add(controller);
    const { socket } = raw.raw;
    const onClose = (): void => controller.abort(new VigieError('canceled', 'the client closed the connection'));
    socket.once('close', onClose);
    const done = (): void => {
      socket.off('close', onClose);
      this.#open.delete(controller);
    };
    try {
      const path = pathOf(raw.url);
      const refusal = this.#draining
        ? new VigieError('unavailable', 'Vigie is stopping', { details: { retryAfterMs: 1000 } })
        : this.#options.gate?.(path);
      if (refusal && route.access.kind !== 'public') throw refusal;
      const input: AuthInput = {
        method: route.method,
        path,
        pathTenant: this.#pathTenants.get(raw.raw),
        headers: raw.headers,
        remoteAddress: raw.ip,
        access: route.access,
        requestId,
      };
      const authenticated = this.#options.authenticate(input);
      const context = authenticated instanceof Promise ? await authenticated : authenticated;
      checkAccess(route.access, context);
      const query = raw.url.indexOf('?');
      const answer = await route.handle({
        context,
        method: route.method,
        path,
        params: raw.params as Record<string, string>,
        query: new URLSearchParams(query < 0 ? '' : raw.url.slice(query + 1)),
        headers: raw.headers,
        body: await decodeBody(raw, route.bodyBytesMax ?? BODY_BYTES_MAX),
        signal: controller.signal,
        remoteAddress: raw.ip,
      });
      const stream = this.#send(reply, answer, done);
      observe(answer.status ?? 200, startMs, stream);
      if (!stream) done();
      return reply;
    } catch (error) {
      done();
      const status = this.#fail(route.family, error, requestId, reply);
      observe(status, startMs, false);
      return reply;
    }
  }

  /** Answers true when the body goes on as a stream. */
  #send(reply: FastifyReply, answer: HttpAnswer, done: () => void): boolean {
    const { body, json } = answer;
    reply.code(answer.status ?? (body === undefined && json === undefined ? 204 : 200));
    reply.headers(SECURITY_HEADERS);
    if (this.#options.headers) reply.headers(this.#options.headers);
    if (json !== undefined && body === undefined) reply.header('content-type', 'application/json');
    if (answer.headers) reply.headers(answer.headers);
    if (body === undefined) {
      reply.send(json === undefined ? '' : JSON.stringify(json));
      return false;
    }
    if (typeof body === 'string' || body instanceof Uint8Array) {
      reply.send(typeof body === 'string' ? body : Buffer.from(body.buffer, body.byteOffset, body.byteLength));
      return false;
    }
    const readable = Readable.from(body, { objectMode: false });
    readable.once('close', done);
    readable.on('error', (error) =>
      this.#options.logger.warn('stream ended with an error', { error: messageOf(error) }),
    );
    reply.send(readable);
    return true;
  }

  #fail(family: RouteFamily, error: unknown, requestId: string, reply: FastifyReply): number {
    const known = asVigieError(error);
    if (known.code === 'internal' || known.status >= 500) {
      const cause = known.cause ?? error;
      this.#options.logger.error('request failed', {
        requestId,
        code: known.code,
        error: known.message,
        stack: cause instanceof Error ? cause.stack : String(cause),
      });
    }
    const answer = errorAnswer(family, known, requestId);
    reply.code(answer.status ?? 500);
    reply.headers(SECURITY_HEADERS);
    reply.headers({ 'content-type': 'application/json', 'x-request-id': requestId, ...answer.headers });
    if (answer.status === 401 && this.#options.challenge) reply.header('www-authenticate', this.#options.challenge);
    reply.send(JSON.stringify(answer.json));
    return answer.status ?? 500;
  }

  async #notFound(raw: FastifyRequest, reply: FastifyReply): Promise<unknown> {
    const path = pathOf(raw.url);
    if ((raw.method === 'GET' || raw.method === 'HEAD') && !isApiPath(path)) {
      const answer = await this.#options.fallback?.(path, raw.headers);
      if (answer) {
        this.#send(reply, raw.method === 'HEAD' ? { ...answer, body: '' } : answer, () => {});
        return reply;
      }
    }
    this.#fail(
      familyOfPath(path),
      new VigieError('not_found', `no such endpoint: ${raw.method} ${path}`),
      String(raw.id),
      reply,
    );
    return reply;
  }
}

/** Throws `unauthenticated` or `forbidden` unless the context may use a route of this access. */
export function checkAccess(access: Access, context: RequestContext): void {
  if (access.kind === 'public') return;
  if (access.kind === 'platform') {
    if (context.role !== 'platform_admin') throw new VigieError('forbidden', 'this needs a platform role');
    return;
  }
  if (!roleAtLeast(context.role, access.role)) {
    throw new VigieError(
      'forbidden',
      `this needs the role ${access.role} on tenant ${context.tenant}; ${context.principal.name} has ${context.role}`,
    );
  }
  if (context.scopes && !context.scopes.has(access.scope)) {
    throw new VigieError(
      'forbidden',
      `this key lacks the scope ${access.scope}; it has ${[...context.scopes].join(', ') || 'none'}`,
    );
  }
}

async function decodeBody(raw: FastifyRequest, bytesMax: number): Promise<Buffer> {
  const body = raw.body as Buffer | undefined;
  if (!body || body.length === 0) return EMPTY;
  const encoding = String(raw.headers['content-encoding'] ?? 'identity').toLowerCase();
  if (encoding === 'identity' || encoding === 'snappy' || encoding === '') {
    if (body.length > bytesMax)
      throw new VigieError('too_large', `the body has ${body.length} bytes, at most ${bytesMax} are taken here`);
    return body;
  }
  const decode = decoders[encoding];
  if (!decode)
    throw new VigieError(
      'unsupported_media',
      `content encoding ${JSON.stringify(encoding)} is not supported; want gzip, deflate, br, zstd, snappy or none`,
    );
  try {
    return await decode(body, bytesMax);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE')
      throw new VigieError('too_large', `the body is more than ${bytesMax} bytes after decompression`, { cause });
    throw new VigieError('bad_data', `the body is not valid ${encoding}`, { cause });
  }
}

function pathOf(url: string): string {
  const end = url.indexOf('?');
  return end < 0 ? url : url.slice(0, end);
}

const API_PATH = /^\/(api|vigie|v1|mimir|prometheus|elasticsearch|federate|metrics|-|t)(\/|$)/;
const isApiPath = (path: string): boolean => API_PATH.test(path);

/** The family whose error shape fits a path that no route knows. */
function familyOfPath(path: string): RouteFamily {
  if (path.startsWith('/vigie')) return 'vigie';
  if (path.startsWith('/api/v2')) return 'alertmanager';
  if (path.startsWith('/v1/')) return 'otlp';
  if (path.startsWith('/elasticsearch')) return 'elasticsearch';
  if (path.startsWith('/api/v1') || path.startsWith('/api/prom')) return 'prometheus';
  return path.startsWith('/api/') ? 'jaeger' : 'vigie';
}
