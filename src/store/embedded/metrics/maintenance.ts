/**
 * What keeps the files of the store small and few: cutting windows into blocks, merging blocks, retention by time and
 * size, removing log segments. One piece of work at a time, in slices of a few milliseconds; a failure leaves everything
 * as readable as before and is tried again next time.
 */
import { existsSync } from 'node:fs';
import { mkdir, unlink } from 'node:fs/promises';
import path from 'node:path';
import type { Clock } from '../../../lib/clock.ts';
import { messageOf } from '../../../lib/errors.ts';
import type { Logger } from '../../../lib/logger.ts';
import type { SeriesColumns } from '../../../model/sample.ts';
import type { TenantId } from '../../../model/tenant.ts';
import type { MetricsQuota } from '../../metrics.ts';
import {
  type BlockChunk,
  type BlockSeries,
  KIND_FLOATS,
  KIND_HISTOGRAMS,
  syncFolder,
  writeBlock,
} from './block-file.ts';
import { type BlockPorts, BlockReader, encodeHistogramChunk } from './block-reader.ts';
import { CHUNK_BYTES_MAX, CHUNK_SAMPLES_MAX, encodeChunk } from './chunk-codec.ts';
import type { Disk } from './disk.ts';
import type { Gather } from './gather.ts';
import { type HeadWindow, NO_CHUNK } from './head-window.ts';
import { encodeColumns, LEVEL_FACTOR, mergedSeries, planMerge } from './merge.ts';
import { segmentNumbers } from './replay.ts';
import type { Tenant } from './tenant.ts';
import { saveDeleted, saveSmall, sorted } from './tenant-files.ts';
import { segmentName, type Wal } from './wal.ts';

/** A window is cut this long after its end, once nobody has written to it for a minute. */
export const CUT_DELAY_MS = 15 * 60_000;
const CUT_IDLE_MS = 60_000;
/** No merged block is longer, nor than a tenth of the retention. */
const MERGED_MS_MAX = 31 * 24 * 3_600_000;
/** Merges of one tenant in one round; the rest waits for the next, so that no tenant holds up the others. */
const MERGES_PER_ROUND_MAX = 4;
/** An import is cut into about so many blocks at most. */
const IMPORT_BLOCKS_WANTED = 24;
/** A wall clock that moved this far on its own is not believed for an hour: retention must not act on a mistake. */
const STEP_MS_MAX = 10 * 60_000;
const STEP_DISTRUST_MS = 3_600_000;

export interface MaintenancePorts {
  readonly folder: string;
  readonly blockMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly disk: Disk;
  readonly gather: Gather;
  readonly blocks: BlockPorts;
  readonly quota: (tenant: TenantId) => MetricsQuota;
  readonly tenants: () => Iterable<Tenant>;
  readonly wal: () => Wal;
  readonly onMerge: (blocks: number) => void;
}

export class Maintenance {
  readonly #p: MaintenancePorts;
  #wallLessMonotonic: number;
  #distrustUntilMs = Number.NEGATIVE_INFINITY;

  constructor(ports: MaintenancePorts) {
    this.#p = ports;
    this.#wallLessMonotonic = ports.clock.now() - ports.clock.monotonicMs();
  }

  /** One round over all tenants. `all` cuts every window. Throws the first failure after all tenants had their turn. */
  async round(all: boolean): Promise<void> {
    const { clock, blockMs } = this.#p;
    const now = clock.now();
    const idleBefore = clock.monotonicMs() - CUT_IDLE_MS;
    const believed = this.#believed(now);
    let cut = false;
    let failure: unknown;
    for (const t of this.#p.tenants()) {
      try {
        const due = [...t.head.windows.values()].filter(
          (w) => all || (now >= w.endMs + CUT_DELAY_MS && w.lastWriteMs <= idleBefore),
        );
        for (const w of [...t.head.frozen, ...due.sort((a, b) => a.startMs - b.startMs)]) {
          await this.cut(t, w);
          cut = true;
        }
        if (believed) await this.#retain(t, now);
      } catch (error) {
        failure ??= error;
      }
    }
    if (failure) throw failure;
    if (cut) {
      for (const t of this.#p.tenants()) await saveSmall(t, this.#folder(t));
      await this.#p.wal().roll();
      await this.truncateWal();
    }
    const oldestSegment = this.#oldestNeeded();
    for (const t of this.#p.tenants()) {
      const { retentionMs } = this.#p.quota(t.id);
      const spanMsMax = Math.max(blockMs, Math.min(MERGED_MS_MAX, retentionMs ? retentionMs / 10 : MERGED_MS_MAX));
      for (let i = 0; i < MERGES_PER_ROUND_MAX; i++) {
        const plan = planMerge(t.blocks, { blockMs, spanMsMax, oldestSegment, nowMs: now });
        if (!plan) break;
        await this.#merge(t, plan);
      }
    }
  }

  /** Writes one window as a block; series written to since `keepFromMs` stay known. When that fails the window stays readable and is tried again first. */
  async cut(t: Tenant, window: HeadWindow, keepFromMs?: number): Promise<void> {
    window.cut ??= this.#p.wal().position;
    const pause = this.#p.blocks.pacer();
    if (!t.head.frozen.has(window)) await t.head.freeze(window, pause);
    const meta = { startMs: window.startMs, endMs: window.endMs, cut: window.cut };
    const block = await this.#write(t, meta, seriesOf(t, window));
    t.blocks = sorted([...t.blocks, block]);
    const gone = t.head.release(window, keepFromMs);
    if (gone.length > 0) for (const k of t.keys.values()) k.clear();
  }

  /** Rewrites every block that holds deleted samples, then forgets the ranges that nothing refers to any more. */
  async cleanDeleted(t: Tenant): Promise<void> {
    if (t.deleted.size === 0) return;
    const oldest = this.#oldestNeeded();
    for (const b of t.blocks) {
      if (b.damaged || b.footer.cut.segment >= oldest) continue;
      const { series } = await b.index();
      let hit = false;
      for (let ref = 0; ref < series.size && !hit; ref++)
        hit = (t.deleted.get(series.labels(ref).key) ?? []).some(
          (r) => r.startMs < b.footer.endMs && r.endMs >= b.footer.startMs,
        );
      if (hit) await this.#merge(t, { startMs: b.footer.startMs, endMs: b.footer.endMs, blocks: [b] });
    }
    const still = t.blocks.filter((b) => b.damaged || b.footer.cut.segment >= oldest).map((b) => b.footer.startMs);
    for (const w of [...t.head.windows.values(), ...t.head.frozen]) still.push(w.startMs);
    for (const [key, ranges] of t.deleted) {
      const left = ranges.filter((r) => still.some((start) => r.endMs >= start));
      if (left.length === 0) t.deleted.delete(key);
      else t.deleted.set(key, left);
    }
    await saveDeleted(t, this.#folder(t));
  }

  /**
   * Puts series as blocks beside what is there; times must ascend within each. Long histories get long blocks at once.
   * What lies outside of [oldestMs, newestMs] is skipped.
   */
  async importSeries(
    t: Tenant,
    series: readonly SeriesColumns[],
    oldestMs: number,
    newestMs: number,
  ): Promise<{ readonly series: number; readonly samples: number; readonly skipped: number; readonly blocks: number }> {
    let [first, last, samples, skipped] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0, 0];
    for (const s of series)
      for (let i = 0; i < s.length; i++) {
        const at = s.timestamps[i]!;
        if (!(at >= oldestMs && at <= newestMs)) {
          skipped++;
          continue;
        }
        samples++;
        if (at < first) first = at;
        if (at > last) last = at;
      }
    if (samples === 0) return { series: 0, samples, skipped, blocks: 0 };
    const { retentionMs } = this.#p.quota(t.id);
    const spanMax = Math.min(MERGED_MS_MAX, retentionMs ? retentionMs / 10 : MERGED_MS_MAX);
    let span = this.#p.blockMs;
    while ((last - first) / span > IMPORT_BLOCKS_WANTED && span * LEVEL_FACTOR <= spanMax) span *= LEVEL_FACTOR;
    const added: BlockReader[] = [];
    try {
      for (let start = Math.floor(first / span) * span; start <= last; start += span) {
        const from = Math.max(start, oldestMs);
        const to = Math.min(start + span - 1, newestMs);
        const parts = partsOf(series, from, to);
        const probe = parts.next();
        if (probe.done) continue;
        // no part of the log belongs to it
        const meta = { startMs: start, endMs: start + span, cut: { segment: 0, offset: 0 } };
        added.push(await this.#write(t, meta, chain(probe.value, parts)));
      }
    } catch (error) {
      for (const b of added) await b.retire({ unlink: true });
      throw error;
    }
    t.blocks = sorted([...t.blocks, ...added]);
    return { series: series.length, samples, skipped, blocks: added.length };
  }

  /** Removes log segments that no window in memory needs. */
  async truncateWal(): Promise<void> {
    const folder = path.join(this.#p.folder, 'wal');
    const oldest = this.#oldestNeeded();
    for (const n of segmentNumbers(folder)) if (n < oldest) await unlink(path.join(folder, segmentName(n)));
  }

  /** A segment is needed while a window that it may hold samples of is in memory only. */
  #oldestNeeded(): number {
    let oldest = this.#p.wal().segment;
    for (const t of this.#p.tenants())
      for (const w of [...t.head.windows.values(), ...t.head.frozen]) oldest = Math.min(oldest, w.firstSegment);
    return oldest;
  }

  async #merge(t: Tenant, plan: { startMs: number; endMs: number; blocks: readonly BlockReader[] }): Promise<void> {
    const { gather, logger } = this.#p;
    const cut = plan.blocks
      .map((b) => b.footer.cut)
      .reduce((a, b) => (b.segment > a.segment || (b.segment === a.segment && b.offset > a.offset) ? b : a));
    for (const b of plan.blocks) b.acquire();
    try {
      const pause = this.#p.blocks.pacer();
      const series = mergedSeries(plan.blocks, { gather, deleted: t.deleted, pause });
      const merged = await this.#write(t, { startMs: plan.startMs, endMs: plan.endMs, cut }, series);
      t.blocks = sorted([...t.blocks.filter((b) => !plan.blocks.includes(b)), merged]);
      for (const b of plan.blocks) await b.retire({ unlink: true });
      this.#p.onMerge(plan.blocks.length);
    } catch (error) {
      const damaged = plan.blocks.some((b) => b.damaged);
      if (!damaged) throw error;
      logger.warn('blocks stay unmerged', { tenant: t.id, error: messageOf(error) });
    } finally {
      for (const b of plan.blocks) await b.release();
    }
  }

  async #write(
    t: Tenant,
    meta: Parameters<typeof writeBlock>[2],
    series: Iterable<BlockSeries> | AsyncIterable<BlockSeries>,
  ): Promise<BlockReader> {
    const folder = path.join(this.#folder(t), 'blocks');
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await syncFolder(path.join(this.#p.folder, 'tenants'));
    let n = 0;
    let file: string;
    do file = path.join(folder, `${meta.startMs}-${meta.endMs}-${n++}.blk`);
    while (existsSync(file));
    await writeBlock(this.#p.disk, file, meta, series, this.#p.blocks.pacer());
    return BlockReader.open(file, this.#p.blocks);
  }

  async #retain(t: Tenant, now: number): Promise<void> {
    const { retentionMs, retentionBytesMax } = this.#p.quota(t.id);
    const old = new Set(retentionMs ? t.blocks.filter((b) => b.footer.endMs <= now - retentionMs) : []);
    if (retentionBytesMax) {
      let bytes = t.blocks.reduce((sum, b) => sum + (old.has(b) ? 0 : b.sizeBytes), 0);
      for (const b of t.blocks) {
        if (bytes <= retentionBytesMax) break;
        if (old.has(b)) continue;
        old.add(b);
        bytes -= b.sizeBytes;
      }
    }
    if (old.size === 0) return;
    t.blocks = t.blocks.filter((b) => !old.has(b));
    for (const b of old) await b.retire({ unlink: true });
    const oldest = Math.min(t.head.minTimeMs, ...t.blocks.map((b) => b.footer.startMs));
    let changed = false;
    for (const [key, ranges] of t.deleted) {
      const left = ranges.filter((r) => r.endMs >= oldest);
      if (left.length === ranges.length) continue;
      changed = true;
      if (left.length === 0) t.deleted.delete(key);
      else t.deleted.set(key, left);
    }
    if (changed) await saveDeleted(t, this.#folder(t));
  }

  #believed(now: number): boolean {
    const monotonic = this.#p.clock.monotonicMs();
    const difference = now - monotonic;
    if (Math.abs(difference - this.#wallLessMonotonic) > STEP_MS_MAX) {
      this.#distrustUntilMs = monotonic + STEP_DISTRUST_MS;
      this.#p.logger.warn('the wall clock was set: retention waits an hour', {
        byMs: difference - this.#wallLessMonotonic,
      });
    }
    this.#wallLessMonotonic = difference;
    return monotonic >= this.#distrustUntilMs;
  }

  #folder(t: Tenant): string {
    return path.join(this.#p.folder, 'tenants', t.id);
  }
}

function* partsOf(series: readonly SeriesColumns[], from: number, to: number): Generator<BlockSeries> {
  for (const s of series) {
    let a = 0;
    while (a < s.length && s.timestamps[a]! < from) a++;
    let b = a;
    while (b < s.length && s.timestamps[b]! <= to) b++;
    if (b === a) continue;
    const part = {
      labels: s.labels,
      length: b - a,
      timestamps: s.timestamps.slice(a, b),
      values: s.values.slice(a, b),
      ...(s.histograms ? { histograms: s.histograms.slice(a, b) } : {}),
    };
    yield [s.labels, encodeColumns(part)];
  }
}

function* chain(first: BlockSeries, rest: Generator<BlockSeries>): Generator<BlockSeries> {
  yield first;
  yield* rest;
}

function* seriesOf(t: Tenant, w: HeadWindow): IterableIterator<BlockSeries> {
  const scratch = new Uint8Array(CHUNK_BYTES_MAX);
  for (let ref = 0; ref < t.head.index.size; ref++) {
    const chunks: BlockChunk[] = [];
    for (let c = w.head(ref); c !== NO_CHUNK; c = w.prev[c]!) {
      const at = w.offset(c);
      const bytes = w.page(c).subarray(at, at + w.size[c]!);
      chunks.push({ kind: KIND_FLOATS, minT: w.minT[c]!, maxT: w.maxT[c]!, bytes });
    }
    chunks.reverse();
    const late = w.late.get(ref);
    for (let i = 0; late && i < late.length; i += CHUNK_SAMPLES_MAX) {
      const n = Math.min(CHUNK_SAMPLES_MAX, late.length - i);
      const minT = late.ts[i]!;
      const offsets = late.ts.slice(i, i + n).map((x) => x - minT);
      const values = late.values.slice(i, i + n);
      const end = encodeChunk(offsets, values, new Uint32Array(values.buffer), n, scratch, 0);
      chunks.push({ kind: KIND_FLOATS, minT, maxT: late.ts[i + n - 1]!, bytes: scratch.slice(0, end) });
    }
    const h = w.histograms.get(ref);
    for (let i = 0; h && i < h.ts.length; i += CHUNK_SAMPLES_MAX) {
      const ts = h.ts.slice(i, i + CHUNK_SAMPLES_MAX);
      const items = h.items.slice(i, i + CHUNK_SAMPLES_MAX);
      chunks.push({
        kind: KIND_HISTOGRAMS,
        minT: ts[0]!,
        maxT: ts.at(-1)!,
        bytes: encodeHistogramChunk({ ts, items }),
      });
    }
    if (chunks.length > 0) yield [t.head.index.peek(ref), chunks];
  }
}
