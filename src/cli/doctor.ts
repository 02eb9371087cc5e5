/** `vigie doctor`: checks this host, the options and a running server; one line a finding, exit 1 on a problem. */
import type { Command } from 'commander';
import { diagnose, type Finding } from '../app/doctor.ts';
import { systemClock } from '../lib/clock.ts';
import { isVigieError, messageOf } from '../lib/errors.ts';
import { type CommandContext, vigieVersion } from './context.ts';
import { optionsFrom, type ServeFlags, withServeFlags } from './server-options.ts';

const SERVER_MS_MAX = 5_000;

interface DoctorFlags extends ServeFlags {
  url?: string;
  key?: string;
  json?: boolean;
}

export function addDoctor(program: Command, context: CommandContext): void {
  withServeFlags(program.command('doctor'))
    .description('find what is wrong with this installation, and say what to do')
    .option('--url <url>', 'address of the running server (VIGIE_URL; default: where it would listen)')
    .option('--key <key>', 'platform key (VIGIE_KEY)')
    .option('--json', 'print the findings as JSON')
    .action(async (flags: DoctorFlags) => {
      const findings = await findingsFor(flags, context);
      context.stdout.write(flags.json ? `${JSON.stringify(findings, undefined, 2)}\n` : findingsText(findings));
      context.exitCode = findings.some((f) => f.level === 'problem') ? 1 : 0;
    });
}

async function findingsFor(flags: DoctorFlags, context: CommandContext): Promise<readonly Finding[]> {
  const program: Finding = {
    level: 'ok',
    subject: 'program',
    detail: `Vigie ${vigieVersion()} on Node ${process.versions.node}, ${process.platform} ${process.arch}`,
    remedy: '',
  };
  let resolved: ReturnType<typeof optionsFrom>;
  try {
    resolved = optionsFrom(flags, context.env);
  } catch (error) {
    if (!isVigieError(error)) throw error;
    return [program, { level: 'problem', subject: 'options', detail: messageOf(error), remedy: error.hint }];
  }
  const { host, port } = resolved.options.listen;
  const local = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '[::1]' : host.includes(':') ? `[${host}]` : host;
  const scheme = resolved.options.web_config_file === undefined ? 'http' : 'https';
  const base = (flags.url ?? context.env['VIGIE_URL'] ?? `${scheme}://${local}:${port}`).replace(/\/+$/, '');
  const key = flags.key ?? context.env['VIGIE_KEY'];
  const found = await diagnose({
    resolved,
    clock: systemClock,
    pid: process.pid,
    ask: async (path) => {
      try {
        const answer = await fetch(base + path, {
          headers: key ? { authorization: `Bearer ${key}` } : {},
          signal: AbortSignal.timeout(SERVER_MS_MAX),
        });
        const text = await answer.text();
        return { status: answer.status, body: answer.ok ? (JSON.parse(text) as unknown) : text };
      } catch {
        return undefined;
      }
    },
  });
  const from = resolved.file === undefined ? 'no configuration file' : `from ${resolved.file}`;
  return [
    program,
    { level: 'ok', subject: 'options', detail: `${resolved.options.environment}, ${from}`, remedy: '' },
    ...found,
  ];
}

const MARK: Readonly<Record<Finding['level'], string>> = { ok: 'ok  ', note: 'note', warning: 'WARN', problem: 'FAIL' };

export function findingsText(findings: readonly Finding[]): string {
  const width = Math.max(...findings.map((f) => f.subject.length));
  const lines = findings.map(
    (f) =>
      `${MARK[f.level]}  ${f.subject.padEnd(width)}  ${f.detail.replace(/\s*\n\s*/g, '; ')}${f.remedy === '' ? '' : ` -> ${f.remedy}`}`,
  );
  const problems = findings.filter((f) => f.level === 'problem').length;
  const warnings = findings.filter((f) => f.level === 'warning').length;
  const count = (n: number, what: string): string => `${n} ${what}${n === 1 ? '' : 's'}`;
  return `${lines.join('\n')}\n${count(problems, 'problem')}, ${count(warnings, 'warning')}\n`;
}
