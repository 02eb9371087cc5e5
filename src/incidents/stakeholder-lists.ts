/** The stakeholder lists of one tenant and who left them: checked, stored, and held in memory. */
import { createHash } from 'node:crypto';
import { VigieError } from '../lib/errors.ts';
import type { TenantId } from '../model/tenant.ts';
import type { CollectionSpec, DocumentStore } from '../store/documents.ts';
import { checkedBy } from './on-call-directory.ts';
import {
  STAKEHOLDER_LISTS_PER_TENANT_MAX,
  type StakeholderList,
  stakeholderListSchema,
  UNSUBSCRIBED_PER_TENANT_MAX,
  type Unsubscribed,
} from './stakeholders.ts';

export const STAKEHOLDER_LISTS: CollectionSpec = { name: 'stakeholder_lists' };
export const UNSUBSCRIBED: CollectionSpec = { name: 'stakeholder_unsubscribed' };

export class StakeholderLists {
  readonly #documents: DocumentStore;
  readonly #tenant: TenantId;
  readonly #lists = new Map<string, StakeholderList>();
  readonly #left = new Map<string, Unsubscribed>();

  constructor(documents: DocumentStore, tenant: TenantId) {
    this.#documents = documents;
    this.#tenant = tenant;
  }

  async load(): Promise<void> {
    this.#lists.clear();
    this.#left.clear();
    for (const d of (await this.#collection().list()).items)
      this.#lists.set(d.id, checkedBy(stakeholderListSchema, d.body, 'stakeholder_list'));
    let after: string | undefined;
    do {
      const page = await this.#leavers().list(after === undefined ? {} : { after });
      for (const d of page.items) this.#left.set(d.id, d.body);
      after = page.next;
    } while (after !== undefined);
  }

  all(): readonly StakeholderList[] {
    return [...this.#lists.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  get(name: string): StakeholderList | undefined {
    return this.#lists.get(name);
  }

  /** Members of the list that asked for no more. */
  left(list: StakeholderList): readonly string[] {
    return list.members.filter((m) => this.#left.has(idOf(list.name, m)));
  }

  recipients(list: StakeholderList): readonly string[] {
    return list.members.filter((m) => !this.#left.has(idOf(list.name, m)));
  }

  /** Stored as it was written. Throws `bad_data`, `quota`. Who left stays away when the list is put again. */
  async put(value: unknown): Promise<StakeholderList> {
    const list = checkedBy(stakeholderListSchema, value, 'stakeholder_list');
    if (!this.#lists.has(list.name) && this.#lists.size >= STAKEHOLDER_LISTS_PER_TENANT_MAX)
      throw new VigieError('quota', `at most ${STAKEHOLDER_LISTS_PER_TENANT_MAX} stakeholder lists per tenant`);
    await this.#documents.collection<unknown>(this.#tenant, STAKEHOLDER_LISTS).put(list.name, value);
    this.#lists.set(list.name, list);
    return list;
  }

  async remove(name: string): Promise<boolean> {
    const gone = await this.#collection().delete(name);
    this.#lists.delete(name);
    return gone;
  }

  /** True when it was news. Asking twice is no error, nor is a list that is gone. */
  async leave(list: string, email: string, nowMs: number): Promise<boolean> {
    const id = idOf(list, email);
    if (this.#left.has(id)) return false;
    if (this.#left.size >= UNSUBSCRIBED_PER_TENANT_MAX) await this.#prune();
    const entry = { list, email, atMs: nowMs };
    await this.#leavers().put(id, entry);
    this.#left.set(id, entry);
    return true;
  }

  /** False: the address had not left. */
  async comeBack(list: string, email: string): Promise<boolean> {
    const id = idOf(list, email);
    this.#left.delete(id);
    return this.#leavers().delete(id);
  }

  /** Whoever is on no list any more gets nothing anyway: forgotten, oldest first, until a tenth is free. */
  async #prune(): Promise<void> {
    const members = new Set(this.all().flatMap((l) => l.members.map((m) => idOf(l.name, m))));
    const gone = [...this.#left].filter(([id]) => !members.has(id)).sort((a, b) => a[1].atMs - b[1].atMs);
    for (const [id] of gone.slice(0, UNSUBSCRIBED_PER_TENANT_MAX / 10)) {
      await this.#leavers().delete(id);
      this.#left.delete(id);
    }
  }

  #collection() {
    return this.#documents.collection<unknown>(this.#tenant, STAKEHOLDER_LISTS);
  }
  #leavers() {
    return this.#documents.collection<Unsubscribed>(this.#tenant, UNSUBSCRIBED);
  }
}

/** Addresses differ in case and mean the same mailbox. */
const idOf = (list: string, email: string): string =>
  createHash('sha256').update(`${list}\n${email.toLowerCase()}`).digest('hex').slice(0, 40);
