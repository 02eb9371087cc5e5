/**
 * Messages on their way: durable before they count as said, sent at least once with the same id, and given up after a
 * bounded number of tries, which is told back. One per tenant.
 */
import type { Clock, Timer } from '../lib/clock.ts';
import { messageOf } from '../lib/errors.ts';
import type { Logger } from '../lib/logger.ts';
import type { Collection } from '../store/documents.ts';
import type { OutboxEntry } from './message.ts';

/** Pauses between tries; the first try is at once, the last failure gives up. */
export const RETRY_MS: readonly number[] = [5_000, 15_000, 60_000, 180_000];
/** Sends under way at once per tenant. */
const CONCURRENT_MAX = 8;
/** A timer further away than this is looked at again, so that a clock step is noticed. */
const LOOK_MS_MAX = 15_000;

export interface OutboxOptions {
  readonly collection: () => Collection<OutboxEntry>;
  readonly clock: Clock;
  readonly logger: Logger;
  /** False: nobody there wants to hear of this kind, and nothing was said. */
  readonly send: (entry: OutboxEntry) => Promise<boolean>;
  /** False when the message is no longer wanted: acknowledged meanwhile. */
  readonly wanted: (entry: OutboxEntry) => boolean;
  readonly onSent: (entry: OutboxEntry) => void;
  readonly onGivenUp: (entry: OutboxEntry, error: string) => void;
}

export class Outbox {
  readonly #options: OutboxOptions;
  readonly #waiting = new Map<string, OutboxEntry>();
  readonly #sending = new Map<string, Promise<void>>();
  #timer: Timer | undefined;
  #closed = false;

  constructor(options: OutboxOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#waiting.size;
  }

  /** Reads what the last process left. */
  async load(): Promise<void> {
    let after: string | undefined;
    do {
      const page = await this.#options.collection().list(after === undefined ? {} : { after });
      for (const d of page.items) this.#waiting.set(d.id, d.body);
      after = page.next;
    } while (after !== undefined);
    this.#arm();
  }

  /** Takes entries that are stored already. */
  take(entries: readonly OutboxEntry[]): void {
    for (const e of entries) this.#waiting.set(outboxId(e), e);
    this.#arm();
  }

  /** All due times by `byMs` later or earlier: the wall clock was set. */
  shift(byMs: number): void {
    for (const [id, e] of this.#waiting) this.#waiting.set(id, { ...e, dueAtMs: e.dueAtMs + byMs });
    this.#arm();
  }

  #arm(): void {
    if (this.#closed) return;
    this.#timer?.cancel();
    this.#timer = undefined;
    if (this.#sending.size >= CONCURRENT_MAX) return;
    let dueAtMs = Number.POSITIVE_INFINITY;
    for (const [id, e] of this.#waiting) if (!this.#sending.has(id)) dueAtMs = Math.min(dueAtMs, e.dueAtMs);
    if (dueAtMs === Number.POSITIVE_INFINITY) return;
    const delayMs = Math.min(LOOK_MS_MAX, Math.max(0, dueAtMs - this.#options.clock.now()));
    this.#timer = this.#options.clock.setTimer(() => this.#run(), delayMs);
  }

  #run(): void {
    const nowMs = this.#options.clock.now();
    for (const [id, e] of this.#waiting) {
      if (this.#sending.size >= CONCURRENT_MAX) break;
      if (e.dueAtMs > nowMs || this.#sending.has(id)) continue;
      const work = this.#deliver(id, e).finally(() => {
        this.#sending.delete(id);
        this.#arm();
      });
      this.#sending.set(id, work);
    }
    this.#arm();
  }

  async #deliver(id: string, entry: OutboxEntry): Promise<void> {
    const { collection, clock, logger } = this.#options;
    try {
      if (!this.#options.wanted(entry)) {
        this.#waiting.delete(id);
        await collection().delete(id);
        return;
      }
      let heard: boolean;
      try {
        heard = await this.#options.send(entry);
      } catch (error) {
        await this.#failed(id, entry, messageOf(error));
        return;
      }
      this.#waiting.delete(id);
      await collection().delete(id);
      if (heard) this.#options.onSent(entry);
    } catch (error) {
      // the store is away: what is in it stays and is sent again, with the same id
      logger.warn('the outbox of incidents could not be written', { error: messageOf(error) });
      this.#waiting.set(id, { ...entry, dueAtMs: clock.now() + RETRY_MS[0]! });
    }
  }

  async #failed(id: string, entry: OutboxEntry, error: string): Promise<void> {
    const pauseMs = RETRY_MS[entry.attempts];
    if (pauseMs === undefined) {
      this.#waiting.delete(id);
      await this.#options.collection().delete(id);
      this.#options.onGivenUp(entry, error);
      return;
    }
    const again = { ...entry, attempts: entry.attempts + 1, dueAtMs: this.#options.clock.now() + pauseMs };
    this.#waiting.set(id, again);
    await this.#options.collection().put(id, again);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    await Promise.allSettled([...this.#sending.values()]);
  }
}

export const outboxId = (e: OutboxEntry): string => e.message.id;
