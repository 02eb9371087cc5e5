// biome-ignore-all lint/a11y: a lane is drawn, the group around it scrolls and takes the focus
// biome-ignore-all lint/suspicious/noArrayIndexKey: two series may share a name
/** State timelines and status histories: one lane a series, equal neighbours joined, the state written where there is room. */
import { useComputedColorScheme } from '@mantine/core';
import { colourOf, fieldConfig, show } from '../../../lib/dashboard/fields.ts';
import { seriesColour } from '../../../lib/palette.ts';
import { useText } from '../../../lib/use-text.ts';
import type { BodyProps } from './panel-body.tsx';

const LANES_MAX = 60;

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

export function StateTimeline({ panel, data }: BodyProps) {
  const { locale, date } = useText();
  const theme = useComputedColorScheme('light');
  const n = Math.max(1, data.times.length);
  const distinct = [...new Set(data.series.flatMap((s) => s.values))];
  return (
    <div style={{ overflow: 'auto', height: '100%' }} tabIndex={0} role="group" aria-label={panel.title ?? ''}>
      {data.series.slice(0, LANES_MAX).map((s, k) => {
        const config = fieldConfig(panel, s.name, s.refId);
        const spans = spansOf(s.values, panel.type === 'state-timeline');
        const last = show(s.values.at(-1) ?? null, config, locale);
        return (
          <div
            key={`${s.name}${k}`}
            style={{
              display: 'grid',
              gridTemplateColumns: 'minmax(70px, 22%) 1fr',
              gap: 8,
              alignItems: 'center',
              marginBottom: 4,
            }}
          >
            <span style={{ fontSize: 12, overflowWrap: 'anywhere' }}>{config.displayName || s.name}</span>
            <svg
              viewBox={`0 0 ${n} 10`}
              preserveAspectRatio="none"
              role="img"
              aria-label={`${s.name}: ${last.text}`}
              style={{ width: '100%', height: 24 }}
            >
              {spans
                .filter((x) => x.value !== null)
                .map((x) => {
                  const shown = show(x.value, config, locale);
                  return (
                    <rect
                      key={x.from}
                      x={x.from}
                      width={x.to - x.from}
                      y={0}
                      height={10}
                      fill={colourOf(shown, theme) ?? seriesColour(distinct.indexOf(x.value), theme)}
                      stroke="var(--v-panel)"
                      strokeWidth={panel.type === 'state-timeline' ? 0 : 0.1}
                    >
                      <title>{`${shown.text} · ${date(data.times[x.from]! * 1_000)}`}</title>
                    </rect>
                  );
                })}
            </svg>
          </div>
        );
      })}
    </div>
  );
}
