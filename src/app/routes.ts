/** The table of everything that is served, made from the parts that setup.ts built. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import type { AlertForwarder } from '../alerting/forwarder.ts';
import type { ApplyService } from '../catalogue/apply/apply-service.ts';
import type { CatalogueService } from '../catalogue/catalogue-service.ts';
import type { DashboardStore } from '../dashboards/dashboard-store.ts';
import type { EventStore } from '../events/event-store.ts';
import type { HeartbeatMonitors } from '../heartbeats/heartbeat-monitors.ts';
import { alertmanagerRoutes } from '../http/alertmanager/routes.ts';
import type { CardinalityAnswer, ServiceDiscoveryAnswer } from '../http/contract/insight.ts';
import type { LiveSnapshot } from '../http/contract/live.ts';
import { mimirConfigRoutes } from '../http/mimir/config-routes.ts';
import { openApi } from '../http/openapi.ts';
import { otlpMetricsRoutes } from '../http/otlp/metrics.ts';
import { federateRoute } from '../http/prometheus/federate.ts';
import { importRoute } from '../http/prometheus/import.ts';
import { prometheusQueryRoutes } from '../http/prometheus/query.ts';
import { timeParam } from '../http/prometheus/query-params.ts';
import { remoteReadRoute } from '../http/prometheus/remote-read.ts';
import { remoteWriteRoute } from '../http/prometheus/remote-write.ts';
import { prometheusRulesRoutes } from '../http/prometheus/rules.ts';
import { statusRoutes } from '../http/prometheus/status.ts';
import { targetsRoutes } from '../http/prometheus/targets.ts';
import type { Route } from '../http/route.ts';
import { staticFiles } from '../http/static-files.ts';
import { administrationRoutes } from '../http/vigie/administration.ts';
import { alertingRoutes } from '../http/vigie/alerting.ts';
import { type CallbackProgram, callbackSecretRoutes } from '../http/vigie/callback-secrets.ts';
import { catalogueRoutes } from '../http/vigie/catalogue.ts';
import { catalogueJobRoutes } from '../http/vigie/catalogue-jobs.ts';
import { dashboardRoutes } from '../http/vigie/dashboards.ts';
import { demoRoutes } from '../http/vigie/demo.ts';
import { eventRoutes } from '../http/vigie/events.ts';
import { incidentRoutes } from '../http/vigie/incidents.ts';
import { insightRoutes } from '../http/vigie/insight.ts';
import { intelligenceRoutes } from '../http/vigie/intelligence.ts';
import { liveRoutes } from '../http/vigie/live.ts';
import { onCallRoutes } from '../http/vigie/on-call.ts';
import { operationsRoutes } from '../http/vigie/operations.ts';
import { overviewRoutes } from '../http/vigie/overview.ts';
import { platformRoutes } from '../http/vigie/platform.ts';
import { rehearsalRoutes } from '../http/vigie/rehearsal.ts';
import { remediationRoutes } from '../http/vigie/remediation.ts';
import { vigieRulesRoutes } from '../http/vigie/rules.ts';
import { sessionRoutes } from '../http/vigie/session.ts';
import { stakeholderRoutes } from '../http/vigie/stakeholders.ts';
import { statusPageRoutes } from '../http/vigie/status-page.ts';
import { tenantConfigRoutes } from '../http/vigie/tenant-config.ts';
import { createExpositionParser } from '../ingest/exposition/parser.ts';
import { RawSeriesMemory } from '../ingest/exposition/series-memory.ts';
import { RemoteWrite1Decoder } from '../ingest/remote-write/decode-v1.ts';
import { RemoteWrite2Decoder } from '../ingest/remote-write/decode-v2.ts';
import { SnappyDecoder } from '../ingest/snappy.ts';
import type { Clock } from '../lib/clock.ts';
import { messageOf, VigieError } from '../lib/errors.ts';
import type { Logger } from '../lib/logger.ts';
import type { SelfMetrics } from '../lib/self-metrics.ts';
import type { EventLog } from '../live/event-log.ts';
import type { QuerySubscriptions } from '../live/query-subscriptions.ts';
import { formatDuration } from '../model/duration.ts';
import type { Labels } from '../model/labels.ts';
import type { Matcher } from '../model/matcher.ts';
import type { TenantId } from '../model/tenant.ts';
import { compileMatcher } from '../regex/matcher.ts';
import type { AlertHistory } from '../rules/alert-history.ts';
import type { RuleTemplates } from '../rules/ports.ts';
import type { RuleService } from '../rules/rule-service.ts';
import type { PrometheusConfig } from '../scrape/config.ts';
import type { AuditLog } from '../security/audit/audit-log.ts';
import type { EdgeDiscovery } from '../services/edge-discovery.ts';
import type { ServiceRegistry } from '../services/service-registry.ts';
import type { DocumentStore } from '../store/documents.ts';
import type { EmbeddedMetricsStore } from '../store/embedded/metrics/embedded-metrics-store.ts';
import type { MetricsStore } from '../store/metrics.ts';
import type { Accounts } from '../tenancy/accounts.ts';
import type { ApiKeys } from '../tenancy/api-keys.ts';
import type { AuditChange, RequestContext } from '../tenancy/context.ts';
import type { TenantDirectory } from '../tenancy/tenant-directory.ts';
import type { CataloguePacks } from './catalogue-packs.ts';
import type { DataFolder } from './data-folder.ts';
import type { DemoRunner } from './demo-runner.ts';
import type { Detectors } from './detectors.ts';
import type { Incidents } from './incidents.ts';
import type { ResolvedOptions } from './options.ts';
import type { Overview } from './overview.ts';
import type { Queries } from './queries.ts';
import { rehearsalPorts } from './rehearsal.ts';
import type { Routing } from './routing.ts';
import { takeSnapshot } from './snapshot.ts';
import type { Telemetry } from './telemetry.ts';
import type { ConfigChange, TenantConfigs } from './tenant-config.ts';
import { exportTenant } from './tenant-export.ts';
import type { TenantRemoval } from './tenant-removal.ts';

export interface RouteParts {
  readonly resolved: () => ResolvedOptions;
  readonly version: string;
  readonly externalUrl: string;
  /** Dev on a loopback address. */
  readonly mayCreateTenants: boolean;
  readonly startedAtMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: SelfMetrics;
  readonly store: MetricsStore;
  readonly embedded: EmbeddedMetricsStore | undefined;
  readonly externalLabels: (tenant: TenantId) => Labels;
  readonly documents: DocumentStore;
  readonly directory: TenantDirectory;
  readonly keys: ApiKeys;
  readonly accounts: Accounts;
  readonly auditLog: AuditLog;
  readonly audit: AuditChange;
  readonly telemetry: Telemetry;
  readonly queries: Queries;
  readonly routing: Routing;
  readonly rules: RuleService;
  readonly alertHistory: AlertHistory;
  readonly incidents: Incidents;
  readonly ruleTemplates: (tenant: TenantId) => RuleTemplates;
  readonly detectors: Detectors;
  readonly demo: DemoRunner;
  readonly live: EventLog;
  readonly liveQueries: QuerySubscriptions<RequestContext>;
  readonly dashboards: DashboardStore;
  readonly events: EventStore;
  readonly heartbeats: HeartbeatMonitors;
  readonly services: ServiceRegistry;
  readonly edges: EdgeDiscovery;
  readonly overview: Overview;
  readonly configs: TenantConfigs;
  readonly removal: TenantRemoval;
  readonly packs: CataloguePacks;
  readonly catalogue: CatalogueService;
  readonly applyJobs: ApplyService;
  readonly tenantsMayApply: () => boolean;
  readonly forwarder: AlertForwarder;
  readonly folder: DataFolder;
  readonly prometheusConfig: () => PrometheusConfig | undefined;
  readonly reloadState: () => { readonly ok: boolean; readonly atMs: number };
  readonly reload: () => Promise<unknown>;
  readonly notReady: () => string | undefined;
  readonly newId: () => string;
  readonly hostName: string;
}

/** Alerts in a snapshot of the live stream; more must be fetched. */
/** Slack takes answers to a press for half an hour; a person waits no longer than this. */
const CHAT_ANSWER_MS_MAX = 10_000;
const SNAPSHOT_ALERTS_MAX = 1_000;

export function routeTable(p: RouteParts): {
  readonly routes: readonly Route[];
  readonly fallback?: ReturnType<typeof staticFiles>;
} {
  const { options } = p.resolved();
  const [one, two, snappy] = [new RemoteWrite1Decoder(), new RemoteWrite2Decoder(), new SnappyDecoder()];
  const writer = (tenant: TenantId) => p.telemetry.writer(tenant);
  const selector = (text: string): readonly Matcher[] => {
    const expr = p.queries.engine.parse(text);
    if (expr.kind !== 'selector')
      throw new VigieError('bad_data', `want a series selector such as {job="api"}, got ${text.slice(0, 200)}`);
    return expr.matchers;
  };
  let imports = 0;
  const configPorts = {
    requireTenant: async (tenant: TenantId) => {
      if (p.directory.get(tenant)) return;
      if (!p.mayCreateTenants) throw new VigieError('not_found', `no tenant ${tenant}`);
      await p.directory.ensure(tenant);
    },
    get: (tenant: TenantId) => p.configs.get(tenant),
    put: (tenant: TenantId, change: ConfigChange, by: string, expect?: number) =>
      p.configs.put(tenant, change, by, expect),
    versions: (tenant: TenantId) => p.configs.versions(tenant),
    restore: (tenant: TenantId, version: number, by: string) => p.configs.restore(tenant, version, by),
    audit: p.audit,
  };
  const auditExternal = async (tenant: TenantId, actor: string, action: string, target: string): Promise<void> =>
    void (await p.auditLog.append(tenant, { actor, actorName: actor, action, target, requestId: '' }));
  const routes: Route[] = [];
  routes.push(
    // telemetry in
    remoteWriteRoute({
      writer,
      decompress: (body, max) => snappy.decode(body, max),
      decode1: (body) => one.decode(body),
      decode2: (body) => two.decode(body),
    }),
    ...otlpMetricsRoutes({ writer }),
    // Prometheus' API
    ...prometheusQueryRoutes(p.queries.ports()),
    federateRoute({
      reader: (context) => p.queries.reader(context.tenant),
      clock: p.clock,
      parseSelector: selector,
      externalLabels: (context) => p.externalLabels(context.tenant),
      limits: (context) => storeLimits(p, context),
    }),
    remoteReadRoute({
      reader: (context) => p.queries.reader(context.tenant),
      decompress: (body, max) => snappy.decode(body, max),
      externalLabels: (context) => p.externalLabels(context.tenant),
      limits: (context) => storeLimits(p, context),
    }),
    importRoute({
      parser: createExpositionParser(),
      createMemory: () => new RawSeriesMemory(Buffer.from(`import${imports++}\u0000`)),
      importSeries: (tenant, series) => {
        if (!p.embedded) throw new VigieError('unsupported', 'metrics are kept by another program; import them there');
        return p.embedded.importSeries(tenant, series);
      },
      audit: p.audit,
    }),
    ...targetsRoutes({
      pools: (tenant) => p.telemetry.pools(tenant),
      matchTarget: (text, labels) => matchesAll(selector(text), labels),
    }),
    ...prometheusRulesRoutes({
      view: (context) => p.rules.view(context.tenant),
      parseSelector: selector,
      compileMatcher,
    }),
    ...statusRoutes({
      store: p.store,
      config: (context) => configText(p, context),
      flags: () => flagsOf(p.resolved()),
      runtime: () => ({
        startMs: p.startedAtMs,
        nowMs: p.clock.now(),
        cwd: p.folder.path,
        hostname: p.hostName,
        retention: options.retention === 0 ? 'infinite' : formatDuration(options.retention),
        lastReloadMs: p.reloadState().atMs,
        reloadOk: p.reloadState().ok,
        corruptions: p.metrics.counter(
          'vigie_metrics_corruptions_total',
          'Damaged records, chunks and blocks that were left out.',
        ).value,
      }),
      alertmanagers: () => p.forwarder.urls,
      parseSelector: selector,
      parseTime: (text, name) => timeParam(new URLSearchParams({ [name]: text }), name),
      snapshot: async () => {
        const name = `${new Date(p.clock.now()).toISOString().replace(/[:.]/g, '')}-${p.newId().slice(0, 8)}`;
        await takeSnapshot(
          {
            dataFolder: p.folder.path,
            store: p.store,
            documents: p.documents,
            documentsEmbedded: options.database_url === undefined,
            metricsEmbedded: p.embedded !== undefined,
          },
          name,
        );
        return name;
      },
      ...(p.embedded ? { cleanTombstones: (tenant: TenantId) => p.embedded!.cleanTombstones(tenant) } : {}),
      audit: p.audit,
    }),
    // Alertmanager's API
    ...alertmanagerRoutes({
      alerting: (tenant) => p.routing.service.tenant(tenant),
      version: p.version,
      startedAtMs: p.startedAtMs,
      now: () => p.clock.now(),
      onPosted: (tenant, alerts) => p.incidents.onPosted(tenant, alerts),
    }),
    // ours
    ...operationsRoutes({
      notReady: p.notReady,
      expose: () => p.metrics.expose(),
      reload: p.reload,
      openApi: () => openApi(routes, p.version),
      health: () => p.overview.health(),
    }),
    ...overviewRoutes({
      overview: (context) => p.overview.overview(context),
      features: () => p.overview.features(),
      firstRun: (context) => p.overview.firstRun(context),
    }),
    ...insightRoutes({
      queryLog: (context, limit, minMs) => ({ queries: p.queries.log.list(context.tenant, limit, minMs) }),
      cardinality: (context, limit) => cardinality(p, context, limit),
      serviceDiscovery: (context) => serviceDiscovery(p, context),
    }),
    ...liveRoutes({
      log: p.live,
      queries: p.liveQueries,
      snapshot: (context) => snapshot(p, context),
      checkQuery: (expr) => void p.queries.engine.parse(expr),
      liveQueriesMax: (context) => p.directory.limits(context.tenant).live_queries,
      onRevoked: (listener) => p.keys.onRevoke((id) => listener(`key:${id}`)),
      newId: p.newId,
      clock: p.clock,
    }),
    ...sessionRoutes({
      accounts: p.accounts,
      keys: p.keys,
      directory: p.directory,
      environment: options.environment,
      version: p.version,
      defaultTenant: options.tenant,
      secure: options.web_config_file !== undefined || (options.external_url?.startsWith('https:') ?? false),
      proxies: options.trusted_proxies.length > 0,
      audit: p.audit,
    }),
    ...administrationRoutes({
      directory: p.directory,
      keys: p.keys,
      accounts: p.accounts,
      auditLog: p.auditLog,
      audit: p.audit,
      use: (tenant) => {
        const stats = p.store.stats(tenant);
        return {
          activeSeries: stats.activeSeries,
          diskBytes: stats.diskBytes,
          rules: p.rules.view(tenant).groups.reduce((n, g) => n + g.rules.length, 0),
          queriesRunning: p.queries.gate.running(tenant),
          liveQueries: p.liveQueries.count(tenant),
        };
      },
      deleteTenant: (tenant) => p.removal.remove(tenant),
      exportTenant: (tenant) => exportTenant(tenant, p),
      nowMs: () => p.clock.now(),
    }),
    ...alertingRoutes({
      alerting: (tenant) => p.routing.service.tenant(tenant),
      service: p.routing.service,
      audit: p.audit,
      externalURL: p.externalUrl,
      nowMs: () => p.clock.now(),
    }),
    ...vigieRulesRoutes({
      query: p.queries.ports(),
      config: configPorts,
      history: (context, filter) => p.alertHistory.list(context.tenant, filter),
    }),
    ...intelligenceRoutes({ intelligence: p.detectors.service, audit: p.audit }),
    ...incidentRoutes({
      incidents: p.incidents.service,
      hooks: p.incidents.hooks,
      clock: p.clock,
      linkKey: p.incidents.linkKey,
      callbackSecret: (tenant, program) => p.incidents.callbackSecret(tenant, program),
      answerSlack: (url, answer) => {
        p.routing
          .guardedHttp({
            method: 'POST',
            url,
            headers: { 'content-type': 'application/json' },
            body: JSON.stringify(answer),
            http: { followRedirects: false },
            signal: AbortSignal.timeout(CHAT_ANSWER_MS_MAX),
          })
          // the button has worked; who pressed it misses the words
          .catch((error: unknown) => p.logger.warn('Slack took no answer to a button', { error: messageOf(error) }));
      },
      silence: async (tenant, silences, { durationMs, comment, createdBy }) => {
        const alerting = await p.routing.service.tenant(tenant);
        const startsAtMs = p.clock.now();
        return Promise.all(
          silences.map((matchers) =>
            alerting.setSilence({
              matchers: matchers.map((m) => ({ name: m.name, op: '=' as const, value: m.value })),
              startsAtMs,
              endsAtMs: startsAtMs + durationMs,
              createdBy,
              comment,
            }),
          ),
        );
      },
      remediate: (tenant, incident, how) => p.incidents.remediate(tenant, incident, how),
      audit: p.audit,
      auditExternal,
    }),
    ...platformRoutes({
      reader: (tenant) => p.queries.reader(tenant),
      audit: p.audit,
      tenants: () =>
        p.directory
          .list()
          .filter((t) => t.state === 'active')
          .map((t) => t.id),
      evaluate: (_context, tenant, reader, expr, atMs, signal) =>
        p.queries.vectorOf(tenant, reader, expr, atMs, signal),
      nowMs: () => p.clock.now(),
    }),
    ...callbackSecretRoutes({
      configured: async (tenant) => (await p.incidents.callbackPrograms(tenant)) as readonly CallbackProgram[],
      put: (tenant, program, secret) => p.incidents.putCallbackSecret(tenant, program, secret),
      audit: p.audit,
    }),
    ...statusPageRoutes({
      incidents: p.incidents.service,
      pages: p.incidents.statusPages,
      clock: p.clock,
      silentServices: (tenant) => p.incidents.silentServices(tenant),
      audit: p.audit,
    }),
    ...stakeholderRoutes({
      incidents: p.incidents.service,
      clock: p.clock,
      linkKey: p.incidents.linkKey,
      audit: p.audit,
      auditExternal,
    }),
    ...onCallRoutes({ incidents: p.incidents.service, clock: p.clock, audit: p.audit }),
    ...remediationRoutes({
      remediation: p.incidents.remediation,
      incidents: p.incidents.service,
      enabled: options.intelligent_alerts.auto_remediation,
      audit: p.audit,
    }),
    ...rehearsalRoutes({
      incidents: p.incidents.service,
      clock: p.clock,
      ...rehearsalPorts({
        rules: p.rules,
        queries: p.queries,
        routing: p.routing,
        incidents: p.incidents,
        templates: p.ruleTemplates,
      }),
    }),
    ...demoRoutes({
      state: () => p.demo.state(),
      enable: () => p.demo.start(),
      disable: () => p.demo.remove(),
      audit: p.audit,
    }),
    ...catalogueRoutes({ catalogue: p.catalogue, audit: p.audit }),
    ...catalogueJobRoutes({ jobs: p.applyJobs, byTenants: p.tenantsMayApply, audit: p.audit }),
    ...tenantConfigRoutes(configPorts),
    ...mimirConfigRoutes(configPorts),
    ...dashboardRoutes({ dashboards: p.dashboards, audit: p.audit }),
    ...eventRoutes({
      events: p.events,
      heartbeats: p.heartbeats,
      services: p.services,
      edges: p.edges,
      audit: p.audit,
      clock: p.clock,
    }),
  );
  const folder = consoleFolder();
  const fallback = folder === undefined ? undefined : staticFiles(folder);
  return { routes, ...(fallback ? { fallback } : {}) };
}

/** Beside src/ in a checkout (dist/console), beside the server in the package. */
function consoleFolder(): string | undefined {
  const root = path.resolve(import.meta.dirname, '../..');
  return [path.join(root, 'dist/console'), path.join(root, 'console')].find((f) =>
    existsSync(path.join(f, 'index.html')),
  );
}

function matchesAll(matchers: readonly Matcher[], labels: Labels): boolean {
  return matchers.every((m) => compileMatcher(m).matches(labels.get(m.name)));
}

function configText(p: RouteParts, context: RequestContext): string {
  return context.tenant === p.resolved().options.tenant ? (p.prometheusConfig()?.printed ?? '') : '';
}

function storeLimits(p: RouteParts, context: RequestContext): { seriesMax: number; samplesMax: number } {
  const l = p.directory.limits(context.tenant);
  return { seriesMax: l.query_series, samplesMax: l.query_samples };
}

const SECRET_SETTINGS = new Set([
  'database_url',
  'redis_url',
  'prometheus_url',
  'alertmanager_url',
  'grafana_url',
  'heartbeat',
]);

function flagsOf({ options }: ResolvedOptions): Record<string, string> {
  const out: Record<string, string> = {};
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined) continue;
    const text = typeof value === 'object' ? JSON.stringify(value) : String(value);
    out[name.replace(/_/g, '-')] = SECRET_SETTINGS.has(name) ? text.replace(/\/\/[^@/"]*@/g, '//<secret>@') : text;
  }
  return out;
}

async function cardinality(p: RouteParts, context: RequestContext, limit: number): Promise<CardinalityAnswer> {
  const stats = await p.store.cardinality(context.tenant, limit);
  const carriers = new Map(stats.seriesCountByLabelName.map((e) => [e.name, e.value]));
  return {
    activeSeries: stats.headSeries,
    seriesLimit: p.directory.limits(context.tenant).active_series,
    byMetric: stats.seriesCountByMetricName.map((e) => ({ name: e.name, series: e.value })),
    byLabel: stats.labelValueCountByLabelName.map((e) => ({
      name: e.name,
      values: e.value,
      series: carriers.get(e.name) ?? 0,
    })),
    byPair: stats.seriesCountByLabelValuePair.map((e) => {
      const cut = e.name.indexOf('=');
      return { name: e.name.slice(0, cut), value: e.name.slice(cut + 1), series: e.value };
    }),
  };
}

function serviceDiscovery(p: RouteParts, context: RequestContext): ServiceDiscoveryAnswer {
  return {
    pools: p.telemetry.pools(context.tenant).map(({ name, pool }) => ({
      name,
      active: pool.active.length,
      dropped: pool.droppedCount,
      error: '',
      targets: [
        ...pool.active.map((t) => ({ discovered: t.target.discovered.toObject(), labels: t.target.labels.toObject() })),
        ...pool.dropped.map((labels) => ({ discovered: labels.toObject() })),
      ],
    })),
  };
}

function snapshot(p: RouteParts, context: RequestContext): LiveSnapshot {
  const view = p.rules.view(context.tenant);
  const alerts: LiveSnapshot['alerts'][number][] = [];
  let truncated = false;
  for (const group of view.groups)
    for (const rule of group.rules)
      for (const a of rule.alerts) {
        if (a.state === 'inactive') continue;
        if (alerts.length >= SNAPSHOT_ALERTS_MAX) {
          truncated = true;
          continue;
        }
        alerts.push({
          fingerprint: a.labels.fingerprint(),
          atMs: a.firedAtMs ?? a.activeAtMs,
          rule: rule.name,
          group: group.name,
          labels: a.labels.toObject(),
          annotations: a.annotations.toObject(),
          from: a.state === 'firing' ? 'pending' : 'inactive',
          to: a.state,
          value: a.value,
          activeAtMs: a.activeAtMs,
        });
      }
  const targets = { up: 0, down: 0, unknown: 0 };
  for (const { pool } of p.telemetry.pools(context.tenant)) for (const t of pool.active) targets[t.health]++;
  return { alerts, truncated, rules: { failing: view.rulesFailing, unknown: view.rulesUnknown }, targets };
}
