/** `vigie import`, `export` and `snapshot` against promtool and blocks of a real Prometheus. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { PassThrough } from 'node:stream';
import { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { openOfflineMetrics } from '../../src/app/offline-metrics.ts';
import { addExport } from '../../src/cli/export.ts';
import { addImport } from '../../src/cli/import.ts';
import { addSnapshot } from '../../src/cli/snapshot.ts';
import { silentLogger } from '../../src/lib/logger.ts';
import { tenantId } from '../../src/model/tenant.ts';
import { ANY_SERIES, EVERYTHING, rowsOf } from '../support/metrics-store.ts';
import { findPeer, peerMissing, temporaryFolder } from '../support/peers.ts';

/** Runs one of the three commands as the command line does; 1 when it failed. */
async function run(args: readonly string[]): Promise<number> {
  const sink = new PassThrough().resume();
  const context = { env: {}, stdout: sink, stderr: sink, exitCode: 0 };
  const program = new Command('vigie').exitOverride();
  for (const add of [addImport, addExport, addSnapshot]) add(program, context);
  try {
    await program.parseAsync([...args], { from: 'user' });
    return context.exitCode;
  } catch {
    return 1;
  }
}

const hoursAgo = Math.floor(Date.now() / 1000 / 7_200) * 7_200 - 20 * 3_600;

function openMetrics(): { text: string; samples: number } {
  const lines = ['# HELP api_requests Requests.', '# TYPE api_requests counter'];
  let samples = 0;
  for (let i = 0; i < 5; i++)
    for (let k = 0; k < 700; k++, samples++)
      lines.push(`api_requests_total{i="${i}",odd="a\\"b\\\\c\\nd"} ${k * (i + 1) * 0.25} ${hoursAgo + k * 60}`);
  lines.push('# TYPE temperature gauge');
  for (let k = 0; k < 700; k++, samples++) lines.push(`temperature ${Math.sin(k) * 20} ${hoursAgo + k * 60}.250`);
  return { text: `${lines.join('\n')}\n# EOF\n`, samples };
}

const dump = (promtool: string, folder: string): string[] => {
  // it wants a log beside the blocks
  mkdirSync(path.join(folder, 'wal'), { recursive: true });
  return execFileSync(promtool, ['tsdb', 'dump', folder], { maxBuffer: 1 << 28, stdio: ['ignore', 'pipe', 'pipe'] })
    .toString()
    .trim()
    .split('\n')
    .sort();
};

describe('Prometheus', () => {
  it.skipIf(peerMissing('promtool'))('the same samples in and out', { timeout: 60_000 }, async () => {
    using folder = temporaryFolder();
    const promtool = findPeer('promtool')!;
    const at = (...names: string[]): string => path.join(folder.path, ...names);
    const { text, samples } = openMetrics();
    writeFileSync(at('in.om'), text);
    execFileSync(promtool, ['tsdb', 'create-blocks-from', 'openmetrics', at('in.om'), at('theirs')], { stdio: 'pipe' });
    const theirs = dump(promtool, at('theirs'));
    expect(theirs).toHaveLength(samples);

    // a text file, and the blocks that Prometheus made of it
    expect(await run(['import', at('in.om'), '--data-dir', at('a'), '--tenant', 't'])).toBe(0);
    const blocks = readdirSync(at('theirs')).filter((f) => existsSync(at('theirs', f, 'index')));
    expect(blocks.length).toBeGreaterThan(1);
    for (const b of blocks)
      expect(await run(['import', at('theirs', b), '--data-dir', at('b'), '--tenant', 't'])).toBe(0);
    const held: Record<string, [number, number][]>[] = [];
    for (const data of ['a', 'b']) {
      await using opened = await openOfflineMetrics(at(data), silentLogger);
      held.push(rowsOf(await opened.store.reader(tenantId('t')).select(ANY_SERIES, EVERYTHING)));
      expect(await opened.store.reader(tenantId('other')).select(ANY_SERIES, EVERYTHING)).toEqual([]);
      expect(opened.store.stats(tenantId('t')).diskBytes / samples).toBeLessThan(6);
    }
    expect(Object.values(held[0]!).flat()).toHaveLength(samples);
    expect(held[1]).toEqual(held[0]);

    // and out again
    expect(await run(['export', '-o', at('out.om'), '--data-dir', at('a'), '--tenant', 't'])).toBe(0);
    execFileSync(promtool, ['tsdb', 'create-blocks-from', 'openmetrics', at('out.om'), at('again')], { stdio: 'pipe' });
    expect(dump(promtool, at('again'))).toEqual(theirs);
    expect(
      await run([
        'export',
        '-o',
        at('part.om'),
        '--data-dir',
        at('a'),
        '--tenant',
        't',
        '--match',
        '{i=~"1|2"}',
        '--start',
        String(hoursAgo),
        '--end',
        String(hoursAgo + 600),
      ]),
    ).toBe(0);
    expect(
      readFileSync(at('part.om'), 'utf8')
        .split('\n')
        .filter((l) => l.startsWith('api_requests_total')),
    ).toHaveLength(22);

    const snapshot = ['snapshot', '--data-dir', at('a'), '--output', at('copy')];
    expect(await run(snapshot)).toBe(0);
    expect(await run(snapshot)).toBe(1);
    await using copy = await openOfflineMetrics(at('copy'), silentLogger);
    expect(rowsOf(await copy.store.reader(tenantId('t')).select(ANY_SERIES, EVERYTHING))).toEqual(held[0]);
  });
});
