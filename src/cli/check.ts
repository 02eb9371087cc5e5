/**
 * `vigie check`: everything that can be known without a server. Without arguments the catalogue as vigie.yaml tunes it;
 * with files, those: vigie.yaml, rule files and their unit tests, Prometheus and Alertmanager configurations,
 * dashboards. Exit code 1 when an error was found, with --strict also for warnings.
 */
import { globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Command } from 'commander';
import { parseAllDocuments } from 'yaml';
import { parseAlertingConfig } from '../alerting/config.ts';
import { goTemplates } from '../alerting/notify/templates.ts';
import { resolveOptions } from '../app/options.ts';
import { type CheckPorts, type CheckReport, checkCatalogue } from '../catalogue/check/catalogue.ts';
import { dashboardQueries } from '../catalogue/check/dashboards.ts';
import { parseChecked } from '../catalogue/check/expression.ts';
import type { CheckedRule, Finding } from '../catalogue/check/finding.ts';
import { checkRoutes } from '../catalogue/check/routes.ts';
import { checkRules } from '../catalogue/check/rules.ts';
import { renderPack } from '../catalogue/pack.ts';
import { yamlText } from '../catalogue/yaml-text.ts';
import { isVigieError, messageOf, VigieError } from '../lib/errors.ts';
import { Labels } from '../model/labels.ts';
import { parseRuleFile } from '../rules/rule-file.ts';
import { createRuleTemplates } from '../rules/templates.ts';
import { parsePrometheusConfig } from '../scrape/config.ts';
import type { CommandContext } from './context.ts';
import {
  configFileOf,
  progress,
  type RenderFlags,
  type RenderJob,
  renderJobs,
  withRenderFlags,
} from './render-jobs.ts';
import { runTestFile } from './test-rules.ts';

interface CheckFlags extends Omit<RenderFlags, 'output'> {
  strict?: boolean;
  json?: boolean;
  tests: boolean;
}

/** A file past this is no configuration. */
const FILE_BYTES_MAX = 32 * 1024 * 1024;
const FOLDER_FILES_MAX = 50_000;

export function addCheck(program: Command, context: CommandContext): void {
  withRenderFlags(program.command('check'))
    .description('check the catalogue, or the named files, without a server')
    .argument(
      '[files...]',
      'vigie.yaml, rule files, unit tests, Prometheus or Alertmanager configuration, dashboards; or folders of them',
    )
    .option('--strict', 'warnings fail too')
    .option('--no-tests', 'leave the unit tests out')
    .option('--json', 'print the findings as JSON')
    .action(async (files: string[], flags: CheckFlags) => {
      const ports = checkPorts();
      const findings: Finding[] = [];
      const done: string[] = [];
      if (files.length > 0)
        for (const named of files) {
          const within = filesWithin(named);
          let others = 0;
          for (const file of within ?? [named]) {
            const { findings: found, what } = await checkFile(file, context, ports, within !== undefined);
            findings.push(...found);
            if (what === '') others++;
            else done.push(`${file}: ${what}`);
          }
          if (others > 0) done.push(`${named}: ${others} files are of no kind that is checked here`);
        }
      else
        for (const [i, job] of renderJobs(flags, context, configFileOf(flags, context)).entries()) {
          // defaults, and with them the unit tests, are the same in every environment
          const report = await checkJob(job, context, flags.tests && i === 0);
          const several = new Set(findings.map((f) => JSON.stringify(f)));
          findings.push(...report.findings.filter((f) => !several.has(JSON.stringify(f))));
          done.push(
            `${job.environment}: ${report.rules} rules, ${report.queries} queries of dashboards, ${report.tests} unit-test files, ${report.scopes} scopes`,
          );
        }
      const bad = findings.filter((f) => f.level === 'error' || (flags.strict && f.level === 'warning'));
      if (flags.json) context.stdout.write(`${JSON.stringify({ checked: done, findings }, undefined, 2)}\n`);
      else {
        for (const f of findings) context.stdout.write(findingLine(f));
        for (const line of done) context.stdout.write(`checked ${line}\n`);
        context.stdout.write(`${bad.length === 0 ? 'good' : `${bad.length} to correct`}\n`);
      }
      if (bad.length > 0) context.exitCode = 1;
    });
}

export const findingLine = (f: Finding): string => `${f.level.padEnd(8)}${f.kind.padEnd(18)}${f.where}: ${f.message}\n`;

/** The catalogue of one environment, with a line of progress where there are many tenants. */
export async function checkJob(job: RenderJob, context: CommandContext, tests: boolean): Promise<CheckReport> {
  const tenants = job.tenants?.length ?? Object.keys(job.context.config.tenants).length;
  const bar = progress(context, `check ${job.environment}`, tenants + 1);
  const ports: CheckPorts = {
    ...checkPorts(),
    ...(tests ? { testPack: (pack: string) => testPack(job.context.native.folderOf(`packs/${pack}.yaml`), pack) } : {}),
  };
  try {
    return await checkCatalogue(job.context, ports, job.tenants, bar.step);
  } finally {
    bar.end();
  }
}

function checkPorts(): CheckPorts {
  const templates = createRuleTemplates({ externalUrl: '', externalLabels: Labels.from({}) });
  return { checkTemplate: (text, name) => templates.check(text, name) };
}

/** The pack's rules with their defaults and its tests, in a folder of their own, run by the engine of `test-rules`. */
async function testPack(folder: string, pack: string): Promise<ReadonlyMap<string, readonly string[]>> {
  const { rules, manifest } = renderPack(folder, pack);
  const results = new Map<string, readonly string[]>();
  if (manifest.files.tests.length === 0) return results;
  const scratch = mkdtempSync(path.join(tmpdir(), 'vigie-check-'));
  const put = (file: string, text: string): string => {
    const target = path.join(scratch, file);
    mkdirSync(path.dirname(target), { recursive: true });
    writeFileSync(target, text);
    return target;
  };
  try {
    for (const [file, content] of rules) put(file, yamlText(content));
    for (const test of manifest.files.tests)
      results.set(test, await runTestFile(put(test, readFileSync(path.join(folder, test), 'utf8'))));
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  return results;
}

/** The files of a folder that could be checked; undefined when it is none. Throws `bad_config`. */
function filesWithin(named: string): string[] | undefined {
  if (!statSync(named, { throwIfNoEntry: false })?.isDirectory()) return undefined;
  const found = globSync('**/*.{yml,yaml,json}', { cwd: named }).sort();
  if (found.length === 0) throw new VigieError('bad_config', `${named} holds no file that ends in yml, yaml or json`);
  if (found.length > FOLDER_FILES_MAX)
    throw new VigieError('too_large', `${named} holds ${found.length} files; at most ${FOLDER_FILES_MAX} are checked`);
  return found.map((f) => path.join(named, f));
}

/**
 * What kind of file it is follows from its content, as its reader would say it is wrong otherwise. `anyKind`: it was
 * found in a folder, so it may be none of ours, which `what: ''` says.
 */
async function checkFile(
  file: string,
  context: CommandContext,
  ports: CheckPorts,
  anyKind: boolean,
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
    const parsed: unknown = file.endsWith('.json') ? JSON.parse(text) : yamlOf(text);
    data = typeof parsed === 'object' && parsed !== null ? (parsed as Record<string, unknown>) : {};
  } catch (error) {
    return { findings: wrong(error, 'bad-syntax'), what: 'not readable' };
  }
  // by the key alone: a wrong value below it is for the reader of rule files to name
  if ('groups' in data) return checkRuleFile(file, text, ports, wrong);
  if (Array.isArray(data['tests'])) {
    const failed = await runTestFile(file);
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
  if (typeof data['apiVersion'] === 'string' && typeof data['kind'] === 'string') {
    const spec = data['spec'] as Record<string, unknown> | undefined;
    if (data['kind'] === 'PrometheusRule' && spec && 'groups' in spec)
      return checkRuleFile(file, yamlText({ groups: spec['groups'] }), ports, wrong);
    return { findings: [], what: anyKind ? '' : `${data['kind']} of Kubernetes, which is not checked here` };
  }
  // collectors of OpenTelemetry have receivers too, by name
  if (data['route'] !== undefined || Array.isArray(data['receivers'])) {
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
  if (anyKind && !/(^|\/)vigie\.ya?ml$/.test(file)) return { findings: [], what: '' };
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
  ports: CheckPorts,
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

/** The first document; several are Kubernetes objects, none of which is checked here. Throws with the line. */
function yamlOf(text: string): unknown {
  const documents = parseAllDocuments(text, { merge: true });
  if (!Array.isArray(documents)) return undefined;
  for (const d of documents) {
    const [problem] = d.errors;
    if (problem) throw new Error(problem.message);
  }
  return documents.length === 1 ? documents[0]!.toJS({ maxAliasCount: 100 }) : undefined;
}

const isPrometheusGlobal = (global: unknown): boolean =>
  typeof global === 'object' && global !== null && ('scrape_interval' in global || 'evaluation_interval' in global);

function filesOf(pattern: string, relativeTo: string): { name: string; text: string }[] {
  return globSync(path.resolve(path.dirname(relativeTo), pattern))
    .sort()
    .map((name) => ({ name, text: readFileSync(name, 'utf8') }));
}
