/** One forecast as the runner needs it, by either method and in either direction. Pure; runs in the worker. */
import { exhaustion } from '../algorithms/forecast/exhaustion.ts';
import { forecast } from '../algorithms/forecast/forecast.ts';
import type { FitRequest, FitResult } from './fit-protocol.ts';

export function fitOne(request: FitRequest): FitResult {
  const { threshold } = request;
  const below = threshold?.below !== undefined;
  const limit = threshold?.above ?? threshold?.below;
  // "falls below" is "rises above" of the negated series
  const values = below ? request.values.map((v) => -v) : request.values;
  const level = limit === undefined ? undefined : below ? -limit : limit;
  const last = lastFinite(values);
  let fitted: {
    mean: Float64Array;
    intervals: FitResult['intervals'];
    crossProbability?: number;
    seasons: readonly number[];
  };
  let points = Number.POSITIVE_INFINITY;
  if (request.method === 'exhaustion' && level !== undefined) {
    const e = exhaustion(values, { horizon: request.horizon, threshold: level, levels: request.levels });
    fitted = { ...e, seasons: [] };
    points = e.pointsToThreshold;
  } else {
    const f = forecast(values, {
      stepSeconds: request.stepSeconds,
      horizon: request.horizon,
      levels: request.levels,
      ...(level === undefined ? {} : { threshold: level, within: request.horizon }),
      ...(request.seasons === undefined ? {} : { seasons: request.seasons }),
    });
    fitted = f;
    if (level !== undefined) {
      const at = f.mean.findIndex((m) => m > level);
      points = at < 0 ? Number.POSITIVE_INFINITY : at + 1;
    }
  }
  const past = level !== undefined && last > level;
  const flip = (x: Float64Array): Float64Array => (below ? x.map((v) => -v) : x);
  return {
    mean: flip(fitted.mean),
    intervals: fitted.intervals.map((i) =>
      below ? { level: i.level, lower: flip(i.upper), upper: flip(i.lower) } : i,
    ),
    seasons: fitted.seasons,
    ...(level === undefined
      ? {}
      : { crossProbability: past ? 1 : (fitted.crossProbability ?? 0), pointsToThreshold: past ? 0 : points }),
  };
}

function lastFinite(values: Float64Array): number {
  for (let i = values.length - 1; i >= 0; i--) if (Number.isFinite(values[i]!)) return values[i]!;
  return Number.NaN;
}
