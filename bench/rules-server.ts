/** Remote write, queries and rules on the embedded store, and nothing else: the rule engine as a process, for bench/rules.ts. */
import { readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import path from 'node:path';
import { promqlRegex } from '../src/app/regex-ports.ts';
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
import { Labels } from '../src/model/labels.ts';
import { tenantId } from '../src/model/tenant.ts';
import { QueryEngine } from '../src/promql/engine.ts';
import { compileMatcher } from '../src/regex/matcher.ts';
import { IncrementalEvaluator } from '../src/rules/incremental/incremental-evaluator.ts';
import { RuleService } from '../src/rules/rule-service.ts';
import { createRuleTemplates } from '../src/rules/templates.ts';
import { EmbeddedMetricsStore } from '../src/store/embedded/metrics/embedded-metrics-store.ts';

const [folder, port, rules, mode] = process.argv.slice(2) as [string, string, string, 'incremental' | 'engine'];
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
const engine = new QueryEngine({ compileRegex: promqlRegex, monotonicMs: () => systemClock.monotonicMs() });
const queries = prometheusQueryRoutes({ reader: (c) => store.reader(c.tenant), engine, clock: systemClock });
const evaluators: IncrementalEvaluator[] = [];
const reasons = new Map<string, number>();
const service = new RuleService({
  clock: systemClock,
  logger: silentLogger,
  metrics: new SelfMetrics(),
  engine,
  source: (t) => store.reader(t),
  writer: (t) => store.writer(t),
  notify: () => undefined,
  templates: () => createRuleTemplates({ externalUrl: '', externalLabels: Labels.EMPTY }),
  externalUrl: '',
  evaluationIntervalMs: 15_000,
  ...(mode === 'incremental' && {
    evaluator: (t) => {
      const evaluator = new IncrementalEvaluator({
        source: store.incremental(t),
        compileRegex: promqlRegex,
        onFallBack: (r) => reasons.set(r, (reasons.get(r) ?? 0) + 1),
      });
      evaluators.push(evaluator);
      return evaluator;
    },
  }),
});

async function control(url: string): Promise<unknown> {
  if (url === '/start' && rules !== '-')
    for (const file of readdirSync(rules)) {
      const text = readFileSync(path.join(rules, file), 'utf8');
      await service.configure(tenantId(file.replace('.yml', '')), [{ name: file, text }]);
    }
  const views = store.tenants().map((t) => service.view(t));
  const evaluations = { incremental: 0, engine: 0 };
  for (const e of evaluators) {
    evaluations.incremental += e.evaluations.incremental;
    evaluations.engine += e.evaluations.engine;
  }
  return {
    cpuMs: (process.cpuUsage().user + process.cpuUsage().system) / 1000,
    iterations: views.reduce((n, v) => n + v.groups.reduce((k, g) => k + g.iterations, 0), 0),
    missed: views.reduce((n, v) => n + v.iterationsMissed, 0),
    failing: views.reduce((n, v) => n + v.rulesFailing, 0),
    unknown: views.reduce((n, v) => n + v.rulesUnknown, 0),
    evaluations,
    reasons: Object.fromEntries(reasons),
    ringBytes: evaluators.reduce((n, e) => n + e.memoryBytes, 0),
  };
}

// rounds are 15 s apart: a connection must outlive the pause between them
const options = { keepAliveTimeout: 120_000 };
createServer(options, (request, response) => {
  const parts: Buffer[] = [];
  request.on('data', (b: Buffer) => parts.push(b));
  request.on('end', async () => {
    try {
      const url = new URL(request.url ?? '/', 'http://local');
      if (url.pathname === '/stats' || url.pathname === '/start')
        return void response.end(JSON.stringify(await control(url.pathname)));
      const query = queries.find((q) => q.method === request.method && q.path === url.pathname);
      const tenant = tenantId(String(request.headers['x-scope-orgid'] ?? 'default'));
      const answer = await (query ?? route).handle({
        context: { tenant },
        headers: request.headers,
        method: request.method,
        path: url.pathname,
        query: url.searchParams,
        params: {},
        body: Buffer.concat(parts),
        signal: new AbortController().signal,
      } as unknown as HttpRequest);
      const { body } = answer;
      response.writeHead(answer.status ?? (body === undefined ? 204 : 200), answer.headers);
      if (typeof body === 'string' || body instanceof Uint8Array) response.end(body);
      else {
        if (body) for await (const piece of body) response.write(piece);
        response.end();
      }
    } catch (error) {
      response.writeHead(error instanceof VigieError ? error.status : 500).end(String((error as Error).message));
    }
  });
}).listen(Number(port), '127.0.0.1');
