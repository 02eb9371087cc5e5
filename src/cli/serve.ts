/** `vigie serve`: runs the server until SIGTERM or SIGINT. */
import type { Command } from 'commander';
import { saveCompiledCode } from './compile-cache.ts';
import { type CommandContext, vigieVersion } from './context.ts';
import { optionsFrom, type ServeFlags, withServeFlags } from './server-options.ts';

export function addServe(program: Command, context: CommandContext): void {
  withServeFlags(program.command('serve'))
    .description('run Vigie: collect, store, evaluate, alert, show')
    .action(async (flags: ServeFlags) => {
      const { run } = await import('../app/run.ts');
      context.exitCode = await run({
        resolve: () => optionsFrom(flags, context.env),
        version: vigieVersion(),
        print: (line) => void context.stdout.write(`${line}\n`),
        onReady: saveCompiledCode,
        process,
      });
      // workers and sockets of libraries may linger; everything durable is closed by now
      process.exit(context.exitCode);
    });
}
