/** What incidents know of a tenant's world: service graph and tenant picture, asked for at most once a minute. */
import { messageOf } from '../lib/errors.ts';
import type { TenantId } from '../model/tenant.ts';
import type { IncidentPorts, TenantPicture } from './collections.ts';
import { ServiceGraph } from './service-graph.ts';
import type { UsageShare } from './verdict.ts';

const FACTS_MS = 60_000;
/** Use per tenant older than this says nothing of an incident now. */
const USAGE_MS = 5 * 60_000;

export class Facts {
  graph = new ServiceGraph([]);
  picture: TenantPicture = { tier: '', population: [] };
  readonly #tenant: TenantId;
  readonly #ports: IncidentPorts;
  #askedMs = Number.NEGATIVE_INFINITY;
  #usage: { readonly atMs: number; readonly shares: readonly UsageShare[] } | undefined;

  constructor(tenant: TenantId, ports: IncidentPorts) {
    this.#tenant = tenant;
    this.#ports = ports;
  }

  /** Asks how much each tenant uses; not on the way of an alert, for it may take long. Never throws. */
  async refreshUsage(): Promise<void> {
    const { usage, clock, logger } = this.#ports;
    try {
      const shares = await usage?.();
      if (!shares) return;
      this.#usage = { atMs: clock.monotonicMs(), shares };
      this.#withUsage();
    } catch (error) {
      logger.warn('how much each tenant uses could not be read', { tenant: this.#tenant, error: messageOf(error) });
    }
  }

  #withUsage(): void {
    const { usage: _old, ...rest } = this.picture;
    const fresh = this.#usage && this.#ports.clock.monotonicMs() - this.#usage.atMs < USAGE_MS;
    this.picture = fresh ? { ...rest, usage: this.#usage!.shares } : rest;
  }

  /** Never throws: correlation goes on with what it knew, an alert is never lost for want of a graph. */
  async refresh(): Promise<void> {
    const ports = this.#ports;
    const nowMs = ports.clock.monotonicMs();
    if (nowMs - this.#askedMs < FACTS_MS) return;
    this.#askedMs = nowMs;
    try {
      const [nodes, edges, picture] = await Promise.all([
        ports.services?.(this.#tenant) ?? [],
        ports.edges?.(this.#tenant) ?? [],
        ports.picture?.(this.#tenant) ?? this.picture,
      ]);
      this.graph = new ServiceGraph(nodes, edges);
      this.picture = picture;
      this.#withUsage();
    } catch (error) {
      ports.logger.warn('services or tenant facts could not be read', {
        tenant: this.#tenant,
        error: messageOf(error),
      });
    }
  }
}
