/** Starts the real program as a user would, on a free loopback port with a data folder of its own. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { freePort, httpReady, type Started, start } from './peers.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');
export const NODE = path.join(ROOT, 'node_modules/.bin/node');
export const MAIN = path.join(ROOT, 'src/main.ts');

export interface VigieProcess extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly dataDir: string;
  readonly started: Started;
  /** SIGTERM, or the given signal; answers the exit code. */
  stop(signal?: NodeJS.Signals): Promise<number | null>;
  /** A request with the tenant header when given; the path begins with '/'. */
  fetch(pathAndQuery: string, init?: RequestInit & { tenant?: string; key?: string }): Promise<Response>;
  json<T = Record<string, unknown>>(
    pathAndQuery: string,
    init?: RequestInit & { tenant?: string; key?: string },
  ): Promise<T>;
}

export interface VigieOptions {
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly dataDir?: string;
  readonly port?: number;
  readonly readyTimeoutMs?: number;
}

export async function startVigie(options: VigieOptions = {}): Promise<VigieProcess> {
  const ownFolder = options.dataDir === undefined;
  const dataDir = options.dataDir ?? mkdtempSync(path.join(tmpdir(), 'vigie-acceptance-'));
  const port = options.port ?? (await freePort());
  const url = `http://127.0.0.1:${port}`;
  const started = await start(NODE, {
    args: [MAIN, 'serve', '--data-dir', dataDir, '--listen', `127.0.0.1:${port}`, ...(options.args ?? [])],
    env: { TENANT_ID: '', MONITORING_ENV: '', ...options.env },
    cwd: dataDir,
    ready: httpReady(`${url}/-/ready`),
    readyTimeoutMs: options.readyTimeoutMs ?? 30_000,
  });
  const request = (
    pathAndQuery: string,
    init: RequestInit & { tenant?: string; key?: string } = {},
  ): Promise<Response> => {
    const { tenant, key, ...rest } = init;
    const headers = new Headers(rest.headers);
    if (tenant) headers.set('x-scope-orgid', tenant);
    if (key) headers.set('authorization', `Bearer ${key}`);
    return fetch(url + pathAndQuery, { ...rest, headers });
  };
  return {
    url,
    port,
    dataDir,
    started,
    stop: (signal) => started.stop(signal),
    fetch: request,
    async json<T>(pathAndQuery: string, init?: RequestInit & { tenant?: string; key?: string }) {
      const response = await request(pathAndQuery, init);
      const text = await response.text();
      if (!response.ok) throw new Error(`${pathAndQuery}: ${response.status} ${text.slice(0, 1_000)}`);
      return JSON.parse(text) as T;
    },
    async [Symbol.asyncDispose]() {
      await started.stop();
      if (ownFolder) rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

/** Waits for a condition that another process brings about; bounded, and says what it waited for. */
export async function eventually<T>(
  what: string,
  probe: () => Promise<T | undefined | false>,
  timeoutMs = 20_000,
): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  let last: unknown;
  for (;;) {
    try {
      const value = await probe();
      if (value !== undefined && value !== false) return value;
    } catch (error) {
      last = error;
    }
    if (Date.now() > deadline)
      throw new Error(`timed out waiting for ${what}${last ? `; last error: ${String(last)}` : ''}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
