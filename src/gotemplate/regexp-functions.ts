/** `match` and `reReplaceAll`, which both Prometheus and Alertmanager give to templates, in linear time. */
import { isVigieError, messageOf } from '../lib/errors.ts';
import { FunctionError } from './errors.ts';
import { quoteGo } from './quote.ts';
import { type Functions, GoFunction } from './value.ts';

/** What src/regex makes of an expression. */
export interface Expression {
  test(text: string): boolean;
  replaceAll(text: string, by: string): string;
}
/** Throws `bad_data` with the fault in Go's words as its cause. */
export type CompileExpression = (pattern: string) => Expression;

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

export function regexpFunctions(compileExpression: CompileExpression): Functions {
  const compile = (pattern: string, prefix = ''): Expression => {
    try {
      return compileExpression(pattern);
    } catch (error) {
      if (!isVigieError(error)) throw error;
      throw new FunctionError(prefix + messageOf(error.cause ?? error));
    }
  };
  return {
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
}
