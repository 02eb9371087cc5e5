// biome-ignore-all lint/suspicious/noArrayIndexKey: two rows may share a name
/** Bars by category: one group a row, one bar a number, beside or on each other. Over time, each step is a category. */
import { useComputedColorScheme } from '@mantine/core';
import { useElementSize } from '@mantine/hooks';
import { colourOf, fieldConfig, show } from '../../../lib/dashboard/fields.ts';
import { displayName } from '../../../lib/dashboard/links.ts';
import type { FieldConfig, Panel } from '../../../lib/dashboard/model.ts';
import type { Frame } from '../../../lib/dashboard/transformations.ts';
import { namedColour, seriesColour } from '../../../lib/palette.ts';
import { useText } from '../../../lib/use-text.ts';
import { useView } from '../../../lib/view.ts';
import type { BodyProps } from './panel-body.tsx';

const CATEGORIES_MAX = 60;
const BARS_MAX = 12;
const LEFT_PX = 56;
const LABEL_PX = 30;
const TICKS = 4;
/** Room for a figure above its bar, per letter. */
const FIGURE_PX = 6.6;
/** Narrower than this, a category's name no longer fits under its bars: they lie down then. */
const CATEGORY_PX_MIN = 44;

interface Bars {
  readonly categories: readonly string[];
  readonly bars: readonly {
    readonly name: string;
    readonly refId: string;
    readonly values: readonly (number | null)[];
  }[];
}

/** Rows of one table as categories; without words in it, series are the categories, each with its newest value. */
export function barsOf(frames: readonly Frame[], panel: Panel, time: (ms: number) => string): Bars {
  const wanted = panel.options?.['xField'];
  const usable = frames.filter((f) => f.fields.some((x) => x.type === 'number'));
  const named = (f: Frame) =>
    f.fields.find((x) => x.name === wanted) ??
    f.fields.find((x) => x.type === 'string') ??
    f.fields.find((x) => x.type === 'time');
  if (usable.length > 1 && usable.every((f) => named(f)?.type === 'time')) {
    const last = usable.flatMap((f) =>
      f.fields
        .filter((x) => x.type === 'number')
        .map((x) => ({ name: x.name, value: x.values.findLast((v) => typeof v === 'number') ?? null })),
    );
    const values = last.map((l) => (typeof l.value === 'number' ? l.value : null));
    return {
      categories: last.map((l) => l.name).slice(0, CATEGORIES_MAX),
      bars: [{ name: 'Value', refId: usable[0]!.refId, values }],
    };
  }
  const [frame] = usable;
  if (!frame) return { categories: [], bars: [] };
  const by = named(frame);
  const words =
    by?.type === 'string' && wanted === undefined ? frame.fields.filter((f) => f.type === 'string') : by ? [by] : [];
  const rows = Math.max(...frame.fields.map((f) => f.values.length));
  const from = Math.max(0, rows - CATEGORIES_MAX);
  const telling = words.filter((w) => words.length === 1 || w.values.some((v) => v !== w.values[0]));
  const text = (i: number): string =>
    (telling.length > 0 ? telling : words)
      .map((w) => (w.type === 'time' ? time(Number(w.values[i])) : String(w.values[i] ?? '')))
      .join(' ');
  return {
    categories: Array.from({ length: rows - from }, (_, i) => text(from + i)),
    bars: frame.fields
      .filter((f) => f.type === 'number' && f !== by)
      .slice(0, BARS_MAX)
      .map((f) => ({
        name: f.name,
        refId: frame.refId,
        values: f.values.slice(from).map((v) => (typeof v === 'number' ? v : null)),
      })),
  };
}

export function BarChart({ panel, data, height }: BodyProps) {
  const { locale, value, date } = useText();
  const { timeZone } = useView();
  const theme = useComputedColorScheme('light');
  const { ref, width } = useElementSize();
  const { categories, bars } = barsOf(data.frames, panel, date);
  const stacking = String((panel.options?.['stacking'] as { mode?: string } | string | undefined) ?? 'none');
  const mode = String(
    (panel.fieldConfig?.defaults?.custom?.['stacking'] as { mode?: string } | undefined)?.mode ?? stacking,
  );
  const stacked = (mode === 'normal' || mode === 'percent') && bars.length > 1;
  const configs = bars.map((b) => fieldConfig(panel, b.name, b.refId, 'number', b.values));
  const colour = (i: number, v: number | null): string => {
    const config = configs[i]!;
    if (config.color?.mode === 'fixed') return namedColour(config.color.fixedColor, theme);
    const shown = config.color?.mode === 'thresholds' ? colourOf(show(v, config, locale, timeZone), theme) : undefined;
    return shown ?? seriesColour(i, theme);
  };
  const text = (i: number, v: number | null): string => show(v, configs[i]!, locale, timeZone).text;
  const totals = categories.map((_, c) => bars.reduce((sum, b) => sum + Math.max(0, b.values[c] ?? 0), 0));
  const part = (i: number, c: number): number => {
    const v = Math.max(0, bars[i]!.values[c] ?? 0);
    return mode === 'percent' && stacked ? (totals[c] ? (100 * v) / totals[c]! : 0) : v;
  };
  const most =
    mode === 'percent' && stacked
      ? 100
      : Math.max(
          1e-12,
          ...categories.map((_, c) => (stacked ? totals[c]! : Math.max(...bars.map((_b, i) => part(i, c))))),
        );
  const top = niceTop(most);
  const orientation = String(panel.options?.['orientation'] ?? 'auto');
  const room = (Math.max(1, width) - LEFT_PX) / Math.max(1, categories.length);
  const lying = orientation === 'horizontal' || (orientation !== 'vertical' && room < CATEGORY_PX_MIN);
  const common = { categories, bars, stacked, part, text, colour, top };
  const showsLegend = bars.length > 1;
  return (
    <div ref={ref} style={{ height: '100%', display: 'flex', flexDirection: 'column', minHeight: 0 }}>
      {width > 0 &&
        (lying ? (
          <Lying {...common} label={panel.title ?? ''} />
        ) : (
          <Standing
            {...common}
            label={panel.title ?? ''}
            width={width}
            height={Math.max(80, height - (showsLegend ? 24 : 0))}
            tick={(v) => (mode === 'percent' && stacked ? value(v, 'percent') : text(0, v))}
          />
        ))}
      {showsLegend && (
        <div style={{ display: 'flex', flexWrap: 'wrap', gap: '2px 12px', fontSize: 12, paddingTop: 4 }}>
          {bars.map((b, i) => (
            <span key={i} style={{ display: 'inline-flex', gap: 6, alignItems: 'center' }}>
              <span className="swatch" style={{ background: colour(i, null), height: 10, width: 10 }} aria-hidden />
              {nameOf(configs[i]!, b.name)}
            </span>
          ))}
        </div>
      )}
    </div>
  );
}

const nameOf = (config: FieldConfig, name: string): string => displayName(config, name, {});

/** The next round figure above: the axis ends there. */
export function niceTop(most: number): number {
  const size = 10 ** Math.floor(Math.log10(most));
  return ([1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10].find((n) => n * size >= most * 0.9999) ?? 10) * size;
}

interface Drawn extends Bars {
  readonly label: string;
  readonly stacked: boolean;
  readonly part: (bar: number, category: number) => number;
  readonly text: (bar: number, v: number | null) => string;
  readonly colour: (bar: number, v: number | null) => string;
  readonly top: number;
}

function Standing(
  p: Drawn & { readonly width: number; readonly height: number; readonly tick: (v: number) => string },
) {
  const { categories, bars, stacked, part, text, colour, top, width, height } = p;
  const plot = height - LABEL_PX;
  const group = (width - LEFT_PX - 8) / Math.max(1, categories.length);
  const bar = Math.min(60, (group * 0.8) / (stacked ? 1 : Math.max(1, bars.length)));
  const y = (v: number): number => plot - ((plot - 18) * v) / top;
  const letters = Math.max(3, Math.floor(group / 6.4));
  return (
    <svg
      width={width}
      height={height}
      role="img"
      aria-label={`${p.label}: ${categories.map((c, k) => `${c} ${bars.map((b, i) => text(i, b.values[k] ?? null)).join(', ')}`).join('; ')}`}
      style={{ display: 'block' }}
    >
      {Array.from({ length: TICKS + 1 }, (_, i) => (top * i) / TICKS).map((v) => (
        <g key={v}>
          <line x1={LEFT_PX} x2={width} y1={y(v)} y2={y(v)} stroke="var(--v-grid)" />
          <text x={LEFT_PX - 6} y={y(v) + 4} textAnchor="end" fontSize={11} fill="var(--v-muted)">
            {p.tick(v)}
          </text>
        </g>
      ))}
      {categories.map((name, c) => {
        const x0 = LEFT_PX + group * c + (group - bar * (stacked ? 1 : bars.length)) / 2;
        let under = 0;
        return (
          <g key={c}>
            {bars.map((b, i) => {
              const v = part(i, c);
              const from = stacked ? under : 0;
              if (stacked) under += v;
              const said = text(i, b.values[c] ?? null);
              return (
                <g key={i}>
                  {!stacked && said.length * FIGURE_PX <= bar && (
                    <text
                      x={x0 + bar * (i + 0.5)}
                      y={y(v) - 4}
                      textAnchor="middle"
                      fontSize={11}
                      fontWeight={600}
                      fill="currentColor"
                    >
                      {said}
                    </text>
                  )}
                  <rect
                    x={stacked ? x0 : x0 + bar * i}
                    width={Math.max(1, bar - 1)}
                    y={y(from + v)}
                    height={Math.max(0, y(from) - y(from + v))}
                    fill={colour(i, b.values[c] ?? null)}
                  >
                    <title>{`${name} · ${b.name}: ${said}`}</title>
                  </rect>
                </g>
              );
            })}
            <text x={LEFT_PX + group * (c + 0.5)} y={plot + 18} textAnchor="middle" fontSize={11} fill="currentColor">
              {name.length > letters ? `${name.slice(0, letters - 1)}…` : name}
              <title>{name}</title>
            </text>
          </g>
        );
      })}
    </svg>
  );
}

/** Bars that lie have room for names of any length. */
function Lying({ label, categories, bars, stacked, part, text, colour, top }: Drawn) {
  return (
    <ul
      // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls where it is small
      tabIndex={0}
      aria-label={label}
      style={{
        listStyle: 'none',
        margin: 0,
        padding: 0,
        display: 'grid',
        gap: 6,
        overflow: 'auto',
        flex: 1,
        alignContent: 'start',
      }}
    >
      {categories.map((name, c) => (
        <li key={c}>
          <div style={{ display: 'flex', gap: 8, fontSize: 13 }}>
            <span style={{ flex: 1, minWidth: 0, overflowWrap: 'anywhere' }}>{name}</span>
            <strong className="num">{bars.map((b, i) => text(i, b.values[c] ?? null)).join(' · ')}</strong>
          </div>
          <div
            aria-hidden
            style={{
              display: 'flex',
              flexDirection: stacked ? 'row' : 'column',
              gap: stacked ? 0 : 2,
              background: 'var(--v-grid)',
              borderRadius: 2,
            }}
          >
            {bars.map((b, i) => (
              <div
                key={i}
                style={{
                  height: 8,
                  width: `${(100 * part(i, c)) / top}%`,
                  background: colour(i, b.values[c] ?? null),
                  borderRadius: 2,
                }}
              />
            ))}
          </div>
        </li>
      ))}
    </ul>
  );
}
