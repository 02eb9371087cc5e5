/**
 * Services of a tenant: declared by people or deploy tools, and discovered from the `service` label of what is
 * measured. A service that fell silent is `unknown`, never `up` and never simply gone.
 */
import type { Clock } from '../lib/clock.ts';
import { VigieError } from '../lib/errors.ts';
import type { TenantId } from '../model/tenant.ts';
import type { CollectionSpec, DocumentStore } from '../store/documents.ts';

export const SERVICES: CollectionSpec = { name: 'services' };
export const SERVICES_PER_TENANT_MAX = 1_000;
/** A discovered service is written again at most this often. */
const SEEN_WRITE_MS = 300_000;

export interface ServiceDeclaration {
  readonly name: string;
  readonly description?: string;
  readonly owner?: string;
  readonly tier?: string;
  readonly dependsOn?: readonly string[];
  readonly labels?: Readonly<Record<string, string>>;
}

interface StoredService extends ServiceDeclaration {
  readonly declared: boolean;
  readonly lastSeenMs?: number;
}

export interface ServiceView extends ServiceDeclaration {
  readonly source: 'declared' | 'discovered';
  /** `up`: measured now and no target down; `down`: measured and a target reports down; `unknown`: silent. */
  readonly state: 'up' | 'down' | 'unknown';
  readonly lastSeenMs?: number;
}

export interface ServiceRegistryOptions {
  readonly documents: DocumentStore;
  /** Services that have data now, and whether one of their targets is down. */
  readonly measured: (tenant: TenantId) => Promise<ReadonlyMap<string, { readonly down: boolean }>>;
  readonly clock: Clock;
}

export class ServiceRegistry {
  readonly #options: ServiceRegistryOptions;

  constructor(options: ServiceRegistryOptions) {
    this.#options = options;
  }

  async declare(tenant: TenantId, service: ServiceDeclaration): Promise<void> {
    checkName(service.name);
    for (const d of service.dependsOn ?? []) checkName(d);
    const collection = this.#collection(tenant);
    const existing = await collection.get(service.name);
    if (!existing && (await collection.count()) >= SERVICES_PER_TENANT_MAX)
      throw new VigieError('quota', `at most ${SERVICES_PER_TENANT_MAX} services per tenant`);
    const seen = existing?.body.lastSeenMs;
    await collection.put(service.name, {
      ...service,
      declared: true,
      ...(seen === undefined ? {} : { lastSeenMs: seen }),
    });
  }

  async remove(tenant: TenantId, name: string): Promise<boolean> {
    return this.#collection(tenant).delete(name);
  }

  /** All services, by name. Remembers what it discovers, so that silence later shows as `unknown`. */
  async list(tenant: TenantId): Promise<readonly ServiceView[]> {
    const collection = this.#collection(tenant);
    const now = this.#options.clock.now();
    const measured = await this.#options.measured(tenant);
    const stored = new Map(
      (await collection.list({ limit: SERVICES_PER_TENANT_MAX })).items.map((d) => [d.id, d.body]),
    );
    for (const name of measured.keys()) {
      const known = stored.get(name);
      if (known?.lastSeenMs !== undefined && now - known.lastSeenMs < SEEN_WRITE_MS) continue;
      if (!known && stored.size >= SERVICES_PER_TENANT_MAX) continue;
      const body: StoredService = { ...(known ?? { name, declared: false }), lastSeenMs: now };
      stored.set(name, body);
      await collection.put(name, body);
    }
    return [...stored.values()]
      .map(({ declared, ...service }): ServiceView => {
        const state = measured.get(service.name);
        return {
          ...service,
          source: declared ? 'declared' : 'discovered',
          state: state === undefined ? 'unknown' : state.down ? 'down' : 'up',
        };
      })
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  #collection(tenant: TenantId) {
    return this.#options.documents.collection<StoredService>(tenant, SERVICES);
  }
}

function checkName(name: string): void {
  if (!/^[a-zA-Z0-9][a-zA-Z0-9_.:/-]{0,99}$/.test(name))
    throw new VigieError(
      'bad_data',
      `service name: want 1 to 100 of a-z A-Z 0-9 _ . : / -, got ${JSON.stringify(name.slice(0, 100))}`,
    );
}
