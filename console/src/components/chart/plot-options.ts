/** What uPlot is told to draw: scales, axes, lines, points, and the hooks for marks, cursor and zoom. Not here: data and bands. */
import uPlot from 'uplot';
import { namedColour, seriesDash, type Theme } from '../../lib/palette.ts';
import { drawMarks } from './marks.ts';
import type { ChartProps, ChartSeries } from './time-series-chart.tsx';

/** With more points, bringing the nearest line forward would draw all of them anew at each move. */
const FOCUS_POINTS_MAX = 20_000;
/** Shares are written as per cent whatever the unit of the parts. */
const SHARE_UNIT = 'percentunit';

export interface PlotSetup {
  readonly props: ChartProps;
  readonly width: number;
  readonly height: number;
  readonly colours: readonly string[];
  readonly theme: Theme;
  readonly locale: string;
  readonly timeZone: string | undefined;
  readonly value: (v: number | null | undefined, unit?: string, decimals?: number) => string;
  /** The props of now: the plot outlives those it was made with. */
  readonly latest: () => ChartProps;
  readonly onCursor: (at: number | undefined) => void;
  readonly zoom: (fromMs: number, toMs: number) => void;
}

export function plotOptions(o: PlotSetup): uPlot.Options {
  const { props, width, height, colours, theme, locale, timeZone, value, latest } = o;
  const { series, times, unit } = props;
  const css = getComputedStyle(document.documentElement);
  const muted = css.getPropertyValue('--v-muted');
  const grid = css.getPropertyValue('--v-grid');
  const axis = (right: boolean, axisUnit: string | undefined): uPlot.Axis => ({
    scale: right ? 'y2' : 'y',
    side: right ? 1 : 3,
    stroke: muted,
    font: '11px system-ui',
    grid: { stroke: grid, width: 1, show: !right },
    ticks: { show: false },
    values: (_u, ticks) => ticks.map((v) => (v === null ? '' : value(v, axisUnit, undefined))),
    size: (_u, labels) => Math.max(36, ...(labels ?? []).map((l) => l.length * 6.4 + 12)),
  });
  const range: uPlot.Range.Function = (_u, lo, hi) => {
    const { min, max, softMin, softMax, percent } = latest();
    if (percent) return [lo !== null && lo < 0 ? -1 : 0, 1];
    return scaleRange(lo, hi, { min, max, softMin, softMax });
  };
  return {
    width,
    height,
    padding: [8, 8, 0, 0],
    ...(timeZone ? { tzDate: (ts: number) => uPlot.tzDate(new Date(ts * 1e3), timeZone) } : {}),
    cursor: {
      drag: { x: true, y: false },
      focus: { prox: series.length * times.length > FOCUS_POINTS_MAX ? -1 : 24 },
      sync: { key: props.syncKey ?? 'time', setSeries: false },
    },
    legend: { show: false },
    scales: {
      x: { time: true },
      y: props.logBase && !props.percent ? { distr: 3, log: props.logBase } : { range },
      y2: { range: (_u, lo, hi) => scaleRange(lo, hi, {}) },
    },
    axes: [
      {
        stroke: muted,
        font: '11px system-ui',
        grid: { stroke: grid, width: 1 },
        ticks: { show: false },
        values: (u, ticks) => timeTicks(u, ticks, locale, timeZone),
        space: 70,
        size: 26,
      },
      axis(false, props.percent ? SHARE_UNIT : unit),
      ...(series.some((s) => s.right) ? [axis(true, series.find((s) => s.right)?.unit ?? unit)] : []),
    ],
    series: [{}, ...series.map((s, i) => lineOf(s, i, colours[i]!, series.length))],
    hooks: {
      draw: [(u) => drawMarks(u, latest().thresholds ?? [], latest().marks ?? [], (name) => namedColour(name, theme))],
      setCursor: [(u) => o.onCursor(u.cursor.idx ?? undefined)],
      setSelect: [
        (u) => {
          if (u.select.width < 6) return;
          const from = u.posToVal(u.select.left, 'x');
          const to = u.posToVal(u.select.left + u.select.width, 'x');
          u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
          o.zoom(Math.round(from * 1_000), Math.round(to * 1_000));
        },
      ],
    },
  };
}

/**
 * Past this many lines, they are drawn a pixel wide and without dashes: nobody tells so many apart by their dashes, and
 * drawing wide or dashed ones takes most of the time of a frame.
 */
const CROWD = 40;

export function lineOf(s: ChartSeries, i: number, colour: string, lines: number): uPlot.Series {
  const crowd = lines > CROWD;
  const fill = s.fill || (s.stack === undefined ? 0 : STACK_FILL);
  return {
    label: s.name,
    scale: s.right ? 'y2' : 'y',
    stroke: colour,
    width: s.quiet ? 0.5 : s.points === 'only' ? 0 : (s.width ?? (crowd ? 1 : 1.6)),
    dash: s.dashed ? [6, 4] : crowd ? [] : [...seriesDash(i)],
    spanGaps: s.spanGaps ?? false,
    ...(fill ? { fill: withAlpha(colour, fill) } : {}),
    ...(s.points === 'only'
      ? { paths: () => null }
      : s.bars
        ? { paths: uPlot.paths.bars!({ size: [0.8, 40] }) }
        : s.stepped
          ? { paths: uPlot.paths.stepped!({ align: 1 }) }
          : s.smooth
            ? { paths: uPlot.paths.spline!() }
            : {}),
    points: {
      show: s.points ? true : (u, si, a, b) => b - a < 3 || isolated(u.data[si] as (number | null)[], a, b),
      size: s.points === 'only' ? 5 : 4,
    },
  };
}
const STACK_FILL = 0.35;

/** The space between two lines: bands of the caller's, and each stacked series down to the one it stands on. */
export function setBands(
  u: uPlot,
  props: ChartProps,
  colours: readonly string[],
  on: readonly (number | undefined)[],
): void {
  u.delBand(null);
  for (const b of props.bands ?? [])
    u.addBand({ series: [b.upper + 1, b.lower + 1], fill: withAlpha(b.colour ?? colours[b.upper]!, 0.18) });
  for (const [i, below] of on.entries())
    if (below !== undefined)
      u.addBand({ series: [i + 1, below + 1], fill: withAlpha(colours[i]!, props.series[i]!.fill || STACK_FILL) });
}

interface Ends {
  readonly min?: number | undefined;
  readonly max?: number | undefined;
  readonly softMin?: number | undefined;
  readonly softMax?: number | undefined;
}
/** The scale with a little air; a flat line gets room, a fixed end stays fixed, a soft one gives way to the data. */
export function scaleRange(lo: number | null, hi: number | null, ends: Ends): [number, number] {
  const { min, max, softMin, softMax } = ends;
  const low = min ?? (softMin === undefined ? (lo ?? 0) : Math.min(lo ?? softMin, softMin));
  let high = max ?? (softMax === undefined ? (hi ?? 1) : Math.max(hi ?? softMax, softMax));
  if (high <= low) high = low === 0 ? 1 : low + Math.abs(low) * 0.1;
  const air = (high - low) * 0.06;
  const bottom = low === softMin ? low : low >= 0 && low - air < 0 ? 0 : low - air;
  return [min ?? bottom, max ?? (high === softMax ? high : high + air)];
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
  const format = tickFormat(locale, timeZone, span);
  return ticks.map((s) => format.format(s * 1_000));
}
/** Making a formatter costs more than a whole drawing: one is kept for each kind. */
const formats = new Map<string, Intl.DateTimeFormat>();
function tickFormat(locale: string, timeZone: string | undefined, spanS: number): Intl.DateTimeFormat {
  const kind = spanS > 8 * 86_400 ? 'date' : spanS > 2 * 86_400 ? 'day' : spanS > 300 ? 'minute' : 'second';
  const key = `${locale} ${timeZone ?? ''} ${kind}`;
  let format = formats.get(key);
  if (!format) {
    const options: Intl.DateTimeFormatOptions =
      kind === 'date'
        ? { day: 'numeric', month: 'short' }
        : kind === 'day'
          ? { day: 'numeric', month: 'short', hour: '2-digit' }
          : { hour: '2-digit', minute: '2-digit', ...(kind === 'second' ? { second: '2-digit' } : {}) };
    format = new Intl.DateTimeFormat(locale, { ...options, hourCycle: 'h23', ...(timeZone ? { timeZone } : {}) });
    formats.set(key, format);
  }
  return format;
}
