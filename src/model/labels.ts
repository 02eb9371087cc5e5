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
    fnvHigh = 0xcbf29ce4;
    fnvLow = 0x84222325;
    for (const part of this.flat) {
      let ascii = true;
      for (let i = 0; i < part.length; i++) if (part.charCodeAt(i) > 0x7f) ascii = false;
      if (ascii) for (let i = 0; i < part.length; i++) fnv(part.charCodeAt(i));
      else for (const byte of Buffer.from(part, 'utf8')) fnv(byte);
      fnv(0xff);
    }
    return fnvHigh.toString(16).padStart(8, '0') + fnvLow.toString(16).padStart(8, '0');
  }
}

let fnvHigh = 0;
let fnvLow = 0;

/** One byte of FNV-1a 64, in two halves: the prime is 2^40 + 0x1b3. */
function fnv(byte: number): void {
  const low = (fnvLow ^ byte) >>> 0;
  const bottom = (low & 0xffff) * 0x1b3;
  const middle = (low >>> 16) * 0x1b3 + (bottom >>> 16);
  fnvLow = ((middle << 16) | (bottom & 0xffff)) >>> 0;
  fnvHigh = (Math.imul(fnvHigh, 0x1b3) + (low << 8) + Math.floor(middle / 0x10000)) >>> 0;
}

export const isClassicMetricName = (name: string): boolean => /^[a-zA-Z_:][a-zA-Z0-9_:]*$/.test(name);
export const isClassicLabelName = (name: string): boolean => /^[a-zA-Z_][a-zA-Z0-9_]*$/.test(name);

/** Go's strconv.Quote for the characters that occur in labels. */
export function quote(text: string): string {
  return JSON.stringify(text).replace(/\\u00([01][0-9a-f])|\\b|\\f/g, (m, hex: string | undefined) =>
    hex ? `\\x${hex}` : m === '\\b' ? '\\b' : '\\f',
  );
}
