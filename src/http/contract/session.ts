/**
 * Who is using the console, and how they come in. `GET /vigie/v1/session` always answers 200: signed out is a state,
 * not an error. Keys and passwords travel in bodies only and never come back.
 */
import { z } from 'zod';
import type { Role } from '../../tenancy/context.ts';

/** `POST /vigie/v1/session`: trades a key, or a local account, for an HttpOnly SameSite=Strict cookie. */
export const signInInput = z.union([
  z.strictObject({ key: z.string().min(1).max(500) }),
  z.strictObject({ user: z.string().min(1).max(200), password: z.string().min(1).max(1_000) }),
]);
export type SignInInput = z.infer<typeof signInInput>;

export interface TenantChoice {
  readonly id: string;
  /** For people; the id when no name was given. */
  readonly name: string;
  readonly role: Role;
  /** Its data comes from the demonstration's generator; shown as synthetic wherever it appears. */
  readonly synthetic: boolean;
}

/** `GET /vigie/v1/session`, and what a successful sign-in answers. `DELETE /vigie/v1/session` signs out (204). */
export interface SessionAnswer {
  readonly state: 'signed_in' | 'signed_out';
  /** Send as header `X-Vigie-CSRF` with every request that is not GET or HEAD; '' when no cookie is used (dev on loopback). */
  readonly csrfToken: string;
  readonly principal?: { readonly id: string; readonly name: string; readonly kind: string };
  /** Tenants this person may see, by name; empty when signed out. Nobody learns of others. */
  readonly tenants: readonly TenantChoice[];
  /** The tenant used when the console's address names none. */
  readonly defaultTenant: string;
  /** True for platform roles: administration of all tenants. */
  readonly platform: boolean;
  readonly environment: 'dev' | 'staging' | 'prod';
  readonly version: string;
  /** Which sign-in forms to offer. */
  readonly methods: readonly ('key' | 'password' | 'proxy')[];
}
