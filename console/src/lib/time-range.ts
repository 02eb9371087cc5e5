/**
 * Time ranges as people write them: `now-6h`, `now-1d/d`, ISO dates and epoch milliseconds, made absolute against a
 * given "now". Pure; knows no clock of its own. Rounding (`/d`) is done in UTC or the browser's zone, as asked.
 */
export interface TimeRange {
  readonly from: string;
  readonly to: string;
}
export interface AbsoluteRange {
  readonly startMs: number;
  readonly endMs: number;
}

export const QUICK_RANGES = ['5m', '15m', '30m', '1h', '3h', '6h', '12h', '24h', '2d', '7d', '30d', '90d'] as const;
export const DEFAULT_RANGE: TimeRange = { from: 'now-1h', to: 'now' };
/** Points a chart asks for at most; Prometheus itself stops at 11,000. */
const POINTS_MAX = 1_500;

const UNIT_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 7 * 86_400_000,
  M: 30 * 86_400_000,
  y: 365 * 86_400_000,
};

/** `1d12h` in milliseconds; undefined when it is no duration. */
export function parseDurationMs(text: string): number | undefined {
  const parts = [...text.trim().matchAll(/(\d+(?:\.\d+)?)(ms|[smhdwMy])/g)];
  if (parts.length === 0 || parts.map((p) => p[0]).join('') !== text.trim()) return undefined;
  return parts.reduce((sum, p) => sum + Number(p[1]) * UNIT_MS[p[2]!]!, 0);
}

/** The shortest exact Prometheus duration: 90000 -> `90s`. */
export function durationText(ms: number): string {
  if (ms < 1_000) return `${Math.max(1, Math.round(ms))}ms`;
  for (const unit of ['w', 'd', 'h', 'm', 's'] as const) {
    const size = UNIT_MS[unit]!;
    if (ms >= size && ms % size === 0) return `${ms / size}${unit}`;
  }
  return `${Math.round(ms / 1_000)}s`;
}

function roundTo(ms: number, unit: string, up: boolean, utc: boolean): number {
  const d = new Date(ms);
  const f = utc
    ? { y: d.getUTCFullYear(), M: d.getUTCMonth(), d: d.getUTCDate(), w: d.getUTCDay() }
    : { y: d.getFullYear(), M: d.getMonth(), d: d.getDate(), w: d.getDay() };
  const at = (y: number, M: number, day: number): number => (utc ? Date.UTC(y, M, day) : new Date(y, M, day).getTime());
  const one = up ? 1 : 0;
  switch (unit) {
    case 'y':
      return at(f.y + one, 0, 1) - one;
    case 'M':
      return at(f.y, f.M + one, 1) - one;
    case 'w':
      return at(f.y, f.M, f.d - ((f.w + 6) % 7) + 7 * one) - one;
    case 'd':
      return at(f.y, f.M, f.d + one) - one;
    default: {
      const size = UNIT_MS[unit] ?? 1_000;
      return Math.floor(ms / size) * size + one * (size - 1);
    }
  }
}

/** One end of a range in epoch milliseconds; undefined when it cannot be read. `up` rounds `/d` to the end of the day. */
export function parseTime(text: string, nowMs: number, up = false, utc = false): number | undefined {
  const t = text.trim();
  if (/^\d{11,16}$/.test(t)) return Number(t);
  if (/^\d{1,10}(\.\d+)?$/.test(t)) return Math.round(Number(t) * 1_000);
  const relative = /^now((?:[+-]\d+(?:ms|[smhdwMy]))*)(?:\/([smhdwMy]))?$/.exec(t);
  if (relative) {
    let ms = nowMs;
    for (const [, sign, count, unit] of relative[1]!.matchAll(/([+-])(\d+)(ms|[smhdwMy])/g))
      ms += (sign === '-' ? -1 : 1) * Number(count) * UNIT_MS[unit!]!;
    return relative[2] ? roundTo(ms, relative[2], up, utc) : ms;
  }
  // the browser's parser takes "now-5" for a date in May: only what begins like ISO is handed to it
  if (!/^\d{4}-\d\d/.test(t)) return undefined;
  const parsed = Date.parse(utc && /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?$/.test(t) ? `${t.replace(' ', 'T')}Z` : t);
  return Number.isNaN(parsed) ? undefined : parsed;
}

/** Both ends; an unreadable or empty range becomes the last hour. */
export function absoluteRange(range: TimeRange, nowMs: number, utc = false): AbsoluteRange {
  const startMs = parseTime(range.from, nowMs, false, utc);
  const endMs = parseTime(range.to, nowMs, true, utc);
  if (startMs === undefined || endMs === undefined || endMs <= startMs)
    return { startMs: nowMs - 3_600_000, endMs: nowMs };
  return { startMs, endMs };
}

export function isRelative(range: TimeRange): boolean {
  return range.from.startsWith('now') && range.to === 'now';
}

const NICE_STEPS_MS = [
  1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1_200, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200, 86_400,
].map((s) => s * 1_000);

/** A round step that gives about one point per two pixels, never finer than `minMs`. */
export function stepFor(range: AbsoluteRange, widthPx = 800, minMs = 5_000): number {
  const points = Math.max(50, Math.min(POINTS_MAX, widthPx / 2));
  const raw = Math.max(minMs, (range.endMs - range.startMs) / points);
  return NICE_STEPS_MS.find((s) => s >= raw) ?? Math.ceil(raw / 86_400_000) * 86_400_000;
}

/** Grafana's $__rate_interval: wide enough to hold four scrapes whatever the step. */
export function rateIntervalMs(stepMs: number, scrapeMs = 15_000): number {
  return Math.max(stepMs + scrapeMs, 4 * scrapeMs);
}

/** The range moved (`by` in its own lengths) or zoomed about its middle. */
export function shiftRange(range: AbsoluteRange, by: number): TimeRange {
  const width = range.endMs - range.startMs;
  return fixed(range.startMs + by * width, range.endMs + by * width);
}
export function zoomRange(range: AbsoluteRange, factor: number): TimeRange {
  const middle = (range.startMs + range.endMs) / 2;
  const half = ((range.endMs - range.startMs) / 2) * factor;
  return fixed(middle - half, middle + half);
}
export function fixed(startMs: number, endMs: number): TimeRange {
  return { from: String(Math.round(startMs)), to: String(Math.round(endMs)) };
}
