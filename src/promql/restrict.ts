/** Puts matchers into every selector of an expression's text, by way of the parsed tree; for queries that another server evaluates. */
import { VigieError } from '../lib/errors.ts';
import type { Matcher } from '../model/matcher.ts';
import { children, type Expr, injectMatchers } from './ast.ts';
import { parse } from './parse.ts';
import { print } from './print.ts';

/** The expression with `matchers` in every selector. Throws `bad_query`; `unsupported` for what selects without a selector. */
export function restrictExpression(text: string, matchers: readonly Matcher[]): string {
  const expr = parse(text);
  if (matchers.length === 0) return print(expr);
  if (callsBareInfo(expr))
    throw new VigieError(
      'unsupported',
      'info() without its second argument reads target_info of everyone; name the labels, as in info(x, {k8s_cluster_name=~".+"})',
    );
  return print(injectMatchers(expr, matchers));
}

const callsBareInfo = (e: Expr): boolean =>
  (e.kind === 'call' && e.func === 'info' && e.args.length < 2) || children(e).some(callsBareInfo);
