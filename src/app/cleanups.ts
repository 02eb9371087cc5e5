/** Named clean-ups, run once in reverse order. A failed setup is rolled back by the same stack as an orderly stop. */
import type { Clock } from '../lib/clock.ts';
import { messageOf } from '../lib/errors.ts';
import type { Logger } from '../lib/logger.ts';

/** One clean-up may take this long before the next one is started anyway; SIGTERM promises an end within 8 s. */
const CLEANUP_MS_MAX = 3_000;

export class Cleanups {
  readonly #stack: { name: string; run: () => Promise<void> | void }[] = [];
  readonly #clock: Clock;
  readonly #logger: Logger;
  #running: Promise<boolean> | undefined;

  constructor(clock: Clock, logger: Logger) {
    this.#clock = clock;
    this.#logger = logger;
  }

  add(name: string, run: () => Promise<void> | void): void {
    this.#stack.push({ name, run });
  }

  /** Runs everything; later calls wait for the first. True when all of it went well and in time. */
  run(): Promise<boolean> {
    this.#running ??= this.#runAll();
    return this.#running;
  }

  async #runAll(): Promise<boolean> {
    let clean = true;
    for (let entry = this.#stack.pop(); entry; entry = this.#stack.pop()) {
      const { name, run } = entry;
      let timer: { cancel(): void } | undefined;
      try {
        const late = new Promise<never>((_, reject) => {
          timer = this.#clock.setTimer(
            () => reject(new Error(`took longer than ${CLEANUP_MS_MAX} ms`)),
            CLEANUP_MS_MAX,
          );
        });
        await Promise.race([(async () => run())(), late]);
      } catch (error) {
        clean = false;
        this.#logger.warn('clean-up failed', { step: name, error: messageOf(error) });
      } finally {
        timer?.cancel();
      }
    }
    return clean;
  }
}
