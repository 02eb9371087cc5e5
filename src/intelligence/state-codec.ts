/**
 * Learned state as bytes: `VGST`, crc32 u32 of all that follows, format u32, header length u32, header (JSON, padded to 8 bytes), then
 * numbers as little-endian float64. The header says what the numbers are; a damaged or newer state is refused.
 */
import { crc32 } from 'node:zlib';
import { VigieError } from '../lib/errors.ts';

const MAGIC = 0x54534756;
const FORMAT = 1;
const HEAD_BYTES = 16;

export interface DecodedState {
  readonly header: Readonly<Record<string, unknown>>;
  readonly numbers: Float64Array;
}

export function encodeState(header: object, blocks: readonly Float64Array[] = []): Uint8Array {
  const text = Buffer.from(JSON.stringify(header));
  const padded = Math.ceil(text.length / 8) * 8;
  const count = blocks.reduce((n, b) => n + b.length, 0);
  const bytes = Buffer.alloc(HEAD_BYTES + padded + count * 8, 0x20);
  text.copy(bytes, HEAD_BYTES);
  let at = HEAD_BYTES + padded;
  for (const block of blocks) {
    bytes.set(new Uint8Array(block.buffer, block.byteOffset, block.byteLength), at);
    at += block.byteLength;
  }
  bytes.writeUInt32LE(MAGIC, 0);
  bytes.writeUInt32LE(FORMAT, 8);
  bytes.writeUInt32LE(text.length, 12);
  bytes.writeUInt32LE(crc32(bytes.subarray(8)), 4);
  return bytes;
}

/** Throws `corrupt` for damaged bytes and `format_newer` for those of a newer Vigie. */
export function decodeState(bytes: Uint8Array): DecodedState {
  const b = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (b.length < HEAD_BYTES || b.readUInt32LE(0) !== MAGIC)
    throw new VigieError('corrupt', `detector state of ${b.length} bytes does not begin as one`);
  if (crc32(b.subarray(8)) !== b.readUInt32LE(4))
    throw new VigieError('corrupt', `detector state of ${b.length} bytes fails its checksum`);
  const format = b.readUInt32LE(8);
  if (format > FORMAT)
    throw new VigieError('format_newer', `detector state has format ${format}, this Vigie reads up to ${FORMAT}`);
  const length = b.readUInt32LE(12);
  const from = HEAD_BYTES + Math.ceil(length / 8) * 8;
  if (from > b.length) throw new VigieError('corrupt', `detector state: header of ${length} bytes in ${b.length}`);
  const header = JSON.parse(b.toString('utf8', HEAD_BYTES, HEAD_BYTES + length)) as Record<string, unknown>;
  const numbers = new Float64Array(Math.floor((b.length - from) / 8));
  new Uint8Array(numbers.buffer).set(b.subarray(from, from + numbers.byteLength));
  return { header, numbers };
}
