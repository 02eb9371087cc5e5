/** Grafana: data sources per tenant, dashboards, and the provisioning files that load them. */
import { type Artefact, header } from '../artefact.ts';
import type { Scope } from '../scope.ts';
import { yamlText } from '../yaml-text.ts';
import type { RenderContext } from './context.ts';
import { documents, objectMeta } from './kubernetes.ts';

/** A ConfigMap that `kubectl apply` can still copy into its annotation. */
export const CONFIG_MAP_BYTES_MAX = 200_000;

/** The data sources of a scope, in Grafana's provisioning format. */
function datasources(context: RenderContext, scope: Scope): Record<string, unknown> {
  const { grafana } = context.config;
  const orgId = scope.settings?.grafana_org_id;
  const values = {
    scope: scope.slug,
    org: orgId ?? 1,
    streams: scope.tenant === undefined ? 'logs-*-*' : `logs-*-${scope.slug}`,
    prometheus_url: grafana.prometheus_url,
    alertmanager_url: grafana.alertmanager_url,
    jaeger_url: grafana.jaeger_url,
    elasticsearch_url: grafana.elasticsearch_url,
    vigie_url: grafana.vigie_url,
    postgresql_host: grafana.postgresql?.host,
    postgresql_database: grafana.postgresql?.database,
    postgresql_user: grafana.postgresql?.user,
  };
  const kinds = [
    'prometheus',
    'alertmanager',
    ...(grafana.jaeger_url ? ['jaeger'] : []),
    ...(grafana.elasticsearch_url ? ['elasticsearch'] : []),
    ...(grafana.postgresql && scope.tenant === undefined ? ['postgresql'] : []),
    ...(grafana.vigie_url ? ['vigie'] : []),
  ];
  const sources = kinds.map((kind) => {
    const source = context.native.object(`grafana/datasources/${kind}.yaml`, values);
    if (
      grafana.tenancy === 'header' &&
      scope.tenant !== undefined &&
      kind !== 'postgresql' &&
      kind !== 'elasticsearch'
    ) {
      source['jsonData'] = { ...(source['jsonData'] as object), httpHeaderName1: 'X-Scope-OrgID' };
      source['secureJsonData'] = { httpHeaderValue1: scope.tenant };
    }
    return source;
  });
  return { apiVersion: 1, datasources: sources };
}

export function* datasourceArtefacts(context: RenderContext, scope: Scope): Generator<Artefact> {
  const body = datasources(context, scope);
  if (context.format === 'files') {
    yield {
      path: `grafana/datasources/${scope.slug}.yaml`,
      target: 'grafana-datasource',
      content:
        header({ template: 'grafana/datasources', environment: scope.environment, tenant: scope.tenant }) +
        yamlText(body),
    };
    return;
  }
  const { namespace: _own, ...meta } = objectMeta(context, scope, `vigie-datasources-${scope.slug}`, {
    grafana_datasource: '1',
  });
  yield {
    path: `grafana/datasources/${scope.slug}.yaml`,
    target: 'kubernetes',
    content: documents('grafana/datasources', scope, [
      {
        apiVersion: 'v1',
        kind: 'Secret',
        // where Grafana's side car looks, not in the tenant's namespace
        metadata: { ...meta, namespace: context.config.kubernetes.namespace },
        type: 'Opaque',
        stringData: { [`vigie-${scope.slug}.yaml`]: yamlText(body) },
      },
    ]),
  };
}

/** Dashboards are the same for all: the data source and the variables decide what they show. */
export function* dashboards(context: RenderContext, platform: Scope): Generator<Artefact> {
  const seen = new Set<string>();
  for (const pack of context.allPacks(platform)) {
    for (const [file, dashboard] of pack.dashboards) {
      if (seen.has(file)) continue;
      seen.add(file);
      const text = `${JSON.stringify(dashboard, null, 2)}\n`;
      const bytes = Buffer.byteLength(text);
      if (bytes > CONFIG_MAP_BYTES_MAX)
        context.complain(file, `the dashboard has ${bytes} bytes; at most ${CONFIG_MAP_BYTES_MAX} fit a ConfigMap`);
      if (context.format === 'files') {
        yield { path: file, target: 'grafana-dashboard', content: text };
        continue;
      }
      const base = file.slice(file.lastIndexOf('/') + 1, -'.json'.length);
      const folder = file.startsWith('grafana/') ? 'Vigie' : 'Vigie packs';
      yield {
        path: `${file.slice(0, -'.json'.length)}.yaml`,
        target: 'kubernetes',
        content: documents(file, platform, [
          {
            apiVersion: 'v1',
            kind: 'ConfigMap',
            metadata: {
              ...objectMeta(context, platform, `vigie-dashboard-${file.startsWith('grafana/') ? '' : 'pack-'}${base}`, {
                grafana_dashboard: '1',
              }),
              annotations: { grafana_folder: folder },
            },
            data: { [`${base}.json`]: text },
          },
        ]),
      };
    }
  }
}

/** Providers that load the dashboards into each organisation. */
export function* provisioning(context: RenderContext, scope: Scope): Generator<Artefact> {
  const orgId = scope.settings?.grafana_org_id;
  if (scope.tenant !== undefined && orgId === undefined) return;
  const base = context.config.grafana.dashboards_path;
  const provider = (name: string, folder: string, sub: string) => ({
    name,
    orgId: orgId ?? 1,
    folder,
    type: 'file',
    allowUiUpdates: false,
    disableDeletion: false,
    updateIntervalSeconds: 30,
    options: { path: `${base}/${sub}`, foldersFromFilesStructure: false },
  });
  yield {
    path: `grafana/provisioning/dashboards/${scope.slug}.yaml`,
    target: 'file',
    content:
      header({ template: 'grafana/dashboards', environment: scope.environment, tenant: scope.tenant }) +
      yamlText({
        apiVersion: 1,
        providers: [
          provider(`vigie-${scope.slug}-main`, 'Vigie', 'grafana'),
          provider(`vigie-${scope.slug}-packs`, 'Vigie packs', 'prometheus'),
        ],
      }),
  };
}
