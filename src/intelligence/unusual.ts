/**
 * What is unusual right now, over all series of a tenant, whether or not a detector follows them: the last minutes of
 * each series against its own past hours by robust statistics, and against the same time of day before, so that a
 * nightly job is not news. A ranking to look at, not an alert.
 */
import type { Labels } from '../model/labels.ts';
import type { SeriesColumns } from '../model/sample.ts';
import type { TenantId } from '../model/tenant.ts';
import { breathe } from './history.ts';
import type { IntelligencePorts } from './ports.ts';

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
/** What counts as now, and what it is compared with. */
export const RECENT_MS = 5 * MINUTE_MS;
export const PAST_MS = 60 * MINUTE_MS;
/** Series looked at; further ones are left out and counted. */
export const SERIES_MAX = 50_000;
/** Names asked for at once. */
const METRICS_MAX = 5_000;
/** The most unusual are looked at again with the day before. */
const SECOND_LOOK_MAX = 60;
const POINTS_MIN = 12;
/** Pauses so that the event loop is never held longer. */
const SLICE_MS = 6;
/** Vigie's own statistics about detectors would only echo. */
const OWN = /^(?:[a-z_]*)vigie_(?:anomaly|forecast|detector|change|peer)_/;

export interface UnusualSeries {
  readonly labels: Labels;
  /** 0..1. */
  readonly score: number;
  /** Robust scales by which the last minutes differ. */
  readonly deviations: number;
  readonly kind: 'higher' | 'lower' | 'noisier' | 'stuck';
  /** Counters are judged by their increase per second. */
  readonly counter: boolean;
  readonly value: number;
  readonly usual: number;
}

export interface UnusualAnswer {
  readonly series: readonly UnusualSeries[];
  readonly seriesSeen: number;
  readonly seriesLeftOut: number;
  readonly tookMs: number;
}

export async function findUnusual(
  ports: Pick<IntelligencePorts, 'readMetric' | 'metricNames' | 'clock'>,
  tenant: TenantId,
  options: { readonly atMs: number; readonly limit: number },
): Promise<UnusualAnswer> {
  const startedMs = ports.clock.monotonicMs();
  const range = { startMs: options.atMs - PAST_MS - RECENT_MS, endMs: options.atMs };
  const names = (await ports.metricNames(tenant, range)).filter((n) => !OWN.test(n)).slice(0, METRICS_MAX);
  const found: UnusualSeries[] = [];
  let seen = 0;
  let leftOut = 0;
  let sliceMs = ports.clock.monotonicMs();
  for (const metric of names) {
    const list = await ports.readMetric(tenant, metric, range);
    for (const s of list) {
      if (seen >= SERIES_MAX) {
        leftOut++;
        continue;
      }
      seen++;
      const u = judge(s, options.atMs);
      if (u && u.score > 0.2) found.push(u);
      if ((seen & 63) === 0 && ports.clock.monotonicMs() - sliceMs > SLICE_MS) {
        await breathe();
        sliceMs = ports.clock.monotonicMs();
      }
    }
  }
  found.sort((a, b) => b.score - a.score);
  const closer = await secondLook(
    ports,
    tenant,
    found.slice(0, Math.max(SECOND_LOOK_MAX, options.limit)),
    options.atMs,
  );
  return {
    series: closer.sort((a, b) => b.score - a.score).slice(0, options.limit),
    seriesSeen: seen,
    seriesLeftOut: leftOut,
    tookMs: ports.clock.monotonicMs() - startedMs,
  };
}

/** Reused for each series; judging is synchronous. */
let scratchPast = new Float64Array(512);
let scratchRecent = new Float64Array(512);
let scratchApart = new Float64Array(512);

/** Undefined when there is too little to say. */
export function judge(s: SeriesColumns, atMs: number): UnusualSeries | undefined {
  const n = s.length;
  if (n < POINTS_MIN || s.histograms) return undefined;
  const counter = /_(?:total|count|sum|bucket)$/.test(s.labels.metricName);
  const t = s.timestamps;
  const v = s.values;
  const edgeMs = atMs - RECENT_MS;
  if (scratchPast.length < n) scratchPast = new Float64Array(2 * n);
  if (scratchRecent.length < n) scratchRecent = new Float64Array(2 * n);
  if (scratchApart.length < n) scratchApart = new Float64Array(2 * n);
  let pastCount = 0;
  let recentCount = 0;
  if (counter) {
    for (let i = 1; i < n; i++) {
      const d = v[i]! - v[i - 1]!;
      const seconds = (t[i]! - t[i - 1]!) / 1000;
      if (!Number.isFinite(d) || !(seconds > 0)) continue;
      // a reset begins at 0
      const rate = (d < 0 ? v[i]! : d) / seconds;
      if (t[i]! > edgeMs) scratchRecent[recentCount++] = rate;
      else scratchPast[pastCount++] = rate;
    }
  } else
    for (let i = 0; i < n; i++) {
      const x = v[i]!;
      if (!Number.isFinite(x)) continue;
      if (t[i]! > edgeMs) scratchRecent[recentCount++] = x;
      else scratchPast[pastCount++] = x;
    }
  if (pastCount < POINTS_MIN || recentCount === 0) return undefined;
  const past = scratchPast.subarray(0, pastCount);
  const recent = scratchRecent.subarray(0, recentCount);
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (const x of past) {
    if (x < low) low = x;
    if (x > high) high = x;
  }
  // before the selections below reorder them
  const newest = recent[recentCount - 1]!;
  const still = recentCount >= 4 && recent.every((x) => x === newest) && !repeats(past);
  const usual = medianInPlace(past);
  const now = medianInPlace(recent);
  // most series are where they were: told without a second selection
  if (now >= low && now <= high && !still && recentCount < 4) return undefined;
  const apartOf = (list: Float64Array, centre: number): number => {
    const out = scratchApart.subarray(0, list.length);
    for (let i = 0; i < list.length; i++) out[i] = Math.abs(list[i]! - centre);
    return 1.4826 * medianInPlace(out);
  };
  const apart = apartOf(past, usual);
  // a range seen before is usual even where most values are equal
  const scale = Math.max(apart, (high - low) / 8, 0.005 * Math.abs(usual), 1e-300);
  const deviations = (now - usual) / scale;
  const outside = now > high ? (now - high) / scale : now < low ? (low - now) / scale : 0;
  const spreadNow = recentCount >= 4 && apart > 0 ? apartOf(recent, now) : Number.NaN;
  const noisier = apart > 0 && spreadNow > 6 * apart;
  const stuck = still && apart > 0.01 * Math.abs(usual);
  const distance = Math.abs(deviations) * (outside > 0 ? 1 : 0.4) + outside;
  const strength = Math.max(distance, noisier ? Math.min(8, (3 * spreadNow) / (6 * apart)) : 0, stuck ? 3 : 0);
  const kind =
    stuck && distance < 3 ? 'stuck' : noisier && distance < 3 ? 'noisier' : deviations >= 0 ? 'higher' : 'lower';
  return {
    labels: s.labels,
    score: 1 - Math.exp(-Math.max(0, strength - 2) / 6),
    deviations,
    kind,
    counter,
    value: now,
    usual,
  };
}

/** Whether equal neighbours are common in the past: then standing still is nothing new. */
function repeats(x: ArrayLike<number>): boolean {
  let equal = 0;
  for (let i = 1; i < x.length; i++) if (x[i] === x[i - 1]) equal++;
  return equal > 0.1 * x.length;
}

/** What stood as high (or low) at this time of day before is less unusual. */
async function secondLook(
  ports: Pick<IntelligencePorts, 'readMetric'>,
  tenant: TenantId,
  list: readonly UnusualSeries[],
  atMs: number,
): Promise<UnusualSeries[]> {
  const metrics = [...new Set(list.map((u) => u.labels.metricName))];
  const usualThen = new Map<string, number[]>();
  for (const metric of metrics)
    for (const days of [1, 7]) {
      const centre = atMs - days * DAY_MS;
      const columns = await ports.readMetric(tenant, metric, {
        startMs: centre - 6 * RECENT_MS,
        endMs: centre + RECENT_MS,
      });
      for (const s of columns) {
        const before = recentLevel(s, centre);
        if (before === undefined) continue;
        const key = s.labels.key;
        usualThen.set(key, [...(usualThen.get(key) ?? []), before]);
      }
      await breathe();
    }
  return list.map((u) => {
    const then = usualThen.get(u.labels.key);
    if (!then || u.kind === 'stuck' || u.kind === 'noisier') return u;
    const change = u.value - u.usual;
    // the same move at the same time before explains that share of it
    const explained = Math.max(...then.map((x) => (change === 0 ? 0 : (x - u.usual) / change)));
    const left = 1 - Math.max(0, Math.min(1, explained));
    return { ...u, score: u.score * (0.15 + 0.85 * left) };
  });
}

function recentLevel(s: SeriesColumns, centreMs: number): number | undefined {
  const counter = /_(?:total|count|sum|bucket)$/.test(s.labels.metricName);
  const out: number[] = [];
  for (let i = counter ? 1 : 0; i < s.length; i++) {
    if (Math.abs(s.timestamps[i]! - centreMs) > RECENT_MS) continue;
    const x = counter
      ? (s.values[i]! - s.values[i - 1]!) / ((s.timestamps[i]! - s.timestamps[i - 1]!) / 1000)
      : s.values[i]!;
    if (Number.isFinite(x) && (!counter || x >= 0)) out.push(x);
  }
  return out.length > 0 ? middle(out) : undefined;
}

function middle(x: readonly number[]): number {
  return medianInPlace(Float64Array.from(x));
}

/** The median by selection (Hoare, 1961); reorders its input. The lower of both middles for an even number. */
function medianInPlace(x: Float64Array): number {
  const k = (x.length - 1) >> 1;
  let low = 0;
  let high = x.length - 1;
  while (low < high) {
    const pivot = x[(low + high) >> 1]!;
    let i = low;
    let j = high;
    while (i <= j) {
      while (x[i]! < pivot) i++;
      while (x[j]! > pivot) j--;
      if (i <= j) {
        const swap = x[i]!;
        x[i++] = x[j]!;
        x[j--] = swap;
      }
    }
    if (k <= j) high = j;
    else if (k >= i) low = i;
    else break;
  }
  return x[k]!;
}
