/**
 * A clock whose time is stepped from timer to timer, so that real engines live through weeks in seconds. Nothing that
 * runs on it may wait for disks or networks: after each timer only promises already settled are let run.
 */
import type { Clock, Timer } from '../lib/clock.ts';
import { VigieError } from '../lib/errors.ts';

/** Timers fired in one rehearsal; more means a loop that time cannot end. */
export const TIMERS_FIRED_MAX = 20_000_000;
/** Timers that may fire without time moving on. */
const STANDSTILL_MAX = 100_000;

interface Entry {
  readonly atMs: number;
  readonly order: number;
  callback: (() => void) | undefined;
}

export class RehearsalClock implements Clock {
  readonly #startMs: number;
  #nowMs: number;
  #order = 0;
  #fired = 0;
  readonly #heap: Entry[] = [];

  constructor(startMs: number) {
    this.#startMs = startMs;
    this.#nowMs = startMs;
  }

  now(): number {
    return this.#nowMs;
  }

  monotonicMs(): number {
    return this.#nowMs - this.#startMs;
  }

  setTimer(callback: () => void, delayMs: number): Timer {
    const entry: Entry = { atMs: this.#nowMs + Math.max(0, delayMs), order: this.#order++, callback };
    this.#push(entry);
    return {
      cancel: () => {
        entry.callback = undefined;
      },
    };
  }

  /** Timers fired so far. */
  get fired(): number {
    return this.#fired;
  }

  /** Moves to `toMs`, firing what is due on the way in order. Throws `execution` when time does not move on. */
  async advanceTo(toMs: number): Promise<void> {
    let still = 0;
    for (;;) {
      const next = this.#heap[0];
      if (!next || next.atMs > toMs) break;
      this.#pop();
      const { callback } = next;
      if (!callback) continue;
      still = next.atMs > this.#nowMs ? 0 : still + 1;
      if (still > STANDSTILL_MAX || ++this.#fired > TIMERS_FIRED_MAX)
        throw new VigieError('execution', `the rehearsal does not get past ${new Date(this.#nowMs).toISOString()}`);
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      callback();
      await settled();
    }
    this.#nowMs = Math.max(this.#nowMs, toMs);
    await settled();
  }

  #push(entry: Entry): void {
    const h = this.#heap;
    let i = h.length;
    h.push(entry);
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (before(h[parent]!, entry)) break;
      h[i] = h[parent]!;
      i = parent;
    }
    h[i] = entry;
  }

  #pop(): void {
    const h = this.#heap;
    const last = h.pop()!;
    if (h.length === 0) return;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= h.length) break;
      if (child + 1 < h.length && before(h[child + 1]!, h[child]!)) child++;
      if (before(last, h[child]!)) break;
      h[i] = h[child]!;
      i = child;
    }
    h[i] = last;
  }
}

const before = (a: Entry, b: Entry): boolean => a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);

/** One turn of the event loop: every promise chain that waits for nothing outside has run by then. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
