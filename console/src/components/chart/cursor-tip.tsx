/** What the cursor points at. A click on the chart holds it still, so that links of its series can be followed; Escape lets go. */
import { CloseButton } from '@mantine/core';
import { useEffect, useState } from 'react';
import type uPlot from 'uplot';
import { useText } from '../../lib/use-text.ts';
import { marksNear } from './marks.ts';
import type { ChartLink, ChartProps, ChartSeries } from './time-series-chart.tsx';

const SERIES_MAX = 12;

/** Keeps its own state, so that the chart and its legend rest while the pointer moves. */
export function CursorTip({
  chart,
  shown,
  hidden,
  plot,
  onCursor,
  onHold,
  width,
}: {
  readonly chart: ChartProps;
  readonly shown: readonly (ChartSeries & { readonly colour: string })[];
  readonly hidden: ReadonlySet<string>;
  readonly plot: { readonly current: uPlot | undefined };
  readonly onCursor: { current: (at: number | undefined) => void };
  /** Called by the chart on a click or Enter. */
  readonly onHold: { current: () => void };
  readonly width: number;
}) {
  const { t, value, date } = useText();
  const [cursor, setCursor] = useState<number | undefined>();
  /** Seconds, and the place on the chart. */
  const [held, setHeld] = useState<{ at: number; left: number } | undefined>();
  onCursor.current = setCursor;
  const { times, unit, decimals } = chart;
  const left =
    held?.left ?? (plot.current?.cursor.left ?? 0) + (plot.current ? plot.current.bbox.left / devicePixelRatio : 0);
  // new points slide in while it is held: the place is found by time
  const index = held ? times.indexOf(held.at) : cursor;
  const at = index === undefined || index < 0 ? undefined : times[index];
  onHold.current = () => {
    if (held) setHeld(undefined);
    else if (at !== undefined && chart.linksOf) setHeld({ at, left });
  };
  useEffect(() => {
    if (!held) return;
    const release = (e: KeyboardEvent): void => void (e.key === 'Escape' && setHeld(undefined));
    addEventListener('keydown', release);
    return () => removeEventListener('keydown', release);
  }, [held]);
  if (index === undefined || at === undefined) return null;
  const nearS = ((times.at(-1)! - times[0]!) * 8) / Math.max(1, width);
  const side = left > width / 2 ? { right: width - left + 12 } : { left: left + 12 };
  const listed = shown
    .filter((s) => !hidden.has(s.name) && s.values[index] !== null && s.values[index] !== undefined)
    .sort((a, b) => b.values[index]! - a.values[index]!)
    .slice(0, SERIES_MAX);
  return (
    <div className="tip" role="status" data-held={held !== undefined} style={{ top: 8, ...side }}>
      <div className="muted" style={{ display: 'flex', alignItems: 'center', gap: 8 }}>
        <span style={{ flex: 1 }}>{date(at * 1_000)}</span>
        {held && <CloseButton size="xs" aria-label={t('action.close')} onClick={() => setHeld(undefined)} />}
      </div>
      {marksNear(chart.marks ?? [], at, nearS).map((m) => (
        <div key={`${m.kind}${m.at}${m.text}`} style={{ fontWeight: 600, overflowWrap: 'anywhere' }}>
          {m.text}
        </div>
      ))}
      {listed.map((s) => (
        <div key={s.name}>
          <div style={{ display: 'flex', gap: 6, alignItems: 'center' }}>
            <span className="swatch" style={{ background: s.colour }} />
            <span style={{ flex: 1, overflowWrap: 'anywhere' }}>{s.name}</span>
            <strong>{value(s.values[index], s.unit ?? unit, s.decimals ?? decimals)}</strong>
          </div>
          {held && <Links links={chart.linksOf?.(s.name, at, s.values[index] ?? null) ?? []} />}
        </div>
      ))}
    </div>
  );
}

function Links({ links }: { readonly links: readonly ChartLink[] }) {
  return links.map((l) => (
    <a
      key={l.href}
      href={l.href}
      target={l.newTab ? '_blank' : undefined}
      rel="noreferrer noopener"
      style={{ display: 'block', paddingLeft: 20, color: 'var(--mantine-color-anchor)', overflowWrap: 'anywhere' }}
    >
      {l.text}
    </a>
  ));
}
