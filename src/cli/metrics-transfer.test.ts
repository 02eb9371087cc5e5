/** `vigie import` and `vigie export` against a server: the routes they use, over HTTP. */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { PassThrough } from 'node:stream';
import { Command } from 'commander';
import { expect, it } from 'vitest';
import { openStore } from '../../test/support/metrics-store.ts';
import { temporaryFolder } from '../../test/support/peers.ts';
import { serveRoutes } from '../../test/support/route-server.ts';
import { promqlRegex } from '../app/regex-ports.ts';
import { importRoute } from '../http/prometheus/import.ts';
import { prometheusQueryRoutes } from '../http/prometheus/query.ts';
import { remoteReadRoute } from '../http/prometheus/remote-read.ts';
import { createExpositionParser } from '../ingest/exposition/parser.ts';
import { RawSeriesMemory } from '../ingest/exposition/series-memory.ts';
import { SnappyDecoder } from '../ingest/snappy.ts';
import { systemClock } from '../lib/clock.ts';
import { QueryEngine } from '../promql/engine.ts';
import { compileMatcher } from '../regex/matcher.ts';
import { addExport } from './export.ts';
import { addImport } from './import.ts';

it('what was imported is exported', async () => {
  using folder = temporaryFolder();
  await using store = await openStore(path.join(folder.path, 'store'), { clock: systemClock, compileMatcher });
  const snappy = new SnappyDecoder();
  const engine = new QueryEngine({ compileRegex: promqlRegex, monotonicMs: () => systemClock.monotonicMs() });
  await using server = await serveRoutes([
    importRoute({
      parser: createExpositionParser(),
      createMemory: () => new RawSeriesMemory(),
      importSeries: (tenant, series) => store.importSeries(tenant, series),
      audit: async () => {},
    }),
    remoteReadRoute({ reader: (c) => store.reader(c.tenant), decompress: (b, max) => snappy.decode(b, max) }),
    ...prometheusQueryRoutes({ reader: (c) => store.reader(c.tenant), engine, clock: systemClock }),
  ]);
  const start = Math.floor(Date.now() / 1000) - 40_000;
  const lines = Array.from({ length: 200 }, (_, i) => `b{x="1"} ${i / 8} ${start + i * 60}.000`);
  const more = Array.from({ length: 200 }, (_, i) => `a{x="é\\"\\\\"} ${i} ${start + i * 60}.500`);
  const text = `# TYPE a unknown\n${more.join('\n')}\n# TYPE b unknown\n${lines.join('\n')}\n# EOF\n`;
  writeFileSync(path.join(folder.path, 'in.om'), text);
  const printed: string[] = [];
  const sink = new PassThrough();
  sink.on('data', (b: Buffer) => printed.push(b.toString()));
  const program = new Command('vigie').exitOverride();
  const context = { env: {}, stdout: sink, stderr: sink, exitCode: 0 };
  addImport(program, context);
  addExport(program, context);
  const run = (...args: string[]) => program.parseAsync([...args, '--url', server.url], { from: 'user' });
  await run('import', path.join(folder.path, 'in.om'));
  expect(printed.join('')).toContain('400 samples of 2 series');
  await run('export', '-o', path.join(folder.path, 'out.om'));
  expect(readFileSync(path.join(folder.path, 'out.om'), 'utf8')).toBe(text);
  await expect(run('import', path.join(folder.path, 'absent.om'))).rejects.toMatchObject({ code: 'bad_data' });
  await expect(run('export', '--match', 'sum(a)')).rejects.toMatchObject({ code: 'bad_query' });
});
