/**
 * Runs a forecast: keeps the history of each series in memory (the store is its only other copy), has models fitted in
 * the worker every so often, writes quantiles and crossings as series, and grades what it said against what came.
 */

import { formatDuration } from '../model/duration.ts';
import { Labels, METRIC_NAME } from '../model/labels.ts';
import type { Sample } from '../model/sample.ts';
import type { TenantId } from '../model/tenant.ts';
import type { ForecastConfig } from './config.ts';
import { announceLevel } from './feedback.ts';
import type { FitResult } from './fit-protocol.ts';
import { gridEndingAt, readGrid } from './history.ts';
import { FORGET_MS, NO_SERIES, type SeriesState, type SeriesStatus, SILENT_STEPS, warmPoints } from './judges/judge.ts';
import { OutputLabels, outputBase } from './output-labels.ts';
import type { IntelligencePorts } from './ports.ts';
import type { PredictionLedger } from './predictions.ts';
import { Runtime } from './runtime.ts';

/** Points of history per series: what a fit looks at, and what it costs in memory (8 bytes each). */
export const HISTORY_POINTS_MAX = 4_100;
/** Finite points without which nothing is said. */
const POINTS_ENOUGH = 24;
/** Interval checks that one series may have waiting. */
const CHECKS_MAX = 64;
const LEVELS = [0.95, 0.5];
const QUANTILES = ['0.025', '0.25', '0.5', '0.75', '0.975'] as const;

interface Check {
  readonly dueMs: number;
  readonly lower: number;
  readonly upper: number;
}

interface Entry {
  readonly labels: Labels;
  readonly out: OutputLabels;
  /** Ring on the grid; `end` is the index after the newest. */
  readonly ring: Float64Array;
  end: number;
  filled: number;
  finite: number;
  lastAtMs: number;
  value: number;
  fit: FitResult | undefined;
  fitAtMs: number;
  past: boolean;
  open: { readonly id: string | undefined; readonly madeAtMs: number; readonly deadlineMs: number } | undefined;
  checks: Check[];
}

export interface ForecastView {
  readonly labels: Labels;
  readonly state: SeriesState;
  readonly value: number;
  readonly fitAtMs: number;
  readonly stepMs: number;
  readonly fit: FitResult | undefined;
}

export class ForecastRuntime extends Runtime {
  override readonly config: ForecastConfig;
  readonly #entries = new Map<string, Entry>();
  readonly #size: number;
  readonly #horizon: number;
  readonly #every: number;
  readonly #at: readonly { readonly label: Labels; readonly index: number; readonly ms: number }[];
  readonly #restored = new Map<string, Entry['open']>();
  #lastTickMs = Number.NEGATIVE_INFINITY;
  #lastFitMs = Number.NEGATIVE_INFINITY;
  dropped = 0;

  constructor(tenant: TenantId, config: ForecastConfig, ports: IntelligencePorts, ledger: PredictionLedger) {
    super(tenant, config, ports, ledger);
    this.config = config;
    this.#size = Math.min(HISTORY_POINTS_MAX, Math.ceil(config.warmup / config.step));
    this.#horizon = Math.ceil(config.horizon / config.step);
    this.#every = config.every ?? Math.max(config.step, Math.min(15 * 60_000, config.horizon / 8));
    this.#at = (config.at.length > 0 ? config.at : [config.horizon]).map((ms) => ({
      label: Labels.from({ horizon: formatDuration(ms) }),
      index: Math.max(0, Math.min(this.#horizon - 1, Math.round(ms / config.step) - 1)),
      ms,
    }));
  }

  /** The store is the state: history is read anew, open announcements come from the ledger. */
  async saveState(): Promise<void> {}

  applyFactor(): void {}

  series(nowMs: number, limit: number): readonly SeriesStatus[] {
    return this.#ordered(limit).map((e) => ({
      labels: e.labels,
      state: this.#stateOf(e, nowMs),
      score: e.fit?.crossProbability ?? 0,
      value: e.value,
      points: e.finite,
      lastAtMs: e.lastAtMs,
    }));
  }

  /** The likeliest crossings first. */
  forecasts(nowMs: number, limit: number): readonly ForecastView[] {
    return this.#ordered(limit).map((e) => ({
      labels: e.labels,
      state: this.#stateOf(e, nowMs),
      value: e.value,
      fitAtMs: e.fitAtMs,
      stepMs: this.config.step,
      fit: e.fit,
    }));
  }

  #ordered(limit: number): Entry[] {
    return [...this.#entries.values()]
      .sort((a, b) => (b.fit?.crossProbability ?? 0) - (a.fit?.crossProbability ?? 0))
      .slice(0, limit);
  }

  protected seriesCounts(nowMs: number): Readonly<Record<SeriesState, number>> {
    const out = { ...NO_SERIES };
    for (const e of this.#entries.values()) out[this.#stateOf(e, nowMs)]++;
    return out;
  }

  #stateOf(e: Entry, nowMs: number): SeriesState {
    if (nowMs - e.lastAtMs > SILENT_STEPS * this.config.step) return 'silent';
    if (e.finite < POINTS_ENOUGH) return 'not_enough_data';
    return e.finite < Math.min(warmPoints(this.config.step), this.#size / 2, 2 * this.#horizon + POINTS_ENOUGH)
      ? 'warming_up'
      : 'ready';
  }

  protected reset(): void {
    this.#entries.clear();
    this.#restored.clear();
    this.#lastFitMs = Number.NEGATIVE_INFINITY;
  }

  protected async learnHistory(nowMs: number): Promise<void> {
    const { config, ports, tenant } = this;
    for (const p of (await this.ledger.list(tenant, { detector: config.name, status: 'pending', limit: 1_000 }))
      .predictions)
      this.#restored.set(Labels.from(p.labels).key, { id: p.id, madeAtMs: p.madeAtMs, deadlineMs: p.deadlineMs });
    const now = await ports.queryInstant(tenant, config.expr, nowMs);
    // the point of `nowMs` itself comes with the first evaluation
    const grid = gridEndingAt(nowMs - config.step, config.step, this.#size * config.step, nowMs % config.step);
    const rows = await readGrid(ports, tenant, config.expr, grid, config.series_max, Math.max(1, now.length));
    for (const { labels, values } of rows.values()) {
      const entry = this.#add(labels, nowMs);
      if (!entry) break;
      for (let i = 0; i < values.length; i++) this.#push(entry, values[i]!, grid.startMs + i * grid.stepMs);
      entry.past = this.#isPast(entry.value);
    }
    this.#lastTickMs = grid.startMs + (grid.steps - 1) * grid.stepMs;
  }

  #add(labels: Labels, atMs: number): Entry | undefined {
    if (this.#entries.size >= this.config.series_max) {
      for (const [key, e] of this.#entries) if (atMs - e.lastAtMs > FORGET_MS) this.#entries.delete(key);
      if (this.#entries.size >= this.config.series_max) return undefined;
    }
    const bare = labels.without(METRIC_NAME).key;
    const entry: Entry = {
      labels,
      out: new OutputLabels(outputBase(labels, this.config.name, this.config.labels)),
      ring: new Float64Array(this.#size).fill(Number.NaN),
      end: 0,
      filled: 0,
      finite: 0,
      lastAtMs: Number.NEGATIVE_INFINITY,
      value: Number.NaN,
      fit: undefined,
      fitAtMs: Number.NEGATIVE_INFINITY,
      past: false,
      open: this.#restored.get(bare),
      checks: [],
    };
    this.#restored.delete(bare);
    this.#entries.set(labels.key, entry);
    return entry;
  }

  #push(e: Entry, value: number, atMs: number): void {
    const before = e.filled === this.#size ? e.ring[e.end]! : Number.NaN;
    if (Number.isFinite(before)) e.finite--;
    const ok = Number.isFinite(value);
    e.ring[e.end] = ok ? value : Number.NaN;
    e.end = (e.end + 1) % this.#size;
    e.filled = Math.min(this.#size, e.filled + 1);
    if (!ok) return;
    e.finite++;
    e.value = value;
    e.lastAtMs = atMs;
  }

  /** Oldest first, without leading gaps. */
  #history(e: Entry): Float64Array {
    const out = new Float64Array(e.filled);
    for (let i = 0; i < e.filled; i++) out[i] = e.ring[(e.end - e.filled + i + this.#size) % this.#size]!;
    const first = out.findIndex(Number.isFinite);
    return first > 0 ? out.slice(first) : out;
  }

  #isPast(value: number): boolean {
    const { threshold } = this.config;
    if (threshold?.above !== undefined) return value > threshold.above;
    return threshold?.below !== undefined && value < threshold.below;
  }

  protected async evaluate(atMs: number): Promise<Sample[]> {
    const { config, ports, tenant } = this;
    const startMs = ports.clock.monotonicMs();
    const points = await ports.queryInstant(tenant, config.expr, atMs);
    const skipped = Math.round((atMs - this.#lastTickMs) / config.step) - 1;
    const fresh = atMs > this.#lastTickMs;
    this.#lastTickMs = Math.max(atMs, this.#lastTickMs);
    let dropped = 0;
    const seen = new Set<string>();
    if (fresh)
      for (const { labels, value } of points) {
        const e = this.#entries.get(labels.key) ?? this.#add(labels, atMs);
        if (!e) {
          dropped++;
          continue;
        }
        seen.add(labels.key);
        if (e.filled > 0) for (let i = 0; i < Math.min(skipped, this.#size); i++) this.#push(e, Number.NaN, atMs);
        this.#push(e, value, atMs);
        if (Number.isFinite(value)) await this.#grade(e, value, atMs);
      }
    for (const [key, e] of this.#entries) if (fresh && !seen.has(key)) await this.#silent(e, atMs);
    this.dropped = dropped;
    this.record.day(atMs).seriesSeconds += (points.length * config.step) / 1000;
    this.measure(ports.clock.monotonicMs() - startMs);
    if (atMs - this.#lastFitMs >= this.#every) {
      this.#lastFitMs = atMs;
      await this.#refit(atMs);
    }
    if (this.record.review(atMs, config.sensitivity) && this.record.muted)
      ports.logger.warn('forecast muted by its record', { tenant, detector: config.name, why: this.record.mutedWhy });
    return this.#samples(atMs);
  }

  /** A series that says nothing: its gap is part of its history, and an announcement may lapse meanwhile. */
  async #silent(e: Entry, atMs: number): Promise<void> {
    this.#push(e, Number.NaN, atMs);
    e.checks = e.checks.filter((c) => c.dueMs >= atMs);
    if (!e.open || atMs <= e.open.deadlineMs) return;
    // without data nobody can say whether it came true
    const { id } = e.open;
    e.open = undefined;
    this.record.day(atMs).unjudged++;
    if (id !== undefined) await this.ledger.settle(this.tenant, id, { status: 'unjudged', settledAtMs: atMs });
  }

  async #grade(e: Entry, value: number, atMs: number): Promise<void> {
    const day = this.record.day(atMs);
    e.checks = e.checks.filter((c) => {
      if (c.dueMs > atMs) return true;
      if (atMs - c.dueMs <= this.config.step) {
        day.values++;
        if (value >= c.lower && value <= c.upper) day.inside++;
      }
      return false;
    });
    if (!this.config.threshold) return;
    const past = this.#isPast(value);
    if (past && !e.past) {
      const { open } = e;
      if (open && atMs > open.madeAtMs) {
        const leadMs = atMs - open.madeAtMs;
        this.record.verdict(atMs, 'hit', leadMs);
        if (open.id !== undefined)
          await this.ledger.settle(this.tenant, open.id, { status: 'hit', settledAtMs: atMs, leadMs });
      } else if (e.fit !== undefined) {
        this.record.verdict(atMs, 'miss');
        await this.ledger.open(this.tenant, {
          detector: this.config.name,
          kind: 'crossing',
          labels: e.labels.without(METRIC_NAME).toObject(),
          madeAtMs: atMs,
          deadlineMs: atMs,
          settledAtMs: atMs,
          status: 'miss',
          value,
          ...this.#thresholdField(),
        });
      }
      e.open = undefined;
    } else if (e.open && atMs > e.open.deadlineMs) {
      this.record.verdict(atMs, 'false');
      if (e.open.id !== undefined)
        await this.ledger.settle(this.tenant, e.open.id, { status: 'false', settledAtMs: atMs });
      e.open = undefined;
    }
    e.past = past;
  }

  #thresholdField(): { threshold?: number } {
    const t = this.config.threshold?.above ?? this.config.threshold?.below;
    return t === undefined ? {} : { threshold: t };
  }

  async #refit(atMs: number): Promise<void> {
    const { config } = this;
    const wanted = [...this.#entries.values()].filter((e) => this.#stateOf(e, atMs) === 'ready');
    const results = await this.ports.fit.forecast(
      wanted.map((e) => ({
        values: this.#history(e),
        stepSeconds: config.step / 1000,
        horizon: this.#horizon,
        method: config.method,
        levels: LEVELS,
        threshold: config.threshold,
        seasons: config.seasons?.map((ms) => Math.max(2, Math.round(ms / config.step))),
      })),
    );
    const level = announceLevel(config.announce, this.factor);
    for (const [k, e] of wanted.entries()) {
      const fit = results[k]!;
      e.fit = fit;
      e.fitAtMs = atMs;
      const band = fit.intervals.find((i) => i.level === 0.95)!;
      for (const { index } of this.#at)
        if (e.checks.length < CHECKS_MAX)
          e.checks.push({
            dueMs: atMs + (index + 1) * config.step,
            lower: band.lower[index]!,
            upper: band.upper[index]!,
          });
      if (!config.threshold || e.past || e.open || (fit.crossProbability ?? 0) < level) continue;
      const deadlineMs = atMs + config.horizon;
      this.record.day(atMs).announced++;
      const id = await this.ledger.open(this.tenant, {
        detector: config.name,
        kind: 'crossing',
        labels: e.labels.without(METRIC_NAME).toObject(),
        madeAtMs: atMs,
        deadlineMs,
        status: 'pending',
        probability: fit.crossProbability!,
        value: e.value,
        ...this.#thresholdField(),
        ...(Number.isFinite(fit.pointsToThreshold)
          ? { expectedAtMs: Math.round(atMs + fit.pointsToThreshold! * config.step) }
          : {}),
      });
      e.open = { id, madeAtMs: atMs, deadlineMs };
    }
  }

  #samples(atMs: number): Sample[] {
    const out: Sample[] = [];
    const put = (e: Entry, name: string, value: number, extra?: Labels): void => {
      if (!Number.isNaN(value)) out.push({ labels: e.out.of(this.name(name), extra), timestampMs: atMs, value });
    };
    for (const e of this.#entries.values()) {
      // an old fit of a silent series is no forecast any more
      if (!e.fit || this.#stateOf(e, atMs) !== 'ready' || atMs - e.fitAtMs > 4 * this.#every) continue;
      for (const { label, index } of this.#at) {
        const values = quantiles(e.fit, index);
        QUANTILES.forEach((q, i) => {
          put(e, 'vigie_forecast', values[i]!, label.merge(Labels.from({ quantile: q })));
        });
      }
      if (e.fit.crossProbability === undefined) continue;
      const horizon = Labels.from({ horizon: formatDuration(this.config.horizon) });
      put(e, 'vigie_forecast_crossing_probability', e.fit.crossProbability, horizon);
      const seconds = (e.fit.pointsToThreshold! * this.config.step) / 1000 - (atMs - e.fitAtMs) / 1000;
      put(e, 'vigie_forecast_seconds_to_threshold', Math.max(0, seconds));
      put(e, 'vigie_forecast_announced', e.open ? 1 : 0);
    }
    return out;
  }
}

/** 0.025, 0.25, 0.5, 0.75 and 0.975 at one step ahead. */
function quantiles(fit: FitResult, index: number): readonly number[] {
  const wide = fit.intervals.find((i) => i.level === 0.95)!;
  const narrow = fit.intervals.find((i) => i.level === 0.5)!;
  return [wide.lower[index]!, narrow.lower[index]!, fit.mean[index]!, narrow.upper[index]!, wide.upper[index]!];
}
