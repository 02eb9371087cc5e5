/** `vigie test-rules`: runs unit tests of rules in promtool's format, with promtool's verdicts. Needs no server. */
import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { Command } from 'commander';
import { promqlRegex } from '../app/regex-ports.ts';
import { messageOf, VigieError } from '../lib/errors.ts';
import { QueryEngine } from '../promql/engine.ts';
import { compileMatcher } from '../regex/matcher.ts';
import { parseRuleFile, type RuleGroupSpec } from '../rules/rule-file.ts';
import { createRuleTemplates } from '../rules/templates.ts';
import { type LoadGroups, runRuleTest, type TestPorts } from '../rules/testing/run-test.ts';
import { parseTestFile } from '../rules/testing/test-file.ts';
import type { CommandContext } from './context.ts';

interface Flags {
  run?: string;
}

export function addTestRules(program: Command, context: CommandContext): void {
  program
    .command('test-rules')
    .description("run unit tests of rules, in promtool's format")
    .argument('<files...>', 'test files')
    .option('--run <text>', 'only tests whose name contains this text')
    .action(async (files: string[], flags: Flags) => {
      let failed = false;
      for (const file of files) {
        context.stdout.write(`Unit Testing:  ${file}\n`);
        const failures = await runTestFile(file, {
          ...(flags.run !== undefined && { only: flags.run }),
          warn: (m) => context.stderr.write(`  WARNING: ${m}\n`),
        });
        if (failures.length === 0) context.stdout.write('  SUCCESS\n\n');
        else {
          failed = true;
          context.stderr.write('  FAILED:\n');
          for (const f of failures) context.stderr.write(`${f}\n`);
          context.stdout.write('\n');
        }
      }
      if (failed) context.exitCode = 1;
    });
}

/** Engines, matchers and templates as a server has them, on no data but the test's. */
export function testPorts(): TestPorts {
  return {
    engine: (defaultStepMs) =>
      new QueryEngine({ compileRegex: promqlRegex, monotonicMs: () => performance.now(), defaultStepMs }),
    compileMatcher,
    templates: ({ externalLabels, externalUrl, query }) => createRuleTemplates({ query, externalUrl, externalLabels }),
  };
}

/** What failed in a test file, one text each; empty when all is well. Files are read relative to it. */
export async function runTestFile(
  file: string,
  options: { readonly only?: string; readonly warn?: (message: string) => void } = {},
): Promise<readonly string[]> {
  const failures: string[] = [];
  try {
    const parsed = parseTestFile(file, readFileSync(file, 'utf8'));
    const ruleFiles = parsed.ruleFiles.flatMap((pattern) => {
      const absolute = path.isAbsolute(pattern) ? pattern : path.join(path.dirname(file), pattern);
      const found = globSync(absolute).sort();
      if (found.length === 0) options.warn?.(`no file match pattern ${absolute}`);
      return found;
    });
    const texts = ruleFiles.map((name) => ({ name, text: readFileSync(name, 'utf8') }));
    const load: LoadGroups = (engine, templates) =>
      texts.flatMap(({ name, text }): readonly RuleGroupSpec[] => {
        const parse = (t: string) => engine.parse(t);
        return parseRuleFile(name, text, { parse, checkTemplate: (t, n) => templates.check(t, n) }).groups;
      });
    const ports = testPorts();
    for (const test of parsed.tests)
      if (options.only === undefined || test.name.includes(options.only))
        failures.push(...(await runRuleTest(parsed, test, load, ports)));
  } catch (error) {
    if (error instanceof VigieError || (error as NodeJS.ErrnoException).code !== undefined)
      failures.push(messageOf(error));
    else throw error;
  }
  return failures;
}
