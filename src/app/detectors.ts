/** Detectors and forecasts in the process: which tenant runs which, and what they are handed. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { checkDetectors, type DetectorConfig, parseDetectorFile } from '../intelligence/config.ts';
import { FitPool } from '../intelligence/fit-pool.ts';
import { IntelligenceService } from '../intelligence/intelligence-service.ts';
import { ModelHost } from '../intelligence/models/model-host.ts';
import { StateFiles } from '../intelligence/state-files.ts';
import type { Clock } from '../lib/clock.ts';
import { messageOf } from '../lib/errors.ts';
import type { Logger } from '../lib/logger.ts';
import type { TenantId } from '../model/tenant.ts';
import type { DocumentStore } from '../store/documents.ts';
import type { MetricsWriter } from '../store/metrics.ts';
import type { TenantDirectory } from '../tenancy/tenant-directory.ts';
import type { CataloguePacks } from './catalogue-packs.ts';
import type { Cleanups } from './cleanups.ts';
import type { Options } from './options.ts';
import type { Queries } from './queries.ts';

export interface DetectorsInput {
  readonly folder: string;
  readonly options: () => Options;
  readonly queries: Queries;
  readonly writer: (tenant: TenantId) => MetricsWriter;
  readonly documents: DocumentStore;
  readonly directory: TenantDirectory;
  readonly packs: CataloguePacks;
  /** False while the past of the synthetic tenants is being filled in: there is nothing to learn from yet. */
  readonly demoIsLive: () => boolean;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly cleanups: Cleanups;
}

export class Detectors {
  readonly service: IntelligenceService;
  readonly #i: DetectorsInput;

  constructor(input: DetectorsInput) {
    this.#i = input;
    const { queries, cleanups, clock } = input;
    const fit = new FitPool(clock);
    cleanups.add('forecast fits', () => fit[Symbol.asyncDispose]());
    const models = new ModelHost({
      folderOf: (tenant) => {
        const { config_dir } = input.options();
        return config_dir === undefined ? undefined : path.join(config_dir, 'tenants', tenant, 'models');
      },
      runtime: input.options().onnxruntime,
      clock,
    });
    cleanups.add('models of users', () => models[Symbol.asyncDispose]());
    this.service = new IntelligenceService({
      queryInstant: async (tenant, expr, atMs) =>
        (await queries.vector(tenant, expr, atMs)).map((s) => ({ labels: s.labels, value: s.value })),
      queryRange: (tenant, expr, range) => queries.matrix(tenant, expr, range),
      writeSamples: (tenant, samples) => input.writer(tenant).appendSamples(samples),
      readMetric: (tenant, metric, range) =>
        queries.reader(tenant).select([{ name: '__name__', op: '=', value: metric }], range),
      metricNames: (tenant, range) => queries.reader(tenant).labelValues('__name__', [], range),
      documents: input.documents,
      states: new StateFiles(input.folder),
      fit,
      models,
      clock,
      logger: input.logger,
    });
    cleanups.add('detectors', () => this.service[Symbol.asyncDispose]());
  }

  /**
   * Those of the catalogue where the options ask for them (or the tenant is synthetic), and those of the operator's
   * `tenants/<id>/detectors.yml`, which is asking enough. Throws `bad_config`.
   */
  wanted(tenant: TenantId): readonly DetectorConfig[] {
    return [...this.#shipped(tenant), ...this.#fromFile(tenant)];
  }

  #fromFile(tenant: TenantId): readonly DetectorConfig[] {
    const { config_dir } = this.#i.options();
    if (config_dir === undefined) return [];
    const file = path.join(config_dir, 'tenants', tenant, 'detectors.yml');
    return existsSync(file) ? parseDetectorFile(readFileSync(file, 'utf8'), file) : [];
  }

  #shipped(tenant: TenantId): readonly DetectorConfig[] {
    const { intelligent_alerts: wants } = this.#i.options();
    const synthetic = this.#i.directory.get(tenant)?.demo ?? false;
    if (synthetic ? !this.#i.demoIsLive() : !wants.predictive && !wants.machine_learning) return [];
    return [...this.#i.packs.detectors(tenant)]
      .flatMap(([file, value]) => checkDetectors(value, file))
      .filter((d) => synthetic || (d.kind === 'forecast' ? wants.predictive : wants.machine_learning));
  }

  async apply(tenant: TenantId): Promise<void> {
    try {
      await this.service.configure(tenant, this.wanted(tenant));
    } catch (error) {
      this.#i.logger.error('the detectors of a tenant do not load; the old ones go on', {
        tenant,
        error: messageOf(error),
      });
    }
  }
}
