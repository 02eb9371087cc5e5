import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { catalogueFolders } from '../../templates/index.ts';
import { temporaryFolder } from '../../test/support/peers.ts';
import { catalogueConfigSchema, DEFAULT_SECTIONS, type ENVIRONMENTS } from './config.ts';
import { TEMPLATE_FOLDERS } from './folders.ts';
import { RenderContext } from './render/context.ts';
import { renderTree, tenantArtefacts } from './render/tree.ts';
import { mergeOverrides, slugOf, tenantScope } from './scope.ts';
import { readRecords, writeTree } from './write-tree.ts';

const TEMPLATES = path.resolve(import.meta.dirname, '../../templates');
/** Folders of the tree that the table does not name: manifests, and objects that belong to no folder of it. */
const BESIDE = ['packs', 'kubernetes'];

const SECTIONS = {
  tenant_isolation: { enabled: true, metrics_prefix: 'tenant_', namespace_separation: true, resource_quotas: true },
  auto_scaling: { ...DEFAULT_SECTIONS.auto_scaling, enabled: true, custom_metrics: true },
};
const contextFor = (
  input: unknown,
  format: 'files' | 'kubernetes',
  environment: (typeof ENVIRONMENTS)[number] = 'prod',
) =>
  new RenderContext({
    config: catalogueConfigSchema.parse(input),
    sections: SECTIONS,
    environment,
    format,
    folders: [TEMPLATES],
  });
const TENANTS = {
  receivers: { slack: { channel: '#o' }, pagerduty: {} },
  grafana: { elasticsearch_url: 'http://e:9200', vigie_url: 'http://v:9390' },
  tenants: {
    "o'neil!(x)*": {},
    '123': {},
    acme: {
      receivers: { slack: { channel: '#acme' }, webhook: {}, email: { to: 'a@b.c', from: 'd@e.f', smarthost: 'm:25' } },
      services: [{ name: 'api', deployment: 'api', targets: ['a:1'] }],
    },
    beta: { services: [{ name: 'api', deployment: 'api', targets: ['a:1'] }] },
    true: {},
  },
};

describe('the tree of templates', () => {
  it('is the table of the catalogue, both ways', () => {
    expect(TEMPLATE_FOLDERS.map((f) => f.id)).toEqual(Array.from({ length: 26 }, (_, i) => `TP${i + 1}`));
    for (const f of catalogueFolders()) {
      expect(existsSync(path.join(TEMPLATES, f.path, 'README.md')), f.path).toBe(true);
      if (f.state === 'built') expect(f.files.length, f.path).toBeGreaterThan(0);
    }
    const listed = new Set(TEMPLATE_FOLDERS.map((f) => f.path));
    const found = readdirSync(TEMPLATES, { withFileTypes: true })
      .filter((e) => e.isDirectory() && !BESIDE.includes(e.name))
      .flatMap((top) =>
        readdirSync(path.join(TEMPLATES, top.name), { withFileTypes: true })
          .filter((e) => e.isDirectory())
          .map((e) => `${top.name}/${e.name}`),
      );
    expect(found.filter((f) => !listed.has(f))).toEqual([]);
    for (const language of ['', '.fr', '.de'])
      expect(existsSync(path.join(TEMPLATES, `README${language}.md`))).toBe(true);
  });
});

describe('names of tenants', () => {
  it.each([
    ['acme', 'acme'],
    ['Acme', /^acme-[0-9a-f]{8}$/],
    ["o'neil!", /^o-neil-[0-9a-f]{8}$/],
    ['***', /^t-[0-9a-f]{8}$/],
    ['platform', /^platform-[0-9a-f]{8}$/],
  ])('%s becomes a DNS label', (id, slug) =>
    expect(slugOf(id)).toMatch(slug instanceof RegExp ? slug : new RegExp(`^${slug}$`)),
  );
  it('stay apart', () => {
    const ids = [
      'a.b',
      'a_b',
      'A-B',
      'a-b',
      "a'b",
      'a-b-12345678',
      slugOf('a.b'),
      'x'.repeat(150),
      `${'x'.repeat(149)}y`,
    ];
    expect(new Set(ids.map(slugOf)).size).toBe(ids.length);
    for (const id of ids) expect(slugOf(id)).toMatch(/^[a-z0-9]([a-z0-9-]{0,27}[a-z0-9])?$/);
  });
});

describe('overrides', () => {
  it('of later layers win, member by member', () => {
    expect(
      mergeOverrides(
        { api: { parameters: { a: 1, b: 2 }, rules: { R: { for: '1m', labels: { x: '1' } } } } },
        {
          api: { parameters: { b: 3 }, rules: { R: { severity: 'info', labels: { y: '2' } } } },
          host: { enabled: false },
        },
      ),
    ).toEqual({
      api: { parameters: { a: 1, b: 3 }, rules: { R: { for: '1m', severity: 'info', labels: { x: '1', y: '2' } } } },
      host: { enabled: false },
    });
  });
});

describe.each(['files', 'kubernetes'] as const)('rendering %s', (format) => {
  it('by the shared way gives what the plain way gives', () => {
    const context = contextFor(TENANTS, format);
    let compared = 0;
    for (const { scope, artefacts } of renderTree(context)) {
      if (scope.tenant === undefined) continue;
      const plain = new Map(
        [...tenantArtefacts(contextFor(TENANTS, format), tenantScope(context.config, 'prod', scope.tenant))].map(
          (a) => [a.path, a],
        ),
      );
      for (const a of artefacts) {
        // the stand-in is always quoted, a name only where it must be
        const read = (text: unknown) => String(text).replaceAll('"', '').replaceAll('\\', '');
        const other = plain.get(a.path);
        expect({ ...a, content: read(a.content) }, `${scope.tenant}: ${a.path}`).toEqual({
          ...other,
          content: read(other?.content),
        });
        expect(`${a.path}${a.content}`).not.toMatch(/[⟦⟧]/);
        plain.delete(a.path);
        compared++;
      }
      expect([...plain.keys()]).toEqual([]);
    }
    expect(context.problems).toEqual([]);
    expect(compared).toBeGreaterThan(5 * 8);
  });

  it('lets no tenant appear in the files of another', () => {
    const context = contextFor({ ...TENANTS, tenants: { 'alpha-one': {}, 'beta-two': {} } }, format);
    for (const { scope, artefacts } of renderTree(context)) {
      if (scope.tenant === undefined) continue;
      const other = scope.tenant === 'alpha-one' ? 'beta-two' : 'alpha-one';
      for (const a of artefacts) {
        expect(`${a.path}\n${a.content}`).not.toContain(other);
        if (a.path.startsWith('prometheus/rules/')) {
          // every selector demands the tenant
          for (const [, expr] of String(a.content).matchAll(/expr: (?:"(.*)"|(.+))$/gm))
            expect((expr ?? '').match(/tenant_id=/g)?.length ?? 0, `${a.path}: ${expr}`).toBeGreaterThan(0);
        }
      }
    }
  });

  it('is repeatable, touches only what changed, and prunes only what it made', () => {
    using folder = temporaryFolder();
    const run = (input: unknown) =>
      writeTree(renderTree(contextFor(input, format)), { folder: folder.path, complete: true });
    const first = run(TENANTS);
    expect(first).toMatchObject({ scopes: 6, unchanged: 0, removed: 0 });
    const again = run(TENANTS);
    // alertmanager.yml is written in pieces and always anew
    expect(again.files - again.unchanged).toBe(format === 'files' ? 1 : 0);
    const { beta: _gone, ...rest } = TENANTS.tenants;
    const third = run({ ...TENANTS, tenants: rest });
    expect(third.removed).toBeGreaterThan(5);
    const left = [...readRecords(folder.path)].flatMap((r) => r.record.files.map((f) => f.path));
    const onDisk = readdirSync(folder.path, { recursive: true, withFileTypes: true })
      .filter((e) => e.isFile() && !e.parentPath.endsWith('.vigie'))
      .map((e) => path.relative(folder.path, path.join(e.parentPath, e.name)));
    expect(onDisk.sort()).toEqual(left.sort());
    expect(onDisk.filter((f) => f.includes('beta'))).toEqual([]);
  });
});

interface KubernetesObject {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace?: string; labels: Record<string, string> };
  spec?: Record<string, any>; // the kinds differ
  data?: Record<string, string>;
}

describe('Kubernetes objects', () => {
  const objects: { path: string; object: KubernetesObject }[] = [];
  for (const { artefacts } of renderTree(contextFor(TENANTS, 'kubernetes')))
    for (const a of artefacts)
      if (a.target === 'kubernetes')
        for (const d of parseAllDocuments(String(a.content))) objects.push({ path: a.path, object: d.toJS() });

  it('are named and labelled as an API server wants them', () => {
    expect(objects.length).toBeGreaterThan(60);
    const seen = new Set<string>();
    for (const { path: file, object: o } of objects) {
      expect(o.metadata.name, file).toMatch(/^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/);
      if (o.kind !== 'Namespace') expect(o.metadata.namespace, file).toMatch(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/);
      for (const [key, value] of Object.entries(o.metadata.labels)) {
        expect(key).toMatch(/^([a-z0-9.-]+\/)?[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$/);
        expect(value, `${file}: ${key}`).toMatch(/^([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?$/);
      }
      expect(o.metadata.labels['app.kubernetes.io/managed-by']).toBe('vigie');
      const id = `${o.apiVersion}/${o.kind}/${o.metadata.namespace}/${o.metadata.name}`;
      expect(seen.has(id), id).toBe(false);
      seen.add(id);
    }
  });

  it('have every kind that is promised, in the folders of the quick start', () => {
    const kinds = new Map<string, string>();
    for (const { path: file, object } of objects) kinds.set(object.kind, path.dirname(file));
    expect(Object.fromEntries(kinds)).toMatchObject({
      PrometheusRule: 'prometheus/rules',
      ServiceMonitor: 'prometheus/exporters',
      PodMonitor: 'prometheus/exporters',
      AlertmanagerConfig: 'alertmanager/routes',
      Namespace: 'kubernetes',
      NetworkPolicy: 'kubernetes',
      ResourceQuota: 'kubernetes',
      ScaledObject: 'automation/scaling',
      Alertmanager: 'kubernetes',
    });
  });

  it('route by a namespace that the rules carry', () => {
    const routes = objects.filter(
      (o) => o.object.kind === 'AlertmanagerConfig' && o.object.metadata.labels['vigie.io/part'] === 'routes',
    );
    expect(routes.length).toBe(1);
    for (const { object: route } of routes) {
      const rules = objects.filter(
        (o) => o.object.kind === 'PrometheusRule' && o.object.metadata.namespace === route.metadata.namespace,
      );
      expect(rules.length).toBeGreaterThan(3);
      for (const { object } of rules)
        for (const group of object.spec!['groups'])
          for (const rule of group.rules) if (rule.alert) expect(rule.labels.namespace).toBe(route.metadata.namespace);
      const names = new Set(route.spec!['receivers'].map((r: { name: string }) => r.name));
      const used = [
        route.spec!['route'].receiver,
        ...route.spec!['route'].routes.map((r: { receiver: string }) => r.receiver),
      ];
      for (const name of used) expect(names).toContain(name);
    }
  });

  it('hold the same rule groups as the files', () => {
    const wrapped = objects.filter((o) => o.object.kind === 'PrometheusRule' && o.path.includes('platform-'));
    const files = new Map<string, unknown>();
    for (const { artefacts } of renderTree(contextFor(TENANTS, 'files'), []))
      for (const a of artefacts)
        if (a.path.startsWith('prometheus/rules/'))
          files.set(a.path.replace(/\.yml$/, '.yaml'), parseAllDocuments(String(a.content))[0]!.toJS());
    expect(wrapped.length).toBeGreaterThanOrEqual(3);
    for (const { path: file, object } of wrapped) expect({ groups: object.spec!['groups'] }).toEqual(files.get(file));
  });

  it('keep dashboards below 200 kB and hold no secret', () => {
    let dashboards = 0;
    for (const { object } of objects) {
      if (object.metadata.labels['grafana_dashboard'] === '1') {
        dashboards++;
        for (const text of Object.values(object.data!)) {
          expect(Buffer.byteLength(text)).toBeLessThan(200_000);
          JSON.parse(text);
        }
      }
      if (object.kind === 'Secret') expect(object.data).toBeUndefined();
    }
    expect(dashboards).toBeGreaterThanOrEqual(9);
  });
});
