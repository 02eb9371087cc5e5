/**
 * The bytes of a block: one tenant's samples of one span of time, chunks first, a compressed index after them, a footer
 * with checksums at the end (docs/formats/block.md). Writing is atomic: temporary name, sync, rename, sync of the
 * folder. It decides nothing about when blocks are cut or merged.
 */
import { open, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { crc32, deflateRaw } from 'node:zlib';
import { messageOf, VigieError } from '../../../lib/errors.ts';
import type { Labels } from '../../../model/labels.ts';
import { putVarint } from './bits.ts';
import { type Disk, writeAll } from './disk.ts';

export const BLOCK_VERSION = 1;
export const FOOTER_BYTES = 64;
const MAGIC = 0x4b4c4256; // "VBLK"
export const KIND_FLOATS = 0;
export const KIND_HISTOGRAMS = 1;

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

export type BlockSeries = readonly [Labels, readonly BlockChunk[]];

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

/**
 * Writes a block under `file`; `pause` is awaited now and then so that the event loop breathes. Throws `storage` and
 * leaves nothing behind.
 */
export async function writeBlock(
  disk: Disk,
  file: string,
  meta: BlockMeta,
  series: Iterable<BlockSeries> | AsyncIterable<BlockSeries>,
  pause: () => Promise<void> | undefined,
): Promise<{ readonly bytes: number; readonly samplesBytes: number }> {
  const temporary = `${file}.tmp`;
  try {
    const fd = disk.open(temporary, 'w');
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
      for await (const [labels, chunks] of series) {
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
          await writeAll(disk, fd, full.data, full.at, position);
          position += full.at;
        } else if ((count & 1023) === 0) await pause();
      }
      await writeAll(disk, fd, pending.data, pending.at, position);
      position += pending.at;
      const strings = Buffer.from(JSON.stringify([...ids.keys()]));
      const plain = new Bytes();
      plain.varint(strings.length);
      plain.raw(strings);
      plain.varint(count);
      plain.raw(index.data.subarray(0, index.at));
      const packed = await deflated(plain.data.subarray(0, plain.at));
      await writeAll(disk, fd, packed, packed.length, position);
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
      await writeAll(disk, fd, footer, FOOTER_BYTES, position + packed.length);
      await disk.sync(fd);
      await disk.close(fd);
      await rename(temporary, file);
      await syncFolder(path.dirname(file));
      return { bytes: position + packed.length + FOOTER_BYTES, samplesBytes: position };
    } catch (error) {
      await disk.close(fd).catch(() => {});
      await rm(temporary, { force: true });
      throw error;
    }
  } catch (cause) {
    throw new VigieError('storage', `cannot write the block ${file}: ${messageOf(cause)}`, { cause });
  }
}

const deflated = (bytes: Uint8Array): Promise<Buffer> =>
  new Promise((resolve, reject) => deflateRaw(bytes, { level: 1 }, (e, out) => (e ? reject(e) : resolve(out))));

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
