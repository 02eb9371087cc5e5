/**
 * The `catalogue:` section of vigie.yaml: which packs, tuned how, for which environments and tenants, and what the
 * rendered files must know of the systems they go to. Secrets are named by file, never written here.
 */
import { z } from 'zod';
import { messageOf } from '../lib/errors.ts';
import { parseDuration } from '../model/duration.ts';
import { tenantId } from '../model/tenant.ts';
import { packOverrideSchema } from './pack.ts';

export const ENVIRONMENTS = ['dev', 'staging', 'prod'] as const;
export type Environment = (typeof ENVIRONMENTS)[number];
export const LEVELS = ['L1', 'L2', 'L3', 'L4'] as const;
export type Level = (typeof LEVELS)[number];
export const CHANNELS = ['slack', 'email', 'pagerduty', 'discord', 'webhook'] as const;
export type Channel = (typeof CHANNELS)[number];
export const LANGUAGES = ['en', 'fr', 'de'] as const;
/** Systems that rendered files go to, in the order in which they are brought in line. */
export const SYSTEMS = ['kubernetes', 'elasticsearch', 'grafana', 'prometheus', 'alertmanager'] as const;
export type SystemName = (typeof SYSTEMS)[number];
/** Tenants of one `catalogue:` section. */
export const TENANTS_MAX = 100_000;

const checkedBy = (check: (text: string) => unknown) =>
  z.string().superRefine((text, context) => {
    try {
      check(text);
    } catch (error) {
      context.addIssue({ code: 'custom', message: messageOf(error) });
    }
  });
const duration = checkedBy(parseDuration);
const httpUrl = z.string().refine((u) => /^https?:\/\/\S+$/.test(u) && URL.canParse(u), 'want http:// or https://');
const dnsLabel = z.string().regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, 'want a DNS label');
const secretFile = z.string().min(1);
const labels = z.record(z.string().regex(/^[a-zA-Z_][a-zA-Z0-9_]*$/, 'want a label name'), z.string());
const kubernetesLabels = z.record(z.string().regex(/^([a-z0-9.-]+\/)?[A-Za-z0-9][A-Za-z0-9_.-]*$/), z.string().max(63));

export const receiversSchema = z.strictObject({
  slack: z.strictObject({ api_url_file: secretFile.optional(), channel: z.string().min(1) }).optional(),
  email: z
    .strictObject({
      to: z.string().min(3),
      from: z.string().min(3),
      smarthost: z.string().regex(/^[^:\s]+:\d+$/, 'want host:port'),
      username: z.string().optional(),
      password_file: secretFile.optional(),
      require_tls: z.boolean().default(true),
    })
    .optional(),
  pagerduty: z.strictObject({ routing_key_file: secretFile.optional() }).optional(),
  discord: z.strictObject({ webhook_url_file: secretFile.optional() }).optional(),
  webhook: z.strictObject({ url: httpUrl.optional(), url_file: secretFile.optional() }).optional(),
});
export type Receivers = z.output<typeof receiversSchema>;

const overrides = z.record(z.string(), packOverrideSchema).default({});
const levelChannels = z.partialRecord(z.enum(LEVELS), z.array(z.enum(CHANNELS)));

const serviceSchema = z.strictObject({
  name: dnsLabel,
  /** Name of the port in the Kubernetes Service. */
  port: dnsLabel.default('http'),
  path: z.string().startsWith('/').default('/metrics'),
  /** Labels that select the Service, its pods and its Deployment. */
  selector: kubernetesLabels.optional(),
  /** `host:port` list for the `files` format. */
  targets: z.array(z.string().regex(/^[^\s/]+:\d+$/, 'want host:port')).default([]),
  /** Address that the prober asks from outside. */
  probe: httpUrl.optional(),
  deployment: dnsLabel.optional(),
});
export type CatalogueService = z.output<typeof serviceSchema>;

export const catalogueTenantSchema = z.strictObject({
  display_name: z.string().max(200).optional(),
  language: z.enum(LANGUAGES).optional(),
  namespace: dnsLabel.optional(),
  /** Packs of this tenant; absent: every pack of tenant scope. */
  packs: z.array(z.string()).optional(),
  overrides,
  environments: z.partialRecord(z.enum(ENVIRONMENTS), z.strictObject({ overrides })).default({}),
  receivers: receiversSchema.optional(),
  levels: levelChannels.optional(),
  grafana_org_id: z.int().min(1).optional(),
  labels: labels.default({}),
  services: z.array(serviceSchema).max(1_000).default([]),
  quota: z.strictObject({ cpu: z.string(), memory: z.string(), pods: z.int().min(1) }).optional(),
});
export type CatalogueTenant = z.output<typeof catalogueTenantSchema>;

export const catalogueConfigSchema = z.strictObject({
  /** Users' own catalogue folders, laid out like `templates/`; a pack of the same name there wins. */
  folders: z.array(z.string()).default([]),
  /** Packs to render; empty: all. */
  packs: z.array(z.string()).default([]),
  overrides,
  environments: z.partialRecord(z.enum(ENVIRONMENTS), z.strictObject({ overrides })).default({}),
  tenants: z
    .record(checkedBy(tenantId), catalogueTenantSchema)
    .refine((t) => Object.keys(t).length <= TENANTS_MAX, `at most ${TENANTS_MAX} tenants`)
    .default({}),
  /** Channels of the operators, and of tenants that name none. */
  receivers: receiversSchema.prefault({}),
  levels: levelChannels.default({
    L1: ['slack', 'discord', 'webhook'],
    L2: ['slack', 'email', 'webhook'],
    L3: ['slack', 'email', 'pagerduty', 'webhook'],
    L4: ['slack', 'email', 'pagerduty', 'discord', 'webhook'],
  }),
  language: z.enum(LANGUAGES).default('en'),
  links: z
    .strictObject({
      /** Put before `docs/runbooks/...` in runbook_url. */
      runbooks: httpUrl.optional(),
      /** Grafana or Vigie; dashboards are at `/d/<uid>` there. */
      dashboards: httpUrl.optional(),
    })
    .prefault({}),
  prometheus: z
    .strictObject({
      scrape_interval: duration.default('15s'),
      evaluation_interval: duration.default('15s'),
      alertmanagers: z.array(z.string()).default(['127.0.0.1:9093']),
      /** `host:port` of exporters, by job. */
      targets: z.record(dnsLabel, z.array(z.string().regex(/^[^\s/]+:\d+$/, 'want host:port'))).default({}),
      /** `host:port` of a prober with blackbox_exporter's interface. */
      prober: z.string().optional(),
    })
    .prefault({}),
  alertmanager: z
    .strictObject({
      /** Oldest Alertmanager that must accept the file: `discord` by secret file needs 0.28, `webhook` 0.26. */
      version: z.enum(['0.25', '0.26', '0.28']).default('0.28'),
      /** Folder of secrets on that machine; a secret without a file of its own is `<folder>/<tenant>/<channel>`. */
      secrets: z.string().default('/etc/alertmanager/secrets'),
      templates: z.string().default('/etc/alertmanager/templates'),
      watchdog_url: httpUrl.optional(),
    })
    .prefault({}),
  grafana: z
    .strictObject({
      prometheus_url: httpUrl.default('http://prometheus:9090'),
      alertmanager_url: httpUrl.default('http://alertmanager:9093'),
      jaeger_url: httpUrl.optional(),
      elasticsearch_url: httpUrl.optional(),
      vigie_url: httpUrl.optional(),
      postgresql: z.strictObject({ host: z.string(), database: z.string(), user: z.string() }).optional(),
      dashboards_path: z.string().default('/var/lib/grafana/dashboards'),
      /** `header`: the store knows tenants by X-Scope-OrgID. `shared`: one store for all. */
      tenancy: z.enum(['header', 'shared']).default('header'),
    })
    .prefault({}),
  kubernetes: z
    .strictObject({
      namespace: dnsLabel.default('monitoring'),
      tenant_namespace_prefix: z
        .string()
        .regex(/^[a-z0-9-]*$/)
        .default('tenant-'),
      /** Labels that the Prometheus and Alertmanager objects select by, such as `release: kube-prometheus-stack`. */
      labels: kubernetesLabels.default({}),
      prometheus_url: httpUrl.default('http://prometheus-operated.monitoring.svc:9090'),
      /** What adds the namespace matcher to tenants' routes; `none` makes `check` refuse rules without one. */
      matcher_strategy: z.enum(['OnNamespace', 'None']).default('OnNamespace'),
    })
    .prefault({}),
  /** Where the running Vigie renders to and what it may bring in line; `vigie apply` has flags for the same. */
  apply: z
    .strictObject({
      /** Folder of the rendered trees; absent: `catalogue/` of the data folder. */
      output: z.string().min(1).optional(),
      /** Admins of a tenant may apply its own part; otherwise platform roles only. */
      by_tenants: z.boolean().default(false),
      /** Absent: all that have an address. */
      targets: z.array(z.enum(SYSTEMS)).optional(),
      kubeconfig: z.string().min(1).optional(),
      kube_context: z.string().min(1).optional(),
      elasticsearch_url: httpUrl.optional(),
      elasticsearch_api_key_file: secretFile.optional(),
      grafana_token_file: secretFile.optional(),
    })
    .prefault({}),
  elasticsearch: z
    .strictObject({
      retention_days: z.int().min(1).max(36_500).default(30),
      rollover_size: z
        .string()
        .regex(/^\d+(b|kb|mb|gb|tb)$/)
        .default('30gb'),
      shards: z.int().min(1).max(1_000).default(1),
      replicas: z.int().min(0).max(10).default(1),
    })
    .prefault({}),
});
export type CatalogueConfig = z.output<typeof catalogueConfigSchema>;

/** The parts of other sections of vigie.yaml that rendering heeds; same names and defaults as there. */
export interface SectionsForRender {
  readonly tenant_isolation: {
    readonly enabled: boolean;
    readonly metrics_prefix: string;
    readonly namespace_separation: boolean;
    readonly resource_quotas: boolean;
  };
  readonly auto_scaling: {
    readonly enabled: boolean;
    readonly min_replicas: number;
    readonly max_replicas: number;
    readonly cpu_threshold: number;
    readonly memory_threshold: number;
    readonly custom_metrics: boolean | readonly string[];
  };
}

export const DEFAULT_SECTIONS: SectionsForRender = {
  tenant_isolation: { enabled: true, metrics_prefix: 'tenant_', namespace_separation: false, resource_quotas: false },
  auto_scaling: {
    enabled: false,
    min_replicas: 2,
    max_replicas: 100,
    cpu_threshold: 70,
    memory_threshold: 80,
    custom_metrics: false,
  },
};
