/**
 * Detectors of all tenants: configured as a whole per tenant, started one after the other, evaluated at a hashed offset
 * within their step, back-tested before they may alert, graded, and adjusted by feedback. One tenant's detectors are
 * never visible to another: every lookup goes through that tenant's own map.
 */
import { createHash } from 'node:crypto';
import type { Timer } from '../lib/clock.ts';
import { messageOf, VigieError } from '../lib/errors.ts';
import type { TenantId } from '../model/tenant.ts';
import { judgeBacktest, planBacktest } from './backtests.ts';
import { DETECTORS_PER_TENANT_MAX, type DetectorConfig } from './config.ts';
import { budgetFactor, FeedbackBook, type FeedbackEntry, type Verdict } from './feedback.ts';
import { ForecastRuntime, type ForecastView } from './forecast-runtime.ts';
import type { SeriesStatus } from './judges/judge.ts';
import { withModel } from './models/with-model.ts';
import type { IntelligencePorts } from './ports.ts';
import { type Prediction, PredictionLedger, type PredictionStatus, type StoredBacktest } from './predictions.ts';
import type { DayTally, RecordSummary } from './record.ts';
import type { Runtime, RuntimeStatus } from './runtime.ts';
import { StreamRuntime } from './stream-runtime.ts';
import { findUnusual, type UnusualAnswer } from './unusual.ts';

/** Detectors whose history is read at the same time. */
const STARTS_MAX = 1;
const RETRY_MS = 60_000;
/** Long steps repeat their newest values this often. */
const REPUBLISH_MS = 60_000;
const SAVE_STATE_MS = 600_000;
/** A detector that could not be tested, or did not pass, is tried again after this; a passed one much later. */
const RETEST_MS = 6 * 3_600_000;
const RETEST_PASSED_MS = 7 * 86_400_000;
/** Where history was missing it may be on its way: looked for again after this, twice as long each time. */
const RELEARN_MS = 120_000;
const SWEEP_MS = 3_600_000;

interface Slot {
  readonly runtime: Runtime;
  readonly timers: Set<Timer>;
  running: boolean;
  /** How long to wait before history is looked for again. */
  patienceMs: number;
  stopped: boolean;
  ready: boolean;
}

export interface DetectorView {
  readonly config: DetectorConfig;
  readonly status: RuntimeStatus;
  readonly record: RecordSummary;
  readonly backtest: StoredBacktest | undefined;
}

export interface DetectorDetail extends DetectorView {
  readonly series: readonly SeriesStatus[];
  readonly days: readonly (DayTally & { readonly day: string })[];
}

export class IntelligenceService {
  readonly #ports: IntelligencePorts;
  readonly #ledger: PredictionLedger;
  readonly #feedback: FeedbackBook;
  readonly #tenants = new Map<TenantId, Map<string, Slot>>();
  readonly #starts: (() => Promise<void>)[] = [];
  #starting = 0;
  #sweepTimer: Timer | undefined;
  #closed = false;

  constructor(ports: IntelligencePorts) {
    this.#ports = ports;
    this.#ledger = new PredictionLedger(ports.documents, ports.clock);
    this.#feedback = new FeedbackBook(ports.documents, ports.clock);
    const sweep = (): void => {
      for (const tenant of this.#tenants.keys())
        void this.#ledger
          .sweep(tenant)
          .catch((error) => ports.logger.warn('old predictions could not be removed', { error: messageOf(error) }));
      this.#sweepTimer = ports.clock.setTimer(sweep, SWEEP_MS);
    };
    this.#sweepTimer = ports.clock.setTimer(sweep, SWEEP_MS);
  }

  /** Replaces the tenant's detectors; unchanged ones go on undisturbed. Returns before history is read. */
  async configure(tenant: TenantId, detectors: readonly DetectorConfig[]): Promise<void> {
    if (this.#closed) return;
    const wanted = detectors.filter((d) => d.enabled);
    if (wanted.length > DETECTORS_PER_TENANT_MAX)
      throw new VigieError(
        'quota',
        `tenant ${tenant}: ${wanted.length} detectors, at most ${DETECTORS_PER_TENANT_MAX}`,
      );
    const names = new Set(wanted.map((d) => d.name));
    if (names.size !== wanted.length)
      throw new VigieError('bad_config', `tenant ${tenant}: two detectors have the same name`);
    const next = wanted.map((config) => this.#make(tenant, config));
    let slots = this.#tenants.get(tenant);
    if (!slots) this.#tenants.set(tenant, (slots = new Map()));
    for (const [name, slot] of slots) {
      const same = next.find((r) => r.config.name === name)?.fingerprint === slot.runtime.fingerprint;
      if (same) continue;
      slots.delete(name);
      await this.#stop(slot);
    }
    for (const runtime of next) {
      if (slots.has(runtime.config.name)) continue;
      const slot: Slot = {
        runtime,
        timers: new Set(),
        running: false,
        patienceMs: RELEARN_MS,
        stopped: false,
        ready: false,
      };
      slots.set(runtime.config.name, slot);
      this.#queueStart(slot);
    }
    if (slots.size === 0) this.#tenants.delete(tenant);
  }

  /** Reads history anew and tests again: after samples of the past were filled in. */
  async relearn(tenant: TenantId): Promise<void> {
    for (const slot of this.#tenants.get(tenant)?.values() ?? []) {
      await this.#relearn(slot);
      if (!slot.stopped && slot.ready) await this.backtest(tenant, slot.runtime.config.name);
    }
  }

  /** Stops everything of a tenant; what is stored goes with the tenant's documents. */
  async forget(tenant: TenantId): Promise<void> {
    const slots = this.#tenants.get(tenant);
    this.#tenants.delete(tenant);
    for (const slot of slots?.values() ?? []) await this.#stop(slot, false);
    await this.#ports.states.removeTenant(tenant);
  }

  list(tenant: TenantId): readonly DetectorView[] {
    return [...(this.#tenants.get(tenant)?.values() ?? [])]
      .map((s) => this.#view(s.runtime))
      .sort((a, b) => (a.config.name < b.config.name ? -1 : 1));
  }

  detail(tenant: TenantId, name: string, seriesLimit: number): DetectorDetail {
    const { runtime } = this.#slot(tenant, name);
    return {
      ...this.#view(runtime),
      series: runtime.series(this.#ports.clock.now(), seriesLimit),
      days: runtime.record.byDay(),
    };
  }

  /** Current forecasts, likeliest crossings first; of all forecasting detectors or of one. */
  forecasts(
    tenant: TenantId,
    options: { readonly detector?: string; readonly limit: number },
  ): readonly (ForecastView & {
    readonly config: Extract<DetectorConfig, { kind: 'forecast' }>;
    readonly armed: boolean;
  })[] {
    const nowMs = this.#ports.clock.now();
    const runtimes = [...(this.#tenants.get(tenant)?.values() ?? [])]
      .map((s) => s.runtime)
      .filter((r): r is ForecastRuntime => r instanceof ForecastRuntime)
      .filter((r) => options.detector === undefined || r.config.name === options.detector);
    return runtimes
      .flatMap((r) => r.forecasts(nowMs, options.limit).map((f) => ({ ...f, config: r.config, armed: r.armed })))
      .sort((a, b) => (b.fit?.crossProbability ?? 0) - (a.fit?.crossProbability ?? 0))
      .slice(0, options.limit);
  }

  /** Replays stored history and keeps the report; it decides whether the detector may alert. */
  async backtest(tenant: TenantId, name: string, lengthMs?: number): Promise<StoredBacktest> {
    const { runtime } = this.#slot(tenant, name);
    const plan = await planBacktest(runtime.ports, tenant, runtime.config, {
      endMs: this.#ports.clock.now(),
      factor: runtime.factor,
      ...(lengthMs === undefined ? {} : { lengthMs }),
    });
    const report = await runtime.ports.fit.backtest(plan.request);
    const result: StoredBacktest = {
      report,
      atMs: this.#ports.clock.now(),
      ...judgeBacktest(runtime.config, report),
      fingerprint: runtime.fingerprint,
    };
    runtime.backtest = result;
    await runtime.saveRecord();
    return result;
  }

  predictions(
    tenant: TenantId,
    filter: {
      readonly detector?: string;
      readonly status?: PredictionStatus;
      readonly limit?: number;
      readonly after?: string;
    },
  ): Promise<{ predictions: readonly (Prediction & { readonly id: string })[]; next?: string }> {
    return this.#ledger.list(tenant, filter);
  }

  /** Records a verdict of a person and moves the detector's budget. */
  async addFeedback(
    tenant: TenantId,
    input: {
      readonly detector: string;
      readonly verdict: Verdict;
      readonly by: string;
      readonly prediction?: string;
      readonly comment?: string;
    },
  ): Promise<FeedbackEntry & { readonly id: string; readonly budgetFactor: number }> {
    const { runtime } = this.#slot(tenant, input.detector);
    const now = this.#ports.clock.now();
    if (input.prediction !== undefined) {
      const found = await this.#ledger.get(tenant, input.prediction);
      if (found?.detector !== input.detector)
        throw new VigieError(
          'not_found',
          `detector ${input.detector} made no prediction ${JSON.stringify(input.prediction)}`,
        );
      const status = input.verdict === 'useful' ? 'hit' : 'false';
      if (found.status === 'unjudged') {
        await this.#ledger.settle(tenant, input.prediction, { status, settledAtMs: now });
        const day = runtime.record.day(found.madeAtMs);
        day.unjudged = Math.max(0, day.unjudged - 1);
        runtime.record.verdict(found.madeAtMs, status);
      }
    }
    const entry = await this.#feedback.add(tenant, input);
    await this.#refactor(runtime);
    await runtime.saveRecord();
    return { ...entry, budgetFactor: runtime.factor };
  }

  /** Takes a verdict back; budget and record are as if it had not been given. */
  async removeFeedback(tenant: TenantId, id: string): Promise<FeedbackEntry & { readonly budgetFactor: number }> {
    const entry = await this.#feedback.remove(tenant, id);
    const slot = this.#tenants.get(tenant)?.get(entry.detector);
    if (!slot) return { ...entry, budgetFactor: 1 };
    if (entry.prediction !== undefined) {
      const found = await this.#ledger.get(tenant, entry.prediction);
      const status = entry.verdict === 'useful' ? 'hit' : 'false';
      // anomalies were unjudged before; crossings were judged by what happened and stay so
      if (found?.status === status && found.kind !== 'crossing') {
        await this.#ledger.settle(tenant, entry.prediction, {
          status: 'unjudged',
          settledAtMs: this.#ports.clock.now(),
        });
        slot.runtime.record.withdraw(found.madeAtMs, status);
      }
    }
    await this.#refactor(slot.runtime);
    await slot.runtime.saveRecord();
    return { ...entry, budgetFactor: slot.runtime.factor };
  }

  feedback(tenant: TenantId, detector?: string): Promise<readonly (FeedbackEntry & { readonly id: string })[]> {
    return this.#feedback.list(tenant, detector);
  }

  unusual(tenant: TenantId, limit: number): Promise<UnusualAnswer> {
    return findUnusual(this.#ports, tenant, { atMs: this.#ports.clock.now(), limit });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#sweepTimer?.cancel();
    for (const slots of this.#tenants.values()) for (const slot of slots.values()) await this.#stop(slot);
    this.#tenants.clear();
  }

  #make(tenant: TenantId, config: DetectorConfig): Runtime {
    const ports =
      config.kind === 'forecast' || config.kind === 'anomaly' ? withModel(this.#ports, tenant, config) : this.#ports;
    return config.kind === 'forecast'
      ? new ForecastRuntime(tenant, config, ports, this.#ledger)
      : new StreamRuntime(tenant, config, ports, this.#ledger);
  }

  #view(runtime: Runtime): DetectorView {
    const nowMs = this.#ports.clock.now();
    return {
      config: runtime.config,
      status: runtime.status(nowMs),
      record: runtime.record.summary(nowMs),
      backtest: runtime.backtest,
    };
  }

  #slot(tenant: TenantId, name: string): Slot {
    const slot = this.#tenants.get(tenant)?.get(name);
    if (!slot) throw new VigieError('not_found', `no detector ${JSON.stringify(name.slice(0, 64))}`);
    return slot;
  }

  async #refactor(runtime: Runtime): Promise<void> {
    const list = await this.#feedback.list(runtime.tenant, runtime.config.name);
    runtime.factor = budgetFactor(list.map((f) => f.verdict));
    runtime.applyFactor();
  }

  #queueStart(slot: Slot): void {
    this.#starts.push(async () => {
      if (slot.stopped) return;
      const { runtime } = slot;
      try {
        await this.#refactor(runtime);
        await runtime.prepare(this.#lastSlotMs(runtime));
      } catch (error) {
        this.#ports.logger.warn('history of a detector could not be read; it is tried again', {
          tenant: runtime.tenant,
          detector: runtime.config.name,
          error: messageOf(error),
        });
        this.#after(slot, RETRY_MS, () => this.#queueStart(slot));
        return;
      }
      if (slot.stopped) return;
      slot.ready = true;
      // a long step must not keep the first forecast waiting
      slot.running = true;
      await runtime.tick(this.#lastSlotMs(runtime));
      await runtime.republish(this.#ports.clock.now());
      slot.running = false;
      if (slot.stopped) return;
      this.#schedule(slot);
      this.#after(slot, this.#ownOffset(runtime, SAVE_STATE_MS) + 1, () => this.#saveLater(slot));
      this.#testLater(slot);
    });
    void this.#nextStart();
  }

  async #nextStart(): Promise<void> {
    if (this.#starting >= STARTS_MAX) return;
    const start = this.#starts.shift();
    if (!start) return;
    this.#starting++;
    try {
      await start();
    } finally {
      this.#starting--;
      void this.#nextStart();
    }
  }

  /** The newest evaluation time that is not in the future, on the detector's own offset. */
  #lastSlotMs(runtime: Runtime): number {
    const { step } = runtime.config;
    const offset = this.#ownOffset(runtime, step);
    return Math.floor((this.#ports.clock.now() - offset) / step) * step + offset;
  }

  #ownOffset(runtime: Runtime, withinMs: number): number {
    const hash = createHash('sha256').update(`${runtime.tenant}\u0000${runtime.config.name}`).digest();
    return Math.floor((hash.readUInt32LE(0) / 2 ** 32) * withinMs);
  }

  #schedule(slot: Slot): void {
    const { runtime } = slot;
    const { step } = runtime.config;
    const now = this.#ports.clock.now();
    const next = this.#lastSlotMs(runtime) + step;
    const repeat = step > 2 * REPUBLISH_MS && next - now > 1.5 * REPUBLISH_MS;
    this.#after(slot, repeat ? REPUBLISH_MS : next - now, () => {
      // a call that is late or early by a clock step finds its place anew
      if (!slot.running) {
        slot.running = true;
        const work = repeat ? runtime.republish(this.#ports.clock.now()) : runtime.tick(next);
        void work.finally(() => {
          slot.running = false;
        });
      }
      this.#schedule(slot);
    });
  }

  #saveLater(slot: Slot): void {
    void slot.runtime.saveState().catch((error) =>
      this.#ports.logger.warn('state of a detector could not be kept', {
        tenant: slot.runtime.tenant,
        detector: slot.runtime.config.name,
        error: messageOf(error),
      }),
    );
    this.#after(slot, SAVE_STATE_MS, () => this.#saveLater(slot));
  }

  #testLater(slot: Slot): void {
    const { runtime } = slot;
    const known = runtime.backtest;
    const blind = known !== undefined && !known.passed && known.report.points === 0;
    const waitMs = known?.passed ? RETEST_PASSED_MS : blind ? Math.min(RETEST_MS, slot.patienceMs) : RETEST_MS;
    const dueMs = known ? known.atMs + waitMs - this.#ports.clock.now() : 1;
    this.#after(slot, Math.max(1, dueMs), () => {
      void this.#test(slot, blind).then(
        () => this.#testLater(slot),
        (error) => {
          this.#ports.logger.warn('back-test failed; it is tried again', {
            tenant: runtime.tenant,
            detector: runtime.config.name,
            error: messageOf(error),
          });
          this.#after(slot, RETEST_MS / 6, () => this.#testLater(slot));
        },
      );
    });
  }

  async #test(slot: Slot, blind: boolean): Promise<void> {
    const { runtime } = slot;
    if (blind) {
      slot.patienceMs *= 2;
      if (runtime.status(this.#ports.clock.now()).series.ready === 0) await this.#relearn(slot);
    }
    await this.backtest(runtime.tenant, runtime.config.name);
  }

  /** Evaluations pause meanwhile. */
  async #relearn(slot: Slot): Promise<void> {
    if (slot.running || !slot.ready || slot.stopped) return;
    slot.running = true;
    try {
      await slot.runtime.relearn(this.#lastSlotMs(slot.runtime));
    } finally {
      slot.running = false;
    }
  }

  #after(slot: Slot, delayMs: number, work: () => void): void {
    if (slot.stopped) return;
    const timer = this.#ports.clock.setTimer(() => {
      slot.timers.delete(timer);
      if (!slot.stopped) work();
    }, delayMs);
    slot.timers.add(timer);
  }

  async #stop(slot: Slot, save = true): Promise<void> {
    slot.stopped = true;
    for (const timer of slot.timers) timer.cancel();
    slot.timers.clear();
    if (!slot.ready || !save) return;
    try {
      await slot.runtime.saveState();
      if (slot.runtime.record.dirty) await slot.runtime.saveRecord();
    } catch (error) {
      this.#ports.logger.warn('state of a stopped detector could not be kept', {
        tenant: slot.runtime.tenant,
        detector: slot.runtime.config.name,
        error: messageOf(error),
      });
    }
  }
}
