/**
 * CPU seconds per million samples of remote write, and bytes per sample on disk: Vigie, Prometheus and VictoriaMetrics
 * get the same encoded requests over HTTP in one run. Usage: node bench/ingest.ts [series] [rounds]
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import path from 'node:path';
import protobuf from 'protobufjs';
// @ts-expect-error the package carries no types
import SnappyJS from 'snappyjs';
import { findPeer, freePort, httpReady, peerVersion, start, temporaryFolder } from '../test/support/peers.ts';

const seriesCount = Number(process.argv[2] ?? 20_000);
const rounds = Number(process.argv[3] ?? 120);
const PER_REQUEST = 2_000;
const STEP_MS = 15_000;
const TICKS_PER_SECOND = 100;

const V1 = protobuf
  .parse(
    `syntax = "proto3"; message WriteRequest { repeated TimeSeries timeseries = 1; } message Label { string name = 1; string value = 2; }
message Sample { double value = 1; int64 timestamp = 2; } message TimeSeries { repeated Label labels = 1; repeated Sample samples = 2; }`,
  )
  .root.lookupType('WriteRequest');

const firstMs = Math.floor((Date.now() - rounds * STEP_MS) / 1000) * 1000;
const labels = Array.from({ length: seriesCount }, (_, i) =>
  Object.entries({
    __name__: ['http_requests_total', 'process_resident_memory_bytes', 'cpu_seconds_total', 'queue_length'][i % 4]!,
    instance: `10.0.${(i >> 8) % 256}.${i % 256}:9100`,
    job: `service-${i % 17}`,
    route: `/api/v1/route/${i % 40}`,
    series: String(i),
  }).map(([name, value]) => ({ name, value })),
);
function value(i: number, round: number): number {
  const wave = Math.sin((round + i) / 20);
  if (i % 4 === 0) return round * (i % 90) + ((i * round) % 7);
  if (i % 4 === 1) return Math.round(1e8 + 1e6 * wave) * 4096;
  if (i % 4 === 2) return Math.round((round * 1.5 + (wave * i) / 1000) * 100) / 100;
  return Math.round(20 + 10 * wave);
}

function* requests(): IterableIterator<Buffer> {
  for (let round = 0; round < rounds; round++) {
    for (let from = 0; from < seriesCount; from += PER_REQUEST) {
      const timeseries = [];
      for (let i = from; i < Math.min(seriesCount, from + PER_REQUEST); i++)
        timeseries.push({
          labels: labels[i],
          samples: [{ value: value(i, round), timestamp: firstMs + round * STEP_MS }],
        });
      yield Buffer.from(SnappyJS.compress(V1.encode({ timeseries }).finish()));
    }
  }
}

const agent = new Agent({ keepAlive: true, maxSockets: 4 });
function post(port: number, route: string, body: Buffer): Promise<number> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-encoding': 'snappy', 'content-type': 'application/x-protobuf' };
    const r = request({ port, host: '127.0.0.1', path: route, method: 'POST', agent, headers }, (answer) => {
      answer.resume();
      answer.on('end', () => resolve(answer.statusCode ?? 0));
    });
    r.on('error', reject);
    r.end(body);
  });
}

const cpuSeconds = (pid: number): number => {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
};
const residentBytes = (pid: number): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) * 1024;

interface Contender {
  readonly name: string;
  readonly binary: string;
  readonly args: (folder: string, port: number) => string[];
  readonly ready: string;
}
const prometheus = (binary: string): Pick<Contender, 'args' | 'ready' | 'binary'> => ({
  binary,
  ready: '/-/ready',
  args: (folder, port) => {
    writeFileSync(path.join(folder, 'p.yml'), '');
    return [
      `--config.file=${folder}/p.yml`,
      `--storage.tsdb.path=${folder}/data`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--web.enable-remote-write-receiver',
    ];
  },
});
const contenders: Contender[] = [
  {
    name: 'Vigie',
    binary: process.execPath,
    args: (folder, port) => [path.join(import.meta.dirname, 'ingest-server.ts'), folder, String(port)],
    ready: '/stats',
  },
];
for (const suite of [undefined, 'sid'] as const) {
  const p = findPeer('prometheus', suite);
  if (p) contenders.push({ name: peerVersion(p).split(' (')[0]!, ...prometheus(p) });
}
const victoria = findPeer('victoria-metrics');
if (victoria)
  contenders.push({
    name: 'VictoriaMetrics',
    binary: victoria,
    args: (folder, port) => [
      `-storageDataPath=${folder}/data`,
      `-httpListenAddr=127.0.0.1:${port}`,
      '-retentionPeriod=12',
    ],
    ready: '/health',
  });

const bodies = [...requests()];
const samples = seriesCount * rounds;
console.log(`${seriesCount} series, ${samples} samples, ${bodies.length} requests`);
let own = 0;
for (const c of contenders) {
  using folder = temporaryFolder('vigie-bench-');
  const port = await freePort();
  await using program = await start(c.binary, {
    args: c.args(folder.path, port),
    ready: httpReady(`http://127.0.0.1:${port}${c.ready}`),
  });
  const before = cpuSeconds(program.pid);
  for (const body of bodies) {
    const status = await post(port, '/api/v1/write', body);
    if (status !== 204 && status !== 200) throw new Error(`${c.name} answered ${status}`);
  }
  const used = ((cpuSeconds(program.pid) - before) / samples) * 1e6;
  let more = '';
  if (c.name === 'Vigie') {
    own = used;
    const stats = (await (await fetch(`http://127.0.0.1:${port}/stats`)).json()) as {
      samplesTotal: number;
      activeSeries: number;
    };
    if (stats.samplesTotal !== samples || stats.activeSeries !== seriesCount)
      throw new Error(`stored ${JSON.stringify(stats)}, sent ${samples}`);
    const cut = (await (await fetch(`http://127.0.0.1:${port}/cut`)).json()) as { diskBytes: number };
    more = `, ${(cut.diskBytes / samples).toFixed(2)} bytes per sample in blocks`;
  }
  console.log(
    `${c.name}: ${used.toFixed(3)} CPU s per million samples (${(used / own).toFixed(1)} x Vigie), ${(residentBytes(program.pid) / seriesCount).toFixed(0)} bytes resident per series${more}`,
  );
}
agent.destroy();
