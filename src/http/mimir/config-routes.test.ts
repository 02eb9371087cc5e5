/** A tenant's configuration through our own API and through Mimir's, over the real versioned store of configurations. */
import { beforeEach, describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { callRoute } from '../../../test/support/call-route.ts';
import { FakeClock } from '../../../test/support/fake-clock.ts';
import { MemoryDocuments } from '../../../test/support/memory-documents.ts';
import { plainTemplates } from '../../../test/support/plain-templates.ts';
import { parseAlertingConfig } from '../../alerting/config.ts';
import { type EffectiveConfig, TenantConfigs } from '../../app/tenant-config.ts';
import { VigieError } from '../../lib/errors.ts';
import { silentLogger } from '../../lib/logger.ts';
import { tenantId } from '../../model/tenant.ts';
import { parsePrometheusConfig } from '../../scrape/config.ts';
import type { TenantConfigAnswer, TenantConfigVersionsAnswer } from '../contract/tenant-config.ts';
import type { Route } from '../route.ts';
import { withKeptSecrets } from '../vigie/kept-secrets.ts';
import { tenantConfigRoutes } from '../vigie/tenant-config.ts';
import { mimirConfigRoutes } from './config-routes.ts';

const AM = `# who is told
route: { receiver: ops }
receivers:
  - name: other
    slack_configs: [{ api_url: 'https://slack.example/other', channel: '#o' }]
  - name: ops
    slack_configs: [{ api_url: 'https://slack.example/geheim', channel: '#ops' }]
`;
const SCRAPE = `scrape_configs:
  - job_name: web
    basic_auth: { username: me, password: geheim }
    static_configs: [{ targets: ['web.example:80'] }]
`;
const group = (name: string, expr = 'up == 0') => ({ name, interval: '30s', rules: [{ alert: 'Down', expr }] });

let routes: Route[];
let applied: Map<string, EffectiveConfig>;
let audited: { tenant: string; action: string; after: unknown }[];

beforeEach(() => {
  applied = new Map();
  audited = [];
  const configs = new TenantConfigs({
    documents: new MemoryDocuments(),
    clock: new FakeClock(),
    logger: silentLogger,
    options: () => ({ tenant: tenantId('default'), rules: [] }) as never,
    catalogue: async () => [{ name: 'catalogue/host.yml', text: 'groups: []\n', source: 'catalogue' }],
    prometheusRuleFiles: () => [],
    check: async (_tenant, config) => {
      for (const { name, text } of config.rules)
        for (const g of (parse(text) as { groups: { rules?: { expr?: string }[] }[] }).groups)
          if (g.rules?.some((r) => r.expr === 'broken(')) throw new VigieError('bad_config', `${name}: does not parse`);
      if (config.alertmanager) parseAlertingConfig(config.alertmanager.yaml, { templates: plainTemplates });
      if (config.scrape !== undefined) parsePrometheusConfig('scrape.yml', config.scrape, { noFiles: true });
    },
    apply: async (tenant, config) => void applied.set(tenant, config),
  });
  const ports: Parameters<typeof tenantConfigRoutes>[0] = {
    requireTenant: (t) => {
      if (t === 'nobody') throw new VigieError('not_found', 'no tenant nobody');
    },
    get: (t) => configs.get(t),
    put: (t, change, by, expect) => configs.put(t, change, by, expect),
    versions: (t) => configs.versions(t),
    restore: (t, version, by) => configs.restore(t, version, by),
    audit: async (context, action, _target, _before, after) =>
      void audited.push({ tenant: context.tenant, action, after }),
  };
  routes = [...tenantConfigRoutes(ports), ...mimirConfigRoutes(ports)];
});

const editor = (tenant: string, body?: unknown) => ({ tenant, role: 'editor', body }) as const;
const CONFIG = (id: string): string => `/vigie/v1/tenants/${id}/config`;
const RULES = '/prometheus/config/v1/rules';

describe('/vigie/v1/tenants/:id/config', () => {
  it('stores, versions and restores; what is left out stays, null removes', async () => {
    const put = (body: unknown) => callRoute<TenantConfigAnswer>(routes, 'PUT', CONFIG('a'), editor('a', body));
    const one = await put({ rules: { 'x.yml': stringify({ groups: [group('g')] }) }, scrape: SCRAPE });
    expect(one.json).toMatchObject({ version: 1, by: 'key:a', problem: '' });
    expect((await put({ alertmanager: AM })).json.version).toBe(2);
    expect(Object.keys((await put({ rules: { 'x.yml': null } })).json.rules)).toEqual([]);
    const now = (await callRoute<TenantConfigAnswer>(routes, 'GET', CONFIG('a'), editor('a'))).json;
    expect(now).toMatchObject({ version: 3, rules: {}, files: { rules: [{ name: 'catalogue/host.yml' }] } });
    expect(now.alertmanager).toContain('receiver: ops');
    const versions = (
      await callRoute<TenantConfigVersionsAnswer>(routes, 'GET', `${CONFIG('a')}/versions`, editor('a'))
    ).json;
    expect(versions.versions.map((v) => [v.version, v.rules, v.alertmanager, v.scrape])).toEqual([
      [3, [], true, true],
      [2, ['x.yml'], true, true],
      [1, ['x.yml'], false, true],
    ]);
    const back = await callRoute<TenantConfigAnswer>(routes, 'POST', `${CONFIG('a')}/versions/1/restore`, editor('a'));
    expect(back.json).toMatchObject({ version: 4, rules: { 'x.yml': expect.stringContaining('up == 0') } });
    expect(back.json.alertmanager).toBeUndefined();
    expect(applied.get('a')!.rules.map((r) => r.name)).toEqual(['catalogue/host.yml', 'x.yml']);
  });

  it('refuses what does not load, leaving everything as it was', async () => {
    await callRoute(routes, 'PUT', CONFIG('a'), editor('a', { alertmanager: AM }));
    const before = applied.get('a');
    for (const [body, status] of [
      [{ rules: { 'x.yml': stringify({ groups: [group('g', 'broken(')] }) } }, 400],
      [{ alertmanager: 'route: {}\n' }, 400],
      [{ scrape: 'rule_files: [/etc/passwd]\n' }, 400],
      [{ rules: { __proto__: 'x' }, colour: 1 }, 400],
      [{}, 400],
      [{ alertmanager: null, expectVersion: 7 }, 409],
    ] as const)
      expect((await callRoute(routes, 'PUT', CONFIG('a'), editor('a', body))).status, JSON.stringify(body)).toBe(
        status,
      );
    expect(applied.get('a')).toBe(before);
    expect((await callRoute<TenantConfigAnswer>(routes, 'GET', CONFIG('a'), editor('a'))).json.version).toBe(1);
  });

  it('never shows a secret, and keeps it when it comes back as <secret>', async () => {
    await callRoute(routes, 'PUT', CONFIG('a'), editor('a', { alertmanager: AM, scrape: SCRAPE }));
    const shown = await callRoute<TenantConfigAnswer>(routes, 'GET', CONFIG('a'), editor('a'));
    expect(shown.text).not.toMatch(/geheim|slack\.example/);
    const edited = shown.json.alertmanager!.replace("'#ops'", '"#ops2"').replace('#ops', '#ops2');
    expect(edited).toContain('<secret>');
    const back = await callRoute(
      routes,
      'PUT',
      CONFIG('a'),
      editor('a', { alertmanager: edited, scrape: shown.json.scrape }),
    );
    expect(back.status).toBe(200);
    const { alertmanager, scrape } = applied.get('a')!;
    expect(alertmanager!.yaml).toContain('https://slack.example/geheim');
    expect(alertmanager!.yaml).toContain('https://slack.example/other');
    expect(scrape).toContain('geheim');
    expect(JSON.stringify(audited)).not.toContain('geheim');
  });

  it('is for those whose credential covers the tenant, as editors', async () => {
    await callRoute(routes, 'PUT', CONFIG('a'), editor('a', { alertmanager: AM }));
    for (const method of ['GET', 'PUT'] as const) {
      const body = method === 'PUT' ? { alertmanager: null } : undefined;
      expect((await callRoute(routes, method, CONFIG('a'), editor('b', body))).status).toBe(403);
      const viewer = { tenant: 'a', role: 'viewer', body } as const;
      expect((await callRoute(routes, method, CONFIG('a'), viewer)).status).toBe(403);
      const viewsA = { tenant: 'b', role: 'editor', grants: { a: 'viewer', b: 'editor' }, body } as const;
      expect((await callRoute(routes, method, CONFIG('a'), viewsA)).status).toBe(403);
    }
    expect((await callRoute(routes, 'GET', `${CONFIG('a')}/versions`, editor('b'))).status).toBe(403);
    expect((await callRoute(routes, 'POST', `${CONFIG('a')}/versions/1/restore`, editor('b'))).status).toBe(403);
    expect((await callRoute<TenantConfigAnswer>(routes, 'GET', CONFIG('b'), editor('b'))).json.version).toBe(0);
    expect((await callRoute(routes, 'GET', CONFIG('nobody'), { role: 'platform_admin' })).status).toBe(404);
    expect((await callRoute(routes, 'GET', CONFIG('a'), { role: 'platform_admin' })).status).toBe(200);
    expect(applied.get('a')!.alertmanager).toBeDefined();
  });
});

describe.each(['', '/mimir'])('the ruler of Mimir under %j', (prefix) => {
  const rules = `${prefix}${RULES}`;
  const set = (namespace: string, body: unknown, tenant = 'a') =>
    callRoute(routes, 'POST', `${rules}/${namespace}`, editor(tenant, stringify(body)));

  it('sets, lists, reads and removes groups as mimirtool asks', async () => {
    expect((await callRoute(routes, 'GET', rules, editor('a'))).text).toBe('{}\n');
    const set1 = await set('api.yml', group('one'));
    expect([set1.status, set1.json]).toEqual([202, { status: 'success', data: null, errorType: '', error: '' }]);
    await set('api.yml', group('two', 'up == 1'));
    await set('api.yml', group('one', 'up == 2'));
    await set('db.yml', group('three'));
    const all = parse((await callRoute(routes, 'GET', rules, editor('a'))).text) as Record<string, unknown[]>;
    expect(all).toEqual({ 'api.yml': [group('one', 'up == 2'), group('two', 'up == 1')], 'db.yml': [group('three')] });
    expect(parse((await callRoute(routes, 'GET', `${rules}/db.yml`, editor('a'))).text)).toEqual({
      'db.yml': [group('three')],
    });
    expect(parse((await callRoute(routes, 'GET', `${rules}/api.yml/two`, editor('a'))).text)).toEqual(
      group('two', 'up == 1'),
    );
    expect((await callRoute(routes, 'GET', `${rules}/api.yml/none`, editor('a'))).status).toBe(404);
    expect((await callRoute(routes, 'DELETE', `${rules}/api.yml/two`, editor('a'))).status).toBe(202);
    expect((await callRoute(routes, 'DELETE', `${rules}/api.yml/two`, editor('a'))).status).toBe(404);
    expect((await callRoute(routes, 'DELETE', `${rules}/db.yml`, editor('a'))).status).toBe(202);
    expect((await callRoute(routes, 'DELETE', `${rules}/db.yml`, editor('a'))).status).toBe(404);
    expect((await callRoute(routes, 'DELETE', `${rules}/api.yml/one`, editor('a'))).status).toBe(202);
    expect((await callRoute(routes, 'GET', rules, editor('a'))).text).toBe('{}\n');
  });

  it('loses no group when many are written side by side', async () => {
    const names = Array.from({ length: 24 }, (_, i) => `g${i}`);
    const done = await Promise.all(names.map((n) => set('many.yml', group(n))));
    expect(done.map((d) => d.status)).toEqual(names.map(() => 202));
    const all = parse((await callRoute(routes, 'GET', rules, editor('a'))).text) as Record<string, { name: string }[]>;
    expect(all['many.yml']!.map((g) => g.name).sort()).toEqual([...names].sort());
  });

  it.each([
    ['rules: []', /it has no name/],
    ['name: [', /unable to decode rule group/],
    ['- name: x', /it has no name/],
    ['', /the body is empty/],
    [stringify(group('g', 'broken(')), /does not parse/],
  ])('refuses %j', async (body, message) => {
    const answer = await callRoute<{ error: string }>(routes, 'POST', `${rules}/x.yml`, editor('a', body));
    expect(answer.status).toBe(400);
    expect(answer.json.error).toMatch(message);
    expect((await callRoute(routes, 'GET', rules, editor('a'))).text).toBe('{}\n');
  });

  it('keeps tenants apart, and viewers from writing', async () => {
    await set('x.yml', group('of-a'));
    expect((await callRoute(routes, 'GET', rules, editor('b'))).text).toBe('{}\n');
    expect((await callRoute(routes, 'GET', `${rules}/x.yml`, editor('b'))).status).toBe(404);
    expect((await callRoute(routes, 'DELETE', `${rules}/x.yml`, editor('b'))).status).toBe(404);
    expect((await callRoute(routes, 'DELETE', `${rules}/x.yml`, { tenant: 'a', role: 'viewer' })).status).toBe(403);
    expect((await callRoute(routes, 'GET', `${rules}/x.yml`, editor('a'))).status).toBe(200);
  });
});

describe('the Alertmanager configuration of Mimir', () => {
  const body = (config: string, templates = {}) =>
    stringify({ template_files: templates, alertmanager_config: config });

  it('is set, read without secrets, and removed', async () => {
    expect((await callRoute(routes, 'GET', '/mimir/api/v1/alerts', editor('a'))).status).toBe(404);
    const set = await callRoute(routes, 'POST', '/mimir/api/v1/alerts', editor('a', body(AM, { 'x.tmpl': 'hello' })));
    expect(set.status).toBe(201);
    const got = await callRoute(routes, 'GET', '/mimir/api/v1/alerts', editor('a'));
    const shown = parse(got.text) as { template_files: unknown; alertmanager_config: string };
    expect(shown.template_files).toEqual({ 'x.tmpl': 'hello' });
    expect(got.text).not.toContain('geheim');
    // as read, so written: the secrets are still there
    expect((await callRoute(routes, 'POST', '/api/v1/alerts', editor('a', got.text))).status).toBe(201);
    expect(applied.get('a')!.alertmanager!.yaml).toContain('geheim');
    expect((await callRoute(routes, 'DELETE', '/api/v1/alerts', editor('a'))).status).toBe(200);
    expect((await callRoute(routes, 'GET', '/mimir/api/v1/alerts', editor('a'))).status).toBe(404);
    expect((await callRoute(routes, 'GET', '/mimir/api/v1/alerts', editor('b'))).status).toBe(404);
  });

  it('leaves GET /api/v1/alerts to Prometheus', () => {
    expect(
      routes
        .filter((r) => r.path === '/api/v1/alerts')
        .map((r) => r.method)
        .sort(),
    ).toEqual(['DELETE', 'POST']);
  });

  it.each([
    ['alertmanager_config: ""', /the configuration is empty/],
    ['alertmanager_config: x\nextra: 1', /field extra not found/],
    ['- a', /want a mapping/],
    [body(AM, { '../x': 'y' }), /a file name has no folder/],
    ['template_files: [a]\nalertmanager_config: x', /want a mapping/],
    [body('route: {}'), /receiver/],
  ])('refuses %j', async (text, message) => {
    const answer = await callRoute<{ error: string }>(routes, 'POST', '/api/v1/alerts', editor('a', text));
    expect([answer.status, answer.json.error]).toEqual([400, expect.stringMatching(message)]);
  });
});

describe('withKeptSecrets', () => {
  it('finds the value by name, though the order changed', () => {
    const stored = 'receivers: [{name: a, url: one}, {name: b, url: two}]\n';
    const next = withKeptSecrets('receivers:\n  - {name: b, url: <secret>}\n  - {name: a, url: <secret>}\n', stored);
    expect(parse(next)).toEqual({
      receivers: [
        { name: 'b', url: 'two' },
        { name: 'a', url: 'one' },
      ],
    });
  });
  it('keeps values that look like something else', () => {
    for (const secret of ['yes', '123', 'a: b', '"x"', "it's", '<secret>x', '- y', '#z']) {
      const next = withKeptSecrets('a:\n  password: <secret>\n', `a: {password: ${JSON.stringify(secret)}}\n`);
      expect(parse(next)).toEqual({ a: { password: secret } });
    }
  });
  it('names the line when nothing is stored there', () => {
    expect(() => withKeptSecrets('a: 1\nb:\n  c: <secret>\n', 'b: {}\n')).toThrow(/line 3: b\.c: <secret> stands for/);
    expect(() => withKeptSecrets('c: <secret>\n', undefined)).toThrow(/line 1/);
  });
  it('leaves other texts as they are, comments and all', () => {
    for (const text of ['a: 1 # x\n', 'not: [closed\n<secret>']) expect(withKeptSecrets(text, undefined)).toBe(text);
  });
});
