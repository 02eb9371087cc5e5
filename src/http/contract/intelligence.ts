/** Detectors, forecasts, their records and the unusual: what our own API takes and answers. `null`: not defined yet. */
import { z } from 'zod';

export const feedbackInput = z.strictObject({
  detector: z.string().min(1).max(64),
  verdict: z.enum(['useful', 'noise']),
  /** The prediction that is meant; without it the detector as a whole. */
  prediction: z.string().max(200).optional(),
  comment: z.string().max(1_000).optional(),
});

export const backtestInput = z.strictObject({
  /** History to look at, in seconds; twice the warm-up if absent. */
  seconds: z
    .number()
    .positive()
    .max(400 * 86_400)
    .optional(),
});

export type DetectorKind = 'anomaly' | 'forecast' | 'peers' | 'multivariate' | 'change';
export type SeriesState = 'ready' | 'warming_up' | 'not_enough_data' | 'silent';
type Labels = Readonly<Record<string, string>>;

export interface RecordAnswer {
  /** Days with data among the last 30. */
  readonly days: number;
  readonly announced: number;
  readonly hits: number;
  readonly falseAlerts: number;
  readonly misses: number;
  readonly unjudged: number;
  readonly precision: number | null;
  readonly recall: number | null;
  readonly leadSeconds: number | null;
  readonly coverage95: number | null;
  readonly alertsPerSeriesWeek: number | null;
  readonly muted: boolean;
  readonly mutedWhy: string;
}

export interface BacktestAnswer {
  readonly atMs: number;
  readonly passed: boolean;
  readonly why: string;
  readonly series: number;
  readonly seriesSkipped: number;
  readonly weeks: number;
  readonly announced: number;
  readonly hits: number;
  readonly falseAlerts: number;
  readonly events: number;
  readonly misses: number;
  readonly precision: number | null;
  readonly recall: number | null;
  readonly leadSeconds: number | null;
  readonly falseAlertsPerWeek: number | null;
  readonly coverage95: number | null;
  readonly mase: number | null;
  readonly forecasts: number;
  /** Whether anybody could say which alerts were right. */
  readonly judged: boolean;
}

export interface DetectorItem {
  readonly name: string;
  readonly kind: DetectorKind;
  readonly description: string;
  readonly expr: string;
  readonly stepMs: number;
  readonly labels: Labels;
  /** False alerts per series and week, as declared; null where the kind has none. */
  readonly sensitivity: number | null;
  readonly budgetFactor: number;
  readonly phase: 'starting' | 'reading_history' | 'running' | 'failing';
  readonly error: string;
  readonly lastEvaluationMs: number | null;
  readonly series: Readonly<Record<SeriesState, number>>;
  readonly seriesMax: number;
  readonly dropped: number;
  readonly armed: boolean;
  readonly unarmedWhy: string;
  readonly evaluationMs: number;
  readonly coreShare: number;
  readonly record: RecordAnswer;
  readonly backtest: BacktestAnswer | null;
}

/** `GET /vigie/v1/detectors`. */
export interface DetectorsAnswer {
  readonly detectors: readonly DetectorItem[];
}

export interface DetectorSeriesItem {
  readonly labels: Labels;
  readonly state: SeriesState;
  readonly score: number;
  readonly value: number | null;
  readonly points: number;
  readonly lastAtMs: number | null;
  readonly expected: number | null;
  readonly lower: number | null;
  readonly upper: number | null;
}

/** `GET /vigie/v1/detectors/:name`. */
export interface DetectorAnswer extends DetectorItem {
  readonly topSeries: readonly DetectorSeriesItem[];
  readonly byDay: readonly {
    readonly day: string;
    readonly announced: number;
    readonly hits: number;
    readonly falseAlerts: number;
    readonly misses: number;
    readonly unjudged: number;
  }[];
  readonly feedback: readonly FeedbackItem[];
}

export interface FeedbackItem {
  readonly id: string;
  readonly detector: string;
  readonly verdict: 'useful' | 'noise';
  readonly atMs: number;
  readonly by: string;
  readonly prediction?: string;
  readonly comment?: string;
}
/** `GET /vigie/v1/feedback`. */
export interface FeedbackAnswer {
  readonly feedback: readonly FeedbackItem[];
}
/** `POST` and `DELETE /vigie/v1/feedback`. */
export interface FeedbackChangedAnswer extends FeedbackItem {
  /** Factor on the declared budget that is now in force. */
  readonly budgetFactor: number;
}

export interface PredictionItem {
  readonly id: string;
  readonly detector: string;
  readonly kind: 'crossing' | 'anomaly' | 'change';
  readonly labels: Labels;
  readonly madeAtMs: number;
  readonly deadlineMs: number;
  readonly status: 'pending' | 'hit' | 'false' | 'miss' | 'unjudged';
  readonly probability?: number;
  readonly threshold?: number;
  readonly expectedAtMs?: number;
  readonly score?: number;
  readonly value?: number;
  readonly settledAtMs?: number;
  readonly leadMs?: number;
}
/** `GET /vigie/v1/predictions?detector&status&limit&after`. */
export interface PredictionsAnswer {
  readonly predictions: readonly PredictionItem[];
  readonly next?: string;
}

export interface ForecastItem {
  readonly detector: string;
  readonly description: string;
  readonly expr: string;
  readonly labels: Labels;
  readonly state: SeriesState;
  readonly value: number | null;
  /** When the forecast was made; its points follow at stepMs. */
  readonly fitAtMs: number | null;
  readonly stepMs: number;
  readonly horizonMs: number;
  readonly mean: readonly number[];
  readonly lower: readonly number[];
  readonly upper: readonly number[];
  readonly threshold: { readonly above?: number; readonly below?: number } | null;
  readonly crossProbability: number | null;
  /** From `fitAtMs`; null: not in sight. */
  readonly secondsToThreshold: number | null;
  readonly armed: boolean;
}
/** `GET /vigie/v1/forecasts?detector&limit`. */
export interface ForecastsAnswer {
  readonly forecasts: readonly ForecastItem[];
}

export interface UnusualItem {
  readonly labels: Labels;
  readonly score: number;
  readonly deviations: number;
  readonly kind: 'higher' | 'lower' | 'noisier' | 'stuck';
  /** Counters are judged by their increase per second; `value` and `usual` then are that. */
  readonly counter: boolean;
  readonly value: number;
  readonly usual: number;
}
/** `GET /vigie/v1/unusual?limit`. */
export interface UnusualAnswer {
  readonly series: readonly UnusualItem[];
  readonly seriesSeen: number;
  readonly seriesLeftOut: number;
  readonly tookMs: number;
}
