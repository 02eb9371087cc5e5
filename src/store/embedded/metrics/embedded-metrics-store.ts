/**
 * The embedded metrics store: heads in memory, a write-ahead log, and block files per tenant under one folder.
 *   FORMAT                    version of the layout
 *   wal/NNNNNNNN.wal          docs/formats/wal.md
 *   tenants/<id>/blocks/*.blk docs/formats/block.md
 *   tenants/<id>/deleted.json ranges that deleteSeries hid
 *   tenants/<id>/metadata.json, exemplars.json  what has no samples, written when blocks are cut
 * It is for one process; the lock of the data folder is the caller's.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { copyFile, link, mkdir, rename, rm, unlink } from 'node:fs/promises';
import path from 'node:path';
import type { Clock, Timer } from '../../../lib/clock.ts';
import { messageOf, VigieError } from '../../../lib/errors.ts';
import type { Logger } from '../../../lib/logger.ts';
import type { Counter, Family, SelfMetrics } from '../../../lib/self-metrics.ts';
import type { Matcher } from '../../../model/matcher.ts';
import type { SeriesColumns } from '../../../model/sample.ts';
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
import { type CutPosition, syncFolder } from './block-file.ts';
import { IndexCache } from './block-index.ts';
import type { BlockPorts } from './block-reader.ts';
import { cardinalityOf } from './cardinality.ts';
import { type Disk, realDisk } from './disk.ts';
import { type DeletedRange, Gather } from './gather.ts';
import { IncrementalReader } from './incremental-reader.ts';
import { CUT_DELAY_MS, Maintenance } from './maintenance.ts';
import { RawPages } from './raw-pages.ts';
import { replayWal, segmentNumbers } from './replay.ts';
import { Tenant } from './tenant.ts';
import { loadTenant, SMALL_FILES, saveDeleted, saveSmall, writeJson } from './tenant-files.ts';
import { TenantReader } from './tenant-reader.ts';
import { FUTURE_MS_MAX, TenantWriter } from './tenant-writer.ts';
import { segmentName, Wal } from './wal.ts';

/** 2: the log holds sealed chunks, and late samples in records of their own (docs/formats/wal.md). */
export const METRICS_FORMAT = 2;
/** Slice of main-thread work between two turns of the event loop. */
const SLICE_MS = 5;
const MAINTENANCE_MS = 30_000;
/** Series per tenant with ranges that deleteSeries hid and that no merge has removed yet. */
const DELETED_SERIES_MAX = 1_000_000;
/** Indexes of blocks kept in memory; the others are read again when a query needs them. */
const INDEX_CACHE_BYTES = 128 * 1024 * 1024;

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
  /** Bytes of block indexes kept in memory, default 128 MiB. */
  readonly indexCacheBytes?: number;
  /** Length of a log segment, default 256 MiB. */
  readonly segmentBytes?: number;
  /** For tests of failing disks. */
  readonly disk?: Disk;
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
  readonly #upkeep: Maintenance;
  readonly #blockPorts: BlockPorts;
  readonly #cache: IndexCache;
  #timer: Timer | undefined;
  #maintenance: Promise<void> = Promise.resolve();
  #closed = false;
  readonly #halfDeleted = new Set<TenantId>();
  readonly #appended: Family<Counter>;
  readonly #rejected: Family<Counter>;
  readonly #corruptions: Counter;
  /** What the last start found in the log. */
  replay = { records: 0, samples: 0, inChunks: 0, damagedSpans: 0, orphans: 0 };
  /** False beside log segments of format 1: a chunk would hide their late samples at the next start. */
  #logsChunks = true;
  #forgetSizes: (tenant: TenantId) => void = () => {};

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
    const merged = m.counter('vigie_metrics_blocks_merged_total', 'Blocks that became part of a larger one.');
    this.#exposeSizes(m);
    this.#cache = new IndexCache(options.indexCacheBytes ?? INDEX_CACHE_BYTES);
    this.#blockPorts = {
      compile: options.compileMatcher,
      onCorrupt: (message) => this.#corrupt(message),
      cache: this.#cache,
      pacer: () => this.#pacer(),
    };
    this.#upkeep = new Maintenance({
      folder: options.folder,
      blockMs: this.#blockMs,
      clock: options.clock,
      logger: options.logger,
      disk: options.disk ?? realDisk,
      gather: this.#gather,
      blocks: this.#blockPorts,
      quota: options.quota,
      tenants: () => this.#tenants.values(),
      wal: () => this.#wal,
      onMerge: (n) => merged.inc(n),
    });
  }

  #exposeSizes(m: SelfMetrics): void {
    const series = m.gauge('vigie_metrics_head_series', 'Series in memory.', ['tenant']);
    const memory = m.gauge('vigie_metrics_memory_bytes', 'Memory held for a tenant, estimated.', ['tenant']);
    const disk = m.gauge('vigie_metrics_disk_bytes', 'Bytes in blocks of a tenant.', ['tenant']);
    const log = m.gauge('vigie_metrics_wal_bytes', 'Bytes of the write-ahead log on disk.');
    const indexes = m.gauge('vigie_metrics_index_cache_bytes', 'Memory held for indexes of blocks.');
    m.onCollect(() => {
      for (const t of this.#tenants.values()) {
        const stats = this.stats(t.id);
        series.labels(t.id).set(stats.activeSeries);
        memory.labels(t.id).set(stats.memoryBytes);
        disk.labels(t.id).set(stats.diskBytes);
      }
      log.set(folderBytes(path.join(this.#o.folder, 'wal')));
      indexes.set(this.#cache.bytes);
    });
    this.#forgetSizes = (id) => {
      for (const family of [series, memory, disk]) family.remove(id);
    };
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
    for (const name of readdirSync(path.join(folder, 'tenants')))
      loadTenant(this.#tenant(tenantId(name)), path.join(folder, 'tenants', name), this.#blockPorts);
    const report = replayWal({
      folder: walFolder,
      logger,
      tenant: (id) => this.#tenant(tenantId(id)),
      cutAt: (tenant, t) => this.#cutAt(tenant, t),
    });
    this.replay = report;
    this.#logsChunks = report.oldSegments === 0;
    for (const t of this.#tenants.values()) t.head.sealed = this.#logsChunks ? [] : undefined;
    // whose records were lost nobody can tell, so every tenant that was there is told
    for (const t of this.#tenants.values()) t.damage.push(...report.damage);
    if (report.damagedSpans > 0) this.#corruptions.inc(report.damagedSpans);
    this.#wal = new Wal({
      folder: walFolder,
      firstSegment: report.lastSegment + 1,
      sync: this.#o.sync ?? 'interval',
      syncIntervalMs: this.#o.syncIntervalMs ?? 1_000,
      clock: this.#o.clock,
      logger,
      disk: this.#o.disk ?? realDisk,
      ...(this.#o.segmentBytes === undefined ? {} : { segmentBytes: this.#o.segmentBytes }),
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
      reader = new TenantReader(() => this.#tenant(tenant), {
        gather: this.#gather,
        pacer: () => this.#pacer(),
        compile: this.#o.compileMatcher,
        onCorrupt: (message) => this.#corrupt(message),
        shorten: (message) => message.replaceAll(`${this.#o.folder}${path.sep}`, ''),
        oldestMs: () => {
          const { retentionMs } = this.#o.quota(tenant);
          return retentionMs ? this.#o.clock.now() - retentionMs : Number.NEGATIVE_INFINITY;
        },
      });
      this.#readers.set(tenant, reader);
    }
    return reader;
  }

  /** For incremental evaluation of rules: recent samples by series, told once. One reader per evaluator. */
  incremental(tenant: TenantId): IncrementalReader {
    return new IncrementalReader(() => this.#tenant(tenant), {
      gather: this.#gather,
      oldestMs: () => {
        const { retentionMs } = this.#o.quota(tenant);
        return retentionMs ? this.#o.clock.now() - retentionMs : Number.NEGATIVE_INFINITY;
      },
    });
  }

  writer(tenant: TenantId): MetricsWriter {
    let writer = this.#writers.get(tenant);
    if (!writer) {
      const appended = this.#appended.labels(tenant);
      writer = new TenantWriter(() => this.#tenant(tenant), {
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
    const blockMin = t.blocks[0]?.footer.startMs ?? Number.POSITIVE_INFINITY;
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
    // samples that come later are new ones and must not be hidden; a block may end in the future
    const inBlocks = Math.min(this.#o.clock.now(), Math.max(...t.blocks.map((b) => b.footer.endMs - 1)));
    const newest = Math.max(t.head.maxTimeMs, inBlocks);
    const cut = { startMs: range.startMs, endMs: Math.min(range.endMs, newest) };
    const found = await this.reader(tenant).select(matchers, cut);
    if (t.deleted.size + found.length > DELETED_SERIES_MAX)
      throw new VigieError(
        'too_large',
        `${found.length} more series with deleted ranges exceed the limit of ${DELETED_SERIES_MAX}; clean tombstones first`,
      );
    for (const s of found) t.deleted.set(s.labels.key, joined([...(t.deleted.get(s.labels.key) ?? []), cut]));
    await this.#exclusive(() => saveDeleted(t, this.#tenantFolder(tenant)));
  }

  /** Removes deleted samples from the blocks on disk; those in memory follow when they are cut. */
  cleanTombstones(tenant: TenantId): Promise<void> {
    return this.#exclusive(() => this.#upkeep.cleanDeleted(this.#tenant(tenant)));
  }

  /** Puts old series into blocks of their own, beside what is there. Throws `bad_data` for times that do not ascend. */
  async importSeries(
    tenant: TenantId,
    series: readonly SeriesColumns[],
  ): Promise<{ readonly series: number; readonly samples: number; readonly skipped: number; readonly blocks: number }> {
    for (const s of series)
      for (let i = 1; i < s.length; i++)
        if (!(s.timestamps[i]! > s.timestamps[i - 1]!))
          throw new VigieError(
            'bad_data',
            `${s.labels}: ${s.timestamps[i]} does not come after ${s.timestamps[i - 1]}`,
          );
    const now = this.#o.clock.now();
    const { retentionMs } = this.#o.quota(tenant);
    let result = { series: 0, samples: 0, skipped: 0, blocks: 0 };
    await this.#exclusive(async () => {
      const oldest = retentionMs ? now - retentionMs : 0;
      result = await this.#upkeep.importSeries(this.#tenant(tenant), series, oldest, now + FUTURE_MS_MAX);
    });
    return result;
  }

  async deleteTenant(tenant: TenantId): Promise<void> {
    await this.#exclusive(async () => {
      const t = this.#tenants.get(tenant);
      if (!t && !this.#halfDeleted.has(tenant)) return;
      // when the disk refuses half-way, a second call finishes the work
      this.#halfDeleted.add(tenant);
      if (t) {
        // out of sight first: what is written to the id from now on is another tenant's life
        this.#tenants.delete(tenant);
        t.head.dispose();
        const blocks = t.blocks;
        t.blocks = [];
        for (const b of blocks) await b.retire({ unlink: true });
      }
      await rm(this.#tenantFolder(tenant), { recursive: true, force: true });
      await syncFolder(path.join(this.#o.folder, 'tenants'));
      await this.#wal.roll();
      const first = this.#wal.segment;
      const active = this.#o.clock.now() - CUT_DELAY_MS;
      // the others' samples leave the log for blocks, then the log that still names the tenant goes
      for (const other of this.#tenants.values()) {
        for (const w of [...other.head.frozen, ...other.head.windows.values()])
          await this.#upkeep.cut(other, w, active);
        await saveSmall(other, this.#tenantFolder(other.id));
      }
      for (const n of segmentNumbers(path.join(this.#o.folder, 'wal')))
        if (n < first) await unlink(path.join(this.#o.folder, 'wal', segmentName(n)));
      this.#halfDeleted.delete(tenant);
      this.#appended.remove(tenant);
      this.#forgetSizes(tenant);
    });
  }

  async snapshot(folder: string): Promise<void> {
    if (existsSync(folder)) throw new VigieError('conflict', `${folder} exists already; a snapshot wants a new folder`);
    const partial = `${folder}.partial`;
    await this.#exclusive(async () => {
      try {
        await rm(partial, { recursive: true, force: true });
        await this.#copyTo(partial);
        await rename(partial, folder);
        await syncFolder(path.dirname(folder));
      } catch (error) {
        await rm(partial, { recursive: true, force: true }).catch(() => {});
        throw error instanceof VigieError
          ? error
          : new VigieError('storage', `cannot write the snapshot ${folder}: ${messageOf(error)}`, { cause: error });
      }
    });
  }

  async #copyTo(folder: string): Promise<void> {
    for (const t of this.#tenants.values()) await saveSmall(t, this.#tenantFolder(t.id));
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
      for (const name of SMALL_FILES) {
        const from = path.join(this.#tenantFolder(t.id), name);
        if (existsSync(from)) await copyFile(from, path.join(to, name));
      }
      await syncFolder(path.join(to, 'blocks'));
      await syncFolder(to);
    }
    for (const name of ['wal', 'tenants'])
      if (existsSync(path.join(folder, name))) await syncFolder(path.join(folder, name));
    await syncFolder(folder);
  }

  sync(): Promise<void> {
    return this.#wal.sync();
  }

  /** Cuts due windows into blocks, merges blocks, drops what is out of retention and log segments no longer needed. */
  maintain(options: { readonly all?: boolean } = {}): Promise<void> {
    return this.#exclusive(() => this.#upkeep.round(options.all === true));
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
      // what the replay itself seals is in the log already, sample by sample
      if (this.#wal && this.#logsChunks) t.head.sealed = [];
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

  #cutAt(tenant: Tenant, t: number): CutPosition | undefined {
    let best: CutPosition | undefined;
    for (const { footer } of tenant.blocks) {
      if (t < footer.startMs || t >= footer.endMs) continue;
      const c = footer.cut;
      if (!best || c.segment > best.segment || (c.segment === best.segment && c.offset > best.offset)) best = c;
    }
    return best;
  }
}

/** Ranges in order, overlapping ones made one. */
function joined(ranges: readonly DeletedRange[]): DeletedRange[] {
  const out: { startMs: number; endMs: number }[] = [];
  for (const r of [...ranges].sort((a, b) => a.startMs - b.startMs)) {
    const last = out.at(-1);
    if (last && r.startMs <= last.endMs + 1) last.endMs = Math.max(last.endMs, r.endMs);
    else out.push({ ...r });
  }
  return out;
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
  // what format 1 wrote is read as it is and never rewritten, so there is nothing to copy first
  if (found < METRICS_FORMAT) await writeJson(file, { metrics: METRICS_FORMAT });
}

/** Bytes of a store's folder on disk. */
export function folderBytes(folder: string): number {
  let sum = 0;
  for (const e of readdirSync(folder, { withFileTypes: true, recursive: true }))
    if (e.isFile()) sum += statSync(path.join(e.parentPath, e.name)).size;
  return sum;
}
