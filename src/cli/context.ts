/** What every command is handed, its version, and how it reports a failure. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { isVigieError, messageOf } from '../lib/errors.ts';

export interface CommandContext {
  readonly env: NodeJS.ProcessEnv;
  readonly stdout: NodeJS.WritableStream;
  readonly stderr: NodeJS.WritableStream;
  /** Set by the action; the process ends with it. */
  exitCode: number;
}

/** The version in package.json, wherever this file was emitted to. */
export function vigieVersion(): string {
  for (let folder = import.meta.dirname; ; folder = path.dirname(folder)) {
    try {
      const found = JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8')) as {
        name?: string;
        version?: string;
      };
      if (found.name === 'vigie' && found.version) return found.version;
    } catch {
      // not in this folder; look further up
    }
    if (folder === path.dirname(folder)) return '0.0.0';
  }
}

/** Prints what went wrong, with the hint of its code, and never a stack unless VIGIE_DEBUG is set. */
export function printError(context: CommandContext, error: unknown): void {
  context.stderr.write(`vigie: ${messageOf(error)}\n`);
  if (isVigieError(error)) context.stderr.write(`  hint: ${error.hint}\n`);
  if (context.env['VIGIE_DEBUG'] && error instanceof Error) context.stderr.write(`${error.stack}\n`);
}
