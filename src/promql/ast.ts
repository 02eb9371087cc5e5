/**
 * The immutable tree of a PromQL expression: what the parser builds and what evaluator, rules, linter and printer read.
 * Positions are offsets in UTF-16 units into the text. It knows nothing of evaluation.
 */
import type { Matcher } from '../model/matcher.ts';

export interface Pos {
  readonly start: number;
  /** Exclusive. */
  readonly end: number;
}

export type ValueType = 'scalar' | 'vector' | 'matrix' | 'string' | 'none';

/** A duration as written; `number` is in seconds. Evaluated by `durationMs` because it may ask for step() or range(). */
export type DurationNode =
  | { readonly kind: 'number'; readonly seconds: number }
  | { readonly kind: 'step' }
  | { readonly kind: 'range' }
  | { readonly kind: 'paren'; readonly inner: DurationNode }
  | { readonly kind: 'unary'; readonly op: '+' | '-'; readonly inner: DurationNode }
  | {
      readonly kind: 'binary';
      readonly op: '+' | '-' | '*' | '/' | '%' | '^' | 'min_of' | 'max_of';
      readonly left: DurationNode;
      readonly right: DurationNode;
    };

export type AtModifier =
  | { readonly kind: 'time'; readonly ms: number }
  | { readonly kind: 'start' }
  | { readonly kind: 'end' };

interface Timed {
  readonly offset?: DurationNode;
  readonly at?: AtModifier;
  readonly pos: Pos;
}

export interface NumberLiteral {
  readonly kind: 'number';
  readonly value: number;
  /** Written as a duration (`5m`). */
  readonly duration: boolean;
  readonly pos: Pos;
}
export interface StringLiteral {
  readonly kind: 'string';
  readonly value: string;
  readonly pos: Pos;
}
export interface VectorSelector extends Timed {
  readonly kind: 'selector';
  /** Metric name written before or inside the braces; '' without. It is also among `matchers`. */
  readonly name: string;
  readonly matchers: readonly Matcher[];
  /** Changes how a range around this selector is cut; only behind promql-extended-range-selectors. */
  readonly extended?: 'anchored' | 'smoothed';
}
export interface MatrixSelector {
  readonly kind: 'matrix';
  readonly selector: VectorSelector;
  readonly range: DurationNode;
  readonly pos: Pos;
}
export interface Subquery extends Timed {
  readonly kind: 'subquery';
  readonly expr: Expr;
  readonly range: DurationNode;
  /** Absent: the default evaluation interval. */
  readonly step?: DurationNode;
}
export interface Call {
  readonly kind: 'call';
  readonly func: string;
  readonly args: readonly Expr[];
  readonly pos: Pos;
}
export type AggregateOp =
  | 'sum'
  | 'avg'
  | 'count'
  | 'min'
  | 'max'
  | 'group'
  | 'stddev'
  | 'stdvar'
  | 'topk'
  | 'bottomk'
  | 'quantile'
  | 'count_values'
  | 'limitk'
  | 'limit_ratio';
export interface Aggregate {
  readonly kind: 'aggregate';
  readonly op: AggregateOp;
  readonly expr: Expr;
  readonly param?: Expr;
  readonly grouping: readonly string[];
  readonly without: boolean;
  readonly pos: Pos;
}
export type BinaryOp =
  | '+'
  | '-'
  | '*'
  | '/'
  | '%'
  | '^'
  | 'atan2'
  | '=='
  | '!='
  | '>'
  | '<'
  | '>='
  | '<='
  | '</'
  | '>/'
  | 'and'
  | 'or'
  | 'unless';
export interface VectorMatching {
  readonly card: 'one-to-one' | 'many-to-one' | 'one-to-many' | 'many-to-many';
  readonly labels: readonly string[];
  /** `on(...)`; otherwise `ignoring(...)` or nothing. */
  readonly on: boolean;
  /** Labels of `group_left(...)` or `group_right(...)`. */
  readonly include: readonly string[];
  /** Written by the user, rather than assumed. */
  readonly explicit?: boolean;
  readonly fillLeft?: number;
  readonly fillRight?: number;
}
export interface Binary {
  readonly kind: 'binary';
  readonly op: BinaryOp;
  readonly left: Expr;
  readonly right: Expr;
  readonly bool: boolean;
  /** Of the operator itself; what is wrong with it is reported there. */
  readonly opPos?: Pos;
  /** Set when both sides are vectors. */
  readonly matching?: VectorMatching;
  readonly pos: Pos;
}
export interface Unary {
  readonly kind: 'unary';
  readonly op: '+' | '-';
  readonly expr: Expr;
  readonly pos: Pos;
}
export interface Paren {
  readonly kind: 'paren';
  readonly expr: Expr;
  readonly pos: Pos;
}

export type Expr =
  | NumberLiteral
  | StringLiteral
  | VectorSelector
  | MatrixSelector
  | Subquery
  | Call
  | Aggregate
  | Binary
  | Unary
  | Paren;

export const COMPARISONS: ReadonlySet<string> = new Set(['==', '!=', '>', '<', '>=', '<=']);
export const SET_OPERATORS: ReadonlySet<string> = new Set(['and', 'or', 'unless']);

/** Direct sub-expressions, left to right. */
export function children(e: Expr): readonly Expr[] {
  switch (e.kind) {
    case 'number':
    case 'string':
    case 'selector':
      return [];
    case 'matrix':
      return [e.selector];
    case 'call':
      return e.args;
    case 'aggregate':
      return e.param ? [e.param, e.expr] : [e.expr];
    case 'binary':
      return [e.left, e.right];
    case 'subquery':
    case 'unary':
    case 'paren':
      return [e.expr];
  }
}

/** A copy in which `replace` was applied to every selector. */
export function mapSelectors(e: Expr, replace: (s: VectorSelector) => VectorSelector): Expr {
  const go = (x: Expr): Expr => mapSelectors(x, replace);
  switch (e.kind) {
    case 'number':
    case 'string':
      return e;
    case 'selector':
      return replace(e);
    case 'matrix':
      return { ...e, selector: replace(e.selector) };
    case 'call':
      return { ...e, args: e.args.map(go) };
    case 'aggregate':
      return e.param ? { ...e, param: go(e.param), expr: go(e.expr) } : { ...e, expr: go(e.expr) };
    case 'binary':
      return { ...e, left: go(e.left), right: go(e.right) };
    case 'subquery':
    case 'unary':
    case 'paren':
      return { ...e, expr: go(e.expr) };
  }
}

/** A copy of the tree in which every selector also demands `matchers`: how a restricted view is enforced. */
export function injectMatchers(e: Expr, matchers: readonly Matcher[]): Expr {
  return mapSelectors(e, (s) => ({ ...s, matchers: [...s.matchers, ...matchers] }));
}

/** Functions that read the time of the step, whatever `@` says. */
const READS_STEP: ReadonlySet<string> = new Set([
  ...['days_in_month', 'day_of_month', 'day_of_week', 'day_of_year', 'hour', 'minute', 'month', 'year'],
  ...['predict_linear', 'time', 'timestamp'],
]);

/** Does the expression give the same answer at every step? As Prometheus decides it: a parameter is not looked at. */
export function stepInvariant(e: Expr): boolean {
  switch (e.kind) {
    case 'number':
    case 'string':
      return true;
    case 'selector':
    case 'subquery':
      return e.at !== undefined;
    case 'matrix':
      return e.selector.at !== undefined;
    case 'call':
      return !READS_STEP.has(e.func) && e.args.every(stepInvariant);
    case 'aggregate':
      return stepInvariant(e.expr);
    case 'binary':
      return stepInvariant(e.left) && stepInvariant(e.right);
    case 'unary':
    case 'paren':
      return stepInvariant(e.expr);
  }
}

/** The expression without surrounding parentheses. */
export function unwrap(e: Expr): Expr {
  while (e.kind === 'paren') e = e.expr;
  return e;
}

/** `line:column` of an offset, both from 1, columns in bytes, as Prometheus prints positions. */
export function positionText(text: string, offset: number): string {
  const before = text.slice(0, offset);
  const line = before.split('\n').length;
  return `${line}:${Buffer.byteLength(before.slice(before.lastIndexOf('\n') + 1)) + 1}`;
}
