/** `vigie export`: samples of a tenant as OpenMetrics text, metric by metric, from a server or a data folder not in use. */
import { createWriteStream } from 'node:fs';
import { finished } from 'node:stream/promises';
import type { Command } from 'commander';
import { SnappyDecoder } from '../ingest/snappy.ts';
import { VigieError } from '../lib/errors.ts';
import { createLogger } from '../lib/logger.ts';
import type { Matcher } from '../model/matcher.ts';
import type { SeriesColumns } from '../model/sample.ts';
import { tenantId } from '../model/tenant.ts';
import { parse } from '../promql/parse.ts';
import { decodeReadResponse, encodeReadRequest } from '../store/wire/remote-read.ts';
import { snappyCompress } from '../store/wire/snappy.ts';
import { type ServerFlags, VigieClient, withServerFlags } from './client.ts';
import type { CommandContext } from './context.ts';
import { openMetricsText } from './open-metrics.ts';

interface ExportFlags extends ServerFlags {
  dataDir?: string;
  output?: string;
  match?: string[];
  start?: string;
  end?: string;
}

const ANSWER_BYTES_MAX = 1024 * 1024 * 1024;

/** Reads the samples of one tenant: `names` first, then each metric by itself. */
interface Source {
  names(matchers: readonly Matcher[]): Promise<readonly string[]>;
  select(matchers: readonly Matcher[]): Promise<readonly SeriesColumns[]>;
}

export function addExport(program: Command, context: CommandContext): void {
  const collect = (value: string, all: string[] = []): string[] => [...all, value];
  withServerFlags(program.command('export'))
    .description('write samples as OpenMetrics text with timestamps')
    .option('--match <selector>', 'series to write, such as \'{job="api"}\'; may be repeated (default: all)', collect)
    .option('--start <time>', 'RFC 3339 or Unix seconds (default: the beginning)')
    .option('--end <time>', 'RFC 3339 or Unix seconds (default: now)')
    .option('-o, --output <file>', 'file to write (default: standard output)')
    .option('--data-dir <dir>', 'read a data folder that no Vigie runs on, instead of asking a server')
    .action(async (flags: ExportFlags) => {
      const range = { startMs: time(flags.start, 0), endMs: time(flags.end, Date.now()) };
      const sets = (flags.match ?? ['{__name__!=""}']).map(selector);
      if (flags.dataDir === undefined)
        return write(serverSource(new VigieClient(flags, context), range), sets, flags, context);
      const tenant = tenantId(flags.tenant ?? context.env['TENANT_ID'] ?? 'default');
      const { openOfflineMetrics } = await import('../app/offline-metrics.ts');
      await using opened = await openOfflineMetrics(flags.dataDir, createLogger('warn'));
      const reader = opened.store.reader(tenant);
      const source: Source = {
        names: (matchers) => reader.labelValues('__name__', [matchers], range),
        select: async (matchers) => reader.select(matchers, range),
      };
      await write(source, sets, flags, context);
    });
}

async function write(
  source: Source,
  sets: readonly (readonly Matcher[])[],
  flags: ExportFlags,
  context: CommandContext,
): Promise<void> {
  const out: NodeJS.WritableStream =
    flags.output === undefined ? context.stdout : createWriteStream(flags.output, { mode: 0o600 });
  let [samples, left, series] = [0, 0, 0];
  // a family stands in one piece: metric after metric, all selectors at once
  const bySet = await Promise.all(sets.map((s) => source.names(s)));
  for (const name of [...new Set(bySet.flat())].sort()) {
    const found = new Map<string, SeriesColumns>();
    for (const [i, set] of sets.entries())
      if (bySet[i]!.includes(name))
        for (const s of await source.select([...set, { name: '__name__', op: '=', value: name }]))
          found.set(s.labels.key, s);
    const part = openMetricsText([...found.values()]);
    for (const s of found.values()) samples += s.length;
    left += part.left;
    series += found.size;
    if (!out.write(part.text)) await new Promise((resolve) => out.once('drain', resolve));
  }
  out.write('# EOF\n');
  if (flags.output !== undefined) {
    out.end();
    await finished(out);
  }
  const note = left > 0 ? `; ${left} stale markers or native histograms have no place in this format` : '';
  context.stderr.write(`vigie: ${samples - left} samples of ${series} series written${note}\n`);
}

function serverSource(client: VigieClient, range: { readonly startMs: number; readonly endMs: number }): Source {
  const snappy = new SnappyDecoder();
  return {
    async names(matchers) {
      const parameters = new URLSearchParams({
        start: String(range.startMs / 1000),
        end: String(range.endMs / 1000),
        'match[]': `{${matchers.map((m) => `${JSON.stringify(m.name)}${m.op}${JSON.stringify(m.value)}`).join(',')}}`,
      });
      const answer = await client.request<{ data: string[] }>('GET', `/api/v1/label/__name__/values?${parameters}`);
      return answer.data;
    },
    async select(matchers) {
      const body = snappyCompress(encodeReadRequest([{ ...range, matchers }]));
      const response = await client.raw('POST', '/api/v1/read', body, 'application/x-protobuf');
      return decodeReadResponse(snappy.decode(new Uint8Array(await response.arrayBuffer()), ANSWER_BYTES_MAX))[0] ?? [];
    },
  };
}

function selector(text: string): readonly Matcher[] {
  const e = parse(text);
  if (e.kind !== 'selector') throw new VigieError('bad_query', `--match wants a selector, got ${text}`);
  return e.matchers;
}

function time(text: string | undefined, fallback: number): number {
  if (text === undefined) return fallback;
  const ms = /^\d+(\.\d+)?$/.test(text) ? Number(text) * 1000 : Date.parse(text);
  if (!Number.isFinite(ms))
    throw new VigieError('bad_data', `want RFC 3339 or Unix seconds, got ${JSON.stringify(text)}`);
  return Math.round(ms);
}
