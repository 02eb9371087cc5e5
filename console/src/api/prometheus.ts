/** Prometheus' query API on our own origin. */
import type { Metric, RangeSeries } from '../lib/series.ts';
import { request } from './client.ts';

interface Envelope<T> {
  readonly status: string;
  readonly data: T;
  readonly warnings?: readonly string[];
  readonly infos?: readonly string[];
}
export interface QueryStats {
  readonly samples: number | undefined;
  readonly seconds: number | undefined;
}
export interface InstantVector {
  readonly resultType: 'vector' | 'matrix' | 'scalar' | 'string';
  readonly result: unknown;
}
export interface Answer<T> {
  readonly data: T;
  readonly warnings: readonly string[];
  readonly stats: QueryStats;
  /** Round trip in milliseconds, as the browser saw it. */
  readonly tookMs: number;
}
export interface VectorItem {
  readonly metric: Metric;
  readonly value?: readonly [number, string];
  readonly histogram?: readonly [number, unknown];
}

interface Stats {
  readonly timings?: { readonly evalTotalTime?: number };
  readonly samples?: { readonly totalQueryableSamples?: number };
}

async function timed<T extends { stats?: Stats }>(
  tenant: string,
  path: string,
  form: URLSearchParams,
  signal?: AbortSignal,
) {
  const t0 = performance.now();
  const body = await request<Envelope<T>>(tenant, path, { form, signal });
  const { stats } = body.data;
  return {
    data: body.data,
    warnings: [...(body.warnings ?? []), ...(body.infos ?? [])],
    stats: { samples: stats?.samples?.totalQueryableSamples, seconds: stats?.timings?.evalTotalTime },
    tookMs: performance.now() - t0,
  };
}

export interface RangeQuery {
  readonly expr: string;
  readonly startMs: number;
  readonly endMs: number;
  readonly stepMs: number;
}

export async function queryRange(
  tenant: string,
  q: RangeQuery,
  signal?: AbortSignal,
): Promise<Answer<readonly RangeSeries[]>> {
  const form = new URLSearchParams({
    query: q.expr,
    start: String(q.startMs / 1_000),
    end: String(q.endMs / 1_000),
    step: String(q.stepMs / 1_000),
    stats: 'true',
  });
  const answer = await timed<{ result: RangeSeries[]; stats?: Stats }>(tenant, '/api/v1/query_range', form, signal);
  // a series of native histograms has no `values`
  return { ...answer, data: answer.data.result.map((s) => ({ metric: s.metric, values: s.values ?? [] })) };
}

export async function queryInstant(
  tenant: string,
  expr: string,
  atMs?: number,
  signal?: AbortSignal,
): Promise<Answer<InstantVector>> {
  const form = new URLSearchParams({ query: expr, stats: 'true' });
  if (atMs !== undefined) form.set('time', String(atMs / 1_000));
  return timed<InstantVector & { stats?: Stats }>(tenant, '/api/v1/query', form, signal);
}

/** A vector whatever came: a scalar becomes one item without labels. */
export function asVector(answer: InstantVector): readonly VectorItem[] {
  if (answer.resultType === 'vector') return answer.result as VectorItem[];
  if (answer.resultType === 'scalar' || answer.resultType === 'string')
    return [{ metric: {}, value: answer.result as [number, string] }];
  return (answer.result as RangeSeries[]).map((s) => ({
    metric: s.metric,
    ...(s.values.length ? { value: s.values.at(-1)! } : {}),
  }));
}

const get = async <T>(tenant: string, path: string, signal?: AbortSignal): Promise<T> =>
  (await request<Envelope<T>>(tenant, path, { signal })).data;

export function labelValues(
  tenant: string,
  label: string,
  match?: string,
  startMs?: number,
  endMs?: number,
): Promise<readonly string[]> {
  const params = new URLSearchParams();
  if (match) params.append('match[]', match);
  if (startMs !== undefined) params.set('start', String(startMs / 1_000));
  if (endMs !== undefined) params.set('end', String(endMs / 1_000));
  return get(tenant, `/api/v1/label/${encodeURIComponent(label)}/values?${params}`);
}
export function labelNames(tenant: string, match?: string): Promise<readonly string[]> {
  return get(tenant, `/api/v1/labels${match ? `?${new URLSearchParams({ 'match[]': match })}` : ''}`);
}
export function series(tenant: string, match: string, startMs: number, endMs: number): Promise<readonly Metric[]> {
  const params = new URLSearchParams({ 'match[]': match, start: String(startMs / 1_000), end: String(endMs / 1_000) });
  return get(tenant, `/api/v1/series?${params}`);
}

export interface RuleAlert {
  readonly labels: Metric;
  readonly annotations: Metric;
  readonly state: 'pending' | 'firing';
  readonly activeAt: string;
  readonly value: string;
}
export interface Rule {
  readonly name: string;
  readonly type: 'alerting' | 'recording';
  readonly query: string;
  readonly duration?: number;
  readonly keepFiringFor?: number;
  readonly labels?: Metric;
  readonly annotations?: Metric;
  readonly state?: 'inactive' | 'pending' | 'firing';
  readonly health: 'ok' | 'err' | 'unknown';
  readonly lastError?: string;
  readonly lastEvaluation: string;
  readonly evaluationTime: number;
  readonly alerts?: readonly RuleAlert[];
}
export interface RuleGroup {
  readonly name: string;
  readonly file: string;
  readonly interval: number;
  readonly evaluationTime: number;
  readonly lastEvaluation: string;
  readonly rules: readonly Rule[];
}
export const rules = (tenant: string): Promise<{ readonly groups: readonly RuleGroup[] }> =>
  get(tenant, '/api/v1/rules');

export interface Target {
  readonly scrapePool: string;
  readonly scrapeUrl: string;
  readonly health: 'up' | 'down' | 'unknown';
  readonly labels: Metric;
  readonly discoveredLabels: Metric;
  readonly lastError: string;
  readonly lastScrape: string;
  readonly lastScrapeDuration: number;
  readonly scrapeInterval?: string;
}
export interface Targets {
  readonly activeTargets: readonly Target[];
  readonly droppedTargets?: readonly { readonly discoveredLabels: Metric }[];
}
export const targets = (tenant: string): Promise<Targets> => get(tenant, '/api/v1/targets');

export interface Tsdb {
  readonly headStats: Readonly<Record<string, number>>;
  readonly seriesCountByMetricName: readonly { readonly name: string; readonly value: number }[];
  readonly labelValueCountByLabelName: readonly { readonly name: string; readonly value: number }[];
  readonly memoryInBytesByLabelName: readonly { readonly name: string; readonly value: number }[];
  readonly seriesCountByLabelValuePair: readonly { readonly name: string; readonly value: number }[];
}
export const tsdb = (tenant: string): Promise<Tsdb> => get(tenant, '/api/v1/status/tsdb');
