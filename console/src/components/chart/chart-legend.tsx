/** Names and figures of a chart's series; a click hides one, with Ctrl or Shift shows only it. */
import { Button } from '@mantine/core';
import { memo, useCallback, useRef } from 'react';
import { summarise } from '../../lib/series.ts';
import { useText } from '../../lib/use-text.ts';

export const LEGEND_FIGURES = ['last', 'min', 'max', 'avg'] as const;
export type LegendFigure = (typeof LEGEND_FIGURES)[number] | 'sum' | 'first' | 'count' | 'range' | 'diff';
/** Counts have no unit. */
const PLAIN: ReadonlySet<LegendFigure> = new Set(['count']);

export interface LegendSeries {
  readonly name: string;
  readonly colour: string;
  readonly values: readonly (number | null)[];
  readonly unit?: string | undefined;
  readonly decimals?: number | undefined;
}

export function ChartLegend(props: {
  readonly series: readonly LegendSeries[];
  readonly kind: 'list' | 'table';
  readonly unit?: string | undefined;
  readonly decimals?: number | undefined;
  readonly hidden: ReadonlySet<string>;
  readonly toggle: (name: string, only: boolean) => void;
  readonly asTable: boolean;
  readonly setAsTable: (on: boolean) => void;
  /** Figures of the table, in their order. */
  readonly figures?: readonly LegendFigure[];
  readonly sort?: { readonly by: LegendFigure | 'name'; readonly desc: boolean } | undefined;
}) {
  const figuresShown = props.figures ?? LEGEND_FIGURES;
  const { kind, hidden, toggle, unit, decimals, asTable, setAsTable, sort } = props;
  const series = sort ? sorted(props.series, sort) : props.series;
  const { t, value } = useText();
  const latest = useRef(toggle);
  latest.current = toggle;
  const stableToggle = useCallback((name: string, only: boolean) => latest.current(name, only), []);
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls
    <section className="legend" aria-label={t('chart.legend')} tabIndex={0}>
      {kind === 'list' ? (
        <div style={{ display: 'flex', flexWrap: 'wrap', gap: '2px 14px', alignItems: 'center' }}>
          {series.map((s) => (
            <span key={s.name}>
              <Name series={s} hidden={hidden.has(s.name)} toggle={stableToggle} />{' '}
              <strong>{value(summarise(s.values).last, s.unit ?? unit, s.decimals ?? decimals)}</strong>
            </span>
          ))}
          <Toggle asTable={asTable} setAsTable={setAsTable} />
        </div>
      ) : (
        <table>
          <thead>
            <tr>
              <th scope="col">
                {t('chart.series')} <Toggle asTable={asTable} setAsTable={setAsTable} />
              </th>
              {figuresShown.map((k) => (
                <th key={k} scope="col" className="num">
                  {t(`chart.${k}`)}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {series.map((s) => (
              <TableRow
                key={s.name}
                series={s}
                hidden={hidden.has(s.name)}
                toggle={stableToggle}
                figures={figuresShown}
                unit={unit}
                decimals={decimals}
              />
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}

function figureOf(values: readonly (number | null)[], figure: LegendFigure): number | null {
  const s = summarise(values);
  if (figure === 'range') return s.max === null || s.min === null ? null : s.max - s.min;
  if (figure === 'diff') return s.last === null || s.first === null ? null : s.last - s.first;
  return s[figure];
}

function sorted(
  series: readonly LegendSeries[],
  { by, desc }: { readonly by: LegendFigure | 'name'; readonly desc: boolean },
): readonly LegendSeries[] {
  const keyed = series.map((s) => ({
    s,
    at: by === 'name' ? s.name : (figureOf(s.values, by) ?? Number.NEGATIVE_INFINITY),
  }));
  keyed.sort((a, b) =>
    typeof a.at === 'number' && typeof b.at === 'number' ? a.at - b.at : String(a.at).localeCompare(String(b.at)),
  );
  if (desc) keyed.reverse();
  return keyed.map((k) => k.s);
}

function Toggle({ asTable, setAsTable }: { readonly asTable: boolean; readonly setAsTable: (on: boolean) => void }) {
  const { t } = useText();
  return (
    <Button size="compact-xs" variant="subtle" className="no-print" onClick={() => setAsTable(!asTable)}>
      {asTable ? t('chart.asChart') : t('chart.asTable')}
    </Button>
  );
}

interface NameProps {
  readonly series: LegendSeries;
  readonly hidden: boolean;
  readonly toggle: (name: string, only: boolean) => void;
}
function Name({ series, hidden, toggle }: NameProps) {
  return (
    <button
      type="button"
      aria-pressed={!hidden}
      onClick={(e) => toggle(series.name, e.ctrlKey || e.shiftKey || e.metaKey)}
    >
      <span className="swatch" style={{ background: series.colour }} aria-hidden />
      {series.name}
    </button>
  );
}

/** A row rests while others are hidden and shown: with hundreds of series the figures cost more than the drawing. */
const TableRow = memo(function TableRow({
  series,
  hidden,
  toggle,
  figures,
  unit,
  decimals,
}: NameProps & {
  readonly figures: readonly LegendFigure[];
  readonly unit: string | undefined;
  readonly decimals: number | undefined;
}) {
  const { value } = useText();
  return (
    <tr>
      <th scope="row">
        <Name series={series} hidden={hidden} toggle={toggle} />
      </th>
      {figures.map((k) => (
        <td key={k} className="num">
          {value(
            figureOf(series.values, k),
            PLAIN.has(k) ? undefined : (series.unit ?? unit),
            series.decimals ?? decimals,
          )}
        </td>
      ))}
    </tr>
  );
});
