/**
 * The recent floats of every series that rules read, one short run per series inside shared columns, so that kernels of
 * range functions work on them as they are. Only samples newer than the last seen are asked of the store. Stale markers
 * are kept as samples; where one lies in a window, or a counter falls, is known without looking at the window.
 */
import { isStale } from '../../model/sample.ts';
import type { IncrementalSource, SampleSink } from './source.ts';

/** Samples kept before the oldest that is needed, so that runs are moved seldom. */
const SLACK_SHARE = 1.5;
/** Moved to a larger place when less than this share is left over. */
const TIGHT_SHARE = 1.2;
const CAPACITY_MIN = 16;
const CAPACITY_STEP = 16;
export const RING_SAMPLES_MAX = 200_000;

export class Rings implements SampleSink {
  readonly #source: IncrementalSource;
  times: Float64Array;
  values: Float64Array;
  #bits: Uint32Array;
  #used = 0;
  readonly #free = new Map<number, number[]>();
  /** By slot. */
  base: Int32Array = new Int32Array(64);
  #capacity: Int32Array = new Int32Array(64);
  /** First and one past the last sample, from `base`. */
  start: Int32Array = new Int32Array(64);
  end: Int32Array = new Int32Array(64);
  /** Every sample from this time on is here. */
  completeFrom: Float64Array = new Float64Array(64);
  lastTime: Float64Array = new Float64Array(64);
  lastStale: Float64Array = new Float64Array(64);
  /** Newest time at which the value was lower than the one before. */
  lastReset: Float64Array = new Float64Array(64);
  #need: Float64Array = new Float64Array(64);
  /** State of the store (Cycle.stamp) for which a series was last brought up to date. */
  #freshAt: Float64Array = new Float64Array(64);
  /** State of the store for which its samples last changed here. */
  changedAt: Float64Array = new Float64Array(64);
  #slots = 0;
  #freeSlots: number[] = [];
  #current = 0;

  constructor(source: IncrementalSource) {
    this.#source = source;
    this.times = new Float64Array(4096);
    this.values = new Float64Array(4096);
    this.#bits = new Uint32Array(this.values.buffer);
  }

  get memoryBytes(): number {
    return this.times.length * 16 + this.base.length * 68;
  }

  /** A slot for a series; nothing is known of it yet. */
  open(): number {
    const slot = this.#freeSlots.pop() ?? this.#slots++;
    if (slot >= this.base.length) this.#growSlots();
    this.#capacity[slot] = 0;
    this.start[slot] = 0;
    this.end[slot] = 0;
    this.completeFrom[slot] = Number.POSITIVE_INFINITY;
    this.lastTime[slot] = Number.NEGATIVE_INFINITY;
    this.lastStale[slot] = Number.NEGATIVE_INFINITY;
    this.lastReset[slot] = Number.NEGATIVE_INFINITY;
    this.#need[slot] = 0;
    this.#freshAt[slot] = -1;
    this.changedAt[slot] = -1;
    return slot;
  }

  close(slot: number): void {
    this.#release(slot);
    this.#freeSlots.push(slot);
  }

  /** `ms` of past must be kept before the newest sample. */
  need(slot: number, ms: number): void {
    if (ms > this.#need[slot]!) this.#need[slot] = ms;
  }

  /**
   * Brings a series up to date, with everything from `fromMs` on. False when it cannot: then the caller asks the store
   * for the window. Done once for each `stamp`: several leaves read one series.
   */
  refresh(slot: number, ref: number, fromMs: number, stamp: number): boolean {
    if (this.#freshAt[slot] === stamp && fromMs >= this.completeFrom[slot]!) return true;
    const done = this.#refresh(slot, ref, fromMs, stamp);
    this.#freshAt[slot] = done ? stamp : -1;
    return done;
  }

  #refresh(slot: number, ref: number, fromMs: number, stamp: number): boolean {
    const newest = this.#source.lastTimeMs(ref);
    if (fromMs >= this.completeFrom[slot]! && newest === this.lastTime[slot]) return true;
    this.changedAt[slot] = stamp;
    if (fromMs >= this.completeFrom[slot]!) {
      if (newest > this.lastTime[slot]!) {
        this.#current = slot;
        if (this.#source.read(ref, this.lastTime[slot]!, this)) return true;
      }
    }
    return this.#rebuild(slot, ref, fromMs);
  }

  #rebuild(slot: number, ref: number, fromMs: number): boolean {
    this.start[slot] = 0;
    this.end[slot] = 0;
    this.lastTime[slot] = Number.NEGATIVE_INFINITY;
    this.lastStale[slot] = Number.NEGATIVE_INFINITY;
    this.lastReset[slot] = Number.NEGATIVE_INFINITY;
    this.completeFrom[slot] = fromMs;
    this.#current = slot;
    if (this.#source.read(ref, fromMs - 1, this)) {
      // a series without a sample since `fromMs` is complete too; its newest is then older
      if (this.lastTime[slot] === Number.NEGATIVE_INFINITY) this.lastTime[slot] = this.#source.lastTimeMs(ref);
      return true;
    }
    this.completeFrom[slot] = Number.POSITIVE_INFINITY;
    return false;
  }

  push(timeMs: number, low: number, high: number): void {
    const slot = this.#current;
    if (this.end[slot] === this.#capacity[slot]) this.#makeRoom(slot, timeMs);
    const at = this.base[slot]! + this.end[slot]!;
    this.times[at] = timeMs;
    this.#bits[2 * at] = low;
    this.#bits[2 * at + 1] = high;
    const value = this.values[at]!;
    if (Number.isNaN(value)) {
      if (isStale(this.values, at)) this.lastStale[slot] = timeMs;
    } else if (this.end[slot]! > this.start[slot]! && value < this.values[at - 1]!) this.lastReset[slot] = timeMs;
    this.end[slot]!++;
    this.lastTime[slot] = timeMs;
  }

  /** Drops what is not needed any more, and moves the run to a larger place when that is not enough. */
  #makeRoom(slot: number, timeMs: number): void {
    const oldest = timeMs - this.#need[slot]!;
    const from = this.base[slot]!;
    let start = this.start[slot]!;
    const end = this.end[slot]!;
    while (start < end && this.times[from + start]! < oldest) start++;
    if (start > this.start[slot]!) this.completeFrom[slot] = Math.max(this.completeFrom[slot]!, oldest);
    const length = end - start;
    let to = from;
    if ((length + 1) * TIGHT_SHARE > this.#capacity[slot]!) {
      const capacity = Math.max(CAPACITY_MIN, Math.ceil(((length + 1) * SLACK_SHARE) / CAPACITY_STEP) * CAPACITY_STEP);
      to = this.#take(capacity);
      this.#move(from + start, to, length);
      this.#release(slot);
      this.#capacity[slot] = capacity;
      this.base[slot] = to;
    } else this.#move(from + start, to, length);
    this.start[slot] = 0;
    this.end[slot] = length;
  }

  #move(from: number, to: number, length: number): void {
    if (from === to || length === 0) return;
    this.times.copyWithin(to, from, from + length);
    this.#bits.copyWithin(2 * to, 2 * from, 2 * (from + length));
  }

  #take(capacity: number): number {
    const free = this.#free.get(capacity)?.pop();
    if (free !== undefined) return free;
    const at = this.#used;
    this.#used += capacity;
    if (this.#used > this.times.length) {
      const size = Math.max(this.#used, this.times.length * 2);
      const times = new Float64Array(size);
      times.set(this.times);
      const bits = new Uint32Array(size * 2);
      bits.set(this.#bits);
      this.times = times;
      this.#bits = bits;
      this.values = new Float64Array(bits.buffer);
    }
    return at;
  }

  #release(slot: number): void {
    const capacity = this.#capacity[slot]!;
    if (capacity === 0) return;
    const list = this.#free.get(capacity);
    if (list) list.push(this.base[slot]!);
    else this.#free.set(capacity, [this.base[slot]!]);
    this.#capacity[slot] = 0;
  }

  #growSlots(): void {
    const n = this.base.length * 2;
    const i32 = (a: Int32Array): Int32Array => {
      const b = new Int32Array(n);
      b.set(a);
      return b;
    };
    const f64 = (a: Float64Array): Float64Array => {
      const b = new Float64Array(n);
      b.set(a);
      return b;
    };
    this.base = i32(this.base);
    this.#capacity = i32(this.#capacity);
    this.start = i32(this.start);
    this.end = i32(this.end);
    this.completeFrom = f64(this.completeFrom);
    this.lastTime = f64(this.lastTime);
    this.lastStale = f64(this.lastStale);
    this.lastReset = f64(this.lastReset);
    this.#need = f64(this.#need);
    this.#freshAt = f64(this.#freshAt);
    this.changedAt = f64(this.changedAt);
  }
}
