/**
 * Samples that wait for a receiver, in columns: a ring per shard with a fixed capacity. A series is an object of the
 * target; its samples stay in order because a series always goes to the same shard.
 */
import type { NativeHistogram } from '../model/histogram.ts';
import type { Labels } from '../model/labels.ts';
import type { Exemplar } from '../model/sample.ts';

export interface OutgoingLabels {
  /** After relabelling and with external labels. */
  readonly labels: Labels;
  readonly hash: number;
}

export interface Taken {
  readonly count: number;
  readonly series: readonly OutgoingLabels[];
  readonly timestamps: Float64Array;
  readonly values: Float64Array;
  readonly histograms: readonly (NativeHistogram | undefined)[];
  readonly exemplars: readonly (Exemplar | undefined)[];
}

/** First size of a ring; it doubles up to the capacity. */
const ROOM = 1_024;

export class PendingRing {
  readonly capacity: number;
  length = 0;
  #start = 0;
  #series: (OutgoingLabels | undefined)[] = [];
  #timestamps: Float64Array<ArrayBuffer>;
  #values: Float64Array<ArrayBuffer>;
  #bits: Uint32Array<ArrayBuffer>;
  /** Sparse by slot: nearly all samples are plain floats. */
  readonly #histograms = new Map<number, NativeHistogram>();
  readonly #exemplars = new Map<number, Exemplar>();

  constructor(capacity: number) {
    this.capacity = capacity;
    const room = Math.min(ROOM, capacity);
    this.#timestamps = new Float64Array(room);
    this.#values = new Float64Array(room);
    this.#bits = new Uint32Array(this.#values.buffer);
  }

  /** Times of the oldest sample; undefined when empty. */
  get oldestMs(): number | undefined {
    return this.length === 0 ? undefined : this.#timestamps[this.#start];
  }

  /** False when full. */
  push(s: OutgoingLabels, t: number, low: number, high: number, h?: NativeHistogram, e?: Exemplar): boolean {
    if (this.length === this.#timestamps.length && !this.#grow()) return false;
    const i = (this.#start + this.length) % this.#timestamps.length;
    this.#series[i] = s;
    this.#timestamps[i] = t;
    this.#bits[2 * i] = low;
    this.#bits[2 * i + 1] = high;
    if (h) this.#histograms.set(i, h);
    if (e) this.#exemplars.set(i, e);
    this.length++;
    return true;
  }

  /** A copy of the oldest `max` entries; they stay until `drop`. */
  peek(max: number): Taken {
    const count = Math.min(max, this.length);
    const room = this.#timestamps.length;
    const series: OutgoingLabels[] = new Array(count);
    const timestamps = new Float64Array(count);
    const values = new Float64Array(count);
    const bits = new Uint32Array(values.buffer);
    const histograms: (NativeHistogram | undefined)[] = new Array(count);
    const exemplars: (Exemplar | undefined)[] = new Array(count);
    for (let k = 0; k < count; k++) {
      const i = (this.#start + k) % room;
      series[k] = this.#series[i]!;
      timestamps[k] = this.#timestamps[i]!;
      bits[2 * k] = this.#bits[2 * i]!;
      bits[2 * k + 1] = this.#bits[2 * i + 1]!;
      histograms[k] = this.#histograms.get(i);
      exemplars[k] = this.#exemplars.get(i);
    }
    return { count, series, timestamps, values, histograms, exemplars };
  }

  drop(n: number): void {
    const room = this.#timestamps.length;
    for (let k = 0; k < n; k++) {
      const i = (this.#start + k) % room;
      this.#series[i] = undefined;
      this.#histograms.delete(i);
      this.#exemplars.delete(i);
    }
    this.#start = (this.#start + n) % room;
    this.length -= n;
  }

  #grow(): boolean {
    const room = this.#timestamps.length;
    if (room >= this.capacity) return false;
    const all = this.peek(this.length);
    const size = Math.min(this.capacity, room * 2);
    this.#timestamps = new Float64Array(size);
    this.#values = new Float64Array(size);
    this.#bits = new Uint32Array(this.#values.buffer);
    this.#series = [];
    this.#histograms.clear();
    this.#exemplars.clear();
    this.#start = 0;
    this.length = 0;
    const bits = new Uint32Array(all.values.buffer);
    for (let k = 0; k < all.count; k++)
      this.push(
        all.series[k]!,
        all.timestamps[k]!,
        bits[2 * k]!,
        bits[2 * k + 1]!,
        all.histograms[k],
        all.exemplars[k],
      );
    return true;
  }
}
