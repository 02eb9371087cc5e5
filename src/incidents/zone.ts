/**
 * Local time of an IANA zone and back, on the zone data that Intl carries. A local time that daylight saving skips is
 * read with the offset before the change, one that happens twice is the first (RFC 5545, section 3.3.5).
 */
import { VigieError } from '../lib/errors.ts';

export interface LocalTime {
  readonly year: number;
  /** 1..12 */
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
}

const formatters = new Map<string, Intl.DateTimeFormat>();
/** Zones kept; a tenant cannot make this grow, there are about 600. */
const FORMATTERS_MAX = 700;

function formatter(zone: string): Intl.DateTimeFormat {
  let found = formatters.get(zone);
  if (!found) {
    try {
      found = new Intl.DateTimeFormat('en-US', {
        timeZone: zone,
        hourCycle: 'h23',
        year: 'numeric',
        month: 'numeric',
        day: 'numeric',
        hour: 'numeric',
        minute: 'numeric',
        second: 'numeric',
      });
    } catch {
      throw new VigieError(
        'bad_data',
        `unknown time zone ${JSON.stringify(zone.slice(0, 60))}: want an IANA name such as Europe/Berlin`,
      );
    }
    if (formatters.size < FORMATTERS_MAX) formatters.set(zone, found);
  }
  return found;
}

export function checkZone(zone: string): void {
  formatter(zone);
}

/** Since then every zone has changed its offset at a whole quarter of an hour only. */
const QUARTERS_SINCE_MS = Date.UTC(2000, 0, 1);
const QUARTER_MS = 900_000;
const OFFSETS_MAX = 20_000;
const offsets = new Map<string, number>();

/** Milliseconds that local time is ahead of UTC at `atMs`. */
export function zoneOffsetMs(zone: string, atMs: number): number {
  if (atMs < QUARTERS_SINCE_MS) return computedOffsetMs(zone, atMs);
  const key = `${zone}/${Math.floor(atMs / QUARTER_MS)}`;
  let offset = offsets.get(key);
  if (offset === undefined) {
    offset = computedOffsetMs(zone, atMs);
    if (offsets.size >= OFFSETS_MAX) offsets.clear();
    offsets.set(key, offset);
  }
  return offset;
}

function computedOffsetMs(zone: string, atMs: number): number {
  const whole = Math.floor(atMs / 1000) * 1000;
  const p: Record<string, number> = {};
  for (const part of formatter(zone).formatToParts(whole))
    if (part.type !== 'literal') p[part.type] = Number(part.value);
  return Date.UTC(p['year']!, p['month']! - 1, p['day']!, p['hour']!, p['minute']!, p['second']!) - whole;
}

export function localTime(zone: string, atMs: number): LocalTime & { /** 0 Sunday .. 6. */ readonly weekday: number } {
  const d = new Date(atMs + zoneOffsetMs(zone, atMs));
  return {
    year: d.getUTCFullYear(),
    month: d.getUTCMonth() + 1,
    day: d.getUTCDate(),
    hour: d.getUTCHours(),
    minute: d.getUTCMinutes(),
    weekday: d.getUTCDay(),
  };
}

/** The instant of a local time; days past the end of a month roll over, as in Date.UTC. */
export function instantOf(zone: string, t: LocalTime): number {
  const asUtc = Date.UTC(t.year, t.month - 1, t.day, t.hour, t.minute);
  const before = zoneOffsetMs(zone, asUtc - 86_400_000);
  const after = zoneOffsetMs(zone, asUtc + 86_400_000);
  const first = asUtc - before;
  if (before === after) return first;
  // around a change: the earlier reading counts when it is real, so a time that comes twice is the first
  if (zoneOffsetMs(zone, first) === before) return first;
  const second = asUtc - after;
  return zoneOffsetMs(zone, second) === after ? second : first;
}

/** Whole local days since 1970-01-01. */
export const dayNumber = (t: Pick<LocalTime, 'year' | 'month' | 'day'>): number =>
  Math.floor(Date.UTC(t.year, t.month - 1, t.day) / 86_400_000);

/** `2026-01-05T09:00`: a local time without zone. Throws `bad_data`. */
export function parseLocal(text: string): LocalTime {
  const m = /^(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2}))?$/.exec(text);
  const t = m && { year: +m[1]!, month: +m[2]!, day: +m[3]!, hour: +(m[4] ?? 0), minute: +(m[5] ?? 0) };
  const back = t && new Date(Date.UTC(t.year, t.month - 1, t.day));
  if (!t || !back || back.getUTCMonth() !== t.month - 1 || back.getUTCDate() !== t.day || t.hour > 23 || t.minute > 59)
    throw new VigieError(
      'bad_data',
      `want a local time such as 2026-01-05T09:00, got ${JSON.stringify(text.slice(0, 40))}`,
    );
  return t;
}

/** `09:30` as minutes of the day; `24:00` is allowed as an end. Throws `bad_data`. */
export function parseClock(text: string): number {
  const m = /^(\d{2}):(\d{2})$/.exec(text);
  const minutes = m ? +m[1]! * 60 + +m[2]! : Number.NaN;
  if (!m || +m[2]! > 59 || !(minutes <= 1_440))
    throw new VigieError('bad_data', `want a time of day such as 09:30, got ${JSON.stringify(text.slice(0, 20))}`);
  return minutes;
}
