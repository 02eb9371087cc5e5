/** Time series (and the old graph) panels: field options to chart options. */
import { useComputedColorScheme } from '@mantine/core';
import { useMemo } from 'react';
import type { LegendFigure } from '../../../components/chart/chart-legend.tsx';
import { type ChartSeries, TimeSeriesChart } from '../../../components/chart/time-series-chart.tsx';
import { fieldConfig, thresholdColour } from '../../../lib/dashboard/fields.ts';
import { displayName, linksOf } from '../../../lib/dashboard/links.ts';
import type { FieldConfig } from '../../../lib/dashboard/model.ts';
import type { NamedSeries } from '../../../lib/dashboard/panel-answer.ts';
import { namedColour, type Theme } from '../../../lib/palette.ts';
import { useText } from '../../../lib/use-text.ts';
import type { BodyProps } from './panel-body.tsx';
import { usePageContext } from './use-page-context.ts';

const SERIES_MAX = 150;
/** Row height of a legend's table, and how many rows are shown before it scrolls: see style.css. */
const LEGEND_ROW_PX = 26;
const LEGEND_ROWS_MAX = 4;
/** Grafana's names of the figures that a legend can show. */
const CALCS: Readonly<Record<string, LegendFigure>> = {
  last: 'last',
  lastNotNull: 'last',
  first: 'first',
  firstNotNull: 'first',
  min: 'min',
  max: 'max',
  mean: 'avg',
  sum: 'sum',
  count: 'count',
  range: 'range',
  diff: 'diff',
  delta: 'diff',
};
/** What the head of such a column says in Grafana: that is what a saved order names. */
const HEADS: Readonly<Record<string, LegendFigure | 'name'>> = {
  Name: 'name',
  Last: 'last',
  'Last *': 'last',
  First: 'first',
  'First *': 'first',
  Min: 'min',
  Max: 'max',
  Mean: 'avg',
  Total: 'sum',
  Count: 'count',
  Range: 'range',
  Difference: 'diff',
};

interface Legend {
  readonly displayMode?: string;
  readonly showLegend?: boolean;
  readonly calcs?: readonly string[];
  readonly sortBy?: string;
  readonly sortDesc?: boolean;
}

export function TimeSeriesPanel({ panel, data, height, marks, values, onCanvas }: BodyProps) {
  const theme = useComputedColorScheme('light');
  const { value: format } = useText();
  const page = usePageContext(values);
  const { times } = data;
  const legend = (panel.options?.['legend'] ?? {}) as Legend;
  const figures = [...new Set((legend.calcs ?? []).flatMap((c) => CALCS[c] ?? []))];
  const defaults = fieldConfig(panel, '');
  const drawn = useMemo(
    () =>
      data.series
        .slice(0, SERIES_MAX)
        .map((s) => ({ s, config: fieldConfig(panel, s.name, s.refId, 'number', s.values) }))
        .filter(({ config }) => (config.custom?.['hideFrom'] as { viz?: boolean } | undefined)?.viz !== true),
    [data.series, panel],
  );
  const series = useMemo(() => drawn.map(({ s, config }) => chartSeries(s, config, theme)), [drawn, theme]);
  const percent = drawn.some(({ config }) => stackingOf(config).mode === 'percent');
  const at = new Map(series.map((s, i) => [s.name, i]));
  const bands = drawn.flatMap(({ config }, upper) => {
    const to = config.custom?.['fillBelowTo'];
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
  const scale = defaults.custom?.['scaleDistribution'] as { type?: string; log?: number } | undefined;
  const sorted = legend.sortBy ? (HEADS[legend.sortBy] ?? CALCS[legend.sortBy]) : undefined;
  const linked = drawn.some(({ config }) => (config.links ?? []).length > 0);
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
      softMin={numberOf(defaults.custom?.['axisSoftMin'])}
      softMax={numberOf(defaults.custom?.['axisSoftMax'])}
      logBase={scale?.type === 'log' ? (scale.log === 2 ? 2 : 10) : undefined}
      percent={percent}
      thresholds={thresholds}
      marks={marks}
      legend={kind}
      bands={bands}
      legendFigures={figures.length > 0 ? figures : undefined}
      legendSort={sorted ? { by: sorted, desc: legend.sortDesc !== false } : undefined}
      linksOf={
        linked
          ? (name, atS, value) => {
              const found = drawn[at.get(name) ?? -1];
              if (!found) return [];
              const text = format(value, found.config.unit, found.config.decimals ?? undefined);
              const context = { name, labels: found.s.metric, value, text, timeMs: atS * 1_000 };
              return linksOf(found.config, page, context);
            }
          : undefined
      }
      {...(onCanvas ? { onCanvas } : {})}
    />
  );
}

const numberOf = (v: unknown): number | undefined => (typeof v === 'number' ? v : undefined);
const stackingOf = (config: FieldConfig) =>
  (config.custom?.['stacking'] ?? {}) as { readonly mode?: string; readonly group?: string };

function colourOf(s: NamedSeries, config: FieldConfig, theme: Theme): string | undefined {
  const { mode, fixedColor } = config.color ?? {};
  if (mode === 'fixed' && fixedColor) return namedColour(fixedColor, theme);
  // one colour for the line: that of its newest value
  if (mode !== 'thresholds') return undefined;
  const last = s.values.findLast((v) => v !== null) ?? null;
  const named = thresholdColour(last, config);
  return named === undefined ? undefined : namedColour(named, theme);
}

function chartSeries(s: NamedSeries, config: FieldConfig, theme: Theme): ChartSeries {
  const custom = config.custom ?? {};
  const negative = custom['transform'] === 'negative-Y';
  const { mode = 'none', group = 'A' } = stackingOf(config);
  const right = custom['axisPlacement'] === 'right';
  const line = String(custom['lineInterpolation'] ?? '');
  const hidden = (custom['hideFrom'] ?? {}) as { legend?: boolean };
  const colour = colourOf(s, config, theme);
  return {
    name: displayName(config, s.name, s.metric),
    negated: negative,
    values: negative ? s.values.map((v) => (v === null ? null : -v)) : s.values,
    unit: config.unit,
    decimals: config.decimals ?? undefined,
    ...(colour === undefined ? {} : { colour }),
    ...(hidden.legend ? { quiet: true } : {}),
    right,
    stack: mode === 'none' ? undefined : `${group}${right ? ' right' : ''}`,
    bars: custom['drawStyle'] === 'bars',
    points: custom['drawStyle'] === 'points' ? 'only' : custom['showPoints'] === 'always',
    stepped: line.startsWith('step'),
    smooth: line === 'smooth',
    spanGaps: custom['spanNulls'] === true || typeof custom['spanNulls'] === 'number',
    ...(typeof custom['fillOpacity'] === 'number' && custom['fillOpacity'] > 0
      ? { fill: custom['fillOpacity'] / 100 }
      : {}),
    ...(typeof custom['lineWidth'] === 'number' ? { width: Math.max(1, custom['lineWidth']) } : {}),
    dashed: (custom['lineStyle'] as { fill?: string } | undefined)?.fill === 'dash',
  };
}
