/** The times under a drawing that has one column a step: as many as there is room for. */
import { useElementSize } from '@mantine/hooks';
import { useText } from '../../../lib/use-text.ts';
import { useView } from '../../../lib/view.ts';

const LABEL_PX = 92;

export function TimeAxis({ times, left }: { readonly times: readonly number[]; readonly left: number | string }) {
  const { locale } = useText();
  const { timeZone } = useView();
  const { ref, width } = useElementSize();
  const first = times[0];
  const last = times.at(-1);
  const count = Math.max(2, Math.min(8, Math.floor(width / LABEL_PX)));
  const span = first === undefined || last === undefined ? 0 : last - first;
  const format = new Intl.DateTimeFormat(locale, {
    ...(span > 2 * 86_400 ? { day: 'numeric', month: 'short' } : {}),
    ...(span > 8 * 86_400 ? {} : { hour: '2-digit', minute: '2-digit' }),
    ...(span <= 300 ? { second: '2-digit' } : {}),
    hourCycle: 'h23',
    ...(timeZone ? { timeZone } : {}),
  });
  return (
    <div style={{ paddingLeft: left }}>
      <div
        ref={ref}
        className="muted"
        style={{ display: 'flex', justifyContent: 'space-between', fontSize: 11, minHeight: 16 }}
      >
        {first !== undefined &&
          Array.from({ length: count }, (_, i) => first + (span * i) / (count - 1)).map((at) => (
            <span key={at} style={{ whiteSpace: 'nowrap' }}>
              {format.format(at * 1_000)}
            </span>
          ))}
      </div>
    </div>
  );
}
