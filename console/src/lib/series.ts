/** From the query API's matrices to columns that charts draw: one time axis, null where a series has no point. */
export type Metric = Readonly<Record<string, string>>;
export interface RangeSeries {
  readonly metric: Metric;
  readonly values: readonly (readonly [number, string])[];
}
export interface Columns {
  /** Seconds, ascending. */
  readonly times: number[];
  readonly series: { readonly metric: Metric; readonly values: (number | null)[] }[];
}

export function metricName(metric: Metric): string {
  const name = metric['__name__'] ?? '';
  const labels = Object.entries(metric)
    .filter(([k]) => k !== '__name__')
    .map(([k, v]) => `${k}=${JSON.stringify(v)}`);
  if (labels.length === 0) return name || '{}';
  return `${name}{${labels.join(', ')}}`;
}

/** `{{label}}` templates of legends; an unknown label becomes nothing. */
export function legendName(template: string | undefined, metric: Metric): string {
  if (!template || template === '__auto') return metricName(metric);
  // a legend of labels that this series does not have would be an empty name
  return (
    template.replace(/\{\{\s*([^}]+?)\s*\}\}/g, (_, label: string) => metric[label] ?? '').trim() || metricName(metric)
  );
}

/** Puts series on the regular grid start, start+step ... end (seconds): a missing step stays null, so gaps show. */
export function toColumns(result: readonly RangeSeries[], startS: number, endS: number, stepS: number): Columns {
  const count = Math.floor((endS - startS) / stepS + 1e-9) + 1;
  const times = Array.from({ length: count }, (_, i) => startS + i * stepS);
  const series = result.map(({ metric, values }) => {
    const column: (number | null)[] = new Array(count).fill(null);
    for (const [t, v] of values) {
      const at = Math.round((t - startS) / stepS);
      if (at < 0 || at >= count) continue;
      const n = parseValue(v);
      column[at] = Number.isFinite(n) ? n : null;
    }
    return { metric, values: column };
  });
  return { times, series };
}

export function parseValue(text: string): number {
  if (text === '+Inf' || text === 'Inf') return Number.POSITIVE_INFINITY;
  if (text === '-Inf') return Number.NEGATIVE_INFINITY;
  return text === 'NaN' ? Number.NaN : Number(text);
}

/** One live step appended: every series moves on, the oldest step leaves. Earlier or repeated steps are ignored. */
export function appendStep(
  columns: Columns,
  atS: number,
  stepS: number,
  vector: readonly { readonly metric: Metric; readonly value: readonly [number, string] }[],
): Columns {
  const last = columns.times.at(-1);
  if (last === undefined || atS <= last) return columns;
  const missing = Math.min(columns.times.length, Math.round((atS - last) / stepS));
  if (missing < 1) return columns;
  const times = columns.times.slice(missing);
  for (let i = missing - 1; i >= 0; i--) times.push(atS - i * stepS);
  const byKey = new Map(vector.map((v) => [metricKey(v.metric), v]));
  const pad: null[] = new Array(missing - 1).fill(null);
  const series = columns.series.map((s) => {
    const key = metricKey(s.metric);
    const found = byKey.get(key);
    byKey.delete(key);
    const n = found ? parseValue(found.value[1]) : Number.NaN;
    return { metric: s.metric, values: [...s.values.slice(missing), ...pad, Number.isFinite(n) ? n : null] };
  });
  for (const fresh of byKey.values()) {
    const values: (number | null)[] = new Array(times.length).fill(null);
    const n = parseValue(fresh.value[1]);
    values[times.length - 1] = Number.isFinite(n) ? n : null;
    series.push({ metric: fresh.metric, values });
  }
  return { times, series };
}

export function metricKey(metric: Metric): string {
  return Object.keys(metric)
    .sort()
    .map((k) => `${k}\u0000${metric[k]}`)
    .join('\u0001');
}

export interface Summary {
  readonly last: number | null;
  readonly min: number | null;
  readonly max: number | null;
  readonly avg: number | null;
  readonly sum: number | null;
  readonly first: number | null;
  readonly count: number;
}

export function summarise(values: readonly (number | null)[]): Summary {
  let last: number | null = null;
  let first: number | null = null;
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  let sum = 0;
  let count = 0;
  for (const v of values) {
    if (v === null || Number.isNaN(v)) continue;
    first ??= v;
    last = v;
    if (v < min) min = v;
    if (v > max) max = v;
    sum += v;
    count++;
  }
  if (count === 0) return { last: null, first: null, min: null, max: null, avg: null, sum: null, count };
  return { last, first, min, max, avg: sum / count, sum, count };
}

/** Labels in which the series of one answer differ: what tells them apart. With one series, none. */
export function telling(metrics: readonly Metric[]): Metric[] {
  const names = [...new Set(metrics.flatMap((m) => Object.keys(m)))].filter((k) =>
    metrics.some((m) => m[k] !== metrics[0]![k]),
  );
  return metrics.map((m) => Object.fromEntries(names.filter((k) => m[k] !== undefined).map((k) => [k, m[k]!])));
}

/** A short name: the differing labels' values, or the whole name where nothing differs. */
export function shortName(metric: Metric, differing: Metric): string {
  const values = Object.values(differing);
  return values.length > 0 ? values.join(' · ') : metricName(metric);
}
