/**
 * Writes remote-write 1.0 requests (protobuf in snappy) of series with fixed labels: the demonstration comes in through
 * the same door as everybody else. Snappy's blocks hold literals only: over loopback, compressing would cost more than
 * it saves.
 */
import type { Labels } from '../model/labels.ts';

/** Longest literal that two length bytes can name. */
const LITERAL_BYTES_MAX = 65_536;
/** Tag of a literal whose length - 1 follows in two bytes (snappy format_description.txt, 2.1). */
const LITERAL_TAG = 61 << 2;
/** Up to here the length stands in the tag itself. */
const SHORT_LITERAL_BYTES_MAX = 60;

export class RemoteWriteEncoder {
  /** Field 1 of each series, repeated: its labels. */
  readonly #labels: readonly Buffer[];
  #plain = Buffer.alloc(64 * 1024);
  #at = 0;

  /** `labels` must be sorted, as `Labels` are. */
  constructor(labels: readonly Labels[]) {
    this.#labels = labels.map((l) => {
      const parts: Buffer[] = [];
      for (const [name, value] of l) {
        const pair = Buffer.concat([field(0x0a, Buffer.from(name)), field(0x12, Buffer.from(value))]);
        parts.push(field(0x0a, pair));
      }
      return Buffer.concat(parts);
    });
  }

  /**
   * One request with `timestampsMs.length` samples per series; `rows[step][series]` are the values. NaN is written as
   * a sample like any other. The answer is a fresh buffer.
   */
  encode(timestampsMs: readonly number[], rows: readonly Float64Array[]): Buffer {
    const times = timestampsMs.map(varintBytes);
    const sampleBytes = times.reduce((sum, t) => sum + 2 + 9 + 1 + t.length, 0);
    this.#at = 0;
    for (let s = 0; s < this.#labels.length; s++) {
      const labels = this.#labels[s]!;
      const length = labels.length + sampleBytes;
      this.#reserve(length + 12);
      this.#plain[this.#at++] = 0x0a;
      this.#varint(length);
      this.#at += labels.copy(this.#plain, this.#at);
      for (let i = 0; i < times.length; i++) {
        const time = times[i]!;
        this.#plain[this.#at++] = 0x12;
        this.#plain[this.#at++] = 9 + 1 + time.length;
        this.#plain[this.#at++] = 0x09;
        this.#at = this.#plain.writeDoubleLE(rows[i]![s]!, this.#at);
        this.#plain[this.#at++] = 0x10;
        for (const byte of time) this.#plain[this.#at++] = byte;
      }
    }
    return snappyLiterals(this.#plain.subarray(0, this.#at));
  }

  #varint(value: number): void {
    let left = value;
    for (; left >= 0x80; left = Math.floor(left / 128)) this.#plain[this.#at++] = (left % 128) | 0x80;
    this.#plain[this.#at++] = left;
  }

  #reserve(bytes: number): void {
    if (this.#at + bytes <= this.#plain.length) return;
    const larger = Buffer.alloc(Math.max(this.#plain.length * 2, this.#at + bytes));
    this.#plain.copy(larger, 0, 0, this.#at);
    this.#plain = larger;
  }
}

/** A snappy block that says `plain` as it is. */
export function snappyLiterals(plain: Uint8Array): Buffer {
  const head = varintBytes(plain.length);
  const chunks = Math.ceil(plain.length / LITERAL_BYTES_MAX);
  const out = Buffer.allocUnsafe(head.length + plain.length + 3 * chunks);
  out.set(head);
  let at = head.length;
  for (let from = 0; from < plain.length; from += LITERAL_BYTES_MAX) {
    const part = plain.subarray(from, from + LITERAL_BYTES_MAX);
    if (part.length <= SHORT_LITERAL_BYTES_MAX) out[at++] = (part.length - 1) << 2;
    else {
      out[at] = LITERAL_TAG;
      out.writeUInt16LE(part.length - 1, at + 1);
      at += 3;
    }
    out.set(part, at);
    at += part.length;
  }
  return out.subarray(0, at);
}

function field(tag: number, body: Buffer): Buffer {
  return Buffer.concat([Buffer.from([tag, ...varintBytes(body.length)]), body]);
}

/** A non-negative whole number below 2^53, seven bits a byte. */
function varintBytes(value: number): number[] {
  const out: number[] = [];
  let left = value;
  for (; left >= 0x80; left = Math.floor(left / 128)) out.push((left % 128) | 0x80);
  out.push(left);
  return out;
}
