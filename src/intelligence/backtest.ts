/**
 * What a detector or forecast would have said over stored history, each moment knowing only what came before it.
 * Pure; runs in the worker. Crossings judge themselves; anomaly alerts are judged by known bad stretches and, where
 * nobody knows any, only counted against the budget.
 */
import { Labels, METRIC_NAME } from '../model/labels.ts';
import { fitOne } from './fit.ts';
import type {
  BacktestReport,
  BacktestRequest,
  BacktestSeries,
  FitRequest,
  FitResult,
  ForecastBacktest,
  StreamBacktest,
  Window,
} from './fit-protocol.ts';
import { createJudge } from './judges/create-judge.ts';
import { GRACE_STEPS } from './truth.ts';

const WEEK_MS = 7 * 86_400_000;
/** Forecasts of one back-test; more origins are spread wider. */
export const BACKTEST_FORECASTS_MAX = 800;

interface Tally {
  announced: number;
  hits: number;
  falseAlerts: number;
  events: number;
  misses: number;
  leads: number[];
  points: number;
  skipped: number;
  forecasts: number;
  inside: number;
  judgedValues: number;
  error: number;
  naiveError: number;
  judged: boolean;
}

/** With the built-in methods. */
export function backtest(request: BacktestRequest): BacktestReport {
  const tally = emptyTally(request);
  if (request.kind === 'stream') replayStream(request, tally);
  else
    for (const s of request.series) {
      const steps = replayForecast(request, s, tally);
      for (let next = steps.next(); !next.done; ) next = steps.next(fitOne(next.value));
    }
  return reportOf(request, tally);
}

/** With forecasts that take their time: a model's. */
export async function replay(
  request: BacktestRequest,
  ask: (request: FitRequest) => Promise<FitResult>,
): Promise<BacktestReport> {
  const tally = emptyTally(request);
  if (request.kind === 'stream') replayStream(request, tally);
  else
    for (const s of request.series) {
      const steps = replayForecast(request, s, tally);
      for (let next = steps.next(); !next.done; ) next = steps.next(await ask(next.value));
    }
  return reportOf(request, tally);
}

function emptyTally(request: BacktestRequest): Tally {
  return {
    announced: 0,
    hits: 0,
    falseAlerts: 0,
    events: 0,
    misses: 0,
    leads: [],
    points: 0,
    skipped: 0,
    forecasts: 0,
    inside: 0,
    judgedValues: 0,
    error: 0,
    naiveError: 0,
    judged: request.kind === 'forecast' ? hasThreshold(request) : request.series.every((s) => s.truth !== undefined),
  };
}

function reportOf(request: BacktestRequest, tally: Tally): BacktestReport {
  const weeks = (tally.points * request.stepMs) / WEEK_MS;
  const leads = tally.leads.sort((a, b) => a - b);
  return {
    kind: request.kind,
    series: request.series.length,
    seriesSkipped: tally.skipped,
    points: tally.points,
    weeks,
    announced: tally.announced,
    hits: tally.hits,
    falseAlerts: tally.falseAlerts,
    events: tally.events,
    misses: tally.misses,
    precision: tally.judged && tally.announced > 0 ? tally.hits / (tally.hits + tally.falseAlerts) : Number.NaN,
    recall: tally.judged && tally.events > 0 ? (tally.events - tally.misses) / tally.events : Number.NaN,
    leadSeconds: leads.length > 0 ? leads[leads.length >> 1]! / 1000 : Number.NaN,
    falseAlertsPerWeek: weeks > 0 ? tally.falseAlerts / weeks : Number.NaN,
    forecasts: tally.forecasts,
    judged: tally.judged,
    ...(request.kind === 'forecast'
      ? {
          coverage95: tally.judgedValues > 0 ? tally.inside / tally.judgedValues : Number.NaN,
          mase: tally.naiveError > 0 ? tally.error / tally.naiveError : Number.NaN,
        }
      : {}),
  };
}

const hasThreshold = (r: ForecastBacktest): boolean => r.request.threshold !== undefined;

function replayStream(request: StreamBacktest, tally: Tally): void {
  const { startMs, stepMs, warmupPoints } = request;
  const length = request.series.reduce((n, s) => Math.max(n, s.values.length), 0);
  if (length < 1.5 * warmupPoints) {
    tally.skipped += request.series.length;
    return;
  }
  const judge = createJudge(request.config);
  judge.setBudget(request.falseAlertsPerWeek);
  const judgedFromMs = startMs + warmupPoints * stepMs;
  const graceMs = GRACE_STEPS * stepMs;
  const sources = request.series.map((s) => {
    const labels = Labels.fromSorted(s.labels);
    return { labels, bare: labels.without(METRIC_NAME), values: s.values };
  });
  // one bad stretch may be that of many series: it happened once
  const events = new Map<string, { window: Window; owners: Labels[]; foundMs: number }>();
  request.series.forEach((s, i) => {
    for (const window of s.truth ?? []) {
      if (window.endMs < judgedFromMs) continue;
      const key = `${window.startMs} ${window.endMs}`;
      const known = events.get(key);
      if (known) known.owners.push(sources[i]!.bare);
      else events.set(key, { window, owners: [sources[i]!.bare], foundMs: Number.NaN });
    }
  });
  const belongs = (alert: Labels, owners: readonly Labels[]): boolean =>
    owners.some((o) => [...alert].every(([name, value]) => o.get(name) === value));
  for (let i = 0; i < length; i++) {
    const atMs = startMs + i * stepMs;
    const points = sources.flatMap((s) => {
      const value = s.values[i];
      return value === undefined || Number.isNaN(value) ? [] : [{ labels: s.labels, value }];
    });
    if (i >= warmupPoints) tally.points += points.length;
    for (const alert of judge.observe(atMs, points)) {
      if (i < warmupPoints) continue;
      tally.announced++;
      const event = [...events.values()].find(
        (e) =>
          atMs >= e.window.startMs - graceMs && atMs <= e.window.endMs + graceMs && belongs(alert.labels, e.owners),
      );
      if (!event) tally.falseAlerts++;
      else {
        tally.hits++;
        if (Number.isNaN(event.foundMs)) event.foundMs = atMs;
      }
    }
  }
  for (const { window, foundMs } of events.values()) {
    tally.events++;
    if (Number.isNaN(foundMs)) tally.misses++;
    // how much of the trouble was still ahead when it was announced
    else tally.leads.push(Math.max(0, window.endMs - foundMs));
  }
}

/** Asks for one forecast after the other, so that whoever makes them may take their time. */
function* replayForecast(
  request: ForecastBacktest,
  series: BacktestSeries,
  tally: Tally,
): Generator<FitRequest, void, FitResult> {
  const { values } = series;
  const { horizon } = request.request;
  const first = Math.max(Math.min(request.historyPoints, Math.floor(values.length / 2)), 24);
  if (values.length < first + horizon) {
    tally.skipped++;
    return;
  }
  const share = Math.max(10, Math.floor(BACKTEST_FORECASTS_MAX / Math.max(1, request.series.length)));
  const every = Math.max(request.everyPoints, Math.ceil((values.length - first) / share));
  const { threshold } = request.request;
  const isPast = (v: number): boolean =>
    threshold?.above !== undefined ? v > threshold.above : threshold?.below !== undefined && v < threshold.below;
  const season = Math.max(1, Math.round(86_400_000 / request.stepMs));
  const lag = season < first ? season : 1;
  let open: { madeAt: number; deadline: number } | undefined;
  let past = isPast(values[first - 1]!);
  for (let o = first; o < values.length; o++) {
    const v = values[o - 1]!;
    // what became of an announcement, before anything new is said
    const now = isPast(v);
    if (now && !past) {
      tally.events++;
      if (open && o - 1 > open.madeAt) {
        tally.hits++;
        tally.leads.push((o - 1 - open.madeAt) * request.stepMs);
      } else tally.misses++;
      if (open) open = undefined;
    } else if (open && o - 1 > open.deadline) {
      tally.falseAlerts++;
      open = undefined;
    }
    past = now;
    if ((o - first) % every !== 0) continue;
    const history = values.subarray(Math.max(0, o - request.historyPoints), o);
    const fit = yield { ...request.request, values: history };
    tally.forecasts++;
    const band = fit.intervals.find((i) => Math.abs(i.level - 0.95) < 1e-9);
    const ahead = Math.min(horizon, values.length - o);
    for (let h = 0; h < ahead; h += Math.max(1, Math.floor(horizon / 24))) {
      const actual = values[o + h]!;
      if (!Number.isFinite(actual)) continue;
      if (band) {
        tally.judgedValues++;
        if (actual >= band.lower[h]! && actual <= band.upper[h]!) tally.inside++;
      }
      const before = values[o + h - lag * Math.ceil((h + 1) / lag)]!;
      if (!Number.isFinite(before)) continue;
      tally.error += Math.abs(actual - fit.mean[h]!);
      tally.naiveError += Math.abs(actual - before);
    }
    if (!open && !past && (fit.crossProbability ?? 0) >= request.announce) {
      open = { madeAt: o - 1, deadline: o - 1 + horizon };
      tally.announced++;
    }
  }
  // an announcement whose time is not over is neither right nor wrong yet
  if (open) tally.announced--;
  tally.points += values.length - first;
}
