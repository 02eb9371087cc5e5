/**
 * API keys: `vg_<id>_<secret>`, 256 random bits, shown once, kept as SHA-256 (the secret is random, so a slow hash
 * would add nothing), compared in constant time, scoped, expiring and revocable.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Clock } from '../lib/clock.ts';
import { VigieError } from '../lib/errors.ts';
import { PLATFORM_TENANT, type TenantId } from '../model/tenant.ts';
import type { CollectionSpec, DocumentStore } from '../store/documents.ts';
import type { Role } from './context.ts';
import { DocumentMirror } from './document-mirror.ts';

export const API_KEYS: CollectionSpec = { name: 'api_keys' };
export const KEYS_MAX = 20_000;
const LAST_USED_WRITE_MS = 60_000;

export type Scope = 'ingest' | 'query' | 'admin';

export interface ApiKey {
  readonly id: string;
  readonly name: string;
  /** Tenants and the role on each; 'all' only for platform keys. */
  readonly grants: 'all' | Readonly<Record<string, Role>>;
  /** The tenant of a request that names none. */
  readonly tenant: TenantId;
  /** Absent: whatever the role allows. */
  readonly scopes?: readonly Scope[];
  readonly createdAtMs: number;
  readonly createdBy: string;
  readonly expiresAtMs?: number;
  readonly revokedAtMs?: number;
  readonly lastUsedAtMs?: number;
}
interface StoredKey extends ApiKey {
  readonly hash: string;
}

export interface NewKey {
  readonly name: string;
  readonly grants: ApiKey['grants'];
  readonly tenant: TenantId;
  readonly scopes?: readonly Scope[];
  readonly expiresAtMs?: number;
  readonly createdBy: string;
}

const KEY = /^vg_([0-9a-f]{16})_([A-Za-z0-9_-]{43})$/;
const hashOf = (secret: string): Buffer => createHash('sha256').update(secret).digest();
/** Compared with when no key has the id, so that an unknown id takes the time of a wrong secret. */
const NOBODY = hashOf('nobody');

export class ApiKeys {
  readonly #clock: Clock;
  /** The copy that answers; for shared-copies.ts. */
  readonly mirror: DocumentMirror<StoredKey>;
  readonly #onRevoke = new Set<(id: string) => void>();

  private constructor(documents: DocumentStore, clock: Clock) {
    this.#clock = clock;
    this.mirror = new DocumentMirror(
      API_KEYS.name,
      () => documents.collection<StoredKey>(PLATFORM_TENANT, API_KEYS),
      (id, after, before) => {
        const worked = before !== undefined && before.revokedAtMs === undefined;
        if (worked && (!after || after.body.revokedAtMs !== undefined))
          for (const listener of this.#onRevoke) listener(id);
      },
    );
  }

  static async open(documents: DocumentStore, clock: Clock): Promise<ApiKeys> {
    const keys = new ApiKeys(documents, clock);
    await keys.refresh();
    return keys;
  }

  /** Reads all keys again, for what other processes created and revoked. */
  refresh(): Promise<void> {
    return this.mirror.refresh();
  }

  /** The new key in full: the only time it can be read. */
  async create(input: NewKey): Promise<{ readonly key: string; readonly info: ApiKey }> {
    if (this.mirror.size >= KEYS_MAX) throw new VigieError('quota', `at most ${KEYS_MAX} keys`);
    const id = randomBytes(8).toString('hex');
    const secret = randomBytes(32).toString('base64url');
    const stored: StoredKey = { ...input, id, createdAtMs: this.#clock.now(), hash: hashOf(secret).toString('hex') };
    await this.mirror.put(id, stored, 'absent');
    return { key: `vg_${id}_${secret}`, info: withoutHash(stored) };
  }

  /** The first platform-admin key. Throws `conflict` when any platform key exists already. */
  async bootstrap(createdBy: string): Promise<string> {
    const existing = this.mirror.values().find((k) => k.grants === 'all' && k.revokedAtMs === undefined);
    if (existing)
      throw new VigieError(
        'conflict',
        `a platform-admin key exists already (${existing.name}, id ${existing.id}); create further keys with it`,
      );
    return (await this.create({ name: 'bootstrap', grants: 'all', tenant: PLATFORM_TENANT, createdBy })).key;
  }

  /** The key that `presented` is, or undefined; does not tell why not. */
  verify(presented: string): ApiKey | undefined {
    const m = KEY.exec(presented);
    const stored = m ? this.mirror.get(m[1]!) : undefined;
    const same = timingSafeEqual(hashOf(m?.[2] ?? ''), stored ? Buffer.from(stored.hash, 'hex') : NOBODY);
    if (!same || !stored) return undefined;
    const now = this.#clock.now();
    if (stored.revokedAtMs !== undefined || (stored.expiresAtMs !== undefined && stored.expiresAtMs <= now))
      return undefined;
    if (now - (stored.lastUsedAtMs ?? 0) > LAST_USED_WRITE_MS) {
      // only a courtesy to operators: losing it loses nothing
      this.mirror.touch(stored.id, { ...stored, lastUsedAtMs: now });
    }
    return withoutHash(stored);
  }

  list(): readonly ApiKey[] {
    return this.mirror
      .values()
      .map(withoutHash)
      .sort((a, b) => a.createdAtMs - b.createdAtMs);
  }

  get(id: string): ApiKey | undefined {
    const stored = this.mirror.get(id);
    return stored && withoutHash(stored);
  }

  /** From now on the key is worth nothing; its open streams are closed by listeners. */
  async revoke(id: string): Promise<void> {
    const found = await this.mirror.change(id, (key) =>
      key.revokedAtMs === undefined ? { ...key, revokedAtMs: this.#clock.now() } : undefined,
    );
    if (!found) throw new VigieError('not_found', `no key ${JSON.stringify(id.slice(0, 40))}`);
  }

  /** Called with the id of a key that was revoked or removed, here or by another process. */
  onRevoke(listener: (id: string) => void): () => void {
    this.#onRevoke.add(listener);
    return () => void this.#onRevoke.delete(listener);
  }

  /** Keys of a deleted tenant go with it; keys with other grants lose this one. */
  async forgetTenant(tenant: TenantId): Promise<void> {
    for (const { id, grants: known } of this.mirror.values()) {
      if (known === 'all' || known[tenant] === undefined) continue;
      const left = await this.mirror.change(id, (key) => {
        if (key.grants === 'all' || key.grants[tenant] === undefined) return undefined;
        const { [tenant]: _gone, ...grants } = key.grants;
        const first = Object.keys(grants)[0] as TenantId | undefined;
        return { ...key, grants, tenant: key.tenant === tenant && first ? first : key.tenant };
      });
      if (left && Object.keys(left.body.grants).length === 0) await this.mirror.remove(id);
    }
  }
}

function withoutHash({ hash: _hash, ...key }: StoredKey): ApiKey {
  return key;
}
