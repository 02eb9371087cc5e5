/** The data-drift protocol: reference and current rows in, a verdict with a score per feature out. */
import { drift } from '../../algorithms/drift/data-drift.ts';
import { type LineHandler, rowsField, unknownOperation } from './lines.ts';

export const answerDrift: LineHandler = (request) => {
  if (request['op'] !== 'drift') throw unknownOperation(request, 'drift');
  const result = drift(rowsField(request, 'reference'), rowsField(request, 'current'));
  return {
    id: request['id'],
    drift: result.drift,
    score: result.score,
    features: result.features.map((f) => f.score),
    joint: result.joint,
  };
};
