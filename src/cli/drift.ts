/** `vigie drift --stdio`: compare current rows of features with reference rows (line protocol) */
import type { Command } from 'commander';
import { answerDrift } from '../intelligence/line-protocol/drift.ts';
import type { CommandContext } from './context.ts';
import { addLineProtocol } from './line-protocol.ts';

export function addDrift(program: Command, context: CommandContext): void {
  addLineProtocol(program, context, {
    name: 'drift',
    description: 'compare current rows of features with reference rows (line protocol)',
    handler: () => answerDrift,
  });
}
