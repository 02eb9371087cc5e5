/**
 * CPU per cycle of evaluating rules every 15 s: Vigie (incremental, and by its engine alone) and Prometheus on the same
 * data, in one run. Each program runs twice, with and without the rules, under the same ingest; the difference is what
 * rules cost. At the end some recorded series are compared, so that nobody wins by not computing.
 * Usage: node bench/rules.ts [cycles] [tenants] [rules per tenant] [quick: without the engine alone and Prometheus 3]
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Labels } from '../src/model/labels.ts';
import { encodeWriteRequest } from '../src/store/wire/remote-write.ts';
import { snappyCompress } from '../src/store/wire/snappy.ts';
import { temporaryFolder } from '../test/support/peers.ts';
import {
  type Contender,
  closeConnections,
  contenders,
  cpuSeconds,
  type Running,
  residentBytes,
  run,
  STEP_MS,
  send,
} from './contenders.ts';

const cycles = Number(process.argv[2] ?? 8);
const tenants = Number(process.argv[3] ?? 50);
const rulesPerTenant = Number(process.argv[4] ?? 60);
const quick = process.argv[5] === 'quick';
/** Past that rules look at. */
const PREFILL_ROUNDS = 45;
const WARM_CYCLES = 6;
const BOUNDS = ['0.005', '0.01', '0.025', '0.05', '0.1', '0.25', '0.5', '1', '2.5', '5', '10', '+Inf'];

interface Bench {
  readonly labels: Labels;
  readonly value: (round: number) => number;
}

/** 400 series of one tenant: requests by route and code, latency buckets, memory, CPU, queues, up. */
function seriesOf(tenant: string): Bench[] {
  const out: Bench[] = [];
  const add = (name: string, more: Record<string, string>, value: (round: number) => number): void => {
    out.push({ labels: Labels.from({ __name__: name, tenant, ...more }), value });
  };
  for (let r = 0; r < 20; r++)
    for (const [k, code] of ['200', '201', '404', '500', '503'].entries())
      add('http_requests_total', { route: `/r${r}`, code }, (n) => Math.floor(n * (k < 2 ? 40 + r : 1 + r / 20)));
  for (let r = 0; r < 10; r++)
    for (const [k, le] of BOUNDS.entries())
      add('http_request_duration_seconds_bucket', { route: `/r${r}`, le }, (n) => n * (k + 1) * (r + 1));
  for (let i = 0; i < 40; i++) {
    const instance = `i${i}`;
    add('memory_used_bytes', { instance }, (n) => Math.round(1e9 + 4e8 * Math.sin((n + i) / 9)));
    add('memory_limit_bytes', { instance }, () => 1.6e9);
    add('cpu_seconds_total', { instance }, (n) => Math.round(n * (2 + i / 10) * 100) / 100);
    add('queue_depth', { queue: `q${i}` }, (n) => Math.round(20 + 15 * Math.sin((n * (i + 1)) / 20)));
  }
  for (let i = 0; i < 20; i++) add('up', { instance: `i${i}`, job: 'app' }, (n) => (i === 3 && n % 9 < 4 ? 0 : 1));
  return out;
}

/** The first `count` of a list of recording and alerting rules as people write them. */
function rulesOf(tenant: string, count: number): string {
  const t = `tenant="${tenant}"`;
  const out: string[] = [];
  const record = (name: string, expr: string): void =>
    void out.push(`  - record: ${name}\n    expr: ${JSON.stringify(expr)}\n    labels: { tenant: ${tenant} }`);
  const alert = (name: string, expr: string): void =>
    void out.push(
      `  - alert: ${name}\n    expr: ${JSON.stringify(expr)}\n    for: 1m\n    labels: { severity: page }\n    annotations: { summary: "{{ $labels.route }} is at {{ $value }}" }`,
    );
  for (let k = 0; out.length < count; k++) {
    const w = ['2m', '5m', '10m'][k % 3]!;
    const n = `${w}_${k}`;
    record(`route:requests:rate${n}`, `sum by (route) (rate(http_requests_total{${t}}[${w}]))`);
    record(
      `route:errors:ratio${n}`,
      `sum by (route) (rate(http_requests_total{${t},code=~"5.."}[${w}])) / sum by (route) (rate(http_requests_total{${t}}[${w}]))`,
    );
    alert(
      `Errors${n}`,
      `sum by (route) (rate(http_requests_total{${t},code=~"5.."}[${w}])) / sum by (route) (rate(http_requests_total{${t}}[${w}])) > ${0.2 + k / 100}`,
    );
    record(
      `route:latency:p9${k % 10}_${n}`,
      `histogram_quantile(0.9${k % 10}, sum by (le, route) (rate(http_request_duration_seconds_bucket{${t}}[${w}])))`,
    );
    alert(
      `Slow${n}`,
      `histogram_quantile(0.99, sum by (le, route) (rate(http_request_duration_seconds_bucket{${t}}[${w}]))) > ${50 + k}`,
    );
    alert(`Memory${n}`, `memory_used_bytes{${t}} / on (instance) memory_limit_bytes{${t}} > 0.9${k % 10}`);
    record(`instance:memory:avg${n}`, `avg_over_time(memory_used_bytes{${t}}[${w}])`);
    record(`tenant:cpu:rate${n}`, `sum(rate(cpu_seconds_total{${t}}[${w}]))`);
    alert(`Queue${n}`, `max_over_time(queue_depth{${t}}[${w}]) > ${36 + (k % 3)}`);
    alert(`Down${n}`, `up{${t}} == 0`);
    record(`queue:depth:max${n}`, `max by (queue) (queue_depth{${t}})`);
    alert(`Few${n}`, `count(up{${t}} == 1) < ${15 - k}`);
  }
  return `groups:\n- name: ${tenant}\n  interval: 15s\n  rules:\n${out.slice(0, count).join('\n')}\n`;
}

const names = Array.from({ length: tenants }, (_, i) => `t${i}`);
const all = names.map((name) => ({ name, series: seriesOf(name) }));
const seriesCount = all.reduce((n, t) => n + t.series.length, 0);

function* bodies(round: number, timeMs: number): Generator<{ readonly tenant: string; readonly body: Uint8Array }> {
  for (const t of all) {
    const columns = t.series.map((s) => ({
      labels: s.labels,
      length: 1,
      timestamps: Float64Array.of(timeMs),
      values: Float64Array.of(s.value(round)),
    }));
    yield { tenant: t.name, body: snappyCompress(encodeWriteRequest(columns)) };
  }
}

interface Side {
  readonly name: string;
  readonly kind: Contender['kind'];
  readonly withRules: Running;
  readonly without: Running;
}

using folder = temporaryFolder('vigie-bench-rules-');
const ruleFolder = path.join(folder.path, 'rules');
mkdirSync(ruleFolder);
for (const name of names) writeFileSync(path.join(ruleFolder, `${name}.yml`), rulesOf(name, rulesPerTenant));

const sides: Side[] = [];
let serial = 0;
async function begin(c: Contender): Promise<Running> {
  const own = path.join(folder.path, String(serial++));
  mkdirSync(own);
  return run(c, own);
}
const vigie = (rules: string, mode: string): Contender => ({
  name: 'Vigie',
  kind: 'vigie',
  binary: process.execPath,
  ready: '/stats',
  args: (f, port) => [path.join(import.meta.dirname, 'rules-server.ts'), f, String(port), rules, mode],
});
const bare = await begin(vigie('-', 'engine'));
sides.push({
  name: 'Vigie, incremental',
  kind: 'vigie',
  withRules: await begin(vigie(ruleFolder, 'incremental')),
  without: bare,
});
if (!quick)
  sides.push({
    name: 'Vigie, engine alone',
    kind: 'vigie',
    withRules: await begin(vigie(ruleFolder, 'engine')),
    without: bare,
  });
const peers = contenders().filter((x) => x.kind === 'prometheus');
for (const c of quick ? peers.slice(0, 1) : peers) {
  const ruled: Contender = {
    ...c,
    args: (f, port) => {
      const args = c.args(f, port);
      writeFileSync(
        path.join(f, 'p.yml'),
        `global: { evaluation_interval: 15s }\nrule_files: ["${ruleFolder}/*.yml"]\n`,
      );
      return args;
    },
  };
  sides.push({ name: c.name, kind: c.kind, withRules: await begin(ruled), without: await begin(c) });
}
const running = [...new Set(sides.flatMap((s) => [s.withRules, s.without]))];
console.log(
  `${seriesCount} series of ${tenants} tenants, ${tenants * rulesPerTenant} rules every 15 s, ${cycles} cycles`,
);

async function ingest(round: number, timeMs: number): Promise<void> {
  for (const { tenant, body } of bodies(round, timeMs)) {
    const headers = { 'content-encoding': 'snappy', 'content-type': 'application/x-protobuf', 'x-scope-orgid': tenant };
    for (const r of running) {
      const answer = await send(r.port, 'POST', '/api/v1/write', body, headers);
      if (answer.status > 204) throw new Error(`the write was answered ${answer.status}: ${answer.text}`);
    }
  }
}

const firstMs = Math.floor(Date.now() / 1000) * 1000 - PREFILL_ROUNDS * STEP_MS;
for (let round = 0; round < PREFILL_ROUNDS; round++) await ingest(round, firstMs + round * STEP_MS);
for (const s of sides) if (s.kind === 'vigie') await send(s.withRules.port, 'GET', '/start');
// some cycles for plans, caches and the compiler of JavaScript to settle
let round = Math.ceil((Date.now() - firstMs) / STEP_MS);
const until = async (r: number): Promise<void> => {
  await new Promise((resolve) => setTimeout(resolve, Math.max(0, firstMs + r * STEP_MS - Date.now())));
};
const cpu = new Map<Running, number>();
let behindMs = 0;
for (let cycle = -WARM_CYCLES; cycle < cycles; cycle++, round++) {
  await until(round);
  if (cycle === 0) for (const r of running) cpu.set(r, cpuSeconds(r.pid));
  await ingest(round, firstMs + round * STEP_MS);
  behindMs = Math.max(behindMs, Date.now() - (firstMs + round * STEP_MS));
}
await until(round);
const used = new Map(running.map((r) => [r, cpuSeconds(r.pid) - cpu.get(r)!]));

const perCycle = (s: Side): number => ((used.get(s.withRules)! - used.get(s.without)!) / cycles) * 1000;
const own = perCycle(sides[0]!);
for (const s of sides)
  console.log(
    `${s.name}: ${perCycle(s).toFixed(1)} CPU ms per cycle for the rules (${(perCycle(s) / own).toFixed(1)} x the first), ${((used.get(s.without)! / cycles) * 1000).toFixed(0)} ms for the rest, ${(residentBytes(s.withRules.pid) / 2 ** 20).toFixed(0)} MiB resident with rules`,
  );
for (const s of sides.slice(0, 2)) console.log(`${s.name}: ${(await send(s.withRules.port, 'GET', '/stats')).text}`);

// what was computed: a recorded series of three tenants, at one time
const atMs = firstMs + (round - 2) * STEP_MS;
const values = async (s: Side, tenant: string, query: string): Promise<string> => {
  const path = `/api/v1/query?${new URLSearchParams({ query, time: String(atMs / 1000) })}`;
  const { text } = await send(s.withRules.port, 'GET', path, undefined, { 'x-scope-orgid': tenant });
  const rows = (JSON.parse(text) as { data: { result: { metric: Record<string, string>; value: [number, string] }[] } })
    .data.result;
  return JSON.stringify(
    rows.map((r) => [r.metric['route'], r.metric['instance'], Number(r.value[1]).toPrecision(4)]).sort(),
  );
};
let agree = 0;
let differ = 0;
for (const tenant of names.slice(0, 3)) {
  // `up` and latency of this data do not depend on where in the interval a group is evaluated
  for (const query of [`sum by (route) (round(route:latency:p90_2m_0{route!=""}, 0.1)) and on () vector(1)`]) {
    const [first, ...others] = await Promise.all(
      sides.map((s) =>
        values(s, tenant, s.kind === 'vigie' ? query : query.replace('route!=""', `route!="",tenant="${tenant}"`)),
      ),
    );
    for (const other of others) {
      if (other === first && first !== '[]') agree++;
      else {
        differ++;
        if (differ === 1) console.log(`differs: ${first!.slice(0, 300)}\n     from: ${other.slice(0, 300)}`);
      }
    }
  }
}
console.log(`recorded series compared: ${agree} agree, ${differ} differ`);
if (behindMs > STEP_MS || differ > 0) {
  console.log(
    `not valid: data came up to ${Math.round(behindMs / 1000)} s late; the machine is too busy for this many programs`,
  );
  process.exitCode = 1;
}
for (const r of running) await r[Symbol.asyncDispose]();
closeConnections();
