/**
 * The usual shape of a day and, where there is one, what the days of the week add to it: means over the last cycles,
 * the week's shrunk by its few repetitions. What is left over is for others to forecast; the profile forecast itself
 * puts the shape around a smoothed level.
 */

/** Repetitions that a week's deviation must outweigh. */
const WEEK_SHRINKAGE = 0.7;

export interface SeasonalShape {
  readonly season: number;
  /** Length of the longer season; equal to `season` where there is none. */
  readonly period: number;
  /** Cycles of the shorter season that the means are taken over; at least half as many of the longer one. */
  readonly cycles: number;
}

/** First index of values[0, end) that a shape looks at. */
const firstOf = (end: number, { season, period, cycles }: SeasonalShape): number =>
  Math.max(0, end - Math.max(cycles * season, period > season ? Math.ceil(cycles / 2) * period : 0));

/** Deviation from the mean at each position of the longer season (index modulo `period`), from values[0, end). */
export function seasonalShape(values: Float64Array, end: number, shape: SeasonalShape): Float64Array {
  const { season, period } = shape;
  const from = firstOf(end, shape);
  let mean = 0;
  for (let t = from; t < end; t++) mean += values[t]! / (end - from);
  const day = new Float64Array(season);
  const dayCount = new Float64Array(season);
  for (let t = from; t < end; t++) {
    day[t % season]! += values[t]! - mean;
    dayCount[t % season]!++;
  }
  for (let k = 0; k < season; k++) day[k]! /= Math.max(1, dayCount[k]!);
  const out = new Float64Array(period);
  const count = new Float64Array(period);
  if (period > season)
    for (let t = from; t < end; t++) {
      out[t % period]! += values[t]! - mean - day[t % season]!;
      count[t % period]!++;
    }
  // period is a multiple of season: positions of the week know theirs of the day
  return out.map((sum, k) => sum / (count[k]! + WEEK_SHRINKAGE) + day[k % season]!);
}

/** The shape around the exponentially smoothed rest. */
export function forecastProfile(
  values: Float64Array,
  origin: number,
  horizon: number,
  options: SeasonalShape & { readonly rate: number },
): Float64Array {
  const shape = seasonalShape(values, origin, options);
  const { period, rate } = options;
  const from = firstOf(origin, options);
  let level = values[from]! - shape[from % period]!;
  for (let t = from + 1; t < origin; t++) level += rate * (values[t]! - shape[t % period]! - level);
  return Float64Array.from({ length: horizon }, (_, h) => level + shape[(origin + h) % period]!);
}
