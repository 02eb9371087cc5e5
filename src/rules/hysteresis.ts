/**
 * Hysteresis by annotation: an alert that fires goes on firing while the expression in `vigie_resolve_expr` still
 * returns its series, even when the rule's own expression no longer does. It becomes plain PromQL, so that Prometheus
 * acts alike on the rendered rule:
 *   (fire) or ((hold) and ignoring(alertname, alertstate, <rule labels>) ALERTS{alertname="X", alertstate="firing"})
 */
import { VigieError } from '../lib/errors.ts';
import { isClassicLabelName, type Labels, quote } from '../model/labels.ts';
import type { Expr } from '../promql/ast.ts';
import { typeOf } from '../promql/check.ts';
import { print } from '../promql/print.ts';

/** PromQL that, while it returns an alert's series, keeps that alert from resolving. */
export const RESOLVE_ANNOTATION = 'vigie_resolve_expr';
/** Labels to join on, comma-separated; needed when a label of the rule replaces one of the series. */
export const RESOLVE_ON_ANNOTATION = 'vigie_resolve_on';
/** `keep`: hold firing alerts while the data of the expression is missing. `resolve` (default): as Prometheus. */
export const NO_DATA_ANNOTATION = 'vigie_no_data';

export interface ResolveInput {
  readonly expr: Expr;
  readonly alert: string;
  readonly labels: Labels;
  readonly hold: string;
  readonly on: string | undefined;
  readonly parse: (text: string) => Expr;
}

const labelName = (name: string): string => (isClassicLabelName(name) ? name : quote(name));

/** The rule's expression with its hold condition. Throws `bad_query` when the condition does not parse to a vector. */
export function withResolveExpression(input: ResolveInput): Expr {
  const hold = input.parse(input.hold);
  if (typeOf(hold) !== 'vector' || typeOf(input.expr) !== 'vector')
    throw new VigieError('bad_query', `got an expression of type ${typeOf(hold)}, want an instant vector`);
  const names =
    input.on === undefined
      ? ['alertname', 'alertstate', ...[...input.labels.entries()].map(([n]) => n)]
      : input.on
          .split(',')
          .map((n) => n.trim())
          .filter((n) => n !== '');
  const matching = `${input.on === undefined ? 'ignoring' : 'on'} (${names.map(labelName).join(', ')})`;
  return input.parse(
    `(${print(input.expr)}) or ((${print(hold)}) and ${matching} ALERTS{alertname=${quote(input.alert)}, alertstate="firing"})`,
  );
}
