/**
 * Memory for samples that are not in a chunk yet: slots of three sizes cut from shared pages, a time offset (4 bytes)
 * and a value (8 bytes) per sample. A slot belongs to one series; whose it is, the head knows. The largest holds a whole
 * chunk and some samples more, so that sealing it can wait for a request that has less to seal.
 */
export const SLOT_CAPACITIES = [8, 32, 128] as const;
const PAGE_SAMPLES = 15_360;

interface Page {
  readonly offsets: Int32Array;
  readonly values: Float64Array;
  readonly bits: Uint32Array;
}

export interface Slot {
  page: Page;
  /** Index of the slot's first sample in the page. */
  at: number;
}

class SizeClass {
  readonly capacity: number;
  readonly pages: Page[] = [];
  readonly #perPage: number;
  readonly #free: number[] = [];
  #used = 0;

  constructor(capacity: number) {
    this.capacity = capacity;
    this.#perPage = Math.floor(PAGE_SAMPLES / capacity);
  }

  take(): number {
    const free = this.#free.pop();
    if (free !== undefined) return free;
    if (this.#used === this.pages.length * this.#perPage) {
      const values = new Float64Array(PAGE_SAMPLES);
      this.pages.push({ offsets: new Int32Array(PAGE_SAMPLES), values, bits: new Uint32Array(values.buffer) });
    }
    return this.#used++;
  }

  give(slot: number): void {
    this.#free.push(slot);
  }

  locate(slot: number, out: Slot): void {
    const page = Math.floor(slot / this.#perPage);
    out.page = this.pages[page]!;
    out.at = (slot - page * this.#perPage) * this.capacity;
  }
}

export class RawPages {
  readonly #classes = SLOT_CAPACITIES.map((c) => new SizeClass(c));

  get memoryBytes(): number {
    return this.#classes.reduce((sum, c) => sum + c.pages.length * PAGE_SAMPLES * 12, 0);
  }

  take(sizeClass: number): number {
    return this.#classes[sizeClass]!.take();
  }

  give(sizeClass: number, slot: number): void {
    this.#classes[sizeClass]!.give(slot);
  }

  locate(sizeClass: number, slot: number, out: Slot): void {
    this.#classes[sizeClass]!.locate(slot, out);
  }

  emptySlot(): Slot {
    return { page: { offsets: new Int32Array(0), values: new Float64Array(0), bits: new Uint32Array(0) }, at: 0 };
  }
}
