/** Gives the event loop its turn after a few milliseconds of work, so that requests never wait long for rules. */
export const WORK_MS_MAX = 5;

export class Breather {
  readonly #monotonicMs: () => number;
  #workedSinceMs: number;

  constructor(monotonicMs: () => number) {
    this.#monotonicMs = monotonicMs;
    this.#workedSinceMs = monotonicMs();
  }

  /** Something to await when the work so far was long enough; else nothing, so that short work stays synchronous. */
  pause(): Promise<void> | undefined {
    if (this.#monotonicMs() - this.#workedSinceMs < WORK_MS_MAX) return undefined;
    return new Promise((resolve) =>
      setImmediate(() => {
        this.#workedSinceMs = this.#monotonicMs();
        resolve();
      }),
    );
  }

  /** The loop had its turn anyway: a timer or an answer brought us here. */
  rested(): void {
    this.#workedSinceMs = this.#monotonicMs();
  }
}
