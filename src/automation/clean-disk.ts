/**
 * Frees disk space by removing old files with given suffixes from allowed folders. Never follows a link, never leaves
 * the file system of the allowed folder, never removes a folder, and stops at its limits. Oldest first.
 */
import { lstat, mkdir, opendir, realpath, rename, unlink } from 'node:fs/promises';
import path from 'node:path';
import { VigieError } from '../lib/errors.ts';
import type { Action } from './playbook.ts';

type CleanDisk = Extract<Action, { do: 'clean_disk' }>;

/** Files looked at in one go; beyond it the rest is left for the next run. */
export const LOOKED_AT_MAX = 500_000;
const DEPTH_MAX = 20;

export interface CleanPlan {
  readonly files: readonly {
    readonly path: string;
    readonly bytes: number;
    readonly modifiedMs: number;
    readonly inode: number;
  }[];
  readonly bytes: number;
  /** More would fit than the limits allow. */
  readonly cut: boolean;
}

export async function planCleanDisk(action: CleanDisk, nowMs: number): Promise<CleanPlan> {
  const found: { path: string; bytes: number; modifiedMs: number; inode: number }[] = [];
  let looked = 0;
  for (const folder of action.allow) {
    // the folder itself must be what it says: a link would lead out of what was allowed
    const real = await realpath(folder).catch(() => undefined);
    if (real === undefined) continue;
    if (real !== folder)
      throw new VigieError(
        'forbidden',
        `clean_disk: ${folder} leads to ${real}; allow that path itself if it is meant`,
      );
    const root = await lstat(folder);
    const walk = async (at: string, depth: number): Promise<void> => {
      const entries = await opendir(at);
      for await (const entry of entries) {
        if (++looked > LOOKED_AT_MAX) return;
        const file = path.join(at, entry.name);
        if (entry.isSymbolicLink()) continue;
        if (entry.isDirectory()) {
          if (depth < DEPTH_MAX && file !== action.trash && (await lstat(file)).dev === root.dev)
            await walk(file, depth + 1);
          continue;
        }
        if (!entry.isFile() || !action.suffixes.some((s) => entry.name.endsWith(s))) continue;
        const stat = await lstat(file);
        if (nowMs - stat.mtimeMs < action.older_than || stat.dev !== root.dev) continue;
        // blocks, not size: that is what removing it frees
        found.push({ path: file, bytes: stat.blocks * 512, modifiedMs: stat.mtimeMs, inode: stat.ino });
      }
    };
    await walk(folder, 0);
  }
  found.sort((a, b) => a.modifiedMs - b.modifiedMs || (a.path < b.path ? -1 : 1));
  const files: typeof found = [];
  let bytes = 0;
  for (const f of found) {
    if (files.length >= action.files_max || bytes + f.bytes > action.bytes_max) break;
    files.push(f);
    bytes += f.bytes;
  }
  return { files, bytes, cut: files.length < found.length };
}

/** Carries a plan out; a file that changed since the plan is left alone. Answers how many went, and how much. */
export async function cleanDisk(
  action: CleanDisk,
  plan: CleanPlan,
): Promise<{ removed: number; bytes: number; moved: readonly (readonly [string, string])[] }> {
  let removed = 0;
  let bytes = 0;
  const moved: [string, string][] = [];
  if (action.trash !== undefined) await mkdir(action.trash, { recursive: true, mode: 0o700 });
  for (const f of plan.files) {
    try {
      const now = await lstat(f.path);
      if (!now.isFile() || now.ino !== f.inode || now.mtimeMs !== f.modifiedMs) continue;
      if (action.trash === undefined) await unlink(f.path);
      else {
        const to = path.join(action.trash, `${f.inode}-${path.basename(f.path)}`);
        await rename(f.path, to);
        moved.push([f.path, to]);
      }
      removed++;
      bytes += f.bytes;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
  return { removed, bytes, moved };
}
