/** The six main dashboards. A panel whose engine is not there yet is a text that says so. */
import { type DashboardSpec, falling, graph, INSTANCE, note, rising, row, SCOPE, stat, table } from './kit.ts';
import {
  CPU_BUSY,
  DISK_BUSY,
  DISK_IO,
  DISK_USED,
  ERROR_RATIO,
  LATENCY,
  MEMORY_USED,
  NETWORK,
  REQUESTS,
} from './prometheus.ts';

const FIRING = 'ALERTS{alertstate="firing", severity!="none"}';
const rate = (metric: string, more = ''): string => `rate(${metric}{${SCOPE}${more && `, ${more}`}}[$interval])`;
/** Growth over a long window, for figures that are too rare for a rate. */
const grown = (metric: string, window: string, more = ''): string =>
  `sum(increase(${metric}{${SCOPE}${more && `, ${more}`}}[${window}]))`;

export const MAIN_DASHBOARDS: readonly DashboardSpec[] = [
  {
    file: 'grafana/dashboards/system-overview.json',
    uid: 'vigie-system-overview',
    title: 'System overview',
    description: 'State of every service, live performance, alerts and where load is going.',
    tags: ['main'],
    variables: ['tenant', 'environment', 'service', 'instance'],
    labelsFrom: '{__name__=~"http_requests_total|node_cpu_seconds_total"}',
    panels: [
      row('State of every service'),
      stat('Targets down', `count(up{${SCOPE}} == 0) or vector(0)`, { unit: 'short', thresholds: rising(1, 3) }),
      stat('Alerts firing', `count(${FIRING}) or vector(0)`, { unit: 'short', thresholds: rising(1, 10) }),
      stat('Requests', `sum(${REQUESTS('service')})`, { unit: 'reqps' }),
      stat('95th percentile', LATENCY(0.95, ''), { unit: 's', thresholds: rising(0.2, 0.5) }),
      table('Failed share by service', `sort_desc(${ERROR_RATIO('tenant_id, service')})`, {
        unit: 'percentunit',
        decimals: 3,
        thresholds: rising(0.001, 0.01),
      }),
      table('Targets', `up{${SCOPE}}`, { unit: 'short', thresholds: falling(1, 1) }),
      row('Live performance'),
      graph('Requests', [{ expr: REQUESTS('service'), legend: '{{service}}' }], { unit: 'reqps', stack: true }),
      graph('95th percentile', [{ expr: LATENCY(0.95, 'service'), legend: '{{service}}' }], { unit: 's', min: 0 }),
      row('Alerts'),
      graph('Alerts firing', [{ expr: `count by (severity) (${FIRING}) or vector(0)`, legend: '{{severity}}' }], {
        unit: 'short',
        min: 0,
        description: 'A line named "none" at zero means that nothing fires.',
      }),
      graph('Firing by pack', [{ expr: `count by (pack) (${FIRING}) or vector(0)`, legend: '{{pack}}' }], {
        unit: 'short',
        min: 0,
      }),
      row('Where it is going'),
      graph(
        'Load in one hour, by the trend of the last',
        [
          { expr: `sum(${REQUESTS('service')})`, legend: 'now' },
          {
            expr: `clamp_min(sum(predict_linear(service:http_requests:rate5m{tenant_id=~"$tenant", service=~"$service"}[1h], 3600)), 0)`,
            legend: 'in one hour',
          },
        ],
        { unit: 'reqps', description: 'A straight line through the last hour: it knows no days and no weeks.' },
      ),
      graph(
        'Disk use in four hours, by the trend of the last six',
        [
          {
            expr: `clamp(1 - predict_linear(node_filesystem_avail_bytes{${INSTANCE}, fstype=~"ext[234]|xfs|btrfs"}[6h], 14400) / node_filesystem_size_bytes{${INSTANCE}, fstype=~"ext[234]|xfs|btrfs"}, 0, 1)`,
            legend: '{{instance}} {{mountpoint}}',
          },
        ],
        { unit: 'percentunit', min: 0, max: 1, thresholds: rising(0.9, 0.97) },
      ),
      note(
        'Seasonal forecasts',
        'These two panels extend a straight line. Seasonal forecasts with prediction intervals are shown by the console on its forecast page; they are not series that a dashboard can query yet.',
        { width: 24, height: 3 },
      ),
    ],
  },
  {
    file: 'grafana/dashboards/api-performance.json',
    uid: 'vigie-api-performance',
    title: 'API performance',
    description: 'Latency by endpoint, errors by service, throughput by tenant, and the objectives.',
    tags: ['main'],
    variables: ['tenant', 'environment', 'service'],
    labelsFrom: 'http_requests_total',
    panels: [
      row('Objectives'),
      stat('95th percentile (objective 200 ms)', LATENCY(0.95, ''), { unit: 's', thresholds: rising(0.2, 0.5) }),
      stat(
        'Availability of 24 h (objective 99.9 %)',
        `1 - (${grown('http_requests_total', '24h', 'service=~"$service", status=~"5.."')} or vector(0)) / ${grown('http_requests_total', '24h', 'service=~"$service"')}`,
        { unit: 'percentunit', decimals: 3, thresholds: falling(0.995, 0.999) },
      ),
      stat('Requests (objective 10,000 a second)', `sum(${REQUESTS('service')})`, { unit: 'reqps' }),
      stat('Services up', `count(sum by (service) (${REQUESTS('service')}) > 0) or vector(0)`, { unit: 'short' }),
      row('Latency by endpoint'),
      graph('Median', [{ expr: LATENCY(0.5, 'route'), legend: '{{route}}' }], { unit: 's', min: 0 }),
      graph('95th percentile', [{ expr: LATENCY(0.95, 'route'), legend: '{{route}}' }], {
        unit: 's',
        min: 0,
        thresholds: rising(0.2, 0.5),
      }),
      graph('99th percentile', [{ expr: LATENCY(0.99, 'route'), legend: '{{route}}' }], { unit: 's', min: 0 }),
      row('Errors and throughput'),
      graph('Failed share by service', [{ expr: ERROR_RATIO('service'), legend: '{{service}}' }], {
        unit: 'percentunit',
        min: 0,
        thresholds: rising(0.001, 0.01),
      }),
      graph('Requests by tenant', [{ expr: REQUESTS('tenant_id'), legend: '{{tenant_id}}' }], {
        unit: 'reqps',
        stack: true,
      }),
      graph('Requests by status', [{ expr: REQUESTS('status'), legend: '{{status}}' }], { unit: 'reqps' }),
    ],
  },
  {
    file: 'grafana/dashboards/infrastructure.json',
    uid: 'vigie-infrastructure',
    title: 'Infrastructure resources',
    description: 'CPU, memory, disks, network, databases, queues and workers.',
    tags: ['main'],
    variables: ['tenant', 'environment', 'instance'],
    labelsFrom: '{__name__=~"node_cpu_seconds_total|pg_up"}',
    panels: [
      row('CPU and memory'),
      graph('CPU in use', [{ expr: CPU_BUSY, legend: '{{instance}}' }], { unit: 'percentunit', min: 0, max: 1 }),
      graph('Memory in use', [{ expr: MEMORY_USED, legend: '{{instance}}' }], { unit: 'percentunit', min: 0, max: 1 }),
      row('Disk and network'),
      graph('File systems in use', [{ expr: DISK_USED, legend: '{{instance}} {{mountpoint}}' }], {
        unit: 'percentunit',
        min: 0,
        max: 1,
      }),
      graph('Network', NETWORK, { unit: 'Bps' }),
      graph('Disk input and output', DISK_IO, { unit: 'Bps' }),
      graph('Disks busy', [{ expr: DISK_BUSY, legend: '{{instance}} {{device}}' }], {
        unit: 'percentunit',
        min: 0,
        max: 1,
      }),
      row('Databases'),
      graph(
        'Connections in use',
        [
          {
            expr: `sum by (instance) (pg_stat_activity_count{${INSTANCE}}) / on (instance) max by (instance) (pg_settings_max_connections{${INSTANCE}})`,
            legend: '{{instance}}',
          },
        ],
        { unit: 'percentunit', min: 0, max: 1, thresholds: rising(0.8, 0.95) },
      ),
      graph(
        'Cache hits',
        [
          {
            expr: `sum by (instance) (rate(pg_stat_database_blks_hit{${INSTANCE}}[$interval])) / (sum by (instance) (rate(pg_stat_database_blks_hit{${INSTANCE}}[$interval])) + sum by (instance) (rate(pg_stat_database_blks_read{${INSTANCE}}[$interval])) > 0)`,
            legend: '{{instance}}',
          },
        ],
        { unit: 'percentunit', max: 1 },
      ),
      graph(
        'Transactions',
        [
          {
            expr: `sum by (instance) (rate(pg_stat_database_xact_commit{${INSTANCE}}[$interval]))`,
            legend: '{{instance}}',
          },
        ],
        { unit: 'ops' },
      ),
      graph('Replication lag', [{ expr: `pg_replication_lag_seconds{${INSTANCE}}`, legend: '{{instance}}' }], {
        unit: 's',
        min: 0,
      }),
      graph(
        'Longest transaction',
        [
          {
            expr: `max by (instance, datname) (pg_stat_activity_max_tx_duration{${INSTANCE}, state!="idle"})`,
            legend: '{{instance}} {{datname}}',
          },
        ],
        { unit: 's', min: 0, thresholds: rising(60, 600) },
      ),
      graph(
        'Locks',
        [{ expr: `sum by (instance, datname) (pg_locks_count{${INSTANCE}})`, legend: '{{instance}} {{datname}}' }],
        {
          unit: 'short',
          min: 0,
        },
      ),
      row('Queues and workers'),
      graph('Waiting', [{ expr: `sum by (queue) (queue_depth{${SCOPE}})`, legend: '{{queue}}' }], {
        unit: 'short',
        min: 0,
      }),
      graph(
        'Age of the oldest',
        [{ expr: `max by (queue) (queue_oldest_message_age_seconds{${SCOPE}})`, legend: '{{queue}}' }],
        { unit: 's', min: 0 },
      ),
      graph(
        'Jobs',
        [{ expr: `sum by (queue, result) (${rate('worker_jobs_total')})`, legend: '{{queue}} {{result}}' }],
        { unit: 'ops' },
      ),
    ],
  },
  {
    file: 'grafana/dashboards/machine-learning.json',
    uid: 'vigie-machine-learning',
    title: 'Machine learning',
    description: 'Models and language-model providers: quality, drift, latency, tokens and cost.',
    tags: ['main'],
    variables: ['tenant', 'environment'],
    labelsFrom: 'ml_predictions_total',
    panels: [
      row('Model performance'),
      graph('Accuracy', [{ expr: `ml_model_accuracy{${SCOPE}}`, legend: '{{tenant_id}} {{model}} {{version}}' }], {
        unit: 'percentunit',
        max: 1,
      }),
      graph(
        'Inference, 95th percentile',
        [
          {
            expr: `histogram_quantile(0.95, sum by (model, le) (${rate('ml_inference_duration_seconds_bucket')}))`,
            legend: '{{model}}',
          },
        ],
        { unit: 's', min: 0 },
      ),
      row('Data drift'),
      graph(
        'Population stability index',
        [{ expr: `max by (model, feature) (ml_feature_drift_psi{${SCOPE}})`, legend: '{{model}} {{feature}}' }],
        { unit: 'short', min: 0, thresholds: rising(0.1, 0.25), description: 'Below 0.1 stable, above 0.25 changed.' },
      ),
      row('Prediction quality and training'),
      graph('Predictions', [{ expr: `sum by (model) (${rate('ml_predictions_total')})`, legend: '{{model}}' }], {
        unit: 'ops',
      }),
      graph('Training time', [{ expr: `ml_training_duration_seconds{${SCOPE}}`, legend: '{{tenant_id}} {{model}}' }], {
        unit: 's',
        min: 0,
      }),
      note(
        'Quality with late labels',
        'Precision, recall and calibration against labels that arrive later are not measured yet; accuracy above is what the service reports of itself.',
        { height: 4, width: 24 },
      ),
      row('Language models'),
      graph(
        'Time to first token, 95th percentile',
        [
          {
            expr: `histogram_quantile(0.95, sum by (provider, model, le) (${rate('llm_time_to_first_token_seconds_bucket')}))`,
            legend: '{{provider}} {{model}}',
          },
        ],
        { unit: 's', min: 0 },
      ),
      graph(
        'Tokens',
        [{ expr: `sum by (model, direction) (${rate('llm_tokens_total')})`, legend: '{{model}} {{direction}}' }],
        { unit: 'short', description: 'Tokens per second.' },
      ),
      graph(
        'Cost per 1,000 tokens',
        [
          {
            expr: `1000 * sum by (provider, model) (${rate('llm_cost_euros_total')}) / (sum by (provider, model) (${rate('llm_tokens_total')}) > 0)`,
            legend: '{{provider}} {{model}}',
          },
        ],
        { unit: 'currencyEUR', decimals: 5, min: 0 },
      ),
      graph(
        'Refused or failed calls',
        [
          {
            expr: `sum by (provider) (${rate('llm_requests_total', 'status!="ok"')}) / (sum by (provider) (${rate('llm_requests_total')}) > 0)`,
            legend: '{{provider}}',
          },
        ],
        { unit: 'percentunit', min: 0 },
      ),
    ],
  },
  {
    file: 'grafana/dashboards/security.json',
    uid: 'vigie-security',
    title: 'Security',
    description: 'Access attempts, anomalies, compliance and the audit log.',
    tags: ['main'],
    variables: ['tenant', 'environment'],
    labelsFrom: 'auth_attempts_total',
    panels: [
      row('Access attempts'),
      stat('Failed sign-ins in 1 h', grown('auth_attempts_total', '1h', 'result="failure"'), { unit: 'short' }),
      stat(
        'Failed share',
        `sum(${rate('auth_attempts_total', 'result="failure"')}) / (sum(${rate('auth_attempts_total')}) > 0)`,
        { unit: 'percentunit', thresholds: rising(0.2, 0.5) },
      ),
      stat('Privilege changes in 24 h', grown('privilege_changes_total', '24h'), { unit: 'short' }),
      stat('Security alerts firing', `count(ALERTS{alertstate="firing", pack="security"}) or vector(0)`, {
        unit: 'short',
        thresholds: rising(1, 3),
      }),
      graph('Sign-ins', [{ expr: `sum by (result) (${rate('auth_attempts_total')})`, legend: '{{result}}' }], {
        unit: 'ops',
      }),
      graph(
        'Failed sign-ins by tenant',
        [{ expr: `sum by (tenant_id) (${rate('auth_attempts_total', 'result="failure"')})`, legend: '{{tenant_id}}' }],
        { unit: 'ops' },
      ),
      row('Anomalies'),
      graph(
        'Failed sign-ins against the day before',
        [
          {
            expr: `sum(${rate('auth_attempts_total', 'result="failure"')})`,
            legend: 'now',
          },
          {
            expr: `sum(rate(auth_attempts_total{${SCOPE}, result="failure"}[$interval] offset 1d))`,
            legend: 'a day ago',
          },
        ],
        { unit: 'ops' },
      ),
      row('Compliance and audit'),
      note(
        'Compliance status',
        'Controls are not evaluated as series yet, so nothing is drawn here. What is recorded is in the audit log of the console.',
        { height: 5 },
      ),
      note(
        'Audit log',
        'The audit log is a chain of entries, not a series. Read and verify it on the audit page of the console.',
        { height: 5 },
      ),
    ],
  },
  {
    file: 'grafana/dashboards/business.json',
    uid: 'vigie-business',
    title: 'Business',
    description: 'KPIs against their targets, conversions, cost per request and outlook.',
    tags: ['main'],
    variables: ['tenant', 'environment'],
    labelsFrom: 'revenue_euros_total',
    panels: [
      row('KPIs against targets'),
      stat(
        'Satisfaction of 30 days (target 95 %)',
        `${grown('feedback_total', '30d', 'sentiment="positive"')} / (${grown('feedback_total', '30d')} >= 30)`,
        {
          unit: 'percentunit',
          decimals: 1,
          thresholds: falling(0.9, 0.95),
          description: 'Positive share of answered feedback; empty below 30 answers.',
        },
      ),
      stat(
        'Cost per request (target 0.001 EUR)',
        `${grown('infrastructure_cost_euros_total', '24h')} / (${grown('http_requests_total', '24h')} > 0)`,
        { unit: 'currencyEUR', decimals: 5, thresholds: rising(0.0008, 0.001), description: 'Infrastructure alone.' },
      ),
      stat(
        'All-in cost per request',
        `(${grown('infrastructure_cost_euros_total', '24h')} + ${grown('llm_cost_euros_total', '24h')}) / (${grown('http_requests_total', '24h')} > 0)`,
        { unit: 'currencyEUR', decimals: 5, description: 'Infrastructure and model tokens.' },
      ),
      stat('Revenue of 24 h', grown('revenue_euros_total', '24h'), { unit: 'currencyEUR' }),
      row('Conversions'),
      graph(
        'Sign-ups and conversions an hour',
        [
          { expr: grown('signups_total', '1h'), legend: 'sign-ups' },
          { expr: grown('conversions_total', '1h'), legend: 'conversions' },
        ],
        { unit: 'short', min: 0 },
      ),
      graph('Active artists', [{ expr: `sum by (tenant_id) (active_artists{${SCOPE}})`, legend: '{{tenant_id}}' }], {
        unit: 'short',
        min: 0,
      }),
      row('Money'),
      graph(
        'Revenue an hour',
        [{ expr: `sum by (tenant_id) (increase(revenue_euros_total{${SCOPE}}[1h]))`, legend: '{{tenant_id}}' }],
        { unit: 'currencyEUR', min: 0 },
      ),
      graph(
        'Cost per request',
        [
          {
            expr: `sum by (tenant_id) (${rate('infrastructure_cost_euros_total')}) / (sum by (tenant_id) (${rate('http_requests_total')}) > 0)`,
            legend: '{{tenant_id}}',
          },
        ],
        { unit: 'currencyEUR', decimals: 5, min: 0, thresholds: rising(0.0008, 0.001) },
      ),
      row('Efficiency and outlook'),
      graph(
        'Resource efficiency (target 85 %)',
        [{ expr: 'namespace:resource_efficiency:ratio1d', legend: '{{namespace}}' }],
        {
          unit: 'percentunit',
          min: 0,
          max: 1,
          thresholds: falling(0.5, 0.85),
          description: 'Cost-weighted use of what was requested, by namespace; needs the Kubernetes pack.',
        },
      ),
      graph(
        'Revenue of a day in seven days, by the trend of the last fourteen',
        [
          { expr: 'sum(tenant:revenue_euros:increase1d{tenant_id=~"$tenant"})', legend: 'now' },
          {
            expr: 'clamp_min(sum(predict_linear(tenant:revenue_euros:increase1d{tenant_id=~"$tenant"}[14d], 604800)), 0)',
            legend: 'in seven days',
          },
        ],
        {
          unit: 'currencyEUR',
          min: 0,
          description:
            'A straight line: it knows no season. Forecasts with intervals are on the forecast page of the console.',
        },
      ),
    ],
  },
];
