import { afterEach, describe, expect, it } from 'vitest';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { MemoryDocuments } from '../../test/support/memory-documents.ts';
import { openStore, sample, T0 } from '../../test/support/metrics-store.ts';
import { temporaryFolder } from '../../test/support/peers.ts';
import { silentLogger } from '../lib/logger.ts';
import { type TenantId, tenantId } from '../model/tenant.ts';
import { compileMatcher } from '../regex/matcher.ts';
import {
  CALLERS_PER_TENANT_MAX,
  EDGE_FORGOTTEN_MS,
  EDGES_PER_CALLER_MAX,
  EdgeDiscovery,
  LOOK_EVERY_MS,
  type MeasuredEdge,
} from '../services/edge-discovery.ts';
import { TenantDirectory } from '../tenancy/tenant-directory.ts';
import { Queries } from './queries.ts';

const acme = tenantId('acme');
const zeta = tenantId('zeta-corp');
const NOW = T0 + 3_600_000;
const disposals: (() => unknown)[] = [];
afterEach(async () => {
  for (const d of disposals.splice(0).reverse()) await d();
});

/** The real store and the real query engine under the discovery. */
async function world() {
  const folder = temporaryFolder();
  const clock = new FakeClock(NOW);
  const documents = new MemoryDocuments();
  const store = await openStore(folder.path, { clock, compileMatcher });
  disposals.push(
    () => folder[Symbol.dispose](),
    () => store[Symbol.asyncDispose](),
  );
  const directory = await TenantDirectory.open(documents, clock, [acme, zeta]);
  const queries = new Queries({ store, directory, clock, features: [] });
  const discovery = () =>
    new EdgeDiscovery({
      documents,
      tenants: () => [acme, zeta],
      query: async (t, expr) =>
        (await queries.vector(t, expr, clock.now())).map((s) => ({ label: (n) => s.labels.get(n), value: s.value })),
      clock,
      logger: silentLogger,
    });
  /** A counter that grew by one a second over the last eight minutes. */
  const counted = (tenant: TenantId, name: string, labels: Record<string, string>, perSecond = 1) =>
    store
      .writer(tenant)
      .appendSamples(
        Array.from({ length: 9 }, (_, i) => sample(name, clock.now() - (8 - i) * 60_000, i * 60 * perSecond, labels)),
      );
  return { clock, documents, discovery, counted };
}
const short = (edges: readonly { from: string; to: string; sources: readonly string[] }[]): string[] =>
  edges.map((e) => `${e.from} -> ${e.to} (${e.sources.join('+')})`);

describe('edges between services, from what tracing and meshes write', () => {
  it('reads service graphs, span metrics of Tempo and the Collector, and Istio; each tenant its own', async () => {
    const { discovery, counted } = await world();
    const graph = 'traces_service_graph_request_total';
    await counted(acme, graph, { client: 'web', server: 'api', connection_type: '' }, 9);
    await counted(acme, graph, { client: 'api', server: 'orders', connection_type: 'database' }, 8);
    await counted(acme, graph, { client: 'user', server: 'web', connection_type: 'virtual_node' }, 7);
    await counted(acme, graph, { client: 'api', server: 'mailer', connection_type: 'messaging_system' }, 6);
    await counted(acme, graph, { client: 'idle', server: 'api' }, 0);
    await counted(
      acme,
      'traces_spanmetrics_calls_total',
      { service: 'web', span_kind: 'SPAN_KIND_CLIENT', peer_service: 'api' },
      5,
    );
    await counted(
      acme,
      'traces_span_metrics_calls_total',
      { service_name: 'api', span_kind: 'SPAN_KIND_CLIENT', peer_service: 'cache', db_system: 'redis' },
      4,
    );
    await counted(acme, 'calls_total', { service_name: 'api', span_kind: 'SPAN_KIND_SERVER', peer_service: 'web' }, 3);
    await counted(
      acme,
      'istio_requests_total',
      { reporter: 'source', source_canonical_service: 'web', destination_canonical_service: 'search' },
      2,
    );
    await counted(zeta, graph, { client: 'theirs', server: 'secret' });
    const d = discovery();
    expect(short(await d.edges(acme))).toEqual([
      'service:web -> service:api (service_graph+span_metrics)',
      'service:api -> database:orders (service_graph)',
      'service:api -> service:mailer (service_graph)',
      'service:api -> database:cache (span_metrics)',
      'service:web -> service:search (mesh)',
    ]);
    expect((await d.edges(acme))[0]).toMatchObject({ firstSeenMs: NOW, lastSeenMs: NOW });
    expect((await d.edges(acme))[0]!.callsPerSecond).toBeCloseTo((9 * 480) / 600, 6);
    expect(short(await d.edges(zeta))).toEqual(['service:theirs -> service:secret (service_graph)']);
  });

  it('remembers an edge whose caller fell silent, over a restart too, and forgets it after a week', async () => {
    const { clock, discovery, counted } = await world();
    await counted(acme, 'traces_service_graph_request_total', { client: 'web', server: 'api' });
    await discovery().edges(acme);
    await clock.advance(3_600_000);
    const restarted = discovery();
    expect(await restarted.edges(acme)).toMatchObject([{ from: 'service:web', lastSeenMs: NOW }]);
    expect(await restarted.edges(zeta)).toEqual([]);
    await clock.advance(EDGE_FORGOTTEN_MS);
    expect(await restarted.edges(acme)).toEqual([]);
    expect(await discovery().edges(acme)).toEqual([]);
  });
});

describe('EdgeDiscovery', () => {
  const measured = (client: string, server: string, value = 1): MeasuredEdge => ({
    label: (n) => (n === 'client' ? client : n === 'server' ? server : ''),
    value,
  });
  const only = (options: {
    clock: FakeClock;
    documents?: MemoryDocuments;
    tenants?: readonly TenantId[];
    query: (tenant: TenantId, expr: string) => Promise<readonly MeasuredEdge[]>;
  }) => {
    const d = new EdgeDiscovery({
      documents: options.documents ?? new MemoryDocuments(),
      tenants: () => options.tenants ?? [acme],
      query: options.query,
      clock: options.clock,
      logger: silentLogger,
    });
    disposals.push(() => d.stop());
    return d;
  };

  it('keeps to its limits and prefers the busiest', async () => {
    const fan = Array.from({ length: EDGES_PER_CALLER_MAX + 20 }, (_, i) => measured('hub', `s${i}`, i + 1));
    const many = Array.from({ length: CALLERS_PER_TENANT_MAX + 20 }, (_, i) => measured(`c${i}`, 'db', 0.5));
    const d = only({
      clock: new FakeClock(),
      query: async (_t, expr) => (expr.includes('service_graph') ? [...many, ...fan] : []),
    });
    const edges = await d.edges(acme);
    expect(edges.filter((e) => e.from === 'service:hub')).toHaveLength(EDGES_PER_CALLER_MAX);
    expect(edges[0]).toMatchObject({ to: `service:s${EDGES_PER_CALLER_MAX + 19}` });
    expect(new Set(edges.map((e) => e.from)).size).toBeLessThanOrEqual(CALLERS_PER_TENANT_MAX);
  });

  it('leaves out itself, nobody, over-long names and values that are not calls', async () => {
    const odd = [
      measured('a', 'a'),
      measured('', 'b'),
      measured('unknown', 'b'),
      measured('x'.repeat(101), 'b'),
      measured('a', 'b', Number.NaN),
      measured('a', 'b', 0),
    ];
    const d = only({ clock: new FakeClock(), query: async () => odd });
    expect(await d.edges(acme)).toEqual([]);
  });

  it('looks at every tenant by itself, and one that fails holds up no other', async () => {
    const clock = new FakeClock();
    const asked = new Map<string, number>();
    const documents = new MemoryDocuments();
    const d = only({
      clock,
      documents,
      tenants: [acme, zeta],
      query: async (t) => {
        asked.set(t, (asked.get(t) ?? 0) + 1);
        if (t === acme) throw new Error('no store');
        return [measured('web', 'api')];
      },
    });
    d.start();
    await clock.advance(60_000);
    const probes = asked.get(zeta)!;
    expect(asked.get(acme)).toBe(probes);
    expect(await d.edges(zeta)).toHaveLength(1);
    await clock.advance(LOOK_EVERY_MS);
    expect(asked.get(zeta)).toBe(2 * probes);
    // seen again, but not written again
    expect((await documents.collection(zeta, { name: 'service_edges' }).get('service:web'))?.version).toBe(1);
  });
});
