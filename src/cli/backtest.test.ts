import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { Writable } from 'node:stream';
import { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../test/support/peers.ts';
import { serveRoutes } from '../../test/support/route-server.ts';
import { addBacktest } from './backtest.ts';
import type { CommandContext } from './context.ts';

class Text extends Writable {
  text = '';
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString();
    done();
  }
}

async function run(...argv: string[]): Promise<string> {
  const out = new Text();
  const context: CommandContext = { env: {}, stdout: out, stderr: new Text(), exitCode: 0 };
  const program = new Command().exitOverride();
  addBacktest(program, context);
  await program.parseAsync(['backtest', ...argv], { from: 'user' });
  return out.text;
}

const T0 = 1_767_225_600; // 2026-01-01
/** One series, a value a minute: 9 from minute 10 to 19 and 30 to 31, else 1. */
const value = (minute: number): number => ((minute >= 10 && minute < 20) || minute === 30 || minute === 31 ? 9 : 1);
const openMetrics = `# TYPE x gauge\n${Array.from({ length: 61 }, (_, i) => `x{i="1"} ${value(i)} ${T0 + i * 60}`).join('\n')}\n# EOF\n`;
const rules = (expr: string, more = ''): string =>
  `groups:\n- name: g\n  rules:\n  - record: y\n    expr: x * 2\n  - alert: High\n    expr: ${expr}\n    labels: { severity: page }\n${more}`;

describe('vigie backtest', () => {
  it('runs over OpenMetrics, over recorded series, and compares two versions', async () => {
    using folder = temporaryFolder();
    const at = (name: string, text: string): string => {
      const file = path.join(folder.path, name);
      writeFileSync(file, text);
      return file;
    };
    const data = at('data.om', openMetrics);
    const old = at('old.yml', rules('y > 10'));
    const slow = at('slow.yml', rules('y > 10', '    for: 5m\n'));
    const alone = await run(old, '--input', data);
    expect(alone).toContain('From 2026-01-01T00:00:00Z to 2026-01-01T01:00:00Z');
    expect(alone).toMatch(/g\s+High\s+page\s+2\s+0\s+12m\s+10m\s+1/);
    expect(alone).toContain('2026-01-01T00:10:00Z to 2026-01-01T00:20:00Z  {i="1", severity="page"}  peak 18');
    const compared = await run(slow, '--against', old, '--input', data);
    expect(compared).toContain('High: fired 2 -> 1');
    expect(compared).toContain('only in the old version:\n  2026-01-01T00:30:00Z');
    expect(compared).toContain(
      'with other times, as in the new version:\n  2026-01-01T00:15:00Z to 2026-01-01T00:20:00Z',
    );
    expect(await run(old, '--against', old, '--input', data)).toContain('Both versions fire at the same times.');
  });

  it('has the same answer over JSON of query_range, of export, and from a server', async () => {
    using folder = temporaryFolder();
    const file = path.join(folder.path, 'rules.yml');
    writeFileSync(file, rules('x > 5'));
    const points = Array.from({ length: 61 }, (_, i) => [T0 + i * 60, String(value(i))] as const);
    const matrix = path.join(folder.path, 'a.json');
    writeFileSync(
      matrix,
      JSON.stringify({ data: { result: [{ metric: { __name__: 'x', i: '1' }, values: points }] } }),
    );
    const lines = path.join(folder.path, 'b.json');
    writeFileSync(
      lines,
      `${JSON.stringify({ metric: { __name__: 'x', i: '1' }, values: points.map((p) => Number(p[1])), timestamps: points.map((p) => p[0] * 1000) })}\n`,
    );
    const summary = /High\s+page\s+2\s+0\s+12m/;
    expect(await run(file, '--input', matrix)).toMatch(summary);
    expect(await run(file, '--input', lines)).toMatch(summary);
    const asked: string[] = [];
    await using server = await serveRoutes([
      {
        method: 'GET',
        path: '/api/v1/query_range',
        family: 'prometheus',
        access: { kind: 'public' },
        handle: (r) => {
          asked.push(r.query.get('query')!);
          const from = Number(r.query.get('start'));
          const to = Number(r.query.get('end'));
          const values = points.filter((p) => Number(p[1]) > 5 && p[0] >= from && p[0] <= to);
          return {
            json: { status: 'success', data: { resultType: 'matrix', result: [{ metric: { i: '1' }, values }] } },
          };
        },
      },
    ]);
    const span = ['--start', String(T0), '--end', String(T0 + 3_600)];
    expect(await run(file, '--url', server.url, ...span)).toMatch(summary);
    expect(asked).toEqual(['x > 5']);
  });

  it('names the rule whose expression fails, and refuses an empty file', async () => {
    using folder = temporaryFolder();
    const file = path.join(folder.path, 'rules.yml');
    writeFileSync(file, rules('x * on () x{i="2"} * on () group_left () x'));
    const data = path.join(folder.path, 'data.om');
    writeFileSync(data, openMetrics.replaceAll('x{i="1"}', 'x{i="2"}').replace('# EOF', `x{i="3"} 1 ${T0}\n# EOF`));
    await expect(run(file, '--input', data)).rejects.toThrow(/^group g, rule High: /);
    writeFileSync(data, '# EOF\n');
    await expect(run(file, '--input', data)).rejects.toThrow('holds no samples with time stamps');
  });
});
