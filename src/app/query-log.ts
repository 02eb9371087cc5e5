/** Finished queries of each tenant, newest first, bounded; in memory only. */

import type { QueryLogAnswer } from '../http/contract/insight.ts';
import type { FinishedQuery } from '../http/prometheus/query.ts';
import type { TenantId } from '../model/tenant.ts';

/** Queries remembered per tenant, and characters of each. */
export const QUERIES_KEPT_MAX = 1_000;
const EXPR_CHARS_MAX = 4_000;
const TENANTS_MAX = 20_000;

type Entry = QueryLogAnswer['queries'][number];

export class QueryLog {
  readonly #tenants = new Map<TenantId, Entry[]>();

  add(tenant: TenantId, by: string, query: Omit<FinishedQuery, 'kind'> & { readonly kind: Entry['kind'] }): void {
    let entries = this.#tenants.get(tenant);
    if (!entries) {
      if (this.#tenants.size >= TENANTS_MAX) return;
      this.#tenants.set(tenant, (entries = []));
    }
    entries.push({
      atMs: query.startedMs,
      kind: query.kind,
      expr: query.expr.slice(0, EXPR_CHARS_MAX),
      durationMs: query.durationMs,
      samples: query.samples,
      series: query.series,
      error: query.error,
      by,
    });
    if (entries.length > QUERIES_KEPT_MAX * 1.2) entries.splice(0, entries.length - QUERIES_KEPT_MAX);
  }

  list(tenant: TenantId, limit: number, minMs: number): readonly Entry[] {
    const out: Entry[] = [];
    const entries = this.#tenants.get(tenant) ?? [];
    for (let i = entries.length - 1; i >= 0 && out.length < limit; i--)
      if (entries[i]!.durationMs >= minMs) out.push(entries[i]!);
    return out;
  }

  forget(tenant: TenantId): void {
    this.#tenants.delete(tenant);
  }
}
