/**
 * A cursor over protobuf bytes: fields one by one, nothing built. Shared by OTLP and the protobuf exposition. Limits:
 * a length that leaves its message, a varint past ten bytes and group wire types are refused with their position.
 */
import { VigieError } from '../../lib/errors.ts';
import { decodeUtf8 } from '../exposition/series-key.ts';

export const VARINT = 0;
export const FIXED64 = 1;
export const BYTES = 2;
export const FIXED32 = 5;

export class Wire {
  readonly b: Uint8Array;
  readonly view: DataView;
  pos: number;
  end: number;
  /** Wire type of the field that `field()` last answered. */
  type = 0;

  constructor(b: Uint8Array, pos = 0, end = b.length) {
    this.b = b;
    this.view = new DataView(b.buffer, b.byteOffset, b.byteLength);
    this.pos = pos;
    this.end = end;
  }

  /** Number of the next field, or 0 at the end of the message. */
  field(): number {
    if (this.pos >= this.end) return 0;
    const tag = this.varint();
    this.type = tag & 7;
    const number = Math.floor(tag / 8);
    if (number === 0 || number > 536_870_911) this.fail('invalid field number');
    return number;
  }

  /** An unsigned varint as a number; exact up to 2^53. */
  varint(): number {
    let low = 0;
    let shift = 0;
    for (; shift < 28; shift += 7) {
      const c = this.#byte();
      low |= (c & 127) << shift;
      if (c < 128) return low >>> 0;
    }
    let value = low >>> 0;
    for (let factor = 2 ** 28; shift < 70; shift += 7, factor *= 128) {
      const c = this.#byte();
      value += (c & 127) * factor;
      if (c < 128) return value;
    }
    return this.fail('a varint is longer than 10 bytes');
  }

  /** An int64/int32 varint (two's complement). */
  int(): number {
    const v = this.varint();
    return v >= 2 ** 63 ? Number(BigInt.asIntN(64, BigInt(v))) : v;
  }

  /** A zigzag varint; exact within +-2^53. */
  zigzag(): number {
    const v = this.varint();
    return v % 2 === 0 ? v / 2 : -(v + 1) / 2;
  }

  double(): number {
    this.want(8);
    const v = this.view.getFloat64(this.pos, true);
    this.pos += 8;
    return v;
  }

  fixed64(): number {
    this.want(8);
    const v = this.view.getUint32(this.pos + 4, true) * 2 ** 32 + this.view.getUint32(this.pos, true);
    this.pos += 8;
    return v;
  }

  sfixed64(): number {
    this.want(8);
    const v = this.view.getInt32(this.pos + 4, true) * 2 ** 32 + this.view.getUint32(this.pos, true);
    this.pos += 8;
    return v;
  }

  /** A fixed64 in nanoseconds as whole milliseconds; exact although nanoseconds exceed 2^53. */
  nanosToMs(): number {
    this.want(8);
    const low = this.view.getUint32(this.pos, true);
    const high = this.view.getUint32(this.pos + 4, true);
    this.pos += 8;
    // 2^32 = 4294 * 10^6 + 967296
    return high * 4294 + Math.floor((high * 967_296 + low) / 1e6);
  }

  /** Length of a length-delimited field, checked to lie inside the message; the cursor stands at its first byte. */
  length(): number {
    const n = this.varint();
    if (n > this.end - this.pos) this.fail(`a field of ${n} bytes leaves its message`);
    return n;
  }

  string(): string {
    const n = this.length();
    const start = this.pos;
    this.pos += n;
    return decodeUtf8(this.b.subarray(start, this.pos), `the text at byte ${start}`);
  }

  /** Reads a nested message: `each` is called per field until its end. */
  message(each: (field: number) => void): void {
    const n = this.length();
    const outer = this.end;
    this.end = this.pos + n;
    for (let f = this.field(); f !== 0; f = this.field()) each(f);
    this.pos = this.end;
    this.end = outer;
  }

  /** Repeated scalars, packed or not. */
  repeated(read: () => number, into: number[]): void {
    if (this.type !== BYTES) {
      into.push(read());
      return;
    }
    const n = this.length();
    const outer = this.end;
    this.end = this.pos + n;
    while (this.pos < this.end) into.push(read());
    this.end = outer;
  }

  skip(): void {
    if (this.type === VARINT) this.varint();
    else if (this.type === FIXED64) this.#advance(8);
    else if (this.type === FIXED32) this.#advance(4);
    else if (this.type === BYTES) this.#advance(this.length());
    else this.fail(`wire type ${this.type} is not supported`);
  }

  /** Throws unless the current field has this wire type. */
  expect(type: number): void {
    if (this.type !== type) this.fail(`got wire type ${this.type}, wanted ${type}`);
  }

  want(n: number): void {
    if (this.end - this.pos < n) this.fail(`the message ends ${n - (this.end - this.pos)} bytes early`);
  }

  fail(message: string): never {
    throw new VigieError('bad_data', `malformed protobuf at byte ${this.pos}: ${message}`);
  }

  #advance(n: number): void {
    this.want(n);
    this.pos += n;
  }

  #byte(): number {
    if (this.pos >= this.end) this.fail('the message ends inside a varint');
    return this.b[this.pos++]!;
  }
}
