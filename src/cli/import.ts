/** `vigie import`: old samples from OpenMetrics or Prometheus text files, or from the blocks of a Prometheus, into a tenant. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import type { Command } from 'commander';
import { expositionSeries, type ImportResult } from '../http/prometheus/import.ts';
import { createExpositionParser } from '../ingest/exposition/parser.ts';
import { RawSeriesMemory } from '../ingest/exposition/series-memory.ts';
import { VigieError } from '../lib/errors.ts';
import { createLogger } from '../lib/logger.ts';
import { tenantId } from '../model/tenant.ts';
import { type ServerFlags, VigieClient, withServerFlags } from './client.ts';
import type { CommandContext } from './context.ts';
import { openMetricsText } from './open-metrics.ts';

interface ImportFlags extends ServerFlags {
  dataDir?: string;
}

export function addImport(program: Command, context: CommandContext): void {
  withServerFlags(program.command('import'))
    .description('put old samples into a tenant')
    .argument('<files...>', 'OpenMetrics or Prometheus text files with timestamps, or block folders of a Prometheus')
    .option('--data-dir <dir>', 'write into a data folder that no Vigie runs on, instead of asking a server')
    .action(async (files: string[], flags: ImportFlags) => {
      for (const f of files) if (!existsSync(f)) throw new VigieError('bad_data', `${f} does not exist`);
      const parser = createExpositionParser();
      if (flags.dataDir === undefined) {
        const client = new VigieClient(flags, context);
        for (const file of files) {
          for await (const text of texts(file)) {
            const response = await client.raw(
              'POST',
              '/api/v1/import/openmetrics',
              text,
              'application/openmetrics-text',
            );
            report(context, file, ((await response.json()) as { data: ImportResult }).data);
          }
        }
        return;
      }
      const tenant = tenantId(flags.tenant ?? context.env['TENANT_ID'] ?? 'default');
      const { openOfflineMetrics } = await import('../app/offline-metrics.ts');
      await using opened = await openOfflineMetrics(flags.dataDir, createLogger('warn'));
      for (const file of files) {
        if (statSync(file).isDirectory()) {
          const { readTsdbBlock } = await import('./tsdb-block.ts');
          for (const series of readTsdbBlock(file))
            report(context, file, await opened.store.importSeries(tenant, series));
        } else {
          const { series } = expositionSeries(readFileSync(file), parser, new RawSeriesMemory());
          report(context, file, await opened.store.importSeries(tenant, series));
        }
      }
    });
}

/** What is sent to a server: a file as it is, a block folder as OpenMetrics, piece by piece. */
async function* texts(file: string): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  if (!statSync(file).isDirectory()) {
    yield new Uint8Array(readFileSync(file));
    return;
  }
  const { readTsdbBlock } = await import('./tsdb-block.ts');
  for (const series of readTsdbBlock(file)) yield new Uint8Array(Buffer.from(`${openMetricsText(series).text}# EOF\n`));
}

function report(context: CommandContext, file: string, r: ImportResult): void {
  const skipped = r.skipped > 0 ? `, ${r.skipped} skipped (out of retention or in the future)` : '';
  context.stdout.write(`${file}: ${r.samples} samples of ${r.series} series${skipped}\n`);
}
