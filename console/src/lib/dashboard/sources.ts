/** Which program a query is written for: PromQL is asked here, anything else is named and left. */
import type { Dashboard, Panel, Target } from './model.ts';

const PROMQL = /prometheus|mimir|thanos|cortex|victoriametrics|victoria-metrics|^vigie/i;
/** Names of data sources in old files, which say nothing else of their kind. */
const FOREIGN =
  /loki|elastic|influx|graphite|mysql|postgres|mssql|tempo|jaeger|zipkin|cloudwatch|stackdriver|azure|zabbix|opentsdb|testdata/i;
/** Sources within the program that the file comes from: `-- Mixed --`, `-- Grafana --`. */
const OWN = ['datasource', 'mixed', 'grafana', ''];

export type SourceOf = (ref: unknown) => string | undefined;

/** Tells the kind of a data source by a reference to it; undefined when the file does not say. */
export function sourcesOf(dashboard: Dashboard): SourceOf {
  const inputs = new Map((dashboard.__inputs ?? []).map((i) => [i.name, i.pluginId]));
  const variables = new Map(
    (dashboard.templating?.list ?? [])
      .filter((v) => v.type === 'datasource')
      .map((v) => [v.name, String(v.query ?? '')]),
  );
  const byName = (name: string): string | undefined => {
    const used = /^\$\{?(\w+)\}?$/.exec(name)?.[1];
    if (used !== undefined) return inputs.get(used) ?? variables.get(used);
    return FOREIGN.exec(name)?.[0].toLowerCase();
  };
  return (ref) => {
    if (typeof ref === 'string') return byName(ref);
    if (!ref || typeof ref !== 'object') return undefined;
    const { type, uid } = ref as { type?: unknown; uid?: unknown };
    if (typeof type === 'string' && !OWN.includes(type)) return type;
    return typeof uid === 'string' && !uid.startsWith('--') ? byName(uid) : undefined;
  };
}

/** The kind of program that a query is for, when it is not PromQL. */
export function foreignSource(panel: Panel, target: Target, sourceOf: SourceOf): string | undefined {
  const kind = sourceOf(target.datasource) ?? sourceOf(panel.datasource);
  if (kind !== undefined && !PROMQL.test(kind)) return kind === '__expr__' ? 'expressions' : kind;
  return undefined;
}
