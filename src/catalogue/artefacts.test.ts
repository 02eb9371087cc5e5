/** Collector pipelines, Elasticsearch requests, data sources and scaling objects: the structure that their programs ask for. */
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { catalogueConfigSchema, DEFAULT_SECTIONS } from './config.ts';
import { loadCatalogue } from './load.ts';
import { RenderContext } from './render/context.ts';
import { renderTree } from './render/tree.ts';

const TEMPLATES = path.resolve(import.meta.dirname, '../../templates');
const artefacts = (format: 'files' | 'kubernetes', custom: boolean | string[] = false) => {
  const context = new RenderContext({
    config: catalogueConfigSchema.parse({
      grafana: {
        elasticsearch_url: 'http://e:9200',
        jaeger_url: 'http://j',
        vigie_url: 'http://v',
        postgresql: { host: 'p:5432', database: 'd', user: 'u' },
      },
      tenants: { acme: { services: [{ name: 'api', deployment: 'api' }] } },
    }),
    sections: {
      ...DEFAULT_SECTIONS,
      auto_scaling: { ...DEFAULT_SECTIONS.auto_scaling, enabled: true, custom_metrics: custom },
    },
    environment: 'prod',
    format,
    folders: [TEMPLATES],
  });
  const all = [...renderTree(context)].flatMap((s) =>
    [...s.artefacts].map((a) => ({
      ...a,
      content: typeof a.content === 'string' ? a.content : [...a.content].join(''),
    })),
  );
  expect(context.problems).toEqual([]);
  return all;
};
const files = artefacts('files');

describe('the collector', () => {
  it('defines every component that its pipelines name, and limits memory first', () => {
    const text = files.find((f) => f.path === 'jaeger/collectors/otel-collector.yaml')!.content;
    const c = parse(text) as Record<string, Record<string, any>>;
    let components = 0;
    for (const [name, pipeline] of Object.entries(
      c['service']!['pipelines'] as Record<string, Record<string, string[]>>,
    )) {
      for (const kind of ['receivers', 'processors', 'exporters'])
        for (const component of pipeline[kind]!) {
          expect(Object.keys(c[kind]!), `${name}: ${kind}`).toContain(component);
          components++;
        }
      expect(pipeline['processors']![0]).toBe('memory_limiter');
      expect(pipeline['processors']!.at(-1), 'batches last').toBe('batch');
    }
    expect(components).toBeGreaterThanOrEqual(6);
    for (const e of c['service']!['extensions']) expect(Object.keys(c['extensions']!)).toContain(e);
    for (const policy of c['processors']!['tail_sampling'].policies) expect(Object.keys(policy)).toContain(policy.type);
    expect(typeof c['processors']!['tail_sampling'].policies[1].latency.threshold_ms).toBe('number');
    expect(typeof c['processors']!['memory_limiter'].limit_mib).toBe('number');
  });
  it('has sampling strategies as Jaeger clients read them', () => {
    const s = JSON.parse(files.find((f) => f.path.endsWith('sampling-strategies.json'))!.content);
    expect(s.default_strategy).toMatchObject({ type: 'probabilistic', param: 0.1 });
    for (const o of s.default_strategy.operation_strategies)
      expect(o).toMatchObject({ operation: expect.any(String), type: 'probabilistic', param: expect.any(Number) });
  });
});

describe('Elasticsearch requests', () => {
  const requests = files
    .filter((f) => f.target === 'elasticsearch')
    .map((f) => ({ ...f, body: JSON.parse(f.content), at: f.request!.path }));
  const named = (prefix: string) =>
    new Map(requests.filter((r) => r.at.startsWith(prefix)).map((r) => [r.at.slice(prefix.length), r.body]));
  it('refer only to what is there', () => {
    const [components, templates, policies, pipelines] = [
      '/_component_template/',
      '/_index_template/',
      '/_ilm/policy/',
      '/_ingest/pipeline/',
    ].map(named);
    expect([components!.size, templates!.size, policies!.size, pipelines!.size]).toEqual([4, 2, 2, 1]);
    for (const t of templates!.values()) {
      expect(t.data_stream).toEqual({});
      for (const c of t.composed_of) expect([...components!.keys()]).toContain(c);
      const own = t.template.settings.index?.lifecycle?.name;
      if (own) expect([...policies!.keys()]).toContain(own);
    }
    const settings = components!.get('vigie-settings').template.settings.index;
    expect([...policies!.keys()]).toContain(settings.lifecycle.name);
    expect([...pipelines!.keys()]).toContain(settings.default_pipeline);
    expect([settings.number_of_shards, settings.number_of_replicas]).toEqual([1, 1]);
    for (const p of policies!.values()) expect(p.policy.phases.delete.min_age).toMatch(/^\d+d$/);
    for (const p of pipelines!.get('vigie-ecs').processors) expect(Object.keys(p)).toHaveLength(1);
    // two index templates of one priority whose patterns overlap would be refused
    expect(new Set([...templates!.values()].map((t) => t.priority)).size).toBe(templates!.size);
    for (const r of requests) expect(r.content).not.toMatch(/"\$[a-z]/);
  });
  it('map fields with types that exist, each field once', () => {
    const TYPES = new Set([
      'date',
      'match_only_text',
      'keyword',
      'long',
      'ip',
      'wildcard',
      'object',
      'constant_keyword',
      'geo_point',
    ]);
    const seen = new Set<string>();
    let fields = 0;
    const walk = (properties: Record<string, any>, at: string): void => {
      for (const [name, f] of Object.entries(properties)) {
        const field = `${at}${name}`;
        if (f.properties) walk(f.properties, `${field}.`);
        else {
          expect(TYPES, field).toContain(f.type);
          expect(seen.has(field), field).toBe(false);
          seen.add(field);
          fields++;
        }
      }
    };
    for (const r of requests.filter((x) => x.at.includes('vigie-mappings')))
      walk(r.body.template.mappings.properties, '');
    expect(fields).toBeGreaterThan(90);
    for (const f of [
      '@timestamp',
      'event.outcome',
      'organization.id',
      'http.response.status_code',
      'user.name',
      'source.ip',
    ])
      expect(seen).toContain(f);
  });
  it('store queries that read back as search requests, and Kibana objects that refer to their data view', () => {
    const scripts = named('/_scripts/');
    expect(scripts.size).toBe(4);
    for (const [name, s] of scripts) {
      const { source } = s.script;
      expect(source.query.bool.filter.length, name).toBeGreaterThan(0);
      expect(s.script.lang).toBe('mustache');
    }
    const objects = files
      .find((f) => f.path.endsWith('.ndjson'))!
      .content.trim()
      .split('\n')
      .map((l) => JSON.parse(l));
    const views = new Set(objects.filter((o) => o.type === 'index-pattern').map((o) => o.id));
    const searches = objects.filter((o) => o.type === 'search');
    expect(searches).toHaveLength(4);
    for (const s of searches) expect(views).toContain(s.references[0].id);
  });
  it('let a tenant read its own streams and documents only', () => {
    const role = requests.find((r) => r.at === '/_security/role/vigie-acme')!.body;
    expect(role).toMatchObject({
      cluster: [],
      indices: [{ names: ['logs-*-acme'], query: '{"term": {"organization.id": "acme"}}' }],
    });
    expect(role.indices[0].privileges).not.toContain('write');
  });
});

describe('data sources', () => {
  it('send the tenant with each request, and have uids that Grafana takes', () => {
    const { datasources } = parse(files.find((f) => f.path === 'grafana/datasources/acme.yaml')!.content);
    expect(datasources.map((d: { type: string }) => d.type)).toEqual([
      'prometheus',
      'alertmanager',
      'jaeger',
      'elasticsearch',
      'vigie-vigie-datasource',
    ]);
    for (const d of datasources) {
      expect(d.uid).toMatch(/^[A-Za-z0-9_-]{1,40}$/);
      expect(d).toMatchObject({ access: 'proxy', editable: false, url: expect.stringMatching(/^http/) });
      if (d.type !== 'elasticsearch') expect(d.secureJsonData).toEqual({ httpHeaderValue1: 'acme' });
      else expect(d.jsonData.index).toBe('logs-*-acme');
    }
    const own = loadCatalogue(TEMPLATES, ['api']).packs[0]!.dashboards.get('grafana/dashboards/api-performance.json')!;
    expect(own).toMatchObject({
      schemaVersion: 42,
      uid: 'vigie-api-performance',
      templating: { list: expect.any(Array) },
    });
  });
});

describe('scaling', () => {
  const objectOf = (custom: boolean | string[]) =>
    parseAllDocuments(
      artefacts('kubernetes', custom).find((a) => a.path === 'automation/scaling/acme-api.yaml')!.content,
    )[0]!.toJS();
  it('is an HPA with numbers, or a KEDA object with text, never both', () => {
    const hpa = objectOf(false);
    expect(hpa.spec.metrics.map((m: any) => [m.resource.name, m.resource.target.averageUtilization])).toEqual([
      ['cpu', 70],
      ['memory', 80],
    ]);
    expect([hpa.kind, hpa.spec.minReplicas, hpa.spec.maxReplicas]).toEqual(['HorizontalPodAutoscaler', 2, 100]);
    const keda = objectOf(['queue_depth', 'http_requests_total']);
    expect(keda.kind).toBe('ScaledObject');
    expect(keda.spec.triggers.map((x: any) => x.type)).toEqual(['cpu', 'memory', 'prometheus', 'prometheus']);
    for (const trigger of keda.spec.triggers)
      for (const v of Object.values(trigger.metadata)) expect(typeof v).toBe('string');
    expect(keda.spec.triggers.slice(2).map((x: any) => x.metadata.query)).toEqual([
      'sum(queue_depth{tenant_id="acme", service="api"})',
      'sum(rate(http_requests_total{tenant_id="acme", service="api"}[2m]))',
    ]);
  });
});
