/** What incidents know of a tenant's world: service graph and tenant picture, asked for at most once a minute. */
import { messageOf } from '../lib/errors.ts';
import type { TenantId } from '../model/tenant.ts';
import type { IncidentPorts, TenantPicture } from './collections.ts';
import { ServiceGraph } from './service-graph.ts';

const FACTS_MS = 60_000;

export class Facts {
  graph = new ServiceGraph([]);
  picture: TenantPicture = { tier: '', population: [] };
  readonly #tenant: TenantId;
  readonly #ports: IncidentPorts;
  #askedMs = Number.NEGATIVE_INFINITY;

  constructor(tenant: TenantId, ports: IncidentPorts) {
    this.#tenant = tenant;
    this.#ports = ports;
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
    } catch (error) {
      ports.logger.warn('services or tenant facts could not be read', {
        tenant: this.#tenant,
        error: messageOf(error),
      });
    }
  }
}
