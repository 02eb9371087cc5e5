/**
 * Times by a cron expression of five fields (minute, hour, day of the month, month, day of the week) in a time zone.
 * As cron does: when both days are restricted, either is enough. A local time that daylight saving skips comes as
 * `zone.ts` reads it; one that happens twice comes once. Pure.
 */
import { VigieError } from '../lib/errors.ts';
import { instantOf, localTime } from './zone.ts';

/** An expression that names no day within four years never comes: 30 February. */
const DAYS_LOOKED_AT = 4 * 366;
const DAY_MS = 86_400_000;
const WEEKDAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];
const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];

interface Field {
  readonly name: string;
  readonly min: number;
  readonly max: number;
  readonly words?: readonly string[];
}
const FIELDS: readonly Field[] = [
  { name: 'minute', min: 0, max: 59 },
  { name: 'hour', min: 0, max: 23 },
  { name: 'day of the month', min: 1, max: 31 },
  { name: 'month', min: 1, max: 12, words: MONTHS },
  // 7 is Sunday too
  { name: 'day of the week', min: 0, max: 7, words: WEEKDAYS },
];

export interface Cron {
  readonly minutes: readonly number[];
  readonly hours: readonly number[];
  readonly days: ReadonlySet<number>;
  readonly months: ReadonlySet<number>;
  readonly weekdays: ReadonlySet<number>;
  /** Both kinds of days are restricted: one that fits either counts. */
  readonly eitherDay: boolean;
}

/** Throws `bad_data` that names the field. */
export function parseCron(text: string): Cron {
  const parts = text.trim().split(/\s+/);
  if (parts.length !== FIELDS.length)
    throw new VigieError(
      'bad_data',
      `want five fields (minute hour day month weekday) such as "0 10 * * mon", got ${JSON.stringify(text.slice(0, 60))}`,
    );
  const sets = parts.map((part, i) => parseField(part, FIELDS[i]!));
  const [minutes, hours, days, months, weekdays] = sets as [
    Set<number>,
    Set<number>,
    Set<number>,
    Set<number>,
    Set<number>,
  ];
  if (weekdays.delete(7)) weekdays.add(0);
  return {
    minutes: [...minutes].sort((a, b) => a - b),
    hours: [...hours].sort((a, b) => a - b),
    days,
    months,
    weekdays,
    eitherDay: !parts[2]!.startsWith('*') && !parts[4]!.startsWith('*'),
  };
}

function parseField(text: string, field: Field): Set<number> {
  const out = new Set<number>();
  const wrong = (): never => {
    throw new VigieError(
      'bad_data',
      `${field.name}: want ${field.min} to ${field.max}, *, a-b, a,b or */n, got ${JSON.stringify(text.slice(0, 40))}`,
    );
  };
  const value = (word: string): number => {
    const named = field.words?.indexOf(word.toLowerCase()) ?? -1;
    const n =
      named >= 0 ? named + (field.name === 'month' ? 1 : 0) : /^\d{1,2}$/.test(word) ? Number(word) : Number.NaN;
    return n >= field.min && n <= field.max ? n : wrong();
  };
  for (const item of text.split(',', 60)) {
    const m = /^(\*|([a-z0-9]+)(?:-([a-z0-9]+))?)(?:\/(\d{1,2}))?$/i.exec(item);
    if (!m) return wrong();
    const step = m[4] === undefined ? 1 : Number(m[4]);
    const from = m[1] === '*' ? field.min : value(m[2]!);
    const to = m[1] === '*' ? field.max : m[3] !== undefined ? value(m[3]) : m[4] === undefined ? from : field.max;
    if (step < 1 || to < from) return wrong();
    for (let n = from; n <= to; n += step) out.add(n);
  }
  return out;
}

/** The first time after `afterMs`; undefined when none comes within four years. */
export function nextCron(cron: Cron, zone: string, afterMs: number): number | undefined {
  const today = localTime(zone, afterMs);
  const first = Date.UTC(today.year, today.month - 1, today.day);
  for (let d = 0; d <= DAYS_LOOKED_AT; d++) {
    const date = new Date(first + d * DAY_MS);
    const day = { year: date.getUTCFullYear(), month: date.getUTCMonth() + 1, day: date.getUTCDate() };
    if (!fits(cron, day, date.getUTCDay())) continue;
    for (const hour of cron.hours)
      for (const minute of cron.minutes) {
        const atMs = instantOf(zone, { ...day, hour, minute });
        if (atMs > afterMs) return atMs;
      }
  }
  return undefined;
}

function fits(cron: Cron, { month, day }: { readonly month: number; readonly day: number }, weekday: number): boolean {
  if (!cron.months.has(month)) return false;
  const byDate = cron.days.has(day);
  const byWeekday = cron.weekdays.has(weekday);
  return cron.eitherDay ? byDate || byWeekday : byDate && byWeekday;
}
