/**
 * Auto-regression on recent and seasonal lags with a ridge penalty, centred on the mean of the last season so that the
 * level may wander. Several steps ahead are reached by recursion. No intervals here.
 */
import { solveSymmetric } from '../linear-algebra.ts';

export interface RidgeModel {
  readonly lags: readonly number[];
  readonly coefficients: Float64Array;
  readonly centre: number;
}

const LAGS_MAX = 64;

/** The lags of a model with these seasons that a history of n points can carry. */
export function chooseLags(n: number, seasons: readonly number[]): number[] {
  const lags = new Set<number>();
  const season = seasons[0] ?? 0;
  const recent = season > 0 ? Math.min(season + 2, 30) : 12;
  for (let k = 1; k <= recent; k++) lags.add(k);
  for (const s of [season, 2 * season, ...seasons.slice(1)]) if (s > 0) for (const k of [s - 1, s, s + 1]) lags.add(k);
  return [...lags]
    .filter((k) => k > 0 && k < n / 3)
    .sort((a, b) => a - b)
    .slice(0, LAGS_MAX);
}

/** Fits on values[0, end); undefined when there is too little history. */
export function fitRidge(
  values: Float64Array,
  end: number,
  lags: readonly number[],
  centre: number,
  penalty: number,
): RidgeModel | undefined {
  const p = lags.length;
  const start = Math.max(lags[p - 1] ?? 0, centre);
  if (p === 0 || end - start < p + 8) return undefined;
  const a = new Float64Array(p * p);
  const b = new Float64Array(p);
  const x = new Float64Array(p);
  let sum = 0;
  for (let i = start - centre; i < start; i++) sum += values[i]!;
  for (let t = start; t < end; t++) {
    const mean = sum / centre;
    for (let i = 0; i < p; i++) x[i] = values[t - lags[i]!]! - mean;
    const y = values[t]! - mean;
    for (let i = 0; i < p; i++) {
      const xi = x[i]!;
      b[i]! += xi * y;
      const row = i * p;
      for (let j = 0; j <= i; j++) a[row + j]! += xi * x[j]!;
    }
    sum += values[t]! - values[t - centre]!;
  }
  let trace = 0;
  for (let i = 0; i < p; i++) trace += a[i * p + i]!;
  const coefficients = solveSymmetric(a, b, p, (penalty * trace) / p + 1e-12);
  return coefficients ? { lags, coefficients, centre } : undefined;
}

/** The next `horizon` values after values[0, origin). */
export function forecastRidge(model: RidgeModel, values: Float64Array, origin: number, horizon: number): Float64Array {
  const { lags, coefficients, centre } = model;
  const depth = Math.max(lags[lags.length - 1]!, centre);
  const path = new Float64Array(depth + horizon);
  path.set(values.subarray(origin - depth, origin));
  let sum = 0;
  for (let i = depth - centre; i < depth; i++) sum += path[i]!;
  for (let h = 0; h < horizon; h++) {
    const t = depth + h;
    const mean = sum / centre;
    let y = mean;
    for (let i = 0; i < lags.length; i++) y += coefficients[i]! * (path[t - lags[i]!]! - mean);
    path[t] = y;
    sum += y - path[t - centre]!;
  }
  return path.subarray(depth);
}
