/**
 * Reads a block folder of a Prometheus (index format v1 and v2, XOR float chunks; tsdb/docs/format/index.md and
 * chunks.md). Native histogram chunks and tombstoned ranges are left out; the meta.json names the time range.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { VigieError } from '../lib/errors.ts';
import { Labels } from '../model/labels.ts';
import type { SeriesColumns } from '../model/sample.ts';
import { crc32c } from '../store/wire/remote-read.ts';
import { decodeXorChunk } from '../store/wire/xor-chunk.ts';

const INDEX_MAGIC = 0xbaaad700;
const CHUNKS_MAGIC = 0x85bd40dd;
const TOC_BYTES = 52;
const ENCODING_XOR = 1;
/** Series handed on together. */
const SERIES_PER_PART = 2_000;

/** The series of a block, some thousand at a time. Throws `corrupt` or `unsupported` with the file's name. */
export function* readTsdbBlock(folder: string): Generator<SeriesColumns[]> {
  const file = path.join(folder, 'index');
  if (!existsSync(file)) throw new VigieError('bad_data', `${folder} is no block of a Prometheus: it has no index`);
  const index = readFileSync(file);
  const version = index[4];
  if (index.length < TOC_BYTES + 5 || index.readUInt32BE(0) !== INDEX_MAGIC || (version !== 1 && version !== 2))
    throw new VigieError('corrupt', `${file} is no index of version 1 or 2`);
  const toc = index.length - TOC_BYTES;
  check(file, index.subarray(toc, toc + 48), index.readUInt32BE(toc + 48));
  const symbols = readSymbols(file, index, Number(index.readBigUInt64BE(toc)), version);
  const at8 = (offset: number): number => Number(index.readBigUInt64BE(toc + offset));
  const from = at8(8);
  // series end where label indices begin, or postings where there are none
  const to = at8(16) > from ? at8(16) : at8(32);
  const chunks = readdirSync(path.join(folder, 'chunks'))
    .filter((f) => /^\d{6}$/.test(f))
    .sort()
    .map((f) => {
      const b = readFileSync(path.join(folder, 'chunks', f));
      if (b.length < 8 || b.readUInt32BE(0) !== CHUNKS_MAGIC)
        throw new VigieError('corrupt', `${folder}/chunks/${f} is no chunk file`);
      return { name: `${folder}/chunks/${f}`, b };
    });
  let part: SeriesColumns[] = [];
  for (let at = from; at < to; ) {
    const r = new Cursor(index, at);
    const length = r.uvarint();
    if (length === 0) {
      at++;
      continue;
    }
    const body = r.at;
    check(file, index.subarray(body, body + length), index.readUInt32BE(body + length));
    const s = readSeries(r, symbols, chunks);
    if (s.length > 0) part.push(s);
    if (part.length >= SERIES_PER_PART) {
      yield part;
      part = [];
    }
    at = body + length + 4;
    // entries stand on multiples of 16 in version 2
    if (version === 2) at = Math.ceil(at / 16) * 16;
  }
  if (part.length > 0) yield part;
}

function readSymbols(file: string, index: Buffer, at: number, version: number): (ref: number) => string {
  const length = index.readUInt32BE(at);
  check(file, index.subarray(at + 4, at + 4 + length), index.readUInt32BE(at + 4 + length));
  const count = index.readUInt32BE(at + 4);
  const r = new Cursor(index, at + 8);
  const list: string[] = [];
  const byOffset = new Map<number, string>();
  for (let i = 0; i < count; i++) {
    const offset = r.at;
    const text = r.text();
    list.push(text);
    byOffset.set(offset, text);
  }
  return (ref) => {
    const text = version === 1 ? byOffset.get(ref) : list[ref];
    if (text === undefined) throw new VigieError('corrupt', `${file} names the symbol ${ref}, which it lacks`);
    return text;
  };
}

function readSeries(
  r: Cursor,
  symbol: (ref: number) => string,
  files: readonly { readonly name: string; readonly b: Buffer }[],
): SeriesColumns {
  const pairs: [string, string][] = [];
  for (let n = r.uvarint(); n > 0; n--) pairs.push([symbol(r.uvarint()), symbol(r.uvarint())]);
  const parts: ReturnType<typeof decodeXorChunk>[] = [];
  let ref = 0;
  const count = r.uvarint();
  for (let c = 0; c < count; c++) {
    // times stand here too; the chunk itself says them again
    if (c === 0) {
      r.varint();
      r.uvarint();
      ref = r.uvarint();
    } else {
      r.uvarint();
      r.uvarint();
      ref += r.varint();
    }
    const found = files[Math.floor(ref / 2 ** 32)];
    if (!found)
      throw new VigieError(
        'corrupt',
        `a series names the chunk file ${Math.floor(ref / 2 ** 32) + 1}, which is missing`,
      );
    const chunk = new Cursor(found.b, ref % 2 ** 32);
    const length = chunk.uvarint();
    const encoding = found.b[chunk.at]!;
    const end = chunk.at + 1 + length;
    check(found.name, found.b.subarray(chunk.at, end), found.b.readUInt32BE(end));
    if (encoding === ENCODING_XOR) parts.push(decodeXorChunk(found.b.subarray(chunk.at + 1, end)));
  }
  const timestamps = new Float64Array(parts.reduce((n, p) => n + p.ts.length, 0));
  const values = new Float64Array(timestamps.length);
  let length = 0;
  for (const p of parts) {
    // chunks of one block may touch after a compaction of overlapping ones
    let from = 0;
    while (length > 0 && from < p.ts.length && p.ts[from]! <= timestamps[length - 1]!) from++;
    timestamps.set(p.ts.subarray(from), length);
    values.set(p.values.subarray(from), length);
    length += p.ts.length - from;
  }
  return { labels: Labels.fromPairs(pairs), length, timestamps, values };
}

class Cursor {
  readonly #b: Buffer;
  at: number;
  constructor(b: Buffer, at: number) {
    this.#b = b;
    this.at = at;
  }
  uvarint(): number {
    let v = 0;
    for (let i = 0, scale = 1; i < 10; i++, scale *= 128) {
      const c = this.#b[this.at++];
      if (c === undefined) break;
      v += (c & 127) * scale;
      if (c < 128) return v;
    }
    throw new VigieError('corrupt', `a varint at byte ${this.at} does not end`);
  }
  varint(): number {
    const z = this.uvarint();
    return z % 2 === 1 ? -(z + 1) / 2 : z / 2;
  }
  text(): string {
    const length = this.uvarint();
    this.at += length;
    return this.#b.toString('utf8', this.at - length, this.at);
  }
}

function check(file: string, bytes: Uint8Array, want: number): void {
  if (crc32c(bytes) !== want) throw new VigieError('corrupt', `${file}: a checksum does not match`);
}
