/**
 * Which tenants exist, with tier, labels, limits and what they may see of the platform. Kept as documents of the
 * platform tenant; a copy in memory answers the hot path without waiting.
 */
import { z } from 'zod';
import type { Clock } from '../lib/clock.ts';
import { VigieError } from '../lib/errors.ts';
import { PLATFORM_TENANT, type TenantId, tenantId } from '../model/tenant.ts';
import type { CollectionSpec, DocumentStore } from '../store/documents.ts';
import { DocumentMirror } from './document-mirror.ts';
import { DEFAULT_LIMITS, limitsSchema, type TenantLimits } from './limits.ts';

export const TENANTS: CollectionSpec = { name: 'tenants', indexed: ['state'] };
export const TENANTS_MAX = 20_000;

const LABEL_NAME = /^[a-zA-Z_][a-zA-Z0-9_]*$/;

export const tenantInput = z.strictObject({
  displayName: z.string().max(200).optional(),
  tier: z.string().max(64).optional(),
  labels: z.record(z.string().regex(LABEL_NAME), z.string().max(500)).optional(),
  limits: limitsSchema.partial().optional(),
  /** What of the platform tenant this tenant may read: series whose label `label` has `value`. */
  platformView: z
    .strictObject({ label: z.string().regex(LABEL_NAME), value: z.string().min(1).max(500) })
    .nullable()
    .optional(),
  state: z.enum(['active', 'suspended']).optional(),
});
export type TenantInput = z.output<typeof tenantInput>;

export interface Tenant {
  readonly id: TenantId;
  readonly displayName: string;
  readonly tier: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly limits: TenantLimits;
  readonly platformView?: { readonly label: string; readonly value: string };
  /** `deleting`: refused everywhere while its data is being removed. */
  readonly state: 'active' | 'suspended' | 'deleting';
  readonly createdAtMs: number;
  readonly version: number;
  /** Synthetic data of the demonstration. */
  readonly demo: boolean;
}

type StoredTenant = Omit<Tenant, 'version' | 'limits'> & { readonly limits: Partial<TenantLimits> };

export class TenantDirectory {
  readonly #clock: Clock;
  /** The copy that answers; for shared-copies.ts. */
  readonly mirror: DocumentMirror<StoredTenant>;
  readonly #tenants = new Map<TenantId, Tenant>();
  readonly #listeners = new Set<(tenant: Tenant | TenantId) => void>();
  readonly #creating = new Map<TenantId, Promise<Tenant>>();

  private constructor(documents: DocumentStore, clock: Clock) {
    this.#clock = clock;
    this.mirror = new DocumentMirror(
      TENANTS.name,
      () => documents.collection<StoredTenant>(PLATFORM_TENANT, TENANTS),
      (id, after) => {
        const tenant = after && toTenant(after.body, after.version);
        if (tenant) this.#tenants.set(tenant.id, tenant);
        else this.#tenants.delete(id as TenantId);
        for (const listener of this.#listeners) listener(tenant ?? (id as TenantId));
      },
    );
  }

  /** Reads all tenants; the platform's and the default one are created when missing. */
  static async open(documents: DocumentStore, clock: Clock, initial: readonly TenantId[]): Promise<TenantDirectory> {
    const directory = new TenantDirectory(documents, clock);
    await directory.refresh();
    for (const id of [PLATFORM_TENANT, ...initial]) if (!directory.get(id)) await directory.ensure(id);
    return directory;
  }

  /** Reads all tenants again, for what other processes changed; listeners hear of it. */
  refresh(): Promise<void> {
    return this.mirror.refresh();
  }

  get(id: TenantId): Tenant | undefined {
    return this.#tenants.get(id);
  }

  list(): readonly Tenant[] {
    return [...this.#tenants.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  limits(id: TenantId): TenantLimits {
    return this.#tenants.get(id)?.limits ?? DEFAULT_LIMITS;
  }

  /** Called with a changed tenant, or with the id of a removed one. */
  onChange(listener: (tenant: Tenant | TenantId) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Creates or changes a tenant; fields left out keep their value. Throws `conflict` when `expectVersion` is stale. */
  async put(id: TenantId, input: TenantInput & { readonly demo?: boolean }, expectVersion?: number): Promise<Tenant> {
    tenantId(id);
    const existing = await this.mirror.reload(id);
    if (expectVersion !== undefined && existing?.version !== expectVersion)
      throw new VigieError(
        'conflict',
        `tenant ${id} has version ${existing?.version ?? 'none'}, expected ${expectVersion}`,
      );
    if (!existing && this.#tenants.size >= TENANTS_MAX) throw new VigieError('quota', `at most ${TENANTS_MAX} tenants`);
    if (existing?.body.state === 'deleting') throw new VigieError('conflict', `tenant ${id} is being deleted`);
    const before = existing?.body;
    const platformView = input.platformView === null ? undefined : (input.platformView ?? before?.platformView);
    const body: StoredTenant = {
      id,
      displayName: input.displayName ?? before?.displayName ?? id,
      tier: input.tier ?? before?.tier ?? 'standard',
      labels: input.labels ?? before?.labels ?? {},
      limits: { ...before?.limits, ...input.limits },
      state: input.state ?? before?.state ?? 'active',
      createdAtMs: before?.createdAtMs ?? this.#clock.now(),
      demo: input.demo ?? before?.demo ?? false,
      ...(platformView ? { platformView } : {}),
    };
    const stored = await this.mirror.put(id, body, existing ? existing.version : 'absent');
    return toTenant(stored.body, stored.version);
  }

  /** For dev mode: the tenant, created when unknown; concurrent callers share one creation. */
  async ensure(id: TenantId): Promise<Tenant> {
    const known = this.#tenants.get(id);
    if (known) return known;
    let creating = this.#creating.get(id);
    if (!creating) {
      creating = this.put(id, {})
        .catch(async (error: unknown) => {
          // another process created it in between
          if (error instanceof VigieError && error.code === 'conflict') await this.mirror.reload(id);
          const made = this.get(id);
          if (made) return made;
          throw error;
        })
        .finally(() => this.#creating.delete(id));
      this.#creating.set(id, creating);
    }
    return creating;
  }

  /** First step of a deletion: from now on nobody may use it. */
  async markDeleting(id: TenantId): Promise<void> {
    if (id === PLATFORM_TENANT) throw new VigieError('forbidden', 'the platform tenant cannot be deleted');
    const existing = await this.mirror.reload(id);
    if (!existing) throw new VigieError('not_found', `no tenant ${id}`);
    if (existing.body.state === 'deleting') return;
    await this.mirror.put(id, { ...existing.body, state: 'deleting' }, existing.version);
  }

  /** Last step: forgets the tenant itself. */
  async remove(id: TenantId): Promise<void> {
    await this.mirror.remove(id);
  }
}

function toTenant(body: StoredTenant, version: number): Tenant {
  return { ...body, limits: { ...DEFAULT_LIMITS, ...body.limits }, version };
}
