/** What every streaming kind of detector can do: judge the points of one moment, tell its state, and keep it. */
import type { Labels } from '../../model/labels.ts';
import type { DetectorConfig } from '../config.ts';

export type StreamConfig = Exclude<DetectorConfig, { kind: 'forecast' }>;

export interface JudgedPoint {
  readonly labels: Labels;
  readonly value: number;
}

export interface SeriesAlert {
  /** Of the source series, without metric name. */
  readonly labels: Labels;
  readonly atMs: number;
  readonly score: number;
  readonly value: number;
}

/** `silent`: no value for several steps; its state is unknown, not fine. */
export const SERIES_STATES = ['ready', 'warming_up', 'not_enough_data', 'silent'] as const;
export type SeriesState = (typeof SERIES_STATES)[number];

export interface SeriesStatus {
  readonly labels: Labels;
  readonly state: SeriesState;
  readonly score: number;
  readonly value: number;
  readonly points: number;
  readonly lastAtMs: number;
  readonly expected?: number;
  readonly lower?: number;
  readonly upper?: number;
}

export type Emit = (name: string, labels: Labels, value: number) => void;

export interface Judge {
  /** Judges, then learns. Without `emit` it only learns: history is being read. */
  observe(atMs: number, points: readonly JudgedPoint[], emit?: Emit): readonly SeriesAlert[];
  setBudget(falseAlertsPerWeek: number): void;
  counts(nowMs: number): Readonly<Record<SeriesState, number>>;
  /** The most unusual first. */
  series(nowMs: number, limit: number): readonly SeriesStatus[];
  /** Series left out because the limit was reached. */
  readonly dropped: number;
  /** Newest moment learned; -Infinity before the first. */
  readonly lastAtMs: number;
  /** State is kept in pieces, so that encoding one never holds the thread for long; at least 1. */
  readonly shards: number;
  encode(shard: number): Uint8Array;
  /** Takes over one encoded piece. Throws when it belongs to another kind or shape. */
  restore(bytes: Uint8Array): void;
}

const DAY_MS = 86_400_000;
/** Fewer points than this say nothing at all. */
export const POINTS_ENOUGH = 12;
/** A series is silent after this many steps without a value. */
export const SILENT_STEPS = 5;
/** Silent series are forgotten after this long. */
export const FORGET_MS = DAY_MS;

/** A day of points, within bounds: before that a daily rhythm cannot be told from an anomaly. */
export function warmPoints(stepMs: number): number {
  return Math.max(100, Math.min(1_440, Math.ceil(DAY_MS / stepMs)));
}

export function stateOf(points: number, warm: number, lastAtMs: number, nowMs: number, stepMs: number): SeriesState {
  if (nowMs - lastAtMs > SILENT_STEPS * stepMs) return 'silent';
  return points < POINTS_ENOUGH ? 'not_enough_data' : points < warm ? 'warming_up' : 'ready';
}

export const NO_SERIES: Readonly<Record<SeriesState, number>> = {
  ready: 0,
  warming_up: 0,
  not_enough_data: 0,
  silent: 0,
};
