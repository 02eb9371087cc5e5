/**
 * What running detectors of every kind share: phase, cost, record, back-test, the right to alert, and the series that
 * tell of the detector itself. The kinds differ in how they judge (stream-runtime.ts, forecast-runtime.ts).
 */
import { createHash } from 'node:crypto';
import { messageOf } from '../lib/errors.ts';
import { Labels, METRIC_NAME } from '../model/labels.ts';
import type { Sample } from '../model/sample.ts';
import type { TenantId } from '../model/tenant.ts';
import type { DetectorConfig } from './config.ts';
import { breathe } from './history.ts';
import type { SeriesState, SeriesStatus } from './judges/judge.ts';
import { SERIES_STATES } from './judges/judge.ts';
import type { IntelligencePorts } from './ports.ts';
import type { PredictionLedger, StoredBacktest } from './predictions.ts';
import { DetectorRecord } from './record.ts';

export type Phase = 'starting' | 'reading_history' | 'running' | 'failing';

export interface RuntimeStatus {
  readonly phase: Phase;
  readonly error: string;
  readonly lastEvaluationMs: number;
  readonly series: Readonly<Record<SeriesState, number>>;
  readonly dropped: number;
  readonly armed: boolean;
  /** Why it may not alert; '' when it may. */
  readonly unarmedWhy: string;
  readonly budgetFactor: number;
  /** CPU time on this thread per evaluation, and share of one core. */
  readonly evaluationMs: number;
  readonly coreShare: number;
}

/** Counts without a verdict are stored at most this often. */
const SAVE_RECORD_MS = 300_000;
/** Samples handed to the store at once. */
const WRITE_BATCH = 2_000;

export abstract class Runtime {
  readonly tenant: TenantId;
  readonly config: DetectorConfig;
  readonly ports: IntelligencePorts;
  readonly ledger: PredictionLedger;
  readonly fingerprint: string;
  record = new DetectorRecord();
  backtest: StoredBacktest | undefined;
  factor = 1;
  phase: Phase = 'starting';
  protected error = '';
  protected lastEvaluationMs = Number.NEGATIVE_INFINITY;
  protected evaluationMs = 0;
  #published: readonly Sample[] = [];
  #savedAtMs = Number.NEGATIVE_INFINITY;

  constructor(tenant: TenantId, config: DetectorConfig, ports: IntelligencePorts, ledger: PredictionLedger) {
    this.tenant = tenant;
    this.config = config;
    this.ports = ports;
    this.ledger = ledger;
    this.fingerprint = createHash('sha256').update(JSON.stringify(config)).digest('hex').slice(0, 16);
  }

  /** Takes up kept state, unless told otherwise, and reads history up to `nowMs`. */
  protected abstract learnHistory(nowMs: number, useKept: boolean): Promise<void>;
  /** One evaluation; answers the samples to write. */
  protected abstract evaluate(atMs: number): Promise<Sample[]>;
  protected abstract seriesCounts(nowMs: number): Readonly<Record<SeriesState, number>>;
  abstract readonly dropped: number;
  abstract series(nowMs: number, limit: number): readonly SeriesStatus[];
  /** Keeps what was learned. */
  abstract saveState(): Promise<void>;
  /** Budget changed by feedback. */
  abstract applyFactor(): void;

  /** Drops what was learned. */
  protected abstract reset(): void;

  /** Learns from history alone, whatever was learned or kept before. */
  async relearn(nowMs: number): Promise<void> {
    this.reset();
    await this.learnHistory(nowMs, false);
  }

  async prepare(nowMs: number): Promise<void> {
    this.phase = 'reading_history';
    try {
      const stored = await this.ledger.loadRecord(this.tenant, this.config.name);
      if (stored) {
        this.record = new DetectorRecord(stored.record);
        if (stored.backtest?.fingerprint === this.fingerprint) this.backtest = stored.backtest;
      }
      await this.learnHistory(nowMs, true);
      this.phase = 'running';
      this.error = '';
    } catch (error) {
      this.phase = 'failing';
      this.error = messageOf(error);
      throw error;
    }
  }

  /** Evaluates and writes. A failure is kept as the detector's state and does not reach the caller. */
  async tick(atMs: number): Promise<void> {
    try {
      const samples = await this.evaluate(atMs);
      this.lastEvaluationMs = atMs;
      this.phase = 'running';
      this.error = '';
      await this.#write(samples, atMs);
      this.#published = samples;
    } catch (error) {
      this.phase = 'failing';
      this.error = messageOf(error);
      this.ports.logger.warn('detector could not be evaluated', {
        tenant: this.tenant,
        detector: this.config.name,
        error: this.error,
      });
      await this.#write([], atMs).catch(() => {});
    }
    if (this.record.urgent || (this.record.dirty && atMs - this.#savedAtMs > SAVE_RECORD_MS)) {
      this.#savedAtMs = atMs;
      await this.saveRecord();
    }
  }

  /** Repeats the newest values: long steps would otherwise fall out of the look-back of queries. */
  async republish(atMs: number): Promise<void> {
    if (this.phase !== 'running' || atMs - this.lastEvaluationMs > 2 * this.config.step) return;
    try {
      await this.#write(
        this.#published.map((s) => ({ ...s, timestampMs: atMs })),
        atMs,
      );
    } catch (error) {
      this.error = messageOf(error);
    }
  }

  get armed(): boolean {
    return this.unarmedWhy() === '';
  }

  unarmedWhy(): string {
    if (this.config.kind === 'change') return 'changes are shown, they do not alert';
    if (!this.backtest) return 'no back-test has been run yet';
    if (!this.backtest.passed) return `back-test not passed: ${this.backtest.why}`;
    if (this.record.muted) return `muted by its record: ${this.record.mutedWhy}`;
    return '';
  }

  status(nowMs: number): RuntimeStatus {
    const unarmedWhy = this.unarmedWhy();
    return {
      phase: this.phase,
      error: this.error,
      lastEvaluationMs: this.lastEvaluationMs,
      series: this.seriesCounts(nowMs),
      dropped: this.dropped,
      armed: unarmedWhy === '',
      unarmedWhy,
      budgetFactor: this.factor,
      evaluationMs: this.evaluationMs,
      coreShare: this.evaluationMs / this.config.step,
    };
  }

  async saveRecord(): Promise<void> {
    this.record.dirty = false;
    this.record.urgent = false;
    try {
      await this.ledger.saveRecord(this.tenant, this.config.name, {
        record: this.record.state(),
        ...(this.backtest ? { backtest: this.backtest } : {}),
      });
    } catch (error) {
      this.record.dirty = true;
      this.ports.logger.warn('record of a detector could not be kept', {
        tenant: this.tenant,
        detector: this.config.name,
        error: messageOf(error),
      });
    }
  }

  protected measure(elapsedMs: number): void {
    this.evaluationMs = this.evaluationMs === 0 ? elapsedMs : this.evaluationMs + (elapsedMs - this.evaluationMs) * 0.1;
  }

  protected name(name: string): string {
    return `${this.ports.metricsPrefix ?? ''}${name}`;
  }

  async #write(samples: readonly Sample[], atMs: number): Promise<void> {
    const all = [...samples, ...this.#own(atMs)];
    for (let from = 0; from < all.length; from += WRITE_BATCH) {
      await this.ports.writeSamples(this.tenant, all.slice(from, from + WRITE_BATCH));
      if (from + WRITE_BATCH < all.length) await breathe();
    }
  }

  #own(atMs: number): Sample[] {
    const { name, kind, labels } = this.config;
    const base = Labels.from({ ...labels, detector: name });
    const out: Sample[] = [];
    const put = (metric: string, value: number, extra: Readonly<Record<string, string>> = {}): void => {
      if (Number.isNaN(value)) return;
      const set = base.merge(Labels.from({ ...extra, [METRIC_NAME]: this.name(metric) }));
      out.push({ labels: set, timestampMs: atMs, value });
    };
    const counts = this.seriesCounts(atMs);
    for (const state of SERIES_STATES) put('vigie_detector_series', counts[state], { state });
    put('vigie_detector_dropped_series', this.dropped);
    put('vigie_detector_armed', this.armed ? 1 : 0);
    put('vigie_detector_muted', this.record.muted ? 1 : 0);
    put('vigie_detector_failing', this.phase === 'failing' ? 1 : 0, { kind });
    put('vigie_detector_evaluation_seconds', this.evaluationMs / 1000);
    const record = this.record.summary(atMs);
    put('vigie_detector_precision', record.precision);
    put('vigie_detector_recall', record.recall);
    put('vigie_detector_lead_seconds', record.leadSeconds);
    put('vigie_detector_coverage_ratio', record.coverage95);
    put('vigie_detector_alerts_per_series_week', record.alertsPerSeriesWeek);
    return out;
  }
}
