/** Serves remote write and the query API on the embedded store, and nothing else: the engine as a process, for benches. */
import { createServer } from 'node:http';
import { promqlRegex } from '../src/app/regex-ports.ts';
import { saveCompiledCode } from '../src/cli/compile-cache.ts';
import { prometheusQueryRoutes } from '../src/http/prometheus/query.ts';
import { remoteWriteRoute } from '../src/http/prometheus/remote-write.ts';
import type { HttpRequest } from '../src/http/route.ts';
import { RemoteWrite1Decoder } from '../src/ingest/remote-write/decode-v1.ts';
import { RemoteWrite2Decoder } from '../src/ingest/remote-write/decode-v2.ts';
import { SnappyDecoder } from '../src/ingest/snappy.ts';
import { systemClock } from '../src/lib/clock.ts';
import { VigieError } from '../src/lib/errors.ts';
import { silentLogger } from '../src/lib/logger.ts';
import { SelfMetrics } from '../src/lib/self-metrics.ts';
import { tenantId } from '../src/model/tenant.ts';
import { QueryEngine } from '../src/promql/engine.ts';
import { compileMatcher } from '../src/regex/matcher.ts';
import { EmbeddedMetricsStore } from '../src/store/embedded/metrics/embedded-metrics-store.ts';
import { measureLoopDelay } from './loop-delay.ts';

const [folder, port] = process.argv.slice(2) as [string, string];
const store = await EmbeddedMetricsStore.open({
  folder,
  clock: systemClock,
  logger: silentLogger,
  metrics: new SelfMetrics(),
  compileMatcher,
  quota: () => ({}),
  background: false,
});
const [one, two, snappy] = [new RemoteWrite1Decoder(), new RemoteWrite2Decoder(), new SnappyDecoder()];
const route = remoteWriteRoute({
  writer: (t) => store.writer(t),
  decompress: (b, max) => snappy.decode(b, max),
  decode1: (b) => one.decode(b),
  decode2: (b) => two.decode(b),
});
const loopDelay = measureLoopDelay();
const engine = new QueryEngine({ compileRegex: promqlRegex, monotonicMs: () => systemClock.monotonicMs() });
const queries = prometheusQueryRoutes({ reader: (c) => store.reader(c.tenant), engine, clock: systemClock });
createServer((request, response) => {
  const parts: Buffer[] = [];
  request.on('data', (b: Buffer) => parts.push(b));
  request.on('end', async () => {
    try {
      const tenant = tenantId(String(request.headers['x-scope-orgid'] ?? 'default'));
      if (request.url === '/stats') return void response.end(JSON.stringify(store.stats(tenant)));
      if (request.url === '/loop') return void response.end(JSON.stringify(loopDelay()));
      if (request.url === '/cut') {
        await store.maintain({ all: true });
        return void response.end(JSON.stringify(store.stats(tenant)));
      }
      const url = new URL(request.url ?? '/', 'http://local');
      const query = queries.find((q) => q.method === request.method && q.path === url.pathname);
      if (query) {
        const got = await query.handle({
          context: { tenant },
          method: request.method,
          path: url.pathname,
          query: url.searchParams,
          headers: request.headers,
          body: Buffer.concat(parts),
          signal: new AbortController().signal,
        } as unknown as HttpRequest);
        response.writeHead(got.status ?? 200, { 'content-type': 'application/json', ...got.headers });
        if (got.json !== undefined) return void response.end(JSON.stringify(got.json));
        if (typeof got.body === 'string' || got.body instanceof Uint8Array) return void response.end(got.body);
        for await (const piece of got.body ?? []) response.write(piece);
        return void response.end();
      }
      const body = parts.length === 1 ? parts[0]! : Buffer.concat(parts);
      const got = await route.handle({ context: { tenant }, headers: request.headers, body } as unknown as HttpRequest);
      response.writeHead(got.status ?? 200, got.headers).end(got.body as string | undefined);
    } catch (error) {
      response.writeHead(error instanceof VigieError ? error.status : 500).end(String(error));
    }
  });
}).listen(Number(port), '127.0.0.1', saveCompiledCode);
