/**
 * The files of one tenant beside its blocks: deleted ranges, metadata and exemplars as JSON, written atomically; and the
 * opening of its blocks at start. What cannot be read is named and left out.
 */
import { existsSync, readdirSync, readFileSync, unlinkSync } from 'node:fs';
import { mkdir, open, rename } from 'node:fs/promises';
import path from 'node:path';
import { messageOf, VigieError } from '../../../lib/errors.ts';
import { Labels } from '../../../model/labels.ts';
import type { MetricMetadata } from '../../../model/sample.ts';
import { syncFolder } from './block-file.ts';
import { type BlockPorts, BlockReader } from './block-reader.ts';
import type { Tenant } from './tenant.ts';

export const SMALL_FILES = ['deleted.json', 'metadata.json', 'exemplars.json'] as const;

/** Opens what the folder of a tenant holds. Throws `format_newer`. */
export function loadTenant(t: Tenant, folder: string, ports: BlockPorts): void {
  const blocksFolder = path.join(folder, 'blocks');
  const blocks: BlockReader[] = [];
  for (const name of existsSync(blocksFolder) ? readdirSync(blocksFolder) : []) {
    const file = path.join(blocksFolder, name);
    if (name.endsWith('.tmp')) unlinkSync(file);
    if (!name.endsWith('.blk')) continue;
    try {
      blocks.push(BlockReader.open(file, ports));
    } catch (error) {
      if (!(error instanceof VigieError) || error.code !== 'corrupt') throw error;
      const message = `${error.message}; the block is left out`;
      const [, start, end] = /^(-?\d+)-(-?\d+)-/.exec(name) ?? [];
      t.damage.push({
        message,
        startMs: start === undefined ? Number.NEGATIVE_INFINITY : Number(start),
        endMs: end === undefined ? Number.POSITIVE_INFINITY : Number(end) - 1,
      });
      ports.onCorrupt(message);
    }
  }
  t.blocks = sorted(blocks);
  const read = <T>(name: string): T[] => {
    const file = path.join(folder, name);
    try {
      return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as T[]) : [];
    } catch (error) {
      const message = `${file} is damaged and left out: ${messageOf(error)}`;
      t.damage.push({ message, startMs: Number.NEGATIVE_INFINITY, endMs: Number.POSITIVE_INFINITY });
      ports.onCorrupt(message);
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
      exemplar: { labels: Labels.fromSorted(own), value, timestampMs },
    });
}

export const sorted = (blocks: readonly BlockReader[]): BlockReader[] =>
  [...blocks].sort((a, b) => a.footer.startMs - b.footer.startMs || a.footer.endMs - b.footer.endMs);

/** Metadata and exemplars have no blocks; they are written as they are before log segments go. */
export async function saveSmall(t: Tenant, folder: string): Promise<void> {
  if (t.metadata.size > 0) await writeJson(path.join(folder, 'metadata.json'), [...t.metadata.values()]);
  if (t.exemplars.length > 0)
    await writeJson(
      path.join(folder, 'exemplars.json'),
      t.exemplars.map((e) => [e.labels.flat, e.exemplar.labels.flat, e.exemplar.value, e.exemplar.timestampMs]),
    );
}

export async function saveDeleted(t: Tenant, folder: string): Promise<void> {
  const rows = [...t.deleted].map(([key, ranges]) => [
    key === '' ? [] : key.split('\u0000'),
    ranges.map((r) => [r.startMs, r.endMs]),
  ]);
  await writeJson(path.join(folder, 'deleted.json'), rows);
}

/** Replaces a file as a whole: temporary name, sync, rename, sync of the folder. */
export async function writeJson(file: string, value: unknown): Promise<void> {
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
