/**
 * What happened, per tenant, with ids, bounded: the source of the live stream. A reader that comes back with the last
 * id it saw gets what it missed, or learns that too much has passed and asks for a snapshot. In memory, by intent: the
 * truth is in the stores; after a restart every reader starts from a snapshot.
 */
import type { TenantId } from '../model/tenant.ts';

/** Events kept per tenant for readers that come back. */
export const EVENTS_KEPT_MAX = 2_000;
/** Readers of one tenant at a time. */
export const READERS_PER_TENANT_MAX = 500;

export interface LiveEvent {
  /** `<boot>-<sequence>`; opaque to clients. */
  readonly id: string;
  readonly kind: string;
  readonly atMs: number;
  readonly data: unknown;
}

type Listener = (event: LiveEvent) => void;

interface Channel {
  sequence: number;
  readonly events: LiveEvent[];
  readonly listeners: Set<Listener>;
}

export class EventLog {
  readonly #boot: string;
  readonly #channels = new Map<TenantId, Channel>();

  /** `boot` tells this process's ids from those of the one before, e.g. its start time in base 36. */
  constructor(boot: string) {
    this.#boot = boot;
  }

  append(tenant: TenantId, kind: string, atMs: number, data: unknown): LiveEvent {
    const channel = this.#channel(tenant);
    const event: LiveEvent = { id: `${this.#boot}-${++channel.sequence}`, kind, atMs, data };
    channel.events.push(event);
    // trimmed in bulk: shifting one by one would copy the array with each event
    if (channel.events.length > EVENTS_KEPT_MAX * 2) channel.events.splice(0, channel.events.length - EVENTS_KEPT_MAX);
    for (const listener of channel.listeners) listener(event);
    return event;
  }

  /** Events after `lastId`, or 'gap' when they are no longer (or were never) here. */
  since(tenant: TenantId, lastId: string): readonly LiveEvent[] | 'gap' {
    const channel = this.#channels.get(tenant);
    const m = /^([0-9a-z]+)-(\d{1,15})$/.exec(lastId);
    if (!m || m[1] !== this.#boot || !channel) return 'gap';
    const last = Number(m[2]);
    if (last > channel.sequence) return 'gap';
    const oldest = channel.sequence - channel.events.length;
    if (last < oldest) return 'gap';
    return channel.events.slice(last - oldest);
  }

  /** The id of the newest event: where a snapshot taken now belongs. */
  lastId(tenant: TenantId): string {
    return `${this.#boot}-${this.#channels.get(tenant)?.sequence ?? 0}`;
  }

  /** Calls `listener` with each new event; undefined when the tenant has too many readers. */
  subscribe(tenant: TenantId, listener: Listener): (() => void) | undefined {
    const channel = this.#channel(tenant);
    if (channel.listeners.size >= READERS_PER_TENANT_MAX) return undefined;
    channel.listeners.add(listener);
    return () => void channel.listeners.delete(listener);
  }

  readers(tenant: TenantId): number {
    return this.#channels.get(tenant)?.listeners.size ?? 0;
  }

  forget(tenant: TenantId): void {
    this.#channels.delete(tenant);
  }

  #channel(tenant: TenantId): Channel {
    let channel = this.#channels.get(tenant);
    if (!channel) {
      channel = { sequence: 0, events: [], listeners: new Set() };
      this.#channels.set(tenant, channel);
    }
    return channel;
  }
}
