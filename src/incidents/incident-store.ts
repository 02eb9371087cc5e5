/**
 * The incidents of one tenant in memory and in the documents. Changes run one after the other; a change's incidents
 * and messages are stored in one transaction before the next begins, so what was acknowledged survives a crash.
 */
import { VigieError } from '../lib/errors.ts';
import type { TenantId } from '../model/tenant.ts';
import type { DocumentStore } from '../store/documents.ts';
import { INCIDENTS, OUTBOX } from './collections.ts';
import type { Incident } from './incident.ts';
import { isLive } from './life-cycle.ts';
import type { OutboxEntry } from './message.ts';

/** Attempts of a change against other writers of the same tenant. */
const ATTEMPTS_MAX = 3;
/** Lately resolved incidents read at a start. */
const RECENT_MAX = 1_000;

interface Held {
  readonly incident: Incident;
  readonly version: number;
}

/** What one change wants stored. */
export class Draft {
  readonly changed = new Map<string, Incident>();
  readonly outgoing: OutboxEntry[] = [];
  /** Incidents whose verdict and criticality are to be worked out once at the end, as they were before. */
  readonly judge = new Map<string, Incident | undefined>();
}

export interface IncidentStoreOptions {
  readonly tenant: TenantId;
  readonly documents: DocumentStore;
  readonly onCommitted: (
    changed: readonly (readonly [Incident, Incident | undefined])[],
    outgoing: readonly OutboxEntry[],
  ) => void;
}

export class IncidentStore {
  readonly #o: IncidentStoreOptions;
  readonly #held = new Map<string, Held>();
  readonly #byFingerprint = new Map<string, string>();
  #nextNumber = 1;
  #tail: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(options: IncidentStoreOptions) {
    this.#o = options;
  }

  /** Reads what is live, and what was resolved after `sinceMs`. */
  async load(sinceMs: number): Promise<void> {
    this.#held.clear();
    this.#byFingerprint.clear();
    const newest = await this.#collection().list({
      orderBy: { field: 'number', direction: 'desc' },
      limit: RECENT_MAX,
    });
    this.#nextNumber = (newest.items[0]?.body.number ?? 0) + 1;
    for (const d of [...newest.items].reverse())
      if (d.body.live === 0 && (d.body.resolvedAtMs ?? 0) > sinceMs) this.#remember(d.body, d.version);
    let after: string | undefined;
    do {
      const page = await this.#collection().list({ where: { live: 1 }, ...(after === undefined ? {} : { after }) });
      for (const d of page.items) this.#remember(d.body, d.version);
      after = page.next;
    } while (after !== undefined);
  }

  takeNumber(): number {
    return this.#nextNumber++;
  }

  held(id: string): Incident | undefined {
    return this.#held.get(id)?.incident;
  }

  ids(): IterableIterator<string> {
    return this.#held.keys();
  }

  live(): readonly Incident[] {
    return [...this.#held.values()].map((h) => h.incident).filter((i) => isLive(i.state));
  }

  /** The incident that holds, or lately held, an alert. */
  owner(fingerprint: string): string | undefined {
    return this.#byFingerprint.get(fingerprint);
  }

  /** As `held`, with what this change did so far. */
  now(id: string, draft: Draft): Incident | undefined {
    return draft.changed.get(id) ?? this.#held.get(id)?.incident;
  }

  *candidates(draft: Draft): IterableIterator<Incident> {
    for (const [id, h] of this.#held) yield draft.changed.get(id) ?? h.incident;
    for (const [id, i] of draft.changed) if (!this.#held.has(id)) yield i;
  }

  keep(incident: Incident, draft: Draft): void {
    if (this.#held.get(incident.id)?.incident === incident && !draft.changed.has(incident.id)) return;
    draft.changed.set(incident.id, incident);
  }

  own(fingerprint: string, id: string): void {
    this.#byFingerprint.set(fingerprint, id);
  }

  /** From memory, or an old one from the documents. Throws `not_found`. */
  async find(id: string): Promise<Incident> {
    const held = this.#held.get(id);
    if (held) return held.incident;
    const stored = await this.#collection().get(id);
    if (!stored) throw new VigieError('not_found', `no incident ${JSON.stringify(id.slice(0, 40))}`);
    this.#remember(stored.body, stored.version);
    return stored.body;
  }

  /** Runs one change after the other. `work` may run again when another process wrote meanwhile. */
  change<R>(work: (draft: Draft) => Promise<R>): Promise<R> {
    const mine = this.#tail.then(async () => {
      if (this.#closed) throw new VigieError('unavailable', 'incidents are shutting down');
      for (let attempt = 1; ; attempt++) {
        const draft = new Draft();
        try {
          const answer = await work(draft);
          await this.#commit(draft);
          return answer;
        } catch (error) {
          // what was indexed for this change did not happen
          this.#reindex();
          const lost = error instanceof VigieError && error.code === 'conflict' && error.details['store'] === true;
          if (!lost || attempt >= ATTEMPTS_MAX) throw error;
        }
      }
    });
    this.#tail = mine.catch(() => {});
    return mine;
  }

  async #commit(draft: Draft): Promise<void> {
    if (draft.changed.size === 0 && draft.outgoing.length === 0) return;
    const versions = new Map<string, number>();
    const fresh: OutboxEntry[] = [];
    try {
      await this.#o.documents.transaction(async (tx) => {
        versions.clear();
        fresh.length = 0;
        const incidents = tx.collection<Incident>(this.#o.tenant, INCIDENTS);
        for (const [id, incident] of draft.changed) {
          const known = this.#held.get(id);
          versions.set(id, (await incidents.put(id, incident, known ? known.version : 'absent')).version);
        }
        const outbox = tx.collection<OutboxEntry>(this.#o.tenant, OUTBOX);
        for (const entry of draft.outgoing) {
          if (await outbox.get(entry.message.id)) continue;
          await outbox.put(entry.message.id, entry, 'absent');
          fresh.push(entry);
        }
      });
    } catch (error) {
      if (!(error instanceof VigieError && error.code === 'conflict')) throw error;
      await this.#reread([...draft.changed.keys()]);
      throw new VigieError('conflict', error.message, { cause: error, details: { store: true } });
    }
    const pairs: [Incident, Incident | undefined][] = [];
    for (const [id, incident] of draft.changed) {
      pairs.push([incident, this.#held.get(id)?.incident]);
      this.#remember(incident, versions.get(id)!);
    }
    this.#o.onCommitted(pairs, fresh);
  }

  /** Somebody else wrote meanwhile: theirs counts. */
  async #reread(ids: readonly string[]): Promise<void> {
    for (const id of ids) {
      const stored = await this.#collection().get(id);
      if (!stored) continue;
      this.#remember(stored.body, stored.version);
      this.#nextNumber = Math.max(this.#nextNumber, stored.body.number + 1);
    }
  }

  #remember(incident: Incident, version: number): void {
    this.#held.set(incident.id, { incident, version });
    for (const a of incident.alerts) this.#byFingerprint.set(a.fingerprint, incident.id);
  }

  #reindex(): void {
    this.#byFingerprint.clear();
    for (const { incident } of this.#held.values())
      for (const a of incident.alerts) this.#byFingerprint.set(a.fingerprint, incident.id);
  }

  /** Forgets what ended before `sinceMs`; it stays in the documents. */
  forget(sinceMs: number): void {
    for (const [id, { incident }] of this.#held) {
      if (isLive(incident.state) || (incident.resolvedAtMs ?? incident.updatedAtMs) > sinceMs) continue;
      this.#held.delete(id);
      for (const a of incident.alerts)
        if (this.#byFingerprint.get(a.fingerprint) === id) this.#byFingerprint.delete(a.fingerprint);
    }
  }

  async close(): Promise<void> {
    await this.#tail;
    this.#closed = true;
  }

  #collection() {
    return this.#o.documents.collection<Incident>(this.#o.tenant, INCIDENTS);
  }
}
