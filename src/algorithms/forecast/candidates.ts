/**
 * The forecasters that are tried side by side: ridge auto-regressions on the values and on what a seasonal shape leaves
 * over, seasonal smoothing, the profile around its level, seasonal naives. Which of them counts how much is not decided
 * here. The first two families are weak where the other is strong, which is what makes the combination better than any.
 */
import { chooseLags, fitRidge, forecastRidge } from './ridge-regression.ts';
import { forecastProfile, seasonalShape } from './seasonal-shape.ts';
import { fitSmoothing, forecastSmoothing } from './smoothing.ts';

export type Predict = (origin: number, horizon: number) => Float64Array;
export interface Candidate {
  readonly name: string;
  /** Parameters from values[0, end). */
  readonly fit: (end: number) => Predict | undefined;
}

/** Cycles that the profile's shape and its level look back over. */
const PROFILE = { cycles: 10, rate: 0.05 } as const;

/** All candidates that values with these seasons (in points, shortest first) can carry. */
export function candidatesOf(values: Float64Array, seasons: readonly number[]): Candidate[] {
  const season = seasons[0] ?? 1;
  const longest = seasons[seasons.length - 1] ?? 1;
  const lags = chooseLags(values.length, seasons);
  const centre = Math.max(season, Math.min(12, Math.floor(values.length / 4)), 1);
  const ridge =
    (penalty: number, c: number) =>
    (end: number): Predict | undefined => {
      const model = fitRidge(values, end, lags, c, penalty);
      return model && ((o, h) => forecastRidge(model, values, o, h));
    };
  const naive = (period: number) => (end: number) =>
    end < period
      ? undefined
      : (o: number, h: number) => Float64Array.from({ length: h }, (_, i) => values[o - period + (i % period)]!);
  const smoothing = (period: number) => (end: number) => {
    if (end < 2 * period) return undefined;
    const model = fitSmoothing(values, end, period);
    return (o: number, h: number) => forecastSmoothing(model, values, o, h);
  };
  const out: Candidate[] = [
    { name: 'ridge', fit: ridge(1e-3, centre) },
    { name: 'smoothing', fit: smoothing(season) },
    { name: 'naive', fit: naive(season) },
  ];
  if (season === 1) out.push({ name: 'ridge-strong', fit: ridge(3e-2, centre) });
  else out.push(...shaped(values, season, longest, lags));
  if (longest > season && values.length >= 2 * longest + season)
    out.push({ name: 'smoothing-long', fit: smoothing(longest) });
  return out;
}

function shaped(values: Float64Array, season: number, longest: number, lags: readonly number[]): Candidate[] {
  // Both shapes are looked up by position in the longer season, so it must hold whole days.
  const period = longest % season === 0 ? longest : season;
  const few = [...new Set([1, 2, 3, season - 1, season, season + 1])].filter((k) => k > 0 && k < values.length / 3);
  const all = lags.filter((k) => k <= 2 * season + 1);
  /** Auto-regression of what the shape leaves over, around the mean of its last days. */
  const rest =
    (cycles: number, used: readonly number[], centreDays: number) =>
    (end: number): Predict | undefined => {
      if (end < 2 * season) return undefined;
      const shape = seasonalShape(values, end, { season, period, cycles });
      const left = values.map((v, t) => v - shape[t % period]!);
      const centre = Math.min(centreDays * season, Math.floor(end / 3));
      const model = fitRidge(left, end, used, centre, 1e-2);
      return model && ((o, h) => forecastRidge(model, left, o, h).map((v, k) => v + shape[(o + k) % period]!));
    };
  return [
    { name: 'rest-day', fit: rest(12, few, 1) },
    { name: 'rest-days', fit: rest(12, few, 4) },
    { name: 'rest-rich', fit: rest(24, all, 7) },
    {
      name: 'profile',
      fit: (end) =>
        end < 2 * season ? undefined : (o, h) => forecastProfile(values, o, h, { season, period, ...PROFILE }),
    },
  ];
}
