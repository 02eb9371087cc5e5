/**
 * From expressions to nodes. Equal sub-expressions of all rules of a tenant become one node. What cannot be compiled
 * names its reason and is evaluated by the engine.
 */
import type { Aggregate, Binary, Call, Expr, MatrixSelector, VectorSelector } from '../../promql/ast.ts';
import { COMPARISONS, SET_OPERATORS } from '../../promql/ast.ts';
import { FLOAT_OPS } from '../../promql/binary.ts';
import { typeOf } from '../../promql/check.ts';
import { DATE_FUNCTIONS, MAPPERS } from '../../promql/instant-functions.ts';
import { print } from '../../promql/print.ts';
import { EXTRAPOLATED, KEEPS_NAME, RANGE_KERNELS } from '../../promql/range-functions.ts';
import type { CompileRegex } from '../../promql/regex-port.ts';
import { BucketQuantileNode, BucketsNode } from './bucket-nodes.ts';
import { GenericNode, labelChange, VectorOfScalarNode } from './generic-node.ts';
import { MatchNode, SetNode } from './join-nodes.ts';
import { LeafNode, RangeNode, SelectorNode, type SlotTable } from './leaf-nodes.ts';
import type { Cycle, ScalarNode, VectorNode } from './node.ts';
import { AggregateNode, FunctionNode, type GroupOp, ScalarOpNode } from './op-nodes.ts';
import { RelabelNode } from './relabel-node.ts';
import { FallBack } from './source.ts';

const GROUP_OPS: ReadonlySet<string> = new Set(['sum', 'avg', 'count', 'group', 'min', 'max']);
/** Functions of vectors that the engine evaluates on what the children listed. */
const GENERIC: ReadonlySet<string> = new Set([
  'absent',
  'sort',
  'sort_desc',
  'sort_by_label',
  'sort_by_label_desc',
  'histogram_fraction',
]);
/** A longer offset would keep more samples at hand than reading them again costs. */
const OFFSET_MS_MAX = 15 * 60_000;
const COUNTERS: ReadonlySet<string> = new Set(['rate', 'increase']);

export interface CompileOptions {
  readonly lookbackMs: number;
  readonly compileRegex: CompileRegex;
  readonly slots: SlotTable;
}

export class Compiler {
  readonly #o: CompileOptions;
  /** Nodes of the rules compiled so far, by printed expression. */
  readonly nodes = new Map<string, VectorNode>();
  /** The leaf that reads each selector. */
  readonly leaves = new Map<VectorSelector, LeafNode>();
  readonly #old: ReadonlyMap<string, VectorNode>;

  /** `old`: nodes of the last configuration; equal ones are taken over with all they know. */
  constructor(options: CompileOptions, old: ReadonlyMap<string, VectorNode>) {
    this.#o = options;
    this.#old = old;
  }

  /** Throws FallBack with the reason when it cannot. */
  vector(e: Expr): VectorNode {
    if (e.kind === 'paren') return this.vector(e.expr);
    const key = print(e);
    let node = this.nodes.get(key) ?? this.#old.get(key);
    // children of a kept node must be kept too, so they are visited all the same
    if (node) this.#build(e, true);
    else node = this.#build(e, false)!;
    this.nodes.set(key, node);
    if (node instanceof LeafNode) {
      if (e.kind === 'selector') this.leaves.set(e, node);
      else if (e.kind === 'call')
        for (const a of e.args) if (typeOf(a) === 'matrix') this.leaves.set(matrixOf(a).selector, node);
    }
    return node;
  }

  scalar(e: Expr): ScalarNode {
    if (e.kind === 'paren') return this.scalar(e.expr);
    if (e.kind === 'number') {
      const { value } = e;
      return { inputs: [], scalar: () => value };
    }
    if (e.kind === 'unary') {
      const inner = this.scalar(e.expr);
      return e.op === '-' ? { inputs: inner.inputs, scalar: (c) => -inner.scalar(c) } : inner;
    }
    if (e.kind === 'binary') {
      const op = FLOAT_OPS[e.op];
      if (!op) throw new FallBack('unsupported_expression');
      const left = this.scalar(e.left);
      const right = this.scalar(e.right);
      return {
        inputs: [...left.inputs, ...right.inputs],
        scalar: (c) => op(left.scalar(c), right.scalar(c)),
      };
    }
    if (e.kind === 'call') {
      if (e.func === 'time') return { inputs: [], scalar: (c: Cycle) => c.timeMs / 1000 };
      if (e.func === 'pi') return { inputs: [], scalar: () => Math.PI };
      if (e.func === 'scalar') {
        const inner = this.vector(e.args[0]!);
        return {
          inputs: [inner],
          scalar: (c) => {
            inner.evaluate(c);
            return inner.n === 1 ? inner.values[0]! : Number.NaN;
          },
        };
      }
    }
    throw new FallBack('unsupported_expression');
  }

  #build(e: Expr, onlyVisit: boolean): VectorNode | undefined {
    switch (e.kind) {
      case 'selector': {
        const offsetMs = offsetOf(e);
        return onlyVisit ? undefined : new SelectorNode(e.matchers, this.#o.lookbackMs, offsetMs, this.#o.slots);
      }
      case 'unary': {
        const child = this.vector(e.expr);
        if (e.op === '+') return child;
        return onlyVisit ? undefined : new FunctionNode(child, (v) => -v, { fallback: 0, clamp: false });
      }
      case 'aggregate':
        return this.#aggregate(e, onlyVisit);
      case 'binary':
        return this.#binary(e, onlyVisit);
      case 'call':
        return this.#call(e, onlyVisit);
      case 'subquery':
        throw new FallBack('subquery');
      default:
        throw new FallBack('unsupported_expression');
    }
  }

  #aggregate(e: Aggregate, onlyVisit: boolean): VectorNode | undefined {
    const child = this.vector(e.expr);
    if (GROUP_OPS.has(e.op)) return onlyVisit ? undefined : new AggregateNode(child, e, e.op as GroupOp);
    const scalars = new Map<Expr, ScalarNode>();
    if (e.param && e.op !== 'count_values') scalars.set(e.param, this.scalar(e.param));
    return onlyVisit
      ? undefined
      : new GenericNode(e, { vectors: new Map([[e.expr, child]]), scalars }, this.#o.compileRegex);
  }

  #binary(e: Binary, onlyVisit: boolean): VectorNode | undefined {
    const types = [typeOf(e.left), typeOf(e.right)];
    if (types[0] === 'vector' && types[1] === 'vector') {
      const m = e.matching!;
      if (m.fillLeft !== undefined || m.fillRight !== undefined) throw new FallBack('unsupported_expression');
      const left = this.vector(e.left);
      const right = this.vector(e.right);
      if (SET_OPERATORS.has(e.op))
        return onlyVisit ? undefined : new SetNode(left, right, m, e.op as 'and' | 'or' | 'unless');
      if (!FLOAT_OPS[e.op]) throw new FallBack('unsupported_expression');
      return onlyVisit ? undefined : new MatchNode(left, right, e);
    }
    const op = FLOAT_OPS[e.op];
    if (!op || !types.includes('vector') || !types.includes('scalar')) throw new FallBack('unsupported_expression');
    const swapped = types[0] === 'scalar';
    const child = this.vector(swapped ? e.right : e.left);
    const scalar = this.scalar(swapped ? e.left : e.right);
    const filter = COMPARISONS.has(e.op) && !e.bool;
    return onlyVisit ? undefined : new ScalarOpNode(child, op, scalar, swapped, filter);
  }

  #call(e: Call, onlyVisit: boolean): VectorNode | undefined {
    const { func, args } = e;
    if (func === 'vector') {
      const scalar = this.scalar(args[0]!);
      return onlyVisit ? undefined : new VectorOfScalarNode(scalar);
    }
    if (func === 'histogram_quantile') {
      const q = this.scalar(args[0]!);
      const buckets = this.#buckets(args[1]!);
      return onlyVisit ? undefined : new BucketQuantileNode(buckets, q);
    }
    const mapper = MAPPERS.get(func);
    if (mapper) {
      if (args.length === 0 && DATE_FUNCTIONS.has(func)) throw new FallBack('function');
      const child = this.vector(args[0]!);
      const a = args[1] && this.scalar(args[1]);
      const b = args[2] && this.scalar(args[2]);
      const options = { ...(a && { a }), ...(b && { b }), fallback: func === 'round' ? 1 : 0, clamp: func === 'clamp' };
      return onlyVisit ? undefined : new FunctionNode(child, mapper, options);
    }
    if (func === 'absent_over_time') return this.#absentOverTime(e, onlyVisit);
    if (func === 'label_replace' || func === 'label_join') {
      const child = this.vector(args[0]!);
      return onlyVisit ? undefined : new RelabelNode(child, labelChange(e, this.#o.compileRegex));
    }
    if (GENERIC.has(func)) {
      const vectors = new Map<Expr, VectorNode>();
      const scalars = new Map<Expr, ScalarNode>();
      for (const a of args) {
        const type = typeOf(a);
        if (type === 'vector') vectors.set(a, this.vector(a));
        else if (type === 'scalar') scalars.set(a, this.scalar(a));
      }
      return onlyVisit ? undefined : new GenericNode(e, { vectors, scalars }, this.#o.compileRegex);
    }
    if (RANGE_KERNELS.has(func)) return this.#range(e, onlyVisit);
    throw new FallBack('function');
  }

  /** Shared by all quantiles of one expression. */
  #buckets(e: Expr): BucketsNode {
    const child = this.vector(e);
    const key = `buckets of ${print(e)}`;
    const known = this.nodes.get(key) ?? this.#old.get(key);
    const node = known instanceof BucketsNode ? known : new BucketsNode(child);
    this.nodes.set(key, node);
    return node;
  }

  #range(e: Call, onlyVisit: boolean): VectorNode | undefined {
    const { func, args } = e;
    const [arg, first, second] =
      func === 'quantile_over_time' ? [args[1]!, args[0], undefined] : [args[0]!, args[1], args[2]];
    const matrix = matrixOf(arg);
    const { selector } = matrix;
    const offsetMs = offsetOf(selector);
    const range = matrix.range;
    if (range.kind !== 'number') throw new FallBack('unsupported_expression');
    const p1 = first ? literal(first) : 0;
    const p2 = second ? literal(second) : 0;
    if (onlyVisit) return undefined;
    return new RangeNode(
      selector.matchers,
      {
        kernel: RANGE_KERNELS.get(func)!,
        extrapolation: EXTRAPOLATED.get(func),
        rangeMs: Math.round(range.seconds * 1000),
        offsetMs,
        keepsName: KEEPS_NAME.has(func),
        counter: COUNTERS.has(func),
        p1,
        p2,
      },
      this.#o.slots,
    );
  }

  /** The same as absent() of what is present over that time. */
  #absentOverTime(e: Call, onlyVisit: boolean): VectorNode | undefined {
    const { selector } = matrixOf(e.args[0]!);
    const present = this.vector({ ...e, func: 'present_over_time' });
    const absent: Call = { ...e, func: 'absent', args: [selector] };
    return onlyVisit
      ? undefined
      : new GenericNode(absent, { vectors: new Map([[selector, present]]), scalars: new Map() }, this.#o.compileRegex);
  }
}

function matrixOf(e: Expr): MatrixSelector {
  while (e.kind === 'paren') e = e.expr;
  if (e.kind === 'subquery') throw new FallBack('subquery');
  if (e.kind !== 'matrix') throw new FallBack('unsupported_expression');
  return e;
}

function literal(e: Expr): number {
  while (e.kind === 'paren') e = e.expr;
  if (e.kind === 'unary' && e.op === '-') return -literal(e.expr);
  if (e.kind !== 'number') throw new FallBack('unsupported_expression');
  return e.value;
}

/** How far back the selector looks; refuses what windows that move with the time do not serve. */
function offsetOf(s: VectorSelector): number {
  if (s.at) throw new FallBack('at_modifier');
  if (s.extended) throw new FallBack('extended_range');
  if (!s.offset) return 0;
  if (s.offset.kind !== 'number') throw new FallBack('offset');
  const ms = Math.round(s.offset.seconds * 1000);
  if (ms < 0 || ms > OFFSET_MS_MAX) throw new FallBack('offset');
  return ms;
}
