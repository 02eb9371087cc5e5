/**
 * Reads WAL segments record by record. A torn tail ends a segment quietly; damage with valid records after it is skipped,
 * counted and reported. It hands records on as bytes and changes no file.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { RECORD_BYTES_MAX, RECORD_HEADER_BYTES, WAL_MAGIC } from './wal.ts';

/** A record as it is met; one object serves for all, so nothing of it may be kept beyond the call. */
export class WalRecord {
  type = 0;
  tenant = 0;
  /** Start of the record in its segment. */
  offset = 0;
  #words: Uint32Array = new Uint32Array(0);
  #bytes: Uint8Array = new Uint8Array(0);
  #from = 0;
  #to = 0;

  /** The payload. A multiple of four bytes, aligned to four. */
  get words(): Uint32Array {
    return this.#words.subarray(this.#from >>> 2, this.#to >>> 2);
  }

  get bytes(): Uint8Array {
    return this.#bytes.subarray(this.#from, this.#to);
  }

  set(words: Uint32Array, bytes: Uint8Array, at: number, length: number, offset: number): this {
    this.#words = words;
    this.#bytes = bytes;
    this.#from = at + RECORD_HEADER_BYTES;
    this.#to = this.#from + length;
    this.type = words[(at >>> 2) + 2]!;
    this.tenant = words[(at >>> 2) + 3]!;
    this.offset = offset;
    return this;
  }
}

export interface SegmentReport {
  readonly records: number;
  /** Damaged spans with valid records after them. */
  readonly damaged: readonly { readonly from: number; readonly to: number }[];
  /** Bytes at the end that are no whole record. */
  readonly tornBytes: number;
  /** The bytes at the end cannot be the beginning of a record: damage rather than a torn write. */
  readonly tailDamaged: boolean;
  /** Where the last good record ends. */
  readonly goodBytes: number;
}

const WINDOW_BYTES = 1024 * 1024;

/** A window that slides over a segment, so that records are looked at in place. */
class SegmentWindow implements Disposable {
  readonly #fd: number;
  readonly size: number;
  bytes: Uint8Array<ArrayBuffer>;
  words: Uint32Array<ArrayBuffer>;
  /** Offset in the segment of the window's first byte. */
  base = 0;
  #filled = 0;

  constructor(file: string) {
    this.#fd = openSync(file, 'r');
    this.size = fstatSync(this.#fd).size;
    const buffer = new ArrayBuffer(Math.min(WINDOW_BYTES, (this.size + 3) & ~3));
    this.bytes = new Uint8Array(buffer);
    this.words = new Uint32Array(buffer);
  }

  /** Brings `need` bytes from `from` on into the window; false when the segment has not so many. */
  fill(from: number, need: number): boolean {
    if (from + need > this.size) return false;
    if (from >= this.base && from + need <= this.base + this.#filled) return true;
    if (need > this.bytes.length) {
      const buffer = new ArrayBuffer((need + 3) & ~3);
      this.bytes = new Uint8Array(buffer);
      this.words = new Uint32Array(buffer);
    }
    this.base = from;
    this.#filled = 0;
    const wanted = Math.min(this.bytes.length, this.size - from);
    while (this.#filled < wanted) {
      const n = readSync(this.#fd, this.bytes, this.#filled, wanted - this.#filled, from + this.#filled);
      if (n === 0) break;
      this.#filled += n;
    }
    return this.#filled >= need;
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }
}

/** Calls `each` for every intact record of a segment, in order. */
export function readSegment(file: string, each: (record: WalRecord) => void): SegmentReport {
  using window = new SegmentWindow(file);
  const { size } = window;
  const record = new WalRecord();
  /** Whole length of the intact record at `at`, or 0. */
  const intact = (at: number): number => {
    if (!window.fill(at, RECORD_HEADER_BYTES)) return 0;
    const w = (at - window.base) >>> 2;
    const length = window.words[w]!;
    const type = window.words[w + 2]!;
    if (length > RECORD_BYTES_MAX || (length & 3) !== 0 || (type > 16 && type !== WAL_MAGIC)) return 0;
    const whole = RECORD_HEADER_BYTES + length;
    if (!window.fill(at, whole)) return 0;
    const from = at - window.base;
    return crc32(window.bytes.subarray(from + 8, from + whole)) === window.words[(from >>> 2) + 1] ? whole : 0;
  };
  const damaged: { from: number; to: number }[] = [];
  let records = 0;
  let at = 0;
  let good = 0;
  let badFrom = -1;
  while (at + RECORD_HEADER_BYTES <= size) {
    const whole = intact(at);
    if (whole === 0) {
      if (badFrom < 0) badFrom = at;
      at += 4;
      continue;
    }
    if (badFrom >= 0) {
      damaged.push({ from: badFrom, to: at });
      badFrom = -1;
    }
    each(record.set(window.words, window.bytes, at - window.base, whole - RECORD_HEADER_BYTES, at));
    records++;
    at += whole;
    good = at;
  }
  return { records, damaged, tornBytes: size - good, tailDamaged: size > good && !torn(window, good), goodBytes: good };
}

/**
 * A write that was cut off leaves the beginning of a record: its header says a length that reaches beyond the end. A
 * whole record with a wrong checksum, a length no record has, or one that the checksum of what is there belies (its
 * length alone was damaged) are no such thing.
 */
function torn(window: SegmentWindow, at: number): boolean {
  const rest = window.size - at;
  if (rest < RECORD_HEADER_BYTES) return true;
  if (!window.fill(at, RECORD_HEADER_BYTES)) return true;
  const w = (at - window.base) >>> 2;
  const length = window.words[w]!;
  const type = window.words[w + 2]!;
  if (length > RECORD_BYTES_MAX || (length & 3) !== 0 || (type > 16 && type !== WAL_MAGIC)) return false;
  if (RECORD_HEADER_BYTES + length <= rest) return false;
  if (rest - RECORD_HEADER_BYTES > RECORD_BYTES_MAX || !window.fill(at, rest)) return true;
  const from = at - window.base;
  return crc32(window.bytes.subarray(from + 8, from + rest)) !== window.words[(from >>> 2) + 1];
}

/**
 * Calls `each` for the same records as `readSegment` did, by what that one found: nothing is checked a second time.
 */
export function walkSegment(file: string, report: SegmentReport, each: (record: WalRecord) => void): void {
  using window = new SegmentWindow(file);
  const record = new WalRecord();
  let damage = 0;
  for (let at = 0; at < report.goodBytes; ) {
    if (report.damaged[damage]?.from === at) {
      at = report.damaged[damage++]!.to;
      continue;
    }
    if (!window.fill(at, RECORD_HEADER_BYTES)) return;
    const length = window.words[(at - window.base) >>> 2]!;
    if (!window.fill(at, RECORD_HEADER_BYTES + length)) return;
    each(record.set(window.words, window.bytes, at - window.base, length, at));
    at += RECORD_HEADER_BYTES + length;
  }
}
