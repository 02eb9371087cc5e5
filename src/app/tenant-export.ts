/** Everything of a tenant as JSON lines: the tenant, its documents, its series with samples in windows of a day. */

import { redactConfig } from '../http/alertmanager/redact-config.ts';
import type { TenantId } from '../model/tenant.ts';
import type { DocumentStore, Json } from '../store/documents.ts';
import type { MetricsStore } from '../store/metrics.ts';
import type { TenantDirectory } from '../tenancy/tenant-directory.ts';

const WINDOW_MS = 86_400_000;

/** Secrets leave by no answer, an export included. */
const SECRET_COLLECTIONS: ReadonlySet<string> = new Set(['callback_secrets']);

function withoutSecrets(body: Json): Json {
  const { alertmanager, ...rest } = body as { readonly [key: string]: Json | undefined };
  if (typeof alertmanager === 'string') return { ...rest, alertmanager: redactConfig(alertmanager) };
  const routing = alertmanager as { readonly yaml?: string } | undefined;
  return routing?.yaml === undefined
    ? body
    : { ...rest, alertmanager: { ...routing, yaml: redactConfig(routing.yaml) } };
}

export interface TenantExportParts {
  readonly directory: TenantDirectory;
  readonly documents: DocumentStore;
  readonly store: MetricsStore;
}

/** One line a record: {kind: 'tenant'|'document'|'series'|'end', ...}. Keys and accounts stay with the platform; secrets are left out. */
export async function* exportTenant(tenant: TenantId, parts: TenantExportParts): AsyncIterable<string> {
  const line = (value: unknown): string => `${JSON.stringify(value)}\n`;
  yield line({ kind: 'tenant', format: 1, tenant: parts.directory.get(tenant) });
  let documents = 0;
  for await (const { collection, document } of parts.documents.exportTenant(tenant)) {
    if (SECRET_COLLECTIONS.has(collection)) continue;
    documents++;
    yield line({
      kind: 'document',
      collection,
      id: document.id,
      version: document.version,
      body: collection.startsWith('tenant_config') ? withoutSecrets(document.body) : document.body,
    });
  }
  const stats = parts.store.stats(tenant);
  let samples = 0;
  if (stats.minTimeMs !== undefined && stats.maxTimeMs !== undefined) {
    const reader = parts.store.reader(tenant);
    for (let startMs = stats.minTimeMs; startMs <= stats.maxTimeMs; startMs += WINDOW_MS) {
      const found = await reader.select([{ name: '__name__', op: '!=', value: '' }], {
        startMs,
        endMs: startMs + WINDOW_MS - 1,
      });
      for (const s of found) {
        samples += s.length;
        yield line({
          kind: 'series',
          labels: s.labels.toObject(),
          timestampsMs: [...s.timestamps.subarray(0, s.length)],
          // JSON has no NaN and no infinities
          values: [...s.values.subarray(0, s.length)].map((v) => (Number.isFinite(v) ? v : String(v))),
        });
      }
    }
  }
  yield line({ kind: 'end', documents, samples });
}
