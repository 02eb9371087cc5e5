/** Series in memory, to write rule results to and to read from: what rule tests and back-tests of files run on. */
import type { NativeHistogram } from '../../model/histogram.ts';
import { Labels, METRIC_NAME } from '../../model/labels.ts';
import type { CompiledMatcher, Matcher } from '../../model/matcher.ts';
import { type Sample, type SeriesColumns, setStale } from '../../model/sample.ts';
import type { SampleSource } from '../../promql/source.ts';
import type { MetricsWriter, RejectReason, WriteResult } from '../../store/metrics.ts';

/** Samples held; a test or import that needs more is refused by name. */
export const MEMORY_SAMPLES_MAX = 50_000_000;

class Series {
  readonly labels: Labels;
  length = 0;
  timestamps = new Float64Array(16);
  values = new Float64Array(16);
  histograms: (NativeHistogram | undefined)[] | undefined;

  constructor(labels: Labels) {
    this.labels = labels;
  }

  append(
    timeMs: number,
    value: number,
    stale: boolean,
    histogram: NativeHistogram | undefined,
  ): RejectReason | undefined {
    const { length } = this;
    if (length > 0 && timeMs <= this.timestamps[length - 1]!) {
      const last = this.values[length - 1]!;
      if (timeMs < this.timestamps[length - 1]!) return 'out_of_order';
      return !stale && !histogram && Object.is(last, value) ? undefined : 'duplicate_timestamp';
    }
    if (length === this.timestamps.length) {
      this.timestamps = grown(this.timestamps);
      this.values = grown(this.values);
    }
    this.timestamps[length] = timeMs;
    if (stale) setStale(this.values, length);
    else this.values[length] = value;
    if (histogram) (this.histograms ??= [])[length] = histogram;
    this.length++;
    return undefined;
  }
}

function grown(from: Float64Array<ArrayBuffer>): Float64Array<ArrayBuffer> {
  const to = new Float64Array(from.length * 2);
  // as bits: a copy by number could change a stale marker
  new BigUint64Array(to.buffer).set(new BigUint64Array(from.buffer));
  return to;
}

export class MemorySamples implements SampleSource, MetricsWriter {
  readonly #compile: (matcher: Matcher) => CompiledMatcher;
  readonly #series = new Map<string, Series>();
  readonly #byName = new Map<string, Series[]>();
  #samples = 0;

  constructor(compileMatcher: (matcher: Matcher) => CompiledMatcher) {
    this.#compile = compileMatcher;
  }

  get sampleCount(): number {
    return this.#samples;
  }

  /** Appends one sample; answers why it was refused, if it was. */
  add(sample: Sample): RejectReason | undefined {
    let series = this.#series.get(sample.labels.key);
    if (!series) {
      series = new Series(sample.labels);
      this.#series.set(sample.labels.key, series);
      const name = sample.labels.metricName;
      const list = this.#byName.get(name);
      if (list) list.push(series);
      else this.#byName.set(name, [series]);
    }
    if (this.#samples >= MEMORY_SAMPLES_MAX) return 'rate_quota';
    const refused = series.append(sample.timestampMs, sample.value, sample.stale === true, sample.histogram);
    if (refused === undefined) this.#samples++;
    return refused;
  }

  async appendSamples(samples: readonly Sample[]): Promise<WriteResult> {
    const rejected: Partial<Record<RejectReason, number>> = {};
    let accepted = 0;
    for (const s of samples) {
      const refused = this.add(s);
      if (refused === undefined) accepted++;
      else rejected[refused] = (rejected[refused] ?? 0) + 1;
    }
    const examples = Object.keys(rejected).map((r) => `${r}: ${samples[0]!.labels.toString()}`);
    return { samplesAccepted: accepted, histogramsAccepted: 0, exemplarsAccepted: 0, rejected, examples };
  }

  append(): Promise<WriteResult> {
    return Promise.reject(new Error('BUG: batches are not written to memory'));
  }

  select(
    matchers: readonly Matcher[],
    range: { readonly startMs: number; readonly endMs: number },
  ): readonly SeriesColumns[] {
    const name = matchers.find((m) => m.name === METRIC_NAME && m.op === '=');
    const candidates = name ? (this.#byName.get(name.value) ?? []) : [...this.#series.values()];
    const compiled = matchers.filter((m) => m !== name).map((m) => this.#compile(m));
    const out: SeriesColumns[] = [];
    for (const s of candidates) {
      if (!compiled.every((m) => m.matches(s.labels.get(m.name)))) continue;
      const lo = firstAtOrAfter(s.timestamps, s.length, range.startMs);
      const hi = firstAtOrAfter(s.timestamps, s.length, range.endMs + 1);
      if (hi <= lo) continue;
      const histograms = s.histograms?.slice(lo, hi);
      out.push({
        labels: s.labels,
        length: hi - lo,
        timestamps: s.timestamps.subarray(lo, hi),
        values: s.values.subarray(lo, hi),
        ...(histograms?.some((h) => h !== undefined) && { histograms }),
      });
    }
    return out.sort((a, b) => Labels.compare(a.labels, b.labels));
  }
}

function firstAtOrAfter(ts: Float64Array, length: number, t: number): number {
  let lo = 0;
  let hi = length;
  while (lo < hi) {
    const mid = (lo + hi) >> 1;
    if (ts[mid]! < t) lo = mid + 1;
    else hi = mid;
  }
  return lo;
}
