/**
 * The bytes of a block: one tenant's samples of one span of time, chunks first, a compressed index after them, a footer
 * with checksums at the end (docs/formats/block.md). Writing is atomic: temporary name, sync, rename, sync of the
 * folder. It decides nothing about when blocks are cut or merged.
 */
import { open, rename } from 'node:fs/promises';
import path from 'node:path';
import { crc32, deflateRawSync, inflateRawSync } from 'node:zlib';
import { messageOf, VigieError } from '../../../lib/errors.ts';
import { Labels } from '../../../model/labels.ts';
import { getVarint, putVarint, varintEnd } from './bits.ts';

export const BLOCK_VERSION = 1;
export const FOOTER_BYTES = 64;
const MAGIC = 0x4b4c4256; // "VBLK"
export const KIND_FLOATS = 0;
export const KIND_HISTOGRAMS = 1;
/** An index larger than this is refused as damaged. */
const INDEX_BYTES_MAX = 1024 * 1024 * 1024;

export interface CutPosition {
  readonly segment: number;
  readonly offset: number;
}

export interface BlockChunk {
  readonly kind: number;
  readonly minT: number;
  readonly maxT: number;
  readonly bytes: Uint8Array;
}

export interface BlockMeta {
  readonly startMs: number;
  readonly endMs: number;
  /** The block holds all of its span that stood in the WAL before this. */
  readonly cut: CutPosition;
}

/** Chunks of one series, as an index entry. */
export interface IndexedSeries {
  readonly labels: Labels;
  readonly kinds: number[];
  readonly offsets: number[];
  readonly sizes: number[];
  readonly minT: number[];
  readonly maxT: number[];
  readonly crcs: number[];
}

class Bytes {
  data: Uint8Array = new Uint8Array(1 << 16);
  at = 0;
  room(n: number): void {
    if (this.at + n <= this.data.length) return;
    const data = new Uint8Array(Math.max(this.data.length * 2, this.at + n));
    data.set(this.data.subarray(0, this.at));
    this.data = data;
  }
  varint(v: number): void {
    this.room(10);
    this.at = putVarint(this.data, this.at, v);
  }
  u32(v: number): void {
    this.room(4);
    new DataView(this.data.buffer).setUint32(this.at, v, true);
    this.at += 4;
  }
  raw(b: Uint8Array): void {
    this.room(b.length);
    this.data.set(b, this.at);
    this.at += b.length;
  }
}

/** Writes a block under `file`; `pause` is awaited now and then so that the event loop breathes. Throws `storage`. */
export async function writeBlock(
  file: string,
  meta: BlockMeta,
  series: Iterable<readonly [Labels, readonly BlockChunk[]]>,
  pause: () => Promise<void> | undefined,
): Promise<{ readonly bytes: number; readonly samplesBytes: number }> {
  const temporary = `${file}.tmp`;
  try {
    const handle = await open(temporary, 'w', 0o600);
    let position = 0;
    let pending = new Bytes();
    const ids = new Map<string, number>();
    const index = new Bytes();
    let count = 0;
    const id = (text: string): number => {
      let n = ids.get(text);
      if (n === undefined) ids.set(text, (n = ids.size));
      return n;
    };
    try {
      for (const [labels, chunks] of series) {
        count++;
        index.varint(labels.flat.length);
        for (const text of labels.flat) index.varint(id(text));
        index.varint(chunks.length);
        index.varint(position + pending.at);
        let t = meta.startMs;
        for (const c of chunks) {
          index.varint(c.kind);
          index.varint(c.bytes.length);
          index.varint(c.minT >= t ? 2 * (c.minT - t) : 2 * (t - c.minT) - 1);
          index.varint(c.maxT - c.minT);
          index.u32(crc32(c.bytes));
          pending.raw(c.bytes);
          t = c.minT;
        }
        if (pending.at > 1 << 20) {
          const full = pending;
          pending = new Bytes();
          await handle.write(full.data, 0, full.at, position);
          position += full.at;
        } else if ((count & 1023) === 0) await pause();
      }
      await handle.write(pending.data, 0, pending.at, position);
      position += pending.at;
      const strings = Buffer.from(JSON.stringify([...ids.keys()]));
      const plain = new Bytes();
      plain.varint(strings.length);
      plain.raw(strings);
      plain.varint(count);
      plain.raw(index.data.subarray(0, index.at));
      const packed = deflateRawSync(plain.data.subarray(0, plain.at), { level: 1 });
      await handle.write(packed, 0, packed.length, position);
      const footer = Buffer.alloc(FOOTER_BYTES);
      footer.writeUInt32LE(MAGIC, 0);
      footer.writeUInt32LE(BLOCK_VERSION, 4);
      footer.writeDoubleLE(position, 8);
      footer.writeUInt32LE(packed.length, 16);
      footer.writeUInt32LE(crc32(packed), 20);
      footer.writeDoubleLE(meta.startMs, 24);
      footer.writeDoubleLE(meta.endMs, 32);
      footer.writeUInt32LE(meta.cut.segment, 40);
      footer.writeDoubleLE(meta.cut.offset, 44);
      footer.writeUInt32LE(count, 52);
      footer.writeUInt32LE(crc32(footer.subarray(0, FOOTER_BYTES - 4)), FOOTER_BYTES - 4);
      await handle.write(footer, 0, FOOTER_BYTES, position + packed.length);
      await handle.sync();
      await handle.close();
      await rename(temporary, file);
      await syncFolder(path.dirname(file));
      return { bytes: position + packed.length + FOOTER_BYTES, samplesBytes: position };
    } catch (error) {
      await handle.close().catch(() => {});
      throw error;
    }
  } catch (cause) {
    throw new VigieError('storage', `cannot write the block ${file}: ${messageOf(cause)}`, { cause });
  }
}

export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

export interface Footer extends BlockMeta {
  readonly indexAt: number;
  readonly indexBytes: number;
  readonly indexCrc: number;
  readonly seriesCount: number;
}

/** Checks and reads a footer. Throws `corrupt`, or `format_newer` for a version of the future. */
export function readFooter(b: Buffer, file: string): Footer {
  if (b.length !== FOOTER_BYTES || b.readUInt32LE(0) !== MAGIC)
    throw new VigieError('corrupt', `${file} does not end as a block does`);
  if (crc32(b.subarray(0, FOOTER_BYTES - 4)) !== b.readUInt32LE(FOOTER_BYTES - 4))
    throw new VigieError('corrupt', `the footer of ${file} fails its checksum`);
  const version = b.readUInt32LE(4);
  if (version > BLOCK_VERSION)
    throw new VigieError(
      'format_newer',
      `${file} has the block format ${version}; this Vigie reads up to ${BLOCK_VERSION}`,
    );
  return {
    indexAt: b.readDoubleLE(8),
    indexBytes: b.readUInt32LE(16),
    indexCrc: b.readUInt32LE(20),
    startMs: b.readDoubleLE(24),
    endMs: b.readDoubleLE(32),
    cut: { segment: b.readUInt32LE(40), offset: b.readDoubleLE(44) },
    seriesCount: b.readUInt32LE(52),
  };
}

/** Reads the index. Throws `corrupt`. */
export function readIndex(packed: Uint8Array, footer: Footer, file: string): IndexedSeries[] {
  if (crc32(packed) !== footer.indexCrc) throw new VigieError('corrupt', `the index of ${file} fails its checksum`);
  let b: Buffer;
  try {
    b = inflateRawSync(packed, { maxOutputLength: INDEX_BYTES_MAX });
  } catch (cause) {
    throw new VigieError('corrupt', `the index of ${file} does not unpack`, { cause });
  }
  let at = 0;
  const varint = (): number => {
    const v = getVarint(b, at, b.length);
    at = varintEnd;
    return v;
  };
  const length = varint();
  const strings = JSON.parse(b.toString('utf8', at, at + length)) as string[];
  at += length;
  const count = varint();
  const out: IndexedSeries[] = [];
  for (let s = 0; s < count; s++) {
    const flat: string[] = [];
    for (let n = varint(); n > 0; n--) flat.push(strings[varint()]!);
    const chunks = varint();
    let offset = varint();
    const entry: IndexedSeries = {
      labels: Labels.fromSorted(flat),
      kinds: [],
      offsets: [],
      sizes: [],
      minT: [],
      maxT: [],
      crcs: [],
    };
    let t = footer.startMs;
    for (let c = 0; c < chunks; c++) {
      entry.kinds.push(varint());
      const size = varint();
      entry.offsets.push(offset);
      entry.sizes.push(size);
      offset += size;
      const z = varint();
      t += z % 2 === 1 ? -(z + 1) / 2 : z / 2;
      entry.minT.push(t);
      entry.maxT.push(t + varint());
      entry.crcs.push(b.readUInt32LE(at));
      at += 4;
    }
    out.push(entry);
  }
  return out;
}
