/**
 * CPU seconds per million samples of remote write, memory per series, and bytes per sample on disk with the index: Vigie,
 * Prometheus and VictoriaMetrics get the same encoded requests over HTTP in one run, in turns.
 * Usage: node bench/ingest.ts [series] [rounds] [repetitions]
 */
import { temporaryFolder } from '../test/support/peers.ts';
import {
  type Contender,
  closeConnections,
  contenders,
  cpuSeconds,
  diskBytes,
  median,
  requests,
  residentBytes,
  run,
  STEP_MS,
  write,
} from './contenders.ts';

const seriesCount = Number(process.argv[2] ?? 20_000);
const rounds = Number(process.argv[3] ?? 120);
const repetitions = Number(process.argv[4] ?? 1);
const samples = seriesCount * rounds;
const firstMs = Math.floor((Date.now() - rounds * STEP_MS) / 1000) * 1000;
const bodies = [...requests(seriesCount, rounds, firstMs)];
console.log(`${seriesCount} series, ${samples} samples, ${bodies.length} requests, ${repetitions} repetitions`);

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
    disk.set(c, await diskBytes(c, r, folder.path, { samples, series: seriesCount }));
  }
const own = median(cpu.get(all[0]!)!);
for (const c of all) {
  const used = median(cpu.get(c)!);
  console.log(
    `${c.name}: ${used.toFixed(3)} CPU s per million samples (${(used / own).toFixed(1)} x Vigie), ${(memory.get(c)! / seriesCount).toFixed(0)} bytes resident per series, ${(disk.get(c)! / samples).toFixed(2)} bytes per sample on disk`,
  );
}
closeConnections();
