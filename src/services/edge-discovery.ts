/**
 * Who calls whom, read from a tenant's metrics every few minutes. An edge is remembered with where it was seen and
 * when last: during an incident the caller may be what stopped calling. Traces themselves are not read here.
 */
import type { Clock, Timer } from '../lib/clock.ts';
import { messageOf } from '../lib/errors.ts';
import type { Logger } from '../lib/logger.ts';
import type { TenantId } from '../model/tenant.ts';
import type { CollectionSpec, DocumentStore } from '../store/documents.ts';
import { EDGE_PROBES, type EdgeSource, edgeOf } from './edge-metrics.ts';

export const SERVICE_EDGES: CollectionSpec = { name: 'service_edges' };
/** Callers of one tenant, and edges of one caller; the busiest stay. One document a caller. */
export const CALLERS_PER_TENANT_MAX = 1_000;
export const EDGES_PER_CALLER_MAX = 100;
/** An edge that was not seen for this long is forgotten. */
export const EDGE_FORGOTTEN_MS = 7 * 86_400_000;
/** Each tenant is looked at this often. */
export const LOOK_EVERY_MS = 5 * 60_000;
const TICK_MS = 5_000;
/** An edge that is only seen again is written at most this often. */
const SEEN_WRITE_MS = 3_600_000;

export interface DiscoveredEdge {
  /** Components as `kind:name`. */
  readonly from: string;
  readonly to: string;
  readonly sources: readonly EdgeSource[];
  readonly firstSeenMs: number;
  readonly lastSeenMs: number;
  /** At the last sight, by the source that saw most. */
  readonly callsPerSecond: number;
}

interface StoredCaller {
  readonly edges: readonly DiscoveredEdge[];
}

export interface MeasuredEdge {
  readonly label: (name: string) => string;
  readonly value: number;
}

export interface EdgeDiscoveryOptions {
  readonly documents: DocumentStore;
  readonly tenants: () => readonly TenantId[];
  /** An instant vector of the tenant's own metrics, now. */
  readonly query: (tenant: TenantId, expr: string) => Promise<readonly MeasuredEdge[]>;
  readonly clock: Clock;
  readonly logger: Logger;
}

interface Known {
  /** By caller, then by what it calls. */
  readonly callers: Map<string, Map<string, DiscoveredEdge>>;
  /** As last written, by caller. */
  readonly writtenMs: Map<string, number>;
  lookedMs: number;
}

export class EdgeDiscovery {
  readonly #o: EdgeDiscoveryOptions;
  readonly #known = new Map<TenantId, Promise<Known>>();
  readonly #looking = new Map<TenantId, Promise<void>>();
  #timer: Timer | undefined;
  #running: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(options: EdgeDiscoveryOptions) {
    this.#o = options;
  }

  start(): void {
    const tick = (): void => {
      this.#running = this.#lookAround().finally(() => {
        if (!this.#stopped) this.#timer = this.#o.clock.setTimer(tick, TICK_MS);
      });
    };
    this.#timer = this.#o.clock.setTimer(tick, TICK_MS);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    await this.#running;
  }

  /** What is known of a tenant, most used first; looks at its metrics when nobody did lately. */
  async edges(tenant: TenantId): Promise<readonly DiscoveredEdge[]> {
    await this.#look(tenant);
    const { callers } = await this.#of(tenant);
    return [...callers.values()]
      .flatMap((c) => [...c.values()])
      .sort((a, b) => b.callsPerSecond - a.callsPerSecond || (`${a.from} ${a.to}` < `${b.from} ${b.to}` ? -1 : 1));
  }

  /** A share of the tenants each tick, so that all were looked at within the interval. */
  async #lookAround(): Promise<void> {
    const tenants = this.#o.tenants();
    const share = Math.ceil((tenants.length * TICK_MS) / LOOK_EVERY_MS);
    const nowMs = this.#o.clock.monotonicMs();
    let taken = 0;
    for (const tenant of tenants) {
      if (taken >= share || this.#stopped) return;
      const { lookedMs } = await this.#of(tenant);
      if (nowMs - lookedMs < LOOK_EVERY_MS) continue;
      taken++;
      await this.#look(tenant).catch((error: unknown) =>
        this.#o.logger.warn('calls between services could not be read', { tenant, error: messageOf(error) }),
      );
    }
  }

  #of(tenant: TenantId): Promise<Known> {
    let found = this.#known.get(tenant);
    if (!found) {
      found = this.#load(tenant);
      this.#known.set(tenant, found);
      found.catch(() => this.#known.delete(tenant));
    }
    return found;
  }

  async #load(tenant: TenantId): Promise<Known> {
    const collection = this.#o.documents.collection<StoredCaller>(tenant, SERVICE_EDGES);
    const known: Known = { callers: new Map(), writtenMs: new Map(), lookedMs: Number.NEGATIVE_INFINITY };
    const page = await collection.list({ limit: CALLERS_PER_TENANT_MAX });
    for (const { id, body } of page.items) {
      known.callers.set(id, new Map(body.edges.map((e) => [e.to, e])));
      known.writtenMs.set(id, Math.max(...body.edges.map((e) => e.lastSeenMs)));
    }
    return known;
  }

  /** One look of a tenant at a time; at most one in LOOK_EVERY_MS. */
  #look(tenant: TenantId): Promise<void> {
    const under = this.#looking.get(tenant);
    if (under) return under;
    const look = this.#lookNow(tenant).finally(() => this.#looking.delete(tenant));
    this.#looking.set(tenant, look);
    return look;
  }

  async #lookNow(tenant: TenantId): Promise<void> {
    const { clock } = this.#o;
    const known = await this.#of(tenant);
    if (clock.monotonicMs() - known.lookedMs < LOOK_EVERY_MS) return;
    known.lookedMs = clock.monotonicMs();
    const nowMs = clock.now();
    const seen = await this.#measured(tenant);
    const changed = new Set<string>();
    for (const { from, to, sources, callsPerSecond } of seen) {
      const caller = known.callers.get(from) ?? new Map<string, DiscoveredEdge>();
      const old = caller.get(to);
      if (!old && (caller.size >= EDGES_PER_CALLER_MAX || known.callers.size >= CALLERS_PER_TENANT_MAX)) continue;
      known.callers.set(from, caller);
      caller.set(to, { from, to, sources, callsPerSecond, firstSeenMs: old?.firstSeenMs ?? nowMs, lastSeenMs: nowMs });
      if (!old || nowMs - (known.writtenMs.get(from) ?? 0) >= SEEN_WRITE_MS) changed.add(from);
    }
    for (const [from, caller] of known.callers)
      for (const [to, edge] of caller)
        if (nowMs - edge.lastSeenMs > EDGE_FORGOTTEN_MS) {
          caller.delete(to);
          changed.add(from);
        }
    if (changed.size > 0) await this.#write(tenant, known, changed, nowMs);
  }

  async #write(tenant: TenantId, known: Known, changed: ReadonlySet<string>, nowMs: number): Promise<void> {
    await this.#o.documents.transaction(async (tx) => {
      const collection = tx.collection<StoredCaller>(tenant, SERVICE_EDGES);
      for (const from of changed) {
        const edges = [...(known.callers.get(from)?.values() ?? [])];
        if (edges.length > 0) await collection.put(from, { edges });
        else await collection.delete(from);
      }
    });
    for (const from of changed) {
      known.writtenMs.set(from, nowMs);
      if (known.callers.get(from)?.size === 0) known.callers.delete(from);
    }
  }

  /** Edges with calls now, busiest first. A probe that fails sees nothing; when all fail the look failed. */
  async #measured(tenant: TenantId) {
    const found = new Map<string, { from: string; to: string; sources: EdgeSource[]; callsPerSecond: number }>();
    const failures: unknown[] = [];
    for (const probe of EDGE_PROBES) {
      const samples = await this.#o.query(tenant, probe.expr).catch((error: unknown) => {
        failures.push(error);
        return [];
      });
      for (const s of samples) {
        const edge = edgeOf(probe, s.label);
        if (!edge || !(s.value > 0)) continue;
        const key = JSON.stringify([edge.from, edge.to]);
        const old = found.get(key) ?? { ...edge, sources: [], callsPerSecond: 0 };
        if (!old.sources.includes(probe.source)) old.sources.push(probe.source);
        found.set(key, { ...old, callsPerSecond: Math.max(old.callsPerSecond, s.value) });
      }
    }
    if (failures.length === EDGE_PROBES.length) throw failures[0];
    return [...found.values()].sort((a, b) => b.callsPerSecond - a.callsPerSecond);
  }

  /** A removed tenant; its documents are removed by the store. */
  forget(tenant: TenantId): void {
    this.#known.delete(tenant);
  }
}
