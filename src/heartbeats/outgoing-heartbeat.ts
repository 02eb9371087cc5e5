/**
 * Tells a watcher outside that this Vigie lives: a request each interval, sent only while rules are being evaluated, so
 * that a process that merely breathes does not count. The watcher's silence alarm is what pages when Vigie dies.
 */
import type { Clock, Timer } from '../lib/clock.ts';
import { messageOf } from '../lib/errors.ts';
import type { Logger } from '../lib/logger.ts';

export interface OutgoingHeartbeatOptions {
  readonly url: string;
  readonly intervalMs: number;
  /** Posts to the address; resolves with the HTTP status. */
  readonly post: (url: string, signal: AbortSignal) => Promise<number>;
  /** What keeps this beat from being sent, or undefined when all is well. */
  readonly unhealthy: () => string | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
}

const ANSWER_MS_MAX = 10_000;

export class OutgoingHeartbeat {
  readonly #options: OutgoingHeartbeatOptions;
  #timer: Timer | undefined;
  #stopped = false;
  sent = 0;
  failed = 0;
  withheld = 0;

  constructor(options: OutgoingHeartbeatOptions) {
    this.#options = options;
  }

  start(): void {
    const tick = (): void => {
      if (this.#stopped) return;
      this.#timer = this.#options.clock.setTimer(tick, this.#options.intervalMs);
      void this.#beat();
    };
    this.#timer = this.#options.clock.setTimer(tick, Math.min(5_000, this.#options.intervalMs));
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  async #beat(): Promise<void> {
    const { clock, logger, unhealthy, post, url } = this.#options;
    const reason = unhealthy();
    if (reason !== undefined) {
      this.withheld++;
      logger.warn('outgoing heartbeat withheld', { reason });
      return;
    }
    const controller = new AbortController();
    const timer = clock.setTimer(
      () => controller.abort(new Error(`no answer within ${ANSWER_MS_MAX} ms`)),
      ANSWER_MS_MAX,
    );
    try {
      const status = await post(url, controller.signal);
      if (status >= 200 && status < 300) this.sent++;
      else {
        this.failed++;
        logger.warn('outgoing heartbeat was refused', { status });
      }
    } catch (error) {
      this.failed++;
      logger.warn('outgoing heartbeat failed', { error: messageOf(error) });
    } finally {
      timer.cancel();
    }
  }
}
