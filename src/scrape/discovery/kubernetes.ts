/**
 * Kubernetes discovery over plain HTTPS: lists the objects of a role and turns them into targets with Prometheus'
 * `__meta_kubernetes_*` labels. It polls lists (paged) instead of watching: a change shows after RELIST_MS at most.
 * Access: the pod's service account, or a kubeconfig with token or certificate (no exec plug-ins: refused by name).
 */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { parse as parseYaml } from 'yaml';
import { VigieError } from '../../lib/errors.ts';
import type { KubernetesDiscoveryConfig, KubernetesRole } from '../discovery-config.ts';
import { HttpClient } from '../http-client.ts';
import { type HttpClientConfig, PLAIN_HTTP } from '../http-config.ts';
import type { TargetGroup } from '../target.ts';
import { type Discoverer, type DiscoveryContext, polled } from './discoverer.ts';
import { type KubeObject, targetsOf } from './kubernetes-targets.ts';

const RELIST_MS = 10_000;
const LIST_TIMEOUT_MS = 30_000;
const LIST_BYTES_MAX = 128 * 1024 * 1024;
const PAGE_SIZE = 500;
/** Pages of one list; 500 objects each. */
const PAGES_MAX = 400;
const ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount';

const RESOURCES: Readonly<
  Record<KubernetesRole, { readonly base: string; readonly plural: string; readonly namespaced: boolean }>
> = {
  node: { base: '/api/v1', plural: 'nodes', namespaced: false },
  pod: { base: '/api/v1', plural: 'pods', namespaced: true },
  service: { base: '/api/v1', plural: 'services', namespaced: true },
  endpoints: { base: '/api/v1', plural: 'endpoints', namespaced: true },
  endpointslice: { base: '/apis/discovery.k8s.io/v1', plural: 'endpointslices', namespaced: true },
  ingress: { base: '/apis/networking.k8s.io/v1', plural: 'ingresses', namespaced: true },
};

/** What a role needs besides its own objects, for labels of pods and services behind endpoints. */
const COMPANIONS: Partial<Record<KubernetesRole, readonly KubernetesRole[]>> = {
  endpoints: ['pod', 'service'],
  endpointslice: ['pod', 'service'],
};

export interface KubernetesAccess {
  readonly server: string;
  readonly http: HttpClientConfig;
  readonly namespace: string;
}

export function kubernetesDiscoverer(config: KubernetesDiscoveryConfig, given: HttpClient): Discoverer {
  let access: { server: string; namespace: string; client: HttpClient } | undefined;
  return polled(RELIST_MS, `kubernetes ${config.role}`, async (context) => {
    if (!access) {
      if (config.apiServer)
        access = { server: config.apiServer.replace(/\/$/, ''), namespace: 'default', client: given };
      else {
        const found = config.kubeconfigFile
          ? await readKubeconfig(context.resolveFile(config.kubeconfigFile))
          : await inCluster();
        access = {
          ...found,
          client: new HttpClient({ config: found.http, clock: context.clock, resolveFile: context.resolveFile }),
        };
        const { client } = access;
        context.signal.addEventListener('abort', () => client.close(), { once: true });
      }
    }
    return refresh(config, access, context);
  });
}

async function refresh(
  config: KubernetesDiscoveryConfig,
  access: { server: string; namespace: string; client: HttpClient },
  context: DiscoveryContext,
): Promise<readonly TargetGroup[]> {
  const namespaces = config.ownNamespace ? [...config.namespaces, access.namespace] : config.namespaces;
  const all = async (role: KubernetesRole): Promise<KubeObject[]> => {
    const { base, plural, namespaced } = RESOURCES[role];
    const paths =
      namespaced && namespaces.length > 0
        ? namespaces.map((n) => `${base}/namespaces/${encodeURIComponent(n)}/${plural}`)
        : [`${base}/${plural}`];
    const lists = await Promise.all(
      paths.map((p) =>
        list(
          access,
          p,
          config.selectors.find((s) => s.role === role),
          context.signal,
        ),
      ),
    );
    return lists.flat();
  };
  const companions = [
    ...(COMPANIONS[config.role] ?? []),
    ...(config.attachNodeMetadata && config.role !== 'node' ? (['node'] as const) : []),
  ];
  const [own, ...others] = await Promise.all([all(config.role), ...companions.map(all)]);
  const byRole = new Map(companions.map((role, i) => [role, others[i]!]));
  return targetsOf(config.role, own!, {
    pods: byRole.get('pod') ?? [],
    services: byRole.get('service') ?? [],
    nodes: byRole.get('node') ?? [],
  });
}

async function list(
  access: { server: string; client: HttpClient },
  resource: string,
  selector: { readonly label: string; readonly field: string } | undefined,
  signal: AbortSignal,
): Promise<KubeObject[]> {
  const out: KubeObject[] = [];
  let token = '';
  for (let page = 0; page < PAGES_MAX; page++) {
    const query = new URLSearchParams({ limit: String(PAGE_SIZE) });
    if (selector?.label) query.set('labelSelector', selector.label);
    if (selector?.field) query.set('fieldSelector', selector.field);
    if (token) query.set('continue', token);
    const answer = await access.client.fetch(`${access.server}${resource}?${query}`, {
      headers: { accept: 'application/json' },
      timeoutMs: LIST_TIMEOUT_MS,
      bodyBytesMax: LIST_BYTES_MAX,
      signal,
    });
    if (answer.status !== 200)
      throw new VigieError('upstream', `Kubernetes answered HTTP status ${answer.status} for ${resource}`);
    const body = JSON.parse(answer.body.toString('utf8')) as { items?: KubeObject[]; metadata?: { continue?: string } };
    out.push(...(body.items ?? []));
    token = body.metadata?.continue ?? '';
    if (token === '') return out;
  }
  throw new VigieError('too_large', `more than ${PAGES_MAX * PAGE_SIZE} objects at ${resource}`);
}

async function inCluster(): Promise<KubernetesAccess> {
  const namespace = await readFile(path.join(ACCOUNT, 'namespace'), 'utf8').catch((cause) => {
    throw new VigieError(
      'bad_config',
      'no api_server and no kubeconfig_file, and this is no pod with a service account',
      { cause },
    );
  });
  return {
    // the name every cluster's DNS knows; the certificate carries it
    server: 'https://kubernetes.default.svc',
    namespace: namespace.trim(),
    http: {
      ...PLAIN_HTTP,
      tls: { insecureSkipVerify: false, caFile: path.join(ACCOUNT, 'ca.crt') },
      authorization: { type: 'Bearer', credentialsFile: path.join(ACCOUNT, 'token') },
    },
  };
}

interface Kubeconfig {
  'current-context'?: string;
  contexts?: { name: string; context: { cluster: string; user: string; namespace?: string } }[];
  clusters?: { name: string; cluster: Record<string, unknown> }[];
  users?: { name: string; user: Record<string, unknown> }[];
}

/** Server and credentials of the current context. Throws `bad_config`. */
export async function readKubeconfig(file: string): Promise<KubernetesAccess> {
  const fail = (message: string): never => {
    throw new VigieError('bad_config', `${file}: ${message}`);
  };
  const parsed = parseYaml(await readFile(file, 'utf8')) as Kubeconfig;
  const context =
    parsed.contexts?.find((c) => c.name === parsed['current-context'])?.context ??
    fail('current-context names no context');
  const cluster =
    parsed.clusters?.find((c) => c.name === context.cluster)?.cluster ?? fail(`no cluster ${context.cluster}`);
  const user = parsed.users?.find((u) => u.name === context.user)?.user ?? {};
  if (user['exec'] || user['auth-provider'])
    fail('credentials by exec or auth-provider are not supported; use a token or a client certificate');
  const text = (o: Record<string, unknown>, key: string): string | undefined =>
    typeof o[key] === 'string' ? (o[key] as string) : undefined;
  const pem = (o: Record<string, unknown>, key: string): string | undefined => {
    const data = text(o, `${key}-data`);
    return data === undefined ? undefined : Buffer.from(data, 'base64').toString('utf8');
  };
  const relative = (o: Record<string, unknown>, key: string): string | undefined => {
    const name = text(o, key);
    return name === undefined ? undefined : path.resolve(path.dirname(file), name);
  };
  const tls = {
    insecureSkipVerify: cluster['insecure-skip-tls-verify'] === true,
    ca: pem(cluster, 'certificate-authority'),
    caFile: relative(cluster, 'certificate-authority'),
    cert: pem(user, 'client-certificate'),
    certFile: relative(user, 'client-certificate'),
    key: pem(user, 'client-key'),
    keyFile: relative(user, 'client-key'),
    serverName: text(cluster, 'tls-server-name'),
  };
  const token = text(user, 'token');
  const tokenFile = relative(user, 'tokenFile');
  return {
    server: (text(cluster, 'server') ?? fail('the cluster has no server')).replace(/\/$/, ''),
    namespace: context.namespace ?? 'default',
    http: {
      ...PLAIN_HTTP,
      tls: Object.fromEntries(
        Object.entries(tls).filter(([, v]) => v !== undefined),
      ) as unknown as HttpClientConfig['tls'],
      ...(token !== undefined
        ? { authorization: { type: 'Bearer', credentials: token } }
        : tokenFile
          ? { authorization: { type: 'Bearer', credentialsFile: tokenFile } }
          : {}),
      ...(text(user, 'username')
        ? { basicAuth: { username: text(user, 'username')!, password: text(user, 'password') ?? '' } }
        : {}),
    },
  };
}
