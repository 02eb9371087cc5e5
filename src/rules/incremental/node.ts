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
  /** Times it was computed: parents compare it to know whether their answer still holds. */
  runs = 0;
  /** What it is computed from; each says by `runs` whether it is still what it was. */
  protected readonly inputs: readonly VectorNode[];
  readonly #inputRuns: Float64Array;
  #stamp = -1;
  #timeMs = Number.NaN;

  constructor(inputs: readonly VectorNode[]) {
    this.inputs = inputs;
    this.#inputRuns = new Float64Array(inputs.length);
  }

  abstract labels(id: number): Labels;
  protected abstract compute(cycle: Cycle): void;

  /**
   * Evaluates unless that was done for this stamp, or for this time and nothing it reads has changed since: rules of a
   * group that read each other write in between. Throws FallBack.
   */
  evaluate(cycle: Cycle): void {
    if (this.#stamp === cycle.stamp) return;
    if (this.#timeMs === cycle.timeMs && this.holds(cycle)) {
      this.#stamp = cycle.stamp;
      return;
    }
    this.#stamp = -1;
    this.#timeMs = Number.NaN;
    this.runs++;
    this.compute(cycle);
    this.#stamp = cycle.stamp;
    this.#timeMs = cycle.timeMs;
    for (let i = 0; i < this.inputs.length; i++) this.#inputRuns[i] = this.inputs[i]!.runs;
  }

  /** At the same time as before: is what it read still the same? */
  protected holds(cycle: Cycle): boolean {
    let same = true;
    for (let i = 0; i < this.inputs.length; i++) {
      const input = this.inputs[i]!;
      input.evaluate(cycle);
      if (input.runs !== this.#inputRuns[i]) same = false;
    }
    return same;
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
  /** Vectors that it is made of; without any it depends on the time alone. */
  readonly inputs: readonly VectorNode[];
  scalar(cycle: Cycle): number;
}
