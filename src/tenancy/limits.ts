/** Limits of a tenant: one schema, defaults that protect the others, and how they map to the stores' own quotas. */
import { z } from 'zod';
import type { MetricsQuota } from '../store/metrics.ts';

const positive = z.number().positive();
const count = z.int().min(1);

export const limitsSchema = z.strictObject({
  active_series: count.default(500_000),
  samples_per_second: positive.default(100_000),
  samples_burst: positive.default(1_000_000),
  labels_per_series: count.default(64),
  label_name_bytes: count.default(1_024),
  label_value_bytes: count.default(4_096),
  /** Seconds; absent: the server's retention. */
  retention_seconds: z.number().min(0).optional(),
  /** Bytes of blocks on disk; the oldest go first beyond it. Absent: no bound. */
  retention_bytes: count.optional(),
  /** Seconds a sample may be older than the newest of its series. */
  out_of_order_seconds: z.number().min(0).default(0),
  query_concurrency: count.default(20),
  query_samples: count.default(50_000_000),
  query_series: count.default(500_000),
  query_seconds: positive.default(120),
  rules: count.default(10_000),
  alerts: count.default(100_000),
  notifications_per_hour: count.default(3_600),
  live_queries: count.default(200),
  events_per_second: positive.default(200),
});

export type TenantLimits = z.output<typeof limitsSchema>;
export const DEFAULT_LIMITS: TenantLimits = limitsSchema.parse({});

export function metricsQuota(limits: TenantLimits): MetricsQuota {
  return {
    activeSeriesMax: limits.active_series,
    samplesPerSecondMax: limits.samples_per_second,
    samplesBurstMax: limits.samples_burst,
    labelsPerSeriesMax: limits.labels_per_series,
    labelNameBytesMax: limits.label_name_bytes,
    labelValueBytesMax: limits.label_value_bytes,
    outOfOrderWindowMs: limits.out_of_order_seconds * 1000,
    ...(limits.retention_bytes === undefined ? {} : { retentionBytesMax: limits.retention_bytes }),
    ...(limits.retention_seconds === undefined ? {} : { retentionMs: limits.retention_seconds * 1000 }),
  };
}
