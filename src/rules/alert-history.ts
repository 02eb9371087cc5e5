/**
 * Keeps the transitions of rules' alerts as documents, newest first when asked. Bounded: a tenant's queue holds so many
 * unwritten transitions, and what is older than the retention is swept.
 */
import type { Clock, Timer } from '../lib/clock.ts';
import { messageOf } from '../lib/errors.ts';
import type { Logger } from '../lib/logger.ts';
import type { SelfMetrics } from '../lib/self-metrics.ts';
import type { AlertTransition } from '../model/alert.ts';
import type { TenantId } from '../model/tenant.ts';
import type { CollectionSpec, DocumentStore } from '../store/documents.ts';

export const ALERT_HISTORY: CollectionSpec = { name: 'alert_history', indexed: ['atMs', 'rule'] };
/** Transitions waiting to be written, over all tenants; more are dropped and counted. */
export const QUEUE_MAX = 20_000;
/** Written in one transaction. */
const BATCH_MAX = 500;
const WRITE_DELAY_MS = 1_000;
const SWEEP_INTERVAL_MS = 3_600_000;
const SWEEP_BATCH = 500;
const SWEEP_BATCHES_MAX = 200;

export interface StoredTransition {
  readonly atMs: number;
  readonly rule: string;
  readonly group: string;
  readonly fingerprint: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly from: AlertTransition['from'];
  readonly to: AlertTransition['to'];
  /** As text: may be NaN or infinite. */
  readonly value: string;
}

export interface AlertHistoryOptions {
  readonly documents: DocumentStore;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: SelfMetrics;
  /** 0 keeps all. */
  readonly retentionMs: number;
}

export interface HistoryFilter {
  readonly startMs: number;
  /** Inclusive. */
  readonly endMs: number;
  readonly rule?: string;
  readonly limit: number;
}

export class AlertHistory implements AsyncDisposable {
  readonly #o: AlertHistoryOptions;
  #queue: { readonly tenant: TenantId; readonly id: string; readonly body: StoredTransition }[] = [];
  #timer: Timer | undefined;
  #sweepTimer: Timer | undefined;
  #writing: Promise<void> = Promise.resolve();
  #sequence = 0;
  readonly #dropped: { inc(by?: number): void };

  constructor(options: AlertHistoryOptions) {
    this.#o = options;
    this.#dropped = options.metrics.counter(
      'vigie_alert_history_dropped_total',
      'Transitions of alerts that were not kept because too many waited to be written.',
    );
    if (options.retentionMs > 0) this.#planSweep();
  }

  /** Takes a transition; it is written within about a second. */
  record(t: AlertTransition): void {
    if (this.#queue.length >= QUEUE_MAX) {
      this.#dropped.inc();
      return;
    }
    const id = `${t.atMs.toString(36)}-${t.fingerprint}-${(this.#sequence++).toString(36)}`;
    this.#queue.push({
      tenant: t.tenant as TenantId,
      id,
      body: {
        atMs: t.atMs,
        rule: t.rule,
        group: t.group,
        fingerprint: t.fingerprint,
        labels: t.labels.toObject(),
        from: t.from,
        to: t.to,
        value: String(t.value),
      },
    });
    this.#timer ??= this.#o.clock.setTimer(() => {
      this.#timer = undefined;
      void this.flush();
    }, WRITE_DELAY_MS);
  }

  /** Newest first. */
  async list(tenant: TenantId, filter: HistoryFilter): Promise<readonly StoredTransition[]> {
    const page = await this.#o.documents.collection<StoredTransition>(tenant, ALERT_HISTORY).list({
      range: { atMs: { from: filter.startMs, to: filter.endMs + 1 } },
      ...(filter.rule === undefined ? {} : { where: { rule: filter.rule } }),
      orderBy: { field: 'atMs', direction: 'desc' },
      limit: filter.limit,
    });
    return page.items.map((d) => d.body);
  }

  /** Writes what waits. */
  flush(): Promise<void> {
    this.#writing = this.#writing.then(() => this.#write());
    return this.#writing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#timer?.cancel();
    this.#sweepTimer?.cancel();
    await this.flush();
  }

  async #write(): Promise<void> {
    while (this.#queue.length > 0) {
      const batch = this.#queue.splice(0, BATCH_MAX);
      try {
        await this.#o.documents.transaction(async (tx) => {
          for (const { tenant, id, body } of batch) await tx.collection(tenant, ALERT_HISTORY).put(id, body);
        });
      } catch (error) {
        this.#dropped.inc(batch.length);
        this.#o.logger.error('the history of alerts could not be written', {
          count: batch.length,
          error: messageOf(error),
        });
        return;
      }
    }
  }

  #planSweep(): void {
    this.#sweepTimer = this.#o.clock.setTimer(() => {
      this.#sweep()
        .catch((error) => this.#o.logger.warn('sweeping the history of alerts failed', { error: messageOf(error) }))
        .finally(() => this.#planSweep());
    }, SWEEP_INTERVAL_MS);
  }

  async #sweep(): Promise<void> {
    const to = this.#o.clock.now() - this.#o.retentionMs;
    for (const tenant of await this.#o.documents.tenants()) {
      const collection = this.#o.documents.collection<StoredTransition>(tenant, ALERT_HISTORY);
      for (let i = 0; i < SWEEP_BATCHES_MAX; i++) {
        const page = await collection.list({
          range: { atMs: { to } },
          orderBy: { field: 'atMs', direction: 'asc' },
          limit: SWEEP_BATCH,
        });
        for (const d of page.items) await collection.delete(d.id);
        if (page.items.length < SWEEP_BATCH) break;
      }
    }
  }
}
