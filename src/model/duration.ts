/** Durations in Prometheus' notation: `1h30m`, `15s`, `100ms`; units y w d h m s ms, largest first, each once. */
import { VigieError } from '../lib/errors.ts';

const UNITS: readonly (readonly [string, number])[] = [
  ['y', 365 * 86_400_000],
  ['w', 7 * 86_400_000],
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1_000],
  ['ms', 1],
];

const DURATION = /^(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?$/;

/** Longest duration Prometheus' int64 nanoseconds can hold, in ms. */
export const DURATION_MS_MAX = 9_223_372_036_854;

/** Milliseconds of a duration such as `5m`; `0` is allowed without unit. Throws `bad_data`. */
export function parseDuration(text: string): number {
  if (text === '0') return 0;
  const m = DURATION.exec(text);
  if (text === '' || !m) throw new VigieError('bad_data', `not a valid duration string: ${JSON.stringify(text)}`);
  let ms = 0;
  for (let i = 0; i < UNITS.length; i++) if (m[i + 1] !== undefined) ms += Number(m[i + 1]) * UNITS[i]![1];
  if (ms > DURATION_MS_MAX) throw new VigieError('bad_data', `duration out of range: ${text}`);
  return ms;
}

/** The shortest exact notation of `ms`, as Prometheus' `model.Duration.String`. */
export function formatDuration(ms: number): string {
  if (ms === 0) return '0s';
  let left = Math.abs(Math.trunc(ms));
  let out = ms < 0 ? '-' : '';
  for (const [unit, size] of UNITS) {
    // Prometheus uses y, w and d only when they divide the rest exactly
    if ((unit === 'y' || unit === 'w' || unit === 'd') && left % size !== 0) continue;
    const n = Math.floor(left / size);
    if (n > 0) {
      out += `${n}${unit}`;
      left -= n * size;
    }
  }
  return out;
}
