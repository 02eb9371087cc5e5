/** `vigie render`: the catalogue as files that the real programs read as they are, per environment and tenant. */
import type { Command } from 'commander';
import { renderTree } from '../catalogue/render/tree.ts';
import { writeTree } from '../catalogue/write-tree.ts';
import { checkJob, findingLine } from './check.ts';
import type { CommandContext } from './context.ts';
import { configFileOf, progress, type RenderFlags, renderJobs, withRenderFlags } from './render-jobs.ts';

interface WriteFlags extends RenderFlags {
  check?: boolean;
}

export function addRender(program: Command, context: CommandContext): void {
  withRenderFlags(program.command('render'))
    .description('write the catalogue as native files, for each environment and tenant')
    .option('-o, --output <folder>', 'where to write', 'rendered')
    .option('--check', 'check it first, as `vigie check` does, and write nothing when an error is found')
    .action(async (flags: WriteFlags) => {
      for (const [i, job] of renderJobs(flags, context, configFileOf(flags, context)).entries()) {
        if (flags.check && !(await passes(job, context, i === 0))) continue;
        const tenants = job.tenants?.length ?? Object.keys(job.context.config.tenants).length;
        const bar = progress(context, `render ${job.environment}`, tenants + 1);
        const report = writeTree(renderTree(job.context, job.tenants), {
          folder: job.folder,
          complete: job.tenants === undefined,
          onScope: bar.step,
        });
        bar.end();
        context.stdout.write(
          `${job.folder}: ${report.files} files for ${report.scopes - 1} tenants and the platform (${report.written} written, ${report.unchanged} unchanged, ${report.removed} removed)\n`,
        );
        for (const p of job.context.problems) {
          context.stderr.write(`vigie: ${p.where}: ${p.message}\n`);
          context.exitCode = 1;
        }
      }
    });
}

/** Unit tests run once: the defaults that they test are the same in every environment. */
async function passes(job: Parameters<typeof checkJob>[0], context: CommandContext, tests: boolean): Promise<boolean> {
  const { findings, rules, queries, scopes } = await checkJob(job, context, tests);
  for (const f of findings) context.stdout.write(findingLine(f));
  const errors = findings.filter((f) => f.level === 'error').length;
  context.stdout.write(
    `checked ${job.environment}: ${rules} rules, ${queries} queries of dashboards, ${scopes} scopes: ${errors === 0 ? 'good' : `${errors} to correct, nothing is written`}\n`,
  );
  if (errors > 0) context.exitCode = 1;
  return errors === 0;
}
