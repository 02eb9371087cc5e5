/** Leaves: the newest sample of each series of a selector, and range functions over the recent samples of each. */
import { type Labels, METRIC_NAME } from '../../model/labels.ts';
import type { Matcher } from '../../model/matcher.ts';
import { isStale, type SeriesColumns } from '../../model/sample.ts';
import {
  type Extrapolation,
  extrapolateInto,
  findResets,
  type Kernel,
  type Window,
} from '../../promql/range-functions.ts';
import { type Cycle, VectorNode } from './node.ts';
import type { Rings } from './rings.ts';
import { FallBack } from './source.ts';

/** Kept beyond what is needed, for evaluations behind the newest sample. */
const BEHIND_MS = 60_000;
const NO_RESETS = new Int32Array(0);

export abstract class LeafNode extends VectorNode {
  readonly #matchers: readonly Matcher[];
  readonly #keepMs: number;
  readonly #offsetMs: number;
  #seriesVersion = -1;
  #selection = -1;
  protected refs: ArrayLike<number> = [];
  /** Ring of each series, by id. */
  protected slots: Int32Array = new Int32Array(0);
  protected names: Labels[] = [];
  /** Labels of the series as the store has them, by id. */
  protected series: readonly Labels[] = [];
  #opened = new Map<Labels, number>();
  /** Stamp of the last computation, and whether any series was irregular then. */
  #computedAt = -1;
  #irregular = false;
  /** Series that had any sample in the window, stale markers included. */
  found = 0;
  readonly #slotOf: SlotTable;

  /** Looks at `keepMs` up to `offsetMs` before the time of an evaluation. */
  constructor(matchers: readonly Matcher[], keepMs: number, offsetMs: number, slotOf: SlotTable) {
    super([]);
    this.#matchers = matchers;
    this.#keepMs = keepMs;
    this.#offsetMs = offsetMs;
    this.#slotOf = slotOf;
  }

  labels(id: number): Labels {
    return this.names[id]!;
  }

  protected abstract rename(labels: Labels): Labels;

  protected refreshSeries(cycle: Cycle): void {
    if (this.#seriesVersion === cycle.seriesVersion) return;
    const selection = cycle.source.selectionVersion(this.#matchers);
    if (this.#selection === selection) {
      this.#seriesVersion = cycle.seriesVersion;
      return;
    }
    this.#selection = selection;
    const refs = cycle.source.select(this.#matchers);
    const n = refs.length;
    if (this.#unchanged(refs, cycle)) {
      this.#seriesVersion = cycle.seriesVersion;
      return;
    }
    const opened = new Map<Labels, number>();
    let same = n === this.refs.length;
    const slots = new Int32Array(n);
    for (let i = 0; i < n; i++) {
      const labels = cycle.source.labels(refs[i]!);
      let slot = this.#opened.get(labels);
      if (slot === undefined) {
        same = false;
        slot = this.#slotOf.take(labels, cycle.rings);
        cycle.rings.need(slot, this.#keepMs + this.#offsetMs + BEHIND_MS);
      } else if (refs[i] !== this.refs[i]) same = false;
      opened.set(labels, slot);
      slots[i] = slot;
    }
    for (const [labels] of this.#opened) if (!opened.has(labels)) this.#slotOf.give(labels, cycle.rings);
    this.#opened = opened;
    this.#seriesVersion = cycle.seriesVersion;
    if (same) return;
    this.series = [...opened.keys()];
    this.refs = refs;
    this.slots = slots;
    const names = this.series.map((l) => this.rename(l));
    this.resize(n);
    this.names = names;
    if (new Set(names.map((l) => l.key)).size !== n) this.names = [];
  }

  /** Series came or went, but none of these. */
  #unchanged(refs: ArrayLike<number>, cycle: Cycle): boolean {
    const { series } = this;
    if (refs.length !== series.length) return false;
    for (let i = 0; i < series.length; i++)
      if (refs[i] !== this.refs[i] || cycle.source.labels(refs[i]!) !== series[i]) return false;
    return true;
  }

  override dispose(rings: Rings): void {
    for (const [labels] of this.#opened) this.#slotOf.give(labels, rings);
    this.#opened = new Map();
    this.refs = [];
    this.series = [];
    this.#seriesVersion = -1;
    this.#selection = -1;
  }

  /** No series came or went, and none has a new sample. */
  protected override holds(cycle: Cycle): boolean {
    const { shape, refs, slots } = this;
    this.refreshSeries(cycle);
    const fromMs = cycle.timeMs - this.#offsetMs - this.#keepMs + 1;
    if (this.shape !== shape || this.#irregular || cycle.irregular || fromMs < cycle.memoryFromMs) return false;
    const { rings, stamp } = cycle;
    for (let id = 0; id < slots.length; id++) {
      const slot = slots[id]!;
      if (!rings.refresh(slot, refs[id]!, fromMs, stamp) || rings.changedAt[slot]! > this.#computedAt) return false;
    }
    return true;
  }

  protected compute(cycle: Cycle): void {
    this.refreshSeries(cycle);
    this.#computedAt = cycle.stamp;
    this.#irregular = cycle.irregular;
    if (this.names.length !== this.size) throw new FallBack('ambiguous_labels');
    this.n = 0;
    this.found = 0;
    const atMs = cycle.timeMs - this.#offsetMs;
    this.begin(cycle, atMs);
    const fromMs = atMs - this.#keepMs + 1;
    if (fromMs < cycle.memoryFromMs) throw new FallBack('older_than_memory');
    const { refs, slots } = this;
    const { rings, source, stamp, irregular } = cycle;
    for (let id = 0; id < refs.length; id++) {
      const ref = refs[id]!;
      if (irregular) {
        const how = source.irregularity(ref);
        if (how === 'histograms') throw new FallBack('native_histograms');
        if (how === 'disordered') {
          this.#fromStore(cycle, id, ref, fromMs, atMs);
          continue;
        }
      }
      if (rings.refresh(slots[id]!, ref, fromMs, stamp)) this.fromRing(rings, id, slots[id]!, atMs);
      else this.#fromStore(cycle, id, ref, fromMs, atMs);
    }
  }

  #fromStore(cycle: Cycle, id: number, ref: number, fromMs: number, atMs: number): void {
    const s = cycle.source.window(ref, fromMs, atMs);
    if (!s || s.length === 0) return;
    if (s.histograms) throw new FallBack('native_histograms');
    this.found++;
    this.fromColumns(id, s);
  }

  /** Before the series of one evaluation, whose windows end at `atMs`. */
  protected begin(_cycle: Cycle, _atMs: number): void {}

  protected abstract fromRing(rings: Rings, id: number, slot: number, atMs: number): void;
  protected abstract fromColumns(id: number, s: SeriesColumns): void;
}

/** Rings are shared by all leaves that read a series; the last to let go frees it. */
export class SlotTable {
  readonly #bySeries = new Map<Labels, { readonly slot: number; users: number }>();

  take(labels: Labels, rings: Rings): number {
    let entry = this.#bySeries.get(labels);
    if (!entry) this.#bySeries.set(labels, (entry = { slot: rings.open(), users: 0 }));
    entry.users++;
    return entry.slot;
  }

  give(labels: Labels, rings: Rings): void {
    const entry = this.#bySeries.get(labels);
    if (!entry || --entry.users > 0) return;
    rings.close(entry.slot);
    this.#bySeries.delete(labels);
  }

  get size(): number {
    return this.#bySeries.size;
  }
}

export class SelectorNode extends LeafNode {
  readonly #lookbackMs: number;

  constructor(matchers: readonly Matcher[], lookbackMs: number, offsetMs: number, slotOf: SlotTable) {
    super(matchers, lookbackMs, offsetMs, slotOf);
    this.#lookbackMs = lookbackMs;
  }

  protected rename(labels: Labels): Labels {
    return labels;
  }

  protected fromRing(rings: Rings, id: number, slot: number, atMs: number): void {
    const base = rings.base[slot]!;
    const { times } = rings;
    let at = base + rings.end[slot]! - 1;
    const first = base + rings.start[slot]!;
    while (at >= first && times[at]! > atMs) at--;
    if (at < first || times[at]! <= atMs - this.#lookbackMs) return;
    this.found++;
    this.#put(id, rings.values, at);
  }

  protected fromColumns(id: number, s: SeriesColumns): void {
    this.#put(id, s.values, s.length - 1);
  }

  #put(id: number, values: Float64Array, at: number): void {
    const v = values[at]!;
    if (Number.isNaN(v) && isStale(values, at)) return;
    this.ids[this.n] = id;
    this.values[this.n++] = v;
  }
}

export interface RangeFunction {
  readonly kernel: Kernel;
  /** Of rate, increase and delta: most windows are theirs. */
  readonly extrapolation: Extrapolation | undefined;
  readonly rangeMs: number;
  readonly offsetMs: number;
  readonly keepsName: boolean;
  /** Counters need to know where the series falls. */
  readonly counter: boolean;
  readonly p1: number;
  readonly p2: number;
}

export class RangeNode extends LeafNode {
  readonly #f: RangeFunction;
  readonly #window: Window;

  constructor(matchers: readonly Matcher[], f: RangeFunction, slotOf: SlotTable) {
    super(matchers, f.rangeMs, f.offsetMs, slotOf);
    this.#f = f;
    this.#window = {
      timeMs: 0,
      endMs: 0,
      rangeMs: f.rangeMs,
      p1: f.p1,
      p2: f.p2,
      none: false,
      resets: NO_RESETS,
      resetLo: 0,
    };
  }

  protected override begin(cycle: Cycle, atMs: number): void {
    this.#window.timeMs = cycle.timeMs;
    this.#window.endMs = atMs;
  }

  protected rename(labels: Labels): Labels {
    return this.#f.keepsName ? labels : labels.without(METRIC_NAME);
  }

  protected fromRing(rings: Rings, id: number, slot: number, atMs: number): void {
    const { times } = rings;
    const base = rings.base[slot]!;
    const first = base + rings.start[slot]!;
    let hi = base + rings.end[slot]!;
    while (hi > first && times[hi - 1]! > atMs) hi--;
    const fromMs = atMs - this.#f.rangeMs;
    if (hi === first || times[hi - 1]! <= fromMs) return;
    // the first sample inside the window: samples mostly stand at even distances, so it is near where that says
    let lo = first;
    if (hi - first > 1) {
      const newest = times[hi - 1]!;
      lo = hi - 1 - Math.floor((newest - fromMs) / (newest - times[hi - 2]!));
      if (lo < first) lo = first;
    }
    while (lo > first && times[lo - 1]! > fromMs) lo--;
    while (times[lo]! <= fromMs) lo++;
    this.found++;
    if (rings.lastStale[slot]! > fromMs) {
      this.#withoutStale(id, times.subarray(lo, hi), rings.values.subarray(lo, hi));
      return;
    }
    const resets = this.#f.counter && rings.lastReset[slot]! > times[lo]! ? resetsIn(rings.values, lo, hi) : NO_RESETS;
    this.#run(id, times, rings.values, lo, hi, resets);
  }

  protected fromColumns(id: number, s: SeriesColumns): void {
    this.#withoutStale(id, s.timestamps.subarray(0, s.length), s.values.subarray(0, s.length));
  }

  #withoutStale(id: number, times: Float64Array, values: Float64Array): void {
    const n = times.length;
    const t = new Float64Array(n);
    const v = new Float64Array(n);
    let k = 0;
    for (let i = 0; i < n; i++) {
      if (Number.isNaN(values[i]!) && isStale(values, i)) continue;
      t[k] = times[i]!;
      v[k++] = values[i]!;
    }
    if (k > 0) this.#run(id, t, v, 0, k, this.#f.counter ? findResets(v, k) : NO_RESETS);
  }

  #run(id: number, t: Float64Array, v: Float64Array, lo: number, hi: number, resets: Int32Array): void {
    const w = this.#window;
    w.resets = resets;
    w.resetLo = 0;
    const { extrapolation } = this.#f;
    if (extrapolation) {
      if (!extrapolateInto(extrapolation, t, v, lo, hi, w, this.values, this.n)) return;
    } else {
      w.none = false;
      const result = this.#f.kernel(t, v, lo, hi, w);
      if (w.none) return;
      this.values[this.n] = result;
    }
    this.ids[this.n++] = id;
  }
}

function resetsIn(values: Float64Array, lo: number, hi: number): Int32Array {
  const out: number[] = [];
  for (let i = lo + 1; i < hi; i++) if (values[i]! < values[i - 1]!) out.push(i);
  return Int32Array.from(out);
}
