/** `vigie drift --stdio`: the line protocol on standard input and output; no server is needed. */
import { answerDrift } from '../intelligence/line-protocol/drift.ts';
import { type LineStreams, serveLines } from '../intelligence/line-protocol/lines.ts';
import { VigieError } from '../lib/errors.ts';

export async function run(argv: string[], io: LineStreams): Promise<number> {
  if (argv.length !== 1 || argv[0] !== '--stdio')
    throw new VigieError('bad_config', `vigie drift wants exactly --stdio, got "${argv.join(' ')}"`);
  return serveLines(io, answerDrift);
}
