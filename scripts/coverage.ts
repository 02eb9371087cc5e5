/**
 * Writes docs/coverage.md: each signal that is promised (ME1 to ME8) with the rules that judge it, their tests and the
 * panels that show it; each panel of the six main dashboards with its query. A test fails when a cell is empty.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { parse } from 'yaml';
import { dashboardQueries } from '../src/catalogue/check/dashboards.ts';
import { parseChecked, reads, selectionsOf } from '../src/catalogue/check/expression.ts';
import { loadCatalogue, packNames } from '../src/catalogue/load.ts';
import type { RenderedPack } from '../src/catalogue/pack.ts';

const TEMPLATES = path.resolve(import.meta.dirname, '../templates');

/** Signal -> metrics that carry it; one read by a rule, a test and a panel is enough. */
export const SIGNALS: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  'ME1 API': {
    'latency by endpoint': ['http_request_duration_seconds_bucket'],
    throughput: ['http_requests_total'],
    'error rate': ['service:http_errors:rate5m', 'http_requests_total'],
  },
  'ME2 System': {
    CPU: ['node_cpu_seconds_total'],
    memory: ['node_memory_MemAvailable_bytes'],
    disk: ['node_filesystem_avail_bytes'],
    'network of containers and hosts': ['node_network_receive_bytes_total', 'node_network_receive_errs_total'],
    'disk input and output': ['node_disk_io_time_seconds_total'],
    containers: ['container_memory_working_set_bytes'],
    Kubernetes: ['kube_pod_status_phase'],
  },
  'ME3 Database': {
    connections: ['pg_stat_activity_count'],
    'slow queries': ['pg_stat_activity_max_tx_duration'],
    deadlocks: ['pg_stat_database_deadlocks'],
    'cache hits': ['pg_stat_database_blks_hit'],
    replication: ['pg_replication_lag_seconds'],
    locks: ['pg_locks_count'],
    Redis: ['redis_memory_used_bytes'],
    MongoDB: ['mongodb_ss_connections'],
  },
  'ME4 Machine learning': {
    accuracy: ['ml_model_accuracy'],
    'data drift': ['ml_feature_drift_psi'],
    'prediction quality': ['ml_predictions_total'],
    'inference latency': ['ml_inference_duration_seconds_bucket'],
    'training time': ['ml_training_duration_seconds'],
  },
  'ME5 Security': {
    'failed authentication and intrusion attempts': ['auth_attempts_total'],
    'privilege changes': ['privilege_changes_total'],
  },
  'ME6 Business': {
    satisfaction: ['feedback_total'],
    'cost per request': ['infrastructure_cost_euros_total'],
    conversions: ['conversions_total'],
    revenue: ['revenue_euros_total'],
  },
  'ME7 Queues and workers': {
    depth: ['queue_depth'],
    'age of the oldest': ['queue_oldest_message_age_seconds'],
    'failures and throughput': ['worker_jobs_total'],
    consumers: ['queue_consumers'],
  },
  'ME8 GPU and dependencies': {
    Xid: ['DCGM_FI_DEV_XID_ERRORS'],
    ECC: ['DCGM_FI_DEV_ECC_DBE_VOL_TOTAL'],
    throttling: ['DCGM_FI_DEV_THERMAL_VIOLATION'],
    'refusals (429) and failures of upstreams': ['upstream_requests_total'],
    'Retry-After': ['upstream_retry_after_seconds'],
    'quota left': ['upstream_quota_remaining'],
    'latency of providers': ['upstream_request_duration_seconds_bucket'],
  },
};

/** Panels of SPEC's table by dashboard -> words that a panel's title must hold. */
export const PANELS: Readonly<Record<string, readonly (readonly [panel: string, title: RegExp])[]>> = {
  'grafana/dashboards/system-overview.json': [
    ['state of every service', /Failed share by service|Targets/],
    ['live performance', /^Requests$|95th percentile/],
    ['active alerts and history', /Alerts firing/],
    ['load and resource forecasts', /Load in one hour|Disk use in four hours/],
  ],
  'grafana/dashboards/api-performance.json': [
    ['latency by endpoint', /95th percentile$/],
    ['error rate by service', /Failed share by service/],
    ['throughput by tenant', /Requests by tenant/],
    ['SLA and uptime', /Availability/],
  ],
  'grafana/dashboards/infrastructure.json': [
    ['CPU and memory', /CPU in use|Memory in use/],
    ['disk and network I/O', /Network|Disk/],
    ['database connections', /Connections in use/],
    ['queues and workers', /Waiting|Jobs/],
  ],
  'grafana/dashboards/machine-learning.json': [
    ['model performance', /Accuracy/],
    ['data drift', /Population stability/],
    ['prediction quality', /Predictions/],
    ['training time', /Training time/],
  ],
  'grafana/dashboards/security.json': [
    ['access attempts', /Sign-ins/],
    ['anomalies', /against the day before/],
    ['compliance status', /Compliance/],
    ['audit log', /Audit/],
  ],
  'grafana/dashboards/business.json': [
    ['KPIs against targets', /target/],
    ['conversions', /conversions/i],
    ['cost per request', /Cost per request/],
    ['forecasts', /forecast|in .* days|trend/i],
  ],
};

export interface CoverageRow {
  readonly domain: string;
  readonly signal: string;
  readonly metric: string;
  readonly rules: readonly string[];
  readonly tests: readonly string[];
  readonly panels: readonly string[];
}
export interface PanelRow {
  readonly dashboard: string;
  readonly panel: string;
  readonly query: string;
  /** A text panel that says what is not measured yet. */
  readonly says: boolean;
}

export function coverage(): { readonly signals: readonly CoverageRow[]; readonly panels: readonly PanelRow[] } {
  const { packs } = loadCatalogue(TEMPLATES, packNames(TEMPLATES));
  const rules = packs.flatMap(rulesOf);
  const queries = packs.flatMap((p) => [...p.dashboards].flatMap(([file, d]) => dashboardQueries(file, d).queries));
  const parsedRules = rules.map((r) => ({ ...r, selections: selectionsOf(parseChecked(r.expr)) }));
  const parsedQueries = queries.map((q) => ({ ...q, selections: selectionsOf(parseChecked(q.expr)) }));
  const tests = new Map(packs.flatMap((p) => p.manifest.files.tests.map((t) => [t, testedAlerts(t)] as const)));
  const signals = Object.entries(SIGNALS).flatMap(([domain, of]) =>
    Object.entries(of).map(([signal, metrics]): CoverageRow => {
      // what is recorded from the metric carries the signal too
      const names = new Set(metrics);
      for (let grown = true; grown; ) {
        grown = false;
        for (const r of parsedRules)
          if (
            r.kind === 'record' &&
            !names.has(r.name) &&
            r.selections.some((s) => [...names].some((m) => reads(s, m)))
          ) {
            names.add(r.name);
            grown = true;
          }
      }
      const uses = (selections: readonly ReturnType<typeof selectionsOf>[number][]): boolean =>
        selections.some((s) => [...names].some((m) => reads(s, m)));
      const alerts = parsedRules.filter((r) => r.kind === 'alert' && uses(r.selections)).map((r) => r.name);
      return {
        domain,
        signal,
        metric: metrics[0]!,
        rules: [...new Set(alerts)].sort(),
        tests: [...tests]
          .filter(([, tested]) => alerts.some((a) => tested.has(a)))
          .map(([file]) => path.basename(file)),
        panels: [
          ...new Set(
            parsedQueries.filter((q) => uses(q.selections) && q.where.includes(': panel ')).map((q) => q.where),
          ),
        ].sort(),
      };
    }),
  );
  const panels = Object.entries(PANELS).flatMap(([file, wanted]) => {
    const dashboard = packs.map((p) => p.dashboards.get(file)).find((d) => d !== undefined);
    const list = (dashboard?.['panels'] ?? []) as {
      title?: string;
      type: string;
      targets?: { expr: string }[];
      options?: { content?: string };
    }[];
    return wanted.map(([panel, title]): PanelRow => {
      const found = list.find((p) => p.type !== 'row' && title.test(p.title ?? ''));
      return {
        dashboard: file,
        panel,
        query: found?.targets?.[0]?.expr ?? found?.options?.content ?? '',
        says: found?.type === 'text',
      };
    });
  });
  return { signals, panels };
}

function rulesOf(pack: RenderedPack): { kind: 'alert' | 'record'; name: string; expr: string }[] {
  return [...pack.rules.values()].flatMap((f) =>
    f.groups.flatMap((g) =>
      g.rules.map((r) => ({
        kind: r.alert ? ('alert' as const) : ('record' as const),
        name: r.alert ?? r.record ?? '',
        expr: r.expr,
      })),
    ),
  );
}

/** Alerts that a test file expects to fire. */
export function testedAlerts(file: string): ReadonlySet<string> {
  const { tests } = parse(readFileSync(path.join(TEMPLATES, file), 'utf8')) as {
    tests: {
      alert_rule_test?: { alertname: string; exp_alerts?: unknown[] }[];
      promql_expr_test?: { expr: string; exp_samples?: unknown[] }[];
    }[];
  };
  return new Set(
    tests.flatMap((t) => [
      ...(t.alert_rule_test ?? []).filter((a) => (a.exp_alerts ?? []).length > 0).map((a) => a.alertname),
      ...(t.promql_expr_test ?? [])
        .filter((e) => (e.exp_samples ?? []).length > 0)
        .flatMap((e) => /alertname="(\w+)"/.exec(e.expr)?.[1] ?? []),
    ]),
  );
}

export function coverageText(): string {
  const { signals, panels } = coverage();
  const cell = (items: readonly string[], max = 3): string =>
    items.length === 0
      ? '**missing**'
      : `${items.slice(0, max).join(', ')}${items.length > max ? ` and ${items.length - max} more` : ''}`;
  return [
    '# Coverage of the catalogue',
    '',
    'Written by `scripts/coverage.ts`; a test compares and refuses an empty cell.',
    '',
    '| domain | signal | metric | alerts | unit tests | panels |',
    '|---|---|---|---|---|---|',
    ...signals.map(
      (r) =>
        `| ${r.domain} | ${r.signal} | \`${r.metric}\` | ${cell(r.rules)} | ${cell(r.tests)} | ${cell(
          r.panels.map((p) => p.replace(/^.*\/(\w[\w-]*)\.json: panel "(.*)".*$/, '$2 ($1)')),
          2,
        )} |`,
    ),
    '',
    '## Panels of the main dashboards',
    '',
    '| dashboard | panel | query |',
    '|---|---|---|',
    ...panels.map(
      (p) =>
        `| ${path.basename(p.dashboard, '.json')} | ${p.panel} | ${p.says ? `says: ${p.query}` : `\`${p.query.replaceAll('|', '\\|').replaceAll('\n', ' ')}\``} |`,
    ),
    '',
  ].join('\n');
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href)
  writeFileSync(path.resolve(import.meta.dirname, '../docs/coverage.md'), coverageText());
