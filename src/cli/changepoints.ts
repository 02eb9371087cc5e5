/** `vigie changepoints --stdio`: the line protocol on standard input and output; no server is needed. */
import { answerChangepoints } from '../intelligence/line-protocol/change-points.ts';
import { type LineStreams, serveLines } from '../intelligence/line-protocol/lines.ts';
import { VigieError } from '../lib/errors.ts';

export async function run(argv: string[], io: LineStreams): Promise<number> {
  if (argv.length !== 1 || argv[0] !== '--stdio')
    throw new VigieError('bad_config', `vigie changepoints wants exactly --stdio, got "${argv.join(' ')}"`);
  return serveLines(io, answerChangepoints);
}
