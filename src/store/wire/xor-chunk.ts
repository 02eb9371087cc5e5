/**
 * Prometheus' XOR chunk (tsdb/docs/format/chunks.md; the scheme is that of Pelkonen et al., Gorilla, VLDB 2015): times
 * as differences of differences, values XORed with their predecessor. For the remote-read stream and for blocks of
 * Prometheus that are imported.
 */
import { VigieError } from '../../lib/errors.ts';

/** Samples that Prometheus itself puts into one chunk. */
export const XOR_SAMPLES = 120;

class BitSink {
  bytes = new Uint8Array(256);
  count = 0;
  bit(v: number): void {
    const at = this.count >>> 3;
    if (at >= this.bytes.length) {
      const bytes = new Uint8Array(this.bytes.length * 2);
      bytes.set(this.bytes);
      this.bytes = bytes;
    }
    if (v) this.bytes[at]! |= 128 >>> (this.count & 7);
    this.count++;
  }
  /** The low `n` bits, highest first; n at most 32. */
  bits(v: number, n: number): void {
    for (let i = n - 1; i >= 0; i--) this.bit((v >>> i) & 1);
  }
  bits64(v: bigint, n: number): void {
    for (let i = BigInt(n) - 1n; i >= 0n; i--) this.bit(Number((v >> i) & 1n));
  }
  uvarint(v: number): void {
    for (; v > 127; v = Math.floor(v / 128)) this.bits((v % 128) | 128, 8);
    this.bits(v, 8);
  }
}

/** `bits` is the memory of the values: low word, high word. */
export function encodeXorChunk(ts: Float64Array, bits: Uint32Array, from: number, n: number): Uint8Array {
  const out = new BitSink();
  out.bits(n, 16);
  let t = 0;
  let step = 0;
  let [low, high] = [0, 0];
  let [leading, trailing] = [0xff, 0];
  for (let i = 0; i < n; i++) {
    const time = ts[from + i]!;
    const [l, h] = [bits[2 * (from + i)]!, bits[2 * (from + i) + 1]!];
    if (i === 0) {
      out.uvarint(time < 0 ? -2 * time - 1 : 2 * time);
      out.bits(h, 32);
      out.bits(l, 32);
    } else {
      const delta = time - t;
      if (i === 1) out.uvarint(delta);
      else {
        const dod = delta - step;
        if (dod === 0) out.bit(0);
        else if (dod >= -8191 && dod <= 8192) {
          out.bits(0b10, 2);
          out.bits(dod & 0x3fff, 14);
        } else if (dod >= -65535 && dod <= 65536) {
          out.bits(0b110, 3);
          out.bits(dod & 0x1ffff, 17);
        } else if (dod >= -524287 && dod <= 524288) {
          out.bits(0b1110, 4);
          out.bits(dod & 0xfffff, 20);
        } else {
          out.bits(0b1111, 4);
          out.bits64(BigInt.asUintN(64, BigInt(dod)), 64);
        }
      }
      step = delta;
      const [xl, xh] = [(l ^ low) >>> 0, (h ^ high) >>> 0];
      if (xl === 0 && xh === 0) out.bit(0);
      else {
        out.bit(1);
        let newLeading = xh === 0 ? 32 + Math.clz32(xl) : Math.clz32(xh);
        const newTrailing = xl === 0 ? 32 + ctz32(xh) : ctz32(xl);
        if (newLeading >= 32) newLeading = 31;
        if (leading === 0xff || newLeading < leading || newTrailing < trailing) {
          leading = newLeading;
          trailing = newTrailing;
          out.bit(1);
          out.bits(leading, 5);
          const width = 64 - leading - trailing;
          out.bits(width === 64 ? 0 : width, 6);
        } else out.bit(0);
        const x = (BigInt(xh) << 32n) | BigInt(xl);
        out.bits64(x >> BigInt(trailing), 64 - leading - trailing);
      }
    }
    t = time;
    [low, high] = [l, h];
  }
  return out.bytes.slice(0, (out.count + 7) >>> 3);
}

const ctz32 = (v: number): number => 31 - Math.clz32(v & -v);

class BitSource {
  readonly #b: Uint8Array;
  #at = 0;
  constructor(b: Uint8Array) {
    this.#b = b;
  }
  bit(): number {
    const at = this.#at >>> 3;
    if (at >= this.#b.length) throw new VigieError('corrupt', 'an XOR chunk ends within its samples');
    return (this.#b[at]! >>> (7 - (this.#at++ & 7))) & 1;
  }
  bits(n: number): number {
    let v = 0;
    for (let i = 0; i < n; i++) v = v * 2 + this.bit();
    return v;
  }
  bits64(n: number): bigint {
    let v = 0n;
    for (let i = 0; i < n; i++) v = (v << 1n) | BigInt(this.bit());
    return v;
  }
  uvarint(): number {
    let v = 0;
    for (let scale = 1, i = 0; i < 10; i++, scale *= 128) {
      const c = this.bits(8);
      v += (c & 127) * scale;
      if (c < 128) return v;
    }
    throw new VigieError('corrupt', 'a varint of an XOR chunk does not end');
  }
}

/** Throws `corrupt`. */
export function decodeXorChunk(b: Uint8Array): { readonly ts: Float64Array; readonly values: Float64Array } {
  const source = new BitSource(b);
  const n = source.bits(16);
  const ts = new Float64Array(n);
  const values = new Float64Array(n);
  const words = new BigUint64Array(values.buffer);
  let step = 0;
  let [leading, trailing] = [0, 0];
  for (let i = 0; i < n; i++) {
    if (i === 0) {
      const z = source.uvarint();
      ts[0] = z % 2 === 1 ? -(z + 1) / 2 : z / 2;
      words[0] = source.bits64(64);
      continue;
    }
    if (i === 1) step = source.uvarint();
    else {
      const width =
        source.bit() === 0 ? 0 : source.bit() === 0 ? 14 : source.bit() === 0 ? 17 : source.bit() === 0 ? 20 : 64;
      if (width === 64) step += Number(BigInt.asIntN(64, source.bits64(64)));
      else if (width > 0) {
        const v = source.bits(width);
        step += v > 2 ** (width - 1) ? v - 2 ** width : v;
      }
    }
    ts[i] = ts[i - 1]! + step;
    if (source.bit() === 0) words[i] = words[i - 1]!;
    else {
      if (source.bit() === 1) {
        leading = source.bits(5);
        const width = source.bits(6) || 64;
        trailing = 64 - leading - width;
        if (trailing < 0) throw new VigieError('corrupt', 'an XOR chunk has invalid bit widths');
      }
      words[i] = words[i - 1]! ^ (source.bits64(64 - leading - trailing) << BigInt(trailing));
    }
  }
  return { ts, values };
}
