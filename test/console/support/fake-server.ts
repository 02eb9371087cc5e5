/**
 * A server for the console's tests only: the built files, and answers in the real shapes with made-up, deterministic
 * numbers. It judges nothing (no PromQL is evaluated); what the console makes of the answers is what is tested.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import type { OverviewAnswer } from '../../../src/http/contract/overview.ts';
import type { SessionAnswer } from '../../../src/http/contract/session.ts';
import { intelligenceAnswer } from './intelligence-answers.ts';
import { noTelemetry } from './no-telemetry.ts';

/** Read once, as the real server does: a build meanwhile changes nothing. */
function readBuilt(): ReadonlyMap<string, Buffer> {
  return new Map(
    readdirSync(DIST, { recursive: true, withFileTypes: true })
      .filter((f) => f.isFile())
      .map((f) => {
        const full = path.join(f.parentPath, f.name);
        return [`/${path.relative(DIST, full)}`, readFileSync(full)];
      }),
  );
}
const DIST = path.resolve(import.meta.dirname, '../../../dist/console');
const FIXTURES = path.resolve(import.meta.dirname, '../fixtures');
const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
};

export interface FakeServer extends AsyncDisposable {
  readonly url: string;
  /** Paths asked for, newest last. */
  readonly asked: string[];
  /** Sends an event to every open stream. */
  emit(kind: string, data: unknown): void;
  signedIn: boolean;
  /** Which tenants the person may see. */
  tenants: SessionAnswer['tenants'];
  alertCount: number;
  /** Every request but the session's and the files' fails. */
  broken: boolean;
  /** Why no query runs live; '' when they do. */
  refuseLive: string;
  /** Range queries asked, newest last; seconds. */
  readonly ranges: { readonly expr: string; readonly start: number; readonly end: number; readonly step: number }[];
  /** Ends every open stream, as a restart does. */
  dropStreams(): void;
}

export async function startFakeServer(): Promise<FakeServer> {
  const built = readBuilt();
  const streams = new Set<ServerResponse>();
  let subscriptions: { id: string; expr: string; stepMs: number }[] = [];
  const dashboards = new Map<string, { dashboard: unknown; version: number }>([
    ['demo', { dashboard: JSON.parse(readFileSync(path.join(FIXTURES, 'dashboard.json'), 'utf8')), version: 1 }],
  ]);
  const state: Omit<FakeServer, 'url' | typeof Symbol.asyncDispose> = {
    asked: [],
    signedIn: true,
    broken: false,
    refuseLive: '',
    ranges: [],
    dropStreams: () => {
      for (const s of streams) s.destroy();
    },
    alertCount: 3,
    tenants: [
      { id: 'platform', name: 'Platform', role: 'admin', synthetic: false },
      { id: 'acme', name: 'Acme Music', role: 'admin', synthetic: true },
    ],
    emit: (kind, data) => {
      for (const s of streams) s.write(`id: x-1\nevent: ${kind}\ndata: ${JSON.stringify(data)}\n\n`);
    },
  };

  const vector = (expr: string, tenant: string) =>
    seriesOf(expr, tenant).map((s) => ({
      metric: s.metric,
      value: [Date.now() / 1_000, String(s.at(Date.now() / 1_000))],
    }));
  const timer = setInterval(() => {
    for (const q of subscriptions) {
      const atMs = Math.floor(Date.now() / q.stepMs) * q.stepMs;
      for (const s of streams)
        s.write(`event: query\ndata: ${JSON.stringify({ id: q.id, atMs, result: vector(q.expr, 'platform') })}\n\n`);
    }
  }, 1_000);

  const server = createServer(async (request, response) => {
    const url = new URL(request.url!, 'http://x');
    const m = /^\/t\/([^/]+)(\/.*)$/.exec(url.pathname);
    const tenant = m ? decodeURIComponent(m[1]!) : 'platform';
    const route = m ? m[2]! : url.pathname;
    state.asked.push(`${request.method} ${tenant} ${route}`);
    const body = await bodyOf(request);
    const form = new URLSearchParams(body.startsWith('{') ? '' : body);
    const json = (value: unknown, status = 200): void =>
      void response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
    const ok = (data: unknown): void => json({ status: 'success', data });
    if (route === '/vigie/v1/session') {
      if (request.method === 'POST') state.signedIn = body.includes('good-key');
      if (request.method === 'POST' && !state.signedIn)
        return json({ error: { code: 'unauthorized', message: 'this key is not known' } }, 401);
      return json(session(state));
    }
    if (/^\/(api|vigie)\//.test(route)) {
      if (!state.tenants.some((t) => t.id === tenant))
        return json({ error: { code: 'forbidden', message: `no grant for ${tenant}` } }, 403);
      if (state.broken)
        return json(
          { error: { code: 'unavailable', message: 'the store is being recovered; try again in a minute' } },
          503,
        );
    }
    switch (route) {
      case '/vigie/v1/live':
        response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
        response.write(`event: hello\ndata: ${JSON.stringify({ client: 'c1', atMs: Date.now(), fresh: true })}\n\n`);
        streams.add(response);
        return void response.on('close', () => streams.delete(response));
      case '/vigie/v1/live/subscriptions':
        subscriptions = (JSON.parse(body) as { queries: typeof subscriptions }).queries;
        if (state.refuseLive !== '') {
          const refused = Object.fromEntries(subscriptions.map((q) => [q.id, state.refuseLive]));
          subscriptions = [];
          return json({ accepted: 0, refused });
        }
        return json({ accepted: subscriptions.length, refused: {} });
      case '/api/v1/query':
        return ok({
          resultType: 'vector',
          result: vector(form.get('query') ?? '', tenant),
          stats: { samples: { totalQueryableSamples: 1234 } },
        });
      case '/api/v1/query_range': {
        const [start, end, step] = ['start', 'end', 'step'].map((k) => Number(form.get(k))) as [number, number, number];
        state.ranges.push({ expr: form.get('query') ?? '', start, end, step });
        const result = seriesOf(form.get('query') ?? '', tenant).map((s) => ({
          metric: s.metric,
          values: times(start, end, step)
            .filter((at) => !s.gap(at))
            .map((at) => [at, String(s.at(at))]),
        }));
        return ok({ resultType: 'matrix', result, stats: { samples: { totalQueryableSamples: 98_765 } } });
      }
      case '/api/v1/label/__name__/values':
        return ok(['node_cpu_seconds_total', 'node_load1', 'http_requests_total', 'up']);
      case '/api/v1/rules':
        return ok({ groups: ruleGroups() });
      case '/api/v1/targets':
        return ok({ activeTargets: activeTargets(), droppedTargets: [] });
      case '/api/v1/status/tsdb':
        return ok({
          headStats: {
            numSeries: 12_345,
            numLabelPairs: 812,
            chunkCount: 45_678,
            minTime: Date.now() - 7_200_000,
            maxTime: Date.now(),
          },
          seriesCountByMetricName: pairs(
            'http_request_duration_seconds_bucket',
            'node_cpu_seconds_total',
            'go_gc_duration_seconds',
          ),
          labelValueCountByLabelName: pairs('le', 'path', 'instance'),
          memoryInBytesByLabelName: pairs('path', 'le'),
          seriesCountByLabelValuePair: pairs('job=api', 'job=node'),
        });
      case '/api/v2/alerts':
        return json(Array.from({ length: state.alertCount }, (_, i) => alert(i, tenant)));
      case '/api/v2/silences':
        if (request.method === 'POST') return json({ silenceID: 's2' });
        return json([
          {
            id: 's1',
            matchers: [{ name: 'alertname', value: 'DiskFull', isRegex: false, isEqual: true }],
            startsAt: new Date(Date.now() - 3.6e6).toISOString(),
            endsAt: new Date(Date.now() + 3.6e6).toISOString(),
            createdBy: 'dana',
            comment: 'moving the data',
            status: { state: 'active' },
          },
        ]);
      case '/vigie/v1/overview':
        return json(overview());
      case '/vigie/v1/first-run':
        return json({
          done: false,
          steps: ['target', 'receiver', 'tenant', 'key'].map((id) => ({ id, done: id === 'target' })),
          demo: false,
          demoSwitchable: true,
        });
      case '/vigie/v1/demo':
        return json({ enabled: request.method === 'PUT', tenants: [], progress: 1 });
      case '/vigie/v1/dashboards':
        return json({
          folders: ['', 'Team'],
          dashboards: [...dashboards].map(([uid, d]) => ({
            uid,
            title: (d.dashboard as { title: string }).title,
            folder: uid === 'demo' ? 'Team' : '',
            tags: [],
            source: 'own',
            version: d.version,
            updatedAtMs: Date.now() - 60_000,
            updatedBy: 'dana',
            editable: true,
          })),
        });
      case '/vigie/v1/rules/preview':
        return json({
          evaluations: 240,
          truncated: false,
          episodes: [
            {
              labels: { instance: 'a' },
              pendingAtMs: Date.now() - 1.8e6,
              firedAtMs: Date.now() - 1.5e6,
              endedAtMs: Date.now() - 6e5,
              peak: 97,
            },
          ],
        });
      case '/vigie/v1/saved-queries':
        return json({
          queries: [{ id: 'load', name: 'Load', expr: 'node_load1', description: '', by: 'dana', atMs: 0 }],
        });
      case '/vigie/v1/preferences':
        return json({});
      case '/vigie/v1/query-log':
        return json({
          queries: [
            {
              atMs: Date.now() - 5_000,
              kind: 'range',
              expr: 'rate(http_requests_total[5m])',
              durationMs: 12.5,
              samples: 4_000,
              series: 12,
              error: '',
              by: 'dana',
            },
          ],
        });
      case '/vigie/v1/alerts/history':
        return json({
          transitions: [
            {
              atMs: Date.now() - 60_000,
              rule: 'DiskFull',
              group: 'host',
              fingerprint: 'f0',
              labels: { severity: 'critical' },
              from: 'pending',
              to: 'firing',
              value: 91,
            },
          ],
        });
      case '/vigie/v1/notifications':
        return json({
          notifications: [
            {
              atMs: Date.now() - 50_000,
              receiver: 'team',
              integration: 'webhook',
              groupKey: '{}',
              state: 'sent',
              attempts: 1,
              firing: 2,
              resolved: 0,
              error: '',
            },
          ],
        });
      case '/vigie/v1/notifications/decisions':
        return json({
          decisions: [
            {
              id: 'd1',
              atMs: Date.now() - 50_000,
              receiver: 'team',
              integration: 'webhook/0',
              groupKey: '{}',
              groupLabels: { alertname: 'DiskFull' },
              verdict: 'sent',
              reason: 'first notification of the group',
              attempts: 1,
              firing: 2,
              resolved: 0,
              fingerprints: ['f0'],
            },
            {
              id: 'd0',
              atMs: Date.now() - 80_000,
              receiver: 'team',
              integration: '',
              groupKey: '{}',
              groupLabels: { alertname: 'DiskFull' },
              verdict: 'silenced',
              reason: 'silence s1 mutes every alert of the group',
              attempts: 0,
              firing: 1,
              resolved: 0,
              fingerprints: ['f2'],
            },
          ],
        });
      case '/vigie/v1/notifications/dead-letters':
        return json({
          deadLetters: [
            {
              id: 'l1',
              atMs: Date.now() - 90_000,
              receiver: 'team',
              integration: 'webhook/0',
              groupKey: '{}',
              groupLabels: {},
              error: 'answered 410',
              attempts: 4,
              alerts: 1,
            },
          ],
        });
      case '/vigie/v1/routes': {
        const route = {
          matchers: [] as string[],
          continue: false,
          groupBy: ['alertname'],
          groupWaitMs: 30_000,
          groupIntervalMs: 300_000,
          repeatIntervalMs: 14_400_000,
          muteTimeIntervals: [],
          activeTimeIntervals: [],
          mutedBy: [] as string[],
          groups: 2,
          routes: [],
        };
        return json({
          route: {
            ...route,
            id: '0',
            receiver: 'team',
            routes: [
              {
                ...route,
                id: '0/0',
                receiver: 'pager',
                matchers: ['severity="critical"'],
                mutedBy: ['weekend'],
                groups: 1,
              },
            ],
          },
        });
      }
      case '/vigie/v1/routes/test':
        return json({
          routes: [{ id: '0/0', receiver: 'pager', groupLabels: {}, groupWaitMs: 30_000, mutedBy: [] }],
          silencedBy: [],
          inhibitedBy: [],
        });
      case '/vigie/v1/alerting/status':
        return json({ problem: '', receivers: 1, alerts: 3, deadLetters: 1 });
      case '/vigie/v1/silences/preview':
        return json({
          total: 1,
          alerts: [{ fingerprint: 'f0', labels: { alertname: 'DiskFull' }, receivers: ['team'], silencedBy: [] }],
        });
      case '/vigie/v1/events':
        return json({
          events: [
            {
              id: 'e1',
              source: '/ci',
              type: 'deploy',
              subject: 'api',
              timeMs: Date.now() - 6e5,
              data: { version: '1.2.3' },
              extensions: {},
            },
          ],
        });
      case '/vigie/v1/tenants':
        return json({
          tenants: state.tenants.map((t) => ({
            id: t.id,
            name: t.name,
            createdAtMs: 1.7e12,
            state: 'active',
            synthetic: t.synthetic,
            limits: [
              { id: 'active_series', unit: 'count', used: 8_000, limit: 10_000 },
              { id: 'ingest_rate', unit: 'per_second', used: 120 },
            ],
          })),
        });
      case '/vigie/v1/keys':
        if (request.method === 'POST')
          return json({
            id: 'k2',
            name: 'new',
            role: 'viewer',
            scopes: [],
            createdAtMs: Date.now(),
            createdBy: 'dana',
            secret: 'vk_shown_once',
          });
        return json({
          keys: [{ id: 'k1', name: 'ci', role: 'editor', scopes: ['ingest'], createdAtMs: 1.7e12, createdBy: 'dana' }],
        });
      case '/vigie/v1/users':
        return json({ users: [{ name: 'dana', role: 'admin', lastSeenMs: Date.now() - 9e5 }] });
      case '/vigie/v1/receivers':
        return json({
          receivers: [
            { name: 'team', integrations: [{ kind: 'webhook', index: 0, detail: 'https://hooks.example/…' }] },
          ],
        });
      case '/vigie/v1/receivers/team/test':
        return json({ results: [{ kind: 'webhook', index: 0, ok: true, durationMs: 34, error: '' }] });
      case '/vigie/v1/audit':
        return json({
          entries: [
            {
              sequence: 1,
              atMs: 1.7e12,
              who: 'dana',
              action: 'key.create',
              target: 'ci',
              after: { role: 'editor' },
              hash: 'a'.repeat(64),
            },
          ],
        });
      case '/vigie/v1/audit/verify':
        return json({ ok: true, entries: 1 });
      case '/vigie/v1/service-discovery':
        return json({
          pools: [
            {
              name: 'node',
              active: 1,
              dropped: 1,
              error: '',
              targets: [
                { discovered: { __address__: '10.0.0.1:9100' }, labels: { instance: '10.0.0.1:9100', job: 'node' } },
                { discovered: { __address__: '10.0.0.2:9100' } },
              ],
            },
          ],
        });
    }
    const told = intelligenceAnswer(route);
    if (told !== undefined) return json(told);
    const board = /^\/vigie\/v1\/dashboards\/([^/]+)(\/versions)?$/.exec(route);
    if (board) {
      const uid = board[1]!;
      const found = dashboards.get(uid);
      if (request.method === 'PUT') {
        dashboards.set(uid, {
          dashboard: (JSON.parse(body) as { dashboard: unknown }).dashboard,
          version: (found?.version ?? 0) + 1,
        });
        return json({ uid, version: (found?.version ?? 0) + 1 });
      }
      if (!found) return json({ error: { code: 'not_found', message: `no dashboard ${uid}` } }, 404);
      if (board[2])
        return json({
          versions: Array.from({ length: found.version }, (_, i) => ({
            version: found.version - i,
            atMs: 1.7e12,
            by: 'dana',
            message: 'import',
          })),
        });
      return json({
        uid,
        title: 'x',
        folder: 'Team',
        tags: [],
        source: 'own',
        version: found.version,
        updatedAtMs: 1.7e12,
        updatedBy: 'dana',
        editable: true,
        dashboard: found.dashboard,
      });
    }
    const label = /^\/api\/v1\/label\/(\w+)\/values$/.exec(route);
    if (label) return ok(label[1] === 'instance' ? ['a', 'b', 'c'] : ['api', 'node']);
    if (/^\/api\/v1\/(labels|series|metadata|status\/flags)$/.test(route))
      return ok(route.endsWith('metadata') || route.endsWith('flags') ? {} : []);
    if (/^\/(api|vigie)\//.test(route))
      return json({ error: { code: 'not_found', message: `no route ${route}` } }, 404);
    const file = path.extname(route) === '' ? '/index.html' : route;
    const content = built.get(file);
    if (!content) return void response.writeHead(404).end();
    response
      .writeHead(200, {
        'content-type': TYPES[path.extname(file)] ?? 'application/octet-stream',
        'content-security-policy':
          "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; worker-src 'self' blob:; connect-src 'self'",
      })
      .end(content);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return Object.assign(state, {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: async () => {
      clearInterval(timer);
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  });
}

function session(state: { signedIn: boolean; tenants: SessionAnswer['tenants'] }): SessionAnswer {
  const { signedIn, tenants } = state;
  return {
    state: signedIn ? 'signed_in' : 'signed_out',
    csrfToken: 'csrf',
    ...(signedIn ? { principal: { id: 'u1', name: 'dana', kind: 'session' } } : {}),
    tenants: signedIn ? tenants : [],
    defaultTenant: tenants[0]!.id,
    platform: tenants.length > 1,
    environment: 'dev',
    version: '0.1.0',
    methods: ['key', 'password'],
  };
}

function overview(): OverviewAnswer {
  return {
    atMs: Date.now(),
    version: '0.1.0',
    startedAtMs: Date.now() - 3.6e6,
    environment: 'dev',
    health: [
      { id: 'metrics-store', kind: 'own', state: 'ok', detail: '' },
      { id: 'rules', kind: 'own', state: 'ok', detail: '' },
      {
        id: 'prometheus',
        kind: 'connected',
        state: 'degraded',
        detail: 'answers in 2.1 s; see its load',
        version: '3.5.3',
        url: 'http://127.0.0.1:9090',
      },
    ],
    features: [{ id: 'auto_scaling', state: 'configured_inactive', detail: 'configured; its engine is not built' }],
    alerts: { firing: 2, pending: 1, silenced: 1, bySeverity: { critical: 1, warning: 1 } },
    ingest: { samplesPerSecond: 1_234, activeSeries: 12_345, refused: { quota: 3 } },
    rules: { groups: 2, rules: 14, failing: 0, unknown: 1, lastEvaluationAtMs: Date.now() - 4_000 },
    targets: { up: 3, down: 1, unknown: 0 },
    storage: { bytes: 48_000_000, headBytes: 0, retentionMs: 30 * 86_400_000, diskFreeBytes: 52e9 },
    notifications: { sent: 10, failed: 0 },
    demo: false,
  };
}

const hash = (text: string): number => [...text].reduce((h, c) => (h * 31 + c.charCodeAt(0)) % 1_000_003, 7);
const times = (start: number, end: number, step: number): number[] =>
  Array.from({ length: Math.floor((end - start) / step + 1e-9) + 1 }, (_, i) => start + i * step);
const pairs = (...names: string[]) => names.map((name, i) => ({ name, value: 4_000 / (i + 1) }));

function seriesOf(expr: string, tenant: string) {
  if (noTelemetry(expr)) return [];
  const seed = hash(expr);
  const buckets = expr.includes('_bucket') ? ['0.1', '0.5', '1', '+Inf'] : undefined;
  return (buckets ?? ['a', 'b', 'c']).map((name, i) => ({
    metric: {
      instance: name,
      device: `sd${name}`,
      mountpoint: `/${name}`,
      job: 'node',
      tenant,
      ...(buckets ? { le: name } : {}),
    } as Record<string, string>,
    gap: (at: number) => i === 2 && Math.floor(at / 600) % 4 === 0,
    at: (at: number) =>
      /^up/.test(expr)
        ? Number(Math.floor(at / 300 + i) % 5 !== 0)
        : Math.round(
            (40 +
              (seed % 20) +
              (buckets ? 30 * i : 0) +
              18 * Math.sin(at / (400 + 130 * i) + seed) +
              3 * Math.sin(at / 37)) *
              100,
          ) / 100,
  }));
}

function alert(i: number, tenant: string) {
  const severity = ['critical', 'warning', 'info'][i % 3]!;
  return {
    fingerprint: `f${i}`,
    labels: { alertname: i % 2 ? 'HighLatency' : 'DiskFull', severity, instance: `host-${i}`, tenant },
    annotations: { summary: `The disk of host-${i} is 91 % full`, runbook_url: 'https://runbooks.example/disk' },
    startsAt: new Date(Date.now() - 6e5 - i * 1_000).toISOString(),
    endsAt: new Date(Date.now() + 3e5).toISOString(),
    updatedAt: new Date().toISOString(),
    receivers: [{ name: 'team' }],
    status: { state: i === 2 ? 'suppressed' : 'active', silencedBy: i === 2 ? ['s1'] : [], inhibitedBy: [] },
  };
}

function ruleGroups() {
  const base = {
    health: 'ok',
    lastEvaluation: new Date().toISOString(),
    evaluationTime: 0.0012,
    labels: { severity: 'critical' },
    annotations: {},
  };
  return [
    {
      name: 'host',
      file: 'host.yml',
      interval: 15,
      evaluationTime: 0.004,
      lastEvaluation: base.lastEvaluation,
      rules: [
        {
          ...base,
          name: 'DiskFull',
          type: 'alerting',
          query: '100 * (1 - node_filesystem_avail_bytes / node_filesystem_size_bytes) > 60',
          duration: 300,
          state: 'firing',
          alerts: [],
        },
        {
          ...base,
          name: 'HighLatency',
          type: 'alerting',
          query: 'histogram_quantile(0.95, rate(x_bucket[5m])) > 0.2',
          duration: 60,
          state: 'pending',
          alerts: [
            {
              labels: { alertname: 'HighLatency', severity: 'warning' },
              annotations: {},
              state: 'pending',
              activeAt: new Date(Date.now() - 3e4).toISOString(),
              value: '0.3',
            },
          ],
        },
        {
          ...base,
          name: 'instance:cpu:rate5m',
          type: 'recording',
          query: 'rate(node_cpu_seconds_total[5m])',
          health: 'err',
          lastError: 'many-to-many matching not allowed',
        },
      ],
    },
  ];
}

function activeTargets() {
  const base = {
    scrapePool: 'node',
    discoveredLabels: { __address__: 'x' },
    lastScrape: new Date().toISOString(),
    lastScrapeDuration: 0.012,
    lastError: '',
  };
  return [
    {
      ...base,
      scrapeUrl: 'http://10.0.0.1:9100/metrics',
      health: 'up',
      labels: { instance: '10.0.0.1:9100', job: 'node' },
    },
    {
      ...base,
      scrapeUrl: 'http://10.0.0.2:9100/metrics',
      health: 'down',
      labels: { instance: '10.0.0.2:9100', job: 'node' },
      lastError: 'connect ECONNREFUSED 10.0.0.2:9100',
    },
  ];
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  return Buffer.concat(parts).toString('utf8');
}
