/** The change-point protocol: a finished series in, the first index of each new regime out. */
import { changepoints } from '../../algorithms/change-points/pelt.ts';
import { type LineHandler, rowsField, unknownOperation } from './lines.ts';

export const answerChangepoints: LineHandler = (request) => {
  if (request['op'] !== 'changepoints') throw unknownOperation(request, 'changepoints');
  return { id: request['id'], changes: changepoints(rowsField(request, 'values')) };
};
