/**
 * Ten times the series: CPU per million samples once the series are known, memory per series with the idle process taken
 * off and with everything included, CPU of a query over all series, and the time to be ready after kill -9.
 * Usage: node bench/growth.ts [series ...] (default 10000 100000 1000000)
 */
import { temporaryFolder } from '../test/support/peers.ts';
import {
  closeConnections,
  contenders,
  cpuSeconds,
  requests,
  residentBytes,
  run,
  STEP_MS,
  send,
  write,
} from './contenders.ts';

const sizes = process.argv.slice(2).map(Number);
if (sizes.length === 0) sizes.push(10_000, 100_000, 1_000_000);
const WARM_ROUNDS = 4;
const ROUNDS = 10;
const QUERY = 'sum by (route) (rate({__name__=~".+"}[5m]))';

for (const c of contenders()) {
  let before: { cpu: number; query: number } | undefined;
  for (const series of sizes) {
    using folder = temporaryFolder('vigie-growth-');
    const firstMs = Math.floor((Date.now() - ROUNDS * STEP_MS) / 1000) * 1000;
    let r = await run(c, folder.path);
    const idle = residentBytes(r.pid);
    let start = 0;
    let n = 0;
    const perRound = Math.ceil(series / 2_000);
    for (const body of requests(series, ROUNDS, firstMs)) {
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
    const growth = before ? `, ${((cpu / before.cpu) * 10).toFixed(1)} times the CPU for ten times the series` : '';
    console.log(
      `${c.name}, ${series} series: ${cpu.toFixed(3)} CPU s per million samples${growth}, ${((resident - idle) / series).toFixed(0)} bytes per series (${(resident / series).toFixed(0)} with the process), query ${query.toFixed(2)} CPU s, ready ${readyMs.toFixed(0)} ms after kill -9`,
    );
    before = { cpu, query };
  }
}
closeConnections();
