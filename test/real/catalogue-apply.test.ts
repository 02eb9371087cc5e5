/** A rendered tree under a running Prometheus and Alertmanager: they load it, and `apply` makes them load a change. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { PassThrough } from 'node:stream';
import { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { addApply } from '../../src/cli/apply.ts';
import type { CommandContext } from '../../src/cli/context.ts';
import { addDiff } from '../../src/cli/diff.ts';
import { addImportStack } from '../../src/cli/import-stack.ts';
import { addLint } from '../../src/cli/lint.ts';
import { addRender } from '../../src/cli/render.ts';
import { findPeer, freePort, httpReady, peerMissing, start, temporaryFolder } from '../support/peers.ts';

async function vigie(args: readonly string[], cwd: string): Promise<{ code: number; out: string }> {
  const stream = new PassThrough();
  const chunks: Buffer[] = [];
  stream.on('data', (c: Buffer) => chunks.push(c));
  const context: CommandContext = { env: {}, stdout: stream, stderr: stream, exitCode: 0 };
  const program = new Command('vigie').exitOverride();
  for (const add of [addRender, addDiff, addApply, addLint, addImportStack]) add(program, context);
  await program.parseAsync(
    args.map((a) => a.replace('@', cwd)),
    { from: 'user' },
  );
  return { code: context.exitCode, out: Buffer.concat(chunks).toString('utf8') };
}

describe.skipIf(peerMissing('prometheus') || peerMissing('prometheus-alertmanager'))('apply', () => {
  it('makes Prometheus and Alertmanager load what was rendered, and says when they do not', async () => {
    using folder = temporaryFolder();
    const cwd = folder.path;
    const configure = (threshold: number, extra: object = {}) =>
      writeFileSync(
        path.join(cwd, 'vigie.yaml'),
        stringify({
          catalogue: {
            overrides: { api: { parameters: { error_ratio: threshold } } },
            receivers: { webhook: { url: 'http://127.0.0.1:9/hook' } },
            alertmanager: { templates: path.join(cwd, 'out/alertmanager/templates'), version: '0.25' },
            tenants: { acme: { receivers: { slack: { channel: '#acme', api_url_file: path.join(cwd, 'slack') } } } },
            ...extra,
          },
        }),
      );
    writeFileSync(path.join(cwd, 'slack'), 'http://127.0.0.1:9/slack');
    configure(0.02);
    const render = ['render', '-c', '@/vigie.yaml', '-e', 'prod', '-o', '@/out'];
    expect((await vigie(render, cwd)).code).toBe(0);
    const [pPort, aPort] = [await freePort(), await freePort()];
    const urls = { p: `http://127.0.0.1:${pPort}`, a: `http://127.0.0.1:${aPort}` };
    await using prometheus = await start(findPeer('prometheus')!, {
      args: [
        `--config.file=${cwd}/out/prometheus/prometheus.yml`,
        `--storage.tsdb.path=${mkdtempSync(path.join(cwd, 'p'))}`,
        `--web.listen-address=127.0.0.1:${pPort}`,
        '--web.enable-lifecycle',
      ],
      ready: httpReady(`${urls.p}/-/ready`),
    });
    await using alertmanager = await start(findPeer('prometheus-alertmanager')!, {
      args: [
        `--config.file=${cwd}/out/alertmanager/alertmanager.yml`,
        `--storage.path=${mkdtempSync(path.join(cwd, 'a'))}`,
        `--web.listen-address=127.0.0.1:${aPort}`,
        '--cluster.listen-address=',
      ],
      ready: httpReady(`${urls.a}/-/ready`),
    });
    expect(prometheus.pid).toBeGreaterThan(0);
    expect(alertmanager.pid).toBeGreaterThan(0);
    const rules = async () =>
      (
        (await (await fetch(`${urls.p}/api/v1/rules`)).json()) as {
          data: {
            groups: { file: string; rules: { name: string; query: string; labels: Record<string, string> }[] }[];
          };
        }
      ).data.groups.flatMap((g) => g.rules);
    const acme = async () => (await rules()).find((r) => r.name === 'ApiErrorsHigh')!;
    expect((await rules()).length).toBeGreaterThan(60);
    expect(await acme()).toMatchObject({
      query: expect.stringContaining('> 0.02'),
      labels: { tenant_id: 'acme', level: 'L2', env: 'prod' },
    });
    expect((await acme()).query.match(/tenant_id="acme"/g)).toHaveLength(2);
    const status = (await (await fetch(`${urls.a}/api/v2/status`)).json()) as { config: { original: string } };
    expect(status.config.original).toContain('tenant_id="acme"');

    const apply = ['apply', '@/out', '--prometheus-url', urls.p, '--alertmanager-url', urls.a];
    expect((await vigie([...apply, '--yes'], cwd)).out).toMatch(/prometheus reloaded and says that it was good/);
    configure(0.07);
    const diff = await vigie(['diff', '-c', '@/vigie.yaml', '-e', 'prod', '-o', '@/out'], cwd);
    expect(diff.out).toMatch(/-.*> 0\.02.*\n/);
    expect(diff.out).toMatch(/\+.*> 0\.07.*\n/);
    await vigie(render, cwd);
    const dry = await vigie(apply, cwd);
    expect(dry.out).toMatch(/1 to change.*nothing was changed/);
    expect((await acme()).query).toContain('0.02');
    const done = await vigie([...apply, '--yes'], cwd);
    expect(done.out).toMatch(/1 changed/);
    expect((await acme()).query).toContain('0.07');
    expect((await vigie([...apply, '--yes'], cwd)).out).toMatch(/0 created, 0 changed, 0 removed/);
    // the linter against the running server
    const lint = await vigie(
      ['lint', '--live', '--url', urls.p, '--pack', 'vigie', 'host', '--window', '10m', '--json'],
      cwd,
    );
    const report = JSON.parse(lint.out) as {
      findings: { kind: string; where: string }[];
      alerts: { name: string; fired: number; samples: number }[];
    };
    expect(report.alerts.find((a) => a.name === 'Watchdog')).toMatchObject({ fired: 1, samples: expect.any(Number) });
    expect(report.findings.map((f) => f.kind)).toContain('no-such-metric');
    expect(report.findings.filter((f) => f.kind === 'query-failed')).toEqual([]);

    // adoption: what is there comes back as files that say the same, in shadow
    const seen = await vigie(['import-stack', '--prometheus', urls.p, '--alertmanager', urls.a, '-o', '@/seen'], cwd);
    expect(seen.out).toMatch(/api .*has 7 in common/);
    expect(seen.out).toContain('ApiErrorsHigh is there as ApiErrorsHigh (same name)');
    const files = readdirSync(path.join(cwd, 'seen/rules'));
    execFileSync(findPeer('promtool')!, ['check', 'rules', ...files.map((f) => path.join(cwd, 'seen/rules', f))]);
    const shape = (text: string) =>
      (parse(text) as { groups: { rules: { expr: string; alert?: string }[] }[] }).groups
        .flatMap((g) => g.rules.map((r) => [r.alert, r.expr.replace(/\s+/g, '')].join(': ')))
        .sort();
    expect(shape(readFileSync(path.join(cwd, 'seen/rules/acme-api.yml'), 'utf8'))).toEqual(
      shape(readFileSync(path.join(cwd, 'out/prometheus/rules/acme-api.yml'), 'utf8')),
    );
    expect(readFileSync(path.join(cwd, 'seen/alertmanager.yml'), 'utf8')).not.toContain('slack');

    // a file that Prometheus refuses: apply fails and says so
    const file = path.join(cwd, 'out/prometheus/rules/acme-api.yml');
    writeFileSync(file, 'groups: [{ name: x, rules: [{ record: a, expr: "sum(" }] }]\n');
    await expect(vigie([...apply, '--yes'], cwd)).rejects.toThrow(/reload of prometheus|did not accept/);
  });
});
