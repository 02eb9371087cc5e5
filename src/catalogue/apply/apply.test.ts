import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../../test/support/peers.ts';
import { elasticsearchSystem, grafanaSystem, reloadSystem } from './http-systems.ts';
import { clusterAccess } from './kubeconfig.ts';
import { kubernetesSystem } from './kubernetes.ts';
import { ApplyLedger } from './ledger.ts';
import { type ApplyOptions, applyTo, type Send, type System } from './system.ts';

const options = (over: Partial<ApplyOptions> = {}): ApplyOptions & { steps: string[] } => {
  const steps: string[] = [];
  return {
    dryRun: false,
    prune: true,
    verify: false,
    onStep: (s) => steps.push(`${s.action} ${s.id}`),
    steps,
    ...over,
  };
};

/** An API server as far as apply asks it: discovery, GET, server-side apply with dry run, DELETE; it stamps objects. */
function fakeCluster() {
  const store = new Map<string, Record<string, any>>();
  const asked: string[] = [];
  let failAfter = Number.POSITIVE_INFINITY;
  const RESOURCES: Record<string, { name: string; kind: string; namespaced: boolean }[]> = {
    '/api/v1': [
      { name: 'namespaces', kind: 'Namespace', namespaced: false },
      { name: 'configmaps', kind: 'ConfigMap', namespaced: true },
    ],
    '/apis/monitoring.coreos.com/v1': [{ name: 'prometheusrules', kind: 'PrometheusRule', namespaced: true }],
  };
  const send: Send = async ({ method, path: at, body, contentType }) => {
    asked.push(`${method} ${at}`);
    if (asked.length > failAfter) throw new Error('connection lost');
    const url = new URL(at, 'http://k');
    const key = url.pathname;
    if (method === 'GET' && RESOURCES[key]) return { status: 200, body: JSON.stringify({ resources: RESOURCES[key] }) };
    if (method === 'GET') {
      const found = store.get(key);
      return found ? { status: 200, body: JSON.stringify(found) } : { status: 404, body: '{"message":"not found"}' };
    }
    if (method === 'PATCH') {
      expect(contentType).toBe('application/apply-patch+yaml');
      expect(url.searchParams.get('fieldManager')).toBe('vigie');
      const wanted = JSON.parse(body!) as Record<string, any>;
      const namespace = wanted['metadata'].namespace as string | undefined;
      if (namespace && !store.has(`/api/v1/namespaces/${namespace}`))
        return { status: 404, body: '{"message":"namespaces not found"}' };
      const before = store.get(key);
      const merged = {
        ...before,
        ...wanted,
        metadata: { ...before?.['metadata'], ...wanted['metadata'], uid: 'u', resourceVersion: String(asked.length) },
      };
      if (url.searchParams.get('dryRun') !== 'All') store.set(key, merged);
      return { status: before ? 200 : 201, body: JSON.stringify(merged) };
    }
    if (method === 'DELETE') return store.delete(key) ? { status: 200, body: '{}' } : { status: 404, body: '{}' };
    return { status: 405, body: '{}' };
  };
  return { send, store, asked, failAt: (n: number) => (failAfter = n) };
}

const RULE = (name: string, expr: string) => ({
  path: `prometheus/rules/${name}.yaml`,
  text: `apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nmetadata:\n  name: ${name}\n  namespace: tenant-a\n  labels:\n    app.kubernetes.io/managed-by: vigie\nspec:\n  groups:\n    - name: g\n      rules:\n        - record: a:b\n          expr: "${expr}"\n`,
});
const NAMESPACE = {
  path: 'kubernetes/a.yaml',
  text: 'apiVersion: v1\nkind: Namespace\nmetadata:\n  name: tenant-a\n  labels:\n    app.kubernetes.io/managed-by: vigie\n',
};

describe('apply to Kubernetes', () => {
  const items = (cluster: ReturnType<typeof fakeCluster>, files: readonly { path: string; text: string }[]) => {
    const system = kubernetesSystem(cluster.send);
    return { system, items: files.flatMap((f) => system.items(f)) };
  };

  it('says in a dry run what it would do and changes nothing; then does it, once', async () => {
    using folder = temporaryFolder();
    const cluster = fakeCluster();
    const run = (over: Partial<ApplyOptions>) => {
      const { system, items: list } = items(cluster, [RULE('r1', 'up'), NAMESPACE]);
      return applyTo(system, list, new ApplyLedger(folder.path, 'k'), options(over));
    };
    expect(await run({ dryRun: true, verify: true })).toEqual({ created: 2, updated: 0, same: 0, removed: 0 });
    expect(cluster.store.size).toBe(0);
    expect(await run({})).toEqual({ created: 2, updated: 0, same: 0, removed: 0 });
    expect([...cluster.store.keys()]).toEqual([
      '/api/v1/namespaces/tenant-a',
      '/apis/monitoring.coreos.com/v1/namespaces/tenant-a/prometheusrules/r1',
    ]);
    const before = cluster.asked.length;
    expect(await run({})).toEqual({ created: 0, updated: 0, same: 2, removed: 0 });
    expect(cluster.asked.length, 'the ledger answers without asking').toBe(before);
    expect(await run({ verify: true })).toEqual({ created: 0, updated: 0, same: 2, removed: 0 });
    // somebody edits the live object: only verify sees it
    cluster.store.get('/apis/monitoring.coreos.com/v1/namespaces/tenant-a/prometheusrules/r1')!['spec'] = {
      groups: [],
    };
    expect(await run({ verify: true })).toMatchObject({ updated: 1 });
  });

  it('goes on where a failed run stopped, and prunes only what it made and still carries its label', async () => {
    using folder = temporaryFolder();
    const cluster = fakeCluster();
    const all = [NAMESPACE, RULE('r1', 'up'), RULE('r2', 'up'), RULE('r3', 'up')];
    const { system, items: list } = items(cluster, all);
    cluster.failAt(9);
    await expect(applyTo(system, list, new ApplyLedger(folder.path, 'k'), options())).rejects.toThrow(
      'connection lost',
    );
    const done = cluster.store.size;
    expect(done).toBeGreaterThan(0);
    expect(done).toBeLessThan(4);
    cluster.failAt(Number.POSITIVE_INFINITY);
    const report = await applyTo(system, list, new ApplyLedger(folder.path, 'k'), options());
    expect(report.created + report.same).toBe(4);
    expect(report.same).toBeGreaterThanOrEqual(done - 1);
    // r2 was taken over by somebody: its label is gone; r9 was never ours
    const rules = '/apis/monitoring.coreos.com/v1/namespaces/tenant-a/prometheusrules';
    cluster.store.get(`${rules}/r2`)!['metadata'].labels = {};
    cluster.store.set(`${rules}/r9`, { metadata: { name: 'r9', labels: { 'app.kubernetes.io/managed-by': 'vigie' } } });
    const fewer = items(cluster, [NAMESPACE, RULE('r1', 'up')]);
    const o = options();
    expect(await applyTo(fewer.system, fewer.items, new ApplyLedger(folder.path, 'k'), o)).toMatchObject({
      removed: 1,
    });
    expect(o.steps).toContain('kept monitoring.coreos.com/v1|PrometheusRule|tenant-a|r2');
    expect([...cluster.store.keys()].filter((k) => k.startsWith(rules)).map((k) => k.slice(-2))).toEqual([
      'r1',
      'r2',
      'r9',
    ]);
  });

  it('names an operator that is not installed', async () => {
    using folder = temporaryFolder();
    const cluster = fakeCluster();
    const system = kubernetesSystem(cluster.send);
    const list = system.items({
      path: 'x',
      text: 'apiVersion: keda.sh/v1alpha1\nkind: ScaledObject\nmetadata: { name: a, namespace: b }\n',
    });
    await expect(applyTo(system, list, new ApplyLedger(folder.path, 'k'), options())).rejects.toThrow(
      /does not know keda\.sh\/v1alpha1; is its operator/,
    );
  });
});

describe('apply to Grafana and Elasticsearch', () => {
  it('puts data sources, folders and dashboards once, and knows its own again', async () => {
    using folder = temporaryFolder();
    const dashboards = new Map<string, unknown>();
    const sources = new Map<string, unknown>();
    const folders = new Set<string>();
    const send: Send = async ({ method, path: at, body }) => {
      const uid = at.slice(at.lastIndexOf('/') + 1);
      const ok = (value: unknown) => ({ status: 200, body: JSON.stringify(value) });
      const missing = { status: 404, body: '{}' };
      if (at === '/api/dashboards/db') {
        const sent = JSON.parse(body!);
        expect(folders).toContain(sent.folderUid);
        dashboards.set(sent.dashboard.uid, { ...sent.dashboard, id: 7, version: 1 });
        return ok({});
      }
      if (at.startsWith('/api/dashboards/uid/')) {
        if (method === 'DELETE') return dashboards.delete(uid) ? ok({}) : missing;
        return dashboards.has(uid) ? ok({ dashboard: dashboards.get(uid) }) : missing;
      }
      if (at === '/api/folders') {
        folders.add(JSON.parse(body!).uid);
        return ok({});
      }
      if (at.startsWith('/api/folders/')) return folders.has(uid) ? ok({}) : missing;
      if (at === '/api/datasources' || method === 'PUT') {
        const sent = JSON.parse(body!);
        sources.set(sent.uid, { ...sent, secureJsonData: undefined });
        return ok({});
      }
      return sources.has(uid) ? ok(sources.get(uid)) : missing;
    };
    const system = grafanaSystem(send);
    const list = [
      ...system.items({ path: 'grafana/dashboards/a.json', text: '{"uid":"a","title":"A","panels":[]}' }),
      ...system.items({
        path: 'grafana/datasources/p.yaml',
        text: 'datasources:\n  - {uid: p, name: P, type: prometheus, secureJsonData: {x: y}}\n',
      }),
    ];
    const first = options();
    await applyTo(system, list, new ApplyLedger(folder.path, 'g'), first);
    expect(first.steps).toEqual(['create datasource/p', 'create dashboard/a']);
    expect(await applyTo(system, list, new ApplyLedger(folder.path, 'g'), options({ verify: true }))).toMatchObject({
      same: 2,
    });
    expect(await applyTo(system, list.slice(1), new ApplyLedger(folder.path, 'g'), options())).toMatchObject({
      removed: 1,
    });
    expect(dashboards.size).toBe(0);
  });

  it('sends what others refer to first', async () => {
    using folder = temporaryFolder();
    const asked: string[] = [];
    const send: Send = async ({ method, path: at }) => {
      if (method === 'PUT') asked.push(at);
      return method === 'GET' ? { status: 404, body: '{}' } : { status: 200, body: '{}' };
    };
    const system = elasticsearchSystem(send);
    const list = ['/_index_template/t', '/_scripts/q', '/_component_template/c', '/_ilm/policy/l'].flatMap((p) =>
      system.items({ path: 'x.json', text: '{}', request: { method: 'PUT', path: p } }),
    );
    await applyTo(system, list, new ApplyLedger(folder.path, 'e'), options());
    expect(asked).toEqual(['/_ilm/policy/l', '/_component_template/c', '/_index_template/t', '/_scripts/q']);
  });
});

describe('apply to a program that reloads', () => {
  it('asks again for the reload that failed last time, though every file is in the ledger', async () => {
    using folder = temporaryFolder();
    let up = false;
    let reloads = 0;
    const send: Send = async ({ path: at }) => {
      if (at === '/-/reload' && !up) return { status: 503, body: 'not yet' };
      if (at === '/-/reload') reloads++;
      if (at === '/api/v1/rules')
        return {
          status: 200,
          body: JSON.stringify({ data: { groups: [{ file: `${at}/x/prometheus/rules/a.yml` }] } }),
        };
      return { status: 200, body: 'prometheus_config_last_reload_successful 1\n' };
    };
    const system = reloadSystem('prometheus', send);
    const list = system.items({ path: 'prometheus/rules/a.yml', text: 'groups: []\n' });
    const run = () => applyTo(system, list, new ApplyLedger(folder.path, 'p'), options());
    await expect(run()).rejects.toThrow(/503/);
    up = true;
    await run();
    expect(reloads).toBe(1);
    await run();
    expect(reloads, 'nothing new: no reload').toBe(1);
    // a good reload of a program that looks elsewhere is not taken for success
    const more = [...list, ...system.items({ path: 'prometheus/rules/b.yml', text: 'groups: []\n' })];
    const o = options();
    await applyTo(system, more, new ApplyLedger(folder.path, 'p'), o);
    expect(o.steps.at(-1)).toMatch(/does not read 1 of 2 rule files, such as prometheus\/rules\/b\.yml/);
  });
});

describe('the ledger', () => {
  it('writes one line an item, reads a torn last line as never written, and keeps scopes apart', () => {
    using folder = temporaryFolder();
    const ledger = new ApplyLedger(folder.path, 'x');
    for (let i = 0; i < 1_000; i++) ledger.put(`i${i}`, 'sha', i % 2 === 0 ? 'a' : 'b');
    ledger.drop('i0');
    const file = path.join(folder.path, '.vigie/applied', readdirSync(path.join(folder.path, '.vigie/applied'))[0]!);
    expect(readFileSync(file, 'utf8').length, 'linear, not quadratic').toBeLessThan(60_000);
    writeFileSync(file, readFileSync(file, 'utf8').slice(0, -9));
    const again = new ApplyLedger(folder.path, 'x');
    expect(again.has('i0', 'sha'), 'the torn line said that it is gone').toBe(true);
    expect(again.ids('b')).toHaveLength(500);
    again.put('new', 'sha', 'b');
    expect(new ApplyLedger(folder.path, 'x').ids('b')).toHaveLength(501);
    expect(new ApplyLedger(folder.path, 'y').ids()).toEqual([]);
    writeFileSync(file, 'not json\n{}\n');
    expect(() => new ApplyLedger(folder.path, 'x')).toThrow(/not a record of what was applied/);
  });
  it('lets a run of one scope prune that scope alone', async () => {
    using folder = temporaryFolder();
    const removed: string[] = [];
    const system: System = {
      name: 's',
      targets: ['file'],
      items: () => [],
      compare: async () => 'create',
      put: async () => undefined,
      remove: async (id) => removed.push(id) > 0,
    };
    const item = (id: string, scope: string) => ({ id, body: id, data: undefined, scope });
    const run = (items: ReturnType<typeof item>[], scopes?: string[]) =>
      applyTo(system, items, new ApplyLedger(folder.path, 's'), options(scopes ? { scopes } : {}));
    await run([item('a1', 'a'), item('a2', 'a'), item('b1', 'b')]);
    await run([item('a1', 'a')], ['a']);
    expect(removed).toEqual(['a2']);
    await run([item('a1', 'a')]);
    expect(removed).toEqual(['a2', 'b1']);
  });
});

describe('a kubeconfig', () => {
  it('gives server, authority and credential of its current context, and refuses plug-ins by name', () => {
    using folder = temporaryFolder();
    const file = path.join(folder.path, 'config');
    mkdirSync(path.join(folder.path, 'pki'));
    writeFileSync(path.join(folder.path, 'pki/ca.crt'), 'CA');
    const config = (user: string) =>
      `current-context: c\ncontexts: [{name: c, context: {cluster: k, user: u}}]\nclusters: [{name: k, cluster: {server: 'https://k:6443/', certificate-authority: pki/ca.crt}}]\nusers: [{name: u, user: ${user}}]\n`;
    writeFileSync(file, config('{token: t, client-key-data: S0VZ}'));
    expect(clusterAccess(file)).toEqual({
      server: 'https://k:6443',
      ca: Buffer.from('CA'),
      key: Buffer.from('KEY'),
      token: 't',
      insecure: false,
    });
    writeFileSync(file, config('{exec: {command: aws}}'));
    expect(() => clusterAccess(file)).toThrow(/signs in by exec/);
    expect(() => clusterAccess(file, 'other')).toThrow(/no context "other"; it has c/);
  });
});
