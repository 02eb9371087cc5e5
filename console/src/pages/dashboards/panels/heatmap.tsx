/** Heat maps of histogram buckets or of plain series: one row a series, darker is more; the scale is one hue, safe for all eyes. */
import { useComputedColorScheme } from '@mantine/core';
import { useElementSize } from '@mantine/hooks';
import { useEffect, useRef } from 'react';
import { useText } from '../../../lib/use-text.ts';
import type { NamedSeries } from '../use-panel-data.ts';
import type { BodyProps } from './panel-body.tsx';

const bound = (s: NamedSeries): number => {
  const le = s.metric['le'] ?? s.name;
  return le === '+Inf' ? Number.POSITIVE_INFINITY : Number(le);
};

/** Cumulative `le` buckets become counts per bucket, ordered from low to high. */
export function bucketRows(
  series: readonly NamedSeries[],
): { readonly name: string; readonly values: (number | null)[] }[] {
  if (!series.every((s) => !Number.isNaN(bound(s)))) return series.map((s) => ({ name: s.name, values: s.values }));
  const sorted = [...series].sort((a, b) => bound(a) - bound(b));
  const cumulative = sorted.every((s) => s.metric['le'] !== undefined);
  return sorted.map((s, i) => ({
    name: s.metric['le'] ?? s.name,
    values:
      cumulative && i > 0
        ? s.values.map((v, k) => (v === null ? null : Math.max(0, v - (sorted[i - 1]!.values[k] ?? 0))))
        : s.values,
  }));
}

export function Heatmap({ panel, data, height, onCanvas }: BodyProps) {
  const { date, value } = useText();
  const theme = useComputedColorScheme('light');
  const { ref, width } = useElementSize();
  const canvas = useRef<HTMLCanvasElement>(null);
  const rows = bucketRows(data.series);
  const most = Math.max(1e-12, ...rows.flatMap((r) => r.values.map((v) => v ?? 0)));
  const plotHeight = Math.max(60, height - 22);
  useEffect(() => {
    const c = canvas.current;
    if (!c || width === 0) return;
    const scale = devicePixelRatio;
    c.width = width * scale;
    c.height = plotHeight * scale;
    const g = c.getContext('2d')!;
    const left = 64 * scale;
    const w = (c.width - left) / Math.max(1, data.times.length);
    const h = c.height / Math.max(1, rows.length);
    g.font = `${11 * scale}px system-ui`;
    const css = getComputedStyle(document.documentElement);
    for (const [r, row] of rows.entries()) {
      const y = c.height - (r + 1) * h;
      for (const [i, v] of row.values.entries()) {
        if (!v) continue;
        const k = Math.sqrt(v / most);
        g.fillStyle =
          theme === 'dark'
            ? `rgb(${40 + 215 * k} ${60 + 150 * k} ${90 + 20 * k})`
            : `rgb(${235 - 225 * k} ${240 - 180 * k} ${248 - 90 * k})`;
        g.fillRect(left + i * w, y, Math.ceil(w), Math.ceil(h) - 1);
      }
      if (r % Math.max(1, Math.ceil((14 * scale) / h)) === 0) {
        g.fillStyle = css.getPropertyValue('--v-muted');
        g.fillText(row.name.slice(0, 10), 2, y + h / 2 + 4 * scale);
      }
    }
    onCanvas?.(c);
  }, [width, plotHeight, rows, most, data.times.length, theme, onCanvas]);
  return (
    <div ref={ref}>
      <canvas
        ref={canvas}
        role="img"
        aria-label={`${panel.title ?? ''}: ${rows.length} × ${data.times.length}, max ${value(most)}`}
        style={{ width: '100%', height: plotHeight, display: 'block' }}
      />
      <div
        className="muted"
        style={{ display: 'flex', justifyContent: 'space-between', fontSize: 11, paddingLeft: 64 }}
      >
        <span>{data.times[0] !== undefined && date(data.times[0] * 1_000)}</span>
        <span>{data.times.length > 0 && date(data.times.at(-1)! * 1_000)}</span>
      </div>
    </div>
  );
}
