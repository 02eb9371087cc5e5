/** What the commands of the catalogue share: which environments and tenants are meant, and a line of progress. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import type { Command } from 'commander';
import { templatesFolder } from '../app/catalogue-packs.ts';
import { resolveOptions } from '../app/options.ts';
import { ENVIRONMENTS, type Environment } from '../catalogue/config.ts';
import { type Format, RenderContext } from '../catalogue/render/context.ts';
import { VigieError } from '../lib/errors.ts';
import type { CommandContext } from './context.ts';

export interface RenderFlags {
  config?: string;
  environment?: string[];
  tenant?: string[];
  format: Format;
  output: string;
  templates?: string;
}

/** --config, --environment, --tenant, --format, --templates: what `render`, `diff` and `check` share. */
export function withRenderFlags(command: Command): Command {
  return command
    .option('-c, --config <file>', 'configuration file (default: vigie.yaml if there is one)')
    .option('-e, --environment <name...>', 'dev, staging, prod or all (default: MONITORING_ENV, else dev)')
    .option('-t, --tenant <id...>', 'only these tenants, beside the platform (default: all of the configuration)')
    .option('-f, --format <format>', '`files` for the programs themselves, `kubernetes` for the operators', 'files')
    .option('--templates <folder>', 'another shipped catalogue (users add folders by catalogue.folders)');
}

export interface RenderJob {
  readonly environment: Environment;
  readonly context: RenderContext;
  readonly tenants: readonly string[] | undefined;
  /** Below --output: the environment's folder when there are several. */
  readonly folder: string;
}

/** One job per environment. Throws `bad_config` on a bad flag or configuration. */
export function renderJobs(
  flags: Omit<RenderFlags, 'output'> & { output?: string },
  context: CommandContext,
  configFile: string | undefined,
): readonly RenderJob[] {
  if (flags.format !== 'files' && flags.format !== 'kubernetes')
    throw new VigieError('bad_config', `--format: got ${JSON.stringify(flags.format)}, want files or kubernetes`);
  // where `apply` sends to is nothing that rendering asks, and serve's own back ends are not meant here
  const { ELASTICSEARCH_URL: _elasticsearch, JAEGER_URL: _jaeger, ...env } = context.env;
  const { options } = resolveOptions({ flags: {}, env, file: configFile });
  const asked = flags.environment ?? [options.environment];
  const environments = asked.includes('all') ? ENVIRONMENTS : (asked as Environment[]);
  for (const e of environments)
    if (!ENVIRONMENTS.includes(e))
      throw new VigieError(
        'bad_config',
        `--environment: got ${JSON.stringify(e)}, want ${ENVIRONMENTS.join(', ')} or all`,
      );
  for (const t of flags.tenant ?? [])
    if (!options.catalogue.tenants[t])
      throw new VigieError('bad_config', `--tenant: no tenant ${JSON.stringify(t)} in catalogue.tenants`);
  return environments.map((environment) => ({
    environment,
    tenants: flags.tenant,
    folder: path.join(flags.output ?? '', environments.length > 1 ? environment : ''),
    context: new RenderContext({
      config: options.catalogue,
      sections: options,
      environment,
      format: flags.format,
      folders: [flags.templates ? path.resolve(flags.templates) : templatesFolder(), ...options.catalogue.folders],
    }),
  }));
}

/** --config, else vigie.yaml in the working folder when it is there. */
export function configFileOf(flags: { config?: string }, context: CommandContext): string | undefined {
  return flags.config ?? context.env['VIGIE_CONFIG'] ?? (existsSync('vigie.yaml') ? 'vigie.yaml' : undefined);
}

/** A progress line on a terminal, every tenth of the work elsewhere; silent for short work. */
export function progress(
  context: CommandContext,
  title: string,
  total: number,
): { readonly step: () => void; readonly end: () => void } {
  const terminal = (context.stderr as { isTTY?: boolean }).isTTY === true;
  let done = 0;
  let shown = 0;
  return {
    step: () => {
      done++;
      const share = Math.floor((done / total) * (terminal ? 100 : 10));
      if (total < 50 || share === shown) return;
      shown = share;
      const text = `${title}: ${done} of ${total}`;
      context.stderr.write(terminal ? `\r${text.padEnd(60)}` : `${text}\n`);
    },
    end: () => {
      if (terminal && total >= 50) context.stderr.write('\r'.padEnd(62) + '\r');
    },
  };
}
