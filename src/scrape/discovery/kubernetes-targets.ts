/** Kubernetes objects to targets with the `__meta_kubernetes_*` labels of Prometheus. Pure. */
import type { KubernetesRole } from '../discovery-config.ts';
import type { TargetGroup } from '../target.ts';

interface Reference {
  readonly kind?: string;
  readonly name?: string;
  readonly namespace?: string;
}
/** The parts of an API object that are read; everything may be missing. */
// biome-ignore lint/suspicious/noExplicitAny: objects of a foreign API; each use guards against absence
export type KubeObject = { metadata?: any; spec?: any; status?: any; [key: string]: any };

export interface Companions {
  readonly pods: readonly KubeObject[];
  readonly services: readonly KubeObject[];
  readonly nodes: readonly KubeObject[];
}

type Pairs = Record<string, string>;

const safe = (name: string): string => name.replace(/[^a-zA-Z0-9_]/g, '_');
const hostPort = (host: string, port: number | string): string => `${host.includes(':') ? `[${host}]` : host}:${port}`;

export function targetsOf(role: KubernetesRole, objects: readonly KubeObject[], companions: Companions): TargetGroup[] {
  const index = {
    pods: byKey(companions.pods),
    services: byKey(companions.services),
    nodes: new Map(companions.nodes.map((n) => [n.metadata?.name as string, n])),
  };
  const build = { node, pod, service, endpoints, endpointslice, ingress }[role];
  return objects.map((o) => build(o, index));
}

type Index = { pods: Map<string, KubeObject>; services: Map<string, KubeObject>; nodes: Map<string, KubeObject> };
const byKey = (objects: readonly KubeObject[]): Map<string, KubeObject> =>
  new Map(objects.map((o) => [`${o.metadata?.namespace}/${o.metadata?.name}`, o]));

function objectMeta(kind: string, o: KubeObject): Pairs {
  const out: Pairs = {};
  for (const field of ['label', 'annotation'] as const) {
    for (const [name, value] of Object.entries((o.metadata?.[`${field}s`] as Pairs) ?? {})) {
      out[`__meta_kubernetes_${kind}_${field}_${safe(name)}`] = value;
      out[`__meta_kubernetes_${kind}_${field}present_${safe(name)}`] = 'true';
    }
  }
  return out;
}

function group(role: string, o: KubeObject, labels: Pairs, targets: Pairs[]): TargetGroup {
  const { namespace, name } = o.metadata ?? {};
  return {
    source: namespace ? `${role}/${namespace}/${name}` : `${role}/${name}`,
    labels: namespace ? { __meta_kubernetes_namespace: namespace, ...labels } : labels,
    targets,
  };
}

function node(o: KubeObject): TargetGroup {
  const name = String(o.metadata?.name ?? '');
  const addresses = (o.status?.addresses ?? []) as { type: string; address: string }[];
  const order = ['InternalIP', 'InternalDNS', 'ExternalIP', 'ExternalDNS', 'LegacyHostIP', 'Hostname'];
  const address = order.map((t) => addresses.find((a) => a.type === t)?.address).find((a) => a !== undefined);
  if (!address) return group('node', o, {}, []);
  const labels: Pairs = {
    __meta_kubernetes_node_name: name,
    __meta_kubernetes_node_provider_id: o.spec?.providerID ?? '',
    ...objectMeta('node', o),
  };
  const target: Pairs = {
    __address__: hostPort(address, o.status?.daemonEndpoints?.kubeletEndpoint?.Port ?? 10250),
    instance: name,
  };
  for (const a of addresses) target[`__meta_kubernetes_node_address_${safe(a.type)}`] ??= a.address;
  return group('node', o, labels, [target]);
}

function podMeta(o: KubeObject, index: Index): Pairs {
  const ready =
    ((o.status?.conditions ?? []) as { type: string; status: string }[]).find((c) => c.type === 'Ready')?.status ??
    'unknown';
  const out: Pairs = {
    __meta_kubernetes_pod_name: o.metadata?.name ?? '',
    __meta_kubernetes_pod_ip: o.status?.podIP ?? '',
    __meta_kubernetes_pod_ready: String(ready).toLowerCase(),
    __meta_kubernetes_pod_phase: o.status?.phase ?? '',
    __meta_kubernetes_pod_node_name: o.spec?.nodeName ?? '',
    __meta_kubernetes_pod_host_ip: o.status?.hostIP ?? '',
    __meta_kubernetes_pod_uid: o.metadata?.uid ?? '',
    ...objectMeta('pod', o),
  };
  const controller = (
    (o.metadata?.ownerReferences ?? []) as { controller?: boolean; kind: string; name: string }[]
  ).find((r) => r.controller);
  if (controller) {
    out['__meta_kubernetes_pod_controller_kind'] = controller.kind;
    out['__meta_kubernetes_pod_controller_name'] = controller.name;
  }
  const host = index.nodes.get(o.spec?.nodeName);
  if (host) Object.assign(out, { __meta_kubernetes_node_name: host.metadata.name }, objectMeta('node', host));
  return out;
}

interface Container {
  readonly name: string;
  readonly image?: string;
  readonly ports?: readonly { name?: string; containerPort: number; protocol?: string }[];
}
/** A pod's containers; the flag tells init containers. */
const containersOf = (o: KubeObject): [Container, boolean][] => [
  ...((o.spec?.containers ?? []) as Container[]).map((c): [Container, boolean] => [c, false]),
  ...((o.spec?.initContainers ?? []) as Container[]).map((c): [Container, boolean] => [c, true]),
];

function containerMeta(o: KubeObject, c: Container, init: boolean): Pairs {
  const states = [...(o.status?.containerStatuses ?? []), ...(o.status?.initContainerStatuses ?? [])] as {
    name: string;
    containerID?: string;
  }[];
  return {
    __meta_kubernetes_pod_container_name: c.name,
    __meta_kubernetes_pod_container_id: states.find((s) => s.name === c.name)?.containerID ?? '',
    __meta_kubernetes_pod_container_image: c.image ?? '',
    __meta_kubernetes_pod_container_init: String(init),
  };
}

const portMeta = (p: { name?: string; containerPort: number; protocol?: string }): Pairs => ({
  __meta_kubernetes_pod_container_port_name: p.name ?? '',
  __meta_kubernetes_pod_container_port_number: String(p.containerPort),
  __meta_kubernetes_pod_container_port_protocol: p.protocol ?? 'TCP',
});

function pod(o: KubeObject, index: Index): TargetGroup {
  const ip = o.status?.podIP as string | undefined;
  if (!ip) return group('pod', o, {}, []);
  const targets = containersOf(o).flatMap(([c, init]): Pairs[] => {
    const own = containerMeta(o, c, init);
    if (!c.ports || c.ports.length === 0) return [{ __address__: ip, ...own }];
    return c.ports.map((p) => ({ __address__: hostPort(ip, p.containerPort), ...own, ...portMeta(p) }));
  });
  return group('pod', o, podMeta(o, index), targets);
}

function serviceMeta(o: KubeObject): Pairs {
  return { ...objectMeta('service', o), __meta_kubernetes_service_name: o.metadata?.name ?? '' };
}

function service(o: KubeObject): TargetGroup {
  const host = `${o.metadata?.name}.${o.metadata?.namespace}.svc`;
  const type = o.spec?.type ?? 'ClusterIP';
  const targets = ((o.spec?.ports ?? []) as { name?: string; port: number; protocol?: string }[]).map((p) => ({
    __address__: hostPort(host, p.port),
    __meta_kubernetes_service_port_name: p.name ?? '',
    __meta_kubernetes_service_port_number: String(p.port),
    __meta_kubernetes_service_port_protocol: p.protocol ?? 'TCP',
    __meta_kubernetes_service_type: type,
    ...(type === 'ExternalName'
      ? { __meta_kubernetes_service_external_name: o.spec?.externalName ?? '' }
      : { __meta_kubernetes_service_cluster_ip: o.spec?.clusterIP ?? '' }),
    ...(type === 'LoadBalancer' ? { __meta_kubernetes_service_loadbalancer_ip: o.spec?.loadBalancerIP ?? '' } : {}),
  }));
  return group('svc', o, serviceMeta(o), targets);
}

/** Labels of the pod (and its container with that port) behind an address. Remembers which ports were named. */
function behind(
  ref: Reference | undefined,
  namespace: string,
  port: number,
  index: Index,
  named: Map<string, Set<number>>,
): Pairs {
  if (ref?.kind !== 'Pod') return {};
  const key = `${ref.namespace ?? namespace}/${ref.name}`;
  const found = index.pods.get(key);
  if (!found) return {};
  let ports = named.get(key);
  if (!ports) named.set(key, (ports = new Set()));
  ports.add(port);
  const out = podMeta(found, index);
  for (const [c, init] of containersOf(found)) {
    const p = c.ports?.find((x) => x.containerPort === port);
    if (p) return { ...out, ...containerMeta(found, c, init), ...portMeta(p) };
  }
  return out;
}

/** Ports of pods behind the endpoints that the service does not name become targets of their own. */
function unnamedPorts(index: Index, named: ReadonlyMap<string, ReadonlySet<number>>): Pairs[] {
  const out: Pairs[] = [];
  for (const [key, ports] of named) {
    const found = index.pods.get(key)!;
    for (const [c, init] of containersOf(found))
      for (const p of c.ports ?? [])
        if (!ports.has(p.containerPort) && found.status?.podIP)
          out.push({
            __address__: hostPort(found.status.podIP, p.containerPort),
            ...podMeta(found, index),
            ...containerMeta(found, c, init),
            ...portMeta(p),
          });
  }
  return out;
}

function endpoints(o: KubeObject, index: Index): TargetGroup {
  const { namespace, name } = o.metadata ?? {};
  const svc = index.services.get(`${namespace}/${name}`);
  const named = new Map<string, Set<number>>();
  const targets: Pairs[] = [];
  for (const subset of o['subsets'] ?? []) {
    for (const port of subset.ports ?? []) {
      for (const [addresses, ready] of [
        [subset.addresses ?? [], 'true'],
        [subset.notReadyAddresses ?? [], 'false'],
      ] as const) {
        for (const a of addresses) {
          targets.push({
            __address__: hostPort(a.ip, port.port),
            __meta_kubernetes_endpoint_port_name: port.name ?? '',
            __meta_kubernetes_endpoint_port_protocol: port.protocol ?? 'TCP',
            __meta_kubernetes_endpoint_ready: ready,
            ...(a.targetRef
              ? {
                  __meta_kubernetes_endpoint_address_target_kind: a.targetRef.kind ?? '',
                  __meta_kubernetes_endpoint_address_target_name: a.targetRef.name ?? '',
                }
              : {}),
            ...(a.nodeName ? { __meta_kubernetes_endpoint_node_name: a.nodeName } : {}),
            ...(a.hostname ? { __meta_kubernetes_endpoint_hostname: a.hostname } : {}),
            ...behind(a.targetRef, namespace, port.port, index, named),
          });
        }
      }
    }
  }
  targets.push(...unnamedPorts(index, named));
  return group(
    'endpoints',
    o,
    { __meta_kubernetes_endpoints_name: name ?? '', ...objectMeta('endpoints', o), ...(svc ? serviceMeta(svc) : {}) },
    targets,
  );
}

function endpointslice(o: KubeObject, index: Index): TargetGroup {
  const { namespace, name } = o.metadata ?? {};
  const svc = index.services.get(`${namespace}/${o.metadata?.labels?.['kubernetes.io/service-name']}`);
  const named = new Map<string, Set<number>>();
  const targets: Pairs[] = [];
  const prefix = '__meta_kubernetes_endpointslice';
  for (const port of o['ports'] ?? []) {
    for (const e of o['endpoints'] ?? []) {
      for (const address of (e.addresses ?? []) as string[]) {
        const target: Pairs = {
          __address__: hostPort(address, port.port),
          [`${prefix}_port`]: String(port.port),
          [`${prefix}_port_name`]: port.name ?? '',
          [`${prefix}_port_protocol`]: port.protocol ?? 'TCP',
        };
        if (port.appProtocol) target[`${prefix}_port_app_protocol`] = port.appProtocol;
        for (const condition of ['ready', 'serving', 'terminating'])
          if (e.conditions?.[condition] !== undefined)
            target[`${prefix}_endpoint_conditions_${condition}`] = String(e.conditions[condition]);
        if (e.hostname) target[`${prefix}_endpoint_hostname`] = e.hostname;
        if (e.nodeName) target[`${prefix}_endpoint_node_name`] = e.nodeName;
        if (e.zone) target[`${prefix}_endpoint_zone`] = e.zone;
        if (e.targetRef) {
          target[`${prefix}_address_target_kind`] = e.targetRef.kind ?? '';
          target[`${prefix}_address_target_name`] = e.targetRef.name ?? '';
        }
        targets.push({ ...target, ...behind(e.targetRef, namespace, port.port, index, named) });
      }
    }
  }
  targets.push(...unnamedPorts(index, named));
  const labels = {
    [`${prefix}_name`]: name ?? '',
    [`${prefix}_address_type`]: o['addressType'] ?? '',
    ...objectMeta('endpointslice', o),
    ...(svc ? serviceMeta(svc) : {}),
  };
  return group('endpointslice', o, labels, targets);
}

function ingress(o: KubeObject): TargetGroup {
  const secured = ((o.spec?.tls ?? []) as { hosts?: string[] }[]).flatMap((t) => t.hosts ?? []);
  const covers = (host: string): boolean =>
    secured.some(
      (s) => s === host || (s.startsWith('*.') && host.includes('.') && host.slice(host.indexOf('.')) === s.slice(1)),
    );
  const targets = ((o.spec?.rules ?? []) as { host?: string; http?: { paths?: { path?: string }[] } }[]).flatMap(
    (rule) => {
      const host = rule.host || '*';
      const paths = rule.http?.paths?.map((p) => p.path || '/') ?? ['/'];
      return paths.map((p) => ({
        __address__: host,
        __meta_kubernetes_ingress_scheme: covers(host) ? 'https' : 'http',
        __meta_kubernetes_ingress_host: host,
        __meta_kubernetes_ingress_path: p,
      }));
    },
  );
  const labels: Pairs = { __meta_kubernetes_ingress_name: o.metadata?.name ?? '', ...objectMeta('ingress', o) };
  if (o.spec?.ingressClassName) labels['__meta_kubernetes_ingress_class_name'] = o.spec.ingressClassName;
  return group('ingress', o, labels, targets);
}
