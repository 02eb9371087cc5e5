/** Samples, stale markers and series in columns. Times are milliseconds since the Unix epoch, UTC. */
import type { NativeHistogram } from './histogram.ts';
import type { Labels } from './labels.ts';

/** Bits of Prometheus' stale marker: a NaN of its own (model/value/value.go). */
export const STALE_NAN_HI = 0x7ff00000;
export const STALE_NAN_LO = 0x00000002;
/** Bits of the NaN that Prometheus writes for an ordinary "not a number". */
export const NORMAL_NAN_HI = 0x7ff80000;
export const NORMAL_NAN_LO = 0x00000001;

const scratch = new Float64Array(1);
const scratchBits = new Uint32Array(scratch.buffer);

/** Writes the stale marker bit by bit: a number in a variable may lose a NaN's payload. */
export function setStale(values: Float64Array, index: number): void {
  const bits = new Uint32Array(values.buffer, values.byteOffset + index * 8, 2);
  bits[0] = STALE_NAN_LO;
  bits[1] = STALE_NAN_HI;
}

/** Is `values[index]` the stale marker? Cheap for numbers: only NaNs are looked at bit by bit. */
export function isStale(values: Float64Array, index: number): boolean {
  const v = values[index]!;
  if (!Number.isNaN(v)) return false;
  const bits = new Uint32Array(values.buffer, values.byteOffset + index * 8, 2);
  return bits[0] === STALE_NAN_LO && bits[1] === STALE_NAN_HI;
}

/** The stale marker as a number. Only for handing straight to a typed array; prefer `setStale`. */
export function staleNaN(): number {
  scratchBits[0] = STALE_NAN_LO;
  scratchBits[1] = STALE_NAN_HI;
  return scratch[0]!;
}

/**
 * One series in columns, oldest first, times strictly increasing. `values[i]` counts unless `histograms?.[i]` is set.
 * The arrays may be longer than `length`; only the first `length` entries are meant. Readers must not write to them.
 */
export interface SeriesColumns {
  readonly labels: Labels;
  readonly length: number;
  readonly timestamps: Float64Array;
  readonly values: Float64Array;
  /** Native histograms, sparse; absent for float-only series. */
  readonly histograms?: readonly (NativeHistogram | undefined)[];
}

/** One float sample with its labels, for writers that are not on the hot path (rules, own exporters). */
export interface Sample {
  readonly labels: Labels;
  readonly timestampMs: number;
  readonly value: number;
  /** Writes the stale marker; `value` is ignored. */
  readonly stale?: boolean;
  readonly histogram?: NativeHistogram;
}

export interface Exemplar {
  readonly labels: Labels;
  readonly value: number;
  readonly timestampMs: number;
}

export type MetricType =
  | 'counter'
  | 'gauge'
  | 'histogram'
  | 'gaugehistogram'
  | 'summary'
  | 'info'
  | 'stateset'
  | 'unknown';

export interface MetricMetadata {
  readonly metric: string;
  readonly type: MetricType;
  readonly help: string;
  readonly unit: string;
}
