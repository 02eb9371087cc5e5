/**
 * Time as a dependency. Everything outside this file, `main` and `cli` is handed a `Clock`, so that rules,
 * escalations and repeats run in virtual hours in tests (test/support/fake-clock.ts).
 */
export interface Timer {
  cancel(): void;
}

export interface Clock {
  /** Milliseconds since the Unix epoch; may step in either direction. */
  now(): number;
  /** Milliseconds from an arbitrary start; never steps back. For durations. */
  monotonicMs(): number;
  /** Calls `callback` once after `delayMs`. The timer never keeps the process alive by itself. */
  setTimer(callback: () => void, delayMs: number): Timer;
}

/** Node clamps longer delays to 1 ms, which would turn a far deadline into a busy loop. */
const DELAY_MS_MAX = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
  setTimer(callback, delayMs) {
    let handle: NodeJS.Timeout;
    const arm = (leftMs: number): void => {
      const step = Math.min(Math.max(0, leftMs), DELAY_MS_MAX);
      handle = setTimeout(() => (leftMs > step ? arm(leftMs - step) : callback()), step);
      handle.unref();
    };
    arm(delayMs);
    return { cancel: () => clearTimeout(handle) };
  },
};

/** Resolves after `delayMs` on `clock`, or rejects with the signal's reason when it aborts first. */
export function sleep(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const onAbort = (): void => {
      timer.cancel();
      reject(signal?.reason);
    };
    const timer = clock.setTimer(() => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    }, delayMs);
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}

/** Waits for `work`, but no longer than `ms`; what it answers or throws later is nobody's concern. */
export async function atMost(clock: Clock, ms: number, work: Promise<unknown>): Promise<void> {
  let timer: Timer | undefined;
  const late = new Promise<void>((resolve) => {
    timer = clock.setTimer(resolve, ms);
  });
  const done = work.then(
    () => {},
    () => {},
  );
  await Promise.race([done, late]);
  timer?.cancel();
}
