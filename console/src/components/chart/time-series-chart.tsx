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
import { seriesColour } from '../../lib/palette.ts';
import { useText } from '../../lib/use-text.ts';
import { useView } from '../../lib/view.ts';
import { ChartLegend, type LegendFigure } from './chart-legend.tsx';
import { ChartTable } from './chart-table.tsx';
import { CursorTip } from './cursor-tip.tsx';
import type { Mark, Threshold } from './marks.ts';
import { plotOptions, setBands } from './plot-options.ts';
import { stackColumns } from './stacking.ts';

export interface ChartSeries {
  readonly name: string;
  readonly values: readonly (number | null)[];
  readonly colour?: string | undefined;
  readonly unit?: string | undefined;
  readonly decimals?: number | undefined;
  readonly right?: boolean;
  /** `only`: no line between them. */
  readonly points?: boolean | 'only';
  readonly bars?: boolean;
  readonly stepped?: boolean;
  readonly smooth?: boolean;
  /** The line goes on over gaps. */
  readonly spanGaps?: boolean;
  /** Series of one group stand on each other. */
  readonly stack?: string | undefined;
  readonly dashed?: boolean;
  readonly fill?: number;
  readonly width?: number;
  /** Drawn below zero: legend, table and tip give the figures as they are. */
  readonly negated?: boolean;
  /** Drawn, but left out of legend and table: the edges of a band. */
  readonly quiet?: boolean;
}
export interface ChartLink {
  readonly text: string;
  readonly href: string;
  readonly newTab: boolean;
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
  /** Ends that give way to data beyond them. */
  readonly softMin?: number | undefined;
  readonly softMax?: number | undefined;
  readonly logBase?: 2 | 10 | undefined;
  /** All series of the left axis stand on each other. */
  readonly stacked?: boolean;
  /** Stacks show shares of the whole; legend, table and tip give the figures as they are. */
  readonly percent?: boolean;
  readonly thresholds?: readonly Threshold[];
  readonly marks?: readonly Mark[];
  /** Pairs of indexes into `series`: the space between upper and lower is shaded. */
  readonly bands?: readonly { readonly upper: number; readonly lower: number; readonly colour?: string }[];
  readonly legend?: 'list' | 'table' | 'hidden';
  readonly legendFigures?: readonly LegendFigure[] | undefined;
  readonly legendSort?: { readonly by: LegendFigure | 'name'; readonly desc: boolean } | undefined;
  /** Where a series leads to from a point; `at` in seconds. */
  readonly linksOf?: ((series: string, at: number, value: number | null) => readonly ChartLink[]) | undefined;
  readonly syncKey?: string;
  readonly onCanvas?: (canvas: HTMLCanvasElement | undefined) => void;
}

const ROWS_TABLE_MAX = 500;
const NOTHING: ReadonlySet<string> = new Set();

export function TimeSeriesChart(props: ChartProps) {
  const { label, times, series, height = 220, unit, decimals, percent = false, legend = 'list' } = props;
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
  const hold = useRef<() => void>(() => undefined);
  const latest = useRef(props);
  latest.current = props;

  const colours = useMemo(() => series.map((s, i) => s.colour ?? seriesColour(i, theme)), [series, theme]);
  const groups = series.map((s) => (props.stacked && !s.right ? 'all' : s.stack));
  const isStacked = groups.some((g) => g !== undefined);
  // of plain lines the hidden ones change nothing
  const gone = isStacked ? hidden : NOTHING;
  const stacking = groups.join('\n');
  // biome-ignore lint/correctness/useExhaustiveDependencies: `stacking` stands for the groups
  const stacked = useMemo(
    () =>
      stackColumns(
        series.map((s, i) => ({ values: s.values, group: groups[i], hidden: gone.has(s.name) })),
        percent,
      ),
    [series, stacking, gone, percent],
  );
  const data = useMemo(() => [times, ...stacked.columns], [times, stacked]);
  const shape = JSON.stringify([
    series.map((s) => [
      s.name,
      s.right,
      s.points,
      s.bars,
      s.stepped,
      s.smooth,
      s.spanGaps,
      s.dashed,
      s.fill,
      s.width,
      s.colour,
      s.stack,
    ]),
    props.bands,
    unit,
    decimals,
    props.min,
    props.max,
    props.logBase,
    props.stacked,
    percent,
    theme,
    locale,
    timeZone,
    legend,
  ]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: rebuilt only when the shape changes; data goes in below
  useEffect(() => {
    const element = host.current;
    if (!element || width === 0 || asTable) return;
    const made = new uPlot(
      plotOptions({
        props: latest.current,
        width,
        height,
        colours,
        theme,
        locale,
        timeZone: timeZone && timeZone !== 'browser' ? timeZone : undefined,
        value,
        latest: () => latest.current,
        onCursor: (at) => onCursor.current(at),
        zoom: (fromMs, toMs) => set({ from: String(fromMs), to: String(toMs) }),
      }),
      data as uPlot.AlignedData,
      element,
    );
    setBands(made, latest.current, colours, stacked.on);
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
    const u = plot.current;
    if (!u) return;
    u.batch(() => {
      if (isStacked) setBands(u, latest.current, colours, stacked.on);
      u.setData(data as uPlot.AlignedData);
    });
  }, [data, isStacked, stacked, colours]);
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
          onClick={() => hold.current()}
          onKeyDown={(e) => {
            if (e.key === 'Enter') hold.current();
            const by = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10 }[e.key];
            if (by === undefined) return;
            e.preventDefault();
            move(by);
          }}
        />
      )}
      {!asTable && (
        <CursorTip
          chart={props}
          shown={shown}
          hidden={hidden}
          plot={plot}
          onCursor={onCursor}
          onHold={hold}
          width={width}
        />
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
          sort={props.legendSort}
          {...(props.legendFigures ? { figures: props.legendFigures } : {})}
        />
      )}
    </div>
  );
}
