/** What incidents and people know of a tenant's surroundings: its services, who calls whom, and how much each tenant uses. */
import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/logger.ts';
import type { TenantId } from '../model/tenant.ts';
import { EdgeDiscovery } from '../services/edge-discovery.ts';
import { ServiceRegistry } from '../services/service-registry.ts';
import type { DocumentStore } from '../store/documents.ts';
import type { PlatformReaderPorts } from '../tenancy/platform-reader.ts';
import type { TenantDirectory } from '../tenancy/tenant-directory.ts';
import { TenantUsage } from '../tenancy/tenant-usage.ts';
import type { Cleanups } from './cleanups.ts';
import type { Options } from './options.ts';
import type { Queries } from './queries.ts';

export interface SurroundingsInput {
  readonly documents: DocumentStore;
  readonly directory: TenantDirectory;
  readonly queries: Queries;
  readonly audit: PlatformReaderPorts['audit'];
  readonly options: () => Options;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly cleanups: Cleanups;
}

export interface Surroundings {
  readonly services: ServiceRegistry;
  readonly edges: EdgeDiscovery;
  readonly usage: TenantUsage;
}

const SERVICES_SEEN_MS = 5 * 60_000;
const SERVICES_SEEN_MAX = 1_000;

export function openSurroundings(input: SurroundingsInput): Surroundings {
  const { documents, directory, queries, audit, options, clock, logger, cleanups } = input;
  const tenants = (): readonly TenantId[] =>
    directory
      .list()
      .filter((t) => t.state === 'active')
      .map((t) => t.id);
  const services = new ServiceRegistry({
    documents,
    measured: (tenant) => measuredServices(queries, tenant, clock),
    clock,
  });
  const edges = new EdgeDiscovery({
    documents,
    tenants,
    query: async (tenant, expr) =>
      (await queries.vector(tenant, expr, clock.now())).map((s) => ({ label: (n) => s.labels.get(n), value: s.value })),
    clock,
    logger,
  });
  edges.start();
  cleanups.add('service edges', () => edges.stop());
  const usage = new TenantUsage({
    reader: (tenant) => queries.reader(tenant),
    audit,
    tenants,
    queries: () => {
      const { platform_query, tenant_query, label } = options().tenant_usage;
      return { platform: platform_query, tenant: tenant_query, label };
    },
    evaluate: async (tenant, reader, expr, range) =>
      (await queries.matrixOf(tenant, reader, expr, range)).map((s) => ({
        label: (name) => s.labels.get(name),
        points: Array.from({ length: s.length }, (_, i) => [s.timestamps[i]!, s.values[i]!] as const),
      })),
    clock,
  });
  return { services, edges, usage };
}

/** Services with data now, by the label `service`, and whether a target of theirs is down. */
async function measuredServices(queries: Queries, tenant: TenantId, clock: Clock) {
  const out = new Map<string, { down: boolean }>();
  const nowMs = clock.now();
  for (const s of await queries.vector(tenant, 'min by (service) (up{service!=""})', nowMs))
    out.set(s.labels.get('service'), { down: s.value === 0 });
  const range = { startMs: nowMs - SERVICES_SEEN_MS, endMs: nowMs };
  for (const name of await queries.reader(tenant).labelValues('service', [], range, SERVICES_SEEN_MAX))
    if (name !== '' && !out.has(name)) out.set(name, { down: false });
  return out;
}
