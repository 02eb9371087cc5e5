/** `vigie check` of users' own files: the same verdict as promtool and amtool, and a culprit named where it is bad. */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { PassThrough } from 'node:stream';
import { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { addCheck } from '../../src/cli/check.ts';
import type { CommandContext } from '../../src/cli/context.ts';
import { addRenameCheck } from '../../src/cli/rename-check.ts';
import { findPeer, peerMissing, temporaryFolder } from '../support/peers.ts';

async function vigie(args: readonly string[]): Promise<{ code: number; out: string }> {
  const stream = new PassThrough();
  const chunks: Buffer[] = [];
  stream.on('data', (c: Buffer) => chunks.push(c));
  const context: CommandContext = { env: {}, stdout: stream, stderr: stream, exitCode: 0 };
  const program = new Command('vigie').exitOverride();
  for (const add of [addCheck, addRenameCheck]) add(program, context);
  await program.parseAsync([...args], { from: 'user' });
  return { code: context.exitCode, out: Buffer.concat(chunks).toString('utf8') };
}

const RULES = 'groups:\n  - name: g\n    rules:\n';
const FILES: readonly (readonly [
  name: string,
  kind: 'rules' | 'am' | 'prom',
  good: boolean,
  text: string,
  culprit?: RegExp,
])[] = [
  [
    'good rules',
    'rules',
    true,
    `${RULES}      - { alert: A, expr: up == 0, for: 5m, annotations: { s: "{{ $value }}" } }\n`,
  ],
  ['groups that are no list', 'rules', false, 'groups: 5\n', /groups.*list|list.*groups|sequence/],
  ['bad expression', 'rules', false, `${RULES}      - { alert: A, expr: "sum(up" }\n`, /:4/],
  ['bad duration', 'rules', false, `${RULES}      - { alert: A, expr: up, for: 5 minutes }\n`, /5 minutes/],
  [
    'bad template',
    'rules',
    false,
    `${RULES}      - { alert: A, expr: up, annotations: { s: "{{ .x" } }\n`,
    /s|annotation/,
  ],
  ['unknown field', 'rules', false, `${RULES}      - { alert: A, exp: up }\n`, /exp/],
  [
    'good routes',
    'am',
    true,
    'route: { receiver: a, routes: [{ receiver: b, matchers: [severity="critical"] }] }\nreceivers: [{ name: a }, { name: b }]\n',
  ],
  ['unknown receiver', 'am', false, 'route: { receiver: z }\nreceivers: [{ name: a }]\n', /z/],
  [
    'bad matcher',
    'am',
    false,
    'route: { receiver: a, routes: [{ matchers: ["a=~("] }] }\nreceivers: [{ name: a }]\n',
    /a=~\(|\(/,
  ],
  [
    'good scraping',
    'prom',
    true,
    'global: { scrape_interval: 15s }\nscrape_configs: [{ job_name: a, static_configs: [{ targets: ["x:1"] }] }]\n',
  ],
  ['two jobs of one name', 'prom', false, 'scrape_configs: [{ job_name: a }, { job_name: a }]\n', /a/],
  ['bad interval', 'prom', false, 'global: { scrape_interval: fast }\n', /fast/],
];

describe.skipIf(peerMissing('promtool') || peerMissing('amtool'))('vigie check of files', () => {
  it.each(FILES.map(([name, kind, good, text, culprit]) => ({ name, kind, good, text, culprit })))(
    '$name',
    async ({ kind, good, text, culprit }) => {
      using folder = temporaryFolder();
      const file = path.join(folder.path, 'file.yml');
      writeFileSync(file, text);
      const [program, ...args] =
        kind === 'am' ? ['amtool', 'check-config'] : ['promtool', 'check', kind === 'rules' ? 'rules' : 'config'];
      expect(spawnSync(findPeer(program!)!, [...args, file]).status === 0, 'the real program').toBe(good);
      const { code, out } = await vigie(['check', file]);
      expect(code === 0, out).toBe(good);
      if (culprit) expect(out).toMatch(culprit);
      else expect(out).toContain('good');
    },
  );

  it('of vigie.yaml names path and line, of dashboards the panel, and warnings fail only when strict', async () => {
    using folder = temporaryFolder();
    const at = (n: string, text: string): string => {
      writeFileSync(path.join(folder.path, n), text);
      return path.join(folder.path, n);
    };
    const bad = await vigie(['check', at('vigie.yaml', 'catalogue:\n  tenants:\n    a:\n      langauge: fr\n')]);
    expect(bad).toMatchObject({ code: 1, out: expect.stringMatching(/:4.*langauge/) });
    const panel = await vigie([
      'check',
      at('d.json', '{"panels":[{"title":"P","type":"stat","targets":[{"expr":"sum(","refId":"A"}]}]}'),
    ]);
    expect(panel).toMatchObject({ code: 1, out: expect.stringContaining('panel "P" A') });
    const routes = at(
      'am.yml',
      'route: { receiver: a, routes: [{ receiver: b, matchers: [x="1"] }, { receiver: b, matchers: [x="1"] }] }\nreceivers: [{ name: a }, { name: b, webhook_configs: [{ url: "http://x" }] }]\n',
    );
    expect((await vigie(['check', routes])).code).toBe(0);
    expect(await vigie(['check', '--strict', routes])).toMatchObject({
      code: 1,
      out: expect.stringContaining('dead-route'),
    });
  });

  it('of the shipped catalogue is good, unit tests included; renaming a metric names who goes blind', {
    timeout: 120_000,
  }, async () => {
    const { code, out } = await vigie(['check', '-e', 'all']);
    expect(code, out).toBe(0);
    expect(out).toMatch(/checked prod: [2-9]\d\d rules, [2-9]\d\d queries/);
    const blind = await vigie(['rename-check', 'redis_up']);
    expect(blind).toMatchObject({ code: 1, out: expect.stringContaining('RedisDown') });
    expect((await vigie(['rename-check', 'nothing_reads_this'])).code).toBe(0);
  });
});
