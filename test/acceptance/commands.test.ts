/** The commands of an operator against a real server in production mode, from the first key to the last audit entry. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MAIN, NODE, startVigie, type VigieProcess } from '../support/vigie.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'vigie-commands-'));
const dataDir = path.join(folder, 'data');
let vigie: VigieProcess;
let platformKey: string;
const keys: Record<string, string> = {};

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}
function command(args: readonly string[], env: Record<string, string> = {}): Promise<Ended> {
  return new Promise((resolve) => {
    const options = { cwd: folder, timeout: 60_000, env: { PATH: process.env['PATH'], USER: 'ana', ...env } };
    execFile(NODE, [MAIN, ...args], options, (error, stdout, stderr) =>
      resolve({ code: typeof error?.code === 'number' ? error.code : error ? -1 : 0, stdout, stderr }),
    );
  });
}
/** As `who` (a tenant's key, or the platform's), on that tenant. */
const as = (who: string, ...args: string[]): Promise<Ended> =>
  command(args, {
    VIGIE_URL: vigie.url,
    VIGIE_KEY: keys[who] ?? platformKey,
    ...(keys[who] ? { TENANT_ID: who } : {}),
  });
async function well(ended: Promise<Ended>): Promise<string> {
  const { code, stdout, stderr } = await ended;
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return stdout;
}

beforeAll(async () => {
  platformKey = (await well(command(['tenant', 'bootstrap', '--quiet', '--data-dir', dataDir]))).trim();
  vigie = await startVigie({ dataDir, env: { MONITORING_ENV: 'prod' } });
  for (const tenant of ['acme', 'beta']) {
    await well(as('platform', 'tenant', 'create', tenant, '--tier', 'pro'));
    const made = as(
      'platform',
      'tenant',
      'key',
      'create',
      '--tenant',
      tenant,
      '--name',
      'test',
      '--role',
      'admin',
      '--quiet',
    );
    keys[tenant] = (await well(made)).trim();
  }
}, 120_000);
afterAll(async () => {
  await vigie?.[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

describe('vigie, the commands of an operator', () => {
  it('refuses whoever has no key, in words and with exit code 1', { timeout: 60_000 }, async () => {
    const { code, stderr } = await command(['tenant', 'list'], { VIGIE_URL: vigie.url });
    expect(code).toBe(1);
    expect(stderr).toMatch(/answered 401: .*\n {2}hint: /);
    expect((await command(['alert', 'list'], { VIGIE_URL: 'http://127.0.0.1:9' })).stderr).toMatch(
      /no Vigie answers at/,
    );
    expect((await command(['silence', 'add', 'a=b'], { VIGIE_URL: vigie.url })).code).toBe(2);
  });

  it('makes no second first key', { timeout: 60_000 }, async () => {
    expect((await command(['tenant', 'bootstrap', '--data-dir', dataDir])).code).toBe(1);
  });

  it('shows a tenant’s admin that tenant alone, and the platform all', { timeout: 60_000 }, async () => {
    const own = await well(as('acme', 'tenant', 'list'));
    expect(own).toContain('acme');
    expect(own).not.toContain('beta');
    expect(await well(as('platform', 'tenant', 'list'))).toMatch(/acme[\s\S]*beta/);
    expect((await as('acme', 'tenant', 'create', 'third')).code).toBe(1);
    expect((await as('acme', 'tenant', 'config', 'get', '--tenant', 'beta')).stderr).toMatch(
      /does not cover tenant beta/,
    );
  });

  it('configures, versions and restores a tenant', { timeout: 120_000 }, async () => {
    const am = path.join(folder, 'am.yml');
    writeFileSync(
      am,
      'route: { receiver: ops, routes: [{ receiver: db, matchers: [team=db] }] }\nreceivers:\n  - { name: ops }\n  - { name: db, webhook_configs: [{ url: "https://hooks.example/geheim" }] }\n',
    );
    await well(as('acme', 'tenant', 'config', 'put', 'alertmanager', am));
    const rules = path.join(folder, 'api.yml');
    writeFileSync(rules, 'groups: [{ name: g, rules: [{ alert: Never, expr: "vector(0) > 1" }] }]\n');
    await well(as('acme', 'tenant', 'config', 'put', 'rules', rules));
    writeFileSync(rules, 'groups: [{ name: g, rules: [{ alert: Never, expr: "vector(" }] }]\n');
    const bad = await as('acme', 'tenant', 'config', 'put', 'rules', rules);
    expect([bad.code, bad.stderr]).toEqual([1, expect.stringMatching(/api\.yml.*expr/)]);
    expect(await well(as('acme', 'tenant', 'config', 'get', 'alertmanager'))).not.toContain('geheim');
    expect(await well(as('acme', 'tenant', 'config', 'get', 'rules', 'api.yml'))).toContain('vector(0) > 1');
    expect(await well(as('acme', 'tenant', 'config', 'restore', '1'))).toMatch(/version 1 restored as version 3/);
    expect(await well(as('acme', 'tenant', 'config', 'versions'))).toMatch(/^3 .*alertmanager[\s\S]*^1 /m);
    const tests = path.join(folder, 'routes.yml');
    const expecting = (receiver: string): void =>
      writeFileSync(tests, `version: 1\ntests: [{ alert: { alertname: A, team: db }, receivers: [${receiver}] }]\n`);
    expecting('db');
    expect(await well(as('acme', 'test-routes', tests, '--from-server'))).toBe('1 passed, 0 failed\n');
    expecting('ops');
    expect(await as('acme', 'test-routes', tests, '--config', am)).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/FAILED/),
    });
  });

  it('posts, lists, mutes and explains alerts, each tenant its own', { timeout: 120_000 }, async () => {
    await well(as('acme', 'alert', 'add', 'OnlyInAcme', 'team=web', '--annotation', 'summary=by hand'));
    expect(await well(as('acme', 'alert', 'list'))).toMatch(/OnlyInAcme +active .*by hand/);
    expect(await well(as('beta', 'alert', 'list'))).not.toContain('OnlyInAcme');
    expect(await well(as('acme', 'silence', 'preview', 'OnlyInAcme'))).toMatch(/^1 alert would be muted/);
    expect(await well(as('beta', 'silence', 'preview', 'OnlyInAcme'))).toBe('0 alerts would be muted\n');
    const id = (await well(as('acme', 'silence', 'add', 'OnlyInAcme', '-c', 'moving racks', '-d', '2h'))).trim();
    expect(await well(as('acme', 'silence', 'list'))).toMatch(new RegExp(`${id}.*in 1h59m.*ana +moving racks`));
    expect(await well(as('beta', 'silence', 'list'))).toBe('(none)\n');
    expect((await as('beta', 'silence', 'expire', id)).code).toBe(1);
    expect(await well(as('acme', 'alert', 'list'))).not.toContain('OnlyInAcme');
    expect(await well(as('acme', 'alert', 'list', '--silenced'))).toMatch(/OnlyInAcme +silenced/);
    await well(as('acme', 'silence', 'expire', id));
    expect(await well(as('acme', 'silence', 'list', '--expired', '-q'))).toBe(`${id}\n`);
    await well(as('acme', 'alert', 'why'));
    expect((await as('acme', 'alert', 'why', '--verdict', 'pleased')).stderr).toMatch(/verdict: want one of/);
  });

  it('finds the installation well', { timeout: 60_000 }, async () => {
    const args = ['doctor', '--data-dir', dataDir, '--listen', `127.0.0.1:${vigie.port}`];
    const found = await command(args, { VIGIE_KEY: platformKey, MONITORING_ENV: 'prod' });
    expect(found.code, found.stdout).toBe(0);
    expect(found.stdout).toMatch(/ok +data folder .*in use by a running server/);
    expect(found.stdout).toMatch(/ok +server +\d+ parts are well/);
  });

  it('keeps an audit log that verifies, online and offline, and shows a revoked key the door', {
    timeout: 120_000,
  }, async () => {
    const exported = await well(as('acme', 'audit', 'export'));
    const actions = exported
      .trim()
      .split('\n')
      .map((l) => (JSON.parse(l) as { action: string }).action);
    expect(actions).toEqual(expect.arrayContaining(['tenant.config', 'tenant.config.restore', 'key.create']));
    expect(exported).not.toMatch(/geheim|vg_[0-9a-f]{16}_/);
    expect(await well(as('acme', 'audit', 'verify'))).toBe(`the chain holds: ${actions.length} entries\n`);
    expect(await well(as('acme', 'audit', 'list', '--action', 'key.create'))).toMatch(/key\.create +test/);
    const id = /^([0-9a-f]{16}) /m.exec(await well(as('beta', 'tenant', 'key', 'list')))![1]!;
    await well(as('platform', 'tenant', 'key', 'revoke', id, '--tenant', 'beta'));
    expect((await as('beta', 'alert', 'list')).stderr).toMatch(/answered 401/);
    const lines = (await well(as('platform', 'tenant', 'export', 'acme'))).trim().split('\n');
    expect(JSON.parse(lines[0]!)).toMatchObject({ kind: 'tenant', tenant: { id: 'acme', tier: 'pro' } });
    expect((await command(['audit', 'verify', '--offline', '--data-dir', dataDir])).stderr).toMatch(
      /in use by another Vigie/,
    );
    expect(await vigie.stop()).toBe(0);
    const offline = await command(['audit', 'verify', '--offline', '--data-dir', dataDir, '--tenant', 'acme']);
    expect(offline.stderr).toBe('');
    expect(offline).toMatchObject({ code: 0, stdout: expect.stringMatching(/the chain holds: \d+ entries/) });
  });
});
