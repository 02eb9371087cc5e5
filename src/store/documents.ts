/**
 * Documents in SQL: small JSON bodies with indexed columns, per tenant, with optimistic versions. Collections are
 * declared once (name, indexed fields); embedded SQLite and PostgreSQL run the same migrations and the same suite.
 */
import type { TenantId } from '../model/tenant.ts';

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json | undefined };

export interface CollectionSpec {
  /** `[a-z_]+`; names the rows in the shared `documents` table. */
  readonly name: string;
  /** Top-level body fields that can be filtered and ordered by; at most 6. Strings or finite numbers. */
  readonly indexed?: readonly string[];
}

export interface StoredDocument<T> {
  readonly tenant: TenantId;
  readonly id: string;
  /** Starts at 1, +1 with each put. */
  readonly version: number;
  readonly body: T;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
}

export interface ListOptions {
  /** Equality on indexed fields. */
  readonly where?: Readonly<Record<string, string | number>>;
  /** Half-open ranges on indexed fields. */
  readonly range?: Readonly<Record<string, { readonly from?: string | number; readonly to?: string | number }>>;
  readonly orderBy?: { readonly field: string; readonly direction: 'asc' | 'desc' };
  /** Default and largest 1,000. */
  readonly limit?: number;
  /** Opaque, from the previous page. */
  readonly after?: string;
}

export interface Page<T> {
  readonly items: readonly StoredDocument<T>[];
  /** Present when there is more. */
  readonly next?: string;
}

export interface Collection<T> {
  get(id: string): Promise<StoredDocument<T> | undefined>;
  list(options?: ListOptions): Promise<Page<T>>;
  count(where?: Readonly<Record<string, string | number>>): Promise<number>;
  /**
   * Writes one document. `expect`: 'absent' refuses an existing one, a number demands that version, undefined overwrites.
   * Throws `conflict`. Resolved means durable.
   */
  put(id: string, body: T, expect?: 'absent' | number): Promise<StoredDocument<T>>;
  /** Missing ids are no error. */
  delete(id: string, expect?: number): Promise<boolean>;
}

export interface DocumentTransaction {
  collection<T>(tenant: TenantId, spec: CollectionSpec): Collection<T>;
}

export interface DocumentStore {
  collection<T>(tenant: TenantId, spec: CollectionSpec): Collection<T>;
  /** All or nothing; retried on serialisation failures, so `work` may run more than once. */
  transaction<R>(work: (tx: DocumentTransaction) => Promise<R>): Promise<R>;
  /** Tenants that own at least one document; for platform roles only. */
  tenants(): Promise<readonly TenantId[]>;
  deleteTenant(tenant: TenantId): Promise<void>;
  /** Every document of a tenant, for export. */
  exportTenant(
    tenant: TenantId,
  ): AsyncIterable<{ readonly collection: string; readonly document: StoredDocument<Json> }>;
  /** A consistent copy; embedded only, PostgreSQL throws `unsupported` and names pg_dump. */
  snapshot(file: string): Promise<void>;
  /** Answers when the database does; throws `unavailable`. */
  ping(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}
