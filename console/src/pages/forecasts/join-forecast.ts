/** A forecast behind its history, as the columns of one chart. */
import type { ForecastItem } from '../../../../src/http/contract/intelligence.ts';

/** How far beyond what was measured and the limit a forecast is drawn, in heights of both. */
const BEYOND = 0.25;

/** History and forecast on one axis; the band begins at the last measured point, so that nothing floats. */
export function joinForecast(
  item: ForecastItem,
  history: readonly (readonly [number, number | null])[],
): {
  readonly times: readonly number[];
  readonly actual: readonly (number | null)[];
  readonly mean: readonly (number | null)[];
  readonly lower: readonly (number | null)[];
  readonly upper: readonly (number | null)[];
} {
  const from = (item.fitAtMs ?? 0) / 1_000;
  const step = item.stepMs / 1_000;
  const past = history.filter(([t]) => t <= from);
  const lastKnown = past.at(-1)?.[1] ?? item.value;
  const gap = new Array<null>(Math.max(0, past.length - 1)).fill(null);
  const start = past.length > 0 ? [lastKnown] : [];
  const limit = item.threshold?.above ?? item.threshold?.below;
  const known = [...past.map(([, v]) => v), ...(limit === undefined ? [] : [limit])].filter((v) => v !== null);
  const low = Math.min(...known);
  const high = Math.max(...known);
  // what fills up is drawn on past its limit for hours: the chart would show little else
  const room = limit === undefined || known.length < 2 ? Number.POSITIVE_INFINITY : BEYOND * (high - low);
  const within = (v: number | null): number | null => (v === null || (v >= low - room && v <= high + room) ? v : null);
  const clamped = (v: number | null): number | null =>
    v === null || room === Number.POSITIVE_INFINITY ? v : Math.max(low - room, Math.min(high + room, v));
  return {
    times: [...past.map(([t]) => t), ...item.mean.map((_, h) => from + (h + 1) * step)],
    actual: [...past.map(([, v]) => v), ...item.mean.map(() => null)],
    mean: [...gap, ...start, ...item.mean.map(within)],
    lower: [...gap, ...start, ...item.lower.map(clamped)],
    upper: [...gap, ...start, ...item.upper.map(clamped)],
  };
}
