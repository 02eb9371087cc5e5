/**
 * time.Time, time.Duration, time.Month and time.Weekday as template values, with the methods that templates call.
 * Instants are nanoseconds in a bigint, so that the zero time (year 1) has a value. Offsets of named zones come from
 * the runtime's own time zone data. Not here: reading times (each caller has its own format).
 */
import { FunctionError } from './errors.ts';
import { type CivilTime, formatTime, MONTHS, WEEKDAYS } from './time-layout.ts';
import { GoFunction, GoScalar, GoStruct, type GoValue, type Methods } from './value.ts';

export interface Zone {
  readonly name: string;
  at(unixSeconds: number): { readonly offsetSeconds: number; readonly abbreviation: string };
}

interface Instant {
  readonly ns: bigint;
  readonly zone: Zone;
}

const NS_PER_S = 1_000_000_000n;
/** 0001-01-01T00:00:00Z: Go's zero time. */
export const ZERO_TIME_NS = -62_135_596_800n * NS_PER_S;
const INT64_MAX = 2n ** 63n - 1n;
const INT64_MIN = -(2n ** 63n);
const clampInt64 = (n: bigint): bigint => (n > INT64_MAX ? INT64_MAX : n < INT64_MIN ? INT64_MIN : n);

export const UTC: Zone = { name: 'UTC', at: () => ({ offsetSeconds: 0, abbreviation: 'UTC' }) };

/** Zones read before, by name; there are about 600 in the world. */
const ZONES_MAX = 1_000;
const zones = new Map<string, Zone>();

/** Abbreviations of zones whose names the runtime shows as an offset: standard, summer. */
const ABBREVIATIONS: readonly (readonly [RegExp, string, string])[] = [
  [/^Europe\/(London|Belfast|Guernsey|Jersey|Isle_of_Man)$/, 'GMT', 'BST'],
  [/^Europe\/Dublin$/, 'GMT', 'IST'],
  [/^Europe\/(Lisbon)$/, 'WET', 'WEST'],
  [/^Europe\/(Athens|Helsinki|Kiev|Kyiv|Sofia|Bucharest|Vilnius|Riga|Tallinn|Chisinau)$/, 'EET', 'EEST'],
  [/^Europe\/(Moscow|Simferopol)$/, 'MSK', 'MSD'],
  [
    /^Europe\/(Paris|Berlin|Madrid|Rome|Amsterdam|Brussels|Vienna|Zurich|Stockholm|Oslo|Copenhagen|Prague|Warsaw|Budapest|Luxembourg|Monaco|Malta|Zagreb|Belgrade|Ljubljana|Bratislava|Sarajevo|Skopje|Tirane|Andorra|Vaduz|Vatican|San_Marino|Podgorica|Gibraltar|Busingen)$/,
    'CET',
    'CEST',
  ],
  [
    /^America\/(New_York|Toronto|Detroit|Montreal|Nassau|Kentucky\/.*|Indiana\/Indianapolis)$|^US\/Eastern$/,
    'EST',
    'EDT',
  ],
  [/^America\/(Chicago|Winnipeg|Menominee|Matamoros)$|^US\/Central$/, 'CST', 'CDT'],
  [/^America\/(Denver|Edmonton|Boise)$|^US\/Mountain$/, 'MST', 'MDT'],
  [/^America\/(Los_Angeles|Vancouver|Tijuana)$|^US\/Pacific$/, 'PST', 'PDT'],
  [/^America\/(Halifax|Bermuda)$|^Atlantic\/Bermuda$/, 'AST', 'ADT'],
  [/^America\/Phoenix$/, 'MST', 'MST'],
  [/^America\/Anchorage$/, 'AKST', 'AKDT'],
  [/^Pacific\/Honolulu$/, 'HST', 'HST'],
  [/^Asia\/Tokyo$|^Japan$/, 'JST', 'JST'],
  [/^Asia\/Seoul$/, 'KST', 'KST'],
  [/^Asia\/(Shanghai|Hong_Kong|Taipei|Macau)$/, 'CST', 'CST'],
  [/^Asia\/Hong_Kong$/, 'HKT', 'HKT'],
  [/^Asia\/(Kolkata|Calcutta)$/, 'IST', 'IST'],
  [/^Asia\/Jerusalem$/, 'IST', 'IDT'],
  [/^Asia\/Karachi$/, 'PKT', 'PKT'],
  [/^Asia\/Manila$/, 'PST', 'PST'],
  [/^Asia\/Jakarta$/, 'WIB', 'WIB'],
  [/^Australia\/(Sydney|Melbourne|Hobart|Canberra)$/, 'AEST', 'AEDT'],
  [/^Australia\/Brisbane$/, 'AEST', 'AEST'],
  [/^Australia\/Adelaide$/, 'ACST', 'ACDT'],
  [/^Australia\/Darwin$/, 'ACST', 'ACST'],
  [/^Australia\/Perth$/, 'AWST', 'AWST'],
  [/^Pacific\/Auckland$/, 'NZST', 'NZDT'],
  [/^Africa\/(Johannesburg)$/, 'SAST', 'SAST'],
  [/^Africa\/(Lagos)$/, 'WAT', 'WAT'],
  [/^Africa\/(Nairobi)$/, 'EAT', 'EAT'],
  [/^Africa\/Cairo$/, 'EET', 'EEST'],
];

/** A zone of the IANA database, or `UTC`. Throws FunctionError in Go's words for others. */
export function loadZone(name: string): Zone {
  if (name === '' || name === 'UTC' || name === 'Local') return name === 'Local' ? { ...UTC, name: 'Local' } : UTC;
  const known = zones.get(name);
  if (known) return known;
  let format: Intl.DateTimeFormat;
  try {
    if (!/^[A-Za-z][A-Za-z0-9_+\-/]*$/.test(name)) throw new RangeError(name);
    format = new Intl.DateTimeFormat('en-US', {
      timeZone: name,
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
      era: 'short',
    });
  } catch {
    throw new FunctionError(`unknown time zone ${name}`);
  }
  const offsetAt = (unixSeconds: number): number => {
    const parts: Record<string, string> = {};
    for (const p of format.formatToParts(unixSeconds * 1000)) parts[p.type] = p.value;
    const year = parts['era']?.startsWith('B') ? 1 - Number(parts['year']) : Number(parts['year']);
    const local = daysFromCivil(year, Number(parts['month']), Number(parts['day'])) * 86_400;
    return local + Number(parts['hour']) * 3600 + Number(parts['minute']) * 60 + Number(parts['second']) - unixSeconds;
  };
  const names = ABBREVIATIONS.find(([pattern]) => pattern.test(name));
  const zone: Zone = {
    name,
    at(unixSeconds) {
      const offsetSeconds = offsetAt(unixSeconds);
      const half = 182 * 86_400;
      const standard = Math.min(offsetSeconds, offsetAt(unixSeconds + half), offsetAt(unixSeconds - half));
      const abbreviation = names ? names[offsetSeconds > standard ? 2 : 1] : numericName(offsetSeconds);
      return { offsetSeconds, abbreviation };
    },
  };
  if (zones.size >= ZONES_MAX) zones.clear();
  zones.set(name, zone);
  return zone;
}

/** A zone without a name of its own, as a time read with an offset has. */
export function fixedZone(offsetSeconds: number): Zone {
  return { name: '', at: () => ({ offsetSeconds, abbreviation: '' }) };
}

/** `+03`, `+0530`: how the database names zones without letters. */
function numericName(offsetSeconds: number): string {
  const abs = Math.abs(offsetSeconds);
  const hours = String(Math.floor(abs / 3600)).padStart(2, '0');
  const minutes = Math.floor((abs % 3600) / 60);
  return (offsetSeconds < 0 ? '-' : '+') + hours + (minutes ? String(minutes).padStart(2, '0') : '');
}

const floorDiv = (a: bigint, b: bigint): bigint => (a % b !== 0n && a < 0n !== b < 0n ? a / b - 1n : a / b);

/** Days since 1970-01-01 in the proleptic Gregorian calendar; month and day may be out of range. */
function daysFromCivil(year: number, month: number, day: number): number {
  const y = year + Math.floor((month - 1) / 12);
  const m = ((((month - 1) % 12) + 12) % 12) + 1;
  const shifted = m <= 2 ? y - 1 : y;
  const era = Math.floor(shifted / 400);
  const yearOfEra = shifted - era * 400;
  const dayOfYear = Math.floor((153 * (m + (m > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  return (
    era * 146_097 + yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear - 719_468
  );
}

function civilFromDays(days: number): { year: number; month: number; day: number } {
  const z = days + 719_468;
  const era = Math.floor(z / 146_097);
  const dayOfEra = z - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const shifted = Math.floor((5 * dayOfYear + 2) / 153);
  const day = dayOfYear - Math.floor((153 * shifted + 2) / 5) + 1;
  const month = shifted < 10 ? shifted + 3 : shifted - 9;
  return { year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day };
}

export function civilTime(instant: Instant): CivilTime {
  const unixSeconds = Number(floorDiv(instant.ns, NS_PER_S));
  const { offsetSeconds, abbreviation } = instant.zone.at(unixSeconds);
  const local = unixSeconds + offsetSeconds;
  const days = Math.floor(local / 86_400);
  const second = local - days * 86_400;
  const date = civilFromDays(days);
  return {
    ...date,
    hour: Math.floor(second / 3600),
    minute: Math.floor((second % 3600) / 60),
    second: second % 60,
    nanosecond: Number(instant.ns - floorDiv(instant.ns, NS_PER_S) * NS_PER_S),
    weekday: (((days + 4) % 7) + 7) % 7,
    yearDay: days - daysFromCivil(date.year, 1, 1) + 1,
    offsetSeconds,
    zoneName: abbreviation || numericName(offsetSeconds).padEnd(5, '0'),
  };
}

/** A time.Time from milliseconds since 1970; undefined is the zero time. */
export function timeFromMs(ms: number | undefined, zone: Zone = UTC): GoStruct {
  const ns = ms === undefined ? ZERO_TIME_NS : BigInt(Math.round(ms * 1000)) * 1000n;
  return timeValue(ns, zone);
}

export function timeValue(ns: bigint, zone: Zone = UTC): GoStruct {
  return new GoStruct('time.Time', {}, { host: { ns, zone } satisfies Instant, methods: TIME_METHODS, text: timeText });
}

export function instantOf(value: GoValue): Instant | undefined {
  return value instanceof GoStruct && value.goType === 'time.Time' ? (value.host as Instant) : undefined;
}

const self = (t: GoStruct): Instant => t.host as Instant;
const timeText = (t: GoStruct): string => formatTime(civilTime(self(t)), '2006-01-02 15:04:05.999999999 -0700 MST');

/** RFC 3339 as encoding/json writes it. */
export const timeJson = (t: GoStruct): string => formatTime(civilTime(self(t)), '2006-01-02T15:04:05.999999999Z07:00');

const int64 = (n: bigint): GoScalar => new GoScalar('int64', BigInt.asIntN(64, n));
const constant = (get: (t: CivilTime, i: Instant) => GoValue) => (t: GoStruct) =>
  new GoFunction([], () => get(civilTime(self(t)), self(t)));
const moved = (t: GoStruct, ns: bigint): GoStruct => timeValue(ns, self(t).zone);
const compared = (answer: (a: bigint, b: bigint) => GoValue) => (t: GoStruct) =>
  new GoFunction(['time.Time'], (other: GoStruct) => answer(self(t).ns, self(other).ns));

const TIME_METHODS: Methods<GoStruct> = {
  Format: (t) => new GoFunction(['string'], (layout: string) => formatTime(civilTime(self(t)), layout)),
  String: (t) => new GoFunction([], () => timeText(t)),
  Unix: constant((_, i) => int64(floorDiv(i.ns, NS_PER_S))),
  UnixMilli: constant((_, i) => int64(floorDiv(i.ns, 1_000_000n))),
  UnixMicro: constant((_, i) => int64(floorDiv(i.ns, 1_000n))),
  UnixNano: constant((_, i) => int64(i.ns)),
  Year: constant((c) => BigInt(c.year)),
  Month: constant((c) => monthValue(c.month)),
  Day: constant((c) => BigInt(c.day)),
  Hour: constant((c) => BigInt(c.hour)),
  Minute: constant((c) => BigInt(c.minute)),
  Second: constant((c) => BigInt(c.second)),
  Nanosecond: constant((c) => BigInt(c.nanosecond)),
  Weekday: constant((c) => weekdayValue(c.weekday)),
  YearDay: constant((c) => BigInt(c.yearDay)),
  IsZero: constant((_, i) => i.ns === ZERO_TIME_NS),
  UTC: (t) => new GoFunction([], () => timeValue(self(t).ns)),
  Local: (t) => new GoFunction([], () => timeValue(self(t).ns)),
  Location: (t) => new GoFunction([], () => locationValue(self(t).zone)),
  In: (t) => new GoFunction(['*time.Location'], (zone: GoStruct) => timeValue(self(t).ns, zone.host as Zone)),
  Sub: compared((a, b) => durationValue(clampInt64(a - b))),
  After: compared((a, b) => a > b),
  Before: compared((a, b) => a < b),
  Equal: compared((a, b) => a === b),
  Compare: compared((a, b) => (a < b ? -1n : a > b ? 1n : 0n)),
  Add: (t) => new GoFunction(['time.Duration'], (d: GoScalar) => moved(t, self(t).ns + (d.value as bigint))),
  AddDate: (t) =>
    new GoFunction(['int', 'int', 'int'], (years: bigint, months: bigint, days: bigint) => {
      const c = civilTime(self(t));
      const date = daysFromCivil(c.year + Number(years), c.month + Number(months), c.day + Number(days));
      const local = BigInt(date) * 86_400n + BigInt(c.hour * 3600 + c.minute * 60 + c.second);
      const guess = local - BigInt(c.offsetSeconds);
      const offset = BigInt(self(t).zone.at(Number(guess)).offsetSeconds);
      return moved(t, (local - offset) * NS_PER_S + BigInt(c.nanosecond));
    }),
  Truncate: (t) =>
    new GoFunction(['time.Duration'], (d: GoScalar) => moved(t, stepped(self(t).ns, d.value as bigint, false))),
  Round: (t) =>
    new GoFunction(['time.Duration'], (d: GoScalar) => moved(t, stepped(self(t).ns, d.value as bigint, true))),
};

/** Multiples count from the zero time, as in Go. */
function stepped(ns: bigint, step: bigint, nearest: boolean): bigint {
  if (step <= 0n) return ns;
  const rest = (((ns - ZERO_TIME_NS) % step) + step) % step;
  return nearest && rest * 2n >= step ? ns + step - rest : ns - rest;
}

function locationValue(zone: Zone): GoStruct {
  return new GoStruct(
    '*time.Location',
    {},
    { host: zone, text: () => zone.name, methods: { String: () => new GoFunction([], () => zone.name) } },
  );
}

const named = (goType: string, names: readonly string[], first: number) => {
  const text = (v: GoScalar): string => names[Number(v.value) - first] ?? `%!${goType.slice(5)}(${v.value})`;
  const methods = { String: (v: GoScalar) => new GoFunction([], () => text(v)) };
  return (n: number): GoScalar => new GoScalar(goType, BigInt(n), { text, methods });
};
const monthValue = named('time.Month', MONTHS, 1);
const weekdayValue = named('time.Weekday', WEEKDAYS, 0);

/** A time.Duration of `ns` nanoseconds. */
export function durationValue(ns: bigint): GoScalar {
  return new GoScalar('time.Duration', ns, { text: (d) => durationText(d.value as bigint), methods: DURATION_METHODS });
}

const nanos = (d: GoScalar): bigint => d.value as bigint;
const fractional = (unit: bigint) => (d: GoScalar) =>
  new GoFunction([], () => Number(nanos(d) / unit) + Number(nanos(d) % unit) / Number(unit));
const whole = (unit: bigint) => (d: GoScalar) => new GoFunction([], () => int64(nanos(d) / unit));

const DURATION_METHODS: Methods<GoScalar> = {
  String: (d) => new GoFunction([], () => durationText(nanos(d))),
  Hours: fractional(3_600n * NS_PER_S),
  Minutes: fractional(60n * NS_PER_S),
  Seconds: fractional(NS_PER_S),
  Milliseconds: whole(1_000_000n),
  Microseconds: whole(1_000n),
  Nanoseconds: whole(1n),
  Abs: (d) => new GoFunction([], () => durationValue(clampInt64(nanos(d) < 0n ? -nanos(d) : nanos(d)))),
  Truncate: (d) =>
    new GoFunction(['time.Duration'], (step: GoScalar) => {
      const m = nanos(step);
      return m <= 0n ? d : durationValue(nanos(d) - (nanos(d) % m));
    }),
  Round: (d) =>
    new GoFunction(['time.Duration'], (step: GoScalar) => {
      const m = nanos(step);
      if (m <= 0n) return d;
      const abs = nanos(d) < 0n ? -nanos(d) : nanos(d);
      const rest = abs % m;
      const rounded = rest * 2n < m ? abs - rest : abs + m - rest;
      return durationValue(clampInt64(nanos(d) < 0n ? -rounded : rounded));
    }),
};

/** Go's Duration.String: `1h2m3.5s`, `1.5ms`, `0s`. */
export function durationText(ns: bigint): string {
  if (ns === 0n) return '0s';
  const sign = ns < 0n ? '-' : '';
  const abs = ns < 0n ? -ns : ns;
  const decimal = (unit: bigint): string => {
    const digits = unit.toString().length - 1;
    const rest = (abs % unit).toString().padStart(digits, '0').replace(/0+$/, '');
    return `${abs / unit}${digits > 0 && rest ? `.${rest}` : ''}`;
  };
  if (abs < 1_000n) return `${sign}${abs}ns`;
  if (abs < 1_000_000n) return `${sign}${decimal(1_000n)}µs`;
  if (abs < NS_PER_S) return `${sign}${decimal(1_000_000n)}ms`;
  const seconds = abs / NS_PER_S;
  const fraction = (abs % NS_PER_S).toString().padStart(9, '0').replace(/0+$/, '');
  const last = `${seconds % 60n}${fraction ? `.${fraction}` : ''}s`;
  const minutes = seconds / 60n;
  if (minutes === 0n) return sign + last;
  return minutes < 60n ? `${sign}${minutes}m${last}` : `${sign}${minutes / 60n}h${minutes % 60n}m${last}`;
}
