/**
 * Judges correlation and root-cause ranking: `node bench/incidents.ts [tune|judge] [seeds] [demo|graphs]`. Seeds named tune-* were
 * looked at while weights were chosen, seeds named judge-* were not. Two worlds: the demonstration's faults through the
 * real catalogue rules, where the truth is the component a fault was put into; and random service graphs in which a
 * fault spreads to callers, from the generator below. Neither is a measurement of anybody's production.
 */
import path from 'node:path';
import { stringify } from 'yaml';
import { loadCatalogue, packNames } from '../src/catalogue/load.ts';
import { testPorts } from '../src/cli/test-rules.ts';
import { demoEventsBetween } from '../src/demo/events.ts';
import { type Fault, type FaultKind, faultsBetween } from '../src/demo/faults.ts';
import { Random } from '../src/demo/random.ts';
import { DEMO_TENANTS, DemoService, type DemoTenant } from '../src/demo/service.ts';
import { componentOf } from '../src/incidents/component.ts';
import type { Incident, RelatedChange, Signal } from '../src/incidents/incident.ts';
import { IncidentService } from '../src/incidents/incident-service.ts';
import type { ServiceNode } from '../src/incidents/service-graph.ts';
import { VolatileDocuments } from '../src/incidents/volatile-documents.ts';
import { silentLogger } from '../src/lib/logger.ts';
import { type TenantId, tenantId } from '../src/model/tenant.ts';
import { parse } from '../src/promql/parse.ts';
import { RehearsalClock } from '../src/replay/rehearsal-clock.ts';
import { backtest } from '../src/rules/backtest.ts';
import { parseRuleFile } from '../src/rules/rule-file.ts';
import { MemorySamples } from '../src/rules/testing/memory-samples.ts';

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
const T0 = Date.UTC(2026, 2, 2);
const say = (text: string): void => void process.stdout.write(`${text}\n`);

/** A signal with the fault that caused it, '' for noise: the truth that the judge compares with. */
interface Labelled {
  readonly signal: Signal;
  readonly fault: string;
}
interface World {
  readonly signals: readonly Labelled[];
  readonly services: readonly ServiceNode[];
  readonly changes: readonly RelatedChange[];
  /** Fault -> components that count as its cause. */
  readonly causes: ReadonlyMap<string, ReadonlySet<string>>;
}
interface Score {
  faults: number;
  alerts: number;
  incidents: number;
  /** Incidents that hold alerts of a fault, summed over faults; equal to `faults` when each became one. */
  pieces: number;
  pairsTogether: number;
  pairsRight: number;
  pairsTrue: number;
  pairsFound: number;
  ranked: number;
  top1: number;
  top3: number;
  /** The component of the first alert, as a rule of thumb to beat. */
  first1: number;
  byKind: Map<string, { ranked: number; top1: number; top3: number }>;
}
const newScore = (): Score => ({
  faults: 0,
  alerts: 0,
  incidents: 0,
  pieces: 0,
  pairsTogether: 0,
  pairsRight: 0,
  pairsTrue: 0,
  pairsFound: 0,
  ranked: 0,
  top1: 0,
  top3: 0,
  first1: 0,
  byKind: new Map(),
});

/** Lives through the signals with the real service in virtual time, then compares incidents with faults. */
async function judge(world: World, tenant: TenantId, score: Score): Promise<void> {
  const sorted = [...world.signals].sort((a, b) => at(a.signal) - at(b.signal));
  if (sorted.length === 0) return;
  const clock = new RehearsalClock(at(sorted[0]!.signal) - MINUTE_MS);
  const best = new Map<string, Incident>();
  const service = new IncidentService({
    documents: new VolatileDocuments(),
    clock,
    logger: silentLogger,
    externalURL: '',
    linkKey: new Uint8Array(32),
    publish: () => {},
    send: async () => true,
    services: async () => world.services,
    changes: async (_t, fromMs, toMs) => world.changes.filter((c) => c.atMs >= fromMs && c.atMs <= toMs),
  });
  await service.start();
  const incidentOf = new Map<Labelled, string>();
  for (const l of sorted) {
    await clock.advanceTo(at(l.signal));
    const [id] = await service.observe(tenant, [l.signal]);
    if (l.signal.status === 'firing' && id) incidentOf.set(l, id);
  }
  await clock.advanceTo(clock.now() + 6 * 3_600_000);
  for (const id of new Set(incidentOf.values())) best.set(id, await service.get(tenant, id));
  await service[Symbol.asyncDispose]();
  compare(world, incidentOf, best, score);
}

const at = (s: Signal): number => (s.status === 'firing' ? s.startsAtMs : s.endsAtMs!);

function compare(
  world: World,
  incidentOf: ReadonlyMap<Labelled, string>,
  incidents: ReadonlyMap<string, Incident>,
  score: Score,
): void {
  const fired = [...incidentOf.keys()];
  score.alerts += fired.length;
  score.incidents += incidents.size;
  // an alert that fires again within its incident is one alert of it, however often it flaps
  const seen = new Set<string>();
  const distinct = fired.filter((l) => {
    const key = `${incidentOf.get(l)}\u0000${l.fault}\u0000${JSON.stringify(l.signal.labels)}`;
    return !seen.has(key) && seen.add(key) !== undefined;
  });
  for (let i = 0; i < distinct.length; i++)
    for (let j = i + 1; j < distinct.length; j++) {
      const [a, b] = [distinct[i]!, distinct[j]!];
      const together = incidentOf.get(a) === incidentOf.get(b);
      const same = a.fault !== '' && a.fault === b.fault;
      // two alerts that belong to no fault have no truth to be right or wrong about
      if (together && (a.fault !== '' || b.fault !== '')) score.pairsTogether++;
      if (together && same) score.pairsRight++;
      if (same) score.pairsTrue++;
      if (same && together) score.pairsFound++;
    }
  for (const [fault, causes] of world.causes) {
    const mine = fired.filter((l) => l.fault === fault);
    if (mine.length === 0) continue;
    score.faults++;
    const ids = new Map<string, number>();
    for (const l of mine) ids.set(incidentOf.get(l)!, (ids.get(incidentOf.get(l)!) ?? 0) + 1);
    score.pieces += ids.size;
    // the ranking is judged on the incident that holds most of the fault
    const main = incidents.get([...ids].sort((a, b) => b[1] - a[1])[0]![0])!;
    const ranking = main.causes.map((c) => c.component);
    const kind = fault.split('@')[0]!;
    const k = score.byKind.get(kind) ?? { ranked: 0, top1: 0, top3: 0 };
    const hit = (n: number): number => (ranking.slice(0, n).some((c) => causes.has(c)) ? 1 : 0);
    score.ranked++;
    score.top1 += hit(1);
    score.top3 += hit(3);
    k.ranked++;
    if (process.env['VERBOSE'] && hit(1) === 0)
      say(
        `    miss ${fault}: ${main.causes.map((c) => `${c.component} ${c.score} (${c.evidence.join('; ')})`).join(' | ')} wanted ${[...causes]}`,
      );
    k.top1 += hit(1);
    k.top3 += hit(3);
    score.byKind.set(kind, k);
    const earliest = [...main.alerts].sort((a, b) => a.firstBadAtMs - b.firstBadAtMs)[0]!;
    score.first1 += causes.has(componentOf(earliest.labels)) ? 1 : 0;
  }
}

// ---------------------------------------------------------------- the demonstration

const TRUTH: Readonly<Record<FaultKind, (t: DemoTenant) => readonly string[]>> = {
  'latency-regression': () => ['service:agent-api'],
  'error-burst': () => ['service:agent-api'],
  'disk-fill': (t) => [`host:${t.id}-node-1:9100`],
  'memory-leak': (t) => [`host:${t.id}-node-1:9100`],
  'login-attack': () => ['area:security'],
  'model-drift': () => ['model:genre-classifier', 'model:hit-predictor'],
};

/** `alertname/service` that a fault of each kind can raise, read off src/demo/service.ts. */
const TOUCHES: Readonly<Record<FaultKind, RegExp>> = {
  'latency-regression':
    /^(ApiLatencyHigh|LatencyObjectiveMissed)\/agent-api$|^(QueueStuck|WorkersStopped|Postgres\w*|LlmFirstTokenSlow|HostCpuBusy|SatisfactionLow)\//,
  'error-burst':
    /^(ApiErrorsHigh|ErrorBudget\w*)\/agent-api$|^ErrorBudget\w*\/|^(LlmProviderFailing|WorkerFailuresHigh|SatisfactionLow)\//,
  'disk-fill': /^HostDisk/,
  'memory-leak': /^HostMemory/,
  'login-attack': /^SignIn/,
  'model-drift': /^Model/,
};

/** What an operator of the demonstration would declare. */
const graphOf = (t: DemoTenant): ServiceNode[] => [
  {
    name: 'agent-api',
    dependsOn: [`database:${t.id}-db-1:9187`, 'provider:northwind-ai', 'queue:renders', 'model:genre-classifier'],
  },
  { name: 'planner', dependsOn: ['agent-api', `database:${t.id}-db-1:9187`, 'model:hit-predictor'] },
  { name: 'media', dependsOn: ['queue:renders', `host:${t.id}-node-1:9100`] },
];

/** Rules over three days need three days before they mean anything; the period starts with that much of a quiet past. */
const SETTLE_DAYS = 4;
const DAYS = 10;

async function demoWorld(seed: string, tenant: DemoTenant, declared: boolean): Promise<World> {
  const fromMs = T0;
  const toMs = T0 + (SETTLE_DAYS + DAYS) * DAY_MS;
  const all = faultsBetween(seed, [tenant.id], fromMs, toMs).filter((f) => f.startMs > fromMs + SETTLE_DAYS * DAY_MS);
  const service = new DemoService(tenant, seed, () => all);
  const ports = testPorts();
  const memory = new MemorySamples(ports.compileMatcher);
  const row = new Float64Array(service.labels.length);
  for (let t = fromMs; t < toMs; t += MINUTE_MS) {
    service.step(t, 60, row);
    for (let i = 0; i < row.length; i++) memory.add({ labels: service.labels[i]!, timestampMs: t, value: row[i]! });
  }
  const engine = ports.engine(MINUTE_MS);
  const folder = path.join(import.meta.dirname, '../templates');
  const { packs } = loadCatalogue(folder, packNames(folder));
  const groups = packs.flatMap((p) =>
    [...p.rules].flatMap(([name, file]) => parseRuleFile(name, stringify(file), { parse }).groups),
  );
  const results = await backtest(
    groups.map((g) => ({ ...g, intervalMs: MINUTE_MS })),
    { startMs: fromMs + SETTLE_DAYS * DAY_MS, endMs: toMs, stepMs: MINUTE_MS, flapWindowMs: 0 },
    {
      query: async (expr, range) => {
        const { value } = await engine.range(memory, expr, range);
        return value.type === 'matrix' ? value.series : [];
      },
      record: (samples) => {
        for (const s of samples) memory.add(s);
      },
    },
  );
  const signals: Labelled[] = [];
  for (const r of results)
    for (const e of r.simulation.episodes) {
      if (e.firedAtMs === undefined) continue;
      const labels = e.labels.toObject();
      // an alert belongs to the fault it began in, or that ended shortly before (windows of rules reach back), when the
      // generator of the demonstration touches what the rule looks at; anything else is noise
      const fault = all.find(
        (f) =>
          e.pendingAtMs >= f.startMs &&
          e.pendingAtMs <= f.endMs + 20 * MINUTE_MS &&
          TOUCHES[f.kind].test(`${labels['alertname']}/${labels['service'] ?? ''}`),
      );
      const base = { labels, annotations: {}, firstBadAtMs: e.pendingAtMs, startsAtMs: e.firedAtMs, source: 'rules' };
      const name = fault ? faultName(fault) : '';
      signals.push({ signal: { ...base, status: 'firing' }, fault: name });
      if (e.endedAtMs !== undefined)
        signals.push({ signal: { ...base, status: 'resolved', endsAtMs: e.endedAtMs }, fault: name });
    }
  const changes = demoEventsBetween(seed, tenant, all, fromMs, toMs)
    .filter((e) => e.type === 'deploy' || e.type === 'config_change')
    .map(
      (e): RelatedChange => ({
        id: e.id,
        atMs: Date.parse(e.time),
        type: e.type,
        subject: e.subject,
        source: e.source,
      }),
    );
  return {
    signals,
    services: declared ? graphOf(tenant) : [],
    changes,
    causes: new Map(all.map((f) => [faultName(f), new Set(TRUTH[f.kind](tenant))])),
  };
}

const faultName = (f: Fault): string => `${f.kind}@${f.startMs}`;

// ---------------------------------------------------------------- random service graphs

/**
 * 24 services in layers, each calling up to three of later layers. A fault in one raises alerts on it and, hop by hop
 * with growing delay, on its callers; one alert in five is missing, delays overlap so that callers often alert first,
 * one alert in eight is unrelated, and one fault in three meets another elsewhere at the same time.
 */
function graphWorld(seed: string): World {
  const random = new Random(seed);
  const names = Array.from({ length: 24 }, (_, i) => `s${i}`);
  const services = names.map((name, i) => ({
    name,
    dependsOn: [...new Set(Array.from({ length: random.integer(0, 4) }, () => random.integer(i + 1, names.length + 1)))]
      .filter((j) => j < names.length)
      .map((j) => names[j]!),
  }));
  const callers = (name: string): string[] => services.filter((s) => s.dependsOn.includes(name)).map((s) => s.name);
  const signals: Labelled[] = [];
  const causes = new Map<string, ReadonlySet<string>>();
  const changes: RelatedChange[] = [];
  const emit = (service: string, alertname: string, firstBadAtMs: number, fault: string, severity: string): void => {
    const startsAtMs = firstBadAtMs + random.integer(1, 6) * MINUTE_MS;
    const base = {
      labels: { alertname, service, severity },
      annotations: {},
      firstBadAtMs,
      startsAtMs,
      source: 'rules',
    };
    signals.push({ signal: { ...base, status: 'firing' }, fault });
    signals.push({
      signal: { ...base, status: 'resolved', endsAtMs: startsAtMs + random.integer(20, 50) * MINUTE_MS },
      fault,
    });
  };
  const inject = (root: string, atMs: number): void => {
    const fault = `${random.pick(['slow', 'errors', 'saturated'])}@${root}@${atMs}`;
    causes.set(fault, new Set([`service:${root}`]));
    if (random.unit() < 0.3)
      changes.push({ id: fault, atMs: atMs - 3 * MINUTE_MS, type: 'deploy', subject: root, source: 'ci' });
    if (random.unit() < 0.5)
      changes.push({
        id: `${fault}/n`,
        atMs: atMs - random.integer(1, 50) * MINUTE_MS,
        type: 'deploy',
        subject: random.pick(names),
        source: 'ci',
      });
    const reached = new Map([[root, 0]]);
    let front = [root];
    for (let hop = 1; hop <= 3 && front.length > 0; hop++) {
      const next: string[] = [];
      for (const f of front)
        for (const c of callers(f))
          if (!reached.has(c) && random.unit() < 0.75) {
            reached.set(c, hop);
            next.push(c);
          }
      front = next;
    }
    for (const [service, hop] of reached) {
      if (random.unit() < 0.2) continue;
      const delay = hop * random.between(0, 60_000) + random.between(0, 90_000);
      emit(
        service,
        random.pick(['HighLatency', 'HighErrors']),
        atMs + delay,
        fault,
        hop === 0 || random.unit() < 0.4 ? 'critical' : 'warning',
      );
      if (random.unit() < 0.3) emit(service, 'ErrorBudgetBurns', atMs + delay + 4 * MINUTE_MS, fault, 'critical');
    }
  };
  for (let day = 0; day < 40; day++) {
    const atMs = T0 + day * DAY_MS + random.integer(0, 1_200) * MINUTE_MS;
    inject(random.pick(names), atMs);
    if (random.unit() < 0.33) inject(random.pick(names), atMs + random.integer(-5, 6) * MINUTE_MS);
    for (let i = 0; i < 2; i++)
      if (random.unit() < 0.5)
        emit(
          random.pick(names),
          'CertificateSoonOver',
          T0 + day * DAY_MS + random.integer(0, 1_400) * MINUTE_MS,
          '',
          'warning',
        );
  }
  return { signals, services, changes, causes };
}

// ---------------------------------------------------------------- report

const percent = (a: number, b: number): string => (b === 0 ? '-' : `${((100 * a) / b).toFixed(1)} %`);

function report(name: string, s: Score): void {
  say(
    `${name}: ${s.faults} faults with alerts, ${s.alerts} alerts -> ${s.incidents} incidents (${(s.alerts / Math.max(1, s.incidents)).toFixed(2)} alerts each), ${(s.pieces / Math.max(1, s.faults)).toFixed(2)} incidents per fault`,
  );
  say(
    `  pairs of alerts: precision ${percent(s.pairsRight, s.pairsTogether)}, recall ${percent(s.pairsFound, s.pairsTrue)}`,
  );
  say(
    `  root cause: top-1 ${percent(s.top1, s.ranked)}, top-3 ${percent(s.top3, s.ranked)} of ${s.ranked}; the earliest alert alone: ${percent(s.first1, s.ranked)}`,
  );
  for (const [kind, k] of [...s.byKind].sort())
    say(`    ${kind}: ${k.ranked}, top-1 ${percent(k.top1, k.ranked)}, top-3 ${percent(k.top3, k.ranked)}`);
}

const set = process.argv[2] === 'tune' ? 'tune' : 'judge';
const count = Number(process.argv[3] ?? 3);
const started = process.cpuUsage();
const worlds = process.argv[4] ?? 'all';
for (const declared of worlds === 'graphs' ? [] : [true, false]) {
  const score = newScore();
  for (let i = 1; i <= count; i++)
    for (const tenant of DEMO_TENANTS)
      await judge(await demoWorld(`${set}-${i}`, tenant, declared), tenantId(tenant.id), score);
  report(
    `demonstration, ${declared ? 'services declared' : 'no service graph'}, seeds ${set}-1..${count}, ${DAYS} days x ${DEMO_TENANTS.length} tenants`,
    score,
  );
}
const graphs = newScore();
for (let i = 1; worlds !== 'demo' && i <= count * 5; i++)
  await judge(graphWorld(`${set}-graph-${i}`), tenantId('graph'), graphs);
if (worlds !== 'demo') report(`random service graphs, seeds ${set}-graph-1..${count * 5}`, graphs);
const used = process.cpuUsage(started);
say(`CPU ${((used.user + used.system) / 1e6).toFixed(1)} s`);
