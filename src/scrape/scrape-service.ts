/**
 * Scraping for one tenant: takes a configuration, runs its discoveries and jobs, and can be given another at any time;
 * unchanged jobs and targets go on as if nothing happened. Also scrapes functions of this process (`InternalTarget`).
 */
import path from 'node:path';
import type { AddressGuard } from '../lib/address-guard.ts';
import type { Clock } from '../lib/clock.ts';
import { messageOf, VigieError } from '../lib/errors.ts';
import type { Logger } from '../lib/logger.ts';
import type { SelfMetrics } from '../lib/self-metrics.ts';
import { formatDuration } from '../model/duration.ts';
import type { ExpositionFormat, ExpositionParser, SeriesMemory } from '../model/exposition.ts';
import type { MetricsWriter } from '../store/metrics.ts';
import { formatOfProtocol, type PrometheusConfig, type ScrapeConfig, type ScrapeProtocol } from './config.ts';
import type { Discoverer } from './discovery/discoverer.ts';
import { kubernetesDiscoverer } from './discovery/kubernetes.ts';
import { dnsDiscoverer, fileDiscoverer, httpDiscoverer, staticDiscoverer } from './discovery/simple.ts';
import type { DiscoveryConfig } from './discovery-config.ts';
import { HttpClient } from './http-client.ts';
import { PLAIN_HTTP } from './http-config.ts';
import { type CompileRegex, compileRelabel, type Relabel } from './relabel.ts';
import { BatchScratch } from './scrape-loop.ts';
import { type FetchBody, type PoolPorts, ScrapePool } from './scrape-pool.ts';
import type { Target, TargetGroup } from './target.ts';

/** Scrapes under way at once, per service. */
export const SCRAPES_AT_ONCE_MAX = 256;
/** Scheme of targets that are functions of this process; no configuration can name it. */
const INTERNAL_SCHEME = 'vigie-internal';

/** A function of this process that is scraped like a target. */
export interface InternalTarget {
  readonly job: string;
  readonly instance: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly intervalMs: number;
  /** Exposition text 0.0.4. */
  read(): string | Promise<string>;
}

export interface ScrapeServiceOptions {
  readonly writer: MetricsWriter;
  readonly parser: ExpositionParser;
  /** A new memory with a prefix of its own. */
  readonly createMemory: () => SeriesMemory;
  readonly compileRegex: CompileRegex;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics?: SelfMetrics;
  /** Present when a tenant, not an operator, gives the addresses. */
  readonly guard?: AddressGuard;
  /** Spreads scrapes differently per server, e.g. host name and external labels. */
  readonly offsetSeed?: string;
  /** Prometheus' feature flag `extra-scrape-metrics`. */
  readonly extraMetrics?: boolean;
  readonly userAgent?: string;
  readonly internal?: readonly InternalTarget[];
}

interface JobRelabels {
  readonly target: Relabel;
  readonly metric: Relabel;
}

interface Job {
  readonly fingerprint: string;
  readonly pool: ScrapePool;
  readonly abort: AbortController;
  readonly clients: readonly HttpClient[];
}

/** One job as `/api/v1/targets` shows it. */
export interface PoolView {
  readonly name: string;
  readonly pool: ScrapePool;
}

export class ScrapeService {
  readonly #options: ScrapeServiceOptions;
  readonly #jobs = new Map<string, Job>();
  readonly #ports: PoolPorts;
  readonly #waiting: (() => void)[] = [];
  #busy = 0;
  #internalStarted = false;

  constructor(options: ScrapeServiceOptions) {
    this.#options = options;
    const scrapes = options.metrics?.counter('vigie_scrapes_total', 'Scrapes made, by outcome.', ['outcome']);
    const seconds = options.metrics?.histogram('vigie_scrape_duration_seconds', 'Time to fetch and store one target.');
    this.#ports = {
      ...options,
      scratch: new BatchScratch(),
      offsetSeed: options.offsetSeed ?? '',
      extraMetrics: options.extraMetrics ?? false,
      enter: () => this.#enter(),
      onScrape: (ok, s) => {
        scrapes?.labels(ok ? 'ok' : 'failed').inc();
        seconds?.observe(s);
      },
    };
  }

  /** Jobs in the order of the configuration, internal ones first. */
  get pools(): readonly PoolView[] {
    return [...this.#jobs].map(([name, job]) => ({ name, pool: job.pool }));
  }

  /**
   * Makes the jobs those of `config`; everything that can fail is computed first, and a failure changes nothing.
   * `baseDir` is the folder of the configuration file.
   */
  async reload(config: Pick<PrometheusConfig, 'scrapeConfigs'>, baseDir = '.'): Promise<void> {
    const internal = this.#options.internal ?? [];
    const taken = new Set(internal.map((t) => t.job));
    for (const c of config.scrapeConfigs)
      if (taken.has(c.jobName))
        throw new VigieError('bad_config', `job ${JSON.stringify(c.jobName)} is the name of a built-in job`);
    const made = config.scrapeConfigs.map((c) => ({
      config: c,
      fingerprint: JSON.stringify([c, baseDir]),
      relabels: this.#relabels(c),
    }));
    const wanted = new Map(made.map((m) => [m.config.jobName, m]));
    const ending: Promise<void>[] = [];
    for (const [name, job] of this.#jobs) {
      if (taken.has(name) || wanted.get(name)?.fingerprint === job.fingerprint) continue;
      this.#jobs.delete(name);
      ending.push(this.#endJob(job, true));
    }
    await Promise.all(ending);
    if (!this.#internalStarted) {
      this.#internalStarted = true;
      for (const name of taken)
        this.#startInternal(
          name,
          internal.filter((t) => t.job === name),
        );
    }
    for (const m of made)
      if (!this.#jobs.has(m.config.jobName)) this.#startJob(m.config, m.fingerprint, m.relabels, baseDir);
  }

  /** Stops scraping. No stale markers: a restart goes on where this ended. */
  async [Symbol.asyncDispose](): Promise<void> {
    const jobs = [...this.#jobs.values()];
    this.#jobs.clear();
    await Promise.all(jobs.map((job) => this.#endJob(job, false)));
  }

  #relabels(c: ScrapeConfig): JobRelabels {
    try {
      return {
        target: compileRelabel(c.relabelConfigs, this.#options.compileRegex),
        metric: compileRelabel(c.metricRelabelConfigs, this.#options.compileRegex),
      };
    } catch (cause) {
      throw new VigieError('bad_config', `job ${JSON.stringify(c.jobName)}: ${messageOf(cause)}`, { cause });
    }
  }

  #startJob(config: ScrapeConfig, fingerprint: string, relabels: JobRelabels, baseDir: string): void {
    const { clock, guard, logger } = this.#options;
    const resolveFile = (name: string): string => path.resolve(baseDir, name);
    const client = (http: ScrapeConfig['http']): HttpClient =>
      new HttpClient({ config: http, clock, guard, resolveFile });
    const scraper = client(config.http);
    const clients = [scraper];
    const pool = new ScrapePool(config, relabels, this.#fetcher(config, scraper), this.#ports);
    const abort = new AbortController();
    const found = new Map<number, readonly TargetGroup[]>();
    config.discovery.forEach((d, i) => {
      const http = 'http' in d ? client(d.http) : undefined;
      if (http) clients.push(http);
      void discovererOf(
        d,
        http,
      )({
        clock,
        logger,
        signal: abort.signal,
        resolveFile,
        update: (groups) => {
          found.set(i, groups);
          const all = [...found.values()].flat();
          const count = all.reduce((n, g) => n + g.targets.length, 0);
          if (config.targetLimit > 0 && count > config.targetLimit) {
            logger.warn('target_limit exceeded; the job scrapes nothing', {
              job: config.jobName,
              targets: count,
              limit: config.targetLimit,
            });
            pool.update([]);
          } else pool.update(all);
        },
      }).catch((error: unknown) => logger.error('discovery ended', { job: config.jobName, error: messageOf(error) }));
    });
    this.#jobs.set(config.jobName, { fingerprint, pool, abort, clients });
  }

  #startInternal(job: string, targets: readonly InternalTarget[]): void {
    const byUrl = new Map<string, InternalTarget>();
    const config = internalConfig(job, targets[0]!.intervalMs);
    const fetch: FetchBody = async (target) => ({
      body: Buffer.from(await byUrl.get(target.discovered.get('instance'))!.read()),
      format: 'PrometheusText',
    });
    const pool = new ScrapePool(config, { target: (l) => l, metric: (l) => l }, fetch, {
      ...this.#ports,
      atOnce: true,
    });
    for (const t of targets) byUrl.set(t.instance, t);
    pool.update(
      targets.map((t, i) => ({
        source: String(i),
        targets: [
          {
            __address__: t.instance,
            instance: t.instance,
            __scheme__: INTERNAL_SCHEME,
            __scrape_interval__: formatDuration(t.intervalMs),
            __scrape_timeout__: formatDuration(t.intervalMs),
          },
        ],
        labels: t.labels ?? {},
      })),
    );
    this.#jobs.set(job, { fingerprint: '', pool, abort: new AbortController(), clients: [] });
  }

  #fetcher(config: ScrapeConfig, client: HttpClient): FetchBody {
    const accept = acceptHeader(config.protocols);
    const agent = this.#options.userAgent ?? 'Vigie';
    return async (target: Target, signal) => {
      if (!/^https?:/.test(target.url))
        throw new VigieError('bad_data', `unsupported protocol scheme of ${target.url}`);
      const answer = await client.fetch(target.url, {
        headers: {
          accept,
          'accept-encoding': config.enableCompression ? 'gzip' : 'identity',
          'user-agent': agent,
          'x-prometheus-scrape-timeout-seconds': String(target.timeoutMs / 1000),
        },
        timeoutMs: target.timeoutMs,
        bodyBytesMax: config.bodySizeLimit,
        signal,
      });
      if (answer.status !== 200) throw new VigieError('upstream', `server returned HTTP status ${answer.status}`);
      return { body: answer.body, format: formatOf(answer.headers['content-type'], config.fallbackProtocol) };
    };
  }

  async #endJob(job: Job, stale: boolean): Promise<void> {
    job.abort.abort();
    await job.pool.stop(stale);
    for (const client of job.clients) client.close();
  }

  async #enter(): Promise<() => void> {
    if (this.#busy >= SCRAPES_AT_ONCE_MAX) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#busy++;
    return () => {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#busy--;
    };
  }
}

function discovererOf(d: DiscoveryConfig, http: HttpClient | undefined): Discoverer {
  switch (d.kind) {
    case 'static':
      return staticDiscoverer(d);
    case 'file':
      return fileDiscoverer(d);
    case 'http':
      return httpDiscoverer(d, http!);
    case 'dns':
      return dnsDiscoverer(d);
    case 'kubernetes':
      return kubernetesDiscoverer(d, http!);
  }
}

function internalConfig(jobName: string, intervalMs: number): ScrapeConfig {
  return {
    jobName,
    intervalMs,
    timeoutMs: intervalMs,
    protocols: ['PrometheusText0.0.4'],
    fallbackProtocol: undefined,
    classicHistograms: false,
    metricsPath: '/metrics',
    scheme: 'http',
    params: {},
    honorLabels: false,
    honorTimestamps: false,
    trackTimestampsStaleness: false,
    enableCompression: false,
    http: PLAIN_HTTP,
    relabelConfigs: [],
    metricRelabelConfigs: [],
    discovery: [],
    sampleLimit: 0,
    labelLimit: 0,
    labelNameLengthLimit: 0,
    labelValueLengthLimit: 0,
    targetLimit: 0,
    bodySizeLimit: 0,
    keepDroppedTargets: 0,
  };
}

const MEDIA: Readonly<Record<ScrapeProtocol, string>> = {
  PrometheusProto: 'application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited',
  'PrometheusText0.0.4': 'text/plain;version=0.0.4',
  'PrometheusText1.0.0': 'text/plain;version=1.0.0;escaping=allow-utf-8',
  'OpenMetricsText0.0.1': 'application/openmetrics-text;version=0.0.1',
  'OpenMetricsText1.0.0': 'application/openmetrics-text;version=1.0.0;escaping=allow-utf-8',
};

/** The Accept header: wanted protocols with falling weights, as Prometheus sends it. */
export function acceptHeader(protocols: readonly ScrapeProtocol[]): string {
  let weight = 2 + protocols.length;
  const parts = protocols.map((p) => `${MEDIA[p]};q=0.${--weight}`);
  parts.push(`*/*;q=0.${--weight}`);
  return parts.join(',');
}

/** The format a Content-Type names; an unknown or missing one needs `fallback`, else the scrape fails. */
export function formatOf(contentType: string | undefined, fallback: ScrapeProtocol | undefined): ExpositionFormat {
  const [media = '', ...params] = (contentType ?? '').split(';').map((p) => p.trim().toLowerCase());
  if (media === 'application/openmetrics-text') return 'OpenMetricsText';
  if (media === 'text/plain') return 'PrometheusText';
  if (
    media === 'application/vnd.google.protobuf' &&
    params.includes('proto=io.prometheus.client.metricfamily') &&
    params.includes('encoding=delimited')
  )
    return 'PrometheusProto';
  if (fallback) return formatOfProtocol(fallback);
  throw new VigieError(
    'upstream',
    contentType
      ? `received unsupported Content-Type ${JSON.stringify(contentType)} and no fallback_scrape_protocol specified for target`
      : 'non-compliant scrape target sending blank Content-Type and no fallback_scrape_protocol specified for target',
  );
}
