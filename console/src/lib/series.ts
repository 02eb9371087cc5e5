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

export type VectorValue = { readonly metric: Metric; readonly value: readonly [number, string] };

/** What a chart can draw: neither NaN nor an infinity. */
const drawn = (text: string): number | null => {
  const n = parseValue(text);
  return Number.isFinite(n) ? n : null;
};

/**
 * One live step: every series moves on, what is older than `startS` leaves. A step less than `stepS` after the last but
 * one takes the place of the last. A step that is not new changes nothing.
 */
export function advance(
  columns: Columns,
  atS: number,
  stepS: number,
  vector: readonly VectorValue[],
  startS: number,
): Columns {
  const last = columns.times.at(-1);
  if (last !== undefined && atS <= last) return columns;
  const before = columns.times.at(-2);
  const end = columns.times.length - (before !== undefined && atS - before < stepS * 0.999 ? 1 : 0);
  const from = Math.min(end, firstAt(columns.times, startS));
  const times = columns.times.slice(from, end);
  times.push(atS);
  const fresh = new Map(vector.map((v) => [metricKey(v.metric), v]));
  const series = columns.series.flatMap((s) => {
    const key = metricKey(s.metric);
    const found = fresh.get(key);
    fresh.delete(key);
    const values = s.values.slice(from, end);
    if (!found && !hasPoints(values)) return [];
    values.push(found ? drawn(found.value[1]) : null);
    return [{ metric: s.metric, values }];
  });
  for (const v of fresh.values()) {
    const values: (number | null)[] = new Array(times.length).fill(null);
    values[times.length - 1] = drawn(v.value[1]);
    series.push({ metric: v.metric, values });
  }
  return { times, series };
}

/** `part` in the place of what `columns` has between its ends; what is older than `startS` leaves. */
export function mergePart(columns: Columns, part: Columns, startS: number): Columns {
  const first = part.times[0];
  if (first === undefined) return columns;
  const slack = 1e-3;
  const before = firstAt(columns.times, first - slack);
  const after = firstAt(columns.times, part.times.at(-1)! + slack);
  const from = Math.min(before, firstAt(columns.times, startS));
  const times = [...columns.times.slice(from, before), ...part.times, ...columns.times.slice(after)];
  const found = new Map(part.series.map((s) => [metricKey(s.metric), s]));
  const nothing: null[] = new Array(part.times.length).fill(null);
  const series = columns.series.flatMap((s) => {
    const key = metricKey(s.metric);
    const middle = found.get(key)?.values;
    found.delete(key);
    const values = [...s.values.slice(from, before), ...(middle ?? nothing), ...s.values.slice(after)];
    return middle || hasPoints(values) ? [{ metric: s.metric, values }] : [];
  });
  for (const s of found.values())
    series.push({
      metric: s.metric,
      values: [
        ...new Array(before - from).fill(null),
        ...s.values,
        ...new Array(columns.times.length - after).fill(null),
      ],
    });
  return { times, series };
}

const firstAt = (times: readonly number[], at: number): number => {
  let low = 0;
  let high = times.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (times[middle]! < at) low = middle + 1;
    else high = middle;
  }
  return low;
};
/** A series that has slid out of the range leaves, as it would be missing in an answer asked now. */
const hasPoints = (values: readonly (number | null)[]): boolean => values.some((v) => v !== null);

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
