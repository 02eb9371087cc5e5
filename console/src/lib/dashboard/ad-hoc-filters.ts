/**
 * Ad hoc filters put into a query: every selector gets the matchers. The query is read by Prometheus' own grammar, so a
 * brace in a string or a comment is not taken for a selector. Its own chunk: fetched when a dashboard filters.
 */
import { parser } from '@prometheus-io/lezer-promql';
import type { Filter } from './model.ts';

/** In the operator a dashboard stores and the one PromQL has; others are left out. */
export const FILTER_OPERATORS = ['=', '!=', '=~', '!~'] as const;

const quoted = (text: string): string =>
  `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`;
const labelName = (name: string): string => (/^[a-zA-Z_]\w*$/.test(name) ? name : quoted(name));

export function usable(filters: readonly Filter[]): Filter[] {
  return filters.filter((f) => f.key !== '' && (FILTER_OPERATORS as readonly string[]).includes(f.operator));
}

/** A query that cannot be read is left as it is: the server says what is wrong with it. */
export function withFilters(expr: string, filters: readonly Filter[]): string {
  const matchers = usable(filters)
    .map((f) => `${labelName(f.key)}${f.operator}${quoted(f.value)}`)
    .join(', ');
  if (matchers === '') return expr;
  const inserts: { at: number; text: string }[] = [];
  let broken = false;
  parser.parse(expr).iterate({
    enter: (node) => {
      if (node.type.isError) broken = true;
      if (node.name !== 'VectorSelector') return;
      const braces = node.node.getChild('LabelMatchers');
      if (!braces) {
        // `up offset 5m` is a selector with its offset outside of it
        inserts.push({ at: node.to, text: `{${matchers}}` });
        return;
      }
      const inside = expr.slice(braces.from + 1, braces.to - 1).trim();
      const comma = inside === '' || inside.endsWith(',') ? '' : ', ';
      inserts.push({ at: braces.to - 1, text: comma + matchers });
    },
  });
  if (broken) return expr;
  let out = expr;
  for (const { at, text } of inserts.sort((a, b) => b.at - a.at)) out = out.slice(0, at) + text + out.slice(at);
  return out;
}
