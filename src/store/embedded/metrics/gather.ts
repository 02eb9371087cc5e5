/**
 * Collects the samples of one series after another into shared scratch columns and hands the result out as one exact
 * copy: no object per sample, two views per series. Not re-entrant. Disorder (late samples, overlapping blocks) is
 * sorted out here, equal times are kept once.
 */
import type { NativeHistogram } from '../../../model/histogram.ts';
import type { Labels } from '../../../model/labels.ts';
import type { SeriesColumns } from '../../../model/sample.ts';
import { CHUNK_SAMPLES_MAX, decodeChunk } from './chunk-codec.ts';

export interface DeletedRange {
  readonly startMs: number;
  readonly endMs: number;
}

interface Span {
  readonly labels: Labels;
  readonly from: number;
  readonly length: number;
  readonly histograms: (NativeHistogram | undefined)[] | undefined;
}

export class Gather {
  #ts = new Float64Array(4096);
  #values = new Float64Array(4096);
  #bits = new Uint32Array(this.#values.buffer);
  /** End of the finished series; `#at` is the end of the current one. */
  #done = 0;
  #at = 0;
  #start = 0;
  #end = 0;
  #spans: Span[] = [];
  #lastOnly = false;
  #histogramTs: number[] = [];
  #histogramItems: NativeHistogram[] = [];

  /** `lastOnly`: of each series the newest sample in the range alone is kept. */
  begin(startMs: number, endMs: number, lastOnly = false): void {
    this.#lastOnly = lastOnly;
    this.#done = 0;
    this.#at = 0;
    this.#start = startMs;
    this.#end = endMs;
    this.#spans = [];
    this.#histogramTs = [];
    this.#histogramItems = [];
  }

  get samples(): number {
    return this.#done;
  }

  /** Whoever hands samples over may leave out all but the newest of a series. */
  get lastOnly(): boolean {
    return this.#lastOnly;
  }

  /** Whether the current series has any sample yet. */
  get hasSome(): boolean {
    return this.#at > this.#done || this.#histogramTs.length > 0;
  }

  raw(offsets: Int32Array, bits: Uint32Array, at: number, n: number, base: number): void {
    this.#room(n);
    // the samples of a slot ascend: what lies before the range is passed over by halving, not one by one
    let from = at;
    let high = at + n;
    const first = this.#start - base;
    while (from < high) {
      const middle = (from + high) >>> 1;
      if (offsets[middle]! < first) from = middle + 1;
      else high = middle;
    }
    let end = at + n;
    const last = this.#end - base;
    if (end > from && offsets[end - 1]! > last) {
      let low = from;
      while (low < end) {
        const middle = (low + end) >>> 1;
        if (offsets[middle]! > last) end = middle;
        else low = middle + 1;
      }
    }
    if (this.#lastOnly && end > from) from = end - 1;
    const ts = this.#ts;
    const to = this.#bits;
    let k = this.#at;
    for (let i = from; i < end; i++, k++) {
      ts[k] = base + offsets[i]!;
      to[2 * k] = bits[2 * i]!;
      to[2 * k + 1] = bits[2 * i + 1]!;
    }
    this.#at = k;
  }

  /** Throws `corrupt` and leaves out the chunk when its bytes make no sense. */
  chunk(b: Uint8Array, at: number, end: number, firstMs: number): void {
    this.#room(CHUNK_SAMPLES_MAX);
    const from = this.#at;
    const n = decodeChunk(b, at, end, firstMs, this.#ts, this.#values, this.#bits, from);
    let low = from;
    let high = from + n;
    while (low < high && this.#ts[low]! < this.#start) low++;
    while (high > low && this.#ts[high - 1]! > this.#end) high--;
    if (low > from) {
      this.#ts.copyWithin(from, low, high);
      this.#bits.copyWithin(2 * from, 2 * low, 2 * high);
    }
    this.#at = from + high - low;
  }

  floats(ts: Float64Array, values: Float64Array, n: number): void {
    this.#room(n);
    const bits = new Uint32Array(values.buffer, values.byteOffset, 2 * n);
    for (let i = 0; i < n; i++) {
      const t = ts[i]!;
      if (t < this.#start || t > this.#end) continue;
      const to = this.#at++;
      this.#ts[to] = t;
      this.#bits[2 * to] = bits[2 * i]!;
      this.#bits[2 * to + 1] = bits[2 * i + 1]!;
    }
  }

  histograms(ts: readonly number[], items: readonly NativeHistogram[]): void {
    for (let i = 0; i < ts.length; i++) {
      const t = ts[i]!;
      if (t < this.#start || t > this.#end) continue;
      this.#histogramTs.push(t);
      this.#histogramItems.push(items[i]!);
    }
  }

  /** Ends a series; an empty one leaves no trace. */
  finish(labels: Labels, deleted?: readonly DeletedRange[]): void {
    const from = this.#done;
    let histograms: (NativeHistogram | undefined)[] | undefined;
    if (this.#histogramTs.length > 0) histograms = this.#mixIn(from);
    if (!this.#ordered(from)) histograms = this.#sort(from, histograms);
    if (deleted && deleted.length > 0) histograms = this.#cut(from, deleted, histograms);
    let length = this.#at - from;
    if (this.#lastOnly && length > 1) {
      this.#ts[from] = this.#ts[this.#at - 1]!;
      this.#bits.copyWithin(2 * from, 2 * this.#at - 2, 2 * this.#at);
      histograms = histograms?.slice(-1);
      if (histograms?.[0] === undefined) histograms = undefined;
      this.#at = from + 1;
      length = 1;
    }
    if (length > 0) this.#spans.push({ labels, from, length, histograms });
    this.#done = this.#at;
  }

  /** All series since `begin`, in memory of their own. */
  result(): SeriesColumns[] {
    const ts = this.#ts.slice(0, this.#done).buffer;
    const values = this.#values.slice(0, this.#done).buffer;
    let last: Float64Array | undefined;
    return this.#spans.map((s) => {
      // series scraped together end at the same time: one column serves them all
      const shared = s.length === 1 && last !== undefined && last[0] === this.#ts[s.from];
      // by constructor: subarray() looks up the species each time
      const timestamps: Float64Array = shared ? last! : new Float64Array(ts, 8 * s.from, s.length);
      if (s.length === 1) last = timestamps;
      const columns = {
        labels: s.labels,
        length: s.length,
        timestamps,
        values: new Float64Array(values, 8 * s.from, s.length),
      };
      return s.histograms ? { ...columns, histograms: s.histograms } : columns;
    });
  }

  #mixIn(from: number): (NativeHistogram | undefined)[] {
    const floats = this.#at - from;
    const n = this.#histogramTs.length;
    this.#room(n);
    const out: (NativeHistogram | undefined)[] = new Array(floats).fill(undefined);
    for (let i = 0; i < n; i++) {
      const to = this.#at++;
      this.#ts[to] = this.#histogramTs[i]!;
      this.#values[to] = this.#histogramItems[i]!.sum;
      out.push(this.#histogramItems[i]);
    }
    this.#histogramTs = [];
    this.#histogramItems = [];
    return out;
  }

  #ordered(from: number): boolean {
    const ts = this.#ts;
    for (let i = from + 1; i < this.#at; i++) if (ts[i]! <= ts[i - 1]!) return false;
    return true;
  }

  #sort(
    from: number,
    histograms: (NativeHistogram | undefined)[] | undefined,
  ): (NativeHistogram | undefined)[] | undefined {
    const n = this.#at - from;
    const ts = this.#ts.slice(from, this.#at);
    const bits = this.#bits.slice(2 * from, 2 * this.#at);
    const order = Uint32Array.from({ length: n }, (_, i) => i).sort((a, b) => ts[a]! - ts[b]! || a - b);
    let to = from;
    const out: (NativeHistogram | undefined)[] | undefined = histograms ? [] : undefined;
    for (const i of order) {
      if (to > from && this.#ts[to - 1] === ts[i]) continue;
      this.#ts[to] = ts[i]!;
      this.#bits[2 * to] = bits[2 * i]!;
      this.#bits[2 * to + 1] = bits[2 * i + 1]!;
      out?.push(histograms![i]);
      to++;
    }
    this.#at = to;
    return out;
  }

  #cut(
    from: number,
    deleted: readonly DeletedRange[],
    histograms: (NativeHistogram | undefined)[] | undefined,
  ): (NativeHistogram | undefined)[] | undefined {
    let to = from;
    const out: (NativeHistogram | undefined)[] | undefined = histograms ? [] : undefined;
    for (let i = from; i < this.#at; i++) {
      const t = this.#ts[i]!;
      if (deleted.some((d) => t >= d.startMs && t <= d.endMs)) continue;
      this.#ts[to] = t;
      this.#bits[2 * to] = this.#bits[2 * i]!;
      this.#bits[2 * to + 1] = this.#bits[2 * i + 1]!;
      out?.push(histograms![i - from]);
      to++;
    }
    this.#at = to;
    return out;
  }

  #room(n: number): void {
    if (this.#at + n <= this.#ts.length) return;
    const size = Math.max(this.#ts.length * 2, this.#at + n);
    const ts = new Float64Array(size);
    const values = new Float64Array(size);
    ts.set(this.#ts.subarray(0, this.#at));
    values.set(this.#values.subarray(0, this.#at));
    this.#ts = ts;
    this.#values = values;
    this.#bits = new Uint32Array(values.buffer);
  }
}
