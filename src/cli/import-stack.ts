/**
 * `vigie import-stack`: adoption beside an existing stack. It reads a running Prometheus, Alertmanager and Grafana, says what
 * it found and which packs overlap, and writes a configuration for Vigie that loads the same rules, dashboards and
 * routes in shadow: evaluated and compared, and nobody is notified until the routes are switched on.
 */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Command } from 'commander';
import { templatesFolder } from '../app/catalogue-packs.ts';
import { loadCatalogue, packNames } from '../catalogue/load.ts';
import { compareAlerts, type FoundRule, type SeenAlert, surveyPacks } from '../catalogue/stack-survey.ts';
import { yamlText } from '../catalogue/yaml-text.ts';
import { messageOf, VigieError } from '../lib/errors.ts';
import { formatDuration } from '../model/duration.ts';
import { type ServerFlags, VigieClient, withServerFlags } from './client.ts';
import type { CommandContext } from './context.ts';

interface ImportFlags extends ServerFlags {
  prometheus?: string;
  alertmanager?: string;
  grafana?: string;
  output: string;
  compare?: boolean;
  json?: boolean;
}

const DASHBOARDS_MAX = 500;
/** In shadow every alert ends here. */
const SHADOW_ALERTMANAGER = 'route: { receiver: nobody }\nreceivers:\n  - name: nobody\n';

export function addImportStack(program: Command, context: CommandContext): void {
  withServerFlags(program.command('import-stack'))
    .description('look at a running Prometheus, Alertmanager and Grafana, and run beside them in shadow')
    .option('--prometheus <url>', 'PROMETHEUS_URL')
    .option('--alertmanager <url>', 'ALERTMANAGER_URL')
    .option('--grafana <url>', 'GRAFANA_URL; the token comes from GRAFANA_TOKEN')
    .option('-o, --output <folder>', 'where the configuration is written', 'imported')
    .option('--compare', 'compare the alerts that fire there with those of the running Vigie (--url)')
    .option('--json', 'print what was found as JSON')
    .action(async (flags: ImportFlags) => {
      const { env } = context;
      const prometheus = flags.prometheus ?? env['PROMETHEUS_URL'];
      const alertmanager = flags.alertmanager ?? env['ALERTMANAGER_URL'];
      const grafana = flags.grafana ?? env['GRAFANA_URL'];
      if (!prometheus) throw new VigieError('bad_config', 'vigie import-stack needs --prometheus (or PROMETHEUS_URL)');
      const there = new VigieClient({ url: prometheus }, { ...context, env: {} });
      if (flags.compare) return compare(there, new VigieClient(flags, context), context);
      const found = await look(there);
      const packs = loadCatalogue(templatesFolder(), packNames(templatesFolder())).packs;
      const overlap = surveyPacks(packs, found.rules, new Set(found.metrics));
      writeRules(flags.output, found.groups);
      const notes = [`rules of ${found.groups.length} groups in ${flags.output}/rules`];
      if (alertmanager) {
        const status = await new VigieClient({ url: alertmanager }, { ...context, env: {} }).request<{
          config: { original: string };
        }>('GET', '/api/v2/status');
        // secrets come back as <secret>: the file shows the routes, the operator puts the real one beside it
        write(flags.output, 'alertmanager.seen.yml', status.config.original);
        notes.push(`routes as Alertmanager shows them, without secrets, in ${flags.output}/alertmanager.seen.yml`);
      }
      write(flags.output, 'alertmanager.yml', SHADOW_ALERTMANAGER);
      if (grafana)
        notes.push(
          `${await dashboards(grafana, env['GRAFANA_TOKEN'], flags.output)} dashboards in ${flags.output}/dashboards`,
        );
      write(
        flags.output,
        'vigie.yaml',
        yamlText({
          prometheus_url: prometheus,
          prometheus_read_only: true,
          rules: ['rules/*.yml'],
          alertmanager_config: 'alertmanager.yml',
          packs: [
            'vigie',
            ...overlap.filter((o) => o.metricsFound === o.metricsNeeded && o.same.length === 0).map((o) => o.pack),
          ].filter((p, i, all) => all.indexOf(p) === i),
        }),
      );
      if (flags.json) {
        context.stdout.write(
          `${JSON.stringify({ rules: found.rules.length, groups: found.groups.length, targets: found.targets, overlap }, undefined, 2)}\n`,
        );
        return;
      }
      context.stdout.write(
        `${prometheus}: ${found.rules.filter((r) => r.kind === 'alert').length} alerting and ${found.rules.filter((r) => r.kind === 'record').length} recording rules, ${found.targets} targets, ${found.metrics.length} metrics\n\n`,
      );
      for (const o of overlap.filter((x) => x.metricsFound > 0 || x.same.length > 0)) {
        context.stdout.write(
          `${o.pack.padEnd(16)}${String(o.metricsFound).padStart(3)} of ${o.metricsNeeded} metrics; adds ${o.adds.length} alerts, has ${o.same.length} in common\n`,
        );
        for (const s of o.same) context.stdout.write(`                ${s.rule} is there as ${s.as} (same ${s.by})\n`);
      }
      for (const n of notes) context.stdout.write(`\nwrote ${n}`);
      context.stdout.write(
        `\n\nIn shadow: vigie serve --config ${flags.output}/vigie.yaml   (evaluates everything, notifies nobody, writes nothing there)\nCompare:   vigie import-stack --prometheus ${prometheus} --compare\nSwitch on: name the real Alertmanager configuration as alertmanager_config in ${flags.output}/vigie.yaml, and\n           remove prometheus_read_only where Prometheus runs with --web.enable-remote-write-receiver\n`,
      );
    });
}

interface ApiGroup {
  readonly name: string;
  readonly file: string;
  readonly interval: number;
  readonly rules: readonly {
    readonly type: 'alerting' | 'recording';
    readonly name: string;
    readonly query: string;
    readonly duration?: number;
    readonly keepFiringFor?: number;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  }[];
}

async function look(
  there: VigieClient,
): Promise<{ groups: readonly ApiGroup[]; rules: readonly FoundRule[]; metrics: readonly string[]; targets: number }> {
  const get = async <T>(at: string): Promise<T> => (await there.request<{ data: T }>('GET', at)).data;
  const { groups } = await get<{ groups: ApiGroup[] }>('/api/v1/rules');
  const metrics = await get<string[]>('/api/v1/label/__name__/values');
  const { activeTargets } = await get<{ activeTargets: unknown[] }>('/api/v1/targets?state=active');
  const rules = groups.flatMap((g) =>
    g.rules.map((r): FoundRule => ({ kind: r.type === 'alerting' ? 'alert' : 'record', name: r.name, expr: r.query })),
  );
  return { groups, rules, metrics, targets: activeTargets.length };
}

/** One file per file there; the API tells all that a rule file says. */
function writeRules(folder: string, groups: readonly ApiGroup[]): void {
  const files = new Map<string, ApiGroup[]>();
  for (const g of groups) files.set(g.file, [...(files.get(g.file) ?? []), g]);
  const used = new Set<string>();
  for (const [file, list] of files) {
    let name =
      path
        .basename(file)
        .replace(/[^A-Za-z0-9_.-]/g, '_')
        .replace(/\.ya?ml$/, '') || 'rules';
    while (used.has(name)) name += '_';
    used.add(name);
    const seconds = (s: number | undefined): string | undefined =>
      s ? formatDuration(Math.round(s * 1_000)) : undefined;
    write(
      folder,
      `rules/${name}.yml`,
      yamlText({
        groups: list.map((g) => ({
          name: g.name,
          interval: seconds(g.interval),
          rules: g.rules.map((r) => ({
            [r.type === 'alerting' ? 'alert' : 'record']: r.name,
            expr: r.query,
            for: seconds(r.duration),
            keep_firing_for: seconds(r.keepFiringFor),
            labels: r.labels && Object.keys(r.labels).length > 0 ? r.labels : undefined,
            annotations: r.annotations && Object.keys(r.annotations).length > 0 ? r.annotations : undefined,
          })),
        })),
      }),
    );
  }
}

async function dashboards(grafana: string, token: string | undefined, folder: string): Promise<number> {
  const base = grafana.replace(/\/+$/, '');
  const get = async <T>(at: string): Promise<T> => {
    let response: Response;
    try {
      response = await fetch(base + at, {
        headers: token ? { authorization: `Bearer ${token}` } : {},
        signal: AbortSignal.timeout(30_000),
      });
    } catch (cause) {
      throw new VigieError('unavailable', `${base} does not answer (${messageOf(cause)})`, { cause });
    }
    if (!response.ok)
      throw new VigieError('upstream', `${base}${at} answered ${response.status}; is GRAFANA_TOKEN set?`);
    return (await response.json()) as T;
  };
  const list = await get<{ uid: string }[]>(`/api/search?type=dash-db&limit=${DASHBOARDS_MAX}`);
  for (const { uid } of list) {
    const { dashboard } = await get<{ dashboard: unknown }>(`/api/dashboards/uid/${encodeURIComponent(uid)}`);
    write(
      folder,
      `dashboards/${uid.replace(/[^A-Za-z0-9_-]/g, '_')}.json`,
      `${JSON.stringify(dashboard, undefined, 2)}\n`,
    );
  }
  return list.length;
}

async function compare(there: VigieClient, here: VigieClient, context: CommandContext): Promise<void> {
  const alerts = async (client: VigieClient): Promise<SeenAlert[]> =>
    (await client.request<{ data: { alerts: SeenAlert[] } }>('GET', '/api/v1/alerts')).data.alerts;
  const result = compareAlerts(await alerts(there), await alerts(here));
  for (const k of result.onlyThere) context.stdout.write(`only there  ${k}\n`);
  for (const k of result.onlyHere) context.stdout.write(`only here   ${k}\n`);
  context.stdout.write(
    `${result.both} fire on both sides, ${result.onlyThere.length} only there, ${result.onlyHere.length} only here\n`,
  );
  if (result.onlyThere.length > 0) context.exitCode = 1;
}

function write(folder: string, file: string, text: string): void {
  const target = path.join(folder, file);
  mkdirSync(path.dirname(target), { recursive: true });
  if (file === 'alertmanager.yml' && existsSync(target)) return;
  writeFileSync(target, text);
}
