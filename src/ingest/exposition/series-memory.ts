/**
 * What a target exposed before: raw series bytes with small integers as names. A target repeats its series in the same
 * order, so the guess "the one that followed last time" is compared first; a miss is looked up by a seeded hash with a
 * byte check (a target cannot provoke collisions it could profit from). It knows nothing of what becomes of a series.
 */
import { randomInt } from 'node:crypto';
import type { SeriesMemory } from '../../model/exposition.ts';
import type { Labels } from '../../model/labels.ts';
import type { MetricType } from '../../model/sample.ts';
import { parseSeriesKey } from './series-key.ts';

export const FORGOTTEN = 0xffffffff;
const SEED = randomInt(2 ** 32);
/** Bytes of keys one target may make us remember. */
export const MEMORY_BYTES_MAX = 512 * 1024 * 1024;

export class RawSeriesMemory implements SeriesMemory {
  count = 0;
  bytes: Uint8Array;
  keyStart = new Uint32Array(64);
  keyEnd = new Uint32Array(64);
  #view: DataView;
  #used = 0;
  #types: MetricType[] = [];
  readonly #prefix: Uint8Array;
  /** The id seen after this one last time; FORGOTTEN when none. `#first` follows nothing. */
  #next = new Uint32Array(64).fill(FORGOTTEN);
  #first = FORGOTTEN;
  /** Open addressing over hashes: id + 1, 0 for empty. */
  #slots = new Uint32Array(128);
  #hashes = new Uint32Array(64);

  /** `prefix` goes before each key and makes it unique among all memories. */
  constructor(prefix: Uint8Array = new Uint8Array(0)) {
    this.#prefix = prefix;
    this.bytes = new Uint8Array(4096);
    this.#view = new DataView(this.bytes.buffer);
  }

  labels(id: number): Labels {
    return parseSeriesKey(this.bytes, this.keyStart[id]! + this.#prefix.length, this.keyEnd[id]!, this.#types[id]!);
  }

  /** The id expected after `previous` (FORGOTTEN at the start), if its bytes stand at `body[at]`; its length is `rawLength`. */
  guess(previous: number, body: DataView, at: number): number {
    const id = previous === FORGOTTEN ? this.#first : this.#next[previous]!;
    if (id === FORGOTTEN) return FORGOTTEN;
    const from = this.keyStart[id]! + this.#prefix.length;
    const length = this.keyEnd[id]! - from;
    if (at + length > body.byteLength) return FORGOTTEN;
    const own = this.#view;
    let i = 0;
    for (; i + 4 <= length; i += 4)
      if (own.getUint32(from + i, true) !== body.getUint32(at + i, true)) return FORGOTTEN;
    for (; i < length; i++) if (own.getUint8(from + i) !== body.getUint8(at + i)) return FORGOTTEN;
    return id;
  }

  rawLength(id: number): number {
    return this.keyEnd[id]! - this.keyStart[id]! - this.#prefix.length;
  }

  /** Records that `id` came after `previous`. */
  follow(previous: number, id: number): void {
    if (previous === FORGOTTEN) this.#first = id;
    else this.#next[previous] = id;
  }

  /** The id of the raw bytes, made when they are new. */
  find(b: Uint8Array, start: number, end: number, type: MetricType): number {
    const hash = hashOf(b, start, end);
    const mask = this.#slots.length - 1;
    let slot = hash & mask;
    for (; this.#slots[slot] !== 0; slot = (slot + 1) & mask) {
      const id = this.#slots[slot]! - 1;
      if (this.#hashes[id] === hash && this.#equal(id, b, start, end)) return id;
    }
    return this.#add(b, start, end, type, hash);
  }

  compact(alive: Uint8Array): Uint32Array {
    const map = new Uint32Array(this.count).fill(FORGOTTEN);
    const old = { count: this.count, bytes: this.bytes, start: this.keyStart, end: this.keyEnd, types: this.#types };
    const oldNext = this.#next;
    const oldFirst = this.#first;
    this.count = 0;
    this.#used = 0;
    this.bytes = new Uint8Array(4096);
    this.#view = new DataView(this.bytes.buffer);
    this.keyStart = new Uint32Array(64);
    this.keyEnd = new Uint32Array(64);
    this.#types = [];
    this.#next = new Uint32Array(64).fill(FORGOTTEN);
    this.#first = FORGOTTEN;
    this.#slots = new Uint32Array(128);
    this.#hashes = new Uint32Array(64);
    for (let id = 0; id < old.count; id++) {
      if (!alive[id]) continue;
      map[id] = this.find(old.bytes, old.start[id]! + this.#prefix.length, old.end[id]!, old.types[id]!);
    }
    for (let id = 0; id < old.count; id++) {
      if (map[id] === FORGOTTEN) continue;
      const next = oldNext[id]!;
      if (next !== FORGOTTEN && map[next] !== FORGOTTEN) this.#next[map[id]!] = map[next]!;
    }
    if (oldFirst !== FORGOTTEN && map[oldFirst] !== FORGOTTEN) this.#first = map[oldFirst]!;
    return map;
  }

  #equal(id: number, b: Uint8Array, start: number, end: number): boolean {
    const from = this.keyStart[id]! + this.#prefix.length;
    if (this.keyEnd[id]! - from !== end - start) return false;
    for (let i = 0; i < end - start; i++) if (this.bytes[from + i] !== b[start + i]) return false;
    return true;
  }

  #add(b: Uint8Array, start: number, end: number, type: MetricType, hash: number): number {
    const length = this.#prefix.length + end - start;
    if (this.#used + length > this.bytes.length) {
      const size = Math.max(this.bytes.length * 2, this.#used + length);
      if (size > MEMORY_BYTES_MAX) throw new RangeError(`series names of one target exceed ${MEMORY_BYTES_MAX} bytes`);
      const bytes = new Uint8Array(size);
      bytes.set(this.bytes.subarray(0, this.#used));
      this.bytes = bytes;
      this.#view = new DataView(bytes.buffer);
    }
    const id = this.count++;
    if (id >= this.keyStart.length) {
      this.keyStart = grown(this.keyStart, 0);
      this.keyEnd = grown(this.keyEnd, 0);
      this.#next = grown(this.#next, FORGOTTEN);
      this.#hashes = grown(this.#hashes, 0);
    }
    this.bytes.set(this.#prefix, this.#used);
    this.bytes.set(b.subarray(start, end), this.#used + this.#prefix.length);
    this.keyStart[id] = this.#used;
    this.#used += length;
    this.keyEnd[id] = this.#used;
    this.#types[id] = type;
    this.#hashes[id] = hash;
    if (this.count * 2 > this.#slots.length) {
      this.#slots = new Uint32Array(this.#slots.length * 2);
      for (let other = 0; other < id; other++) this.#place(other, this.#hashes[other]!);
    }
    this.#place(id, hash);
    return id;
  }

  #place(id: number, hash: number): void {
    const mask = this.#slots.length - 1;
    let slot = hash & mask;
    while (this.#slots[slot] !== 0) slot = (slot + 1) & mask;
    this.#slots[slot] = id + 1;
  }
}

function grown(a: Uint32Array, fill: number): Uint32Array<ArrayBuffer> {
  const out = new Uint32Array(a.length * 2).fill(fill);
  out.set(a);
  return out;
}

function hashOf(b: Uint8Array, start: number, end: number): number {
  let h = SEED ^ (end - start);
  for (let i = start; i < end; i++) {
    h = Math.imul(h ^ b[i]!, 0x01000193);
    h ^= h >>> 15;
  }
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  return (h ^ (h >>> 13)) >>> 0;
}
