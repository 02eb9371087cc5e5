/** What was measured, what is expected, and how sure: history, the middle of the forecast, its 95 % band, the limit. */
import { useQuery } from '@tanstack/react-query';
import type { ForecastItem } from '../../../../src/http/contract/intelligence.ts';
import { queryRange } from '../../api/prometheus.ts';
import type { Threshold } from '../../components/chart/marks.ts';
import { type ChartSeries, TimeSeriesChart } from '../../components/chart/time-series-chart.tsx';
import { QueryView } from '../../components/states.tsx';
import { parseValue } from '../../lib/series.ts';
import { useText } from '../../lib/use-text.ts';
import { useView } from '../../lib/view.ts';
import { joinForecast } from './join-forecast.ts';

/** Points of history shown, at most. */
const HISTORY_POINTS_MAX = 600;

export function ForecastChart({ item }: { readonly item: ForecastItem }) {
  const { t } = useText();
  const { tenant } = useView();
  const endMs = item.fitAtMs ?? 0;
  const history = useQuery({
    queryKey: ['forecast-history', tenant, item.detector, item.labels, endMs],
    queryFn: async ({ signal }) => {
      const points = Math.min(HISTORY_POINTS_MAX, Math.max(48, 2 * item.mean.length));
      const { data } = await queryRange(
        tenant,
        { expr: item.expr, startMs: endMs - points * item.stepMs, endMs, stepMs: item.stepMs },
        signal,
      );
      const found = data.find((s) => same(s.metric, item.labels));
      return (found?.values ?? []).map(([at, v]): [number, number | null] => {
        const n = parseValue(v);
        return [at, Number.isFinite(n) ? n : null];
      });
    },
    enabled: item.fitAtMs !== null,
  });
  const limit = item.threshold?.above ?? item.threshold?.below;
  const thresholds: Threshold[] = limit === undefined ? [] : [{ value: limit, colour: 'red' }];
  return (
    <QueryView query={history}>
      {(values) => {
        const joined = joinForecast(item, values);
        const series: ChartSeries[] = [
          { name: t('forecasts.measured'), values: joined.actual },
          { name: t('forecasts.expected'), values: joined.mean, dashed: true, colour: '#a855f7' },
          { name: t('forecasts.upper'), values: joined.upper, quiet: true, colour: '#a855f7' },
          { name: t('forecasts.lower'), values: joined.lower, quiet: true, colour: '#a855f7' },
        ];
        return (
          <TimeSeriesChart
            label={`${item.detector} ${Object.values(item.labels).join(' ')}`}
            times={joined.times}
            series={series}
            bands={[{ upper: 2, lower: 3, colour: '#a855f7' }]}
            thresholds={thresholds}
            marks={
              item.fitAtMs === null ? [] : [{ kind: 'annotation', at: item.fitAtMs / 1_000, text: t('forecasts.made') }]
            }
            height={280}
            syncKey="forecast"
          />
        );
      }}
    </QueryView>
  );
}

function same(a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): boolean {
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((k) => a[k] === b[k]);
}
