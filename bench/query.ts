/**
 * Instant and range queries over the same data on Vigie, Prometheus and VictoriaMetrics: wall-clock median and CPU
 * milliseconds a query, in turns within one run; answers are compared before anything is timed.
 * Usage: node bench/query.ts [series] [rounds] [repetitions] [turns]
 */
import { temporaryFolder } from '../test/support/peers.ts';
import {
  closeConnections,
  contenders,
  cpuSeconds,
  median,
  type Running,
  requests,
  run,
  STEP_MS,
  send,
  write,
} from './contenders.ts';

const seriesCount = Number(process.argv[2] ?? 20_000);
const rounds = Number(process.argv[3] ?? 240);
const repetitions = Number(process.argv[4] ?? 20);
const turns = Number(process.argv[5] ?? 5);
const firstMs = Math.floor((Date.now() - rounds * STEP_MS) / 1000) * 1000;
// between two samples: the closed ranges of Prometheus 2 and the half-open ones of 3 then hold the same
const end = firstMs / 1000 + (rounds - 1) * 15 + 1;
const span = Math.min(6 * 3600, (rounds - 30) * 15);

interface Query {
  readonly name: string;
  readonly expr: string;
  readonly step?: number;
  /** Functions that VictoriaMetrics defines otherwise (it extrapolates no rates) are compared among the others only. */
  readonly same: boolean;
}
const QUERIES: readonly Query[] = [
  { name: 'rate sum by', expr: 'sum by (route) (rate(http_requests_total[5m]))', same: false },
  {
    name: 'histogram_quantile',
    expr: 'histogram_quantile(0.9, sum by (le, job) (rate(http_request_duration_seconds_bucket[5m])))',
    same: false,
  },
  { name: 'topk', expr: 'topk(10, queue_length)', same: false },
  { name: 'count', expr: 'count by (job) ({__name__=~".+"})', same: true },
  {
    name: 'one tenant, range',
    expr: 'sum by (route) (rate(http_requests_total{tenant="t8"}[5m]))',
    step: 60,
    same: false,
  },
  { name: 'all tenants, range', expr: 'sum by (route) (rate(http_requests_total[5m]))', step: 60, same: false },
];

const path = (q: Query): string => {
  const parameters = new URLSearchParams(
    q.step === undefined
      ? { query: q.expr, time: String(end) }
      : { query: q.expr, start: String(end - span), end: String(end), step: String(q.step), nocache: '1' },
  );
  return `/api/v1/query${q.step === undefined ? '' : '_range'}?${parameters}`;
};

/** Sorted pairs of labels and last value, values to nine digits. */
function answerOf(text: string): string {
  const parsed = JSON.parse(text) as {
    data: { result: { metric: Record<string, string>; value?: [number, string]; values?: [number, string][] }[] };
  };
  return parsed.data.result
    .map((r) => {
      const v = Number((r.value ?? r.values!.at(-1)!)[1]);
      return `${JSON.stringify(Object.entries(r.metric).sort())} ${v.toPrecision(9)}`;
    })
    .sort()
    .join('\n');
}

const all = contenders();
const running: { name: string; kind: string; r: Running; folder: ReturnType<typeof temporaryFolder> }[] = [];
for (const c of all) {
  const folder = temporaryFolder('vigie-query-');
  running.push({ name: c.name, kind: c.kind, r: await run(c, folder.path), folder });
}
for (const body of requests(seriesCount, rounds, firstMs)) for (const { r } of running) await write(r.port, body);
for (const { kind, r } of running) if (kind === 'victoria') await send(r.port, 'GET', '/internal/force_flush');
console.log(`${seriesCount} series, ${seriesCount * rounds} samples, ranges of ${(span / 3600).toFixed(1)} h`);

for (const q of QUERIES) {
  let first = '';
  for (const { name, kind, r } of running) {
    const answer = await send(r.port, 'GET', path(q));
    if (answer.status !== 200) throw new Error(`${name}: ${answer.text.slice(0, 300)}`);
    const got = answerOf(answer.text);
    if (got === '') throw new Error(`${name} answers nothing to ${q.expr}`);
    // topk breaks ties as it likes; VictoriaMetrics has rates of its own
    if (first === '') first = got;
    else if (got !== first && q.name !== 'topk' && (kind !== 'victoria' || q.same))
      throw new Error(`${name} answers otherwise to ${q.expr}:\n${got.slice(0, 500)}\n---\n${first.slice(0, 500)}`);
  }
  const wall = running.map((): number[] => []);
  const cpu = running.map((): number[] => []);
  for (let turn = 0; turn < turns; turn++)
    for (const [i, { r }] of running.entries()) {
      const before = cpuSeconds(r.pid);
      for (let k = 0; k < repetitions; k++) {
        const start = performance.now();
        await send(r.port, 'GET', path(q));
        wall[i]!.push(performance.now() - start);
      }
      cpu[i]!.push(((cpuSeconds(r.pid) - before) / repetitions) * 1000);
    }
  const own = { wall: median(wall[0]!), cpu: median(cpu[0]!) };
  const cells = running.map(({ name }, i) => {
    const [w, c] = [median(wall[i]!), median(cpu[i]!)];
    return i === 0
      ? `${name} ${w.toFixed(1)} ms, ${c.toFixed(1)} CPU ms`
      : `${name} ${w.toFixed(1)} ms (Vigie ${(own.wall / w).toFixed(2)}), ${c.toFixed(1)} CPU ms (${(own.cpu / Math.max(c, 0.1)).toFixed(2)})`;
  });
  console.log(`${q.name}: ${cells.join('; ')}`);
}
for (const { r, folder } of running) {
  await r.program.stop('SIGKILL');
  folder[Symbol.dispose]();
}
closeConnections();
