/** Numbers for people, as both Prometheus and Alertmanager write them in templates. */
import { FunctionError } from './errors.ts';
import { formatFloat } from './float-text.ts';
import { sprint } from './format.ts';
import { quoteGo } from './quote.ts';
import { timeValue } from './time-value.ts';
import { GoScalar, type GoStruct, type GoValue, typeName } from './value.ts';

const g4 = (v: number): string => formatFloat(v, 'g', 4);
const isSpecial = (v: number): boolean => !Number.isFinite(v);
const LARGE = ['k', 'M', 'G', 'T', 'P', 'E', 'Z', 'Y'];
const LARGE_1024 = ['ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei', 'Zi', 'Yi'];
const SMALL = ['m', 'u', 'n', 'p', 'f', 'a', 'z', 'y'];

/** A number from what templates hand over: floats, integers, numeric strings, durations as seconds. Throws FunctionError. */
export function toFloat(value: GoValue): number {
  if (typeof value === 'number') return value;
  if (typeof value === 'string') return parseGoFloat(value);
  if (typeof value === 'bigint') return Number(value);
  if (value instanceof GoScalar && typeof value.value === 'bigint') {
    if (value.goType === 'time.Duration') return Number(value.value) / 1e9;
    if (['uint', 'int64', 'uint64'].includes(value.goType)) return Number(value.value);
  }
  throw new FunctionError(`can't convert ${typeName(value)} to float`);
}

/** strconv.ParseFloat(text, 64) for decimal and hexadecimal numbers. Throws FunctionError in its words. */
export function parseGoFloat(text: string): number {
  const special = /^([+-]?)(inf|infinity|nan)$/i.exec(text);
  if (special)
    return /nan/i.test(special[2]!) ? (special[1] ? bad(text) : Number.NaN) : special[1] === '-' ? -Infinity : Infinity;
  const hex = /^([+-]?)0[xX]([0-9a-fA-F]*)\.?([0-9a-fA-F]*)[pP]([+-]?\d+)$/.exec(text);
  let value: number;
  if (hex && hex[2]! + hex[3]! !== '') {
    value = Number(BigInt(`0x${hex[2]}${hex[3]}`)) * 2 ** (Number(hex[4]) - 4 * hex[3]!.length);
    if (hex[1] === '-') value = -value;
  } else if (/^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/.test(text)) value = Number(text);
  else return bad(text);
  if (!Number.isFinite(value))
    throw new FunctionError(`strconv.ParseFloat: parsing ${quoteGo(text)}: value out of range`);
  return value;
}

function bad(text: string): never {
  throw new FunctionError(`strconv.ParseFloat: parsing ${quoteGo(text)}: invalid syntax`);
}

function shrink(value: number, base: number, units: readonly string[]): string {
  let v = value;
  let unit = '';
  for (const u of units) {
    if (Math.abs(v) < base) break;
    unit = u;
    v /= base;
  }
  return g4(v) + unit;
}

function grow(value: number): string {
  let v = value;
  let unit = '';
  for (const u of SMALL) {
    if (Math.abs(v) >= 1) break;
    unit = u;
    v *= 1000;
  }
  return g4(v) + unit;
}

/** `1.234k`, `12m`. */
export function humanize(value: GoValue): string {
  const v = toFloat(value);
  if (v === 0 || isSpecial(v)) return g4(v);
  return Math.abs(v) >= 1 ? shrink(v, 1000, LARGE) : grow(v);
}

/** `1.5Ki` is written `1.5ki`. */
export function humanize1024(value: GoValue): string {
  const v = toFloat(value);
  return Math.abs(v) <= 1 || isSpecial(v) ? g4(v) : shrink(v, 1024, LARGE_1024);
}

/** Seconds as `1d 2h 3m 4s`, `1.5s`, `12ms`. */
export function humanizeDuration(value: GoValue): string {
  const v = toFloat(value);
  if (isSpecial(v)) return g4(v);
  if (v === 0) return `${g4(v)}s`;
  const abs = Math.abs(v);
  if (abs < 1) return `${grow(v)}s`;
  const sign = v < 0 ? '-' : '';
  // past int64 Go's conversion gives the least number; nobody waits that long
  const total = Math.trunc(Math.min(abs, Number.MAX_SAFE_INTEGER));
  const [seconds, minutes, hours, days] = [
    total % 60,
    Math.floor(total / 60) % 60,
    Math.floor(total / 3600) % 24,
    Math.floor(total / 86_400),
  ];
  if (days > 0) return `${sign}${days}d ${hours}h ${minutes}m ${seconds}s`;
  if (hours > 0) return `${sign}${hours}h ${minutes}m ${seconds}s`;
  if (minutes > 0) return `${sign}${minutes}m ${seconds}s`;
  return `${sign}${g4(abs)}s`;
}

/** A ratio as per cent. */
export function humanizePercentage(value: GoValue): string {
  return `${g4(toFloat(value) * 100)}%`;
}

/** Seconds since 1970 as a time.Time, to the millisecond. Throws FunctionError when out of range. */
export function secondsToTime(value: GoValue): GoStruct {
  const v = toFloat(value);
  if (isSpecial(v)) throw new FunctionError('value is NaN or Inf');
  const ns = v * 1e9;
  if (ns > 2 ** 63 || ns < -(2 ** 63))
    throw new FunctionError(
      `${formatFloat(v, 'g', -1)} cannot be represented as a nanoseconds timestamp since it overflows int64`,
    );
  return timeValue((BigInt(Math.trunc(ns)) / 1_000_000n) * 1_000_000n);
}

export function humanizeTimestamp(value: GoValue): string {
  const v = toFloat(value);
  return isSpecial(v) ? g4(v) : sprint([secondsToTime(value)]);
}
