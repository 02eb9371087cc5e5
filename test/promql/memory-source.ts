/** An in-memory SampleSource and the regular expressions of src/regex behind PromQL's port, for tests. */
import { Labels } from '../../src/model/labels.ts';
import type { Matcher } from '../../src/model/matcher.ts';
import type { SeriesColumns } from '../../src/model/sample.ts';
import type { CompileRegex } from '../../src/promql/regex-port.ts';
import type { SampleSource } from '../../src/promql/source.ts';
import { compileRe2 } from '../../src/regex/re2.ts';

export const compileRegex: CompileRegex = (pattern) => {
  const re = compileRe2(pattern, { anchored: true });
  return {
    matches: (text) => re.test(text),
    replace: (text, template) => re.expand(text, template),
  };
};

export class MemorySource implements SampleSource {
  readonly series = new Map<string, SeriesColumns>();

  set(s: SeriesColumns): void {
    this.series.set(s.labels.key, s);
  }

  select(
    matchers: readonly Matcher[],
    range: { readonly startMs: number; readonly endMs: number },
  ): readonly SeriesColumns[] {
    const out: SeriesColumns[] = [];
    for (const s of [...this.series.values()].sort((a, b) => Labels.compare(a.labels, b.labels))) {
      if (!matchers.every((m) => matches(m, s.labels.get(m.name)))) continue;
      let lo = 0;
      while (lo < s.length && s.timestamps[lo]! < range.startMs) lo++;
      let hi = lo;
      while (hi < s.length && s.timestamps[hi]! <= range.endMs) hi++;
      if (hi > lo)
        out.push({
          labels: s.labels,
          length: hi - lo,
          timestamps: s.timestamps.subarray(lo, hi),
          values: s.values.subarray(lo, hi),
          ...(s.histograms && { histograms: s.histograms.slice(lo, hi) }),
        });
    }
    return out;
  }
}

function matches(m: Matcher, value: string): boolean {
  if (m.op === '=') return value === m.value;
  if (m.op === '!=') return value !== m.value;
  return compileRegex(m.value).matches(value) === (m.op === '=~');
}
