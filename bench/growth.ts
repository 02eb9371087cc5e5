/**
 * Ten times the series: CPU per million samples once the series are known, memory per series with the idle process taken
 * off and with everything included, CPU of a query over all series, and the time to be ready after kill -9.
 * Usage: node bench/growth.ts [series ...] [rounds=1] (default 10000 100000 1000000); with several rounds, in turns, medians
 */
import { temporaryFolder } from '../test/support/peers.ts';
import {
  type Contender,
  closeConnections,
  contenders,
  cpuSeconds,
  median,
  requests,
  residentBytes,
  run,
  STEP_MS,
  send,
  write,
} from './contenders.ts';

const given = process.argv.slice(2);
const sizes = given.filter((a) => !a.includes('=')).map(Number);
if (sizes.length === 0) sizes.push(10_000, 100_000, 1_000_000);
const repetitions = Number(given.find((a) => a.startsWith('rounds='))?.slice(7) ?? 1);
const WARM_ROUNDS = 4;
const ROUNDS = 10;
const QUERY = 'sum by (route) (rate({__name__=~".+"}[5m]))';

interface Figures {
  /** CPU seconds per million samples. */
  readonly cpu: number;
  readonly growth: number;
  /** Bytes per series, without and with the idle process. */
  readonly bytes: number;
  readonly wholeBytes: number;
  /** CPU seconds of the query. */
  readonly query: number;
  readonly readyMs: number;
}

// encoded once: that takes longer than anything that is measured
const firstMs = Math.floor((Date.now() - ROUNDS * STEP_MS) / 1000) * 1000;
const encoded = new Map(sizes.map((series) => [series, [...requests(series, ROUNDS, firstMs)]]));

async function measure(c: Contender, series: number, smaller: Figures | undefined): Promise<Figures> {
  using folder = temporaryFolder('vigie-growth-');
  let r = await run(c, folder.path);
  const idle = residentBytes(r.pid);
  let start = 0;
  let n = 0;
  const perRound = Math.ceil(series / 2_000);
  for (const body of encoded.get(series)!) {
    if (n++ === WARM_ROUNDS * perRound) start = cpuSeconds(r.pid);
    await write(r.port, body);
  }
  const cpu = ((cpuSeconds(r.pid) - start) / (series * (ROUNDS - WARM_ROUNDS))) * 1e6;
  const resident = residentBytes(r.pid);
  await send(r.port, 'GET', '/internal/force_flush');
  const parameters = new URLSearchParams({ query: QUERY, time: String(firstMs / 1000 + (ROUNDS - 1) * 15) });
  const queryStart = cpuSeconds(r.pid);
  const answer = await send(r.port, 'GET', `/api/v1/query?${parameters}`);
  const query = cpuSeconds(r.pid) - queryStart;
  if (!answer.text.includes('/api/v1/route/39')) throw new Error(`${c.name} answered ${answer.text.slice(0, 300)}`);
  await r.program.stop('SIGKILL');
  const restart = performance.now();
  r = await run(c, folder.path, r.port);
  const readyMs = performance.now() - restart;
  await r.program.stop('SIGKILL');
  const growth = smaller ? (cpu / smaller.cpu) * 10 : Number.NaN;
  return { cpu, growth, bytes: (resident - idle) / series, wholeBytes: resident / series, query, readyMs };
}

function say(name: string, series: number, f: Figures): void {
  const growth = Number.isNaN(f.growth) ? '' : `, ${f.growth.toFixed(1)} times the CPU for ten times the series`;
  console.log(
    `${name}, ${series} series: ${f.cpu.toFixed(3)} CPU s per million samples${growth}, ${f.bytes.toFixed(0)} bytes per series (${f.wholeBytes.toFixed(0)} with the process), query ${f.query.toFixed(2)} CPU s, ready ${f.readyMs.toFixed(0)} ms after kill -9`,
  );
}

const all = contenders().map((c) => ({ c, figures: sizes.map((): Figures[] => []) }));
for (let repetition = 1; repetition <= repetitions; repetition++) {
  if (repetitions > 1) console.log(`round ${repetition}`);
  for (const { c, figures } of all) {
    let smaller: Figures | undefined;
    for (const [i, series] of sizes.entries()) {
      smaller = await measure(c, series, smaller);
      figures[i]!.push(smaller);
      say(c.name, series, smaller);
    }
  }
}
if (repetitions > 1) {
  console.log(`medians of ${repetitions} rounds`);
  for (const { c, figures } of all)
    for (const [i, series] of sizes.entries()) {
      const of = (key: keyof Figures): number => median(figures[i]!.map((f) => f[key]));
      say(c.name, series, {
        cpu: of('cpu'),
        growth: of('growth'),
        bytes: of('bytes'),
        wholeBytes: of('wholeBytes'),
        query: of('query'),
        readyMs: of('readyMs'),
      });
    }
}
closeConnections();
