/** Label matchers ready to run, with what an index can use: literals and a known prefix. */
import type { CompiledMatcher, Matcher } from '../model/matcher.ts';
import { compileRe2 } from './re2.ts';

/** Compiles a matcher; expressions are anchored. Throws `bad_data` for an invalid expression. */
export function compileMatcher(matcher: Matcher): CompiledMatcher {
  const { name, op, value } = matcher;
  if (op === '=') return { name, op, value, matches: (v) => v === value, literals: [value], prefix: value };
  if (op === '!=') return { name, op, value, matches: (v) => v !== value };
  const re = compileRe2(value, { anchored: true });
  if (op === '!~') return { name, op, value, matches: (v) => !re.test(v) };
  return {
    name,
    op,
    value,
    matches: (v) => re.test(v),
    ...(re.literals ? { literals: re.literals } : {}),
    prefix: re.prefix,
  };
}
