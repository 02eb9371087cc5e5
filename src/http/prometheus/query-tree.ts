/** A parsed query as `/api/v1/parse_query` answers it: Prometheus' names for nodes and fields. */
import { type AtModifier, type DurationNode, type Expr, unwrap, type VectorSelector } from '../../promql/ast.ts';
import { durationMs } from '../../promql/context.ts';
import { FUNCTIONS } from '../../promql/function-table.ts';
import { formatPlain } from '../../promql/literal.ts';

const NO_RANGE = { queryStartMs: 0, queryEndMs: 0, queryStepMs: 0 };
const ms = (d: DurationNode | undefined): number => durationMs(d, NO_RANGE);

function timed(e: { readonly offset?: DurationNode; readonly at?: AtModifier }): Record<string, unknown> {
  return {
    offset: ms(e.offset),
    timestamp: e.at?.kind === 'time' ? e.at.ms : null,
    startOrEnd: e.at && e.at.kind !== 'time' ? e.at.kind : null,
  };
}

function selector(s: VectorSelector): Record<string, unknown> {
  return {
    name: s.name,
    matchers: s.matchers.map((m) => ({ name: m.name, value: m.value, type: m.op })),
    ...timed(s),
    ...(s.extended === 'anchored' && { anchored: true }),
    ...(s.extended === 'smoothed' && { smoothed: true }),
  };
}

export function queryTree(e: Expr | undefined): unknown {
  if (!e) return null;
  switch (e.kind) {
    case 'number':
      return { type: 'numberLiteral', val: formatPlain(e.value) };
    case 'string':
      return { type: 'stringLiteral', val: e.value };
    case 'selector':
      return { type: 'vectorSelector', ...selector(e) };
    case 'matrix':
      return { type: 'matrixSelector', ...selector(e.selector), range: ms(e.range) };
    case 'subquery':
      return { type: 'subquery', expr: queryTree(e.expr), range: ms(e.range), ...timed(e), step: ms(e.step) };
    case 'paren':
      return { type: 'parenExpr', expr: queryTree(e.expr) };
    case 'unary':
      return { type: 'unaryExpr', op: e.op, expr: queryTree(e.expr) };
    case 'aggregate':
      return {
        type: 'aggregation',
        op: e.op,
        expr: queryTree(e.expr),
        param: queryTree(e.param),
        grouping: e.grouping,
        without: e.without,
      };
    case 'binary': {
      const m = e.matching;
      const vectors = m && !isScalar(e.left) && !isScalar(e.right);
      return {
        type: 'binaryExpr',
        op: e.op,
        lhs: queryTree(e.left),
        rhs: queryTree(e.right),
        matching: vectors ? { card: m.card, labels: m.labels, on: m.on, include: m.include } : null,
        bool: e.bool,
      };
    }
    case 'call': {
      const f = FUNCTIONS.get(e.func)!;
      return {
        type: 'call',
        func: { name: f.name, argTypes: f.args, variadic: f.variadic, returnType: f.returns },
        args: e.args.map(queryTree),
      };
    }
  }
}

function isScalar(e: Expr): boolean {
  const x = unwrap(e);
  if (x.kind === 'number') return true;
  if (x.kind === 'unary') return isScalar(x.expr);
  if (x.kind === 'binary') return isScalar(x.left) && isScalar(x.right);
  return x.kind === 'call' && FUNCTIONS.get(x.func)?.returns === 'scalar';
}

/** The same with object keys in order of their names: how Prometheus writes this answer. */
export function sortedKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortedKeys);
  if (value === null || typeof value !== 'object') return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([k, v]) => [k, sortedKeys(v)]));
}
