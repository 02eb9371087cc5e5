/**
 * Ready after kill -9: the same samples are sent to each program, which is killed, started again, and asked until a query
 * answers with all series. Wall clock, CPU seconds and memory. Usage: node bench/startup.ts [series] [rounds] [repetitions]
 */
import { temporaryFolder } from '../test/support/peers.ts';
import {
  closeConnections,
  contenders,
  cpuSeconds,
  median,
  requests,
  residentBytes,
  run,
  STEP_MS,
  send,
  wholeProgram,
  write,
} from './contenders.ts';

const seriesCount = Number(process.argv[2] ?? 20_000);
const rounds = Number(process.argv[3] ?? 500);
const repetitions = Number(process.argv[4] ?? 3);
const firstMs = Math.floor((Date.now() - rounds * STEP_MS) / 1000) * 1000;
const lastMs = firstMs + (rounds - 1) * STEP_MS;
console.log(`${seriesCount} series, ${seriesCount * rounds} samples`);

let own: { wall: number; cpu: number } | undefined;
const [engine, ...peers] = contenders();
for (const c of [engine!, wholeProgram(), ...peers]) {
  using folder = temporaryFolder('vigie-startup-');
  let r = await run(c, folder.path);
  for (const body of requests(seriesCount, rounds, firstMs)) await write(r.port, body);
  const wall: number[] = [];
  const cpu: number[] = [];
  const sizes: number[] = [];
  let found = 0;
  for (let repetition = 0; repetition < repetitions; repetition++) {
    await r.program.stop('SIGKILL');
    const start = performance.now();
    r = await run(c, folder.path, r.port);
    const parameters = new URLSearchParams({ query: 'count({series!=""})', time: String(lastMs / 1000) });
    const answer = await send(r.port, 'GET', `/api/v1/query?${parameters}`);
    wall.push(performance.now() - start);
    cpu.push(cpuSeconds(r.pid));
    found = Number(/"(\d+)"\]/.exec(answer.text)?.[1] ?? 0);
    sizes.push(residentBytes(r.pid));
    if (c.kind !== 'victoria' && found !== seriesCount)
      throw new Error(`${c.name} found ${found} of ${seriesCount} series: ${answer.text.slice(0, 200)}`);
  }
  await r.program.stop('SIGKILL');
  const got = { wall: median(wall), cpu: median(cpu) };
  own ??= got;
  const lost = found < seriesCount ? `, and ${seriesCount - found} series had lost their last sample` : '';
  console.log(
    `${c.name}: ready after ${got.wall.toFixed(0)} ms (Vigie ${(own.wall / got.wall).toFixed(2)} of it), ${got.cpu.toFixed(2)} CPU s (${(own.cpu / got.cpu).toFixed(2)}), ${(median(sizes) / 2 ** 20).toFixed(0)} MiB resident${lost}`,
  );
}
closeConnections();
