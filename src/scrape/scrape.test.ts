import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { FakeClock, settle } from '../../test/support/fake-clock.ts';
import { createExpositionParser } from '../ingest/exposition/parser.ts';
import { RawSeriesMemory } from '../ingest/exposition/series-memory.ts';
import { createAddressGuard } from '../lib/address-guard.ts';
import { silentLogger } from '../lib/logger.ts';
import { Labels } from '../model/labels.ts';
import { isStale } from '../model/sample.ts';
import type { MetricsWriter, WriteBatch } from '../store/metrics.ts';
import { parsePrometheusConfig } from './config.ts';
import { compileRelabel, RELABEL_DEFAULTS, type RelabelConfig } from './relabel.ts';
import { acceptHeader, formatOf, type InternalTarget, ScrapeService } from './scrape-service.ts';

const native = (source: string) => {
  const re = new RegExp(`^(?:${source})$`, 's');
  return { exec: (text: string) => re.exec(text) ?? undefined };
};

class Recorder implements MetricsWriter {
  rows: [string, number, number | 'stale'][] = [];
  async append(b: WriteBatch) {
    for (let i = 0; i < b.seriesCount; i++)
      for (let j = b.sampleStart[i]!; j < b.sampleStart[i + 1]!; j++)
        this.rows.push([b.labels(i).toString(), b.timestamps[j]!, isStale(b.values, j) ? 'stale' : b.values[j]!]);
    return { samplesAccepted: 0, histogramsAccepted: 0, exemplarsAccepted: 0, rejected: {}, examples: [] };
  }
  async appendSamples(samples: Parameters<MetricsWriter['appendSamples']>[0]) {
    for (const s of samples) this.rows.push([s.labels.toString(), s.timestampMs, s.stale ? 'stale' : s.value]);
    return { samplesAccepted: 0, histogramsAccepted: 0, exemplarsAccepted: 0, rejected: {}, examples: [] };
  }
  take(): [string, number | 'stale'][] {
    const out = this.rows.map(([l, , v]): [string, number | 'stale'] => [l, v]);
    this.rows = [];
    return out;
  }
}

function setup(internal: readonly InternalTarget[] = [], guard?: ReturnType<typeof createAddressGuard>) {
  const clock = new FakeClock();
  const writer = new Recorder();
  let n = 0;
  const service = new ScrapeService({
    writer,
    parser: createExpositionParser(),
    createMemory: () => new RawSeriesMemory(Buffer.from(`${n++}|`)),
    compileRegex: native,
    clock,
    logger: silentLogger,
    internal,
    ...(guard ? { guard } : {}),
  });
  return { clock, writer, service };
}

describe('scraping', () => {
  it('scrapes a function, marks what disappears, survives failures and ends cleanly', async () => {
    let body: string | Error = 'a 1\nb{job="own"} 2\n';
    const { clock, writer, service } = setup([
      {
        job: 'host',
        instance: 'me',
        intervalMs: 15_000,
        read: () => {
          if (body instanceof Error) throw body;
          return body;
        },
      },
    ]);
    await service.reload({ scrapeConfigs: [] });
    await clock.advance(15_000);
    const first = writer.take();
    expect(first).toContainEqual(['a{instance="me", job="host"}', 1]);
    expect(first).toContainEqual(['b{exported_job="own", instance="me", job="host"}', 2]);
    expect(first).toContainEqual(['up{instance="me", job="host"}', 1]);
    expect(first).toContainEqual(['scrape_series_added{instance="me", job="host"}', 2]);
    body = 'a 5\n';
    await clock.advance(15_000);
    const second = writer.take();
    expect(second).toContainEqual(['a{instance="me", job="host"}', 5]);
    expect(second).toContainEqual(['b{exported_job="own", instance="me", job="host"}', 'stale']);
    expect(second).toContainEqual(['scrape_series_added{instance="me", job="host"}', 0]);
    body = new Error('gone');
    await clock.advance(15_000);
    const third = writer.take();
    expect(third).toContainEqual(['a{instance="me", job="host"}', 'stale']);
    expect(third).toContainEqual(['up{instance="me", job="host"}', 0]);
    expect(service.pools[0]!.pool.active[0]).toMatchObject({ health: 'down', lastError: 'gone' });
    await service[Symbol.asyncDispose]();
    await clock.advance(60_000);
    expect(writer.take()).toEqual([]);
    expect(clock.pendingTimers).toBe(0);
  });

  it('scrapes over HTTP with credentials, keeps unchanged jobs on reload and marks removed ones stale', async () => {
    const seen: (string | undefined)[] = [];
    const server = createServer((request, response) => {
      seen.push(request.headers.authorization);
      response.setHeader('content-type', 'text/plain; version=0.0.4');
      response.end('x 1\n');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const config = (jobs: string) => parsePrometheusConfig('p.yml', `scrape_configs:\n${jobs}`);
    const job = (name: string): string =>
      `- job_name: ${name}\n  scrape_interval: 10s\n  basic_auth: {username: u, password: p}\n  static_configs: [{targets: ['127.0.0.1:${port}']}]\n`;
    const { clock, writer, service } = setup();
    try {
      await service.reload(config(job('one') + job('two')));
      const until = async (done: () => boolean): Promise<void> => {
        for (let i = 0; i < 500 && !done(); i++) await settle(5);
      };
      await clock.advance(10_000);
      await until(() => writer.rows.filter(([l]) => l.startsWith('up')).length === 2);
      expect(writer.take().filter(([l]) => l.startsWith('x{')).length).toBe(2);
      expect(seen).toEqual([
        `Basic ${Buffer.from('u:p').toString('base64')}`,
        `Basic ${Buffer.from('u:p').toString('base64')}`,
      ]);
      const kept = service.pools[0]!.pool;
      await service.reload(config(job('one')));
      expect(service.pools.map((p) => p.name)).toEqual(['one']);
      expect(service.pools[0]!.pool).toBe(kept);
      expect(writer.take()).toContainEqual([`x{instance="127.0.0.1:${port}", job="two"}`, 'stale']);
    } finally {
      await service[Symbol.asyncDispose]();
      server.close();
    }
  });
});

describe('configuration', () => {
  it.each([
    ['scrape_configs:\n- job_name: a\n  wat: 1', 'p.yml:3: scrape_configs[0].wat: unknown key'],
    ['scrape_configs:\n- job_name: a\n  proxy_url: http://x', 'p.yml:3: scrape_configs[0].proxy_url: not supported'],
    [
      'scrape_configs:\n- job_name: a\n  consul_sd_configs: [{}]',
      'p.yml:3: scrape_configs[0].consul_sd_configs: not supported',
    ],
    ['scrape_configs:\n- job_name: a\n- job_name: a', 'p.yml:3: scrape_configs[1].job_name: job "a" is defined twice'],
    [
      'global:\n  scrape_interval: 5s\n  scrape_timeout: 6s',
      'p.yml:3: global.scrape_timeout: the scrape timeout is greater',
    ],
    ['global:\n  scrape_interval: five', 'p.yml:2: global.scrape_interval: not a valid duration'],
    ['global: [', 'p.yml:'],
    [
      'scrape_configs:\n- job_name: a\n  relabel_configs:\n  - action: hashmod\n    target_label: x',
      "requires 'modulus'",
    ],
    ['wat: {}', 'p.yml:1: wat: unknown key'],
  ])('refuses %j', (text, message) => expect(() => parsePrometheusConfig('p.yml', text)).toThrow(message));

  it('reads defaults and inherits, and hides secrets when printed', () => {
    const c = parsePrometheusConfig(
      'p.yml',
      'global: {scrape_interval: 5s, sample_limit: 7}\nrule_files: [a.yml]\nremote_write: [{url: "http://x", basic_auth: {password: hush}}]\nscrape_configs:\n- job_name: a\n  body_size_limit: 10MB\n  bearer_token: sesame\n',
    );
    expect(c.scrapeConfigs[0]).toMatchObject({
      intervalMs: 5000,
      timeoutMs: 5000,
      sampleLimit: 7,
      bodySizeLimit: 10 * 1024 * 1024,
      honorTimestamps: true,
    });
    expect(c.ruleFiles).toEqual(['a.yml']);
    expect(c.printed).not.toMatch(/hush|sesame/);
    expect(c.scrapeConfigs[0]!.http.authorization).toEqual({ type: 'Bearer', credentials: 'sesame' });
  });

  it('negotiates as Prometheus does', () => {
    expect(acceptHeader(['PrometheusProto', 'PrometheusText0.0.4'])).toBe(
      'application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1',
    );
    expect(formatOf('application/openmetrics-text; version=1.0.0', undefined)).toBe('OpenMetricsText');
    expect(() => formatOf(undefined, undefined)).toThrow(/blank Content-Type/);
    expect(formatOf('text/html', 'PrometheusText0.0.4')).toBe('PrometheusText');
  });
});

describe('relabelling', () => {
  const labels = Labels.from({ a: 'foo', b: 'bar', __meta_x: 'M' });
  it.each<[Partial<RelabelConfig>, string | undefined]>([
    [
      { sourceLabels: ['a', 'b'], regex: '(f.*);(.*)', targetLabel: 'c', replacement: '${2}_$1$$' },
      '{__meta_x="M", a="foo", b="bar", c="bar_foo$"}',
    ],
    [{ sourceLabels: ['a'], targetLabel: 'a', replacement: '' }, '{__meta_x="M", b="bar"}'],
    [{ action: 'keep', sourceLabels: ['a'], regex: 'fo' }, undefined],
    [{ action: 'drop', sourceLabels: ['a'], regex: 'fo' }, '{__meta_x="M", a="foo", b="bar"}'],
    [{ action: 'labelmap', regex: '__meta_(.*)' }, '{__meta_x="M", a="foo", b="bar", x="M"}'],
    [{ action: 'labeldrop', regex: 'a|b' }, '{__meta_x="M"}'],
    [{ action: 'labelkeep', regex: 'a' }, '{a="foo"}'],
    [{ action: 'uppercase', sourceLabels: ['a'], targetLabel: 'b' }, '{__meta_x="M", a="foo", b="FOO"}'],
    [
      { action: 'hashmod', sourceLabels: ['a'], targetLabel: 'h', modulus: 1000 },
      '{__meta_x="M", a="foo", b="bar", h="696"}',
    ],
    [{ action: 'keepequal', sourceLabels: ['a'], targetLabel: 'b' }, undefined],
  ])('%j', (config, wanted) => {
    const got = compileRelabel([{ ...RELABEL_DEFAULTS, ...config }], native)(labels);
    if (config.action === 'hashmod') expect(got?.get('h')).toMatch(/^\d{1,3}$/);
    else expect(got?.toString()).toBe(wanted);
  });
});

describe('address guard', () => {
  const guard = createAddressGuard({
    resolve: async (h) => [{ address: h === 'mixed.test' ? '10.0.0.1' : '9.9.9.9', family: 4 }],
  });
  it.each([
    '127.0.0.1',
    '10.1.2.3',
    '169.254.169.254',
    '[::1]',
    '::ffff:127.0.0.1',
    '::ffff:7f00:1',
    'fd00::1',
    'mixed.test',
    '100.64.0.1',
    '0.0.0.0',
  ])('refuses %s', async (host) => {
    await expect(guard(host)).rejects.toThrow(/inside the network/);
  });
  it('pins what it judged', async () => {
    const pinned = await guard('public.test');
    pinned.lookup('other', {}, (_e, address) => expect(address).toBe('9.9.9.9'));
    await expect(createAddressGuard({ allow: ['10.0.0.0/8'] })('10.1.1.1')).resolves.toMatchObject({
      address: '10.1.1.1',
    });
  });
  it('stops a tenant’s scrape of the inside', async () => {
    const { clock, service } = setup([], guard);
    await service.reload(
      parsePrometheusConfig(
        't.yml',
        "scrape_configs:\n- job_name: a\n  scrape_interval: 1s\n  static_configs: [{targets: ['127.0.0.1:1']}]",
      ),
    );
    await clock.advance(1_000);
    await settle(10);
    expect(service.pools[0]!.pool.active[0]!.lastError).toMatch(/inside the network/);
    await service[Symbol.asyncDispose]();
  });
});
