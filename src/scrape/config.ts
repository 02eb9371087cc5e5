/**
 * A Prometheus configuration file, read as it is: global, scrape_configs, and what other features take from it
 * (rule_files, remote_write, remote_read, alerting), passed on as data. What is not supported is refused by name.
 */
import { messageOf } from '../lib/errors.ts';
import type { ExpositionFormat } from '../model/exposition.ts';
import { ConfigFile, type Section } from './config-reader.ts';
import { type DiscoveryConfig, readDiscovery } from './discovery-config.ts';
import { type HttpClientConfig, readHttpClient } from './http-config.ts';
import { checkRelabel, RELABEL_ACTIONS, RELABEL_DEFAULTS, type RelabelConfig } from './relabel.ts';

export type ScrapeProtocol =
  | 'PrometheusProto'
  | 'PrometheusText0.0.4'
  | 'PrometheusText1.0.0'
  | 'OpenMetricsText0.0.1'
  | 'OpenMetricsText1.0.0';
export const SCRAPE_PROTOCOLS: readonly ScrapeProtocol[] = [
  'PrometheusProto',
  'PrometheusText0.0.4',
  'PrometheusText1.0.0',
  'OpenMetricsText0.0.1',
  'OpenMetricsText1.0.0',
];
const DEFAULT_PROTOCOLS: readonly ScrapeProtocol[] = [
  'OpenMetricsText1.0.0',
  'OpenMetricsText0.0.1',
  'PrometheusText1.0.0',
  'PrometheusText0.0.4',
];
const NATIVE_PROTOCOLS: readonly ScrapeProtocol[] = ['PrometheusProto', ...DEFAULT_PROTOCOLS];

export const formatOfProtocol = (p: ScrapeProtocol): ExpositionFormat =>
  p === 'PrometheusProto' ? 'PrometheusProto' : p.startsWith('Open') ? 'OpenMetricsText' : 'PrometheusText';

/** Limits are 0 for none. Times in ms, sizes in bytes. */
export interface ScrapeLimits {
  readonly sampleLimit: number;
  readonly labelLimit: number;
  readonly labelNameLengthLimit: number;
  readonly labelValueLengthLimit: number;
  readonly targetLimit: number;
  readonly bodySizeLimit: number;
  readonly keepDroppedTargets: number;
}

export interface ScrapeConfig extends ScrapeLimits {
  readonly jobName: string;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly protocols: readonly ScrapeProtocol[];
  readonly fallbackProtocol: ScrapeProtocol | undefined;
  readonly classicHistograms: boolean;
  readonly metricsPath: string;
  readonly scheme: 'http' | 'https';
  readonly params: Readonly<Record<string, readonly string[]>>;
  readonly honorLabels: boolean;
  readonly honorTimestamps: boolean;
  readonly trackTimestampsStaleness: boolean;
  readonly enableCompression: boolean;
  readonly http: HttpClientConfig;
  readonly relabelConfigs: readonly RelabelConfig[];
  readonly metricRelabelConfigs: readonly RelabelConfig[];
  readonly discovery: readonly DiscoveryConfig[];
}

export interface PrometheusConfig {
  readonly scrapeIntervalMs: number;
  readonly evaluationIntervalMs: number;
  readonly externalLabels: Readonly<Record<string, string>>;
  readonly scrapeConfigs: readonly ScrapeConfig[];
  /** As written; relative to the folder of the file. */
  readonly ruleFiles: readonly string[];
  readonly scrapeConfigFiles: readonly string[];
  /** Parsed YAML for the feature that sends; undefined when absent. */
  readonly remoteWrite: readonly unknown[] | undefined;
  readonly remoteRead: readonly unknown[] | undefined;
  readonly alerting: unknown;
  readonly otlp: unknown;
  /** The file with secrets hidden, for `/api/v1/status/config`. */
  readonly printed: string;
}

export interface ParseConfigOptions {
  /** Offer protobuf first, as Prometheus' feature flag `native-histograms` does. */
  readonly nativeHistograms?: boolean;
  /** Configuration given by a tenant: naming a file of the server is refused. */
  readonly noFiles?: boolean;
}

const MINUTE_MS = 60_000;
const NO_LIMITS: ScrapeLimits = {
  sampleLimit: 0,
  labelLimit: 0,
  labelNameLengthLimit: 0,
  labelValueLengthLimit: 0,
  targetLimit: 0,
  bodySizeLimit: 0,
  keepDroppedTargets: 0,
};

interface Global extends ScrapeLimits {
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly protocols: readonly ScrapeProtocol[];
  readonly classicHistograms: boolean;
}

/** Reads `text` of `file`. Throws `bad_config` with file, line and path of the first problem. */
export function parsePrometheusConfig(file: string, text: string, options: ParseConfigOptions = {}): PrometheusConfig {
  const yaml = new ConfigFile(file, text);
  const root = yaml.root();
  const g = root.section('global');
  const intervalMs = positive(g, 'scrape_interval', MINUTE_MS);
  const global: Global = {
    intervalMs,
    timeoutMs: g?.has('scrape_timeout') ? positive(g, 'scrape_timeout', 10_000) : Math.min(10_000, intervalMs),
    protocols: readProtocols(g) ?? (options.nativeHistograms ? NATIVE_PROTOCOLS : DEFAULT_PROTOCOLS),
    classicHistograms: g?.boolean('always_scrape_classic_histograms', false) ?? false,
    ...readLimits(g, NO_LIMITS),
  };
  if (g && global.timeoutMs > global.intervalMs)
    throw g.problem('scrape_timeout', 'the scrape timeout is greater than the scrape interval');
  const evaluationIntervalMs = positive(g, 'evaluation_interval', MINUTE_MS);
  const externalLabels = g?.record('external_labels') ?? {};
  for (const name of Object.keys(externalLabels))
    if (name === '' || name === '__name__')
      throw g!.problem('external_labels', `${JSON.stringify(name)} is not a valid label name`);
  if (g) {
    refuseUnsupported(g);
    for (const key of ['query_log_file', 'scrape_failure_log_file', 'rule_query_offset'] as const)
      g.refuse(key, 'Vigie keeps no such log or offset');
    g.end();
  }
  const scrapeConfigs = readScrapeConfigs(root, 'scrape_configs', global, options);
  const scrapeConfigFiles = root.strings('scrape_config_files') ?? [];
  const ruleFiles = root.strings('rule_files') ?? [];
  if (options.noFiles && (ruleFiles.length > 0 || scrapeConfigFiles.length > 0))
    throw root.problem(
      ruleFiles.length > 0 ? 'rule_files' : 'scrape_config_files',
      'a configuration given by API may name no file of the server',
    );
  for (const key of ['remote_write', 'remote_read', 'alerting']) root.hideSecrets(key);
  root.refuse('storage', 'the store has settings of its own, see docs/configuration.md');
  root.refuse('tracing', 'Vigie sends no traces of itself');
  root.refuse('runtime', 'it is for the Go runtime');
  const out: PrometheusConfig = {
    scrapeIntervalMs: global.intervalMs,
    evaluationIntervalMs,
    externalLabels,
    scrapeConfigs,
    ruleFiles,
    scrapeConfigFiles,
    remoteWrite: root.raw('remote_write') as readonly unknown[] | undefined,
    remoteRead: root.raw('remote_read') as readonly unknown[] | undefined,
    alerting: root.raw('alerting'),
    otlp: root.raw('otlp'),
    printed: '',
  };
  root.end();
  return { ...out, printed: yaml.printed() };
}

/** A file named by `scrape_config_files`: `scrape_configs` alone, with the defaults of `base`. */
export function parseScrapeConfigFile(file: string, text: string, base: PrometheusConfig): readonly ScrapeConfig[] {
  const root = new ConfigFile(file, text).root();
  const configs = readScrapeConfigs(root, 'scrape_configs', {
    intervalMs: base.scrapeIntervalMs,
    timeoutMs: Math.min(10_000, base.scrapeIntervalMs),
    protocols: DEFAULT_PROTOCOLS,
    classicHistograms: false,
    ...NO_LIMITS,
  });
  root.end();
  return configs;
}

function readScrapeConfigs(
  root: Section,
  key: string,
  global: Global,
  options: ParseConfigOptions = {},
): ScrapeConfig[] {
  const seen = new Set<string>();
  return root.sections(key).map((s) => {
    const config = readScrapeConfig(s, global, options);
    if (seen.has(config.jobName)) throw s.problem('job_name', `job ${JSON.stringify(config.jobName)} is defined twice`);
    seen.add(config.jobName);
    return config;
  });
}

function readScrapeConfig(s: Section, global: Global, options: ParseConfigOptions): ScrapeConfig {
  const intervalMs = positive(s, 'scrape_interval', global.intervalMs);
  const timeoutMs = s.has('scrape_timeout') ? positive(s, 'scrape_timeout', 0) : Math.min(global.timeoutMs, intervalMs);
  if (timeoutMs > intervalMs)
    throw s.problem('scrape_timeout', 'the scrape timeout is greater than the scrape interval');
  const params: Record<string, readonly string[]> = {};
  const paramSection = s.section('params');
  for (const name of Object.keys((s.raw('params') as object) ?? {})) params[name] = paramSection!.strings(name) ?? [];
  refuseUnsupported(s);
  const config: ScrapeConfig = {
    jobName: s.required('job_name'),
    intervalMs,
    timeoutMs,
    protocols: readProtocols(s) ?? global.protocols,
    fallbackProtocol: s.choice('fallback_scrape_protocol', SCRAPE_PROTOCOLS),
    classicHistograms: s.has('always_scrape_classic_histograms')
      ? s.boolean('always_scrape_classic_histograms', false)
      : s.boolean('scrape_classic_histograms', global.classicHistograms),
    metricsPath: s.string('metrics_path', '/metrics'),
    scheme: s.choice('scheme', ['http', 'https'] as const, 'http'),
    params,
    honorLabels: s.boolean('honor_labels', false),
    honorTimestamps: s.boolean('honor_timestamps', true),
    trackTimestampsStaleness: s.boolean('track_timestamps_staleness', false),
    enableCompression: s.boolean('enable_compression', true),
    http: readHttpClient(s, options.noFiles ?? false),
    relabelConfigs: readRelabel(s, 'relabel_configs'),
    metricRelabelConfigs: readRelabel(s, 'metric_relabel_configs'),
    discovery: readDiscovery(s, options.noFiles ?? false),
    ...readLimits(s, global),
  };
  s.end();
  return config;
}

/** Keys of global and job that Prometheus knows and Vigie does not do; only their inactive value passes. */
function refuseUnsupported(s: Section): void {
  if (s.boolean('convert_classic_histograms_to_nhcb', false))
    throw s.problem('convert_classic_histograms_to_nhcb', 'not supported: classic histograms stay as they are');
  if (s.choice('metric_name_validation_scheme', ['utf8', 'legacy'] as const, 'utf8') === 'legacy')
    throw s.problem('metric_name_validation_scheme', 'not supported: names are UTF-8');
  if (
    s.choice(
      'metric_name_escaping_scheme',
      ['allow-utf-8', 'underscores', 'dots', 'values'] as const,
      'allow-utf-8',
    ) !== 'allow-utf-8'
  )
    throw s.problem('metric_name_escaping_scheme', 'not supported: names are asked for as UTF-8');
  if (s.integer('native_histogram_bucket_limit', 0) !== 0)
    throw s.problem('native_histogram_bucket_limit', 'not supported: no limit of buckets per job');
  if (s.float('native_histogram_min_bucket_factor', 0) !== 0)
    throw s.problem('native_histogram_min_bucket_factor', 'not supported: histograms keep their resolution');
  s.refuse('scrape_failure_log_file', 'failed scrapes are shown by /api/v1/targets');
}

function readProtocols(s: Section | undefined): readonly ScrapeProtocol[] | undefined {
  const names = s?.strings('scrape_protocols');
  if (!names) return undefined;
  if (names.length === 0) throw s!.problem('scrape_protocols', 'the list is empty');
  if (new Set(names).size !== names.length) throw s!.problem('scrape_protocols', 'a protocol is given twice');
  return names.map((n) => {
    const found = SCRAPE_PROTOCOLS.find((p) => p === n);
    if (!found)
      throw s!.problem(
        'scrape_protocols',
        `unknown protocol ${JSON.stringify(n)}; want ${SCRAPE_PROTOCOLS.join(', ')}`,
      );
    return found;
  });
}

function readLimits(s: Section | undefined, base: ScrapeLimits): ScrapeLimits {
  if (!s) return base;
  return {
    sampleLimit: s.integer('sample_limit', base.sampleLimit),
    labelLimit: s.integer('label_limit', base.labelLimit),
    labelNameLengthLimit: s.integer('label_name_length_limit', base.labelNameLengthLimit),
    labelValueLengthLimit: s.integer('label_value_length_limit', base.labelValueLengthLimit),
    targetLimit: s.integer('target_limit', base.targetLimit),
    bodySizeLimit: s.bytes('body_size_limit', base.bodySizeLimit),
    keepDroppedTargets: s.integer('keep_dropped_targets', base.keepDroppedTargets),
  };
}

/** Relabel rules under `key` with Prometheus' defaults; fields are checked against the action. */
export function readRelabel(s: Section, key: string): readonly RelabelConfig[] {
  return s.sections(key).map((r) => {
    const action = r.string('action', 'replace').toLowerCase();
    const known = RELABEL_ACTIONS.find((a) => a === action);
    if (!known)
      throw r.problem('action', `unknown relabel action ${JSON.stringify(action)}; want ${RELABEL_ACTIONS.join(', ')}`);
    const config: RelabelConfig = {
      sourceLabels: r.strings('source_labels') ?? [],
      separator: r.string('separator', RELABEL_DEFAULTS.separator),
      regex: r.string('regex', RELABEL_DEFAULTS.regex),
      modulus: r.integer('modulus', 0),
      targetLabel: r.string('target_label', ''),
      replacement: r.string('replacement', RELABEL_DEFAULTS.replacement),
      action: known,
    };
    r.end();
    try {
      checkRelabel(config);
    } catch (error) {
      throw r.problem('action', messageOf(error));
    }
    return config;
  });
}

function positive(s: Section | undefined, key: string, fallback: number): number {
  const ms = s?.durationMs(key) ?? fallback;
  if (s && ms <= 0) throw s.problem(key, 'want a duration above 0');
  return ms;
}
