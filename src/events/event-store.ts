/**
 * Events per tenant: deploys, configuration changes, feedback, conversions, business events. Kept as documents, counted
 * as the ordinary series `vigie_events_total{type,source}`, shown as annotations. The same (source, id) counts once.
 */
import { createHash } from 'node:crypto';
import type { Clock, Timer } from '../lib/clock.ts';
import { isVigieError, messageOf } from '../lib/errors.ts';
import type { Logger } from '../lib/logger.ts';
import { Labels } from '../model/labels.ts';
import type { Sample } from '../model/sample.ts';
import type { TenantId } from '../model/tenant.ts';
import type { CollectionSpec, DocumentStore, Json } from '../store/documents.ts';
import type { CloudEvent } from './cloud-event.ts';

export const EVENTS: CollectionSpec = { name: 'events', indexed: ['type', 'source', 'timeMs'] };

/** Distinct (type, source) pairs counted per tenant; further ones are counted as type "_other". */
export const EVENT_KINDS_MAX = 200;
/** How often the counters are written as samples. */
const COUNTER_INTERVAL_MS = 15_000;
const SWEEP_INTERVAL_MS = 3_600_000;
const SWEEP_BATCH = 500;
/** Batches per tenant and sweep; the rest waits for the next one. */
const SWEEP_BATCHES_MAX = 200;

export interface EventStoreOptions {
  readonly documents: DocumentStore;
  readonly writeSamples: (tenant: TenantId, samples: readonly Sample[]) => Promise<unknown>;
  readonly onEvent?: (tenant: TenantId, event: CloudEvent) => void;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Events older than this are removed; 0 keeps all. */
  readonly retentionMs: number;
}

export interface EventFilter {
  readonly type?: string;
  readonly source?: string;
  readonly fromMs?: number;
  readonly toMs?: number;
  readonly limit?: number;
  readonly after?: string;
}

export class EventStore {
  readonly #options: EventStoreOptions;
  readonly #counts = new Map<TenantId, Map<string, { labels: Labels; value: number }>>();
  #counterTimer: Timer | undefined;
  #sweepTimer: Timer | undefined;

  constructor(options: EventStoreOptions) {
    this.#options = options;
  }

  start(): void {
    const { clock } = this.#options;
    const count = (): void => {
      void this.#writeCounters();
      this.#counterTimer = clock.setTimer(count, COUNTER_INTERVAL_MS);
    };
    const sweep = (): void => {
      void this.#sweep().catch((error) =>
        this.#options.logger.warn('sweeping old events failed', { error: messageOf(error) }),
      );
      this.#sweepTimer = clock.setTimer(sweep, SWEEP_INTERVAL_MS);
    };
    this.#counterTimer = clock.setTimer(count, COUNTER_INTERVAL_MS);
    if (this.#options.retentionMs > 0) this.#sweepTimer = clock.setTimer(sweep, SWEEP_INTERVAL_MS);
  }

  stop(): void {
    this.#counterTimer?.cancel();
    this.#sweepTimer?.cancel();
  }

  /** Stores events durably; answers how many were new. */
  async add(tenant: TenantId, events: readonly CloudEvent[]): Promise<{ stored: number; duplicates: number }> {
    const collection = this.#options.documents.collection<Json>(tenant, EVENTS);
    let stored = 0;
    let duplicates = 0;
    await Promise.all(
      events.map(async (event) => {
        try {
          await collection.put(documentId(event), event as unknown as Json, 'absent');
        } catch (error) {
          if (!isVigieError(error, 'conflict')) throw error;
          duplicates++;
          return;
        }
        stored++;
        this.#count(tenant, event);
        this.#options.onEvent?.(tenant, event);
      }),
    );
    return { stored, duplicates };
  }

  /** Newest first. */
  async list(tenant: TenantId, filter: EventFilter): Promise<{ events: readonly CloudEvent[]; next?: string }> {
    const where: Record<string, string> = {};
    if (filter.type !== undefined) where['type'] = filter.type;
    if (filter.source !== undefined) where['source'] = filter.source;
    const timeMs: { from?: number; to?: number } = {};
    if (filter.fromMs !== undefined) timeMs.from = filter.fromMs;
    if (filter.toMs !== undefined) timeMs.to = filter.toMs;
    const page = await this.#options.documents.collection<CloudEvent>(tenant, EVENTS).list({
      where,
      range: { timeMs },
      orderBy: { field: 'timeMs', direction: 'desc' },
      limit: filter.limit ?? 100,
      ...(filter.after === undefined ? {} : { after: filter.after }),
    });
    return { events: page.items.map((d) => d.body), ...(page.next === undefined ? {} : { next: page.next }) };
  }

  forget(tenant: TenantId): void {
    this.#counts.delete(tenant);
  }

  #count(tenant: TenantId, event: CloudEvent): void {
    let kinds = this.#counts.get(tenant);
    if (!kinds) this.#counts.set(tenant, (kinds = new Map()));
    let key = `${event.type}\u0000${event.source}`;
    let labels = { __name__: 'vigie_events_total', type: event.type, source: event.source };
    if (!kinds.has(key) && kinds.size >= EVENT_KINDS_MAX) {
      key = '_other';
      labels = { ...labels, type: '_other', source: '_other' };
    }
    let kind = kinds.get(key);
    if (!kind) kinds.set(key, (kind = { labels: Labels.from(labels), value: 0 }));
    kind.value++;
  }

  async #writeCounters(): Promise<void> {
    const timestampMs = this.#options.clock.now();
    for (const [tenant, kinds] of this.#counts) {
      const samples = [...kinds.values()].map((k): Sample => ({ labels: k.labels, timestampMs, value: k.value }));
      try {
        await this.#options.writeSamples(tenant, samples);
      } catch (error) {
        this.#options.logger.warn('event counters could not be written', { tenant, error: messageOf(error) });
      }
    }
  }

  async #sweep(): Promise<void> {
    const olderThan = this.#options.clock.now() - this.#options.retentionMs;
    for (const tenant of await this.#options.documents.tenants()) {
      const collection = this.#options.documents.collection<Json>(tenant, EVENTS);
      for (let batch = 0; batch < SWEEP_BATCHES_MAX; batch++) {
        const page = await collection.list({
          range: { timeMs: { to: olderThan } },
          orderBy: { field: 'timeMs', direction: 'asc' },
          limit: SWEEP_BATCH,
        });
        for (const d of page.items) await collection.delete(d.id);
        if (page.items.length < SWEEP_BATCH) break;
      }
    }
  }
}

/** (source, id) identifies an event; hashed, because both are free text. */
const documentId = (event: CloudEvent): string =>
  createHash('sha256').update(`${event.source}\u0000${event.id}`).digest('hex').slice(0, 40);
