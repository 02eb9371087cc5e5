/** The type checks a parsed query must pass, in Prometheus' words. Positions name the offending expression. */
import { messageOf } from '../lib/errors.ts';
import {
  COMPARISONS,
  type DurationNode,
  type Expr,
  SET_OPERATORS,
  type ValueType,
  type VectorSelector,
} from './ast.ts';
import { AGGREGATES, type Feature, FUNCTIONS } from './function-table.ts';
import { type ParseOptions, parseError } from './parse-error.ts';
import { print } from './print.ts';

const DOCUMENTED: Readonly<Record<ValueType, string>> = {
  scalar: 'scalar',
  vector: 'instant vector',
  matrix: 'range vector',
  string: 'string',
  none: 'none',
};

export const NO_MATCHER = 'vector selector must contain at least one non-empty matcher';

/** The type of value an expression yields. */
export function typeOf(e: Expr): ValueType {
  switch (e.kind) {
    case 'number':
      return 'scalar';
    case 'string':
      return 'string';
    case 'selector':
    case 'aggregate':
      return 'vector';
    case 'matrix':
    case 'subquery':
      return 'matrix';
    case 'call':
      return FUNCTIONS.get(e.func)?.returns ?? 'none';
    case 'binary':
      return typeOf(e.left) === 'scalar' && typeOf(e.right) === 'scalar' ? 'scalar' : 'vector';
    case 'unary':
    case 'paren':
      return typeOf(e.expr);
  }
}

/** Throws `bad_query` at the first fault. */
export function check(text: string, root: Expr, options: ParseOptions): void {
  const fail = (e: { readonly pos: { readonly start: number } }, what: string): never => {
    throw parseError(text, e.pos.start, what);
  };
  const on = (f: Feature): boolean => options.features?.has(f) ?? false;
  const expect = (e: Expr, wanted: ValueType, context: string): void => {
    const got = typeOf(e);
    if (got !== wanted) fail(e, `expected type ${DOCUMENTED[wanted]} in ${context}, got ${DOCUMENTED[got]}`);
  };
  const go = (e: Expr): void => {
    switch (e.kind) {
      case 'number':
      case 'string':
        return;
      case 'selector':
        checkSelector(e);
        return;
      case 'matrix':
        checkPositive(e, e.range);
        checkSelector(e.selector);
        return;
      case 'subquery':
        go(e.expr);
        checkPositive(e, e.range);
        if (e.step) checkPositive(e, e.step);
        if (typeOf(e.expr) !== 'vector')
          fail(
            e,
            `subquery is only allowed on instant vector, got ${typeOf(e.expr)} in ${JSON.stringify(print(e))} instead`,
          );
        return;
      case 'paren':
        go(e.expr);
        return;
      case 'unary': {
        go(e.expr);
        const t = typeOf(e.expr);
        if (t !== 'scalar' && t !== 'vector')
          fail(
            e,
            `unary expression only allowed on expressions of type scalar or instant vector, got ${JSON.stringify(DOCUMENTED[t])}`,
          );
        return;
      }
      case 'aggregate': {
        const spec = AGGREGATES[e.op];
        if (spec.experimental && !on('promql-experimental-functions'))
          fail(e, `${e.op}() is experimental and must be enabled with --enable-feature=promql-experimental-functions`);
        go(e.expr);
        expect(e.expr, 'vector', 'aggregation expression');
        if (e.param) {
          go(e.param);
          expect(e.param, spec.param!, 'aggregation parameter');
        }
        return;
      }
      case 'call': {
        const f = FUNCTIONS.get(e.func);
        if (!f) return void fail(e, `unknown function with name ${JSON.stringify(e.func)}`);
        if (f.experimental && !on('promql-experimental-functions'))
          fail(e, `function ${JSON.stringify(e.func)} is not enabled`);
        const n = f.args.length;
        const got = e.args.length;
        const name = JSON.stringify(e.func);
        if (f.variadic === 0 && got !== n) fail(e, `expected ${n} argument(s) in call to ${name}, got ${got}`);
        const least = f.variadic > 0 ? (e.func === 'histogram_quantiles' ? 3 : n - 1) : n - 1;
        if (f.variadic !== 0 && got < least)
          fail(e, `expected at least ${least} argument(s) in call to ${name}, got ${got}`);
        const most = n + f.variadic - 1;
        if (f.variadic > 0 && got > most)
          fail(e, `expected at most ${most} argument(s) in call to ${name}, got ${got}`);
        if (e.func === 'info' && e.args[1]) {
          const data = e.args[1];
          if (data.kind !== 'selector') return void fail(data, 'expected label selectors only');
          if (data.name !== '') fail(data, 'expected label selectors only, got vector selector instead');
          go(e.args[0]!);
          expect(e.args[0]!, 'vector', `call to function ${name}`);
          return;
        }
        for (let i = 0; i < got; i++) {
          go(e.args[i]!);
          expect(e.args[i]!, f.args[Math.min(i, n - 1)]!, `call to function ${name}`);
        }
        return;
      }
      case 'binary': {
        go(e.left);
        go(e.right);
        const l = typeOf(e.left);
        const r = typeOf(e.right);
        const m = e.matching;
        const at = { pos: e.opPos ?? e.pos };
        if (e.bool && !COMPARISONS.has(e.op)) fail(at, 'bool modifier can only be used on comparison operators');
        if (COMPARISONS.has(e.op) && !e.bool && l === 'scalar' && r === 'scalar')
          fail(at, 'comparisons between scalars must use BOOL modifier');
        if (SET_OPERATORS.has(e.op) && m && m.card !== 'many-to-many')
          fail(e, `no grouping allowed for ${JSON.stringify(e.op)} operation`);
        if (m?.on)
          for (const label of m.labels)
            if (m.include.includes(label))
              fail(at, `label ${JSON.stringify(label)} must not occur in ON and GROUP clause at once`);
        if (l !== 'scalar' && l !== 'vector')
          fail(e.left, 'binary expression must contain only scalar and instant vector types');
        if (r !== 'scalar' && r !== 'vector')
          fail(e.right, 'binary expression must contain only scalar and instant vector types');
        if ((l !== 'vector' || r !== 'vector') && m) {
          if (
            m.explicit &&
            (m.labels.length > 0 || m.include.length > 0 || m.fillLeft !== undefined || m.fillRight !== undefined)
          )
            fail(at, 'vector matching only allowed between instant vectors');
          if (SET_OPERATORS.has(e.op))
            fail(e, `set operator ${JSON.stringify(e.op)} not allowed in binary scalar expression`);
        }
        if ((m?.fillLeft !== undefined || m?.fillRight !== undefined) && !on('promql-binop-fill-modifiers'))
          fail(
            at,
            'binop fill modifiers are experimental and must be enabled with --enable-feature=promql-binop-fill-modifiers',
          );
        if ((m?.fillLeft !== undefined || m?.fillRight !== undefined) && SET_OPERATORS.has(e.op))
          fail(at, `filling in missing series not allowed for set operators`);
        return;
      }
    }
  };
  const checkPositive = (e: Expr, d: DurationNode): void => {
    if (d.kind === 'number' && d.seconds <= 0) fail(e, 'duration must be greater than 0');
  };
  const checkSelector = (s: VectorSelector): void => {
    if (s.extended && !on('promql-extended-range-selectors'))
      fail(
        s,
        `${s.extended} modifier is experimental and not enabled; it needs --enable-feature=promql-extended-range-selectors`,
      );
    let some = false;
    for (const m of s.matchers) {
      if (m.op === '=') some ||= m.value !== '';
      else if (m.op === '!=') some ||= m.value === '';
      else if (options.compileRegex) {
        let matchesEmpty = false;
        try {
          matchesEmpty = options.compileRegex(m.value).matches('');
        } catch (cause) {
          fail(s, messageOf(cause));
        }
        some ||= m.op === '=~' ? !matchesEmpty : matchesEmpty;
      } else some ||= m.value !== '' && m.value !== '.*';
    }
    if (!some) fail(s, NO_MATCHER);
  };
  go(root);
}
