/**
 * The metrics store as the rest of Vigie sees it. A reader or writer is handed out *for a tenant*; code that holds one
 * cannot name another. Implementations: embedded/metrics (own), external/prometheus. One conformance suite over both.
 */

import type { NativeHistogram } from '../model/histogram.ts';
import type { Labels } from '../model/labels.ts';
import type { CompiledMatcher, Matcher } from '../model/matcher.ts';
import type { Exemplar, MetricMetadata, Sample, SeriesColumns } from '../model/sample.ts';
import type { TenantId } from '../model/tenant.ts';

/** What a query tells the store about its intent; a store may ignore all of it. */
export interface SelectHints {
  /** Range query step in ms; 0 for instant. */
  readonly stepMs?: number;
  /** Name of the surrounding function or aggregation, if any. */
  readonly func?: string;
  /** Length of the surrounding range selector in ms; 0 without. */
  readonly rangeMs?: number;
  /** Only the newest sample of each series in the range is looked at; a store may answer with that one alone. */
  readonly lastOnly?: boolean;
  /** Stop after this many series and fail with `query_limit`. */
  readonly seriesMax?: number;
  /** Stop after this many samples and fail with `query_limit`. */
  readonly samplesMax?: number;
  readonly signal?: AbortSignal;
  /** Collects warnings about damaged or missing parts. */
  readonly warn?: (message: string) => void;
}

export interface TimeRange {
  /** Inclusive, ms. */
  readonly startMs: number;
  /** Inclusive, ms. */
  readonly endMs: number;
}

export interface MetricsReader {
  /**
   * All series that match, with their samples in the range, in no order that could be relied on. Samples include stale
   * markers (bits kept). May answer synchronously when all data is in memory.
   */
  select(
    matchers: readonly Matcher[],
    range: TimeRange,
    hints?: SelectHints,
  ): readonly SeriesColumns[] | Promise<readonly SeriesColumns[]>;
  /** Label sets of series that match any of the matcher sets and have data in the range. */
  series(matcherSets: readonly (readonly Matcher[])[], range: TimeRange, limit?: number): Promise<readonly Labels[]>;
  /** Sorted. */
  labelNames(
    matcherSets: readonly (readonly Matcher[])[],
    range: TimeRange,
    limit?: number,
  ): Promise<readonly string[]>;
  /** Sorted. */
  labelValues(
    name: string,
    matcherSets: readonly (readonly Matcher[])[],
    range: TimeRange,
    limit?: number,
  ): Promise<readonly string[]>;
  metadata(metric?: string, limit?: number): Promise<readonly MetricMetadata[]>;
  exemplars(
    matcherSets: readonly (readonly Matcher[])[],
    range: TimeRange,
  ): Promise<readonly { readonly labels: Labels; readonly exemplars: readonly Exemplar[] }[]>;
}

/**
 * A decoded write request in columns: series `i` owns samples `sampleStart[i] .. sampleStart[i + 1]`. Arrays may be
 * longer than needed and are reused by the decoder: the store copies what it keeps before `append` first yields.
 */
export interface WriteBatch {
  readonly seriesCount: number;
  /** Names the encoding of `keys`: equal bytes of one dialect mean equal series. */
  readonly dialect: 'rw1' | 'rw2' | 'text' | 'otlp' | 'labels';
  readonly keys: Uint8Array;
  /** Series `i` is identified by `keys.subarray(keyStart[i], keyEnd[i])`. */
  readonly keyStart: Uint32Array;
  readonly keyEnd: Uint32Array;
  /** Parses, validates and canonicalises the labels of series `i`; called only when its key is new. Throws `bad_data`. */
  labels(i: number): Labels;
  readonly sampleStart: Uint32Array;
  readonly timestamps: Float64Array;
  /** Stale markers keep their bits. */
  readonly values: Float64Array;
  readonly histograms?: readonly {
    readonly series: number;
    readonly timestampMs: number;
    readonly histogram: NativeHistogram;
  }[];
  readonly exemplars?: readonly { readonly series: number; readonly exemplar: Exemplar }[];
  readonly metadata?: readonly MetricMetadata[];
}

export type RejectReason =
  | 'out_of_order'
  | 'too_old'
  | 'too_far_in_future'
  | 'duplicate_timestamp'
  | 'invalid_labels'
  | 'label_limit'
  | 'series_quota'
  | 'rate_quota'
  | 'invalid_histogram'
  | 'invalid_exemplar'
  | 'read_only';

export interface WriteResult {
  readonly samplesAccepted: number;
  readonly histogramsAccepted: number;
  readonly exemplarsAccepted: number;
  readonly rejected: Readonly<Partial<Record<RejectReason, number>>>;
  /** One example per reason, for the error answer: what, where, got, wanted. */
  readonly examples: readonly string[];
}

/** One float each of several series at one time. */
export interface SampleVector {
  /** Of one series each; who passes the same array again says that it holds the same series. */
  readonly labels: readonly Labels[];
  readonly timestampMs: number;
  /** As many as labels, and perhaps more behind them. */
  readonly values: Float64Array;
}

export interface MetricsWriter {
  /** Resolves once the samples are in the write-ahead log (written, and synced when so configured) and visible to readers. */
  append(batch: WriteBatch): Promise<WriteResult>;
  /** The same for writers that hold samples as objects: rules, own exporters, detectors. */
  appendSamples(samples: readonly Sample[]): Promise<WriteResult>;
  /** The same for those that write the same series again and again. Not all stores gain from it: then it is not there. */
  appendVectors?(vectors: readonly SampleVector[]): Promise<WriteResult>;
}

/** Bounds that the store enforces for a tenant; undefined means none. */
export interface MetricsQuota {
  readonly activeSeriesMax?: number;
  readonly samplesPerSecondMax?: number;
  readonly samplesBurstMax?: number;
  readonly labelsPerSeriesMax?: number;
  readonly labelNameBytesMax?: number;
  readonly labelValueBytesMax?: number;
  /** Older samples than this are dropped by retention; 0 keeps everything. */
  readonly retentionMs?: number;
  /** Bytes in blocks; beyond them the oldest block goes. 0 or undefined: no bound. */
  readonly retentionBytesMax?: number;
  readonly outOfOrderWindowMs?: number;
}

export interface TenantMetricsStats {
  readonly activeSeries: number;
  readonly samplesTotal: number;
  readonly memoryBytes: number;
  readonly diskBytes: number;
  readonly minTimeMs: number | undefined;
  readonly maxTimeMs: number | undefined;
}

export interface CardinalityStats {
  readonly headSeries: number;
  readonly headChunks: number;
  readonly labelPairs: number;
  readonly minTimeMs: number;
  readonly maxTimeMs: number;
  readonly seriesCountByMetricName: readonly { readonly name: string; readonly value: number }[];
  readonly labelValueCountByLabelName: readonly { readonly name: string; readonly value: number }[];
  /** Series that carry the label; for every name in `labelValueCountByLabelName`. */
  readonly seriesCountByLabelName: readonly { readonly name: string; readonly value: number }[];
  readonly memoryInBytesByLabelName: readonly { readonly name: string; readonly value: number }[];
  readonly seriesCountByLabelValuePair: readonly { readonly name: string; readonly value: number }[];
}

export interface MetricsStore {
  reader(tenant: TenantId): MetricsReader;
  writer(tenant: TenantId): MetricsWriter;
  /** Known tenants of this store; for platform roles only. */
  tenants(): readonly TenantId[];
  stats(tenant: TenantId): TenantMetricsStats;
  cardinality(tenant: TenantId, limit: number): Promise<CardinalityStats>;
  /** Marks matching samples in the range as deleted; they never come back. */
  deleteSeries(tenant: TenantId, matchers: readonly Matcher[], range: TimeRange): Promise<void>;
  /** Removes everything of a tenant. */
  deleteTenant(tenant: TenantId): Promise<void>;
  /** A consistent copy of all data under `folder`, which must not exist. */
  snapshot(folder: string): Promise<void>;
  /** Forces the write-ahead log to stable storage. */
  sync(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Compiles a matcher; handed to stores, which never build regular expressions themselves. */
export type CompileMatcher = (matcher: Matcher) => CompiledMatcher;
