/**
 * The data of a panel: each PromQL query asked as a range or as an instant, as its panel needs it, over the panel's own
 * time and with the dashboard's filters; kept current by the live stream where that is possible.
 */
import { useQueries } from '@tanstack/react-query';
import { useMemo } from 'react';
import { asVector, queryInstant, queryRange } from '../../api/prometheus.ts';
import { type LiveAnswer, type LiveEntry, type NotLive, useLiveQueries } from '../../api/use-live-queries.ts';
import { builtInValues, interpolate, type Values } from '../../lib/dashboard/interpolate.ts';
import type { Panel, Target } from '../../lib/dashboard/model.ts';
import { type NamedSeries, panelAnswer, type Shaped } from '../../lib/dashboard/panel-answer.ts';
import { type PanelRange, panelRange, shifted } from '../../lib/dashboard/panel-range.ts';
import { toColumns } from '../../lib/series.ts';
import { durationText, isRelative, parseDurationMs, rateIntervalMs, stepFor } from '../../lib/time-range.ts';
import { useView } from '../../lib/view.ts';
import { useFilters } from './use-filters.ts';

export type { NamedSeries };
export interface PanelData extends Shaped {
  readonly expressions: readonly { readonly refId: string; readonly expr: string }[];
  readonly loading: boolean;
  readonly error: Error | null;
  readonly refetch: () => void;
  /** Why it does not come by the live stream though the page is live. */
  readonly notLive?: NotLive | undefined;
  /** How often it is asked for then, in milliseconds. */
  readonly everyMs?: number;
}
const REFRESH_MS_MIN = 5_000;
const STEP_MS_MIN = 5_000;
/** Newest values of figures and tables come at least this often, however long the range. */
const NEWEST_MS_MAX = 30_000;
const FIGURES: ReadonlySet<string> = new Set(['stat', 'singlestat', 'gauge', 'bargauge']);

interface Asked {
  readonly target: Target & { readonly expr: string };
  readonly refId: string;
  readonly expr: string;
  readonly instant: boolean;
  readonly stepMs: number;
  readonly values: Values;
  /** The text changes as time passes (`$__from`): no stream evaluates that. */
  readonly moving: boolean;
}

export function usePanelData(
  panel: Panel,
  values: Values,
  widthPx: number,
  kind: 'range' | 'instant',
  visible: boolean,
): PanelData {
  const { tenant, range, refresh, timeZone } = useView();
  const utc = timeZone === 'UTC';
  const own = panelRange(panel, range, values);
  const filters = useFilters(values);
  const width = Math.min(panel.maxDataPoints ? panel.maxDataPoints * 2 : Number.POSITIVE_INFINITY, widthPx);
  const points = Math.max(200, Math.round(width / 150) * 150);
  const asked = (panel.targets ?? [])
    .filter((t): t is Asked['target'] => !t.hide && typeof t.expr === 'string' && t.expr.trim() !== '')
    .map((target) => askedOf({ target, panel, values, own, utc, points, kind, tenant }));
  const figure = FIGURES.has(panel.type);
  const slowestMs = Math.max(REFRESH_MS_MIN, ...asked.map((a) => a.stepMs));
  const relative = isRelative(own.range);
  const live = refresh === 'live' && relative;
  const everyMs =
    refresh === 'off'
      ? false
      : refresh !== 'live'
        ? (parseDurationMs(refresh) ?? false)
        : // a range that has ended does not change
          !relative && shifted(own, Date.now(), utc).endMs < Date.now()
          ? false
          : slowestMs;
  const askable = asked.map((a) => {
    const expr = filters?.apply(a.expr) ?? a.expr;
    const byStream = live && !a.moving;
    return {
      ...a,
      expr,
      byStream,
      key: ['panel', tenant, expr, a.instant, own.range.from, own.range.to, own.shiftMs, a.stepMs],
    };
  });
  const results = useQueries({
    queries: askable.map((a) => ({
      queryKey: a.key,
      enabled: visible && filters !== undefined,
      refetchInterval: a.byStream ? (false as const) : everyMs,
      // what the stream keeps current is not asked again because somebody looks at it again
      staleTime: a.byStream ? Number.POSITIVE_INFINITY : 5_000,
      structuralSharing: false,
      placeholderData: <T>(previous: T | undefined) => previous,
      retry: 1,
      queryFn: async ({ signal }: { signal: AbortSignal }): Promise<LiveAnswer> => {
        const { startMs, endMs } = shifted(own, Date.now(), utc);
        if (a.instant) return { vector: asVector((await queryInstant(tenant, a.expr, endMs, signal)).data) };
        // charts keep to the clock's grid so that their points stay; a figure wants the newest value there is
        const end = figure ? Math.floor(endMs / 1_000) * 1_000 : Math.floor(endMs / a.stepMs) * a.stepMs;
        const start = end - Math.ceil((end - startMs) / a.stepMs) * a.stepMs;
        const answer = await queryRange(tenant, { expr: a.expr, startMs: start, endMs: end, stepMs: a.stepMs }, signal);
        return { columns: toColumns(answer.data, start / 1_000, end / 1_000, a.stepMs / 1_000) };
      },
    })),
  });
  const entries = askable
    .filter((a) => a.byStream)
    .map(
      (a): LiveEntry => ({
        key: a.key,
        tenant,
        expr: a.expr,
        stepMs: a.stepMs,
        liveStepMs: a.instant || figure ? Math.min(Math.max(a.stepMs, STEP_MS_MIN), NEWEST_MS_MAX) : a.stepMs,
        instant: a.instant,
        onGrid: !figure,
        shiftMs: own.shiftMs,
      }),
    );
  const notLive = useLiveQueries(entries, { enabled: visible && filters !== undefined, range: own.range, utc });
  const stamp = results.map((r) => r.dataUpdatedAt).join();
  // biome-ignore lint/correctness/useExhaustiveDependencies: the stamp stands for the results
  const data = useMemo(
    () =>
      panelAnswer(
        results.map((r, i) => {
          const { refId, target, values: inIt } = asked[i]!;
          const legend = target.legendFormat ? interpolate(target.legendFormat, inIt, 'text') : undefined;
          return { refId, legend, columns: r.data?.columns, vector: r.data?.vector };
        }),
      ),
    [stamp, askable.map((a) => a.expr).join('\n')],
  );
  return {
    ...data,
    expressions: askable.map(({ refId, expr }) => ({ refId, expr })),
    // a panel that was never on the screen has not asked yet: that is not "no data"
    loading: results.some((r) => r.isPending),
    error: results.find((r) => r.error)?.error ?? null,
    refetch: () => results.forEach((r) => void r.refetch()),
    notLive,
    everyMs: slowestMs,
  };
}

/** One query with its variables put in, its step, and whether it can be evaluated by the stream. */
function askedOf(o: {
  readonly target: Asked['target'];
  readonly panel: Panel;
  readonly values: Values;
  readonly own: PanelRange;
  readonly utc: boolean;
  readonly points: number;
  readonly kind: 'range' | 'instant';
  readonly tenant: string;
}): Asked {
  const { target, panel, values, own } = o;
  const scoped = Object.fromEntries(Object.entries(panel.scoped ?? {}).map(([k, v]) => [k, { values: [v] }]));
  const known: Values = { ...values, ...scoped };
  const least = (text: string | undefined): number | undefined =>
    text ? parseDurationMs(interpolate(text, known).replace(/^[<>]=?\s*/, '')) : undefined;
  const minMs = least(target.interval) ?? least(panel.interval);
  const factor = Math.max(1, Math.round(target.intervalFactor ?? 1));
  const span = shifted(own, Date.now(), o.utc);
  const stepMs = stepFor(span, o.points, Math.max(STEP_MS_MIN, minMs ?? 0)) * factor;
  // the ends move by whole steps, so that a query stays the same between them
  const at = (ms: number): Values => ({
    ...builtInValues({
      interval: durationText(stepMs),
      intervalMs: stepMs,
      rateInterval: durationText(rateIntervalMs(stepMs, minMs)),
      ...shifted(own, ms, o.utc),
      dashboard: '',
      tenant: o.tenant,
    }),
    ...known,
  });
  const now = Math.floor(Date.now() / stepMs) * stepMs;
  const inIt = at(now);
  const expr = interpolate(target.expr, inIt);
  return {
    target,
    refId: target.refId ?? 'A',
    expr,
    instant:
      target.instant === true && target.range !== true
        ? true
        : o.kind === 'instant' && (target.instant ?? target.format === 'table'),
    stepMs,
    values: inIt,
    moving: expr !== interpolate(target.expr, at(now + stepMs)),
  };
}
