/**
 * A copy of everything as one set: a data folder of its own, below `snapshots/`, that a Vigie can be started on. Each
 * store copies itself consistently; alerting's logs may end in a torn record, which opening cuts off, as after a crash.
 */
import { existsSync, writeFileSync } from 'node:fs';
import { cp, mkdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { messageOf, VigieError } from '../lib/errors.ts';
import type { DocumentStore } from '../store/documents.ts';
import type { MetricsStore } from '../store/metrics.ts';
import { STORE_FORMATS } from './data-folder.ts';

/** Stores that are plain files and are copied as they are. */
const FILE_STORES = ['alerting', 'detectors'] as const;

export interface SnapshotInput {
  readonly dataFolder: string;
  readonly store: MetricsStore;
  readonly documents: DocumentStore;
  /** False where documents live in PostgreSQL, which has pg_dump. */
  readonly documentsEmbedded: boolean;
  /** False where another program keeps the metrics. */
  readonly metricsEmbedded: boolean;
}

/** Writes `<data folder>/snapshots/<name>`; it has that name only once it is whole. Throws `storage`. */
export async function takeSnapshot(input: SnapshotInput, name: string): Promise<string> {
  const final = path.join(input.dataFolder, 'snapshots', name);
  const folder = `${final}.tmp`;
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    // documents first: what they say about metrics (state of rules) is then never newer than the metrics
    if (input.documentsEmbedded) {
      await mkdir(path.join(folder, 'documents'));
      await input.documents.snapshot(path.join(folder, 'documents', 'documents.sqlite'));
    }
    for (const store of FILE_STORES) {
      const source = path.join(input.dataFolder, store);
      if (existsSync(source)) await cp(source, path.join(folder, store), { recursive: true });
    }
    if (input.metricsEmbedded) await input.store.snapshot(path.join(folder, 'metrics'));
    writeFileSync(path.join(folder, 'FORMAT'), `${JSON.stringify(STORE_FORMATS)}\n`);
    await rename(folder, final);
  } catch (cause) {
    await rm(folder, { recursive: true, force: true }).catch(() => undefined);
    throw cause instanceof VigieError
      ? cause
      : new VigieError('storage', `the snapshot could not be written: ${messageOf(cause)}`, { cause });
  }
  return final;
}
