/** `vigie snapshot`: everything as one set, asked of the running server or copied of a data folder that is not in use. */
import { existsSync } from 'node:fs';
import { cp } from 'node:fs/promises';
import path from 'node:path';
import type { Command } from 'commander';
import { VigieError } from '../lib/errors.ts';
import { type ServerFlags, VigieClient, withServerFlags } from './client.ts';
import type { CommandContext } from './context.ts';

interface SnapshotFlags extends ServerFlags {
  dataDir?: string;
  output?: string;
}

export function addSnapshot(program: Command, context: CommandContext): void {
  withServerFlags(program.command('snapshot'))
    .description('copy metrics, documents and alerting state as one set; prints where it is')
    .option('--data-dir <dir>', 'copy a data folder that no Vigie runs on, instead of asking a server')
    .option('--output <dir>', 'new folder to write to; only with --data-dir (a server writes below its data folder)')
    .addHelpText(
      'after',
      '\nA snapshot is a data folder of its own: start with --data-dir on it, or on a copy of it, to restore.',
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
      const output = path.resolve(flags.output);
      if (existsSync(output)) throw new VigieError('bad_data', `${output} exists already; name a new folder`);
      const { openDataFolder } = await import('../app/data-folder.ts');
      // the lock keeps a server from writing while the files are copied
      const folder = openDataFolder(flags.dataDir, process.pid);
      try {
        await cp(folder.path, output, {
          recursive: true,
          filter: (source) => !/(^|\/)(LOCK[^/]*|snapshots)$/.test(path.relative(folder.path, source)),
        });
      } finally {
        folder.release();
      }
      context.stdout.write(`${output}\n`);
    });
}
