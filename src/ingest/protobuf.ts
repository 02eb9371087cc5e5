/**
 * Low-level protobuf reading over one buffer: tags, varints, fixed and length-delimited fields, each bounded. Decoders
 * of messages (remote write, OTLP, exposition) are written by hand on top of it, so that hot fields go straight into
 * columns. Integers beyond 2^53 lose precision and are for callers to refuse where it matters.
 */
import { VigieError } from '../lib/errors.ts';

export const WIRE_VARINT = 0;
export const WIRE_FIXED64 = 1;
export const WIRE_BYTES = 2;
export const WIRE_FIXED32 = 5;

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export class ProtobufReader {
  bytes: Uint8Array = new Uint8Array(0);
  view: DataView = new DataView(new ArrayBuffer(0));
  at = 0;
  end = 0;

  /** Reads `bytes[from, end)` from now on. */
  start(bytes: Uint8Array, from = 0, end = bytes.length): this {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.at = from;
    this.end = end;
    return this;
  }

  fail(message: string): VigieError {
    return new VigieError('bad_data', `the protobuf message is damaged at byte ${this.at}: ${message}`);
  }

  /** An unsigned varint as a number; a negative int64 comes out as 2^64 - |v|, rounded (use `int64`). */
  varint(): number {
    const b = this.bytes;
    let at = this.at;
    const end = this.end;
    if (at < end && b[at]! < 128) {
      this.at = at + 1;
      return b[at]!;
    }
    let v = 0;
    let scale = 1;
    for (let i = 0; i < 10 && at < end; i++) {
      const c = b[at++]!;
      v += (c & 127) * scale;
      if (c < 128) {
        this.at = at;
        return v;
      }
      scale *= 128;
    }
    throw this.fail(at >= end ? 'it ends within a number' : 'a number has more than 10 bytes');
  }

  /** A signed int64 (two's complement varint); exact within 2^53. */
  int64(): number {
    const b = this.bytes;
    let at = this.at;
    const end = this.end;
    // a time of our days has six bytes: four make 28 bits, two more 14
    if (at + 6 <= end && b[at + 5]! < 128) {
      const [c0, c1, c2, c3, c4] = [b[at]!, b[at + 1]!, b[at + 2]!, b[at + 3]!, b[at + 4]!];
      if ((c0 & c1 & c2 & c3 & c4) >= 128) {
        this.at = at + 6;
        const bottom = (c0 & 127) | ((c1 & 127) << 7) | ((c2 & 127) << 14) | ((c3 & 127) << 21);
        return ((c4 & 127) | (b[at + 5]! << 7)) * 268435456 + bottom;
      }
    }
    let low = 0;
    let high = 0;
    for (let i = 0; i < 10 && at < end; i++) {
      const c = b[at++]!;
      const bits = c & 127;
      if (i < 4) low += bits * 2 ** (7 * i);
      else high += bits * 2 ** (7 * (i - 4));
      if (c < 128) {
        this.at = at;
        // low has 28 bits, high the 36 above them (and 6 that a valid number fills with copies of the sign)
        high %= 2 ** 36;
        if (high >= 2 ** 35) high -= 2 ** 36;
        return high * 2 ** 28 + low;
      }
    }
    throw this.fail(at >= end ? 'it ends within a number' : 'a number has more than 10 bytes');
  }

  sint64(): number {
    const z = this.varint();
    return z % 2 === 0 ? z / 2 : -(z + 1) / 2;
  }

  sint32(): number {
    const z = this.varint() >>> 0;
    return (z >>> 1) ^ -(z & 1);
  }

  double(): number {
    if (this.at + 8 > this.end) throw this.fail('it ends within a double');
    const v = this.view.getFloat64(this.at, true);
    this.at += 8;
    return v;
  }

  fixed32(): number {
    if (this.at + 4 > this.end) throw this.fail('it ends within a fixed32');
    const v = this.view.getUint32(this.at, true);
    this.at += 4;
    return v;
  }

  /** Length of a length-delimited field, checked to lie within the message; the reader stands on its first byte. */
  length(): number {
    const n = this.varint();
    if (n > this.end - this.at)
      throw this.fail(`a field of ${n} bytes does not fit into the ${this.end - this.at} left`);
    return n;
  }

  string(): string {
    const n = this.length();
    const from = this.at;
    this.at += n;
    try {
      return utf8.decode(this.bytes.subarray(from, this.at));
    } catch (cause) {
      this.at = from;
      throw new VigieError('bad_data', `the protobuf message is damaged at byte ${from}: a string is not valid UTF-8`, {
        cause,
      });
    }
  }

  /** Runs `read` over a sub-message; afterwards the reader stands behind it. */
  message<T>(read: (reader: this) => T): T {
    const n = this.length();
    const end = this.end;
    this.end = this.at + n;
    const result = read(this);
    this.at = this.end;
    this.end = end;
    return result;
  }

  /** Appends one or, when packed, all numbers of a repeated field. */
  repeated(wire: number, packedWire: number, into: number[], read: () => number, max: number): void {
    if (wire === WIRE_BYTES && packedWire !== WIRE_BYTES) {
      const n = this.length();
      const stop = this.at + n;
      const outer = this.end;
      this.end = stop;
      while (this.at < stop) {
        if (into.length >= max) throw this.fail(`a repeated field has more than ${max} entries`);
        into.push(read());
      }
      this.end = outer;
      return;
    }
    if (into.length >= max) throw this.fail(`a repeated field has more than ${max} entries`);
    into.push(read());
  }

  /** Leaves out a field that nobody asked for; a field number of 0 is damage, not a field (zeros without end, say). */
  skipField(tag: number): void {
    if (tag < 8) throw this.fail('a field has the number 0');
    this.skip(tag & 7);
  }

  skip(wire: number): void {
    if (wire === WIRE_VARINT) this.varint();
    else if (wire === WIRE_BYTES) {
      const n = this.length();
      this.at += n;
    } else if (wire === WIRE_FIXED64 || wire === WIRE_FIXED32) {
      const n = wire === WIRE_FIXED64 ? 8 : 4;
      if (this.at + n > this.end) throw this.fail('it ends within a field');
      this.at += n;
    } else throw this.fail(`wire type ${wire} is not supported`);
  }
}
