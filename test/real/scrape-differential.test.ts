/**
 * The same jobs scraped by real Prometheus 3.5 and by Vigie: verdict on each exposition, resulting series with their
 * values, and targets after relabelling. And the built-in host exporter beside the real node_exporter.
 */
import { writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createExpositionParser } from '../../src/ingest/exposition/parser.ts';
import { RawSeriesMemory } from '../../src/ingest/exposition/series-memory.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { silentLogger } from '../../src/lib/logger.ts';
import { compileRe2 } from '../../src/regex/re2.ts';
import { parsePrometheusConfig } from '../../src/scrape/config.ts';
import { createHostExporter } from '../../src/scrape/exporters/host/host-exporter.ts';
import { ScrapeService } from '../../src/scrape/scrape-service.ts';
import type { MetricsWriter, WriteBatch } from '../../src/store/metrics.ts';
import { findPeer, freePort, httpReady, peerMissing, type Started, start, temporaryFolder } from '../support/peers.ts';

const TEXT = 'text/plain; version=0.0.4';
const OPEN = 'application/openmetrics-text; version=1.0.0';

/** Name -> content type and body. What Prometheus says of each is the measure. */
const BODIES: Readonly<Record<string, readonly [string, string]>> = {
  plain: [TEXT, 'a 1\nb{x="y"} 2\n'],
  no_newline: [TEXT, 'a 1'],
  // blanks before a name: Prometheus takes them into the name, Vigie leaves them out (so not compared)
  spaces: [TEXT, 'a { x = "y" , } 1\n\t\nb\t2\n'],
  quoted_name: [TEXT, '{"odd.name",x="y"} 1\n{"odd.two"} 2\n'],
  quoted_label: [TEXT, 'a{"odd.label"="y"} 1\n'],
  escapes: [TEXT, 'a{x="q\\"q\\\\b\\nn\\t"} 1\n'],
  special: [TEXT, 'a +Inf\nb -inf\nc NaN\nd 1e-3\ne .5\nf 5.\ng +3\nh infinity\n'],
  hex: [TEXT, 'a 0x10\n'],
  underscore: [TEXT, 'a 1_000\n'],
  overflow: [TEXT, 'a 1e999\n'],
  empty: [TEXT, ''],
  comment: [TEXT, '# hello\n#nospace\n# HELPX a b\na 1\n'],
  bad_type: [TEXT, '# TYPE a thing\na 1\n'],
  bad_help_name: [TEXT, '# HELP 1a text\na 1\n'],
  bad_label: [TEXT, 'a{1x="y"} 1\n'],
  colon_label: [TEXT, 'a{x:y="z"} 1\n'],
  duplicate_label: [TEXT, 'a{x="1",x="2"} 1\n'],
  no_value: [TEXT, 'a\n'],
  two_values: [TEXT, 'a 1 2 3\n'],
  fraction_timestamp: [TEXT, 'a 1 1.5\n'],
  unclosed: [TEXT, 'a{x="y 1\n'],
  no_comma: [TEXT, 'a{x="1" y="2"} 1\n'],
  name_twice: [TEXT, 'a{"b"} 1\n'],
  no_name: [TEXT, '{x="y"} 1\n'],
  bad_utf8_free: [TEXT, 'a{x="é"} 1\n'],
  le: [
    TEXT,
    '# TYPE h histogram\nh_bucket{le="1"} 1\nh_bucket{le="2.50"} 1\nh_bucket{le="1000000"} 2\nh_bucket{le="+Inf"} 2\nh_sum 1\nh_count 2\n',
  ],
  quantile: [TEXT, '# TYPE s summary\ns{quantile="1"} 1\ns{quantile="0.50"} 2\ns_sum 1\ns_count 2\n'],
  empty_label: [TEXT, 'a{x=""} 1\n'],
  own_labels: [TEXT, 'a{job="mine",instance="me",exported_job="too"} 1\n'],
  open: [OPEN, '# TYPE a counter\n# HELP a x\na_total{x="y"} 1 # {trace="1"} 2 3\na_created{x="y"} 1.5\n# EOF\n'],
  open_no_eof: [OPEN, 'a 1\n'],
  open_after_eof: [OPEN, 'a 1\n# EOF\nb 1\n'],
  open_eof_bare: [OPEN, 'a 1\n# EOF'],
  open_two_spaces: [OPEN, 'a  1\n# EOF\n'],
  open_blank: [OPEN, '\na 1\n# EOF\n'],
  open_unit: [OPEN, '# UNIT a_seconds seconds\na_seconds 1\n# EOF\n'],
  open_bad_unit: [OPEN, '# UNIT a seconds\na 1\n# EOF\n'],
  open_untyped: [OPEN, '# TYPE a untyped\na 1\n# EOF\n'],
  open_trailing_comma: [OPEN, 'a{x="y",} 1\n# EOF\n'],
};

const RELABEL = `
- {source_labels: [__address__], regex: '(.*):(\\d+)', target_label: port_kind, replacement: 'p-\${1}-$$'}
- {source_labels: [tag, job], separator: '/', target_label: joined}
- {action: hashmod, source_labels: [tag], modulus: 97, target_label: shard}
- {action: uppercase, source_labels: [tag], target_label: upper}
- {action: labelmap, regex: '__meta_(.+)'}
- {action: labelmap, regex: 'tag', replacement: 'copy_of_tag'}
- {action: drop, source_labels: [tag], regex: 'drop.*'}
- {action: keepequal, source_labels: [tag], target_label: same}
- {source_labels: [tag], regex: 'par(.*)', target_label: __param_q, replacement: '$1 x'}
- {action: labeldrop, regex: 'same'}`;

class Collect implements MetricsWriter {
  readonly series = new Map<string, number>();
  async append(b: WriteBatch) {
    for (let i = 0; i < b.seriesCount; i++)
      for (let j = b.sampleStart[i]!; j < b.sampleStart[i + 1]!; j++)
        this.series.set(b.labels(i).toString(), b.values[j]!);
    return { samplesAccepted: 0, histogramsAccepted: 0, exemplarsAccepted: 0, rejected: {}, examples: [] };
  }
  async appendSamples(samples: Parameters<MetricsWriter['appendSamples']>[0]) {
    for (const s of samples) this.series.set(s.labels.toString(), s.value);
    return { samplesAccepted: 0, histogramsAccepted: 0, exemplarsAccepted: 0, rejected: {}, examples: [] };
  }
}

interface ApiTarget {
  labels: Record<string, string>;
  discoveredLabels: Record<string, string>;
  scrapePool: string;
  scrapeUrl: string;
  health: string;
}

describe.skipIf(peerMissing('prometheus', 'sid'))('beside Prometheus 3.5', () => {
  let server: Server;
  let prometheus: Started;
  let service: ScrapeService;
  const collect = new Collect();
  const folder = temporaryFolder();
  let base = '';

  beforeAll(async () => {
    server = createServer((request, response) => {
      const body = BODIES[(request.url ?? '').slice(1).split('?')[0]!] ?? BODIES['plain']!;
      response.setHeader('content-type', body[0]);
      response.end(body[1]);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const target = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    const jobs = Object.keys(BODIES).map(
      (name) => `- {job_name: ${name}, metrics_path: /${name}, static_configs: [{targets: ['${target}']}]}`,
    );
    const tags = ['one', 'two', 'drop-me', 'param', 'é', 'UPPER'].map(
      (t) => `  - {targets: ['${target}'], labels: {tag: '${t}', same: '${t === 'two' ? 'no' : t}', __meta_thing: m}}`,
    );
    const metric = `\n  metric_relabel_configs:\n  - {action: drop, source_labels: [__name__], regex: 'b'}\n  - {source_labels: [__name__], regex: '(a)', target_label: __name__, replacement: 'renamed_$1'}`;
    const text = `global: {scrape_interval: 1s, scrape_timeout: 1s}\nscrape_configs:\n${jobs.join('\n')}\n- job_name: relabel\n  static_configs:\n${tags.join('\n')}\n  relabel_configs:${RELABEL.replace(/\n/g, '\n  ')}${metric}\n`;
    const file = path.join(folder.path, 'prometheus.yml');
    writeFileSync(file, text);
    const port = await freePort();
    base = `http://127.0.0.1:${port}`;
    prometheus = await start(findPeer('prometheus', 'sid')!, {
      args: [
        `--config.file=${file}`,
        `--storage.tsdb.path=${folder.path}/data`,
        `--web.listen-address=127.0.0.1:${port}`,
      ],
      ready: httpReady(`${base}/-/ready`),
    });
    let n = 0;
    service = new ScrapeService({
      writer: collect,
      parser: createExpositionParser(),
      createMemory: () => new RawSeriesMemory(Buffer.from(`${n++}|`)),
      compileRegex: (source) => {
        const re = compileRe2(source, { anchored: true });
        return { exec: (t) => re.match(t) };
      },
      clock: systemClock,
      logger: silentLogger,
    });
    await service.reload(parsePrometheusConfig(file, text));
    for (let i = 0; i < 500; i++) {
      const ours = service.pools.flatMap((p) => p.pool.active);
      const theirs = await targets();
      if (
        theirs.length >= ours.length &&
        ours.every((t) => t.health !== 'unknown') &&
        theirs.every((t) => t.health !== 'unknown')
      )
        break;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  });
  afterAll(async () => {
    await service?.[Symbol.asyncDispose]();
    await prometheus?.stop();
    server?.close();
    folder[Symbol.dispose]();
  });

  const targets = async (): Promise<ApiTarget[]> =>
    ((await (await fetch(`${base}/api/v1/targets`)).json()) as { data: { activeTargets: ApiTarget[] } }).data
      .activeTargets;
  const verdictsOfOurs = (): Record<string, string> =>
    Object.fromEntries(
      service.pools.flatMap((p) => p.pool.active.map((t) => [`${p.name} ${t.target.labels.get('tag')}`, t.health])),
    );

  it('accepts and refuses the same expositions', async () => {
    const theirs = Object.fromEntries(
      (await targets()).map((t) => [`${t.scrapePool} ${t.labels['tag'] ?? ''}`, t.health]),
    );
    expect(Object.keys(theirs).length).toBeGreaterThanOrEqual(40);
    expect(Object.values(theirs).filter((h) => h === 'down').length).toBeGreaterThanOrEqual(12);
    expect(verdictsOfOurs()).toEqual(theirs);
    expect({ ...verdictsOfOurs(), 'plain ': 'down' }).not.toEqual(theirs);
  });

  it('makes the same targets', async () => {
    const shape = (t: { labels: unknown; discovered: unknown; url: string }): string =>
      JSON.stringify([t.url, t.labels, t.discovered]);
    const theirs = (await targets())
      .map((t) => shape({ labels: sorted(t.labels), discovered: sorted(t.discoveredLabels), url: t.scrapeUrl }))
      .sort();
    const ours = service.pools
      .flatMap((p) =>
        p.pool.active.map((t) =>
          shape({
            labels: sorted(t.target.labels.toObject()),
            discovered: sorted(t.target.discovered.toObject()),
            url: t.target.url,
          }),
        ),
      )
      .sort();
    expect(ours).toEqual(theirs);
  });

  it('stores the same series with the same values', async () => {
    const answer = (await (
      await fetch(`${base}/api/v1/query?query=${encodeURIComponent('{job!="",__name__!~"scrape_.*"}')}`)
    ).json()) as {
      data: { result: { metric: Record<string, string>; value: [number, string] }[] };
    };
    const theirs = new Map(
      answer.data.result.map((r) => [key(r.metric), Number(r.value[1].replace('Inf', 'Infinity'))]),
    );
    // exemplar-less comparison of what both hold; ours are kept under the same key
    const ours = new Map([...collect.series].filter(([k]) => !/^scrape_/.test(k)));
    const theirKeys = [...theirs.keys()].sort();
    expect(theirKeys.length).toBeGreaterThanOrEqual(70);
    expect([...ours.keys()].sort()).toEqual(theirKeys);
    for (const [k, v] of theirs) expect(Object.is(ours.get(k), v), `${k}: ${ours.get(k)} and ${v}`).toBe(true);
  });
});

const sorted = (o: Record<string, string>): [string, string][] =>
  Object.entries(o).sort(([a], [b]) => (a < b ? -1 : 1));

function key(metric: Record<string, string>): string {
  const memory = new RawSeriesMemory();
  const quote = (t: string): string => JSON.stringify(t);
  const body = `{${Object.entries(metric)
    .map(([n, v]) => (n === '__name__' ? quote(v) : `${quote(n)}=${quote(v)}`))
    .join(',')}} 1\n`;
  createExpositionParser().parse(Buffer.from(body), 'PrometheusText', memory);
  return memory.labels(0).toString();
}

describe.skipIf(peerMissing('prometheus-node-exporter'))('host exporter beside node_exporter', () => {
  it('has its names and labels', async () => {
    const port = await freePort();
    await using _exporter = await start(findPeer('prometheus-node-exporter')!, {
      args: [`--web.listen-address=127.0.0.1:${port}`],
      ready: httpReady(`http://127.0.0.1:${port}/metrics`),
    });
    const names = (body: string): Set<string> => {
      const memory = new RawSeriesMemory();
      const e = createExpositionParser().parse(Buffer.from(body), 'PrometheusText', memory);
      const out = new Set<string>();
      for (let i = 0; i < e.count; i++) {
        const labels = memory.labels(e.ids[i]!);
        out.add(
          `${labels.metricName} ${[...labels]
            .map(([n]) => n)
            .slice(1)
            .join(',')}`,
        );
      }
      return out;
    };
    const theirs = names(await (await fetch(`http://127.0.0.1:${port}/metrics`)).text());
    const ours = names(await createHostExporter({ clock: systemClock, logger: silentLogger })());
    const wanted = [...theirs].filter((n) => /^node_/.test(n));
    const shared = wanted.filter((n) => ours.has(n));
    const missing = wanted.filter((n) => !ours.has(n));
    console.info(
      `host exporter: ${shared.length} of ${wanted.length} of node_exporter's names; missing: ${missing.join('; ')}`,
    );
    expect(shared.length).toBeGreaterThanOrEqual(150);
    expect(shared.length / wanted.length).toBeGreaterThan(0.7);
  });
});
