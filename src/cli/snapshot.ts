/** `vigie snapshot`: a consistent copy of all metrics, asked of the running server or made of a data folder that is not in use. */
import path from 'node:path';
import type { Command } from 'commander';
import { VigieError } from '../lib/errors.ts';
import { createLogger } from '../lib/logger.ts';
import { type ServerFlags, VigieClient, withServerFlags } from './client.ts';
import type { CommandContext } from './context.ts';

interface SnapshotFlags extends ServerFlags {
  dataDir?: string;
  output?: string;
}

export function addSnapshot(program: Command, context: CommandContext): void {
  withServerFlags(program.command('snapshot'))
    .description('make a consistent copy of all metrics; prints where it is')
    .option('--data-dir <dir>', 'copy a data folder that no Vigie runs on, instead of asking a server')
    .option('--output <dir>', 'new folder to write to; only with --data-dir (a server writes below its data folder)')
    .addHelpText(
      'after',
      '\nA snapshot is a metrics folder of its own: to restore, stop Vigie and put it in place of <data-dir>/metrics.',
    )
    .action(async (flags: SnapshotFlags) => {
      if (flags.dataDir === undefined) {
        if (flags.output !== undefined)
          throw new VigieError('bad_data', '--output goes with --data-dir; a running server chooses the folder itself');
        const answer = await new VigieClient(flags, context).request<{ data: { name: string } }>(
          'POST',
          '/api/v1/admin/tsdb/snapshot',
        );
        context.stdout.write(`snapshots/${answer.data.name}\n`);
        return;
      }
      if (flags.output === undefined) throw new VigieError('bad_data', '--data-dir needs --output');
      const { openOfflineMetrics } = await import('../app/offline-metrics.ts');
      await using opened = await openOfflineMetrics(flags.dataDir, createLogger('warn'));
      const output = path.resolve(flags.output);
      await opened.store.snapshot(output);
      context.stdout.write(`${output}\n`);
    });
}
