/**
 * The index of one block in memory: its series as a SeriesIndex, its chunks as columns (33 bytes a chunk, no object).
 * Loading checks the checksum and every bound, and lets the event loop turn on the way. Which indexes stay in memory,
 * the cache at the end decides.
 */
import { crc32, inflateRaw } from 'node:zlib';
import { VigieError } from '../../../lib/errors.ts';
import { Labels } from '../../../model/labels.ts';
import type { CompileMatcher } from '../../metrics.ts';
import { getVarint, varintEnd } from './bits.ts';
import type { Footer } from './block-file.ts';
import { SeriesIndex } from './series-index.ts';

/** An index larger than this is refused as damaged. */
const INDEX_BYTES_MAX = 1024 * 1024 * 1024;
/** Fewest bytes of a chunk's entry: what bounds the number of chunks that a damaged index can claim. */
const ENTRY_BYTES_MIN = 8;

export interface BlockIndex {
  readonly series: SeriesIndex;
  /** Chunks of series `r`: `chunkStart[r] .. chunkStart[r + 1]`, ascending by time but for late ones. */
  readonly chunkStart: Uint32Array;
  readonly kinds: Uint8Array;
  readonly offsets: Float64Array;
  readonly sizes: Uint32Array;
  readonly minT: Float64Array;
  readonly maxT: Float64Array;
  readonly crcs: Uint32Array;
  readonly memoryBytes: number;
}

/** Reads an index. Throws `corrupt`. */
export async function readIndex(
  packed: Uint8Array,
  footer: Footer,
  file: string,
  compile: CompileMatcher,
  pause: () => Promise<void> | undefined,
): Promise<BlockIndex> {
  if (crc32(packed) !== footer.indexCrc) throw new VigieError('corrupt', `the index of ${file} fails its checksum`);
  const b = await new Promise<Buffer>((resolve, reject) =>
    inflateRaw(packed, { maxOutputLength: INDEX_BYTES_MAX }, (cause, out) =>
      cause
        ? reject(new VigieError('corrupt', `the index of ${file} does not unpack: ${cause.message}`, { cause }))
        : resolve(out),
    ),
  );
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
  const room = Math.floor((b.length - at) / ENTRY_BYTES_MIN) + 1;
  const series = new SeriesIndex(compile);
  const chunkStart = new Uint32Array(count + 1);
  const kinds = new Uint8Array(room);
  const offsets = new Float64Array(room);
  const sizes = new Uint32Array(room);
  const minT = new Float64Array(room);
  const maxT = new Float64Array(room);
  const crcs = new Uint32Array(room);
  let n = 0;
  for (let s = 0; s < count; s++) {
    const flat: string[] = [];
    for (let left = varint(); left > 0; left--) {
      const text = strings[varint()];
      if (text === undefined) throw new VigieError('corrupt', `the index of ${file} names a string that it lacks`);
      flat.push(text);
    }
    const chunks = varint();
    let offset = varint();
    let t = footer.startMs;
    for (let c = 0; c < chunks; c++, n++) {
      kinds[n] = varint();
      const size = varint();
      offsets[n] = offset;
      sizes[n] = size;
      offset += size;
      const z = varint();
      t += z % 2 === 1 ? -(z + 1) / 2 : z / 2;
      minT[n] = t;
      maxT[n] = t + varint();
      if (at + 4 > b.length) throw new VigieError('corrupt', `the index of ${file} ends early`);
      crcs[n] = b.readUInt32LE(at);
      at += 4;
    }
    if (offset > footer.indexAt) throw new VigieError('corrupt', `the index of ${file} points past its chunks`);
    chunkStart[s + 1] = n;
    series.add(Labels.fromSorted(flat));
    if ((s & 255) === 255) await pause();
  }
  return {
    series,
    chunkStart,
    kinds: kinds.slice(0, n),
    offsets: offsets.slice(0, n),
    sizes: sizes.slice(0, n),
    minT: minT.slice(0, n),
    maxT: maxT.slice(0, n),
    crcs: crcs.slice(0, n),
    memoryBytes: series.memoryBytes + count * 120 + n * 33,
  };
}

interface Holder {
  readonly indexBytes: number;
  drop(): void;
}

/** Keeps the indexes used last within a bound; the others are read again when needed. */
export class IndexCache {
  readonly #bytesMax: number;
  readonly #held = new Map<Holder, number>();
  bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  touch(holder: Holder): void {
    this.forget(holder);
    this.#held.set(holder, holder.indexBytes);
    this.bytes += holder.indexBytes;
    for (const [oldest] of this.#held) {
      if (this.bytes <= this.#bytesMax || oldest === holder) break;
      this.forget(oldest);
      oldest.drop();
    }
  }

  forget(holder: Holder): void {
    const bytes = this.#held.get(holder);
    if (bytes === undefined) return;
    this.#held.delete(holder);
    this.bytes -= bytes;
  }
}
