/** What comes in: writers with redaction, scrape services per tenant, the host and Vigie itself as built-in targets. */
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import path from 'node:path';
import { createExpositionParser } from '../ingest/exposition/parser.ts';
import { RawSeriesMemory } from '../ingest/exposition/series-memory.ts';
import { Redactor } from '../ingest/redaction.ts';
import type { AddressGuard } from '../lib/address-guard.ts';
import type { Clock } from '../lib/clock.ts';
import { isVigieError, messageOf, VigieError } from '../lib/errors.ts';
import type { Logger } from '../lib/logger.ts';
import type { SelfMetrics } from '../lib/self-metrics.ts';
import type { TenantId } from '../model/tenant.ts';
import { type PrometheusConfig, parsePrometheusConfig } from '../scrape/config.ts';
import { createHostExporter } from '../scrape/exporters/host/host-exporter.ts';
import { type InternalTarget, type PoolView, ScrapeService } from '../scrape/scrape-service.ts';
import type { MetricsStore, MetricsWriter } from '../store/metrics.ts';
import type { Options } from './options.ts';
import type { RecentRefusals } from './recent-refusals.ts';
import { relabelRegex } from './regex-ports.ts';

const HOST_INTERVAL_MS = 15_000;
const SELF_INTERVAL_MS = 15_000;

export interface TelemetryOptions {
  readonly options: Options;
  readonly store: MetricsStore;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: SelfMetrics;
  /** For addresses that tenants give; the operator's own files are trusted. */
  readonly guard: AddressGuard;
  /** Who owns the telemetry of this host and of Vigie. */
  readonly ownTenant: TenantId;
  readonly version: string;
  readonly refusals: RecentRefusals;
}

/** Writers, and the scraping of every tenant. */
export class Telemetry {
  readonly #o: TelemetryOptions;
  readonly #redactor: Redactor;
  readonly #writers = new Map<TenantId, MetricsWriter>();
  readonly #services = new Map<TenantId, ScrapeService>();
  readonly #parser = createExpositionParser();
  #memoryCount = 0;
  #prometheusConfig: PrometheusConfig | undefined;

  constructor(options: TelemetryOptions) {
    this.#o = options;
    const masked = options.metrics.counter(
      'vigie_redacted_values_total',
      'Places in label values that were masked as personal data.',
      ['kind'],
    );
    const { redaction } = options.options;
    this.#redactor = new Redactor(
      {
        enabled: redaction.enabled,
        allowLabels: redaction.allow_labels,
        denyLabels: redaction.deny_labels,
        ...(redaction.kinds ? { kinds: redaction.kinds } : {}),
      },
      (kind) => masked.labels(kind).inc(),
    );
  }

  /** What the operator's file sends on to other stores: everything the default tenant takes in. */
  sendOn(out: { wrap(inner: MetricsWriter): MetricsWriter } | undefined): void {
    this.#out = out;
    this.#writers.delete(this.#o.options.tenant);
  }
  #out: { wrap(inner: MetricsWriter): MetricsWriter } | undefined;

  /** The tenant's writer, behind the redaction stage. */
  writer(tenant: TenantId): MetricsWriter {
    let writer = this.#writers.get(tenant);
    if (!writer) {
      const stored = this.#o.refusals.wrap(tenant, this.#o.store.writer(tenant));
      const inner = this.#out && tenant === this.#o.options.tenant ? this.#out.wrap(stored) : stored;
      const redactor = this.#redactor;
      writer = {
        append: (batch) => inner.append(redactor.batch(batch)),
        appendSamples: (samples) => inner.appendSamples(samples),
        ...(inner.appendVectors && { appendVectors: (vectors) => inner.appendVectors!(vectors) }),
      };
      this.#writers.set(tenant, writer);
    }
    return writer;
  }

  /** The Prometheus configuration of the default tenant, when one was given. */
  get prometheusConfig(): PrometheusConfig | undefined {
    return this.#prometheusConfig;
  }

  pools(tenant: TenantId): readonly PoolView[] {
    return this.#services.get(tenant)?.pools ?? [];
  }

  /** Reads the operator's Prometheus file; throws with file and line. Nothing is changed yet. */
  readPrometheusConfig(options: Options): PrometheusConfig | undefined {
    if (options.prometheus_config === undefined) return undefined;
    let text: string;
    try {
      text = readFileSync(options.prometheus_config, 'utf8');
    } catch (cause) {
      throw new VigieError('bad_config', `cannot read ${options.prometheus_config}: ${messageOf(cause)}`, { cause });
    }
    return parsePrometheusConfig(options.prometheus_config, text, {
      nativeHistograms: options.enable_features.includes('native-histograms'),
    });
  }

  /** Starts or changes the scraping of the default tenant and the built-in targets. */
  async apply(config: PrometheusConfig | undefined, options: Options): Promise<void> {
    this.#prometheusConfig = config;
    const baseDir = options.prometheus_config === undefined ? '.' : path.dirname(options.prometheus_config);
    if (this.#o.ownTenant !== options.tenant) await this.#service(this.#o.ownTenant).reload({ scrapeConfigs: [] });
    try {
      await this.#service(options.tenant).reload(config ?? { scrapeConfigs: [] }, baseDir);
    } catch (cause) {
      const file = options.prometheus_config;
      if (file === undefined || !isVigieError(cause, 'bad_config') || cause.message.includes(file)) throw cause;
      throw new VigieError('bad_config', `${file}: ${cause.message}`, { cause });
    }
  }

  /** Scraping that a tenant configured itself: addresses pass the guard, and no file of the server may be named. */
  async applyTenant(tenant: TenantId, text: string | undefined): Promise<void> {
    if (tenant === this.#o.options.tenant && this.#o.options.prometheus_config !== undefined) return;
    if (text === undefined && !this.#services.has(tenant)) return;
    const config =
      text === undefined
        ? { scrapeConfigs: [] }
        : parsePrometheusConfig(`scrape.yml of tenant ${tenant}`, text, { noFiles: true });
    await this.#service(tenant, true).reload(config);
  }

  /** Throws `bad_config` when a tenant's scrape configuration is not right. */
  checkTenant(tenant: TenantId, text: string): void {
    parsePrometheusConfig(`scrape.yml of tenant ${tenant}`, text, { noFiles: true });
  }

  async removeTenant(tenant: TenantId): Promise<void> {
    await this.#services.get(tenant)?.[Symbol.asyncDispose]();
    this.#services.delete(tenant);
    this.#writers.delete(tenant);
    this.#o.refusals.forget(tenant);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#services.values()].map((s) => s[Symbol.asyncDispose]()));
  }

  #service(tenant: TenantId, guarded = false): ScrapeService {
    let service = this.#services.get(tenant);
    if (!service) {
      const { clock, logger, metrics, guard, ownTenant, options, version } = this.#o;
      service = new ScrapeService({
        writer: this.writer(tenant),
        parser: this.#parser,
        createMemory: () => new RawSeriesMemory(Buffer.from(`${(this.#memoryCount++).toString(36)}\u0000`)),
        compileRegex: relabelRegex,
        clock,
        logger: logger.child({ tenant }),
        metrics,
        offsetSeed: `${hostname()}/${tenant}`,
        userAgent: `Vigie/${version}`,
        extraMetrics: options.enable_features.includes('extra-scrape-metrics'),
        ...(guarded ? { guard } : {}),
        ...(tenant === ownTenant ? { internal: this.#internal() } : {}),
      });
      this.#services.set(tenant, service);
    }
    return service;
  }

  #internal(): InternalTarget[] {
    const { clock, logger, metrics, options } = this.#o;
    const instance = hostname();
    const self: InternalTarget = { job: 'vigie', instance, intervalMs: SELF_INTERVAL_MS, read: () => metrics.expose() };
    if (!options.scrape_host) return [self];
    return [{ job: 'host', instance, intervalMs: HOST_INTERVAL_MS, read: createHostExporter({ clock, logger }) }, self];
  }
}
