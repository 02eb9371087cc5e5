/**
 * Named time intervals: when a route is muted or active. A list is OR, the fields within one interval are AND, times
 * are exact to the minute in UTC unless `location` says otherwise, negative days count from the month's end.
 */
import { VigieError } from '../lib/errors.ts';

/** Inclusive on both sides, but `times`, whose end is exclusive and given in minutes of the day. */
type Range = readonly [number, number];

export interface TimeInterval {
  readonly times: readonly Range[];
  readonly weekdays: readonly Range[];
  readonly daysOfMonth: readonly Range[];
  readonly months: readonly Range[];
  readonly years: readonly Range[];
  /** IANA name; undefined is UTC. */
  readonly location: string | undefined;
}

const WEEKDAYS = ['sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday'];
const MONTHS = [
  'january',
  'february',
  'march',
  'april',
  'may',
  'june',
  'july',
  'august',
  'september',
  'october',
  'november',
  'december',
];
const FORMATTERS_MAX = 500;
const formatters = new Map<string, Intl.DateTimeFormat>();

function formatter(location: string): Intl.DateTimeFormat {
  let known = formatters.get(location);
  if (!known) {
    known = new Intl.DateTimeFormat('en-US', {
      timeZone: location,
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
    });
    if (formatters.size >= FORMATTERS_MAX) formatters.clear();
    formatters.set(location, known);
  }
  return known;
}

const wrong = (message: string): VigieError => new VigieError('bad_data', message);

function inclusive(text: string, names: readonly string[] | undefined, base: number, low: number, high: number): Range {
  const ends = text.toLowerCase().split(':');
  if (ends.length > 2) throw wrong(`couldn't parse range ${text}, invalid format`);
  const one = (s: string): number => {
    const named = names?.indexOf(s.trim()) ?? -1;
    if (named >= 0) return named + base;
    if (!/^-?\d+$/.test(s.trim()) || (names === WEEKDAYS && names.length === 7))
      throw wrong(`${s} is not a valid value`);
    return Number(s);
  };
  const begin = one(ends[0]!);
  const end = one(ends[1] ?? ends[0]!);
  if (names === MONTHS) {
    // Alertmanager takes any number for a month, and such a month never comes: what it accepts is accepted
    if (begin > end) throw wrong('start of range cannot be after the end of range');
    return [begin, end];
  }
  if (begin < low || begin > high || end < low || end > high) throw wrong(`${text} is out of range`);
  if (begin > end && !(begin > 0 && end < 0)) throw wrong('start of range cannot be after the end of range');
  if (begin < 0 && end > 0) throw wrong('end day must be negative if start day is negative');
  return [begin, end];
}

export const parseWeekdays = (text: string): Range => inclusive(text, WEEKDAYS, 0, 0, 6);
export const parseMonths = (text: string): Range => inclusive(text, MONTHS, 1, 1, 12);
export const parseYears = (text: string): Range => inclusive(text, undefined, 0, 0, 9999);
export function parseDaysOfMonth(text: string): Range {
  const range = inclusive(text, undefined, 0, -31, 31);
  if (range[0] === 0 || range[1] === 0) throw wrong(`0 is not a valid day of the month: out of range`);
  return range;
}

/** Minutes of the day from `HH:MM`; 24:00 is the end of the day. */
export function parseTimeOfDay(text: string): number {
  const m = /^(\d{1,2}):(\d{2})$/.exec(text);
  const minutes = m ? Number(m[1]) * 60 + Number(m[2]) : -1;
  if (!m || Number(m[2]) > 59 || minutes > 1_440) throw wrong(`couldn't parse timestamp ${text}, invalid format`);
  return minutes;
}

export function checkLocation(name: string): string {
  try {
    formatter(name === 'Local' ? 'UTC' : name);
  } catch (cause) {
    throw new VigieError('bad_data', `unknown time zone ${name}`, { cause });
  }
  return name;
}

/** Does `atMs` lie in the interval? */
export function inInterval(interval: TimeInterval, atMs: number): boolean {
  const t = calendar(atMs, interval.location);
  const within = (ranges: readonly Range[], value: number): boolean =>
    ranges.length === 0 || ranges.some(([a, b]) => value >= a && value <= b);
  if (interval.times.length > 0 && !interval.times.some(([a, b]) => t.minute >= a && t.minute < b)) return false;
  if (interval.daysOfMonth.length > 0) {
    const last = new Date(Date.UTC(t.year, t.month, 0)).getUTCDate();
    const inside = interval.daysOfMonth.some(([a, b]) => {
      const begin = a < 0 ? last + a + 1 : a;
      const end = b < 0 ? last + b + 1 : b;
      // a range wholly beyond a short month matches nothing in it
      if (begin > last || end < 1) return false;
      return t.day >= Math.max(1, begin) && t.day <= Math.min(last, end);
    });
    if (!inside) return false;
  }
  return within(interval.months, t.month) && within(interval.weekdays, t.weekday) && within(interval.years, t.year);
}

interface Calendar {
  readonly year: number;
  readonly month: number;
  readonly day: number;
  readonly weekday: number;
  readonly minute: number;
}

function calendar(atMs: number, location: string | undefined): Calendar {
  let [year, month, day, hour, minute] = [0, 0, 0, 0, 0];
  if (location === undefined || location === 'UTC') {
    const d = new Date(atMs);
    [year, month, day, hour, minute] = [
      d.getUTCFullYear(),
      d.getUTCMonth() + 1,
      d.getUTCDate(),
      d.getUTCHours(),
      d.getUTCMinutes(),
    ];
  } else {
    for (const part of formatter(location === 'Local' ? 'UTC' : location).formatToParts(atMs)) {
      const n = Number(part.value);
      if (part.type === 'year') year = n;
      else if (part.type === 'month') month = n;
      else if (part.type === 'day') day = n;
      else if (part.type === 'hour') hour = n;
      else if (part.type === 'minute') minute = n;
    }
  }
  return {
    year,
    month,
    day,
    weekday: new Date(Date.UTC(year, month - 1, day)).getUTCDay(),
    minute: hour * 60 + minute,
  };
}
