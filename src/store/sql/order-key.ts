/**
 * Indexed fields as text whose byte order is the order of the values, so that SQLite and PostgreSQL (collation "C")
 * filter and sort alike: numbers before texts, numbers by value.
 */
import { VigieError } from '../../lib/errors.ts';

/** Longest indexed text; PostgreSQL's index rows are bounded. */
export const INDEXED_TEXT_LENGTH_MAX = 1_024;

const view = new DataView(new ArrayBuffer(8));

/** `n` + 16 hex digits for a number, `s` + the text for a text; null for anything else. */
export function orderKey(value: unknown): string | null {
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) return null;
    view.setFloat64(0, value === 0 ? 0 : value);
    let bits = view.getBigUint64(0);
    // IEEE 754 doubles sort as unsigned integers once negative ones are inverted and positive ones get the top bit
    bits = bits >> 63n === 1n ? ~bits & 0xffffffffffffffffn : bits | 0x8000000000000000n;
    return `n${bits.toString(16).padStart(16, '0')}`;
  }
  if (typeof value === 'string') {
    if (value.length > INDEXED_TEXT_LENGTH_MAX)
      throw new VigieError(
        'bad_data',
        `an indexed text has ${value.length} characters, at most ${INDEXED_TEXT_LENGTH_MAX} are taken`,
      );
    if (value.includes('\u0000')) throw new VigieError('bad_data', 'an indexed text must not contain NUL');
    return `s${value}`;
  }
  return null;
}
