/**
 * Protobuf for what we send to and ask of Prometheus: a writer of nested messages into one growing buffer, and a reader
 * that checks every bound. The hot path of receiving has decoders of its own (ingest/).
 */
import { VigieError } from '../../lib/errors.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export class ProtoWriter {
  bytes = new Uint8Array(64 * 1024);
  at = 0;
  #view = new DataView(this.bytes.buffer);

  reset(): this {
    this.at = 0;
    return this;
  }

  /** What was written; valid until the next `reset`. */
  result(): Uint8Array {
    return this.bytes.subarray(0, this.at);
  }

  #room(n: number): void {
    if (this.at + n <= this.bytes.length) return;
    const bytes = new Uint8Array(Math.max(this.bytes.length * 2, this.at + n));
    bytes.set(this.bytes.subarray(0, this.at));
    this.bytes = bytes;
    this.#view = new DataView(bytes.buffer);
  }

  /** A whole number of at most 53 bits; negative ones in ten bytes of two's complement. */
  varint(v: number): void {
    this.#room(10);
    if (v < 0) {
      let rest = BigInt.asUintN(64, BigInt(v));
      while (rest > 127n) {
        this.bytes[this.at++] = Number(rest & 127n) | 128;
        rest >>= 7n;
      }
      this.bytes[this.at++] = Number(rest);
      return;
    }
    while (v > 127) {
      this.bytes[this.at++] = (v % 128) | 128;
      v = Math.floor(v / 128);
    }
    this.bytes[this.at++] = v;
  }

  /** A varint field, left out when zero, as proto3 does. */
  int(field: number, v: number): void {
    if (v === 0) return;
    this.varint(field * 8);
    this.varint(v);
  }

  sint(field: number, v: number): void {
    this.int(field, v < 0 ? -2 * v - 1 : 2 * v);
  }

  double(field: number, v: number): void {
    this.varint(field * 8 + 1);
    this.#room(8);
    this.#view.setFloat64(this.at, v, true);
    this.at += 8;
  }

  /** A double by its bits: a stale marker in a variable might lose them. */
  doubleBits(field: number, low: number, high: number): void {
    this.varint(field * 8 + 1);
    this.#room(8);
    this.#view.setUint32(this.at, low, true);
    this.#view.setUint32(this.at + 4, high, true);
    this.at += 8;
  }

  doubles(field: number, values: readonly number[]): void {
    if (values.length === 0) return;
    this.varint(field * 8 + 2);
    this.varint(values.length * 8);
    this.#room(values.length * 8);
    for (const v of values) {
      this.#view.setFloat64(this.at, v, true);
      this.at += 8;
    }
  }

  /** Differences of whole numbers, zigzag, packed. */
  deltas(field: number, values: readonly number[]): void {
    if (values.length === 0) return;
    this.message(field, () => {
      let last = 0;
      for (const v of values) {
        this.varint(v < last ? 2 * (last - v) - 1 : 2 * (v - last));
        last = v;
      }
    });
  }

  data(field: number, b: Uint8Array): void {
    this.varint(field * 8 + 2);
    this.varint(b.length);
    this.#room(b.length);
    this.bytes.set(b, this.at);
    this.at += b.length;
  }

  /** A whole message with its length before it and no field number, as streams of messages have it. */
  delimited(b: Uint8Array): void {
    this.varint(b.length);
    this.#room(b.length);
    this.bytes.set(b, this.at);
    this.at += b.length;
  }

  text(field: number, s: string): void {
    this.varint(field * 8 + 2);
    this.#room(s.length * 3 + 5);
    const short = s.length < 43;
    const start = this.at + (short ? 1 : 0);
    if (short) {
      const { written } = encoder.encodeInto(s, this.bytes.subarray(start));
      this.bytes[this.at] = written;
      this.at = start + written;
      return;
    }
    const b = encoder.encode(s);
    this.varint(b.length);
    this.bytes.set(b, this.at);
    this.at += b.length;
  }

  /** A nested message: what `write` writes, with its length before it. */
  message(field: number, write: () => void): void {
    this.varint(field * 8 + 2);
    this.#room(1);
    const start = ++this.at;
    write();
    const length = this.at - start;
    let extra = 0;
    for (let n = length; n > 127; n = Math.floor(n / 128)) extra++;
    if (extra > 0) {
      this.#room(extra);
      this.bytes.copyWithin(start + extra, start, this.at);
    }
    const end = this.at + extra;
    this.at = start - 1;
    this.varint(length);
    this.at = end;
  }
}

export class ProtoReader {
  readonly bytes: Uint8Array;
  at: number;
  readonly end: number;
  readonly #view: DataView;

  constructor(bytes: Uint8Array, at = 0, end = bytes.length) {
    this.bytes = bytes;
    this.at = at;
    this.end = end;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Calls `field` for each field until the end; it must consume the value or call `skip`. */
  each(field: (number: number, wire: number) => void): void {
    while (this.at < this.end) {
      const tag = this.varint();
      field(Math.floor(tag / 8), tag & 7);
    }
  }

  varint(): number {
    let low = 0;
    let middle = 0;
    for (let i = 0; i < 8; i++) {
      const c = this.#byte();
      if (i < 4) low += (c & 127) * 2 ** (7 * i);
      else middle += (c & 127) * 2 ** (7 * (i - 4));
      if (c < 128) return low + middle * 2 ** 28;
    }
    // past 56 bits it is a negative number in two's complement
    let high = 0n;
    for (let i = 0; i < 2; i++) {
      const c = this.#byte();
      high |= BigInt(c & 127) << BigInt(7 * i);
      if (c < 128) return Number(BigInt.asIntN(64, (high << 56n) | (BigInt(middle) << 28n) | BigInt(low)));
    }
    throw this.fail('a varint does not end');
  }

  sint(): number {
    const v = this.varint();
    return v % 2 === 1 ? -(v + 1) / 2 : v / 2;
  }

  double(): number {
    this.#need(8);
    this.at += 8;
    return this.#view.getFloat64(this.at - 8, true);
  }

  /** Copies the bits of a double to `to[index]`. */
  doubleTo(to: Uint32Array, index: number): void {
    this.#need(8);
    to[2 * index] = this.#view.getUint32(this.at, true);
    to[2 * index + 1] = this.#view.getUint32(this.at + 4, true);
    this.at += 8;
  }

  data(): Uint8Array {
    const length = this.varint();
    if (length < 0) throw this.fail('a negative length');
    this.#need(length);
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }

  text(): string {
    return decoder.decode(this.data());
  }

  message(): ProtoReader {
    const length = this.varint();
    if (length < 0) throw this.fail('a negative length');
    this.#need(length);
    this.at += length;
    return new ProtoReader(this.bytes, this.at - length, this.at);
  }

  /** Repeated numbers, packed or not. */
  numbers(wire: number, into: number[], read: (r: ProtoReader) => number, max: number): void {
    const r = wire === 2 ? this.message() : this;
    do {
      if (into.length >= max) throw this.fail(`more than ${max} numbers`);
      if (r.at < r.end) into.push(read(r));
    } while (wire === 2 && r.at < r.end);
  }

  skip(wire: number): void {
    if (wire === 0) this.varint();
    else if (wire === 1) this.at += 8;
    else if (wire === 2) this.data();
    else if (wire === 5) this.at += 4;
    else throw this.fail(`wire type ${wire}`);
    this.#need(0);
  }

  fail(what: string): VigieError {
    return new VigieError('bad_data', `protobuf: ${what} at byte ${this.at}`);
  }

  #byte(): number {
    this.#need(1);
    return this.bytes[this.at++]!;
  }

  #need(n: number): void {
    if (this.at + n > this.end) throw this.fail(`the message ends early, ${n} more bytes wanted`);
  }
}
