/** A clock that moves only when told to. Timers fire in order of their due time, ties in order of creation. */
import type { Clock, Timer } from '../../src/lib/clock.ts';

interface Pending {
  dueMs: number;
  seq: number;
  callback: () => void;
}

export class FakeClock implements Clock {
  #nowMs: number;
  #monotonicMs = 0;
  #seq = 0;
  readonly #pending = new Set<Pending>();

  constructor(startMs = Date.UTC(2026, 0, 1)) {
    this.#nowMs = startMs;
  }

  now(): number {
    return this.#nowMs;
  }

  monotonicMs(): number {
    return this.#monotonicMs;
  }

  setTimer(callback: () => void, delayMs: number): Timer {
    const entry: Pending = { dueMs: this.#monotonicMs + Math.max(0, delayMs), seq: this.#seq++, callback };
    this.#pending.add(entry);
    return { cancel: () => void this.#pending.delete(entry) };
  }

  get pendingTimers(): number {
    return this.#pending.size;
  }

  /** Moves the wall clock without moving monotonic time: an NTP step. */
  step(byMs: number): void {
    this.#nowMs += byMs;
  }

  /** Moves both clocks, firing due timers on the way and letting promise chains settle after each. */
  async advance(byMs: number): Promise<void> {
    const endMs = this.#monotonicMs + byMs;
    for (;;) {
      let next: Pending | undefined;
      for (const p of this.#pending) {
        if (p.dueMs <= endMs && (!next || p.dueMs < next.dueMs || (p.dueMs === next.dueMs && p.seq < next.seq)))
          next = p;
      }
      if (!next) break;
      this.#pending.delete(next);
      this.#move(next.dueMs - this.#monotonicMs);
      next.callback();
      await settle();
    }
    this.#move(endMs - this.#monotonicMs);
    await settle();
  }

  #move(byMs: number): void {
    this.#monotonicMs += byMs;
    this.#nowMs += byMs;
  }
}

/** Lets already-resolved promise chains (and immediates) run. */
export async function settle(rounds = 3): Promise<void> {
  for (let i = 0; i < rounds; i++) await new Promise<void>((resolve) => setImmediate(resolve));
}
