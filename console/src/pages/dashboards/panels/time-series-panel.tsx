/** Time series (and the old graph) panels: field options to chart options. */
import { useComputedColorScheme } from '@mantine/core';
import type { LegendFigure } from '../../../components/chart/chart-legend.tsx';
import { type ChartSeries, TimeSeriesChart } from '../../../components/chart/time-series-chart.tsx';
import { fieldConfig } from '../../../lib/dashboard/fields.ts';
import { namedColour } from '../../../lib/palette.ts';
import type { BodyProps } from './panel-body.tsx';

const SERIES_MAX = 150;
/** Row height of a legend's table, and how many rows are shown before it scrolls: see style.css. */
const LEGEND_ROW_PX = 26;
const LEGEND_ROWS_MAX = 4;
/** Grafana's names of the figures that a legend can show. */
const CALCS: Readonly<Record<string, LegendFigure>> = {
  last: 'last',
  lastNotNull: 'last',
  min: 'min',
  max: 'max',
  mean: 'avg',
  sum: 'sum',
};

export function TimeSeriesPanel({ panel, data, height, marks, onCanvas }: BodyProps) {
  const theme = useComputedColorScheme('light');
  const { times } = data;
  const legend = (panel.options?.['legend'] ?? {}) as {
    displayMode?: string;
    showLegend?: boolean;
    calcs?: readonly string[];
  };
  const figures = [...new Set((legend.calcs ?? []).flatMap((c) => CALCS[c] ?? []))];
  const defaults = fieldConfig(panel, '');
  let stacked = false;
  const series = data.series.slice(0, SERIES_MAX).map((s): ChartSeries => {
    const config = fieldConfig(panel, s.name, s.refId);
    const custom = config.custom ?? {};
    if (((custom['stacking'] as { mode?: string } | undefined)?.mode ?? 'none') !== 'none') stacked = true;
    const negative = custom['transform'] === 'negative-Y';
    return {
      name: config.displayName || s.name,
      negated: negative,
      values: negative ? s.values.map((v) => (v === null ? null : -v)) : s.values,
      unit: config.unit,
      decimals: config.decimals ?? undefined,
      ...(config.color?.mode === 'fixed' && config.color.fixedColor
        ? { colour: namedColour(config.color.fixedColor, theme) }
        : {}),
      right: custom['axisPlacement'] === 'right',
      bars: custom['drawStyle'] === 'bars',
      points: custom['drawStyle'] === 'points' || custom['showPoints'] === 'always',
      stepped: String(custom['lineInterpolation'] ?? '').startsWith('step'),
      ...(typeof custom['fillOpacity'] === 'number' && custom['fillOpacity'] > 0
        ? { fill: custom['fillOpacity'] / 100 }
        : {}),
      ...(typeof custom['lineWidth'] === 'number' ? { width: Math.max(1, custom['lineWidth']) } : {}),
      dashed: (custom['lineStyle'] as { fill?: string } | undefined)?.fill === 'dash',
    };
  });
  const at = new Map(series.map((s, i) => [s.name, i]));
  const bands = data.series.slice(0, SERIES_MAX).flatMap((s, upper) => {
    const to = fieldConfig(panel, s.name, s.refId).custom?.['fillBelowTo'];
    const lower = typeof to === 'string' ? at.get(to) : undefined;
    return lower === undefined ? [] : [{ upper, lower }];
  });
  const style = (defaults.custom?.['thresholdsStyle'] as { mode?: string } | undefined)?.mode ?? 'off';
  const thresholds =
    style === 'off'
      ? []
      : (defaults.thresholds?.steps ?? [])
          .filter((s) => s.value !== null)
          .map((s) => ({ value: s.value!, colour: s.color, area: style.includes('area') }));
  const kind =
    legend.showLegend === false || legend.displayMode === 'hidden'
      ? 'hidden'
      : legend.displayMode === 'table'
        ? 'table'
        : 'list';
  const rows = Math.min(LEGEND_ROWS_MAX, series.length) + 1;
  const room = kind === 'hidden' ? 0 : kind === 'table' ? 8 + rows * LEGEND_ROW_PX : 60;
  return (
    <TimeSeriesChart
      label={panel.title ?? ''}
      times={times}
      series={series}
      height={Math.max(70, height - room)}
      unit={defaults.unit}
      decimals={defaults.decimals ?? undefined}
      min={defaults.min ?? undefined}
      max={defaults.max ?? undefined}
      stacked={stacked}
      thresholds={thresholds}
      marks={marks}
      legend={kind}
      bands={bands}
      legendFigures={figures.length > 0 ? figures : undefined}
      {...(onCanvas ? { onCanvas } : {})}
    />
  );
}
