/**
 * CPU per cycle of rule evaluation inside one process, in virtual time: no peers, no waiting, for finding where the time
 * goes (`node --cpu-prof`) and how it grows. What is counted is everything the rules cost: scheduling, evaluation,
 * alerts, writing results to head and log. Ingest of the data is not counted.
 * Usage: node bench/rules-cycles.ts [services|mixin] [cycles] [tenants] [rules per tenant ...] [engine]
 * Several numbers of rules are run one after the other, each with its factor to the one before.
 */
import { tenantId } from '../src/model/tenant.ts';
import { FakeClock } from '../test/support/fake-clock.ts';
import { temporaryFolder } from '../test/support/peers.ts';
import { median, STEP_MS } from './contenders.ts';
import { loads } from './rules-data.ts';
import { openRulesEngine, type RulesMode } from './rules-engine.ts';

const [loadName = 'services', cycleText = '20', tenantText = '50', ...rest] = process.argv.slice(2);
const load = loads.get(loadName);
if (!load) throw new Error(`got ${loadName}, want ${[...loads.keys()].join(' or ')}`);
const cycles = Number(cycleText);
const mode: RulesMode = rest.includes('engine') ? 'engine' : 'incremental';
const sizes = rest.filter((r) => r !== 'engine').map(Number);
if (sizes.length === 0) sizes.push(60);
const PREFILL_ROUNDS = 45;
const WARM_CYCLES = 8;
const SETTLE_ROUNDS_MAX = 1_000_000;

const cpuMs = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};

async function measure(rulesPerTenant: number): Promise<number> {
  using folder = temporaryFolder('vigie-rules-cycles-');
  const clock = new FakeClock(Date.UTC(2026, 0, 1));
  const { store, service, written, stats } = await openRulesEngine(folder.path, clock, mode);
  const tenants = Array.from({ length: Number(tenantText) }, (_, i) => {
    const id = tenantId(`t${i}`);
    return { id, writer: store.writer(id), series: load!.seriesOf(`t${i}`) };
  });
  const ingest = async (round: number): Promise<void> => {
    const timestampMs = clock.now();
    for (const t of tenants)
      await t.writer.appendSamples(t.series.map((s) => ({ labels: s.labels, timestampMs, value: s.value(round) })));
  };
  let round = 0;
  for (; round < PREFILL_ROUNDS; round++) {
    await ingest(round);
    await clock.advance(STEP_MS);
  }
  for (const t of tenants) await service.configure(t.id, [{ name: 'f', text: load!.rulesOf(t.id, rulesPerTenant) }]);
  const used: number[] = [];
  let before = 0;
  for (let cycle = -WARM_CYCLES; cycle < cycles; cycle++, round++) {
    await ingest(round);
    if (cycle === 0) before = written.samples;
    const start = cpuMs();
    await clock.advance(STEP_MS);
    for (let i = 0; written.waiting > 0 && i < SETTLE_ROUNDS_MAX; i++)
      await new Promise<void>((resolve) => setImmediate(resolve));
    if (cycle >= 0) used.push(cpuMs() - start);
  }
  const each = used.reduce((a, b) => a + b, 0) / cycles;
  console.log(
    `${load!.name}: ${tenants.length * rulesPerTenant} rules, ${tenants.length * tenants[0]!.series.length} series: ${each.toFixed(1)} CPU ms per cycle (median ${median(used).toFixed(1)}), ${Math.round((written.samples - before) / cycles)} samples written per cycle; ${JSON.stringify(stats())}`,
  );
  await service[Symbol.asyncDispose]();
  await store[Symbol.asyncDispose]();
  return each;
}

let previous: { readonly rules: number; readonly ms: number } | undefined;
for (const rules of sizes) {
  const ms = await measure(rules);
  if (previous)
    console.log(
      `${(rules / previous.rules).toFixed(1)} times the rules: ${(ms / previous.ms).toFixed(1)} times the CPU`,
    );
  previous = { rules, ms };
}
