/**
 * How long the event loop of this process was held up: a timer of 10 ms says by how much it came late, less the time
 * that the kernel let the main thread wait for a processor (schedstat), which is other programs' doing.
 */
import { closeSync, openSync, readSync } from 'node:fs';

const PERIOD_MS = 10;

export interface LoopDelay {
  readonly samples: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly maxMs: number;
  /** The same percentile with the waiting for a processor included. */
  readonly p999WithWaitMs: number;
  /** The same percentile of what the main thread itself computed meanwhile, without waiting for helpers of the collector. */
  readonly p999ComputingMs: number;
}

/** Starts measuring; the function answers what was measured since the last call. Linux only. */
export function measureLoopDelay(): () => LoopDelay {
  const fd = openSync(`/proc/self/task/${process.pid}/schedstat`, 'r');
  process.on('exit', () => closeSync(fd));
  const text = Buffer.alloc(128);
  /** Time that the main thread ran, and that it was ready to run and did not, ms. */
  const schedule = (): readonly [ranMs: number, waitedMs: number] => {
    const n = readSync(fd, text, 0, text.length, 0);
    const [ran, waited] = text.toString('latin1', 0, n).split(' ');
    return [Number(ran) / 1e6, Number(waited) / 1e6];
  };
  let own: number[] = [];
  let all: number[] = [];
  let computing: number[] = [];
  let last = performance.now();
  let [ran, waited] = schedule();
  setInterval(() => {
    const now = performance.now();
    const [run, wait] = schedule();
    const late = Math.max(0, now - last - PERIOD_MS);
    all.push(late);
    own.push(Math.max(0, late - (wait - waited)));
    computing.push(Math.min(late, run - ran));
    last = now;
    ran = run;
    waited = wait;
  }, PERIOD_MS).unref();
  return () => {
    const sorted = own.sort((a, b) => a - b);
    const computed = computing.sort((a, b) => a - b);
    const withWait = all.sort((a, b) => a - b);
    const at = (v: readonly number[], q: number): number => v[Math.min(v.length - 1, Math.floor(v.length * q))] ?? 0;
    const result = {
      samples: sorted.length,
      p50Ms: at(sorted, 0.5),
      p99Ms: at(sorted, 0.99),
      p999Ms: at(sorted, 0.999),
      maxMs: sorted.at(-1) ?? 0,
      p999WithWaitMs: at(withWait, 0.999),
      p999ComputingMs: at(computed, 0.999),
    };
    own = [];
    all = [];
    computing = [];
    return result;
  };
}
