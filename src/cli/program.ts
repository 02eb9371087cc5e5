/**
 * The command line: one file per command, loaded only when it is asked for, so that `vigie --help` and short commands
 * start quickly. Exit codes: 0 well, 1 the command failed or found problems, 2 it was called wrongly.
 */
import { Command, CommanderError } from 'commander';
import { type CommandContext, printError, vigieVersion } from './context.ts';

type AddCommand = (program: Command, context: CommandContext) => void;

/** Name -> loader; the order is that of `vigie --help`. */
const COMMANDS: readonly (readonly [string, () => Promise<AddCommand>])[] = [
  ['serve', async () => (await import('./serve.ts')).addServe],
  ['check', async () => (await import('./check.ts')).addCheck],
  ['doctor', async () => (await import('./doctor.ts')).addDoctor],
  ['query', async () => (await import('./query.ts')).addQuery],
  ['tenant', async () => (await import('./tenant.ts')).addTenant],
  ['alert', async () => (await import('./alert.ts')).addAlert],
  ['silence', async () => (await import('./silence.ts')).addSilence],
  ['incident', async () => (await import('./incident.ts')).addIncident],
  ['rehearse', async () => (await import('./rehearse.ts')).addRehearse],
  ['test-routes', async () => (await import('./test-routes.ts')).addTestRoutes],
  ['test-rules', async () => (await import('./test-rules.ts')).addTestRules],
  ['backtest', async () => (await import('./backtest.ts')).addBacktest],
  ['audit', async () => (await import('./audit.ts')).addAudit],
  ['snapshot', async () => (await import('./snapshot.ts')).addSnapshot],
  ['import', async () => (await import('./import.ts')).addImport],
  ['export', async () => (await import('./export.ts')).addExport],
  ['render', async () => (await import('./render.ts')).addRender],
  ['diff', async () => (await import('./diff.ts')).addDiff],
  ['apply', async () => (await import('./apply.ts')).addApply],
  ['rename-check', async () => (await import('./rename-check.ts')).addRenameCheck],
  ['lint', async () => (await import('./lint.ts')).addLint],
  ['import-stack', async () => (await import('./import-stack.ts')).addImportStack],
  ['detector', async () => (await import('./detector.ts')).addDetector],
  ['detect', async () => (await import('./detect.ts')).addDetect],
  ['forecast', async () => (await import('./forecast.ts')).addForecast],
  ['changepoints', async () => (await import('./changepoints.ts')).addChangepoints],
  ['drift', async () => (await import('./drift.ts')).addDrift],
];

/** Any long time: the timer is there to be there. */
const KEEP_ALIVE_MS = 2 ** 30;

/** Runs one command line; answers the exit code. Never throws. */
export async function runCommand(argv: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const context: CommandContext = { env, stdout: process.stdout, stderr: process.stderr, exitCode: 0 };
  // waits of the product never keep a process alive; a command that waits is not over
  const alive = setInterval(() => {}, KEEP_ALIVE_MS);
  const program = new Command('vigie')
    .description('Multi-tenant monitoring and alerting in one process, or on the Prometheus you already run.')
    .version(vigieVersion(), '-V, --version')
    .showHelpAfterError('(vigie <command> --help lists the options)')
    .exitOverride();
  try {
    const wanted = argv.find((a) => !a.startsWith('-'));
    const known = COMMANDS.find(([name]) => name === wanted);
    for (const [, load] of known ? [known] : COMMANDS) (await load())(program, context);
    for (const command of program.commands) command.exitOverride();
    await program.parseAsync(argv.length === 0 ? ['--help'] : [...argv], { from: 'user' });
    return context.exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 || error.code === 'commander.help' ? 0 : 2;
    printError(context, error);
    return 1;
  } finally {
    clearInterval(alive);
  }
}
