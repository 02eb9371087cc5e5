/**
 * The clock of the machine jumps forwards and back, by seconds, an hour, a hundred days: scraping, rules, heartbeats and
 * events keep their pace (neither a storm of what was "missed" nor a long silence), and no duration is negative.
 */
import { describe, expect, it } from 'vitest';
import { EventStore } from '../../src/events/event-store.ts';
import { HeartbeatMonitors } from '../../src/heartbeats/heartbeat-monitors.ts';
import { OutgoingHeartbeat } from '../../src/heartbeats/outgoing-heartbeat.ts';
import { createExpositionParser } from '../../src/ingest/exposition/parser.ts';
import { RawSeriesMemory } from '../../src/ingest/exposition/series-memory.ts';
import { createAddressGuard } from '../../src/lib/address-guard.ts';
import { silentLogger } from '../../src/lib/logger.ts';
import type { Sample } from '../../src/model/sample.ts';
import { tenantId } from '../../src/model/tenant.ts';
import { type ScheduledRun, Scheduler } from '../../src/rules/scheduler.ts';
import { ScrapeService } from '../../src/scrape/scrape-service.ts';
import type { MetricsWriter, WriteBatch, WriteResult } from '../../src/store/metrics.ts';
import { FakeClock, settle } from '../support/fake-clock.ts';
import { MemoryDocuments } from '../support/memory-documents.ts';

const A = tenantId('a');
const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const JUMPS: readonly (readonly [string, number])[] = [
  ['3 seconds on', 3 * SECOND],
  ['3 seconds back', -3 * SECOND],
  ['an hour on', HOUR],
  ['an hour back', -HOUR],
  ['100 days on', 100 * DAY],
  ['100 days back', -100 * DAY],
];
const NOTHING: WriteResult = {
  samplesAccepted: 0,
  histogramsAccepted: 0,
  exemplarsAccepted: 0,
  rejected: {},
  examples: [],
};

describe('scraping', () => {
  it.each(JUMPS)('keeps its pace: %s', async (_name, jumpMs) => {
    const clock = new FakeClock();
    let scrapes = 0;
    const reports: Sample[][] = [];
    const stamps: number[] = [];
    const writer = {
      append: async (b: WriteBatch) => {
        for (let i = 0; i < b.seriesCount; i++) stamps.push(b.timestamps[b.sampleStart[i]!]! - clock.now());
        return NOTHING;
      },
      appendSamples: async (s: readonly Sample[]) => {
        reports.push([...s]);
        return NOTHING;
      },
    } as unknown as MetricsWriter;
    const service = new ScrapeService({
      writer,
      parser: createExpositionParser(),
      createMemory: () => new RawSeriesMemory(),
      clock,
      logger: silentLogger,
      guard: createAddressGuard({}),
      compileRegex: (source: string) => new RegExp(source),
      internal: [{ job: 'own', instance: 'x', intervalMs: 10 * SECOND, read: () => `a_metric ${++scrapes}\n` }],
    } as unknown as ConstructorParameters<typeof ScrapeService>[0]);
    await service.reload({ scrapeConfigs: [] });
    await clock.advance(5 * MINUTE);
    await settle(10);
    expect(scrapes).toBeGreaterThanOrEqual(29);
    const before = scrapes;
    clock.step(jumpMs);
    await clock.advance(5 * MINUTE);
    await settle(10);
    expect(scrapes - before).toBeGreaterThanOrEqual(29);
    expect(scrapes - before).toBeLessThanOrEqual(31);
    // each sample bears the time the clock showed
    for (const s of stamps) expect(Math.abs(s)).toBeLessThanOrEqual(2);
    const durations = reports.flat().filter((s) => s.labels.get('__name__') === 'scrape_duration_seconds');
    expect(durations.length).toBe(scrapes);
    for (const d of durations) {
      expect(d.value).toBeGreaterThanOrEqual(0);
      expect(d.value).toBeLessThan(10);
    }
    await service[Symbol.asyncDispose]();
  });
});

describe('rules', () => {
  const world = (tookMs: number) => {
    const clock = new FakeClock();
    const runs: { run: ScheduledRun; at: number; monotonic: number }[] = [];
    let atOnce = 0;
    let atOnceMax = 0;
    const scheduler = new Scheduler(clock, 4, 4);
    scheduler.add({
      tenant: 'a',
      name: 'g',
      file: 'f',
      intervalMs: 10 * SECOND,
      run: (run) => {
        runs.push({ run, at: clock.now(), monotonic: clock.monotonicMs() });
        atOnceMax = Math.max(atOnceMax, ++atOnce);
        return new Promise((done) =>
          clock.setTimer(() => {
            atOnce--;
            done();
          }, tookMs),
        );
      },
    });
    // another group keeps the scheduler looking while the first one runs
    scheduler.add({ tenant: 'b', name: 'quick', file: 'f', intervalMs: 10 * SECOND, run: async () => {} });
    return { clock, runs, scheduler, atOnceMax: () => atOnceMax };
  };

  // 0.1 s: between runs; 7 s: in the middle of one; 25 s: of one that takes longer than the look at the clock
  it.each(JUMPS.flatMap(([name, ms]) => [100, 7 * SECOND, 25 * SECOND].map((took) => [name, took, ms] as const)))(
    'keep their pace: %s, runs of %d ms',
    async (_name, tookMs, jumpMs) => {
      const { clock, runs, scheduler, atOnceMax } = world(tookMs);
      await clock.advance(2 * MINUTE);
      // into a run, if runs are long
      const inRun = runs.length;
      for (let i = 0; i < 200 && runs.length === inRun; i++) await clock.advance(SECOND / 4);
      const before = runs.length;
      clock.step(jumpMs);
      const jumpedAt = clock.monotonicMs();
      await clock.advance(5 * MINUTE);
      const after = runs.slice(before);
      const paceMs = Math.max(10 * SECOND, Math.ceil(tookMs / (10 * SECOND)) * 10 * SECOND);
      expect(after.length, 'no storm').toBeLessThanOrEqual((5 * MINUTE) / paceMs + 2);
      // a step is noticed within 15 s
      expect(after.length, 'no silence').toBeGreaterThanOrEqual((5 * MINUTE) / paceMs - 5);
      expect(after[0]!.monotonic - jumpedAt).toBeLessThanOrEqual(tookMs + 30 * SECOND);
      expect(atOnceMax(), 'never twice at once').toBe(1);
      for (const { run, at } of runs) {
        expect(run.missed).toBeGreaterThanOrEqual(0);
        expect(run.slotMs, 'never a slot of the future').toBeLessThanOrEqual(at);
        expect(at - run.slotMs, 'nor one long past').toBeLessThanOrEqual(Math.max(tookMs, 20 * SECOND));
      }
      const closing = scheduler[Symbol.asyncDispose]();
      await clock.advance(MINUTE);
      await closing;
    },
  );
});

describe('heartbeats', () => {
  it.each(JUMPS)('keep their pace: %s', async (_name, jumpMs) => {
    const clock = new FakeClock();
    let beats = 0;
    const out = new OutgoingHeartbeat({
      url: 'http://watcher',
      intervalMs: 30 * SECOND,
      post: async () => {
        beats++;
        return 200;
      },
      unhealthy: () => undefined,
      clock,
      logger: silentLogger,
    });
    out.start();
    let exported: Sample[] = [];
    let exports = 0;
    const monitors = new HeartbeatMonitors({
      documents: new MemoryDocuments(),
      writeSamples: async (_tenant, samples) => {
        exports++;
        exported = [...samples];
      },
      clock,
      logger: silentLogger,
    });
    await monitors.start();
    await monitors.put(A, { name: 'backup', intervalMs: HOUR / 2, graceMs: MINUTE });
    await monitors.ping(A, 'backup');
    await clock.advance(5 * MINUTE);
    const [beatsBefore, exportsBefore] = [beats, exports];
    clock.step(jumpMs);
    await clock.advance(5 * MINUTE);
    await settle(10);
    expect(Math.abs(beats - beatsBefore - 10)).toBeLessThanOrEqual(1);
    expect(Math.abs(exports - exportsBefore - 20)).toBeLessThanOrEqual(1);
    for (const s of exported) expect(s.timestampMs).toBeGreaterThan(0);
    // a jump back never makes a monitor late; a ping afterwards puts either right
    if (jumpMs < 0) expect(monitors.list(A)[0]!.state).toBe('ok');
    await monitors.ping(A, 'backup');
    expect(monitors.list(A)[0]).toMatchObject({ state: 'ok', deadlineMs: clock.now() + HOUR / 2 + MINUTE });
    await clock.advance(HOUR);
    expect(monitors.list(A)[0]!.state, 'and its silence is still noticed').toBe('late');
    out.stop();
    monitors.stop();
  });
});

describe('events', () => {
  it.each(JUMPS)('are counted at their pace, and kept: %s', async (_name, jumpMs) => {
    const clock = new FakeClock();
    let written = 0;
    const store = new EventStore({
      documents: new MemoryDocuments(),
      writeSamples: async () => void written++,
      clock,
      logger: silentLogger,
      retentionMs: 400 * DAY,
    });
    store.start();
    const event = (id: string) => ({ id, source: '/s', type: 'deploy', timeMs: clock.now(), extensions: {} });
    await store.add(A, [event('before')] as never);
    await clock.advance(5 * MINUTE);
    const before = written;
    clock.step(jumpMs);
    await store.add(A, [event('after')] as never);
    await clock.advance(5 * MINUTE);
    await settle(10);
    expect(Math.abs(written - before - 20)).toBeLessThanOrEqual(1);
    await clock.advance(3 * HOUR);
    const { events } = await store.list(A, {});
    expect(events.map((e) => e.id).sort()).toEqual(['after', 'before']);
    store.stop();
  });
});
