/**
 * How many small mixed requests a second over 64 keep-alive connections, against Vigie (the whole server, as `vigie
 * serve` starts it) and against Prometheus, in turn, in one run. `readers`: 70 % instant queries, 10 % range queries,
 * 20 % remote writes; `senders`: 20 %, 10 %, 70 %. The generator shares the cores; what it took is printed beside.
 * Usage: node bench/http.ts [seconds] [rounds] [readers|senders]
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { findPeer, freePort, httpReady, peerVersion, start, temporaryFolder } from '../test/support/peers.ts';
import { startVigie } from '../test/support/vigie.ts';

const seconds = Number(process.argv[2] ?? 8);
const rounds = Number(process.argv[3] ?? 3);
const mix = process.argv[4] ?? 'readers';
if (mix !== 'readers' && mix !== 'senders') throw new Error(`the mix is ${mix}, want readers or senders`);
const CONNECTIONS = 64;
const TICKS = 100;

interface Load {
  readonly requests: number;
  readonly errors: number;
  readonly perSecond: number;
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly generatorCpuSeconds: number;
  readonly seconds: number;
}
const cpuSeconds = (pid: number): number => {
  const f = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  return (Number(f[11]) + Number(f[12])) / TICKS;
};
const load = (port: number): Load =>
  JSON.parse(
    execFileSync(process.execPath, [
      path.join(import.meta.dirname, 'http-load.ts'),
      String(port),
      String(seconds),
      String(CONNECTIONS),
      mix,
    ]).toString(),
  ) as Load;

interface Peer {
  readonly name: string;
  run(): Promise<{ load: Load; cpu: number }>;
}
const vigie: Peer = {
  name: 'Vigie',
  async run() {
    await using v = await startVigie();
    const before = cpuSeconds(v.started.pid);
    const result = load(v.port);
    return { load: result, cpu: cpuSeconds(v.started.pid) - before };
  },
};
const prometheus = (binary: string): Peer => ({
  name: peerVersion(binary).split(' (')[0]!,
  async run() {
    using folder = temporaryFolder();
    const port = await freePort();
    const file = path.join(folder.path, 'p.yml');
    writeFileSync(file, 'global: {scrape_interval: 15s}\n');
    await using p = await start(binary, {
      args: [
        `--config.file=${file}`,
        `--storage.tsdb.path=${folder.path}/d`,
        `--web.listen-address=127.0.0.1:${port}`,
        '--web.enable-remote-write-receiver',
      ],
      ready: httpReady(`http://127.0.0.1:${port}/-/ready`),
    });
    const before = cpuSeconds(p.pid);
    const result = load(port);
    return { load: result, cpu: cpuSeconds(p.pid) - before };
  },
});
const median = (values: number[]): number => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!;

const peers = [
  vigie,
  ...[findPeer('prometheus', 'sid'), findPeer('prometheus')].flatMap((b) => (b ? [prometheus(b)] : [])),
];
const results = new Map<string, { load: Load; cpu: number }[]>(peers.map((p) => [p.name, []]));
for (let round = 0; round < rounds; round++) for (const peer of peers) results.get(peer.name)!.push(await peer.run());

console.log(
  `${mix}: ${CONNECTIONS} connections, ${seconds} s, ${rounds} alternated rounds, medians; server and generator share the cores`,
);
const figures = new Map<string, { rate: number; cpu: number }>();
for (const [name, list] of results) {
  const of = (pick: (r: { load: Load; cpu: number }) => number): number => median(list.map(pick));
  const rate = of((r) => r.load.perSecond);
  const cpu = of((r) => (r.cpu / r.load.requests) * 10_000);
  figures.set(name, { rate, cpu });
  const errors = list.reduce((n, r) => n + r.load.errors, 0) / list.reduce((n, r) => n + r.load.requests, 0);
  console.log(
    `${name}: ${rate.toFixed(0)} requests/s, p50 ${of((r) => r.load.p50).toFixed(1)} p95 ${of((r) => r.load.p95).toFixed(1)} p99 ${of((r) => r.load.p99).toFixed(1)} ms, errors ${(errors * 100).toFixed(3)} %, server ${cpu.toFixed(2)} CPU s per 10,000 requests, generator ${of((r) => r.load.generatorCpuSeconds / r.load.seconds).toFixed(2)} cores`,
  );
  if (errors >= 0.001) throw new Error(`${name} answered ${(errors * 100).toFixed(2)} % with errors`);
}
const own = figures.get('Vigie')!;
for (const [name, f] of figures)
  if (name !== 'Vigie')
    console.log(
      `Vigie / ${name}: requests ${(own.rate / f.rate).toFixed(2)}, CPU per request ${(own.cpu / f.cpu).toFixed(2)}`,
    );
