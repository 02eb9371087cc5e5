/** A document store in memory, for unit tests of features; passes the same conformance suite as the real ones. */
import { VigieError } from '../../src/lib/errors.ts';
import type { TenantId } from '../../src/model/tenant.ts';
import type {
  Collection,
  CollectionSpec,
  DocumentStore,
  Json,
  ListOptions,
  Page,
  StoredDocument,
} from '../../src/store/documents.ts';

const LIMIT_MAX = 1_000;

export class MemoryDocuments implements DocumentStore {
  #rows = new Map<string, StoredDocument<Json> & { readonly collection: string }>();
  #now = 0;

  collection<T>(tenant: TenantId, spec: CollectionSpec): Collection<T> {
    const keyOf = (id: string): string => JSON.stringify([tenant, spec.name, id]);
    const all = (): StoredDocument<T>[] =>
      [...this.#rows.values()].filter(
        (r) => r.tenant === tenant && r.collection === spec.name,
      ) as unknown as StoredDocument<T>[];
    const field = (d: StoredDocument<T>, name: string): string | number | undefined =>
      (d.body as Record<string, string | number | undefined>)[name];
    const indexed = (names: readonly string[]): void => {
      for (const n of names)
        if (!spec.indexed?.includes(n)) throw new VigieError('bad_data', `field ${n} of ${spec.name} is not indexed`);
    };
    const matching = (options: ListOptions): StoredDocument<T>[] => {
      indexed([
        ...Object.keys(options.where ?? {}),
        ...Object.keys(options.range ?? {}),
        ...(options.orderBy ? [options.orderBy.field] : []),
      ]);
      return all().filter((d) => {
        for (const [n, v] of Object.entries(options.where ?? {})) if (field(d, n) !== v) return false;
        for (const [n, { from, to }] of Object.entries(options.range ?? {})) {
          const v = field(d, n);
          if (from !== undefined && !(v !== undefined && v >= from)) return false;
          if (to !== undefined && !(v !== undefined && v < to)) return false;
        }
        return true;
      });
    };
    return {
      get: async (id) => structuredClone(this.#rows.get(keyOf(id))) as StoredDocument<T> | undefined,
      list: async (options: ListOptions = {}): Promise<Page<T>> => {
        const limit = Math.min(options.limit ?? LIMIT_MAX, LIMIT_MAX);
        const by = options.orderBy;
        const sorted = matching(options).sort((a, b) => {
          const x = by ? (field(a, by.field) ?? '') : a.id;
          const y = by ? (field(b, by.field) ?? '') : b.id;
          const order = x < y ? -1 : x > y ? 1 : a.id < b.id ? -1 : 1;
          return by?.direction === 'desc' ? -order : order;
        });
        const from = options.after === undefined ? 0 : sorted.findIndex((d) => d.id === options.after) + 1;
        const items = structuredClone(sorted.slice(from, from + limit));
        const last = items.at(-1);
        return { items, ...(from + limit < sorted.length && last ? { next: last.id } : {}) };
      },
      count: async (where = {}) => matching({ where }).length,
      put: async (id, body, expect) => {
        const key = keyOf(id);
        const existing = this.#rows.get(key);
        if (expect === 'absent' && existing) throw new VigieError('conflict', `${spec.name} ${id} exists already`);
        if (typeof expect === 'number' && existing?.version !== expect)
          throw new VigieError(
            'conflict',
            `${spec.name} ${id} has version ${existing?.version ?? 'none'}, expected ${expect}`,
          );
        const now = ++this.#now;
        const row = {
          tenant,
          id,
          collection: spec.name,
          version: (existing?.version ?? 0) + 1,
          body: JSON.parse(JSON.stringify(body)) as Json,
          createdAtMs: existing?.createdAtMs ?? now,
          updatedAtMs: now,
        };
        this.#rows.set(key, row);
        return structuredClone(row) as unknown as StoredDocument<T>;
      },
      delete: async (id, expect) => {
        const existing = this.#rows.get(keyOf(id));
        if (existing && expect !== undefined && existing.version !== expect)
          throw new VigieError('conflict', `${spec.name} ${id} has version ${existing.version}, expected ${expect}`);
        return this.#rows.delete(keyOf(id));
      },
    };
  }

  async transaction<R>(work: (tx: DocumentStore) => Promise<R>): Promise<R> {
    const before = new Map(this.#rows);
    try {
      return await work(this);
    } catch (error) {
      this.#rows = before;
      throw error;
    }
  }

  async tenants(): Promise<readonly TenantId[]> {
    return [...new Set([...this.#rows.values()].map((r) => r.tenant))].sort();
  }

  async deleteTenant(tenant: TenantId): Promise<void> {
    for (const [key, row] of this.#rows) if (row.tenant === tenant) this.#rows.delete(key);
  }

  async *exportTenant(tenant: TenantId): AsyncIterable<{ collection: string; document: StoredDocument<Json> }> {
    for (const { collection, ...document } of this.#rows.values())
      if (document.tenant === tenant) yield { collection, document };
  }

  async snapshot(): Promise<void> {
    throw new VigieError('unsupported', 'a memory store has no snapshot');
  }

  async ping(): Promise<void> {}

  async [Symbol.asyncDispose](): Promise<void> {}
}
