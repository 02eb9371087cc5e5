/**
 * Decodes snappy blocks (the raw format without framing, as remote write sends them) into a reused buffer. Lengths are
 * checked before memory is taken and every copy before it is made. It does not compress.
 */
import { VigieError } from '../lib/errors.ts';

const bad = (message: string): VigieError => new VigieError('bad_data', `the body is not a snappy block: ${message}`);

/** Decoded size that the block announces. Throws `bad_data`. */
export function snappyLength(b: Uint8Array): { readonly length: number; readonly at: number } {
  let length = 0;
  let scale = 1;
  for (let at = 0; at < 5 && at < b.length; at++) {
    const c = b[at]!;
    length += (c & 127) * scale;
    if (c < 128) {
      if (length >= 2 ** 32) break;
      return { length, at: at + 1 };
    }
    scale *= 128;
  }
  throw bad('the length at its start does not end within 32 bits');
}

/** Bytes after the end that a copy in steps of four may touch. */
const SLACK = 4;
/** Up to here a loop is faster than a call. */
const LOOP_MAX = 64;

export class SnappyDecoder {
  #out = Buffer.allocUnsafeSlow(64 * 1024);
  #view = new DataView(this.#out.buffer);

  /** The decoded bytes, valid until the next call. Throws `bad_data`, or `too_large` past `bytesMax`. */
  decode(input: Uint8Array, bytesMax: number): Uint8Array {
    const { length, at: start } = snappyLength(input);
    if (length > bytesMax)
      throw new VigieError('too_large', `the body has ${length} bytes after snappy, limit ${bytesMax}`);
    // no snappy element makes more than 64 bytes of 2: a length beyond that is a lie, refused before memory is taken
    if (length > 32 * input.length + 64) throw bad(`it announces ${length} bytes, but has only ${input.length}`);
    if (length + SLACK > this.#out.length) {
      this.#out = Buffer.allocUnsafeSlow(Math.max(length + SLACK, this.#out.length * 2));
      this.#view = new DataView(this.#out.buffer);
    }
    const out = this.#out;
    const view = this.#view;
    const source = new DataView(input.buffer, input.byteOffset, input.byteLength);
    const n = input.length;
    let at = start;
    let to = 0;
    while (at < n) {
      const tag = input[at++]!;
      let size: number;
      if ((tag & 3) === 0) {
        size = (tag >>> 2) + 1;
        if (size > 60) {
          const extra = size - 60;
          if (at + extra > n) throw bad('it ends within the length of a literal');
          size = 0;
          for (let i = extra - 1; i >= 0; i--) size = size * 256 + input[at + i]!;
          size += 1;
          at += extra;
        }
        if (at + size > n) throw bad('it ends within a literal');
        if (to + size > length) throw bad('it holds more bytes than it announces');
        // a step too far is written over by what comes next
        if (size <= LOOP_MAX && at + size + SLACK <= n)
          for (let i = 0; i < size; i += 4) view.setInt32(to + i, source.getInt32(at + i, true), true);
        else if (size <= 16) for (let i = 0; i < size; i++) out[to + i] = input[at + i]!;
        else out.set(input.subarray(at, at + size), to);
        at += size;
        to += size;
        continue;
      }
      let offset: number;
      if ((tag & 3) === 1) {
        if (at >= n) throw bad('it ends within a copy');
        size = ((tag >>> 2) & 7) + 4;
        offset = ((tag >>> 5) << 8) | input[at++]!;
      } else if ((tag & 3) === 2) {
        if (at + 2 > n) throw bad('it ends within a copy');
        size = (tag >>> 2) + 1;
        offset = input[at]! | (input[at + 1]! << 8);
        at += 2;
      } else {
        if (at + 4 > n) throw bad('it ends within a copy');
        size = (tag >>> 2) + 1;
        offset = (input[at]! | (input[at + 1]! << 8) | (input[at + 2]! << 16) | (input[at + 3]! << 24)) >>> 0;
        at += 4;
      }
      if (offset === 0 || offset > to) throw bad(`a copy reaches back ${offset} of ${to} bytes`);
      if (to + size > length) throw bad('it holds more bytes than it announces');
      const from = to - offset;
      if (offset >= 4 && size <= LOOP_MAX)
        for (let i = 0; i < size; i += 4) view.setInt32(to + i, view.getInt32(from + i, true), true);
      else if (offset >= size && size > 24) out.copyWithin(to, from, from + size);
      else for (let i = 0; i < size; i++) out[to + i] = out[from + i]!;
      to += size;
    }
    if (to !== length) throw bad(`it announces ${length} bytes and holds ${to}`);
    return out.subarray(0, length);
  }
}
