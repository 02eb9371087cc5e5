/**
 * Reads WAL segments record by record. A torn tail ends a segment quietly; damage with valid records after it is skipped,
 * counted and reported. It hands records on as bytes and changes no file.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { RECORD_BYTES_MAX, RECORD_HEADER_BYTES, WAL_MAGIC } from './wal.ts';

export interface WalRecord {
  readonly type: number;
  readonly tenant: number;
  /** Start of the record in its segment. */
  readonly offset: number;
  /** The payload; valid until the next record. A multiple of four bytes, aligned to four. */
  readonly words: Uint32Array;
  readonly bytes: Uint8Array;
}

export interface SegmentReport {
  readonly records: number;
  /** Damaged spans with valid records after them. */
  readonly damaged: readonly { readonly from: number; readonly to: number }[];
  /** Bytes at the end that are no whole record. */
  readonly tornBytes: number;
  /** The bytes at the end have the length of a whole record and fail its checksum: damage rather than a torn write. */
  readonly tailDamaged: boolean;
  /** Where the last good record ends. */
  readonly goodBytes: number;
}

const WINDOW_BYTES = 16 * 1024 * 1024;

/** Calls `each` for every intact record of a segment, in order. */
export function readSegment(file: string, each: (record: WalRecord) => void): SegmentReport {
  const fd = openSync(file, 'r');
  try {
    const size = fstatSync(fd).size;
    let buffer = new ArrayBuffer(Math.min(WINDOW_BYTES, (size + 3) & ~3));
    let bytes = new Uint8Array(buffer);
    let words = new Uint32Array(buffer);
    let base = 0;
    let filled = 0;
    const fill = (from: number, need: number): boolean => {
      if (from + need > size) return false;
      if (from >= base && from + need <= base + filled) return true;
      if (need > buffer.byteLength) {
        buffer = new ArrayBuffer((need + 3) & ~3);
        bytes = new Uint8Array(buffer);
        words = new Uint32Array(buffer);
      }
      base = from;
      filled = 0;
      while (filled < buffer.byteLength) {
        const n = readSync(
          fd,
          bytes,
          filled,
          Math.min(buffer.byteLength - filled, size - base - filled),
          base + filled,
        );
        if (n === 0) break;
        filled += n;
      }
      return filled >= need;
    };
    /** Whole length of the intact record at `at`, or 0. */
    const intact = (at: number): number => {
      if (!fill(at, RECORD_HEADER_BYTES)) return 0;
      const w = (at - base) >>> 2;
      const length = words[w]!;
      const type = words[w + 2]!;
      if (length > RECORD_BYTES_MAX || (length & 3) !== 0 || (type > 16 && type !== WAL_MAGIC)) return 0;
      const whole = RECORD_HEADER_BYTES + length;
      if (!fill(at, whole)) return 0;
      const from = at - base;
      return crc32(bytes.subarray(from + 8, from + whole)) === words[(from >>> 2) + 1] ? whole : 0;
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
      const from = at - base;
      each({
        type: words[(from >>> 2) + 2]!,
        tenant: words[(from >>> 2) + 3]!,
        offset: at,
        words: words.subarray((from + RECORD_HEADER_BYTES) >>> 2, (from + whole) >>> 2),
        bytes: bytes.subarray(from + RECORD_HEADER_BYTES, from + whole),
      });
      records++;
      at += whole;
      good = at;
    }
    const tailDamaged =
      good + RECORD_HEADER_BYTES <= size &&
      fill(good, RECORD_HEADER_BYTES) &&
      good + RECORD_HEADER_BYTES + words[(good - base) >>> 2]! <= size;
    return { records, damaged, tornBytes: size - good, tailDamaged, goodBytes: good };
  } finally {
    closeSync(fd);
  }
}
