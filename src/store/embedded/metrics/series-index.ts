/**
 * The label index of one tenant: strings as small integers, label sets in one flat column, postings per label pair.
 * A series is a small integer (ref). It holds no samples and knows no other tenant; regular expressions arrive
 * compiled (CompileMatcher).
 */
import { randomInt } from 'node:crypto';
import { Labels, METRIC_NAME } from '../../../model/labels.ts';
import type { CompiledMatcher, Matcher } from '../../../model/matcher.ts';
import type { CompileMatcher } from '../../metrics.ts';

export const NO_SERIES = 0xffffffff;
const SEED = randomInt(2 ** 32);
/** Metric names whose last change is remembered; then all count as changed once. */
const NAME_VERSIONS_MAX = 10_000;

interface Postings {
  refs: Uint32Array<ArrayBuffer>;
  length: number;
  sorted: boolean;
}

/** A pair that one series alone carries is its bare ref: half of all pairs of a large tenant are of this kind. */
type Entry = number | Postings;

export class SeriesIndex {
  /** Highest ref + 1; refs of forgotten series are used again. */
  size = 0;
  alive = 0;
  readonly strings: string[] = [];
  /** Changes whenever a series came or went. */
  version = 0;
  /** Changes whenever a series went: until then refs keep their meaning. */
  removals = 0;
  /** `version` of the last change among the series of a metric name. */
  readonly #nameVersions = new Map<string, number>();
  /** Of names that are not in the map. */
  #oldNames = 0;
  readonly #ids = new Map<string, number>();
  readonly #names = new Map<number, Map<number, Entry>>();
  /** Label ids of series r: `#pool[#start[r] .. #start[r] + 2 * #count[r])`. */
  #pool = new Uint32Array(256);
  #poolUsed = 0;
  #start = new Uint32Array(16);
  #count = new Uint16Array(16);
  #hashes = new Uint32Array(16);
  /** Open addressing: ref + 1, 0 for empty. */
  #slots = new Uint32Array(64);
  #labels: (Labels | undefined)[] = [];
  readonly #free: number[] = [];
  readonly #freeStrings: number[] = [];
  readonly #compile: CompileMatcher;

  constructor(compile: CompileMatcher) {
    this.#compile = compile;
  }

  /** Bytes held, estimated from the columns and the strings. */
  get memoryBytes(): number {
    return this.#pool.byteLength + this.#start.byteLength * 3 + this.#slots.byteLength + this.strings.length * 90;
  }

  isAlive(ref: number): boolean {
    return ref < this.size && this.#count[ref] !== 0;
  }

  /** Changes whenever a series of this metric name came or went. */
  nameVersion(name: string): number {
    return this.#nameVersions.get(name) ?? this.#oldNames;
  }

  #changed(metricName: string): void {
    this.version++;
    if (this.#nameVersions.size >= NAME_VERSIONS_MAX) {
      this.#nameVersions.clear();
      this.#oldNames = this.version;
    }
    this.#nameVersions.set(metricName, this.version);
  }

  /** The ref of the label set, or NO_SERIES. */
  find(labels: Labels): number {
    const flat = labels.flat;
    let hash = SEED;
    for (let i = 0; i < flat.length; i++) {
      const id = this.#ids.get(flat[i]!);
      if (id === undefined) return NO_SERIES;
      hash = mix(hash, id);
    }
    const mask = this.#slots.length - 1;
    for (let s = finish(hash) & mask; this.#slots[s] !== 0; s = (s + 1) & mask) {
      const ref = this.#slots[s]! - 1;
      if (this.#hashes[ref] === hash >>> 0 && this.#equals(ref, flat)) return ref;
    }
    return NO_SERIES;
  }

  /** Adds a label set that `find` did not find; it must not be empty. */
  add(labels: Labels): number {
    this.#changed(labels.metricName);
    const flat = labels.flat;
    const ref = this.#free.pop() ?? this.size++;
    if (ref >= this.#start.length) this.#growSeries();
    if (this.#poolUsed + flat.length > this.#pool.length) this.#pool = grown(this.#pool, this.#poolUsed + flat.length);
    this.#start[ref] = this.#poolUsed;
    this.#count[ref] = flat.length / 2;
    let hash = SEED;
    for (let i = 0; i < flat.length; i++) {
      const id = this.#intern(flat[i]!);
      this.#pool[this.#poolUsed++] = id;
      hash = mix(hash, id);
    }
    this.#hashes[ref] = hash;
    this.alive++;
    if (this.alive * 2 > this.#slots.length) this.#rehash(this.#slots.length * 2);
    else this.#place(ref);
    for (let i = this.#start[ref]!; i < this.#poolUsed; i += 2) this.#post(this.#pool[i]!, this.#pool[i + 1]!, ref);
    return ref;
  }

  labels(ref: number): Labels {
    let found = this.#labels[ref];
    if (!found) this.#labels[ref] = found = this.#build(ref);
    return found;
  }

  /** The same labels for one look: what passes over all series must not leave an object for each of them behind. */
  peek(ref: number): Labels {
    return this.#labels[ref] ?? this.#build(ref);
  }

  #build(ref: number): Labels {
    const flat: string[] = [];
    const start = this.#start[ref]!;
    for (let i = start; i < start + 2 * this.#count[ref]!; i++) flat.push(this.strings[this.#pool[i]!]!);
    return Labels.fromSorted(flat);
  }

  /** Forgets series; their refs will name others later. */
  remove(refs: readonly number[]): void {
    if (refs.length === 0) return;
    this.removals++;
    const nameId = this.#ids.get(METRIC_NAME) ?? NO_SERIES;
    for (const ref of refs) {
      const id = this.valueId(ref, nameId);
      this.#changed(id === NO_SERIES ? '' : this.strings[id]!);
    }
    const gone = new Uint8Array(this.size);
    for (const ref of refs) gone[ref] = 1;
    const names = new Set<number>();
    const shrunk = new Map<Postings, readonly [name: number, value: number]>();
    for (const ref of refs) {
      const start = this.#start[ref]!;
      for (let i = start; i < start + 2 * this.#count[ref]!; i += 2) {
        const name = this.#pool[i]!;
        const value = this.#pool[i + 1]!;
        const entries = this.#names.get(name)!;
        const entry = entries.get(value);
        names.add(name);
        if (typeof entry === 'number') entries.delete(value);
        else if (entry) shrunk.set(entry, [name, value]);
      }
      this.#count[ref] = 0;
      this.#labels[ref] = undefined;
      this.#free.push(ref);
      this.alive--;
    }
    for (const [entry, [name, value]] of shrunk) {
      let n = 0;
      for (let i = 0; i < entry.length; i++) if (gone[entry.refs[i]!] === 0) entry.refs[n++] = entry.refs[i]!;
      entry.length = n;
      if (n === 0) this.#names.get(name)!.delete(value);
    }
    for (const name of names) if (this.#names.get(name)!.size === 0) this.#names.delete(name);
    this.#compactPool();
    this.#forgetStrings();
    this.#rehash(this.#slots.length);
  }

  /** Refs of all series that match, ascending. */
  select(matchers: readonly Matcher[]): Uint32Array {
    const lists: Uint32Array[] = [];
    const late: CompiledMatcher[] = [];
    for (const matcher of matchers) {
      const m = this.#compile(matcher);
      const matchesAbsent = m.matches('');
      if (matchesAbsent) {
        late.push(m);
        continue;
      }
      const found = this.#matching(m);
      if (found.length === 0) return found;
      lists.push(found);
    }
    // the shortest first: the others are only searched
    if (lists.length > 1) lists.sort((a, b) => a.length - b.length);
    let result = lists[0];
    for (let i = 1; i < lists.length && result!.length > 0; i++) result = intersect(result!, lists[i]!);
    // a single list is the index's own, which goes on changing
    if (lists.length === 1) result = result!.slice();
    if (!result) {
      result = new Uint32Array(this.alive);
      let n = 0;
      for (let ref = 0; ref < this.size; ref++) if (this.#count[ref] !== 0) result[n++] = ref;
    }
    for (const m of late) result = this.#filter(result, m);
    return result;
  }

  /** Ids of the values of label `name` on a series, for aggregations over series; 0xffffffff when absent. */
  valueId(ref: number, nameId: number): number {
    const start = this.#start[ref]!;
    for (let i = start; i < start + 2 * this.#count[ref]!; i += 2)
      if (this.#pool[i] === nameId) return this.#pool[i + 1]!;
    return NO_SERIES;
  }

  idOf(text: string): number | undefined {
    return this.#ids.get(text);
  }

  *labelNames(): IterableIterator<string> {
    for (const id of this.#names.keys()) yield this.strings[id]!;
  }

  *labelValues(name: string): IterableIterator<readonly [value: string, series: number]> {
    const id = this.#ids.get(name);
    const entries = id === undefined ? undefined : this.#names.get(id);
    if (!entries) return;
    for (const [value, e] of entries) yield [this.strings[value]!, typeof e === 'number' ? 1 : e.length];
  }

  /** Refs with a value that matches, ascending. May be a view of the index: to be read at once, not kept. */
  #matching(m: CompiledMatcher): Uint32Array {
    const nameId = this.#ids.get(m.name);
    const entries = nameId === undefined ? undefined : this.#names.get(nameId);
    if (!entries) return new Uint32Array(0);
    const literals = m.op === '=' ? [m.value] : m.op === '=~' ? m.literals : undefined;
    if (literals?.length === 1) {
      const id = this.#ids.get(literals[0]!);
      const entry = id === undefined ? undefined : entries.get(id);
      return entry === undefined ? new Uint32Array(0) : refsOf(entry);
    }
    const found = new Union();
    if (literals) {
      for (const literal of new Set(literals)) {
        const id = this.#ids.get(literal);
        const entry = id === undefined ? undefined : entries.get(id);
        if (entry !== undefined) found.add(entry);
      }
    } else {
      for (const [value, entry] of entries) if (m.matches(this.strings[value]!)) found.add(entry);
    }
    return found.ascending();
  }

  #filter(refs: Uint32Array, m: CompiledMatcher): Uint32Array {
    const nameId = this.#ids.get(m.name);
    if (nameId === undefined) return refs;
    const verdicts = new Map<number, boolean>();
    const out = new Uint32Array(refs.length);
    let n = 0;
    for (const ref of refs) {
      const id = this.valueId(ref, nameId);
      let ok = id === NO_SERIES ? true : verdicts.get(id);
      if (ok === undefined) verdicts.set(id, (ok = m.matches(this.strings[id]!)));
      if (ok) out[n++] = ref;
    }
    return out.subarray(0, n);
  }

  #intern(text: string): number {
    let id = this.#ids.get(text);
    if (id === undefined) {
      id = this.#freeStrings.pop() ?? this.strings.length;
      this.strings[id] = text;
      this.#ids.set(text, id);
    }
    return id;
  }

  #post(name: number, value: number, ref: number): void {
    let entries = this.#names.get(name);
    if (!entries) this.#names.set(name, (entries = new Map()));
    const entry = entries.get(value);
    if (entry === undefined) entries.set(value, ref);
    else if (typeof entry === 'number') {
      const refs = new Uint32Array(4);
      refs[0] = entry;
      refs[1] = ref;
      entries.set(value, { refs, length: 2, sorted: entry < ref });
    } else {
      if (entry.length === entry.refs.length) entry.refs = grown(entry.refs, entry.length + 1);
      if (entry.length > 0 && ref < entry.refs[entry.length - 1]!) entry.sorted = false;
      entry.refs[entry.length++] = ref;
    }
  }

  #equals(ref: number, flat: readonly string[]): boolean {
    if (this.#count[ref]! * 2 !== flat.length) return false;
    const start = this.#start[ref]!;
    for (let i = 0; i < flat.length; i++) if (this.strings[this.#pool[start + i]!] !== flat[i]) return false;
    return true;
  }

  #place(ref: number): void {
    const mask = this.#slots.length - 1;
    let s = finish(this.#hashes[ref]!) & mask;
    while (this.#slots[s] !== 0) s = (s + 1) & mask;
    this.#slots[s] = ref + 1;
  }

  #rehash(size: number): void {
    this.#slots = new Uint32Array(size);
    for (let ref = 0; ref < this.size; ref++) if (this.#count[ref] !== 0) this.#place(ref);
  }

  #growSeries(): void {
    this.#start = grown(this.#start, this.size);
    const count = new Uint16Array(this.#start.length);
    count.set(this.#count);
    this.#count = count;
    this.#hashes = grown(this.#hashes, this.size);
  }

  /** Strings that no series uses any more are dropped, their ids used again: pods come and go. */
  #forgetStrings(): void {
    const used = new Uint8Array(this.strings.length);
    for (let i = 0; i < this.#poolUsed; i++) used[this.#pool[i]!] = 1;
    for (let id = 0; id < used.length; id++) {
      const text = this.strings[id]!;
      if (used[id] === 1 || this.#ids.get(text) !== id) continue;
      this.#ids.delete(text);
      this.strings[id] = '';
      this.#freeStrings.push(id);
    }
  }

  #compactPool(): void {
    let live = 0;
    for (let ref = 0; ref < this.size; ref++) live += 2 * this.#count[ref]!;
    const pool = new Uint32Array(Math.max(256, live + (live >> 1)));
    let used = 0;
    for (let ref = 0; ref < this.size; ref++) {
      const n = 2 * this.#count[ref]!;
      pool.set(this.#pool.subarray(this.#start[ref]!, this.#start[ref]! + n), used);
      this.#start[ref] = used;
      used += n;
    }
    this.#pool = pool;
    this.#poolUsed = used;
  }
}

const mix = (hash: number, id: number): number => {
  hash = Math.imul(hash ^ id, 0x9e3779b1);
  return (hash ^ (hash >>> 15)) >>> 0;
};
const finish = (hash: number): number => {
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  return (hash ^ (hash >>> 13)) >>> 0;
};

function grown(from: Uint32Array<ArrayBuffer>, least: number): Uint32Array<ArrayBuffer> {
  const to = new Uint32Array(Math.max(from.length * 2, least));
  to.set(from);
  return to;
}

function refsOf(entry: Entry): Uint32Array {
  if (typeof entry === 'number') return Uint32Array.of(entry);
  if (!entry.sorted) {
    entry.refs.subarray(0, entry.length).sort();
    entry.sorted = true;
  }
  return entry.refs.subarray(0, entry.length);
}

/**
 * Refs of several values of one label. They exclude each other, so there are no duplicates to remove; most values have one
 * series alone, which costs no list of its own here.
 */
class Union {
  #refs = new Uint32Array(64);
  #length = 0;
  #sorted = true;

  add(entry: Entry): void {
    const first = typeof entry === 'number' ? entry : undefined;
    const list = first === undefined ? refsOf(entry) : undefined;
    const n = list?.length ?? 1;
    if (n === 0) return;
    if (this.#length + n > this.#refs.length) this.#refs = grown(this.#refs, this.#length + n);
    if (this.#length > 0 && (first ?? list![0]!) < this.#refs[this.#length - 1]!) this.#sorted = false;
    if (list) this.#refs.set(list, this.#length);
    else this.#refs[this.#length] = first!;
    this.#length += n;
  }

  ascending(): Uint32Array {
    const found = this.#refs.subarray(0, this.#length);
    return this.#sorted ? found : found.sort();
  }
}

/** So many times longer, a list is searched by halving instead of being walked. */
const SEARCH_RATIO = 16;

/** What is in both; `a` is the shorter one. */
function intersect(a: Uint32Array, b: Uint32Array): Uint32Array {
  const out = new Uint32Array(a.length);
  let n = 0;
  if (b.length > SEARCH_RATIO * a.length) {
    let low = 0;
    for (let i = 0; i < a.length; i++) {
      const x = a[i]!;
      let high = b.length;
      while (low < high) {
        const middle = (low + high) >>> 1;
        if (b[middle]! < x) low = middle + 1;
        else high = middle;
      }
      if (low < b.length && b[low] === x) out[n++] = x;
    }
    return out.subarray(0, n);
  }
  for (let i = 0, j = 0; i < a.length && j < b.length; ) {
    const x = a[i]!;
    const y = b[j]!;
    if (x === y) {
      out[n++] = x;
      i++;
      j++;
    } else if (x < y) i++;
    else j++;
  }
  return out.subarray(0, n);
}
