/** Series as OpenMetrics text with timestamps, as `vigie export` writes and `promtool tsdb create-blocks-from` reads. */
import { isClassicLabelName, isClassicMetricName, METRIC_NAME, quote } from '../model/labels.ts';
import { isStale, type SeriesColumns } from '../model/sample.ts';
import { formatValue } from '../promql/literal.ts';

/** `left` counts what text cannot say: stale markers and native histograms. Families must be complete: no `# EOF` here. */
export function openMetricsText(series: readonly SeriesColumns[]): { readonly text: string; readonly left: number } {
  const parts: string[] = [];
  let left = 0;
  const families = new Map<string, SeriesColumns[]>();
  for (const s of series) {
    const list = families.get(s.labels.metricName);
    if (list) list.push(s);
    else families.set(s.labels.metricName, [s]);
  }
  for (const [name, list] of families) {
    parts.push(`# TYPE ${isClassicMetricName(name) ? name : quote(name)} unknown\n`);
    for (const s of list) {
      const labels = seriesText(s);
      for (let i = 0; i < s.length; i++) {
        if (s.histograms?.[i] || isStale(s.values, i)) left++;
        else parts.push(`${labels} ${formatValue(s.values[i]!)} ${(s.timestamps[i]! / 1000).toFixed(3)}\n`);
      }
    }
  }
  return { text: parts.join(''), left };
}

function seriesText(s: SeriesColumns): string {
  const name = s.labels.metricName;
  const classic = isClassicMetricName(name);
  const escaped = (v: string): string => v.replace(/[\\"\n]/g, (c) => (c === '\n' ? '\\n' : `\\${c}`));
  const pairs = [...s.labels]
    .filter(([n]) => n !== METRIC_NAME)
    .map(([n, v]) => `${isClassicLabelName(n) ? n : quote(n)}="${escaped(v)}"`);
  if (!classic) pairs.unshift(quote(name));
  return `${classic ? name : ''}${pairs.length > 0 ? `{${pairs.join(',')}}` : ''}`;
}
