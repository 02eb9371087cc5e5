/**
 * CPU per cycle of evaluating rules every 15 s: Vigie (incremental, and by its engine alone), Prometheus and vmalert with
 * VictoriaMetrics on the same data, in one run. Each program runs twice, with and without the rules, under the same
 * ingest; the difference is what rules cost (vmalert: its own CPU and what its queries and writes cost the store).
 * Rounds alternate: each peer has its own, with Vigie beside it, so that few programs share the machine at a time; the
 * medians of the ratios count. At the end of a round a recorded series is compared, so that nobody wins by not computing.
 * Usage: node bench/rules.ts [cycles] [tenants] [rules per tenant] [load=services|mixin] [rounds=N]
 *        [peers=2.42,3.5,vmalert|none] [engine: Vigie's engine alone too] [quick: 2.42 alone]
 *        [together: all peers in each round] [warm=N cycles before the measured ones]
 * BENCH_NODE_FLAGS='--cpu-prof --cpu-prof-dir=FOLDER' or '--trace-gc' are given to Vigie with rules; what it prints is shown.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { encodeWriteRequest } from '../src/store/wire/remote-write.ts';
import { snappyCompress } from '../src/store/wire/snappy.ts';
import { findPeer, freePort, httpReady, type Started, start, temporaryFolder } from '../test/support/peers.ts';
import {
  type Contender,
  closeConnections,
  contenders,
  cpuSeconds,
  median,
  NODE_FLAGS,
  type Running,
  residentBytes,
  run,
  STEP_MS,
  send,
} from './contenders.ts';
import { loads } from './rules-data.ts';

const args = process.argv.slice(2);
const numbers = args.filter((a) => /^\d+$/.test(a)).map(Number);
const option = (name: string, fallback: string): string =>
  args.find((a) => a.startsWith(`${name}=`))?.slice(name.length + 1) ?? fallback;
const cycles = numbers[0] ?? 8;
const tenants = numbers[1] ?? 50;
const rulesPerTenant = numbers[2] ?? 60;
const rounds = Number(option('rounds', '1'));
const wantedPeers = option('peers', args.includes('quick') ? '2.42' : '2.42,3.5,vmalert').split(',');
const load = loads.get(option('load', 'services'));
if (!load) throw new Error(`load: got ${option('load', '')}, want one of ${[...loads.keys()].join(', ')}`);
const flags = process.env['BENCH_NODE_FLAGS']?.split(' ') ?? [];
/** Past that rules look at. */
const PREFILL_ROUNDS = 45;
const warmCycles = Number(option('warm', '6'));

const names = Array.from({ length: tenants }, (_, i) => `t${i}`);
const all = names.map((name) => ({ name, series: load.seriesOf(name) }));
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

/** CPU ms of a process by name of its threads: JavaScript, V8's helpers (compiler, garbage collection), file work. */
function cpuOfThreads(pid: number): Map<string, number> {
  const out = new Map<string, number>();
  for (const tid of readdirSync(`/proc/${pid}/task`)) {
    const own = (file: string): string => readFileSync(`/proc/${pid}/task/${tid}/${file}`, 'utf8');
    const name = tid === String(pid) ? 'main' : own('comm').trim();
    out.set(name, (out.get(name) ?? 0) + Number(own('schedstat').split(' ')[0]) / 1e6);
  }
  return out;
}

interface Side {
  readonly name: string;
  readonly kind: Contender['kind'];
  readonly withRules: Running;
  readonly without: Running;
  /** Another process that the rules cost: vmalert. */
  beside?: Started;
  readonly contender?: Contender;
}

using folder = temporaryFolder('vigie-bench-rules-');
const ruleFolder = path.join(folder.path, 'rules');
mkdirSync(ruleFolder);
for (const name of names) writeFileSync(path.join(ruleFolder, `${name}.yml`), load.rulesOf(name, rulesPerTenant));

let serial = 0;
function begin(c: Contender): Promise<Running> {
  const own = path.join(folder.path, String(serial++));
  mkdirSync(own);
  return run(c, own);
}

const vigie = (rules: string, mode: string): Contender => ({
  name: 'Vigie',
  kind: 'vigie',
  binary: process.execPath,
  ready: '/stats',
  args: (f, port) => [
    ...NODE_FLAGS,
    ...(rules === '-' ? [] : flags),
    path.join(import.meta.dirname, 'rules-server.ts'),
    f,
    String(port),
    rules,
    mode,
  ],
});

async function prometheusSide(c: Contender): Promise<Side> {
  const ruled: Contender = {
    ...c,
    args: (f, port) => {
      const own = c.args(f, port);
      writeFileSync(
        path.join(f, 'p.yml'),
        `global: { evaluation_interval: 15s }\nrule_files: ["${ruleFolder}/*.yml"]\n`,
      );
      return own;
    },
  };
  return { name: c.name, kind: c.kind, withRules: await begin(ruled), without: await begin(c) };
}

/** vmalert asks the store and writes results back to it; it starts once there is data. */
async function startVmalert(c: Contender, store: Running): Promise<Started> {
  const binary = path.join(path.dirname(c.binary), 'vmalert');
  const port = await freePort();
  return start(binary, {
    args: [
      `-rule=${ruleFolder}/*.yml`,
      `-datasource.url=${store.url}`,
      `-remoteWrite.url=${store.url}`,
      `-remoteRead.url=${store.url}`,
      '-notifier.url=http://127.0.0.1:9',
      '-evaluationInterval=15s',
      `-httpListenAddr=127.0.0.1:${port}`,
    ],
    ready: httpReady(`http://127.0.0.1:${port}/health`),
  });
}

/** The peers that were asked for and are installed. */
function peers(): { readonly key: string; readonly contender: Contender }[] {
  const out: { key: string; contender: Contender }[] = [];
  for (const c of contenders()) {
    if (c.kind === 'prometheus')
      for (const v of ['2.42', '3.5'])
        if (c.name.includes(` ${v}`) && wantedPeers.includes(v)) out.push({ key: v, contender: c });
    if (c.kind === 'victoria' && wantedPeers.includes('vmalert') && findPeer('vmalert'))
      out.push({ key: 'vmalert', contender: c });
  }
  return out;
}

interface Outcome {
  readonly name: string;
  readonly ms: number;
}

interface Peer {
  readonly key: string;
  readonly contender: Contender;
}

/** One round: Vigie and the given peers, under the same ingest. */
async function measure(against: readonly Peer[]): Promise<Outcome[]> {
  const bare = await begin(vigie('-', 'engine'));
  const sides: Side[] = [
    {
      name: 'Vigie, incremental',
      kind: 'vigie',
      withRules: await begin(vigie(ruleFolder, 'incremental')),
      without: bare,
    },
  ];
  if (args.includes('engine'))
    sides.push({
      name: 'Vigie, engine alone',
      kind: 'vigie',
      withRules: await begin(vigie(ruleFolder, 'engine')),
      without: bare,
    });
  for (const { contender: c } of against) {
    if (c.kind === 'prometheus') sides.push(await prometheusSide(c));
    else {
      const [withRules, without] = [await begin(c), await begin(c)];
      sides.push({ name: `vmalert and ${c.name}`, kind: c.kind, withRules, without, contender: c });
    }
  }
  const running = [...new Set(sides.flatMap((s) => [s.withRules, s.without]))];
  const ingest = async (round: number, timeMs: number): Promise<void> => {
    for (const { tenant, body } of bodies(round, timeMs)) {
      const headers = {
        'content-encoding': 'snappy',
        'content-type': 'application/x-protobuf',
        'x-scope-orgid': tenant,
      };
      for (const r of running) {
        const answer = await send(r.port, 'POST', '/api/v1/write', body, headers);
        if (answer.status > 204) throw new Error(`the write was answered ${answer.status}: ${answer.text}`);
      }
    }
  };
  try {
    const firstMs = Math.floor(Date.now() / 1000) * 1000 - PREFILL_ROUNDS * STEP_MS;
    for (let round = 0; round < PREFILL_ROUNDS; round++) await ingest(round, firstMs + round * STEP_MS);
    for (const s of sides) if (s.kind === 'vigie') await send(s.withRules.port, 'GET', '/start');
    for (const s of sides.filter((side) => side.contender)) {
      await send(s.withRules.port, 'GET', '/internal/force_flush');
      s.beside = await startVmalert(s.contender!, s.withRules);
    }
    // some cycles for plans, caches and the compiler of JavaScript to settle
    let round = Math.ceil((Date.now() - firstMs) / STEP_MS);
    const until = async (r: number): Promise<void> => {
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, firstMs + r * STEP_MS - Date.now())));
    };
    const spent = (s: Side): number =>
      cpuSeconds(s.withRules.pid) - cpuSeconds(s.without.pid) + (s.beside ? cpuSeconds(s.beside.pid) : 0);
    let before: number[] = [];
    let rest: number[] = [];
    let threads: ReadonlyMap<string, number> = new Map();
    let behindMs = 0;
    for (let cycle = -warmCycles; cycle < cycles; cycle++, round++) {
      await until(round);
      if (cycle === 0) {
        before = sides.map(spent);
        rest = sides.map((s) => cpuSeconds(s.without.pid));
        if (flags.length > 0) threads = cpuOfThreads(sides[0]!.withRules.pid);
      }
      await ingest(round, firstMs + round * STEP_MS);
      behindMs = Math.max(behindMs, Date.now() - (firstMs + round * STEP_MS));
    }
    await until(round);
    if (flags.length > 0) {
      const now = cpuOfThreads(sides[0]!.withRules.pid);
      for (const [name, ms] of now)
        console.log(`  thread ${name}: ${((ms - (threads.get(name) ?? 0)) / cycles).toFixed(1)} ms per cycle`);
    }
    const outcomes = sides.map((s, i) => ({ name: s.name, ms: ((spent(s) - before[i]!) / cycles) * 1000 }));
    for (const [i, s] of sides.entries()) {
      const others = ((cpuSeconds(s.without.pid) - rest[i]!) / cycles) * 1000;
      const memory = residentBytes(s.withRules.pid) + (s.beside ? residentBytes(s.beside.pid) : 0);
      console.log(
        `  ${s.name}: ${outcomes[i]!.ms.toFixed(1)} CPU ms per cycle for the rules, ${others.toFixed(0)} ms for the rest, ${(memory / 2 ** 20).toFixed(0)} MiB resident with rules`,
      );
      if (s.kind === 'vigie') console.log(`  ${(await send(s.withRules.port, 'GET', '/stats')).text}`);
    }
    const differ = await compare(sides, firstMs + (round - 2) * STEP_MS);
    if (behindMs > STEP_MS || differ > 0) {
      console.log(
        `  not valid: data came up to ${Math.round(behindMs / 1000)} s late, ${differ} recorded series differ; the machine is too busy for this many programs`,
      );
      process.exitCode = 1;
    }
    return outcomes;
  } finally {
    for (const s of sides) await s.beside?.stop();
    if (flags.length > 0) console.log(sides[0]!.withRules.program.output());
    for (const r of running) await r[Symbol.asyncDispose]();
  }
}

/** A recorded series of three tenants at one time; says how many differ. */
async function compare(sides: readonly Side[], atMs: number): Promise<number> {
  const values = async (s: Side, tenant: string): Promise<string> => {
    const own = `tenant="${tenant}"`;
    const query = load!.check.replace('TENANT', own);
    const route = `/api/v1/query?${new URLSearchParams({ query, time: String(atMs / 1000) })}`;
    const { text } = await send(s.withRules.port, 'GET', route, undefined, { 'x-scope-orgid': tenant });
    const answer = JSON.parse(text) as {
      data: { result: { metric: Record<string, string>; value: [number, string] }[] };
    };
    return JSON.stringify(
      answer.data.result
        .map((r) => [r.metric['route'], r.metric['verb'], Number(r.value[1]).toPrecision(4)])
        .sort((a, b) => (String(a) < String(b) ? -1 : 1)),
    );
  };
  let agree = 0;
  let differ = 0;
  for (const tenant of names.slice(0, 3)) {
    const [first, ...others] = await Promise.all(sides.map((s) => values(s, tenant)));
    for (const other of others) {
      if (other === first && first !== '[]') agree++;
      else if (differ++ === 0) console.log(`  differs: ${first!.slice(0, 300)}\n     from: ${other.slice(0, 300)}`);
    }
  }
  console.log(`  recorded series compared: ${agree} agree, ${differ} differ`);
  return differ;
}

console.log(
  `${load.name}: ${seriesCount} series of ${tenants} tenants, ${tenants * rulesPerTenant} rules every 15 s, ${cycles} cycles`,
);
const found = wantedPeers.includes('none') ? [] : peers();
const ratios = new Map<string, { own: number[]; other: number[]; ratio: number[] }>();
for (let round = 1; round <= rounds; round++)
  for (const against of found.length === 0 || args.includes('together') ? [found] : found.map((p) => [p])) {
    console.log(`round ${round} of ${rounds} ${against.map((p) => p.contender.name).join(', ')}`);
    const [own, ...others] = await measure(against);
    for (const o of others) {
      let r = ratios.get(o.name);
      if (!r) ratios.set(o.name, (r = { own: [], other: [], ratio: [] }));
      r.own.push(own!.ms);
      r.other.push(o.ms);
      r.ratio.push(o.ms / own!.ms);
    }
  }
for (const [name, r] of ratios)
  console.log(
    `${name}: median ${median(r.other).toFixed(0)} CPU ms per cycle, Vigie ${median(r.own).toFixed(1)}: 1/${median(r.ratio).toFixed(1)} (${r.ratio.map((x) => x.toFixed(1)).join(' ')})`,
  );
closeConnections();
