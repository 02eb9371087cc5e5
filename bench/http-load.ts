/**
 * The load of bench/http.ts as a process of its own, so that its share of the machine can be told: keep-alive
 * connections that send the next request when the answer of the last one is complete. Prints one JSON line.
 * Usage: node bench/http-load.ts <port> <seconds> <connections> [readers|senders]
 */
import { connect } from 'node:net';
import { RemoteWriteEncoder } from '../src/demo/remote-write-client.ts';
import { Labels } from '../src/model/labels.ts';

const [port, seconds, connections] = process.argv.slice(2).map(Number) as [number, number, number];
/**
 * Ten requests in turn: q a small instant query, r a range query, w a write. `readers`: dashboards and API clients
 * ask most; `senders`: what a server sees that many agents write to.
 */
const MIXES = {
  readers: ['q', 'q', 'w', 'q', 'q', 'r', 'q', 'w', 'q', 'q'],
  senders: ['w', 'w', 'q', 'w', 'w', 'r', 'w', 'w', 'q', 'w'],
} as const;
const mix = (process.argv[5] ?? 'readers') as keyof typeof MIXES;
const TURNS = MIXES[mix];
/** Series one connection writes, one sample each, in each of its writes; `senders` stays below a tenant's rate limit. */
const SERIES = mix === 'readers' ? 20 : 10;

const base = Math.floor(Date.now() / 1000) * 1000 - 3_600_000;
const durations: number[] = [];
const counts = { requests: 0, errors: 0, q: 0, r: 0, w: 0 };
let ended = false;

function request(path: string): Buffer {
  return Buffer.from(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`);
}

async function client(id: number): Promise<void> {
  const encoder = new RemoteWriteEncoder(
    Array.from({ length: SERIES }, (_, i) =>
      Labels.from({ __name__: 'bench_requests_total', client: String(id), i: String(i), job: 'bench' }),
    ),
  );
  const row = new Float64Array(SERIES);
  const socket = connect(port, '127.0.0.1');
  socket.setNoDelay(true);
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('error', reject);
  });
  let round = 0;
  const read = reader(socket);
  const now = Math.floor(Date.now() / 1000);
  const instant = request(
    `/api/v1/query?query=sum(bench_requests_total%7Bclient%3D%22${id}%22%7D)&time=${now - 3_500}`,
  );
  const range = request(
    `/api/v1/query_range?query=rate(bench_requests_total%7Bclient%3D%22${id}%22%2Ci%3D%221%22%7D%5B1m%5D)&start=${now - 3_600}&end=${now - 3_300}&step=15`,
  );
  for (let turn = 0; !ended; turn++) {
    const kind = TURNS[turn % TURNS.length]!;
    let message = kind === 'q' ? instant : range;
    if (kind === 'w') {
      round++;
      row.fill(round);
      const body = encoder.encode([base + round * 1000], [row]);
      const head = `POST /api/v1/write HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nContent-Type: application/x-protobuf\r\nContent-Encoding: snappy\r\nX-Prometheus-Remote-Write-Version: 0.1.0\r\nContent-Length: ${body.length}\r\n\r\n`;
      message = Buffer.concat([Buffer.from(head), body]);
    }
    const started = performance.now();
    socket.write(message);
    const status = await read();
    durations.push(performance.now() - started);
    counts.requests++;
    counts[kind]++;
    if (status < 200 || status > 299) counts.errors++;
  }
  socket.destroy();
}

/** Resolves with the status of each complete answer: a content length, chunks, or no body at all. */
function reader(socket: ReturnType<typeof connect>): () => Promise<number> {
  let buffer: Buffer = Buffer.alloc(0);
  let wake: ((status: number) => void) | undefined;
  const complete = (): number | undefined => {
    const end = buffer.indexOf('\r\n\r\n');
    if (end < 0) return undefined;
    const head = buffer.toString('latin1', 0, end).toLowerCase();
    const length = /content-length: (\d+)/.exec(head);
    let size = end + 4 + (length ? Number(length[1]) : 0);
    if (!length && head.includes('transfer-encoding: chunked')) {
      const last = buffer.indexOf('0\r\n\r\n', end + 2);
      if (last < 0) return undefined;
      size = last + 5;
    }
    if (buffer.length < size) return undefined;
    buffer = buffer.subarray(size);
    return Number(head.slice(9, 12));
  };
  const look = (): void => {
    if (!wake) return;
    const status = complete();
    if (status === undefined) return;
    const w = wake;
    wake = undefined;
    w(status);
  };
  socket.on('data', (part) => {
    buffer = buffer.length === 0 ? part : Buffer.concat([buffer, part]);
    look();
  });
  socket.on('error', () => wake?.(599));
  socket.on('close', () => wake?.(599));
  return () =>
    new Promise((resolve) => {
      wake = resolve;
      look();
    });
}

setTimeout(() => {
  ended = true;
}, seconds * 1000);
const started = performance.now();
await Promise.all(Array.from({ length: connections }, (_, i) => client(i)));
const took = (performance.now() - started) / 1000;
durations.sort((a, b) => a - b);
const at = (p: number): number => durations[Math.min(durations.length - 1, Math.floor(durations.length * p))] ?? 0;
const cpu = process.cpuUsage();
console.log(
  JSON.stringify({
    ...counts,
    perSecond: counts.requests / took,
    p50: at(0.5),
    p95: at(0.95),
    p99: at(0.99),
    generatorCpuSeconds: (cpu.user + cpu.system) / 1e6,
    seconds: took,
  }),
);
