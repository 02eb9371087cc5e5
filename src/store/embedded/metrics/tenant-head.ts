/**
 * The samples of one tenant that are not in a block yet: per series up to 128 raw samples, before them sealed chunks,
 * in windows of one block's length. Appends and reads are synchronous and build no object per sample. It knows neither
 * files nor other tenants; durability is the WAL's business. (It is long because its columns are private to it: appending,
 * replay, sealing and reading all work on them.)
 */
import type { NativeHistogram } from '../../../model/histogram.ts';
import type { Labels } from '../../../model/labels.ts';
import type { CompileMatcher } from '../../metrics.ts';
import { CHUNK_BYTES_MAX, CHUNK_SAMPLES_MAX, encodeChunk } from './chunk-codec.ts';
import type { Gather } from './gather.ts';
import { HeadWindow, NO_CHUNK } from './head-window.ts';
import { type RawPages, SLOT_CAPACITIES, type Slot } from './raw-pages.ts';
import type { SealedChunk } from './records.ts';
import { SeriesIndex } from './series-index.ts';

export const APPENDED = 0;
/** Same time and same value as before: accepted, nothing to store. */
export const REPEATED = 1;
export const LATE = 2;
export const REFUSED_OUT_OF_ORDER = 3;
export const REFUSED_DUPLICATE = 4;
export const REFUSED_TOO_OLD = 5;
export type AppendOutcome = 0 | 1 | 2 | 3 | 4 | 5;

/** End of a chain of `replayRun`. */
export const END_OF_RUN = 0xffffffff;
const NO_SLOT = 0xffffffff;
const OFFSET_MS_MAX = 2 ** 31 - 1;
const RAW_MAX = SLOT_CAPACITIES[2];
/** No float has these bits: a float at the same time is a duplicate, never a repetition. */
const NO_FLOAT = Uint32Array.of(0xdead, 0x7ff80000);
const chunkBytes = new Uint8Array(CHUNK_BYTES_MAX);

export class TenantHead {
  readonly index: SeriesIndex;
  readonly windows = new Map<number, HeadWindow>();
  /** Windows on their way into a block: still read, no longer written. */
  readonly frozen = new Set<HeadWindow>();
  readonly #blockMs: number;
  readonly #raw: RawPages;
  readonly #slot: Slot;
  readonly #widened: Slot;
  #rawBytes = 0;
  samplesTotal = 0;
  minTimeMs = Number.POSITIVE_INFINITY;
  maxTimeMs = Number.NEGATIVE_INFINITY;
  #slots = new Uint32Array(16);
  #class = new Uint8Array(16);
  #rawCount = new Uint8Array(16);
  #base = new Float64Array(16);
  #rawEnd = new Float64Array(16);
  #lastT = new Float64Array(16);
  /** Time of the sample before the last; +Infinity where the last is no float. */
  #beforeT = new Float64Array(16);
  #lastBits = new Uint32Array(32);
  /** Number of the series in the WAL segment, 0 when it has none there. */
  walIds = new Uint32Array(16);
  #window: HeadWindow | undefined;
  /** WAL segment that the samples appended now stand in. */
  segment = 0;
  /** Chunks that `append` sealed and the log has not got yet; undefined: nobody asks. */
  sealed: SealedChunk[] | undefined;
  /**
   * Chunks that may still be sealed without need: all series of a sender fill theirs at the same time, and sealing them
   * in one request would hold up every other one. A raw slot has room until a later request.
   */
  sealsLeft = Number.POSITIVE_INFINITY;

  constructor(blockMs: number, raw: RawPages, compile: CompileMatcher) {
    this.index = new SeriesIndex(compile);
    this.#blockMs = blockMs;
    this.#raw = raw;
    this.#slot = raw.emptySlot();
    this.#widened = raw.emptySlot();
  }

  get memoryBytes(): number {
    let sum = this.index.memoryBytes + this.#slots.length * 53 + this.#rawBytes;
    for (const w of this.windows.values()) sum += w.memoryBytes;
    for (const w of this.frozen) sum += w.memoryBytes;
    return sum;
  }

  addSeries(labels: Labels): number {
    const ref = this.index.add(labels);
    if (ref >= this.#slots.length) this.#grow();
    this.#slots[ref] = NO_SLOT;
    this.#rawCount[ref] = 0;
    this.#lastT[ref] = Number.NEGATIVE_INFINITY;
    this.#beforeT[ref] = Number.NEGATIVE_INFINITY;
    this.walIds[ref] = 0;
    return ref;
  }

  lastTimeMs(ref: number): number {
    return this.#lastT[ref]!;
  }

  /**
   * Appends the float `times[at]` by its bits, `bits[2 * at]` and the one after. `oldestMs`: anything before is too old;
   * `lateMs`: how much out of order is allowed. (Times and bits as arguments would become objects, one by one.)
   */
  append(
    ref: number,
    times: Float64Array,
    bits: Uint32Array,
    at: number,
    lateMs: number,
    oldestMs: number,
  ): AppendOutcome {
    const t = times[at]!;
    const low = bits[2 * at]!;
    const high = bits[2 * at + 1]!;
    const last = this.#lastT[ref]!;
    if (t <= last) {
      if (t === last) {
        if (this.#lastBits[2 * ref] === low && this.#lastBits[2 * ref + 1] === high) return REPEATED;
        return REFUSED_DUPLICATE;
      }
      if (t < last - lateMs || lateMs === 0) return REFUSED_OUT_OF_ORDER;
      if (t < oldestMs) return REFUSED_TOO_OLD;
      const taken = this.bitsAt(ref, t);
      if (taken) return taken[0] === low && taken[1] === high ? REPEATED : REFUSED_DUPLICATE;
      this.windowAt(t).addLate(ref, t, low, high);
      this.samplesTotal++;
      if (t < this.minTimeMs) this.minTimeMs = t;
      return LATE;
    }
    if (t < oldestMs) return REFUSED_TOO_OLD;
    let n = this.#rawCount[ref]!;
    if (n !== 0 && (n >= CHUNK_SAMPLES_MAX || t >= this.#rawEnd[ref]! || t - this.#base[ref]! > OFFSET_MS_MAX))
      n = this.#sealDue(ref, t);
    if (n === 0) {
      if (this.#slots[ref] === NO_SLOT) {
        this.#class[ref] = 0;
        this.#slots[ref] = this.#raw.take(0);
        this.#rawBytes += SLOT_CAPACITIES[0] * 12;
      }
      this.#base[ref] = t;
      this.#rawEnd[ref] = this.windowAt(t).endMs;
    } else if (n === SLOT_CAPACITIES[this.#class[ref]!]) this.#widen(ref, n);
    const slot = this.#slot;
    this.#raw.locate(this.#class[ref]!, this.#slots[ref]!, slot);
    const i = slot.at + n;
    slot.page.offsets[i] = t - this.#base[ref]!;
    slot.page.bits[2 * i] = low;
    slot.page.bits[2 * i + 1] = high;
    this.#rawCount[ref] = n + 1;
    this.#beforeT[ref] = last;
    this.#lastT[ref] = t;
    this.#lastBits[2 * ref] = low;
    this.#lastBits[2 * ref + 1] = high;
    this.samplesTotal++;
    if (t > this.maxTimeMs) this.maxTimeMs = t;
    if (t < this.minTimeMs) this.minTimeMs = t;
    return APPENDED;
  }

  /**
   * Appends the floats of one series from the log at start: the chain `i = first, next[i], ...` up to END_OF_RUN, with the
   * bounds that held when they were appended first.
   */
  replayRun(ref: number, first: number, next: Uint32Array, times: Float64Array, bits: Uint32Array): void {
    const slot = this.#slot;
    let n = -1;
    let before = first;
    let full = 0;
    let end = 0;
    let base = 0;
    let last = 0;
    let prior = 0;
    for (let i = first; i !== END_OF_RUN; i = next[i]!) {
      const t = times[i]!;
      if (n >= 0 && n < full && t > last && t < end && t - base <= OFFSET_MS_MAX) {
        const k = slot.at + n++;
        slot.page.offsets[k] = t - base;
        slot.page.bits[2 * k] = bits[2 * i]!;
        slot.page.bits[2 * k + 1] = bits[2 * i + 1]!;
        prior = last;
        last = t;
        before = i;
        if (next[i] === END_OF_RUN) this.#follow(ref, n, [prior, last], bits, 2 * i);
        continue;
      }
      if (n > this.#rawCount[ref]!) this.#follow(ref, n, [prior, last], bits, 2 * before);
      this.append(ref, times, bits, i, Number.POSITIVE_INFINITY, 0);
      before = i;
      n = this.#rawCount[ref]!;
      if (n === 0) {
        n = -1;
        continue;
      }
      const run = runLength(next, i, CHUNK_SAMPLES_MAX - n);
      while (n + run > SLOT_CAPACITIES[this.#class[ref]!]! && SLOT_CAPACITIES[this.#class[ref]!]! < CHUNK_SAMPLES_MAX)
        this.#widen(ref, n);
      full = SLOT_CAPACITIES[this.#class[ref]!]!;
      end = this.#rawEnd[ref]!;
      base = this.#base[ref]!;
      last = this.#lastT[ref]!;
      this.#raw.locate(this.#class[ref]!, this.#slots[ref]!, slot);
    }
  }

  /** Notes what a run wrote into a slot: the times of its last two samples, the bits of the last. */
  #follow(ref: number, n: number, [before, last]: readonly [number, number], bits: Uint32Array, at: number): void {
    this.samplesTotal += n - this.#rawCount[ref]!;
    this.#rawCount[ref] = n;
    this.#beforeT[ref] = before;
    this.#lastT[ref] = last;
    this.lastIs(ref, bits, at);
    if (last > this.maxTimeMs) this.maxTimeMs = last;
  }

  /** Appends one native histogram; `same` tells whether the one at an equal time is equal. */
  appendHistogram(
    ref: number,
    t: number,
    histogram: NativeHistogram,
    lateMs: number,
    oldestMs: number,
    same: (a: NativeHistogram, b: NativeHistogram) => boolean,
  ): AppendOutcome {
    const last = this.#lastT[ref]!;
    if (t < last - lateMs || (t < last && lateMs === 0)) return REFUSED_OUT_OF_ORDER;
    if (t < oldestMs) return REFUSED_TOO_OLD;
    const window = this.windowAt(t);
    let column = window.histograms.get(ref);
    if (t <= last) {
      let i = column?.ts.length ?? 0;
      while (i > 0 && column!.ts[i - 1]! > t) i--;
      if (i > 0 && column!.ts[i - 1] === t)
        return same(column!.items[i - 1]!, histogram) ? REPEATED : REFUSED_DUPLICATE;
      if (t === last || this.bitsAt(ref, t)) return REFUSED_DUPLICATE;
      if (!column) window.histograms.set(ref, (column = { ts: [], items: [] }));
      column.ts.splice(i, 0, t);
      column.items.splice(i, 0, histogram);
      window.samples++;
      this.samplesTotal++;
      if (t < this.minTimeMs) this.minTimeMs = t;
      return LATE;
    }
    if (!column) window.histograms.set(ref, (column = { ts: [], items: [] }));
    column.ts.push(t);
    column.items.push(histogram);
    window.samples++;
    this.#lastT[ref] = t;
    this.#beforeT[ref] = Number.POSITIVE_INFINITY;
    this.lastIs(ref, NO_FLOAT, 0);
    this.samplesTotal++;
    if (t > this.maxTimeMs) this.maxTimeMs = t;
    if (t < this.minTimeMs) this.minTimeMs = t;
    return APPENDED;
  }

  windowAt(t: number): HeadWindow {
    let w = this.#window;
    if (!w || t < w.startMs || t >= w.endMs) {
      const start = Math.floor(t / this.#blockMs) * this.#blockMs;
      w = this.windows.get(start);
      if (!w) this.windows.set(start, (w = new HeadWindow(start, start + this.#blockMs)));
      if (this.segment < w.firstSegment) w.firstSegment = this.segment;
      this.#window = w;
    }
    // called for the first sample of every raw slot, every late one and every histogram, so the least time passes here
    if (t < w.firstMs) w.firstMs = t;
    return w;
  }

  /**
   * Makes room for a sample at `t`: seals full chunks and those of windows before, as many as may be sealed now; answers
   * the raw samples that are left.
   */
  #sealDue(ref: number, t: number): number {
    const { sealed } = this;
    for (let n = this.#rawCount[ref]!; n > 0; n = this.#rawCount[ref]!) {
      const must = n === RAW_MAX || t - this.#base[ref]! > OFFSET_MS_MAX;
      const due = n >= CHUNK_SAMPLES_MAX || t >= this.#rawEnd[ref]!;
      if (!must && !(due && this.sealsLeft > 0)) return n;
      this.sealsLeft--;
      const window = this.#sealFirst(ref);
      sealed?.push({ ref, window, chunk: window.chunkCount - 1 });
    }
    return 0;
  }

  /**
   * Takes a chunk of floats from the log, as it was sealed; `bytes` are copied. The bits of its last sample are told
   * by `lastIs` when they are met.
   */
  adopt(ref: number, minT: number, maxT: number, bytes: Uint8Array): void {
    while (this.#rawCount[ref]! > 0) this.#sealFirst(ref);
    const window = this.windowAt(minT);
    window.addChunk(ref, minT, maxT, bytes);
    window.samples += bytes[0]!;
    this.samplesTotal += bytes[0]!;
    if (maxT > this.#lastT[ref]!) {
      this.#lastT[ref] = maxT;
      this.#beforeT[ref] = Number.POSITIVE_INFINITY;
      this.lastIs(ref, NO_FLOAT, 0);
    }
    if (maxT > this.maxTimeMs) this.maxTimeMs = maxT;
    if (minT < this.minTimeMs) this.minTimeMs = minT;
  }

  lastIs(ref: number, bits: Uint32Array, at: number): void {
    this.#lastBits[2 * ref] = bits[at]!;
    this.#lastBits[2 * ref + 1] = bits[at + 1]!;
  }

  /**
   * Turns the first raw samples of a series, as many as one chunk and one window take, into a chunk; answers the window.
   * There must be some.
   */
  #sealFirst(ref: number): HeadWindow {
    const slot = this.#slot;
    this.#raw.locate(this.#class[ref]!, this.#slots[ref]!, slot);
    const { page, at } = slot;
    const count = this.#rawCount[ref]!;
    const base = this.#base[ref]!;
    const reach = this.#rawEnd[ref]! - base;
    let n = Math.min(count, CHUNK_SAMPLES_MAX);
    while (page.offsets[at + n - 1]! >= reach) n--;
    const end = encodeChunk(
      page.offsets.subarray(at, at + n),
      page.values.subarray(at, at + n),
      page.bits.subarray(2 * at, 2 * (at + n)),
      n,
      chunkBytes,
      0,
    );
    const window = this.windowAt(base);
    window.addChunk(ref, base, base + page.offsets[at + n - 1]!, chunkBytes.subarray(0, end));
    window.samples += n;
    const left = count - n;
    if (left > 0) {
      const shift = page.offsets[at + n]!;
      for (let i = 0; i < left; i++) page.offsets[at + i] = page.offsets[at + n + i]! - shift;
      page.bits.copyWithin(2 * at, 2 * (at + n), 2 * (at + count));
      this.#base[ref] = base + shift;
      this.#rawEnd[ref] = this.windowAt(base + shift).endMs;
    }
    this.#rawCount[ref] = left;
    return window;
  }

  /**
   * Seals and takes out a window in slices; it goes on being read through `frozen` until `release`. What is appended to
   * its span meanwhile may end up in it or in a successor, never nowhere.
   */
  async freeze(window: HeadWindow, pause: () => Promise<void> | undefined): Promise<void> {
    for (let ref = 0; ref < this.index.size; ref++) {
      this.#sealInto(ref, window);
      if ((ref & 1023) === 1023) await pause();
    }
    // what came in during the pauses; from here to the removal nothing can come
    for (let ref = 0; ref < this.index.size; ref++) this.#sealInto(ref, window);
    this.windows.delete(window.startMs);
    if (this.#window === window) this.#window = undefined;
    this.frozen.add(window);
  }

  #sealInto(ref: number, window: HeadWindow): void {
    while (this.#rawCount[ref]! > 0 && this.#base[ref]! >= window.startMs && this.#base[ref]! < window.endMs)
      this.#sealFirst(ref);
  }

  /**
   * Drops a window whose block is in place, gives back idle memory, forgets series without any sample here, but for
   * those that were written to at `keepFromMs` or later.
   */
  release(window: HeadWindow, keepFromMs = Number.POSITIVE_INFINITY): number[] {
    this.frozen.delete(window);
    this.minTimeMs = Math.min(...[...this.windows.values(), ...this.frozen].map((w) => w.firstMs));
    const gone: number[] = [];
    const all = [...this.windows.values(), ...this.frozen];
    for (let ref = 0; ref < this.index.size; ref++) {
      if (!this.index.isAlive(ref) || this.#rawCount[ref] !== 0 || this.#lastT[ref]! >= window.endMs) continue;
      if (this.#slots[ref] !== NO_SLOT) {
        this.#raw.give(this.#class[ref]!, this.#slots[ref]!);
        this.#rawBytes -= SLOT_CAPACITIES[this.#class[ref]!]! * 12;
        this.#slots[ref] = NO_SLOT;
      }
      if (this.#lastT[ref]! >= keepFromMs) continue;
      if (all.every((w) => w.head(ref) === NO_CHUNK && !w.late.has(ref) && !w.histograms.has(ref))) gone.push(ref);
    }
    this.index.remove(gone);
    return gone;
  }

  /** Gives back all raw memory; the head is not used afterwards. */
  dispose(): void {
    for (let ref = 0; ref < this.index.size; ref++) {
      if (this.index.isAlive(ref) && this.#slots[ref] !== NO_SLOT) this.#raw.give(this.#class[ref]!, this.#slots[ref]!);
      // a query that began before must not read memory that is another tenant's from now on
      this.#slots[ref] = NO_SLOT;
      this.#rawCount[ref] = 0;
    }
    this.windows.clear();
    this.frozen.clear();
    this.#window = undefined;
  }

  /** Has the series anything between the two times? Exact to a chunk; decodes nothing. */
  hasData(ref: number, startMs: number, endMs: number): boolean {
    if (this.#rawCount[ref]! > 0 && this.#base[ref]! <= endMs && this.#lastT[ref]! >= startMs) return true;
    for (const w of this.frozen) if (windowHas(w, ref, startMs, endMs)) return true;
    for (const w of this.windows.values()) if (windowHas(w, ref, startMs, endMs)) return true;
    return false;
  }

  /** Hands over the floats after `afterMs`, in order, if all of them are still raw; false when they may be elsewhere. */
  readRaw(ref: number, afterMs: number, into: { push(timeMs: number, low: number, high: number): void }): boolean {
    // mostly one sample is new, and that one stands here: the page of the others need not be fetched
    if (this.#beforeT[ref]! <= afterMs && this.#lastT[ref]! > afterMs) {
      into.push(this.#lastT[ref]!, this.#lastBits[2 * ref]!, this.#lastBits[2 * ref + 1]!);
      return true;
    }
    const n = this.#rawCount[ref]!;
    const base = this.#base[ref]!;
    if (n === 0 || base > afterMs) return false;
    const slot = this.#slot;
    this.#raw.locate(this.#class[ref]!, this.#slots[ref]!, slot);
    const { offsets, bits } = slot.page;
    const end = slot.at + n;
    const after = afterMs - base;
    let i = end;
    while (i > slot.at && offsets[i - 1]! > after) i--;
    for (; i < end; i++) into.push(base + offsets[i]!, bits[2 * i]!, bits[2 * i + 1]!);
    return true;
  }

  /** Hands the samples of a series in the range to `into`, oldest first except for late ones. */
  gather(ref: number, startMs: number, endMs: number, into: Gather): void {
    if (into.lastOnly && this.#gatherLast(ref, startMs, endMs, into)) return;
    for (const w of this.frozen) this.#gatherWindow(w, ref, startMs, endMs, into);
    for (const w of this.windows.values()) this.#gatherWindow(w, ref, startMs, endMs, into);
    const n = this.#rawCount[ref]!;
    if (n === 0) return;
    const base = this.#base[ref]!;
    if (base > endMs || this.#lastT[ref]! < startMs) return;
    const slot = this.#slot;
    this.#raw.locate(this.#class[ref]!, this.#slots[ref]!, slot);
    into.raw(slot.page.offsets, slot.page.bits, slot.at, n, base);
  }

  /** The newest sample alone, at the cost of one chunk at most; false, with nothing handed over, when in doubt. */
  #gatherLast(ref: number, startMs: number, endMs: number, into: Gather): boolean {
    let newest: HeadWindow | undefined;
    let chunk = NO_CHUNK;
    const look = (w: HeadWindow): boolean => {
      if (w.startMs > endMs || w.endMs <= startMs) return true;
      if (w.late.has(ref) || w.histograms.has(ref)) return false;
      for (let c = w.head(ref); c !== NO_CHUNK; c = w.prev[c]!) {
        if (w.minT[c]! > endMs || w.maxT[c]! < startMs) continue;
        if (!newest || w.minT[c]! > newest.minT[chunk]!) {
          newest = w;
          chunk = c;
        }
      }
      return true;
    };
    for (const w of this.frozen) if (!look(w)) return false;
    for (const w of this.windows.values()) if (!look(w)) return false;
    const n = this.#rawCount[ref]!;
    const base = this.#base[ref]!;
    // what is still raw is newer than every chunk
    if (n > 0 && base <= endMs && this.#lastT[ref]! >= startMs) {
      const slot = this.#slot;
      this.#raw.locate(this.#class[ref]!, this.#slots[ref]!, slot);
      into.raw(slot.page.offsets, slot.page.bits, slot.at, n, base);
      if (into.hasSome) return true;
    }
    if (!newest) return true;
    const at = newest.offset(chunk);
    into.chunk(newest.page(chunk), at, at + newest.size[chunk]!, newest.minT[chunk]!);
    return into.hasSome;
  }

  #gatherWindow(w: HeadWindow, ref: number, startMs: number, endMs: number, into: Gather): void {
    if (w.startMs > endMs || w.endMs <= startMs) return;
    const chain: number[] = [];
    for (let c = w.head(ref); c !== NO_CHUNK; c = w.prev[c]!)
      if (w.minT[c]! <= endMs && w.maxT[c]! >= startMs) chain.push(c);
    for (let i = chain.length - 1; i >= 0; i--) {
      const c = chain[i]!;
      const at = w.offset(c);
      into.chunk(w.page(c), at, at + w.size[c]!, w.minT[c]!);
    }
    if (w.late.size > 0) {
      const late = w.late.get(ref);
      if (late) into.floats(late.ts, late.values, late.length);
    }
    if (w.histograms.size > 0) {
      const h = w.histograms.get(ref);
      if (h) into.histograms(h.ts, h.items);
    }
  }

  /** Bits of the float at exactly `t`, when the head has one. Set by the store, which owns the gatherer. */
  bitsAt: (ref: number, t: number) => readonly [low: number, high: number] | undefined = () => undefined;

  #widen(ref: number, n: number): void {
    const from = this.#slot;
    const to = this.#widened;
    const old = this.#class[ref]!;
    const slot = this.#raw.take(old + 1);
    this.#raw.locate(old, this.#slots[ref]!, from);
    this.#raw.locate(old + 1, slot, to);
    to.page.offsets.set(from.page.offsets.subarray(from.at, from.at + n), to.at);
    to.page.bits.set(from.page.bits.subarray(2 * from.at, 2 * (from.at + n)), 2 * to.at);
    this.#raw.give(old, this.#slots[ref]!);
    this.#rawBytes += (SLOT_CAPACITIES[old + 1]! - SLOT_CAPACITIES[old]!) * 12;
    this.#class[ref] = old + 1;
    this.#slots[ref] = slot;
  }

  #grow(): void {
    const n = this.#slots.length * 2;
    const copy = <T extends { set(from: T): void }>(to: T, from: T): T => {
      to.set(from);
      return to;
    };
    this.#slots = copy(new Uint32Array(n), this.#slots);
    this.#class = copy(new Uint8Array(n), this.#class);
    this.#rawCount = copy(new Uint8Array(n), this.#rawCount);
    this.#base = copy(new Float64Array(n), this.#base);
    this.#rawEnd = copy(new Float64Array(n), this.#rawEnd);
    this.#lastT = copy(new Float64Array(n), this.#lastT);
    this.#beforeT = copy(new Float64Array(n), this.#beforeT);
    this.#lastBits = copy(new Uint32Array(2 * n), this.#lastBits);
    this.walIds = copy(new Uint32Array(n), this.walIds);
  }
}

/** Samples after `i` in a chain, at most `max`. */
function runLength(next: Uint32Array, i: number, max: number): number {
  let n = 0;
  for (let k = next[i]!; k !== END_OF_RUN && n < max; k = next[k]!) n++;
  return n;
}

function windowHas(w: HeadWindow, ref: number, startMs: number, endMs: number): boolean {
  if (w.startMs > endMs || w.endMs <= startMs) return false;
  for (let c = w.head(ref); c !== NO_CHUNK; c = w.prev[c]!)
    if (w.minT[c]! <= endMs && w.maxT[c]! >= startMs) return true;
  const late = w.late.get(ref);
  if (late && late.ts[0]! <= endMs && late.ts[late.length - 1]! >= startMs) return true;
  const h = w.histograms.get(ref);
  return h !== undefined && h.ts[0]! <= endMs && h.ts.at(-1)! >= startMs;
}
