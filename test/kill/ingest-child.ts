/**
 * Ingests at full speed until it is killed; prints one line per acknowledged round. Round r writes value r for every
 * series at time base + r. Driven by kill-during-ingest.ts.
 */
import { writeSync } from 'node:fs';
import { systemClock } from '../../src/lib/clock.ts';
import { silentLogger } from '../../src/lib/logger.ts';
import { SelfMetrics } from '../../src/lib/self-metrics.ts';
import { Labels } from '../../src/model/labels.ts';
import { tenantId } from '../../src/model/tenant.ts';
import { EmbeddedMetricsStore } from '../../src/store/embedded/metrics/embedded-metrics-store.ts';

const [folder, base, first, seriesCount, sync] = process.argv.slice(2) as [string, string, string, string, string];
const store = await EmbeddedMetricsStore.open({
  folder,
  clock: systemClock,
  logger: silentLogger,
  metrics: new SelfMetrics(),
  compileMatcher: (m) => ({ ...m, matches: (v) => v === m.value }),
  quota: () => ({}),
  sync: sync as 'interval' | 'always',
  // rounds are one millisecond apart: a window of 500 is cut often, so that kills hit blocks and truncation too
  blockMs: 500,
  background: false,
});
const labels = Array.from({ length: Number(seriesCount) }, (_, i) => Labels.from({ __name__: 'm', i: String(i) }));
const writers = ['a', 'b'].map((t) => store.writer(tenantId(t)));
for (let round = Number(first); ; round++) {
  const samples = labels.map((l) => ({ labels: l, timestampMs: Number(base) + round, value: round }));
  const results = await Promise.all(writers.map((w) => w.appendSamples(samples)));
  if (results.some((r) => r.samplesAccepted !== samples.length))
    writeSync(1, `refused ${round} ${results[0]!.examples.join()}\n`);
  else writeSync(1, `${round}\n`);
  if (round % 700 === 699) void store.maintain({ all: true });
}
