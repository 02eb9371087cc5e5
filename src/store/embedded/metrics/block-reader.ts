/**
 * Reads one block: its index on first use, its chunks on demand, each chunk checked before it is decoded. A damaged
 * chunk is left out and reported; a damaged index or footer takes the whole block out, by name.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { messageOf, VigieError } from '../../../lib/errors.ts';
import type { NativeHistogram } from '../../../model/histogram.ts';
import type { Labels } from '../../../model/labels.ts';
import type { Matcher } from '../../../model/matcher.ts';
import type { CompileMatcher } from '../../metrics.ts';
import { getVarint, putVarint, varintEnd } from './bits.ts';
import { FOOTER_BYTES, type Footer, type IndexedSeries, KIND_FLOATS, readFooter, readIndex } from './block-file.ts';
import type { Gather } from './gather.ts';
import type { HistogramSamples } from './head-window.ts';
import { decodeHistogram, encodeHistogram } from './histogram-codec.ts';
import { SeriesIndex } from './series-index.ts';

/** Chunks closer than this in the file are read at once. */
const GAP_BYTES = 64 * 1024;
const RUN_BYTES_MAX = 4 * 1024 * 1024;

/** Chunk bytes of one series in one block, in memory and checked. */
export interface LoadedSeries {
  readonly labels: Labels;
  readonly chunks: readonly { readonly kind: number; readonly minT: number; readonly bytes: Uint8Array }[];
}

interface LoadedIndex {
  readonly index: SeriesIndex;
  readonly series: readonly IndexedSeries[];
}

export class BlockReader {
  readonly file: string;
  readonly footer: Footer;
  readonly sizeBytes: number;
  readonly #compile: CompileMatcher;
  readonly #onCorrupt: (message: string) => void;
  #loaded: Promise<LoadedIndex> | undefined;
  #handle: Promise<FileHandle> | undefined;
  #users = 0;
  #retired = false;

  private constructor(
    file: string,
    footer: Footer,
    sizeBytes: number,
    compile: CompileMatcher,
    onCorrupt: (m: string) => void,
  ) {
    this.file = file;
    this.footer = footer;
    this.sizeBytes = sizeBytes;
    this.#compile = compile;
    this.#onCorrupt = onCorrupt;
  }

  /** Reads and checks the footer only. Throws `corrupt` or `format_newer`. */
  static open(file: string, compile: CompileMatcher, onCorrupt: (message: string) => void): BlockReader {
    const fd = openSync(file, 'r');
    try {
      const size = fstatSync(fd).size;
      const footer = Buffer.alloc(FOOTER_BYTES);
      if (size >= FOOTER_BYTES) readSync(fd, footer, 0, FOOTER_BYTES, size - FOOTER_BYTES);
      return new BlockReader(file, readFooter(footer, file), size, compile, onCorrupt);
    } finally {
      closeSync(fd);
    }
  }

  /** The index is kept from now on; `drop` forgets it. */
  async index(): Promise<LoadedIndex> {
    this.#loaded ??= this.#load();
    try {
      return await this.#loaded;
    } catch (error) {
      this.#loaded = undefined;
      throw error;
    }
  }

  drop(): void {
    this.#loaded = undefined;
  }

  /** Closes the file once nobody reads any more. */
  async retire(): Promise<void> {
    this.#retired = true;
    await this.#closeIfIdle();
  }

  async select(
    matchers: readonly Matcher[],
    startMs: number,
    endMs: number,
    onCorrupt: (message: string) => void = this.#onCorrupt,
  ): Promise<LoadedSeries[]> {
    const { index, series } = await this.index();
    const refs = index.select(matchers);
    const wanted: { s: IndexedSeries; from: number; to: number }[] = [];
    for (const ref of refs) {
      const s = series[ref]!;
      let from = 0;
      let to = s.minT.length;
      while (from < to && s.maxT[from]! < startMs) from++;
      while (to > from && s.minT[to - 1]! > endMs) to--;
      if (to > from) wanted.push({ s, from, to });
    }
    const out: LoadedSeries[] = [];
    this.#users++;
    try {
      for (let i = 0; i < wanted.length; ) {
        const start = wanted[i]!.s.offsets[wanted[i]!.from]!;
        let end = start;
        let j = i;
        for (; j < wanted.length; j++) {
          const w = wanted[j]!;
          const wStart = w.s.offsets[w.from]!;
          const wEnd = w.s.offsets[w.to - 1]! + w.s.sizes[w.to - 1]!;
          if (j > i && (wStart < end || wStart - end > GAP_BYTES || wEnd - start > RUN_BYTES_MAX)) break;
          end = wEnd;
        }
        const bytes = await this.#read(start, end - start);
        for (; i < j; i++) out.push(this.#checked(wanted[i]!, bytes, start, onCorrupt));
      }
    } finally {
      this.#users--;
      await this.#closeIfIdle();
    }
    return out;
  }

  #checked(
    w: { s: IndexedSeries; from: number; to: number },
    bytes: Uint8Array,
    base: number,
    onCorrupt: (message: string) => void,
  ): LoadedSeries {
    const chunks: { kind: number; minT: number; bytes: Uint8Array }[] = [];
    for (let c = w.from; c < w.to; c++) {
      const at = w.s.offsets[c]! - base;
      const chunk = bytes.subarray(at, at + w.s.sizes[c]!);
      if (chunk.length === w.s.sizes[c] && crc32(chunk) === w.s.crcs[c])
        chunks.push({ kind: w.s.kinds[c]!, minT: w.s.minT[c]!, bytes: chunk });
      else
        onCorrupt(
          `${this.file}: the chunk at byte ${w.s.offsets[c]} of ${w.s.labels} (${w.s.minT[c]} to ${w.s.maxT[c]}) fails its checksum and is left out`,
        );
    }
    return { labels: w.s.labels, chunks };
  }

  async #load(): Promise<LoadedIndex> {
    const f = this.footer;
    if (f.indexAt < 0 || f.indexAt + f.indexBytes + FOOTER_BYTES !== this.sizeBytes)
      throw new VigieError(
        'corrupt',
        `${this.file} has ${this.sizeBytes} bytes, its footer says ${f.indexAt + f.indexBytes + FOOTER_BYTES}`,
      );
    const series = readIndex(await this.#read(f.indexAt, f.indexBytes), f, this.file);
    const index = new SeriesIndex(this.#compile);
    for (const s of series) index.add(s.labels);
    return { index, series };
  }

  async #read(at: number, length: number): Promise<Uint8Array> {
    this.#handle ??= open(this.file, 'r');
    try {
      const handle = await this.#handle;
      const bytes = new Uint8Array(length);
      const { bytesRead } = await handle.read(bytes, 0, length, at);
      return bytes.subarray(0, bytesRead);
    } catch (cause) {
      throw new VigieError('storage', `cannot read ${this.file}: ${messageOf(cause)}`, { cause });
    }
  }

  async #closeIfIdle(): Promise<void> {
    if (!this.#retired || this.#users > 0 || !this.#handle) return;
    const handle = this.#handle;
    this.#handle = undefined;
    await (await handle).close();
  }
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
