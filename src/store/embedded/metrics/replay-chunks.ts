/**
 * The chunks of one tenant that the log holds, while it is replayed: each goes into the head when the first sample that
 * stands in it is met, and the samples that it covers are passed over. A chunk that is missing or damaged leaves no hole:
 * its samples are not covered then and are replayed.
 */
import { ReplayBuffer } from './replay-buffer.ts';
import { NO_SERIES } from './series-index.ts';
import type { TenantHead } from './tenant-head.ts';

const NONE = 0xffffffff;

export class ReplayChunks {
  readonly #head: TenantHead;
  /** Per series: time covered by the chunk that it is in, from and to, and where the next one begins, ms; one unused. */
  #spans = new Float64Array(0);
  /** First and last chunk of each series that is not in the head yet. */
  #first = new Uint32Array(0);
  #last = new Uint32Array(0);
  readonly #minT: number[] = [];
  readonly #maxT: number[] = [];
  readonly #block: Uint8Array[] = [];
  readonly #at: number[] = [];
  readonly #size: number[] = [];
  readonly #next: number[] = [];
  readonly #buffer: ReplayBuffer;
  inChunks = 0;

  constructor(head: TenantHead) {
    this.#head = head;
    this.#buffer = new ReplayBuffer(head);
  }

  /** Remembers a chunk, `block[at, at + size)`, which stays the caller's to keep as it is; those of a series must ascend, one that does not is left to its samples. */
  add(ref: number, minT: number, maxT: number, block: Uint8Array, at: number, size: number): void {
    if (ref >= this.#first.length) this.#grow(ref);
    const before = this.#last[ref]!;
    if (before !== NONE && minT <= this.#maxT[before]!) return;
    const chunk = this.#minT.length;
    this.#minT.push(minT);
    this.#maxT.push(maxT);
    this.#block.push(block);
    this.#at.push(at);
    this.#size.push(size);
    this.#next.push(NONE);
    if (before === NONE) {
      this.#first[ref] = chunk;
      this.#spans[4 * ref + 2] = minT;
    } else this.#next[before] = chunk;
    this.#last[ref] = chunk;
  }

  /**
   * Appends the samples of a record of floats, in the order they were appended first, but for those that a chunk holds.
   * `words`: from the third on number, offset to `baseMs`, low and high bits of each. Counts in `inChunks`
   * what chunks held; answers how many have no known series.
   */
  floats(words: Uint32Array, baseMs: number, refs: Uint32Array): number {
    const spans = this.#spans;
    const known = this.#first.length;
    const head = this.#head;
    let inChunks = 0;
    let lost = 0;
    for (let i = 2; i + 4 <= words.length; i += 4) {
      const id = words[i]!;
      if (id >= refs.length || refs[id] === NO_SERIES) {
        lost++;
        continue;
      }
      const ref = refs[id]!;
      const t = baseMs + (words[i + 1]! | 0);
      if (ref < known) {
        const at = 4 * ref;
        if (t >= spans[at + 2]!) this.reach(ref, t);
        const to = spans[at + 1]!;
        if (t <= to && t >= spans[at]!) {
          if (t === to) head.lastIs(ref, words, i + 2);
          inChunks++;
          continue;
        }
      }
      this.#buffer.add(ref, baseMs, words, i + 1);
    }
    this.inChunks += inChunks;
    return lost;
  }

  /** Puts all chunks that begin at `t` or before into the head. */
  reach(ref: number, t: number): void {
    if (ref >= this.#first.length) return;
    if (this.#buffer.has(ref)) this.#buffer.flush();
    const at = 4 * ref;
    let c = this.#first[ref]!;
    for (; c !== NONE && this.#minT[c]! <= t; c = this.#next[c]!) {
      const from = this.#at[c]!;
      this.#head.adopt(ref, this.#minT[c]!, this.#maxT[c]!, this.#block[c]!.subarray(from, from + this.#size[c]!));
      this.#spans[at] = this.#minT[c]!;
      this.#spans[at + 1] = this.#maxT[c]!;
    }
    this.#first[ref] = c;
    this.#spans[at + 2] = c === NONE ? Number.POSITIVE_INFINITY : this.#minT[c]!;
  }

  /** Brings the head to where the log is; before anything but floats in order is put there. */
  flush(): void {
    this.#buffer.flush();
  }

  /** Puts what is left into the head: chunks whose samples are damaged. */
  finish(): void {
    this.flush();
    for (let ref = 0; ref < this.#first.length; ref++) this.reach(ref, Number.POSITIVE_INFINITY);
  }

  #grow(ref: number): void {
    const before = this.#first.length;
    const n = Math.max(1024, before * 2, ref + 1);
    const spans = new Float64Array(4 * n).fill(Number.POSITIVE_INFINITY);
    spans.set(this.#spans);
    for (let r = before; r < n; r++) spans[4 * r + 1] = Number.NEGATIVE_INFINITY;
    this.#spans = spans;
    const refs = (from: Uint32Array): Uint32Array<ArrayBuffer> => {
      const to = new Uint32Array(n).fill(NONE);
      to.set(from);
      return to;
    };
    this.#first = refs(this.#first);
    this.#last = refs(this.#last);
  }
}
