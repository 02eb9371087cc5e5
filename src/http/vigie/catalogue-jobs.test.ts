/** Diff and apply by HTTP, in real threads, against a small Prometheus that only reloads. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../test/support/fake-clock.ts';
import { MemoryDocuments } from '../../../test/support/memory-documents.ts';
import { temporaryFolder } from '../../../test/support/peers.ts';
import { ApplyService, PLAN_MS_MAX } from '../../catalogue/apply/apply-service.ts';
import { runInThread } from '../../catalogue/apply/apply-thread.ts';
import { catalogueConfigSchema, DEFAULT_SECTIONS } from '../../catalogue/config.ts';
import type { PackOverride } from '../../catalogue/pack.ts';
import type { TenantId } from '../../model/tenant.ts';
import type { RequestContext, Role } from '../../tenancy/context.ts';
import type { CatalogueJob, CatalogueJobsAnswer } from '../contract/catalogue-jobs.ts';
import type { HttpRequest } from '../route.ts';
import { catalogueJobRoutes } from './catalogue-jobs.ts';

const TEMPLATES = path.resolve(import.meta.dirname, '../../../templates');
const P = '/vigie/v1/catalogue/-/jobs';

async function setUp(options: { byTenants?: boolean; silent?: boolean } = {}) {
  const folder = temporaryFolder();
  const prometheus = { up: true, reloads: 0 };
  const server = createServer((request, response) => {
    if (request.url === '/-/reload') {
      if (!prometheus.up) return void response.writeHead(503).end('starting');
      prometheus.reloads++;
      return void response.end();
    }
    if (request.url === '/metrics') return void response.end('prometheus_config_last_reload_successful 1\n');
    response.writeHead(404).end();
  }).listen(0, '127.0.0.1');
  await new Promise((r) => server.once('listening', r));
  const own = new Map<string, Record<string, PackOverride>>();
  const audited: { tenant: string; action: string; target: string; after: unknown }[] = [];
  const clock = new FakeClock();
  const documents = new MemoryDocuments();
  const jobs = new ApplyService({
    config: () => catalogueConfigSchema.parse({ tenants: { a: {}, b: {} }, packs: ['api', 'host', 'vigie'] }),
    sections: () => DEFAULT_SECTIONS,
    environment: () => 'prod',
    folders: () => [TEMPLATES],
    output: () => folder.path,
    addresses: () =>
      options.silent ? {} : { prometheusUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}` },
    own: async (tenant) => own.get(tenant) ?? {},
    operators: () => 'platform' as TenantId,
    documents,
    clock,
    run: runInThread(clock),
  });
  const routes = catalogueJobRoutes({
    jobs,
    byTenants: () => options.byTenants ?? false,
    audit: async (c, action, target, _before, after) => void audited.push({ tenant: c.tenant, action, target, after }),
  });
  const ask = async <T = CatalogueJob>(
    method: string,
    at: string,
    who: { tenant?: string; role?: Role } = {},
    body?: unknown,
  ): Promise<T> => {
    const id = /jobs\/([^/]+)$/.exec(at)?.[1];
    const pattern = id && id !== 'apply' ? `${P}/:id` : at;
    const route = routes.find((r) => r.method === method && r.path === pattern)!;
    const { tenant = 'a', role = 'platform_admin' } = who;
    // no two jobs start in one millisecond, so that their order is known
    if (method === 'POST') clock.advance(1);
    const answer = await route.handle({
      context: { tenant, role, principal: { id: 'u', kind: 'key', name: 'Ada' } } as unknown as RequestContext,
      params: { id: id ?? '' },
      body: Buffer.from(body === undefined ? '' : JSON.stringify(body)),
    } as unknown as HttpRequest);
    return answer.json as T;
  };
  const ended = async (job: CatalogueJob, who: { tenant?: string; role?: Role } = {}): Promise<CatalogueJob> => {
    for (let i = 0; i < 600; i++) {
      const now = await ask('GET', `${P}/${job.id}`, who);
      if (now.state !== 'running') return now;
      await new Promise((r) => setTimeout(r, 25));
    }
    throw new Error('the job did not end');
  };
  const run = async (body: object, who: { tenant?: string; role?: Role } = {}) =>
    ended(await ask('POST', P, who, body), who);
  const apply = async (plan: string, who: { tenant?: string; role?: Role } = {}) =>
    ended(await ask('POST', `${P}/apply`, who, { plan }), who);
  return {
    ask,
    run,
    apply,
    own,
    audited,
    clock,
    documents,
    prometheus,
    jobs,
    folder: folder.path,
    [Symbol.asyncDispose]: async () => {
      await jobs[Symbol.asyncDispose]();
      server.close();
      server.closeAllConnections();
      folder[Symbol.dispose]();
    },
  };
}

describe('diff and apply of the catalogue', { timeout: 60_000 }, () => {
  it('compares, dry-runs, applies what was confirmed, is idempotent, and prunes only what it made', async () => {
    await using s = await setUp();
    const diff = await s.run({ scope: 'platform' });
    expect(diff).toMatchObject({ mode: 'files', state: 'done', systems: [], stage: 'render files' });
    expect(diff.files.map((f) => f.path)).toContain('files/prometheus/rules/platform-host.yml');
    expect(diff.files.every((f) => f.kind === 'new')).toBe(true);
    expect(readdirSync(s.folder), 'a comparison writes nothing').toEqual([]);

    const plan = await s.run({ scope: 'all', against: 'live' });
    expect(plan.systems).toMatchObject([{ system: 'prometheus', report: { updated: expect.any(Number) } }]);
    expect(plan.steps.length).toBeGreaterThan(3);
    expect(readdirSync(s.folder)).toEqual([]);
    expect(s.prometheus.reloads).toBe(0);
    const done = await s.apply(plan.id);
    expect(done).toMatchObject({ mode: 'apply', state: 'done', plan: plan.id, by: 'Ada' });
    expect(done.done).toBe(done.total);
    expect(done.systems[0]!.said).toMatch(/reloaded and says that it was good/);
    expect(s.prometheus.reloads).toBe(1);
    expect(existsSync(path.join(s.folder, 'files/prometheus/rules/a-api.yml'))).toBe(true);
    expect(s.audited.map((e) => `${e.action} ${e.target}`)).toEqual(['catalogue.apply all', 'catalogue.applied all']);
    expect(s.audited[1]!.after).toMatchObject({ job: done.id, state: 'done', systems: [{ system: 'prometheus' }] });

    const again = await s.apply((await s.run({ scope: 'all', against: 'live' })).id);
    expect(again.filesChanged).toBe(0);
    expect(again.systems[0]!.report).toMatchObject({ created: 0, updated: 0, removed: 0 });
    expect(s.prometheus.reloads, 'nothing new: no reload').toBe(1);

    // a tenant's own change shows as a difference of its files alone; somebody's file stays
    writeFileSync(path.join(s.folder, 'files/prometheus/rules/mine.yml'), 'groups: []\n');
    s.own.set('a', {
      api: { parameters: { error_ratio: 0.09 } } as PackOverride,
      host: { enabled: false } as PackOverride,
    });
    const changed = await s.run({ scope: 'all', against: 'live' });
    expect(changed.files.map((f) => [f.kind, f.path])).toEqual([['changed', 'files/prometheus/rules/a-api.yml']]);
    expect(changed.files[0]!.diff).toMatch(/\+.*> 0\.09/);
    expect(changed.steps).toMatchObject([{ action: 'update', id: 'prometheus/rules/a-api.yml' }]);
    s.own.set('a', { api: { enabled: false } as PackOverride });
    const off = await s.apply((await s.run({ scope: 'tenant', against: 'live' })).id);
    expect(off.systems[0]!.report.removed).toBe(1);
    expect(existsSync(path.join(s.folder, 'files/prometheus/rules/a-api.yml'))).toBe(false);
    for (const kept of ['mine.yml', 'b-api.yml', 'platform-host.yml'])
      expect(existsSync(path.join(s.folder, 'files/prometheus/rules', kept)), kept).toBe(true);
  });

  it('goes on after a failure, and refuses a dry run that is stale', async () => {
    await using s = await setUp();
    const plan = await s.run({ scope: 'all', against: 'live' });
    s.prometheus.up = false;
    const failed = await s.apply(plan.id);
    expect(failed).toMatchObject({ state: 'failed', error: { code: 'upstream', message: /503/ as never } });
    expect(s.audited.at(-1)!.after).toMatchObject({ state: 'failed', error: expect.stringContaining('503') });
    s.prometheus.up = true;
    const second = await s.apply(plan.id);
    expect(second).toMatchObject({ state: 'done' });
    expect(second.systems[0]!.report.updated, 'what was put stands in the ledger').toBe(0);
    expect(s.prometheus.reloads).toBe(1);

    const stale = await s.run({ scope: 'all', against: 'live' });
    s.own.set('b', { api: { parameters: { error_ratio: 0.0777 } } as PackOverride });
    expect(await s.apply(stale.id)).toMatchObject({
      state: 'failed',
      error: { code: 'conflict', message: 'the catalogue was changed after the dry run; make another one' },
    });
    expect(readFileSync(path.join(s.folder, 'files/prometheus/rules/b-api.yml'), 'utf8')).not.toContain('0.0777');
    s.clock.advance(PLAN_MS_MAX + 1);
    await expect(s.ask('POST', `${P}/apply`, {}, { plan: stale.id })).rejects.toThrow(/older than 30 minutes/);
    const diff = await s.run({ scope: 'all' });
    await expect(s.ask('POST', `${P}/apply`, {}, { plan: diff.id })).rejects.toThrow(/no finished dry run/);
  });

  it('runs one job a tenant at a time, stops it when asked, and shows a dead process as interrupted', async () => {
    await using s = await setUp();
    const one = await s.ask('POST', P, {}, { scope: 'all' });
    await expect(s.ask('POST', P, {}, { scope: 'platform' })).rejects.toMatchObject({ code: 'conflict' });
    await s.ask('DELETE', `${P}/${one.id}`);
    for (let i = 0; i < 200 && (await s.ask('GET', `${P}/${one.id}`)).endedAtMs === undefined; i++)
      await new Promise((r) => setTimeout(r, 25));
    expect(await s.ask('GET', `${P}/${one.id}`)).toMatchObject({ state: 'canceled' });
    expect(await s.run({ scope: 'all' })).toMatchObject({ state: 'done' });
    const { jobs } = await s.ask<CatalogueJobsAnswer>('GET', P);
    expect(jobs.map((j) => j.state)).toEqual(['done', 'canceled']);
    // a job of a process that is gone: its document says that it runs, and nobody has touched it since
    const kept = s.documents.collection<object>('a' as TenantId, { name: 'catalogue_jobs', indexed: ['startedAtMs'] });
    await kept.put('gone', { ...jobs[0]!, id: 'gone', scope: 'tenant', state: 'running' });
    expect(await s.ask('GET', `${P}/gone`)).toMatchObject({ state: 'interrupted', files: [] });
  });

  it('shows and does for a tenant its own part alone', async () => {
    await using s = await setUp({ byTenants: true });
    const a = { tenant: 'a', role: 'admin' } as const;
    const b = { tenant: 'b', role: 'admin' } as const;
    const everything = await s.run({ scope: 'all', against: 'live' }, { tenant: 'a' });
    await expect(s.ask('GET', `${P}/${everything.id}`, a), 'every tenant’s files').rejects.toMatchObject({
      code: 'not_found',
    });
    await expect(s.ask('GET', `${P}/${everything.id}`, { tenant: 'platform', role: 'admin' })).rejects.toMatchObject({
      code: 'not_found',
    });
    for (const scope of ['platform', 'all'])
      await expect(s.ask('POST', P, a, { scope })).rejects.toMatchObject({ code: 'forbidden' });
    const plan = await s.run({ against: 'live' }, a);
    expect(plan.files.length).toBeGreaterThanOrEqual(2);
    for (const f of plan.files) expect(f.path).toMatch(/(^|[/.-])a([/.-]|$)/);
    for (const step of plan.steps) expect(step.id).toMatch(/(^|[/.-])a([/.-]|$)/);
    for (const method of ['GET', 'DELETE'])
      await expect(s.ask(method, `${P}/${plan.id}`, b)).rejects.toMatchObject({ code: 'not_found' });
    await expect(s.ask('POST', `${P}/apply`, b, { plan: plan.id })).rejects.toMatchObject({ code: 'not_found' });
    await s.apply(plan.id, a);
    expect(readdirSync(path.join(s.folder, 'files/prometheus/rules')).every((f) => f.startsWith('a-'))).toBe(true);
    const seen = await s.ask<CatalogueJobsAnswer>('GET', P, b);
    expect(seen.jobs).toEqual([]);
    expect(seen.output).toBeUndefined();
    expect((await s.ask<CatalogueJobsAnswer>('GET', P, a)).jobs.map((j) => j.mode)).toEqual(['apply', 'plan']);
  });

  it('leaves the live systems to platform roles unless the operator says otherwise, and to admins then', async () => {
    await using s = await setUp();
    const admin = { role: 'admin' } as const;
    await expect(s.ask('POST', P, admin, { against: 'live' })).rejects.toThrow(/by_tenants/);
    expect(await s.run({}, { role: 'editor' })).toMatchObject({ state: 'done', mode: 'files' });
    expect((await s.ask<CatalogueJobsAnswer>('GET', P, admin)).may).toEqual({ apply: false, platform: false });
    const plan = await s.run({ against: 'live' });
    await expect(s.ask('POST', `${P}/apply`, admin, { plan: plan.id })).rejects.toMatchObject({ code: 'forbidden' });
    await using open = await setUp({ byTenants: true });
    await expect(open.ask('POST', P, { role: 'editor' }, { against: 'live' })).rejects.toMatchObject({
      code: 'forbidden',
    });
    expect((await open.ask<CatalogueJobsAnswer>('GET', P, admin)).may.apply).toBe(true);
  });

  it('without a system renders to the folder; a target without an address is named', async () => {
    await using s = await setUp({ silent: true });
    await expect(s.ask('POST', P, {}, { targets: ['grafana'] })).rejects.toThrow(
      /grafana has no address; known are none/,
    );
    const plan = await s.run({ scope: 'platform', against: 'live' });
    expect(await s.apply(plan.id)).toMatchObject({ state: 'done', systems: [] });
    expect(existsSync(path.join(s.folder, 'files/prometheus/rules/platform-host.yml'))).toBe(true);
  });
});
