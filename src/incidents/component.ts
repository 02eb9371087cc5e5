/** Which part of the system an alert speaks about, read off its labels. Pure. */
export type ComponentKind =
  | 'service'
  | 'queue'
  | 'provider'
  | 'model'
  | 'database'
  | 'workload'
  | 'host'
  | 'area'
  | 'alert';

/** `kind:name`, e.g. `service:agent-api`. */
export type ComponentId = string;

type AlertLabels = Readonly<Record<string, string>>;

const DATABASE = /^(postgres|pg|redis|mongo|mysql)/i;

/** The most specific thing the labels name; never empty. */
export function componentOf(labels: AlertLabels): ComponentId {
  const alertname = labels['alertname'] ?? '';
  const first = (...names: readonly string[]): string | undefined => {
    for (const n of names) if (labels[n]) return labels[n];
    return undefined;
  };
  const service = first('service', 'service_name', 'app', 'application');
  if (service) return `service:${service}`;
  const queue = first('queue', 'topic');
  if (queue) return `queue:${queue}`;
  const provider = first('provider');
  if (provider) return `provider:${provider}`;
  const model = first('model', 'model_name');
  if (model) return `model:${model}`;
  const instance = first('instance', 'node', 'host', 'hostname');
  if (instance && (DATABASE.test(labels['job'] ?? '') || DATABASE.test(alertname) || labels['datname']))
    return `database:${instance}`;
  const workload = first('deployment', 'statefulset', 'daemonset', 'pod');
  if (workload) return `workload:${labels['namespace'] ? `${labels['namespace']}/` : ''}${workload}`;
  if (instance) return `host:${instance}`;
  if (labels['pack']) return `area:${labels['pack']}`;
  return `alert:${alertname || 'unnamed'}`;
}

export const componentName = (id: ComponentId): string => id.slice(id.indexOf(':') + 1);
export const componentKind = (id: ComponentId): ComponentKind => id.slice(0, id.indexOf(':')) as ComponentKind;

/** A declared dependency names a component with or without its kind; without, a service is meant. */
export const asComponent = (name: string): ComponentId =>
  /^(service|queue|provider|model|database|workload|host|area):/.test(name) ? name : `service:${name}`;

/** Alerts about objectives, budgets and business figures tell of an effect, long after and long after it is over. */
export const isDerived = (labels: AlertLabels): boolean =>
  labels['pack'] === 'slo' ||
  labels['pack'] === 'business' ||
  /budget|objective|satisfaction|cost/i.test(labels['alertname'] ?? '');

/** Alerts that only prove that alerting works, or carry no wish that anybody act. */
export const isNoIncident = (labels: AlertLabels): boolean =>
  labels['severity'] === 'none' || labels['alertname'] === 'Watchdog' || labels['alertname'] === 'InfoInhibitor';
