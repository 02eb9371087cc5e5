/** Real Prometheus servers read from Vigie: by remote read (chunked stream and samples) and by scraping /federate. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { federateRoute } from '../../src/http/prometheus/federate.ts';
import { remoteReadRoute } from '../../src/http/prometheus/remote-read.ts';
import { SnappyDecoder } from '../../src/ingest/snappy.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { Labels } from '../../src/model/labels.ts';
import { tenantId } from '../../src/model/tenant.ts';
import { parse } from '../../src/promql/parse.ts';
import { compileMatcher } from '../../src/regex/matcher.ts';
import { decodeReadResponse, encodeReadRequest } from '../../src/store/wire/remote-read.ts';
import { snappyCompress } from '../../src/store/wire/snappy.ts';
import { openStore } from '../support/metrics-store.ts';
import { findPeer, freePort, httpReady, peerMissing, start, temporaryFolder } from '../support/peers.ts';
import { serveRoutes } from '../support/route-server.ts';

const SERIES = 30;
const ROUNDS = 250;

describe.each([
  ['2.42', undefined],
  ['3.5', 'sid'],
] as const)('Prometheus %s', (_, suite) => {
  it.skipIf(peerMissing('prometheus', suite))('reads and federates', { timeout: 60_000 }, async () => {
    using folder = temporaryFolder();
    const snappy = new SnappyDecoder();
    await using store = await openStore(path.join(folder.path, 'vigie'), { clock: systemClock, compileMatcher });
    const t0 = Math.floor(Date.now() / 1000) * 1000 - ROUNDS * 1000;
    const value = (i: number, round: number): number => (i % 3 === 0 ? Math.sin(round * i) : i * 100 + round);
    for (let round = 0; round < ROUNDS; round++) {
      for (const [tenant, factor] of [
        ['default', 1],
        ['other', -1],
      ] as const)
        await store.writer(tenantId(tenant)).appendSamples(
          Array.from({ length: SERIES }, (_x, i) => ({
            labels: Labels.from({ __name__: 'remote_metric', i: String(i), tenant, odd: 'a"b\\c\nd' }),
            timestampMs: t0 + round * 1000,
            value: factor * value(i, round),
          })),
        );
      if (round === 120) await store.maintain({ all: true });
    }
    const histogram = {
      schema: 0,
      zeroThreshold: 0,
      zeroCount: 0,
      count: 3,
      sum: 5,
      counterResetHint: 'unknown' as const,
      positiveSpans: [{ offset: 0, length: 1 }],
      positiveBuckets: [3],
      negativeSpans: [],
      negativeBuckets: [],
    };
    await store
      .writer(tenantId('default'))
      .appendSamples([{ labels: Labels.from({ __name__: 'remote_histogram' }), timestampMs: t0, value: 0, histogram }]);
    await using server = await serveRoutes([
      remoteReadRoute({ reader: (c) => store.reader(c.tenant), decompress: (b, max) => snappy.decode(b, max) }),
      federateRoute({
        reader: (c) => store.reader(c.tenant),
        clock: systemClock,
        parseSelector: (text) => {
          const e = parse(text);
          return e.kind === 'selector' ? e.matchers : [];
        },
        externalLabels: () => Labels.from({ cluster: 'vigie' }),
      }),
    ]);
    const port = await freePort();
    writeFileSync(
      path.join(folder.path, 'p.yml'),
      `remote_read: [{url: ${server.url}/api/v1/read, read_recent: true}]
scrape_configs:
- job_name: federate
  scrape_interval: 1s
  honor_labels: true
  metrics_path: /federate
  params: {'match[]': ['remote_metric{i=~"1.?"}']}
  static_configs: [{targets: ['127.0.0.1:${server.port}']}]
`,
    );
    await using prometheus = await start(findPeer('prometheus', suite)!, {
      args: [
        `--config.file=${folder.path}/p.yml`,
        `--storage.tsdb.path=${folder.path}/data`,
        `--web.listen-address=127.0.0.1:${port}`,
      ],
      ready: httpReady(`http://127.0.0.1:${port}/-/ready`),
    });
    const query = async (
      text: string,
    ): Promise<{ metric: Record<string, string>; values: [number, string][]; value: [number, string] }[]> => {
      const parameters = new URLSearchParams({ query: text, time: String(t0 / 1000 + ROUNDS) });
      const answer = (await (await fetch(`http://127.0.0.1:${port}/api/v1/query?${parameters}`)).json()) as {
        status: string;
        error?: string;
        data: { result: never[] };
      };
      expect(answer.error, prometheus.output().slice(-2_000)).toBeUndefined();
      return answer.data.result;
    };
    // a range selector comes over the chunked stream
    const rows = await query('remote_metric{cluster=""}[10m]');
    expect(rows).toHaveLength(SERIES);
    let compared = 0;
    for (const { metric, values } of rows) {
      expect(metric).toMatchObject({ tenant: 'default', odd: 'a"b\\c\nd' });
      for (const [t, v] of values) {
        expect(Number(v)).toBe(value(Number(metric['i']), Math.round(t - t0 / 1000)));
        compared++;
      }
    }
    expect(compared).toBe(SERIES * ROUNDS);
    expect((await query('count(remote_metric{tenant="other"})')).length).toBe(0);
    // samples, for those that ask for them
    const body = snappyCompress(
      encodeReadRequest([
        { startMs: t0, endMs: t0 + 5_000, matchers: [{ name: '__name__', op: '=~', value: 'remote_.*' }] },
        { startMs: t0, endMs: t0 + 5_000, matchers: [{ name: 'i', op: '=', value: '7' }] },
      ]),
    );
    const answer = await fetch(`${server.url}/api/v1/read`, { method: 'POST', body });
    expect(answer.headers.get('content-type')).toBe('application/x-protobuf');
    const [first, second] = decodeReadResponse(snappy.decode(new Uint8Array(await answer.arrayBuffer()), 1 << 24));
    expect(first).toHaveLength(SERIES + 1);
    expect(first!.some((s) => s.histograms?.[0]?.count === 3)).toBe(true);
    expect(second!.map((s) => s.length)).toEqual([6]);
    expect((await fetch(`${server.url}/api/v1/read`, { method: 'POST', body: 'nonsense' })).status).toBe(400);
    // what the scrape of /federate stored
    for (let i = 0; i < 100; i++) {
      const parameters = new URLSearchParams({ query: 'count(remote_metric{cluster="vigie"})' });
      const text = await (await fetch(`http://127.0.0.1:${port}/api/v1/query?${parameters}`)).text();
      if (text.includes('"11"')) break;
      await new Promise((r) => setTimeout(r, 100));
    }
    const federated = await query('remote_metric{cluster="vigie"}');
    expect(federated.map((r) => r.metric['i']).sort()).toEqual([
      '1',
      '10',
      '11',
      '12',
      '13',
      '14',
      '15',
      '16',
      '17',
      '18',
      '19',
    ]);
    for (const { metric, value: got } of federated) {
      expect(metric).toMatchObject({ tenant: 'default', cluster: 'vigie', odd: 'a"b\\c\nd' });
      expect(metric['instance']).toBeUndefined();
      expect(Number(got[1])).toBe(value(Number(metric['i']), ROUNDS - 1));
    }
  });
});
