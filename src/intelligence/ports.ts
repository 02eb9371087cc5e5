/** What the detector runner needs from the rest of Vigie, as functions; `app/setup.ts` passes them. */
import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/logger.ts';
import type { Labels } from '../model/labels.ts';
import type { Sample, SeriesColumns } from '../model/sample.ts';
import type { TenantId } from '../model/tenant.ts';
import type { DocumentStore } from '../store/documents.ts';
import type { FitPort } from './fit-protocol.ts';
import type { ModelPort } from './models/model-host.ts';

export interface VectorPoint {
  readonly labels: Labels;
  readonly value: number;
}

export interface IntelligencePorts {
  /** Evaluates PromQL for a tenant at one instant. */
  readonly queryInstant: (tenant: TenantId, expr: string, atMs: number) => Promise<readonly VectorPoint[]>;
  /** Evaluates PromQL on start, start + step, ..., end; at most 11,000 steps are asked for. */
  readonly queryRange: (
    tenant: TenantId,
    expr: string,
    range: { readonly startMs: number; readonly endMs: number; readonly stepMs: number },
  ) => Promise<readonly SeriesColumns[]>;
  /** Writes ordinary series of the tenant. */
  readonly writeSamples: (tenant: TenantId, samples: readonly Sample[]) => Promise<unknown>;
  /** Raw samples of all series of one metric name, for the ranking of the unusual. */
  readonly readMetric: (
    tenant: TenantId,
    metric: string,
    range: { readonly startMs: number; readonly endMs: number },
  ) => readonly SeriesColumns[] | Promise<readonly SeriesColumns[]>;
  /** Names of the tenant's metrics with data in the range. */
  readonly metricNames: (
    tenant: TenantId,
    range: { readonly startMs: number; readonly endMs: number },
  ) => Promise<readonly string[]>;
  /** Predictions, records, back-tests and feedback. */
  readonly documents: DocumentStore;
  /** Learned state, opaque bytes per tenant and key (`<detector>.<piece>`). */
  readonly states: StatePort;
  /** Fits forecasts and replays back-tests off the main thread. */
  readonly fit: FitPort;
  /** Runs models of users; absent where none are run. */
  readonly models?: ModelPort;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Prefix of the names of series that are written; '' unless `tenant_isolation` says otherwise. */
  readonly metricsPrefix?: string;
}

export interface StatePort {
  load(tenant: TenantId, key: string): Promise<Uint8Array | undefined>;
  save(tenant: TenantId, key: string, state: Uint8Array): Promise<void>;
  remove(tenant: TenantId, key: string): Promise<void>;
  removeTenant(tenant: TenantId): Promise<void>;
}
