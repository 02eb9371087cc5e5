/**
 * What one target exposed before and what to write now: labels after honor_labels and relabelling are computed once per
 * series; series that disappear get a stale marker. It does no I/O and no timing: the service hands it bodies.
 */
import { VigieError } from '../lib/errors.ts';
import type { Exposition, ExpositionFormat, ExpositionParser, SeriesMemory } from '../model/exposition.ts';
import { Labels, METRIC_NAME } from '../model/labels.ts';
import { type Exemplar, isStale, type MetricMetadata, type Sample, setStale } from '../model/sample.ts';
import type { WriteBatch } from '../store/metrics.ts';
import type { ScrapeConfig } from './config.ts';
import type { Relabel } from './relabel.ts';
import type { Target } from './target.ts';

/** Forgotten series are kept in memory until they outnumber the live ones by this. */
const COMPACT_SLACK = 1_000;
const NEW = 0;
const KEPT = 1;
const DROPPED = 2;

export interface ScrapeOutcome {
  /** Samples in the body. */
  readonly scraped: number;
  /** Of these, left after metric relabelling. */
  readonly kept: number;
  /** Series not there in the scrape before. */
  readonly added: number;
  readonly batch: WriteBatch;
}

/** Columns that all loops of a service share: a batch is valid until the next `take` of any loop. */
export class BatchScratch {
  keyStart = new Uint32Array(1024);
  keyEnd = new Uint32Array(1024);
  sampleStart = new Uint32Array(1025);
  timestamps = new Float64Array(1024);
  values = new Float64Array(1024);
  ids = new Uint32Array(1024);

  reserve(n: number): void {
    if (this.values.length >= n) return;
    const size = Math.max(n, this.values.length * 2);
    this.keyStart = new Uint32Array(size);
    this.keyEnd = new Uint32Array(size);
    this.sampleStart = new Uint32Array(size + 1);
    this.timestamps = new Float64Array(size);
    this.values = new Float64Array(size);
    this.ids = new Uint32Array(size);
  }
}

export class ScrapeLoop {
  readonly #target: Target;
  readonly #config: ScrapeConfig;
  readonly #relabel: Relabel;
  readonly #memory: SeriesMemory;
  readonly #scratch: BatchScratch;
  #state = new Uint8Array(64);
  /** Number of the scrape that saw the series last; only for series whose staleness is tracked. */
  #seen = new Uint32Array(64);
  #scrape = 1;
  #tracked = 0;
  #metadataHash: number | undefined;

  constructor(target: Target, config: ScrapeConfig, relabel: Relabel, memory: SeriesMemory, scratch: BatchScratch) {
    this.#target = target;
    this.#config = config;
    this.#relabel = relabel;
    this.#memory = memory;
    this.#scratch = scratch;
  }

  /** Series that would get a stale marker if the target went away now. */
  get trackedSeries(): number {
    return this.#tracked;
  }

  /** Decodes a body into a batch with stale markers for what is gone. Throws `bad_data`: then nothing was taken. */
  take(body: Uint8Array, format: ExpositionFormat, parser: ExpositionParser, timeMs: number): ScrapeOutcome {
    const { honorTimestamps, trackTimestampsStaleness, classicHistograms, sampleLimit } = this.#config;
    const exposition = parser.parse(body, format, this.#memory, { classicHistograms });
    this.#reserve();
    const fresh = new Map<number, Labels>();
    let added = 0;
    let kept = 0;
    const now = this.#scrape + 1;
    // first pass: everything that can refuse the whole scrape
    for (let i = 0; i < exposition.count; i++) {
      const id = exposition.ids[i]!;
      if (this.#state[id] === NEW) this.#judge(id, fresh);
      if (this.#state[id] === KEPT) kept++;
    }
    if (sampleLimit > 0 && kept > sampleLimit)
      throw new VigieError('too_large', `sample limit exceeded: ${kept} samples, the limit is ${sampleLimit}`);
    const s = this.#scratch;
    s.reserve(kept + this.#tracked);
    const rowOf =
      exposition.histograms.length + exposition.exemplars.length > 0
        ? new Uint32Array(exposition.count).fill(0xffffffff)
        : undefined;
    let row = 0;
    let tracked = 0;
    for (let i = 0; i < exposition.count; i++) {
      const id = exposition.ids[i]!;
      if (this.#state[id] !== KEPT) continue;
      const own = exposition.timestamps[i]!;
      const explicit = honorTimestamps && !Number.isNaN(own);
      if (this.#seen[id] !== now) {
        if (this.#seen[id] !== this.#scrape) added++;
        if (!explicit || trackTimestampsStaleness) {
          this.#seen[id] = now;
          tracked++;
        }
      }
      s.ids[row] = id;
      s.timestamps[row] = explicit ? own : timeMs;
      s.values.set(exposition.values.subarray(i, i + 1), row); // keeps the bits of a NaN
      if (rowOf) rowOf[i] = row;
      row++;
    }
    row = this.#appendStale(this.#scrape, timeMs, row);
    this.#scrape = now;
    this.#tracked = tracked;
    const batch = this.#batch(row, fresh, exposition, rowOf, timeMs);
    return { scraped: exposition.count, kept, added, batch };
  }

  /** Stale markers for everything seen by the last good scrape: the scrape failed, or the target is gone. */
  stale(timeMs: number): WriteBatch | undefined {
    if (this.#tracked === 0) return undefined;
    this.#scratch.reserve(this.#tracked);
    const rows = this.#appendStale(this.#scrape, timeMs, 0);
    this.#scrape++;
    this.#tracked = 0;
    return this.#batch(rows, new Map(), undefined, undefined, timeMs);
  }

  /** Drops what was not seen lately, when that is much. Not while a batch is still read. */
  compact(): void {
    const { count } = this.#memory;
    let live = 0;
    const alive = new Uint8Array(count);
    for (let id = 0; id < count; id++) if (this.#seen[id] === this.#scrape) live += alive[id] = 1;
    if (count < live * 2 + COMPACT_SLACK) return;
    const map = this.#memory.compact(alive);
    const state = new Uint8Array(this.#memory.keyStart.length);
    const seen = new Uint32Array(this.#memory.keyStart.length);
    for (let id = 0; id < count; id++) {
      const to = map[id]!;
      if (to === 0xffffffff) continue;
      state[to] = this.#state[id]!;
      seen[to] = this.#seen[id]!;
    }
    this.#state = state;
    this.#seen = seen;
  }

  /** The target's own series about the scrape (`up` and `scrape_*`), as samples. */
  report(values: Readonly<Record<string, number>>, timeMs: number, stale = false): Sample[] {
    return Object.entries(values).map(([name, value]) => ({
      labels: this.#target.labels.with(METRIC_NAME, name),
      timestampMs: timeMs,
      value,
      ...(stale ? { stale: true } : {}),
    }));
  }

  /** Labels of a series as stored: target labels put on, relabelled. undefined: dropped by relabelling. */
  storedLabels(exposed: Labels): Labels | undefined {
    const target = this.#target.labels;
    const { honorLabels } = this.#config;
    const pairs = new Map<string, string>(exposed.entries());
    for (const [name, value] of target) {
      const own = pairs.get(name);
      if (own !== undefined && honorLabels) continue;
      if (own !== undefined) {
        let renamed = `exported_${name}`;
        while (pairs.has(renamed) || target.has(renamed)) renamed = `exported_${renamed}`;
        pairs.set(renamed, own);
      }
      pairs.set(name, value);
    }
    const relabelled = this.#relabel(Labels.fromPairs(pairs));
    if (!relabelled || relabelled.size === 0) return undefined;
    if (relabelled.metricName === '')
      throw new VigieError('bad_data', `a series has no metric name after relabelling: ${relabelled}`);
    return relabelled;
  }

  #judge(id: number, fresh: Map<number, Labels>): void {
    const labels = this.storedLabels(this.#memory.labels(id));
    if (!labels) {
      this.#state[id] = DROPPED;
      return;
    }
    this.#checkLimits(labels);
    this.#state[id] = KEPT;
    fresh.set(id, labels);
  }

  #checkLimits(labels: Labels): void {
    const { labelLimit, labelNameLengthLimit, labelValueLengthLimit } = this.#config;
    if (labelLimit > 0 && labels.size > labelLimit)
      throw new VigieError(
        'too_large',
        `label_limit exceeded (metric: ${labels.metricName.slice(0, 50)}, number of labels: ${labels.size}, limit: ${labelLimit})`,
      );
    if (labelNameLengthLimit === 0 && labelValueLengthLimit === 0) return;
    for (const [name, value] of labels) {
      if (labelNameLengthLimit > 0 && Buffer.byteLength(name) > labelNameLengthLimit)
        throw new VigieError(
          'too_large',
          `label_name_length_limit exceeded (metric: ${labels.metricName.slice(0, 50)}, label name: ${name.slice(0, 50)}, limit: ${labelNameLengthLimit})`,
        );
      if (labelValueLengthLimit > 0 && Buffer.byteLength(value) > labelValueLengthLimit)
        throw new VigieError(
          'too_large',
          `label_value_length_limit exceeded (metric: ${labels.metricName.slice(0, 50)}, label name: ${name.slice(0, 50)}, limit: ${labelValueLengthLimit})`,
        );
    }
  }

  #appendStale(scrape: number, timeMs: number, from: number): number {
    const s = this.#scratch;
    let row = from;
    for (let id = 0; id < this.#memory.count; id++) {
      if (this.#seen[id] !== scrape || this.#state[id] !== KEPT) continue;
      s.ids[row] = id;
      s.timestamps[row] = timeMs;
      setStale(s.values, row);
      row++;
    }
    return row;
  }

  #batch(
    rows: number,
    fresh: ReadonlyMap<number, Labels>,
    exposition: Exposition | undefined,
    rowOf: Uint32Array | undefined,
    timeMs: number,
  ): WriteBatch {
    const s = this.#scratch;
    const memory = this.#memory;
    const histograms: {
      series: number;
      timestampMs: number;
      histogram: Exposition['histograms'][number]['histogram'];
    }[] = [];
    const exemplars: { series: number; exemplar: Exemplar }[] = [];
    const native = new Set<number>();
    for (const h of exposition?.histograms ?? []) {
      const row = rowOf![h.sample]!;
      if (row === 0xffffffff) continue;
      native.add(row);
      histograms.push({ series: row, timestampMs: s.timestamps[row]!, histogram: h.histogram });
    }
    for (const e of exposition?.exemplars ?? []) {
      const row = rowOf![e.sample]!;
      if (row === 0xffffffff) continue;
      exemplars.push({
        series: row,
        exemplar: { labels: e.labels, value: e.value, timestampMs: e.timestampMs ?? timeMs },
      });
    }
    let at = 0;
    for (let row = 0; row < rows; row++) {
      const id = s.ids[row]!;
      s.keyStart[row] = memory.keyStart[id]!;
      s.keyEnd[row] = memory.keyEnd[id]!;
      s.sampleStart[row] = at;
      // a native histogram has no float sample: close the gap
      if (native.has(row)) continue;
      if (at !== row) {
        s.timestamps[at] = s.timestamps[row]!;
        if (isStale(s.values, row)) setStale(s.values, at);
        else s.values.copyWithin(at, row, row + 1);
      }
      at++;
    }
    s.sampleStart[rows] = at;
    let metadata: readonly MetricMetadata[] | undefined;
    if (exposition && exposition.metadataHash !== this.#metadataHash) {
      this.#metadataHash = exposition.metadataHash;
      metadata = exposition.metadata();
    }
    return {
      seriesCount: rows,
      dialect: 'text',
      keys: memory.bytes,
      keyStart: s.keyStart,
      keyEnd: s.keyEnd,
      labels: (row) => {
        const id = s.ids[row]!;
        return fresh.get(id) ?? this.storedLabels(memory.labels(id)) ?? Labels.EMPTY;
      },
      sampleStart: s.sampleStart,
      timestamps: s.timestamps,
      values: s.values,
      ...(histograms.length > 0 ? { histograms } : {}),
      ...(exemplars.length > 0 ? { exemplars } : {}),
      ...(metadata ? { metadata } : {}),
    };
  }

  #reserve(): void {
    const wanted = this.#memory.keyStart.length;
    if (this.#state.length >= wanted) return;
    const state = new Uint8Array(wanted);
    state.set(this.#state);
    this.#state = state;
    const seen = new Uint32Array(wanted);
    seen.set(this.#seen);
    this.#seen = seen;
  }
}
