/** `vigie diff`: what rendering now would change, against the last render on disk or, with --live, the systems. */
import path from 'node:path';
import type { Command } from 'commander';
import { renderTree } from '../catalogue/render/tree.ts';
import { treeDiff } from '../catalogue/tree-diff.ts';
import { type ApplyFlags, runApply, withApplyFlags } from './apply.ts';
import type { CommandContext } from './context.ts';
import { configFileOf, type RenderFlags, renderJobs, withRenderFlags } from './render-jobs.ts';

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
        const changes = treeDiff(renderTree(job.context, job.tenants), {
          folder: job.folder,
          texts: flags.brief !== true,
          nameOf: (name) => path.join(job.folder, name),
        });
        for (const change of changes) {
          changed++;
          if (change.diff) context.stdout.write(change.diff);
          else context.stdout.write(`${change.kind.padEnd(9)}${path.join(job.folder, change.path)}\n`);
        }
        for (const p of job.context.problems) context.stderr.write(`vigie: ${p.where}: ${p.message}\n`);
      }
      context.stdout.write(changed === 0 ? 'no difference\n' : `${changed} files differ\n`);
      if (changed > 0) context.exitCode = 1;
    });
}
