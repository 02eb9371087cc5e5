/**
 * Reads one block: its index when it is not in the cache, its chunks on demand, each chunk checked before it is decoded.
 * A damaged chunk is left out and reported; a damaged index or footer takes the whole block out, by name.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { type FileHandle, open, rm } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { messageOf, VigieError } from '../../../lib/errors.ts';
import type { NativeHistogram } from '../../../model/histogram.ts';
import type { Labels } from '../../../model/labels.ts';
import type { Matcher } from '../../../model/matcher.ts';
import type { CompileMatcher } from '../../metrics.ts';
import { getVarint, putVarint, varintEnd } from './bits.ts';
import { FOOTER_BYTES, type Footer, KIND_FLOATS, readFooter } from './block-file.ts';
import { type BlockIndex, type IndexCache, readIndex } from './block-index.ts';
import type { Gather } from './gather.ts';
import type { HistogramSamples } from './head-window.ts';
import { decodeHistogram, encodeHistogram } from './histogram-codec.ts';

/** Chunks closer than this in the file are read at once. */
const GAP_BYTES = 64 * 1024;
const RUN_BYTES_MAX = 1024 * 1024;

export interface LoadedChunk {
  readonly kind: number;
  readonly minT: number;
  readonly maxT: number;
  readonly bytes: Uint8Array;
}

/** Chunk bytes of one series in one block, in memory and checked. */
export interface LoadedSeries {
  readonly labels: Labels;
  readonly chunks: readonly LoadedChunk[];
}

export interface BlockPorts {
  readonly compile: CompileMatcher;
  readonly onCorrupt: (message: string) => void;
  readonly cache: IndexCache;
  /** Awaited between pieces of long work. */
  readonly pacer: () => () => Promise<void> | undefined;
}

export class BlockReader {
  readonly file: string;
  readonly footer: Footer;
  readonly sizeBytes: number;
  /** Something in it is damaged: it is never merged, so that answers go on naming what is missing. */
  damaged = false;
  indexBytes = 0;
  readonly #ports: BlockPorts;
  #loaded: Promise<BlockIndex> | undefined;
  #handle: Promise<FileHandle> | undefined;
  #users = 0;
  #retired = false;
  #unlink = false;

  private constructor(file: string, footer: Footer, sizeBytes: number, ports: BlockPorts) {
    this.file = file;
    this.footer = footer;
    this.sizeBytes = sizeBytes;
    this.#ports = ports;
  }

  /** Reads and checks the footer only. Throws `corrupt` or `format_newer`. */
  static open(file: string, ports: BlockPorts): BlockReader {
    const fd = openSync(file, 'r');
    try {
      const size = fstatSync(fd).size;
      const footer = Buffer.alloc(FOOTER_BYTES);
      if (size >= FOOTER_BYTES) readSync(fd, footer, 0, FOOTER_BYTES, size - FOOTER_BYTES);
      const block = new BlockReader(file, readFooter(footer, file), size, ports);
      const { indexAt, indexBytes } = block.footer;
      if (indexAt < 0 || indexAt + indexBytes + FOOTER_BYTES !== size)
        throw new VigieError(
          'corrupt',
          `${file} has ${size} bytes, its footer says ${indexAt + indexBytes + FOOTER_BYTES}`,
        );
      return block;
    } finally {
      closeSync(fd);
    }
  }

  async index(): Promise<BlockIndex> {
    this.#loaded ??= this.#load();
    try {
      const index = await this.#loaded;
      this.indexBytes = index.memoryBytes;
      if (!this.#retired) this.#ports.cache.touch(this);
      return index;
    } catch (error) {
      this.#loaded = undefined;
      if (error instanceof VigieError && error.code === 'corrupt') this.damaged = true;
      throw error;
    }
  }

  /** Forgets the index; it is read again when needed. */
  drop(): void {
    this.#loaded = undefined;
  }

  /** Closes the file, and removes it with `unlink`, once nobody reads any more. */
  async retire(options: { readonly unlink?: boolean } = {}): Promise<void> {
    this.#retired = true;
    this.#unlink = options.unlink === true;
    this.#ports.cache.forget(this);
    await this.#closeIfIdle();
  }

  /** Keeps the file in place until `release`, whatever `retire` says meanwhile. */
  acquire(): void {
    this.#users++;
  }

  async release(): Promise<void> {
    this.#users--;
    await this.#closeIfIdle();
  }

  /** Label sets that match and have a chunk that touches the range; decodes nothing. */
  async labels(matchers: readonly Matcher[], startMs: number, endMs: number): Promise<Labels[]> {
    const index = await this.index();
    const out: Labels[] = [];
    for (const ref of index.series.select(matchers)) {
      for (let c = index.chunkStart[ref]!; c < index.chunkStart[ref + 1]!; c++) {
        if (index.minT[c]! > endMs || index.maxT[c]! < startMs) continue;
        out.push(index.series.labels(ref));
        break;
      }
    }
    return out;
  }

  async select(
    matchers: readonly Matcher[],
    startMs: number,
    endMs: number,
    onCorrupt: (message: string) => void = this.#ports.onCorrupt,
  ): Promise<LoadedSeries[]> {
    const index = await this.index();
    const wanted: { ref: number; from: number; to: number }[] = [];
    for (const ref of index.series.select(matchers)) {
      let from = index.chunkStart[ref]!;
      let to = index.chunkStart[ref + 1]!;
      while (from < to && index.maxT[from]! < startMs) from++;
      while (to > from && index.minT[to - 1]! > endMs) to--;
      if (to > from) wanted.push({ ref, from, to });
    }
    const out: LoadedSeries[] = [];
    this.acquire();
    try {
      for (let i = 0; i < wanted.length; ) {
        const start = index.offsets[wanted[i]!.from]!;
        let end = start;
        let j = i;
        for (; j < wanted.length; j++) {
          const w = wanted[j]!;
          const wStart = index.offsets[w.from]!;
          const wEnd = index.offsets[w.to - 1]! + index.sizes[w.to - 1]!;
          if (j > i && (wStart < end || wStart - end > GAP_BYTES || wEnd - start > RUN_BYTES_MAX)) break;
          end = wEnd;
        }
        const bytes = await this.#read(start, end - start);
        for (; i < j; i++) {
          const w = wanted[i]!;
          out.push({
            labels: index.series.labels(w.ref),
            chunks: this.#checked(index, w.ref, w.from, w.to, bytes, start, onCorrupt),
          });
        }
      }
    } finally {
      await this.release();
    }
    return out;
  }

  /** Chunks of one series out of `bytes`, which hold the file from `base` on. Damage is reported and left out. */
  #checked(
    index: BlockIndex,
    ref: number,
    from: number,
    to: number,
    bytes: Uint8Array,
    base: number,
    onCorrupt: (message: string) => void,
  ): LoadedChunk[] {
    const chunks: LoadedChunk[] = [];
    for (let c = from; c < to; c++) {
      const at = index.offsets[c]! - base;
      const chunk = bytes.subarray(at, at + index.sizes[c]!);
      if (chunk.length === index.sizes[c] && crc32(chunk) === index.crcs[c])
        chunks.push({ kind: index.kinds[c]!, minT: index.minT[c]!, maxT: index.maxT[c]!, bytes: chunk });
      else {
        this.damaged = true;
        onCorrupt(
          `${this.file}: the chunk at byte ${index.offsets[c]} of ${index.series.labels(ref)} (${index.minT[c]} to ${index.maxT[c]}) fails its checksum and is left out`,
        );
      }
    }
    return chunks;
  }

  /** All chunks of one series, for the merge: in the order of the file, a megabyte is read at a time. */
  async chunksOf(index: BlockIndex, ref: number, window: ReadWindow): Promise<LoadedChunk[]> {
    const from = index.chunkStart[ref]!;
    const to = index.chunkStart[ref + 1]!;
    if (from === to) return [];
    const start = index.offsets[from]!;
    const length = index.offsets[to - 1]! + index.sizes[to - 1]! - start;
    if (start < window.base || start + length > window.base + window.bytes.length) {
      window.base = start;
      window.bytes = await this.#read(start, Math.max(length, Math.min(1 << 20, this.footer.indexAt - start)));
    }
    return this.#checked(index, ref, from, to, window.bytes, window.base, this.#ports.onCorrupt);
  }

  async #load(): Promise<BlockIndex> {
    const f = this.footer;
    const packed = await this.#read(f.indexAt, f.indexBytes);
    return readIndex(packed, f, this.file, this.#ports.compile, this.#ports.pacer());
  }

  async #read(at: number, length: number): Promise<Uint8Array> {
    this.#handle ??= open(this.file, 'r');
    try {
      const handle = await this.#handle;
      const bytes = new Uint8Array(length);
      const { bytesRead } = await handle.read(bytes, 0, length, at);
      return bytes.subarray(0, bytesRead);
    } catch (cause) {
      this.#handle = undefined;
      throw new VigieError('storage', `cannot read ${this.file}: ${messageOf(cause)}`, { cause });
    }
  }

  async #closeIfIdle(): Promise<void> {
    if (!this.#retired || this.#users > 0) return;
    const handle = this.#handle;
    this.#handle = undefined;
    if (handle) await (await handle).close();
    if (!this.#unlink) return;
    this.#unlink = false;
    await rm(this.file, { force: true });
  }
}

/** A piece of a block's file in memory. */
export interface ReadWindow {
  base: number;
  bytes: Uint8Array;
}

/** Native histograms of one series as one chunk: count, then time step, length and bytes of each. */
export function encodeHistogramChunk(samples: HistogramSamples): Uint8Array {
  const items = samples.items.map(encodeHistogram);
  const out = new Uint8Array(16 + items.reduce((n, b) => n + b.length + 20, 0));
  let at = putVarint(out, 0, items.length);
  let t = samples.ts[0] ?? 0;
  items.forEach((b, i) => {
    at = putVarint(out, at, samples.ts[i]! - t);
    t = samples.ts[i]!;
    at = putVarint(out, at, b.length);
    out.set(b, at);
    at += b.length;
  });
  return out.subarray(0, at);
}

export function decodeHistogramChunk(b: Uint8Array, minT: number): HistogramSamples {
  const ts: number[] = [];
  const items: NativeHistogram[] = [];
  const n = getVarint(b, 0, b.length);
  let at = varintEnd;
  let t = minT;
  for (let i = 0; i < n; i++) {
    t += getVarint(b, at, b.length);
    const length = getVarint(b, varintEnd, b.length);
    at = varintEnd;
    ts.push(t);
    items.push(decodeHistogram(b, at, Math.min(b.length, at + length)));
    at += length;
  }
  return { ts, items };
}

/** Hands loaded chunks to the gatherer; damage that a checksum did not show is reported and left out. */
export function gatherLoaded(loaded: LoadedSeries, gather: Gather, onCorrupt: (message: string) => void): void {
  for (const c of loaded.chunks) {
    try {
      if (c.kind === KIND_FLOATS) gather.chunk(c.bytes, 0, c.bytes.length, c.minT);
      else {
        const h = decodeHistogramChunk(c.bytes, c.minT);
        gather.histograms(h.ts, h.items);
      }
    } catch (error) {
      onCorrupt(`${loaded.labels} at ${c.minT}: ${messageOf(error)}; the chunk is left out`);
    }
  }
}
