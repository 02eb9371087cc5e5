/**
 * A native histogram sample, as Prometheus' `histogram.FloatHistogram`: exponential buckets of schema -4..8, or custom
 * bounds (schema -53). Counts are absolute (not deltas) and may be fractional. Immutable.
 */
export interface BucketSpan {
  /** Gap to the previous span in buckets; for the first span the index of its first bucket. */
  readonly offset: number;
  readonly length: number;
}

/** What a counter reset looks like to the reader; as in Prometheus' `CounterResetHint`. */
export type CounterResetHint = 'unknown' | 'reset' | 'not_reset' | 'gauge';

export const CUSTOM_BUCKETS_SCHEMA = -53;

export interface NativeHistogram {
  readonly schema: number;
  readonly zeroThreshold: number;
  readonly zeroCount: number;
  readonly count: number;
  /** NaN with the stale marker's meaning when `stale`. */
  readonly sum: number;
  readonly stale?: boolean;
  readonly positiveSpans: readonly BucketSpan[];
  readonly positiveBuckets: readonly number[];
  readonly negativeSpans: readonly BucketSpan[];
  readonly negativeBuckets: readonly number[];
  /** Upper bounds of custom buckets, ascending, without +Inf; only for schema -53. */
  readonly customValues?: readonly number[];
  readonly counterResetHint: CounterResetHint;
}
