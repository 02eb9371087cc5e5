/** Heat maps of histogram buckets, of plain series, or counted from values: one row a bucket, more is stronger; the scale is one hue, safe for all eyes. */
import { useComputedColorScheme } from '@mantine/core';
import { useElementSize } from '@mantine/hooks';
import { useEffect, useMemo, useRef, useState } from 'react';
import type { NamedSeries } from '../../../lib/dashboard/panel-answer.ts';
import type { Theme } from '../../../lib/palette.ts';
import { useText } from '../../../lib/use-text.ts';
import type { BodyProps } from './panel-body.tsx';
import { TimeAxis } from './time-axis.tsx';

const LEFT_PX = 64;
const FOOT_PX = 40;
const BUCKETS_DEFAULT = 20;
const BUCKETS_MAX = 100;

export interface HeatRow {
  readonly name: string;
  /** The upper bound, where the row is a bucket. */
  readonly bound?: number;
  readonly values: readonly (number | null)[];
}

const bound = (s: NamedSeries): number => {
  const le = s.metric['le'] ?? s.name;
  return le === '+Inf' ? Number.POSITIVE_INFINITY : Number(le);
};

/** Cumulative `le` buckets become counts per bucket, ordered from low to high. */
export function bucketRows(series: readonly NamedSeries[]): readonly HeatRow[] {
  if (!series.every((s) => !Number.isNaN(bound(s)))) return series.map((s) => ({ name: s.name, values: s.values }));
  const sorted = [...series].sort((a, b) => bound(a) - bound(b));
  const cumulative = sorted.every((s) => s.metric['le'] !== undefined);
  return sorted.map((s, i) => ({
    name: s.metric['le'] ?? s.name,
    bound: bound(s),
    values:
      cumulative && i > 0
        ? s.values.map((v, k) => (v === null ? null : Math.max(0, v - (sorted[i - 1]!.values[k] ?? 0))))
        : s.values,
  }));
}

/** How many of the series lie in each of `count` equal steps between the lowest and the highest value. */
export function countedRows(series: readonly NamedSeries[], count: number): readonly HeatRow[] {
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (const s of series)
    for (const v of s.values) {
      if (v === null) continue;
      if (v < low) low = v;
      if (v > high) high = v;
    }
  if (low > high) return [];
  const width = (high - low) / count || 1;
  const columns = Math.max(0, ...series.map((s) => s.values.length));
  const rows = Array.from({ length: count }, (_, i) => ({
    name: String(low + width * (i + 1)),
    bound: low + width * (i + 1),
    values: new Array<number>(columns).fill(0),
  }));
  for (const s of series)
    for (const [k, v] of s.values.entries())
      if (v !== null) rows[Math.min(count - 1, Math.floor((v - low) / width))]!.values[k]!++;
  return rows;
}

function wantedBuckets(options: Readonly<Record<string, unknown>> | undefined): number | undefined {
  if (options?.['calculate'] !== true) return undefined;
  const y = (options['calculation'] as { yBuckets?: { mode?: string; value?: unknown } } | undefined)?.yBuckets;
  const n = y?.mode === 'count' ? Number(y.value) : BUCKETS_DEFAULT;
  return Number.isFinite(n) && n >= 1 ? Math.min(BUCKETS_MAX, Math.round(n)) : BUCKETS_DEFAULT;
}

function shade(k: number, theme: Theme): string {
  return theme === 'dark'
    ? `rgb(${40 + 215 * k} ${60 + 150 * k} ${90 + 20 * k})`
    : `rgb(${235 - 225 * k} ${240 - 180 * k} ${248 - 90 * k})`;
}

export function Heatmap({ panel, data, height, onCanvas }: BodyProps) {
  const { date, value } = useText();
  const theme = useComputedColorScheme('light');
  const { ref, width } = useElementSize();
  const canvas = useRef<HTMLCanvasElement>(null);
  const [cell, setCell] = useState<{ row: number; column: number; x: number; y: number } | undefined>();
  const buckets = wantedBuckets(panel.options);
  const rows = useMemo(
    () => (buckets === undefined ? bucketRows(data.series) : countedRows(data.series, buckets)),
    [data.series, buckets],
  );
  const most = useMemo(() => Math.max(1e-12, ...rows.map((r) => Math.max(0, ...r.values.map((v) => v ?? 0)))), [rows]);
  const unit = String(
    (panel.options?.['yAxis'] as { unit?: string } | undefined)?.unit ?? panel.fieldConfig?.defaults?.unit ?? '',
  );
  const plotHeight = Math.max(60, height - FOOT_PX);
  const columns = data.times.length;
  const name = (r: HeatRow): string =>
    r.bound === undefined ? r.name : r.bound === Number.POSITIVE_INFINITY ? '+Inf' : value(r.bound, unit || undefined);
  const names = rows.map(name).join('\n');
  // biome-ignore lint/correctness/useExhaustiveDependencies: `names` stands for what the rows are called
  useEffect(() => {
    const c = canvas.current;
    if (!c || width === 0) return;
    const scale = devicePixelRatio;
    c.width = width * scale;
    c.height = plotHeight * scale;
    const g = c.getContext('2d')!;
    const left = LEFT_PX * scale;
    const w = (c.width - left) / Math.max(1, columns);
    const h = c.height / Math.max(1, rows.length);
    g.font = `${11 * scale}px system-ui`;
    g.textAlign = 'right';
    const muted = getComputedStyle(document.documentElement).getPropertyValue('--v-muted');
    const every = Math.max(1, Math.ceil((16 * scale) / h));
    for (const [r, row] of rows.entries()) {
      const y = c.height - (r + 1) * h;
      for (const [i, v] of row.values.entries()) {
        if (!v) continue;
        g.fillStyle = shade(Math.sqrt(v / most), theme);
        g.fillRect(left + i * w, y, Math.ceil(w), Math.max(1, Math.ceil(h) - 1));
      }
      if (r % every === 0) {
        g.fillStyle = muted;
        g.fillText(name(row), left - 6 * scale, y + h / 2 + 4 * scale, left - 8 * scale);
      }
    }
    onCanvas?.(c);
  }, [width, plotHeight, rows, names, most, columns, theme, onCanvas]);
  const point = (e: React.MouseEvent<HTMLCanvasElement>): void => {
    const box = e.currentTarget.getBoundingClientRect();
    const x = e.clientX - box.left;
    const y = e.clientY - box.top;
    const column = Math.floor(((x - LEFT_PX) / (box.width - LEFT_PX)) * columns);
    const row = rows.length - 1 - Math.floor((y / box.height) * rows.length);
    setCell(rows[row] && column >= 0 && column < columns ? { row, column, x, y } : undefined);
  };
  const pointed = cell ? rows[cell.row] : undefined;
  const below = cell && cell.row > 0 ? rows[cell.row - 1] : undefined;
  return (
    <div ref={ref} style={{ position: 'relative' }}>
      <canvas
        ref={canvas}
        role="img"
        aria-label={`${panel.title ?? ''}: ${rows.length} × ${columns}, max ${value(most)}`}
        style={{ width: '100%', height: plotHeight, display: 'block' }}
        onMouseMove={point}
        onMouseLeave={() => setCell(undefined)}
      />
      <TimeAxis times={data.times} left={LEFT_PX} />
      <div
        className="muted"
        style={{ display: 'flex', gap: 6, alignItems: 'center', fontSize: 11, paddingLeft: LEFT_PX }}
      >
        <span>0</span>
        <span
          aria-hidden
          style={{
            width: 90,
            height: 8,
            background: `linear-gradient(to right, ${[0, 0.25, 0.5, 0.75, 1].map((k) => shade(Math.sqrt(k), theme)).join(', ')})`,
          }}
        />
        <span>{value(most)}</span>
      </div>
      {cell && pointed && (
        <div
          className="tip"
          role="status"
          style={{
            top: Math.min(cell.y + 14, plotHeight - 50),
            ...(cell.x > width / 2 ? { right: width - cell.x + 12 } : { left: cell.x + 12 }),
          }}
        >
          <div className="muted">{date(data.times[cell.column]! * 1_000)}</div>
          <div>
            {below?.bound === undefined ? '' : `${name(below)} – `}
            {name(pointed)}: <strong>{value(pointed.values[cell.column] ?? 0)}</strong>
          </div>
        </div>
      )}
    </div>
  );
}
