/** Opens the stores that the options name, each with its clean-up: embedded by default, the real programs where an address is set. */
import path from 'node:path';
import { SnappyDecoder } from '../ingest/snappy.ts';
import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/logger.ts';
import type { SelfMetrics } from '../lib/self-metrics.ts';
import type { TenantId } from '../model/tenant.ts';
import { restrictExpression } from '../promql/restrict.ts';
import { compileMatcher } from '../regex/matcher.ts';
import type { Cache } from '../store/cache.ts';
import type { DocumentStore } from '../store/documents.ts';
import { MemoryCache } from '../store/embedded/cache/memory-cache.ts';
import { EmbeddedDocuments } from '../store/embedded/documents/embedded-documents.ts';
import { EmbeddedMetricsStore } from '../store/embedded/metrics/embedded-metrics-store.ts';
import type { PrometheusMetricsStore } from '../store/external/prometheus/prometheus-metrics-store.ts';
import type { MetricsQuota, MetricsStore } from '../store/metrics.ts';
import type { Cleanups } from './cleanups.ts';
import type { DataFolder } from './data-folder.ts';
import type { Options } from './options.ts';

export interface StoreInput {
  readonly options: Options;
  readonly folder: DataFolder;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: SelfMetrics;
  readonly cleanups: Cleanups;
}

/** Documents in SQLite below the data folder, or in the PostgreSQL of `database_url`. */
export async function openDocuments(input: Omit<StoreInput, 'metrics'>): Promise<DocumentStore> {
  const { options, folder, clock, logger, cleanups } = input;
  let documents: DocumentStore;
  if (options.database_url !== undefined) {
    const { PostgresDocuments } = await import('../store/external/postgres/postgres-documents.ts');
    documents = await PostgresDocuments.open({ url: options.database_url, clock, logger });
  } else {
    documents = await EmbeddedDocuments.open({ file: documentsFile(folder), clock });
  }
  cleanups.add('documents', () => documents[Symbol.asyncDispose]());
  return documents;
}

export const documentsFile = (folder: DataFolder): string => path.join(folder.store('documents'), 'documents.sqlite');

/** The cache in this process, or the Redis of `redis_url`. */
export async function openCache(input: Omit<StoreInput, 'metrics' | 'folder'>): Promise<Cache> {
  const { options, clock, logger, cleanups } = input;
  let cache: Cache;
  if (options.redis_url !== undefined) {
    const { RedisCache } = await import('../store/external/redis/redis-cache.ts');
    cache = await RedisCache.open({ url: options.redis_url, clock, logger });
  } else cache = new MemoryCache({ clock });
  cleanups.add('cache', () => cache[Symbol.asyncDispose]());
  return cache;
}

export interface OpenedMetrics {
  readonly store: MetricsStore;
  /** Absent where another program keeps the metrics. */
  readonly embedded: EmbeddedMetricsStore | undefined;
  readonly external: PrometheusMetricsStore | undefined;
}

/** Metrics below the data folder, each tenant within its quota, or in the program of `prometheus_url`. */
export async function openMetrics(
  input: StoreInput,
  quota: (tenant: TenantId) => MetricsQuota,
): Promise<OpenedMetrics> {
  const { options, folder, clock, logger, metrics, cleanups } = input;
  if (options.prometheus_url !== undefined) {
    const { PrometheusMetricsStore } = await import('../store/external/prometheus/prometheus-metrics-store.ts');
    const snappy = new SnappyDecoder();
    const external = new PrometheusMetricsStore({
      url: options.prometheus_url,
      tenancy:
        options.prometheus_tenancy === 'label'
          ? { kind: 'label', label: options.prometheus_tenant_label }
          : options.prometheus_tenancy === 'header'
            ? { kind: 'header', header: 'x-scope-orgid' }
            : { kind: 'single', tenant: options.tenant },
      readOnly: options.prometheus_read_only,
      clock,
      logger,
      decompress: (body, max) => snappy.decode(body, max),
      restrict: restrictExpression,
    });
    cleanups.add('metrics store', () => external[Symbol.asyncDispose]());
    return { store: external, embedded: undefined, external };
  }
  const embedded = await EmbeddedMetricsStore.open({
    folder: folder.store('metrics'),
    clock,
    logger,
    metrics,
    compileMatcher,
    quota: (tenant) => ({ retentionMs: options.retention, ...quota(tenant) }),
    sync: options.wal_sync,
  });
  cleanups.add('metrics store', () => embedded[Symbol.asyncDispose]());
  return { store: embedded, embedded, external: undefined };
}
