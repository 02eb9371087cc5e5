/** Which rules, panels, KPIs, inhibitions and scalers go blind when a metric is renamed or dropped. */
import type { Expr } from '../../promql/ast.ts';
import { parseChecked, reads, selectionsOf } from './expression.ts';
import type { CheckedQuery, CheckedRule } from './finding.ts';

export interface Blind {
  readonly kind: 'alert' | 'recording' | 'query';
  readonly where: string;
  /** The chain from the metric: empty when it is read directly. */
  readonly through: readonly string[];
}

/** Follows recordings: what reads a recording that reads the metric goes blind too. */
export function blindWithout(
  metric: string,
  rules: readonly CheckedRule[],
  queries: readonly CheckedQuery[],
): readonly Blind[] {
  const parsedRules = rules.map((rule) => ({ rule, selections: selectionsOf(parseChecked(rule.expr)) }));
  const parsedQueries = queries.map((q) => ({ q, selections: selectionsOf(tryParse(q.expr)) }));
  const blind: Blind[] = [];
  const done = new Set<string>();
  const gone: { name: string; through: readonly string[] }[] = [{ name: metric, through: [] }];
  const seenNames = new Set([metric]);
  for (let next = gone.shift(); next; next = gone.shift()) {
    for (const { rule, selections } of parsedRules) {
      if (!selections.some((s) => reads(s, next!.name)) || done.has(rule.where)) continue;
      done.add(rule.where);
      blind.push({ kind: rule.kind === 'alert' ? 'alert' : 'recording', where: rule.where, through: next.through });
      if (rule.kind === 'record' && !seenNames.has(rule.name)) {
        seenNames.add(rule.name);
        gone.push({ name: rule.name, through: [...next.through, rule.name] });
      }
    }
    for (const { q, selections } of parsedQueries) {
      const key = `${q.where}\0${q.expr}`;
      if (!selections.some((s) => reads(s, next!.name)) || done.has(key)) continue;
      done.add(key);
      blind.push({ kind: 'query', where: q.where, through: next.through });
    }
  }
  return blind;
}

function tryParse(text: string): Expr {
  try {
    return parseChecked(text);
  } catch {
    return parseChecked('vector(0)');
  }
}
