/** How many samples each series of a batch has and whether any can be taken; histograms are counted once, when first asked. */
import type { WriteBatch } from '../../metrics.ts';

export class BatchTimes {
  readonly #batch: WriteBatch;
  readonly #oldest: number;
  readonly #newest: number;
  /** Per series: histograms, those before `oldest`, those after `newest` or without a time. */
  #histograms: Uint32Array | undefined;

  /** `oldest` and `newest`: what a writer still takes, in ms. */
  constructor(batch: WriteBatch, oldest: number, newest: number) {
    this.#batch = batch;
    this.#oldest = oldest;
    this.#newest = newest;
  }

  /** Floats and histograms of series `i`. */
  samples(i: number): number {
    return this.#batch.sampleStart[i + 1]! - this.#batch.sampleStart[i]! + this.#counts()[3 * i]!;
  }

  /** When series `i` has samples and none is within the bounds: how many are on which side. */
  allOutside(i: number): { readonly tooOld: number; readonly tooNew: number } | undefined {
    const { sampleStart, timestamps } = this.#batch;
    let tooOld = 0;
    let tooNew = 0;
    for (let s = sampleStart[i]!; s < sampleStart[i + 1]!; s++) {
      const t = timestamps[s]!;
      if (!(t <= this.#newest)) tooNew++;
      else if (t < this.#oldest) tooOld++;
      else return undefined;
    }
    const counts = this.#counts();
    tooOld += counts[3 * i + 1]!;
    tooNew += counts[3 * i + 2]!;
    const all = tooOld + tooNew;
    return all > 0 && all === this.samples(i) ? { tooOld, tooNew } : undefined;
  }

  #counts(): Uint32Array {
    if (this.#histograms) return this.#histograms;
    const counts = new Uint32Array(3 * this.#batch.seriesCount);
    for (const h of this.#batch.histograms ?? []) {
      const at = 3 * h.series;
      counts[at] = counts[at]! + 1;
      const outside = !(h.timestampMs <= this.#newest) ? 2 : h.timestampMs < this.#oldest ? 1 : 0;
      if (outside > 0) counts[at + outside] = counts[at + outside]! + 1;
    }
    this.#histograms = counts;
    return counts;
  }
}
