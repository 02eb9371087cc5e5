/**
 * The targets of one job: which there are, each with its timer, its loop and what is shown of it. A changed target
 * list keeps the loops of unchanged targets; a target that goes away leaves stale markers behind.
 */
import type { Clock, Timer } from '../lib/clock.ts';
import { messageOf } from '../lib/errors.ts';
import type { Logger } from '../lib/logger.ts';
import type { ExpositionFormat, ExpositionParser, SeriesMemory } from '../model/exposition.ts';
import type { Labels } from '../model/labels.ts';
import type { MetricsWriter } from '../store/metrics.ts';
import type { ScrapeConfig } from './config.ts';
import type { Relabel } from './relabel.ts';
import { type BatchScratch, ScrapeLoop } from './scrape-loop.ts';
import { populateTarget, type Target, type TargetGroup, targetOffsetMs } from './target.ts';

export interface ScrapedBody {
  readonly body: Uint8Array;
  readonly format: ExpositionFormat;
}
/** Gets the body of a target within its timeout. Throws with the text for `lastError`. */
export type FetchBody = (target: Target, signal: AbortSignal) => Promise<ScrapedBody>;

export interface PoolPorts {
  readonly writer: MetricsWriter;
  readonly parser: ExpositionParser;
  readonly createMemory: () => SeriesMemory;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly scratch: BatchScratch;
  readonly offsetSeed: string;
  /** The first scrape comes at once instead of at the target's offset: functions of this process need no spreading. */
  readonly atOnce?: boolean;
  readonly extraMetrics: boolean;
  /** Waits for one of the bounded places to scrape; answers how to give it back. */
  readonly enter: () => Promise<() => void>;
  readonly onScrape: (ok: boolean, seconds: number) => void;
}

export type TargetHealth = 'unknown' | 'up' | 'down';

export interface ActiveTarget {
  readonly target: Target;
  readonly health: TargetHealth;
  readonly lastError: string;
  /** ms; 0 before the first scrape. */
  readonly lastScrapeMs: number;
  readonly lastDurationSeconds: number;
  readonly metadata: ReadonlyMap<string, { readonly type: string; readonly help: string; readonly unit: string }>;
}

interface Running {
  target: Target;
  readonly loop: ScrapeLoop;
  readonly abort: AbortController;
  timer: Timer | undefined;
  busy: Promise<void> | undefined;
  health: TargetHealth;
  lastError: string;
  lastScrapeMs: number;
  lastDurationSeconds: number;
  metadata: Map<string, { type: string; help: string; unit: string }>;
}

export class ScrapePool {
  readonly config: ScrapeConfig;
  readonly #ports: PoolPorts;
  readonly #relabelTarget: Relabel;
  readonly #relabelMetric: Relabel;
  readonly #fetch: FetchBody;
  readonly #running = new Map<string, Running>();
  #dropped: Labels[] = [];
  #droppedCount = 0;
  #stopped = false;

  constructor(
    config: ScrapeConfig,
    relabels: { target: Relabel; metric: Relabel },
    fetch: FetchBody,
    ports: PoolPorts,
  ) {
    this.config = config;
    this.#relabelTarget = relabels.target;
    this.#relabelMetric = relabels.metric;
    this.#fetch = fetch;
    this.#ports = ports;
  }

  get active(): readonly ActiveTarget[] {
    return [...this.#running.values()];
  }

  get dropped(): readonly Labels[] {
    return this.#dropped;
  }

  get droppedCount(): number {
    return this.#droppedCount;
  }

  /** Makes the targets those of `groups`. */
  update(groups: readonly TargetGroup[]): void {
    if (this.#stopped) return;
    const wanted = new Map<string, Target>();
    const dropped: Labels[] = [];
    let droppedCount = 0;
    for (const group of groups) {
      for (const own of group.targets) {
        try {
          const made = populateTarget(own, group.labels, this.config, this.#relabelTarget);
          if (made.kind === 'target') wanted.set(made.target.key, made.target);
          else {
            droppedCount++;
            if (this.config.keepDroppedTargets === 0 || dropped.length < this.config.keepDroppedTargets)
              dropped.push(made.discovered);
          }
        } catch (error) {
          this.#ports.logger.warn('a discovered target cannot be scraped', {
            job: this.config.jobName,
            error: messageOf(error),
          });
        }
      }
    }
    this.#dropped = dropped;
    this.#droppedCount = droppedCount;
    for (const [key, running] of this.#running) if (!wanted.has(key)) void this.#end(key, running);
    for (const [key, target] of wanted) {
      const known = this.#running.get(key);
      if (known) known.target = target;
      else this.#begin(key, target);
    }
  }

  /** Ends all loops. With `stale`, their series are marked as gone. */
  async stop(stale: boolean): Promise<void> {
    this.#stopped = true;
    await Promise.all([...this.#running].map(([key, running]) => this.#end(key, running, stale)));
  }

  #begin(key: string, target: Target): void {
    const { createMemory, scratch, clock, offsetSeed } = this.#ports;
    const running: Running = {
      target,
      loop: new ScrapeLoop(target, this.config, this.#relabelMetric, createMemory(), scratch),
      abort: new AbortController(),
      timer: undefined,
      busy: undefined,
      health: 'unknown',
      lastError: '',
      lastScrapeMs: 0,
      lastDurationSeconds: 0,
      metadata: new Map(),
    };
    this.#running.set(key, running);
    const offset = targetOffsetMs(target, offsetSeed);
    const delay = this.#ports.atOnce
      ? 0
      : (offset - (clock.now() % target.intervalMs) + target.intervalMs) % target.intervalMs;
    this.#arm(running, clock.monotonicMs() + delay, clock.now() + delay);
  }

  /** Scrapes at `dueMs` (monotonic) and every interval after; a late scrape skips the ticks it missed. */
  #arm(running: Running, dueMs: number, wallMs: number): void {
    const { clock } = this.#ports;
    running.timer = clock.setTimer(() => {
      if (running.abort.signal.aborted) return;
      running.busy = this.#scrape(running, wallMs).finally(() => {
        running.busy = undefined;
        if (running.abort.signal.aborted) return;
        const { intervalMs } = running.target;
        const missed = Math.max(1, Math.ceil((clock.monotonicMs() - dueMs) / intervalMs));
        this.#arm(running, dueMs + missed * intervalMs, wallMs + missed * intervalMs);
      });
    }, dueMs - clock.monotonicMs());
  }

  async #scrape(running: Running, scheduledMs: number): Promise<void> {
    const { clock, writer, parser, enter, onScrape } = this.#ports;
    const leave = await enter();
    try {
      if (running.abort.signal.aborted) return;
      const { loop, target } = running;
      const startMs = clock.monotonicMs();
      const now = clock.now();
      // regular time stamps compress better: within 1 % of the interval (at most 2 ms) the schedule counts
      const timeMs = Math.abs(now - scheduledMs) <= Math.min(2, target.intervalMs / 100) ? scheduledMs : now;
      let bodyBytes = 0;
      let outcome = { scraped: 0, kept: 0, added: 0 };
      let failure: string | undefined;
      try {
        const { body, format } = await this.#fetch(target, running.abort.signal);
        if (running.abort.signal.aborted) return;
        bodyBytes = body.length;
        const taken = loop.take(body, format, parser, timeMs);
        for (const m of taken.batch.metadata ?? []) running.metadata.set(m.metric, m);
        outcome = { scraped: taken.scraped, kept: taken.kept, added: taken.added };
        await writer.append(taken.batch);
        loop.compact();
      } catch (error) {
        if (running.abort.signal.aborted) return;
        failure = messageOf(error);
        const stale = loop.stale(timeMs);
        if (stale) await writer.append(stale).catch((e: unknown) => this.#lost(e));
      }
      const seconds = (clock.monotonicMs() - startMs) / 1000;
      running.health = failure === undefined ? 'up' : 'down';
      running.lastError = failure ?? '';
      running.lastScrapeMs = now;
      running.lastDurationSeconds = seconds;
      onScrape(failure === undefined, seconds);
      await writer
        .appendSamples(
          loop.report(this.#reportValues(running, failure === undefined, seconds, outcome, bodyBytes), timeMs),
        )
        .catch((e: unknown) => this.#lost(e));
    } finally {
      leave();
    }
  }

  #reportValues(
    running: Running,
    up: boolean,
    seconds: number,
    outcome: { scraped: number; kept: number; added: number },
    bodyBytes: number,
  ): Record<string, number> {
    return {
      up: up ? 1 : 0,
      scrape_duration_seconds: seconds,
      scrape_samples_scraped: outcome.scraped,
      scrape_samples_post_metric_relabeling: outcome.kept,
      scrape_series_added: outcome.added,
      ...(this.#ports.extraMetrics
        ? {
            scrape_timeout_seconds: running.target.timeoutMs / 1000,
            scrape_sample_limit: this.config.sampleLimit,
            scrape_body_size_bytes: up ? bodyBytes : -1,
          }
        : {}),
    };
  }

  async #end(key: string, running: Running, stale = true): Promise<void> {
    this.#running.delete(key);
    running.abort.abort();
    running.timer?.cancel();
    await running.busy;
    if (!stale || running.lastScrapeMs === 0) return;
    const { clock, writer } = this.#ports;
    const now = clock.now();
    const batch = running.loop.stale(now);
    if (batch) await writer.append(batch).catch((e: unknown) => this.#lost(e));
    const own = this.#reportValues(running, false, 0, { scraped: 0, kept: 0, added: 0 }, 0);
    await writer.appendSamples(running.loop.report(own, now, true)).catch((e: unknown) => this.#lost(e));
  }

  #lost(error: unknown): void {
    this.#ports.logger.error('scraped samples could not be stored', {
      job: this.config.jobName,
      error: messageOf(error),
    });
  }
}
