/** What PromQL reads from: one select. Structurally the metrics store's reader; no I/O of its own. */
import type { Matcher } from '../model/matcher.ts';
import type { SeriesColumns } from '../model/sample.ts';

export interface SelectHints {
  readonly stepMs?: number;
  readonly func?: string;
  readonly rangeMs?: number;
  /** Only the newest sample of each series in the range is looked at: the answer may leave out the others. */
  readonly lastOnly?: boolean;
  readonly seriesMax?: number;
  readonly samplesMax?: number;
  readonly signal?: AbortSignal;
  readonly warn?: (message: string) => void;
}

export interface SampleSource {
  /** All matching series with their samples in the closed range, stale markers included, in any order. */
  select(
    matchers: readonly Matcher[],
    range: { readonly startMs: number; readonly endMs: number },
    hints?: SelectHints,
  ): readonly SeriesColumns[] | Promise<readonly SeriesColumns[]>;
}
