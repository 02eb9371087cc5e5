/** Native histograms through the engine: arithmetic, schema reduction, resets, quantiles, mixed series. */
import { describe, expect, it } from 'vitest';
import { compileRegex, MemorySource } from '../../test/promql/memory-source.ts';
import type { NativeHistogram } from '../model/histogram.ts';
import { Labels } from '../model/labels.ts';
import { QueryEngine } from './engine.ts';
import { addHistograms, detectReset } from './native-histogram.ts';

const exponential = (scale: number, over: Partial<NativeHistogram> = {}): NativeHistogram => ({
  schema: 0,
  zeroThreshold: 0.001,
  zeroCount: 0,
  count: 4 * scale,
  sum: 10 * scale,
  positiveSpans: [{ offset: 0, length: 2 }],
  positiveBuckets: [2 * scale, 2 * scale],
  negativeSpans: [],
  negativeBuckets: [],
  counterResetHint: 'unknown',
  ...over,
});

const source = new MemorySource();
const put = (labels: Record<string, string>, list: readonly (NativeHistogram | number)[]): void => {
  source.set({
    labels: Labels.from(labels),
    length: list.length,
    timestamps: Float64Array.from(list, (_, i) => i * 60_000),
    values: Float64Array.from(list, (v) => (typeof v === 'number' ? v : 0)),
    histograms: list.map((v) => (typeof v === 'number' ? undefined : v)),
  });
};
put(
  { __name__: 'h', job: 'a' },
  [1, 2, 3, 4, 5, 6].map((k) => exponential(k)),
);
put(
  { __name__: 'h', job: 'b' },
  [5, 6, 1, 2, 3, 4].map((k) => exponential(k)),
);
put({ __name__: 'mixed' }, [exponential(1), 5, exponential(2)]);
const engine = new QueryEngine({ compileRegex, monotonicMs: () => 0 });

async function answer(
  query: string,
): Promise<{ values: Record<string, number | NativeHistogram>; notes: readonly string[] }> {
  const r = await engine.instant(source, query, 300_000);
  if (r.value.type !== 'vector') throw new Error(r.value.type);
  return {
    values: Object.fromEntries(r.value.samples.map((s) => [s.labels.get('job'), s.histogram ?? s.value])),
    notes: [...r.warnings, ...r.infos],
  };
}

describe('native histograms', () => {
  it.each([
    ['histogram_count(h)', { a: 24, b: 16 }],
    ['histogram_sum(h)', { a: 60, b: 40 }],
    ['histogram_avg(h)', { a: 2.5, b: 2.5 }],
    ['histogram_quantile(0.5, h)', { a: 1, b: 1 }],
    ['histogram_quantile(1, h)', { a: 2, b: 2 }],
    ['histogram_quantile(0.75, h)', { a: Math.SQRT2, b: Math.SQRT2 }],
    ['histogram_fraction(1, 2, h)', { a: 0.5, b: 0.5 }],
    ['histogram_count(sum(h))', { '': 40 }],
    ['histogram_count(avg(h))', { '': 20 }],
    ['histogram_count(h * 2)', { a: 48, b: 32 }],
    ['histogram_count(h - h)', { a: 0, b: 0 }],
    ['h == bool h', { a: 1, b: 1 }],
    ['resets(h[6m])', { a: 0, b: 1 }],
    ['changes(h[6m])', { a: 5, b: 5 }],
    ['count_over_time(h[6m])', { a: 6, b: 6 }],
    ['histogram_count(rate(h[5m])) * 300', { a: 20, b: 20 }],
  ])('%s', async (query, wanted) => {
    const { values } = await answer(query);
    expect(Object.keys(values)).toEqual(Object.keys(wanted));
    for (const [k, v] of Object.entries(wanted)) expect(values[k]).toBeCloseTo(v, 9);
  });

  it('says what it ignores', async () => {
    expect((await answer('max(h)')).notes.join()).toContain('ignored histogram in max aggregation');
    expect((await answer('h + 1')).notes.join()).toContain(
      'incompatible sample types encountered for binary operator "+": histogram + float',
    );
    expect((await answer('rate(mixed[6m])')).notes.join()).toContain(
      'encountered a mix of histograms and floats for metric name "mixed"',
    );
    expect((await answer('max_over_time(mixed[6m])')).values['']).toBe(5);
  });

  it('reduces to the coarser schema and the wider zero bucket', () => {
    const fine = exponential(1, {
      schema: 1,
      zeroThreshold: 0.5,
      zeroCount: 3,
      positiveSpans: [{ offset: 1, length: 2 }],
    });
    const sum = addHistograms(exponential(1), fine, 1)!;
    expect(sum.schema).toBe(0);
    expect(sum.count).toBe(8);
    expect(sum.zeroCount + sum.positiveBuckets.reduce((a, b) => a + b, 0)).toBe(3 + 8);
    expect(detectReset(fine, exponential(1))).toBe(true);
    expect(addHistograms(exponential(1), exponential(1, { schema: -53, customValues: [1] }), 1)).toBeUndefined();
  });
});
