/**
 * Finds how many points one season has, from the autocorrelation of the detrended values, with a preference for a day
 * and a week where the step is known. It does not model the season.
 */
const POINTS_MAX = 3000;
const DAY_SECONDS = 86_400;
/** Least autocorrelation at which a season is believed. */
const CORRELATION_MIN = 0.25;

/** Season lengths in points, shortest first; empty when nothing repeats. */
export function findSeasons(values: Float64Array, stepSeconds: number): number[] {
  const all = values.length > POINTS_MAX ? values.subarray(values.length - POINTS_MAX) : values;
  const n = all.length;
  if (n < 8) return [];
  const y = detrended(all);
  let variance = 0;
  for (const x of y) variance += x * x;
  if (!(variance > 0)) return [];
  const lagMax = Math.min(Math.floor(n / 2), 400);
  const at = (lag: number): number => {
    let s = 0;
    for (let i = lag; i < n; i++) s += y[i]! * y[i - lag]!;
    return ((s / variance) * n) / (n - lag);
  };
  const day = DAY_SECONDS / stepSeconds;
  const whole = Number.isFinite(day) && Math.abs(day - Math.round(day)) < 1e-9 ? Math.round(day) : 0;
  let season = 0;
  if (whole >= 4 && n >= 2 * whole + 4 && at(whole) > CORRELATION_MIN) season = whole;
  else {
    let best = CORRELATION_MIN;
    let before = at(1);
    let here = at(2);
    for (let lag = 3; lag <= lagMax; lag++) {
      const next = at(lag);
      if (here > before && here >= next && here > best * 1.05) {
        best = here;
        season = lag - 1;
      }
      before = here;
      here = next;
    }
  }
  if (season === 0) return [];
  const out = [season];
  if (season === whole && n >= 14 * season) {
    const neighbours = Math.max(at(6 * season), at(5 * season), at(8 * season));
    if (at(7 * season) > neighbours + 0.02) out.push(7 * season);
  }
  return out;
}

function detrended(x: Float64Array): Float64Array {
  const n = x.length;
  const mid = (n - 1) / 2;
  let mean = 0;
  for (const v of x) mean += v / n;
  let sxy = 0;
  let sxx = 0;
  for (let i = 0; i < n; i++) {
    sxy += (i - mid) * (x[i]! - mean);
    sxx += (i - mid) ** 2;
  }
  const slope = sxy / sxx;
  return x.map((v, i) => v - mean - slope * (i - mid));
}
