/**
 * One request and the means to answer it, whichever way it came: through the framework's router, or straight from
 * Node's server for the routes whose path is fixed, which is where nearly all requests go. The framework costs more
 * than a small query does.
 */
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import { pipeline, Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { VigieError } from '../lib/errors.ts';

export interface Exchange {
  readonly raw: IncomingMessage;
  /** Path and query, without the /t/<tenant> prefix. */
  readonly url: string;
  readonly params: Readonly<Record<string, string>>;
  readonly pathTenant: string | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly remoteAddress: string;
  /** The body as it came over the wire. Throws `too_large`. */
  body(): Buffer | Promise<Buffer>;
  /** `ended`: told when a streamed body is over, however it ended. */
  answer(status: number, headers: Readonly<Record<string, string>>, body: AnswerBody, ended?: Ended): void;
}
export type AnswerBody = string | Uint8Array | AsyncIterable<string | Uint8Array>;
export type Ended = (error: Error | undefined) => void;

const EMPTY = Buffer.alloc(0);

export function isStream(body: AnswerBody): body is AsyncIterable<string | Uint8Array> {
  return typeof body !== 'string' && !(body instanceof Uint8Array);
}

export function frameworkExchange(
  request: FastifyRequest,
  reply: FastifyReply,
  pathTenant: string | undefined,
): Exchange {
  return {
    raw: request.raw,
    url: request.url,
    params: request.params as Record<string, string>,
    pathTenant,
    headers: request.headers,
    remoteAddress: request.ip,
    body: () => (request.body as Buffer | undefined) ?? EMPTY,
    answer(status, headers, body, ended) {
      reply.code(status);
      reply.headers(headers);
      if (!isStream(body)) {
        reply.send(typeof body === 'string' ? body : Buffer.from(body.buffer, body.byteOffset, body.byteLength));
        return;
      }
      const readable = Readable.from(body, { objectMode: false });
      let failed: Error | undefined;
      readable.once('error', (error) => {
        failed = error;
      });
      readable.once('close', () => ended?.(failed));
      reply.send(readable);
    },
  };
}

/** An answer waits for others at most about this long, plus the work of one request. */
const GATHER_MS_MAX = 1;
/** So many answers are written at the latest. */
const GATHERED_MAX = 256;

/**
 * Small answers of one turn of the event loop, written one after another at its end. Waking the other side is what a
 * write costs most, several times the work of a small query on a virtual machine; side by side, it is woken once.
 */
export class AnswerQueue {
  readonly #nowMs: () => number;
  #waiting: (() => void)[] = [];
  #sinceMs = 0;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  add(write: () => void): void {
    if (this.#waiting.length === 0) {
      this.#sinceMs = this.#nowMs();
      setImmediate(this.#flush);
    }
    this.#waiting.push(write);
    if (this.#waiting.length >= GATHERED_MAX || this.#nowMs() - this.#sinceMs > GATHER_MS_MAX) this.#flush();
  }

  readonly #flush = (): void => {
    if (this.#waiting.length === 0) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const write of waiting) write();
  };
}

const NO_PARAMS: Readonly<Record<string, string>> = {};

export interface DirectOptions {
  /** Larger bodies are refused while they arrive. */
  readonly bodyBytesMax: number;
  /** Connections end with the next answer. */
  readonly closing: () => boolean;
  readonly queue: AnswerQueue;
}

export class DirectExchange implements Exchange {
  readonly raw: IncomingMessage;
  readonly params = NO_PARAMS;
  readonly pathTenant = undefined;
  readonly #response: ServerResponse;
  readonly #options: DirectOptions;
  #overflow = false;

  constructor(raw: IncomingMessage, response: ServerResponse, options: DirectOptions) {
    this.raw = raw;
    this.#response = response;
    this.#options = options;
  }

  get url(): string {
    return this.raw.url ?? '/';
  }

  get headers(): IncomingHttpHeaders {
    return this.raw.headers;
  }

  get remoteAddress(): string {
    return this.raw.socket.remoteAddress ?? '';
  }

  body(): Buffer | Promise<Buffer> {
    const { method, headers } = this.raw;
    if (method === 'GET') return EMPTY;
    const declared = headers['content-length'];
    if (declared === undefined ? headers['transfer-encoding'] === undefined : declared === '0') return EMPTY;
    const max = this.#options.bodyBytesMax;
    const tooLarge = (): VigieError => {
      this.#overflow = true;
      return new VigieError('too_large', 'the request body exceeds the limit of this endpoint');
    };
    if (Number(declared) > max) return Promise.reject(tooLarge());
    return new Promise((resolve, reject) => {
      const { raw } = this;
      let parts: Buffer[] | undefined;
      let only: Buffer | undefined;
      let size = 0;
      const onData = (part: Buffer): void => {
        size += part.length;
        if (size > max) {
          raw.off('data', onData);
          raw.pause();
          reject(tooLarge());
        } else if (only === undefined) only = part;
        else (parts ??= [only]).push(part);
      };
      raw.on('data', onData);
      raw.once('end', () => resolve(parts ? Buffer.concat(parts, size) : (only ?? EMPTY)));
      raw.once('error', () => reject(new VigieError('canceled', 'the client closed the connection')));
    });
  }

  answer(status: number, headers: Readonly<Record<string, string>>, body: AnswerBody, ended?: Ended): void {
    const response = this.#response;
    const all: Record<string, string | number> = { ...headers };
    // whoever sends more than is taken is not read to the end
    if (this.#overflow || this.#options.closing()) all['connection'] = 'close';
    if (isStream(body)) {
      response.writeHead(status, all);
      response.flushHeaders();
      pipeline(Readable.from(body, { objectMode: false }), response, (error) => ended?.(error ?? undefined));
      return;
    }
    if (status !== 204) {
      all['content-type'] ??= typeof body === 'string' ? 'text/plain; charset=utf-8' : 'application/octet-stream';
      all['content-length'] = typeof body === 'string' ? Buffer.byteLength(body) : body.length;
    }
    // at once, for a header that cannot be written must fail this answer and no other; nothing is sent before end()
    response.writeHead(status, all);
    this.#options.queue.add(() => {
      if (body.length === 0 || status === 204) response.end();
      else response.end(body);
    });
  }
}
