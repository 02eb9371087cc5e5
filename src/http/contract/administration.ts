/** Answers that administration pages show; platform roles see all tenants, a tenant's admin sees the tenant. */
import { z } from 'zod';
import { ROLES, type Role } from '../../tenancy/context.ts';

export const tenantRole = z.enum(ROLES).exclude(['platform_admin']);

/** Use against a limit; `limit` absent: unlimited. */
export interface LimitUse {
  /** `ingest_rate`, `active_series`, `rules`, `query_concurrency`, `storage_bytes`, `notifications` ... */
  readonly id: string;
  readonly unit: 'per_second' | 'count' | 'bytes';
  readonly used: number;
  readonly limit?: number;
}
/** `GET /vigie/v1/tenants`; `PUT /vigie/v1/tenants/:id` with tenantInput; `DELETE` removes (202). */
export interface TenantsAnswer {
  readonly tenants: readonly TenantItem[];
}
export interface TenantItem {
  readonly id: string;
  readonly name: string;
  readonly createdAtMs: number;
  readonly state: 'active' | 'suspended' | 'deleting';
  readonly synthetic: boolean;
  readonly limits: readonly LimitUse[];
}
export const tenantInput = z.strictObject({
  name: z.string().max(200).optional(),
  /** null puts the default back. */
  limits: z.record(z.string(), z.number().min(0).nullable()).optional(),
});
export type TenantInput = z.infer<typeof tenantInput>;

/** `GET /vigie/v1/keys`; `DELETE /vigie/v1/keys/:id` revokes and closes its streams (204). */
export interface KeysAnswer {
  readonly keys: readonly KeyItem[];
}
export interface KeyItem {
  readonly id: string;
  readonly name: string;
  readonly role: Role;
  readonly scopes: readonly ('ingest' | 'query' | 'admin')[];
  readonly createdAtMs: number;
  readonly createdBy: string;
  readonly expiresAtMs?: number;
  readonly lastUsedAtMs?: number;
}
/** `POST /vigie/v1/keys`. */
export const keyInput = z.strictObject({
  name: z.string().min(1).max(200),
  role: z.enum(ROLES),
  scopes: z.array(z.enum(['ingest', 'query', 'admin'])).optional(),
  expiresInMs: z.int().min(60_000).optional(),
});
export type KeyInput = z.infer<typeof keyInput>;
/** The only time the secret is shown. */
export interface KeyCreatedAnswer extends KeyItem {
  readonly secret: string;
}

/** `GET /vigie/v1/users`; `PUT /vigie/v1/users/:name` with userInput; `DELETE` removes and signs out (204). */
export interface UsersAnswer {
  readonly users: readonly { readonly name: string; readonly role: Role; readonly lastSeenMs?: number }[];
}
export const userInput = z.strictObject({
  role: z.enum(ROLES),
  /** Absent: unchanged. */
  password: z.string().min(12).max(1_000).optional(),
});
export type UserInput = z.infer<typeof userInput>;

/** `GET /vigie/v1/audit?limit&before&action&who`: newest first; pass `next` as `before` for the page after. */
export interface AuditAnswer {
  readonly entries: readonly {
    readonly sequence: number;
    readonly atMs: number;
    readonly who: string;
    readonly action: string;
    readonly target: string;
    readonly before?: unknown;
    readonly after?: unknown;
    readonly hash: string;
  }[];
  readonly next?: number;
}
/** `POST /vigie/v1/audit/verify`: walks the chain. */
export interface AuditVerifyAnswer {
  readonly ok: boolean;
  readonly entries: number;
  /** Where the chain breaks. */
  readonly brokenAt?: number;
}
