/**
 * Kubernetes by server-side apply: the API server merges, Vigie owns the fields it sends (field manager `vigie`), and
 * a dry run is the server's own. Objects without Vigie's label are never deleted.
 */
import { parseAllDocuments } from 'yaml';
import { VigieError } from '../../lib/errors.ts';
import { MANAGED_BY } from '../render/kubernetes.ts';
import type { Item, Send, System } from './system.ts';

interface KubernetesObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
  };
}

/** Namespaces before what lives in them, definitions before what refers to them. */
const FIRST = ['Namespace', 'ResourceQuota', 'NetworkPolicy', 'Secret', 'ConfigMap'];

export function kubernetesSystem(send: Send): System {
  const plurals = new Map<string, Promise<ReadonlyMap<string, { plural: string; namespaced: boolean }>>>();
  const base = (apiVersion: string): string =>
    apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  const discover = (apiVersion: string) => {
    let found = plurals.get(apiVersion);
    if (!found) {
      found = (async () => {
        const reply = await send({ method: 'GET', path: base(apiVersion) });
        if (reply.status === 404)
          throw new VigieError('upstream', `the cluster does not know ${apiVersion}; is its operator installed?`);
        expectOk(reply, `GET ${base(apiVersion)}`);
        const list = JSON.parse(reply.body) as { resources: { name: string; kind: string; namespaced: boolean }[] };
        return new Map(
          list.resources
            .filter((r) => !r.name.includes('/'))
            .map((r) => [r.kind, { plural: r.name, namespaced: r.namespaced }]),
        );
      })();
      plurals.set(apiVersion, found);
    }
    return found;
  };
  const pathOf = async (
    apiVersion: string,
    kind: string,
    namespace: string | undefined,
    name: string,
  ): Promise<string> => {
    const resource = (await discover(apiVersion)).get(kind);
    if (!resource) throw new VigieError('upstream', `the cluster knows ${apiVersion} but no kind ${kind} in it`);
    const scope = resource.namespaced ? `/namespaces/${encodeURIComponent(namespace ?? 'default')}` : '';
    return `${base(apiVersion)}${scope}/${resource.plural}/${encodeURIComponent(name)}`;
  };
  const objectPath = (o: KubernetesObject) => pathOf(o.apiVersion, o.kind, o.metadata.namespace, o.metadata.name);
  const patch = async (item: Item, dryRun: boolean) => {
    const path = await objectPath(item.data as KubernetesObject);
    const reply = await send({
      method: 'PATCH',
      path: `${path}?fieldManager=vigie&force=true${dryRun ? '&dryRun=All' : ''}`,
      body: item.body,
      contentType: 'application/apply-patch+yaml',
    });
    // a dry run cannot put an object into a namespace that the same run makes
    if (dryRun && reply.status === 404) return undefined;
    expectOk(reply, `apply ${item.id}`);
    return JSON.parse(reply.body) as Record<string, unknown>;
  };
  return {
    name: 'kubernetes',
    targets: ['kubernetes'],
    items: ({ text }) =>
      parseAllDocuments(text).map((d): Item => {
        const object = d.toJS({ maxAliasCount: 0 }) as KubernetesObject;
        const { namespace, name } = object.metadata;
        return {
          id: `${object.apiVersion}|${object.kind}|${namespace ?? ''}|${name}`,
          body: JSON.stringify(object),
          data: object,
        };
      }),
    rank: (item) => {
      const at = FIRST.indexOf((item.data as KubernetesObject).kind);
      return at < 0 ? FIRST.length : at;
    },
    compare: async (item) => {
      const live = await send({ method: 'GET', path: await objectPath(item.data as KubernetesObject) });
      if (live.status === 404) {
        await patch(item, true);
        return 'create';
      }
      expectOk(live, `GET ${item.id}`);
      const after = await patch(item, true);
      return after && same(JSON.parse(live.body) as Record<string, unknown>, after) ? 'same' : 'update';
    },
    put: async (item) => {
      await patch(item, false);
    },
    remove: async (id) => {
      const [apiVersion, kind, namespace, name] = id.split('|') as [string, string, string, string];
      const path = await pathOf(apiVersion, kind, namespace || undefined, name);
      const live = await send({ method: 'GET', path });
      if (live.status === 404) return false;
      expectOk(live, `GET ${id}`);
      if ((JSON.parse(live.body) as KubernetesObject).metadata.labels?.[MANAGED_BY] !== 'vigie') return false;
      expectOk(await send({ method: 'DELETE', path }), `delete ${id}`);
      return true;
    },
  };
}

/** Equal but for what the server counts and stamps. */
function same(a: Record<string, unknown>, b: Record<string, unknown>): boolean {
  return canonical(a) === canonical(b);
}
const STAMPED = new Set(['managedFields', 'resourceVersion', 'generation', 'uid', 'creationTimestamp', 'status']);
function canonical(value: unknown): string {
  return JSON.stringify(value, (key, v: unknown) => {
    if (STAMPED.has(key)) return undefined;
    if (typeof v === 'object' && v !== null && !Array.isArray(v))
      return Object.fromEntries(Object.entries(v).sort(([x], [y]) => (x < y ? -1 : 1)));
    return v;
  });
}

export function expectOk(reply: { status: number; body: string }, what: string): void {
  if (reply.status >= 200 && reply.status < 300) return;
  let said = reply.body.slice(0, 500);
  try {
    said = (JSON.parse(reply.body) as { message?: string }).message ?? said;
  } catch {
    // not JSON: the text as it is
  }
  throw new VigieError('upstream', `${what}: got ${reply.status}: ${said}`);
}
