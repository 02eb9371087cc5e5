/** The forecasting protocol: each request carries its whole history and is answered alone. */
import { CROSS_PROBABILITY_MIN, forecast, HORIZON_POINTS_MAX } from '../../algorithms/forecast/forecast.ts';
import { VigieError } from '../../lib/errors.ts';
import { type LineHandler, numberField, optionalNumber, unknownOperation } from './lines.ts';

export const answerForecast: LineHandler = (request) => {
  if (request['op'] !== 'forecast') throw unknownOperation(request, 'forecast');
  const values = request['values'];
  if (!Array.isArray(values) || values.length === 0)
    throw new VigieError('bad_data', '"values" must be an array with at least one number');
  const horizon = numberField(request, 'horizon');
  if (!Number.isInteger(horizon) || horizon < 1 || horizon > HORIZON_POINTS_MAX)
    throw new VigieError(
      'bad_data',
      `"horizon" must be a whole number from 1 to ${HORIZON_POINTS_MAX}, got ${horizon}`,
    );
  const names = request['levels'] ?? ['0.95'];
  if (!Array.isArray(names)) throw new VigieError('bad_data', '"levels" must be an array such as ["0.95"]');
  const levels = names.map((name) => {
    const level = Number(name);
    if (!(level > 0 && level < 1))
      throw new VigieError('bad_data', `a level must lie between 0 and 1, got ${JSON.stringify(name)}`);
    return level;
  });
  const threshold = optionalNumber(request, 'threshold');
  const within = optionalNumber(request, 'within');
  const result = forecast(values as (number | null)[], {
    stepSeconds: optionalNumber(request, 'step') ?? 3600,
    horizon,
    levels,
    ...(threshold === undefined ? {} : { threshold }),
    ...(within === undefined ? {} : { within }),
  });
  const band = (key: 'lower' | 'upper'): Record<string, number[]> =>
    Object.fromEntries(result.intervals.map((interval, i) => [String(names[i]), Array.from(interval[key])]));
  return {
    id: request['id'],
    mean: Array.from(result.mean),
    lower: band('lower'),
    upper: band('upper'),
    ...(result.crossProbability === undefined
      ? {}
      : { crosses: result.crossProbability >= CROSS_PROBABILITY_MIN, crossProbability: result.crossProbability }),
  };
};
