/** The moment a series took a new level: the probability that its regime is young, and a count of such moments. */
import {
  createOnlineChangePoints,
  type OnlineChangePoints,
  type OnlineChangeState,
} from '../../algorithms/change-points/online.ts';
import { VigieError } from '../../lib/errors.ts';
import { Labels, METRIC_NAME } from '../../model/labels.ts';
import type { ChangeConfig } from '../config.ts';
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
} from './judge.ts';

const WARM_POINTS = 60;
const YOUNG_POINTS = 4;
const CHANGED_AT = 0.9;
/** The probability must fall this low before the next change counts. */
const SETTLED_AT = 0.2;

/** Series of one piece of kept state. */
const SHARD_SERIES = 50;

interface Entry {
  readonly labels: Labels;
  readonly out: OutputLabels;
  readonly online: OnlineChangePoints;
  points: number;
  lastAtMs: number;
  probability: number;
  changes: number;
  settled: boolean;
  value: number;
}

export class ChangeJudge implements Judge {
  readonly #config: ChangeConfig;
  readonly #entries = new Map<string, Entry>();
  dropped = 0;

  constructor(config: ChangeConfig) {
    this.#config = config;
  }

  observe(atMs: number, points: readonly JudgedPoint[], emit?: Emit): readonly SeriesAlert[] {
    const alerts: SeriesAlert[] = [];
    let dropped = 0;
    for (const { labels, value } of points) {
      const e = this.#entries.get(labels.key) ?? this.#add(labels, atMs);
      if (!e) {
        dropped++;
        continue;
      }
      if (atMs <= e.lastAtMs || !Number.isFinite(value)) continue;
      e.probability = e.online.update(value);
      e.points++;
      e.lastAtMs = atMs;
      e.value = value;
      const ready = e.points >= WARM_POINTS;
      if (e.probability < SETTLED_AT) e.settled = true;
      else if (e.probability > CHANGED_AT && e.settled && ready) {
        e.settled = false;
        e.changes++;
        alerts.push({ labels: labels.without(METRIC_NAME), atMs, score: e.probability, value });
      }
      if (!emit || !ready) continue;
      emit('vigie_change_probability', e.out.of('vigie_change_probability'), e.probability);
      emit('vigie_change_total', e.out.of('vigie_change_total'), e.changes);
    }
    this.dropped = dropped;
    return alerts;
  }

  get lastAtMs(): number {
    let last = Number.NEGATIVE_INFINITY;
    for (const e of this.#entries.values()) last = Math.max(last, e.lastAtMs);
    return last;
  }

  /** Changes are counted, not budgeted. */
  setBudget(): void {}

  counts(nowMs: number): Readonly<Record<SeriesState, number>> {
    const out = { ...NO_SERIES };
    for (const e of this.#entries.values()) out[stateOf(e.points, WARM_POINTS, e.lastAtMs, nowMs, this.#config.step)]++;
    return out;
  }

  series(nowMs: number, limit: number): readonly SeriesStatus[] {
    return [...this.#entries.values()]
      .sort((a, b) => b.probability - a.probability)
      .slice(0, limit)
      .map((e) => ({
        labels: e.labels,
        state: stateOf(e.points, WARM_POINTS, e.lastAtMs, nowMs, this.#config.step),
        score: e.probability,
        value: e.value,
        points: e.points,
        lastAtMs: e.lastAtMs,
      }));
  }

  get shards(): number {
    return Math.max(1, Math.ceil(this.#entries.size / SHARD_SERIES));
  }

  encode(shard: number): Uint8Array {
    return encodeState({
      kind: 'change',
      stepMs: this.#config.step,
      entries: [...this.#entries.values()].slice(shard * SHARD_SERIES, (shard + 1) * SHARD_SERIES).map((e) => ({
        labels: e.labels.flat,
        points: e.points,
        lastAtMs: Number.isFinite(e.lastAtMs) ? e.lastAtMs : 0,
        changes: e.changes,
        settled: e.settled,
        online: e.online.state(),
      })),
    });
  }

  restore(bytes: Uint8Array): void {
    const { header } = decodeState(bytes);
    if (header['kind'] !== 'change' || header['stepMs'] !== this.#config.step)
      throw new VigieError('conflict', 'the kept state belongs to another kind or step');
    for (const kept of header['entries'] as {
      labels: string[];
      points: number;
      lastAtMs: number;
      changes: number;
      settled: boolean;
      online: OnlineChangeState;
    }[]) {
      const entry = this.#entry(Labels.fromSorted(kept.labels), kept.online);
      const { points, lastAtMs, changes, settled } = kept;
      this.#entries.set(entry.labels.key, { ...entry, points, lastAtMs, changes, settled });
    }
  }

  #entry(labels: Labels, state?: OnlineChangeState): Entry {
    return {
      labels,
      out: new OutputLabels(outputBase(labels, this.#config.name, this.#config.labels)),
      online: createOnlineChangePoints(
        { regimePoints: Math.max(20, this.#config.regime / this.#config.step), young: YOUNG_POINTS },
        state,
      ),
      points: 0,
      lastAtMs: Number.NEGATIVE_INFINITY,
      probability: 0,
      changes: 0,
      settled: true,
      value: Number.NaN,
    };
  }

  #add(labels: Labels, atMs: number): Entry | undefined {
    if (this.#entries.size >= this.#config.series_max) {
      for (const [key, e] of this.#entries) if (atMs - e.lastAtMs > FORGET_MS) this.#entries.delete(key);
      if (this.#entries.size >= this.#config.series_max) return undefined;
    }
    const entry = this.#entry(labels);
    this.#entries.set(labels.key, entry);
    return entry;
  }
}
