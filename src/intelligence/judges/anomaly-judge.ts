/** One streaming detector per series of the expression. */
import { createDetector, type Detector, restoreDetector } from '../../algorithms/detection/detector.ts';
import { VigieError } from '../../lib/errors.ts';
import { Labels, METRIC_NAME } from '../../model/labels.ts';
import type { AnomalyConfig } from '../config.ts';
import { OutputLabels, outputBase } from '../output-labels.ts';
import { decodeState, encodeState } from '../state-codec.ts';
import {
  type Emit,
  FORGET_MS,
  type Judge,
  type JudgedPoint,
  NO_SERIES,
  type SeriesAlert,
  type SeriesState,
  type SeriesStatus,
  stateOf,
  warmPoints,
} from './judge.ts';

/** Bands triple the written series: beyond this many sources they must be asked for. */
export const BANDS_SERIES_MAX = 200;

/** Series of one piece of kept state. */
const SHARD_SERIES = 500;

interface Entry {
  readonly labels: Labels;
  readonly detector: Detector;
  readonly out: OutputLabels;
  points: number;
  lastAtMs: number;
  score: number;
  value: number;
}

export class AnomalyJudge implements Judge {
  readonly #config: AnomalyConfig;
  readonly #warm: number;
  readonly #entries = new Map<string, Entry>();
  #budget: number;
  dropped = 0;

  constructor(config: AnomalyConfig) {
    this.#config = config;
    this.#budget = config.sensitivity;
    this.#warm = warmPoints(config.step);
  }

  observe(atMs: number, points: readonly JudgedPoint[], emit?: Emit): readonly SeriesAlert[] {
    const alerts: SeriesAlert[] = [];
    const bands = this.#config.bands ?? this.#entries.size <= BANDS_SERIES_MAX;
    let dropped = 0;
    for (const { labels, value } of points) {
      const entry = this.#entries.get(labels.key) ?? this.#add(labels, atMs);
      if (!entry) {
        dropped++;
        continue;
      }
      // a clock that stepped back, or a step that was seen before a restart: not learned twice
      if (atMs <= entry.lastAtMs || !Number.isFinite(value)) continue;
      const d = entry.detector.update(atMs / 1000, value);
      entry.points++;
      entry.lastAtMs = atMs;
      entry.score = d.score;
      entry.value = value;
      if (d.alert) alerts.push({ labels: labels.without(METRIC_NAME), atMs, score: d.score, value });
      if (!emit || entry.points < this.#warm) continue;
      emit('vigie_anomaly_score', entry.out.of('vigie_anomaly_score'), d.score);
      emit('vigie_anomaly_alert', entry.out.of('vigie_anomaly_alert'), d.alert ? 1 : 0);
      if (!bands) continue;
      const [expected, lower, upper] = entry.detector.band;
      emit('vigie_anomaly_expected', entry.out.of('vigie_anomaly_expected'), expected!);
      emit('vigie_anomaly_lower', entry.out.of('vigie_anomaly_lower'), lower!);
      emit('vigie_anomaly_upper', entry.out.of('vigie_anomaly_upper'), upper!);
    }
    this.dropped = dropped;
    return alerts;
  }

  get lastAtMs(): number {
    let last = Number.NEGATIVE_INFINITY;
    for (const e of this.#entries.values()) last = Math.max(last, e.lastAtMs);
    return last;
  }

  setBudget(falseAlertsPerWeek: number): void {
    this.#budget = falseAlertsPerWeek;
    for (const e of this.#entries.values()) e.detector.setBudget(falseAlertsPerWeek);
  }

  counts(nowMs: number): Readonly<Record<SeriesState, number>> {
    const out = { ...NO_SERIES };
    for (const e of this.#entries.values()) out[stateOf(e.points, this.#warm, e.lastAtMs, nowMs, this.#config.step)]++;
    return out;
  }

  series(nowMs: number, limit: number): readonly SeriesStatus[] {
    return [...this.#entries.values()]
      .sort((a, b) => b.score - a.score)
      .slice(0, limit)
      .map((e) => ({
        labels: e.labels,
        state: stateOf(e.points, this.#warm, e.lastAtMs, nowMs, this.#config.step),
        score: e.score,
        value: e.value,
        points: e.points,
        lastAtMs: e.lastAtMs,
        expected: e.detector.band[0]!,
        lower: e.detector.band[1]!,
        upper: e.detector.band[2]!,
      }));
  }

  get shards(): number {
    return Math.max(1, Math.ceil(this.#entries.size / SHARD_SERIES));
  }

  encode(shard: number): Uint8Array {
    const blocks: Float64Array[] = [];
    const entries = [...this.#entries.values()].slice(shard * SHARD_SERIES, (shard + 1) * SHARD_SERIES).map((e) => {
      const state = e.detector.state();
      const block = new Float64Array(state.numbers.length + state.profile.length);
      state.numbers.forEach((x, i) => {
        block[i] = x ?? Number.NaN;
      });
      block.set(state.profile, state.numbers.length);
      blocks.push(block);
      return { labels: e.labels.flat, points: e.points, lastAtMs: e.lastAtMs, numbers: state.numbers.length };
    });
    return encodeState({ kind: 'anomaly', stepMs: this.#config.step, size: blocks[0]?.length ?? 0, entries }, blocks);
  }

  restore(bytes: Uint8Array): void {
    const { header, numbers } = decodeState(bytes);
    if (header['kind'] !== 'anomaly' || header['stepMs'] !== this.#config.step)
      throw new VigieError('conflict', 'the kept state belongs to another kind or step');
    const size = header['size'] as number;
    const entries = header['entries'] as { labels: string[]; points: number; lastAtMs: number; numbers: number }[];
    entries.forEach((e, k) => {
      if (this.#entries.size >= this.#config.series_max) return;
      const labels = Labels.fromSorted(e.labels);
      const block = numbers.subarray(k * size, (k + 1) * size);
      const detector = restoreDetector({
        version: 1,
        options: this.#options(),
        numbers: Array.from(block.subarray(0, e.numbers)),
        profile: Array.from(block.subarray(e.numbers)),
      });
      this.#entries.set(labels.key, { ...this.#entry(labels, detector), points: e.points, lastAtMs: e.lastAtMs });
    });
  }

  #options() {
    return { stepSeconds: this.#config.step / 1000, warmupPoints: this.#warm, falseAlertsPerWeek: this.#budget };
  }

  #entry(labels: Labels, detector: Detector): Entry {
    const out = new OutputLabels(outputBase(labels, this.#config.name, this.#config.labels));
    return { labels, detector, out, points: 0, lastAtMs: Number.NEGATIVE_INFINITY, score: 0, value: Number.NaN };
  }

  #add(labels: Labels, atMs: number): Entry | undefined {
    if (this.#entries.size >= this.#config.series_max) {
      for (const [key, e] of this.#entries) if (atMs - e.lastAtMs > FORGET_MS) this.#entries.delete(key);
      if (this.#entries.size >= this.#config.series_max) return undefined;
    }
    const entry = this.#entry(labels, createDetector(this.#options()));
    this.#entries.set(labels.key, entry);
    return entry;
  }
}
