/**
 * The embedded metrics store: heads in memory, a write-ahead log, and block files per tenant under one folder.
 *   FORMAT                    version of the layout
 *   wal/NNNNNNNN.wal          docs/formats/wal.md
 *   tenants/<id>/blocks/*.blk docs/formats/block.md
 *   tenants/<id>/deleted.json ranges that deleteSeries hid
 *   tenants/<id>/metadata.json, exemplars.json  what has no samples, written when blocks are cut
 * It is for one process; the lock of the data folder is the caller's.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, unlinkSync } from 'node:fs';
import { copyFile, link, mkdir, open, rename, rm, unlink } from 'node:fs/promises';
import path from 'node:path';
import type { Clock, Timer } from '../../../lib/clock.ts';
import { messageOf, VigieError } from '../../../lib/errors.ts';
import type { Logger } from '../../../lib/logger.ts';
import type { Counter, Family, SelfMetrics } from '../../../lib/self-metrics.ts';
import { Labels } from '../../../model/labels.ts';
import type { Matcher } from '../../../model/matcher.ts';
import type { Exemplar, MetricMetadata } from '../../../model/sample.ts';
import { type TenantId, tenantId } from '../../../model/tenant.ts';
import type {
  CardinalityStats,
  CompileMatcher,
  MetricsQuota,
  MetricsReader,
  MetricsStore,
  MetricsWriter,
  TenantMetricsStats,
  TimeRange,
  WriteResult,
} from '../../metrics.ts';
import {
  type BlockChunk,
  type CutPosition,
  KIND_FLOATS,
  KIND_HISTOGRAMS,
  syncFolder,
  writeBlock,
} from './block-file.ts';
import { BlockReader, encodeHistogramChunk } from './block-reader.ts';
import { cardinalityOf } from './cardinality.ts';
import { CHUNK_BYTES_MAX, CHUNK_SAMPLES_MAX, encodeChunk } from './chunk-codec.ts';
import { Gather } from './gather.ts';
import { type HeadWindow, NO_CHUNK } from './head-window.ts';
import { RawPages } from './raw-pages.ts';
import { replayWal, segmentNumbers } from './replay.ts';
import { Tenant } from './tenant.ts';
import { TenantReader } from './tenant-reader.ts';
import { TenantWriter } from './tenant-writer.ts';
import { segmentName, Wal } from './wal.ts';

export const METRICS_FORMAT = 1;
/** Slice of main-thread work between two turns of the event loop. */
const SLICE_MS = 5;
const MAINTENANCE_MS = 30_000;
/** A window is cut this long after its end, once nobody has written to it for a minute. */
const CUT_DELAY_MS = 15 * 60_000;
const CUT_IDLE_MS = 60_000;

export interface EmbeddedMetricsOptions {
  /** Exclusive to this store; created when missing. */
  readonly folder: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: SelfMetrics;
  readonly compileMatcher: CompileMatcher;
  readonly quota: (tenant: TenantId) => MetricsQuota;
  /** `always`: acknowledged means synced. Default `interval`. */
  readonly sync?: 'interval' | 'always';
  readonly syncIntervalMs?: number;
  /** Length of a block in ms, default two hours. */
  readonly blockMs?: number;
  /** False: blocks are cut only by `maintain()`, for tests and tools. */
  readonly background?: boolean;
}

export class EmbeddedMetricsStore implements MetricsStore {
  readonly #o: EmbeddedMetricsOptions;
  readonly #blockMs: number;
  readonly #tenants = new Map<TenantId, Tenant>();
  readonly #writers = new Map<TenantId, TenantWriter>();
  readonly #readers = new Map<TenantId, TenantReader>();
  readonly #raw = new RawPages();
  readonly #gather = new Gather();
  /** Set by `open`, after the replay. */
  #wal!: Wal;
  #timer: Timer | undefined;
  #maintenance: Promise<void> = Promise.resolve();
  #closed = false;
  readonly #appended: Family<Counter>;
  readonly #rejected: Family<Counter>;
  readonly #corruptions: Counter;
  /** What the last start found in the log. */
  replay = { records: 0, samples: 0, damagedSpans: 0, orphans: 0 };

  private constructor(options: EmbeddedMetricsOptions) {
    this.#o = options;
    this.#blockMs = options.blockMs ?? 2 * 3_600_000;
    const m = options.metrics;
    this.#appended = m.counter(
      'vigie_metrics_samples_appended_total',
      'Samples accepted by the embedded metrics store.',
      ['tenant'],
    );
    this.#rejected = m.counter(
      'vigie_metrics_samples_rejected_total',
      'Samples refused by the embedded metrics store.',
      ['tenant', 'reason'],
    );
    this.#corruptions = m.counter(
      'vigie_metrics_corruptions_total',
      'Damaged records, chunks and blocks that were left out.',
    );
    const series = m.gauge('vigie_metrics_head_series', 'Series in memory.', ['tenant']);
    m.onCollect(() => {
      for (const t of this.#tenants.values()) series.labels(t.id).set(t.head.index.alive);
    });
  }

  /** Opens or creates the store; replays the log. Throws `format_newer`, `storage`. */
  static async open(options: EmbeddedMetricsOptions): Promise<EmbeddedMetricsStore> {
    const store = new EmbeddedMetricsStore(options);
    await store.#start();
    return store;
  }

  async #start(): Promise<void> {
    const { folder, logger } = this.#o;
    const walFolder = path.join(folder, 'wal');
    try {
      mkdirSync(walFolder, { recursive: true, mode: 0o700 });
      mkdirSync(path.join(folder, 'tenants'), { recursive: true, mode: 0o700 });
    } catch (cause) {
      throw new VigieError('storage', `cannot create ${walFolder}: ${messageOf(cause)}`, { cause });
    }
    await checkFormat(path.join(folder, 'FORMAT'));
    for (const name of readdirSync(path.join(folder, 'tenants'))) await this.#loadTenant(name);
    const report = replayWal({
      folder: walFolder,
      logger,
      tenant: (id) => this.#tenant(tenantId(id)),
      cutAt: (tenant, t) => this.#cutAt(tenant, t),
    });
    this.replay = report;
    if (report.damagedSpans > 0) this.#corruptions.inc(report.damagedSpans);
    this.#wal = new Wal({
      folder: walFolder,
      firstSegment: report.lastSegment + 1,
      sync: this.#o.sync ?? 'interval',
      syncIntervalMs: this.#o.syncIntervalMs ?? 1_000,
      clock: this.#o.clock,
      logger,
      onSegment: (segment) => {
        for (const t of this.#tenants.values()) {
          t.head.segment = segment;
          t.walNumber = 0;
          t.walSeries = 0;
          t.head.walIds.fill(0);
        }
      },
    });
    if (this.#o.background !== false) this.#arm();
  }

  reader(tenant: TenantId): MetricsReader {
    let reader = this.#readers.get(tenant);
    if (!reader) {
      reader = new TenantReader(this.#tenant(tenant), {
        gather: this.#gather,
        compile: this.#o.compileMatcher,
        onCorrupt: (message) => this.#corrupt(message),
        oldestMs: () => {
          const { retentionMs } = this.#o.quota(tenant);
          return retentionMs ? this.#o.clock.now() - retentionMs : Number.NEGATIVE_INFINITY;
        },
      });
      this.#readers.set(tenant, reader);
    }
    return reader;
  }

  writer(tenant: TenantId): MetricsWriter {
    let writer = this.#writers.get(tenant);
    if (!writer) {
      const appended = this.#appended.labels(tenant);
      writer = new TenantWriter(this.#tenant(tenant), {
        wal: () => this.#wal,
        clock: this.#o.clock,
        quota: () => this.#o.quota(tenant),
        onResult: (r: WriteResult) => {
          appended.inc(r.samplesAccepted + r.histogramsAccepted);
          for (const reason in r.rejected)
            this.#rejected.labels(tenant, reason).inc(r.rejected[reason as keyof typeof r.rejected]);
        },
      });
      this.#writers.set(tenant, writer);
    }
    return writer;
  }

  tenants(): readonly TenantId[] {
    return [...this.#tenants.values()].filter((t) => t.head.samplesTotal > 0 || t.blocks.length > 0).map((t) => t.id);
  }

  stats(tenant: TenantId): TenantMetricsStats {
    const t = this.#tenants.get(tenant);
    if (!t)
      return {
        activeSeries: 0,
        samplesTotal: 0,
        memoryBytes: 0,
        diskBytes: 0,
        minTimeMs: undefined,
        maxTimeMs: undefined,
      };
    const blockMin = Math.min(...t.blocks.map((b) => b.footer.startMs));
    const min = Math.min(t.head.minTimeMs, blockMin);
    const max = Math.max(t.head.maxTimeMs, ...t.blocks.map((b) => b.footer.endMs - 1));
    let memoryBytes = t.head.memoryBytes;
    for (const k of t.keys.values()) memoryBytes += k.memoryBytes;
    return {
      activeSeries: t.head.index.alive,
      samplesTotal: t.head.samplesTotal,
      memoryBytes,
      diskBytes: t.blocks.reduce((sum, b) => sum + b.sizeBytes, 0),
      minTimeMs: Number.isFinite(min) ? min : undefined,
      maxTimeMs: Number.isFinite(max) ? max : undefined,
    };
  }

  async cardinality(tenant: TenantId, limit: number): Promise<CardinalityStats> {
    return cardinalityOf(this.#tenant(tenant).head, limit);
  }

  async deleteSeries(tenant: TenantId, matchers: readonly Matcher[], range: TimeRange): Promise<void> {
    const t = this.#tenant(tenant);
    const newest = Math.max(t.head.maxTimeMs, ...t.blocks.map((b) => b.footer.endMs));
    // samples that come later are new ones and must not be hidden
    const cut = { startMs: range.startMs, endMs: Math.min(range.endMs, newest) };
    for (const s of await this.reader(tenant).select(matchers, cut)) {
      const list = t.deleted.get(s.labels.key);
      if (list) list.push(cut);
      else t.deleted.set(s.labels.key, [cut]);
    }
    const rows = [...t.deleted].map(([key, ranges]) => [
      key === '' ? [] : key.split('\u0000'),
      ranges.map((r) => [r.startMs, r.endMs]),
    ]);
    await this.#exclusive(() => writeJson(path.join(this.#tenantFolder(tenant), 'deleted.json'), rows));
  }

  async deleteTenant(tenant: TenantId): Promise<void> {
    await this.#exclusive(async () => {
      const t = this.#tenants.get(tenant);
      if (!t) return;
      await this.#wal.roll();
      this.#tenants.delete(tenant);
      this.#writers.delete(tenant);
      this.#readers.delete(tenant);
      t.head.dispose();
      for (const b of t.blocks) await b.retire();
      // the others' samples leave the log for blocks, then the log that still names the tenant goes
      for (const other of this.#tenants.values())
        for (const w of [...other.head.windows.values()]) await this.#cut(other, w);
      for (const n of segmentNumbers(path.join(this.#o.folder, 'wal')))
        if (n < this.#wal.segment) await unlink(path.join(this.#o.folder, 'wal', segmentName(n)));
      await rm(this.#tenantFolder(tenant), { recursive: true, force: true });
      await syncFolder(path.join(this.#o.folder, 'tenants'));
      this.#appended.remove(tenant);
    });
  }

  async snapshot(folder: string): Promise<void> {
    if (existsSync(folder)) throw new VigieError('conflict', `${folder} exists already; a snapshot wants a new folder`);
    await this.#exclusive(async () => {
      await this.#saveSmall();
      await this.#wal.roll();
      const last = this.#wal.segment;
      await mkdir(path.join(folder, 'wal'), { recursive: true, mode: 0o700 });
      await copyFile(path.join(this.#o.folder, 'FORMAT'), path.join(folder, 'FORMAT'));
      for (const n of segmentNumbers(path.join(this.#o.folder, 'wal')))
        if (n < last)
          await linkOrCopy(path.join(this.#o.folder, 'wal', segmentName(n)), path.join(folder, 'wal', segmentName(n)));
      for (const t of this.#tenants.values()) {
        const to = path.join(folder, 'tenants', t.id);
        await mkdir(path.join(to, 'blocks'), { recursive: true, mode: 0o700 });
        for (const b of t.blocks) await linkOrCopy(b.file, path.join(to, 'blocks', path.basename(b.file)));
        for (const name of ['deleted.json', 'metadata.json', 'exemplars.json']) {
          const from = path.join(this.#tenantFolder(t.id), name);
          if (existsSync(from)) await copyFile(from, path.join(to, name));
        }
      }
      await syncFolder(folder);
    });
  }

  sync(): Promise<void> {
    return this.#wal.sync();
  }

  /** Cuts due windows into blocks, drops what is out of retention and log segments that are no longer needed. */
  maintain(options: { readonly all?: boolean } = {}): Promise<void> {
    return this.#exclusive(async () => {
      const now = this.#o.clock.now();
      const idleBefore = this.#o.clock.monotonicMs() - CUT_IDLE_MS;
      let cut = false;
      for (const t of this.#tenants.values()) {
        for (const w of [...t.head.windows.values()].sort((a, b) => a.startMs - b.startMs)) {
          if (!options.all && (now < w.endMs + CUT_DELAY_MS || w.lastWriteMs > idleBefore)) continue;
          await this.#cut(t, w);
          cut = true;
        }
        await this.#retain(t, now);
      }
      if (cut) {
        await this.#saveSmall();
        await this.#wal.roll();
        await this.#truncateWal();
      }
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#timer?.cancel();
    await this.#maintenance.catch(() => {});
    await this.#wal.close();
    for (const t of this.#tenants.values()) for (const b of t.blocks) await b.retire();
  }

  #tenant(id: TenantId): Tenant {
    let t = this.#tenants.get(id);
    if (!t) {
      t = new Tenant(id, this.#blockMs, this.#raw, this.#o.compileMatcher, this.#gather);
      t.head.segment = this.#wal?.segment ?? 0;
      this.#tenants.set(id, t);
    }
    return t;
  }

  #tenantFolder(id: TenantId): string {
    return path.join(this.#o.folder, 'tenants', id);
  }

  #exclusive(work: () => Promise<void>): Promise<void> {
    const next = this.#maintenance.then(work);
    this.#maintenance = next.catch(() => {});
    return next;
  }

  #arm(): void {
    this.#timer = this.#o.clock.setTimer(() => {
      this.maintain()
        .catch((error: unknown) =>
          this.#o.logger.error('maintenance of the metrics store failed', { error: messageOf(error) }),
        )
        .finally(() => {
          if (!this.#closed) this.#arm();
        });
    }, MAINTENANCE_MS);
  }

  #corrupt(message: string): void {
    this.#corruptions.inc();
    this.#o.logger.warn(message);
  }

  /** Awaited between pieces of long work; lets the event loop turn when the slice is used up. */
  #pacer(): () => Promise<void> | undefined {
    let start = this.#o.clock.monotonicMs();
    return () => {
      if (this.#o.clock.monotonicMs() - start < SLICE_MS) return undefined;
      return new Promise<void>((resolve) =>
        setImmediate(() => {
          start = this.#o.clock.monotonicMs();
          resolve();
        }),
      );
    };
  }

  async #cut(t: Tenant, window: HeadWindow): Promise<void> {
    const cut = this.#wal.position;
    const pause = this.#pacer();
    await t.head.freeze(window, pause);
    const folder = path.join(this.#tenantFolder(t.id), 'blocks');
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await syncFolder(path.join(this.#o.folder, 'tenants'));
    let n = 0;
    let file: string;
    do file = path.join(folder, `${window.startMs}-${window.endMs}-${n++}.blk`);
    while (existsSync(file));
    await writeBlock(file, { startMs: window.startMs, endMs: window.endMs, cut }, seriesOf(t, window), pause);
    const block = BlockReader.open(file, this.#o.compileMatcher, (m) => this.#corrupt(m));
    t.blocks = [...t.blocks, block].sort((a, b) => a.footer.startMs - b.footer.startMs);
    const gone = t.head.release(window);
    if (gone.length > 0) for (const k of t.keys.values()) k.clear();
  }

  async #retain(t: Tenant, now: number): Promise<void> {
    const { retentionMs } = this.#o.quota(t.id);
    if (!retentionMs) return;
    const old = t.blocks.filter((b) => b.footer.endMs <= now - retentionMs);
    if (old.length === 0) return;
    t.blocks = t.blocks.filter((b) => !old.includes(b));
    for (const b of old) {
      await unlink(b.file);
      await b.retire();
    }
  }

  /** A segment is needed while a window that it may hold samples of is in memory only. */
  async #truncateWal(): Promise<void> {
    const folder = path.join(this.#o.folder, 'wal');
    let oldest = this.#wal.segment;
    for (const t of this.#tenants.values())
      for (const w of t.head.windows.values()) oldest = Math.min(oldest, w.firstSegment);
    for (const n of segmentNumbers(folder)) if (n < oldest) await unlink(path.join(folder, segmentName(n)));
  }

  #cutAt(tenant: Tenant, t: number): CutPosition | undefined {
    let best: CutPosition | undefined;
    for (const { footer } of tenant.blocks) {
      if (t < footer.startMs || t >= footer.endMs) continue;
      const c = footer.cut;
      if (!best || c.segment > best.segment || (c.segment === best.segment && c.offset > best.offset)) best = c;
    }
    return best;
  }

  async #loadTenant(name: string): Promise<void> {
    const t = this.#tenant(tenantId(name));
    const folder = path.join(this.#tenantFolder(t.id), 'blocks');
    if (existsSync(folder)) {
      const blocks: BlockReader[] = [];
      for (const f of readdirSync(folder)) {
        const file = path.join(folder, f);
        if (f.endsWith('.tmp')) {
          unlinkSync(file);
          continue;
        }
        if (!f.endsWith('.blk')) continue;
        try {
          blocks.push(BlockReader.open(file, this.#o.compileMatcher, (m) => this.#corrupt(m)));
        } catch (error) {
          if (error instanceof VigieError && error.code === 'corrupt')
            this.#corrupt(`${error.message}; the block is left out`);
          else throw error;
        }
      }
      t.blocks = blocks.sort((a, b) => a.footer.startMs - b.footer.startMs);
    }
    const read = <T>(file: string): T[] => {
      const full = path.join(this.#tenantFolder(t.id), file);
      try {
        return existsSync(full) ? (JSON.parse(readFileSync(full, 'utf8')) as T[]) : [];
      } catch (error) {
        this.#corrupt(`${full} is damaged and left out: ${messageOf(error)}`);
        return [];
      }
    };
    for (const [flat, ranges] of read<[string[], [number, number][]]>('deleted.json'))
      t.deleted.set(
        Labels.fromSorted(flat).key,
        ranges.map(([startMs, endMs]) => ({ startMs, endMs })),
      );
    for (const m of read<MetricMetadata>('metadata.json')) t.addMetadata(m);
    for (const [flat, own, value, timestampMs] of read<[string[], string[], number, number]>('exemplars.json'))
      t.exemplars.push({
        labels: Labels.fromSorted(flat),
        exemplar: { labels: Labels.fromSorted(own), value, timestampMs } as Exemplar,
      });
  }

  /** Metadata and exemplars have no blocks; they are written as they are before log segments go. */
  async #saveSmall(): Promise<void> {
    for (const t of this.#tenants.values()) {
      const folder = this.#tenantFolder(t.id);
      await mkdir(folder, { recursive: true, mode: 0o700 });
      if (t.metadata.size > 0) await writeJson(path.join(folder, 'metadata.json'), [...t.metadata.values()]);
      if (t.exemplars.length > 0)
        await writeJson(
          path.join(folder, 'exemplars.json'),
          t.exemplars.map((e) => [e.labels.flat, e.exemplar.labels.flat, e.exemplar.value, e.exemplar.timestampMs]),
        );
    }
  }
}

function* seriesOf(t: Tenant, w: HeadWindow): IterableIterator<readonly [Labels, readonly BlockChunk[]]> {
  const scratch = new Uint8Array(CHUNK_BYTES_MAX);
  for (let ref = 0; ref < t.head.index.size; ref++) {
    const chunks: BlockChunk[] = [];
    for (let c = w.head(ref); c !== NO_CHUNK; c = w.prev[c]!) {
      const at = w.offset(c);
      chunks.push({
        kind: KIND_FLOATS,
        minT: w.minT[c]!,
        maxT: w.maxT[c]!,
        bytes: w.page(c).subarray(at, at + w.size[c]!),
      });
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
    if (h) chunks.push({ kind: KIND_HISTOGRAMS, minT: h.ts[0]!, maxT: h.ts.at(-1)!, bytes: encodeHistogramChunk(h) });
    if (chunks.length > 0) yield [t.head.index.labels(ref), chunks];
  }
}

async function writeJson(file: string, value: unknown): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
  const handle = await open(`${file}.tmp`, 'w', 0o600);
  try {
    await handle.writeFile(JSON.stringify(value));
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(`${file}.tmp`, file);
  await syncFolder(path.dirname(file));
}

async function linkOrCopy(from: string, to: string): Promise<void> {
  // finished segments and blocks never change, so a link is a copy
  await link(from, to).catch(() => copyFile(from, to));
}

async function checkFormat(file: string): Promise<void> {
  if (!existsSync(file)) {
    await writeJson(file, { metrics: METRICS_FORMAT });
    return;
  }
  let found: unknown;
  try {
    found = (JSON.parse(readFileSync(file, 'utf8')) as { metrics?: unknown }).metrics;
  } catch (cause) {
    throw new VigieError('corrupt', `${file} is not readable: ${messageOf(cause)}`, { cause });
  }
  if (typeof found !== 'number') throw new VigieError('corrupt', `${file} names no format of the metrics store`);
  if (found > METRICS_FORMAT)
    throw new VigieError(
      'format_newer',
      `${file} says metrics format ${found}; this Vigie reads up to ${METRICS_FORMAT}`,
    );
}

/** Bytes of a store's folder on disk. */
export function folderBytes(folder: string): number {
  let sum = 0;
  for (const e of readdirSync(folder, { withFileTypes: true, recursive: true }))
    if (e.isFile()) sum += statSync(path.join(e.parentPath, e.name)).size;
  return sum;
}

/** For tools: removes a store's folder. */
export function removeStore(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
}
