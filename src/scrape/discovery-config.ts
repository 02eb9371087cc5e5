/** The discovery sections of a scrape job. Kinds that Prometheus knows and Vigie does not are refused by name. */
import type { Section } from './config-reader.ts';
import { type HttpClientConfig, readHttpClient } from './http-config.ts';

export const KUBERNETES_ROLES = ['node', 'pod', 'service', 'endpoints', 'endpointslice', 'ingress'] as const;
export type KubernetesRole = (typeof KUBERNETES_ROLES)[number];

export interface StaticDiscoveryConfig {
  readonly kind: 'static';
  readonly groups: readonly {
    readonly targets: readonly string[];
    readonly labels: Readonly<Record<string, string>>;
  }[];
}
export interface FileDiscoveryConfig {
  readonly kind: 'file';
  readonly files: readonly string[];
  readonly refreshMs: number;
}
export interface HttpDiscoveryConfig {
  readonly kind: 'http';
  readonly url: string;
  readonly refreshMs: number;
  readonly http: HttpClientConfig;
}
export interface DnsDiscoveryConfig {
  readonly kind: 'dns';
  readonly names: readonly string[];
  readonly type: 'A' | 'AAAA' | 'SRV' | 'MX' | 'NS';
  readonly port: number;
  readonly refreshMs: number;
}
export interface KubernetesDiscoveryConfig {
  readonly kind: 'kubernetes';
  readonly role: KubernetesRole;
  /** Absent: the service account of the pod, or `kubeconfigFile`. */
  readonly apiServer?: string;
  readonly kubeconfigFile?: string;
  readonly namespaces: readonly string[];
  readonly ownNamespace: boolean;
  readonly selectors: readonly { readonly role: KubernetesRole; readonly label: string; readonly field: string }[];
  readonly attachNodeMetadata: boolean;
  readonly http: HttpClientConfig;
}
export type DiscoveryConfig =
  | StaticDiscoveryConfig
  | FileDiscoveryConfig
  | HttpDiscoveryConfig
  | DnsDiscoveryConfig
  | KubernetesDiscoveryConfig;

const OTHERS = [
  'azure',
  'consul',
  'digitalocean',
  'docker',
  'dockerswarm',
  'ec2',
  'eureka',
  'gce',
  'hetzner',
  'ionos',
  'kuma',
  'lightsail',
  'linode',
  'marathon',
  'nerve',
  'nomad',
  'openstack',
  'ovhcloud',
  'puppetdb',
  'scaleway',
  'serverset',
  'stackit',
  'triton',
  'uyuni',
  'vultr',
] as const;

export function readDiscovery(s: Section, noFiles: boolean): readonly DiscoveryConfig[] {
  const out: DiscoveryConfig[] = [];
  const statics = s.sections('static_configs').map((g) => {
    const group = { targets: g.strings('targets') ?? [], labels: g.record('labels') };
    for (const t of group.targets)
      if (t.includes('/'))
        throw g.problem('targets', `${JSON.stringify(t)} is not a valid host:port; a target holds no path`);
    g.end();
    return group;
  });
  if (statics.length > 0) out.push({ kind: 'static', groups: statics });
  for (const f of s.sections('file_sd_configs')) {
    const files = f.strings('files') ?? [];
    if (noFiles) throw f.problem('files', 'a configuration given by API may name no file of the server');
    if (files.length === 0) throw f.problem('files', 'the list is empty');
    for (const name of files)
      if (!/\.(json|ya?ml)$/i.test(name) || /\*[^/]*\//.test(name))
        throw f.problem(
          'files',
          `${JSON.stringify(name)} must end in .json, .yml or .yaml, with * in the last part only`,
        );
    out.push({ kind: 'file', files, refreshMs: f.durationMs('refresh_interval', 300_000) });
    f.end();
  }
  for (const h of s.sections('http_sd_configs')) {
    const url = h.required('url');
    if (!/^https?:\/\/[^/]/.test(url)) throw h.problem('url', `${JSON.stringify(url)} is not an http or https address`);
    out.push({
      kind: 'http',
      url,
      refreshMs: h.durationMs('refresh_interval', 60_000),
      http: readHttpClient(h, noFiles),
    });
    h.end();
  }
  for (const d of s.sections('dns_sd_configs')) {
    const type = d.choice('type', ['A', 'AAAA', 'SRV', 'MX', 'NS'] as const, 'SRV');
    const names = d.strings('names') ?? [];
    if (names.length === 0) throw d.problem('names', 'the list is empty');
    const port = d.integer('port', 0);
    if (type !== 'SRV' && port === 0) throw d.problem('port', `a port is needed for type ${type}`);
    out.push({ kind: 'dns', names, type, port, refreshMs: d.durationMs('refresh_interval', 30_000) });
    d.end();
  }
  for (const k of s.sections('kubernetes_sd_configs')) out.push(readKubernetes(k, noFiles));
  for (const kind of OTHERS) s.refuse(`${kind}_sd_configs`, 'use static, file, http, dns or kubernetes discovery');
  return out;
}

function readKubernetes(k: Section, noFiles: boolean): KubernetesDiscoveryConfig {
  if (noFiles) throw k.problem(undefined, "a configuration given by API may not use the server's access to Kubernetes");
  const role = k.choice('role', KUBERNETES_ROLES);
  if (!role) throw k.problem('role', `role is missing; want one of ${KUBERNETES_ROLES.join(', ')}`);
  const apiServer = k.string('api_server');
  const kubeconfigFile = k.string('kubeconfig_file');
  if (apiServer && kubeconfigFile) throw k.problem('kubeconfig_file', 'give api_server or kubeconfig_file, not both');
  const n = k.section('namespaces');
  const namespaces = n?.strings('names') ?? [];
  const ownNamespace = n?.boolean('own_namespace', false) ?? false;
  n?.end();
  const selectors = k.sections('selectors').map((x) => {
    const role = x.choice('role', KUBERNETES_ROLES);
    if (!role) throw x.problem('role', 'role is missing');
    const out = { role, label: x.string('label', ''), field: x.string('field', '') };
    x.end();
    return out;
  });
  const a = k.section('attach_metadata');
  const attachNodeMetadata = a?.boolean('node', false) ?? false;
  if (a?.boolean('namespace', false)) throw a.problem('namespace', 'not supported');
  a?.end();
  const http = readHttpClient(k, noFiles);
  k.end();
  return {
    kind: 'kubernetes',
    role,
    ...(apiServer ? { apiServer } : {}),
    ...(kubeconfigFile ? { kubeconfigFile } : {}),
    namespaces,
    ownNamespace,
    selectors,
    attachNodeMetadata,
    http,
  };
}
