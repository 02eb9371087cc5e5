/** `vigie detect --stdio`: score points of many series as they come (line protocol) */
import type { Command } from 'commander';
import { createDetectHandler } from '../intelligence/line-protocol/detect.ts';
import type { CommandContext } from './context.ts';
import { addLineProtocol } from './line-protocol.ts';

export function addDetect(program: Command, context: CommandContext): void {
  addLineProtocol(program, context, {
    name: 'detect',
    description: 'score points of many series as they come (line protocol)',
    handler: createDetectHandler,
  });
}
