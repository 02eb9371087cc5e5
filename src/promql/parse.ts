/**
 * From text to tree: reads the syntax tree of the official grammar (@prometheus-io/lezer-promql) and builds our own,
 * then hands it to check.ts. The grammar was made for editors: it recovers from errors, and binds postfix modifiers and
 * signs more loosely than Prometheus' own; both are corrected here.
 */
import type { SyntaxNode } from '@lezer/common';
import { parser as grammar } from '@prometheus-io/lezer-promql';
import { messageOf, VigieError } from '../lib/errors.ts';
import { METRIC_NAME } from '../model/labels.ts';
import type { Matcher, MatchOp } from '../model/matcher.ts';
import type {
  AggregateOp,
  AtModifier,
  BinaryOp,
  DurationNode,
  Expr,
  Pos,
  VectorMatching,
  VectorSelector,
} from './ast.ts';
import { check } from './check.ts';
import { parseNumber, unquote } from './literal.ts';
import { type ParseOptions, parseError } from './parse-error.ts';

/** Longest query text read, in UTF-16 units. */
export const QUERY_CHARS_MAX = 100_000;
/**
 * Longer texts are not repaired to find a better place for the error: repair takes time that grows with the square of
 * the length for some texts, and would hold the thread.
 */
const REPAIR_CHARS_MAX = 4_000;
const strictGrammar = grammar.configure({ strict: true });
/** Deepest nesting of expressions read: recursion must not exhaust the stack. */
export const QUERY_DEPTH_MAX = 500;
/** Operators of one chain without parentheses: the parser of the grammar stops a little behind. */
const CHAIN_MAX = 290;

/** The typed and checked tree of `text`. Throws `bad_query` with line and column. */
export function parse(written: string, options: ParseOptions = {}): Expr {
  const text = withoutBareDots(written);
  if (text.length > QUERY_CHARS_MAX)
    throw new VigieError('bad_query', `the query has ${text.length} characters; at most ${QUERY_CHARS_MAX} are read`);
  if (text.replace(/#[^\n]*/g, '').trim() === '')
    throw text.trim() !== ''
      ? parseError(text, 0, 'no expression found in input')
      : new VigieError('bad_query', 'unknown position: parse error: no expression found in input');
  const tree = text.length > REPAIR_CHARS_MAX ? strictTree(text) : grammar.parse(text);
  let bad: SyntaxNode | undefined;
  tree.iterate({
    enter(n) {
      if (bad) return false;
      if (n.type.isError) bad = n.node;
      return undefined;
    },
  });
  if (bad)
    throw chained(tree.topNode) >= CHAIN_MAX
      ? parseError(
          text,
          bad.from,
          `more than ${CHAIN_MAX} operators in a row are not read; put parentheses around parts`,
        )
      : syntaxError(text, bad);
  const top = tree.topNode.firstChild;
  if (!top) throw parseError(text, 0, 'no expression found in input');
  const expr = new Builder(text).expr(skipComments(top), 0);
  check(text, expr, options);
  return expr;
}

const TOKENS =
  /"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`|#[^\n]*|[A-Za-z_:][\w:]*|\d+\.(?!\d)((?:e[-+]?\d+)?)|[\d.]+/gi;

/** Prometheus reads `5.` and `5.e3`; the grammar does not. The dot moves behind the number and becomes a space. */
function withoutBareDots(text: string): string {
  if (!/\d\.(?!\d)/.test(text)) return text;
  return text.replace(TOKENS, (token, exponent: string | undefined) =>
    exponent === undefined ? token : `${token.slice(0, token.indexOf('.'))}${exponent} `,
  );
}

/** How many operators hang on each other to the left. */
function chained(top: SyntaxNode): number {
  let n = 0;
  for (let node = top.firstChild; node; node = node.firstChild) if (node.name === 'BinaryExpr') n++;
  return n;
}

function strictTree(text: string): ReturnType<typeof grammar.parse> {
  try {
    return strictGrammar.parse(text);
  } catch (cause) {
    const at = Number(/ (\d+)$/.exec(messageOf(cause))?.[1] ?? 0);
    throw parseError(text, at, `unexpected ${JSON.stringify(text.slice(at, at + 20))}`);
  }
}

function skipComments(node: SyntaxNode): SyntaxNode {
  let n: SyntaxNode | null = node;
  while (n && n.name === 'LineComment') n = n.nextSibling;
  return n ?? node;
}

/** Says what stands where something else was expected. */
function syntaxError(text: string, bad: SyntaxNode): VigieError {
  let at = bad.from;
  for (;;) {
    const gap = /^(?:\s+|#[^\n]*)/.exec(text.slice(at));
    if (!gap || gap[0].length === 0) break;
    at += gap[0].length;
  }
  const rest = text.slice(at);
  if (rest === '') {
    const open = unbalanced(text);
    return parseError(text, text.length, open ?? 'unexpected end of input');
  }
  const call = /([A-Za-z_:][A-Za-z0-9_:]*)\s*$/.exec(text.slice(0, at));
  if (call && rest[0] === '(')
    return parseError(text, at - call[0].length, `unknown function with name ${JSON.stringify(call[1])}`);
  const ahead = /^([A-Za-z_:][A-Za-z0-9_:]*)\s*\(/.exec(rest);
  if (ahead && bad.parent?.name !== 'VectorSelector' && !/\w/.test(text[at - 1] ?? ''))
    return parseError(text, at, `unknown function with name ${JSON.stringify(ahead[1])}`);
  const word = /^(?:[A-Za-z_:][A-Za-z0-9_:]*|\d[\w.]*|"(?:[^"\\]|\\.)*"?|'(?:[^'\\]|\\.)*'?|[=!<>]=|=~|!~|.)/su.exec(
    rest,
  )![0];
  const kind = /^[A-Za-z_]/.test(word)
    ? `identifier ${JSON.stringify(word)}`
    : /^\d/.test(word)
      ? `number ${JSON.stringify(word)}`
      : /^["']/.test(word)
        ? `string ${word}`
        : /^[-+*/%^=!<>~]/.test(word)
          ? `<op:${word}>`
          : /^[(){}[\],:@]/.test(word)
            ? JSON.stringify(word)
            : `character: '${word}'`;
  return parseError(text, at, `unexpected ${kind}`);
}

function unbalanced(text: string): string | undefined {
  const bare = text.replace(/"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`|#[^\n]*/g, '');
  if (/["'`]/.test(bare)) return 'unterminated quoted string';
  const count = (c: string): number => bare.split(c).length - 1;
  if (count('{') > count('}')) return 'unexpected end of input inside braces';
  if (count('(') > count(')')) return 'unclosed left parenthesis';
  if (count('[') > count(']')) return 'unclosed left bracket';
  return undefined;
}

const PRECEDENCE: Readonly<Record<BinaryOp, number>> = {
  or: 1,
  and: 2,
  unless: 2,
  '==': 3,
  '!=': 3,
  '>': 3,
  '<': 3,
  '>=': 3,
  '<=': 3,
  '</': 3,
  '>/': 3,
  '+': 4,
  '-': 4,
  '*': 5,
  '/': 5,
  '%': 5,
  atan2: 5,
  '^': 6,
};

class Builder {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  #of(node: SyntaxNode): string {
    return this.#text.slice(node.from, node.to);
  }

  #fail(node: SyntaxNode | Pos, what: string): never {
    throw parseError(this.#text, 'from' in node ? node.from : node.start, what);
  }

  #kids(node: SyntaxNode): SyntaxNode[] {
    const out: SyntaxNode[] = [];
    for (let n = node.firstChild; n; n = n.nextSibling) if (n.name !== 'LineComment') out.push(n);
    return out;
  }

  #string(node: SyntaxNode): string {
    const result = unquote(this.#of(node));
    if ('error' in result) this.#fail(node, result.error);
    return result.value;
  }

  #number(node: SyntaxNode): { value: number; duration: boolean } {
    // the grammar would read `0.5unless` as two words
    if (/\w/.test(this.#text[node.to] ?? '')) this.#fail(node, `bad number or duration syntax: ${this.#of(node)}`);
    const n = parseNumber(this.#of(node));
    if (!n) this.#fail(node, `error parsing number: ${JSON.stringify(this.#of(node))}`);
    return n;
  }

  expr(node: SyntaxNode, depth: number): Expr {
    if (depth > QUERY_DEPTH_MAX) this.#fail(node, `the query nests deeper than ${QUERY_DEPTH_MAX} levels`);
    const pos = { start: node.from, end: node.to };
    const kids = this.#kids(node);
    const first = (): Expr => this.expr(kids[0]!, depth + 1);
    switch (node.name) {
      case 'NumberDurationLiteral': {
        const { value, duration } = this.#number(node);
        return { kind: 'number', value, duration, pos };
      }
      case 'StringLiteral':
        return { kind: 'string', value: this.#string(node), pos };
      case 'VectorSelector':
        return this.#selector(node);
      case 'ParenExpr':
        return { kind: 'paren', expr: first(), pos };
      case 'UnaryExpr': {
        const op = this.#of(kids[0]!) as '+' | '-';
        const operand = this.expr(kids[1]!, depth + 1);
        // a signed number is a number
        if (operand.kind === 'number') return { ...operand, value: op === '-' ? -operand.value : operand.value, pos };
        return { kind: 'unary', op, expr: operand, pos };
      }
      case 'BinaryExpr':
        return this.#binary(kids, pos, depth);
      case 'AggregateExpr':
        return this.#aggregate(kids, pos, depth);
      case 'FunctionCall':
        return {
          kind: 'call',
          func: this.#of(kids[0]!),
          args: this.#kids(kids[1]!).map((k) => this.expr(k, depth + 1)),
          pos,
        };
      case 'OffsetExpr': {
        const offset = this.#duration(kids.at(-1)!);
        return this.#postfix(first(), pos.end, (e, p) => {
          const set = <T extends { readonly offset?: DurationNode }>(x: T): T => {
            if (x.offset) this.#fail(p, 'offset may not be set multiple times');
            return { ...x, offset };
          };
          if (e.kind === 'selector' || e.kind === 'subquery') return { ...set(e), pos: p };
          if (e.kind === 'matrix') return { ...e, selector: set(e.selector), pos: p };
          this.#fail(
            p,
            'offset modifier must be preceded by an instant vector selector or range vector selector or a subquery',
          );
        });
      }
      case 'StepInvariantExpr': {
        const at = this.#at(kids.at(-1)!);
        return this.#postfix(first(), pos.end, (e, p) => {
          const set = <T extends { readonly at?: AtModifier }>(x: T): T => {
            if (x.at) this.#fail(p, '@ <timestamp> may not be set multiple times');
            return { ...x, at };
          };
          if (e.kind === 'selector' || e.kind === 'subquery') return { ...set(e), pos: p };
          if (e.kind === 'matrix') return { ...e, selector: set(e.selector), pos: p };
          this.#fail(
            p,
            '@ modifier must be preceded by an instant vector selector or range vector selector or a subquery',
          );
        });
      }
      case 'AnchoredExpr':
      case 'SmoothedExpr': {
        const extended = node.name === 'AnchoredExpr' ? 'anchored' : 'smoothed';
        return this.#postfix(first(), pos.end, (e, p) => {
          if (e.kind === 'selector') return { ...e, extended, pos: p };
          if (e.kind === 'matrix') return { ...e, selector: { ...e.selector, extended }, pos: p };
          this.#fail(p, `${extended} modifier must be preceded by an instant vector selector or range vector selector`);
        });
      }
      case 'MatrixSelector': {
        const range = this.#duration(kids[1]!);
        return this.#postfix(first(), pos.end, (e, p) => {
          if (e.kind !== 'selector') this.#fail(p, 'ranges only allowed for vector selectors');
          if (e.offset) this.#fail(p, 'no offset modifiers allowed before range');
          if (e.at) this.#fail(p, 'no @ modifiers allowed before range');
          return { kind: 'matrix', selector: e, range, pos: p };
        });
      }
      case 'SubqueryExpr': {
        const range = this.#duration(kids[1]!);
        const step = kids[2] ? this.#duration(kids[2]) : undefined;
        return this.#postfix(first(), pos.end, (e, p) => ({
          kind: 'subquery',
          expr: e,
          range,
          ...(step && { step }),
          pos: p,
        }));
      }
      default:
        this.#fail(node, `unexpected ${JSON.stringify(this.#of(node))}`);
    }
  }

  /** The grammar lets a postfix modifier take a whole unary or binary expression; it belongs to the last operand. */
  #postfix(e: Expr, end: number, apply: (e: Expr, pos: Pos) => Expr): Expr {
    if (e.kind === 'unary') return { ...e, expr: this.#postfix(e.expr, end, apply), pos: { start: e.pos.start, end } };
    if (e.kind === 'binary')
      return { ...e, right: this.#postfix(e.right, end, apply), pos: { start: e.pos.start, end } };
    return apply(e, { start: e.pos.start, end });
  }

  #binary(kids: readonly SyntaxNode[], pos: Pos, depth: number): Expr {
    const op = this.#of(kids[1]!).toLowerCase() as BinaryOp;
    const left = this.expr(kids[0]!, depth + 1);
    const right = this.expr(kids.at(-1)!, depth + 1);
    let bool = false;
    let matching: VectorMatching = { card: 'one-to-one', labels: [], on: false, include: [] };
    let explicit = false;
    for (const kid of kids.slice(2, -1)) {
      if (kid.name === 'BoolModifier') bool = true;
      else if (kid.name === 'MatchingModifierClause') {
        const parts = this.#kids(kid);
        const group = parts[2]?.name;
        explicit = true;
        matching = {
          ...matching,
          on: parts[0]!.name === 'On',
          labels: this.#labels(parts[1]!),
          card: group === 'GroupLeft' ? 'many-to-one' : group === 'GroupRight' ? 'one-to-many' : 'one-to-one',
          include: parts[3] ? this.#labels(parts[3]) : [],
        };
      } else if (kid.name === 'FillModifier') {
        for (const clause of this.#kids(kid)) {
          const value = this.#number(clause.getChild('NumberDurationLiteral')!).value;
          explicit = true;
          if (clause.name !== 'FillRightClause') matching = { ...matching, fillLeft: value };
          if (clause.name !== 'FillLeftClause') matching = { ...matching, fillRight: value };
        }
      }
    }
    if (op === 'and' || op === 'or' || op === 'unless')
      matching = { ...matching, card: matching.card === 'one-to-one' ? 'many-to-many' : matching.card };
    const make = (l: Expr): Expr => ({
      kind: 'binary',
      op,
      left: l,
      right,
      bool,
      opPos: { start: kids[1]!.from, end: kids[1]!.to },
      matching: { ...matching, ...(explicit && { explicit }) },
      pos,
    });
    // a sign binds less tightly than a power
    if (op === '^' && left.kind === 'number' && /^[-+]/.test(this.#of(kids[0]!))) {
      const sign = this.#text[left.pos.start] as '+' | '-';
      const bare = {
        ...left,
        value: sign === '-' ? -left.value : left.value,
        pos: { start: left.pos.start + 1, end: left.pos.end },
      };
      return { kind: 'unary', op: sign, expr: { ...make(bare), pos: { start: bare.pos.start, end: pos.end } }, pos };
    }
    return this.#rebalance(op, left, make);
  }

  /** A left side that came out of `#postfix` may bind less tightly than the operator that follows it. */
  #rebalance(op: BinaryOp, left: Expr, make: (l: Expr) => Expr): Expr {
    const pos = { start: left.pos.start, end: make(left).pos.end };
    if (left.kind === 'binary' && (PRECEDENCE[left.op] < PRECEDENCE[op] || (op === '^' && left.op === '^')))
      return { ...left, right: this.#rebalance(op, left.right, make), pos };
    if (left.kind === 'unary' && op === '^') return { ...left, expr: this.#rebalance(op, left.expr, make), pos };
    return { ...make(left), pos };
  }

  #aggregate(kids: readonly SyntaxNode[], pos: Pos, depth: number): Expr {
    const op = this.#of(kids[0]!).toLowerCase() as AggregateOp;
    const modifier = kids.find((k) => k.name === 'AggregateModifier');
    const body = kids.find((k) => k.name === 'FunctionCallBody')!;
    const args = this.#kids(body).map((k) => this.expr(k, depth + 1));
    const takesParam =
      op === 'topk' ||
      op === 'bottomk' ||
      op === 'quantile' ||
      op === 'count_values' ||
      op === 'limitk' ||
      op === 'limit_ratio';
    const wanted = takesParam ? 2 : 1;
    if (args.length === 0) this.#fail(pos, 'no arguments for aggregate expression provided');
    if (args.length !== wanted)
      this.#fail(
        pos,
        `wrong number of arguments for aggregate expression provided, expected ${wanted}, got ${args.length}`,
      );
    const parts = modifier ? this.#kids(modifier) : [];
    return {
      kind: 'aggregate',
      op,
      expr: args.at(-1)!,
      ...(takesParam && { param: args[0]! }),
      grouping: parts[1] ? this.#labels(parts[1]) : [],
      without: parts[0]?.name === 'Without',
      pos,
    };
  }

  #labels(node: SyntaxNode): string[] {
    return this.#kids(node).map((k) => {
      if (k.name === 'QuotedLabelName') return this.#string(k.firstChild!);
      const name = this.#of(k);
      // the one keyword that Prometheus does not take for a label here
      if (name.toLowerCase() === 'without') this.#fail(k, `unexpected <without> in grouping opts, expected label`);
      // and the two words that its lexer reads as numbers
      if (/^(?:inf|nan)$/i.test(name)) this.#fail(k, `unexpected number "${name}" in grouping opts, expected label`);
      return name;
    });
  }

  #selector(node: SyntaxNode): VectorSelector {
    let name = '';
    const matchers: Matcher[] = [];
    for (const kid of this.#kids(node)) {
      if (kid.name === 'Identifier') name = this.#of(kid);
      else
        for (const m of this.#kids(kid)) {
          if (m.name === 'QuotedLabelName') {
            matchers.push({ name: METRIC_NAME, op: '=', value: this.#string(m.firstChild!) });
            continue;
          }
          const [label, op, value] = this.#kids(m);
          const labelName = label!.name === 'QuotedLabelName' ? this.#string(label!.firstChild!) : this.#of(label!);
          matchers.push({ name: labelName, op: this.#of(op!) as MatchOp, value: this.#string(value!) });
        }
    }
    if (name !== '') {
      const twice = matchers.find((m) => m.name === METRIC_NAME);
      if (twice)
        this.#fail(
          node,
          `metric name must not be set twice: ${JSON.stringify(name)} or ${JSON.stringify(twice.value)}`,
        );
      matchers.push({ name: METRIC_NAME, op: '=', value: name });
    }
    return { kind: 'selector', name, matchers, pos: { start: node.from, end: node.to } };
  }

  #at(node: SyntaxNode): AtModifier {
    if (node.name === 'AtModifierPreprocessors') return { kind: node.firstChild?.name === 'AtStart' ? 'start' : 'end' };
    const { value } = this.#number(node);
    if (!Number.isFinite(value) || Math.abs(value) > 9.2e15)
      this.#fail(node, `timestamp out of bounds for @ modifier: ${value}`);
    return { kind: 'time', ms: Math.round(value * 1000) };
  }

  #duration(node: SyntaxNode): DurationNode {
    const kids = this.#kids(node);
    const own = this.#text.slice(node.from, node.to);
    if (node.name === 'NumberDurationLiteralInDurationContext') {
      const { value } = this.#number(node);
      if (!Number.isFinite(value)) this.#fail(node, 'duration out of range');
      return { kind: 'number', seconds: value };
    }
    const head = kids[0]!;
    if (head.name === 'DurationStep') return { kind: 'step' };
    if (head.name === 'DurationRange') return { kind: 'range' };
    if (head.name === 'DurationMinOf' || head.name === 'DurationMaxOf')
      return {
        kind: 'binary',
        op: head.name === 'DurationMinOf' ? 'min_of' : 'max_of',
        left: this.#duration(kids[1]!),
        right: this.#duration(kids[2]!),
      };
    if (head.name === 'UnaryOp') {
      const inner = this.#duration(kids[1]!);
      if (inner.kind === 'number')
        return { kind: 'number', seconds: this.#of(head) === '-' ? -inner.seconds : inner.seconds };
      return { kind: 'unary', op: this.#of(head) as '+' | '-', inner };
    }
    if (kids.length === 3)
      return {
        kind: 'binary',
        op: this.#of(kids[1]!) as '+',
        left: this.#duration(head),
        right: this.#duration(kids[2]!),
      };
    return own.startsWith('(') ? { kind: 'paren', inner: this.#duration(head) } : this.#duration(head);
  }
}
