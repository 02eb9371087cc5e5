/** The conformance suite over the embedded metrics store, and over real servers behind the external one. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SnappyDecoder } from '../../src/ingest/snappy.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { silentLogger } from '../../src/lib/logger.ts';
import { SelfMetrics } from '../../src/lib/self-metrics.ts';
import { Labels } from '../../src/model/labels.ts';
import { tenantId } from '../../src/model/tenant.ts';
import { restrictExpression } from '../../src/promql/restrict.ts';
import { compileMatcher } from '../../src/regex/matcher.ts';
import { EmbeddedMetricsStore } from '../../src/store/embedded/metrics/embedded-metrics-store.ts';
import { PrometheusMetricsStore } from '../../src/store/external/prometheus/prometheus-metrics-store.ts';
import type { ExternalTenancy } from '../../src/store/external/prometheus/tenancy.ts';
import { findPeer, freePort, httpReady, peerMissing, type Started, start, temporaryFolder } from '../support/peers.ts';
import { metricsConformance } from './metrics.ts';

describe('embedded', () => {
  const folder = temporaryFolder();
  afterAll(() => folder[Symbol.dispose]());
  const open = (): Promise<EmbeddedMetricsStore> =>
    EmbeddedMetricsStore.open({
      folder: folder.path,
      clock: systemClock,
      logger: silentLogger,
      metrics: new SelfMetrics(),
      compileMatcher,
      quota: () => ({}),
    });
  metricsConformance({ open, strict: true, histograms: true, signedZero: true });
  it('again with everything in blocks', async () => {
    await using store = await open();
    await store.maintain({ all: true });
    expect(store.tenants().length).toBeGreaterThan(8);
  });
});

const snappy = new SnappyDecoder();
const external = (url: string, tenancy: ExternalTenancy): PrometheusMetricsStore =>
  new PrometheusMetricsStore({
    url,
    tenancy,
    clock: systemClock,
    logger: silentLogger,
    decompress: (b, max) => Uint8Array.from(snappy.decode(b, max)),
    restrict: restrictExpression,
  });

const servers = [
  { title: 'Prometheus 2.42', program: 'prometheus', suite: undefined },
  { title: 'Prometheus 3.5', program: 'prometheus', suite: 'sid' },
  { title: 'VictoriaMetrics', program: 'victoria-metrics', suite: undefined },
] as const;

for (const { title, program, suite } of servers) {
  const victoria = program === 'victoria-metrics';
  describe.skipIf(peerMissing(program, suite))(`external: ${title}`, () => {
    const folder = temporaryFolder();
    let started: Started;
    let url = '';
    beforeAll(async () => {
      const port = await freePort();
      url = `http://127.0.0.1:${port}`;
      writeFileSync(path.join(folder.path, 'p.yml'), '');
      started = await start(findPeer(program, suite)!, {
        args: victoria
          ? [`-storageDataPath=${folder.path}/data`, `-httpListenAddr=127.0.0.1:${port}`, '-search.latencyOffset=0s']
          : [
              `--config.file=${folder.path}/p.yml`,
              `--storage.tsdb.path=${folder.path}/data`,
              `--web.listen-address=127.0.0.1:${port}`,
              '--web.enable-remote-write-receiver',
              '--web.enable-admin-api',
              '--enable-feature=native-histograms,exemplar-storage',
            ],
        ready: httpReady(`${url}${victoria ? '/health' : '/-/ready'}`),
      });
    }, 60_000);
    afterAll(async () => {
      await started.stop();
      folder[Symbol.dispose]();
    });
    const tenancy: ExternalTenancy = { kind: 'label', label: 'tenant' };
    const opened = async (): Promise<PrometheusMetricsStore> => {
      const store = external(url, tenancy);
      await store.refreshTenants();
      return store;
    };

    metricsConformance({
      open: opened,
      strict: !victoria,
      // 2.42 takes histograms, and leaves them out of its answers to remote read
      histograms: suite === 'sid',
      // VictoriaMetrics shows samples after a flush of at most a second
      ...(victoria
        ? { settle: async () => void (await fetch(`${url}/internal/force_flush`).then((r) => r.arrayBuffer())) }
        : {}),
    });

    it('passes whole queries through with the tenant in every selector', async () => {
      await using store = await opened();
      const [a, b] = [tenantId('pass-a'), tenantId('pass-b')];
      const now = Math.floor(Date.now() / 1000) * 1000 - 30_000;
      for (const [t, value] of [
        [a, 1],
        [b, 100],
      ] as const)
        for (let i = 0; i < 4; i++)
          await store.writer(t).appendSamples([
            { labels: Labels.from({ __name__: 'x', i: '1' }), timestampMs: now + i * 1000, value },
            { labels: Labels.from({ __name__: 'x', i: '2' }), timestampMs: now + i * 1000, value },
          ]);
      if (victoria) await fetch(`${url}/internal/force_flush`);
      const value = async (text: string): Promise<string | undefined> => {
        const answer = await store.passThrough.queryInstant(a, text, now + 3_000);
        return (answer.result as { value: [number, string] }[])[0]?.value[1];
      };
      expect(await value('sum(x)')).toBe('2');
      expect(await value('sum(x or x{i="1"} or {__name__=~"x",tenant="pass-b"})')).toBe('2');
      expect(await value('max_over_time(sum(x)[10s:1s])')).toBe('2');
      expect(await value('sum(x{tenant="pass-b"})')).toBeUndefined();
      expect(await value('sum(count_over_time(x{i=~".+"}[2500ms] offset 1s))')).toMatch(/^[46]$/);
      expect(await value('label_replace(sum(x), "tenant", "pass-b", "", "")')).toBe('2');
      await expect(value('sum(x{i="1"}) or {tenant="pass-b"} )')).rejects.toMatchObject({ code: 'bad_query' });
      await expect(value('x"} or {tenant="pass-b')).rejects.toMatchObject({ code: 'bad_query' });
      const range = await store.passThrough.queryRange(b, 'sum(x)', {
        startMs: now,
        endMs: now + 3_000,
        stepMs: 1_000,
      });
      expect(range.resultType).toBe('matrix');
      expect((range.result as { values: [number, string][] }[])[0]!.values.map(([, v]) => v)).toEqual(
        Array.from({ length: 4 }, () => '200'),
      );
    });

    it('a server of one tenant answers nobody else', async () => {
      await using store = external(url, { kind: 'single', tenant: tenantId('pass-a') });
      const other = store.reader(tenantId('pass-b'));
      const range = { startMs: 0, endMs: Date.now() };
      expect(await other.select([{ name: '__name__', op: '=', value: 'x' }], range)).toEqual([]);
      expect(await other.labelNames([], range)).toEqual([]);
      expect(await other.metadata()).toEqual([]);
      await expect(store.writer(tenantId('pass-b')).appendSamples([])).rejects.toMatchObject({ code: 'forbidden' });
      await expect(store.passThrough.queryInstant(tenantId('pass-b'), 'x', 0)).rejects.toThrow('has no part');
      expect((await store.reader(tenantId('pass-a')).labelValues('__name__', [], range)).length).toBeGreaterThan(0);
    });
  });
}

it('names the server that does not answer', async () => {
  const port = await freePort();
  await using store = external(`http://user:pass@127.0.0.1:${port}/prefix`, { kind: 'label', label: 'tenant' });
  const failure = store.reader(tenantId('a')).select([], { startMs: 0, endMs: 1 });
  await expect(failure).rejects.toMatchObject({ code: 'unavailable' });
  await expect(failure).rejects.not.toThrow('pass@');
});
