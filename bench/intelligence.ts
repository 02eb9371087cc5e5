/**
 * Speed and, on generated data with a fixed seed, quality of the algorithms: `node bench/intelligence.ts`. Real series
 * are judged by scripts/tune with a data folder. CPU seconds, not wall clock.
 */

import { changepoints } from '../src/algorithms/change-points/pelt.ts';
import { createDetector } from '../src/algorithms/detection/detector.ts';
import { createConceptDrift } from '../src/algorithms/drift/concept-drift.ts';
import { drift } from '../src/algorithms/drift/data-drift.ts';
import { exhaustion } from '../src/algorithms/forecast/exhaustion.ts';
import { forecast } from '../src/algorithms/forecast/forecast.ts';
import { checkDetectors } from '../src/intelligence/config.ts';
import type { StreamConfig } from '../src/intelligence/judges/judge.ts';
import { StreamRuntime } from '../src/intelligence/stream-runtime.ts';
import { systemClock } from '../src/lib/clock.ts';
import { silentLogger } from '../src/lib/logger.ts';
import { Labels } from '../src/model/labels.ts';
import type { TenantId } from '../src/model/tenant.ts';

function generator(seed: number): { uniform: () => number; normal: () => number } {
  let s = seed >>> 0;
  const uniform = (): number => {
    s = (s + 0x6d2b79f5) >>> 0;
    let t = Math.imul(s ^ (s >>> 15), 1 | s);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  return { uniform, normal: () => Math.sqrt(-2 * Math.log(uniform() + 1e-12)) * Math.cos(2 * Math.PI * uniform()) };
}

function cpuSeconds(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const used = process.cpuUsage(before);
  return (used.user + used.system) / 1e6;
}

const say = (text: string): void => void process.stdout.write(`${text}\n`);

function detection(): void {
  const { normal } = generator(1);
  const points = 1_000_000;
  const detector = createDetector({ stepSeconds: 60 });
  const seconds = cpuSeconds(() => {
    for (let i = 0; i < points; i++) detector.update(i * 60, 50 + 20 * Math.sin((2 * Math.PI * i) / 1440) + normal());
  });
  const state = detector.state();
  say(
    `detection: ${Math.round(points / seconds)} points per CPU second, ${(state.numbers.length + state.profile.length) * 8} bytes of numbers per series`,
  );
}

function forecasts(): void {
  const { normal, uniform } = generator(2);
  const series = Array.from({ length: 200 }, () => {
    const day = 5 + 20 * uniform();
    const week = 10 * uniform();
    return Array.from(
      { length: 748 },
      (_, i) =>
        100 + day * Math.sin((2 * Math.PI * i) / 24) + (Math.floor(i / 24) % 7 > 4 ? -week : week) + 3 * normal(),
    );
  });
  let covered = 0;
  const seconds = cpuSeconds(() => {
    for (const s of series) {
      const { lower, upper } = forecast(s.slice(0, 700), { stepSeconds: 3600, horizon: 48, levels: [0.95] })
        .intervals[0]!;
      for (let h = 0; h < 48; h++) if (s[700 + h]! >= lower[h]! && s[700 + h]! <= upper[h]!) covered++;
    }
  });
  say(
    `forecasts: ${Math.round(200 / seconds)} per CPU second, 95 % intervals cover ${((100 * covered) / 200 / 48).toFixed(1)} % of generated values`,
  );
}

function conceptDrift(): void {
  const { uniform } = generator(3);
  let missed = 0;
  let wrong = 0;
  let delay = 0;
  let drifts = 0;
  for (let stream = 0; stream < 11; stream++) {
    const watch = createConceptDrift();
    const base = 0.05 + 0.25 * uniform();
    const raised = Math.min(0.9, base + 0.2 + 0.2 * uniform());
    let failing = false;
    let since = 0;
    for (let i = 0; i < 6000; i++) {
      if (i > 0 && i % 1000 === 0) {
        if (failing) missed++;
        failing = true;
        since = i;
        drifts++;
      }
      if (watch.update(uniform() < (failing ? raised : base) ? 1 : 0) === 0) continue;
      if (failing) delay += i - since;
      else wrong++;
      failing = false;
    }
    if (failing) missed++;
  }
  say(
    `concept drift: ${missed} of ${drifts} missed, ${wrong} false, mean delay ${Math.round(delay / (drifts - missed))} points`,
  );
}

function dataDrift(): void {
  const { normal } = generator(4);
  const rows = (sign: number, memory: number, n: number): number[][] => {
    let x = 0;
    return Array.from({ length: n }, () => {
      x = memory * x + Math.sqrt(1 - memory * memory) * normal();
      return [x, sign * 0.7 * x + Math.sqrt(0.51) * normal(), normal(), normal(), normal()];
    });
  };
  for (const memory of [0, 0.8]) {
    let found = 0;
    let wrong = 0;
    const seconds = cpuSeconds(() => {
      for (let i = 0; i < 200; i++) {
        const reference = rows(1, memory, 500);
        if (drift(reference, rows(0, memory, 300)).drift) found++;
        if (drift(reference, rows(1, memory, 300)).drift) wrong++;
      }
    });
    say(
      `data drift, autocorrelation ${memory}: broken relation found ${found / 2} %, false alarms ${wrong / 2} %, ${Math.round(400 / seconds)} comparisons per CPU second`,
    );
  }
}

function regimes(): void {
  const { normal, uniform } = generator(5);
  let tp = 0;
  let found = 0;
  let real = 0;
  for (let k = 0; k < 60; k++) {
    const memory = k % 2 ? 0.5 : 0;
    const at = k % 3 ? [100 + Math.floor(100 * uniform()), 260 + Math.floor(100 * uniform())] : [];
    let e = 0;
    const rows = Array.from({ length: 450 }, (_, i) => {
      e = memory * e + normal();
      return [e + at.filter((c) => c <= i).reduce((s, _c, j) => s + (j % 2 ? -4 : 4), 0)];
    });
    const changes = changepoints(rows);
    real += at.length;
    found += changes.length;
    tp += at.filter((c) => changes.some((x) => Math.abs(x - c) <= 5)).length;
  }
  say(`change points: ${tp} of ${real} found within 5 points, ${found - tp} false over 60 series`);
}

/** The runner itself: 20,000 series, bands off, one evaluation a minute; what it costs and how long it holds the thread. */
async function liveSeries(): Promise<void> {
  const count = 20_000;
  const { normal } = generator(6);
  const labels = Array.from({ length: count }, (_, i) =>
    Labels.from({ __name__: 'm', instance: `host-${i % 500}`, metric: `m${Math.floor(i / 500)}` }),
  );
  let atMs = Date.UTC(2026, 0, 1);
  let written = 0;
  const clock = { ...systemClock, now: () => atMs };
  const [config] = checkDetectors(
    {
      version: 1,
      detectors: [{ name: 'all', kind: 'anomaly', expr: 'm', step: '1m', warmup: '12m', series_max: count }],
    },
    'bench',
  );
  const vector = (): { labels: Labels; value: number }[] =>
    labels.map((l, i) => ({ labels: l, value: 50 + (i % 9) + normal() }));
  const runtime = new StreamRuntime(
    'bench' as TenantId,
    config as StreamConfig,
    {
      queryInstant: async () => vector(),
      queryRange: async () => [],
      writeSamples: async (_tenant, samples) => void (written += samples.length),
      readMetric: () => [],
      metricNames: async () => [],
      documents: undefined as never,
      states: {
        load: async () => undefined,
        save: async () => {},
        remove: async () => {},
        removeTenant: async () => {},
      },
      fit: undefined as never,
      clock,
      logger: silentLogger,
    },
    { open: async () => undefined, saveRecord: async () => {}, loadRecord: async () => undefined } as never,
  );
  await runtime.prepare(atMs);
  // past the warm-up, so that scores are written
  for (let i = 0; i < 1_450; i++) {
    atMs += 60_000;
    await runtime.tick(atMs);
  }
  written = 0;
  const before = process.cpuUsage();
  let making = 0;
  const ticks = 60;
  for (let i = 0; i < ticks; i++) {
    atMs += 60_000;
    const c = process.cpuUsage();
    vector();
    const m = process.cpuUsage(c);
    making += (m.user + m.system) / 1e6;
    await runtime.tick(atMs);
  }
  const used = process.cpuUsage(before);
  // making the test's own values costs twice: once measured alone, once inside the tick
  const seconds = (used.user + used.system) / 1e6 - 2 * making;
  const stateStart = performance.now();
  await runtime.saveState();
  say(
    `live: ${count} series every minute cost ${((100 * seconds) / ticks / 60).toFixed(2)} % of one core (${((1000 * seconds) / ticks).toFixed(0)} ms an evaluation, ${written / ticks} samples written), judging alone ${runtime.status(atMs).evaluationMs.toFixed(0)} ms in slices, state kept in ${(performance.now() - stateStart).toFixed(0)} ms`,
  );
}

function exhaustionSpeed(): void {
  const { normal } = generator(7);
  const series = Array.from({ length: 300 }, () =>
    Float64Array.from({ length: 2_016 }, (_, i) => 0.4 + i * 5e-5 + 0.002 * normal()),
  );
  const seconds = cpuSeconds(() => {
    for (const s of series) exhaustion(s, { horizon: 72, threshold: 0.95, levels: [0.95] });
  });
  say(`exhaustion: ${Math.round(300 / seconds)} forecasts of 2,016 points per CPU second`);
}

await liveSeries();
exhaustionSpeed();
detection();
forecasts();
conceptDrift();
dataDrift();
regimes();
