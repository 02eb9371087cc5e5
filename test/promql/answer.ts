/** Query answers of this engine and of a real Prometheus in one canonical form, and how two of them are compared. */
import { isVigieError } from '../../src/lib/errors.ts';
import type { NativeHistogram } from '../../src/model/histogram.ts';
import type { Labels } from '../../src/model/labels.ts';
import type { QueryResult, QueryValue } from '../../src/promql/engine.ts';
import { boundaryRule } from '../../src/promql/histogram-text.ts';
import { formatValue } from '../../src/promql/literal.ts';
import { bucketsOf } from '../../src/promql/native-histogram.ts';

/** By label set: time in seconds and value; a native histogram is a text that starts with `h`. */
export type Canonical = ReadonlyMap<string, readonly (readonly [number, string])[]>;

export interface Answer {
  readonly data: Canonical;
  readonly warnings: readonly string[];
  readonly infos: readonly string[];
  readonly error?: string;
  /** Prometheus' errorType. */
  readonly errorType?: string;
}

export const keyOf = (o: Readonly<Record<string, string>>): string =>
  JSON.stringify(Object.entries(o).sort(([a], [b]) => (a < b ? -1 : 1)));

/** Count, sum and non-empty buckets with the rule of their bounds, as Prometheus' JSON shows a histogram. */
export function histogramText(h: NativeHistogram): string {
  const buckets = bucketsOf(h)
    .filter((b) => b.count !== 0)
    .map((b) => {
      const rule = boundaryRule(h, b);
      return `[${rule} ${formatValue(b.lower)} ${formatValue(b.upper)} ${formatValue(b.count)}]`;
    });
  return `h count ${formatValue(h.count)} sum ${formatValue(h.sum)} ${buckets.join(' ')}`.trim();
}

interface WireHistogram {
  readonly count: string;
  readonly sum: string;
  readonly buckets?: readonly (readonly [number, string, string, string])[];
}

function wireHistogramText(h: WireHistogram): string {
  const buckets = (h.buckets ?? []).map((b) => `[${b.join(' ')}]`);
  return `h count ${h.count} sum ${h.sum} ${buckets.join(' ')}`.trim();
}

export function canonicalOurs(v: QueryValue): Canonical {
  const key = (l: Labels): string => keyOf(l.toObject());
  if (v.type === 'scalar' || v.type === 'string')
    return new Map([['', [[v.timestampMs / 1000, typeof v.value === 'number' ? formatValue(v.value) : v.value]]]]);
  if (v.type === 'vector')
    return new Map(
      v.samples.map((s) => [
        key(s.labels),
        [[s.timestampMs / 1000, s.histogram ? histogramText(s.histogram) : formatValue(s.value)]],
      ]),
    );
  return new Map(
    v.series.map((s) => [
      key(s.labels),
      Array.from({ length: s.length }, (_, i) => {
        const h = s.histograms?.[i];
        return [s.timestamps[i]! / 1000, h ? histogramText(h) : formatValue(s.values[i]!)] as const;
      }),
    ]),
  );
}

/** Runs a query of ours; what it throws is part of the answer. */
export async function answerOurs(run: () => Promise<QueryResult>): Promise<Answer> {
  try {
    const r = await run();
    return { data: canonicalOurs(r.value), warnings: r.warnings, infos: r.infos };
  } catch (error) {
    if (!isVigieError(error)) throw error;
    const errorType = { bad_query: 'bad_data', bad_data: 'bad_data', query_timeout: 'timeout', canceled: 'canceled' };
    return {
      data: new Map(),
      warnings: [],
      infos: [],
      error: error.message,
      errorType: errorType[error.code as keyof typeof errorType] ?? 'execution',
    };
  }
}

interface Wire {
  readonly resultType: string;
  readonly result: unknown;
}

export function canonicalTheirs(data: Wire): Canonical {
  if (data.resultType === 'scalar' || data.resultType === 'string')
    return new Map([['', [data.result as [number, string]]]]);
  const list = data.result as {
    metric: Record<string, string>;
    value?: [number, string];
    values?: [number, string][];
    histogram?: [number, WireHistogram];
    histograms?: [number, WireHistogram][];
  }[];
  return new Map(
    list.map((s) => {
      const points: (readonly [number, string])[] = [...(s.values ?? []), ...(s.value ? [s.value] : [])];
      for (const [t, h] of [...(s.histograms ?? []), ...(s.histogram ? [s.histogram] : [])])
        points.push([t, wireHistogramText(h)]);
      return [keyOf(s.metric), points.sort((a, b) => a[0] - b[0])];
    }),
  );
}

function near(a: number, b: number, absolute: number): boolean {
  return Math.abs(a - b) <= 1e-12 * Math.max(Math.abs(a), Math.abs(b)) || Math.abs(a - b) <= absolute;
}

/** Numbers of a text that differ by rounding only make no difference; all else does. */
function sameValue(a: string, b: string, absolute: number): boolean {
  if (a === b) return true;
  if (!a.startsWith('h ') || !b.startsWith('h ')) return near(Number(a), Number(b), absolute);
  const x = a.split(/[\s[\]]+/);
  const y = b.split(/[\s[\]]+/);
  return x.length === y.length && x.every((p, i) => p === y[i] || near(Number(p), Number(y[i]), absolute));
}

/** Equal but for a relative error of 1e-12, or an absolute one of `absolute`; a text otherwise saying what differs. */
export function difference(ours: Canonical, theirs: Canonical, absolute = 1e-300): string | undefined {
  for (const [key, points] of theirs) {
    const mine = ours.get(key);
    if (!mine) return `missing ${key}: ${JSON.stringify(points.slice(0, 3))}`;
    if (mine.length !== points.length)
      return `${key}: ${mine.length} points, wanted ${points.length}: ${JSON.stringify(mine.slice(0, 3))} ${JSON.stringify(points.slice(0, 3))}`;
    for (let i = 0; i < points.length; i++) {
      const [t, v] = points[i]!;
      const [u, w] = mine[i]!;
      if (t !== u) return `${key}: time ${u}, wanted ${t}`;
      if (!sameValue(v, w, absolute)) return `${key} at ${t}: ${w}, wanted ${v}`;
    }
  }
  for (const key of ours.keys())
    if (!theirs.has(key)) return `too much: ${key}: ${JSON.stringify(ours.get(key)!.slice(0, 3))}`;
  return undefined;
}
