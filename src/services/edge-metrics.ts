/**
 * Where calls between services show in metrics, and how to read them: the service graphs that OpenTelemetry's
 * `servicegraph` connector and Tempo write, span metrics that name the peer, and what an Istio mesh counts. Pure.
 */
export const EDGE_SOURCES = ['service_graph', 'span_metrics', 'mesh'] as const;
export type EdgeSource = (typeof EDGE_SOURCES)[number];

export interface EdgeProbe {
  readonly source: EdgeSource;
  readonly expr: string;
  /** Labels that name the caller and what it calls; the first that is not empty counts. */
  readonly client: readonly string[];
  readonly server: readonly string[];
}

/** A call must have happened within this to be seen; two scrapes a minute apart give a rate. */
const WINDOW = '10m';

const spans = (metric: string): EdgeProbe => ({
  source: 'span_metrics',
  // the Collector writes SPAN_KIND_CLIENT, other senders CLIENT or client
  expr: `sum by (service, service_name, peer_service, db_system) (rate(${metric}{span_kind=~"(?i)(span_kind_)?(client|producer)", peer_service!=""}[${WINDOW}])) > 0`,
  client: ['service_name', 'service'],
  server: ['peer_service'],
});

export const EDGE_PROBES: readonly EdgeProbe[] = [
  {
    source: 'service_graph',
    expr: `sum by (client, server, connection_type) (rate(traces_service_graph_request_total[${WINDOW}])) > 0`,
    client: ['client'],
    server: ['server'],
  },
  spans('traces_spanmetrics_calls_total'),
  spans('traces_span_metrics_calls_total'),
  spans('calls_total'),
  {
    source: 'mesh',
    expr: `sum by (source_canonical_service, destination_canonical_service) (rate(istio_requests_total{reporter="source"}[${WINDOW}])) > 0`,
    client: ['source_canonical_service'],
    server: ['destination_canonical_service'],
  },
];

/** What stands for "somebody outside" or "not known": no component of the tenant's system. */
const NOBODY = new Set(['', 'user', 'unknown', 'virtual_node']);
const NAME_LENGTH_MAX = 100;

/** The two components of one result, as `kind:name`; undefined when an end is nobody's, or both are the same. */
export function edgeOf(
  probe: EdgeProbe,
  label: (name: string) => string,
): { readonly from: string; readonly to: string } | undefined {
  const first = (names: readonly string[]): string => names.map(label).find((v) => v !== '') ?? '';
  const client = first(probe.client);
  const server = first(probe.server);
  const usable = (name: string): boolean => !NOBODY.has(name) && name.length <= NAME_LENGTH_MAX;
  if (!usable(client) || !usable(server)) return undefined;
  const database = label('connection_type') === 'database' || label('db_system') !== '';
  const from = `service:${client}`;
  const to = `${database ? 'database' : 'service'}:${server}`;
  return from === to ? undefined : { from, to };
}
