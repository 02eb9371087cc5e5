/** Documents that nobody keeps: what a rehearsal's incidents are stored in. Only what incidents use of a store is here. */
import { VigieError } from '../lib/errors.ts';
import type { TenantId } from '../model/tenant.ts';
import type {
  Collection,
  CollectionSpec,
  DocumentStore,
  Json,
  ListOptions,
  StoredDocument,
} from '../store/documents.ts';

const LIMIT_MAX = 1_000;

export class VolatileDocuments implements DocumentStore {
  readonly #collections = new Map<string, Map<string, StoredDocument<unknown>>>();

  collection<T>(tenant: TenantId, spec: CollectionSpec): Collection<T> {
    const name = `${tenant}\u0000${spec.name}`;
    let rows = this.#collections.get(name) as Map<string, StoredDocument<T>> | undefined;
    if (!rows) {
      rows = new Map();
      this.#collections.set(name, rows as Map<string, StoredDocument<unknown>>);
    }
    const map = rows;
    return {
      get: async (id) => map.get(id),
      list: async (options = {}) => page(map, options),
      count: async (where = {}) => page(map, { where, limit: Number.MAX_SAFE_INTEGER }).items.length,
      put: async (id, body, expect) => {
        const old = map.get(id);
        if ((expect === 'absent' && old) || (typeof expect === 'number' && old?.version !== expect))
          throw new VigieError('conflict', `${spec.name} ${id} is at version ${old?.version ?? 'none'}`);
        const stored = { tenant, id, version: (old?.version ?? 0) + 1, body, createdAtMs: 0, updatedAtMs: 0 };
        map.set(id, stored);
        return stored;
      },
      delete: async (id) => map.delete(id),
    };
  }

  /** Not undone on failure: in a rehearsal nobody else writes. */
  transaction<R>(work: (tx: DocumentStore) => Promise<R>): Promise<R> {
    return work(this);
  }

  async tenants(): Promise<readonly TenantId[]> {
    return [...new Set([...this.#collections.keys()].map((k) => k.split('\u0000')[0] as TenantId))];
  }

  async deleteTenant(tenant: TenantId): Promise<void> {
    for (const k of [...this.#collections.keys()]) if (k.startsWith(`${tenant}\u0000`)) this.#collections.delete(k);
  }

  // biome-ignore lint/correctness/useYield: there is nothing to export
  async *exportTenant(): AsyncIterable<{ readonly collection: string; readonly document: StoredDocument<Json> }> {
    throw new VigieError('unsupported', 'a rehearsal exports nothing');
  }

  async snapshot(): Promise<void> {
    throw new VigieError('unsupported', 'a rehearsal is not kept');
  }

  async ping(): Promise<void> {}

  async [Symbol.asyncDispose](): Promise<void> {}
}

function page<T>(map: ReadonlyMap<string, StoredDocument<T>>, options: ListOptions) {
  const field = (d: StoredDocument<T>, name: string): string | number =>
    ((d.body as Record<string, unknown>)[name] as string | number | undefined) ?? '';
  let items = [...map.values()].filter((d) => Object.entries(options.where ?? {}).every(([k, v]) => field(d, k) === v));
  const by = options.orderBy;
  items.sort((a, b) => {
    const x = by ? field(a, by.field) : a.id;
    const y = by ? field(b, by.field) : b.id;
    const order = x < y ? -1 : x > y ? 1 : 0;
    return by?.direction === 'desc' ? -order : order;
  });
  if (options.after !== undefined) items = items.slice(items.findIndex((d) => d.id === options.after) + 1);
  const limit = Math.min(
    options.limit ?? LIMIT_MAX,
    options.limit === Number.MAX_SAFE_INTEGER ? items.length : LIMIT_MAX,
  );
  const last = items[limit - 1];
  return { items: items.slice(0, limit), ...(items.length > limit && last ? { next: last.id } : {}) };
}
