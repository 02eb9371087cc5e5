/** label_replace and label_join: what a row is called afterwards is worked out once for each set of series. */
import type { Labels } from '../../model/labels.ts';
import { type Cycle, VectorNode } from './node.ts';
import { FallBack } from './source.ts';

export class RelabelNode extends VectorNode {
  readonly #child: VectorNode;
  readonly #change: (labels: Labels) => Labels;
  #childShape = -1;
  #names: Labels[] = [];
  /** Result id by id of the child: two may get one label set, as long as only one of them is there at a time. */
  #idOf = new Int32Array(0);
  /** Evaluation in which a result was last listed. */
  #seen = new Int32Array(0);
  #round = 0;

  constructor(child: VectorNode, change: (labels: Labels) => Labels) {
    super([child]);
    this.#child = child;
    this.#change = change;
  }

  labels(id: number): Labels {
    return this.#names[id]!;
  }

  #follow(): void {
    const child = this.#child;
    if (this.#childShape === child.shape) return;
    this.#childShape = child.shape;
    const ids = new Map<string, number>();
    this.#names = [];
    this.#idOf = new Int32Array(child.size);
    for (let k = 0; k < child.size; k++) {
      const labels = this.#change(child.labels(k));
      let id = ids.get(labels.key);
      if (id === undefined) {
        ids.set(labels.key, (id = ids.size));
        this.#names.push(labels);
      }
      this.#idOf[k] = id;
    }
    this.resize(ids.size);
    this.#seen = new Int32Array(ids.size);
    this.#round = 0;
  }

  protected compute(cycle: Cycle): void {
    const child = this.#child;
    child.evaluate(cycle);
    this.#follow();
    this.n = 0;
    const round = ++this.#round;
    for (let i = 0; i < child.n; i++) {
      const id = this.#idOf[child.ids[i]!]!;
      // the engine says what is wrong
      if (this.#seen[id] === round) throw new FallBack('ambiguous_labels');
      this.#seen[id] = round;
      this.ids[this.n] = id;
      this.values[this.n++] = child.values[i]!;
    }
  }
}
