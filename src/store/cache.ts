/** Cache, rate limits, leases and fan-out: in the process by default, Redis with REDIS_URL. Keys are per tenant. */
import type { TenantId } from '../model/tenant.ts';

export interface Lease {
  /** Grows with every grant of the same name; state writes carry it, and an older one is refused. */
  readonly fencing: number;
  /** False when it was lost meanwhile. */
  renew(): Promise<boolean>;
  release(): Promise<void>;
}

export interface Cache {
  get(tenant: TenantId, key: string): Promise<string | undefined>;
  set(tenant: TenantId, key: string, value: string, ttlMs: number): Promise<void>;
  delete(tenant: TenantId, key: string): Promise<void>;
  /** Token bucket: takes `cost` tokens or says after how many ms they would be there. */
  take(
    tenant: TenantId,
    bucket: string,
    cost: number,
    limit: { readonly perSecond: number; readonly burst: number },
  ): Promise<{ readonly ok: boolean; readonly retryAfterMs: number }>;
  acquireLease(name: string, holder: string, ttlMs: number): Promise<Lease | undefined>;
  /** Best effort, at most once; the log behind it is the truth. */
  publish(tenant: TenantId, channel: string, message: string): Promise<void>;
  subscribe(tenant: TenantId, channel: string, onMessage: (message: string) => void): Promise<() => Promise<void>>;
  deleteTenant(tenant: TenantId): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}
