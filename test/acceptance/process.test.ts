/** The program as a user starts it: first data, refusals in one sentence, reload, orderly and violent ends. */
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { eventually, MAIN, NODE, startVigie, type VigieProcess } from '../support/vigie.ts';

const run = promisify(execFile);
const folder = mkdtempSync(path.join(tmpdir(), 'vigie-process-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Failed {
  readonly code: number;
  readonly stderr: string;
}
/** Runs a command that must fail; answers its exit code and what it said. */
async function failing(args: readonly string[], env: Record<string, string> = {}): Promise<Failed> {
  try {
    await run(NODE, [MAIN, ...args], { cwd: folder, env: { PATH: process.env['PATH'], ...env }, timeout: 30_000 });
  } catch (error) {
    return error as Failed;
  }
  throw new Error(`vigie ${args.join(' ')} should have failed`);
}

interface Vector {
  readonly data: { readonly result: readonly { metric: Record<string, string>; value: [number, string] }[] };
}
const query = (vigie: VigieProcess, expr: string, tenant?: string): Promise<Vector> =>
  vigie.json<Vector>(`/api/v1/query?query=${encodeURIComponent(expr)}`, tenant === undefined ? {} : { tenant });

const otlp = (name: string, value: number, atMs = Date.now()): string =>
  JSON.stringify({
    resourceMetrics: [
      {
        scopeMetrics: [
          { metrics: [{ name, gauge: { dataPoints: [{ timeUnixNano: `${atMs}000000`, asDouble: value }] } }] },
        ],
      },
    ],
  });
const post = (body: string): RequestInit => ({ method: 'POST', body, headers: { 'content-type': 'application/json' } });

describe('vigie serve', () => {
  it('watches this host and itself from the first seconds, and ends in order on SIGTERM', async () => {
    await using vigie = await startVigie();
    const up = await eventually('both built-in targets', async () => {
      const { data } = await query(vigie, 'up');
      return data.result.length >= 2 && data.result.every((r) => r.value[1] === '1') ? data.result : undefined;
    });
    expect(up.map((r) => r.metric['job']).sort()).toEqual(['host', 'vigie']);
    expect((await query(vigie, 'node_cpu_seconds_total')).data.result.length).toBeGreaterThan(4);
    const begun = Date.now();
    expect(await vigie.stop()).toBe(0);
    expect(Date.now() - begun).toBeLessThan(8_000);
  }, 60_000);

  it('keeps what it acknowledged through kill -9', async () => {
    const dataDir = path.join(folder, 'killed');
    mkdirSync(dataDir);
    {
      await using vigie = await startVigie({ dataDir });
      for (let i = 0; i < 20; i++)
        expect((await vigie.fetch('/v1/metrics', { ...post(otlp(`kept_${i}`, i)), tenant: 'acme' })).status).toBe(200);
      const silence = await vigie.json<{ silenceID: string }>('/api/v2/silences', {
        ...post(
          JSON.stringify({
            matchers: [{ name: 'x', value: 'y', isRegex: false, isEqual: true }],
            startsAt: new Date().toISOString(),
            endsAt: new Date(Date.now() + 3_600_000).toISOString(),
            createdBy: 'me',
            comment: 'c',
          }),
        ),
        tenant: 'acme',
      });
      expect(silence.silenceID).not.toBe('');
      await vigie.stop('SIGKILL');
    }
    await using vigie = await startVigie({ dataDir });
    expect((await query(vigie, 'count({__name__=~"kept_.*"})', 'acme')).data.result[0]?.value[1]).toBe('20');
    expect(await vigie.json<unknown[]>('/api/v2/silences', { tenant: 'acme' })).toHaveLength(1);
  }, 60_000);

  it('refuses a data folder in use, a port in use, and a folder it cannot write, by name', async () => {
    const dataDir = path.join(folder, 'held');
    mkdirSync(dataDir);
    await using vigie = await startVigie({ dataDir });
    const second = await failing(['serve', '--data-dir', dataDir, '--listen', '127.0.0.1:0']);
    expect(second.code).toBe(1);
    expect(second.stderr).toMatch(/in use by another Vigie \(pid \d+, http:\/\/127\.0\.0\.1:\d+\)/);
    const taken = await failing([
      'serve',
      '--data-dir',
      path.join(folder, 'other'),
      '--listen',
      `127.0.0.1:${vigie.port}`,
    ]);
    expect(taken.stderr).toContain('the port is in use; choose another with --listen');
    const file = path.join(folder, 'a-file');
    writeFileSync(file, '');
    const blocked = await failing(['serve', '--data-dir', path.join(file, 'x'), '--listen', '127.0.0.1:0']);
    expect(blocked.stderr).toContain('cannot create the data folder');
  }, 60_000);

  it.each([
    ['unknown setting', 'retenton: 30d\n', /vigie-bad\.yaml:1: .*unknown setting "retenton"/],
    ['wrong value', 'environment: dev\nretention: soon\n', /vigie-bad\.yaml:2: retention/],
    ['broken YAML', 'environment: [dev\n', /vigie-bad\.yaml:\d+: /],
    ['a missing rule file', 'rules: [nowhere.yml]\n', /nowhere\.yml/],
  ])('names the culprit: %s', async (_name, text, wanted) => {
    const file = path.join(folder, 'vigie-bad.yaml');
    writeFileSync(file, text);
    const failed = await failing([
      'serve',
      '--config',
      file,
      '--data-dir',
      path.join(folder, 'bad'),
      '--listen',
      '127.0.0.1:0',
    ]);
    expect(failed.code).toBe(1);
    expect(failed.stderr).toMatch(wanted);
    expect(failed.stderr).not.toContain('    at ');
  });

  it('refuses to be reached by others while nobody could authenticate', async () => {
    const failed = await failing(['serve', '--data-dir', path.join(folder, 'open'), '--listen', '0.0.0.0:0']);
    expect(failed.stderr).toContain('vigie tenant bootstrap');
  });

  it('names broken rule and alerting files with line', async () => {
    const rules = path.join(folder, 'broken-rules.yml');
    writeFileSync(rules, 'groups:\n  - name: g\n    rules:\n      - alert: A\n        expr: sum(\n');
    const a = await failing([
      'serve',
      '--rules',
      rules,
      '--data-dir',
      path.join(folder, 'r'),
      '--listen',
      '127.0.0.1:0',
    ]);
    expect(a.stderr).toMatch(/broken-rules\.yml:5/);
    const routing = path.join(folder, 'broken-am.yml');
    writeFileSync(routing, 'route:\n  receiver: nobody-here\nreceivers: []\n');
    const b = await failing([
      'serve',
      '--alertmanager-config',
      routing,
      '--data-dir',
      path.join(folder, 'm'),
      '--listen',
      '127.0.0.1:0',
    ]);
    expect(b.stderr).toMatch(/broken-am\.yml.*nobody-here/);
    writeFileSync(routing, 'route:\n  receiver: a\n  grup_by: [x]\nreceivers: [{ name: a }]\n');
    const own = ['--data-dir', path.join(folder, 'm'), '--listen', '127.0.0.1:0'];
    const c = await failing(['serve', '--alertmanager-config', routing, ...own]);
    expect(c.stderr).toMatch(/broken-am\.yml:3: route\.grup_by: field grup_by not found/);
    const scraping = path.join(folder, 'broken-prometheus.yml');
    writeFileSync(scraping, 'scrape_configs: [{ job_name: a, relabel_configs: [{ regex: "(", target_label: x }] }]\n');
    const d = await failing(['serve', '--prometheus-config', scraping, ...own]);
    expect(d.stderr).toMatch(/broken-prometheus\.yml: job "a": invalid regular expression/);
    const e = await failing(['serve', '--enable-feature', 'native-histograms,agent', ...own]);
    expect(e.stderr).toMatch(/--enable-feature.*feature "agent" is not built/);
  }, 120_000);

  it('starts with the three quick-start sections pasted, says what is inactive, and reloads', async () => {
    const file = path.join(folder, 'vigie-good.yaml');
    const rules = path.join(folder, 'mine.yml');
    const sections = `tenant_isolation:
  enabled: true
  metrics_prefix: tenant_
  namespace_separation: true
  resource_quotas: true
auto_scaling:
  enabled: true
  min_replicas: 2
  max_replicas: 100
  cpu_threshold: 70
  memory_threshold: 80
  custom_metrics: true
intelligent_alerts:
  predictive: true
  machine_learning: true
  correlation: true
  auto_remediation: true
rules: [mine.yml]
`;
    writeFileSync(file, sections);
    writeFileSync(rules, 'groups: [{name: mine, rules: [{alert: Mine, expr: vector(1)}]}]\n');
    await using vigie = await startVigie({ args: ['--config', file] });
    const features = await vigie.json<{ features: { id: string; state: string }[] }>('/vigie/v1/features');
    expect(features.features.find((f) => f.id === 'tenant_isolation.enabled')?.state).toBe('active');
    expect(features.features.every((f) => f.state !== 'off')).toBe(true);
    const metrics = await (await vigie.fetch('/metrics')).text();
    expect(metrics).toContain('vigie_feature_active{feature="auto_scaling.enabled"} ');

    const names = async () =>
      JSON.stringify((await vigie.json<{ data: { groups: unknown[] } }>('/api/v1/rules')).data.groups);
    expect(await names()).toContain('"Mine"');
    writeFileSync(rules, 'groups: [{name: mine, rules: [{alert: Changed, expr: vector(1)}]}]\n');
    expect((await vigie.fetch('/-/reload', { method: 'POST' })).status).toBe(200);
    expect(await names()).toContain('"Changed"');
    // a bad file leaves the old one running and says why
    writeFileSync(rules, 'groups: [{name: mine, rules: [{alert: Bad, expr: "sum("}]}]\n');
    const refused = await vigie.fetch('/-/reload', { method: 'POST' });
    expect(refused.status).toBe(400);
    expect(await refused.text()).toContain('mine.yml');
    expect(await names()).toContain('"Changed"');
    writeFileSync(file, `${sections}retention: 99d\n`);
    const restart = await vigie.fetch('/-/reload', { method: 'POST' });
    expect(await restart.text()).toContain('only by a restart: retention');
  }, 60_000);
});
