/** The first page and health: what runs, how it is, and what is configured but not part of this release. */
import { statfs } from 'node:fs/promises';
import type { AlertingService } from '../alerting/alerting-service.ts';
import type { FeatureItem, FirstRunAnswer, HealthItem, OverviewAnswer } from '../http/contract/overview.ts';
import type { Clock } from '../lib/clock.ts';
import { messageOf } from '../lib/errors.ts';
import type { SelfMetrics } from '../lib/self-metrics.ts';
import type { TenantId } from '../model/tenant.ts';
import { PLATFORM_TENANT } from '../model/tenant.ts';
import type { TenantRulesView } from '../rules/ports.ts';
import type { PoolView } from '../scrape/scrape-service.ts';
import type { DocumentStore } from '../store/documents.ts';
import type { MetricsStore } from '../store/metrics.ts';
import type { RequestContext } from '../tenancy/context.ts';
import type { TenantDirectory } from '../tenancy/tenant-directory.ts';
import type { ResolvedOptions } from './options.ts';

/** A part of Vigie or a connected program, asked when somebody looks. */
export interface HealthProbe {
  readonly id: string;
  readonly kind: HealthItem['kind'];
  readonly url?: string;
  /** '' when well; throws or answers what is wrong. */
  readonly check: () => Promise<{ readonly detail: string; readonly degraded?: boolean; readonly version?: string }>;
}

export interface OverviewInput {
  readonly resolved: () => ResolvedOptions;
  readonly version: string;
  readonly startedAtMs: number;
  readonly clock: Clock;
  readonly metrics: SelfMetrics;
  readonly store: MetricsStore;
  readonly documents: DocumentStore;
  readonly directory: TenantDirectory;
  readonly alerting: AlertingService;
  readonly rules: (tenant: TenantId) => TenantRulesView;
  readonly pools: (tenant: TenantId) => readonly PoolView[];
  readonly dataDir: string;
  readonly probes: readonly HealthProbe[];
  readonly keyCount: () => number;
  readonly demo: () => { readonly enabled: boolean; readonly switchable: boolean };
  /** Ids of the features that run in this release, `section.key`. */
  readonly active: ReadonlySet<string>;
  /** Samples the store refused over the last hour, by reason. */
  readonly refused: (tenant: TenantId) => Readonly<Record<string, number>>;
  /** Configuration problem of the tenant; '' without. */
  readonly configProblem: (tenant: TenantId) => string;
}

/** Answers older than this are asked anew. */
const HEALTH_KEPT_MS = 2_000;
const PROBE_MS_MAX = 5_000;
const RATE_WINDOW_MS = 60_000;

export class Overview {
  readonly #i: OverviewInput;
  #health: { readonly atMs: number; readonly items: Promise<readonly HealthItem[]> } | undefined;
  readonly #rates = new Map<TenantId, { atMs: number; total: number }[]>();

  constructor(input: OverviewInput) {
    this.#i = input;
    const active = input.metrics.gauge(
      'vigie_feature_active',
      'Whether a configured feature runs (1) or is not part of this release (0).',
      ['feature'],
    );
    input.metrics.onCollect(() => {
      for (const f of this.features()) if (f.state !== 'off') active.labels(f.id).set(f.state === 'active' ? 1 : 0);
    });
    const sample = (): void => {
      const nowMs = input.clock.monotonicMs();
      for (const tenant of input.store.tenants()) {
        let points = this.#rates.get(tenant);
        if (!points) this.#rates.set(tenant, (points = []));
        points.push({ atMs: nowMs, total: input.store.stats(tenant).samplesTotal });
        while (points.length > 2 && points[0]!.atMs < nowMs - RATE_WINDOW_MS) points.shift();
      }
      this.#timer = input.clock.setTimer(sample, 10_000);
    };
    this.#timer = input.clock.setTimer(sample, 1_000);
  }
  #timer: { cancel(): void };

  stop(): void {
    this.#timer.cancel();
  }

  features(): readonly FeatureItem[] {
    const { options, configuredSections } = this.#i.resolved();
    const item = (section: string, key: string, wanted: boolean): FeatureItem => {
      const id = `${section}.${key}`;
      if (!wanted) return { id, state: 'off', detail: '' };
      return this.#i.active.has(id)
        ? { id, state: 'active', detail: '' }
        : {
            id,
            state: 'configured_inactive',
            detail: `${id} is configured, and its feature is not part of this release`,
          };
    };
    const written = (section: string): boolean => configuredSections.has(section);
    return [
      item('tenant_isolation', 'enabled', true),
      item('tenant_isolation', 'namespace_separation', options.tenant_isolation.namespace_separation),
      item('tenant_isolation', 'resource_quotas', options.tenant_isolation.resource_quotas),
      item('auto_scaling', 'enabled', written('auto_scaling') && options.auto_scaling.enabled),
      item('intelligent_alerts', 'predictive', options.intelligent_alerts.predictive),
      item('intelligent_alerts', 'machine_learning', options.intelligent_alerts.machine_learning),
      item('intelligent_alerts', 'correlation', options.intelligent_alerts.correlation),
      item('intelligent_alerts', 'auto_remediation', options.intelligent_alerts.auto_remediation),
    ];
  }

  health(): Promise<readonly HealthItem[]> {
    const nowMs = this.#i.clock.monotonicMs();
    if (this.#health && nowMs - this.#health.atMs < HEALTH_KEPT_MS) return this.#health.items;
    const items = Promise.all([...this.#own(), ...this.#i.probes].map((p) => this.#probe(p)));
    this.#health = { atMs: nowMs, items };
    return items;
  }

  #own(): HealthProbe[] {
    const { store, documents, rules, directory, dataDir } = this.#i;
    return [
      { id: 'metrics-store', kind: 'own', check: () => store.sync().then(() => ({ detail: '' })) },
      { id: 'documents', kind: 'own', check: () => documents.ping().then(() => ({ detail: '' })) },
      {
        id: 'rules',
        kind: 'own',
        check: async () => {
          let failing = 0;
          for (const t of directory.list()) failing += rules(t.id).rulesFailing;
          return failing === 0
            ? { detail: '' }
            : { detail: `${failing} rules fail; the rules page names them`, degraded: true };
        },
      },
      {
        id: 'disk',
        kind: 'own',
        check: async () => {
          const s = await statfs(dataDir);
          const share = s.bavail / s.blocks;
          return share > 0.05
            ? { detail: '' }
            : {
                detail: `the disk of the data folder has ${(share * 100).toFixed(1)} % left; free space or lower the retention`,
                degraded: true,
              };
        },
      },
    ];
  }

  async #probe(probe: HealthProbe): Promise<HealthItem> {
    const base = { id: probe.id, kind: probe.kind, ...(probe.url === undefined ? {} : { url: probe.url }) };
    let timer: { cancel(): void } | undefined;
    try {
      const late = new Promise<never>((_, reject) => {
        timer = this.#i.clock.setTimer(() => reject(new Error(`no answer within ${PROBE_MS_MAX} ms`)), PROBE_MS_MAX);
      });
      const { detail, degraded, version } = await Promise.race([probe.check(), late]);
      return {
        ...base,
        state: detail === '' ? 'ok' : degraded ? 'degraded' : 'down',
        detail,
        ...(version === undefined ? {} : { version }),
      };
    } catch (error) {
      return { ...base, state: 'down', detail: messageOf(error) };
    } finally {
      timer?.cancel();
    }
  }

  async overview(context: RequestContext): Promise<OverviewAnswer> {
    const { tenant } = context;
    const i = this.#i;
    const { options } = i.resolved();
    const rules = i.rules(tenant);
    const stats = i.store.stats(tenant);
    const alerting = await i.alerting.tenant(tenant);
    const severities: Record<string, number> = {};
    let firing = 0;
    let pending = 0;
    for (const group of rules.groups)
      for (const rule of group.rules)
        for (const alert of rule.alerts) {
          if (alert.state === 'pending') pending++;
          if (alert.state !== 'firing') continue;
          firing++;
          const severity = alert.labels.get('severity');
          severities[severity] = (severities[severity] ?? 0) + 1;
        }
    let silenced = 0;
    const nowMs = i.clock.now();
    for (const view of alerting.views()) if (view.silencedBy.length > 0 && view.alert.endsAtMs > nowMs) silenced++;
    const targets = { up: 0, down: 0, unknown: 0 };
    for (const { pool } of i.pools(tenant)) for (const t of pool.active) targets[t.health]++;
    const platform = context.role === 'platform_admin';
    const evaluated = rules.groups.reduce((m, g) => Math.max(m, g.lastEvaluationMs), 0);
    const disk = platform ? await statfs(i.dataDir).catch(() => undefined) : undefined;
    const problem = i.configProblem(tenant);
    const decisions = alerting.history.search({ limit: 1_000, startMs: nowMs - 3_600_000 });
    return {
      atMs: nowMs,
      version: i.version,
      startedAtMs: i.startedAtMs,
      environment: options.environment,
      health: [
        ...(platform ? await this.health() : []),
        ...(problem === '' ? [] : [{ id: 'configuration', kind: 'own', state: 'degraded', detail: problem } as const]),
      ],
      features: this.features(),
      alerts: { firing, pending, silenced, bySeverity: severities },
      ingest: {
        samplesPerSecond: this.#rate(tenant),
        activeSeries: stats.activeSeries,
        seriesLimit: i.directory.limits(tenant).active_series,
        refused: i.refused(tenant),
      },
      rules: {
        groups: rules.groups.length,
        rules: rules.groups.reduce((n, g) => n + g.rules.length, 0),
        failing: rules.rulesFailing,
        unknown: rules.rulesUnknown,
        ...(evaluated === 0 ? {} : { lastEvaluationAtMs: evaluated }),
      },
      targets,
      storage: {
        bytes: stats.diskBytes,
        headBytes: stats.memoryBytes,
        retentionMs:
          i.directory.get(tenant)?.limits.retention_seconds !== undefined
            ? i.directory.limits(tenant).retention_seconds! * 1000
            : options.retention,
        ...(disk ? { diskFreeBytes: disk.bavail * disk.bsize } : {}),
      },
      notifications: {
        sent: decisions.filter((d) => d.verdict === 'sent').length,
        failed: decisions.filter((d) => d.verdict === 'failed').length,
      },
      demo: i.directory.get(tenant)?.demo ?? false,
    };
  }

  #rate(tenant: TenantId): number {
    const points = this.#rates.get(tenant);
    const first = points?.[0];
    const last = points?.at(-1);
    if (!first || !last || last.atMs === first.atMs) return 0;
    return Math.max(0, (last.total - first.total) / ((last.atMs - first.atMs) / 1000));
  }

  async firstRun(context: RequestContext): Promise<FirstRunAnswer> {
    const i = this.#i;
    const { tenant } = context;
    const alerting = await i.alerting.tenant(tenant);
    const { options } = i.resolved();
    const steps = [
      { id: 'target', done: i.pools(tenant).some((p) => !['host', 'vigie'].includes(p.name)) },
      { id: 'receiver', done: [...alerting.config.receivers.values()].some((r) => r.integrations.length > 0) },
      {
        id: 'tenant',
        done: i.directory.list().some((t) => t.id !== PLATFORM_TENANT && t.id !== options.tenant && !t.demo),
      },
      { id: 'key', done: i.keyCount() > 0 },
    ] as const;
    const { enabled, switchable } = i.demo();
    return {
      done: steps.every((s) => s.done),
      steps,
      demo: enabled,
      demoSwitchable: switchable && context.role === 'platform_admin',
    };
  }
}
