/**
 * Which bytes a sender uses for which series, per tenant and dialect. A sender repeats its series in the same order, so
 * the key that followed last time is compared first; a miss is hashed (seeded) with a byte check, so that nobody can
 * build collisions. It never parses the bytes.
 */
import { randomInt } from 'node:crypto';
import { NO_SERIES } from './series-index.ts';

/** A look-up that passes more slots than this chooses a new seed: by chance it never happens, by attack once. */
const PROBES_MAX = 256;
/** Bytes of keys remembered per tenant and dialect; beyond it the cache starts anew. */
export const KEY_BYTES_MAX = 1024 * 1024 * 1024;

export class KeyCache {
  count = 0;
  /** Times a new seed was chosen. */
  reseeds = 0;
  #seed: number;
  #bytes = new Uint8Array(4096);
  #view = new DataView(this.#bytes.buffer);
  #used = 0;
  #start = new Uint32Array(64);
  #end = new Uint32Array(64);
  #ref = new Uint32Array(64);
  #hash = new Uint32Array(64);
  #next = new Uint32Array(64);
  #slots = new Uint32Array(128);

  /** `seed` is for tests; it is random otherwise. */
  constructor(seed: number = randomInt(2 ** 32)) {
    this.#seed = seed;
  }

  get memoryBytes(): number {
    return this.#bytes.length + this.#start.length * 20 + this.#slots.length * 4;
  }

  ref(entry: number): number {
    return this.#ref[entry]!;
  }

  /** The entry of the bytes, guessed from the `previous` entry (NO_SERIES at the start); NO_SERIES when unknown. */
  find(previous: number, keys: Uint8Array, view: DataView, start: number, end: number): number {
    const guess = previous === NO_SERIES ? 0 : this.#next[previous]!;
    if (guess < this.count && this.#equal(guess, view, start, end)) return guess;
    const hash = hashOf(this.#seed, keys, start, end);
    const mask = this.#slots.length - 1;
    let probes = 0;
    for (let s = hash & mask; this.#slots[s] !== 0; s = (s + 1) & mask) {
      if (++probes > PROBES_MAX) {
        this.#reseed();
        return this.find(NO_SERIES, keys, view, start, end);
      }
      const entry = this.#slots[s]! - 1;
      if (this.#hash[entry] === hash && this.#equal(entry, view, start, end)) {
        if (previous !== NO_SERIES) this.#next[previous] = entry;
        return entry;
      }
    }
    return NO_SERIES;
  }

  add(previous: number, keys: Uint8Array, start: number, end: number, ref: number): number {
    const length = end - start;
    if (this.#used + length > KEY_BYTES_MAX) {
      this.clear();
      previous = NO_SERIES;
    }
    if (this.#used + length > this.#bytes.length) {
      const bytes = new Uint8Array(Math.max(this.#bytes.length * 2, this.#used + length));
      bytes.set(this.#bytes.subarray(0, this.#used));
      this.#bytes = bytes;
      this.#view = new DataView(bytes.buffer);
    }
    const entry = this.count++;
    if (entry >= this.#start.length) {
      this.#start = doubled(this.#start);
      this.#end = doubled(this.#end);
      this.#ref = doubled(this.#ref);
      this.#hash = doubled(this.#hash);
      this.#next = doubled(this.#next);
    }
    this.#bytes.set(keys.subarray(start, end), this.#used);
    this.#start[entry] = this.#used;
    this.#used += length;
    this.#end[entry] = this.#used;
    this.#ref[entry] = ref;
    this.#next[entry] = entry + 1;
    this.#hash[entry] = hashOf(this.#seed, keys, start, end);
    if (this.count * 2 > this.#slots.length) {
      this.#slots = new Uint32Array(this.#slots.length * 2);
      for (let e = 0; e < entry; e++) this.#place(e);
    }
    this.#place(entry);
    if (previous !== NO_SERIES) this.#next[previous] = entry;
    return entry;
  }

  /** Forgets everything: called when refs change their meaning. */
  clear(): void {
    this.count = 0;
    this.#used = 0;
    this.#bytes = new Uint8Array(4096);
    this.#view = new DataView(this.#bytes.buffer);
    this.#slots = new Uint32Array(128);
    this.#start = new Uint32Array(64);
    this.#end = new Uint32Array(64);
    this.#ref = new Uint32Array(64);
    this.#hash = new Uint32Array(64);
    this.#next = new Uint32Array(64);
  }

  #equal(entry: number, view: DataView, start: number, end: number): boolean {
    const from = this.#start[entry]!;
    const length = end - start;
    if (this.#end[entry]! - from !== length) return false;
    const own = this.#view;
    let i = 0;
    for (; i + 16 <= length; i += 16) {
      const a = from + i;
      const b = start + i;
      if (
        ((own.getInt32(a, true) ^ view.getInt32(b, true)) |
          (own.getInt32(a + 4, true) ^ view.getInt32(b + 4, true)) |
          (own.getInt32(a + 8, true) ^ view.getInt32(b + 8, true)) |
          (own.getInt32(a + 12, true) ^ view.getInt32(b + 12, true))) !==
        0
      )
        return false;
    }
    for (; i + 4 <= length; i += 4) if (own.getInt32(from + i, true) !== view.getInt32(start + i, true)) return false;
    for (; i < length; i++) if (own.getUint8(from + i) !== view.getUint8(start + i)) return false;
    return true;
  }

  #reseed(): void {
    this.#seed = randomInt(2 ** 32);
    this.reseeds++;
    this.#slots = new Uint32Array(this.#slots.length);
    for (let e = 0; e < this.count; e++) {
      this.#hash[e] = hashOf(this.#seed, this.#bytes, this.#start[e]!, this.#end[e]!);
      this.#place(e);
    }
  }

  #place(entry: number): void {
    const mask = this.#slots.length - 1;
    let s = this.#hash[entry]! & mask;
    while (this.#slots[s] !== 0) s = (s + 1) & mask;
    this.#slots[s] = entry + 1;
  }
}

function doubled(from: Uint32Array<ArrayBuffer>): Uint32Array<ArrayBuffer> {
  const to = new Uint32Array(from.length * 2);
  to.set(from);
  return to;
}

/** Exported for the test that builds collisions. */
export function hashOf(seed: number, b: Uint8Array, start: number, end: number): number {
  let h = seed ^ (end - start);
  for (let i = start; i < end; i++) {
    h = Math.imul(h ^ b[i]!, 0x01000193);
    h ^= h >>> 15;
  }
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  return (h ^ (h >>> 13)) >>> 0;
}
