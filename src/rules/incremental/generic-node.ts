/**
 * What has no node of its own: the engine's function over the listed results of its children. Labels are made anew by
 * the engine each time, so this is for operators that see few rows (topk, sort, absent).
 */
import { VigieError } from '../../lib/errors.ts';
import { Labels } from '../../model/labels.ts';
import { aggregate } from '../../promql/aggregate.ts';
import type { Aggregate, Call, Expr } from '../../promql/ast.ts';
import { FLOAT, type Row } from '../../promql/block.ts';
import { type Evaluator, evaluateCall } from '../../promql/call.ts';
import { Annotations, type Context, DEFAULT_LIMITS, QueryMeter, type Sliced } from '../../promql/context.ts';
import type { CompileRegex } from '../../promql/regex-port.ts';
import { type Cycle, type ScalarNode, VectorNode } from './node.ts';
import { FallBack } from './source.ts';

/** Label sets remembered before the memory starts anew. */
const NAMES_SPARE = 1_024;

export interface GenericChildren {
  readonly vectors: ReadonlyMap<Expr, VectorNode>;
  readonly scalars: ReadonlyMap<Expr, ScalarNode>;
}

export class GenericNode extends VectorNode {
  readonly #expr: Call | Aggregate;
  readonly #children: GenericChildren;
  readonly #compileRegex: CompileRegex;
  #names: Labels[] = [];
  #ids = new Map<string, number>();

  constructor(expr: Call | Aggregate, children: GenericChildren, compileRegex: CompileRegex) {
    super([...children.vectors.values(), ...[...children.scalars.values()].flatMap((s) => s.inputs)]);
    this.#expr = expr;
    this.#children = children;
    this.#compileRegex = compileRegex;
  }

  labels(id: number): Labels {
    return this.#names[id]!;
  }

  protected compute(cycle: Cycle): void {
    const rows = this.#run(cycle);
    if (this.#names.length + rows.length > NAMES_SPARE + 4 * rows.length) {
      this.#names = [];
      this.#ids = new Map();
      this.size = 0;
      this.shape++;
    }
    if (this.ids.length < rows.length) {
      this.ids = new Int32Array(rows.length * 2);
      this.values = new Float64Array(rows.length * 2);
    }
    this.n = 0;
    for (const row of rows) {
      if (row.present[0] !== FLOAT) continue;
      let id = this.#ids.get(row.labels.key);
      if (id === undefined) {
        id = this.#names.length;
        this.#names.push(row.labels);
        this.#ids.set(row.labels.key, id);
        this.size = this.#names.length;
        this.shape++;
      }
      this.ids[this.n] = id;
      this.values[this.n++] = row.values[0]!;
    }
  }

  #run(cycle: Cycle): readonly Row[] {
    const c = contextAt(cycle.timeMs, this.#compileRegex);
    const ev: Evaluator = {
      vector: (_c, e) => {
        const node = this.#children.vectors.get(e);
        if (!node) throw new FallBack('unsupported_expression');
        return given(rowsOf(node, cycle));
      },
      scalar: (_c, e) => {
        const node = this.#children.scalars.get(e);
        if (!node) throw new FallBack('unsupported_expression');
        return given(Float64Array.of(node.scalar(cycle)));
      },
      text: texts,
    };
    try {
      const e = this.#expr;
      if (e.kind === 'aggregate') {
        const param = e.param
          ? e.op === 'count_values'
            ? ev.text(c, e.param)
            : finished(ev.scalar(c, e.param))
          : undefined;
        return finished(aggregate(c, e, finished(ev.vector(c, e.expr)), param));
      }
      const value = finished(evaluateCall(c, e, ev));
      if (value.kind !== 'vector') throw new FallBack('unsupported_expression');
      return value.rows;
    } catch (error) {
      // the engine says what is wrong, in its words
      if (error instanceof VigieError) throw new FallBack('unsupported_expression');
      throw error;
    }
  }
}

function contextAt(timeMs: number, compileRegex: CompileRegex): Context {
  return {
    data: new Map(),
    infoData: new Map(),
    lookbackMs: 0,
    defaultStepMs: 0,
    features: new Set(),
    compileRegex,
    notes: new Annotations(),
    meter: new QueryMeter(
      DEFAULT_LIMITS,
      () => 0,
      () => false,
    ),
    queryStartMs: timeMs,
    queryEndMs: timeMs,
    queryStepMs: 0,
    startMs: timeMs,
    endMs: timeMs,
    stepMs: 1,
    n: 1,
  };
}

function* given<T>(value: T, pause = false): Sliced<T> {
  if (pause) yield;
  return value;
}

/** These operators see few rows: they are not worth a pause. */
function finished<T>(work: Sliced<T>): T {
  for (;;) {
    const step = work.next();
    if (step.done) return step.value;
  }
}

function rowsOf(node: VectorNode, cycle: Cycle): Row[] {
  node.evaluate(cycle);
  const out: Row[] = [];
  for (let i = 0; i < node.n; i++)
    out.push({
      labels: node.labels(node.ids[i]!),
      dropName: false,
      values: Float64Array.of(node.values[i]!),
      present: Uint8Array.of(FLOAT),
    });
  return out;
}

const texts = (_c: Context, e: Expr): string => {
  while (e.kind === 'paren') e = e.expr;
  if (e.kind !== 'string') throw new FallBack('unsupported_expression');
  return e.value;
};

/** What label_replace or label_join makes of labels, by the engine. Throws FallBack where the call itself is an error. */
export function labelChange(e: Call, compileRegex: CompileRegex): (labels: Labels) => Labels {
  const apply = (rows: Row[]): readonly Row[] => {
    const ev: Evaluator = {
      vector: () => given(rows),
      scalar: () => {
        throw new FallBack('unsupported_expression');
      },
      text: texts,
    };
    try {
      const value = finished(evaluateCall(contextAt(0, compileRegex), e, ev));
      if (value.kind !== 'vector') throw new FallBack('unsupported_expression');
      return value.rows;
    } catch (error) {
      if (error instanceof VigieError) throw new FallBack('unsupported_expression');
      throw error;
    }
  };
  apply([]);
  return (labels) =>
    apply([{ labels, dropName: false, values: new Float64Array(1), present: Uint8Array.of(FLOAT) }])[0]!.labels;
}

/** vector(s): one result without labels. */
export class VectorOfScalarNode extends VectorNode {
  readonly #scalar: ScalarNode;

  constructor(scalar: ScalarNode) {
    super(scalar.inputs);
    this.#scalar = scalar;
    this.resize(1);
  }

  labels(): Labels {
    return Labels.EMPTY;
  }

  protected compute(cycle: Cycle): void {
    this.ids[0] = 0;
    this.values[0] = this.#scalar.scalar(cycle);
    this.n = 1;
  }
}
