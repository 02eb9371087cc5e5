/** Groups of siblings; in each, whoever is unlike the others. */
import {
  createPeerDetector,
  MEMBERS_MAX,
  type PeerDetector,
  type PeerState,
} from '../../algorithms/detection/peers.ts';
import { VigieError } from '../../lib/errors.ts';
import { type Labels, METRIC_NAME } from '../../model/labels.ts';
import type { PeersConfig } from '../config.ts';
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

/** Steps before a group's verdicts count; the algorithm has its own, shorter one for each member. */
const WARM_STEPS = 60;

interface Member {
  readonly labels: Labels;
  readonly out: OutputLabels;
  points: number;
  lastAtMs: number;
  score: number;
  value: number;
  expected: number;
  lower: number;
  upper: number;
}

export class PeersJudge implements Judge {
  readonly #config: PeersConfig;
  readonly #by: ReadonlySet<string>;
  readonly #groups = new Map<string, PeerDetector>();
  readonly #members = new Map<string, Member>();
  #budget: number;
  #lastAtMs = Number.NEGATIVE_INFINITY;
  dropped = 0;

  constructor(config: PeersConfig) {
    this.#config = config;
    this.#by = new Set(config.by);
    this.#budget = config.sensitivity;
  }

  observe(atMs: number, points: readonly JudgedPoint[], emit?: Emit): readonly SeriesAlert[] {
    if (atMs <= this.#lastAtMs) return [];
    this.#lastAtMs = atMs;
    const alerts: SeriesAlert[] = [];
    const groups = new Map<string, Map<string, number>>();
    let dropped = 0;
    for (const { labels, value } of points) {
      if (!Number.isFinite(value)) continue;
      const member = this.#members.get(labels.key) ?? this.#add(labels, atMs);
      if (!member) {
        dropped++;
        continue;
      }
      member.points++;
      member.lastAtMs = atMs;
      member.value = value;
      const groupKey = labels.only(this.#by).key;
      let group = groups.get(groupKey);
      if (!group) groups.set(groupKey, (group = new Map()));
      if (group.size < MEMBERS_MAX) group.set(labels.key, value);
      else dropped++;
    }
    for (const [groupKey, values] of groups) {
      let detector = this.#groups.get(groupKey);
      if (!detector) this.#groups.set(groupKey, (detector = createPeerDetector(this.#budget)));
      for (const [key, d] of detector.update(values)) {
        const m = this.#members.get(key)!;
        m.score = d.score;
        m.expected = d.expected;
        m.lower = d.lower;
        m.upper = d.upper;
        const ready = m.points >= WARM_STEPS;
        if (d.alert && ready)
          alerts.push({ labels: m.labels.without(METRIC_NAME), atMs, score: d.score, value: m.value });
        if (!emit || !ready) continue;
        emit('vigie_anomaly_score', m.out.of('vigie_anomaly_score'), d.score);
        emit('vigie_anomaly_alert', m.out.of('vigie_anomaly_alert'), d.alert ? 1 : 0);
        emit('vigie_anomaly_expected', m.out.of('vigie_anomaly_expected'), d.expected);
      }
    }
    this.dropped = dropped;
    return alerts;
  }

  get lastAtMs(): number {
    return this.#lastAtMs;
  }

  setBudget(falseAlertsPerWeek: number): void {
    this.#budget = falseAlertsPerWeek;
    for (const g of this.#groups.values()) g.setBudget(falseAlertsPerWeek);
  }

  counts(nowMs: number): Readonly<Record<SeriesState, number>> {
    const out = { ...NO_SERIES };
    for (const m of this.#members.values()) out[stateOf(m.points, WARM_STEPS, m.lastAtMs, nowMs, this.#config.step)]++;
    return out;
  }

  series(nowMs: number, limit: number): readonly SeriesStatus[] {
    return [...this.#members.values()]
      .sort((a, b) => b.score - a.score)
      .slice(0, limit)
      .map(({ out: _, ...m }) => ({
        ...m,
        state: stateOf(m.points, WARM_STEPS, m.lastAtMs, nowMs, this.#config.step),
      }));
  }

  readonly shards = 1;

  encode(): Uint8Array {
    return encodeState({
      kind: 'peers',
      stepMs: this.#config.step,
      by: this.#config.by,
      lastAtMs: Number.isFinite(this.#lastAtMs) ? this.#lastAtMs : null,
      groups: [...this.#groups].map(([key, g]) => [key, g.state()]),
      points: [...this.#members].map(([key, m]) => [key, m.points]),
    });
  }

  restore(bytes: Uint8Array): void {
    const { header } = decodeState(bytes);
    if (
      header['kind'] !== 'peers' ||
      header['stepMs'] !== this.#config.step ||
      JSON.stringify(header['by']) !== JSON.stringify(this.#config.by)
    )
      throw new VigieError('conflict', 'the kept state belongs to another kind, step or grouping');
    this.#lastAtMs = (header['lastAtMs'] as number | null) ?? Number.NEGATIVE_INFINITY;
    for (const [key, state] of header['groups'] as [string, PeerState][])
      this.#groups.set(key, createPeerDetector(this.#budget, state));
    for (const [key, points] of header['points'] as [string, number][]) this.#kept.set(key, points);
  }

  /** Points seen before a restart; the members themselves come with the next values. */
  readonly #kept = new Map<string, number>();

  #add(labels: Labels, atMs: number): Member | undefined {
    if (this.#members.size >= this.#config.series_max) {
      for (const [key, m] of this.#members) if (atMs - m.lastAtMs > FORGET_MS) this.#members.delete(key);
      if (this.#members.size >= this.#config.series_max) return undefined;
    }
    const member: Member = {
      labels,
      out: new OutputLabels(outputBase(labels, this.#config.name, this.#config.labels)),
      points: this.#kept.get(labels.key) ?? 0,
      lastAtMs: atMs,
      score: 0,
      value: Number.NaN,
      expected: Number.NaN,
      lower: Number.NaN,
      upper: Number.NaN,
    };
    this.#kept.delete(labels.key);
    this.#members.set(labels.key, member);
    return member;
  }
}
