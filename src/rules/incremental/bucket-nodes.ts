/**
 * histogram_quantile over classic buckets: one node sorts and repairs the buckets of every histogram, and all quantiles
 * of the same expression read them there.
 */
import { type Labels, METRIC_NAME } from '../../model/labels.ts';
import { parseLe } from '../../promql/histogram-call.ts';
import { type ClassicBucket, classicQuantile, forceRising, quantileOfRising } from '../../promql/histogram-quantile.ts';
import { type Cycle, type ScalarNode, VectorNode } from './node.ts';
import { GroupNode } from './op-nodes.ts';
import { FallBack } from './source.ts';

/** The histograms of a vector, each with its buckets; the values of its results mean nothing. */
export class BucketsNode extends GroupNode {
  /** Of each row of the child, while groups are made. */
  #upperOf = new Float64Array(0);
  /** Place of a row among the sorted buckets of its group, by id of the child. */
  #rank = new Int32Array(0);
  /** By group: where its buckets stand in the columns; and where two have one bound, so that only sorting tells. */
  #from = new Int32Array(0);
  #doubled = new Uint8Array(0);
  /** Bounds by place, and of this evaluation the counts; `#have` is the evaluation that wrote a count. */
  #bound = new Float64Array(0);
  #count = new Float64Array(0);
  #have = new Int32Array(0);
  #round = 0;
  /** Buckets that are there, without gaps, by place of the group among the results. */
  #upper = new Float64Array(0);
  #rising = new Float64Array(0);
  #at = new Int32Array(0);
  #length = new Int32Array(0);
  #lists: (ClassicBucket[] | undefined)[] = [];

  protected groupLabels(labels: Labels, id: number): Labels | undefined {
    if (this.#upperOf.length < this.child.size) this.#upperOf = new Float64Array(this.child.size);
    const upper = parseLe(labels.get('le'));
    if (upper === undefined) return undefined;
    this.#upperOf[id] = upper;
    return labels.without('le');
  }

  protected override shaped(): void {
    const rows: number[][] = this.names.map(() => []);
    const { groupOf } = this;
    for (let id = 0; id < groupOf.length; id++) if (groupOf[id]! >= 0) rows[groupOf[id]!]!.push(id);
    const bare = this.names.map((l) => l.without(METRIC_NAME));
    this.names = new Set(bare.map((l) => l.key)).size === bare.length ? bare : [];
    const total = rows.reduce((n, r) => n + r.length, 0);
    this.#rank = new Int32Array(groupOf.length);
    this.#from = new Int32Array(rows.length + 1);
    this.#doubled = new Uint8Array(rows.length);
    this.#bound = new Float64Array(total);
    this.#count = new Float64Array(total);
    this.#upper = new Float64Array(total);
    this.#rising = new Float64Array(total);
    this.#have = new Int32Array(total);
    this.#round = 0;
    this.#at = new Int32Array(rows.length);
    this.#length = new Int32Array(rows.length);
    this.#lists = rows.map(() => undefined);
    const upper = this.#upperOf;
    let at = 0;
    for (const [group, ids] of rows.entries()) {
      this.#from[group] = at;
      ids.sort((a, b) => upper[a]! - upper[b]! || 0);
      for (const [i, id] of ids.entries()) {
        if (i > 0 && upper[id] === upper[ids[i - 1]!]) this.#doubled[group] = 1;
        this.#bound[at] = upper[id]!;
        this.#rank[id] = at++;
      }
    }
    this.#from[rows.length] = at;
  }

  protected compute(cycle: Cycle): void {
    this.follow(cycle);
    if (this.names.length !== this.size) throw new FallBack('ambiguous_labels');
    const { n, ids, values } = this.child;
    const { groupOf } = this;
    const round = ++this.#round;
    for (let i = 0; i < n; i++) {
      const id = ids[i]!;
      const group = groupOf[id]!;
      if (group < 0) continue;
      const before = this.n;
      const at = this.placeOf(group);
      if (this.#doubled[group] === 1) {
        if (at === before) this.#lists[at] = [];
        this.#lists[at]!.push({ upper: this.#bound[this.#rank[id]!]!, count: values[i]! });
        continue;
      }
      if (at === before) this.#lists[at] = undefined;
      this.#count[this.#rank[id]!] = values[i]!;
      this.#have[this.#rank[id]!] = round;
    }
    let to = 0;
    for (let place = 0; place < this.n; place++) {
      if (this.#lists[place]) continue;
      const group = this.ids[place]!;
      const at = to;
      for (let k = this.#from[group]!; k < this.#from[group + 1]!; k++) {
        if (this.#have[k] !== round) continue;
        this.#upper[to] = this.#bound[k]!;
        this.#rising[to++] = this.#count[k]!;
      }
      this.#at[place] = at;
      this.#length[place] = to - at;
      forceRising(this.#rising, at, to - at);
    }
  }

  quantile(place: number, q: number): number {
    const list = this.#lists[place];
    if (list) return classicQuantile(q, list).value;
    return quantileOfRising(q, this.#upper, this.#rising, this.#at[place]!, this.#length[place]!);
  }
}

export class BucketQuantileNode extends VectorNode {
  readonly #buckets: BucketsNode;
  readonly #q: ScalarNode;
  #bucketsShape = -1;

  constructor(buckets: BucketsNode, q: ScalarNode) {
    super([buckets, ...q.inputs]);
    this.#buckets = buckets;
    this.#q = q;
  }

  labels(id: number): Labels {
    return this.#buckets.labels(id);
  }

  protected compute(cycle: Cycle): void {
    const q = this.#q.scalar(cycle);
    const buckets = this.#buckets;
    buckets.evaluate(cycle);
    if (this.#bucketsShape !== buckets.shape) {
      this.#bucketsShape = buckets.shape;
      this.resize(buckets.size);
    }
    this.n = buckets.n;
    for (let place = 0; place < this.n; place++) {
      this.ids[place] = buckets.ids[place]!;
      this.values[place] = buckets.quantile(place, q);
    }
  }
}
