/**
 * `vigie lint --live`: the catalogue against stored data. Metrics and labels that do not exist, how often each alert
 * would have fired over the window, and what its query costs. Asks any server with Prometheus' query API.
 */
import type { Command } from 'commander';
import { rulesOf } from '../catalogue/check/catalogue.ts';
import { dashboardQueries } from '../catalogue/check/dashboards.ts';
import { checkLive, type LivePorts } from '../catalogue/check/live.ts';
import { platformScope } from '../catalogue/scope.ts';
import { VigieError } from '../lib/errors.ts';
import { parseDuration } from '../model/duration.ts';
import { type ServerFlags, VigieClient, withServerFlags } from './client.ts';
import type { CommandContext } from './context.ts';
import { configFileOf, progress, type RenderFlags, renderJobs } from './render-jobs.ts';

interface LintFlags extends ServerFlags {
  config?: string;
  live?: boolean;
  window: string;
  step: string;
  pack?: string[];
  json?: boolean;
}

/** Points of one answer; servers refuse more. */
const POINTS_MAX = 11_000;

export function addLint(program: Command, context: CommandContext): void {
  withServerFlags(program.command('lint'))
    .description('hold rules and dashboards against stored data: what exists, what would have fired, what it costs')
    .option('-c, --config <file>', 'configuration file (default: vigie.yaml if there is one)')
    .option('--live', 'ask the server (without it, use vigie check)')
    .option('--pack <name...>', 'only these packs')
    .option('--window <duration>', 'how far back alerts are tried', '1d')
    .option('--step <duration>', 'how often an alert is tried in that window', '1m')
    .option('--json', 'print findings and alerts as JSON')
    .action(async (flags: LintFlags) => {
      if (!flags.live)
        throw new VigieError('bad_config', 'without a server use vigie check; with one, vigie lint --live');
      const render: Omit<RenderFlags, 'output'> = {
        format: 'files',
        ...(flags.config ? { config: flags.config } : {}),
      };
      const job = renderJobs(render, context, configFileOf(render, context))[0]!;
      const scope = platformScope(job.context.config, job.environment);
      const packs = job.context.allPacks(scope).filter((p) => !flags.pack || flags.pack.includes(p.manifest.pack));
      const rules = packs.flatMap((p) => rulesOf(job.context, p, scope));
      const queries = packs.flatMap((p) => [...p.dashboards].flatMap(([file, d]) => dashboardQueries(file, d).queries));
      const windowS = parseDuration(flags.window) / 1_000;
      const stepS = Math.max(parseDuration(flags.step) / 1_000, windowS / POINTS_MAX);
      const bar = progress(context, 'rules', rules.length);
      const report = await checkLive(rules, queries, livePorts(new VigieClient(flags, context), windowS), {
        endS: Math.floor(Date.now() / 1_000),
        windowS,
        stepS,
        onStep: bar.step,
      });
      bar.end();
      if (flags.json) context.stdout.write(`${JSON.stringify(report, undefined, 2)}\n`);
      else {
        for (const f of report.findings)
          context.stdout.write(`${f.level.padEnd(8)}${f.kind.padEnd(16)}${f.where}: ${f.message}\n`);
        context.stdout.write(`\nOver ${flags.window}:\n`);
        for (const a of report.alerts.toSorted((x, y) => y.fired - x.fired))
          context.stdout.write(
            `${a.name.padEnd(32)}fired ${String(a.fired).padStart(5)}  for ${String(Math.round(a.firingS / 60)).padStart(6)} min  only pending ${String(a.onlyPending).padStart(5)}  ${a.samples ?? '?'} samples, ${a.ms.toFixed(0)} ms\n`,
          );
      }
      if (report.findings.some((f) => f.level === 'error')) context.exitCode = 1;
    });
}

interface Answer<T> {
  readonly data: T;
}

/** Prometheus' HTTP API as the linter asks it. */
export function livePorts(client: VigieClient, windowS: number): LivePorts {
  const get = async <T>(path: string, parameters: Record<string, string>): Promise<T> =>
    (await client.request<Answer<T>>('GET', `${path}?${new URLSearchParams(parameters)}`)).data;
  const start = (): string => String(Math.floor(Date.now() / 1_000 - windowS));
  return {
    metricNames: () => get<string[]>('/api/v1/label/__name__/values', { start: start() }),
    labelNames: (metric) =>
      get<string[]>('/api/v1/labels', { 'match[]': `{__name__=${JSON.stringify(metric)}}`, start: start() }),
    range: async (expr, startS, endS, stepS) => {
      const answer = await get<{ result: { values?: [number, string][] }[] }>('/api/v1/query_range', {
        query: expr,
        start: String(startS),
        end: String(endS),
        step: String(stepS),
      });
      return answer.result.map((s) => (s.values ?? []).map(([t]) => t));
    },
    cost: async (expr) => {
      const began = performance.now();
      const answer = await get<{ stats?: { samples?: { totalQueryableSamples?: number } } }>('/api/v1/query', {
        query: expr,
        stats: 'all',
      });
      return { samples: answer.stats?.samples?.totalQueryableSamples, ms: performance.now() - began };
    },
  };
}
