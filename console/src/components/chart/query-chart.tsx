/** One or more PromQL expressions as a live chart with its own loading, error and no-data states. */
import { useElementSize } from '@mantine/hooks';
import { useRange } from '../../api/use-range.ts';
import { legendName } from '../../lib/series.ts';
import { useText } from '../../lib/use-text.ts';
import { Empty, Loading, Problem } from '../states.tsx';
import type { Mark, Threshold } from './marks.ts';
import { type ChartSeries, TimeSeriesChart } from './time-series-chart.tsx';

const SERIES_SHOWN_MAX = 100;

export function QueryChart(props: {
  readonly label: string;
  readonly expr: string;
  readonly legend?: string;
  readonly unit?: string;
  readonly height?: number;
  readonly min?: number;
  readonly max?: number;
  readonly stacked?: boolean;
  readonly thresholds?: readonly Threshold[];
  readonly marks?: readonly Mark[];
  readonly legendKind?: 'list' | 'table' | 'hidden';
  readonly emptyHint?: string;
}) {
  const { t } = useText();
  const { ref, width } = useElementSize();
  const range = useRange(props.expr, {
    widthPx: Math.max(300, Math.round((width || 600) / 200) * 200),
    enabled: width > 0,
  });
  const { columns, error } = range;
  const series: ChartSeries[] = (columns?.series ?? [])
    .slice(0, SERIES_SHOWN_MAX)
    .map((s) => ({ name: legendName(props.legend, s.metric), values: s.values }));
  return (
    <div ref={ref} style={{ minWidth: 0 }}>
      {error && !columns ? (
        <Problem error={error} retry={range.refetch} />
      ) : !columns ? (
        <Loading />
      ) : series.length === 0 ? (
        <Empty title={t('state.noData')}>{props.emptyHint}</Empty>
      ) : (
        <TimeSeriesChart
          label={props.label}
          times={columns.times}
          series={series}
          height={props.height ?? 200}
          unit={props.unit}
          min={props.min}
          max={props.max}
          stacked={props.stacked ?? false}
          thresholds={props.thresholds ?? []}
          marks={props.marks ?? []}
          legend={props.legendKind ?? 'list'}
        />
      )}
    </div>
  );
}
