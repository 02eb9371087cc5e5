/**
 * Evaluates the rules of one tenant from what is new since the last time. Answers are the engine's, bit by bit; on any
 * doubt it answers nothing, names the reason, and the engine evaluates instead.
 */

import { Labels } from '../../model/labels.ts';
import type { Expr, VectorSelector } from '../../promql/ast.ts';
import { typeOf } from '../../promql/check.ts';
import type { CompileRegex } from '../../promql/regex-port.ts';
import type { RuleAnswer, RuleEvaluator, RuleExpression } from '../ports.ts';
import { Compiler } from './compile.ts';
import { type LeafNode, SlotTable } from './leaf-nodes.ts';
import type { Cycle, ScalarNode, VectorNode } from './node.ts';
import { Rings } from './rings.ts';
import { FallBack, type FallBackReason, type IncrementalSource } from './source.ts';

const NO_LABELS: readonly Labels[] = [Labels.EMPTY];

export interface IncrementalOptions {
  readonly source: IncrementalSource;
  readonly compileRegex: CompileRegex;
  /** As the engine's; default 5 minutes. */
  readonly lookbackMs?: number;
  /** Told of each evaluation that was left to the engine. */
  readonly onFallBack?: (reason: FallBackReason, rule: RuleExpression) => void;
  /** Set: evaluate by the engine too, and tell differences. */
  readonly onDifference?: (rule: RuleExpression, timeMs: number, difference: string) => void;
  readonly onDispose?: (evaluator: IncrementalEvaluator) => void;
}

interface VectorPlan {
  readonly kind: 'vector';
  readonly root: VectorNode;
  /** What the root listed last time, and the labels of that. */
  shape: number;
  ids: Int32Array;
  readonly answer: { labels: readonly Labels[]; values: Float64Array; readonly has: RuleAnswer['has'] };
}

type Plan =
  | VectorPlan
  | { readonly kind: 'scalar'; readonly root: ScalarNode }
  | { readonly kind: 'engine'; readonly reason: FallBackReason };

export class IncrementalEvaluator implements RuleEvaluator {
  readonly #o: IncrementalOptions;
  readonly onDifference?: NonNullable<IncrementalOptions['onDifference']>;
  readonly #slots = new SlotTable();
  readonly #rings: Rings;
  readonly #cycle: Cycle;
  #plans = new Map<RuleExpression, Plan>();
  #nodes: ReadonlyMap<string, VectorNode> = new Map();
  #leaves: ReadonlyMap<VectorSelector, LeafNode> = new Map();
  readonly #hasSeries = (s: VectorSelector): boolean => this.#has(s);
  readonly #scalar = new Float64Array(1);
  #samplesVersion = Number.NaN;
  readonly evaluations = { incremental: 0, engine: 0 };

  constructor(options: IncrementalOptions) {
    this.#o = options;
    if (options.onDifference) this.onDifference = options.onDifference;
    this.#rings = new Rings(options.source);
    this.#cycle = {
      timeMs: Number.NaN,
      stamp: 0,
      seriesVersion: -1,
      irregular: false,
      memoryFromMs: Number.POSITIVE_INFINITY,
      source: options.source,
      rings: this.#rings,
    };
  }

  configure(rules: readonly RuleExpression[]): void {
    const compiler = new Compiler(
      { lookbackMs: this.#o.lookbackMs ?? 300_000, compileRegex: this.#o.compileRegex, slots: this.#slots },
      this.#nodes,
    );
    const plans = new Map<RuleExpression, Plan>();
    for (const rule of rules) plans.set(rule, plan(compiler, rule.expr, this.#hasSeries));
    for (const [key, node] of this.#nodes) if (!compiler.nodes.has(key)) node.dispose(this.#rings);
    this.#nodes = compiler.nodes;
    this.#leaves = compiler.leaves;
    this.#plans = plans;
    this.#cycle.stamp++;
  }

  /** Why a rule is always left to the engine; undefined when it is not. */
  reason(rule: RuleExpression): FallBackReason | undefined {
    const p = this.#plans.get(rule);
    return p?.kind === 'engine' ? p.reason : undefined;
  }

  get memoryBytes(): number {
    return this.#rings.memoryBytes;
  }

  evaluate(rule: RuleExpression, timeMs: number): RuleAnswer | undefined {
    const p = this.#plans.get(rule);
    if (!p) return undefined;
    if (p.kind === 'engine') return this.#leave(p.reason, rule);
    this.#begin(timeMs);
    try {
      if (p.kind === 'scalar') {
        this.#scalar[0] = p.root.scalar(this.#cycle);
        this.evaluations.incremental++;
        return { labels: NO_LABELS, values: this.#scalar, has: this.#hasSeries };
      }
      p.root.evaluate(this.#cycle);
      this.evaluations.incremental++;
      return listed(p);
    } catch (error) {
      if (!(error instanceof FallBack)) throw error;
      return this.#leave(error.reason, rule);
    }
  }

  #leave(reason: FallBackReason, rule: RuleExpression): undefined {
    this.evaluations.engine++;
    this.#o.onFallBack?.(reason, rule);
    return undefined;
  }

  /** Answers of nodes hold for one time and one state of the store. */
  #begin(timeMs: number): void {
    const { source } = this.#o;
    const c = this.#cycle;
    if (
      c.timeMs === timeMs &&
      this.#samplesVersion === source.samplesVersion &&
      c.seriesVersion === source.seriesVersion
    )
      return;
    c.timeMs = timeMs;
    c.stamp++;
    c.seriesVersion = source.seriesVersion;
    this.#samplesVersion = source.samplesVersion;
    c.irregular = source.mayBeIrregular();
    c.memoryFromMs = source.memoryFromMs();
  }

  /** Leaves know how many series they found, right after the evaluation. */
  #has(selector: VectorSelector): boolean {
    return (this.#leaves.get(selector)?.found ?? 1) > 0;
  }

  [Symbol.dispose](): void {
    for (const node of this.#nodes.values()) node.dispose(this.#rings);
    this.#nodes = new Map();
    this.#plans = new Map();
    this.#o.onDispose?.(this);
  }
}

/** The answer of the root; its list of labels is made anew only when other results are there. */
function listed(p: VectorPlan): RuleAnswer {
  const { root, answer } = p;
  const { n, ids } = root;
  answer.values = root.values;
  let same = p.shape === root.shape && answer.labels.length === n;
  for (let i = 0; same && i < n; i++) same = ids[i] === p.ids[i];
  if (!same) {
    const labels: Labels[] = new Array(n);
    for (let i = 0; i < n; i++) labels[i] = root.labels(ids[i]!);
    if (p.ids.length < n) p.ids = new Int32Array(root.ids.length);
    p.ids.set(ids.subarray(0, n));
    p.shape = root.shape;
    answer.labels = labels;
  }
  return answer;
}

function plan(compiler: Compiler, expr: Expr, has: RuleAnswer['has']): Plan {
  try {
    if (typeOf(expr) === 'scalar') return { kind: 'scalar', root: compiler.scalar(expr) };
    const root = compiler.vector(expr);
    const answer = { labels: [], values: root.values, has };
    return { kind: 'vector', root, shape: -1, ids: new Int32Array(0), answer };
  } catch (error) {
    if (!(error instanceof FallBack)) throw error;
    return { kind: 'engine', reason: error.reason };
  }
}
