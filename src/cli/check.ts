/**
 * `vigie check`: everything that can be known without a server. Without arguments the catalogue as vigie.yaml tunes it;
 * with files, those: vigie.yaml, rule files and their unit tests, Prometheus and Alertmanager configurations,
 * dashboards. Exit code 1 when an error was found, with --strict also for warnings.
 */
import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { Command } from 'commander';
import { parse as parseYaml } from 'yaml';
import { parseAlertingConfig } from '../alerting/config.ts';
import { goTemplates } from '../alerting/notify/templates.ts';
import { resolveOptions } from '../app/options.ts';
import { type CheckPorts, checkCatalogue } from '../catalogue/check/catalogue.ts';
import { dashboardQueries } from '../catalogue/check/dashboards.ts';
import { parseChecked } from '../catalogue/check/expression.ts';
import type { CheckedRule, Finding } from '../catalogue/check/finding.ts';
import { checkRoutes } from '../catalogue/check/routes.ts';
import { checkRules } from '../catalogue/check/rules.ts';
import { isVigieError, messageOf, VigieError } from '../lib/errors.ts';
import { Labels } from '../model/labels.ts';
import { parseRuleFile } from '../rules/rule-file.ts';
import { createRuleTemplates } from '../rules/templates.ts';
import { parsePrometheusConfig } from '../scrape/config.ts';
import type { CommandContext } from './context.ts';
import { configFileOf, type RenderFlags, renderJobs, withRenderFlags } from './render.ts';
import { testRulesPort } from './test-rules-port.ts';

interface CheckFlags extends Omit<RenderFlags, 'output'> {
  strict?: boolean;
  json?: boolean;
  tests: boolean;
}

/** A file past this is no configuration. */
const FILE_BYTES_MAX = 32 * 1024 * 1024;

export function addCheck(program: Command, context: CommandContext): void {
  withRenderFlags(program.command('check'))
    .description('check the catalogue, or the named files, without a server')
    .argument('[files...]', 'vigie.yaml, rule files, unit tests, Prometheus or Alertmanager configuration, dashboards')
    .option('--strict', 'warnings fail too')
    .option('--no-tests', 'leave the unit tests out')
    .option('--json', 'print the findings as JSON')
    .action(async (files: string[], flags: CheckFlags) => {
      const ports = await checkPorts();
      const findings: Finding[] = [];
      const done: string[] = [];
      if (files.length > 0)
        for (const file of files) {
          const { findings: found, what } = await checkFile(file, context, ports);
          findings.push(...found);
          done.push(`${file}: ${what}`);
        }
      else
        for (const job of renderJobs(flags, context, configFileOf(flags, context))) {
          const report = await checkCatalogue(
            job.context,
            {
              ...ports,
              ...(flags.tests ? {} : { testRules: undefined as never }),
              fileOf: (f) => path.join(job.context.native.folderOf(f), f),
            },
            job.tenants,
          );
          findings.push(...report.findings);
          done.push(
            `${job.environment}: ${report.rules} rules, ${report.queries} queries of dashboards, ${report.tests} unit-test files, ${report.scopes} scopes`,
          );
        }
      const bad = findings.filter((f) => f.level === 'error' || (flags.strict && f.level === 'warning'));
      if (flags.json) context.stdout.write(`${JSON.stringify({ checked: done, findings }, undefined, 2)}\n`);
      else {
        for (const f of findings)
          context.stdout.write(`${f.level.padEnd(8)}${f.kind.padEnd(18)}${f.where}: ${f.message}\n`);
        for (const line of done) context.stdout.write(`checked ${line}\n`);
        context.stdout.write(`${bad.length === 0 ? 'good' : `${bad.length} to correct`}\n`);
      }
      if (bad.length > 0) context.exitCode = 1;
    });
}

async function checkPorts(): Promise<Omit<CheckPorts, 'fileOf'>> {
  const templates = createRuleTemplates({ externalUrl: '', externalLabels: Labels.from({}) });
  const testRules = await testRulesPort();
  return {
    checkTemplate: (text, name) => templates.check(text, name),
    ...(testRules ? { testRules } : {}),
  };
}

/** What kind of file it is follows from its content, as its reader would say it is wrong otherwise. */
async function checkFile(
  file: string,
  context: CommandContext,
  ports: Omit<CheckPorts, 'fileOf'>,
): Promise<{ findings: readonly Finding[]; what: string }> {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw new VigieError('bad_config', `cannot read ${file}: ${messageOf(cause)}`, { cause });
  }
  if (text.length > FILE_BYTES_MAX)
    throw new VigieError('too_large', `${file} has ${text.length} bytes; at most ${FILE_BYTES_MAX}`);
  const wrong = (error: unknown, kind: string): Finding[] =>
    messageOf(error)
      .split('\n')
      .map((message) => ({ level: 'error', kind, where: file, message: message.replace(`${file}: `, '') }));
  let data: Record<string, unknown>;
  try {
    const parsed: unknown = file.endsWith('.json')
      ? JSON.parse(text)
      : parseYaml(text, { merge: true, maxAliasCount: 100, logLevel: 'silent' });
    data = typeof parsed === 'object' && parsed !== null ? (parsed as Record<string, unknown>) : {};
  } catch (error) {
    return { findings: wrong(error, 'bad-syntax'), what: 'not readable' };
  }
  if (Array.isArray(data['groups'])) return checkRuleFile(file, text, ports, wrong);
  if (Array.isArray(data['tests'])) {
    if (!ports.testRules) return { findings: [], what: 'unit tests (not run)' };
    const failed = await ports.testRules(file);
    return {
      findings: failed.map((message) => ({ level: 'error', kind: 'failed-test', where: file, message })),
      what: 'unit tests',
    };
  }
  if (Array.isArray(data['panels'])) {
    const { queries, findings } = dashboardQueries(file, data);
    return {
      findings: [...findings, ...checkRules({ rules: [], queries, metrics: undefined, complete: false })],
      what: `dashboard, ${queries.length} queries`,
    };
  }
  if (data['route'] !== undefined || data['receivers'] !== undefined) {
    try {
      parseAlertingConfig(text, { templates: goTemplates, readFiles: (pattern) => filesOf(pattern, file) });
    } catch (error) {
      return { findings: wrong(error, 'bad-config'), what: 'Alertmanager configuration' };
    }
    return { findings: checkRoutes(file, data), what: 'Alertmanager configuration' };
  }
  if (data['scrape_configs'] !== undefined || data['rule_files'] !== undefined || isPrometheusGlobal(data['global'])) {
    try {
      parsePrometheusConfig(file, text);
    } catch (error) {
      return { findings: wrong(error, 'bad-config'), what: 'Prometheus configuration' };
    }
    const findings: Finding[] = [];
    const patterns = Array.isArray(data['rule_files']) ? data['rule_files'].filter((p) => typeof p === 'string') : [];
    let rules = 0;
    for (const pattern of patterns)
      for (const found of filesOf(pattern, file)) {
        rules++;
        findings.push(...checkRuleFile(found.name, found.text, ports, (e, kind) => wrong(e, kind)).findings);
      }
    return { findings, what: `Prometheus configuration with ${rules} rule files` };
  }
  try {
    resolveOptions({ flags: {}, env: context.env, file });
    return { findings: [], what: 'configuration of Vigie' };
  } catch (error) {
    if (!isVigieError(error)) throw error;
    return { findings: wrong(error, 'bad-config'), what: 'configuration of Vigie' };
  }
}

function checkRuleFile(
  file: string,
  text: string,
  ports: Omit<CheckPorts, 'fileOf'>,
  wrong: (error: unknown, kind: string) => Finding[],
): { findings: readonly Finding[]; what: string } {
  try {
    const parsed = parseRuleFile(file, text, {
      parse: parseChecked,
      ...(ports.checkTemplate ? { checkTemplate: ports.checkTemplate } : {}),
    });
    const rules = parsed.groups.flatMap((g) =>
      g.rules.map(
        (r): CheckedRule => ({
          where: `${file}:${r.line}: ${r.name}`,
          file,
          group: g.name,
          name: r.name,
          kind: r.kind === 'alerting' ? 'alert' : 'record',
          expr: r.text,
          forMs: r.forMs,
          labels: Object.fromEntries(r.labels.entries()),
          annotations: Object.fromEntries(r.annotations.entries()),
          intervalMs: g.intervalMs ?? 0,
        }),
      ),
    );
    // a recording may be read by another file
    const findings = checkRules({ rules, queries: [], metrics: undefined, complete: false }).filter(
      (f) => f.kind !== 'unused-recording',
    );
    return { findings, what: `${rules.length} rules` };
  } catch (error) {
    return { findings: wrong(error, 'bad-rules'), what: 'rules' };
  }
}

const isPrometheusGlobal = (global: unknown): boolean =>
  typeof global === 'object' && global !== null && ('scrape_interval' in global || 'evaluation_interval' in global);

function filesOf(pattern: string, relativeTo: string): { name: string; text: string }[] {
  return globSync(path.resolve(path.dirname(relativeTo), pattern))
    .sort()
    .map((name) => ({ name, text: readFileSync(name, 'utf8') }));
}
