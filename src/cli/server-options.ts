/** The flags of `vigie serve`, shared with `check` and `doctor`, and their way into the one options schema. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import type { Command } from 'commander';
import { type ResolvedOptions, resolveOptions } from '../app/options.ts';

export interface ServeFlags {
  config?: string;
  dataDir?: string;
  listen?: string;
  externalUrl?: string;
  retention?: string;
  walSync?: string;
  logLevel?: string;
  configDir?: string;
  prometheusConfig?: string;
  rules?: string[];
  alertmanagerConfig?: string;
  enableFeature?: string;
  webConfigFile?: string;
  demo?: boolean;
}

const collect = (value: string, all: string[] = []): string[] => [...all, value];

export function withServeFlags(command: Command): Command {
  return command
    .option('-c, --config <file>', 'configuration file (default: vigie.yaml in this folder, when there is one)')
    .option('--data-dir <dir>', 'where everything is kept (VIGIE_DATA_DIR; default vigie-data)')
    .option('--listen <host:port>', 'address to serve on (VIGIE_LISTEN; default 127.0.0.1:9390)')
    .option('--external-url <url>', 'address under which people reach this Vigie; used in links')
    .option('--retention <duration>', 'how long metrics are kept, such as 30d; 0 keeps everything')
    .option('--wal-sync <mode>', 'interval (sync each second) or always (before each answer)')
    .option('--log-level <level>', 'debug, info, warn, error or silent')
    .option('--config-dir <dir>', 'folder with tenants/<id>/{rules/*.yml, alertmanager.yml, scrape.yml}')
    .option('--prometheus-config <file>', 'a Prometheus configuration file, for the default tenant')
    .option('--rules <glob>', 'Prometheus rule files for the default tenant; may be repeated', collect)
    .option('--alertmanager-config <file>', 'an Alertmanager configuration file, for the default tenant')
    .option('--enable-feature <list>', "feature flags under Prometheus' names, separated by commas")
    .option('--web-config-file <file>', 'TLS and authentication, in the format of a Prometheus web configuration file')
    .option('--demo', 'add synthetic tenants with data and faults, labelled as a demonstration');
}

/** Flags, environment and file as checked options; a vigie.yaml in the current folder is found by itself. */
export function optionsFrom(flags: ServeFlags, env: NodeJS.ProcessEnv): ResolvedOptions {
  const file = flags.config ?? (existsSync('vigie.yaml') ? 'vigie.yaml' : undefined);
  const absolute = (p: string | undefined): string | undefined => (p === undefined ? undefined : path.resolve(p));
  return resolveOptions({
    env,
    file,
    flags: {
      data_dir: absolute(flags.dataDir),
      listen: flags.listen,
      external_url: flags.externalUrl,
      retention: flags.retention,
      wal_sync: flags.walSync,
      log_level: flags.logLevel,
      config_dir: absolute(flags.configDir),
      prometheus_config: absolute(flags.prometheusConfig),
      rules: flags.rules?.map((r) => path.resolve(r)),
      alertmanager_config: absolute(flags.alertmanagerConfig),
      enable_features: flags.enableFeature
        ?.split(',')
        .map((f) => f.trim())
        .filter((f) => f !== ''),
      web_config_file: absolute(flags.webConfigFile),
      demo: flags.demo,
    },
  });
}
