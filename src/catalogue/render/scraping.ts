/** What Prometheus scrapes: tenants' services and the exporters of the packs, as files or as operator objects. */
import { type Artefact, header } from '../artefact.ts';
import type { Scope } from '../scope.ts';
import { yamlText } from '../yaml-text.ts';
import type { RenderContext } from './context.ts';
import { documents, objectMeta } from './kubernetes.ts';

interface Job {
  readonly job: string;
  readonly port: number;
  readonly path: string;
  readonly port_name: string;
}

/** Exporters of the platform's packs, each job once. */
function jobs(context: RenderContext, scope: Scope): readonly Job[] {
  const seen = new Map<string, Job>();
  for (const pack of context.packs(scope)) for (const job of pack.manifest.scrape) seen.set(job.job, job);
  return [...seen.values()].sort((a, b) => (a.job < b.job ? -1 : 1));
}

export function* scrapingFiles(context: RenderContext, scope: Scope): Generator<Artefact> {
  const { config } = context;
  const facts = { environment: scope.environment, tenant: scope.tenant };
  if (scope.tenant === undefined) {
    yield {
      path: 'prometheus/prometheus.yml',
      target: 'prometheus',
      content:
        header({ template: 'prometheus/exporters', ...facts }) +
        yamlText({
          global: {
            scrape_interval: config.prometheus.scrape_interval,
            evaluation_interval: config.prometheus.evaluation_interval,
            external_labels: { environment: scope.environment },
          },
          rule_files: ['rules/*.yml'],
          alerting: { alertmanagers: [{ static_configs: [{ targets: config.prometheus.alertmanagers }] }] },
          scrape_configs: [
            ...jobs(context, scope).map((job) => ({
              job_name: job.job,
              metrics_path: job.path === '/metrics' ? undefined : job.path,
              static_configs: [
                {
                  targets: config.prometheus.targets[job.job] ?? [`localhost:${job.port}`],
                  labels: { env: scope.environment },
                },
              ],
            })),
            { job_name: 'services', file_sd_configs: [{ files: ['targets/*.yml'] }] },
            ...(config.prometheus.prober ? [probeJob(config.prometheus.prober)] : []),
          ],
        }),
    };
    return;
  }
  const services = scope.settings?.services ?? [];
  const labels = { tenant_id: scope.tenant, env: scope.environment };
  const targets = services
    .filter((s) => s.targets.length > 0)
    .map((s) => ({ targets: s.targets, labels: { ...labels, service: s.name, __metrics_path__: s.path } }));
  if (targets.length > 0)
    yield {
      path: `prometheus/targets/${scope.slug}.yml`,
      target: 'prometheus',
      content: header({ template: 'prometheus/exporters', ...facts }) + yamlText(targets),
    };
  const probes = services
    .filter((s) => s.probe)
    .map((s) => ({ targets: [s.probe], labels: { ...labels, service: s.name } }));
  if (probes.length > 0)
    yield {
      path: `prometheus/probes/${scope.slug}.yml`,
      target: 'prometheus',
      content: header({ template: 'prometheus/exporters', ...facts }) + yamlText(probes),
    };
}

const probeJob = (prober: string): unknown => ({
  job_name: 'probe',
  metrics_path: '/probe',
  params: { module: ['http_2xx'] },
  file_sd_configs: [{ files: ['probes/*.yml'] }],
  relabel_configs: [
    { source_labels: ['__address__'], target_label: '__param_target' },
    { source_labels: ['__param_target'], target_label: 'instance' },
    { target_label: '__address__', replacement: prober },
  ],
});

export function* scrapingKubernetes(context: RenderContext, scope: Scope): Generator<Artefact> {
  const { config } = context;
  const interval = config.prometheus.scrape_interval;
  if (scope.tenant === undefined) {
    for (const job of jobs(context, scope)) {
      const targets = config.prometheus.targets[job.job];
      // addresses outside the cluster are static; inside it, pods of the exporter are found by their labels
      const object = targets
        ? {
            apiVersion: 'monitoring.coreos.com/v1alpha1',
            kind: 'ScrapeConfig',
            metadata: objectMeta(context, scope, `vigie-${job.job}`),
            spec: {
              jobName: job.job,
              metricsPath: job.path,
              scrapeInterval: interval,
              staticConfigs: [{ targets, labels: { env: scope.environment } }],
            },
          }
        : {
            apiVersion: 'monitoring.coreos.com/v1',
            kind: 'PodMonitor',
            metadata: objectMeta(context, scope, `vigie-${job.job}`),
            spec: {
              jobLabel: 'app.kubernetes.io/name',
              namespaceSelector: { any: true },
              selector: { matchLabels: { 'app.kubernetes.io/name': job.job } },
              podMetricsEndpoints: [
                {
                  port: job.port_name,
                  path: job.path,
                  interval,
                  relabelings: [{ action: 'replace', targetLabel: 'env', replacement: scope.environment }],
                },
              ],
            },
          };
      yield {
        path: `prometheus/exporters/${job.job}.yaml`,
        target: 'kubernetes',
        content: documents('prometheus/exporters', scope, [object]),
      };
    }
    return;
  }
  for (const service of scope.settings?.services ?? []) {
    const fixed = (targetLabel: string, replacement: string) => ({ action: 'replace', targetLabel, replacement });
    const relabelings = [
      fixed('tenant_id', scope.tenant),
      fixed('env', scope.environment),
      fixed('service', service.name),
    ];
    const objects: unknown[] = [
      {
        apiVersion: 'monitoring.coreos.com/v1',
        kind: 'ServiceMonitor',
        metadata: objectMeta(context, scope, `vigie-${service.name}`),
        spec: {
          selector: { matchLabels: service.selector ?? { 'app.kubernetes.io/name': service.name } },
          endpoints: [{ port: service.port, path: service.path, interval, relabelings }],
        },
      },
    ];
    if (service.probe && config.prometheus.prober)
      objects.push({
        apiVersion: 'monitoring.coreos.com/v1',
        kind: 'Probe',
        metadata: objectMeta(context, scope, `vigie-${service.name}`),
        spec: {
          jobName: 'probe',
          interval: '30s',
          module: 'http_2xx',
          prober: { url: config.prometheus.prober },
          targets: {
            staticConfig: {
              static: [service.probe],
              labels: { tenant_id: scope.tenant, env: scope.environment, service: service.name },
            },
          },
        },
      });
    yield {
      path: `prometheus/exporters/${scope.slug}-${service.name}.yaml`,
      target: 'kubernetes',
      content: documents('prometheus/exporters', scope, objects),
    };
  }
}
