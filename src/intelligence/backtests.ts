/**
 * Prepares a back-test from stored history, has the worker run it, and decides whether the detector may alert. The
 * limits are the detector's own budget and what is wanted of any announcement.
 */
import { METRIC_NAME } from '../model/labels.ts';
import type { TenantId } from '../model/tenant.ts';
import type { DetectorConfig } from './config.ts';
import { announceLevel } from './feedback.ts';
import type { BacktestReport, BacktestRequest, Window } from './fit-protocol.ts';
import { HISTORY_POINTS_MAX } from './forecast-runtime.ts';
import { gridEndingAt, readGrid } from './history.ts';
import { warmPoints } from './judges/judge.ts';
import type { IntelligencePorts } from './ports.ts';
import { truthOf } from './stream-runtime.ts';
import { related } from './truth.ts';

export const BACKTEST_SERIES_MAX = 50;
/** Steps of history looked at, at most. */
export const BACKTEST_STEPS_MAX = 12_000;
const SERIES_WHOLE_MAX = 200;

export const PASSING = {
  precisionMin: 0.5,
  /** Expected false alerts over the history may be exceeded by so much, and so many are always forgiven. */
  budgetFactor: 4,
  falseForgiven: 2,
  coverageMin: 0.85,
  forecastsMin: 20,
};

export interface BacktestPlan {
  readonly request: BacktestRequest;
  readonly startMs: number;
  readonly endMs: number;
}

/** Reads the history. `lengthMs` defaults to twice the warm-up. */
export async function planBacktest(
  ports: Pick<IntelligencePorts, 'queryRange'>,
  tenant: TenantId,
  config: DetectorConfig,
  options: { readonly endMs: number; readonly lengthMs?: number; readonly factor?: number },
): Promise<BacktestPlan> {
  const factor = options.factor ?? 1;
  const lengthMs = Math.min(options.lengthMs ?? 2 * config.warmup, BACKTEST_STEPS_MAX * config.step);
  const grid = gridEndingAt(options.endMs, config.step, lengthMs);
  const seriesMax = config.kind === 'peers' || config.kind === 'multivariate' ? SERIES_WHOLE_MAX : BACKTEST_SERIES_MAX;
  const rows = [...(await readGrid(ports, tenant, config.expr, grid, seriesMax)).values()];
  // history may begin later than the grid
  let skip = grid.steps;
  for (const r of rows) {
    const first = r.values.findIndex(Number.isFinite);
    if (first >= 0) skip = Math.min(skip, first);
  }
  const startMs = grid.startMs + skip * config.step;
  const endMs = grid.startMs + (grid.steps - 1) * config.step;
  const common = { startMs, stepMs: config.step };
  if (config.kind === 'forecast') {
    const horizon = Math.ceil(config.horizon / config.step);
    const historyPoints = Math.min(HISTORY_POINTS_MAX, Math.ceil(config.warmup / config.step));
    return {
      startMs,
      endMs,
      request: {
        ...common,
        kind: 'forecast',
        series: rows.map((r) => ({ labels: r.labels.flat, values: r.values.subarray(skip) })),
        request: {
          stepSeconds: config.step / 1000,
          horizon,
          method: config.method,
          levels: [0.95],
          threshold: config.threshold,
          seasons: config.seasons?.map((ms) => Math.max(2, Math.round(ms / config.step))),
        },
        announce: announceLevel(config.announce, factor),
        everyPoints: Math.max(1, Math.round((config.every ?? Math.min(15 * 60_000, config.horizon / 8)) / config.step)),
        historyPoints,
      },
    };
  }
  const truth = truthOf(config);
  const windows: { labels: (typeof rows)[number]['labels']; windows: Window[] }[] = [];
  if (truth !== undefined)
    for (const row of (await readGrid(ports, tenant, truth, grid, BACKTEST_SERIES_MAX)).values())
      windows.push({
        labels: row.labels.without(METRIC_NAME),
        windows: windowsOf(row.values, grid.startMs, config.step),
      });
  return {
    startMs,
    endMs,
    request: {
      ...common,
      kind: 'stream',
      config,
      falseAlertsPerWeek: 'sensitivity' in config ? config.sensitivity * factor : 1,
      warmupPoints: warmPoints(config.step),
      series: rows.map((r) => ({
        labels: r.labels.flat,
        values: r.values.subarray(skip),
        truth:
          truth === undefined
            ? undefined
            : windows.filter((w) => related(w.labels, r.labels.without(METRIC_NAME))).flatMap((w) => w.windows),
      })),
    },
  };
}

/** Stretches of non-zero values; gaps of up to three steps are bridged. */
export function windowsOf(values: Float64Array, startMs: number, stepMs: number): Window[] {
  const out: { startMs: number; endMs: number }[] = [];
  values.forEach((v, i) => {
    if (!Number.isFinite(v) || v === 0) return;
    const atMs = startMs + i * stepMs;
    const last = out[out.length - 1];
    if (last && atMs - last.endMs <= 3 * stepMs) last.endMs = atMs;
    else out.push({ startMs: atMs, endMs: atMs });
  });
  return out;
}

/** Whether a detector with this report may alert, and why not. */
export function judgeBacktest(config: DetectorConfig, report: BacktestReport): { passed: boolean; why: string } {
  const fail = (why: string) => ({ passed: false, why });
  if (report.series === 0) return fail('the expression gave no series');
  if (report.points === 0 || report.seriesSkipped === report.series) return fail('not enough history');
  const budget = 'sensitivity' in config ? config.sensitivity : Number.POSITIVE_INFINITY;
  const allowed = Math.max(PASSING.falseForgiven, PASSING.budgetFactor * budget * report.weeks);
  if (report.kind === 'forecast') {
    if (report.forecasts < PASSING.forecastsMin)
      return fail(
        `not enough history: ${report.forecasts} forecasts could be tried, ${PASSING.forecastsMin} are wanted`,
      );
    if ((report.coverage95 ?? 1) < PASSING.coverageMin && config.kind === 'forecast' && !config.threshold)
      return fail(`its 95 % intervals held ${percent(report.coverage95!)} of the values`);
  }
  if (
    report.judged &&
    report.announced > 0 &&
    report.precision < PASSING.precisionMin &&
    report.falseAlerts > PASSING.falseForgiven
  )
    return fail(`${report.falseAlerts} of ${report.hits + report.falseAlerts} announcements were wrong`);
  // alerts that nobody can judge are held against the budget alone
  if (report.falseAlerts > allowed && !(report.precision >= PASSING.precisionMin))
    return fail(
      `${report.falseAlerts} alerts without a known cause in ${report.weeks.toFixed(1)} series-weeks, ${allowed.toFixed(1)} are allowed`,
    );
  return { passed: true, why: '' };
}

const percent = (x: number): string => `${Math.round(100 * x)} %`;
