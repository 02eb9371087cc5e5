/** Who asks, for which tenant, and what they may do there. Every handler receives one. */
import type { TenantId } from '../model/tenant.ts';

/** Each role includes those before it; `platform_admin` is granted on the platform, not on one tenant. */
export const ROLES = ['viewer', 'responder', 'editor', 'admin', 'platform_admin'] as const;
export type Role = (typeof ROLES)[number];

export interface Principal {
  /** Stable and safe to log: key id, user name, `local` in dev mode, `system` for Vigie itself. */
  readonly id: string;
  readonly kind: 'key' | 'session' | 'proxy' | 'local' | 'system';
  readonly name: string;
}

export interface RequestContext {
  readonly tenant: TenantId;
  readonly principal: Principal;
  /** The role of the principal on `tenant`. */
  readonly role: Role;
  /** All tenants the principal may switch to; 'all' for platform roles. */
  readonly grants: 'all' | ReadonlyMap<TenantId, Role>;
  /** Narrowing of a key: 'write' keys can only ingest, 'read' keys only query; absent: whatever the role allows. */
  readonly scopes?: ReadonlySet<'ingest' | 'query' | 'admin'>;
  /** Set when the tenant reads a declared, label-restricted view of the platform tenant: matchers to put into every selector. */
  readonly view?: { readonly name: string; readonly tenantLabel: string; readonly tenantValue: string };
  readonly requestId: string;
}

export function roleAtLeast(role: Role, wanted: Role): boolean {
  return ROLES.indexOf(role) >= ROLES.indexOf(wanted);
}

/** Leaves an audit entry of a change by a request, before the change is acknowledged. */
export type AuditChange = (
  context: RequestContext,
  action: string,
  target: string,
  before: unknown,
  after: unknown,
) => Promise<void>;
