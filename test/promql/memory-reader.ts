/** An in-memory MetricsReader for tests of the query API. */
import { Labels } from '../../src/model/labels.ts';
import type { Matcher } from '../../src/model/matcher.ts';
import type { Exemplar, MetricMetadata, SeriesColumns } from '../../src/model/sample.ts';
import type { MetricsReader, TimeRange } from '../../src/store/metrics.ts';
import { MemorySource } from './memory-source.ts';

export class MemoryReader implements MetricsReader {
  readonly data = new MemorySource();
  readonly stored: { readonly labels: Labels; readonly exemplars: readonly Exemplar[] }[] = [];

  #labels(sets: readonly (readonly Matcher[])[], range: TimeRange): Labels[] {
    const found = new Map<string, Labels>();
    for (const matchers of sets.length > 0 ? sets : [[]])
      for (const s of this.data.select(matchers, range)) found.set(s.labels.key, s.labels);
    return [...found.values()].sort(Labels.compare);
  }

  select(matchers: readonly Matcher[], range: TimeRange): readonly SeriesColumns[] {
    return this.data.select(matchers, range);
  }

  async series(sets: readonly (readonly Matcher[])[], range: TimeRange, limit?: number): Promise<Labels[]> {
    return this.#labels(sets, range).slice(0, limit);
  }

  async labelNames(sets: readonly (readonly Matcher[])[], range: TimeRange, limit?: number): Promise<string[]> {
    const names = new Set(this.#labels(sets, range).flatMap((l) => [...l.entries()].map(([n]) => n)));
    return [...names].sort().slice(0, limit);
  }

  async labelValues(
    name: string,
    sets: readonly (readonly Matcher[])[],
    range: TimeRange,
    limit?: number,
  ): Promise<string[]> {
    const values = new Set(this.#labels(sets, range).map((l) => l.get(name)));
    values.delete('');
    return [...values].sort().slice(0, limit);
  }

  async metadata(): Promise<MetricMetadata[]> {
    return [];
  }

  async exemplars(
    sets: readonly (readonly Matcher[])[],
    range: TimeRange,
  ): Promise<{ labels: Labels; exemplars: readonly Exemplar[] }[]> {
    const keys = new Set(this.#labels(sets, { startMs: -1e15, endMs: 1e15 }).map((l) => l.key));
    return this.stored
      .filter((s) => keys.has(s.labels.key))
      .map((s) => ({
        labels: s.labels,
        exemplars: s.exemplars.filter((e) => e.timestampMs >= range.startMs && e.timestampMs <= range.endMs),
      }))
      .filter((s) => s.exemplars.length > 0);
  }
}
