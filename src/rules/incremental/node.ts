/**
 * A node of a compiled expression. What does not change from one evaluation to the next (labels of its possible
 * results, groups, partners) is worked out once per set of series; an evaluation only lists which results are there, in
 * the order in which the engine would give them, and their values.
 */
import type { Labels } from '../../model/labels.ts';
import type { Rings } from './rings.ts';
import type { IncrementalSource } from './source.ts';

export interface Cycle {
  timeMs: number;
  /** Set anew for each evaluation: nodes compare it to know whether their answer still holds. */
  stamp: number;
  seriesVersion: number;
  irregular: boolean;
  memoryFromMs: number;
  readonly source: IncrementalSource;
  readonly rings: Rings;
}

export abstract class VectorNode {
  /** Changes whenever `size` or the labels of ids change. */
  shape = 0;
  /** Ids are 0 .. size - 1. */
  size = 0;
  /** Results of the last evaluation: `ids[0 .. n)`, `values[0 .. n)`. */
  n = 0;
  ids: Int32Array = new Int32Array(0);
  values: Float64Array = new Float64Array(0);
  #stamp = -1;

  abstract labels(id: number): Labels;
  protected abstract compute(cycle: Cycle): void;

  /** Evaluates unless that was done for this stamp. Throws FallBack. */
  evaluate(cycle: Cycle): void {
    if (this.#stamp === cycle.stamp) return;
    this.#stamp = -1;
    this.compute(cycle);
    this.#stamp = cycle.stamp;
  }

  /** Room for `size` results; ids and values of an earlier evaluation are gone. */
  protected resize(size: number): void {
    this.size = size;
    this.shape++;
    if (this.ids.length < size) {
      this.ids = new Int32Array(size);
      this.values = new Float64Array(size);
    }
  }

  /** Frees what it holds of the rings. */
  dispose(_rings: Rings): void {}
}

export interface ScalarNode {
  scalar(cycle: Cycle): number;
}
