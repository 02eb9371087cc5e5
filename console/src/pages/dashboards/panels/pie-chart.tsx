// biome-ignore-all lint/suspicious/noArrayIndexKey: two figures may share a name
/** Shares of a whole as a ring, with name, figure and per cent beside it: the ring alone says nothing that the list does not. */
import { useComputedColorScheme } from '@mantine/core';
import { seriesColour } from '../../../lib/palette.ts';
import { useText } from '../../../lib/use-text.ts';
import { type Figure, useFigures } from './figures.tsx';
import type { BodyProps } from './panel-body.tsx';

const RADIUS = 40;
/** Of the ring's length. */
const WHOLE = 100;

export interface Slice {
  readonly from: number;
  readonly length: number;
}
/** Where each part lies on the ring; what is not above zero has no part. */
export function slices(values: readonly (number | null)[]): Slice[] {
  const parts = values.map((v) => (v !== null && v > 0 ? v : 0));
  const total = parts.reduce((sum, v) => sum + v, 0) || 1;
  let from = 0;
  return parts.map((v) => {
    const length = (WHOLE * v) / total;
    from += length;
    return { from: from - length, length };
  });
}

/** A little less than its length, so that neighbours stay apart, and the rest of the ring empty. */
const dashes = (length: number): string => {
  const drawn = length >= WHOLE ? WHOLE : Math.max(0.2, length - 0.4);
  return `${drawn} ${WHOLE - drawn}`;
};

export function PieChart({ panel, data, height, values }: BodyProps) {
  const theme = useComputedColorScheme('light');
  const { value } = useText();
  const figures = useFigures(panel, data, values);
  const parts = slices(figures.map((f) => f.number));
  const colour = (f: Figure, i: number): string =>
    f.config.color?.mode === 'fixed' && f.colour ? f.colour : seriesColour(i, theme);
  const size = Math.max(70, Math.min(height, 260));
  return (
    <div style={{ display: 'flex', gap: 12, alignItems: 'center', height: '100%', minHeight: 0 }}>
      <svg
        viewBox="0 0 100 100"
        role="img"
        aria-label={figures.map((f, i) => `${f.name}: ${f.text}, ${value(parts[i]!.length, 'percent')}`).join('; ')}
        style={{ width: `min(${size}px, 45%)`, flex: 'none' }}
      >
        {parts.map(
          (p, i) =>
            p.length > 0 && (
              <circle
                key={i}
                cx="50"
                cy="50"
                r={RADIUS}
                fill="none"
                stroke={colour(figures[i]!, i)}
                strokeWidth={18}
                pathLength={WHOLE}
                strokeDasharray={dashes(p.length)}
                strokeDashoffset={WHOLE / 4 - p.from}
              >
                <title>{`${figures[i]!.name}: ${figures[i]!.text}`}</title>
              </circle>
            ),
        )}
      </svg>
      <ul
        // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls where it is small
        tabIndex={0}
        aria-label={panel.title}
        style={{
          listStyle: 'none',
          margin: 0,
          padding: 0,
          flex: 1,
          minWidth: 0,
          maxHeight: '100%',
          overflow: 'auto',
          fontSize: 13,
        }}
      >
        {figures.map((f, i) => (
          <li key={i} style={{ display: 'flex', gap: 8, alignItems: 'center', padding: '2px 0' }}>
            <span className="swatch" style={{ background: colour(f, i), height: 10, width: 10 }} />
            <span style={{ flex: 1, minWidth: 0, overflowWrap: 'anywhere' }}>{f.name}</span>
            <strong className="num">{f.text}</strong>
            <span className="num muted" style={{ minWidth: 48 }}>
              {value(parts[i]!.length, 'percent', 1)}
            </span>
          </li>
        ))}
      </ul>
    </div>
  );
}
