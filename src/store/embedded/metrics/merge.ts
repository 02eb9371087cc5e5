/**
 * Merging blocks: which blocks become one, and the series of the result. Chunks that are whole and do not overlap are
 * copied as they are; small, overlapping or partly deleted ones are decoded, put in order and encoded anew. Blocks with
 * damage are never merged: their answers go on naming what is missing.
 */
import { VigieError } from '../../../lib/errors.ts';
import type { Labels } from '../../../model/labels.ts';
import type { SeriesColumns } from '../../../model/sample.ts';
import { type BlockChunk, type BlockSeries, KIND_FLOATS, KIND_HISTOGRAMS } from './block-file.ts';
import {
  type BlockReader,
  encodeHistogramChunk,
  gatherLoaded,
  type LoadedChunk,
  type ReadWindow,
} from './block-reader.ts';
import { CHUNK_BYTES_MAX, CHUNK_SAMPLES_MAX, encodeChunk } from './chunk-codec.ts';
import type { DeletedRange, Gather } from './gather.ts';

/** A merged block spans three of the level below. */
export const LEVEL_FACTOR = 3;
/** Chunks with fewer samples are joined with their neighbours. */
const CHUNK_SAMPLES_SMALL = 60;

export interface MergePlan {
  readonly startMs: number;
  readonly endMs: number;
  readonly blocks: readonly BlockReader[];
}

export interface MergeLimits {
  readonly blockMs: number;
  /** No merged block is longer, so that retention stays exact to it. */
  readonly spanMsMax: number;
  /** Blocks whose samples may still stand in the log keep their own cut positions and wait. */
  readonly oldestSegment: number;
  /** A span is merged once it is over. */
  readonly nowMs: number;
}

/** The next blocks to merge, smallest spans first; undefined when there is nothing to do. */
export function planMerge(blocks: readonly BlockReader[], limits: MergeLimits): MergePlan | undefined {
  const ready = blocks.filter((b) => !b.damaged && b.footer.cut.segment < limits.oldestSegment);
  for (let span = limits.blockMs; span <= Math.max(limits.blockMs, limits.spanMsMax); span *= LEVEL_FACTOR) {
    const groups = new Map<number, BlockReader[]>();
    for (const b of ready) {
      const start = Math.floor(b.footer.startMs / span) * span;
      if (b.footer.endMs > start + span) continue;
      const group = groups.get(start);
      if (group) group.push(b);
      else groups.set(start, [b]);
    }
    for (const [startMs, group] of [...groups].sort((a, b) => a[0] - b[0]))
      if (group.length > 1 && startMs + span <= limits.nowMs) return { startMs, endMs: startMs + span, blocks: group };
  }
  return undefined;
}

export interface MergePorts {
  readonly gather: Gather;
  readonly deleted: ReadonlyMap<string, readonly DeletedRange[]>;
  readonly pause: () => Promise<void> | undefined;
  /** Told once per series whose chunks were not copied as they are, for the tests and the log. */
  readonly onEncode?: () => void;
}

/** The series of the merged block, in the order of the blocks. Throws `corrupt` when a block turns out to be damaged. */
export async function* mergedSeries(blocks: readonly BlockReader[], ports: MergePorts): AsyncGenerator<BlockSeries> {
  const indexes = [];
  for (const b of blocks) indexes.push(await b.index());
  const windows: ReadWindow[] = blocks.map(() => ({ base: 0, bytes: new Uint8Array(0) }));
  const later = indexes.map((index) => {
    const refs = new Map<string, number>();
    for (let ref = 0; ref < index.series.size; ref++) refs.set(index.series.peek(ref).key, ref);
    return refs;
  });
  for (let b = 0; b < blocks.length; b++) {
    const index = indexes[b]!;
    for (let ref = 0; ref < index.series.size; ref++) {
      const labels = index.series.peek(ref);
      if (!later[b]!.has(labels.key)) continue;
      const chunks: LoadedChunk[] = [];
      for (let o = b; o < blocks.length; o++) {
        const other = later[o]!.get(labels.key);
        if (other === undefined) continue;
        chunks.push(...(await blocks[o]!.chunksOf(indexes[o]!, other, windows[o]!)));
        if (blocks[o]!.damaged) throw new VigieError('corrupt', `${blocks[o]!.file} is damaged and stays unmerged`);
        later[o]!.delete(labels.key);
      }
      const merged = mergeChunks(labels, chunks, ports);
      if (merged.length > 0) yield [labels, merged];
      await ports.pause();
    }
  }
}

function mergeChunks(labels: Labels, chunks: readonly LoadedChunk[], ports: MergePorts): readonly BlockChunk[] {
  const deleted = ports.deleted.get(labels.key);
  let untouched = deleted === undefined;
  for (let i = 0; untouched && i < chunks.length; i++) {
    const c = chunks[i]!;
    if (i > 0 && c.minT <= chunks[i - 1]!.maxT) untouched = false;
    if (c.kind !== KIND_FLOATS) continue;
    // two small neighbours fit into one
    const next = chunks[i + 1];
    if (next?.kind === KIND_FLOATS && c.bytes[0]! < CHUNK_SAMPLES_SMALL && next.bytes[0]! < CHUNK_SAMPLES_SMALL)
      untouched = false;
  }
  if (untouched) return chunks;
  ports.onEncode?.();
  const { gather } = ports;
  gather.begin(Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY);
  gatherLoaded({ labels, chunks }, gather, (message) => {
    throw new VigieError('corrupt', message);
  });
  gather.finish(labels, deleted);
  const [columns] = gather.result();
  return columns ? encodeColumns(columns) : [];
}

/** A series in columns as chunks: floats of up to 120 samples, native histograms of each run in one. */
export function encodeColumns(s: SeriesColumns): BlockChunk[] {
  const out: BlockChunk[] = [];
  const scratch = new Uint8Array(CHUNK_BYTES_MAX);
  for (let i = 0; i < s.length; ) {
    const from = i;
    const minT = s.timestamps[from]!;
    if (s.histograms?.[i]) {
      const ts: number[] = [];
      const items = [];
      for (; i < s.length && s.histograms[i] && ts.length < CHUNK_SAMPLES_MAX; i++) {
        ts.push(s.timestamps[i]!);
        items.push(s.histograms[i]!);
      }
      out.push({ kind: KIND_HISTOGRAMS, minT, maxT: ts.at(-1)!, bytes: encodeHistogramChunk({ ts, items }) });
      continue;
    }
    while (i < s.length && i - from < CHUNK_SAMPLES_MAX && !s.histograms?.[i]) i++;
    const n = i - from;
    const offsets = s.timestamps.slice(from, i).map((t) => t - minT);
    const values = s.values.slice(from, i);
    const end = encodeChunk(offsets, values, new Uint32Array(values.buffer), n, scratch, 0);
    out.push({ kind: KIND_FLOATS, minT, maxT: s.timestamps[i - 1]!, bytes: scratch.slice(0, end) });
  }
  return out;
}
