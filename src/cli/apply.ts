/**
 * `vigie apply`: brings the systems in line with a rendered tree. Without --yes it only says what it would do. It asks
 * before it writes, prunes only what it made, keeps a ledger, and goes on where a failed run stopped.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { Command } from 'commander';
import { connectedSystems, type SystemAddresses } from '../catalogue/apply/connections.ts';
import { ApplyLedger } from '../catalogue/apply/ledger.ts';
import { applyTo, type Item } from '../catalogue/apply/system.ts';
import { readRecords } from '../catalogue/write-tree.ts';
import { VigieError } from '../lib/errors.ts';
import type { CommandContext } from './context.ts';
import { progress } from './render-jobs.ts';

export interface ApplyFlags {
  folder: string;
  yes?: boolean;
  prune?: boolean;
  verify?: boolean;
  target?: string[];
  kubeconfig?: string;
  context?: string;
  prometheusUrl?: string;
  alertmanagerUrl?: string;
  grafanaUrl?: string;
  elasticsearchUrl?: string;
}

export function withApplyFlags(command: Command): Command {
  return command
    .option(
      '--target <name...>',
      'kubernetes, prometheus, alertmanager, grafana, elasticsearch (default: every one with an address)',
    )
    .option('--kubeconfig <file>', 'cluster and credential (KUBECONFIG)')
    .option('--context <name>', 'context of the kubeconfig (default: its current one)')
    .option('--prometheus-url <url>', 'PROMETHEUS_URL')
    .option('--alertmanager-url <url>', 'ALERTMANAGER_URL')
    .option('--grafana-url <url>', 'GRAFANA_URL; the token comes from GRAFANA_TOKEN')
    .option('--elasticsearch-url <url>', 'ELASTICSEARCH_URL; the key comes from ELASTICSEARCH_API_KEY')
    .option('--verify', 'ask the live systems also about what the ledger says is in place')
    .option('--no-prune', 'leave what is no longer rendered');
}

export function addApply(program: Command, context: CommandContext): void {
  withApplyFlags(program.command('apply'))
    .description('bring Kubernetes, Prometheus, Alertmanager, Grafana and Elasticsearch in line with a rendered tree')
    .argument('[folder]', 'a rendered tree', 'rendered')
    .option('--yes', 'do it; without this only say what would be done')
    .action((folder: string, flags: Omit<ApplyFlags, 'folder'>) => runApply({ ...flags, folder }, context));
}

export async function runApply(flags: ApplyFlags, context: CommandContext): Promise<void> {
  const systems = connectedSystems(addressesOf(flags, context.env), flags.target);
  if (systems.length === 0)
    throw new VigieError(
      'bad_config',
      'no system to apply to: name one with --kubeconfig, --prometheus-url, --alertmanager-url, --grafana-url or --elasticsearch-url',
    );
  for (const { system, address } of systems) {
    const items: Item[] = [];
    for (const { slug, record } of readRecords(flags.folder))
      for (const file of record.files)
        if (system.targets.includes(file.target))
          for (const item of system.items({
            path: file.path,
            text: readFileSync(path.join(flags.folder, file.path), 'utf8'),
            ...(file.request ? { request: file.request } : {}),
          }))
            items.push({ ...item, scope: slug });
    const bar = progress(context, system.name, items.length);
    const report = await applyTo(system, items, new ApplyLedger(flags.folder, `${system.name}-${address}`), {
      dryRun: !flags.yes,
      prune: flags.prune !== false,
      verify: flags.verify === true || !flags.yes,
      onStep: (step) => {
        bar.step();
        if (step.action !== 'same') context.stdout.write(`${step.action.padEnd(8)}${step.id}\n`);
      },
    });
    bar.end();
    const words = flags.yes ? ['created', 'changed', 'removed'] : ['to create', 'to change', 'to remove'];
    context.stdout.write(
      `${system.name} at ${address}: ${report.created} ${words[0]}, ${report.updated} ${words[1]}, ${report.removed} ${words[2]}, ${report.same} as wanted${
        flags.yes ? '' : ' (nothing was changed; --yes does it)'
      }\n`,
    );
  }
}

/** Flags first, then the environment. */
function addressesOf(flags: ApplyFlags, env: NodeJS.ProcessEnv): SystemAddresses {
  return {
    kubeconfig: flags.kubeconfig ?? env['KUBECONFIG'],
    kubeContext: flags.context,
    elasticsearchUrl: flags.elasticsearchUrl ?? env['ELASTICSEARCH_URL'],
    elasticsearchApiKey: env['ELASTICSEARCH_API_KEY'],
    grafanaUrl: flags.grafanaUrl ?? env['GRAFANA_URL'],
    grafanaToken: env['GRAFANA_TOKEN'],
    prometheusUrl: flags.prometheusUrl ?? env['PROMETHEUS_URL'],
    alertmanagerUrl: flags.alertmanagerUrl ?? env['ALERTMANAGER_URL'],
  };
}
