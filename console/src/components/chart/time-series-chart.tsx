/**
 * Time series on a canvas (uPlot): units, thresholds, stacking, bands, change points, annotations, shared cursor, zoom by
 * dragging, legend with figures, and the same data as a table for those who do not see the canvas. Data changes are
 * handed to the living chart; it is rebuilt only when its shape changes.
 */
import 'uplot/dist/uPlot.min.css';
import { useComputedColorScheme } from '@mantine/core';
import { useElementSize } from '@mantine/hooks';
import { useEffect, useMemo, useRef, useState } from 'react';
import uPlot from 'uplot';
import { namedColour, seriesColour, seriesDash } from '../../lib/palette.ts';
import { useText } from '../../lib/use-text.ts';
import { useView } from '../../lib/view.ts';
import { ChartLegend, type LegendFigure } from './chart-legend.tsx';
import { ChartTable } from './chart-table.tsx';
import { drawMarks, type Mark, marksNear, type Threshold } from './marks.ts';

export interface ChartSeries {
  readonly name: string;
  readonly values: readonly (number | null)[];
  readonly colour?: string | undefined;
  readonly unit?: string | undefined;
  readonly decimals?: number | undefined;
  readonly right?: boolean;
  readonly points?: boolean;
  readonly bars?: boolean;
  readonly stepped?: boolean;
  readonly dashed?: boolean;
  readonly fill?: number;
  readonly width?: number;
  /** Drawn below zero: legend, table and tip give the figures as they are. */
  readonly negated?: boolean;
  /** Drawn, but left out of legend and table: the edges of a band. */
  readonly quiet?: boolean;
}
export interface ChartProps {
  readonly label: string;
  /** Seconds, ascending. */
  readonly times: readonly number[];
  readonly series: readonly ChartSeries[];
  readonly height?: number;
  readonly unit?: string | undefined;
  readonly decimals?: number | undefined;
  readonly min?: number | undefined;
  readonly max?: number | undefined;
  readonly stacked?: boolean;
  readonly thresholds?: readonly Threshold[];
  readonly marks?: readonly Mark[];
  /** Pairs of indexes into `series`: the space between upper and lower is shaded. */
  readonly bands?: readonly { readonly upper: number; readonly lower: number; readonly colour?: string }[];
  readonly legend?: 'list' | 'table' | 'hidden';
  readonly legendFigures?: readonly LegendFigure[] | undefined;
  readonly syncKey?: string;
  readonly onCanvas?: (canvas: HTMLCanvasElement | undefined) => void;
}

const ROWS_TABLE_MAX = 500;
const FOCUS_POINTS_MAX = 20_000;

/** Running sums from the first series upwards; gaps count as nothing. */
export function stack(series: readonly (readonly (number | null)[])[]): (number | null)[][] {
  const sum: number[] = [];
  return series.map((values) => values.map((v, i) => (v === null ? null : (sum[i] = (sum[i] ?? 0) + v))));
}

export function TimeSeriesChart(props: ChartProps) {
  const { label, times, series, height = 220, unit, decimals, stacked = false, legend = 'list' } = props;
  const { t, locale, value } = useText();
  const { set, timeZone } = useView();
  const theme = useComputedColorScheme('light');
  const { ref, width: exactWidth } = useElementSize();
  const width = Math.floor(exactWidth);
  const host = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | undefined>(undefined);
  const [hidden, setHidden] = useState<ReadonlySet<string>>(new Set());
  // the cursor moves often: only the tip is rendered for it
  const onCursor = useRef<(at: number | undefined) => void>(() => undefined);
  const [asTable, setAsTable] = useState(false);
  const latest = useRef(props);
  latest.current = props;

  const colours = useMemo(() => series.map((s, i) => s.colour ?? seriesColour(i, theme)), [series, theme]);
  const data = useMemo(() => {
    const columns = series.map((s) => s.values);
    return [times, ...(stacked ? stack(columns) : columns)] as unknown as uPlot.AlignedData;
  }, [times, series, stacked]);
  const shape = JSON.stringify([
    series.map((s) => [s.name, s.right, s.points, s.bars, s.stepped, s.dashed, s.fill, s.width, s.colour]),
    props.bands,
    unit,
    decimals,
    props.min,
    props.max,
    stacked,
    theme,
    locale,
    timeZone,
    legend,
  ]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: rebuilt only when the shape changes; data goes in below
  useEffect(() => {
    const element = host.current;
    if (!element || width === 0 || asTable) return;
    const css = getComputedStyle(document.documentElement);
    const muted = css.getPropertyValue('--v-muted');
    const grid = css.getPropertyValue('--v-grid');
    const zone = timeZone || undefined;
    const axis = (right: boolean, axisUnit: string | undefined): uPlot.Axis => ({
      scale: right ? 'y2' : 'y',
      side: right ? 1 : 3,
      stroke: muted,
      font: '11px system-ui',
      grid: { stroke: grid, width: 1, show: !right },
      ticks: { show: false },
      values: (_u, ticks) => ticks.map((v) => value(v, axisUnit, undefined)),
      size: (_u, labels) => Math.max(36, ...(labels ?? []).map((l) => l.length * 6.4 + 12)),
    });
    const rightUnit = series.find((s) => s.right)?.unit ?? unit;
    const plotOptions: uPlot.Options = {
      width,
      height,
      padding: [8, 8, 0, 0],
      ...(zone && zone !== 'browser' ? { tzDate: (ts: number) => uPlot.tzDate(new Date(ts * 1e3), zone) } : {}),
      cursor: {
        drag: { x: true, y: false },
        // bringing the nearest line forward draws all of them anew: not with this many points
        focus: { prox: series.length * times.length > FOCUS_POINTS_MAX ? -1 : 24 },
        sync: { key: props.syncKey ?? 'time', setSeries: false },
      },
      legend: { show: false },
      scales: {
        x: { time: true },
        y: { range: (_u, lo, hi) => scaleRange(lo, hi, latest.current.min, latest.current.max) },
        y2: { range: (_u, lo, hi) => scaleRange(lo, hi, undefined, undefined) },
      },
      axes: [
        {
          stroke: muted,
          font: '11px system-ui',
          grid: { stroke: grid, width: 1 },
          ticks: { show: false },
          values: (u, ticks) => timeTicks(u, ticks, locale, zone),
          space: 70,
          size: 26,
        },
        axis(false, unit),
        ...(series.some((s) => s.right) ? [axis(true, rightUnit)] : []),
      ],
      series: [
        {},
        ...series.map((s, i): uPlot.Series => {
          const colour = colours[i]!;
          return {
            label: s.name,
            scale: s.right ? 'y2' : 'y',
            stroke: colour,
            width: s.quiet ? 0.5 : (s.width ?? 1.6),
            dash: s.dashed ? [6, 4] : [...seriesDash(i)],
            ...(s.fill || stacked ? { fill: withAlpha(colour, stacked ? 0.35 : s.fill!) } : {}),
            ...(s.bars
              ? { paths: uPlot.paths.bars!({ size: [0.8, 40] }) }
              : s.stepped
                ? { paths: uPlot.paths.stepped!({ align: 1 }) }
                : {}),
            points: {
              show: s.points ? true : (u, si, a, b) => b - a < 3 || isolated(u.data[si] as (number | null)[], a, b),
              size: 4,
            },
          };
        }),
      ],
      bands: [
        ...(props.bands ?? []).map((b) => ({
          series: [b.upper + 1, b.lower + 1] as [number, number],
          fill: withAlpha(b.colour ?? colours[b.upper]!, 0.18),
        })),
        ...(stacked
          ? series
              .slice(1)
              .map((_, i) => ({ series: [i + 2, i + 1] as [number, number], fill: withAlpha(colours[i + 1]!, 0.35) }))
          : []),
      ],
      hooks: {
        draw: [
          (u) =>
            drawMarks(u, latest.current.thresholds ?? [], latest.current.marks ?? [], (name) =>
              namedColour(name, theme),
            ),
        ],
        setCursor: [(u) => onCursor.current(u.cursor.idx ?? undefined)],
        setSelect: [
          (u) => {
            if (u.select.width < 6) return;
            const from = u.posToVal(u.select.left, 'x');
            const to = u.posToVal(u.select.left + u.select.width, 'x');
            u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
            set({ from: String(Math.round(from * 1_000)), to: String(Math.round(to * 1_000)) });
          },
        ],
      },
    };
    const made = new uPlot(plotOptions, data, element);
    plot.current = made;
    latest.current.onCanvas?.(made.ctx.canvas);
    for (const [i, s] of series.entries()) if (hidden.has(s.name)) made.setSeries(i + 1, { show: false });
    return () => {
      made.destroy();
      plot.current = undefined;
      latest.current.onCanvas?.(undefined);
    };
  }, [shape, width > 0, asTable]);

  useEffect(() => {
    if (width > 0) plot.current?.setSize({ width, height });
  }, [width, height]);
  useEffect(() => {
    plot.current?.setData(data);
  }, [data]);
  // marks may come after the data
  const { marks, thresholds } = props;
  const over = useMemo(() => JSON.stringify([marks, thresholds]), [marks, thresholds]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: drawn anew when they say something else
  useEffect(() => {
    plot.current?.redraw(false);
  }, [over]);

  const toggle = (name: string, only: boolean): void => {
    const next = new Set(hidden);
    if (only) {
      next.clear();
      if (hidden.size !== series.length - 1 || hidden.has(name))
        for (const s of series) if (s.name !== name) next.add(s.name);
    } else if (!next.delete(name)) next.add(name);
    setHidden(next);
    const u = plot.current;
    u?.batch(() => {
      for (const [i, s] of series.entries())
        if (u.series[i + 1]?.show === next.has(s.name)) u.setSeries(i + 1, { show: !next.has(s.name) });
    });
  };
  const move = (by: number): void => {
    const u = plot.current;
    if (!u || times.length === 0) return;
    const at = Math.max(0, Math.min(times.length - 1, (u.cursor.idx ?? times.length) + by));
    u.setCursor({ left: u.valToPos(times[at]!, 'x'), top: 20 });
  };

  const shown = useMemo(
    () =>
      series
        .map((s, i) => ({
          ...s,
          colour: colours[i]!,
          ...(s.negated ? { values: s.values.map((v) => (v === null ? null : -v)) } : {}),
        }))
        .filter((s) => !s.quiet),
    [series, colours],
  );
  return (
    <div className="chart" ref={ref}>
      {asTable ? (
        <ChartTable
          label={label}
          times={times.slice(-ROWS_TABLE_MAX)}
          series={shown.map((s) => ({ ...s, values: s.values.slice(-ROWS_TABLE_MAX) }))}
          unit={unit}
          decimals={decimals}
          height={height}
        />
      ) : (
        <div
          ref={host}
          role="application"
          aria-label={`${label}. ${t('chart.keys')}`}
          // biome-ignore lint/a11y/noNoninteractiveTabindex: the arrows move the cursor
          tabIndex={0}
          style={{ height, overflow: 'hidden' }}
          onKeyDown={(e) => {
            const by = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10 }[e.key];
            if (by === undefined) return;
            e.preventDefault();
            move(by);
          }}
        />
      )}
      {!asTable && (
        <CursorTip chart={props} shown={shown} hidden={hidden} plot={plot} onCursor={onCursor} width={width} />
      )}
      {legend !== 'hidden' && (
        <ChartLegend
          series={shown}
          kind={legend}
          unit={unit}
          decimals={decimals}
          hidden={hidden}
          toggle={toggle}
          asTable={asTable}
          setAsTable={setAsTable}
          {...(props.legendFigures ? { figures: props.legendFigures } : {})}
        />
      )}
    </div>
  );
}

/** What the cursor points at; keeps its own state, so that the chart and its legend rest while the pointer moves. */
function CursorTip({
  chart,
  shown,
  hidden,
  plot,
  onCursor,
  width,
}: {
  readonly chart: ChartProps;
  readonly shown: readonly (ChartSeries & { readonly colour: string })[];
  readonly hidden: ReadonlySet<string>;
  readonly plot: { readonly current: uPlot | undefined };
  readonly onCursor: { current: (at: number | undefined) => void };
  readonly width: number;
}) {
  const { value, date } = useText();
  const [cursor, setCursor] = useState<number | undefined>();
  onCursor.current = setCursor;
  const { times, unit, decimals } = chart;
  const at = cursor === undefined ? undefined : times[cursor];
  if (cursor === undefined || at === undefined) return null;
  const nearS = ((times.at(-1)! - times[0]!) * 8) / Math.max(1, width);
  return (
    <Tip plot={plot.current} width={width}>
      <div className="muted">{date(at * 1_000)}</div>
      {marksNear(chart.marks ?? [], at, nearS).map((m) => (
        <div key={`${m.kind}${m.at}${m.text}`} style={{ fontWeight: 600, overflowWrap: 'anywhere' }}>
          {m.text}
        </div>
      ))}
      {shown
        .filter((s) => !hidden.has(s.name) && s.values[cursor] !== null && s.values[cursor] !== undefined)
        .sort((a, b) => b.values[cursor]! - a.values[cursor]!)
        .slice(0, TIP_SERIES_MAX)
        .map((s) => (
          <div key={s.name} style={{ display: 'flex', gap: 6, alignItems: 'center' }}>
            <span className="swatch" style={{ background: s.colour }} />
            <span style={{ flex: 1, overflowWrap: 'anywhere' }}>{s.name}</span>
            <strong>{value(s.values[cursor], s.unit ?? unit, s.decimals ?? decimals)}</strong>
          </div>
        ))}
    </Tip>
  );
}
const TIP_SERIES_MAX = 12;

function Tip({
  plot,
  width,
  children,
}: {
  readonly plot: uPlot | undefined;
  readonly width: number;
  readonly children: React.ReactNode;
}) {
  const left = (plot?.cursor.left ?? 0) + (plot ? plot.bbox.left / devicePixelRatio : 0);
  const side = left > width / 2 ? { right: width - left + 12 } : { left: left + 12 };
  return (
    <div className="tip" role="status" style={{ top: 8, ...side }}>
      {children}
    </div>
  );
}

/** The scale with a little air; a flat line gets room, a fixed end stays fixed. */
function scaleRange(
  lo: number | null,
  hi: number | null,
  min: number | undefined,
  max: number | undefined,
): [number, number] {
  const low = min ?? lo ?? 0;
  let high = max ?? hi ?? 1;
  if (high <= low) high = low === 0 ? 1 : low + Math.abs(low) * 0.1;
  const air = (high - low) * 0.06;
  return [min ?? (low >= 0 && low - air < 0 ? 0 : low - air), max ?? high + air];
}

function isolated(values: readonly (number | null)[], from: number, to: number): boolean {
  let points = 0;
  for (let i = from; i <= to; i++) if (values[i] !== null && values[i] !== undefined && ++points > 1) return false;
  return points === 1;
}

function withAlpha(colour: string, alpha: number): string {
  return colour.startsWith('#') && colour.length === 7
    ? `${colour}${Math.round(alpha * 255)
        .toString(16)
        .padStart(2, '0')}`
    : colour;
}

function timeTicks(u: uPlot, ticks: number[], locale: string, timeZone: string | undefined): string[] {
  const span = (u.scales['x']!.max ?? 0) - (u.scales['x']!.min ?? 0);
  const options: Intl.DateTimeFormatOptions =
    span > 2 * 86_400
      ? { day: 'numeric', month: 'short', ...(span < 8 * 86_400 ? { hour: '2-digit' } : {}) }
      : span > 300
        ? { hour: '2-digit', minute: '2-digit' }
        : { hour: '2-digit', minute: '2-digit', second: '2-digit' };
  const format = new Intl.DateTimeFormat(locale, {
    ...options,
    hourCycle: 'h23',
    ...(timeZone && timeZone !== 'browser' ? { timeZone } : {}),
  });
  return ticks.map((s) => format.format(s * 1_000));
}
