/**
 * `vigie apply`: brings the systems in line with a rendered tree. Without --yes it only says what it would do. It asks
 * before it writes, prunes only what it made, keeps a ledger, and goes on where a failed run stopped.
 */
import { readFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import path from 'node:path';
import type { Command } from 'commander';
import { elasticsearchSystem, grafanaSystem, reloadSystem } from '../catalogue/apply/http-systems.ts';
import { type ClusterAccess, clusterAccess } from '../catalogue/apply/kubeconfig.ts';
import { kubernetesSystem } from '../catalogue/apply/kubernetes.ts';
import { ApplyLedger } from '../catalogue/apply/ledger.ts';
import { applyTo, type Item, type Send, type System } from '../catalogue/apply/system.ts';
import { readRecords } from '../catalogue/write-tree.ts';
import { messageOf, VigieError } from '../lib/errors.ts';
import type { CommandContext } from './context.ts';
import { progress } from './render.ts';

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

const ANSWER_MS_MAX = 30_000;
const ANSWER_BYTES_MAX = 64 * 1024 * 1024;

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
  const systems = systemsOf(flags, context.env);
  if (systems.length === 0)
    throw new VigieError(
      'bad_config',
      'no system to apply to: name one with --kubeconfig, --prometheus-url, --alertmanager-url, --grafana-url or --elasticsearch-url',
    );
  for (const { system, address } of systems) {
    const items: Item[] = [];
    for (const { record } of readRecords(flags.folder))
      for (const file of record.files)
        if (system.targets.includes(file.target))
          items.push(
            ...system.items({
              path: file.path,
              text: readFileSync(path.join(flags.folder, file.path), 'utf8'),
              ...(file.request ? { request: file.request } : {}),
            }),
          );
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

function systemsOf(flags: ApplyFlags, env: NodeJS.ProcessEnv): { system: System; address: string }[] {
  const wanted = (name: string): boolean => flags.target === undefined || flags.target.includes(name);
  const out: { system: System; address: string }[] = [];
  const kubeconfig = flags.kubeconfig ?? env['KUBECONFIG'];
  if (kubeconfig && wanted('kubernetes')) {
    const access = clusterAccess(kubeconfig, flags.context);
    out.push({
      system: kubernetesSystem(sender(access.server, access, access.token ? `Bearer ${access.token}` : undefined)),
      address: access.server,
    });
  }
  const plain = (name: string, url: string | undefined, make: (send: Send) => System, authorization?: string): void => {
    if (url && wanted(name))
      out.push({ system: make(sender(url.replace(/\/+$/, ''), {}, authorization)), address: url });
  };
  plain(
    'elasticsearch',
    flags.elasticsearchUrl ?? env['ELASTICSEARCH_URL'],
    elasticsearchSystem,
    env['ELASTICSEARCH_API_KEY'] ? `ApiKey ${env['ELASTICSEARCH_API_KEY']}` : undefined,
  );
  plain(
    'grafana',
    flags.grafanaUrl ?? env['GRAFANA_URL'],
    grafanaSystem,
    env['GRAFANA_TOKEN'] ? `Bearer ${env['GRAFANA_TOKEN']}` : undefined,
  );
  plain('prometheus', flags.prometheusUrl ?? env['PROMETHEUS_URL'], (send) => reloadSystem('prometheus', send));
  plain('alertmanager', flags.alertmanagerUrl ?? env['ALERTMANAGER_URL'], (send) => reloadSystem('alertmanager', send));
  return out;
}

/** A plain HTTP(S) client: the cluster's own authority and client certificate, which `fetch` cannot be given. */
function sender(base: string, tls: Partial<ClusterAccess>, authorization: string | undefined): Send {
  return ({ method, path: at, body, contentType }) =>
    new Promise((resolve, reject) => {
      const url = new URL(base + at);
      const fail = (error: unknown): void =>
        reject(new VigieError('unavailable', `${url.host} does not answer (${messageOf(error)})`, { cause: error }));
      const request = (url.protocol === 'https:' ? httpsRequest : httpRequest)(
        url,
        {
          method,
          timeout: ANSWER_MS_MAX,
          headers: {
            accept: 'application/json',
            ...(authorization ? { authorization } : {}),
            ...(body === undefined
              ? {}
              : { 'content-type': contentType ?? 'application/json', 'content-length': Buffer.byteLength(body) }),
          },
          ...(url.protocol === 'https:'
            ? { ca: tls.ca, cert: tls.cert, key: tls.key, rejectUnauthorized: tls.insecure !== true }
            : {}),
        },
        (response) => {
          const chunks: Buffer[] = [];
          let bytes = 0;
          response.on('data', (chunk: Buffer) => {
            bytes += chunk.length;
            if (bytes > ANSWER_BYTES_MAX) request.destroy(new Error(`the answer exceeds ${ANSWER_BYTES_MAX} bytes`));
            else chunks.push(chunk);
          });
          response.on('error', fail);
          response.on('end', () =>
            resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString('utf8') }),
          );
        },
      );
      request.on('timeout', () => request.destroy(new Error(`no answer within ${ANSWER_MS_MAX / 1_000} s`)));
      request.on('error', fail);
      if (body !== undefined) request.write(body);
      request.end();
    });
}
