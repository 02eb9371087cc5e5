/**
 * Keeps range and instant answers in the query cache current. With `refresh=live` a step of the stream appends a point,
 * or gives an instant answer anew; where no stream serves (over quota, lost, silent) only what is new is asked for, and
 * why is told. Nothing is watched while the tab is hidden or the caller says `enabled: false`; what passed meanwhile is
 * filled in afterwards.
 */
import { type QueryKey, useQueryClient } from '@tanstack/react-query';
import { useEffect, useState, useSyncExternalStore } from 'react';
import type { Columns } from '../lib/series.ts';
import { absoluteRange, type TimeRange } from '../lib/time-range.ts';
import { liveState, onLiveState, watchQuery } from '../live/live-client.ts';
import { LiveTail } from '../live/live-tail.ts';
import { queryRange, type VectorItem } from './prometheus.ts';

export interface LiveEntry {
  readonly key: QueryKey;
  readonly tenant: string;
  readonly expr: string;
  readonly stepMs: number;
  /** How often the newest value comes. */
  readonly liveStepMs: number;
  readonly instant: boolean;
  /** Points keep to the clock's grid; figures have the newest value at its own time. */
  readonly onGrid: boolean;
  /** Its data lies this far in the past, so that no stream serves it. */
  readonly shiftMs: number;
}
/** What the cache holds for an entry. */
export interface LiveAnswer {
  readonly columns?: Columns | undefined;
  readonly vector?: readonly VectorItem[] | undefined;
}
/** Why something is asked for instead of coming by the stream; undefined while it comes. */
export type NotLive =
  | { readonly kind: 'refused'; readonly reason: string }
  | { readonly kind: 'lost' }
  | { readonly kind: 'silent' };

/** A tab looked away from for less keeps its subscriptions. */
const HIDDEN_MS = 10_000;
/** Steps without a word, after which a query counts as silent. */
const SILENT_STEPS = 3;
const POLL_MS_MIN = 5_000;
const ERROR_REFETCH_MS = 15_000;

let pageShown = typeof document === 'undefined' || !document.hidden;
const pageListeners = new Set<() => void>();
if (typeof document !== 'undefined') {
  let timer: ReturnType<typeof setTimeout> | undefined;
  document.addEventListener('visibilitychange', () => {
    clearTimeout(timer);
    const apply = (): void => {
      pageShown = !document.hidden;
      for (const l of pageListeners) l();
    };
    if (document.hidden) timer = setTimeout(apply, HIDDEN_MS);
    else apply();
  });
}
function usePageShown(): boolean {
  return useSyncExternalStore(
    (listener) => {
      pageListeners.add(listener);
      return () => void pageListeners.delete(listener);
    },
    () => pageShown,
  );
}

export function useLiveQueries(
  entries: readonly LiveEntry[],
  options: { readonly enabled: boolean; readonly range: TimeRange; readonly utc: boolean },
): NotLive | undefined {
  const { range, utc } = options;
  const queries = useQueryClient();
  const shown = usePageShown();
  const enabled = options.enabled && shown && entries.length > 0;
  const [notLive, setNotLive] = useState<NotLive | undefined>();
  const what = JSON.stringify(entries);
  // biome-ignore lint/correctness/useExhaustiveDependencies: `what` stands for the entries
  useEffect(() => {
    if (!enabled) return;
    const startAt = (endMs: number): number => absoluteRange({ from: range.from, to: 'now' }, endMs, utc).startMs;
    const running = entries.map((entry) => new Running(entry, queries, startAt));
    const look = (): void => {
      const now = Date.now();
      const reasons = running.map((r) => r.look(now, liveState()));
      const reason = reasons.find((r) => r?.kind === 'refused') ?? reasons.find((r) => r !== undefined);
      setNotLive((before) => (JSON.stringify(before) === JSON.stringify(reason) ? before : reason));
    };
    for (const r of running) r.start(look);
    const timer = setInterval(look, POLL_MS_MIN);
    const stopState = onLiveState(look);
    const cache = queries.getQueryCache().subscribe(({ type, query }) => {
      if (type === 'updated') for (const r of running) r.updated(query.queryHash);
    });
    return () => {
      clearInterval(timer);
      stopState();
      cache();
      for (const r of running) r.stop();
    };
  }, [what, enabled, range.from, range.to, utc, queries]);
  return enabled ? notLive : undefined;
}

/** One entry while it is looked at. */
class Running {
  readonly #entry: LiveEntry;
  readonly #queries: ReturnType<typeof useQueryClient>;
  readonly #tail: LiveTail | undefined;
  readonly #hash: string;
  #unwatch: (() => void) | undefined;
  #refused: string | undefined;
  #heardMs = Date.now();
  #polledMs = Date.now();
  #refetchedMs = 0;

  constructor(entry: LiveEntry, queries: ReturnType<typeof useQueryClient>, startAt: (endMs: number) => number) {
    this.#entry = entry;
    this.#queries = queries;
    this.#hash = JSON.stringify(entry.key);
    const { key, tenant, expr, stepMs, shiftMs } = entry;
    if (!entry.instant)
      this.#tail = new LiveTail(
        { stepMs, onGrid: entry.onGrid },
        {
          read: () => queries.getQueryData<LiveAnswer>(key)?.columns,
          write: (columns) => this.#put({ columns }),
          fetch: async (startMs, endMs) => (await queryRange(tenant, { expr, startMs, endMs, stepMs })).data,
          refetch: () => this.#refetch(),
          startAt: (endMs) => startAt(endMs + shiftMs) - shiftMs,
          now: () => Date.now(),
        },
      );
  }

  start(changed: () => void): void {
    const { key, expr, liveStepMs, shiftMs } = this.#entry;
    // what passed while nobody looked
    const now = Date.now();
    const answeredMs = this.#queries.getQueryState(key)?.dataUpdatedAt ?? 0;
    if (this.#tail) void this.#tail.catchUp(now - shiftMs);
    else if (answeredMs > 0 && now - answeredMs > liveStepMs) this.#refetch();
    if (shiftMs > 0) return;
    this.#unwatch = watchQuery(
      { expr, stepMs: liveStepMs },
      {
        step: ({ atMs, result, error }) => {
          this.#heardMs = Date.now();
          const was = this.#refused;
          this.#refused = undefined;
          if (was !== undefined) changed();
          // the ordinary question says what is wrong, in the panel
          if (error !== undefined) this.#refetch();
          else if (result && this.#tail) this.#tail.receive({ atMs, result });
          else if (result && this.#queries.getQueryData(this.#entry.key)) this.#put({ vector: result });
        },
        refused: (reason) => {
          this.#refused = reason;
          changed();
        },
      },
    );
  }

  /** Why it is not live, if so; then what is new is asked for, at the pace of its step. */
  look(now: number, state: ReturnType<typeof liveState>): NotLive | undefined {
    const { shiftMs, liveStepMs } = this.#entry;
    const reason: NotLive | undefined =
      shiftMs > 0
        ? undefined
        : this.#refused !== undefined
          ? { kind: 'refused', reason: this.#refused }
          : state === 'lost'
            ? { kind: 'lost' }
            : now - this.#heardMs > SILENT_STEPS * liveStepMs + POLL_MS_MIN
              ? { kind: 'silent' }
              : undefined;
    if ((reason || shiftMs > 0) && now - this.#polledMs >= Math.max(POLL_MS_MIN, liveStepMs)) {
      this.#polledMs = now;
      if (this.#tail) void this.#tail.catchUp(now - shiftMs);
      else this.#refetch();
    }
    return reason;
  }

  updated(hash: string): void {
    if (hash === this.#hash) this.#tail?.drain();
  }

  stop(): void {
    this.#unwatch?.();
    this.#tail?.close();
  }

  #put(change: LiveAnswer): void {
    this.#queries.setQueryData(this.#entry.key, (before: LiveAnswer | undefined) => before && { ...before, ...change });
  }

  #refetch(): void {
    const now = Date.now();
    if (now - this.#refetchedMs < ERROR_REFETCH_MS && this.#tail) return;
    this.#refetchedMs = now;
    void this.#queries.refetchQueries({ queryKey: this.#entry.key, exact: true });
  }
}
