/**
 * The audit log: who changed what, before and after, as a chain of SHA-256 hashes per tenant, kept as documents so that
 * replicas append to one chain. An entry is durable before its change is acknowledged. `verify` finds any edit, removal
 * or reordering. Who can rewrite the whole database can forge a whole chain: hence `head`, to be kept elsewhere.
 */
import { createHash } from 'node:crypto';
import type { Clock } from '../../lib/clock.ts';
import { isVigieError, VigieError } from '../../lib/errors.ts';
import type { TenantId } from '../../model/tenant.ts';
import type { Collection, CollectionSpec, DocumentStore, Json } from '../../store/documents.ts';
import { redact } from './redact.ts';

export const AUDIT: CollectionSpec = { name: 'audit', indexed: ['sequence', 'who', 'action', 'target'] };
export const AUDIT_HEAD: CollectionSpec = { name: 'audit_head' };

/** Entries that share one transaction. */
const BATCH_MAX = 200;
/** Entries of one tenant that may wait to be written. */
const WAITING_MAX = 10_000;
/** JSON of `before` or `after`; more is kept as its size and hash. */
export const STATE_BYTES_MAX = 64 * 1024;
const TEXT_LENGTH_MAX = 500;
/** Another replica may win the race for the next number this often. */
const TRIES_MAX = 20;
const PAGE = 1_000;
const HEAD_ID = 'head';
const START = '0'.repeat(64);

export interface AuditInput {
  /** Whose chain: the tenant that is changed, or the platform's. */
  readonly tenant: TenantId;
  readonly who: string;
  /** `tenant.create`, `key.revoke`, `silence.expire` ... */
  readonly action: string;
  readonly target: string;
  readonly before?: unknown;
  readonly after?: unknown;
  readonly requestId: string;
}

export interface AuditEntry {
  /** From 1, without gaps. */
  readonly sequence: number;
  readonly atMs: number;
  readonly who: string;
  readonly action: string;
  readonly target: string;
  readonly before: Json;
  readonly after: Json;
  readonly requestId: string;
  /** Hash of the entry before; 64 zeros for the first. */
  readonly previous: string;
  /** SHA-256, hex, of `previous`, a line feed and the canonical JSON of all other fields. */
  readonly hash: string;
}

export interface AuditHead {
  readonly sequence: number;
  readonly hash: string;
  /** First entry still kept, and the hash it must follow; moved by retention only. */
  readonly first: number;
  readonly firstPrevious: string;
}

export interface AuditVerdict {
  readonly ok: boolean;
  readonly entries: number;
  /** Sequence at which the chain breaks, and how. */
  readonly brokenAt?: number;
  readonly problem?: string;
}

interface Waiting {
  readonly input: Omit<AuditEntry, 'sequence' | 'previous' | 'hash'>;
  resolve(entry: AuditEntry): void;
  reject(error: unknown): void;
}

export class AuditLog {
  readonly #documents: DocumentStore;
  readonly #clock: Clock;
  readonly #waiting = new Map<TenantId, Waiting[]>();
  readonly #writing = new Set<TenantId>();

  constructor(options: { readonly documents: DocumentStore; readonly clock: Clock }) {
    this.#documents = options.documents;
    this.#clock = options.clock;
  }

  /** Appends; resolved means durable. Throws `unavailable` when the store cannot keep up. */
  record(input: AuditInput): Promise<AuditEntry> {
    const queue = this.#waiting.get(input.tenant) ?? [];
    if (queue.length >= WAITING_MAX)
      return Promise.reject(new VigieError('unavailable', `the audit log has ${WAITING_MAX} entries waiting`));
    this.#waiting.set(input.tenant, queue);
    const short = (text: string): string => String(redact(text)).slice(0, TEXT_LENGTH_MAX).toWellFormed();
    return new Promise((resolve, reject) => {
      queue.push({
        input: {
          atMs: this.#clock.now(),
          who: short(input.who),
          action: short(input.action),
          target: short(input.target),
          before: bounded(input.before),
          after: bounded(input.after),
          requestId: short(input.requestId),
        },
        resolve,
        reject,
      });
      if (!this.#writing.has(input.tenant)) void this.#drain(input.tenant, queue);
    });
  }

  async head(tenant: TenantId): Promise<AuditHead> {
    return (await this.#heads(tenant).get(HEAD_ID))?.body ?? EMPTY;
  }

  /** Newest first; `before` is a sequence to continue below. */
  async list(
    tenant: TenantId,
    filter: {
      readonly limit?: number;
      readonly before?: number;
      readonly who?: string;
      readonly action?: string;
      readonly target?: string;
    } = {},
  ): Promise<{ readonly entries: readonly AuditEntry[]; readonly next?: number }> {
    const { who, action, target, before } = filter;
    const page = await this.#entries(tenant).list({
      where: { ...(who ? { who } : {}), ...(action ? { action } : {}), ...(target ? { target } : {}) },
      ...(before === undefined ? {} : { range: { sequence: { to: before } } }),
      orderBy: { field: 'sequence', direction: 'desc' },
      limit: filter.limit ?? 100,
    });
    const entries = page.items.map((d) => d.body);
    const last = entries.at(-1);
    return page.next !== undefined && last ? { entries, next: last.sequence } : { entries };
  }

  /** Walks the whole chain up to the head as it is now. */
  async verify(tenant: TenantId): Promise<AuditVerdict> {
    const head = await this.head(tenant);
    let expected = head.first;
    let previous = head.firstPrevious;
    let after: string | undefined;
    const broken = (problem: string): AuditVerdict => ({
      ok: false,
      entries: expected - head.first,
      brokenAt: expected,
      problem,
    });
    do {
      const page = await this.#entries(tenant).list({ limit: PAGE, ...(after === undefined ? {} : { after }) });
      for (const { id, body } of page.items) {
        if (expected > head.sequence) {
          // written after the head was read, or smuggled in behind it
          const now = await this.head(tenant);
          if (body.sequence > now.sequence) return broken(`entry ${id} lies behind the head ${now.sequence}`);
          return { ok: true, entries: head.sequence - head.first + 1 };
        }
        if (id !== idOf(expected) || body.sequence !== expected)
          return broken(`found entry ${id} (${body.sequence}) where ${expected} belongs`);
        if (body.previous !== previous) return broken(`entry ${expected} does not follow the one before it`);
        const { hash, ...rest } = body;
        if (hash !== hashOf(rest)) return broken(`entry ${expected} was changed`);
        previous = hash;
        expected++;
      }
      after = page.next;
    } while (after !== undefined);
    if (expected !== head.sequence + 1) return broken(`the chain ends before its head ${head.sequence}`);
    if (previous !== head.hash) return broken('the head does not carry the hash of the last entry');
    return { ok: true, entries: head.sequence - head.first + 1 };
  }

  /** Removes entries older than `keepMs`, itself on record; answers how many went. The newest always stays. */
  async prune(tenant: TenantId, keepMs: number): Promise<number> {
    const untilMs = this.#clock.now() - keepMs;
    let removed = 0;
    for (;;) {
      const head = await this.head(tenant);
      const page = await this.#entries(tenant).list({ limit: BATCH_MAX });
      const old: AuditEntry[] = [];
      for (const { body } of page.items) {
        if (body.atMs >= untilMs || body.sequence >= head.sequence) break;
        old.push(body);
      }
      const last = old.at(-1);
      if (!last) break;
      if (removed === 0)
        await this.record({
          tenant,
          who: 'system',
          action: 'audit.prune',
          target: tenant,
          before: { first: head.first, follows: head.firstPrevious },
          after: { olderThanMs: untilMs },
          requestId: '',
        });
      await this.#documents.transaction(async (tx) => {
        const heads = tx.collection<AuditHead>(tenant, AUDIT_HEAD);
        const stored = (await heads.get(HEAD_ID))!;
        await heads.put(
          HEAD_ID,
          { ...stored.body, first: last.sequence + 1, firstPrevious: last.hash },
          stored.version,
        );
        for (const entry of old) await tx.collection(tenant, AUDIT).delete(idOf(entry.sequence));
      });
      removed += old.length;
    }
    return removed;
  }

  async #drain(tenant: TenantId, queue: Waiting[]): Promise<void> {
    this.#writing.add(tenant);
    try {
      while (queue.length > 0) {
        const batch = queue.splice(0, BATCH_MAX);
        try {
          const written = await this.#append(tenant, batch);
          for (const [i, w] of batch.entries()) w.resolve(written[i]!);
        } catch (error) {
          for (const w of batch) w.reject(error);
        }
      }
    } finally {
      this.#writing.delete(tenant);
      this.#waiting.delete(tenant);
    }
  }

  async #append(tenant: TenantId, batch: readonly Waiting[]): Promise<readonly AuditEntry[]> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#documents.transaction(async (tx) => {
          const heads = tx.collection<AuditHead>(tenant, AUDIT_HEAD);
          const entries = tx.collection<AuditEntry>(tenant, AUDIT);
          const stored = await heads.get(HEAD_ID);
          let { sequence, hash } = stored?.body ?? EMPTY;
          const written: AuditEntry[] = [];
          for (const { input } of batch) {
            const unsigned = { sequence: ++sequence, ...input, previous: hash };
            hash = hashOf(unsigned);
            const entry = { ...unsigned, hash };
            await entries.put(idOf(sequence), entry, 'absent');
            written.push(entry);
          }
          await heads.put(HEAD_ID, { ...(stored?.body ?? EMPTY), sequence, hash }, stored?.version ?? 'absent');
          return written;
        });
      } catch (error) {
        if (attempt >= TRIES_MAX || !isVigieError(error, 'conflict')) throw error;
      }
    }
  }

  #entries(tenant: TenantId): Collection<AuditEntry> {
    return this.#documents.collection<AuditEntry>(tenant, AUDIT);
  }

  #heads(tenant: TenantId): Collection<AuditHead> {
    return this.#documents.collection<AuditHead>(tenant, AUDIT_HEAD);
  }
}

const EMPTY: AuditHead = { sequence: 0, hash: START, first: 1, firstPrevious: START };

const idOf = (sequence: number): string => String(sequence).padStart(16, '0');

/** Objects with their keys sorted, so that a value has one text. */
export function canonicalJson(value: unknown): string {
  if (value === null || typeof value !== 'object') return JSON.stringify(value) ?? 'null';
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  const fields = Object.entries(value)
    .filter(([, v]) => v !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${fields.map(([k, v]) => `${JSON.stringify(k)}:${canonicalJson(v)}`).join(',')}}`;
}

function hashOf(entry: Omit<AuditEntry, 'hash'>): string {
  const { previous, ...rest } = entry;
  // through JSON, since that is how it will come back
  return createHash('sha256')
    .update(`${previous}\n${canonicalJson(JSON.parse(JSON.stringify(rest)))}`)
    .digest('hex');
}

function bounded(state: unknown): Json {
  const clean = redact(state);
  const text = canonicalJson(clean);
  if (text.length <= STATE_BYTES_MAX) return clean;
  return { truncated: true, bytes: Buffer.byteLength(text), sha256: createHash('sha256').update(text).digest('hex') };
}
