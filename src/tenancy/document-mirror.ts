/**
 * A copy in memory of one small collection, for questions that every request asks and that may not wait for the
 * database. Other processes write the same collection: `refresh` reads all of it, `reload` one document. It does not
 * decide when to do so (shared-copies.ts) and keeps no collection that grows with the data of tenants.
 */
import { VigieError } from '../lib/errors.ts';
import type { Collection, StoredDocument } from '../store/documents.ts';

/** Attempts of `change` against other writers. */
const ATTEMPTS_MAX = 5;

export class DocumentMirror<T> {
  readonly name: string;
  readonly #collection: () => Collection<T>;
  readonly #copy = new Map<string, StoredDocument<T>>();
  readonly #onChange: (id: string, after: StoredDocument<T> | undefined, before: T | undefined) => void;
  readonly #announcers = new Set<(id: string) => void>();
  /** Ids written here while a refresh reads: what it read of them may be older. */
  #written: Set<string> | undefined;
  #refreshing: Promise<void> | undefined;

  /** `onChange` hears of every new version and removal, whoever made it, except in the first `refresh`. */
  constructor(
    name: string,
    collection: () => Collection<T>,
    onChange: (id: string, after: StoredDocument<T> | undefined, before: T | undefined) => void = () => {},
  ) {
    this.name = name;
    this.#collection = collection;
    this.#onChange = onChange;
  }

  get size(): number {
    return this.#copy.size;
  }

  get(id: string): T | undefined {
    return this.#copy.get(id)?.body;
  }

  version(id: string): number | undefined {
    return this.#copy.get(id)?.version;
  }

  values(): readonly T[] {
    return [...this.#copy.values()].map((d) => d.body);
  }

  /** Called with the id of every document written or removed by this process, so that others can `reload` it. */
  onWrite(announce: (id: string) => void): () => void {
    this.#announcers.add(announce);
    return () => void this.#announcers.delete(announce);
  }

  async put(id: string, body: T, expect?: 'absent' | number): Promise<StoredDocument<T>> {
    const stored = await this.#collection().put(id, body, expect);
    this.#remember(id, stored);
    this.#announce(id);
    return stored;
  }

  /** Changes what the database holds now, not what the copy holds; undefined from `to` leaves it. Undefined when it is gone. */
  async change(id: string, to: (body: T) => T | undefined): Promise<StoredDocument<T> | undefined> {
    for (let attempt = 1; ; attempt++) {
      const now = await this.reload(id);
      if (!now) return undefined;
      const body = to(now.body);
      if (body === undefined) return now;
      try {
        return await this.put(id, body, now.version);
      } catch (error) {
        if (!(error instanceof VigieError && error.code === 'conflict') || attempt >= ATTEMPTS_MAX) throw error;
      }
    }
  }

  /**
   * A write nobody waits for, such as "last used": shown at once here, dropped when somebody else wrote meanwhile, so
   * that it can never undo a revocation.
   */
  touch(id: string, body: T): void {
    const known = this.#copy.get(id);
    if (!known) return;
    this.#copy.set(id, { ...known, body });
    this.#collection()
      .put(id, body, known.version)
      .then((stored) => {
        if ((this.#copy.get(id)?.version ?? Number.POSITIVE_INFINITY) < stored.version) this.#copy.set(id, stored);
        this.#written?.add(id);
      })
      .catch(() => this.reload(id))
      // the database is away: the next refresh tells
      .catch(() => {});
  }

  async remove(id: string): Promise<boolean> {
    const gone = await this.#collection().delete(id);
    this.#forget(id);
    this.#announce(id);
    return gone;
  }

  /** Reads one document again; undefined when it is gone. */
  async reload(id: string): Promise<StoredDocument<T> | undefined> {
    const stored = await this.#collection().get(id);
    if (!stored) this.#forget(id);
    else if (stored.version !== this.#copy.get(id)?.version) this.#remember(id, stored);
    return stored;
  }

  /** Reads all documents again; concurrent callers share one pass. */
  refresh(): Promise<void> {
    this.#refreshing ??= this.#readAll().finally(() => {
      this.#refreshing = undefined;
      this.#written = undefined;
    });
    return this.#refreshing;
  }

  async #readAll(): Promise<void> {
    const written = new Set<string>();
    this.#written = written;
    const seen = new Map<string, StoredDocument<T>>();
    let after: string | undefined;
    do {
      const page = await this.#collection().list(after === undefined ? {} : { after });
      for (const d of page.items) seen.set(d.id, d);
      after = page.next;
    } while (after !== undefined);
    for (const [id, stored] of seen)
      if (!written.has(id) && stored.version !== this.#copy.get(id)?.version) this.#remember(id, stored);
    for (const id of [...this.#copy.keys()]) if (!seen.has(id) && !written.has(id)) this.#forget(id);
  }

  #remember(id: string, stored: StoredDocument<T>): void {
    this.#written?.add(id);
    const before = this.#copy.get(id);
    this.#copy.set(id, stored);
    this.#onChange(id, stored, before?.body);
  }

  #forget(id: string): void {
    this.#written?.add(id);
    const before = this.#copy.get(id);
    if (!before) return;
    this.#copy.delete(id);
    this.#onChange(id, undefined, before.body);
  }

  #announce(id: string): void {
    for (const announce of this.#announcers) announce(id);
  }
}
