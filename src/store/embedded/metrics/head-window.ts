/**
 * What one tenant wrote for one span of time (two hours by default): sealed chunks in byte pages, chained per series
 * from newest to oldest; late samples and native histograms in sorted columns. It becomes one block file. It seals
 * nothing itself.
 */
import type { NativeHistogram } from '../../../model/histogram.ts';

export const NO_CHUNK = 0xffffffff;
const PAGE_BITS = 20;
const PAGE_BYTES = 1 << PAGE_BITS;

export interface LateSamples {
  length: number;
  ts: Float64Array;
  values: Float64Array;
}

export interface HistogramSamples {
  readonly ts: number[];
  readonly items: NativeHistogram[];
}

export class HeadWindow {
  readonly startMs: number;
  readonly endMs: number;
  /** Monotonic time of the last write, ms. */
  lastWriteMs = 0;
  samples = 0;
  /** Time of its first sample, ms. */
  firstMs = Number.POSITIVE_INFINITY;
  /** Oldest WAL segment that may hold samples of this window. */
  firstSegment = Number.POSITIVE_INFINITY;
  /** Where the log stood when the window began to be cut; its block names it, also when writing takes several tries. */
  cut: { readonly segment: number; readonly offset: number } | undefined;
  readonly late = new Map<number, LateSamples>();
  readonly histograms = new Map<number, HistogramSamples>();
  readonly pages: Uint8Array[] = [];
  chunkCount = 0;
  prev = new Uint32Array(16);
  minT = new Float64Array(16);
  maxT = new Float64Array(16);
  at = new Uint32Array(16);
  size = new Uint16Array(16);
  #heads = new Uint32Array(0);
  #pageUsed = 0;

  constructor(startMs: number, endMs: number) {
    this.startMs = startMs;
    this.endMs = endMs;
  }

  get memoryBytes(): number {
    return this.pages.reduce((s, p) => s + p.length, 0) + this.prev.length * 26 + this.#heads.byteLength;
  }

  /** Newest chunk of a series, or NO_CHUNK. */
  head(ref: number): number {
    return ref < this.#heads.length ? this.#heads[ref]! : NO_CHUNK;
  }

  addChunk(ref: number, minT: number, maxT: number, bytes: Uint8Array): void {
    if (ref >= this.#heads.length) {
      const heads = new Uint32Array(Math.max(16, ref + 1, this.#heads.length * 2)).fill(NO_CHUNK);
      heads.set(this.#heads);
      this.#heads = heads;
    }
    const i = this.chunkCount++;
    if (i === this.prev.length) this.#grow();
    this.prev[i] = this.#heads[ref]!;
    this.minT[i] = minT;
    this.maxT[i] = maxT;
    this.at[i] = this.#put(bytes);
    this.size[i] = bytes.length;
    this.#heads[ref] = i;
  }

  page(chunk: number): Uint8Array {
    return this.pages[this.at[chunk]! >>> PAGE_BITS]!;
  }

  offset(chunk: number): number {
    return this.at[chunk]! & (PAGE_BYTES - 1);
  }

  /** Inserts out of order; false when the time is taken by another value. */
  addLate(ref: number, t: number, low: number, high: number): boolean {
    let l = this.late.get(ref);
    if (!l) this.late.set(ref, (l = { length: 0, ts: new Float64Array(4), values: new Float64Array(4) }));
    let i = l.length;
    while (i > 0 && l.ts[i - 1]! > t) i--;
    const bits = new Uint32Array(l.values.buffer);
    if (i > 0 && l.ts[i - 1] === t) return bits[2 * i - 2] === low && bits[2 * i - 1] === high;
    if (l.length === l.ts.length) {
      const ts = new Float64Array(l.length * 2);
      const values = new Float64Array(l.length * 2);
      ts.set(l.ts);
      values.set(l.values);
      l.ts = ts;
      l.values = values;
    }
    l.ts.copyWithin(i + 1, i, l.length);
    l.values.copyWithin(i + 1, i, l.length);
    l.ts[i] = t;
    const b = new Uint32Array(l.values.buffer);
    b[2 * i] = low;
    b[2 * i + 1] = high;
    l.length++;
    this.samples++;
    return true;
  }

  #put(bytes: Uint8Array): number {
    let last = this.pages.length - 1;
    if (last < 0 || this.#pageUsed + bytes.length > this.pages[last]!.length) {
      // the first page starts small and doubles, so that a tenant with ten series does not cost a megabyte
      if (last === 0 && this.pages[0]!.length < PAGE_BYTES) {
        const page = new Uint8Array(
          Math.min(PAGE_BYTES, Math.max(this.pages[0]!.length * 2, this.#pageUsed + bytes.length)),
        );
        page.set(this.pages[0]!.subarray(0, this.#pageUsed));
        this.pages[0] = page;
        if (this.#pageUsed + bytes.length > page.length) return this.#put(bytes);
      } else {
        this.pages.push(new Uint8Array(last < 0 ? 8_192 : PAGE_BYTES));
        this.#pageUsed = 0;
        last++;
      }
    }
    const at = last * PAGE_BYTES + this.#pageUsed;
    this.pages[last]!.set(bytes, this.#pageUsed);
    this.#pageUsed += bytes.length;
    return at;
  }

  #grow(): void {
    const n = this.prev.length * 2;
    const u32 = (from: Uint32Array): Uint32Array<ArrayBuffer> => {
      const to = new Uint32Array(n);
      to.set(from);
      return to;
    };
    const f64 = (from: Float64Array): Float64Array<ArrayBuffer> => {
      const to = new Float64Array(n);
      to.set(from);
      return to;
    };
    this.prev = u32(this.prev);
    this.at = u32(this.at);
    this.minT = f64(this.minT);
    this.maxT = f64(this.maxT);
    const size = new Uint16Array(n);
    size.set(this.size);
    this.size = size;
  }
}
