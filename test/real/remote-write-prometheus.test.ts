/** Real Prometheus servers remote-write to the route; what the store then holds equals what they answer themselves. */
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { remoteWriteRoute } from '../../src/http/prometheus/remote-write.ts';
import type { HttpRequest } from '../../src/http/route.ts';
import { RemoteWrite1Decoder } from '../../src/ingest/remote-write/decode-v1.ts';
import { RemoteWrite2Decoder } from '../../src/ingest/remote-write/decode-v2.ts';
import { SnappyDecoder } from '../../src/ingest/snappy.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { VigieError } from '../../src/lib/errors.ts';
import { silentLogger } from '../../src/lib/logger.ts';
import { SelfMetrics } from '../../src/lib/self-metrics.ts';
import { tenantId } from '../../src/model/tenant.ts';
import { EmbeddedMetricsStore } from '../../src/store/embedded/metrics/embedded-metrics-store.ts';
import { findPeer, freePort, httpReady, peerMissing, start, temporaryFolder } from '../support/peers.ts';

const TENANT = tenantId('t');

describe.each([
  ['2.42, protocol 1.0', undefined, 'prometheus.WriteRequest'],
  ['3.5, protocol 1.0', 'sid', 'prometheus.WriteRequest'],
  ['3.5, protocol 2.0', 'sid', 'io.prometheus.write.v2.Request'],
] as const)('Prometheus %s', (_, suite, message) => {
  it.skipIf(peerMissing('prometheus', suite))('remote-writes what it scraped', { timeout: 60_000 }, async () => {
    using folder = temporaryFolder();
    await using store = await EmbeddedMetricsStore.open({
      folder: path.join(folder.path, 'vigie'),
      clock: systemClock,
      logger: silentLogger,
      metrics: new SelfMetrics(),
      compileMatcher: (m) => ({ ...m, matches: (v) => (m.op === '=' ? v === m.value : v !== m.value) }),
      quota: () => ({}),
    });
    const [one, two, snappy] = [new RemoteWrite1Decoder(), new RemoteWrite2Decoder(), new SnappyDecoder()];
    const route = remoteWriteRoute({
      writer: (t) => store.writer(t),
      decompress: (b, max) => snappy.decode(b, max),
      decode1: (b) => one.decode(b),
      decode2: (b) => two.decode(b),
    });
    const seen = new Set<string>();
    const refusals: string[] = [];
    const server = createServer((request, response) => {
      const parts: Buffer[] = [];
      request.on('data', (b: Buffer) => parts.push(b));
      request.on('end', async () => {
        seen.add(String(request.headers['content-type']));
        try {
          const body = Buffer.concat(parts);
          const got = await route.handle({
            context: { tenant: TENANT },
            headers: request.headers,
            body,
          } as unknown as HttpRequest);
          if (got.body) refusals.push(String(got.body));
          response.writeHead(got.status ?? 200, got.headers).end(got.body as string | undefined);
        } catch (error) {
          refusals.push(String(error));
          response.writeHead(error instanceof VigieError ? error.status : 500).end(String(error));
        }
      });
    });
    const port = await freePort();
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    const own = await freePort();
    const config = path.join(folder.path, 'prometheus.yml');
    const protocol = suite ? `\n  protobuf_message: ${message}` : '';
    writeFileSync(
      config,
      `global: {scrape_interval: 1s}
scrape_configs:
- job_name: self
  static_configs: [{targets: ['127.0.0.1:${own}']}]
remote_write:
- url: http://127.0.0.1:${port}/api/v1/write${protocol}
  send_exemplars: true
  queue_config: {batch_send_deadline: 200ms}
`,
    );
    await using prometheus = await start(findPeer('prometheus', suite)!, {
      args: [
        `--config.file=${config}`,
        `--storage.tsdb.path=${folder.path}/prom`,
        `--web.listen-address=127.0.0.1:${own}`,
      ],
      ready: httpReady(`http://127.0.0.1:${own}/-/ready`),
    });
    const until = Date.now() + 30_000;
    while (store.stats(TENANT).samplesTotal < 2_600 && Date.now() < until) await new Promise((r) => setTimeout(r, 100));
    expect(refusals).toEqual([]);
    expect([...seen].join()).toContain(message === 'prometheus.WriteRequest' ? 'application/x-protobuf' : message);
    const range = { startMs: 0, endMs: Date.now() };
    const ours = await store.reader(TENANT).select([{ name: '__name__', op: '!=', value: '' }], range);
    const answer = await fetch(
      `http://127.0.0.1:${own}/api/v1/query?query=${encodeURIComponent('{__name__!=""}[5m]')}`,
    ).then(
      (r) =>
        r.json() as Promise<{ data: { result: { metric: Record<string, string>; values: [number, string][] }[] } }>,
    );
    const theirs = new Map<string, Map<number, number>>();
    for (const s of answer.data.result) {
      const key = JSON.stringify(Object.entries(s.metric).sort());
      theirs.set(
        key,
        new Map(
          s.values.map(([t, v]) => [
            Math.round(t * 1000),
            v === '+Inf' ? Infinity : v === '-Inf' ? -Infinity : Number(v),
          ]),
        ),
      );
    }
    let compared = 0;
    for (const s of ours) {
      const other = theirs.get(JSON.stringify([...s.labels.entries()].sort()));
      expect(other, String(s.labels)).toBeDefined();
      for (let i = 0; i < s.length; i++) {
        expect(other!.get(s.timestamps[i]!), `${s.labels} at ${s.timestamps[i]}`).toEqual(s.values[i]!);
        compared++;
      }
    }
    expect(compared).toBeGreaterThan(2_500);
    expect(prometheus.pid).toBeGreaterThan(0);
    server.closeAllConnections();
    server.close();
  });
});
