/**
 * Programs that know Prometheus, used against Vigie as they are: promtool's queries and checks (Debian's and, where
 * there is one, the newest), and the OpenTelemetry SDK as a client whose metrics promtool then reads back.
 */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { OTLPMetricExporter as JsonExporter } from '@opentelemetry/exporter-metrics-otlp-http';
import { OTLPMetricExporter as ProtoExporter } from '@opentelemetry/exporter-metrics-otlp-proto';
import { MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findPeer, peerMissing, temporaryFolder } from '../support/peers.ts';
import { eventually, startVigie, type VigieProcess } from '../support/vigie.ts';

/** promtool of Debian 12, and of sid where it is unpacked. */
const promtools = [findPeer('promtool'), findPeer('promtool', 'sid')].filter((p): p is string => p !== undefined);

interface Series {
  readonly metric: Record<string, string>;
  readonly value: [number, string];
}
interface Range {
  readonly metric: Record<string, string>;
  readonly values: [number, string][];
}

async function send(url: string, kind: 'proto' | 'json'): Promise<void> {
  const Exporter = kind === 'proto' ? ProtoExporter : JsonExporter;
  const reader = new PeriodicExportingMetricReader({
    exporter: new Exporter({ url }),
    exportIntervalMillis: 3_600_000,
  });
  const provider = new MeterProvider({ readers: [reader] });
  const meter = provider.getMeter('music', '1');
  meter.createCounter('tracks.generated', { unit: '1' }).add(7, { encoding: kind, genre: 'jazz' });
  meter.createGauge('queue.depth', { unit: '1' }).record(3.5, { encoding: kind });
  const latency = meter.createHistogram('latency', { unit: 's', advice: { explicitBucketBoundaries: [0.1, 1, 10] } });
  for (const v of [0.05, 0.5, 5, 50]) latency.record(v, { encoding: kind });
  await reader.forceFlush();
  await provider.shutdown();
}

describe.skipIf(peerMissing('promtool'))('promtool and the OpenTelemetry SDK against Vigie', () => {
  let vigie: VigieProcess;
  beforeAll(async () => {
    vigie = await startVigie();
    await send(`${vigie.url}/v1/metrics`, 'proto');
    await send(`${vigie.url}/api/v1/otlp/v1/metrics`, 'json');
    await eventually('two scrapes of itself', async () => {
      const { data } = await vigie.json<{ data: { result: unknown[] } }>('/api/v1/query?query=up');
      return data.result.length > 0;
    });
  }, 60_000);
  afterAll(() => vigie?.[Symbol.asyncDispose]());

  const run = (promtool: string, args: readonly string[], input?: string) => {
    const r = spawnSync(promtool, args, {
      encoding: 'utf8',
      timeout: 30_000,
      ...(input === undefined ? {} : { input }),
    });
    return { status: r.status, out: r.stdout, err: r.stderr };
  };
  const query = <T>(promtool: string, kind: 'instant' | 'range', args: readonly string[]): T => {
    const flags = args.slice(0, -1);
    const r = run(promtool, ['query', kind, '-o', 'json', ...flags, vigie.url, args.at(-1)!]);
    expect(r.status, r.err).toBe(0);
    return JSON.parse(r.out) as T;
  };

  it.each(promtools)('%s queries what the SDK sent', (promtool) => {
    const counters = query<Series[]>(promtool, 'instant', ['tracks_generated_total']);
    expect(counters.map((s) => [s.metric['encoding'], s.metric['genre'], s.value[1]]).sort()).toEqual([
      ['json', 'jazz', '7'],
      ['proto', 'jazz', '7'],
    ]);
    // four observations, one in each bucket: the median lies at the end of the second
    const median = query<Series[]>(promtool, 'instant', [
      'histogram_quantile(0.5, sum by (le) (latency_seconds_bucket))',
    ]);
    expect(median.map((s) => s.value[1])).toEqual(['1']);
    expect(query<Series[]>(promtool, 'instant', ['sum(latency_seconds_sum)'])[0]!.value[1]).toBe('111.1');
    const now = Math.floor(Date.now() / 1000);
    const range = query<Range[]>(promtool, 'range', [
      `--start=${now - 60}`,
      `--end=${now + 60}`,
      '--step=10s',
      'queue_depth_ratio{encoding="proto"}',
    ]);
    expect(range).toHaveLength(1);
    expect(new Set(range[0]!.values.map((v) => v[1]))).toEqual(new Set(['3.5']));
    expect(range[0]!.values.length).toBeGreaterThanOrEqual(5);
    const text = run(promtool, ['query', 'instant', vigie.url, 'sum(queue_depth_ratio)']);
    expect(text.out).toMatch(/=> 7 @/);
  });

  it.each(promtools)('%s lists series and labels', (promtool) => {
    const series = run(promtool, ['query', 'series', '--match=tracks_generated_total', '-o', 'json', vigie.url]);
    expect(series.status, series.err).toBe(0);
    expect((JSON.parse(series.out) as Record<string, string>[]).map((s) => s['encoding']).sort()).toEqual([
      'json',
      'proto',
    ]);
    const labels = run(promtool, ['query', 'labels', '-o', 'json', vigie.url, 'encoding']);
    expect(labels.status, labels.err).toBe(0);
    expect(JSON.parse(labels.out)).toEqual(['json', 'proto']);
  });

  it.each(promtools)('%s shows the reason of a bad query', (promtool) => {
    const bad = run(promtool, ['query', 'instant', vigie.url, 'sum(']);
    expect(bad.status).not.toBe(0);
    expect(bad.err).toMatch(/bad_data.*parse error/s);
    const none = run(promtool, ['query', 'instant', vigie.url, 'no_such_series']);
    expect([none.status, none.out.trim()]).toEqual([0, '']);
  });

  it.each(promtools)('%s accepts the rules that are loaded, and /metrics', async (promtool) => {
    using folder = temporaryFolder();
    const { files } = await vigie.json<{ files: { name: string; yaml: string }[] }>('/vigie/v1/rules/files');
    expect(files.length).toBeGreaterThanOrEqual(3);
    let checked = 0;
    for (const [i, file] of files.entries()) {
      const target = path.join(folder.path, `${i}.yml`);
      writeFileSync(target, file.yaml);
      const r = run(promtool, ['check', 'rules', target]);
      expect(r.status, `${file.name}: ${r.out}${r.err}`).toBe(0);
      checked += Number(/(\d+) rules found/.exec(r.out)?.[1] ?? 0);
    }
    const { data } = await vigie.json<{ data: { groups: { rules: unknown[] }[] } }>('/api/v1/rules');
    expect(checked, 'as many as are evaluated').toBe(data.groups.reduce((n, g) => n + g.rules.length, 0));
    expect(checked).toBeGreaterThan(10);
    const metrics = run(promtool, ['check', 'metrics'], await (await vigie.fetch('/metrics')).text());
    expect(metrics.err + metrics.out).toBe('');
    expect(metrics.status).toBe(0);
  });
});
