/**
 * JSON lines in, JSON lines out: reads requests in order from a byte stream, hands each to a handler and writes at
 * most one answer per request, at once. A line that is no request is reported on stderr and answered with an error
 * object; it does not end the session.
 */
import { StringDecoder } from 'node:string_decoder';
import { messageOf, VigieError } from '../../lib/errors.ts';

/** Longest request line, in characters. */
export const LINE_CHARS_MAX = 64 * 1024 * 1024;

export interface LineStreams {
  readonly stdin: AsyncIterable<Uint8Array | string>;
  readonly stdout: { write(text: string): unknown };
  readonly stderr: { write(text: string): unknown };
}

/** Answers one request, or nothing. Throws VigieError for a request it cannot serve. */
export type LineHandler = (request: Readonly<Record<string, unknown>>) => unknown;

/** Serves until the input ends; resolves to the exit code. Answers of one chunk of input are written together. */
export async function serveLines(streams: LineStreams, handler: LineHandler): Promise<number> {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  let answers = '';
  const take = (line: string): void => {
    if (line.trim() === '') return;
    let id: unknown;
    try {
      const request = parseRequest(line);
      id = request['id'] ?? request['series'];
      const answer = handler(request);
      if (answer !== undefined) answers += `${JSON.stringify(answer)}\n`;
    } catch (error) {
      streams.stderr.write(`${messageOf(error)}\n`);
      answers += `${JSON.stringify({ ...(id === undefined ? {} : { id }), error: messageOf(error) })}\n`;
    }
  };
  for await (const chunk of streams.stdin) {
    const text = rest + (typeof chunk === 'string' ? chunk : decoder.write(chunk as Buffer));
    let from = 0;
    for (let end = text.indexOf('\n', from); end >= 0; end = text.indexOf('\n', from)) {
      take(text.slice(from, end));
      from = end + 1;
    }
    rest = text.slice(from);
    if (rest.length > LINE_CHARS_MAX)
      throw new VigieError('too_large', `a request line exceeds ${LINE_CHARS_MAX} characters without ending`);
    if (answers !== '') {
      streams.stdout.write(answers);
      answers = '';
    }
  }
  take(rest);
  if (answers !== '') streams.stdout.write(answers);
  return 0;
}

function parseRequest(line: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (cause) {
    throw new VigieError('bad_data', `request is not JSON: ${line.slice(0, 80)}`, { cause });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new VigieError('bad_data', `request must be an object with "op", got ${line.slice(0, 80)}`);
  return value as Record<string, unknown>;
}

/** A finite number under this name, or a bad_data error. */
export function numberField(request: Readonly<Record<string, unknown>>, name: string): number {
  const v = request[name];
  if (typeof v !== 'number' || !Number.isFinite(v))
    throw new VigieError('bad_data', `"${name}" must be a finite number, got ${JSON.stringify(v)}`);
  return v;
}

/** A number, or undefined when the field is absent or null. */
export function optionalNumber(request: Readonly<Record<string, unknown>>, name: string): number | undefined {
  return request[name] === undefined || request[name] === null ? undefined : numberField(request, name);
}

/** An array of rows of numbers or nulls; a bare number counts as a row of one. */
export function rowsField(request: Readonly<Record<string, unknown>>, name: string): (number | null)[][] {
  const v = request[name];
  if (!Array.isArray(v)) throw new VigieError('bad_data', `"${name}" must be an array of rows, got ${typeof v}`);
  return v.map((row) => {
    const cells: unknown[] = Array.isArray(row) ? row : [row];
    return cells.map((c) => (typeof c === 'number' && Number.isFinite(c) ? c : null));
  });
}

export function unknownOperation(request: Readonly<Record<string, unknown>>, wanted: string): VigieError {
  return new VigieError('bad_data', `unknown "op" ${JSON.stringify(request['op'])}; this command knows ${wanted}`);
}
