/** Opens the stores that the options name, each with its clean-up: embedded by default, the real programs where an address is set. */
import path from 'node:path';
import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/logger.ts';
import type { SelfMetrics } from '../lib/self-metrics.ts';
import type { TenantId } from '../model/tenant.ts';
import { compileMatcher } from '../regex/matcher.ts';
import type { Cache } from '../store/cache.ts';
import type { DocumentStore } from '../store/documents.ts';
import { MemoryCache } from '../store/embedded/cache/memory-cache.ts';
import { EmbeddedDocuments } from '../store/embedded/documents/embedded-documents.ts';
import { EmbeddedMetricsStore } from '../store/embedded/metrics/embedded-metrics-store.ts';
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

/** Metrics below the data folder, each tenant within its quota. */
export async function openMetrics(
  input: StoreInput,
  quota: (tenant: TenantId) => MetricsQuota,
): Promise<{ readonly store: MetricsStore; readonly embedded: EmbeddedMetricsStore | undefined }> {
  const { options, folder, clock, logger, metrics, cleanups } = input;
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
  return { store: embedded, embedded };
}
