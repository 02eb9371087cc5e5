/** Talks to a running Vigie over HTTP; shared by every command that asks a server. */
import type { Command } from 'commander';
import { messageOf, VigieError } from '../lib/errors.ts';
import type { CommandContext } from './context.ts';

const ANSWER_MS_MAX = 60_000;

export interface ServerFlags {
  url?: string;
  key?: string;
  tenant?: string;
}

/** Adds --url, --key and --tenant, with their environment variables. */
export function withServerFlags(command: Command): Command {
  return command
    .option('--url <url>', 'address of a running Vigie (VIGIE_URL)')
    .option('--key <key>', 'API key (VIGIE_KEY; prefer the variable, flags show in process lists)')
    .option('--tenant <id>', 'tenant to act for (TENANT_ID)');
}

export class VigieClient {
  readonly base: string;
  readonly #headers: Record<string, string>;

  constructor(flags: ServerFlags, context: CommandContext) {
    this.base = (flags.url ?? context.env['VIGIE_URL'] ?? 'http://127.0.0.1:9390').replace(/\/+$/, '');
    this.#headers = {};
    const key = flags.key ?? context.env['VIGIE_KEY'];
    const tenant = flags.tenant ?? context.env['TENANT_ID'];
    if (key) this.#headers['authorization'] = `Bearer ${key}`;
    if (tenant) this.#headers['x-scope-orgid'] = tenant;
  }

  /** The JSON answer. Throws `unavailable` when nobody listens, `upstream` with the server's own words when it refuses. */
  async request<T>(method: string, path: string, body?: unknown): Promise<T> {
    const response = await this.raw(
      method,
      path,
      body === undefined ? undefined : JSON.stringify(body),
      'application/json',
    );
    const text = await response.text();
    return (text === '' ? undefined : JSON.parse(text)) as T;
  }

  async raw(
    method: string,
    path: string,
    body?: string | Uint8Array<ArrayBuffer>,
    type = 'application/json',
  ): Promise<Response> {
    let response: Response;
    try {
      response = await fetch(this.base + path, {
        method,
        headers: { ...this.#headers, ...(body === undefined ? {} : { 'content-type': type }) },
        body: body ?? null,
        signal: AbortSignal.timeout(ANSWER_MS_MAX),
      });
    } catch (cause) {
      const reason = messageOf((cause as { cause?: unknown }).cause ?? cause);
      throw new VigieError(
        'unavailable',
        `no Vigie answers at ${this.base} (${reason}); is it running? Name another address with --url`,
        { cause },
      );
    }
    if (!response.ok)
      throw new VigieError(
        response.status === 401 ? 'unauthenticated' : response.status === 403 ? 'forbidden' : 'upstream',
        `${this.base} answered ${response.status}: ${errorText(await response.text())}`,
      );
    return response;
  }
}

function errorText(body: string): string {
  try {
    const parsed = JSON.parse(body) as { error?: string | { message?: string }; message?: string } | string;
    if (typeof parsed === 'string') return parsed;
    if (typeof parsed.error === 'string') return parsed.error;
    return parsed.error?.message ?? parsed.message ?? body.slice(0, 500);
  } catch {
    return body.slice(0, 500);
  }
}
