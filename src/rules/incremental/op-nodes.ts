/** Operators over one vector: arithmetic and comparison with a scalar, functions of one value, aggregation. */
import { Labels, METRIC_NAME } from '../../model/labels.ts';
import type { Aggregate } from '../../promql/ast.ts';
import type { FloatOp } from '../../promql/binary.ts';
import { kahan, kahanState } from '../../promql/float-math.ts';
import { type Cycle, type ScalarNode, VectorNode } from './node.ts';
import { FallBack } from './source.ts';

/** A node whose ids are those of its child. */
abstract class MapNode extends VectorNode {
  protected readonly child: VectorNode;
  #childShape = -1;
  #names: Labels[] = [];
  #ambiguous = false;
  readonly #dropName: boolean;

  constructor(child: VectorNode, dropName: boolean, scalars: readonly ScalarNode[]) {
    super([child, ...scalars.flatMap((s) => s.inputs)]);
    this.child = child;
    this.#dropName = dropName;
  }

  labels(id: number): Labels {
    return this.#dropName ? this.#names[id]! : this.child.labels(id);
  }

  protected follow(cycle: Cycle): void {
    this.child.evaluate(cycle);
    if (this.#childShape !== this.child.shape) {
      this.#childShape = this.child.shape;
      this.resize(this.child.size);
      this.#ambiguous = false;
      if (this.#dropName) {
        this.#names = [];
        for (let id = 0; id < this.size; id++) this.#names.push(this.child.labels(id).without(METRIC_NAME));
        this.#ambiguous = new Set(this.#names.map((l) => l.key)).size !== this.size;
      }
    }
    if (this.#ambiguous) throw new FallBack('ambiguous_labels');
    this.n = 0;
  }
}

export class ScalarOpNode extends MapNode {
  readonly #op: FloatOp;
  readonly #scalar: ScalarNode;
  readonly #swapped: boolean;
  /** Keep the vector's value where the comparison holds. */
  readonly #filter: boolean;

  constructor(child: VectorNode, op: FloatOp, scalar: ScalarNode, swapped: boolean, filter: boolean) {
    super(child, !filter, [scalar]);
    this.#op = op;
    this.#scalar = scalar;
    this.#swapped = swapped;
    this.#filter = filter;
  }

  protected compute(cycle: Cycle): void {
    const s = this.#scalar.scalar(cycle);
    this.follow(cycle);
    const { n, ids, values } = this.child;
    const op = this.#op;
    for (let i = 0; i < n; i++) {
      const v = values[i]!;
      const r = this.#swapped ? op(s, v) : op(v, s);
      if (this.#filter && r === 0) continue;
      this.ids[this.n] = ids[i]!;
      this.values[this.n++] = this.#filter ? v : r;
    }
  }
}

export class FunctionNode extends MapNode {
  readonly #f: (v: number, a: number, b: number) => number;
  readonly #a: ScalarNode | undefined;
  readonly #b: ScalarNode | undefined;
  readonly #fallback: number;
  readonly #clamp: boolean;

  constructor(
    child: VectorNode,
    f: (v: number, a: number, b: number) => number,
    options: { readonly a?: ScalarNode; readonly b?: ScalarNode; readonly fallback: number; readonly clamp: boolean },
  ) {
    super(
      child,
      true,
      [options.a, options.b].filter((s) => s !== undefined),
    );
    this.#f = f;
    this.#a = options.a;
    this.#b = options.b;
    this.#fallback = options.fallback;
    this.#clamp = options.clamp;
  }

  protected compute(cycle: Cycle): void {
    const a = this.#a ? this.#a.scalar(cycle) : this.#fallback;
    const b = this.#b ? this.#b.scalar(cycle) : 0;
    this.follow(cycle);
    if (this.#clamp && b < a) return;
    const { n, ids, values } = this.child;
    for (let i = 0; i < n; i++) {
      this.ids[i] = ids[i]!;
      this.values[i] = this.#f(values[i]!, a, b);
    }
    this.n = n;
  }
}

/** Rows to groups, in the order in which groups are first met. */
export abstract class GroupNode extends VectorNode {
  protected readonly child: VectorNode;
  #childShape = -1;
  protected groupOf: Int32Array = new Int32Array(0);
  protected names: Labels[] = [];
  /** Place among the results of this evaluation, by group; valid where `#seen` is the evaluation's number. */
  protected place: Int32Array = new Int32Array(0);
  #seen: Int32Array = new Int32Array(0);
  #round = 0;

  constructor(child: VectorNode) {
    super([child]);
    this.child = child;
  }

  labels(id: number): Labels {
    return this.names[id]!;
  }

  /** Labels of the group of a row; undefined leaves the row out. */
  protected abstract groupLabels(labels: Labels, id: number): Labels | undefined;

  protected follow(cycle: Cycle): void {
    this.child.evaluate(cycle);
    if (this.#childShape !== this.child.shape) {
      this.#childShape = this.child.shape;
      const { size } = this.child;
      const ids = new Map<string, number>();
      this.groupOf = new Int32Array(size);
      this.names = [];
      for (let id = 0; id < size; id++) {
        const labels = this.groupLabels(this.child.labels(id), id);
        if (labels === undefined) {
          this.groupOf[id] = -1;
          continue;
        }
        let group = ids.get(labels.key);
        if (group === undefined) {
          group = this.names.length;
          ids.set(labels.key, group);
          this.names.push(labels);
        }
        this.groupOf[id] = group;
      }
      this.resize(this.names.length);
      this.place = new Int32Array(this.size);
      this.#seen = new Int32Array(this.size);
      this.#round = 0;
      this.shaped();
    }
    this.n = 0;
    this.#round++;
  }

  /** Called when groups are new. */
  protected shaped(): void {}

  /** Place of the group among the results; the first row of a group opens it. */
  protected placeOf(group: number): number {
    if (this.#seen[group] === this.#round) return this.place[group]!;
    this.#seen[group] = this.#round;
    const at = this.n++;
    this.place[group] = at;
    this.ids[at] = group;
    return at;
  }
}

export type GroupOp = 'sum' | 'avg' | 'count' | 'group' | 'min' | 'max';

export class AggregateNode extends GroupNode {
  readonly #op: GroupOp;
  readonly #grouping: readonly string[];
  readonly #without: boolean;
  readonly #set: ReadonlySet<string>;
  #comp = new Float64Array(0);
  #count = new Float64Array(0);
  #incremental = new Uint8Array(0);

  constructor(child: VectorNode, e: Aggregate, op: GroupOp) {
    super(child);
    this.#op = op;
    this.#grouping = e.grouping;
    this.#without = e.without;
    this.#set = new Set(e.grouping);
  }

  protected groupLabels(labels: Labels): Labels {
    if (this.#without) return labels.without(...this.#grouping, METRIC_NAME);
    return this.#grouping.length === 0 ? Labels.EMPTY : labels.only(this.#set);
  }

  protected override shaped(): void {
    this.#comp = new Float64Array(this.size);
    this.#count = new Float64Array(this.size);
    this.#incremental = new Uint8Array(this.size);
  }

  protected compute(cycle: Cycle): void {
    this.follow(cycle);
    const { n, ids, values } = this.child;
    const { groupOf } = this;
    const out = this.values;
    const comp = this.#comp;
    const op = this.#op;
    if (op === 'sum') {
      // written out: most rules are sums
      for (let i = 0; i < n; i++) {
        const before = this.n;
        const at = this.placeOf(groupOf[ids[i]!]!);
        const x = values[i]!;
        if (at === before) {
          out[at] = x;
          comp[at] = 0;
          continue;
        }
        const s = out[at]!;
        const t = s + x;
        if (t === Number.POSITIVE_INFINITY || t === Number.NEGATIVE_INFINITY) comp[at] = 0;
        else if (Math.abs(s) >= Math.abs(x)) comp[at]! += s - t + x;
        else comp[at]! += x - t + s;
        out[at] = t;
      }
      for (let g = 0; g < this.n; g++) out[g]! += comp[g]!;
      return;
    }
    for (let i = 0; i < n; i++) {
      const before = this.n;
      const at = this.placeOf(groupOf[ids[i]!]!);
      const x = values[i]!;
      if (at === before) {
        // the first of its group
        out[at] = op === 'count' || op === 'group' ? 1 : x;
        comp[at] = 0;
        this.#count[at] = 1;
        this.#incremental[at] = 0;
        continue;
      }
      const s = out[at]!;
      if (op === 'count') out[at] = s + 1;
      else if (op === 'max') {
        if (Number.isNaN(s) || x > s) out[at] = x;
      } else if (op === 'min') {
        if (Number.isNaN(s) || x < s) out[at] = x;
      } else if (op === 'avg') this.#average(at, x);
    }
    if (op === 'avg')
      for (let g = 0; g < this.n; g++)
        out[g] = this.#incremental[g] ? out[g]! + comp[g]! : out[g]! / this.#count[g]! + comp[g]! / this.#count[g]!;
  }

  /** Sum until it would overflow, then a running mean: as the engine's avg. */
  #average(at: number, x: number): void {
    const out = this.values;
    const comp = this.#comp;
    const k = ++this.#count[at]!;
    if (this.#incremental[at] === 0) {
      const s = kahan(x, out[at]!, comp[at]!);
      if (s !== Number.POSITIVE_INFINITY && s !== Number.NEGATIVE_INFINITY) {
        out[at] = s;
        comp[at] = kahanState.c;
        return;
      }
      this.#incremental[at] = 1;
      out[at]! /= k - 1;
      comp[at]! /= k - 1;
    }
    const q = (k - 1) / k;
    out[at] = kahan(x / k, q * out[at]!, q * comp[at]!);
    comp[at] = kahanState.c;
  }
}
