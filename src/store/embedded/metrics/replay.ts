/** Brings the WAL back into the heads at start: each intact record once, damage counted and named. Synchronous. */
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { messageOf } from '../../../lib/errors.ts';
import type { Logger } from '../../../lib/logger.ts';
import { tenantId } from '../../../model/tenant.ts';
import type { CutPosition } from './block-file.ts';
import {
  histogramAt,
  labelsAt,
  metadataAt,
  RECORD_EXEMPLAR,
  RECORD_HISTOGRAM,
  RECORD_METADATA,
  RECORD_SAMPLES,
  RECORD_SERIES,
  RECORD_TENANT,
  textAt,
  timeAt,
} from './records.ts';
import { NO_SERIES } from './series-index.ts';
import type { Tenant } from './tenant.ts';
import { WAL_MAGIC } from './wal.ts';
import { readSegment, type WalRecord } from './wal-read.ts';

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
  readonly damagedSpans: number;
  /** Samples whose series record was damaged. */
  readonly orphans: number;
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

/** Damaged spans that are named in answers; all are counted and logged. */
const DAMAGE_MAX = 100;

/** Records of one segment that wait for the copy of a damaged definition. */
const WAITING_BYTES_MAX = 256 * 1024 * 1024;

interface Known {
  readonly tenant: Tenant;
  /** Ref of each series number of the segment. */
  readonly refs: number[];
}

export function replayWal(ports: ReplayPorts): ReplayReport {
  const segments = segmentNumbers(ports.folder);
  let records = 0;
  let samples = 0;
  let damagedSpans = 0;
  let orphans = 0;
  const damage: DamagedSpan[] = [];
  for (const segment of segments) {
    const file = path.join(ports.folder, `${String(segment).padStart(8, '0')}.wal`);
    const known = new Map<number, Known>();
    const span = { from: Number.POSITIVE_INFINITY, to: Number.NEGATIVE_INFINITY };
    const lost: string[] = [];
    const orphansBefore = orphans;
    const waiting: WalRecord[] = [];
    let waitingBytes = 0;
    const take = (r: WalRecord, last: boolean): void => {
      try {
        const n = apply(r, segment, known, span, ports);
        if (n >= 0) samples += n;
        else if (last || waitingBytes > WAITING_BYTES_MAX) orphans -= n;
        else {
          // its definition is damaged here; the copy stands further on
          const bytes = Uint8Array.from(r.bytes);
          waiting.push({ ...r, bytes, words: new Uint32Array(bytes.buffer) });
          waitingBytes += bytes.length;
        }
      } catch (error) {
        damagedSpans++;
        lost.push(`the record at byte ${r.offset} of ${file} makes no sense and is left out`);
        ports.logger.warn('a record of the metrics log makes no sense and is left out', {
          file,
          offset: r.offset,
          error: messageOf(error),
        });
      }
    };
    const report = readSegment(file, (r) => take(r, false));
    for (const r of waiting) take(r, true);
    records += report.records;
    for (const d of report.damaged) {
      damagedSpans++;
      lost.push(`${file} is damaged from byte ${d.from} to ${d.to}; the records there are lost`);
      ports.logger.warn('damage within the metrics log: records in this span are lost', {
        file,
        from: d.from,
        to: d.to,
      });
    }
    if (orphans > orphansBefore)
      lost.push(
        `${orphans - orphansBefore} samples of ${file} are left out, for the record of their series is damaged`,
      );
    if (report.tailDamaged) {
      damagedSpans++;
      lost.push(`${file} is damaged from byte ${report.goodBytes} to its end; the records there are lost`);
    }
    for (const message of lost)
      if (damage.length < DAMAGE_MAX) damage.push({ message, startMs: span.from, endMs: span.to });
    if (report.tornBytes > 0)
      ports.logger.info('the metrics log ends within a record; the rest is cut', { file, bytes: report.tornBytes });
  }
  if (orphans > 0) ports.logger.warn('samples whose series record is damaged are left out', { samples: orphans });
  return { lastSegment: segments.at(-1) ?? 0, records, samples, damagedSpans, orphans, damage };
}

/** Answers the samples applied, or, below zero, that a definition is missing: minus the samples that wait for it. */
function apply(
  r: WalRecord,
  segment: number,
  tenants: Map<number, Known>,
  span: { from: number; to: number },
  ports: ReplayPorts,
): number {
  if (r.type === RECORD_TENANT) {
    if (tenants.has(r.tenant)) return 0;
    tenants.set(r.tenant, { tenant: ports.tenant(tenantId(textAt(r.bytes, 0))), refs: [] });
    return 0;
  }
  const known = tenants.get(r.tenant);
  const { words } = r;
  if (!known) return r.type === RECORD_SAMPLES ? -(words.length - 2) / 4 : r.type === WAL_MAGIC ? 0 : -1;
  const { tenant, refs } = known;
  const head = tenant.head;
  head.segment = segment;
  /** True when a block has it already. */
  const inBlock = (t: number): boolean => {
    const cut = ports.cutAt(tenant, t);
    return cut !== undefined && (segment < cut.segment || (segment === cut.segment && r.offset < cut.offset));
  };
  switch (r.type) {
    case RECORD_SERIES: {
      if (refs[words[0]!] !== undefined) return 0;
      const labels = labelsAt(r.bytes, 4);
      let ref = head.index.find(labels);
      if (ref === NO_SERIES) ref = head.addSeries(labels);
      refs[words[0]!] = ref;
      return 0;
    }
    case RECORD_SAMPLES: {
      const base = timeAt(words, 0);
      const offsets = new Int32Array(words.buffer, words.byteOffset, words.length);
      let lost = 0;
      let windowMs = Number.NaN;
      let skip = false;
      for (let i = 2; i + 4 <= words.length; i += 4) {
        const ref = refs[words[i]!];
        const t = base + offsets[i + 1]!;
        if (t !== windowMs) {
          windowMs = t;
          if (t < span.from) span.from = t;
          if (t > span.to) span.to = t;
          skip = tenant.blocks.length > 0 && inBlock(t);
        }
        if (ref === undefined) lost++;
        else if (!skip) head.append(ref, t, words[i + 2]!, words[i + 3]!, Number.POSITIVE_INFINITY, 0);
      }
      return lost > 0 ? -lost : (words.length - 2) / 4;
    }
    case RECORD_HISTOGRAM: {
      const ref = refs[words[0]!];
      const t = timeAt(words, 1);
      if (ref === undefined) return -1;
      if (!inBlock(t)) head.appendHistogram(ref, t, histogramAt(r.bytes, 12), Number.POSITIVE_INFINITY, 0, () => true);
      return 1;
    }
    case RECORD_EXEMPLAR: {
      const ref = refs[words[0]!];
      if (ref === undefined) return -1;
      tenant.addExemplar(head.index.labels(ref), {
        timestampMs: timeAt(words, 1),
        value: timeAt(words, 3),
        labels: labelsAt(r.bytes, 20),
      });
      return 0;
    }
    case RECORD_METADATA:
      tenant.addMetadata(metadataAt(r.bytes));
      return 0;
    default:
      return 0;
  }
}
