/**
 * Speaks to the HTTP API of Prometheus and of what answers like it (Mimir, Thanos, VictoriaMetrics): one request, a
 * bounded answer, errors in our own codes. It knows nothing of tenants; headers and matchers come from above.
 */
import { messageOf, VigieError } from '../../../lib/errors.ts';

/** Largest answer that is read. */
export const ANSWER_BYTES_MAX = 512 * 1024 * 1024;
const TIMEOUT_MS = 120_000;

export interface ClientOptions {
  /** Base address; a path in front of /api/v1 is kept, user and password become basic authentication. */
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
}

export interface ClientRequest {
  readonly method?: 'GET' | 'POST';
  readonly path: string;
  /** Sent as a form with POST, in the address with GET. */
  readonly parameters?: URLSearchParams;
  readonly body?: Uint8Array<ArrayBuffer>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
}

export interface ClientAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Buffer;
}

/** The envelope of the JSON API. */
export interface ApiAnswer {
  readonly status: string;
  readonly data?: unknown;
  readonly errorType?: string;
  readonly error?: string;
  readonly warnings?: readonly string[];
  readonly infos?: readonly string[];
}

export class PrometheusClient {
  /** Without credentials, for messages. */
  readonly base: string;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #timeoutMs: number;

  constructor(options: ClientOptions) {
    const url = new URL(options.url);
    const headers: Record<string, string> = { ...options.headers };
    if (url.username !== '' || url.password !== '') {
      const pair = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
      headers['authorization'] = `Basic ${Buffer.from(pair).toString('base64')}`;
      url.username = '';
      url.password = '';
    }
    this.base = url.toString().replace(/\/+$/, '');
    this.#headers = headers;
    this.#timeoutMs = options.timeoutMs ?? TIMEOUT_MS;
  }

  /** Any status is an answer. Throws `unavailable`, `query_timeout`, `canceled`, `too_large`. */
  async send(request: ClientRequest): Promise<ClientAnswer> {
    const { method = 'GET', path, parameters, signal } = request;
    const query = method === 'GET' && parameters ? `?${parameters}` : '';
    const timeout = AbortSignal.timeout(this.#timeoutMs);
    try {
      const response = await fetch(`${this.base}${path}${query}`, {
        method,
        headers: {
          ...this.#headers,
          ...(method === 'POST' && parameters ? { 'content-type': 'application/x-www-form-urlencoded' } : {}),
          ...request.headers,
        },
        body: method === 'GET' ? null : parameters ? parameters.toString() : (request.body ?? null),
        signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
        redirect: 'error',
      });
      return { status: response.status, headers: response.headers, body: await bounded(response) };
    } catch (cause) {
      if (cause instanceof VigieError) throw cause;
      if (signal?.aborted) throw new VigieError('canceled', 'the query was cancelled', { cause });
      if (timeout.aborted)
        throw new VigieError('query_timeout', `${this.base} did not answer ${path} within ${this.#timeoutMs} ms`, {
          cause,
        });
      const reason = messageOf((cause as { cause?: unknown }).cause ?? cause);
      throw new VigieError('unavailable', `no answer from ${this.base}: ${reason}`, { cause });
    }
  }

  /** A call of the JSON API. Throws what `apiError` makes of a refusal. */
  async api(request: ClientRequest): Promise<ApiAnswer> {
    const answer = await this.send(request);
    let parsed: ApiAnswer | undefined;
    try {
      parsed = answer.body.length === 0 ? { status: 'success' } : (JSON.parse(answer.body.toString()) as ApiAnswer);
    } catch {
      // not JSON: a proxy, or another program
    }
    if (answer.status >= 200 && answer.status < 300 && parsed?.status === 'success') return parsed;
    throw this.apiError(request.path, answer.status, parsed?.errorType, parsed?.error ?? answer.body.toString());
  }

  apiError(path: string, status: number, type: string | undefined, text: string): VigieError {
    const message = `${this.base} answered ${path} with ${status}: ${text.trim().slice(0, 500)}`;
    if (type === 'bad_data') return new VigieError('bad_query', message);
    if (type === 'execution') return new VigieError('execution', message);
    if (type === 'timeout') return new VigieError('query_timeout', message);
    if (type === 'canceled') return new VigieError('canceled', message);
    if (status === 429) return new VigieError('quota', message);
    if (status >= 500) return new VigieError(status === 503 ? 'unavailable' : 'upstream', message);
    return new VigieError(status === 404 || status === 405 ? 'unsupported' : 'upstream', message);
  }
}

async function bounded(response: Response): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  let total = 0;
  for await (const part of response.body ?? []) {
    total += part.length;
    if (total > ANSWER_BYTES_MAX)
      throw new VigieError('too_large', `the answer exceeds ${ANSWER_BYTES_MAX} bytes; narrow the query`);
    parts.push(part);
  }
  return Buffer.concat(parts, total);
}
