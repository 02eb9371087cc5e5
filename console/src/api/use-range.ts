/**
 * A range query that stays current. With `refresh=live` the range is fetched once, then each live step appends a point
 * (use-live-queries.ts). With a refresh interval it is fetched each time. Steps are aligned to the clock.
 */
import { useQuery } from '@tanstack/react-query';
import { useMemo, useSyncExternalStore } from 'react';
import { type Columns, toColumns } from '../lib/series.ts';
import { absoluteRange, isRelative, parseDurationMs, stepFor } from '../lib/time-range.ts';
import { useView } from '../lib/view.ts';
import { liveState, onLiveState } from '../live/live-client.ts';
import { type QueryStats, queryRange } from './prometheus.ts';
import { type LiveEntry, useLiveQueries } from './use-live-queries.ts';

const NOTHING: readonly LiveEntry[] = [];

export interface RangeState {
  readonly columns: Columns | undefined;
  readonly stepMs: number;
  readonly loading: boolean;
  readonly error: Error | null;
  readonly warnings: readonly string[];
  readonly stats: QueryStats | undefined;
  readonly tookMs: number | undefined;
  readonly refetch: () => void;
}
export interface RangeOptions {
  readonly widthPx?: number;
  readonly minStepMs?: number;
  readonly stepMs?: number | undefined;
  readonly enabled?: boolean;
  /** Shifts the question into the past and the answer back. */
  readonly offsetMs?: number;
  readonly live?: boolean;
}

export function useLiveState() {
  return useSyncExternalStore(onLiveState, liveState);
}

export function useRange(expr: string, options: RangeOptions = {}): RangeState {
  const { tenant, range, refresh, timeZone } = useView();
  const { widthPx = 900, minStepMs = 5_000, enabled = true, offsetMs = 0 } = options;
  const utc = timeZone === 'UTC';
  const span = absoluteRange(range, 1_800_000_000_000, utc);
  const stepMs =
    options.stepMs ?? stepFor(isRelative(range) ? span : absoluteRange(range, Date.now(), utc), widthPx, minStepMs);
  const live = (options.live ?? true) && refresh === 'live' && isRelative(range) && offsetMs === 0;
  const key = ['range', tenant, expr, range.from, range.to, stepMs, offsetMs];
  const query = useQuery({
    queryKey: key,
    enabled: enabled && expr.trim() !== '',
    queryFn: async ({ signal }) => {
      const { startMs, endMs } = absoluteRange(range, Date.now(), utc);
      const start = Math.floor((startMs - offsetMs) / stepMs) * stepMs;
      const end = Math.floor((endMs - offsetMs) / stepMs) * stepMs;
      const answer = await queryRange(tenant, { expr, startMs: start, endMs: end, stepMs }, signal);
      const columns = toColumns(answer.data, (start + offsetMs) / 1_000, (end + offsetMs) / 1_000, stepMs / 1_000);
      if (offsetMs === 0) return { ...answer, columns };
      const shifted = answer.data.map((s) => ({
        metric: s.metric,
        values: s.values.map(([t, v]) => [t + offsetMs / 1_000, v] as const),
      }));
      return {
        ...answer,
        columns: toColumns(shifted, (start + offsetMs) / 1_000, (end + offsetMs) / 1_000, stepMs / 1_000),
      };
    },
    refetchInterval: refresh === 'off' || refresh === 'live' ? false : (parseDurationMs(refresh) ?? false),
    placeholderData: (previous) => previous,
    staleTime: live ? Number.POSITIVE_INFINITY : 2_000,
    structuralSharing: false,
    retry: 1,
  });
  const entries: readonly LiveEntry[] = [
    { key, tenant, expr, stepMs, liveStepMs: stepMs, instant: false, onGrid: true, shiftMs: 0 },
  ];
  useLiveQueries(live ? entries : NOTHING, { enabled: enabled && expr.trim() !== '', range, utc });
  const { refetch } = query;
  return useMemo(
    () => ({
      columns: query.data?.columns,
      stepMs,
      loading: query.isLoading,
      error: query.error,
      warnings: query.data?.warnings ?? [],
      stats: query.data?.stats,
      tookMs: query.data?.tookMs,
      refetch: () => void refetch(),
    }),
    [stepMs, query.isLoading, query.error, query.data, refetch],
  );
}
