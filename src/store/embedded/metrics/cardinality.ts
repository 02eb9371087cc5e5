/** Counts for `/api/v1/status/tsdb`: which names, labels and pairs make a head large. Reads the index only. */
import { METRIC_NAME } from '../../../model/labels.ts';
import type { CardinalityStats } from '../../metrics.ts';
import type { TenantHead } from './tenant-head.ts';

export function cardinalityOf(head: TenantHead, limit: number): CardinalityStats {
  const top = (rows: { name: string; value: number }[]): { name: string; value: number }[] =>
    rows.sort((a, b) => b.value - a.value || (a.name < b.name ? -1 : 1)).slice(0, limit);
  const names = [...head.index.labelNames()];
  const values: { name: string; value: number }[] = [];
  const carriers = new Map<string, number>();
  const bytes: { name: string; value: number }[] = [];
  const pairs: { name: string; value: number }[] = [];
  let pairCount = 0;
  for (const name of names) {
    let count = 0;
    let size = 0;
    let carrying = 0;
    for (const [value, series] of head.index.labelValues(name)) {
      count++;
      carrying += series;
      size += Buffer.byteLength(value);
      pairs.push({ name: `${name}=${value}`, value: series });
    }
    pairCount += count;
    values.push({ name, value: count });
    carriers.set(name, carrying);
    bytes.push({ name, value: size });
  }
  let headChunks = 0;
  for (const w of head.windows.values()) headChunks += w.chunkCount;
  const metric = [...head.index.labelValues(METRIC_NAME)].map(([name, value]) => ({ name, value }));
  const byValues = top(values);
  return {
    headSeries: head.index.alive,
    headChunks,
    labelPairs: pairCount,
    minTimeMs: Number.isFinite(head.minTimeMs) ? head.minTimeMs : 0,
    maxTimeMs: Number.isFinite(head.maxTimeMs) ? head.maxTimeMs : 0,
    seriesCountByMetricName: top(metric),
    labelValueCountByLabelName: byValues,
    seriesCountByLabelName: byValues.map(({ name }) => ({ name, value: carriers.get(name) ?? 0 })),
    memoryInBytesByLabelName: top(bytes),
    seriesCountByLabelValuePair: top(pairs),
  };
}
