/**
 * Writes a rendered tree to a folder. Per scope it keeps a record of what it wrote (`.vigie/<scope>.json`), so that a
 * later run leaves equal files untouched, takes away what is no longer rendered, and never touches a file that it did
 * not make.
 */
import { createHash } from 'node:crypto';
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import path from 'node:path';
import { messageOf, VigieError } from '../lib/errors.ts';
import type { Artefact, Target } from './artefact.ts';
import type { RenderedScope } from './render/tree.ts';

export const RECORD_FOLDER = '.vigie';

export interface RecordEntry {
  readonly path: string;
  readonly sha256: string;
  readonly target: Target;
  readonly request?: { readonly method: 'PUT' | 'POST'; readonly path: string };
}
export interface ScopeRecord {
  readonly tenant: string | null;
  readonly files: readonly RecordEntry[];
}

export interface WriteOptions {
  readonly folder: string;
  /** Takes away scopes that are no longer rendered; false when only some tenants are. */
  readonly complete: boolean;
  readonly onScope?: (slug: string, files: number) => void;
}
export interface WriteReport {
  scopes: number;
  files: number;
  written: number;
  unchanged: number;
  removed: number;
  bytes: number;
}

export function writeTree(scopes: Iterable<RenderedScope>, options: WriteOptions): WriteReport {
  const report: WriteReport = { scopes: 0, files: 0, written: 0, unchanged: 0, removed: 0, bytes: 0 };
  const records = path.join(options.folder, RECORD_FOLDER);
  mkdirSync(records, { recursive: true });
  const left = new Set(readdirSync(records).filter((f) => f.endsWith('.json')));
  const madeFolders = new Set<string>();
  for (const { scope, artefacts } of scopes) {
    const recordName = `${scope.slug}.json`;
    left.delete(recordName);
    const before = readRecord(path.join(records, recordName));
    const known = new Map(before?.files.map((f) => [f.path, f.sha256]));
    const files: RecordEntry[] = [];
    for (const artefact of artefacts) {
      const { sha256, bytes, written } = writeArtefact(options.folder, artefact, known.get(artefact.path), madeFolders);
      files.push({
        path: artefact.path,
        sha256,
        target: artefact.target,
        ...(artefact.request ? { request: artefact.request } : {}),
      });
      known.delete(artefact.path);
      report.files++;
      report.bytes += bytes;
      if (written) report.written++;
      else report.unchanged++;
    }
    for (const gone of known.keys()) report.removed += remove(options.folder, gone);
    const record: ScopeRecord = { tenant: scope.tenant ?? null, files };
    writeFileSync(path.join(records, recordName), `${JSON.stringify(record)}\n`);
    report.scopes++;
    options.onScope?.(scope.slug, files.length);
  }
  if (options.complete)
    for (const name of left) {
      for (const file of readRecord(path.join(records, name))?.files ?? [])
        report.removed += remove(options.folder, file.path);
      rmSync(path.join(records, name));
    }
  return report;
}

/** The record of one scope; undefined when there is none. Throws `corrupt` when it cannot be read. */
export function readRecord(file: string): ScopeRecord | undefined {
  if (!existsSync(file)) return undefined;
  try {
    const record = JSON.parse(readFileSync(file, 'utf8')) as ScopeRecord;
    if (!Array.isArray(record.files)) throw new Error('no list of files');
    return record;
  } catch (cause) {
    throw new VigieError('corrupt', `${file}: not a record of a rendered tree (${messageOf(cause)}); delete it`, {
      cause,
    });
  }
}

/** Records of a rendered tree, by scope, sorted. */
export function* readRecords(folder: string): Generator<{ slug: string; record: ScopeRecord }> {
  const records = path.join(folder, RECORD_FOLDER);
  if (!existsSync(records))
    throw new VigieError(
      'not_found',
      `${folder} holds no rendered tree (no ${RECORD_FOLDER}/); run vigie render first`,
    );
  for (const name of readdirSync(records)
    .filter((f) => f.endsWith('.json'))
    .sort())
    yield { slug: name.slice(0, -'.json'.length), record: readRecord(path.join(records, name))! };
}

function writeArtefact(
  folder: string,
  artefact: Artefact,
  before: string | undefined,
  madeFolders: Set<string>,
): { sha256: string; bytes: number; written: boolean } {
  const target = path.join(folder, artefact.path);
  const parent = path.dirname(target);
  if (!madeFolders.has(parent)) {
    mkdirSync(parent, { recursive: true });
    madeFolders.add(parent);
  }
  if (typeof artefact.content === 'string') {
    const sha256 = createHash('sha256').update(artefact.content).digest('hex');
    const bytes = Buffer.byteLength(artefact.content);
    if (before === sha256 && existsSync(target)) return { sha256, bytes, written: false };
    refuseForeign(target, artefact, before);
    writeFileSync(target, artefact.content);
    return { sha256, bytes, written: true };
  }
  refuseForeign(target, artefact, before);
  const hash = createHash('sha256');
  const out = openSync(target, 'w');
  let bytes = 0;
  try {
    for (const piece of artefact.content) {
      hash.update(piece);
      bytes += writeSync(out, piece);
    }
  } finally {
    closeSync(out);
  }
  return { sha256: hash.digest('hex'), bytes, written: true };
}

/** A file that stands there and is not ours is somebody's work. */
function refuseForeign(target: string, artefact: Artefact, before: string | undefined): void {
  if (before !== undefined || !existsSync(target)) return;
  const there = readFileSync(target, 'utf8');
  // a run that was cut off left files without a record
  if (there === artefact.content || there.slice(0, 4_096).includes('Rendered by Vigie')) return;
  throw new VigieError(
    'conflict',
    `${artefact.path} is there already and was not rendered by Vigie; move it or choose another --output`,
  );
}

function remove(folder: string, name: string): number {
  const target = path.join(folder, name);
  if (!existsSync(target)) return 0;
  rmSync(target);
  return 1;
}
