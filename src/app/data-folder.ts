/**
 * The data folder: one process at a time (a kernel lock that dies with its holder), and a FORMAT file with a version
 * per store, so that an older Vigie refuses a newer folder by name instead of misreading it.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { messageOf, VigieError } from '../lib/errors.ts';

/** Version this program writes per store; a folder with a higher one is refused. */
export const STORE_FORMATS = { folder: 1, metrics: 1, documents: 1, alerting: 1, audit: 1, detectors: 1 } as const;

export interface DataFolder {
  readonly path: string;
  /** The folder of one store, created when missing. */
  store(name: string): string;
  /** Tells whoever is refused later where the running one listens. */
  announce(text: string): void;
  release(): void;
}

/** A lock that nobody refers to would be collected, and with it the lock in the kernel would go. */
const held = new Set<DatabaseSync>();

/** Creates the folder when missing, takes its lock, checks its formats. Throws `locked`, `format_newer` or `storage`. */
export function openDataFolder(folder: string, pid: number): DataFolder {
  const root = path.resolve(folder);
  try {
    mkdirSync(root, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw new VigieError('storage', `cannot create the data folder ${root}: ${messageOf(cause)}`, { cause });
  }
  const holderFile = path.join(root, 'LOCK.holder');
  const lock = takeLock(root, holderFile);
  held.add(lock);
  const drop = (): void => {
    held.delete(lock);
    lock.close();
  };
  try {
    checkFormats(root);
  } catch (error) {
    drop();
    throw error;
  }
  const announce = (text: string): void => writeFileSync(holderFile, `pid ${pid}${text ? `, ${text}` : ''}`);
  announce('');
  return {
    path: root,
    store(name) {
      const sub = path.join(root, name);
      mkdirSync(sub, { recursive: true, mode: 0o700 });
      return sub;
    },
    announce,
    release: drop,
  };
}

/** SQLite's exclusive lock is an fcntl lock: the kernel drops it when the process ends, however it ends. */
function takeLock(root: string, holderFile: string): DatabaseSync {
  const file = path.join(root, 'LOCK');
  let lock: DatabaseSync | undefined;
  try {
    lock = new DatabaseSync(file);
    lock.exec(
      'PRAGMA busy_timeout = 0; PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; BEGIN EXCLUSIVE; CREATE TABLE IF NOT EXISTS held (x); COMMIT',
    );
    return lock;
  } catch (cause) {
    lock?.close();
    const text = messageOf(cause);
    if (/locked|busy/i.test(text)) {
      const holder = existsSync(holderFile) ? readFileSync(holderFile, 'utf8') : 'unknown process';
      throw new VigieError(
        'locked',
        `the data folder ${root} is in use by another Vigie (${holder}); stop it or choose another --data-dir`,
        { cause },
      );
    }
    throw new VigieError('storage', `cannot write to the data folder ${root}: ${text}`, { cause });
  }
}

function checkFormats(root: string): void {
  const file = path.join(root, 'FORMAT');
  if (existsSync(file)) {
    let found: Record<string, unknown>;
    try {
      found = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
    } catch (cause) {
      throw new VigieError('corrupt', `${file} is not readable as JSON: ${messageOf(cause)}`, { cause });
    }
    for (const [store, version] of Object.entries(found)) {
      const known = (STORE_FORMATS as Record<string, number>)[store];
      if (known === undefined || typeof version !== 'number' || version > known) {
        throw new VigieError(
          'format_newer',
          `${root} was written by a newer Vigie: store ${JSON.stringify(store)} has format ${String(version)}, this one knows ${known ?? 'no such store'}`,
        );
      }
    }
  }
  const temporary = `${file}.tmp`;
  writeFileSync(temporary, `${JSON.stringify(STORE_FORMATS)}\n`);
  renameSync(temporary, file);
}
