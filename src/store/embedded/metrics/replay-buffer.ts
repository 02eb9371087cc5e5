/**
 * Samples on their way from the log into the head. The log has them round by round over all series, the head series by
 * series: put in one by one, each would wait for memory. So they are collected, chained by series, and handed on in runs.
 */
import { END_OF_RUN, type TenantHead } from './tenant-head.ts';

const NONE = END_OF_RUN;
/** Samples collected at most: some rounds of all series, 6 MiB. */
const SAMPLES_MAX = 256 * 1024;

export class ReplayBuffer {
  readonly #head: TenantHead;
  /** Made when the first sample comes, for most tenants of a large log are small. */
  #times = new Float64Array(0);
  #bits = new Uint32Array(0);
  /** The sample of the same series after this one. */
  #next = new Uint32Array(0);
  #used = 0;
  /** First and last sample of each series; the series that have any. */
  #first = new Uint32Array(0);
  #last = new Uint32Array(0);
  #series: number[] = [];

  constructor(head: TenantHead) {
    this.#head = head;
  }

  has(ref: number): boolean {
    return this.#used > 0 && ref < this.#first.length && this.#first[ref] !== NONE;
  }

  /**
   * Takes the sample whose offset to `baseMs` and bits stand at `words[at]`. Those of a series must come in the order in
   * which they were appended first. (Numbers that are no small integers would become objects as arguments.)
   */
  add(ref: number, baseMs: number, words: Uint32Array, at: number): void {
    if (this.#used === this.#times.length) this.#room();
    if (ref >= this.#first.length) this.#growSeries(ref);
    const i = this.#used++;
    this.#times[i] = baseMs + (words[at]! | 0);
    this.#bits[2 * i] = words[at + 1]!;
    this.#bits[2 * i + 1] = words[at + 2]!;
    this.#next[i] = NONE;
    if (this.#first[ref] === NONE) {
      this.#first[ref] = i;
      this.#series.push(ref);
    } else this.#next[this.#last[ref]!] = i;
    this.#last[ref] = i;
  }

  flush(): void {
    if (this.#used === 0) return;
    for (const ref of this.#series) {
      this.#head.replayRun(ref, this.#first[ref]!, this.#next, this.#times, this.#bits);
      this.#first[ref] = NONE;
    }
    this.#series = [];
    this.#used = 0;
  }

  #room(): void {
    const before = this.#times.length;
    if (before === SAMPLES_MAX) {
      this.flush();
      return;
    }
    const n = Math.min(SAMPLES_MAX, Math.max(1024, before * 8));
    const times = new Float64Array(n);
    times.set(this.#times);
    this.#times = times;
    const bits = new Uint32Array(2 * n);
    bits.set(this.#bits);
    this.#bits = bits;
    const next = new Uint32Array(n);
    next.set(this.#next);
    this.#next = next;
  }

  #growSeries(ref: number): void {
    const n = Math.max(256, this.#first.length * 2, ref + 1);
    const first = new Uint32Array(n).fill(NONE);
    first.set(this.#first);
    this.#first = first;
    const last = new Uint32Array(n);
    last.set(this.#last);
    this.#last = last;
  }
}
