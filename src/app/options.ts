/**
 * Every setting of the process: one schema, defaults, and where each value comes from (flag, environment, file).
 * Flags win over the environment, the environment over the file. Unknown keys are errors with their path and line.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { LineCounter, parseDocument } from 'yaml';
import { z } from 'zod';
import { catalogueConfigSchema } from '../catalogue/config.ts';
import { messageOf, VigieError } from '../lib/errors.ts';
import { LOG_LEVELS } from '../lib/logger.ts';
import { parseDuration } from '../model/duration.ts';
import { tenantId } from '../model/tenant.ts';
import { featureProblem } from './enable-features.ts';

const feature = z.string().superRefine((name, context) => {
  const problem = featureProblem(name);
  if (problem !== undefined) context.addIssue({ code: 'custom', message: problem });
});
const duration = z.string().transform((text, context) => {
  try {
    return parseDuration(text);
  } catch (error) {
    context.addIssue({ code: 'custom', message: messageOf(error) });
    return z.NEVER;
  }
});

const listen = z.string().transform((text, context) => {
  const m = /^(?:\[([0-9a-fA-F:]+)\]|([^:]*)):(\d{1,5})$/.exec(text);
  const port = m ? Number(m[3]) : Number.NaN;
  if (!m || port > 65_535) {
    context.addIssue({ code: 'custom', message: `want host:port, got ${JSON.stringify(text)}` });
    return z.NEVER;
  }
  return { host: m[1] ?? (m[2] || '0.0.0.0'), port };
});

const tenant = z.string().transform((text, context) => {
  try {
    return tenantId(text);
  } catch (error) {
    context.addIssue({ code: 'custom', message: messageOf(error) });
    return z.NEVER;
  }
});

const httpUrl = z
  .string()
  .refine((text) => /^https?:\/\/[^\s]+$/.test(text) && URL.canParse(text), 'want an http:// or https:// address');

/** The three sections of the quick start; they are accepted at any time, whether or not their feature runs. */
const featureSections = {
  tenant_isolation: z
    .strictObject({
      enabled: z.boolean().default(true),
      metrics_prefix: z
        .string()
        .regex(/^[a-zA-Z_][a-zA-Z0-9_]*$/, 'want a prefix of a metric name, such as tenant_')
        .default('tenant_'),
      namespace_separation: z.boolean().default(false),
      resource_quotas: z.boolean().default(false),
    })
    .prefault({}),
  auto_scaling: z
    .strictObject({
      enabled: z.boolean().default(false),
      min_replicas: z.int().min(1).default(2),
      max_replicas: z.int().min(1).default(100),
      cpu_threshold: z.number().min(1).max(100).default(70),
      memory_threshold: z.number().min(1).max(100).default(80),
      custom_metrics: z.union([z.boolean(), z.array(z.string())]).default(false),
    })
    .refine((s) => s.min_replicas <= s.max_replicas, {
      message: 'min_replicas must not exceed max_replicas',
      path: ['min_replicas'],
    })
    .prefault({}),
  intelligent_alerts: z
    .strictObject({
      predictive: z.boolean().default(false),
      machine_learning: z.boolean().default(false),
      correlation: z.boolean().default(false),
      auto_remediation: z.boolean().default(false),
    })
    .prefault({}),
};

export const optionsSchema = z.strictObject({
  environment: z.enum(['dev', 'staging', 'prod']).default('dev'),
  tenant: tenant.prefault('default'),
  data_dir: z.string().min(1).default('vigie-data'),
  listen: listen.prefault('127.0.0.1:9390'),
  external_url: httpUrl.optional(),
  retention: duration.prefault('30d'),
  wal_sync: z.enum(['interval', 'always']).default('interval'),
  log_level: z.enum(LOG_LEVELS).default('info'),
  /** Per-tenant files: config/tenants/<id>/{rules/*.yml, alertmanager.yml, scrape.yml}. */
  config_dir: z.string().optional(),
  prometheus_config: z.string().optional(),
  rules: z.array(z.string()).default([]),
  alertmanager_config: z.string().optional(),
  enable_features: z.array(feature).default([]),
  web_config_file: z.string().optional(),
  packs: z.array(z.string()).default(['host', 'api', 'vigie']),
  scrape_host: z.boolean().default(true),
  /** Who owns the telemetry of this host and of Vigie; absent: the default tenant in dev, `platform` elsewhere. */
  host_tenant: tenant.optional(),
  evaluation_interval: duration.prefault('1m'),
  demo: z.boolean().default(false),
  trusted_proxies: z.array(z.string()).default([]),
  allowed_internal_addresses: z.array(z.string()).default([]),
  heartbeat: z.strictObject({ url: httpUrl, interval: duration.prefault('1m') }).optional(),
  redaction: z
    .strictObject({
      enabled: z.boolean().default(true),
      kinds: z.array(z.enum(['email', 'iban', 'card', 'phone', 'jwt', 'key', 'ipv4', 'ipv6'])).optional(),
      allow_labels: z.array(z.string()).default([]),
      deny_labels: z.array(z.string()).default([]),
    })
    .prefault({}),
  /** What shows how much each tenant uses: names the noisy neighbour of an incident. */
  tenant_usage: z
    .strictObject({
      /** Over the platform tenant's telemetry: one result a tenant. */
      platform_query: z
        .string()
        .min(1)
        .max(5_000)
        .default('sum by (tenant_id) (rate(http_requests_total{tenant_id!=""}[5m]))'),
      /** The label of those results that names the tenant. */
      label: z
        .string()
        .regex(/^[a-zA-Z_][a-zA-Z0-9_]*$/, 'want a label name')
        .default('tenant_id'),
      /** Over each tenant's own store, where the platform's telemetry says nothing. */
      tenant_query: z.string().min(1).max(5_000).default('sum(rate(http_requests_total[5m]))'),
    })
    .prefault({}),
  prometheus_url: httpUrl.optional(),
  /** How tenants are kept apart in that program: all of it is the default tenant's, by a label, or by X-Scope-OrgID. */
  prometheus_tenancy: z.enum(['single', 'label', 'header']).default('single'),
  prometheus_tenant_label: z
    .string()
    .regex(/^[a-zA-Z_][a-zA-Z0-9_]*$/, 'want a label name')
    .default('tenant_id'),
  /** Results of rules and detectors are not written there; what clients send is refused. */
  prometheus_read_only: z.boolean().default(false),
  /** `compare` evaluates rules both ways, the engine's answer counts, differences are counted and logged. */
  rule_evaluation: z.enum(['incremental', 'engine', 'compare']).default('incremental'),
  alertmanager_url: httpUrl.optional(),
  grafana_url: httpUrl.optional(),
  /** The folder of the package onnxruntime-node, for detectors with models of users. */
  onnxruntime: z.string().min(1).optional(),
  database_url: z
    .string()
    .regex(/^postgres(ql)?:\/\//, 'want postgres://...')
    .optional(),
  redis_url: z
    .string()
    .regex(/^rediss?:\/\//, 'want redis://...')
    .optional(),
  /** Packs, their tuning, tenants and receivers: what `render`, `check`, `diff` and `apply` work from. */
  catalogue: catalogueConfigSchema.prefault({}),
  ...featureSections,
});

export type Options = z.output<typeof optionsSchema>;
type OptionName = keyof Options;

/** Environment variables, and the setting each stands for. */
export const ENVIRONMENT: Readonly<Record<string, OptionName>> = {
  MONITORING_ENV: 'environment',
  TENANT_ID: 'tenant',
  PROMETHEUS_URL: 'prometheus_url',
  ALERTMANAGER_URL: 'alertmanager_url',
  GRAFANA_URL: 'grafana_url',
  VIGIE_ONNXRUNTIME: 'onnxruntime',
  DATABASE_URL: 'database_url',
  REDIS_URL: 'redis_url',
  VIGIE_DATA_DIR: 'data_dir',
  VIGIE_LISTEN: 'listen',
  VIGIE_LOG_LEVEL: 'log_level',
};

/** Variables of later features: set, they are refused by name rather than ignored. */
const NOT_BUILT: Readonly<Record<string, string>> = {
  JAEGER_URL: 'the Jaeger back end',
  ELASTICSEARCH_URL: 'the Elasticsearch back end',
};

export interface OptionSources {
  readonly flags: Readonly<Record<string, unknown>>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The configuration file; absent: none is read. */
  readonly file?: string | undefined;
}

export interface ResolvedOptions {
  readonly options: Options;
  /** Which of the feature sections the user wrote: "configured, inactive" needs to know. */
  readonly configuredSections: ReadonlySet<string>;
  readonly file: string | undefined;
}

/** Merges the sources and checks the result. Throws `bad_config` naming file, line, path, got and wanted. */
export function resolveOptions(sources: OptionSources): ResolvedOptions {
  const fromFile = sources.file ? readConfigFile(sources.file) : undefined;
  const merged: Record<string, unknown> = { ...fromFile?.value };
  const origin = new Map<string, string>();
  for (const name of Object.keys(merged)) origin.set(name, sources.file!);
  for (const [variable, what] of Object.entries(NOT_BUILT)) {
    if (sources.env[variable])
      throw new VigieError('bad_config', `${variable} is set, but ${what} is not built into this release; unset it`);
  }
  for (const [variable, name] of Object.entries(ENVIRONMENT)) {
    const value = sources.env[variable];
    if (value === undefined || value === '') continue;
    merged[name] = value;
    origin.set(name, variable);
  }
  for (const [name, value] of Object.entries(sources.flags)) {
    if (value === undefined) continue;
    merged[name] = value;
    origin.set(name, `--${name.replace(/_/g, '-')}`);
  }
  const result = optionsSchema.safeParse(merged);
  if (!result.success) {
    const lines = result.error.issues.map((issue) => {
      const keys = issue.code === 'unrecognized_keys' ? issue.keys.map((k) => [...issue.path, k]) : [issue.path];
      return keys
        .map(
          (key) =>
            `${where(key, origin, fromFile, sources.file)}: ${issue.code === 'unrecognized_keys' ? `unknown setting ${JSON.stringify(key.join('.'))}` : issue.message}`,
        )
        .join('\n');
    });
    throw new VigieError('bad_config', lines.join('\n'));
  }
  const options = withResolvedPaths(result.data, sources.file);
  const sections = new Set(Object.keys(featureSections).filter((name) => merged[name] !== undefined));
  return { options, configuredSections: sections, file: sources.file };
}

interface ConfigFile {
  readonly value: Record<string, unknown>;
  lineOf(path: readonly PropertyKey[]): number | undefined;
}

function readConfigFile(file: string): ConfigFile {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw new VigieError('bad_config', `cannot read the configuration file ${file}: ${messageOf(cause)}`, { cause });
  }
  const counter = new LineCounter();
  const document = parseDocument(text, { lineCounter: counter, prettyErrors: false, uniqueKeys: true });
  const problem = document.errors[0];
  if (problem)
    throw new VigieError('bad_config', `${file}:${counter.linePos(problem.pos[0]).line}: ${problem.message}`);
  const value: unknown = document.toJS({ maxAliasCount: 100 }) ?? {};
  if (typeof value !== 'object' || Array.isArray(value))
    throw new VigieError(
      'bad_config',
      `${file}:1: want a mapping of settings, got ${Array.isArray(value) ? 'a list' : typeof value}`,
    );
  return {
    value: value as Record<string, unknown>,
    lineOf(at) {
      for (let depth = at.length; depth > 0; depth--) {
        const parent: unknown = depth === 1 ? document.contents : document.getIn(at.slice(0, depth - 1), true);
        const items = (
          parent as {
            items?: { key?: { value?: unknown; range?: [number, number, number] }; range?: [number, number, number] }[];
          } | null
        )?.items;
        const found =
          items?.find((item) => item.key?.value === at[depth - 1]) ??
          (typeof at[depth - 1] === 'number' ? items?.[at[depth - 1] as number] : undefined);
        const range = found?.key?.range ?? found?.range;
        if (range) return counter.linePos(range[0]).line;
      }
      return undefined;
    },
  };
}

function where(
  key: readonly PropertyKey[],
  origin: ReadonlyMap<string, string>,
  file: ConfigFile | undefined,
  fileName: string | undefined,
): string {
  const from = origin.get(String(key[0])) ?? fileName ?? 'configuration';
  const line = from === fileName ? file?.lineOf(key) : undefined;
  return `${from}${line ? `:${line}` : ''}: ${key.map(String).join('.')}`;
}

/** Paths written in a file are meant relative to that file. */
function withResolvedPaths(options: Options, file: string | undefined): Options {
  if (!file) return options;
  const base = path.dirname(path.resolve(file));
  const resolve = (p: string | undefined): string | undefined => (p === undefined ? undefined : path.resolve(base, p));
  return {
    ...options,
    config_dir: resolve(options.config_dir),
    prometheus_config: resolve(options.prometheus_config),
    alertmanager_config: resolve(options.alertmanager_config),
    web_config_file: resolve(options.web_config_file),
    rules: options.rules.map((r) => path.resolve(base, r)),
    catalogue: {
      ...options.catalogue,
      folders: options.catalogue.folders.map((f) => path.resolve(base, f)),
      apply: {
        ...options.catalogue.apply,
        output: resolve(options.catalogue.apply.output),
        kubeconfig: resolve(options.catalogue.apply.kubeconfig),
        elasticsearch_api_key_file: resolve(options.catalogue.apply.elasticsearch_api_key_file),
        grafana_token_file: resolve(options.catalogue.apply.grafana_token_file),
      },
    },
  };
}
