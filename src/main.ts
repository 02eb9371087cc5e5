#!/usr/bin/env -S node --min-semi-space-size=16
/** argv + environment -> a command -> exit code. Says in one sentence when Node is too old for what follows. */
const major = Number(process.versions.node.split('.')[0]);
if (major < 24) {
  console.error(
    `vigie needs Node 24 or newer and runs on ${process.versions.node}; in a checkout use \`npm start\` or \`npm run vigie -- <command>\`, which bring their own.`,
  );
  process.exit(1);
}
// node:sqlite and type stripping still announce themselves on some releases; operators need not read that at each start
const emitWarning = process.emitWarning.bind(process);
process.emitWarning = ((warning: string | Error, ...rest: unknown[]) => {
  const type = typeof rest[0] === 'string' ? rest[0] : (rest[0] as { type?: string } | undefined)?.type;
  if (type === 'ExperimentalWarning') return;
  (emitWarning as (...args: unknown[]) => void)(warning, ...rest);
}) as typeof process.emitWarning;

const { keepCompiledCode, paysToKeep } = await import('./cli/compile-cache.ts');
if (paysToKeep(process.argv[2], process.execArgv)) keepCompiledCode(process.env);
const { runCommand } = await import('./cli/program.ts');
process.exitCode = await runCommand(process.argv.slice(2), process.env);
