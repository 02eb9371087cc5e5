/** The command against a real route table and a query API over known series. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../test/support/peers.ts';
import { serveRoutes } from '../../test/support/route-server.ts';
import type { Route } from '../http/route.ts';
import type { CommandContext } from './context.ts';
import { addDetector } from './detector.ts';

const END = Date.UTC(2026, 0, 20) / 1000;

async function run(argv: string[], env: Record<string, string> = {}) {
  let out = '';
  const write = (text: string): boolean => {
    out += text;
    return true;
  };
  const stream = { write } as unknown as NodeJS.WritableStream;
  const context: CommandContext = { env, stdout: stream, stderr: stream, exitCode: 0 };
  const program = new Command().exitOverride();
  addDetector(program, context);
  await program.parseAsync(['detector', ...argv], { from: 'user' });
  return { out, code: context.exitCode };
}

/** A disk that fills twice and is emptied by hand long after, and quiet load. */
const queryRange: Route = {
  method: 'GET',
  path: '/api/v1/query_range',
  family: 'prometheus',
  access: { kind: 'public' },
  handle: (request) => {
    const [start, end, step] = ['start', 'end', 'step'].map((k) => Number(request.query.get(k))) as [
      number,
      number,
      number,
    ];
    const values: [number, string][] = [];
    for (let t = start; t <= end; t += step) {
      const day = (END - t) / 86_400;
      const fill = (from: number) => Math.min(1, Math.max(0, (from - day) / 0.3));
      const used = day > 3 ? 0.3 + 0.69 * fill(5) * (day > 3.2 ? 1 : 0) : 0.3 + 0.69 * fill(1.5);
      values.push([t, String(1 - used + 0.001 * Math.sin(t / 97))]);
    }
    return {
      json: { status: 'success', data: { resultType: 'matrix', result: [{ metric: { mountpoint: '/' }, values }] } },
    };
  },
};

const DISK = `version: 1
detectors:
  - name: disk
    kind: forecast
    expr: disk
    step: 5m
    warmup: 2d
    horizon: 4h
    method: exhaustion
    threshold: { below: 0.05 }
`;

describe('vigie detector', () => {
  it('checks files and names what is wrong', async () => {
    using folder = temporaryFolder();
    const file = path.join(folder.path, 'd.yml');
    writeFileSync(file, DISK);
    expect((await run(['check', file])).out).toMatch(/1 detectors, all well/);
    writeFileSync(file, DISK.replace('horizon: 4h', 'horizon: soon'));
    await expect(run(['check', file])).rejects.toThrow(/d\.yml: detectors\.0\.horizon: not a valid duration/);
    writeFileSync(file, DISK.replace('threshold: { below: 0.05 }', 'limit: 3'));
    await expect(run(['check', file])).rejects.toThrow(/Unrecognized key|unrecognized/i);
  });

  it('tries a file on the history of a server: precision, recall, lead, false alerts per week', async () => {
    await using server = await serveRoutes([queryRange]);
    using folder = temporaryFolder();
    const file = path.join(folder.path, 'd.yml');
    writeFileSync(file, DISK);
    const { out, code } = await run([
      'backtest',
      '--file',
      file,
      '--length',
      '8d',
      '--end',
      String(END),
      '--json',
      '--url',
      server.url,
    ]);
    const [tested] = JSON.parse(out) as { name: string; result: Record<string, number | boolean> }[];
    expect(tested).toMatchObject({
      name: 'disk',
      result: { passed: true, events: 2, hits: 2, misses: 0, recall: 1, precision: 1 },
    });
    expect(tested!.result['leadSeconds']).toBeGreaterThan(3_600);
    expect(code).toBe(0);
    const text = await run(['backtest', '--file', file, '--length', '8d', '--end', String(END), '--url', server.url]);
    expect(text.out).toMatch(/disk +forecast +passed +2 +2 +0 +0 +100 % +100 %/);
    await expect(run(['backtest', 'nope', '--file', file, '--url', server.url])).rejects.toThrow(
      /no detector "nope"; there are disk/,
    );
  });

  it('fails with a reason when there is too little history', async () => {
    await using server = await serveRoutes([queryRange]);
    using folder = temporaryFolder();
    const file = path.join(folder.path, 'd.yml');
    writeFileSync(file, DISK);
    const { out, code } = await run([
      'backtest',
      '--file',
      file,
      '--length',
      '3h',
      '--end',
      String(END),
      '--url',
      server.url,
    ]);
    expect(out).toMatch(/disk: not enough history/);
    expect(code).toBe(1);
  });
});
