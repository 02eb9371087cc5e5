/** Schedules, policies, contacts and maintenance windows of one tenant: checked, stored, and held in memory for questions. */
import { z } from 'zod';
import { VigieError } from '../lib/errors.ts';
import type { TenantId } from '../model/tenant.ts';
import type { CollectionSpec, DocumentStore } from '../store/documents.ts';
import { CONTACTS, MAINTENANCE, POLICIES, SCHEDULES } from './collections.ts';
import { CONTACTS_PER_TENANT_MAX, type Contact, contactSchema } from './contacts.ts';
import { POLICIES_PER_TENANT_MAX, type Policy, policySchema } from './policy.ts';
import { type Schedule, scheduleSchema } from './schedule.ts';

export const SCHEDULES_PER_TENANT_MAX = 100;
export const MAINTENANCE_PER_TENANT_MAX = 1_000;

export const maintenanceSchema = z
  .strictObject({
    id: z.string().regex(/^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,99}$/),
    /** Services under maintenance; empty: the whole tenant. */
    services: z.array(z.string().min(1).max(100)).max(100),
    startsAtMs: z.number(),
    endsAtMs: z.number(),
    comment: z.string().max(1_000).default(''),
    createdBy: z.string().max(200).default(''),
  })
  .refine((m) => m.endsAtMs > m.startsAtMs, { path: ['endsAtMs'], message: 'want an end after the start' });
export type MaintenanceWindow = z.output<typeof maintenanceSchema>;

/** Problems as one `bad_data` error that names each path. */
export function checkedBy<S extends z.ZodType>(schema: S, value: unknown, what: string): z.output<S> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new VigieError(
    'bad_data',
    result.error.issues
      .map((i) => `${what}${i.path.length > 0 ? `.${i.path.map(String).join('.')}` : ''}: ${i.message}`)
      .join('; '),
  );
}

class Shelf<T> {
  readonly all = new Map<string, T>();
  readonly #documents: DocumentStore;
  readonly #tenant: TenantId;
  readonly #spec: CollectionSpec;
  readonly #limit: number;

  constructor(documents: DocumentStore, tenant: TenantId, spec: CollectionSpec, limit: number) {
    this.#documents = documents;
    this.#tenant = tenant;
    this.#spec = spec;
    this.#limit = limit;
  }

  /** Stored bodies pass the schema again, so that defaults added later are there. */
  async load(check: (body: unknown) => T): Promise<void> {
    const page = await this.#documents.collection<T>(this.#tenant, this.#spec).list();
    this.all.clear();
    for (const d of page.items) this.all.set(d.id, check(d.body));
  }

  async put(id: string, raw: unknown, body: T): Promise<void> {
    if (!this.all.has(id) && this.all.size >= this.#limit)
      throw new VigieError('quota', `at most ${this.#limit} ${this.#spec.name.replaceAll('_', ' ')} per tenant`);
    await this.#documents.collection<unknown>(this.#tenant, this.#spec).put(id, raw);
    this.all.set(id, body);
  }

  async remove(id: string): Promise<boolean> {
    const gone = await this.#documents.collection<T>(this.#tenant, this.#spec).delete(id);
    this.all.delete(id);
    return gone;
  }
}

export class OnCallDirectory {
  readonly #schedules: Shelf<Schedule>;
  readonly #policies: Shelf<Policy>;
  readonly #contacts: Shelf<Contact>;
  readonly #maintenance: Shelf<MaintenanceWindow>;

  constructor(documents: DocumentStore, tenant: TenantId) {
    this.#schedules = new Shelf(documents, tenant, SCHEDULES, SCHEDULES_PER_TENANT_MAX);
    this.#policies = new Shelf(documents, tenant, POLICIES, POLICIES_PER_TENANT_MAX);
    this.#contacts = new Shelf(documents, tenant, CONTACTS, CONTACTS_PER_TENANT_MAX);
    this.#maintenance = new Shelf(documents, tenant, MAINTENANCE, MAINTENANCE_PER_TENANT_MAX);
  }

  async load(): Promise<void> {
    await this.#schedules.load((b) => checkedBy(scheduleSchema, b, 'schedule'));
    await this.#policies.load((b) => checkedBy(policySchema, b, 'policy'));
    await this.#contacts.load((b) => checkedBy(contactSchema, b, 'contact'));
    await this.#maintenance.load((b) => checkedBy(maintenanceSchema, b, 'maintenance'));
  }

  schedules(): readonly Schedule[] {
    return sorted(this.#schedules.all);
  }
  schedule(name: string): Schedule | undefined {
    return this.#schedules.all.get(name);
  }
  policies(): readonly Policy[] {
    return sorted(this.#policies.all);
  }
  policy(name: string): Policy | undefined {
    return this.#policies.all.get(name);
  }
  contacts(): readonly Contact[] {
    return sorted(this.#contacts.all);
  }
  contact(name: string): Contact | undefined {
    return this.#contacts.all.get(name);
  }
  maintenance(): readonly MaintenanceWindow[] {
    return [...this.#maintenance.all.values()].sort((a, b) => a.startsAtMs - b.startsAtMs);
  }

  /** Stored as it was written, defaults left out, so that what comes back is what was put. */
  async putSchedule(value: unknown): Promise<Schedule> {
    const s = checkedBy(scheduleSchema, value, 'schedule');
    await this.#schedules.put(s.name, value, s);
    return s;
  }
  async putPolicy(value: unknown): Promise<Policy> {
    const p = checkedBy(policySchema, value, 'policy');
    this.#checkTargets(p);
    await this.#policies.put(p.name, value, p);
    return p;
  }
  async putContact(value: unknown): Promise<Contact> {
    const c = checkedBy(contactSchema, value, 'contact');
    await this.#contacts.put(c.name, value, c);
    return c;
  }
  async putMaintenance(value: unknown): Promise<MaintenanceWindow> {
    const m = checkedBy(maintenanceSchema, value, 'maintenance');
    await this.#maintenance.put(m.id, value, m);
    return m;
  }

  removePolicy(name: string): Promise<boolean> {
    return this.#policies.remove(name);
  }
  removeMaintenance(id: string): Promise<boolean> {
    return this.#maintenance.remove(id);
  }
  /** Refused while a policy points to it: the night would find nobody. Throws `conflict`. */
  removeSchedule(name: string): Promise<boolean> {
    this.#unused('schedule', name);
    return this.#schedules.remove(name);
  }
  removeContact(name: string): Promise<boolean> {
    this.#unused('contact', name);
    const rota = this.schedules().find((s) => s.layers.some((l) => l.rotation.users.includes(name)));
    if (rota) throw new VigieError('conflict', `contact ${name} is in the rotation of schedule ${rota.name}`);
    return this.#contacts.remove(name);
  }

  /** The window that hushes these services at `atMs`, if any. */
  maintenanceFor(services: readonly string[], atMs: number): MaintenanceWindow | undefined {
    return this.maintenance().find(
      (m) =>
        m.startsAtMs <= atMs &&
        atMs < m.endsAtMs &&
        (m.services.length === 0 || (services.length > 0 && services.every((s) => m.services.includes(s)))),
    );
  }

  #unused(kind: 'schedule' | 'contact', name: string): void {
    for (const p of this.policies())
      for (const t of [...p.fallback, ...p.steps.flatMap((s) => s.notify)])
        if ((t as Record<string, string>)[kind] === name)
          throw new VigieError('conflict', `${kind} ${name} is used by the escalation policy ${p.name}`);
  }

  #checkTargets(policy: Policy): void {
    for (const t of [...policy.fallback, ...policy.steps.flatMap((s) => s.notify)]) {
      if ('schedule' in t && !this.schedule(t.schedule))
        throw new VigieError('bad_data', `policy.steps: no schedule ${JSON.stringify(t.schedule)}; create it first`);
      if ('contact' in t && !this.contact(t.contact))
        throw new VigieError('bad_data', `policy.steps: no contact ${JSON.stringify(t.contact)}; create it first`);
    }
  }
}

function sorted<T extends { readonly name: string }>(map: ReadonlyMap<string, T>): readonly T[] {
  return [...map.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}
