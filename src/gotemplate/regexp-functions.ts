/** `match` and `reReplaceAll`, which both Prometheus and Alertmanager give to templates, in linear time. */
import { isVigieError, messageOf } from '../lib/errors.ts';
import { compileRe2, type Re2 } from '../regex/re2.ts';
import { FunctionError } from './errors.ts';
import { quoteGo } from './quote.ts';
import { type Functions, GoFunction } from './value.ts';

/** An expression of the template's author. Throws FunctionError in the words of Go's regexp. */
function compile(pattern: string, prefix = ''): Re2 {
  try {
    return compileRe2(pattern);
  } catch (error) {
    if (!isVigieError(error)) throw error;
    throw new FunctionError(prefix + messageOf(error.cause ?? error));
  }
}

export const REGEXP_FUNCTIONS: Functions = {
  match: new GoFunction(['string', 'string'], (pattern: string, text: string) => compile(pattern).test(text)),
  reReplaceAll: new GoFunction(['string', 'string', 'string'], (pattern: string, by: string, text: string) =>
    compile(pattern, `regexp: Compile(${pattern.includes('`') ? quoteGo(pattern) : `\`${pattern}\``}): `).replaceAll(
      text,
      by,
    ),
  ),
};
