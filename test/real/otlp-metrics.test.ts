/** The real OpenTelemetry SDK, protobuf and JSON, sends the same metrics to Vigie's route and to Prometheus 3.5. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { OTLPMetricExporter as JsonExporter } from '@opentelemetry/exporter-metrics-otlp-http';
import { OTLPMetricExporter as ProtoExporter } from '@opentelemetry/exporter-metrics-otlp-proto';
import { AggregationType, MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics';
import { describe, expect, it } from 'vitest';
import { otlpMetricsRoutes } from '../../src/http/otlp/metrics.ts';
import type { HttpRequest } from '../../src/http/route.ts';
import type { WriteBatch } from '../../src/store/metrics.ts';

async function collect(kind: 'proto' | 'json', url: string): Promise<void> {
  const Exporter = kind === 'proto' ? ProtoExporter : JsonExporter;
  const reader = new PeriodicExportingMetricReader({
    exporter: new Exporter({ url }),
    exportIntervalMillis: 3_600_000,
  });
  const provider = new MeterProvider({
    readers: [reader],
    views: [{ instrumentName: 'exp.size', aggregation: { type: AggregationType.EXPONENTIAL_HISTOGRAM } }],
    resource: {
      attributes: {
        'service.name': 'api',
        'service.namespace': 'shop',
        'service.instance.id': 'i-1',
        'host.name': 'h',
        '1st': 'x',
      },
      merge: () => undefined,
      getRawAttributes: () => [],
    } as never,
  });
  const meter = provider.getMeter('m', '1.2');
  meter
    .createCounter('http.requests', { unit: '1', description: 'd' })
    .add(3, { 'http.route': '/x', _private: 'p', '2x': 'y', 'a..b': 'z' });
  meter.createCounter('io.total', { unit: 'By/s' }).add(2.5);
  meter.createUpDownCounter('queue', { unit: '{items}' }).add(-2, { on: true, n: 7, list: ['a', 'b'] } as never);
  meter.createGauge('load.ratio', { unit: '1' }).record(0.5);
  meter.createGauge('temp', { unit: 'Cel' }).record(20);
  const h = meter.createHistogram('latency', { unit: 'ms', advice: { explicitBucketBoundaries: [0.5, 1, 1_000_000] } });
  for (const v of [0.1, 0.7, 5, 2e6]) h.record(v, { k: 'v' });
  const e = meter.createHistogram('exp.size', { unit: 'KiBy' });
  for (const v of [0, 1, 2, 300]) e.record(v);
  await reader.forceFlush();
  await provider.shutdown();
}

async function sendToVigie(kind: 'proto' | 'json'): Promise<{ series: Map<string, number>; histograms: number }> {
  const series = new Map<string, number>();
  let histograms = 0;
  const [route] = otlpMetricsRoutes({
    writer: () => ({
      append: async (b: WriteBatch) => {
        histograms += b.histograms?.length ?? 0;
        for (const x of b.histograms ?? []) series.set(b.labels(x.series).toString(), x.histogram.count);
        for (let i = 0; i < b.seriesCount; i++)
          for (let j = b.sampleStart[i]!; j < b.sampleStart[i + 1]!; j++)
            series.set(b.labels(i).toString(), b.values[j]!);
        return { samplesAccepted: 0, histogramsAccepted: 0, exemplarsAccepted: 0, rejected: {}, examples: [] };
      },
      appendSamples: async () => ({
        samplesAccepted: 0,
        histogramsAccepted: 0,
        exemplarsAccepted: 0,
        rejected: {},
        examples: [],
      }),
    }),
  });
  let failure: unknown;
  const server = createServer(async (request, response) => {
    try {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const answer = await route!.handle({
        context: { tenant: 't' },
        headers: request.headers,
        body: Buffer.concat(chunks),
      } as unknown as HttpRequest);
      response.writeHead(answer.status ?? 200, answer.headers);
      response.end(answer.json ? JSON.stringify(answer.json) : Buffer.from((answer.body as Uint8Array) ?? ''));
    } catch (error) {
      failure = error;
      response.writeHead(500).end();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  await collect(kind, `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/metrics`);
  server.close();
  if (failure) throw failure;
  return { series, histograms };
}

describe('OTLP metrics from the real SDK', () => {
  it('protobuf and JSON say the same', async () => {
    const [proto, json] = [await sendToVigie('proto'), await sendToVigie('json')];
    expect(proto.series.size).toBeGreaterThanOrEqual(13);
    expect(proto.histograms).toBeGreaterThanOrEqual(1); // once per flush
    expect([...json.series].sort()).toEqual([...proto.series].sort());
  });

  it('has the names of Prometheus’ receiver', async () => {
    const { series } = await sendToVigie('proto');
    expect(
      [...series.keys()]
        .map((k) => k.replace(', instance="i-1", job="shop/api"', '').replace('{instance="i-1", job="shop/api"}', ''))
        .sort(),
    ).toEqual([
      'exp_size_kibibytes',
      'http_requests_total{a__b="z", http_route="/x", key_2x="y", key_private="p"}',
      'io_bytes_per_second_total',
      'latency_milliseconds_bucket{instance="i-1", job="shop/api", k="v", le="+Inf"}',
      'latency_milliseconds_bucket{instance="i-1", job="shop/api", k="v", le="0.5"}',
      'latency_milliseconds_bucket{instance="i-1", job="shop/api", k="v", le="1"}',
      'latency_milliseconds_bucket{instance="i-1", job="shop/api", k="v", le="1000000"}',
      'latency_milliseconds_count{instance="i-1", job="shop/api", k="v"}',
      'latency_milliseconds_sum{instance="i-1", job="shop/api", k="v"}',
      'load_ratio',
      'queue{instance="i-1", job="shop/api", list="[\\"a\\",\\"b\\"]", n="7", on="true"}',
      'target_info{host_name="h", key_1st="x"}',
      'temp_celsius',
    ]);
    expect(series.get('latency_milliseconds_bucket{instance="i-1", job="shop/api", k="v", le="1"}')).toBe(2);
    expect(
      series.get(
        'http_requests_total{a__b="z", http_route="/x", instance="i-1", job="shop/api", key_2x="y", key_private="p"}',
      ),
    ).toBe(3);
  });
});
