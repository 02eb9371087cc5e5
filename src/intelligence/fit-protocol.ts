/** What is handed to the worker that fits models and replays history, and what comes back. Plain data only. */
import type { StreamConfig } from './judges/judge.ts';

export interface FitRequest {
  /** Regularly spaced, oldest first; NaN where missing. */
  readonly values: Float64Array;
  readonly stepSeconds: number;
  /** Points ahead. */
  readonly horizon: number;
  readonly method: 'ensemble' | 'exhaustion' | 'model';
  /** Central intervals, each in (0, 1). */
  readonly levels: readonly number[];
  readonly threshold?: { readonly above?: number | undefined; readonly below?: number | undefined } | undefined;
  /** Season lengths in points. */
  readonly seasons?: readonly number[] | undefined;
}

export interface FitResult {
  readonly mean: Float64Array;
  readonly intervals: readonly { readonly level: number; readonly lower: Float64Array; readonly upper: Float64Array }[];
  /** Present when a threshold was given. */
  readonly crossProbability?: number;
  /** Points until the threshold; Infinity when not in sight, 0 when already past it. */
  readonly pointsToThreshold?: number;
  readonly seasons: readonly number[];
}

/** Bad stretches that are known, in ms: what alerts and crossings are judged by. */
export interface Window {
  readonly startMs: number;
  readonly endMs: number;
}

export interface BacktestSeries {
  /** Sorted `[name, value, ...]`, as in `Labels.flat`. */
  readonly labels: readonly string[];
  /** On the grid of the back-test, oldest first; NaN where missing. */
  readonly values: Float64Array;
  /** Known bad stretches of this series; undefined when nobody knows. */
  readonly truth?: readonly Window[] | undefined;
}

interface BacktestGrid {
  readonly series: readonly BacktestSeries[];
  readonly startMs: number;
  readonly stepMs: number;
}

export interface StreamBacktest extends BacktestGrid {
  readonly kind: 'stream';
  readonly config: StreamConfig;
  /** In force, after feedback. */
  readonly falseAlertsPerWeek: number;
  /** Leading points that are learned and not judged. */
  readonly warmupPoints: number;
}

export interface ForecastBacktest extends BacktestGrid {
  readonly kind: 'forecast';
  readonly request: Omit<FitRequest, 'values'>;
  readonly announce: number;
  /** Points between two forecasts. */
  readonly everyPoints: number;
  /** History that each forecast may look at. */
  readonly historyPoints: number;
}

export type BacktestRequest = StreamBacktest | ForecastBacktest;

export interface BacktestReport {
  readonly kind: 'stream' | 'forecast';
  readonly series: number;
  /** Series that had too little history to be judged. */
  readonly seriesSkipped: number;
  readonly points: number;
  readonly weeks: number;
  /** Alerts raised, or crossings announced. */
  readonly announced: number;
  readonly hits: number;
  readonly falseAlerts: number;
  /** Bad stretches or crossings that really happened, and how many of them went unannounced. */
  readonly events: number;
  readonly misses: number;
  /** NaN when nothing was announced, or no event happened: undefined, not good. */
  readonly precision: number;
  readonly recall: number;
  /** Median of the hits, seconds. */
  readonly leadSeconds: number;
  readonly falseAlertsPerWeek: number;
  /** Share of values inside the 95 % interval; forecasts only. */
  readonly coverage95?: number;
  /** Mean absolute error over that of repeating the season before; forecasts only. */
  readonly mase?: number;
  readonly forecasts: number;
  /** Whether alerts could be judged at all: crossings always, anomalies only with `truth`. */
  readonly judged: boolean;
}

export interface FitPort {
  forecast(requests: readonly FitRequest[]): Promise<readonly FitResult[]>;
  backtest(request: BacktestRequest): Promise<BacktestReport>;
  [Symbol.asyncDispose](): Promise<void>;
}
