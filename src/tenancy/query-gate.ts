/** At most so many queries of one tenant at a time; the next ones wait in order for a while, then are refused with 429. */
import type { Clock } from '../lib/clock.ts';
import { VigieError } from '../lib/errors.ts';
import type { TenantId } from '../model/tenant.ts';

/** Queries of one tenant that may wait. */
export const WAITING_MAX = 200;
const WAIT_MS_MAX = 10_000;

interface Waiting {
  readonly start: () => void;
}
interface Gate {
  running: number;
  readonly waiting: Set<Waiting>;
}

export class QueryGate {
  readonly #clock: Clock;
  readonly #concurrency: (tenant: TenantId) => number;
  readonly #gates = new Map<TenantId, Gate>();

  constructor(clock: Clock, concurrency: (tenant: TenantId) => number) {
    this.#clock = clock;
    this.#concurrency = concurrency;
  }

  /** Runs `work` when it is its turn. Throws `quota` when the tenant has too many queries. */
  async run<R>(tenant: TenantId, signal: AbortSignal | undefined, work: () => Promise<R> | R): Promise<R> {
    let gate = this.#gates.get(tenant);
    if (!gate) this.#gates.set(tenant, (gate = { running: 0, waiting: new Set() }));
    const mine = gate;
    if (mine.running < this.#concurrency(tenant)) mine.running++;
    else await this.#wait(tenant, mine, signal);
    try {
      return await work();
    } finally {
      const next = mine.waiting.values().next().value;
      if (next) {
        mine.waiting.delete(next);
        next.start(); // takes over the place
      } else if (--mine.running === 0) this.#gates.delete(tenant);
    }
  }

  running(tenant: TenantId): number {
    return this.#gates.get(tenant)?.running ?? 0;
  }

  #wait(tenant: TenantId, gate: Gate, signal: AbortSignal | undefined): Promise<void> {
    const limit = this.#concurrency(tenant);
    const refused = (): VigieError =>
      new VigieError('quota', `tenant ${tenant} has ${limit} queries running, its limit (query_concurrency)`, {
        details: { retryAfterMs: 1_000 },
      });
    if (gate.waiting.size >= WAITING_MAX) return Promise.reject(refused());
    return new Promise((resolve, reject) => {
      const leave = (error: unknown): void => {
        gate.waiting.delete(entry);
        timer.cancel();
        signal?.removeEventListener('abort', onAbort);
        reject(error);
      };
      const onAbort = (): void => leave(signal?.reason);
      const timer = this.#clock.setTimer(() => leave(refused()), WAIT_MS_MAX);
      const entry: Waiting = {
        start: () => {
          timer.cancel();
          signal?.removeEventListener('abort', onAbort);
          resolve();
        },
      };
      gate.waiting.add(entry);
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  }
}
