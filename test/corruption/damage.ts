/**
 * Builds a store with log and blocks, damages copies of it at chosen or random places, opens them and judges: nothing
 * served that was not written, nothing lost but what the damage touched, and what is lost is counted and named.
 */
import { cpSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { messageOf } from '../../src/lib/errors.ts';
import { SelfMetrics } from '../../src/lib/self-metrics.ts';
import type { SeriesColumns } from '../../src/model/sample.ts';
import { tenantId } from '../../src/model/tenant.ts';
import { readFooter } from '../../src/store/embedded/metrics/block-file.ts';
import { readSegment } from '../../src/store/embedded/metrics/wal-read.ts';
import { ANY_SERIES, EVERYTHING, openStore, sample, T0 } from '../support/metrics-store.ts';

const TENANTS = ['a', 'b'];
const SERIES = 6;
const BLOCK_ROUNDS = 260;
/** Enough for one sealed chunk a series in the log, and samples after it. */
const LOG_ROUNDS = 150;
/** Value of series i at a round: any other pair of time and value was never written. */
const valueAt = (i: number, round: number): number => i * 1_000_000 + round * 1.5;
const timeAt = (round: number): number => T0 + round * 10_000;

/** Writes the folder that is damaged: two blocks a tenant, a log with one record a round and tenant. */
export async function buildStore(folder: string): Promise<void> {
  await using store = await openStore(folder);
  const write = async (from: number, to: number): Promise<void> => {
    for (let round = from; round < to; round++)
      for (const t of TENANTS)
        await store
          .writer(tenantId(t))
          .appendSamples(
            Array.from({ length: SERIES }, (_, i) =>
              sample('m', timeAt(round), valueAt(i, round), { i: String(i), t, pad: 'x'.repeat(30) }),
            ),
          );
  };
  await write(0, BLOCK_ROUNDS / 2);
  await store.maintain({ all: true });
  await write(BLOCK_ROUNDS / 2, BLOCK_ROUNDS);
  await store.maintain({ all: true });
  await write(BLOCK_ROUNDS, BLOCK_ROUNDS + LOG_ROUNDS);
}

export interface Verdict {
  readonly problems: string[];
  readonly served: number;
  readonly lost: number;
  readonly corruptions: number;
  readonly warnings: readonly string[];
}

export const WRITTEN = TENANTS.length * SERIES * (BLOCK_ROUNDS + LOG_ROUNDS);

/** Opens a damaged folder and reads all of it. */
export async function judge(folder: string): Promise<Verdict> {
  const problems: string[] = [];
  const metrics = new SelfMetrics();
  const warnings: string[] = [];
  let served = 0;
  try {
    await using store = await openStore(folder, { metrics });
    for (const t of TENANTS) {
      const found: readonly SeriesColumns[] = await store
        .reader(tenantId(t))
        .select(ANY_SERIES, EVERYTHING, { warn: (w) => warnings.push(w) });
      const seen = new Set<string>();
      for (const s of found) {
        const i = Number(s.labels.get('i'));
        if (s.labels.get('t') !== t || !(i >= 0 && i < SERIES) || s.labels.size !== 4 || seen.has(s.labels.key))
          problems.push(`tenant ${t} was served ${s.labels}`);
        seen.add(s.labels.key);
        for (let k = 0; k < s.length; k++) {
          const round = (s.timestamps[k]! - T0) / 10_000;
          if (!Number.isInteger(round) || s.values[k] !== valueAt(i, round))
            problems.push(`${s.labels}: ${s.values[k]} at ${s.timestamps[k]} was never written`);
          if (k > 0 && s.timestamps[k]! <= s.timestamps[k - 1]!) problems.push(`${s.labels}: times do not ascend`);
          served++;
        }
      }
    }
    // the store goes on working on what is left
    const r = await store.writer(tenantId('a')).appendSamples([sample('later', timeAt(1_000) - 6_400_000, 1)]);
    if (r.samplesAccepted !== 1) problems.push(`a new sample is refused: ${r.examples.join()}`);
    await store.maintain({ all: true });
  } catch (error) {
    problems.push(`opening or reading failed: ${messageOf(error)}`);
  }
  const corruptions = Number(/^vigie_metrics_corruptions_total (\d+)$/m.exec(metrics.expose())?.[1] ?? 0);
  return { problems, served, lost: WRITTEN - served, corruptions, warnings };
}

export interface Target {
  readonly file: string;
  readonly size: number;
  readonly kind: 'log' | 'block';
}

/** The files whose damage is judged, relative to the folder. */
export function targets(folder: string): Target[] {
  const out: Target[] = [];
  for (const e of readdirSync(folder, { withFileTypes: true, recursive: true })) {
    if (!e.isFile()) continue;
    const file = path.relative(folder, path.join(e.parentPath, e.name));
    const kind = file.endsWith('.wal') ? 'log' : file.endsWith('.blk') ? 'block' : undefined;
    if (kind) out.push({ file, size: statSync(path.join(folder, file)).size, kind });
  }
  return out.sort((a, b) => (a.file < b.file ? -1 : 1));
}

/** Bytes where the parts of a file end: records of a log; chunks' area, index and footer of a block. */
export function boundaries(folder: string, target: Target): number[] {
  const file = path.join(folder, target.file);
  if (target.kind === 'log') {
    const out: number[] = [];
    readSegment(file, (r) => void out.push(r.offset));
    return [...out, target.size];
  }
  const bytes = readFileSync(file);
  const footer = readFooter(bytes.subarray(bytes.length - 64), file);
  return [0, footer.indexAt, footer.indexAt + footer.indexBytes, target.size];
}

/** Copies the folder and applies `change` to one file's bytes. */
export function damagedCopy(from: string, to: string, file: string, change: (bytes: Buffer) => Buffer): void {
  cpSync(from, to, { recursive: true });
  writeFileSync(path.join(to, file), change(readFileSync(path.join(to, file))));
}

/** Samples that one part of a file holds: the most that damage in that part may cost. */
export function lossMax(folder: string, target: Target, offset: number): number {
  if (target.kind === 'block') {
    const bytes = readFileSync(path.join(folder, target.file));
    const footer = readFooter(bytes.subarray(bytes.length - 64), target.file);
    // a chunk holds at most 120 samples; index and footer take the whole block with them
    return offset < footer.indexAt ? 120 : SERIES * (BLOCK_ROUNDS / 2);
  }
  let type = 0;
  let samples = 0;
  readSegment(path.join(folder, target.file), (r) => {
    if (r.offset > offset) return;
    type = r.type;
    samples = (r.words.length - 2) / 4;
  });
  // a record of samples loses its samples; what names tenants and series stands in two places
  return type === 3 ? samples : 0;
}
