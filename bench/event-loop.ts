/**
 * Event loop delay under full load: remote write over four connections as fast as it is taken, instant and range queries
 * beside it, and a window cut into blocks in the middle. Usage: node bench/event-loop.ts [seconds] [series] [repetitions]
 */
import { temporaryFolder } from '../test/support/peers.ts';
import { closeConnections, contenders, cpuSeconds, median, requests, run, STEP_MS, send, write } from './contenders.ts';
import type { LoopDelay } from './loop-delay.ts';

const seconds = Number(process.argv[2] ?? 30);
const series = Number(process.argv[3] ?? 20_000);
const repetitions = Number(process.argv[4] ?? 1);
const WRITERS = 4;
const QUERIES = ['sum by (route) (rate({__name__="http_requests_total"}[5m]))', 'count by (job) ({series!=""})'];

const ms = (v: number): string => `${v.toFixed(1)} ms`;

async function measure(): Promise<LoopDelay> {
  using folder = temporaryFolder('vigie-loop-');
  await using r = await run(contenders()[0]!, folder.path);
  const rounds = 400;
  const firstMs = Math.floor((Date.now() - rounds * STEP_MS) / 1000) * 1000;
  const bodies = requests(series, rounds, firstMs);
  // series become known first: that is start-up, not load
  for (let i = 0; i < Math.ceil(series / 2_000); i++) await write(r.port, bodies.next().value!);
  await send(r.port, 'GET', '/loop');
  const before = cpuSeconds(r.pid);
  const endMs = performance.now() + seconds * 1000;
  let requestsSent = 0;
  let queries = 0;
  // bodies are in the order of time and must arrive so: the writers take turns on one stream per connection
  const writer = async (): Promise<void> => {
    while (performance.now() < endMs) {
      const { value, done } = bodies.next();
      if (done) return;
      requestsSent++;
      await write(r.port, value).catch((error: unknown) => {
        // a later round may overtake an earlier one
        if (!String(error).includes('out_of_order')) throw error;
      });
    }
  };
  const asker = async (): Promise<void> => {
    while (performance.now() < endMs) {
      const query = QUERIES[queries++ % QUERIES.length]!;
      const time = String(firstMs / 1000 + 60 * 15);
      const range = queries % 4 === 0;
      const parameters = range
        ? new URLSearchParams({ query, start: String(firstMs / 1000), end: time, step: '60' })
        : new URLSearchParams({ query, time });
      await send(r.port, 'GET', `/api/v1/query${range ? '_range' : ''}?${parameters}`);
    }
  };
  const cut = async (): Promise<void> => {
    await new Promise((resolve) => setTimeout(resolve, (seconds * 1000) / 2));
    await send(r.port, 'GET', '/cut');
  };
  await Promise.all([...Array.from({ length: WRITERS }, writer), asker(), cut()]);
  const d = JSON.parse((await send(r.port, 'GET', '/loop')).text) as LoopDelay;
  console.log(
    `${requestsSent} writes, ${queries} queries, one cut, ${(cpuSeconds(r.pid) - before).toFixed(1)} CPU s in ${seconds} s: event loop late by p50 ${ms(d.p50Ms)}, p99 ${ms(d.p99Ms)}, p99.9 ${ms(d.p999Ms)}, most ${ms(d.maxMs)} of ${d.samples} (p99.9 with the waiting for a processor ${ms(d.p999WithWaitMs)}, of computing alone ${ms(d.p999ComputingMs)})`,
  );
  return d;
}

const got: LoopDelay[] = [];
for (let i = 0; i < repetitions; i++) got.push(await measure());
if (repetitions > 1) {
  const of = (key: keyof LoopDelay): string => ms(median(got.map((d) => d[key])));
  console.log(
    `medians of ${repetitions} runs: p50 ${of('p50Ms')}, p99 ${of('p99Ms')}, p99.9 ${of('p999Ms')}, most ${of('maxMs')}`,
  );
}
closeConnections();
