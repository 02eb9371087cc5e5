/** The mappings of a tenant that make alerts of any JSON, by name. */
import { VigieError } from '../lib/errors.ts';
import type { TenantId } from '../model/tenant.ts';
import type { CollectionSpec, DocumentStore } from '../store/documents.ts';
import { type HookMapping, MAPPINGS_PER_TENANT_MAX, mappingSchema } from './mapping.ts';

export const HOOK_MAPPINGS: CollectionSpec = { name: 'hook_mappings' };
/** Names that our own routes use. */
const RESERVED = new Set(['alertmanager']);

export class HookMappings {
  readonly #documents: DocumentStore;

  constructor(documents: DocumentStore) {
    this.#documents = documents;
  }

  async list(tenant: TenantId): Promise<readonly HookMapping[]> {
    return (await this.#collection(tenant).list()).items.map((d) => mappingSchema.parse(d.body));
  }

  /** Throws `not_found`. */
  async get(tenant: TenantId, name: string): Promise<HookMapping> {
    const stored = await this.#collection(tenant).get(name);
    if (!stored) throw new VigieError('not_found', `no hook mapping ${JSON.stringify(name.slice(0, 100))}`);
    return mappingSchema.parse(stored.body);
  }

  async put(tenant: TenantId, mapping: HookMapping): Promise<void> {
    if (RESERVED.has(mapping.name)) throw new VigieError('conflict', `the name ${mapping.name} is taken by Vigie`);
    const collection = this.#collection(tenant);
    if (!(await collection.get(mapping.name)) && (await collection.count()) >= MAPPINGS_PER_TENANT_MAX)
      throw new VigieError('quota', `at most ${MAPPINGS_PER_TENANT_MAX} hook mappings per tenant`);
    await collection.put(mapping.name, mapping);
  }

  remove(tenant: TenantId, name: string): Promise<boolean> {
    return this.#collection(tenant).delete(name);
  }

  #collection(tenant: TenantId) {
    return this.#documents.collection<HookMapping>(tenant, HOOK_MAPPINGS);
  }
}
