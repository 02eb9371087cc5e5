/**
 * Plays the WAL back into the heads at start: each intact record once, damage counted and named. Synchronous. It goes
 * through the log twice: definitions and sealed chunks first, for they stand behind the samples that need them; then the
 * samples, of which those that a chunk holds are passed over.
 */
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { messageOf, VigieError } from '../../../lib/errors.ts';
import type { Logger } from '../../../lib/logger.ts';
import { tenantId } from '../../../model/tenant.ts';
import type { CutPosition } from './block-file.ts';
import { KeyCache } from './key-cache.ts';
import {
  histogramAt,
  labelsAt,
  metadataAt,
  RECORD_CHUNKS,
  RECORD_EXEMPLAR,
  RECORD_HISTOGRAM,
  RECORD_LATE,
  RECORD_METADATA,
  RECORD_SAMPLES,
  RECORD_SERIES,
  RECORD_TENANT,
  textAt,
  timeAt,
} from './records.ts';
import { ReplayChunks } from './replay-chunks.ts';
import { NO_SERIES } from './series-index.ts';
import type { Tenant } from './tenant.ts';
import { segmentName, WAL_MAGIC, WAL_VERSION } from './wal.ts';
import { readSegment, type SegmentReport, type WalRecord, walkSegment } from './wal-read.ts';

export interface DamagedSpan {
  readonly message: string;
  /** Times of samples in the same segment: the lost ones lie among them, as far as one can know. */
  readonly startMs: number;
  readonly endMs: number;
}

export interface ReplayReport {
  readonly lastSegment: number;
  readonly records: number;
  readonly samples: number;
  /** Of `samples`, those that came in sealed chunks. */
  readonly inChunks: number;
  readonly damagedSpans: number;
  /** Samples whose series record was damaged. */
  readonly orphans: number;
  /** Segments of version 1, where late samples stand among the others: beside them no chunks may be logged. */
  readonly oldSegments: number;
  readonly damage: readonly DamagedSpan[];
}

export interface ReplayPorts {
  readonly folder: string;
  readonly logger: Logger;
  readonly tenant: (id: string) => Tenant;
  /** How far the blocks of a tenant already hold the window of `t`; undefined: not at all. */
  readonly cutAt: (tenant: Tenant, t: number) => CutPosition | undefined;
}

/** Numbers of existing segments, ascending. */
export function segmentNumbers(folder: string): number[] {
  return readdirSync(folder)
    .map((f) => /^(\d{8})\.wal$/.exec(f)?.[1])
    .filter((n) => n !== undefined)
    .map(Number)
    .sort((a, b) => a - b);
}

/** More series than one segment can define: 4 GiB of records. */
const SERIES_NUMBER_MAX = 2 ** 27;
/** Damaged spans that are named in answers; all are counted and logged. */
const DAMAGE_MAX = 100;

/** What is remembered of a tenant over all segments. */
interface Memory {
  readonly tenant: Tenant;
  readonly chunks: ReplayChunks;
  /** Refs by the bytes of their definition: each segment repeats them. */
  readonly definitions: KeyCache;
  /** The entry found last: definitions come in the same order again and again. */
  previous: number;
}

interface Known {
  readonly memory: Memory;
  /** Ref of each series number of the segment, NO_SERIES for unknown. */
  refs: Uint32Array<ArrayBuffer>;
}

interface Segment {
  readonly number: number;
  readonly file: string;
  readonly report: SegmentReport;
  /** By the tenant's number in the segment. */
  readonly known: ReadonlyMap<number, Known>;
  /** What to say about records that are lost. */
  readonly lost: string[];
}

export function replayWal(ports: ReplayPorts): ReplayReport {
  const numbers = segmentNumbers(ports.folder);
  const replay = new Replay(ports);
  const segments = numbers.map((n) => replay.define(n));
  for (const s of segments) replay.apply(s);
  replay.finish();
  const { records, samples, inChunks, damagedSpans, orphans, oldSegments, damage } = replay;
  if (orphans > 0) ports.logger.warn('samples whose series record is damaged are left out', { samples: orphans });
  return { lastSegment: numbers.at(-1) ?? 0, records, samples, inChunks, damagedSpans, orphans, oldSegments, damage };
}

class Replay {
  readonly #ports: ReplayPorts;
  readonly #memories = new Map<Tenant, Memory>();
  records = 0;
  samples = 0;
  inChunks = 0;
  damagedSpans = 0;
  orphans = 0;
  oldSegments = 0;
  readonly damage: DamagedSpan[] = [];

  constructor(ports: ReplayPorts) {
    this.#ports = ports;
  }

  /** First pass over a segment: tenants, series, chunks. */
  define(number: number): Segment {
    const file = path.join(this.#ports.folder, segmentName(number));
    const known = new Map<number, Known>();
    const lost: string[] = [];
    const report = readSegment(file, (r) => {
      if (r.type === WAL_MAGIC) {
        if (r.tenant < WAL_VERSION) this.oldSegments++;
      } else if (r.type === RECORD_TENANT || r.type === RECORD_SERIES || r.type === RECORD_CHUNKS)
        this.#guarded(r, file, lost, () => this.#define(r, number, known));
    });
    this.records += report.records;
    return { number, file, report, known, lost };
  }

  /** Second pass: everything else, and what is to be said about damage. */
  apply(s: Segment): void {
    const { file, report, lost } = s;
    const { logger } = this.#ports;
    const orphansBefore = this.orphans;
    walkSegment(file, report, (r) => {
      if (r.type === RECORD_TENANT || r.type === RECORD_SERIES || r.type === RECORD_CHUNKS || r.type === WAL_MAGIC)
        return;
      this.#guarded(r, file, lost, () => {
        const n = this.#apply(r, s);
        if (n >= 0) this.samples += n;
        else this.orphans -= n;
      });
    });
    for (const d of report.damaged) {
      this.damagedSpans++;
      lost.push(`${file} is damaged from byte ${d.from} to ${d.to}; the records there are lost`);
      logger.warn('damage within the metrics log: records in this span are lost', { file, from: d.from, to: d.to });
    }
    const orphans = this.orphans - orphansBefore;
    if (orphans > 0) lost.push(`${orphans} samples of ${file} are left out, for the record of their series is damaged`);
    if (report.tailDamaged) {
      this.damagedSpans++;
      lost.push(`${file} is damaged from byte ${report.goodBytes} to its end; the records there are lost`);
    }
    if (lost.length > 0 && this.damage.length < DAMAGE_MAX) {
      const [startMs, endMs] = timesIn(s);
      for (const message of lost.slice(0, DAMAGE_MAX - this.damage.length))
        this.damage.push({ message, startMs, endMs });
    }
    if (report.tornBytes > 0)
      logger.info('the metrics log ends within a record; the rest is cut', { file, bytes: report.tornBytes });
  }

  finish(): void {
    for (const m of this.#memories.values()) {
      m.chunks.finish();
      this.inChunks += m.chunks.inChunks;
    }
  }

  #guarded(r: WalRecord, file: string, lost: string[], work: () => void): void {
    try {
      work();
    } catch (error) {
      this.damagedSpans++;
      lost.push(`the record at byte ${r.offset} of ${file} makes no sense and is left out`);
      this.#ports.logger.warn('a record of the metrics log makes no sense and is left out', {
        file,
        offset: r.offset,
        error: messageOf(error),
      });
    }
  }

  #define(r: WalRecord, segment: number, known: Map<number, Known>): void {
    if (r.type === RECORD_TENANT) {
      if (known.has(r.tenant)) return;
      const tenant = this.#ports.tenant(tenantId(textAt(r.bytes, 0)));
      let memory = this.#memories.get(tenant);
      if (!memory) {
        memory = {
          tenant,
          chunks: new ReplayChunks(tenant.head),
          definitions: new KeyCache(),
          previous: NO_SERIES,
        };
        this.#memories.set(tenant, memory);
      }
      known.set(r.tenant, { memory, refs: new Uint32Array(0) });
      return;
    }
    const k = known.get(r.tenant);
    if (!k) return;
    if (r.type === RECORD_SERIES) defineSeries(r, k);
    else this.#chunks(r, segment, k);
  }

  #chunks(r: WalRecord, segment: number, { memory, refs }: Known): void {
    const { words } = r;
    const bytes = Uint8Array.from(r.bytes);
    const { tenant, chunks } = memory;
    for (let w = 0; w < words.length; ) {
      const ref = refs[words[w]!] ?? NO_SERIES;
      const minT = timeAt(words, w + 1);
      const size = words[w + 4]!;
      const at = 4 * w + 20;
      if (!(at + size <= bytes.length)) throw new VigieError('corrupt', 'a log record ends early');
      // a chunk without a known series is no loss: its samples are there, too
      if (ref !== NO_SERIES && !this.#inBlock(tenant, minT, segment, r.offset))
        chunks.add(ref, minT, minT + words[w + 3]!, bytes, at, size);
      w += 5 + ((size + 3) >>> 2);
    }
  }

  /** True when a block has what was logged there for the time. */
  #inBlock(tenant: Tenant, t: number, segment: number, offset: number): boolean {
    if (tenant.blocks.length === 0) return false;
    const cut = this.#ports.cutAt(tenant, t);
    return cut !== undefined && (segment < cut.segment || (segment === cut.segment && offset < cut.offset));
  }

  /** Answers the samples applied, or, below zero, that a definition is missing: minus the samples that wait for it. */
  #apply(r: WalRecord, segment: Segment): number {
    const known = segment.known.get(r.tenant);
    const { words } = r;
    const isFloats = r.type === RECORD_SAMPLES || r.type === RECORD_LATE;
    if (!known) return isFloats ? -(words.length - 2) / 4 : -1;
    const { tenant, chunks } = known.memory;
    const { head } = tenant;
    head.segment = segment.number;
    if (isFloats) return this.#floats(r, words, known, segment.number);
    if (r.type === RECORD_METADATA) {
      tenant.addMetadata(metadataAt(r.bytes));
      return 0;
    }
    if (r.type !== RECORD_HISTOGRAM && r.type !== RECORD_EXEMPLAR) return 0;
    const ref = known.refs[words[0]!] ?? NO_SERIES;
    if (ref === NO_SERIES) return -1;
    const t = timeAt(words, 1);
    if (r.type === RECORD_EXEMPLAR) {
      tenant.addExemplar(head.index.labels(ref), {
        timestampMs: t,
        value: timeAt(words, 3),
        labels: labelsAt(r.bytes, 20),
      });
      return 0;
    }
    if (this.#inBlock(tenant, t, segment.number, r.offset)) return 1;
    chunks.reach(ref, t);
    chunks.flush();
    head.appendHistogram(ref, t, histogramAt(r.bytes, 12), Number.POSITIVE_INFINITY, 0, () => true);
    return 1;
  }

  #floats(r: WalRecord, words: Uint32Array, { memory, refs }: Known, segment: number): number {
    const { tenant, chunks } = memory;
    const base = timeAt(words, 0);
    if (r.type === RECORD_SAMPLES && !holdsAny(tenant, words)) {
      const lost = chunks.floats(words, base, refs);
      return lost > 0 ? -lost : (words.length - 2) / 4;
    }
    let lost = 0;
    let lastMs = Number.NaN;
    let skip = false;
    const one = new Uint32Array(6);
    for (let i = 2; i + 4 <= words.length; i += 4) {
      const ref = refs[words[i]!] ?? NO_SERIES;
      const t = base + (words[i + 1]! | 0);
      if (t !== lastMs) skip = this.#inBlock(tenant, (lastMs = t), segment, r.offset);
      if (ref === NO_SERIES) lost++;
      else if (skip) continue;
      else if (r.type === RECORD_LATE) {
        chunks.reach(ref, t);
        chunks.flush();
        tenant.head.append(ref, Float64Array.of(t), words.slice(i + 2, i + 4), 0, Number.POSITIVE_INFINITY, 0);
      } else {
        one.set(words.subarray(i, i + 4), 2);
        chunks.floats(one, base, refs);
      }
    }
    return lost > 0 ? -lost : (words.length - 2) / 4;
  }
}

/** First and last time of the samples in a record of floats, ms. */
function timesOf(words: Uint32Array): readonly [number, number] {
  const base = timeAt(words, 0);
  let [from, to] = [base, base];
  for (let i = 3; i < words.length; i += 4) {
    const t = base + (words[i]! | 0);
    if (t < from) from = t;
    else if (t > to) to = t;
  }
  return [from, to];
}

/** The same of a whole segment. Asked for only when something in it is lost, for it takes as long as replaying. */
function timesIn({ file, report, known }: Segment): readonly [number, number] {
  let [from, to] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  walkSegment(file, report, (r) => {
    if ((r.type !== RECORD_SAMPLES && r.type !== RECORD_LATE) || !known.has(r.tenant)) return;
    const [first, last] = timesOf(r.words);
    if (first < from) from = first;
    if (last > to) to = last;
  });
  return [from, to];
}

/** True when blocks of the tenant may hold samples of the record. */
function holdsAny(tenant: Tenant, words: Uint32Array): boolean {
  if (tenant.blocks.length === 0) return false;
  const [from, to] = timesOf(words);
  return tenant.blocks.some((b) => b.footer.startMs <= to && b.footer.endMs > from);
}

/** Series of a record: number, then labels; what is known by its bytes is not parsed again. */
function defineSeries(r: WalRecord, known: Known): void {
  const { memory } = known;
  const { words, bytes } = r;
  const { index } = memory.tenant.head;
  let view: DataView | undefined;
  for (let w = 0; w < words.length; ) {
    const id = words[w]!;
    const from = 4 * w + 8;
    const length = words[w + 1]!;
    if (!(from + length <= bytes.length)) throw new VigieError('corrupt', 'a log record ends early');
    w += 2 + ((length + 3) >>> 2);
    if ((known.refs[id] ?? NO_SERIES) !== NO_SERIES) continue;
    if (id >= known.refs.length) {
      if (id > SERIES_NUMBER_MAX) throw new VigieError('corrupt', `a series has the number ${id}`);
      const refs = new Uint32Array(Math.max(1024, id + 1, known.refs.length * 2)).fill(NO_SERIES);
      refs.set(known.refs);
      known.refs = refs;
    }
    view ??= new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const { definitions } = memory;
    let entry = definitions.find(memory.previous, bytes, view, from, from + length);
    if (entry === NO_SERIES) {
      const labels = labelsAt(bytes, from - 4);
      let ref = index.find(labels);
      if (ref === NO_SERIES) ref = memory.tenant.head.addSeries(labels);
      entry = definitions.add(memory.previous, bytes, from, from + length, ref);
    }
    memory.previous = entry;
    known.refs[id] = definitions.ref(entry);
  }
}
