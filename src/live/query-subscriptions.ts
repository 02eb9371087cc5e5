/**
 * Live queries: each distinct (tenant, view, expression, step) is evaluated once per step for all who look at it, on
 * time steps aligned to the clock, and the answer is handed to each. Bounded per tenant; a slow query skips steps
 * rather than piling up.
 */
import type { Clock, Timer } from '../lib/clock.ts';
import { messageOf, VigieError } from '../lib/errors.ts';
import type { TenantId } from '../model/tenant.ts';

/** Shortest step of a live query. */
export const LIVE_STEP_MS_MIN = 1_000;
/** Distinct live queries of one tenant, unless its quota says otherwise. */
export const LIVE_QUERIES_PER_TENANT_MAX = 200;

export interface LiveQuery {
  readonly expr: string;
  readonly stepMs: number;
}

/** One evaluation: the vector at `atMs`, in the JSON form of the query API, or what went wrong. */
export interface LiveResult {
  readonly atMs: number;
  readonly result?: readonly {
    readonly metric: Readonly<Record<string, string>>;
    readonly value: readonly [number, string];
  }[];
  readonly error?: string;
}

/** Evaluates an expression for a tenant (and a view key, opaque here) at one instant. */
export type EvaluateLive<C> = (context: C, expr: string, atMs: number) => Promise<NonNullable<LiveResult['result']>>;

interface Entry<C> {
  readonly context: C;
  readonly query: LiveQuery;
  readonly viewers: Set<(result: LiveResult) => void>;
  timer: Timer | undefined;
  running: boolean;
  last: LiveResult | undefined;
}

export class QuerySubscriptions<C> {
  readonly #clock: Clock;
  readonly #evaluate: EvaluateLive<C>;
  readonly #tenants = new Map<TenantId, Map<string, Entry<C>>>();

  constructor(clock: Clock, evaluate: EvaluateLive<C>) {
    this.#clock = clock;
    this.#evaluate = evaluate;
  }

  /**
   * Starts handing results of `query` to `viewer`; the newest known one comes at once. `scopeKey` tells views of the
   * same tenant apart. Throws `quota` when the tenant has too many distinct live queries.
   */
  add(
    tenant: TenantId,
    scopeKey: string,
    context: C,
    query: LiveQuery,
    viewer: (result: LiveResult) => void,
    queriesMax = LIVE_QUERIES_PER_TENANT_MAX,
  ): () => void {
    if (query.stepMs < LIVE_STEP_MS_MIN)
      throw new VigieError(
        'bad_data',
        `step of a live query: got ${query.stepMs} ms, want at least ${LIVE_STEP_MS_MIN} ms`,
      );
    let entries = this.#tenants.get(tenant);
    if (!entries) this.#tenants.set(tenant, (entries = new Map()));
    const key = `${scopeKey}\u0000${query.stepMs}\u0000${query.expr}`;
    let entry = entries.get(key);
    if (!entry) {
      if (entries.size >= queriesMax)
        throw new VigieError(
          'quota',
          `tenant ${tenant} has ${entries.size} live queries, at most ${queriesMax} are allowed`,
          { details: { retryAfterMs: 10_000 } },
        );
      entry = { context, query, viewers: new Set(), timer: undefined, running: false, last: undefined };
      entries.set(key, entry);
      this.#arm(entry);
    }
    const found = entry;
    // wrapped: the same function may look twice
    const handle = (result: LiveResult): void => viewer(result);
    found.viewers.add(handle);
    if (found.last) handle(found.last);
    return () => {
      found.viewers.delete(handle);
      if (found.viewers.size > 0 || entries.get(key) !== found) return;
      found.timer?.cancel();
      entries.delete(key);
      if (entries.size === 0) this.#tenants.delete(tenant);
    };
  }

  count(tenant: TenantId): number {
    return this.#tenants.get(tenant)?.size ?? 0;
  }

  close(): void {
    for (const entries of this.#tenants.values()) for (const entry of entries.values()) entry.timer?.cancel();
    this.#tenants.clear();
  }

  #arm(entry: Entry<C>): void {
    const { stepMs } = entry.query;
    const now = this.#clock.now();
    const next = Math.floor(now / stepMs) * stepMs + stepMs;
    entry.timer = this.#clock.setTimer(() => {
      this.#arm(entry);
      void this.#run(entry, next);
    }, next - now);
  }

  async #run(entry: Entry<C>, atMs: number): Promise<void> {
    if (entry.running) return; // still busy with an earlier step: this one is skipped
    entry.running = true;
    let result: LiveResult;
    try {
      result = { atMs, result: await this.#evaluate(entry.context, entry.query.expr, atMs) };
    } catch (error) {
      result = { atMs, error: messageOf(error) };
    } finally {
      entry.running = false;
    }
    entry.last = result;
    for (const viewer of entry.viewers) viewer(result);
  }
}
