/** Operators over two vectors: partners are found once per set of series, by small numbers for matching labels. */
import { type Labels, METRIC_NAME } from '../../model/labels.ts';
import { type Binary, COMPARISONS, type VectorMatching } from '../../promql/ast.ts';
import { FLOAT_OPS, type FloatOp } from '../../promql/binary.ts';
import { type Cycle, VectorNode } from './node.ts';
import { FallBack } from './source.ts';

/** Results of group_left remembered before the memory starts anew. */
const PAIRS_MAX = 1_000_000;

function signatureOf(m: VectorMatching): (labels: Labels) => string {
  if (m.on) return (l) => m.labels.map((n) => l.get(n)).join('\u0000');
  const skip = [...m.labels, METRIC_NAME];
  return (l) => l.without(...skip).key;
}

abstract class JoinNode extends VectorNode {
  protected readonly left: VectorNode;
  protected readonly right: VectorNode;
  readonly #signature: (labels: Labels) => string;
  #leftShape = -1;
  #rightShape = -1;
  protected leftSig: Int32Array = new Int32Array(0);
  protected rightSig: Int32Array = new Int32Array(0);
  protected sigCount = 0;

  constructor(left: VectorNode, right: VectorNode, m: VectorMatching) {
    super([left, right]);
    this.left = left;
    this.right = right;
    this.#signature = signatureOf(m);
  }

  protected follow(cycle: Cycle): void {
    this.left.evaluate(cycle);
    this.right.evaluate(cycle);
    if (this.#leftShape !== this.left.shape || this.#rightShape !== this.right.shape) {
      this.#leftShape = this.left.shape;
      this.#rightShape = this.right.shape;
      const sigs = new Map<string, number>();
      const of = (node: VectorNode): Int32Array => {
        const out = new Int32Array(node.size);
        for (let id = 0; id < node.size; id++) {
          const key = this.#signature(node.labels(id));
          let sig = sigs.get(key);
          if (sig === undefined) sigs.set(key, (sig = sigs.size));
          out[id] = sig;
        }
        return out;
      };
      this.leftSig = of(this.left);
      this.rightSig = of(this.right);
      this.sigCount = sigs.size;
      this.shaped();
    }
    this.n = 0;
  }

  protected abstract shaped(): void;
}

export class SetNode extends JoinNode {
  readonly #op: 'and' | 'or' | 'unless';
  #round = 0;
  #seen: Int32Array = new Int32Array(0);

  constructor(left: VectorNode, right: VectorNode, m: VectorMatching, op: 'and' | 'or' | 'unless') {
    super(left, right, m);
    this.#op = op;
  }

  labels(id: number): Labels {
    return id < this.left.size ? this.left.labels(id) : this.right.labels(id - this.left.size);
  }

  protected shaped(): void {
    this.resize(this.left.size + (this.#op === 'or' ? this.right.size : 0));
    this.#seen = new Int32Array(this.sigCount);
    this.#round = 0;
  }

  protected compute(cycle: Cycle): void {
    this.follow(cycle);
    const { left, right } = this;
    const seen = this.#seen;
    const round = ++this.#round;
    if (this.#op === 'or') {
      for (let i = 0; i < left.n; i++) {
        seen[this.leftSig[left.ids[i]!]!] = round;
        this.#put(left.ids[i]!, left.values[i]!);
      }
      for (let i = 0; i < right.n; i++)
        if (seen[this.rightSig[right.ids[i]!]!] !== round) this.#put(left.size + right.ids[i]!, right.values[i]!);
      return;
    }
    for (let i = 0; i < right.n; i++) seen[this.rightSig[right.ids[i]!]!] = round;
    const wanted = this.#op === 'and';
    for (let i = 0; i < left.n; i++)
      if ((seen[this.leftSig[left.ids[i]!]!] === round) === wanted) this.#put(left.ids[i]!, left.values[i]!);
  }

  #put(id: number, value: number): void {
    this.ids[this.n] = id;
    this.values[this.n++] = value;
  }
}

export class MatchNode extends JoinNode {
  readonly #m: VectorMatching;
  readonly #op: FloatOp;
  readonly #filter: boolean;
  readonly #swapped: boolean;
  #round = 0;
  /** Round in which a signature was seen on the "one" side, and the place there. */
  #oneSeen: Int32Array = new Int32Array(0);
  #oneAt: Int32Array = new Int32Array(0);
  #manySeen: Int32Array = new Int32Array(0);
  /** Result id of (many id, one id); ids are given out as pairs come up. */
  #pairs = new Map<number, number>();
  #byLabels = new Map<string, { readonly id: number; readonly many: number }>();
  #names: Labels[] = [];
  /** Result id by many id, when partners add nothing to the labels. */
  #plain: Int32Array = new Int32Array(0);

  constructor(left: VectorNode, right: VectorNode, e: Binary) {
    super(left, right, e.matching!);
    this.#m = e.matching!;
    this.#op = FLOAT_OPS[e.op]!;
    this.#filter = COMPARISONS.has(e.op) && !e.bool;
    this.#swapped = e.matching!.card === 'one-to-many';
  }

  labels(id: number): Labels {
    return this.#names[id]!;
  }

  protected shaped(): void {
    const many = this.#swapped ? this.right : this.left;
    this.#names = [];
    this.#pairs = new Map();
    this.#byLabels = new Map();
    this.#plain = new Int32Array(many.size).fill(-1);
    // at most one result per row of the "many" side; ids are given out as they come up
    this.resize(many.size);
    this.size = 0;
    this.#oneSeen = new Int32Array(this.sigCount);
    this.#oneAt = new Int32Array(this.sigCount);
    this.#manySeen = new Int32Array(this.sigCount);
    this.#round = 0;
  }

  protected compute(cycle: Cycle): void {
    this.follow(cycle);
    const swapped = this.#swapped;
    const many = swapped ? this.right : this.left;
    const one = swapped ? this.left : this.right;
    if (many.n === 0 || one.n === 0) return;
    const manySig = swapped ? this.rightSig : this.leftSig;
    const oneSig = swapped ? this.leftSig : this.rightSig;
    const round = ++this.#round;
    for (let i = 0; i < one.n; i++) {
      const sig = oneSig[one.ids[i]!]!;
      // the engine refuses this and says how
      if (this.#oneSeen[sig] === round) throw new FallBack('duplicate_match');
      this.#oneSeen[sig] = round;
      this.#oneAt[sig] = i;
    }
    const oneToOne = this.#m.card === 'one-to-one';
    const op = this.#op;
    for (let i = 0; i < many.n; i++) {
      const manyId = many.ids[i]!;
      const sig = manySig[manyId]!;
      if (this.#oneSeen[sig] !== round) continue;
      if (oneToOne) {
        if (this.#manySeen[sig] === round) throw new FallBack('duplicate_match');
        this.#manySeen[sig] = round;
      }
      const k = this.#oneAt[sig]!;
      const a = swapped ? one.values[k]! : many.values[i]!;
      const b = swapped ? many.values[i]! : one.values[k]!;
      const r = op(a, b);
      if (this.#filter && r === 0) continue;
      this.ids[this.n] = this.#resultId(manyId, one.ids[k]!);
      this.values[this.n++] = this.#filter ? a : r;
    }
  }

  #resultId(manyId: number, oneId: number): number {
    const plain = this.#m.include.length === 0;
    if (plain) {
      const known = this.#plain[manyId]!;
      if (known >= 0) return known;
    } else {
      const known = this.#pairs.get(manyId * this.#oneSize + oneId);
      if (known !== undefined) return known;
    }
    const many = this.#swapped ? this.right : this.left;
    const one = this.#swapped ? this.left : this.right;
    const m = this.#m;
    let labels = many.labels(manyId);
    if (!this.#filter) labels = labels.without(METRIC_NAME);
    if (m.card === 'one-to-one') labels = m.on ? labels.only(new Set(m.labels)) : labels.without(...m.labels);
    for (const name of m.include) labels = labels.with(name, one.labels(oneId).get(name));
    const same = this.#byLabels.get(labels.key);
    // two rows may get one label set, and whether they meet is for the engine to say
    if (same && same.many !== manyId) throw new FallBack('ambiguous_labels');
    let id = same?.id;
    if (id === undefined) {
      id = this.#names.length;
      if (id >= PAIRS_MAX) throw new FallBack('ambiguous_labels');
      this.#names.push(labels);
      this.#byLabels.set(labels.key, { id, many: manyId });
      this.size = this.#names.length;
      // parents index by id: they must see that there is one more
      this.shape++;
    }
    if (plain) this.#plain[manyId] = id;
    else this.#pairs.set(manyId * this.#oneSize + oneId, id);
    return id;
  }

  get #oneSize(): number {
    return (this.#swapped ? this.left : this.right).size;
  }
}
