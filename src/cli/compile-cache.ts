/**
 * Keeps compiled code between starts, so that a restart neither strips types nor compiles again: half of its CPU time.
 * The folder belongs to this user alone: whoever could write there could choose what runs. It checks nothing itself;
 * Node compares each entry with the source before using it.
 */
import { lstatSync, mkdirSync } from 'node:fs';
import { enableCompileCache, flushCompileCache } from 'node:module';
import path from 'node:path';

/**
 * Kept code carries the tier at which it ran before; optimised on that word, after less feedback, the decoders of ingest
 * stay half as fast as when V8 finds out anew. This flag of the command line (set later it does nothing) prevents it.
 */
const NO_TIERS = '--no-profile-guided-optimization';

/** Whether keeping code pays: for commands always, for a server, which runs long, only with the flag. */
export const paysToKeep = (command: string | undefined, execArgv: readonly string[]): boolean =>
  command !== 'serve' || execArgv.includes(NO_TIERS);

/** The folder chosen by NODE_COMPILE_CACHE, else `vigie/compile` in the user's cache folder; undefined without a home. */
export function compileCacheFolder(env: NodeJS.ProcessEnv): string | undefined {
  if (env['NODE_COMPILE_CACHE']) return env['NODE_COMPILE_CACHE'];
  const base = env['XDG_CACHE_HOME'] || (env['HOME'] ? path.join(env['HOME'], '.cache') : undefined);
  return base && path.isAbsolute(base) ? path.join(base, 'vigie', 'compile') : undefined;
}

/**
 * Uses the cache from here on, in workers too. Answers whether it is in use: a read-only or foreign folder, or
 * NODE_DISABLE_COMPILE_CACHE, only means a slower start.
 */
export function keepCompiledCode(env: NodeJS.ProcessEnv): boolean {
  const folder = compileCacheFolder(env);
  if (!folder || env['NODE_DISABLE_COMPILE_CACHE']) return false;
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const { uid, mode } = lstatSync(folder);
    if (uid !== process.getuid?.() || (mode & 0o022) !== 0) return false;
  } catch {
    return false;
  }
  // a worker looks at the variable only
  env['NODE_COMPILE_CACHE'] = folder;
  return enableCompileCache(folder).directory !== undefined;
}

/** Writes what was compiled so far: a killed process would leave nothing for the next start. */
export const saveCompiledCode = (): void => flushCompileCache();
