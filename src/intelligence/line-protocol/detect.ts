/**
 * The detection protocol: open, point, close. One detector per open series, univariate or multivariate by its `dims`;
 * a stream of errors in 0..1 is also watched for concept drift. State lives as long as the session.
 */
import { createDetector, type Detection } from '../../algorithms/detection/detector.ts';
import { createMultivariateDetector, DIMS_MAX } from '../../algorithms/detection/multivariate.ts';
import { createConceptDrift } from '../../algorithms/drift/concept-drift.ts';
import { VigieError } from '../../lib/errors.ts';
import { type LineHandler, numberField, optionalNumber, unknownOperation } from './lines.ts';

/** Series open at once in one session. */
export const OPEN_SERIES_MAX = 100_000;

interface OpenSeries {
  readonly dims: number;
  readonly update: (t: number, row: readonly (number | null)[], train: boolean) => Detection;
  readonly change: (value: number | null) => number;
}

export function createDetectHandler(): LineHandler {
  const open = new Map<string, OpenSeries>();
  return (request) => {
    const name = request['series'];
    if (typeof name !== 'string')
      throw new VigieError('bad_data', `"series" must be a string, got ${JSON.stringify(name)}`);
    switch (request['op']) {
      case 'open': {
        if (open.size >= OPEN_SERIES_MAX && !open.has(name))
          throw new VigieError(
            'quota',
            `${OPEN_SERIES_MAX} series are open already; close one before opening "${name}"`,
          );
        open.set(name, openSeries(request));
        return undefined;
      }
      case 'point': {
        const series = open.get(name);
        if (!series) throw new VigieError('not_found', `series "${name}" is not open; send {"op":"open"} first`);
        const t = numberField(request, 't');
        const v = request['v'];
        const row = (Array.isArray(v) ? v : [v]).map((x) => (typeof x === 'number' ? x : null));
        if (row.length !== series.dims)
          throw new VigieError(
            'bad_data',
            `series "${name}" has ${series.dims} dims, got ${row.length} values at t=${t}`,
          );
        const train = request['train'] === true;
        const d = series.update(t, row, train);
        const back = series.change(row[0] ?? null);
        return {
          series: name,
          t,
          score: d.score,
          alertScore: d.alertScore,
          alert: d.alert,
          change: back > 0 ? { back } : false,
        };
      }
      case 'close':
        open.delete(name);
        return undefined;
      default:
        throw unknownOperation(request, 'open, point, close');
    }
  };
}

function openSeries(request: Readonly<Record<string, unknown>>): OpenSeries {
  const dims = optionalNumber(request, 'dims') ?? 1;
  if (!Number.isInteger(dims) || dims < 1 || dims > DIMS_MAX)
    throw new VigieError('bad_data', `"dims" must be a whole number from 1 to ${DIMS_MAX}, got ${dims}`);
  const warmupPoints = optionalNumber(request, 'warmup') ?? 0;
  const step = optionalNumber(request, 'step');
  if (dims > 1) {
    const detector = createMultivariateDetector({ dims, warmupPoints });
    return { dims, update: (t, row, train) => detector.update(t, row, train), change: () => 0 };
  }
  const detector = createDetector({ warmupPoints, ...(step === undefined ? {} : { stepSeconds: step }) });
  const drift = createConceptDrift();
  let errorsOnly = true;
  return {
    dims,
    update: (t, row) => detector.update(t, row[0]!),
    // Anything but right and wrong answers is a measurement, not a stream of a model's errors.
    change: (value) => {
      if (value === null || !errorsOnly) return 0;
      errorsOnly = value === 0 || value === 1;
      return errorsOnly ? drift.update(value) : 0;
    },
  };
}
