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

/** Longest text given to an expression, and longest possible result of replacing, in UTF-16 units. */
export const REGEXP_TEXT_LENGTH_MAX = 64_000;
export const REPLACED_LENGTH_MAX = 10_000_000;
/** Compiling takes as long as some fifty steps. */
const COST = 50;

function bounded(text: string): string {
  if (text.length > REGEXP_TEXT_LENGTH_MAX)
    throw new FunctionError(`text of ${text.length} characters, at most ${REGEXP_TEXT_LENGTH_MAX} are matched`);
  return text;
}

export const REGEXP_FUNCTIONS: Functions = {
  match: new GoFunction(
    ['string', 'string'],
    (pattern: string, text: string) => compile(pattern).test(bounded(text)),
    undefined,
    COST,
  ),
  reReplaceAll: new GoFunction(
    ['string', 'string', 'string'],
    (pattern: string, by: string, text: string) => {
      const named = pattern.includes('`') ? quoteGo(pattern) : `\`${pattern}\``;
      const expression = compile(pattern, `regexp: Compile(${named}): `);
      // every character, and every gap, may become the whole replacement with the text put in for each group
      const groups = (by.match(/\$/g)?.length ?? 0) * text.length;
      if ((text.length + 1) * by.length + groups > REPLACED_LENGTH_MAX)
        throw new FunctionError(`the result may have more than ${REPLACED_LENGTH_MAX} characters`);
      return expression.replaceAll(bounded(text), by);
    },
    undefined,
    COST,
  ),
};
