/**
 * The one place that puts Vigie together: a straight line from the lock of the data folder to the listening socket.
 * Each part that has a life registers its clean-up; they run in reverse, also when a later step fails. It is long
 * because it is one line of thought: cutting it would only hide in which order things come to life.
 */
import { randomBytes } from 'node:crypto';
import type { Server } from 'node:http';
import { hostname } from 'node:os';
import path from 'node:path';
import type { Server as TlsServer } from 'node:tls';
import { AlertForwarder } from '../alerting/forwarder.ts';
import { createHttpSend } from '../alerting/notify/http-send.ts';
import { DashboardStore } from '../dashboards/dashboard-store.ts';
import { demoTopology } from '../demo/topology.ts';
import { EventStore } from '../events/event-store.ts';
import { HeartbeatMonitors } from '../heartbeats/heartbeat-monitors.ts';
import { OutgoingHeartbeat } from '../heartbeats/outgoing-heartbeat.ts';
import type { Route } from '../http/route.ts';
import { HttpServer } from '../http/server.ts';
import { createAddressGuard } from '../lib/address-guard.ts';
import type { Clock } from '../lib/clock.ts';
import { messageOf, VigieError } from '../lib/errors.ts';
import type { Logger } from '../lib/logger.ts';
import { SelfMetrics } from '../lib/self-metrics.ts';
import { EventLog } from '../live/event-log.ts';
import { QuerySubscriptions } from '../live/query-subscriptions.ts';
import type { AlertTransition, RuleHealth } from '../model/alert.ts';
import { Labels } from '../model/labels.ts';
import { PLATFORM_TENANT, type TenantId } from '../model/tenant.ts';
import { parseRemoteWrite } from '../remote-write-out/config.ts';
import { RemoteWriteOut } from '../remote-write-out/remote-write-out.ts';
import { AlertHistory } from '../rules/alert-history.ts';
import { createEvaluators } from '../rules/incremental/create-evaluators.ts';
import { RuleService } from '../rules/rule-service.ts';
import { createRuleTemplates } from '../rules/templates.ts';
import { compileRelabel } from '../scrape/relabel.ts';
import { AuditLog } from '../security/audit/audit-log.ts';
import { Accounts } from '../tenancy/accounts.ts';
import { ApiKeys } from '../tenancy/api-keys.ts';
import { Authenticator, isLoopback } from '../tenancy/authenticator.ts';
import type { RequestContext } from '../tenancy/context.ts';
import { metricsQuota } from '../tenancy/limits.ts';
import { VIEW_HEADER, viewedContext } from '../tenancy/platform-reader.ts';
import { keepCopiesFresh } from '../tenancy/shared-copies.ts';
import { TenantDirectory } from '../tenancy/tenant-directory.ts';
import { BootstrapInbox } from './bootstrap-inbox.ts';
import { createCatalogue } from './catalogue.ts';
import { CataloguePacks } from './catalogue-packs.ts';
import type { Cleanups } from './cleanups.ts';
import { openDataFolder } from './data-folder.ts';
import { DemoRunner } from './demo-runner.ts';
import { Detectors } from './detectors.ts';
import { ACTIVE_FEATURES } from './features.ts';
import { Incidents } from './incidents.ts';
import { loopbackRequest } from './loopback-request.ts';
import type { ResolvedOptions } from './options.ts';
import { Overview } from './overview.ts';
import { Queries } from './queries.ts';
import { RecentRefusals } from './recent-refusals.ts';
import { promqlRegex, relabelRegex } from './regex-ports.ts';
import { routeTable } from './routes.ts';
import { alertmanagersOf, Routing } from './routing.ts';
import { ruleState } from './rule-state.ts';
import { openCache, openDocuments, openMetrics } from './stores.ts';
import { openSurroundings } from './surroundings.ts';
import { Telemetry } from './telemetry.ts';
import { TenantConfigs } from './tenant-config.ts';
import { TenantRemoval } from './tenant-removal.ts';
import { WebConfig } from './web-config.ts';

export interface SetupInput {
  readonly resolved: ResolvedOptions;
  /** Reads flags, environment and file again, for a reload. */
  readonly resolve: () => ResolvedOptions;
  readonly version: string;
  readonly pid: number;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly cleanups: Cleanups;
}

export interface Running {
  readonly url: string;
  /** What is served, for tests that walk all of it. */
  readonly routes: readonly Route[];
  banner(elapsedMs: number): readonly string[];
  /** Computes all that can fail, then swaps. Throws `bad_config`; the old configuration then goes on. */
  reload(resolve: () => ResolvedOptions): Promise<Readonly<Record<string, unknown>>>;
}

export async function setup(input: SetupInput): Promise<Running> {
  const { clock, logger, cleanups, version } = input;
  let { resolved } = input;
  const { options } = resolved;
  const startedAtMs = clock.now();
  const metrics = new SelfMetrics();

  const folder = openDataFolder(options.data_dir, input.pid);
  cleanups.add('data folder', () => folder.release());

  // how it is reached
  const webConfig =
    options.web_config_file === undefined ? undefined : new WebConfig({ file: options.web_config_file, clock, logger });
  if (webConfig) cleanups.add('web configuration', () => webConfig.close());
  const scheme = webConfig?.tls ? 'https' : 'http';

  // state and tenancy
  const storeInput = { options, folder, clock, logger, metrics, cleanups };
  if (options.database_url !== undefined) {
    // two would both evaluate every rule and send every notification: a second one on this database is refused
    const { takeSoleUse } = await import('../store/external/postgres/sole-use.ts');
    const sole = await takeSoleUse({
      url: options.database_url,
      clock,
      logger,
      onLost: (error) => {
        logger.error('the database was taken by another Vigie; this one ends', { error: messageOf(error) });
        process.kill(input.pid, 'SIGTERM');
      },
    });
    cleanups.add('sole use of PostgreSQL', async () => sole[Symbol.asyncDispose]());
  }
  const documents = await openDocuments(storeInput);
  const cache = await openCache(storeInput);
  const directory = await TenantDirectory.open(documents, clock, [options.tenant]);
  const keys = await ApiKeys.open(documents, clock);
  const accounts = await Accounts.open(documents, clock);
  refuseOpenListening(options, keys.list().length);
  const copies = await keepCopiesFresh({
    copies: [directory.mirror, keys.mirror, accounts.userMirror, accounts.sessionMirror],
    clock,
    ...(options.redis_url === undefined ? {} : { bus: cache }),
    onError: (error) => logger.warn('tenancy could not be read again', { error: messageOf(error) }),
  });
  cleanups.add('tenancy copies', async () => copies[Symbol.asyncDispose]());
  const auditLog = new AuditLog(documents, clock);
  const audit = async (
    context: RequestContext,
    action: string,
    target: string,
    before: unknown,
    after: unknown,
  ): Promise<void> => {
    await auditLog.append(context.tenant, {
      actor: context.principal.id,
      actorName: context.principal.name,
      action,
      target,
      before,
      after,
      requestId: context.requestId,
    });
  };

  const inbox = new BootstrapInbox({
    dataDir: folder.path,
    keys,
    audit: (tenant, entry) => auditLog.append(tenant, entry),
    clock,
    logger,
  });
  cleanups.add('first key', () => inbox.stop());

  // telemetry
  const { store, embedded } = await openMetrics(storeInput, (tenant) => metricsQuota(directory.limits(tenant)));
  const guard = createAddressGuard({ allow: options.allowed_internal_addresses });
  const hostTenant = options.host_tenant ?? (options.environment === 'dev' ? options.tenant : PLATFORM_TENANT);
  const refusals = new RecentRefusals(clock);
  const telemetry = new Telemetry({
    options,
    store,
    clock,
    logger,
    metrics,
    guard,
    ownTenant: hostTenant,
    version,
    refusals,
  });
  cleanups.add('scraping', () => telemetry.close());
  let prometheusConfig = telemetry.readPrometheusConfig(options);
  const remoteWriteTargets = (config: typeof prometheusConfig) =>
    config?.remoteWrite ? parseRemoteWrite(config.remoteWrite, resolved.options.prometheus_config ?? '') : [];
  const targets = remoteWriteTargets(prometheusConfig);
  if (targets.length > 0) {
    const out = new RemoteWriteOut({
      targets,
      externalLabels: Labels.from(prometheusConfig?.externalLabels ?? {}),
      compileRelabel: (rules) => compileRelabel(rules, relabelRegex),
      clock,
      logger,
      metrics,
      userAgent: `Vigie/${version}`,
    });
    telemetry.sendOn(out);
    cleanups.add('remote write', () => out.close());
  }
  const queries = new Queries({ store, directory, clock, features: options.enable_features });
  const writeSamples = (
    tenant: TenantId,
    samples: Parameters<ReturnType<typeof telemetry.writer>['appendSamples']>[0],
  ) => telemetry.writer(tenant).appendSamples(samples);

  // live
  const live = new EventLog(startedAtMs.toString(36));
  const liveQueries = new QuerySubscriptions<RequestContext>(clock, (context, expr, atMs) =>
    queries.live(context, expr, atMs),
  );
  cleanups.add('live queries', () => liveQueries.close());

  // judgement: routing first, so that the first alert finds it
  const externalUrl = options.external_url ?? `${scheme}://${hostForUrl(options.listen.host)}:${options.listen.port}`;
  const forwardTargets = () => [
    ...(options.alertmanager_url === undefined
      ? []
      : [{ url: options.alertmanager_url, http: { followRedirects: true } }]),
    ...alertmanagersOf(prometheusConfig?.alerting, options.prometheus_config ?? ''),
  ];
  const forwarder = new AlertForwarder({
    targets: forwardTargets(),
    send: createHttpSend(undefined),
    clock,
    logger,
    metrics,
  });
  cleanups.add('alert forwarding', () => forwarder[Symbol.asyncDispose]());
  const routing = new Routing({
    folder: folder.store('alerting'),
    options,
    clock,
    logger,
    metrics,
    guard,
    externalUrl,
    forwarder,
    onDecision: () => {},
  });
  cleanups.add('alerting', () => routing.service[Symbol.asyncDispose]());
  // rules run before incidents are there to hear of them; what fires meanwhile is told again within a minute
  const hearing: { incidents?: Incidents; demo?: DemoRunner } = {};
  const ruleHealth = (t: AlertTransition): RuleHealth =>
    rules
      .view(t.tenant as TenantId)
      .groups.find((g) => g.name === t.group)
      ?.rules.find((r) => r.name === t.rule)?.health ?? 'unknown';
  const alertHistory = new AlertHistory({ documents, clock, logger, metrics, retentionMs: options.retention });
  cleanups.add('alert history', () => alertHistory[Symbol.asyncDispose]());
  const templatesOf = new Map<TenantId, ReturnType<typeof createRuleTemplates>>();
  const ruleTemplates = (tenant: TenantId): ReturnType<typeof createRuleTemplates> => {
    let made = templatesOf.get(tenant);
    if (!made) {
      made = createRuleTemplates({
        query: async (expr, timeMs) =>
          (await queries.vector(tenant, expr, timeMs)).map((s) => ({ labels: s.labels, value: s.value })),
        externalUrl,
        externalLabels: externalLabels(tenant),
      });
      templatesOf.set(tenant, made);
    }
    return made;
  };
  const rules = new RuleService({
    clock,
    logger,
    metrics,
    engine: queries.engine,
    source: (tenant) => queries.reader(tenant),
    writer: (tenant) => telemetry.writer(tenant),
    notify: (tenant, alerts) => routing.notify(tenant, alerts),
    onTransition: (t) => {
      alertHistory.record(t);
      hearing.incidents?.onTransition(t, ruleHealth(t));
      const { tenant, labels, annotations, ...rest } = t;
      live.append(tenant as TenantId, 'alert', t.atMs, {
        ...rest,
        labels: labels.toObject(),
        annotations: annotations.toObject(),
      });
    },
    onHealth: ({ tenant, ...change }) => void live.append(tenant, 'rule', change.atMs, change),
    templates: (tenant) => ruleTemplates(tenant),
    externalUrl,
    externalLabels: (tenant) => externalLabels(tenant),
    evaluationIntervalMs: () => prometheusConfig?.evaluationIntervalMs ?? resolved.options.evaluation_interval,
    limits: (tenant) => {
      const l = directory.limits(tenant);
      return { rulesMax: l.rules, alertsMax: l.alerts, query: queries.limits(tenant) };
    },
    state: ruleState(documents),
    ...(embedded
      ? {
          evaluator: createEvaluators({
            mode: options.rule_evaluation,
            source: (tenant) => embedded.incremental(tenant),
            compileRegex: promqlRegex,
            logger,
            metrics,
            features: queries.features,
          }),
        }
      : {}),
  });
  cleanups.add('rules', () => rules[Symbol.asyncDispose]());
  function externalLabels(tenant: TenantId): Labels {
    return tenant === options.tenant ? Labels.from(prometheusConfig?.externalLabels ?? {}) : Labels.EMPTY;
  }

  // configuration of every tenant
  const packs = new CataloguePacks({
    options: () => resolved.options,
    hostTenant,
    isDemo: (tenant) => directory.get(tenant)?.demo ?? false,
    logger,
  });
  const detectors = new Detectors({
    folder: folder.store('detectors'),
    options: () => resolved.options,
    queries,
    writer: (tenant) => telemetry.writer(tenant),
    documents,
    directory,
    packs,
    demoIsLive: () => hearing.demo?.progress() === 1,
    clock,
    logger,
    cleanups,
  });
  const { catalogue, applyJobs } = createCatalogue({
    options: () => resolved.options,
    dataFolder: folder.path,
    operators: hostTenant,
    documents,
    clock,
    logger,
    checkTemplate: (text) => ruleTemplates(options.tenant).check(text),
    load: (tenant) => configs.load(tenant),
  });
  cleanups.add('catalogue jobs', () => applyJobs[Symbol.asyncDispose]());
  const configs: TenantConfigs = new TenantConfigs({
    documents,
    clock,
    logger,
    options: () => resolved.options,
    catalogue: async (tenant) =>
      (
        await catalogue.ruleFiles(tenant, packs.packs(tenant), (pack, problem) =>
          logger.error('a pack of the catalogue does not load for a tenant and is left out', { tenant, pack, problem }),
        )
      ).map((f) => ({ ...f, source: 'catalogue' as const })),
    prometheusRuleFiles: () =>
      (prometheusConfig?.ruleFiles ?? []).map((f) =>
        path.resolve(path.dirname(resolved.options.prometheus_config ?? '.'), f),
      ),
    check: async (tenant, config) => {
      rules.check(tenant, config.rules);
      routing.check(config);
      if (config.scrape !== undefined) telemetry.checkTenant(tenant, config.scrape);
    },
    apply: async (tenant, config) => {
      await routing.apply(tenant, config);
      await rules.configure(tenant, config.rules);
      await telemetry.applyTenant(tenant, config.scrape);
      await detectors.apply(tenant);
    },
  });
  // the operator's own files must be right at a start; a tenant's may not stop the others
  await configs.checkFiles(options.tenant);
  for (const tenant of configs.fileTenants()) if (!directory.get(tenant)) await directory.ensure(tenant);
  for (const tenant of directory.list()) if (tenant.state !== 'deleting') await configs.load(tenant.id);

  // a tenant that appears later, from an API call, the demonstration or another replica, gets its configuration too
  const loaded = new Set(directory.list().map((t) => t.id));
  const stopWatching = directory.onChange((change) => {
    if (typeof change === 'string') return void loaded.delete(change);
    if (change.state === 'deleting' || loaded.has(change.id)) return;
    loaded.add(change.id);
    configs.load(change.id).catch((error: unknown) =>
      logger.error('the configuration of a new tenant was not loaded', {
        tenant: change.id,
        error: messageOf(error),
      }),
    );
  });
  cleanups.add('tenant watch', () => stopWatching());

  // what tenants have beside metrics
  const dashboards = new DashboardStore(documents, clock, (tenant) => packs.dashboards(tenant));
  const events = new EventStore({
    documents,
    writeSamples,
    onEvent: (tenant, event) => void live.append(tenant, 'event', event.timeMs, event),
    clock,
    logger,
    retentionMs: options.retention,
  });
  events.start();
  cleanups.add('events', () => events.stop());
  const heartbeats = new HeartbeatMonitors({ documents, writeSamples, clock, logger });
  await heartbeats.start();
  cleanups.add('heartbeats', () => heartbeats.stop());
  const { services, edges, usage } = openSurroundings({
    documents,
    directory,
    queries,
    audit,
    options: () => resolved.options,
    clock,
    logger,
    cleanups,
  });
  if (options.heartbeat) {
    const beat = new OutgoingHeartbeat({
      url: options.heartbeat.url,
      intervalMs: options.heartbeat.interval,
      post: async (url, signal) => (await fetch(url, { method: 'POST', signal })).status,
      unhealthy: () =>
        latestEvaluation(rules, directory) > clock.now() - 5 * 60_000
          ? undefined
          : 'no rule was evaluated within 5 minutes',
      clock,
      logger,
    });
    beat.start();
    cleanups.add('outgoing heartbeat', () => beat.stop());
  }

  const incidents = await Incidents.open({
    options: () => resolved.options,
    correlate: !resolved.configuredSections.has('intelligent_alerts') || options.intelligent_alerts.correlation,
    documents,
    directory,
    routing,
    queries,
    events,
    services,
    edges,
    usage,
    auditLog,
    live,
    externalUrl,
    clock,
    logger,
    metrics,
    cleanups,
  });
  hearing.incidents = incidents;

  const removal = new TenantRemoval({
    directory,
    store,
    documents,
    cache,
    rules,
    routing,
    telemetry,
    detectors: detectors.service,
    incidents,
    keys,
    accounts,
    forget: [
      events,
      heartbeats,
      auditLog,
      live,
      edges,
      queries.log,
      configs,
      { forget: (tenant) => void templatesOf.delete(tenant) },
    ],
    logger,
  });
  await removal.resume();

  let reloadOk = true;
  let lastReloadMs = startedAtMs;
  const overview = new Overview({
    resolved: () => resolved,
    version,
    startedAtMs,
    clock,
    metrics,
    store,
    documents,
    directory,
    alerting: routing.service,
    rules: (tenant) => rules.view(tenant),
    pools: (tenant) => telemetry.pools(tenant),
    dataDir: folder.path,
    probes: connectedProbes(options, forwarder),
    keyCount: () => keys.list().length,
    demo: () => ({ enabled: directory.list().some((t) => t.demo), switchable: true }),
    active: ACTIVE_FEATURES,
    refused: (tenant) => refusals.of(tenant),
    configProblem: (tenant) => configs.problem(tenant),
  });
  cleanups.add('overview', () => overview.stop());

  // people and machines
  let url = '';
  const authenticator = new Authenticator({
    environment: options.environment,
    listenHost: options.listen.host,
    externalUrl: options.external_url,
    defaultTenant: options.tenant,
    trustedProxies: options.trusted_proxies,
    verifyKey: (presented) => keys.verify(presented),
    keyById: (id) => keys.get(id),
    session: (cookie) => accounts.session(cookie),
    csrfMatches: (session, token) => accounts.csrfMatches(session, token),
    user: (name) => accounts.user(name),
    tenant: (id) => directory.get(id),
    ...(webConfig?.usesBasic ? { webUser: (user, password) => webConfig.checkBasic(user, password) } : {}),
    ...(webConfig?.verifiesClients ? { clientCertificates: true } : {}),
    createTenant: (id) => directory.ensure(id),
  });

  const loopback = loopbackRequest(() => url);
  cleanups.add('loopback requests', () => loopback.close());
  const demo = new DemoRunner({
    request: loopback,
    directory,
    keys,
    documents,
    removeTenant: (tenant) => removal.remove(tenant),
    clock,
    logger,
    onLive: () => {
      for (const t of directory.list()) {
        if (!t.demo) continue;
        void detectors.apply(t.id);
        for (const service of demoTopology(t.id))
          services
            .declare(t.id, service)
            .catch((error: unknown) =>
              logger.warn('a synthetic service was not declared', { error: messageOf(error) }),
            );
      }
    },
    retentionMs: options.retention,
  });
  hearing.demo = demo;

  let ready = false;
  const reload = async (resolve: () => ResolvedOptions): Promise<Readonly<Record<string, unknown>>> => {
    const before = { resolved, prometheusConfig };
    try {
      const next = resolve();
      refuseChangesThatNeedARestart(options, next.options);
      const nextPrometheus = telemetry.readPrometheusConfig(next.options);
      alertmanagersOf(nextPrometheus?.alerting, next.options.prometheus_config ?? '');
      if (JSON.stringify(remoteWriteTargets(nextPrometheus)) !== JSON.stringify(targets))
        throw new VigieError('bad_config', 'remote_write changes only by a restart; nothing was reloaded');
      resolved = next;
      prometheusConfig = nextPrometheus;
      packs.reload();
      await configs.checkFiles(options.tenant);
    } catch (error) {
      ({ resolved, prometheusConfig } = before);
      packs.reload();
      reloadOk = false;
      throw error;
    }
    forwarder.retarget(forwardTargets());
    await telemetry.apply(prometheusConfig, resolved.options);
    for (const id of configs.fileTenants()) if (!directory.get(id)) await directory.ensure(id);
    const problems: Record<string, string> = {};
    for (const tenant of directory.list()) {
      const problem = await configs.load(tenant.id);
      if (problem) problems[tenant.id] = problem;
    }
    reloadOk = true;
    lastReloadMs = clock.now();
    return {
      status: 'success',
      tenants: directory.list().length,
      ...(Object.keys(problems).length > 0 ? { problems } : {}),
    };
  };

  const routes = routeTable({
    resolved: () => resolved,
    version,
    externalUrl,
    mayCreateTenants: authenticator.open,
    startedAtMs,
    clock,
    logger,
    metrics,
    store,
    embedded,
    externalLabels,
    documents,
    directory,
    keys,
    accounts,
    auditLog,
    audit,
    telemetry,
    queries,
    routing,
    rules,
    alertHistory,
    detectors,
    incidents,
    ruleTemplates,
    demo,
    live,
    liveQueries,
    dashboards,
    events,
    heartbeats,
    services,
    edges,
    overview,
    configs,
    removal,
    packs,
    catalogue,
    applyJobs,
    tenantsMayApply: () => resolved.options.catalogue.apply.by_tenants,
    forwarder,
    folder,
    prometheusConfig: () => prometheusConfig,
    reloadState: () => ({ ok: reloadOk, atMs: lastReloadMs }),
    reload: () => reload(input.resolve),
    notReady: () => (ready ? undefined : 'starting'),
    newId: () => randomBytes(12).toString('base64url'),
    hostName: hostname(),
  });
  const server = new HttpServer({
    routes: routes.routes,
    ...(routes.fallback ? { fallback: routes.fallback } : {}),
    ...(webConfig
      ? {
          tls: webConfig.tls,
          headers: webConfig.headers,
          onServer: (s: Server) => void (webConfig.tls && webConfig.attach(s as unknown as TlsServer)),
          ...(webConfig.usesBasic ? { challenge: 'Basic realm="Vigie"' } : {}),
        }
      : {}),
    authenticate: (request) => {
      const context = authenticator.authenticate(request);
      const view = request.headers[VIEW_HEADER];
      if (view === undefined) return context;
      return Promise.resolve(context).then((c) => viewedContext(c, view, request.path, directory.get(c.tenant)));
    },
    clock,
    logger,
    metrics,
  });
  const address = await server.listen(options.listen.host, options.listen.port);
  cleanups.add('http server', () => server.close());
  // it comes in by the front door, so it ends before the door closes
  cleanups.add('demonstration', () => demo.stop());
  url = `${scheme}://${hostForUrl(address.host)}:${address.port}`;
  folder.announce(url);

  // last, so that what comes in finds everything in place
  await telemetry.apply(prometheusConfig, options);
  ready = true;
  if (options.demo || (await demo.wasEnabled())) await demo.start();

  return {
    url,
    routes: routes.routes,
    reload,
    banner: (elapsedMs) => {
      const view = rules.view(options.tenant);
      const ruleCount = view.groups.reduce((n, g) => n + g.rules.length, 0);
      const boards = packs.dashboards(options.tenant).length;
      const jobs = [
        ...new Set([...telemetry.pools(options.tenant), ...telemetry.pools(hostTenant)].map((p) => p.name)),
      ];
      return [
        `Vigie ${version} is ready at ${url} (${(elapsedMs / 1000).toFixed(1)} s)`,
        `  tenant ${options.tenant}, environment ${options.environment}${authenticator.open ? ', open to this machine only' : ', a key is required'}`,
        `  data   ${folder.path}, kept ${options.retention === 0 ? 'for ever' : `${Math.round(options.retention / 86_400_000)} days`}`,
        `  watch  ${jobs.join(', ') || 'nothing yet'}`,
        `  loaded ${ruleCount} rules in ${view.groups.length} groups, ${boards} dashboards`,
        ...(options.demo ? ['  demo   three synthetic tenants are being filled with three weeks of data'] : []),
        ...overview
          .features()
          .filter((f) => f.state === 'configured_inactive')
          .map((f) => `  note   ${f.detail}`),
      ];
    },
  };
}

/** Without anything to authenticate with, only this machine may reach Vigie. */
function refuseOpenListening(options: ResolvedOptions['options'], keyCount: number): void {
  if (isLoopback(options.listen.host) || keyCount > 0) return;
  if (options.web_config_file !== undefined || options.trusted_proxies.length > 0) return;
  throw new VigieError(
    'bad_config',
    `listen: ${options.listen.host} can be reached from other machines, and nobody could authenticate: no key exists yet; run \`vigie tenant bootstrap\` first, or name a web_config_file or trusted_proxies`,
  );
}

const RESTART_ONLY = [
  'environment',
  'tenant',
  'data_dir',
  'retention',
  'wal_sync',
  'enable_features',
  'web_config_file',
  'prometheus_url',
  'alertmanager_url',
  'database_url',
  'redis_url',
  'trusted_proxies',
  'allowed_internal_addresses',
] as const;

function refuseChangesThatNeedARestart(now: ResolvedOptions['options'], next: ResolvedOptions['options']): void {
  const changed = RESTART_ONLY.filter((name) => JSON.stringify(now[name]) !== JSON.stringify(next[name]));
  if (changed.length > 0)
    throw new VigieError(
      'bad_config',
      `these settings change only by a restart: ${changed.join(', ')}; nothing was reloaded`,
    );
}

const hostForUrl = (host: string): string =>
  host === '0.0.0.0' ? '127.0.0.1' : host.includes(':') ? `[${host}]` : host;

function latestEvaluation(rules: RuleService, directory: TenantDirectory): number {
  let latest = 0;
  for (const t of directory.list())
    for (const g of rules.view(t.id).groups) latest = Math.max(latest, g.lastEvaluationMs);
  return latest;
}

/** Services that have data now: those that targets name, by whether one of them is down, and those that label requests. */
function connectedProbes(options: ResolvedOptions['options'], forwarder: AlertForwarder) {
  const shown = (text: string): string => {
    const url = new URL(text);
    url.username = '';
    url.password = '';
    return url.href;
  };
  const http = (id: string, base: string, probe: string) => ({
    id,
    kind: 'connected' as const,
    url: shown(base),
    check: async () => {
      const answer = await fetch(`${base.replace(/\/+$/, '')}${probe}`, { signal: AbortSignal.timeout(4_000) });
      return { detail: answer.ok ? '' : `answers ${answer.status}` };
    },
  });
  return [
    ...(options.prometheus_url === undefined
      ? []
      : [http('prometheus', options.prometheus_url, '/api/v1/query?query=1')]),
    ...(options.alertmanager_url === undefined
      ? []
      : [http('alertmanager', options.alertmanager_url, '/api/v2/status')]),
    ...(options.grafana_url === undefined ? [] : [http('grafana', options.grafana_url, '/api/health')]),
    // asked when somebody looks: at set-up nothing was sent yet
    ...(forwarder.urls.length > 0
      ? [
          {
            id: 'alert-forwarding',
            kind: 'connected' as const,
            check: async () => ({ detail: [...forwarder.lastErrors.values()].find((e) => e !== '') ?? '' }),
          },
        ]
      : []),
  ];
}
