/**
 * Label sets as Prometheus has them: names unique and sorted by their UTF-8 bytes, an empty value means "no label".
 * Immutable; one flat array `[name, value, name, value, ...]` instead of an object per label.
 */
export const METRIC_NAME = '__name__';

/** Compares by UTF-8 bytes (code points), as Go compares strings; UTF-16 order differs beyond the BMP. */
export function compareUtf8(a: string, b: string): number {
  const n = Math.min(a.length, b.length);
  for (let i = 0; i < n; i++) {
    let x = a.charCodeAt(i);
    let y = b.charCodeAt(i);
    if (x !== y) {
      // surrogates sort above every other BMP unit
      if (x >= 0xd800 && y >= 0xd800) {
        x = x >= 0xe000 ? x - 0x800 : x + 0x2000;
        y = y >= 0xe000 ? y - 0x800 : y + 0x2000;
      }
      return x - y;
    }
  }
  return a.length - b.length;
}

export class Labels {
  static readonly EMPTY = new Labels([]);

  /** Sorted `[name, value, ...]`; trusted to be sorted, unique and without empty values. */
  readonly flat: readonly string[];
  #key: string | undefined;

  private constructor(flat: readonly string[]) {
    this.flat = flat;
  }

  /** From pairs already sorted by name, unique and non-empty in value. Not checked. */
  static fromSorted(flat: readonly string[]): Labels {
    return flat.length === 0 ? Labels.EMPTY : new Labels(flat);
  }

  /** From any object; sorts, drops empty values. */
  static from(object: Readonly<Record<string, string>>): Labels {
    const names = Object.keys(object);
    // most senders write them in order
    for (let i = 1; i < names.length; i++)
      if (compareUtf8(names[i - 1]!, names[i]!) > 0) {
        names.sort(compareUtf8);
        break;
      }
    const flat: string[] = [];
    for (const name of names) {
      const value = object[name]!;
      if (value !== '') flat.push(name, value);
    }
    return Labels.fromSorted(flat);
  }

  /** From pairs in any order; the last of equal names wins; empty values are dropped. */
  static fromPairs(pairs: Iterable<readonly [string, string]>): Labels {
    const map = new Map<string, string>(pairs);
    const names = [...map.keys()].sort(compareUtf8);
    const flat: string[] = [];
    for (const name of names) {
      const value = map.get(name)!;
      if (value !== '') flat.push(name, value);
    }
    return Labels.fromSorted(flat);
  }

  get size(): number {
    return this.flat.length / 2;
  }

  /** The value, or '' when absent: absent and empty are the same. */
  get(name: string): string {
    const f = this.flat;
    for (let i = 0; i < f.length; i += 2) if (f[i] === name) return f[i + 1]!;
    return '';
  }

  has(name: string): boolean {
    const f = this.flat;
    for (let i = 0; i < f.length; i += 2) if (f[i] === name) return true;
    return false;
  }

  get metricName(): string {
    return this.get(METRIC_NAME);
  }

  /** A copy with `name` set; an empty value removes it. */
  with(name: string, value: string): Labels {
    const f = this.flat;
    const out: string[] = [];
    let done = value === '';
    for (let i = 0; i < f.length; i += 2) {
      const n = f[i]!;
      if (n === name) continue;
      if (!done && compareUtf8(name, n) < 0) {
        out.push(name, value);
        done = true;
      }
      out.push(n, f[i + 1]!);
    }
    if (!done) out.push(name, value);
    return Labels.fromSorted(out);
  }

  /** A copy with every entry of `other` set over this. */
  merge(other: Labels): Labels {
    if (other.flat.length === 0) return this;
    return Labels.fromPairs([...this.entries(), ...other.entries()]);
  }

  without(...names: readonly string[]): Labels {
    const f = this.flat;
    const out: string[] = [];
    for (let i = 0; i < f.length; i += 2) if (!names.includes(f[i]!)) out.push(f[i]!, f[i + 1]!);
    return out.length === f.length ? this : Labels.fromSorted(out);
  }

  only(names: ReadonlySet<string>): Labels {
    const f = this.flat;
    const out: string[] = [];
    for (let i = 0; i < f.length; i += 2) if (names.has(f[i]!)) out.push(f[i]!, f[i + 1]!);
    return Labels.fromSorted(out);
  }

  *entries(): IterableIterator<[string, string]> {
    const f = this.flat;
    for (let i = 0; i < f.length; i += 2) yield [f[i]!, f[i + 1]!];
  }

  [Symbol.iterator](): IterableIterator<[string, string]> {
    return this.entries();
  }

  /** A string equal exactly for equal label sets; for use as a Map key. Computed once. */
  get key(): string {
    this.#key ??= this.flat.join('\u0000');
    return this.#key;
  }

  equals(other: Labels): boolean {
    return this === other || this.key === other.key;
  }

  /** Order of Prometheus' `labels.Compare`: pair by pair, then by length. */
  static compare(a: Labels, b: Labels): number {
    const n = Math.min(a.flat.length, b.flat.length);
    for (let i = 0; i < n; i++) {
      if (a.flat[i] !== b.flat[i]) return compareUtf8(a.flat[i]!, b.flat[i]!);
    }
    return a.flat.length - b.flat.length;
  }

  toObject(): Record<string, string> {
    const out: Record<string, string> = {};
    const f = this.flat;
    for (let i = 0; i < f.length; i += 2) {
      const n = f[i]!;
      const v = f[i + 1]!;
      // a label may be called __proto__
      if (n === '__proto__')
        Object.defineProperty(out, n, { value: v, enumerable: true, configurable: true, writable: true });
      else out[n] = v;
    }
    return out;
  }

  toJSON(): Record<string, string> {
    return this.toObject();
  }

  /** `name{a="b"}` as Prometheus prints it; names outside the classic alphabet are quoted. */
  toString(): string {
    const name = this.metricName;
    const classicName = name !== '' && isClassicMetricName(name);
    const parts: string[] = [];
    if (name !== '' && !classicName) parts.push(quote(name));
    for (const [n, v] of this.entries()) {
      if (n === METRIC_NAME) continue;
      parts.push(`${isClassicLabelName(n) ? n : quote(n)}=${quote(v)}`);
    }
    if (parts.length === 0) return classicName ? name : '{}';
    return `${classicName ? name : ''}{${parts.join(', ')}}`;
  }

  /** FNV-1a 64 over `name 0xff value 0xff ...`: Prometheus' and Alertmanager's fingerprint, 16 hex digits. */
  fingerprint(): string {
    let bytesMax = 0;
    for (const text of this.flat) bytesMax += text.length * 3 + 1;
    const bytes = bytesMax <= SCRATCH_BYTES ? scratch : Buffer.allocUnsafe(bytesMax);
    let length = 0;
    for (const text of this.flat) {
      length += bytes.write(text, length);
      // no UTF-8 text holds this byte
      bytes[length++] = 0xff;
    }
    return fnv1a64(bytes, length);
  }
}

/** Labels of up to this many UTF-8 bytes are hashed without an allocation. */
const SCRATCH_BYTES = 16_384;
const scratch = Buffer.allocUnsafe(SCRATCH_BYTES);

/** Each alert that comes is hashed: integers of 32 bits take half of what doubles take. */
function fnv1a64(bytes: Uint8Array, length: number): string {
  let high = 0xcbf29ce4 | 0;
  let low = 0x84222325 | 0;
  for (let i = 0; i < length; i++) {
    const mixed = low ^ bytes[i]!;
    // times 0x100000001b3, which is 2^40 + 0x1b3; 16 bits at a time, for such a product never leaves 32 bits
    const lower = (mixed & 0xffff) * 0x1b3;
    const upper = (mixed >>> 16) * 0x1b3 + (lower >>> 16);
    high = (Math.imul(high, 0x1b3) + (upper >>> 16) + (mixed << 8)) | 0;
    low = ((upper & 0xffff) << 16) | (lower & 0xffff);
  }
  return hex(high) + hex(low);
}

const hex = (half: number): string => (half >>> 0).toString(16).padStart(8, '0');

export const isClassicMetricName = (name: string): boolean => /^[a-zA-Z_:][a-zA-Z0-9_:]*$/.test(name);
export const isClassicLabelName = (name: string): boolean => /^[a-zA-Z_][a-zA-Z0-9_]*$/.test(name);

/** Go's strconv.Quote for the characters that occur in labels. */
export function quote(text: string): string {
  return JSON.stringify(text).replace(/\\u00([01][0-9a-f])|\\b|\\f/g, (m, hex: string | undefined) =>
    hex ? `\\x${hex}` : m === '\\b' ? '\\b' : '\\f',
  );
}
