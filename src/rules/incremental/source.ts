/**
 * What incremental evaluation needs of a metrics store beyond select: stable small numbers for series, and a way to be
 * told only what is new. The embedded store fits it (store/embedded/metrics/incremental-reader.ts); where a store does
 * not, rules are evaluated by the engine.
 */
import type { Labels } from '../../model/labels.ts';
import type { Matcher } from '../../model/matcher.ts';
import type { SeriesColumns } from '../../model/sample.ts';

export interface SampleSink {
  /** A float by its bits, so that stale markers survive. */
  push(timeMs: number, low: number, high: number): void;
}

/** `disordered`: has late or deleted samples; `histograms`: has native histograms. */
export type Irregularity = 'none' | 'disordered' | 'histograms';

export interface IncrementalSource {
  /** Changes whenever a series came or went; refs keep their meaning as long as it stands still. */
  readonly seriesVersion: number;
  /** Changes whenever a series that these matchers may select came or went. */
  selectionVersion(matchers: readonly Matcher[]): number;
  /** Changes with every sample. */
  readonly samplesVersion: number;
  /** Everything from this time on is in memory. */
  memoryFromMs(): number;
  /** Series that match, in the order in which a query reads them. */
  select(matchers: readonly Matcher[]): ArrayLike<number>;
  labels(ref: number): Labels;
  /** Time of the newest sample. */
  lastTimeMs(ref: number): number;
  /** Could any series be irregular? Cheap; asked once per evaluation. */
  mayBeIrregular(): boolean;
  irregularity(ref: number): Irregularity;
  /** Hands over the floats after `afterMs`, oldest first; false when they did not come in order. */
  read(ref: number, afterMs: number, sink: SampleSink): boolean;
  /** The samples of one series in the closed range, exactly as a query would see them. */
  window(ref: number, startMs: number, endMs: number): SeriesColumns | undefined;
}

/** Thrown inside when a rule must be evaluated by the engine this time; the reason is counted. */
export class FallBack extends Error {
  readonly reason: FallBackReason;

  constructor(reason: FallBackReason) {
    super(reason);
    this.reason = reason;
  }
}

/** docs/rules.md lists these. */
export const FALL_BACK_REASONS = [
  'unsupported_expression',
  'at_modifier',
  'offset',
  'subquery',
  'extended_range',
  'function',
  'native_histograms',
  'older_than_memory',
  'ambiguous_labels',
  'duplicate_match',
] as const;
export type FallBackReason = (typeof FALL_BACK_REASONS)[number];
