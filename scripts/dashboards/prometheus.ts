/** The dashboards of single packs, on Prometheus data alone. */
import { type DashboardSpec, falling, graph, INSTANCE, note, rising, row, SERVICE, stat, table } from './kit.ts';

const FS = `${INSTANCE}, fstype!~"squashfs|ramfs|iso9660|erofs|autofs|overlay|tmpfs|fuse.*"`;
const NIC = `${INSTANCE}, device!~"lo|veth.*|docker.*|br-.*"`;

export const CPU_BUSY = `1 - avg by (instance) (rate(node_cpu_seconds_total{${INSTANCE}, mode="idle"}[$interval]))`;
export const MEMORY_USED = `1 - node_memory_MemAvailable_bytes{${INSTANCE}} / node_memory_MemTotal_bytes{${INSTANCE}}`;
export const DISK_USED = `1 - node_filesystem_avail_bytes{${FS}} / node_filesystem_size_bytes{${FS}}`;
export const NETWORK = [
  {
    expr: `sum by (instance) (rate(node_network_receive_bytes_total{${NIC}}[$interval]))`,
    legend: '{{instance}} in',
  },
  {
    expr: `sum by (instance) (rate(node_network_transmit_bytes_total{${NIC}}[$interval]))`,
    legend: '{{instance}} out',
  },
];
const DISK = `${INSTANCE}, device!~"loop.*|ram.*|dm-.*"`;
export const DISK_IO = [
  { expr: `sum by (instance) (rate(node_disk_read_bytes_total{${DISK}}[$interval]))`, legend: '{{instance}} read' },
  {
    expr: `sum by (instance) (rate(node_disk_written_bytes_total{${DISK}}[$interval]))`,
    legend: '{{instance}} written',
  },
];
export const DISK_BUSY = `rate(node_disk_io_time_seconds_total{${DISK}}[$interval])`;
const REQUESTS = (by: string): string => `sum by (${by}) (rate(http_requests_total{${SERVICE}}[$interval]))`;
/** Failed share by label; zero, not nothing, where no request has failed yet. */
export const ERROR_RATIO = (by: string): string =>
  `(sum by (${by}) (rate(http_requests_total{${SERVICE}, status=~"5.."}[$interval])) or ${REQUESTS(by)} * 0) / (${REQUESTS(by)} > 0)`;
export const LATENCY = (quantile: number, by: string): string =>
  `histogram_quantile(${quantile}, sum by (${by === '' ? 'le' : `${by}, le`}) (rate(http_request_duration_seconds_bucket{${SERVICE}}[$interval])))`;
export { REQUESTS };

export const PROMETHEUS_DASHBOARDS: readonly DashboardSpec[] = [
  {
    file: 'prometheus/dashboards/host.json',
    uid: 'vigie-host',
    title: 'Host',
    description: 'CPU, memory, disks and network of machines.',
    tags: ['host'],
    variables: ['tenant', 'environment', 'instance'],
    labelsFrom: 'node_cpu_seconds_total',
    panels: [
      row('Now'),
      stat('Busiest CPU', `max(${CPU_BUSY})`, { unit: 'percentunit', thresholds: rising(0.8, 0.9), min: 0, max: 1 }),
      stat('Fullest memory', `max(${MEMORY_USED})`, { unit: 'percentunit', thresholds: rising(0.85, 0.95) }),
      stat('Fullest disk', `max(${DISK_USED})`, { unit: 'percentunit', thresholds: rising(0.85, 0.97) }),
      stat('Machines', `count(count by (instance) (node_cpu_seconds_total{${INSTANCE}}))`, { unit: 'short' }),
      row('Use'),
      graph('CPU in use', [{ expr: CPU_BUSY, legend: '{{instance}}' }], { unit: 'percentunit', min: 0, max: 1 }),
      graph(
        'CPU by mode',
        [
          {
            expr: `sum by (mode) (rate(node_cpu_seconds_total{${INSTANCE}, mode!="idle"}[$interval]))`,
            legend: '{{mode}}',
          },
        ],
        { unit: 'short', stack: true, description: 'Processors at work, by what they do.' },
      ),
      graph('Memory in use', [{ expr: MEMORY_USED, legend: '{{instance}}' }], { unit: 'percentunit', min: 0, max: 1 }),
      graph('Network', NETWORK, { unit: 'Bps' }),
      graph(
        'Network errors',
        [
          {
            expr: `rate(node_network_receive_errs_total{${NIC}}[$interval]) + rate(node_network_transmit_errs_total{${NIC}}[$interval])`,
            legend: '{{instance}} {{device}}',
          },
        ],
        { unit: 'ops', min: 0 },
      ),
      graph('Disk input and output', DISK_IO, { unit: 'Bps' }),
      graph('Disks busy', [{ expr: DISK_BUSY, legend: '{{instance}} {{device}}' }], {
        unit: 'percentunit',
        min: 0,
        max: 1,
      }),
      row('File systems'),
      graph('File systems in use', [{ expr: DISK_USED, legend: '{{instance}} {{mountpoint}}' }], {
        unit: 'percentunit',
        min: 0,
        max: 1,
        thresholds: rising(0.9, 0.97),
      }),
      table('Free space', `sort(node_filesystem_avail_bytes{${FS}})`, { unit: 'bytes' }),
    ],
  },
  {
    file: 'prometheus/dashboards/api.json',
    uid: 'vigie-api',
    title: 'API',
    description: 'Rate, errors and duration of HTTP services.',
    tags: ['api'],
    variables: ['tenant', 'environment', 'service'],
    labelsFrom: 'http_requests_total',
    panels: [
      row('Objectives'),
      stat('Requests', `sum(rate(http_requests_total{${SERVICE}}[$interval]))`, { unit: 'reqps' }),
      stat(
        'Failed share (objective 0.1 %)',
        `sum(${ERROR_RATIO('tenant_id')} * ${REQUESTS('tenant_id')}) / sum(${REQUESTS('tenant_id')} > 0)`,
        {
          unit: 'percentunit',
          decimals: 3,
          thresholds: rising(0.001, 0.01),
        },
      ),
      stat('95th percentile (objective 200 ms)', LATENCY(0.95, ''), { unit: 's', thresholds: rising(0.2, 0.5) }),
      stat('99th percentile', LATENCY(0.99, ''), { unit: 's', thresholds: rising(0.5, 1) }),
      row('By endpoint'),
      graph('Requests', [{ expr: REQUESTS('route'), legend: '{{route}}' }], { unit: 'reqps', stack: true }),
      graph('Failed share', [{ expr: ERROR_RATIO('route'), legend: '{{route}}' }], { unit: 'percentunit', min: 0 }),
      graph('Median', [{ expr: LATENCY(0.5, 'route'), legend: '{{route}}' }], { unit: 's', min: 0 }),
      graph('95th percentile', [{ expr: LATENCY(0.95, 'route'), legend: '{{route}}' }], {
        unit: 's',
        min: 0,
        thresholds: rising(0.2, 0.5),
      }),
    ],
  },
  {
    file: 'prometheus/dashboards/vigie.json',
    uid: 'vigie-self',
    title: 'Vigie itself',
    description: 'Targets and alerts as Vigie sees them.',
    tags: ['self'],
    variables: [],
    labelsFrom: 'up',
    panels: [
      row('Now'),
      stat('Targets up', 'sum(up)', { unit: 'short' }),
      stat('Targets down', 'count(up == 0) or vector(0)', { unit: 'short', thresholds: rising(1, 3) }),
      stat('Alerts firing', 'count(ALERTS{alertstate="firing", severity!="none"}) or vector(0)', {
        unit: 'short',
        thresholds: rising(1, 10),
      }),
      stat('Share of targets up', 'avg(up)', { unit: 'percentunit', thresholds: falling(0.9, 1) }),
      row('Over time'),
      graph('Targets', [{ expr: 'sum by (job) (up)', legend: '{{job}}' }], { unit: 'short', min: 0 }),
      graph(
        'Alerts firing by severity',
        [
          {
            expr: 'count by (severity) (ALERTS{alertstate="firing", severity!="none"}) or vector(0)',
            legend: '{{severity}}',
          },
        ],
        { unit: 'short', min: 0 },
      ),
      note(
        'Own metrics',
        "Vigie's own figures (samples taken in, rule evaluations, notifications) are at `/metrics` of each process. Scrape that address as a target to draw them beside these panels.",
        { width: 24, height: 4 },
      ),
    ],
  },
];
