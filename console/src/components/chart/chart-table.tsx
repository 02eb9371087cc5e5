// biome-ignore-all lint/a11y/noNoninteractiveTabindex: the region scrolls, so it takes the focus
/** A chart's data as a table, newest first: the keyboard's and the screen reader's way in. */
import { useText } from '../../lib/use-text.ts';
import type { LegendSeries } from './chart-legend.tsx';

export function ChartTable(props: {
  readonly label: string;
  readonly times: readonly number[];
  readonly series: readonly LegendSeries[];
  readonly unit?: string | undefined;
  readonly decimals?: number | undefined;
  readonly height: number;
}) {
  const { t, value, date } = useText();
  const order = props.times.map((_, i) => i).reverse();
  return (
    <section
      className="legend"
      style={{ height: props.height, maxHeight: 'none' }}
      tabIndex={0}
      aria-label={props.label}
    >
      <table>
        <thead>
          <tr>
            <th scope="col">{t('chart.time')}</th>
            {props.series.map((s) => (
              <th key={s.name} scope="col" className="num">
                {s.name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {order.map((i) => (
            <tr key={props.times[i]}>
              <th scope="row" style={{ whiteSpace: 'nowrap' }}>
                {date(props.times[i]! * 1_000)}
              </th>
              {props.series.map((s) => (
                <td key={s.name} className="num">
                  {value(s.values[i], s.unit ?? props.unit, s.decimals ?? props.decimals)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
