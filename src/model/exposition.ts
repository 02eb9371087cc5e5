/**
 * One scraped exposition in columns, as the decoders (src/ingest/exposition) hand it to the scrape loop. Series are
 * numbers of a `SeriesMemory` that lives as long as the target, so that an unchanged series costs a byte comparison.
 */
import type { NativeHistogram } from './histogram.ts';
import type { Labels } from './labels.ts';
import type { MetricMetadata } from './sample.ts';

/** The formats a target may answer in; names as in Prometheus' `scrape_protocols`. */
export type ExpositionFormat = 'PrometheusText' | 'OpenMetricsText' | 'PrometheusProto';

/** Remembers the series of one target: their raw bytes, and which one followed which in the last scrape. */
export interface SeriesMemory {
  /** Ids are 0 .. count - 1. */
  readonly count: number;
  /** Key of series `id`: `bytes.subarray(keyStart[id], keyEnd[id])`; unique over all memories with different prefixes. */
  readonly bytes: Uint8Array;
  readonly keyStart: Uint32Array;
  readonly keyEnd: Uint32Array;
  /** Parses the labels of series `id` as exposed. Throws `bad_data`. */
  labels(id: number): Labels;
  /** Forgets every series with `alive[id] === 0`; answers the new id of each old one (0xffffffff when forgotten). */
  compact(alive: Uint8Array): Uint32Array;
}

export interface ScrapedExemplar {
  /** Index of the sample it belongs to. */
  readonly sample: number;
  readonly labels: Labels;
  readonly value: number;
  /** Absent: the time of the scrape. */
  readonly timestampMs?: number;
}

/** Valid until the same parser parses again; arrays may be longer than `count`. */
export interface Exposition {
  readonly count: number;
  readonly ids: Uint32Array;
  readonly values: Float64Array;
  /** Milliseconds; NaN when the line carried none. */
  readonly timestamps: Float64Array;
  /** Samples that are native histograms instead of floats, by sample index. */
  readonly histograms: readonly { readonly sample: number; readonly histogram: NativeHistogram }[];
  readonly exemplars: readonly ScrapedExemplar[];
  /** Changes when any HELP, TYPE or UNIT changed: decode `metadata()` only then. */
  readonly metadataHash: number;
  metadata(): readonly MetricMetadata[];
}

export interface ParseExpositionOptions {
  /** Emit classic buckets also of histograms that carry native ones. */
  readonly classicHistograms?: boolean;
}

/** Decodes bodies of one format after another; not re-entrant, results are overwritten by the next call. */
export interface ExpositionParser {
  /** Throws `bad_data` with line, got and wanted; nothing of a refused body may be used. */
  parse(body: Uint8Array, format: ExpositionFormat, memory: SeriesMemory, options?: ParseExpositionOptions): Exposition;
}
