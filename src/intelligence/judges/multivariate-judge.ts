/** Several metrics of one thing judged together, one detector per group; says which metrics contributed. */
import {
  createMultivariateDetector,
  type MultivariateDetector,
  type MultivariateState,
} from '../../algorithms/detection/multivariate.ts';
import { VigieError } from '../../lib/errors.ts';
import { Labels, METRIC_NAME } from '../../model/labels.ts';
import type { MultivariateConfig } from '../config.ts';
import { OutputLabels, outputBase } from '../output-labels.ts';
import { decodeState, encodeState } from '../state-codec.ts';
import {
  type Emit,
  type Judge,
  type JudgedPoint,
  NO_SERIES,
  type SeriesAlert,
  type SeriesState,
  type SeriesStatus,
  stateOf,
  warmPoints,
} from './judge.ts';

/** Metrics of one group; the covariance costs their square. */
export const METRICS_MAX = 64;
export const GROUPS_MAX = 200;
const CONTRIBUTIONS = 3;

interface Group {
  readonly labels: Labels;
  readonly out: OutputLabels;
  /** Label sets that name the columns, in their order. */
  readonly columns: readonly Labels[];
  readonly index: ReadonlyMap<string, number>;
  readonly detector: MultivariateDetector;
  points: number;
  lastAtMs: number;
  score: number;
}

export class MultivariateJudge implements Judge {
  readonly #config: MultivariateConfig;
  readonly #by: ReadonlySet<string>;
  readonly #warm: number;
  readonly #groups = new Map<string, Group>();
  #budget: number;
  dropped = 0;

  constructor(config: MultivariateConfig) {
    this.#config = config;
    this.#budget = config.sensitivity;
    this.#by = new Set(config.by);
    this.#warm = warmPoints(config.step);
  }

  observe(atMs: number, points: readonly JudgedPoint[], emit?: Emit): readonly SeriesAlert[] {
    const alerts: SeriesAlert[] = [];
    const byGroup = new Map<string, { labels: Labels; points: JudgedPoint[] }>();
    for (const point of points) {
      const labels = point.labels.only(this.#by);
      let g = byGroup.get(labels.key);
      if (!g) byGroup.set(labels.key, (g = { labels, points: [] }));
      g.points.push(point);
    }
    let dropped = 0;
    for (const [key, { labels, points: members }] of byGroup) {
      const group = this.#groups.get(key) ?? this.#add(labels, members);
      if (!group) {
        dropped += members.length;
        continue;
      }
      if (atMs <= group.lastAtMs) continue;
      const row = new Array<number | null>(group.columns.length).fill(null);
      for (const m of members) {
        const at = group.index.get(m.labels.key);
        if (at === undefined) dropped++;
        else if (Number.isFinite(m.value)) row[at] = m.value;
      }
      const d = group.detector.update(atMs / 1000, row, emit === undefined);
      group.points++;
      group.lastAtMs = atMs;
      group.score = d.score;
      const ready = group.points >= this.#warm;
      const alert = d.alert && ready;
      if (alert) alerts.push({ labels: group.labels, atMs, score: d.score, value: d.score });
      if (!emit || !ready) continue;
      emit('vigie_anomaly_score', group.out.of('vigie_anomaly_score'), d.score);
      emit('vigie_anomaly_alert', group.out.of('vigie_anomaly_alert'), alert ? 1 : 0);
      const shares = group.detector.contributions();
      const order = Array.from(shares.keys())
        .sort((a, b) => shares[b]! - shares[a]!)
        .slice(0, CONTRIBUTIONS);
      order.forEach((at, rank) => {
        const metric = Labels.from({
          rank: String(rank + 1),
          metric: group.columns[at]!.without(...this.#by).toString(),
        });
        emit('vigie_anomaly_contribution', group.out.of('vigie_anomaly_contribution', metric), shares[at]!);
      });
    }
    this.dropped = dropped;
    return alerts;
  }

  get lastAtMs(): number {
    let last = Number.NEGATIVE_INFINITY;
    for (const g of this.#groups.values()) last = Math.max(last, g.lastAtMs);
    return last;
  }

  setBudget(falseAlertsPerWeek: number): void {
    this.#budget = falseAlertsPerWeek;
    for (const g of this.#groups.values()) g.detector.setBudget(falseAlertsPerWeek);
  }

  counts(nowMs: number): Readonly<Record<SeriesState, number>> {
    const out = { ...NO_SERIES };
    for (const g of this.#groups.values()) out[stateOf(g.points, this.#warm, g.lastAtMs, nowMs, this.#config.step)]++;
    return out;
  }

  series(nowMs: number, limit: number): readonly SeriesStatus[] {
    return [...this.#groups.values()]
      .sort((a, b) => b.score - a.score)
      .slice(0, limit)
      .map((g) => ({
        labels: g.labels,
        state: stateOf(g.points, this.#warm, g.lastAtMs, nowMs, this.#config.step),
        score: g.score,
        value: g.score,
        points: g.points,
        lastAtMs: g.lastAtMs,
      }));
  }

  readonly shards = 1;

  encode(): Uint8Array {
    return encodeState({
      kind: 'multivariate',
      stepMs: this.#config.step,
      by: this.#config.by,
      groups: [...this.#groups.values()].map((g) => ({
        labels: g.labels.flat,
        columns: g.columns.map((c) => c.flat),
        points: g.points,
        lastAtMs: g.lastAtMs,
        state: g.detector.state(),
      })),
    });
  }

  restore(bytes: Uint8Array): void {
    const { header } = decodeState(bytes);
    if (
      header['kind'] !== 'multivariate' ||
      header['stepMs'] !== this.#config.step ||
      JSON.stringify(header['by']) !== JSON.stringify(this.#config.by)
    )
      throw new VigieError('conflict', 'the kept state belongs to another kind, step or grouping');
    for (const g of header['groups'] as {
      labels: string[];
      columns: string[][];
      points: number;
      lastAtMs: number;
      state: MultivariateState;
    }[]) {
      const columns = g.columns.map((c) => Labels.fromSorted(c));
      const group = this.#group(
        Labels.fromSorted(g.labels),
        columns,
        createMultivariateDetector({ dims: columns.length, falseAlertsPerWeek: this.#budget }, g.state),
      );
      this.#groups.set(group.labels.key, { ...group, points: g.points, lastAtMs: g.lastAtMs });
    }
  }

  #group(labels: Labels, columns: readonly Labels[], detector: MultivariateDetector): Group {
    return {
      labels,
      out: new OutputLabels(outputBase(labels, this.#config.name, this.#config.labels)),
      columns,
      index: new Map(columns.map((c, i) => [c.key, i])),
      detector,
      points: 0,
      lastAtMs: Number.NEGATIVE_INFINITY,
      score: 0,
    };
  }

  #add(labels: Labels, members: readonly JudgedPoint[]): Group | undefined {
    if (members.length < 2 || this.#groups.size >= GROUPS_MAX) return undefined;
    const columns = members
      .map((m) => m.labels)
      .sort(Labels.compare)
      .slice(0, METRICS_MAX);
    const group = this.#group(
      labels.without(METRIC_NAME),
      columns,
      createMultivariateDetector({
        dims: columns.length,
        warmupPoints: this.#warm,
        falseAlertsPerWeek: this.#budget,
      }),
    );
    this.#groups.set(labels.key, group);
    return group;
  }
}
