/** Which rules of a group read what an earlier one writes: those must see it, all others need not wait. */
import type { Matcher } from '../model/matcher.ts';
import { children, type Expr, type VectorSelector } from '../promql/ast.ts';
import type { RuleSpec } from './rule-file.ts';

export function selectorsOf(e: Expr, into: VectorSelector[] = []): VectorSelector[] {
  if (e.kind === 'selector') into.push(e);
  else for (const c of children(e)) selectorsOf(c, into);
  return into;
}

const ALERT_SERIES = ['ALERTS', 'ALERTS_FOR_STATE'];

/** Could the selector read a series that the rule writes? Decided by names; in doubt it could. */
function mayRead(matchers: readonly Matcher[], rule: RuleSpec): boolean {
  const names = rule.kind === 'recording' ? [rule.name] : ALERT_SERIES;
  const byName = matchers.filter((m) => m.name === '__name__');
  const equal = byName.find((m) => m.op === '=');
  if (!equal) return true;
  if (!names.includes(equal.value)) return false;
  if (rule.kind === 'recording') return true;
  const alert = matchers.find((m) => m.name === 'alertname' && m.op === '=');
  return alert === undefined || alert.value === rule.name;
}

export interface RuleDependencies {
  /** By rule: must what earlier rules of the group wrote be stored before it is evaluated? */
  readonly needsFlush: readonly boolean[];
  /** By rule: it reads from no rule of the group, and no rule of the group reads from it. */
  readonly independent: readonly boolean[];
}

export function ruleDependencies(rules: readonly RuleSpec[]): RuleDependencies {
  const needsFlush: boolean[] = [];
  const independent = rules.map(() => true);
  const byName = new Map<string, number[]>();
  rules.forEach((r, i) => {
    for (const n of r.kind === 'recording' ? [r.name] : ALERT_SERIES) byName.set(n, [...(byName.get(n) ?? []), i]);
  });
  rules.forEach((rule, i) => {
    let needs = false;
    for (const s of selectorsOf(rule.expr)) {
      const named = s.matchers.find((m) => m.name === '__name__' && m.op === '=');
      const candidates = named ? (byName.get(named.value) ?? []) : rules.map((_r, k) => k);
      for (const k of candidates) {
        if (!mayRead(s.matchers, rules[k]!)) continue;
        if (k < i) needs = true;
        if (k !== i) independent[k] = false;
        independent[i] = false;
      }
    }
    needsFlush.push(needs);
  });
  return { needsFlush, independent };
}
