/** The growing columns that the exposition parsers fill and reuse; see src/model/exposition.ts for their meaning. */
import { VigieError } from '../../lib/errors.ts';
import { NORMAL_NAN_HI, NORMAL_NAN_LO } from '../../model/sample.ts';

/** Samples in one exposition; a body of this many is refused whatever its bytes. */
export const SAMPLES_MAX = 10_000_000;

export class ExpositionColumns {
  count = 0;
  ids = new Uint32Array(1024);
  values = new Float64Array(1024);
  timestamps = new Float64Array(1024);
  #bits = new Uint32Array(this.values.buffer);

  /** Appends a sample; `timestampMs` NaN for none. Answers its index. */
  push(id: number, value: number, timestampMs: number): number {
    const i = this.count;
    if (i === this.ids.length) this.#grow();
    this.ids[i] = id;
    this.values[i] = value;
    if (Number.isNaN(value)) {
      this.#bits[i * 2] = NORMAL_NAN_LO;
      this.#bits[i * 2 + 1] = NORMAL_NAN_HI;
    }
    this.timestamps[i] = timestampMs;
    this.count = i + 1;
    return i;
  }

  #grow(): void {
    if (this.count >= SAMPLES_MAX)
      throw new VigieError('bad_data', `the exposition has more than ${SAMPLES_MAX} samples`);
    const size = this.ids.length * 2;
    const copy = <T extends Uint32Array | Float64Array>(from: T, to: T): T => {
      to.set(from);
      return to;
    };
    this.ids = copy(this.ids, new Uint32Array(size));
    // NaN payloads survive because typed arrays of one kind are copied as bytes
    this.values = copy(this.values, new Float64Array(size));
    this.timestamps = copy(this.timestamps, new Float64Array(size));
    this.#bits = new Uint32Array(this.values.buffer);
  }
}
