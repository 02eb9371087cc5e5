/** Series and rule files of the rule benches: one seeded shape per tenant, the same for every program. */
import { Labels } from '../src/model/labels.ts';

export interface BenchSeries {
  readonly labels: Labels;
  /** Value of the sample of a round; rounds are 15 s apart. */
  readonly value: (round: number) => number;
}

/** What a bench runs: the series of a tenant, and a rule file of at most so many rules over them. */
export interface RuleLoad {
  readonly name: string;
  readonly seriesOf: (tenant: string) => BenchSeries[];
  readonly rulesOf: (tenant: string, count: number) => string;
  /** A recorded series that the programs must agree on, whatever the offset of a group inside the interval. */
  readonly check: string;
}

const BOUNDS = ['0.005', '0.01', '0.025', '0.05', '0.1', '0.25', '0.5', '1', '2.5', '5', '10', '+Inf'];

class Series {
  readonly all: BenchSeries[] = [];
  readonly #tenant: string;

  constructor(tenant: string) {
    this.#tenant = tenant;
  }

  add(name: string, more: Record<string, string>, value: (round: number) => number): void {
    this.all.push({ labels: Labels.from({ __name__: name, tenant: this.#tenant, ...more }), value });
  }
}

class Rules {
  readonly #tenant: string;
  readonly out: string[] = [];

  constructor(tenant: string) {
    this.#tenant = tenant;
  }

  record(name: string, expr: string): void {
    this.out.push(`  - record: ${name}\n    expr: ${JSON.stringify(expr)}\n    labels: { tenant: ${this.#tenant} }`);
  }

  alert(name: string, expr: string, summary: string, forText = '1m'): void {
    this.out.push(
      `  - alert: ${name}\n    expr: ${JSON.stringify(expr)}\n    for: ${forText}\n    labels: { severity: page }\n    annotations: { summary: ${JSON.stringify(summary)} }`,
    );
  }

  file(count: number): string {
    return `groups:\n- name: ${this.#tenant}\n  interval: 15s\n  rules:\n${this.out.slice(0, count).join('\n')}\n`;
  }
}

/** Requests by route and code, latency buckets, memory, CPU, queues, up: 400 series of one tenant. */
export const services: RuleLoad = {
  name: 'services',
  seriesOf(tenant) {
    const s = new Series(tenant);
    for (let r = 0; r < 20; r++)
      for (const [k, code] of ['200', '201', '404', '500', '503'].entries())
        s.add('http_requests_total', { route: `/r${r}`, code }, (n) => Math.floor(n * (k < 2 ? 40 + r : 1 + r / 20)));
    for (let r = 0; r < 10; r++)
      for (const [k, le] of BOUNDS.entries())
        s.add('http_request_duration_seconds_bucket', { route: `/r${r}`, le }, (n) => n * (k + 1) * (r + 1));
    for (let i = 0; i < 40; i++) {
      const instance = `i${i}`;
      s.add('memory_used_bytes', { instance }, (n) => Math.round(1e9 + 4e8 * Math.sin((n + i) / 9)));
      s.add('memory_limit_bytes', { instance }, () => 1.6e9);
      s.add('cpu_seconds_total', { instance }, (n) => Math.round(n * (2 + i / 10) * 100) / 100);
      s.add('queue_depth', { queue: `q${i}` }, (n) => Math.round(20 + 15 * Math.sin((n * (i + 1)) / 20)));
    }
    for (let i = 0; i < 20; i++) s.add('up', { instance: `i${i}`, job: 'app' }, (n) => (i === 3 && n % 9 < 4 ? 0 : 1));
    return s.all;
  },
  rulesOf(tenant, count) {
    const t = `tenant="${tenant}"`;
    const rules = new Rules(tenant);
    const summary = '{{ $labels.route }} is at {{ $value }}';
    for (let k = 0; rules.out.length < count; k++) {
      const w = ['2m', '5m', '10m'][k % 3]!;
      const n = `${w}_${k}`;
      rules.record(`route:requests:rate${n}`, `sum by (route) (rate(http_requests_total{${t}}[${w}]))`);
      rules.record(
        `route:errors:ratio${n}`,
        `sum by (route) (rate(http_requests_total{${t},code=~"5.."}[${w}])) / sum by (route) (rate(http_requests_total{${t}}[${w}]))`,
      );
      rules.alert(
        `Errors${n}`,
        `sum by (route) (rate(http_requests_total{${t},code=~"5.."}[${w}])) / sum by (route) (rate(http_requests_total{${t}}[${w}])) > ${0.2 + k / 100}`,
        summary,
      );
      rules.record(
        `route:latency:p9${k % 10}_${n}`,
        `histogram_quantile(0.9${k % 10}, sum by (le, route) (rate(http_request_duration_seconds_bucket{${t}}[${w}])))`,
      );
      rules.alert(
        `Slow${n}`,
        `histogram_quantile(0.99, sum by (le, route) (rate(http_request_duration_seconds_bucket{${t}}[${w}]))) > ${50 + k}`,
        summary,
      );
      rules.alert(
        `Memory${n}`,
        `memory_used_bytes{${t}} / on (instance) memory_limit_bytes{${t}} > 0.9${k % 10}`,
        summary,
      );
      rules.record(`instance:memory:avg${n}`, `avg_over_time(memory_used_bytes{${t}}[${w}])`);
      rules.record(`tenant:cpu:rate${n}`, `sum(rate(cpu_seconds_total{${t}}[${w}]))`);
      rules.alert(`Queue${n}`, `max_over_time(queue_depth{${t}}[${w}]) > ${36 + (k % 3)}`, summary);
      rules.alert(`Down${n}`, `up{${t}} == 0`, summary);
      rules.record(`queue:depth:max${n}`, `max by (queue) (queue_depth{${t}})`);
      rules.alert(`Few${n}`, `count(up{${t}} == 1) < ${15 - k}`, summary);
    }
    return rules.file(count);
  },
  check: 'sum by (route) (round(route:latency:p90_2m_0{TENANT}, 0.1)) and on () vector(1)',
};

const MODES = ['user', 'system', 'iowait', 'steal', 'idle'];

/**
 * The shapes of the public mixins for nodes, Kubernetes and its API server, written anew: chains of recording rules,
 * `without`, joins with `group_left`, quotas, predictions, `topk`, `offset`, `absent`, burn rates over four windows.
 * 400 series of one tenant.
 */
export const mixin: RuleLoad = {
  name: 'mixin',
  seriesOf(tenant) {
    const s = new Series(tenant);
    for (let i = 0; i < 6; i++) {
      const instance = `n${i}:9100`;
      const node = { job: 'node', instance };
      for (let cpu = 0; cpu < 4; cpu++)
        for (const [m, mode] of MODES.entries())
          s.add(
            'node_cpu_seconds_total',
            { ...node, cpu: String(cpu), mode },
            (n) => Math.round(n * (m + 1 + i / 3) * 90) / 100,
          );
      s.add('node_memory_MemTotal_bytes', node, () => 64e9);
      s.add('node_memory_MemAvailable_bytes', node, (n) => Math.round(3e10 + 2.6e10 * Math.sin((n + i) / 30)));
      s.add('node_load1', node, (n) => Math.round(400 + 300 * Math.sin((n + 3 * i) / 12)) / 100);
      for (const device of ['sda', 'sdb']) {
        s.add('node_disk_io_time_seconds_total', { ...node, device }, (n) => n * (3 + i));
        const disk = { ...node, device, fstype: 'ext4', mountpoint: `/${device}` };
        s.add('node_filesystem_size_bytes', disk, () => 5e11);
        s.add('node_filesystem_avail_bytes', disk, (n) => 3e11 - n * 1e6 * (i + 1));
        s.add('node_network_receive_bytes_total', { ...node, device }, (n) => n * 1e5 * (i + 1));
        s.add('node_network_receive_errs_total', { ...node, device }, (n) => Math.floor(n / 50) * i);
      }
      s.add('up', node, (n) => (i === 2 && n % 40 < 3 ? 0 : 1));
      s.add('kube_node_status_condition', { job: 'ksm', node: `n${i}`, condition: 'Ready', status: 'true' }, () => 1);
      s.add('kube_node_status_allocatable', { job: 'ksm', node: `n${i}`, resource: 'cpu' }, () => 4);
    }
    for (let p = 0; p < 16; p++) {
      const pod = { job: 'ksm', namespace: `ns${p % 3}`, pod: `pod-${p}` };
      s.add('kube_pod_info', { ...pod, node: `n${p % 6}` }, () => 1);
      s.add('kube_pod_owner', { ...pod, owner_kind: 'ReplicaSet', owner_name: `app-${p % 5}` }, () => 1);
      s.add('kube_pod_status_phase', { ...pod, phase: 'Pending' }, (n) => (p === 7 && n % 60 < 20 ? 1 : 0));
      s.add('kube_pod_container_status_restarts_total', { ...pod, container: 'app' }, (n) => Math.floor(n / (40 + p)));
      s.add(
        'kube_pod_container_resource_requests',
        { ...pod, container: 'app', resource: 'cpu', node: `n${p % 6}` },
        () => 0.5,
      );
      const container = { job: 'kubelet', namespace: pod.namespace, pod: pod.pod, container: 'app', image: 'app' };
      s.add('container_cpu_usage_seconds_total', container, (n) => Math.round(n * (1 + p) * 10) / 100);
      s.add('container_memory_working_set_bytes', container, (n) => Math.round(2e8 + 1e7 * Math.sin((n + p) / 7)));
    }
    for (let d = 0; d < 5; d++) {
      const deployment = { job: 'ksm', namespace: `ns${d % 3}`, deployment: `app-${d}` };
      s.add('kube_deployment_spec_replicas', deployment, () => 3);
      s.add('kube_deployment_status_replicas_available', deployment, (n) => (d === 1 && n % 30 < 12 ? 2 : 3));
    }
    for (const verb of ['GET', 'LIST', 'POST'])
      for (const [k, code] of ['200', '404', '500'].entries())
        s.add(
          'apiserver_request_total',
          { job: 'apiserver', verb, code },
          (n) => n * (k === 0 ? 300 : k === 1 ? 7 : 1),
        );
    for (const verb of ['GET', 'POST'])
      for (const [k, le] of BOUNDS.entries())
        s.add('apiserver_request_duration_seconds_bucket', { job: 'apiserver', verb, le }, (n) => n * 20 * (k + 1));
    return s.all;
  },
  rulesOf(tenant, count) {
    const T = `tenant="${tenant}"`;
    const r = new Rules(tenant);
    const where = '{{ $labels.instance }}{{ $labels.namespace }}/{{ $labels.pod }} is at {{ $value | humanize }}';
    for (let k = 0; r.out.length < count; k++) {
      const x = k === 0 ? '' : `_${k}`;
      r.record(
        `instance:node_num_cpu:sum${x}`,
        `count without (cpu, mode) (node_cpu_seconds_total{${T},job="node",mode="idle"})`,
      );
      r.record(
        `instance:node_cpu_utilisation:rate5m${x}`,
        `1 - avg without (cpu) (sum without (mode) (rate(node_cpu_seconds_total{${T},job="node",mode=~"idle|iowait|steal"}[5m])))`,
      );
      r.record(
        `instance:node_load1_per_cpu:ratio${x}`,
        `node_load1{${T},job="node"} / instance:node_num_cpu:sum${x}{${T},job="node"}`,
      );
      r.record(
        `instance:node_memory_utilisation:ratio${x}`,
        `1 - (node_memory_MemAvailable_bytes{${T},job="node"} / node_memory_MemTotal_bytes{${T},job="node"})`,
      );
      r.record(
        `instance_device:node_disk_io_time_seconds:rate5m${x}`,
        `rate(node_disk_io_time_seconds_total{${T},job="node",device=~"(sd|vd|nvme).+"}[5m])`,
      );
      r.record(
        `instance:node_network_receive_bytes_excluding_lo:rate5m${x}`,
        `sum without (device) (rate(node_network_receive_bytes_total{${T},job="node",device!="lo"}[5m]))`,
      );
      r.alert(
        `FilesystemSpaceFillingUp${x}`,
        `(node_filesystem_avail_bytes{${T},fstype!=""} / node_filesystem_size_bytes{${T},fstype!=""} * 100 < ${40 - k} and predict_linear(node_filesystem_avail_bytes{${T},fstype!=""}[10m], 86400) < 0)`,
        where,
      );
      r.alert(
        `FilesystemAlmostOutOfSpace${x}`,
        `node_filesystem_avail_bytes{${T},fstype!=""} / node_filesystem_size_bytes{${T},fstype!=""} * 100 < ${5 + k}`,
        where,
      );
      r.alert(
        `NetworkReceiveErrs${x}`,
        `rate(node_network_receive_errs_total{${T}}[2m]) / rate(node_network_receive_bytes_total{${T}}[2m]) > 0.01`,
        where,
      );
      r.alert(
        `HighCpu${x}`,
        `sum without (mode) (avg without (cpu) (rate(node_cpu_seconds_total{${T},job="node",mode!="idle"}[2m]))) * 100 > ${900 + k}`,
        where,
      );
      r.alert(`TargetDown${x}`, `100 * (count by (job) (up{${T}} == 0) / count by (job) (up{${T}})) > 10`, where);
      r.record(
        `node_namespace_pod_container:container_cpu_usage_seconds_total:sum_irate${x}`,
        `sum by (namespace, pod, container) (irate(container_cpu_usage_seconds_total{${T},job="kubelet",image!=""}[5m])) * on (namespace, pod) group_left (node) topk by (namespace, pod) (1, max by (namespace, pod, node) (kube_pod_info{${T},node!=""}))`,
      );
      r.record(
        `node_namespace_pod_container:container_memory_working_set_bytes${x}`,
        `container_memory_working_set_bytes{${T},job="kubelet",image!=""} * on (namespace, pod) group_left (node) topk by (namespace, pod) (1, max by (namespace, pod, node) (kube_pod_info{${T},node!=""}))`,
      );
      r.record(
        `namespace_cpu:kube_pod_container_resource_requests:sum${x}`,
        `sum by (namespace) (sum by (namespace, pod) (max by (namespace, pod, container) (kube_pod_container_resource_requests{${T},resource="cpu",job="ksm"}) * on (namespace, pod) group_left () max by (namespace, pod) (kube_pod_status_phase{${T},phase=~"Pending|Running"} == 0)))`,
      );
      r.record(
        `namespace_workload_pod:kube_pod_owner:relabel${x}`,
        `max by (namespace, workload, pod) (label_replace(kube_pod_owner{${T},job="ksm",owner_kind="ReplicaSet"}, "workload", "$1", "owner_name", "(.*)"))`,
      );
      r.alert(
        `PodCrashLooping${x}`,
        `increase(kube_pod_container_status_restarts_total{${T},job="ksm"}[10m]) > ${1 + k}`,
        where,
      );
      r.alert(
        `PodNotReady${x}`,
        `sum by (namespace, pod) (max by (namespace, pod) (kube_pod_status_phase{${T},job="ksm",phase=~"Pending|Unknown|Failed"}) * on (namespace, pod) group_left (owner_kind) topk by (namespace, pod) (1, max by (namespace, pod, owner_kind) (kube_pod_owner{${T},owner_kind!="Job"}))) > 0`,
        where,
      );
      r.alert(
        `DeploymentReplicasMismatch${x}`,
        `(kube_deployment_spec_replicas{${T},job="ksm"} > kube_deployment_status_replicas_available{${T},job="ksm"}) and (changes(kube_deployment_status_replicas_available{${T},job="ksm"}[5m]) == 0)`,
        where,
      );
      r.alert(
        `CpuOvercommit${x}`,
        `sum(namespace_cpu:kube_pod_container_resource_requests:sum${x}{${T}}) - (sum(kube_node_status_allocatable{${T},resource="cpu"}) - max(kube_node_status_allocatable{${T},resource="cpu"})) > ${k}`,
        where,
      );
      r.alert(`NodeNotReady${x}`, `kube_node_status_condition{${T},condition="Ready",status="true"} == 0`, where);
      for (const w of ['2m', '5m', '8m', '10m'])
        r.record(
          `apiserver_request:burnrate${w}${x}`,
          `sum(rate(apiserver_request_total{${T},job="apiserver",code=~"5.."}[${w}])) / sum(rate(apiserver_request_total{${T},job="apiserver"}[${w}]))`,
        );
      r.alert(
        `ErrorBudgetBurn${x}`,
        `apiserver_request:burnrate2m${x}{${T}} > 14.4 * 0.01 and apiserver_request:burnrate10m${x}{${T}} > 14.4 * 0.01`,
        where,
      );
      r.record(
        `cluster_quantile:apiserver_request_duration_seconds:histogram_quantile${x}`,
        `histogram_quantile(0.99, sum by (le, verb) (rate(apiserver_request_duration_seconds_bucket{${T},job="apiserver"}[5m])))`,
      );
      r.record(
        `code_verb:apiserver_request_total:increase5m${x}`,
        `sum by (code, verb) (increase(apiserver_request_total{${T},job="apiserver",verb=~"LIST|GET|POST",code=~"2.."}[5m]))`,
      );
      r.alert(
        `RequestsDropped${x}`,
        `sum(rate(apiserver_request_total{${T}}[5m])) < 0.5 * sum(rate(apiserver_request_total{${T}}[5m] offset 2m))`,
        where,
      );
      r.alert(`ApiServerAbsent${x}`, `absent(apiserver_request_total{${T},job="apiserver"})`, where);
    }
    return r.file(count);
  },
  check:
    'round(cluster_quantile:apiserver_request_duration_seconds:histogram_quantile{TENANT}, 0.1) and on () vector(1)',
};

export const loads: ReadonlyMap<string, RuleLoad> = new Map([services, mixin].map((l) => [l.name, l]));
