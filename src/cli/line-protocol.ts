/** What the four line-protocol commands share: one flag, standard input and output, no server. */
import type { Command } from 'commander';
import { type LineHandler, serveLines } from '../intelligence/line-protocol/lines.ts';
import type { CommandContext } from './context.ts';

/** Adds `vigie <name> --stdio`; the session ends with its input. */
export function addLineProtocol(
  program: Command,
  context: CommandContext,
  command: { readonly name: string; readonly description: string; readonly handler: () => LineHandler },
): void {
  program
    .command(command.name)
    .description(command.description)
    .requiredOption('--stdio', 'read requests from standard input, one JSON object a line; answer on standard output')
    .action(async () => {
      context.exitCode = await serveLines(
        { stdin: process.stdin, stdout: context.stdout, stderr: context.stderr },
        command.handler(),
      );
    });
}
