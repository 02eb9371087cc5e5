/** `vigie diff`: what rendering now would change, against the last render on disk or, with --live, the systems. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { Command } from 'commander';
import { renderTree } from '../catalogue/render/tree.ts';
import { textDiff } from '../catalogue/text-diff.ts';
import { RECORD_FOLDER, readRecord } from '../catalogue/write-tree.ts';
import { type ApplyFlags, runApply, withApplyFlags } from './apply.ts';
import type { CommandContext } from './context.ts';
import { configFileOf, type RenderFlags, renderJobs, withRenderFlags } from './render.ts';

interface DiffFlags extends RenderFlags, Omit<ApplyFlags, 'folder'> {
  live?: boolean;
  brief?: boolean;
}

export function addDiff(program: Command, context: CommandContext): void {
  withApplyFlags(withRenderFlags(program.command('diff')))
    .description('show what rendering would change, against the last render or the live systems')
    .option('-o, --output <folder>', 'the last render', 'rendered')
    .option('--live', 'compare the last render with the systems that it goes to, changing nothing')
    .option('--brief', 'names of files only')
    .action(async (flags: DiffFlags) => {
      if (flags.live) return runApply({ ...flags, folder: flags.output, yes: false }, context);
      let changed = 0;
      for (const job of renderJobs(flags, context, configFileOf(flags, context))) {
        for (const { scope, artefacts } of renderTree(job.context, job.tenants)) {
          const record = readRecord(path.join(job.folder, RECORD_FOLDER, `${scope.slug}.json`));
          const left = new Set(record?.files.map((f) => f.path));
          for (const a of artefacts) {
            left.delete(a.path);
            const text = typeof a.content === 'string' ? a.content : [...a.content].join('');
            const file = path.join(job.folder, a.path);
            const before = existsSync(file) ? readFileSync(file, 'utf8') : undefined;
            if (before === text) continue;
            changed++;
            if (before === undefined) context.stdout.write(`new      ${file}\n`);
            else if (flags.brief) context.stdout.write(`changed  ${file}\n`);
            else context.stdout.write(textDiff(before, text, file) ?? '');
          }
          for (const gone of left) {
            changed++;
            context.stdout.write(`removed  ${path.join(job.folder, gone)}\n`);
          }
        }
        for (const p of job.context.problems) context.stderr.write(`vigie: ${p.where}: ${p.message}\n`);
      }
      context.stdout.write(changed === 0 ? 'no difference\n' : `${changed} files differ\n`);
      if (changed > 0) context.exitCode = 1;
    });
}
