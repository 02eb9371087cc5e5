/**
 * Native files that are rendered as they are, with values put in: Elasticsearch requests, collector pipelines, KPI
 * definitions. What an Elasticsearch file is sent as follows from its folder.
 */
import { type Artefact, header } from '../artefact.ts';
import type { RenderedPack } from '../pack.ts';
import type { Scope } from '../scope.ts';
import { yamlText } from '../yaml-text.ts';
import type { RenderContext } from './context.ts';
import { documents, objectMeta } from './kubernetes.ts';

/** Folder below elasticsearch/ -> the API that takes the file; `<name>` is the file's name. */
const REQUESTS: Readonly<Record<string, string>> = {
  'indices/components': '_component_template/<name>',
  'indices/templates': '_index_template/<name>',
  'indices/lifecycle': '_ilm/policy/<name>',
  'indices/pipelines': '_ingest/pipeline/<name>',
  'indices/roles': '_security/role/<name>',
  mappings: '_component_template/<name>',
};

export function* assets(context: RenderContext, scope: Scope): Generator<Artefact> {
  const packs = scope.tenant === undefined ? context.allPacks(scope) : [];
  for (const pack of packs)
    for (const [file, value] of pack.assets) {
      if (file.startsWith('elasticsearch/queries/')) yield storedQuery(file, value as SavedQuery);
      else if (file.startsWith('elasticsearch/')) yield elasticsearch(context, file, value);
      else yield asset(context, scope, pack, file, value);
    }
  const queries = packs.flatMap((p) => [...p.assets].filter(([file]) => file.startsWith('elasticsearch/queries/')));
  if (queries.length > 0)
    yield {
      path: 'elasticsearch/kibana/saved-objects.ndjson',
      target: 'file',
      content: queries.flatMap(([file, q]) => kibanaObjects(nameOf(file), q as SavedQuery)).join(''),
    };
}

/** `elasticsearch/queries/*.yaml`. */
interface SavedQuery {
  readonly title: string;
  readonly description: string;
  readonly index: string;
  /** For Kibana. */
  readonly kql: string;
  readonly columns: readonly string[];
  /** For `_search`, with mustache parameters `from` and `to`. */
  readonly query: unknown;
}

const nameOf = (file: string): string => file.slice(file.lastIndexOf('/') + 1).replace(/\.(json|ya?ml)$/, '');

/** A search template: `GET <index>/_search/template {"id": "vigie-errors", "params": {...}}`. */
function storedQuery(file: string, q: SavedQuery): Artefact {
  const name = `vigie-${nameOf(file)}`;
  const source = {
    query: q.query,
    _source: ['@timestamp', ...q.columns],
    sort: [{ '@timestamp': { order: 'desc' } }],
    size: '{{size}}{{^size}}50{{/size}}',
  };
  return {
    path: `elasticsearch/queries/${name}.json`,
    target: 'elasticsearch',
    content: `${JSON.stringify({ script: { lang: 'mustache', source } }, null, 2)}\n`,
    request: { method: 'PUT', path: `/_scripts/${name}` },
  };
}

/** A data view and a saved search, as lines of Kibana's import format. */
function kibanaObjects(name: string, q: SavedQuery): string[] {
  const view = `vigie-${q.index.replace(/[^a-z0-9]+/g, '-').replace(/^-|-$/g, '')}`;
  const searchSource = {
    query: { query: q.kql, language: 'kuery' },
    filter: [],
    indexRefName: 'kibanaSavedObjectMeta.searchSourceJSON.index',
  };
  const objects = [
    {
      type: 'index-pattern',
      id: view,
      attributes: { title: q.index, timeFieldName: '@timestamp', name: `Vigie ${q.index}` },
      references: [],
    },
    {
      type: 'search',
      id: `vigie-${name}`,
      attributes: {
        title: q.title,
        description: q.description,
        columns: q.columns,
        sort: [['@timestamp', 'desc']],
        kibanaSavedObjectMeta: { searchSourceJSON: JSON.stringify(searchSource) },
      },
      references: [{ id: view, name: 'kibanaSavedObjectMeta.searchSourceJSON.index', type: 'index-pattern' }],
    },
  ];
  return objects.map((o) => `${JSON.stringify(o)}\n`);
}

function asset(context: RenderContext, scope: Scope, pack: RenderedPack, file: string, value: unknown): Artefact {
  const json = file.endsWith('.json');
  const text = json ? `${JSON.stringify(value, null, 2)}\n` : yamlText(value);
  const top = header({
    template: file,
    version: pack.manifest.version,
    environment: scope.environment,
    parameters: pack.parameters,
  });
  if (context.format === 'kubernetes' && file.startsWith('jaeger/')) {
    const base = file.slice(file.lastIndexOf('/') + 1);
    return {
      path: file.replace(/\.(ya?ml|json)$/, '.yaml'),
      target: 'kubernetes',
      content: documents(file, scope, [
        {
          apiVersion: 'v1',
          kind: 'ConfigMap',
          metadata: objectMeta(context, scope, `vigie-${base.replace(/\.[a-z]+$/, '')}`),
          data: { [base]: text },
        },
      ]),
    };
  }
  return { path: file, target: 'file', content: json ? text : top + text };
}

function elasticsearch(context: RenderContext, file: string, value: unknown): Artefact {
  const parts = file.split('/');
  const name = parts.at(-1)!.replace(/\.(json|ya?ml|ndjson)$/, '');
  const api = REQUESTS[parts.slice(1, -1).join('/')];
  if (!api) context.complain(file, 'no Elasticsearch API takes files of this folder');
  return {
    path: file.replace(/\.ya?ml$/, '.json'),
    target: api ? 'elasticsearch' : 'file',
    content: `${JSON.stringify(withSettings(context, value), null, 2)}\n`,
    ...(api ? { request: { method: 'PUT' as const, path: `/${api.replace('<name>', name)}` } } : {}),
  };
}

/** `$shards` and the like stand for what vigie.yaml says of the cluster. */
function withSettings(context: RenderContext, tree: unknown): unknown {
  const { elasticsearch: e } = context.config;
  const known: Readonly<Record<string, unknown>> = {
    $shards: e.shards,
    $replicas: e.replicas,
    $retention: `${e.retention_days}d`,
    $rollover_size: e.rollover_size,
  };
  if (typeof tree === 'string') return known[tree] ?? tree;
  if (Array.isArray(tree)) return tree.map((v) => withSettings(context, v));
  if (typeof tree === 'object' && tree !== null)
    return Object.fromEntries(Object.entries(tree).map(([k, v]) => [k, withSettings(context, v)]));
  return tree;
}

/** A role per tenant that reads its own documents and nothing else. */
export function* elasticsearchTenant(context: RenderContext, scope: Scope): Generator<Artefact> {
  if (scope.tenant === undefined || !context.config.grafana.elasticsearch_url) return;
  const role = context.native.object('elasticsearch/indices/tenant-role.yaml', {
    tenant: scope.tenant,
    stream: scope.slug,
  });
  yield {
    path: `elasticsearch/indices/roles/vigie-${scope.slug}.json`,
    target: 'elasticsearch',
    content: `${JSON.stringify(role, null, 2)}\n`,
    request: { method: 'PUT', path: `/_security/role/vigie-${scope.slug}` },
  };
}
