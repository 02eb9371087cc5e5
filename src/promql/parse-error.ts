/** The shape of parse errors and the options of the parser, shared by its two halves: parse.ts builds, check.ts checks. */
import { VigieError } from '../lib/errors.ts';
import { positionText } from './ast.ts';
import type { Feature } from './function-table.ts';
import type { CompileRegex } from './regex-port.ts';

export interface ParseOptions {
  /** Flags in force; default: none but duration expressions, which 3.14 has by default. */
  readonly features?: ReadonlySet<Feature>;
  /** When given, expressions in matchers are compiled so that a bad one is refused here. */
  readonly compileRegex?: CompileRegex;
}

/** The error every fault of a query is reported with: `line:column: parse error: what`. */
export function parseError(text: string, offset: number, what: string): VigieError {
  return new VigieError('bad_query', `${positionText(text, offset)}: parse error: ${what}`, { details: { offset } });
}
