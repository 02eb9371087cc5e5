/** One dashboard for each pack that the two other files do not cover; on Prometheus data alone. */
import {
  type DashboardSpec,
  falling,
  graph,
  INSTANCE,
  type PanelSpec,
  type Query,
  rising,
  row,
  SCOPE,
  stat,
  type VariableName,
} from './kit.ts';

const PLATFORM: readonly VariableName[] = ['tenant', 'environment', 'instance'];
const TENANT: readonly VariableName[] = ['tenant', 'environment'];
const q = (expr: string, legend: string): Query => ({ expr, legend });
/** `rate` of a counter with the usual matchers. */
const r = (metric: string, more = '', scope = INSTANCE): string =>
  `rate(${metric}{${scope}${more && `, ${more}`}}[$interval])`;
const i = (metric: string, more = ''): string => `${metric}{${INSTANCE}${more && `, ${more}`}}`;
const t = (metric: string, more = ''): string => `${metric}{${SCOPE}${more && `, ${more}`}}`;
const ratio = { unit: 'percentunit', min: 0 } as const;
const perSecond = { unit: 'ops', min: 0 } as const;

const board = (
  name: string,
  title: string,
  description: string,
  variables: readonly VariableName[],
  labelsFrom: string,
  panels: readonly PanelSpec[],
): DashboardSpec => ({
  file: `prometheus/dashboards/${name}.json`,
  uid: `vigie-pack-${name}`,
  title,
  description,
  tags: [name],
  variables,
  labelsFrom,
  panels,
});

const budget = (window: string): string =>
  `max by (tenant_id, service) (service:slo_failures:ratio${window}{tenant_id=~"$tenant", service=~"$service"})`;

export const PACK_DASHBOARDS: readonly DashboardSpec[] = [
  board('postgresql', 'PostgreSQL', 'Connections, transactions, locks, cache and replication.', PLATFORM, 'pg_up', [
    row('Now'),
    stat('Servers up', `sum(${i('pg_up')})`, { unit: 'short' }),
    stat('Connections', `sum(${i('pg_stat_activity_count')})`, { unit: 'short' }),
    stat('Transactions', `sum(${r('pg_stat_database_xact_commit')})`, { unit: 'ops' }),
    stat('Deadlocks in 1 h', `sum(increase(pg_stat_database_deadlocks{${INSTANCE}}[1h]))`, {
      unit: 'short',
      thresholds: rising(1, 10),
    }),
    row('Work'),
    graph(
      'Connections in use',
      [
        q(
          `sum by (instance) (${i('pg_stat_activity_count')}) / on (instance) max by (instance) (${i('pg_settings_max_connections')})`,
          '{{instance}}',
        ),
      ],
      { ...ratio, max: 1, thresholds: rising(0.8, 0.95) },
    ),
    graph('Transactions', [q(`sum by (instance) (${r('pg_stat_database_xact_commit')})`, '{{instance}}')], perSecond),
    graph(
      'Reads from memory',
      [
        q(
          `sum by (instance) (${r('pg_stat_database_blks_hit')}) / (sum by (instance) (${r('pg_stat_database_blks_hit')}) + sum by (instance) (${r('pg_stat_database_blks_read')}) > 0)`,
          '{{instance}}',
        ),
      ],
      { unit: 'percentunit', max: 1 },
    ),
    graph('Replication lag', [q(i('pg_replication_lag_seconds'), '{{instance}}')], { unit: 's', min: 0 }),
  ]),
  board('redis', 'Redis', 'Memory, commands, hits, clients and replication.', PLATFORM, 'redis_up', [
    row('Now'),
    stat('Servers up', `sum(${i('redis_up')})`, { unit: 'short' }),
    stat('Clients', `sum(${i('redis_connected_clients')})`, { unit: 'short' }),
    stat('Commands', `sum(${r('redis_commands_processed_total')})`, { unit: 'ops' }),
    stat('Evicted in 1 h', `sum(increase(redis_evicted_keys_total{${INSTANCE}}[1h]))`, {
      unit: 'short',
      thresholds: rising(1, 1000),
    }),
    row('Work'),
    graph('Memory', [q(i('redis_memory_used_bytes'), '{{instance}}')], { unit: 'bytes', min: 0 }),
    graph('Commands', [q(`sum by (instance) (${r('redis_commands_processed_total')})`, '{{instance}}')], perSecond),
    graph('Hits', [q(`instance:redis_hits:ratio_rate15m{${INSTANCE}}`, '{{instance}}')], {
      unit: 'percentunit',
      min: 0,
      max: 1,
    }),
    graph('Time in commands', [q(`sum by (cmd) (${r('redis_commands_duration_seconds_total')})`, '{{cmd}}')], {
      unit: 'percentunit',
      min: 0,
      description: 'Seconds of work per second.',
    }),
    graph('Clients', [q(i('redis_connected_clients'), '{{instance}}')], { unit: 'short', min: 0 }),
    graph('Keys', [q(`sum by (instance, db) (${i('redis_db_keys')})`, '{{instance}} {{db}}')], {
      unit: 'short',
      min: 0,
    }),
  ]),
  board('mongodb', 'MongoDB', 'Connections, operations, queues, cache and replica set.', PLATFORM, 'mongodb_up', [
    row('Now'),
    stat('Servers up', `sum(${i('mongodb_up')})`, { unit: 'short' }),
    stat('Connections', `sum(${i('mongodb_ss_connections', 'conn_type="current"')})`, { unit: 'short' }),
    stat('Operations', `sum(${r('mongodb_ss_opcounters')})`, { unit: 'ops' }),
    stat('Healthy members', `sum(max by (set, member_idx) (${i('mongodb_rs_members_health')}))`, { unit: 'short' }),
    row('Work'),
    graph(
      'Operations',
      [q(`sum by (legacy_op_type) (${r('mongodb_ss_opcounters')})`, '{{legacy_op_type}}')],
      perSecond,
    ),
    graph('Waiting for locks', [q(i('mongodb_ss_globalLock_currentQueue'), '{{instance}} {{count_type}}')], {
      unit: 'short',
      min: 0,
    }),
    graph(
      'Cache in use',
      [
        q(
          `${i('mongodb_ss_wt_cache_bytes_currently_in_the_cache')} / ${i('mongodb_ss_wt_cache_maximum_bytes_configured')}`,
          '{{instance}}',
        ),
      ],
      { ...ratio, max: 1 },
    ),
    graph(
      'Lag behind the newest member',
      [
        q(
          `(max by (set) (${i('mongodb_rs_members_optimeDate')}) - on (set) group_right () max by (set, member_idx) (${i('mongodb_rs_members_optimeDate')})) / 1000`,
          '{{member_idx}}',
        ),
      ],
      { unit: 's', min: 0 },
    ),
  ]),
  board(
    'haproxy',
    'HAProxy',
    'Requests, errors, sessions, queues and servers.',
    PLATFORM,
    'haproxy_frontend_current_sessions',
    [
      row('Now'),
      stat('Requests', `sum(${r('haproxy_frontend_http_requests_total')})`, { unit: 'reqps' }),
      stat('Sessions', `sum(${i('haproxy_frontend_current_sessions')})`, { unit: 'short' }),
      stat('Servers down', `count(${i('haproxy_server_status', 'state="DOWN"')} == 1) or vector(0)`, {
        unit: 'short',
        thresholds: rising(1, 3),
      }),
      stat('Waiting', `sum(${i('haproxy_backend_current_queue')})`, { unit: 'short', thresholds: rising(1, 10) }),
      row('Work'),
      graph('Requests', [q(`sum by (proxy) (${r('haproxy_frontend_http_requests_total')})`, '{{proxy}}')], {
        unit: 'reqps',
        min: 0,
      }),
      graph(
        'Answers by code',
        [q(`sum by (proxy, code) (${r('haproxy_backend_http_responses_total')})`, '{{proxy}} {{code}}')],
        { unit: 'reqps', min: 0 },
      ),
      graph(
        'Response time, average of the last 1,024',
        [q(i('haproxy_backend_response_time_average_seconds'), '{{proxy}}')],
        { unit: 's', min: 0 },
      ),
      graph('Active servers', [q(i('haproxy_backend_active_servers'), '{{proxy}}')], { unit: 'short', min: 0 }),
    ],
  ),
  board('etcd', 'etcd', 'Leader, disk, size and proposals.', PLATFORM, 'etcd_server_has_leader', [
    row('Now'),
    stat('Members with a leader', `sum(${i('etcd_server_has_leader')})`, { unit: 'short' }),
    stat('Changes of the leader, 1 h', `max(increase(${i('etcd_server_leader_changes_seen_total')}[1h]))`, {
      unit: 'short',
      thresholds: rising(1, 3),
    }),
    stat(
      'Space quota in use',
      `max(${i('etcd_mvcc_db_total_size_in_bytes')} / ${i('etcd_server_quota_backend_bytes')})`,
      { unit: 'percentunit', thresholds: rising(0.6, 0.8) },
    ),
    stat('Waiting proposals', `sum(${i('etcd_server_proposals_pending')})`, { unit: 'short' }),
    row('Disk'),
    graph(
      'fsync of the log and commit, 99th percentile',
      [
        q(
          `histogram_quantile(0.99, sum by (instance, le) (${r('etcd_disk_wal_fsync_duration_seconds_bucket')}))`,
          '{{instance}} fsync',
        ),
        q(
          `histogram_quantile(0.99, sum by (instance, le) (${r('etcd_disk_backend_commit_duration_seconds_bucket')}))`,
          '{{instance}} commit',
        ),
      ],
      { unit: 's', min: 0 },
    ),
    graph(
      'Database',
      [
        q(i('etcd_mvcc_db_total_size_in_bytes'), '{{instance}} on disk'),
        q(i('etcd_mvcc_db_total_size_in_use_in_bytes'), '{{instance}} in use'),
      ],
      { unit: 'bytes', min: 0 },
    ),
    row('Work'),
    graph('Requests', [q(`sum by (grpc_method) (${r('grpc_server_handled_total')})`, '{{grpc_method}}')], {
      unit: 'reqps',
      min: 0,
    }),
    graph(
      'Traffic of clients',
      [
        q(`sum(${r('etcd_network_client_grpc_received_bytes_total')})`, 'received'),
        q(`sum(${r('etcd_network_client_grpc_sent_bytes_total')})`, 'sent'),
      ],
      { unit: 'Bps', min: 0 },
    ),
    graph('Failed proposals', [q(`sum by (instance) (${r('etcd_server_proposals_failed_total')})`, '{{instance}}')], {
      unit: 'ops',
      min: 0,
    }),
  ]),
  board('nginx', 'nginx', 'Connections and requests.', PLATFORM, 'nginx_up', [
    row('Now'),
    stat('Servers up', `sum(${i('nginx_up')})`, { unit: 'short' }),
    stat('Requests', `sum(${r('nginx_http_requests_total')})`, { unit: 'reqps' }),
    stat('Connections', `sum(${i('nginx_connections_active')})`, { unit: 'short' }),
    stat('Dropped', `sum(${r('nginx_connections_accepted')} - ${r('nginx_connections_handled')})`, {
      unit: 'ops',
      thresholds: rising(0.1, 1),
    }),
    row('Work'),
    graph('Requests', [q(`sum by (instance) (${r('nginx_http_requests_total')})`, '{{instance}}')], {
      unit: 'reqps',
      min: 0,
    }),
    graph(
      'Connections',
      [
        q(`sum(${i('nginx_connections_reading')})`, 'reading'),
        q(`sum(${i('nginx_connections_writing')})`, 'writing'),
        q(`sum(${i('nginx_connections_waiting')})`, 'waiting'),
      ],
      { unit: 'short', min: 0 },
    ),
  ]),
  board(
    'elasticsearch',
    'Elasticsearch',
    'Health, shards, heap, disks, indexing and searches.',
    PLATFORM,
    'elasticsearch_cluster_health_up',
    [
      row('Now'),
      stat('Nodes', `max(${i('elasticsearch_cluster_health_number_of_nodes')})`, { unit: 'short' }),
      stat('Shards without a node', `max(${i('elasticsearch_cluster_health_unassigned_shards')})`, {
        unit: 'short',
        thresholds: rising(1, 10),
      }),
      stat('Indexed', `sum(${r('elasticsearch_indices_indexing_index_total')})`, { unit: 'ops' }),
      stat('Searches', `sum(${r('elasticsearch_indices_search_query_total')})`, { unit: 'ops' }),
      row('Work'),
      graph(
        'Heap in use',
        [
          q(
            `${i('elasticsearch_jvm_memory_used_bytes', 'area="heap"')} / ${i('elasticsearch_jvm_memory_max_bytes', 'area="heap"')}`,
            '{{name}}',
          ),
        ],
        { ...ratio, max: 1, thresholds: rising(0.85, 0.95) },
      ),
      graph(
        'Disk free',
        [
          q(
            `${i('elasticsearch_filesystem_data_available_bytes')} / ${i('elasticsearch_filesystem_data_size_bytes')}`,
            '{{name}}',
          ),
        ],
        { ...ratio, max: 1, thresholds: falling(0.1, 0.2) },
      ),
      graph(
        'Time of a search',
        [
          q(
            `sum by (name) (${r('elasticsearch_indices_search_query_time_seconds')}) / (sum by (name) (${r('elasticsearch_indices_search_query_total')}) > 0)`,
            '{{name}}',
          ),
        ],
        { unit: 's', min: 0 },
      ),
      graph(
        'Rejected work',
        [q(`sum by (name, type) (${r('elasticsearch_thread_pool_rejected_count')})`, '{{name}} {{type}}')],
        perSecond,
      ),
    ],
  ),
  board(
    'jaeger',
    'Jaeger',
    'Spans received and dropped, queue, storage and queries.',
    PLATFORM,
    'jaeger_collector_spans_received_total',
    [
      graph(
        'Spans',
        [
          q(`sum by (instance) (${r('jaeger_collector_spans_received_total')})`, '{{instance}} received'),
          q(`sum by (instance) (${r('jaeger_collector_spans_dropped_total')})`, '{{instance}} dropped'),
        ],
        perSecond,
      ),
      graph(
        'Queue',
        [q(`${i('jaeger_collector_queue_length')} / (${i('jaeger_collector_queue_capacity')} > 0)`, '{{instance}}')],
        { ...ratio, max: 1, thresholds: rising(0.5, 0.8) },
      ),
      graph(
        'Write, 95th percentile',
        [
          q(
            `histogram_quantile(0.95, sum by (instance, le) (${r('jaeger_collector_save_latency_bucket')}))`,
            '{{instance}}',
          ),
        ],
        { unit: 's', min: 0 },
      ),
      graph('Queries', [q(`sum by (result) (${r('jaeger_query_requests_total')})`, '{{result}}')], perSecond),
    ],
  ),
  board(
    'otel-collector',
    'OpenTelemetry collector',
    'Received, sent, refused and lost; queues and memory.',
    PLATFORM,
    '{__name__=~"otelcol_exporter_queue_capacity"}',
    [
      graph(
        'Spans received',
        [
          q(
            `sum by (receiver) (rate({__name__=~"otelcol_receiver_accepted_spans(_total)?", ${INSTANCE}}[$interval]))`,
            '{{receiver}}',
          ),
        ],
        perSecond,
      ),
      graph(
        'Spans sent',
        [
          q(
            `sum by (exporter) (rate({__name__=~"otelcol_exporter_sent_spans(_total)?", ${INSTANCE}}[$interval]))`,
            '{{exporter}}',
          ),
        ],
        perSecond,
      ),
      graph(
        'Spans lost',
        [
          q(
            `sum by (exporter) (rate({__name__=~"otelcol_exporter_send_failed_spans(_total)?", ${INSTANCE}}[$interval]))`,
            '{{exporter}} not sent',
          ),
          q(
            `sum by (receiver) (rate({__name__=~"otelcol_receiver_refused_spans(_total)?", ${INSTANCE}}[$interval]))`,
            '{{receiver}} refused',
          ),
        ],
        perSecond,
      ),
      graph(
        'Queues',
        [q(`${i('otelcol_exporter_queue_size')} / (${i('otelcol_exporter_queue_capacity')} > 0)`, '{{exporter}}')],
        { ...ratio, max: 1, thresholds: rising(0.5, 0.8) },
      ),
      graph('Memory', [q(`{__name__=~"otelcol_process_memory_rss(_bytes)?", ${INSTANCE}}`, '{{instance}}')], {
        unit: 'bytes',
        min: 0,
      }),
    ],
  ),
  board('gpu', 'GPU', 'Use, memory, temperature, power and throttling.', PLATFORM, 'DCGM_FI_DEV_GPU_UTIL', [
    row('Now'),
    stat('GPUs', `count(${i('DCGM_FI_DEV_GPU_UTIL')})`, { unit: 'short' }),
    stat('Mean use', `avg(${i('DCGM_FI_DEV_GPU_UTIL')})`, { unit: 'percent', min: 0, max: 100 }),
    stat('Hottest', `max(${i('DCGM_FI_DEV_GPU_TEMP')})`, { unit: 'celsius', thresholds: rising(80, 87) }),
    stat('With an Xid error', `count(${i('DCGM_FI_DEV_XID_ERRORS')} > 0) or vector(0)`, {
      unit: 'short',
      thresholds: rising(1, 2),
    }),
    row('Work'),
    graph('Use', [q(i('DCGM_FI_DEV_GPU_UTIL'), '{{Hostname}} {{gpu}}')], { unit: 'percent', min: 0, max: 100 }),
    graph(
      'Memory',
      [
        q(
          `${i('DCGM_FI_DEV_FB_USED')} / (${i('DCGM_FI_DEV_FB_USED')} + ${i('DCGM_FI_DEV_FB_FREE')} > 0)`,
          '{{Hostname}} {{gpu}}',
        ),
      ],
      { ...ratio, max: 1 },
    ),
    graph('Temperature', [q(i('DCGM_FI_DEV_GPU_TEMP'), '{{Hostname}} {{gpu}}')], { unit: 'celsius' }),
    graph('Power', [q(i('DCGM_FI_DEV_POWER_USAGE'), '{{Hostname}} {{gpu}}')], { unit: 'watt', min: 0 }),
    graph(
      'Throttled',
      [
        q(`${r('DCGM_FI_DEV_THERMAL_VIOLATION')} / 1e6`, '{{Hostname}} {{gpu}} heat'),
        q(`${r('DCGM_FI_DEV_POWER_VIOLATION')} / 1e6`, '{{Hostname}} {{gpu}} power'),
      ],
      { ...ratio, description: 'Share of the time.' },
    ),
    graph(
      'Faults',
      [
        q(`increase(DCGM_FI_DEV_ECC_DBE_VOL_TOTAL{${INSTANCE}}[1h])`, '{{Hostname}} {{gpu}} double-bit'),
        q(i('DCGM_FI_DEV_ROW_REMAP_FAILURE'), '{{Hostname}} {{gpu}} row'),
      ],
      { unit: 'short', min: 0 },
    ),
  ]),
  board(
    'kubernetes',
    'Kubernetes',
    'Workloads, containers, nodes and how well requests are used.',
    TENANT,
    'kube_pod_status_phase',
    [
      row('Now'),
      stat('Running pods', `sum(${t('kube_pod_status_phase', 'phase="Running"')})`, { unit: 'short' }),
      stat('Pods not running', `sum(${t('kube_pod_status_phase', 'phase=~"Pending|Failed|Unknown"')})`, {
        unit: 'short',
        thresholds: rising(1, 5),
      }),
      stat(
        'Nodes not ready',
        `count(${t('kube_node_status_condition', 'condition="Ready", status="true"')} == 0) or vector(0)`,
        { unit: 'short', thresholds: rising(1, 2) },
      ),
      stat('Restarts in 1 h', `sum(increase(${t('kube_pod_container_status_restarts_total')}[1h]))`, {
        unit: 'short',
        thresholds: rising(5, 20),
      }),
      row('Containers'),
      graph(
        'CPU',
        [q(`sum by (namespace) (${r('container_cpu_usage_seconds_total', 'container!=""', SCOPE)})`, '{{namespace}}')],
        { unit: 'short', min: 0, stack: true, description: 'Cores in use.' },
      ),
      graph(
        'Memory',
        [q(`sum by (namespace) (${t('container_memory_working_set_bytes', 'container!=""')})`, '{{namespace}}')],
        { unit: 'bytes', min: 0, stack: true },
      ),
      graph(
        'Throttled periods',
        [
          q(
            `sum by (namespace) (${r('container_cpu_cfs_throttled_periods_total', '', SCOPE)}) / (sum by (namespace) (${r('container_cpu_cfs_periods_total', '', SCOPE)}) > 0)`,
            '{{namespace}}',
          ),
        ],
        { ...ratio, max: 1 },
      ),
      graph(
        'Network',
        [
          q(`sum by (namespace) (${r('container_network_receive_bytes_total', '', SCOPE)})`, '{{namespace}} in'),
          q(`sum by (namespace) (${r('container_network_transmit_bytes_total', '', SCOPE)})`, '{{namespace}} out'),
        ],
        { unit: 'Bps', min: 0 },
      ),
      row('Capacity'),
      graph('Efficiency (target 85 %)', [q('namespace:resource_efficiency:ratio1d', '{{namespace}}')], {
        ...ratio,
        max: 1,
        thresholds: falling(0.5, 0.85),
      }),
      graph(
        'Volumes free',
        [
          q(
            `${t('kubelet_volume_stats_available_bytes')} / ${t('kubelet_volume_stats_capacity_bytes')}`,
            '{{namespace}} {{persistentvolumeclaim}}',
          ),
        ],
        { ...ratio, max: 1, thresholds: falling(0.1, 0.2) },
      ),
      graph(
        'Replicas against the limit',
        [
          q(
            `${t('kube_horizontalpodautoscaler_status_current_replicas')} / on (namespace, horizontalpodautoscaler) ${t('kube_horizontalpodautoscaler_spec_max_replicas')}`,
            '{{namespace}} {{horizontalpodautoscaler}}',
          ),
        ],
        { ...ratio, max: 1 },
      ),
      graph(
        'Quota in use',
        [
          q(
            `max by (namespace, resource) (${t('kube_resourcequota', 'type="used"')}) / (max by (namespace, resource) (${t('kube_resourcequota', 'type="hard"')}) > 0)`,
            '{{namespace}} {{resource}}',
          ),
        ],
        { ...ratio, max: 1, thresholds: rising(0.8, 0.95) },
      ),
    ],
  ),
  board(
    'dependencies',
    'Upstream dependencies',
    'Calls to interfaces of others: errors, latency, refusals and quotas.',
    TENANT,
    'upstream_requests_total',
    [
      graph('Calls', [q(`sum by (upstream) (${r('upstream_requests_total', '', SCOPE)})`, '{{upstream}}')], {
        unit: 'reqps',
        min: 0,
      }),
      graph(
        'Failed share',
        [
          q(
            `sum by (upstream) (${r('upstream_requests_total', 'status=~"5..|error|timeout"', SCOPE)}) / (sum by (upstream) (${r('upstream_requests_total', '', SCOPE)}) > 0)`,
            '{{upstream}}',
          ),
        ],
        ratio,
      ),
      graph(
        'Refused with 429',
        [
          q(
            `sum by (upstream) (${r('upstream_requests_total', 'status="429"', SCOPE)}) / (sum by (upstream) (${r('upstream_requests_total', '', SCOPE)}) > 0)`,
            '{{upstream}}',
          ),
        ],
        ratio,
      ),
      graph(
        '95th percentile',
        [
          q(
            `histogram_quantile(0.95, sum by (upstream, le) (${r('upstream_request_duration_seconds_bucket', '', SCOPE)}))`,
            '{{upstream}}',
          ),
        ],
        { unit: 's', min: 0 },
      ),
      graph(
        'Quota left',
        [
          q(
            `min by (upstream) (${t('upstream_quota_remaining')} / (${t('upstream_quota_limit')} > 0))`,
            '{{upstream}}',
          ),
        ],
        { ...ratio, max: 1, thresholds: falling(0.1, 0.3) },
      ),
      graph('Asked to wait', [q(`max by (upstream) (${t('upstream_retry_after_seconds')})`, '{{upstream}}')], {
        unit: 's',
        min: 0,
      }),
    ],
  ),
  board('probes', 'Probes', 'What services look like from outside.', PLATFORM, 'probe_success', [
    row('Now'),
    stat('Probes failing', `count(${i('probe_success')} == 0) or vector(0)`, {
      unit: 'short',
      thresholds: rising(1, 2),
    }),
    stat('Success of 24 h', `avg(avg_over_time(${i('probe_success')}[24h]))`, {
      unit: 'percentunit',
      decimals: 3,
      thresholds: falling(0.99, 0.999),
    }),
    stat('Slowest', `max(${i('probe_duration_seconds')})`, { unit: 's', thresholds: rising(1, 2) }),
    stat('Next certificate ends in', `min(${i('probe_ssl_earliest_cert_expiry')} - time())`, {
      unit: 's',
      thresholds: falling(259_200, 1_814_400),
    }),
    row('Over time'),
    graph('Success', [q(i('probe_success'), '{{instance}}')], { unit: 'short', min: 0, max: 1 }),
    graph('Duration', [q(i('probe_duration_seconds'), '{{instance}}')], { unit: 's', min: 0 }),
    graph('HTTP by phase', [q(`sum by (phase) (${i('probe_http_duration_seconds')})`, '{{phase}}')], {
      unit: 's',
      min: 0,
      stack: true,
    }),
    graph('DNS', [q(i('probe_dns_lookup_time_seconds'), '{{instance}}')], { unit: 's', min: 0 }),
  ]),
  board('queues', 'Queues and workers', 'Depth, age, throughput and failures.', TENANT, 'queue_depth', [
    graph('Consumers', [q(`sum by (queue) (${t('queue_consumers')})`, '{{queue}}')], { unit: 'short', min: 0 }),
    graph('Waiting', [q(`sum by (queue) (${t('queue_depth')})`, '{{queue}}')], { unit: 'short', min: 0 }),
    graph('Age of the oldest', [q(`max by (queue) (${t('queue_oldest_message_age_seconds')})`, '{{queue}}')], {
      unit: 's',
      min: 0,
    }),
    graph(
      'Jobs',
      [q(`sum by (queue, result) (${r('worker_jobs_total', '', SCOPE)})`, '{{queue}} {{result}}')],
      perSecond,
    ),
    graph(
      'Failed share',
      [
        q(
          `sum by (queue) (${r('worker_jobs_total', 'result="failure"', SCOPE)}) / (sum by (queue) (${r('worker_jobs_total', '', SCOPE)}) > 0)`,
          '{{queue}}',
        ),
      ],
      ratio,
    ),
  ]),
  board(
    'ml-models',
    'Models',
    'Accuracy, drift, inference and training of own models.',
    TENANT,
    'ml_predictions_total',
    [
      graph('Accuracy', [q(t('ml_model_accuracy'), '{{model}} {{version}}')], { unit: 'percentunit', max: 1 }),
      graph('Drift', [q(`max by (model, feature) (${t('ml_feature_drift_psi')})`, '{{model}} {{feature}}')], {
        unit: 'short',
        min: 0,
        thresholds: rising(0.1, 0.25),
      }),
      graph(
        'Inference, 95th percentile',
        [
          q(
            `histogram_quantile(0.95, sum by (model, le) (${r('ml_inference_duration_seconds_bucket', '', SCOPE)}))`,
            '{{model}}',
          ),
        ],
        { unit: 's', min: 0 },
      ),
      graph('Predictions', [q(`sum by (model) (${r('ml_predictions_total', '', SCOPE)})`, '{{model}}')], perSecond),
      graph('Training time', [q(t('ml_training_duration_seconds'), '{{model}}')], { unit: 's', min: 0 }),
    ],
  ),
  board('ai-service', 'AI service', 'Language-model calls by provider and model.', TENANT, 'llm_requests_total', [
    graph(
      'Calls',
      [q(`sum by (provider, status) (${r('llm_requests_total', '', SCOPE)})`, '{{provider}} {{status}}')],
      { unit: 'reqps', min: 0 },
    ),
    graph(
      'Time to first token, 95th percentile',
      [
        q(
          `histogram_quantile(0.95, sum by (model, le) (${r('llm_time_to_first_token_seconds_bucket', '', SCOPE)}))`,
          '{{model}}',
        ),
      ],
      { unit: 's', min: 0, thresholds: rising(1, 2) },
    ),
    graph('Tokens a second', [q(`sum by (model) (model:llm_tokens:rate5m{tenant_id=~"$tenant"})`, '{{model}}')], {
      unit: 'short',
      min: 0,
    }),
    graph(
      'Cost of 1,000 tokens',
      [
        q(
          `max by (provider, model) (model:llm_cost_euros_per_1k_tokens:rate1h{tenant_id=~"$tenant"})`,
          '{{provider}} {{model}}',
        ),
      ],
      { unit: 'currencyEUR', decimals: 5, min: 0 },
    ),
    graph(
      'Cost an hour by tenant',
      [q(`sum by (tenant_id) (increase(${t('llm_cost_euros_total')}[1h]))`, '{{tenant_id}}')],
      { unit: 'currencyEUR', min: 0 },
    ),
  ]),
  board('security', 'Sign-ins and privileges', 'Counters of the service itself.', TENANT, 'auth_attempts_total', [
    graph('Sign-ins', [q(`sum by (result) (${r('auth_attempts_total', '', SCOPE)})`, '{{result}}')], perSecond),
    graph(
      'Failed share',
      [
        q(
          `sum by (tenant_id) (${r('auth_attempts_total', 'result="failure"', SCOPE)}) / (sum by (tenant_id) (${r('auth_attempts_total', '', SCOPE)}) > 0)`,
          '{{tenant_id}}',
        ),
      ],
      ratio,
    ),
    graph(
      'Privilege changes an hour',
      [q(`sum by (tenant_id) (increase(${t('privilege_changes_total')}[1h]))`, '{{tenant_id}}')],
      { unit: 'short', min: 0 },
    ),
  ]),
  board(
    'slo',
    'Error budgets',
    'What is left of the budget and how fast it is spent.',
    ['tenant', 'environment', 'service'],
    'http_requests_total',
    [
      row('Budget of thirty days (objective 99.9 %)'),
      stat(
        'Budget left',
        `min(1 - (sum by (tenant_id, service) (increase(http_requests_total{${SCOPE}, service=~"$service", status=~"5.."}[30d])) / (sum by (tenant_id, service) (increase(http_requests_total{${SCOPE}, service=~"$service"}[30d])) > 0)) / 0.001) or vector(1)`,
        {
          unit: 'percentunit',
          thresholds: falling(0, 0.25),
          width: 8,
          description: 'Of the service that has the least left; negative when it is overspent.',
        },
      ),
      stat('Burns, 1 h', `max(${budget('1h')}) / 0.001`, {
        unit: 'short',
        decimals: 1,
        thresholds: rising(6, 14.4),
        width: 8,
        description: '1 spends the budget in exactly thirty days.',
      }),
      stat('Burns, 6 h', `max(${budget('6h')}) / 0.001`, {
        unit: 'short',
        decimals: 1,
        thresholds: rising(3, 6),
        width: 8,
      }),
      row('How fast it is spent'),
      graph(
        'Short windows',
        [q(`${budget('5m')} / 0.001`, '{{service}} 5 min'), q(`${budget('1h')} / 0.001`, '{{service}} 1 h')],
        { unit: 'short', min: 0, thresholds: rising(6, 14.4) },
      ),
      graph(
        'Long windows',
        [q(`${budget('6h')} / 0.001`, '{{service}} 6 h'), q(`${budget('3d')} / 0.001`, '{{service}} 3 d')],
        { unit: 'short', min: 0, thresholds: rising(1, 6) },
      ),
      graph(
        'Requests of an hour',
        [
          q(
            'sum by (service) (service:slo_requests:increase1h{tenant_id=~"$tenant", service=~"$service"})',
            '{{service}}',
          ),
        ],
        { unit: 'short', min: 0 },
      ),
      graph(
        '95th percentile of an hour (objective 200 ms)',
        [
          q(
            'max by (service) (service:slo_latency_seconds:p95_1h{tenant_id=~"$tenant", service=~"$service"})',
            '{{service}}',
          ),
        ],
        { unit: 's', min: 0, thresholds: rising(0.2, 0.5) },
      ),
    ],
  ),
  board('business', 'KPIs', 'The same expressions as the KPI definitions.', TENANT, 'revenue_euros_total', [
    graph(
      'Satisfaction of 30 days (target 95 %)',
      [q('tenant:satisfaction:ratio30d{tenant_id=~"$tenant"}', '{{tenant_id}}')],
      { unit: 'percentunit', max: 1, thresholds: falling(0.9, 0.95) },
    ),
    graph(
      'Cost of a request (target 0.001 EUR)',
      [q('tenant:cost_euros_per_request:ratio_rate1d{tenant_id=~"$tenant"}', '{{tenant_id}}')],
      { unit: 'currencyEUR', decimals: 5, min: 0, thresholds: rising(0.0008, 0.001) },
    ),
    graph('Revenue an hour', [q(`sum by (tenant_id) (increase(${t('revenue_euros_total')}[1h]))`, '{{tenant_id}}')], {
      unit: 'currencyEUR',
      min: 0,
    }),
    graph(
      'Sign-ups and conversions an hour',
      [
        q(`sum(increase(${t('signups_total')}[1h]))`, 'sign-ups'),
        q(`sum(increase(${t('conversions_total')}[1h]))`, 'conversions'),
      ],
      { unit: 'short', min: 0 },
    ),
  ]),
];
