/** One request to a receiver: authentication, compression, and what its answer means for the sender. */
import { readFile } from 'node:fs/promises';
import { messageOf } from '../lib/errors.ts';
import { snappyCompress } from '../store/wire/snappy.ts';
import type { RemoteWriteTargetConfig } from './config.ts';

export type SendOutcome =
  | { readonly kind: 'sent' }
  /** Worth another try; `afterMs` is what the receiver asked for. */
  | { readonly kind: 'retry'; readonly reason: string; readonly afterMs?: number }
  /** Will never be taken. */
  | { readonly kind: 'refused'; readonly reason: string };

export type Send = (body: Uint8Array, signal: AbortSignal) => Promise<SendOutcome>;

/** Retry-After may ask for no more than this. */
export const RETRY_AFTER_MS_MAX = 5 * 60_000;

export interface SenderOptions {
  readonly config: RemoteWriteTargetConfig;
  readonly userAgent: string;
  /** For a Retry-After that names a date. */
  readonly now: () => number;
}

export function createSender(options: SenderOptions): Send {
  const { config, userAgent, now } = options;
  return async (body, signal) => {
    try {
      const timeout = AbortSignal.timeout(config.remote_timeout);
      const response = await fetch(config.url, {
        method: 'POST',
        headers: {
          ...config.headers,
          ...(await authorization(config)),
          'content-encoding': 'snappy',
          'content-type': 'application/x-protobuf',
          'x-prometheus-remote-write-version': '0.1.0',
          'user-agent': userAgent,
        },
        body: snappyCompress(body),
        redirect: config.follow_redirects ? 'follow' : 'manual',
        signal: AbortSignal.any([signal, timeout]),
      });
      const text = (await response.text()).trim().slice(0, 500);
      if (response.ok) return { kind: 'sent' };
      const reason = `${response.status} ${text}`.trim();
      if (response.status >= 500 || (response.status === 429 && config.queue_config.retry_on_http_429)) {
        const afterMs = retryAfterMs(response.headers.get('retry-after'), now());
        return { kind: 'retry', reason, ...(afterMs === undefined ? {} : { afterMs }) };
      }
      return { kind: 'refused', reason };
    } catch (error) {
      return { kind: 'retry', reason: messageOf((error as { cause?: unknown }).cause ?? error) };
    }
  };
}

/** Seconds or an HTTP date. */
export function retryAfterMs(header: string | null, nowMs: number): number | undefined {
  if (header === null) return undefined;
  const ms = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - nowMs;
  return Number.isFinite(ms) ? Math.min(RETRY_AFTER_MS_MAX, Math.max(0, ms)) : undefined;
}

/** Files are read anew each time, so that a rotated secret is taken without a reload. */
async function authorization(c: RemoteWriteTargetConfig): Promise<Record<string, string>> {
  const text = async (inline: string | undefined, file: string | undefined): Promise<string> =>
    inline ?? (file === undefined ? '' : (await readFile(file, 'utf8')).trim());
  if (c.basic_auth) {
    const password = await text(c.basic_auth.password, c.basic_auth.password_file);
    return { authorization: `Basic ${Buffer.from(`${c.basic_auth.username}:${password}`).toString('base64')}` };
  }
  if (c.authorization)
    return {
      authorization: `${c.authorization.type} ${await text(c.authorization.credentials, c.authorization.credentials_file)}`,
    };
  const bearer = await text(c.bearer_token, c.bearer_token_file);
  return bearer === '' ? {} : { authorization: `Bearer ${bearer}` };
}
