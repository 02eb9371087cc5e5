// biome-ignore-all lint/a11y: a lane is drawn, the group around it scrolls and takes the focus
// biome-ignore-all lint/suspicious/noArrayIndexKey: two series may share a name
/**
 * State timelines and status histories: one lane a series, the state written where there is room, and once below the
 * lanes with its colour. A timeline joins equal neighbours; a history shows each step apart.
 */
import { useComputedColorScheme } from '@mantine/core';
import { useElementSize } from '@mantine/hooks';
import { useEffect, useMemo, useRef, useState } from 'react';
import { colourOf, fieldConfig, show } from '../../../lib/dashboard/fields.ts';
import { displayName } from '../../../lib/dashboard/links.ts';
import { seriesColour } from '../../../lib/palette.ts';
import { useText } from '../../../lib/use-text.ts';
import type { BodyProps } from './panel-body.tsx';
import { TimeAxis } from './time-axis.tsx';

const LANES_MAX = 60;
const LANE_PX = 24;
const NAME_WIDTH = 'clamp(70px, 22%, 220px)';
/** Narrower steps of a history would be more gap than state. */
const APART_PX_MIN = 4;
/** States listed below the lanes. */
const STATES_MAX = 12;

export interface Span {
  readonly from: number;
  readonly to: number;
  readonly value: number | null;
}
export function spansOf(values: readonly (number | null)[], join: boolean): Span[] {
  const spans: Span[] = [];
  for (const [i, v] of values.entries()) {
    const last = spans.at(-1);
    if (join && last && last.value === v) spans[spans.length - 1] = { ...last, to: i + 1 };
    else spans.push({ from: i, to: i + 1, value: v });
  }
  return spans;
}

/** Black or white, whichever reads better on it. */
export function inkOn(colour: string): string {
  const m = /^#([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})/i.exec(colour);
  if (!m) return '#000';
  const [r, g, b] = [m[1]!, m[2]!, m[3]!].map((h) => {
    const c = Number.parseInt(h, 16) / 255;
    return c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r! + 0.7152 * g! + 0.0722 * b! > 0.179 ? '#000' : '#fff';
}

interface Painted extends Span {
  readonly text: string;
  readonly fill: string;
}
interface Lane {
  readonly name: string;
  readonly last: string;
  readonly spans: readonly Painted[];
}

function useLanes({ panel, data }: BodyProps): Lane[] {
  const { locale } = useText();
  const theme = useComputedColorScheme('light');
  return useMemo(() => {
    const distinct = [...new Set(data.series.flatMap((s) => s.values))].filter((v) => v !== null);
    const join = panel.type === 'state-timeline' && panel.options?.['mergeValues'] !== false;
    return data.series.slice(0, LANES_MAX).map((s) => {
      const config = fieldConfig(panel, s.name, s.refId, 'number', s.values);
      const spans = spansOf(s.values, join).flatMap((x): Painted[] => {
        if (x.value === null) return [];
        const shown = show(x.value, config, locale);
        return [
          { ...x, text: shown.text, fill: colourOf(shown, theme) ?? seriesColour(distinct.indexOf(x.value), theme) },
        ];
      });
      return {
        name: displayName(config, s.name, s.metric),
        last: show(s.values.at(-1) ?? null, config, locale).text,
        spans,
      };
    });
  }, [panel, data.series, locale, theme]);
}

export function StateTimeline(props: BodyProps) {
  const { panel, data } = props;
  const lanes = useLanes(props);
  const states = new Map<string, string>();
  for (const lane of lanes) for (const s of lane.spans) if (states.size < STATES_MAX) states.set(s.text, s.fill);
  const written = panel.options?.['showValue'] !== 'never';
  return (
    <div style={{ overflow: 'auto', height: '100%' }} tabIndex={0} role="group" aria-label={panel.title ?? ''}>
      {lanes.map((lane, k) => (
        <div
          key={`${lane.name}${k}`}
          style={{
            display: 'grid',
            gridTemplateColumns: `${NAME_WIDTH} minmax(0, 1fr)`,
            gap: 8,
            alignItems: 'center',
            marginBottom: 4,
          }}
        >
          <span style={{ fontSize: 12, overflowWrap: 'anywhere' }}>{lane.name}</span>
          <LaneCanvas lane={lane} times={data.times} apart={panel.type !== 'state-timeline'} written={written} />
        </div>
      ))}
      <TimeAxis times={data.times} left={`calc(${NAME_WIDTH} + 8px)`} />
      <div style={{ display: 'flex', flexWrap: 'wrap', gap: '2px 14px', fontSize: 12, paddingTop: 4 }}>
        {[...states].map(([text, fill]) => (
          <span key={text} style={{ display: 'inline-flex', gap: 6, alignItems: 'center' }}>
            <span className="swatch" style={{ background: fill, height: 10, width: 10 }} aria-hidden />
            {text}
          </span>
        ))}
      </div>
    </div>
  );
}

function LaneCanvas({
  lane,
  times,
  apart,
  written,
}: {
  readonly lane: Lane;
  readonly times: readonly number[];
  readonly apart: boolean;
  readonly written: boolean;
}) {
  const { date } = useText();
  const { ref, width } = useElementSize();
  const canvas = useRef<HTMLCanvasElement>(null);
  const [tip, setTip] = useState<{ at: number; x: number } | undefined>();
  const n = Math.max(1, times.length);
  useEffect(() => {
    const c = canvas.current;
    if (!c || width === 0) return;
    const scale = devicePixelRatio;
    c.width = width * scale;
    c.height = LANE_PX * scale;
    const g = c.getContext('2d')!;
    g.font = `${11 * scale}px system-ui`;
    const step = c.width / n;
    for (const s of lane.spans) {
      const x = s.from * step;
      const w = (s.to - s.from) * step;
      g.fillStyle = s.fill;
      g.fillRect(x, 0, apart && w >= APART_PX_MIN * scale ? w - scale : Math.ceil(w), c.height);
      if (!written || g.measureText(s.text).width + 8 * scale > w) continue;
      g.fillStyle = inkOn(s.fill);
      g.fillText(s.text, x + 5 * scale, c.height / 2 + 4 * scale);
    }
  }, [lane, width, n, apart, written]);
  const pointed = tip && lane.spans.find((s) => tip.at >= s.from && tip.at < s.to);
  return (
    <div ref={ref} style={{ position: 'relative', minWidth: 0 }}>
      <canvas
        ref={canvas}
        role="img"
        aria-label={`${lane.name}: ${lane.last}`}
        style={{ width: '100%', height: LANE_PX, display: 'block' }}
        onMouseMove={(e) => {
          const box = e.currentTarget.getBoundingClientRect();
          const x = e.clientX - box.left;
          setTip({ at: Math.floor((x / box.width) * n), x });
        }}
        onMouseLeave={() => setTip(undefined)}
      />
      {pointed && (
        <div
          className="tip"
          role="status"
          style={{ top: LANE_PX + 2, ...(tip.x > width / 2 ? { right: width - tip.x } : { left: tip.x }) }}
        >
          <strong>{pointed.text}</strong>
          <div className="muted">
            {date(times[pointed.from]! * 1_000)} – {date(times[Math.min(n - 1, pointed.to)]! * 1_000)}
          </div>
        </div>
      )}
    </div>
  );
}
