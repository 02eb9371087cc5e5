/** Go's time layouts: `2006-01-02T15:04:05.000Z07:00` and so on, applied to a civil time. Formatting only. */

export interface CivilTime {
  readonly year: number;
  /** From 1. */
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
  readonly nanosecond: number;
  /** 0 is Sunday. */
  readonly weekday: number;
  readonly yearDay: number;
  readonly offsetSeconds: number;
  readonly zoneName: string;
}

export const MONTHS = 'January February March April May June July August September October November December'.split(
  ' ',
);
export const WEEKDAYS = 'Sunday Monday Tuesday Wednesday Thursday Friday Saturday'.split(' ');

const pad = (n: number, width: number): string => {
  const text = String(Math.abs(n)).padStart(width, '0');
  return n < 0 ? `-${text}` : text;
};

const hour12 = (t: CivilTime): number => t.hour % 12 || 12;

/** The longest chunk first where one begins like another. `Jan` and `Mon` need no lower-case letter behind them. */
const CHUNKS: readonly (readonly [string, (t: CivilTime) => string])[] = [
  ['January', (t) => MONTHS[t.month - 1]!],
  ['Monday', (t) => WEEKDAYS[t.weekday]!],
  ['2006', (t) => pad(t.year, 4)],
  ['MST', (t) => t.zoneName],
  ['002', (t) => pad(t.yearDay, 3)],
  ['__2', (t) => String(t.yearDay).padStart(3, ' ')],
  ['-07:00:00', (t) => offsetText(t.offsetSeconds, ':', true)],
  ['-07:00', (t) => offsetText(t.offsetSeconds, ':')],
  ['-070000', (t) => offsetText(t.offsetSeconds, '', true)],
  ['-0700', (t) => offsetText(t.offsetSeconds, '')],
  ['-07', (t) => offsetText(t.offsetSeconds, '').slice(0, 3)],
  ['Z07:00:00', (t) => (t.offsetSeconds === 0 ? 'Z' : offsetText(t.offsetSeconds, ':', true))],
  ['Z07:00', (t) => (t.offsetSeconds === 0 ? 'Z' : offsetText(t.offsetSeconds, ':'))],
  ['Z070000', (t) => (t.offsetSeconds === 0 ? 'Z' : offsetText(t.offsetSeconds, '', true))],
  ['Z0700', (t) => (t.offsetSeconds === 0 ? 'Z' : offsetText(t.offsetSeconds, ''))],
  ['Z07', (t) => (t.offsetSeconds === 0 ? 'Z' : offsetText(t.offsetSeconds, '').slice(0, 3))],
  ['01', (t) => pad(t.month, 2)],
  ['02', (t) => pad(t.day, 2)],
  ['03', (t) => pad(hour12(t), 2)],
  ['04', (t) => pad(t.minute, 2)],
  ['05', (t) => pad(t.second, 2)],
  ['06', (t) => pad(((t.year % 100) + 100) % 100, 2)],
  ['15', (t) => pad(t.hour, 2)],
  ['_2', (t) => String(t.day).padStart(2, ' ')],
  ['PM', (t) => (t.hour >= 12 ? 'PM' : 'AM')],
  ['pm', (t) => (t.hour >= 12 ? 'pm' : 'am')],
  ['1', (t) => String(t.month)],
  ['2', (t) => String(t.day)],
  ['3', (t) => String(hour12(t))],
  ['4', (t) => String(t.minute)],
  ['5', (t) => String(t.second)],
];

function offsetText(seconds: number, mark: string, withSeconds = false): string {
  const abs = Math.abs(seconds);
  const parts = [Math.floor(abs / 3600), Math.floor((abs % 3600) / 60), ...(withSeconds ? [abs % 60] : [])];
  return (seconds < 0 ? '-' : '+') + parts.map((p) => pad(p, 2)).join(mark);
}

export function formatTime(t: CivilTime, layout: string): string {
  let out = '';
  for (let i = 0; i < layout.length; ) {
    const fraction = /^[.,](?:0+|9+)(?!\d)/.exec(layout.slice(i, i + 40))?.[0];
    if (fraction) {
      const digits = pad(t.nanosecond, 9)
        .padEnd(fraction.length - 1, '0')
        .slice(0, fraction.length - 1);
      const kept = fraction[1] === '9' ? digits.replace(/0+$/, '') : digits;
      out += kept === '' ? '' : fraction[0] + kept;
      i += fraction.length;
      continue;
    }
    const chunk = chunkAt(layout, i);
    if (chunk) {
      out += chunk[1](t);
      i += chunk[0].length;
    } else out += layout[i++];
  }
  return out;
}

function chunkAt(layout: string, at: number): readonly [string, (t: CivilTime) => string] | undefined {
  for (const shortName of ['Jan', 'Mon'] as const) {
    if (!layout.startsWith(shortName, at)) continue;
    const long = shortName === 'Jan' ? 'January' : 'Monday';
    if (layout.startsWith(long, at)) break;
    if (/[a-z]/.test(layout[at + 3] ?? '')) return undefined;
    return [shortName, (t) => (shortName === 'Jan' ? MONTHS[t.month - 1]! : WEEKDAYS[t.weekday]!).slice(0, 3)];
  }
  // "_2006" is an underscore before a year, not a padded day
  if (layout.startsWith('_2006', at)) return ['_2006', (t) => `_${pad(t.year, 4)}`];
  return CHUNKS.find(([text]) => layout.startsWith(text, at));
}
