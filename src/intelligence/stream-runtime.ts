/** Runs a streaming detector: history at the start, one evaluation a step, alerts kept and judged. */
import { isVigieError, messageOf } from '../lib/errors.ts';
import { METRIC_NAME } from '../model/labels.ts';
import type { Sample, SeriesColumns } from '../model/sample.ts';
import type { TenantId } from '../model/tenant.ts';
import { breathe, gridEndingAt, readPieces } from './history.ts';
import { createJudge } from './judges/create-judge.ts';
import type { Judge, JudgedPoint, SeriesAlert, SeriesState, SeriesStatus, StreamConfig } from './judges/judge.ts';
import type { IntelligencePorts } from './ports.ts';
import type { PredictionLedger } from './predictions.ts';
import { Runtime } from './runtime.ts';
import { TruthBook } from './truth.ts';

/** Points judged without a pause: well under 20 ms. */
const SLICE_POINTS = 1_000;
const SLICE_CHANGES = 150;
/** Values that a first start may read; larger detectors learn from less history. */
export const WARMUP_VALUES_MAX = 20_000_000;

export class StreamRuntime extends Runtime {
  override readonly config: StreamConfig;
  #judge: Judge;
  #truth: TruthBook | undefined;
  dropped = 0;

  constructor(tenant: TenantId, config: StreamConfig, ports: IntelligencePorts, ledger: PredictionLedger) {
    super(tenant, config, ports, ledger);
    this.config = config;
    this.#judge = createJudge(config);
    if (truthOf(config) !== undefined) this.#truth = new TruthBook(config.step);
  }

  series(nowMs: number, limit: number): readonly SeriesStatus[] {
    return this.#judge.series(nowMs, limit);
  }

  applyFactor(): void {
    if ('sensitivity' in this.config) this.#judge.setBudget(this.config.sensitivity * this.factor);
  }

  async saveState(): Promise<void> {
    if (this.phase !== 'running') return;
    const { states } = this.ports;
    const count = this.#judge.shards;
    for (let shard = 0; shard < count; shard++) {
      await states.save(this.tenant, `${this.config.name}.${shard}`, this.#judge.encode(shard));
      await breathe();
    }
    // a piece of a time when there were more series would bring them back
    await states.remove(this.tenant, `${this.config.name}.${count}`);
  }

  protected seriesCounts(nowMs: number): Readonly<Record<SeriesState, number>> {
    return this.#judge.counts(nowMs);
  }

  protected reset(): void {
    this.#judge = createJudge(this.config);
  }

  protected async learnHistory(nowMs: number, useKept: boolean): Promise<void> {
    const { config, ports, tenant } = this;
    try {
      for (let shard = 0; useKept; shard++) {
        const kept = await ports.states.load(tenant, `${config.name}.${shard}`);
        if (!kept) break;
        this.#judge.restore(kept);
        await breathe();
      }
    } catch (error) {
      if (!isVigieError(error)) throw error;
      // learned anew from the store, which is always possible
      ports.logger.warn('kept state of a detector is not used', {
        tenant,
        detector: config.name,
        error: messageOf(error),
      });
      this.#judge = createJudge(config);
    }
    this.applyFactor();
    const gapMs = nowMs - this.#judge.lastAtMs;
    if (gapMs < config.step) return;
    const now = await ports.queryInstant(tenant, config.expr, nowMs);
    const expected = Math.min(config.series_max, Math.max(1, now.length));
    const stepsMax = Math.max(100, Math.floor(WARMUP_VALUES_MAX / expected));
    const lengthMs = Math.min(config.warmup, gapMs, stepsMax * config.step);
    const grid = gridEndingAt(nowMs, config.step, lengthMs, nowMs % config.step);
    await readPieces(ports, tenant, config.expr, grid, expected, (series, first, steps) =>
      this.#replay(series, grid.startMs + first * grid.stepMs, steps),
    );
  }

  async #replay(series: readonly SeriesColumns[], startMs: number, steps: number): Promise<void> {
    const { step } = this.config;
    const at = new Uint32Array(series.length);
    let sliceFromMs = this.ports.clock.monotonicMs();
    for (let i = 0; i < steps; i++) {
      const atMs = startMs + i * step;
      const points: JudgedPoint[] = [];
      series.forEach((s, k) => {
        while (at[k]! < s.length && s.timestamps[at[k]!]! < atMs) at[k]!++;
        if (at[k]! < s.length && s.timestamps[at[k]!] === atMs)
          points.push({ labels: s.labels, value: s.values[at[k]!]! });
      });
      this.#judge.observe(atMs, points);
      if (this.ports.clock.monotonicMs() - sliceFromMs > 5) {
        await breathe();
        sliceFromMs = this.ports.clock.monotonicMs();
      }
    }
  }

  protected async evaluate(atMs: number): Promise<Sample[]> {
    const { config, ports, tenant } = this;
    const points = await ports.queryInstant(tenant, config.expr, atMs);
    const samples: Sample[] = [];
    const emit = (name: string, labels: Sample['labels'], value: number): void => {
      if (Number.isNaN(value)) return;
      const prefix = ports.metricsPrefix ?? '';
      const named = prefix === '' ? labels : labels.with(METRIC_NAME, prefix + name);
      samples.push({ labels: named, timestampMs: atMs, value });
    };
    const alerts: SeriesAlert[] = [];
    const whole = config.kind === 'peers' || config.kind === 'multivariate';
    const slice = whole ? Math.max(1, points.length) : config.kind === 'change' ? SLICE_CHANGES : SLICE_POINTS;
    let dropped = 0;
    let busyMs = 0;
    for (let from = 0; from === 0 || from < points.length; from += slice) {
      const startMs = ports.clock.monotonicMs();
      alerts.push(...this.#judge.observe(atMs, points.slice(from, from + slice), emit));
      busyMs += ports.clock.monotonicMs() - startMs;
      dropped += this.#judge.dropped;
      if (from + slice < points.length) await breathe();
    }
    this.dropped = dropped;
    this.measure(busyMs);
    this.record.day(atMs).seriesSeconds += (points.length * config.step) / 1000;
    for (const alert of alerts) await this.#keep(alert);
    if (this.#truth) await this.#judgeAlerts(atMs);
    if (this.record.review(atMs, 'sensitivity' in config ? config.sensitivity : 1) && this.record.muted)
      ports.logger.warn('detector muted by its record', { tenant, detector: config.name, why: this.record.mutedWhy });
    return samples;
  }

  async #keep(alert: SeriesAlert): Promise<void> {
    const { config } = this;
    const day = this.record.day(alert.atMs);
    day.announced++;
    if (!this.#truth) day.unjudged++;
    const id = await this.ledger.open(this.tenant, {
      detector: config.name,
      kind: config.kind === 'change' ? 'change' : 'anomaly',
      labels: alert.labels.toObject(),
      madeAtMs: alert.atMs,
      deadlineMs: alert.atMs,
      status: this.#truth ? 'pending' : 'unjudged',
      score: alert.score,
      value: alert.value,
    });
    this.#truth?.alert({ id, labels: alert.labels, atMs: alert.atMs });
  }

  async #judgeAlerts(atMs: number): Promise<void> {
    const truth = truthOf(this.config);
    if (!this.#truth || truth === undefined) return;
    const points = await this.ports.queryInstant(this.tenant, truth, atMs);
    const wrong = points
      .filter((p) => p.value !== 0 && !Number.isNaN(p.value))
      .map((p) => p.labels.without(METRIC_NAME));
    const { verdicts, misses } = this.#truth.observe(atMs, wrong);
    for (const { alert, status, leadMs } of verdicts) {
      this.record.verdict(atMs, status, leadMs);
      if (alert.id !== undefined)
        await this.ledger.settle(this.tenant, alert.id, { status, settledAtMs: atMs, leadMs });
    }
    for (const labels of misses) {
      this.record.verdict(atMs, 'miss');
      await this.ledger.open(this.tenant, {
        detector: this.config.name,
        kind: 'anomaly',
        labels: labels.toObject(),
        madeAtMs: atMs,
        deadlineMs: atMs,
        settledAtMs: atMs,
        status: 'miss',
      });
    }
  }
}

export function truthOf(config: StreamConfig): string | undefined {
  return 'truth' in config ? config.truth : undefined;
}
