/** A real PostgreSQL in a temporary folder, on a free loopback port; it refuses to run as root, so it runs as `postgres`. */
import { execFileSync } from 'node:child_process';
import { chownSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import pg from 'pg';
import { findPeer, freePort, type Started, start } from './peers.ts';

export interface PostgresServer extends AsyncDisposable {
  readonly url: string;
  stop(): Promise<void>;
  startAgain(): Promise<void>;
}

export async function startPostgres(): Promise<PostgresServer> {
  const folder = mkdtempSync(path.join(tmpdir(), 'vigie-postgres-'));
  const data = path.join(folder, 'data');
  mkdirSync(data);
  const initdb = findPeer('initdb')!;
  const server = findPeer('postgres')?.includes('postgresql')
    ? findPeer('postgres')!
    : path.join(path.dirname(initdb), 'postgres');
  const asRoot = process.getuid?.() === 0;
  const ids = asRoot ? { uid: idOf('-u'), gid: idOf('-g') } : {};
  if (asRoot) for (const f of [folder, data]) chownSync(f, ids.uid!, ids.gid!);
  execFileSync(initdb, ['-D', data, '-A', 'trust', '-U', 'postgres', '--no-sync', '-E', 'UTF8', '--locale=C.UTF-8'], {
    stdio: 'pipe',
    ...ids,
    cwd: folder,
  });
  const port = await freePort();
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`;
  const ready = async (): Promise<boolean> => {
    const client = new pg.Client({ connectionString: url });
    client.on('error', () => {});
    try {
      await client.connect();
      return true;
    } finally {
      await client.end().catch(() => {});
    }
  };
  let running: Started;
  const go = async (): Promise<void> => {
    running = await start(server, {
      args: [
        '-D',
        data,
        '-p',
        String(port),
        '-c',
        'listen_addresses=127.0.0.1',
        '-k',
        data,
        '-c',
        'max_connections=50',
      ],
      ready,
      cwd: folder,
      ...ids,
    });
  };
  await go();
  return {
    url,
    // SIGINT is PostgreSQL's fast shutdown
    stop: async () => void (await running.stop('SIGINT')),
    startAgain: go,
    async [Symbol.asyncDispose]() {
      await running.stop('SIGINT');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

const idOf = (flag: '-u' | '-g'): number => Number(execFileSync('id', [flag, 'postgres']).toString().trim());
