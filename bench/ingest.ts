/**
 * CPU seconds per million samples of remote write, memory per series, and bytes per sample on disk with the index: Vigie,
 * Prometheus and VictoriaMetrics get the same encoded requests over HTTP in one run, in turns.
 * Usage: node bench/ingest.ts [series] [rounds] [repetitions]
 */
import path from 'node:path';
import { temporaryFolder } from '../test/support/peers.ts';
import {
  type Contender,
  closeConnections,
  contenders,
  cpuSeconds,
  folderBytes,
  median,
  type Running,
  requests,
  residentBytes,
  run,
  STEP_MS,
  send,
  write,
} from './contenders.ts';

const seriesCount = Number(process.argv[2] ?? 20_000);
const rounds = Number(process.argv[3] ?? 120);
const repetitions = Number(process.argv[4] ?? 1);
const samples = seriesCount * rounds;
const firstMs = Math.floor((Date.now() - rounds * STEP_MS) / 1000) * 1000;
const bodies = [...requests(seriesCount, rounds, firstMs)];
console.log(`${seriesCount} series, ${samples} samples, ${bodies.length} requests, ${repetitions} repetitions`);

/** Bytes per sample once everything is in blocks, indexes included. */
async function diskBytes(c: Contender, r: Running, folder: string): Promise<number> {
  if (c.kind === 'vigie') {
    const stats = JSON.parse((await send(r.port, 'GET', '/stats')).text) as {
      samplesTotal: number;
      activeSeries: number;
    };
    if (stats.samplesTotal !== samples || stats.activeSeries !== seriesCount)
      throw new Error(`stored ${JSON.stringify(stats)}, sent ${samples}`);
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

const all = contenders();
const cpu = new Map<Contender, number[]>(all.map((c) => [c, []]));
const memory = new Map<Contender, number>();
const disk = new Map<Contender, number>();
for (let repetition = 0; repetition < repetitions; repetition++)
  for (const c of all) {
    using folder = temporaryFolder('vigie-bench-');
    await using r = await run(c, folder.path);
    const before = cpuSeconds(r.pid);
    for (const body of bodies) await write(r.port, body);
    const used = ((cpuSeconds(r.pid) - before) / samples) * 1e6;
    cpu.get(c)!.push(used);
    if (repetitions > 1)
      console.log(`round ${repetition + 1}, ${c.name}: ${used.toFixed(3)} CPU s per million samples`);
    if (repetition > 0) continue;
    memory.set(c, residentBytes(r.pid));
    disk.set(c, await diskBytes(c, r, folder.path));
  }
const own = median(cpu.get(all[0]!)!);
for (const c of all) {
  const used = median(cpu.get(c)!);
  console.log(
    `${c.name}: ${used.toFixed(3)} CPU s per million samples (${(used / own).toFixed(1)} x Vigie), ${(memory.get(c)! / seriesCount).toFixed(0)} bytes resident per series, ${(disk.get(c)! / samples).toFixed(2)} bytes per sample on disk`,
  );
}
closeConnections();
