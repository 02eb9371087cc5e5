/**
 * The public page of a tenant: its components and what people chose to say about incidents. Nothing of an alert, a label
 * or another tenant ever reaches it; a component without data is shown as unknown, not as well.
 */
import { z } from 'zod';
import { VigieError } from '../lib/errors.ts';
import { PLATFORM_TENANT, type TenantId } from '../model/tenant.ts';
import type { CollectionSpec, DocumentStore } from '../store/documents.ts';
import type { Incident } from './incident.ts';
import type { MaintenanceWindow } from './on-call-directory.ts';

export const STATUS_PAGES: CollectionSpec = { name: 'status_pages' };
export const STATUS_SLUGS: CollectionSpec = { name: 'status_slugs' };
export const UPDATES: CollectionSpec = { name: 'stakeholder_updates', indexed: ['atMs', 'incident'] };
/** Shown on the page. */
const UPDATES_SHOWN_MAX = 100;
const SHOWN_MS = 14 * 86_400_000;

export const statusPageSchema = z.strictObject({
  version: z.literal(1),
  kind: z.literal('status_page'),
  enabled: z.boolean().default(true),
  /** In the public address; one per installation. */
  slug: z.string().regex(/^[a-z0-9][a-z0-9-]{2,62}$/, 'want 3 to 63 of a-z 0-9 -'),
  title: z.string().min(1).max(120),
  language: z.enum(['en', 'fr', 'de']).default('en'),
  components: z
    .array(
      z.strictObject({
        name: z.string().min(1).max(100),
        /** Services it stands for; its state is the worst of theirs. */
        services: z.array(z.string().min(1).max(100)).min(1).max(50),
      }),
    )
    .max(100)
    .default([]),
  /** Receivers that get every stakeholder update. */
  receivers: z.array(z.string().min(1).max(200)).max(20).default([]),
});
export type StatusPage = z.output<typeof statusPageSchema>;

export const UPDATE_STATUS = ['investigating', 'identified', 'monitoring', 'resolved'] as const;
export interface StakeholderUpdate {
  readonly id: string;
  readonly incident: string;
  readonly atMs: number;
  readonly status: (typeof UPDATE_STATUS)[number];
  /** What the public reads as its headline. */
  readonly title: string;
  readonly text: string;
  readonly by: string;
}

export type ComponentState = 'operational' | 'degraded' | 'down' | 'maintenance' | 'unknown';

export interface PublicStatus {
  readonly title: string;
  readonly language: 'en' | 'fr' | 'de';
  readonly state: ComponentState;
  readonly components: readonly { readonly name: string; readonly state: ComponentState }[];
  /** Per subject, newest first. */
  readonly updates: readonly {
    readonly title: string;
    readonly entries: readonly { readonly atMs: number; readonly status: string; readonly text: string }[];
  }[];
  readonly maintenance: readonly {
    readonly startsAtMs: number;
    readonly endsAtMs: number;
    readonly components: readonly string[];
  }[];
}

const RANK: readonly ComponentState[] = ['operational', 'maintenance', 'unknown', 'degraded', 'down'];
const worst = (states: readonly ComponentState[]): ComponentState =>
  states.reduce((a, b) => (RANK.indexOf(b) > RANK.indexOf(a) ? b : a), 'operational' as ComponentState);

export interface PublicStatusInput {
  readonly page: StatusPage;
  readonly live: readonly Incident[];
  /** Services whose data is missing now. */
  readonly silent: ReadonlySet<string>;
  readonly maintenance: readonly MaintenanceWindow[];
  readonly updates: readonly StakeholderUpdate[];
  readonly nowMs: number;
}

export function publicStatus(input: PublicStatusInput): PublicStatus {
  const { page, nowMs } = input;
  const stateOf = (service: string): ComponentState => {
    const now = input.maintenance.some(
      (m) => m.startsAtMs <= nowMs && nowMs < m.endsAtMs && (m.services.length === 0 || m.services.includes(service)),
    );
    if (now) return 'maintenance';
    const hit = input.live.filter((i) => i.services.includes(service));
    if (hit.some((i) => i.criticality === 'P1')) return 'down';
    // the least critical level is for us, not for the public
    if (hit.some((i) => i.criticality !== 'P4')) return 'degraded';
    return input.silent.has(service) ? 'unknown' : 'operational';
  };
  const components = page.components.map((c) => ({ name: c.name, state: worst(c.services.map(stateOf)) }));
  const subjects = new Map<string, StakeholderUpdate[]>();
  for (const u of [...input.updates].sort((a, b) => b.atMs - a.atMs))
    if (nowMs - u.atMs <= SHOWN_MS) subjects.set(u.incident, [...(subjects.get(u.incident) ?? []), u]);
  return {
    title: page.title,
    language: page.language,
    state: worst(components.map((c) => c.state)),
    components,
    updates: [...subjects.values()].map((list) => ({
      title: list[0]!.title,
      entries: list.map(({ atMs, status, text }) => ({ atMs, status, text })),
    })),
    maintenance: input.maintenance
      .filter((m) => m.endsAtMs > nowMs)
      .map((m) => ({
        startsAtMs: m.startsAtMs,
        endsAtMs: m.endsAtMs,
        components: page.components
          .filter((c) => m.services.length === 0 || c.services.some((s) => m.services.includes(s)))
          .map((c) => c.name),
      })),
  };
}

export class StatusPages {
  readonly #documents: DocumentStore;

  constructor(documents: DocumentStore) {
    this.#documents = documents;
  }

  async get(tenant: TenantId): Promise<StatusPage | undefined> {
    const stored = await this.#documents.collection<unknown>(tenant, STATUS_PAGES).get('page');
    return stored && statusPageSchema.parse(stored.body);
  }

  /** Throws `conflict` when another tenant has the slug; which one is not said. */
  async put(tenant: TenantId, page: StatusPage): Promise<void> {
    const slugs = this.#documents.collection<{ readonly tenant: string }>(PLATFORM_TENANT, STATUS_SLUGS);
    const old = await this.get(tenant);
    const taken = await slugs.get(page.slug);
    if (taken && taken.body.tenant !== tenant)
      throw new VigieError('conflict', `the address ${JSON.stringify(page.slug)} is taken; choose another`);
    if (!taken) await slugs.put(page.slug, { tenant }, 'absent');
    await this.#documents.collection<StatusPage>(tenant, STATUS_PAGES).put('page', page);
    if (old && old.slug !== page.slug) await slugs.delete(old.slug);
  }

  /** The tenant of a public address; undefined when there is none, or it is switched off. */
  async tenantOf(slug: string): Promise<{ tenant: TenantId; page: StatusPage } | undefined> {
    if (!/^[a-z0-9-]{3,63}$/.test(slug)) return undefined;
    const found = await this.#documents
      .collection<{ readonly tenant: TenantId }>(PLATFORM_TENANT, STATUS_SLUGS)
      .get(slug);
    if (!found) return undefined;
    const page = await this.get(found.body.tenant);
    return page?.enabled && page.slug === slug ? { tenant: found.body.tenant, page } : undefined;
  }

  async addUpdate(tenant: TenantId, update: StakeholderUpdate): Promise<void> {
    await this.#documents.collection<StakeholderUpdate>(tenant, UPDATES).put(update.id, update, 'absent');
  }

  async updates(tenant: TenantId): Promise<readonly StakeholderUpdate[]> {
    const page = await this.#documents
      .collection<StakeholderUpdate>(tenant, UPDATES)
      .list({ orderBy: { field: 'atMs', direction: 'desc' }, limit: UPDATES_SHOWN_MAX });
    return page.items.map((d) => d.body);
  }
}
