/** The data of a panel: each PromQL target asked as a range or as an instant, as its panel needs it. */
import { useQueries } from '@tanstack/react-query';
import { useMemo } from 'react';
import { asVector, queryInstant, queryRange } from '../../api/prometheus.ts';
import { builtInValues, interpolate, type Values } from '../../lib/dashboard/interpolate.ts';
import type { Panel, Target } from '../../lib/dashboard/model.ts';
import type { Field, Frame } from '../../lib/dashboard/transformations.ts';
import {
  type Columns,
  legendName,
  type Metric,
  metricName,
  parseValue,
  shortName,
  telling,
  toColumns,
} from '../../lib/series.ts';
import { absoluteRange, durationText, parseDurationMs, rateIntervalMs, stepFor } from '../../lib/time-range.ts';
import { useView } from '../../lib/view.ts';

export interface NamedSeries {
  readonly name: string;
  readonly refId: string;
  readonly metric: Metric;
  readonly values: (number | null)[];
}
export interface PanelData {
  readonly times: readonly number[];
  readonly series: readonly NamedSeries[];
  readonly frames: readonly Frame[];
  readonly expressions: readonly { readonly refId: string; readonly expr: string }[];
  readonly loading: boolean;
  readonly error: Error | null;
  readonly refetch: () => void;
}
const REFRESH_MS_MIN = 5_000;
const FIGURES: ReadonlySet<string> = new Set(['stat', 'gauge', 'bargauge']);

export function usePanelData(
  panel: Panel,
  values: Values,
  widthPx: number,
  kind: 'range' | 'instant',
  visible: boolean,
): PanelData {
  const { tenant, range, refresh, timeZone } = useView();
  const now = absoluteRange(range, Date.now(), timeZone === 'UTC');
  const minMs = parseDurationMs(interpolate(panel.interval ?? '', values)) ?? 5_000;
  const stepMs = stepFor(now, Math.max(200, Math.round(widthPx / 150) * 150), minMs);
  const built = builtInValues({
    interval: durationText(stepMs),
    intervalMs: stepMs,
    rateInterval: durationText(rateIntervalMs(stepMs)),
    ...now,
    dashboard: '',
    tenant,
  });
  const scoped = Object.fromEntries(Object.entries(panel.scoped ?? {}).map(([k, v]) => [k, { values: [v] }]));
  // the span's ends move with the clock; what a query is about does not
  const stable: Values = { ...built, ...values, ...scoped };
  const targets = (panel.targets ?? []).filter(
    (t): t is Target & { expr: string } => !t.hide && typeof t.expr === 'string' && t.expr.trim() !== '',
  );
  const asked = targets.map((t) => ({
    refId: t.refId ?? 'A',
    expr: interpolate(t.expr, stable),
    target: t,
    instant: t.instant === true && t.range !== true ? true : kind === 'instant' && (t.instant ?? t.format === 'table'),
  }));
  const everyMs =
    refresh === 'off'
      ? false
      : refresh === 'live'
        ? Math.max(REFRESH_MS_MIN, stepMs)
        : (parseDurationMs(refresh) ?? false);
  const results = useQueries({
    queries: asked.map((a) => ({
      queryKey: ['panel', tenant, a.expr, a.instant, range.from, range.to, stepMs],
      enabled: visible,
      refetchInterval: everyMs,
      placeholderData: <T>(previous: T | undefined) => previous,
      retry: 1,
      queryFn: async ({ signal }: { signal: AbortSignal }) => {
        const { startMs, endMs } = absoluteRange(range, Date.now(), timeZone === 'UTC');
        if (a.instant)
          return { vector: asVector((await queryInstant(tenant, a.expr, endMs, signal)).data), columns: undefined };
        // charts keep to the clock's grid so that their points stay; a figure wants the newest value there is
        const end = FIGURES.has(panel.type) ? Math.floor(endMs / 1_000) * 1_000 : Math.floor(endMs / stepMs) * stepMs;
        const start = end - Math.ceil((end - startMs) / stepMs) * stepMs;
        const answer = await queryRange(tenant, { expr: a.expr, startMs: start, endMs: end, stepMs }, signal);
        return { vector: undefined, columns: toColumns(answer.data, start / 1_000, end / 1_000, stepMs / 1_000) };
      },
    })),
  });
  const stamp = results.map((r) => r.dataUpdatedAt).join();
  // biome-ignore lint/correctness/useExhaustiveDependencies: the stamp stands for the results
  const data = useMemo(() => {
    const frames: Frame[] = [];
    const all: NamedSeries[] = [];
    const longest = results
      .map((r) => r.data?.columns)
      .filter((c): c is Columns => c !== undefined)
      .sort((a, b) => (b.times.at(-1) ?? 0) - (a.times.at(-1) ?? 0))[0];
    const times = longest?.times ?? [];
    // the queries of a panel are of one moment, though each was asked at its own: else rows of two would never merge
    const atS = Math.max(0, ...results.flatMap((r) => r.data?.vector?.[0]?.value?.[0] ?? []));
    for (const [i, result] of results.entries()) {
      const a = asked[i]!;
      const legend = a.target.legendFormat ? interpolate(a.target.legendFormat, stable, 'text') : undefined;
      const { columns, vector } = result.data ?? {};
      // without a legend, what the series share says nothing: only what tells them apart is written
      const metrics = columns?.series.map((s) => s.metric) ?? vector?.map((v) => v.metric) ?? [];
      const differing =
        legend && legend !== '__auto' ? undefined : new Map(telling(metrics).map((d, k) => [metrics[k]!, d]));
      const name = (metric: Metric): string =>
        differing ? shortName(metric, differing.get(metric) ?? {}) : legendName(legend, metric);
      if (columns) {
        const same = columns.times.length === times.length && columns.times[0] === times[0];
        const at = same ? undefined : new Map(columns.times.map((t, k) => [t, k]));
        for (const s of columns.series) {
          const values_ = at ? times.map((t) => (at.has(t) ? (s.values[at.get(t)!] ?? null) : null)) : s.values;
          all.push({ name: name(s.metric), refId: a.refId, metric: s.metric, values: values_ });
          frames.push({
            refId: a.refId,
            fields: [
              { name: 'Time', type: 'time', values: columns.times.map((t) => t * 1_000) },
              { name: name(s.metric), type: 'number', values: s.values, labels: s.metric },
            ],
          });
        }
      }
      if (vector) {
        for (const v of vector)
          if (v.value)
            all.push({ name: name(v.metric), refId: a.refId, metric: v.metric, values: [numberOf(v.value[1])] });
        frames.push(vectorFrame(a.refId, vector, asked.length > 1, atS));
      }
    }
    return { times, series: all, frames };
  }, [stamp, asked.map((a) => a.expr).join('\n')]);
  return {
    ...data,
    expressions: asked.map(({ refId, expr }) => ({ refId, expr })),
    // a panel that was never on the screen has not asked yet: that is not "no data"
    loading: results.some((r) => r.isPending),
    error: results.find((r) => r.error)?.error ?? null,
    refetch: () => results.forEach((r) => void r.refetch()),
  };
}

const numberOf = (text: string): number | null => {
  const n = parseValue(text);
  return Number.isNaN(n) ? null : n;
};

function vectorFrame(refId: string, vector: ReturnType<typeof asVector>, several: boolean, atS: number): Frame {
  const labels = [...new Set(vector.flatMap((v) => Object.keys(v.metric)))].sort();
  const fields: Field[] = [
    { name: 'Time', type: 'time', values: vector.map(() => atS * 1_000) },
    ...labels.map((name): Field => ({ name, type: 'string', values: vector.map((v) => v.metric[name] ?? null) })),
    {
      name: several ? `Value #${refId}` : 'Value',
      type: 'number',
      values: vector.map((v) => (v.value ? numberOf(v.value[1]) : null)),
    },
  ];
  return { refId, name: vector[0] ? metricName(vector[0].metric) : refId, fields };
}
