/**
 * The HTTP server: mounts the route tables on Fastify, asks who is calling, checks access, bounds and decompresses
 * bodies, maps errors, counts. It knows no protocol and no feature. /t/<tenant>/... reaches the same routes.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { promisify } from 'node:util';
import { brotliDecompress, gunzip, inflate, zstdDecompress } from 'node:zlib';
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { Clock } from '../lib/clock.ts';
import { messageOf, VigieError } from '../lib/errors.ts';
import type { Logger } from '../lib/logger.ts';
import type { Counter, SelfMetrics } from '../lib/self-metrics.ts';
import { type RequestContext, roleAtLeast } from '../tenancy/context.ts';
import { methodsByPath } from './allowed-methods.ts';
import { asVigieError, errorAnswer } from './error-body.ts';
import {
  AnswerQueue,
  DirectExchange,
  type DirectOptions,
  type Exchange,
  frameworkExchange,
  isStream,
} from './exchange.ts';
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

/** Counts one answer; `stream`: how long it took says nothing. */
type Observe = (status: number, startMs: number, stream: boolean) => void;

/** What is being answered. The abort signal is made when somebody asks for it: small answers never do. */
class OpenRequest {
  readonly #socket: Socket;
  #controller: AbortController | undefined;
  #reason: VigieError | undefined;
  #onClose: (() => void) | undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  get signal(): AbortSignal {
    if (this.#controller) return this.#controller.signal;
    this.#controller = new AbortController();
    if (this.#socket.destroyed) this.#reason ??= gone();
    if (this.#reason) this.#controller.abort(this.#reason);
    else {
      this.#onClose = () => this.abort(gone());
      this.#socket.once('close', this.#onClose);
    }
    return this.#controller.signal;
  }

  abort(reason: VigieError): void {
    this.#reason ??= reason;
    this.#controller?.abort(reason);
  }

  done(): void {
    if (this.#onClose) this.#socket.off('close', this.#onClose);
  }
}
const gone = (): VigieError => new VigieError('canceled', 'the client closed the connection');

export class HttpServer {
  readonly #fastify: FastifyInstance;
  readonly #options: HttpServerOptions;
  readonly #open = new Set<OpenRequest>();
  /** Routes whose path is fixed, by method and path: they pass the framework by. */
  readonly #direct = new Map<string, { readonly route: Route; readonly observe: Observe }>();
  readonly #headers: Readonly<Record<string, string>>;
  readonly #pathTenants = new WeakMap<object, string>();
  readonly #methods: (path: string) => readonly string[];
  #requestCount = 0;
  #draining = false;

  constructor(options: HttpServerOptions) {
    this.#options = options;
    this.#methods = methodsByPath(options.routes);
    this.#headers = { ...SECURITY_HEADERS, ...options.headers };
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
        this.#fail(familyOfPath(request.url), error, String(request.id), this.#exchange(request, reply)),
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
      this.#fail(familyOfPath(request.url), error, String(request.id), this.#exchange(request, reply)),
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
      const taken = seconds.labels(route.family);
      const byStatus = new Map<number, Counter>();
      const observe: Observe = (status, startMs, stream) => {
        let count = byStatus.get(status);
        if (!count) byStatus.set(status, (count = requests.labels(route.family, String(status))));
        count.inc();
        if (!stream) taken.observe((options.clock.monotonicMs() - startMs) / 1000);
      };
      if (route.method !== 'HEAD' && !/[:*]/.test(route.path))
        this.#direct.set(`${route.method} ${route.path}`, { route, observe });
      this.#fastify.route({
        method: route.method,
        url: route.path,
        handler: async (request, reply) => {
          await this.#handle(route, this.#exchange(request, reply), observe);
          return reply;
        },
      });
    }
    const { server } = this.#fastify;
    const framework = server.listeners('request') as ((raw: IncomingMessage, response: ServerResponse) => void)[];
    const direct: DirectOptions = {
      bodyBytesMax: WIRE_BYTES_MAX,
      closing: () => this.#draining,
      queue: new AnswerQueue(() => options.clock.monotonicMs()),
    };
    server.removeAllListeners('request');
    server.on('request', (raw: IncomingMessage, response: ServerResponse) => {
      const found = this.#direct.get(`${raw.method} ${pathOf(raw.url ?? '/')}`);
      if (found) void this.#handle(found.route, new DirectExchange(raw, response, direct), found.observe);
      else for (const listener of framework) listener.call(server, raw, response);
    });
  }

  #exchange(request: FastifyRequest, reply: FastifyReply): Exchange {
    return frameworkExchange(request, reply, this.#pathTenants.get(request.raw));
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
    for (const open of this.#open) open.abort(new VigieError('unavailable', 'Vigie is stopping'));
    await this.#fastify.close();
  }

  async #handle(route: Route, exchange: Exchange, observe: Observe): Promise<void> {
    const startMs = this.#options.clock.monotonicMs();
    const given = exchange.headers['x-request-id'];
    const requestId =
      (given === undefined
        ? ''
        : String(given)
            .slice(0, 64)
            .replace(/[^\w.-]/g, '')) || `r${(++this.#requestCount).toString(36)}`;
    const open = new OpenRequest(exchange.raw.socket);
    this.#open.add(open);
    const done = (): void => {
      open.done();
      this.#open.delete(open);
    };
    try {
      const { url } = exchange;
      const path = pathOf(url);
      const refusal = this.#draining
        ? new VigieError('unavailable', 'Vigie is stopping', { details: { retryAfterMs: 1000 } })
        : this.#options.gate?.(path);
      if (refusal && route.access.kind !== 'public') throw refusal;
      const authenticated = this.#options.authenticate({
        method: route.method,
        path,
        pathTenant: exchange.pathTenant,
        headers: exchange.headers,
        remoteAddress: exchange.remoteAddress,
        access: route.access,
        requestId,
      });
      const context = authenticated instanceof Promise ? await authenticated : authenticated;
      checkAccess(route.access, context);
      const wire = exchange.body();
      const body = decodeBody(
        exchange.headers,
        wire instanceof Promise ? await wire : wire,
        route.bodyBytesMax ?? BODY_BYTES_MAX,
      );
      const answer = await route.handle({
        context,
        method: route.method,
        path,
        params: exchange.params,
        query: new URLSearchParams(path.length === url.length ? '' : url.slice(path.length + 1)),
        headers: exchange.headers,
        body: body instanceof Promise ? await body : body,
        get signal() {
          return open.signal;
        },
        remoteAddress: exchange.remoteAddress,
      });
      const stream = this.#send(exchange, answer, done);
      observe(answer.status ?? 200, startMs, stream);
      if (!stream) done();
    } catch (error) {
      done();
      observe(this.#fail(route.family, error, requestId, exchange), startMs, false);
    }
  }

  /** Answers true when the body goes on as a stream. */
  #send(exchange: Exchange, answer: HttpAnswer, done: () => void): boolean {
    const { body, json } = answer;
    const status = answer.status ?? (body === undefined && json === undefined ? 204 : 200);
    const headers =
      json !== undefined && body === undefined
        ? { ...this.#headers, 'content-type': 'application/json', ...answer.headers }
        : { ...this.#headers, ...answer.headers };
    if (body === undefined) {
      exchange.answer(status, headers, json === undefined ? '' : JSON.stringify(json));
      return false;
    }
    if (!isStream(body)) {
      exchange.answer(status, headers, body);
      return false;
    }
    exchange.answer(status, headers, body, (error) => {
      done();
      // a client that leaves is no fault
      if (error && (error as NodeJS.ErrnoException).code !== 'ERR_STREAM_PREMATURE_CLOSE')
        this.#options.logger.warn('stream ended with an error', { error: messageOf(error) });
    });
    return true;
  }

  #fail(family: RouteFamily, error: unknown, requestId: string, exchange: Exchange): number {
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
    const status = answer.status ?? 500;
    const headers: Record<string, string> = {
      ...SECURITY_HEADERS,
      'content-type': 'application/json',
      'x-request-id': requestId,
      ...answer.headers,
    };
    if (status === 401 && this.#options.challenge) headers['www-authenticate'] = this.#options.challenge;
    exchange.answer(status, headers, JSON.stringify(answer.json));
    return status;
  }

  async #notFound(raw: FastifyRequest, reply: FastifyReply): Promise<unknown> {
    const path = pathOf(raw.url);
    if ((raw.method === 'GET' || raw.method === 'HEAD') && !isApiPath(path)) {
      const answer = await this.#options.fallback?.(path, raw.headers);
      if (answer) {
        this.#send(this.#exchange(raw, reply), raw.method === 'HEAD' ? { ...answer, body: '' } : answer, () => {});
        return reply;
      }
    }
    const allow = this.#methods(path).join(', ');
    this.#fail(
      familyOfPath(path),
      allow === ''
        ? new VigieError('not_found', `no such endpoint: ${raw.method} ${path}`)
        : new VigieError('method_not_allowed', `${path} does not answer ${raw.method}; it answers ${allow}`, {
            details: { allow },
          }),
      String(raw.id),
      this.#exchange(raw, reply),
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

function decodeBody(headers: HttpRequest['headers'], body: Buffer, bytesMax: number): Buffer | Promise<Buffer> {
  if (body.length === 0) return body;
  const encoding = String(headers['content-encoding'] ?? 'identity').toLowerCase();
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
  return decode(body, bytesMax).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ERR_BUFFER_TOO_LARGE')
      throw new VigieError('too_large', `the body is more than ${bytesMax} bytes after decompression`, { cause });
    throw new VigieError('bad_data', `the body is not valid ${encoding}`, { cause });
  });
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
