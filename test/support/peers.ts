/**
 * Starts the real programs that test/real/ and bench/ compare with. A program that is absent makes the test skip and
 * say so; with CI=true nothing is skipped: a missing program fails the test (scripts/install-peers.sh installs them).
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';

const ROOT = path.resolve(import.meta.dirname, '../..');
export const PEERS_DIR = process.env['VIGIE_PEERS_DIR'] ?? path.join(ROOT, '.cache/peers');

/** Absolute path of a program: Debian's own, or of a newer suite with `suite` ('trixie', 'sid'). */
export function findPeer(program: string, suite?: 'trixie' | 'sid'): string | undefined {
  const folders = suite
    ? [path.join(PEERS_DIR, suite, 'usr/bin'), path.join(PEERS_DIR, suite, 'usr/sbin')]
    : [...(process.env['PATH'] ?? '').split(path.delimiter), '/usr/bin', '/usr/sbin', ...postgresFolders()];
  return folders.map((f) => path.join(f, program)).find((f) => existsSync(f));
}

function postgresFolders(): string[] {
  return ['17', '16', '15'].map((v) => `/usr/lib/postgresql/${v}/bin`);
}

/** For `describe.skipIf(...)`: true when absent, but in CI it throws, for nothing may be skipped there. */
export function peerMissing(program: string, suite?: 'trixie' | 'sid'): boolean {
  if (findPeer(program, suite)) return false;
  const what = `${program}${suite ? ` of Debian ${suite}` : ''}`;
  if (process.env['CI'] === 'true') throw new Error(`${what} is not installed; in CI nothing is skipped`);
  console.warn(`skipped: ${what} is not installed (scripts/install-peers.sh installs it on Debian)`);
  return true;
}

/** First line of `program --version`, for the record of what was compared with. */
export function peerVersion(binary: string): string {
  return (
    execFileSync(binary, ['--version'], { stdio: ['ignore', 'pipe', 'pipe'] })
      .toString()
      .split('\n')[0] ?? ''
  );
}

export async function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() =>
        address && typeof address === 'object' ? resolve(address.port) : reject(new Error('no port')),
      );
    });
  });
}

export interface Started extends AsyncDisposable {
  readonly process: ChildProcess;
  readonly pid: number;
  /** Everything it printed so far. */
  output(): string;
  /** Sends `signal` and waits for the end; SIGKILL after 8 s. */
  stop(signal?: NodeJS.Signals): Promise<number | null>;
}

export interface StartOptions {
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly uid?: number;
  readonly gid?: number;
  /** Resolves true once the program serves. Polled every 50 ms. */
  readonly ready: () => Promise<boolean>;
  readonly readyTimeoutMs?: number;
}

export async function start(binary: string, options: StartOptions): Promise<Started> {
  const child = spawn(binary, [...options.args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
    uid: options.uid,
    gid: options.gid,
  });
  let text = '';
  const keep = (b: Buffer): void => {
    text = (text + b.toString()).slice(-200_000);
  };
  child.stdout!.on('data', keep);
  child.stderr!.on('data', keep);
  const ended = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
  const started: Started = {
    process: child,
    pid: child.pid ?? -1,
    output: () => text,
    async stop(signal = 'SIGTERM') {
      if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
      child.kill(signal);
      const timer = setTimeout(() => child.kill('SIGKILL'), 8_000);
      const code = await ended;
      clearTimeout(timer);
      return code;
    },
    async [Symbol.asyncDispose]() {
      await started.stop();
    },
  };
  const deadline = Date.now() + (options.readyTimeoutMs ?? 20_000);
  for (;;) {
    if (child.exitCode !== null)
      throw new Error(`${binary} ended with ${child.exitCode} before it was ready:\n${text.slice(-3_000)}`);
    if (await options.ready().catch(() => false)) return started;
    if (Date.now() > deadline) {
      await started.stop('SIGKILL');
      throw new Error(`${binary} was not ready in time:\n${text.slice(-3_000)}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

export const httpReady = (url: string) => async (): Promise<boolean> => (await fetch(url)).ok;

/** A folder under the system's temporary one that goes away with the returned handle. */
export function temporaryFolder(prefix = 'vigie-test-'): { readonly path: string } & Disposable {
  const folder = mkdtempSync(path.join(tmpdir(), prefix));
  return { path: folder, [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }) };
}
