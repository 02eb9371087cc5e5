/** `vigie changepoints --stdio`: find where finished series changed (line protocol) */
import type { Command } from 'commander';
import { answerChangepoints } from '../intelligence/line-protocol/change-points.ts';
import type { CommandContext } from './context.ts';
import { addLineProtocol } from './line-protocol.ts';

export function addChangepoints(program: Command, context: CommandContext): void {
  addLineProtocol(program, context, {
    name: 'changepoints',
    description: 'find where finished series changed (line protocol)',
    handler: () => answerChangepoints,
  });
}
