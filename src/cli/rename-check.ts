/** `vigie rename-check METRIC`: which rules, panels, KPIs and scalers go blind when a metric is renamed or dropped. */
import type { Command } from 'commander';
import { assetQueries, rulesOf } from '../catalogue/check/catalogue.ts';
import { dashboardQueries } from '../catalogue/check/dashboards.ts';
import type { CheckedQuery } from '../catalogue/check/finding.ts';
import { blindWithout } from '../catalogue/check/rename.ts';
import { renderTree } from '../catalogue/render/tree.ts';
import { platformScope } from '../catalogue/scope.ts';
import type { CommandContext } from './context.ts';
import { configFileOf, type RenderFlags, renderJobs, withRenderFlags } from './render-jobs.ts';

export function addRenameCheck(program: Command, context: CommandContext): void {
  withRenderFlags(program.command('rename-check'))
    .description('say what goes blind when a metric is renamed or dropped')
    .argument('<metric>', 'name of the metric, such as http_requests_total')
    .option('--json', 'print the findings as JSON')
    .action((metric: string, flags: Omit<RenderFlags, 'output'> & { json?: boolean }) => {
      const job = renderJobs({ ...flags, format: 'kubernetes' }, context, configFileOf(flags, context))[0]!;
      const scope = platformScope(job.context.config, job.environment);
      const packs = job.context.allPacks(scope);
      const rules = packs.flatMap((p) => rulesOf(job.context, p, scope));
      const queries: CheckedQuery[] = [
        ...packs.flatMap((p) => [...p.dashboards].flatMap(([file, d]) => dashboardQueries(file, d).queries)),
        ...assetQueries(packs),
        ...scalerQueries(job),
      ];
      const blind = blindWithout(metric, rules, queries);
      if (flags.json) context.stdout.write(`${JSON.stringify({ metric, blind }, undefined, 2)}\n`);
      else {
        for (const b of blind)
          context.stdout.write(
            `${b.kind.padEnd(10)}${b.where}${b.through.length > 0 ? `  (through ${b.through.join(' -> ')})` : ''}\n`,
          );
        context.stdout.write(
          blind.length === 0 ? `nothing reads ${metric}\n` : `${blind.length} go blind without ${metric}\n`,
        );
      }
      if (blind.length > 0) context.exitCode = 1;
    });
}

/** Queries of rendered KEDA objects. */
function scalerQueries(job: ReturnType<typeof renderJobs>[number]): CheckedQuery[] {
  const queries: CheckedQuery[] = [];
  for (const { artefacts } of renderTree(job.context, job.tenants))
    for (const a of artefacts) {
      if (!a.path.startsWith('automation/scaling/') || typeof a.content !== 'string') continue;
      for (const [, text] of a.content.matchAll(/^\s*query: (".*")$/gm))
        queries.push({ where: a.path, expr: JSON.parse(text!) as string });
    }
  return queries;
}
