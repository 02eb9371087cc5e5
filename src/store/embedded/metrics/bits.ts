/**
 * Bit packing for the chunk codec: little-endian, least significant bit first. Fields are whole numbers below 2^52;
 * buffers are owned by the caller, which makes sure that they are large enough. It checks reads, never writes.
 */
import { VigieError } from '../../../lib/errors.ts';

const PART = 24;
const PART_SIZE = 2 ** PART;

export class BitWriter {
  bytes: Uint8Array = new Uint8Array(0);
  at = 0;
  #acc = 0;
  #fill = 0;

  start(bytes: Uint8Array, at: number): void {
    this.bytes = bytes;
    this.at = at;
    this.#acc = 0;
    this.#fill = 0;
  }

  /** Writes the low `width` bits of `v`; width 0 writes nothing. */
  put(v: number, width: number): void {
    while (width > PART) {
      this.#put24(v % PART_SIZE, PART);
      v = Math.floor(v / PART_SIZE);
      width -= PART;
    }
    this.#put24(v, width);
  }

  #put24(v: number, width: number): void {
    let acc = this.#acc | (v << this.#fill);
    let fill = this.#fill + width;
    while (fill >= 8) {
      this.bytes[this.at++] = acc & 255;
      acc >>>= 8;
      fill -= 8;
    }
    this.#acc = acc;
    this.#fill = fill;
  }

  /** Writes the last partial byte; answers the index after it. */
  end(): number {
    if (this.#fill > 0) this.bytes[this.at++] = this.#acc & 255;
    this.#acc = 0;
    this.#fill = 0;
    return this.at;
  }
}

export class BitReader {
  bytes: Uint8Array = new Uint8Array(0);
  at = 0;
  #end = 0;
  #acc = 0;
  #fill = 0;

  start(bytes: Uint8Array, at: number, end: number): void {
    this.bytes = bytes;
    this.at = at;
    this.#end = end;
    this.#acc = 0;
    this.#fill = 0;
  }

  /** The next `width` bits. Throws `corrupt` at the end. */
  get(width: number): number {
    if (width <= PART) return this.#get24(width);
    let v = 0;
    let scale = 1;
    while (width > PART) {
      v += this.#get24(PART) * scale;
      scale *= PART_SIZE;
      width -= PART;
    }
    return v + this.#get24(width) * scale;
  }

  #get24(width: number): number {
    let acc = this.#acc;
    let fill = this.#fill;
    while (fill < width) {
      if (this.at >= this.#end) throw new VigieError('corrupt', 'a chunk ends within its samples');
      acc |= this.bytes[this.at++]! << fill;
      fill += 8;
    }
    const v = acc & ((1 << width) - 1);
    this.#acc = acc >>> width;
    this.#fill = fill - width;
    return v;
  }

  /** Index of the next unread byte; unread bits of the current byte are dropped. */
  end(): number {
    this.#acc = 0;
    this.#fill = 0;
    return this.at;
  }
}

export function putVarint(b: Uint8Array, at: number, v: number): number {
  while (v >= 128) {
    b[at++] = (v % 128) | 128;
    v = Math.floor(v / 128);
  }
  b[at++] = v;
  return at;
}

/** Index after the varint that `getVarint` read last. */
export let varintEnd = 0;

/** An unsigned varint of at most 8 bytes. Throws `corrupt` past `end`. */
export function getVarint(b: Uint8Array, at: number, end: number): number {
  let v = 0;
  let scale = 1;
  for (let i = 0; i < 8; i++) {
    if (at >= end) break;
    const c = b[at++]!;
    v += (c & 127) * scale;
    if (c < 128) {
      varintEnd = at;
      return v;
    }
    scale *= 128;
  }
  throw new VigieError('corrupt', 'a varint does not end');
}
