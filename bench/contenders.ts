/** The programs that the metrics benches compare, how they are started and measured, and the data they all get. */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';
import { compileCacheFolder } from '../src/cli/compile-cache.ts';
import { Labels } from '../src/model/labels.ts';
import { encodeWriteRequest } from '../src/store/wire/remote-write.ts';
import { snappyCompress } from '../src/store/wire/snappy.ts';
import { findPeer, freePort, httpReady, PEERS_DIR, peerVersion, type Started, start } from '../test/support/peers.ts';

export const STEP_MS = 15_000;
const TICKS_PER_SECOND = 100;
const PER_REQUEST = 2_000;
/** Seconds that a sender waits to be let in again. */
const RATE_TRIES_MAX = 60;

export interface Contender {
  readonly name: string;
  readonly kind: 'vigie' | 'prometheus' | 'victoria';
  readonly binary: string;
  readonly args: (folder: string, port: number) => string[];
  readonly ready: string;
  readonly env?: Readonly<Record<string, string>>;
}

export interface Running extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  readonly program: Started;
}

function prometheus(binary: string): Contender {
  return {
    name: peerVersion(binary).split(' (')[0]!.replace(', version', ''),
    kind: 'prometheus',
    binary,
    ready: '/-/ready',
    args: (folder, port) => {
      writeFileSync(path.join(folder, 'p.yml'), '');
      return [
        `--config.file=${folder}/p.yml`,
        `--storage.tsdb.path=${folder}/data`,
        `--web.listen-address=127.0.0.1:${port}`,
        '--web.enable-remote-write-receiver',
        '--web.enable-admin-api',
      ];
    },
  };
}

/** Debian builds VictoriaMetrics without a version in the program: the package knows it. */
function victoriaVersion(suite: 'sid' | undefined): string {
  if (!suite)
    // biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg's own placeholder
    return execFileSync('dpkg-query', ['-W', '-f', '${Version}', 'victoria-metrics'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    }).toString();
  const log = path.join(PEERS_DIR, suite, 'usr/share/doc/victoria-metrics/changelog.Debian.gz');
  return /\(([^)]*)\)/.exec(gunzipSync(readFileSync(log)).toString('utf8', 0, 200))?.[1] ?? 'of unknown version';
}

function victoria(binary: string, suite: 'sid' | undefined): Contender {
  return {
    name: `victoria-metrics ${victoriaVersion(suite)}`,
    kind: 'victoria',
    binary,
    ready: '/health',
    args: (folder, port) => [
      `-storageDataPath=${folder}/data`,
      `-httpListenAddr=127.0.0.1:${port}`,
      '-retentionPeriod=12',
      '-search.latencyOffset=0s',
      '-search.disableCache',
      '-search.maxUniqueTimeseries=2000000',
      '-search.maxQueryDuration=5m',
    ],
  };
}

/** As `npm start` starts it: compiled code is kept between starts, threads share two arenas of malloc. */
const compiled = compileCacheFolder(process.env);
const ownEnv: Readonly<Record<string, string>> = {
  MALLOC_ARENA_MAX: '2',
  ...(compiled ? { NODE_COMPILE_CACHE: compiled } : {}),
};

/**
 * As `npm start` starts it: a young generation that does not shrink while little is allocated, and no tiers from kept
 * code (src/cli/compile-cache.ts).
 */
export const NODE_FLAGS: readonly string[] = ['--min-semi-space-size=16', '--no-profile-guided-optimization'];

/** The whole program with its defaults: rules, scraping of itself and of the host, incidents, console. */
export function wholeProgram(): Contender {
  const root = path.join(import.meta.dirname, '..');
  execFileSync(process.execPath, [path.join(root, 'scripts/prepare.mjs'), '--no-console', '--server']);
  return {
    name: 'Vigie, whole program',
    kind: 'vigie',
    binary: process.execPath,
    args: (folder, port) => [
      ...NODE_FLAGS,
      path.join(root, 'dist/server/main.js'),
      ...['serve', '--data-dir', folder, '--listen', `127.0.0.1:${port}`],
    ],
    ready: '/-/ready',
    env: ownEnv,
  };
}

/** Vigie's engine first, then every peer that is installed; `BENCH_ONLY=vigie` leaves the peers out. */
export function contenders(): Contender[] {
  const out: Contender[] = [
    {
      name: 'Vigie',
      kind: 'vigie',
      binary: process.execPath,
      args: (folder, port) => [...NODE_FLAGS, path.join(import.meta.dirname, 'ingest-server.ts'), folder, String(port)],
      ready: '/stats',
      env: ownEnv,
    },
  ];
  if (process.env['BENCH_ONLY'] === 'vigie') return out;
  for (const suite of [undefined, 'sid'] as const) {
    const p = findPeer('prometheus', suite);
    if (p) out.push(prometheus(p));
  }
  for (const suite of [undefined, 'sid'] as const) {
    const v = findPeer('victoria-metrics', suite);
    if (v) out.push(victoria(v, suite));
  }
  return out;
}

export async function run(c: Contender, folder: string, port?: number): Promise<Running> {
  const own = port ?? (await freePort());
  const program = await start(c.binary, {
    args: c.args(folder, own),
    ready: httpReady(`http://127.0.0.1:${own}${c.ready}`),
    readyTimeoutMs: 300_000,
    ...(c.env ? { env: c.env } : {}),
  });
  return {
    url: `http://127.0.0.1:${own}`,
    port: own,
    pid: program.pid,
    program,
    [Symbol.asyncDispose]: () => program[Symbol.asyncDispose](),
  };
}

export const cpuSeconds = (pid: number): number => {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
};

/** Anonymous and file-backed memory in use now. */
export const residentBytes = (pid: number): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) * 1024;

/** 0 for a folder that is not there; files that go away meanwhile count nothing. */
export function folderBytes(folder: string): number {
  if (!existsSync(folder)) return 0;
  let sum = 0;
  for (const e of readdirSync(folder, { withFileTypes: true, recursive: true }))
    if (e.isFile()) sum += statSync(path.join(e.parentPath, e.name), { throwIfNoEntry: false })?.size ?? 0;
  return sum;
}

/** Bytes on disk once everything is in blocks, indexes included. Throws when Vigie does not hold what it was sent. */
export async function diskBytes(
  c: Contender,
  r: Running,
  folder: string,
  sent: { readonly samples: number; readonly series: number },
): Promise<number> {
  if (c.kind === 'vigie') {
    const stats = JSON.parse((await send(r.port, 'GET', '/stats')).text) as {
      samplesTotal: number;
      activeSeries: number;
    };
    if (stats.samplesTotal !== sent.samples || stats.activeSeries !== sent.series)
      throw new Error(`stored ${JSON.stringify(stats)}, sent ${JSON.stringify(sent)}`);
    return (JSON.parse((await send(r.port, 'GET', '/cut')).text) as { diskBytes: number }).diskBytes;
  }
  if (c.kind === 'prometheus') {
    await send(r.port, 'POST', '/api/v1/admin/tsdb/snapshot');
    return folderBytes(path.join(folder, 'data/snapshots'));
  }
  await send(r.port, 'GET', '/internal/force_flush');
  await send(r.port, 'GET', '/internal/force_merge');
  for (let last = -1, now = 0; now !== last; ) {
    last = now;
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    now = folderBytes(path.join(folder, 'data/data'));
  }
  return folderBytes(path.join(folder, 'data/data')) + folderBytes(path.join(folder, 'data/indexdb'));
}

const agent = new Agent({ keepAlive: true, maxSockets: 4 });
export const closeConnections = (): void => agent.destroy();

export function send(
  port: number,
  method: string,
  route: string,
  body?: Uint8Array,
  headers: Record<string, string> = {},
): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const r = request({ port, host: '127.0.0.1', path: route, method, agent, headers }, (answer) => {
      const parts: Buffer[] = [];
      answer.on('data', (b: Buffer) => parts.push(b));
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, text: Buffer.concat(parts).toString() }));
    });
    r.on('error', reject);
    r.end(body);
  });
}

export async function write(port: number, body: Uint8Array): Promise<void> {
  const headers = { 'content-encoding': 'snappy', 'content-type': 'application/x-protobuf' };
  let answer = await send(port, 'POST', '/api/v1/write', body, headers);
  // the whole program holds a tenant to its rate
  for (let tries = 0; answer.status === 429 && tries < RATE_TRIES_MAX; tries++) {
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    answer = await send(port, 'POST', '/api/v1/write', body, headers);
  }
  if (answer.status !== 204 && answer.status !== 200)
    throw new Error(`the write was answered ${answer.status}: ${answer.text}`);
}

const METRICS = ['http_requests_total', 'process_resident_memory_bytes', 'cpu_seconds_total', 'queue_length'];

/** Series i of the bench: counters, bytes, seconds and gauges of 50 tenants' services; one in five has a bucket label. */
export const seriesLabels = (i: number): Labels =>
  Labels.from({
    __name__: i % 5 === 4 ? 'http_request_duration_seconds_bucket' : METRICS[i % 4]!,
    instance: `10.0.${(i >> 8) % 256}.${i % 256}:9100`,
    job: `service-${i % 17}`,
    route: `/api/v1/route/${i % 40}`,
    tenant: `t${i % 50}`,
    series: String(i),
    ...(i % 5 === 4 ? { le: ['0.005', '0.05', '0.1', '0.5', '1', '2.5', '10', '+Inf'][Math.floor(i / 5) % 8]! } : {}),
  });

export function valueAt(i: number, round: number): number {
  const wave = Math.sin((round + i) / 20);
  if (i % 5 === 4) return round * ((i % 13) + 1 + (Math.floor(i / 5) % 8));
  if (i % 4 === 0) return round * (i % 90) + ((i * round) % 7);
  if (i % 4 === 1) return Math.round(1e8 + 1e6 * wave) * 4096;
  if (i % 4 === 2) return Math.round((round * 1.5 + (wave * i) / 1000) * 100) / 100;
  return Math.round(20 + 10 * wave);
}

/** Remote-write requests of one round after another, each with up to 2,000 series. */
export function* requests(seriesCount: number, rounds: number, firstMs: number): IterableIterator<Uint8Array> {
  const labels = Array.from({ length: seriesCount }, (_, i) => seriesLabels(i));
  const series = labels.map((l) => ({
    labels: l,
    length: 1,
    timestamps: new Float64Array(1),
    values: new Float64Array(1),
  }));
  for (let round = 0; round < rounds; round++) {
    for (let from = 0; from < seriesCount; from += PER_REQUEST) {
      const to = Math.min(seriesCount, from + PER_REQUEST);
      for (let i = from; i < to; i++) {
        series[i]!.timestamps[0] = firstMs + round * STEP_MS;
        series[i]!.values[0] = valueAt(i, round);
      }
      yield snappyCompress(encodeWriteRequest(series.slice(from, to)));
    }
  }
}

export const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1]!;
