/** `vigie forecast --stdio`: forecast series with intervals and crossings (line protocol) */
import type { Command } from 'commander';
import { answerForecast } from '../intelligence/line-protocol/forecast.ts';
import type { CommandContext } from './context.ts';
import { addLineProtocol } from './line-protocol.ts';

export function addForecast(program: Command, context: CommandContext): void {
  addLineProtocol(program, context, {
    name: 'forecast',
    description: 'forecast series with intervals and crossings (line protocol)',
    handler: () => answerForecast,
  });
}
