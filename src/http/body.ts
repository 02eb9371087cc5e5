/** Reads request bodies: JSON against a schema, and forms as Prometheus' clients post them. Errors name the path. */
import type { z } from 'zod';
import { VigieError } from '../lib/errors.ts';
import { checkNesting } from '../lib/nesting.ts';
import { multipartFields } from './multipart.ts';
import type { HttpRequest } from './route.ts';

/** The JSON body checked by `schema`. Throws `bad_data` with every problem: path, got, wanted. */
export function parseBody<S extends z.ZodType>(request: HttpRequest, schema: S): z.output<S> {
  let value: unknown;
  try {
    value = request.body.length === 0 ? {} : JSON.parse(request.body.toString('utf8'));
  } catch (cause) {
    throw new VigieError('bad_data', `the body is not valid JSON: ${(cause as Error).message}`, { cause });
  }
  checkNesting(value, 'body');
  return checked(schema, value, 'body');
}

/** `value` checked by `schema`; problems as one `bad_data` error. */
export function checked<S extends z.ZodType>(schema: S, value: unknown, what: string): z.output<S> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const problems = result.error.issues.map((i) => ({ path: i.path.map(String).join('.'), message: i.message }));
  throw new VigieError(
    'bad_data',
    problems.map((p) => `${what}${p.path ? `.${p.path}` : ''}: ${p.message}`).join('; '),
    {
      details: { problems },
    },
  );
}

/**
 * Query parameters and, for a form POST, those of the body. As in Go's `Request.Form`, the body's come first, and those
 * of a multipart body last.
 */
export function formValues(request: HttpRequest): URLSearchParams {
  if (request.method !== 'POST') return request.query;
  const type = request.headers['content-type'] ?? '';
  if (/^multipart\/form-data\b/i.test(type)) {
    const out = new URLSearchParams(request.query);
    for (const [name, value] of multipartFields(type, request.body)) out.append(name, value);
    return out;
  }
  if (!type.startsWith('application/x-www-form-urlencoded')) return request.query;
  const out = new URLSearchParams(request.body.toString('utf8'));
  for (const [name, value] of request.query) out.append(name, value);
  return out;
}
