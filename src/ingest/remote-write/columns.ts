/** The growing columns that the remote-write decoders fill and reuse from request to request (see WriteBatch). */
import { VigieError } from '../../lib/errors.ts';
import type { NativeHistogram } from '../../model/histogram.ts';
import type { Labels } from '../../model/labels.ts';
import type { Exemplar, MetricMetadata } from '../../model/sample.ts';

/** Series in one request; a request of this many is refused whatever its bytes. */
export const SERIES_MAX = 2_000_000;
export const SAMPLES_MAX = 10_000_000;
/** Histograms and exemplars in one request. */
export const OBJECTS_MAX = 500_000;
export const METADATA_MAX = 100_000;
/** Labels of one series. */
export const LABELS_MAX = 1_000;

export class WriteColumns {
  seriesCount = 0;
  sampleCount = 0;
  keyStart = new Uint32Array(1024);
  keyEnd = new Uint32Array(1024);
  sampleStart = new Uint32Array(1025);
  timestamps = new Float64Array(1024);
  values = new Float64Array(1024);
  bits = new Uint32Array(this.values.buffer);
  histograms: { series: number; timestampMs: number; histogram: NativeHistogram }[] = [];
  exemplars: { series: number; exemplar: Exemplar }[] = [];
  metadata: MetricMetadata[] = [];

  reset(): void {
    this.seriesCount = 0;
    this.sampleCount = 0;
    this.sampleStart[0] = 0;
    this.histograms = [];
    this.exemplars = [];
    this.metadata = [];
  }

  addSeries(keyStart: number, keyEnd: number): void {
    const i = this.seriesCount++;
    if (i + 1 >= this.keyStart.length) {
      if (i >= SERIES_MAX) throw new VigieError('too_large', `the request has more than ${SERIES_MAX} series`);
      this.keyStart = doubled(this.keyStart);
      this.keyEnd = doubled(this.keyEnd);
      const starts = new Uint32Array(this.keyStart.length + 1);
      starts.set(this.sampleStart);
      this.sampleStart = starts;
    }
    this.keyStart[i] = keyStart;
    this.keyEnd[i] = keyEnd;
    this.sampleStart[i + 1] = this.sampleCount;
  }

  /** A value by its bits, so that no NaN payload is touched. */
  addSample(t: number, low: number, high: number): void {
    const i = this.sampleCount++;
    if (i === this.timestamps.length) {
      if (i >= SAMPLES_MAX) throw new VigieError('too_large', `the request has more than ${SAMPLES_MAX} samples`);
      const timestamps = new Float64Array(i * 2);
      const values = new Float64Array(i * 2);
      timestamps.set(this.timestamps);
      values.set(this.values);
      this.timestamps = timestamps;
      this.values = values;
      this.bits = new Uint32Array(values.buffer);
    }
    this.timestamps[i] = t;
    this.bits[2 * i] = low;
    this.bits[2 * i + 1] = high;
  }

  checkObjects(): void {
    if (this.histograms.length + this.exemplars.length >= OBJECTS_MAX)
      throw new VigieError('too_large', `the request has more than ${OBJECTS_MAX} histograms and exemplars`);
    if (this.metadata.length >= METADATA_MAX)
      throw new VigieError('too_large', `the request has metadata of more than ${METADATA_MAX} metrics`);
  }
}

function doubled(from: Uint32Array<ArrayBuffer>): Uint32Array<ArrayBuffer> {
  const to = new Uint32Array(from.length * 2);
  to.set(from);
  return to;
}

/** Exemplar and histogram series must exist; their labels are parsed by the decoder that found them. */
export type LabelsOf = (series: number) => Labels;
