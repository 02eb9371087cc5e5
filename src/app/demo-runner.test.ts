import { afterEach, describe, expect, it } from 'vitest';
import { FakeClock, settle } from '../../test/support/fake-clock.ts';
import { MemoryDocuments } from '../../test/support/memory-documents.ts';
import { temporaryFolder } from '../../test/support/peers.ts';
import { DEMO_TENANTS } from '../demo/service.ts';
import { EventStore } from '../events/event-store.ts';
import { prometheusQueryRoutes } from '../http/prometheus/query.ts';
import { remoteWriteRoute } from '../http/prometheus/remote-write.ts';
import type { Route } from '../http/route.ts';
import { eventRoutes } from '../http/vigie/events.ts';
import { RemoteWrite1Decoder } from '../ingest/remote-write/decode-v1.ts';
import { RemoteWrite2Decoder } from '../ingest/remote-write/decode-v2.ts';
import { SnappyDecoder } from '../ingest/snappy.ts';
import { type Logger, silentLogger } from '../lib/logger.ts';
import { SelfMetrics } from '../lib/self-metrics.ts';
import { type TenantId, tenantId } from '../model/tenant.ts';
import { compileMatcher } from '../regex/matcher.ts';
import { EmbeddedMetricsStore } from '../store/embedded/metrics/embedded-metrics-store.ts';
import { ApiKeys } from '../tenancy/api-keys.ts';
import { TenantDirectory } from '../tenancy/tenant-directory.ts';
import { DemoRunner, LIVE_STEP_MS, nextStep, PAST_STEP_MS } from './demo-runner.ts';
import type { LoopbackRequest } from './loopback-request.ts';
import { Queries } from './queries.ts';

const HOUR_MS = 3_600_000;
const NOW = Date.UTC(2026, 5, 10, 12, 0, 7);

/** The parts of a server that the demonstration talks to, with the real store, decoders and query engine. */
async function world() {
  const folder = temporaryFolder();
  const clock = new FakeClock(NOW);
  const documents = new MemoryDocuments();
  const directory = await TenantDirectory.open(documents, clock, [tenantId('default')]);
  const keys = await ApiKeys.open(documents, clock);
  const store = await EmbeddedMetricsStore.open({
    folder: folder.path,
    clock,
    logger: silentLogger,
    metrics: new SelfMetrics(),
    compileMatcher,
    quota: () => ({}),
    background: false,
  });
  const snappy = new SnappyDecoder();
  const [one, two] = [new RemoteWrite1Decoder(), new RemoteWrite2Decoder()];
  const events = new EventStore({
    documents,
    writeSamples: async () => {},
    clock,
    logger: silentLogger,
    retentionMs: 0,
  });
  const routes: Route[] = [
    remoteWriteRoute({
      writer: (t) => store.writer(t),
      decompress: (b, max) => snappy.decode(b, max),
      decode1: (b) => one.decode(b),
      decode2: (b) => two.decode(b),
    }),
    ...prometheusQueryRoutes(new Queries({ store, directory, clock, features: [] }).ports()),
    ...eventRoutes({
      events,
      clock,
      audit: async () => {},
      heartbeats: {} as never,
      services: {} as never,
      edges: {} as never,
    }),
  ];
  const seen: { tenant: string; path: string; key: boolean }[] = [];
  let failures = 0;
  const request: LoopbackRequest = async ({ method, path, headers, body, signal }) => {
    const url = new URL(path, 'http://local');
    const key = keys.verify(String(headers['authorization']).slice('Bearer '.length));
    const tenant = headers['x-scope-orgid'] as TenantId;
    seen.push({ tenant, path: url.pathname, key: key?.grants !== 'all' && key?.grants[tenant] === 'editor' });
    if (failures > 0) {
      failures--;
      return { status: 503, text: 'starting' };
    }
    const route = routes.find((r) => r.method === method && r.path === url.pathname);
    if (!route) throw new Error(`no route ${method} ${path}`);
    const answer = await route.handle({
      context: {
        tenant,
        principal: { id: 'key', kind: 'key', name: 'key' },
        role: 'editor',
        grants: new Map(),
        requestId: 'r',
      },
      method,
      path: url.pathname,
      params: {},
      query: url.searchParams,
      headers,
      body: Buffer.from(body ?? ''),
      signal,
      remoteAddress: '127.0.0.1',
    });
    const text = typeof answer.body === 'string' ? answer.body : JSON.stringify(answer.json ?? '');
    return { status: answer.status ?? 200, text };
  };
  const removed: string[] = [];
  const warned: string[] = [];
  const logger: Logger = {
    ...silentLogger,
    warn: (message, f) => void warned.push(`${message}: ${String(f?.['problem'])}`),
  };
  const runner = (pastMs: number): DemoRunner =>
    new DemoRunner({
      request,
      directory,
      keys,
      documents,
      clock,
      logger,
      retentionMs: 0,
      seed: 'runner-test',
      pastMs,
      removeTenant: async (t) => {
        removed.push(t);
        await store.deleteTenant(t);
        await directory.remove(t);
      },
    });
  return {
    clock,
    directory,
    keys,
    store,
    documents,
    seen,
    removed,
    warned,
    runner,
    fail: (n: number) => void (failures = n),
    times: async (id: string, name = 'demo_info'): Promise<number[]> => {
      const series = await store
        .reader(tenantId(id))
        .select([{ name: '__name__', op: '=', value: name }], { startMs: 0, endMs: NOW * 2 });
      return series.length === 0 ? [] : [...series[0]!.timestamps.slice(0, series[0]!.timestamps.length)];
    },
    async [Symbol.asyncDispose]() {
      await store[Symbol.asyncDispose]();
      folder[Symbol.dispose]();
    },
  };
}

/** Lets the runner work, moving the clock a little at a time, until `done`; the store writes real files, so the bound is real time. */
async function until(clock: FakeClock, done: () => boolean): Promise<void> {
  for (const end = performance.now() + 15_000; performance.now() < end && !done(); ) {
    await settle(2);
    await clock.advance(1);
  }
  expect(done()).toBe(true);
}

const running: DemoRunner[] = [];
afterEach(async () => {
  for (const r of running.splice(0)) await r.stop();
});

describe('nextStep', () => {
  it('is coarse in the past and fine in the last hour, always on its grid', () => {
    const old = NOW - 5 * HOUR_MS;
    expect(nextStep(old, NOW)).toBe(Math.floor(old / PAST_STEP_MS) * PAST_STEP_MS + PAST_STEP_MS);
    expect(nextStep(NOW - 1, NOW) % LIVE_STEP_MS).toBe(0);
    let t = NOW - 3 * HOUR_MS;
    let steps = 0;
    for (; t <= NOW; t = nextStep(t, NOW)) steps++;
    // two hours of minutes, one of quarters of a minute, less the seconds to either grid
    expect(steps).toBeGreaterThanOrEqual(120 + 240 - 4);
    expect(steps).toBeLessThanOrEqual(120 + 240 + 1);
  });
});

describe('DemoRunner', () => {
  it('fills in the past in order, goes live, and says how far it is', { timeout: 30_000 }, async () => {
    await using w = await world();
    const runner = w.runner(6 * HOUR_MS);
    running.push(runner);
    expect(runner.state()).toEqual({ enabled: false, tenants: [], progress: 0 });
    await runner.start();
    await until(w.clock, () => runner.progress() > 0.3);
    expect(runner.progress()).toBeLessThan(1);
    await until(w.clock, () => runner.progress() === 1);
    expect(runner.state()).toEqual({ enabled: true, tenants: DEMO_TENANTS.map((t) => t.id), progress: 1 });
    for (const { id, displayName } of DEMO_TENANTS) {
      expect(w.directory.get(tenantId(id))).toMatchObject({ demo: true, displayName });
      const times = await w.times(id);
      // five hours of minutes, one of quarters of a minute; each later than the one before
      expect(times.length).toBeGreaterThanOrEqual(5 * 60 + 240 - 4);
      expect(times.every((t, i) => i === 0 || t > times[i - 1]!)).toBe(true);
      expect(Math.max(...times.slice(1).map((t, i) => t - times[i]!))).toBe(PAST_STEP_MS);
      expect(w.clock.now() - times.at(-1)!).toBeLessThan(LIVE_STEP_MS);
    }
    const before = await w.times('indie-wave');
    const { samplesTotal, activeSeries } = w.store.stats(tenantId('indie-wave'));
    await w.clock.advance(10 * LIVE_STEP_MS);
    await until(w.clock, () => w.store.stats(tenantId('indie-wave')).samplesTotal >= samplesTotal + 9 * activeSeries);
    expect((await w.times('indie-wave')).length).toBeGreaterThanOrEqual(before.length + 9);
    expect(w.seen.every((s) => s.key)).toBe(true);
    expect(new Set(w.seen.map((s) => s.tenant)).size).toBe(3);
  });

  it('keeps tenants apart: each one holds its own series alone', { timeout: 30_000 }, async () => {
    await using w = await world();
    const runner = w.runner(2 * HOUR_MS);
    running.push(runner);
    await runner.start();
    await until(w.clock, () => runner.progress() === 1);
    for (const { id } of DEMO_TENANTS) {
      const all = await w.store.reader(tenantId(id)).labelValues('tenant_id', [], { startMs: 0, endMs: NOW * 2 });
      expect(all).toEqual([id]);
      const env = await w.store.reader(tenantId(id)).labelValues('env', [], { startMs: 0, endMs: NOW * 2 });
      expect(env).toEqual(['demo']);
    }
  });

  it('goes on after a restart where it was: nothing twice, nothing refused, no gap', { timeout: 30_000 }, async () => {
    await using w = await world();
    const first = w.runner(4 * HOUR_MS);
    await first.start();
    await until(w.clock, () => first.progress() > 0.4);
    await first.stop();
    const half = await w.times('aurora-records');
    expect(half.length).toBeGreaterThan(10);
    await w.clock.advance(10 * 60_000);
    const second = w.runner(4 * HOUR_MS);
    running.push(second);
    expect(await second.wasEnabled()).toBe(true);
    await second.start();
    await until(w.clock, () => second.progress() === 1);
    const whole = await w.times('aurora-records');
    expect(whole.slice(0, half.length)).toEqual(half);
    expect(Math.max(...whole.slice(1).map((t, i) => t - whole[i]!))).toBe(PAST_STEP_MS);
    expect(w.keys.list().filter((k) => k.name === 'demonstration')).toHaveLength(1);
  });

  it('waits for a server that does not answer yet', { timeout: 30_000 }, async () => {
    await using w = await world();
    w.fail(6);
    const runner = w.runner(HOUR_MS);
    running.push(runner);
    await runner.start();
    for (let i = 0; i < 15; i++) await w.clock.advance(10_000);
    await until(w.clock, () => runner.progress() === 1);
    expect((await w.times('dj-kolibri')).length).toBeGreaterThan(200);
    expect(w.warned).toEqual(['the demonstration waits and tries again: 503: starting']);
  });

  it('leaves a tenant of the same name alone that is somebody’s own', async () => {
    await using w = await world();
    await w.directory.put(tenantId('indie-wave'), { displayName: 'A customer' });
    const runner = w.runner(HOUR_MS);
    await expect(runner.start()).rejects.toThrow(/indie-wave exists and is no part/);
    expect(runner.state().enabled).toBe(false);
    expect(w.seen).toEqual([]);
  });

  it('takes its tenants along when it is switched off, and its key', { timeout: 30_000 }, async () => {
    await using w = await world();
    const timers = w.clock.pendingTimers;
    const runner = w.runner(2 * HOUR_MS);
    running.push(runner);
    await runner.start();
    await until(w.clock, () => runner.progress() > 0.2);
    await runner.remove();
    await until(w.clock, () => w.removed.length === 3);
    expect(runner.state()).toEqual({ enabled: false, tenants: [], progress: 0 });
    expect(w.keys.list()).toEqual([]);
    expect(await runner.wasEnabled()).toBe(false);
    expect(w.clock.pendingTimers).toBe(timers);
    await runner.start();
    await until(w.clock, () => runner.progress() === 1);
    expect((await w.times('dj-kolibri')).length).toBeGreaterThan(200);
  });
});
