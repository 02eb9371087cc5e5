/** Single figures: stat, gauge and bars. Colour is never the only sign: the figure is always written. */
import { useComputedColorScheme } from '@mantine/core';
import type { ReactNode } from 'react';
import { colourOf, fieldConfig, show } from '../../../lib/dashboard/fields.ts';
import type { Values } from '../../../lib/dashboard/interpolate.ts';
import { displayName, linksOf, type ShownLink } from '../../../lib/dashboard/links.ts';
import type { FieldConfig, Panel } from '../../../lib/dashboard/model.ts';
import { nameMatches } from '../../../lib/dashboard/name-matches.ts';
import { reduceValues } from '../../../lib/dashboard/reduce.ts';
import type { Cell, Frame } from '../../../lib/dashboard/transformations.ts';
import { useText } from '../../../lib/use-text.ts';
import { useView } from '../../../lib/view.ts';
import type { PanelData } from '../use-panel-data.ts';
import type { BodyProps } from './panel-body.tsx';
import { usePageContext } from './use-page-context.ts';

const FIGURES_MAX = 60;
export interface Figure {
  readonly name: string;
  readonly number: number | null;
  readonly text: string;
  readonly colour: string | undefined;
  readonly config: FieldConfig;
  readonly values: readonly (number | null)[];
  readonly link: ShownLink | undefined;
}
interface Source {
  readonly name: string;
  readonly refId: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly values: readonly Cell[];
  readonly row?: Readonly<Record<string, Cell>>;
}

/** One figure for each row and number, named by the row's words. */
function rowFigures(frame: Frame): Source[] {
  const words = frame.fields.filter((f) => f.type === 'string');
  const figures = frame.fields.filter((f) => f.type === 'number');
  const rows = Math.max(0, ...figures.map((f) => f.values.length));
  return Array.from({ length: rows }, (_, i) => i).flatMap((i) => {
    const name = words.map((w) => w.values[i] ?? '').join(' ');
    const row = Object.fromEntries(frame.fields.map((f) => [f.name, f.values[i] ?? null]));
    return figures.map((f) => ({
      name: figures.length > 1 ? `${name} ${f.name}`.trim() : name || f.name,
      refId: frame.refId,
      labels: Object.fromEntries(words.map((w) => [w.name, String(w.values[i] ?? '')])),
      values: [f.values[i] ?? null],
      row,
    }));
  });
}

/** Fields chosen by name; words may be among them. */
function chosenFigures(frames: readonly Frame[], pattern: string): Source[] {
  return frames.flatMap((frame) =>
    frame.fields
      .filter((f) => nameMatches(pattern, f.name))
      .map((f) => ({ name: f.name, refId: frame.refId, labels: f.labels ?? {}, values: f.values })),
  );
}

export function useFigures(panel: Panel, data: PanelData, values: Values): Figure[] {
  const { locale } = useText();
  const { timeZone } = useView();
  const page = usePageContext(values);
  const theme = useComputedColorScheme('light');
  const reduce = (panel.options?.['reduceOptions'] ?? {}) as { calcs?: string[]; values?: boolean; fields?: string };
  const calc = reduce.calcs?.[0] ?? 'lastNotNull';
  const byRow = reduce.values === true && data.frames.some((f) => f.fields.some((x) => x.type === 'string'));
  const chosen = reduce.fields && !byRow ? chosenFigures(data.frames, reduce.fields) : [];
  const source: readonly Source[] =
    chosen.length > 0
      ? chosen
      : byRow
        ? data.frames.flatMap(rowFigures)
        : data.series.map((s) => ({ name: s.name, refId: s.refId, labels: s.metric, values: s.values }));
  return source.slice(0, FIGURES_MAX).map((s) => {
    const config = fieldConfig(panel, s.name, s.refId, 'number', s.values);
    const value = reduceValues(s.values, calc);
    const shown = show(value, config, locale, timeZone);
    const name = displayName(config, s.name, s.labels);
    const about = { name, labels: s.labels, value, text: shown.text, ...(s.row ? { row: s.row } : {}) };
    return {
      name,
      number: typeof value === 'number' ? value : null,
      text: shown.text,
      colour: colourOf(shown, theme),
      config,
      values: s.values.map((v) => (typeof v === 'number' ? v : null)),
      link: linksOf(config, page, about)[0],
    };
  });
}

/** The figure itself, or where it leads. */
function Told({ figure, children }: { readonly figure: Figure; readonly children: ReactNode }) {
  const { link } = figure;
  if (!link) return children;
  return (
    <a
      href={link.href}
      title={link.text}
      target={link.newTab ? '_blank' : undefined}
      rel="noreferrer noopener"
      style={{ color: 'inherit', textDecorationThickness: 1, textUnderlineOffset: 4 }}
    >
      {children}
    </a>
  );
}

export function Stats({ panel, data, height, values }: BodyProps) {
  const figures = useFigures(panel, data, values);
  const graph = panel.options?.['graphMode'] !== 'none';
  const mode = String(panel.options?.['textMode'] ?? 'auto');
  const names = mode === 'value_and_name' || mode === 'name' || (mode === 'auto' && figures.length > 1);
  // two columns is the narrow case: what fits there fits everywhere
  const rows = Math.ceil(figures.length / 2);
  const size = Math.max(14, Math.min(figures.length > 1 ? 30 : 46, height / rows / (names ? 2.8 : 2)));
  return (
    <section
      aria-label={panel.title}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls where it is small
      tabIndex={0}
      style={{
        display: 'grid',
        gridTemplateColumns: `repeat(auto-fit, minmax(${figures.length > 1 ? 96 : 80}px, 1fr))`,
        gap: 8,
        height: '100%',
        overflow: 'auto',
      }}
    >
      {figures.map((f, i) => (
        <div
          // biome-ignore lint/suspicious/noArrayIndexKey: two figures may share a name
          key={`${f.name}${i}`}
          style={{
            position: 'relative',
            minWidth: 0,
            textAlign: 'center',
            containerType: 'inline-size',
            display: 'flex',
            flexDirection: 'column',
            justifyContent: 'center',
            paddingBottom: graph && f.values.length > 2 && height > 60 ? '6%' : 0,
          }}
        >
          {graph && f.values.length > 2 && height > 60 && <Spark values={f.values} colour={f.colour} />}
          {names && (
            <div className="muted" style={{ fontSize: 12.5, overflowWrap: 'anywhere' }}>
              {f.name}
            </div>
          )}
          {mode !== 'name' && (
            <div
              style={{
                color: f.colour,
                // one line, as large as its length lets it be
                fontSize: `clamp(14px, ${(160 / Math.max(1, f.text.length)).toFixed(1)}cqi, ${size}px)`,
                whiteSpace: f.text.length > 24 ? 'normal' : 'nowrap',
                fontWeight: 650,
                lineHeight: 1.15,
                fontVariantNumeric: 'tabular-nums',
                overflowWrap: 'anywhere',
                position: 'relative',
              }}
            >
              <Told figure={f}>{f.text}</Told>
            </div>
          )}
        </div>
      ))}
    </section>
  );
}

function Spark({
  values,
  colour,
}: {
  readonly values: readonly (number | null)[];
  readonly colour: string | undefined;
}) {
  const present = values.filter((v): v is number => v !== null);
  const low = Math.min(...present);
  const span = Math.max(...present) - low || 1;
  const points = values.flatMap((v, i) =>
    v === null ? [] : [`${((100 * i) / (values.length - 1)).toFixed(1)},${(38 - (34 * (v - low)) / span).toFixed(1)}`],
  );
  return (
    <svg
      viewBox="0 0 100 40"
      preserveAspectRatio="none"
      aria-hidden="true"
      style={{
        position: 'absolute',
        inset: 'auto 0 0 0',
        width: '100%',
        height: '30%',
        opacity: 0.45,
        color: colour ?? 'var(--mantine-primary-color-filled)',
      }}
    >
      <polyline
        points={points.join(' ')}
        fill="none"
        stroke="currentColor"
        strokeWidth={2}
        vectorEffect="non-scaling-stroke"
      />
    </svg>
  );
}

function share(f: Figure, highest: number): number {
  const min = f.config.min ?? 0;
  const max = f.config.max ?? (f.config.unit === 'percent' ? 100 : f.config.unit === 'percentunit' ? 1 : highest);
  return f.number === null || max === min ? 0 : Math.max(0, Math.min(1, (f.number - min) / (max - min)));
}

export function Gauges({ panel, data, height, values }: BodyProps) {
  const figures = useFigures(panel, data, values);
  const highest = Math.max(...figures.map((f) => f.number ?? 0), 1);
  return (
    <section
      aria-label={panel.title}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls where it is small
      tabIndex={0}
      style={{
        display: 'flex',
        flexWrap: 'wrap',
        gap: 8,
        justifyContent: 'space-evenly',
        height: '100%',
        overflow: 'auto',
      }}
    >
      {figures.map((f, i) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: two figures may share a name
        <figure key={`${f.name}${i}`} style={{ margin: 0, textAlign: 'center', flex: '1 1 64px', maxWidth: 240 }}>
          <svg
            viewBox="0 0 120 70"
            role="img"
            aria-label={`${f.name}: ${f.text}`}
            style={{
              width: '100%',
              maxHeight: Math.max(44, height / Math.ceil(figures.length / 3) - (figures.length > 1 ? 26 : 4)),
            }}
          >
            <path d="M12 62 A48 48 0 0 1 108 62" fill="none" stroke="var(--v-grid)" strokeWidth={11} pathLength={100} />
            <path
              d="M12 62 A48 48 0 0 1 108 62"
              fill="none"
              stroke={f.colour ?? 'var(--mantine-primary-color-filled)'}
              strokeWidth={11}
              pathLength={100}
              strokeDasharray={`${100 * share(f, highest)} 101`}
            />
            <text
              x="60"
              y="60"
              textAnchor="middle"
              fontSize={f.text.length > 8 ? 13 : 18}
              fontWeight="650"
              fill="currentColor"
            >
              {f.text}
            </text>
          </svg>
          {figures.length > 1 && (
            <figcaption className="muted" style={{ fontSize: 12, overflowWrap: 'anywhere' }}>
              {f.name}
            </figcaption>
          )}
        </figure>
      ))}
    </section>
  );
}

export function BarGauge({ panel, data, values }: BodyProps) {
  const figures = useFigures(panel, data, values);
  const highest = Math.max(...figures.map((f) => f.number ?? 0), Number.MIN_VALUE);
  return (
    <ul
      // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls where it is small
      tabIndex={0}
      aria-label={panel.title}
      style={{
        listStyle: 'none',
        margin: 0,
        padding: 0,
        display: 'grid',
        gap: 6,
        overflow: 'auto',
        height: '100%',
        alignContent: 'start',
      }}
    >
      {figures.map((f, i) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: two figures may share a name
        <li key={`${f.name}${i}`}>
          <div style={{ display: 'flex', gap: 8, fontSize: 13 }}>
            <span style={{ flex: 1, minWidth: 0, overflowWrap: 'anywhere' }}>{f.name}</span>
            <strong className="num" style={{ color: f.colour }}>
              <Told figure={f}>{f.text}</Told>
            </strong>
          </div>
          <div aria-hidden style={{ height: 8, background: 'var(--v-grid)', borderRadius: 2 }}>
            <div
              style={{
                height: 8,
                width: `${100 * share(f, highest)}%`,
                background: f.colour ?? 'var(--mantine-primary-color-filled)',
                borderRadius: 2,
              }}
            />
          </div>
        </li>
      ))}
    </ul>
  );
}
