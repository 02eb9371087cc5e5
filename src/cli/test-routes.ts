/** `vigie test-routes FILE`: batch tests of routing and inhibition, offline; the file's schema is in docs/alerting.md. */
import { readFileSync } from 'node:fs';
import { type Command, InvalidArgumentError } from 'commander';
import { parseAlertingConfig } from '../alerting/config.ts';
import type { TemplatesFactory } from '../alerting/notify/template-data.ts';
import { parseRouteTests, type RouteTestResult, runRouteTests } from '../alerting/route-tests.ts';
import type { TenantConfigAnswer } from '../http/contract/tenant-config.ts';
import { isVigieError, messageOf, VigieError } from '../lib/errors.ts';
import { type ServerFlags, VigieClient, withServerFlags } from './client.ts';
import type { CommandContext } from './context.ts';

/** Routing looks at no template; whether they parse is what `vigie check` tells. */
const noTemplates: TemplatesFactory = () => {
  const unused = (): never => {
    throw new Error('BUG: a route test expanded a template');
  };
  return { text: unused, html: unused, check: () => {} };
};

interface Flags extends ServerFlags {
  config?: string;
  fromServer?: boolean;
  output: 'text' | 'json';
}

export function addTestRoutes(program: Command, context: CommandContext): void {
  withServerFlags(program.command('test-routes'))
    .description('test who would get which alert, from a file of cases; exits 1 when one fails')
    .argument('<file>', 'YAML file with version and tests')
    .option('--config <file>', 'Alertmanager configuration to test')
    .option('--from-server', 'test what the tenant of --tenant runs on the server instead')
    .option('--output <format>', 'text or json', formatOf, 'text' as const)
    .action(async (file: string, flags: Flags) => {
      const config = await configOf(flags, context);
      const results = testRoutes(config.name, config.yaml, file, readText(file));
      context.stdout.write(
        flags.output === 'json' ? `${JSON.stringify(results, undefined, 2)}\n` : resultsText(file, results),
      );
      context.exitCode = results.every((r) => r.ok) ? 0 : 1;
    });
}

function formatOf(text: string): 'text' | 'json' {
  if (text !== 'text' && text !== 'json') throw new InvalidArgumentError('want text or json');
  return text;
}

async function configOf(flags: Flags, context: CommandContext): Promise<{ name: string; yaml: string }> {
  if ((flags.config === undefined) === (flags.fromServer !== true))
    throw new VigieError('bad_data', 'say what to test: --config FILE, or --from-server');
  if (flags.config !== undefined) return { name: flags.config, yaml: readText(flags.config) };
  const tenant = flags.tenant ?? context.env['TENANT_ID'] ?? 'default';
  const answer = await new VigieClient(flags, context).request<TenantConfigAnswer>(
    'GET',
    `/vigie/v1/tenants/${encodeURIComponent(tenant)}/config`,
  );
  const yaml = answer.alertmanager ?? answer.files.alertmanager;
  if (yaml === undefined) throw new VigieError('not_found', `tenant ${tenant} has no Alertmanager configuration`);
  return { name: `the configuration of tenant ${tenant}`, yaml };
}

/** Runs the tests. Throws `bad_config` naming the file and line that does not load. */
export function testRoutes(
  configName: string,
  configText: string,
  testsName: string,
  testsText: string,
): RouteTestResult[] {
  const named = <T>(name: string, work: () => T): T => {
    try {
      return work();
    } catch (error) {
      if (!isVigieError(error, 'bad_config')) throw error;
      throw new VigieError('bad_config', `${name}: ${error.message}`, { cause: error });
    }
  };
  // secrets are not needed to route: files that the configuration names are not opened, and a shown <secret> will do
  const config = named(configName, () =>
    parseAlertingConfig(configText.replaceAll('<secret>', 'http://secret.invalid/'), {
      templates: noTemplates,
      readFiles: (name) => [{ name, text: 'http://unread.invalid/' }],
    }),
  );
  return named(testsName, () => runRouteTests(config, parseRouteTests(testsText)));
}

export function resultsText(file: string, results: readonly RouteTestResult[]): string {
  const failed = results.filter((r) => !r.ok);
  const lines = failed.flatMap((r) => [`FAILED ${r.name}`, ...r.problems.map((p) => `  ${file}: ${p}`)]);
  return `${[...lines, `${results.length - failed.length} passed, ${failed.length} failed`].join('\n')}\n`;
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new VigieError('bad_data', `cannot read ${file}: ${messageOf(cause)}`, { cause });
  }
}
