/**
 * What Vigie takes with nothing to do but watch its host and itself: resident memory, and the CPU seconds until then,
 * a minute after `npm start`'s server was ready. Usage: node bench/idle.ts [starts] [seconds]
 */
import { temporaryFolder } from '../test/support/peers.ts';
import { cpuSeconds, median, residentBytes, run, wholeProgram } from './contenders.ts';

const starts = Number(process.argv[2] ?? 5);
const seconds = Number(process.argv[3] ?? 60);
const memory: number[] = [];
const cpu: number[] = [];
const c = wholeProgram();
for (let i = 0; i < starts; i++) {
  using folder = temporaryFolder('vigie-idle-');
  await using r = await run(c, folder.path);
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  memory.push(residentBytes(r.pid) / 1e6);
  cpu.push(cpuSeconds(r.pid));
}
console.log(
  `${starts} starts, after ${seconds} s: ${median(memory).toFixed(0)} MB resident (${memory.map((m) => m.toFixed(0)).join(' ')}), ${median(cpu).toFixed(2)} CPU s`,
);
