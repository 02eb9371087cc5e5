/**
 * Who changed what: an append-only log per tenant whose entries carry the hash of the one before, so that an edit, a
 * removal or a reorder shows. An entry is durable before the change it describes is acknowledged. Kept as documents
 * with the sequence number as id, so that several replicas extend one chain.
 */
import { createHash } from 'node:crypto';
import type { Clock } from '../../lib/clock.ts';
import { isVigieError, VigieError } from '../../lib/errors.ts';
import type { TenantId } from '../../model/tenant.ts';
import type { CollectionSpec, DocumentStore } from '../../store/documents.ts';
import { maskSecrets } from './mask.ts';

export const AUDIT: CollectionSpec = { name: 'audit', indexed: ['sequence', 'atMs', 'action', 'actor'] };
/** The newest number and hash, written with each entry: shows when entries are cut off the end. */
export const AUDIT_HEAD: CollectionSpec = { name: 'audit_head' };
const HEAD_ID = 'head';
/** Replicas that append at once meet here; each retry reads the newest entry anew. */
const RETRIES_MAX = 50;

export interface AuditEntry {
  readonly sequence: number;
  readonly atMs: number;
  readonly tenant: string;
  /** Principal id; never a secret. */
  readonly actor: string;
  readonly actorName: string;
  readonly action: string;
  readonly target: string;
  readonly before?: unknown;
  readonly after?: unknown;
  readonly requestId: string;
  readonly remoteAddress?: string;
  readonly previous: string;
  readonly hash: string;
}

export interface AuditInput {
  readonly actor: string;
  readonly actorName: string;
  readonly action: string;
  readonly target: string;
  readonly before?: unknown;
  readonly after?: unknown;
  readonly requestId: string;
}

export interface AuditVerdict {
  readonly ok: boolean;
  readonly entries: number;
  /** Sequence number of the first entry that does not fit, and why. */
  readonly brokenAt?: number;
  readonly reason?: string;
}

interface Head {
  readonly sequence: number;
  readonly hash: string;
}

const GENESIS = '0'.repeat(64);
const idOf = (sequence: number): string => String(sequence).padStart(12, '0');

export class AuditLog {
  readonly #documents: DocumentStore;
  readonly #clock: Clock;
  readonly #heads = new Map<TenantId, { sequence: number; hash: string }>();
  /** Appends of one tenant go one after the other. */
  readonly #tails = new Map<TenantId, Promise<unknown>>();

  constructor(documents: DocumentStore, clock: Clock) {
    this.#documents = documents;
    this.#clock = clock;
  }

  /** Resolves once the entry is durable. */
  append(tenant: TenantId, input: AuditInput): Promise<AuditEntry> {
    const before = this.#tails.get(tenant) ?? Promise.resolve();
    const mine = before.catch(() => {}).then(() => this.#append(tenant, input));
    this.#tails.set(tenant, mine);
    const forget = (): void => {
      if (this.#tails.get(tenant) === mine) this.#tails.delete(tenant);
    };
    mine.then(forget, forget);
    return mine;
  }

  async list(
    tenant: TenantId,
    options: {
      readonly limit?: number;
      readonly beforeSequence?: number;
      readonly action?: string;
      readonly actor?: string;
    } = {},
  ): Promise<readonly AuditEntry[]> {
    const where: Record<string, string> = {};
    if (options.action !== undefined) where['action'] = options.action;
    if (options.actor !== undefined) where['actor'] = options.actor;
    const page = await this.#collection(tenant).list({
      where,
      range: options.beforeSequence === undefined ? {} : { sequence: { to: options.beforeSequence } },
      orderBy: { field: 'sequence', direction: 'desc' },
      limit: Math.min(options.limit ?? 100, 1_000),
    });
    return page.items.map((d) => d.body);
  }

  /** Walks the whole chain of a tenant. */
  async verify(tenant: TenantId): Promise<AuditVerdict> {
    const stored = (await this.#headCollection(tenant).get(HEAD_ID))?.body;
    let previous = GENESIS;
    let headSeen = stored === undefined || stored.sequence === 0;
    let expected = 1;
    let after: string | undefined;
    do {
      const page = await this.#collection(tenant).list({
        orderBy: { field: 'sequence', direction: 'asc' },
        ...(after === undefined ? {} : { after }),
      });
      for (const { id, body } of page.items) {
        const fault = (reason: string): AuditVerdict => ({
          ok: false,
          entries: expected - 1,
          brokenAt: expected,
          reason,
        });
        if (body.sequence !== expected || id !== idOf(expected))
          return fault(`entry ${expected} is missing; found ${body.sequence}`);
        if (body.previous !== previous) return fault(`entry ${expected} does not follow the one before it`);
        if (body.tenant !== tenant || hashOf(body) !== body.hash) return fault(`entry ${expected} was altered`);
        previous = body.hash;
        if (body.sequence === stored?.sequence) {
          if (body.hash !== stored.hash) return fault(`entry ${expected} is not the one the head names`);
          headSeen = true;
        }
        expected++;
      }
      after = page.next;
    } while (after !== undefined);
    const head = this.#heads.get(tenant);
    if (!stored && expected > 1)
      return { ok: false, entries: expected - 1, brokenAt: expected, reason: 'the head of the chain was removed' };
    if (!headSeen || (head && head.sequence >= expected))
      return {
        ok: false,
        entries: expected - 1,
        brokenAt: expected,
        reason: `entries after ${expected - 1} were removed`,
      };
    return { ok: true, entries: expected - 1 };
  }

  /** The newest entry's number and hash: written elsewhere, it proves that nothing was cut off the end. */
  head(tenant: TenantId): { readonly sequence: number; readonly hash: string } | undefined {
    return this.#heads.get(tenant);
  }

  forget(tenant: TenantId): void {
    this.#heads.delete(tenant);
  }

  async #append(tenant: TenantId, input: AuditInput): Promise<AuditEntry> {
    const { before, after, ...rest } = input;
    const state = {
      ...(before === undefined ? {} : { before: maskSecrets(before) }),
      ...(after === undefined ? {} : { after: maskSecrets(after) }),
    };
    for (let attempt = 0; attempt < RETRIES_MAX; attempt++) {
      try {
        const entry = await this.#documents.transaction(async (tx) => {
          // read within the transaction: a remembered head would lose every race against a busier replica
          const heads = tx.collection<Head>(tenant, AUDIT_HEAD);
          const head = (await heads.get(HEAD_ID))?.body ?? { sequence: 0, hash: GENESIS };
          const sequence = head.sequence + 1;
          const content = { sequence, atMs: this.#clock.now(), tenant, ...rest, ...state, previous: head.hash };
          const signed: AuditEntry = { ...content, hash: hashOf(content) };
          await tx.collection<AuditEntry>(tenant, AUDIT).put(idOf(sequence), signed, 'absent');
          await heads.put(HEAD_ID, { sequence, hash: signed.hash });
          return signed;
        });
        this.#heads.set(tenant, { sequence: entry.sequence, hash: entry.hash });
        return entry;
      } catch (error) {
        if (!isVigieError(error, 'conflict')) throw error; // another replica was faster
      }
    }
    throw new VigieError('unavailable', `the audit log of ${tenant} could not be extended in ${RETRIES_MAX} tries`);
  }

  #headCollection(tenant: TenantId) {
    return this.#documents.collection<Head>(tenant, AUDIT_HEAD);
  }

  #collection(tenant: TenantId) {
    return this.#documents.collection<AuditEntry>(tenant, AUDIT);
  }
}

/** SHA-256 over the entry without its hash, as JSON with sorted keys. */
function hashOf(entry: Omit<AuditEntry, 'hash'> & { readonly hash?: string }): string {
  const { hash: _hash, ...content } = entry;
  return createHash('sha256').update(canonical(content)).digest('hex');
}

function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value).filter(([, v]) => v !== undefined);
    return `{${entries
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([k, v]) => `${JSON.stringify(k)}:${canonical(v)}`)
      .join(',')}}`;
  }
  return JSON.stringify(value) ?? 'null';
}
