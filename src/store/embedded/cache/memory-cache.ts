/** The cache of a single process: bounded memory, time from the clock. Nothing here survives a restart, by intent. */
import type { Clock } from '../../../lib/clock.ts';
import { VigieError } from '../../../lib/errors.ts';
import type { TenantId } from '../../../model/tenant.ts';
import type { Cache, Lease } from '../../cache.ts';

/** Bytes of keys and values kept, roughly; the least recently used go first. */
export const CACHE_BYTES_MAX = 64 * 1024 * 1024;
/** One value; Redis refuses the same. */
export const VALUE_BYTES_MAX = 1024 * 1024;
/** Buckets and lease names remembered at a time. */
const BUCKETS_MAX = 100_000;
const SUBSCRIBERS_MAX = 10_000;

interface Entry {
  readonly value: string;
  readonly expiresMs: number;
  readonly bytes: number;
}
interface Bucket {
  tokens: number;
  atMs: number;
}
interface Held {
  readonly holder: string;
  readonly fencing: number;
  expiresMs: number;
}

/** Tenant ids cannot contain a slash, so this names one tenant's key only. */
const keyOf = (tenant: TenantId, key: string): string => `${tenant}/${key}`;

export class MemoryCache implements Cache {
  readonly #clock: Clock;
  readonly #bytesMax: number;
  readonly #entries = new Map<string, Entry>();
  readonly #buckets = new Map<string, Bucket>();
  readonly #leases = new Map<string, Held>();
  readonly #subscribers = new Map<string, Set<(message: string) => void>>();
  #bytes = 0;
  #fencing = 0;
  #subscriberCount = 0;

  constructor(options: { readonly clock: Clock; readonly bytesMax?: number }) {
    this.#clock = options.clock;
    this.#bytesMax = options.bytesMax ?? CACHE_BYTES_MAX;
  }

  get bytes(): number {
    return this.#bytes;
  }

  async get(tenant: TenantId, key: string): Promise<string | undefined> {
    const full = keyOf(tenant, key);
    const entry = this.#entries.get(full);
    if (!entry) return undefined;
    this.#drop(full);
    if (entry.expiresMs <= this.#clock.monotonicMs()) return undefined;
    // put back at the end: the map's order is the order of use
    this.#entries.set(full, entry);
    this.#bytes += entry.bytes;
    return entry.value;
  }

  async set(tenant: TenantId, key: string, value: string, ttlMs: number): Promise<void> {
    const full = keyOf(tenant, key);
    if (Buffer.byteLength(value) > VALUE_BYTES_MAX)
      throw new VigieError('too_large', `a cached value has more than ${VALUE_BYTES_MAX} bytes`);
    this.#drop(full);
    if (ttlMs <= 0) return;
    const bytes = 2 * (full.length + value.length) + 64;
    this.#entries.set(full, { value, expiresMs: this.#clock.monotonicMs() + ttlMs, bytes });
    this.#bytes += bytes;
    for (const oldest of this.#entries.keys()) {
      if (this.#bytes <= this.#bytesMax) break;
      this.#drop(oldest);
    }
  }

  async delete(tenant: TenantId, key: string): Promise<void> {
    this.#drop(keyOf(tenant, key));
  }

  async take(
    tenant: TenantId,
    bucket: string,
    cost: number,
    limit: { readonly perSecond: number; readonly burst: number },
  ): Promise<{ readonly ok: boolean; readonly retryAfterMs: number }> {
    return this.takeNow(tenant, bucket, cost, limit);
  }

  /** `take` without a promise, for hot paths of a single process. */
  takeNow(
    tenant: TenantId,
    bucket: string,
    cost: number,
    limit: { readonly perSecond: number; readonly burst: number },
  ): { readonly ok: boolean; readonly retryAfterMs: number } {
    const full = keyOf(tenant, bucket);
    const nowMs = this.#clock.monotonicMs();
    let state = this.#buckets.get(full);
    if (!state) {
      if (this.#buckets.size >= BUCKETS_MAX) this.#buckets.delete(this.#buckets.keys().next().value!);
      state = { tokens: limit.burst, atMs: nowMs };
      this.#buckets.set(full, state);
    }
    state.tokens = Math.min(limit.burst, state.tokens + ((nowMs - state.atMs) / 1000) * limit.perSecond);
    state.atMs = nowMs;
    if (state.tokens >= cost) {
      state.tokens -= cost;
      return { ok: true, retryAfterMs: 0 };
    }
    // more than the burst never fits; a rate of zero never refills
    if (cost > limit.burst || limit.perSecond <= 0) return { ok: false, retryAfterMs: Number.MAX_SAFE_INTEGER };
    return { ok: false, retryAfterMs: Math.ceil(((cost - state.tokens) / limit.perSecond) * 1000) };
  }

  async acquireLease(name: string, holder: string, ttlMs: number): Promise<Lease | undefined> {
    const held = this.#leases.get(name);
    if (held && held.expiresMs > this.#clock.monotonicMs()) return undefined;
    const mine: Held = { holder, fencing: ++this.#fencing, expiresMs: this.#clock.monotonicMs() + ttlMs };
    this.#leases.set(name, mine);
    const stillMine = (): boolean => this.#leases.get(name) === mine && mine.expiresMs > this.#clock.monotonicMs();
    return {
      fencing: mine.fencing,
      renew: async () => {
        if (!stillMine()) return false;
        mine.expiresMs = this.#clock.monotonicMs() + ttlMs;
        return true;
      },
      release: async () => {
        if (this.#leases.get(name) === mine) this.#leases.delete(name);
      },
    };
  }

  async publish(tenant: TenantId, channel: string, message: string): Promise<void> {
    for (const onMessage of [...(this.#subscribers.get(keyOf(tenant, channel)) ?? [])]) onMessage(message);
  }

  async subscribe(
    tenant: TenantId,
    channel: string,
    onMessage: (message: string) => void,
  ): Promise<() => Promise<void>> {
    if (this.#subscriberCount >= SUBSCRIBERS_MAX)
      throw new VigieError('quota', `the cache has ${SUBSCRIBERS_MAX} subscribers, the most it takes`);
    const full = keyOf(tenant, channel);
    const set = this.#subscribers.get(full) ?? new Set();
    this.#subscribers.set(full, set);
    // a wrapper of its own, so that the same function can be subscribed twice
    const entry = (message: string): void => onMessage(message);
    set.add(entry);
    this.#subscriberCount++;
    return async () => {
      if (!set.delete(entry)) return;
      this.#subscriberCount--;
      if (set.size === 0 && this.#subscribers.get(full) === set) this.#subscribers.delete(full);
    };
  }

  async deleteTenant(tenant: TenantId): Promise<void> {
    const prefix = keyOf(tenant, '');
    for (const key of [...this.#entries.keys()]) if (key.startsWith(prefix)) this.#drop(key);
    for (const key of [...this.#buckets.keys()]) if (key.startsWith(prefix)) this.#buckets.delete(key);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#entries.clear();
    this.#buckets.clear();
    this.#leases.clear();
    this.#subscribers.clear();
    this.#bytes = 0;
  }

  #drop(full: string): void {
    const entry = this.#entries.get(full);
    if (!entry) return;
    this.#entries.delete(full);
    this.#bytes -= entry.bytes;
  }
}
