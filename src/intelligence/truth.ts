/**
 * Alerts of streaming detectors held against what is known to have been wrong: the detector's `truth` expression. An
 * alert near a known fault is a hit, one without is false after a time of grace, a fault without an alert is a miss.
 */
import type { Labels } from '../model/labels.ts';

/** An alert may come this much before or after a fault is known. */
export const GRACE_STEPS = 15;

export interface OpenAlert {
  /** Undefined when the day's share of stored predictions was used up. */
  readonly id: string | undefined;
  readonly labels: Labels;
  readonly atMs: number;
}

export interface Verdict {
  readonly alert: OpenAlert;
  readonly status: 'hit' | 'false';
  readonly leadMs: number;
}

interface Fault {
  readonly labels: Labels;
  readonly startMs: number;
  endMs: number;
  announced: boolean;
}

/** Alerts that wait for their verdict; older ones are dropped unjudged. */
const OPEN_MAX = 1_000;
const FAULTS_MAX = 1_000;

/** Labels that both have are equal. */
export function related(a: Labels, b: Labels): boolean {
  for (const [name, value] of a) if (b.has(name) && b.get(name) !== value) return false;
  return true;
}

export class TruthBook {
  readonly #graceMs: number;
  #open: OpenAlert[] = [];
  #faults: Fault[] = [];

  constructor(stepMs: number) {
    this.#graceMs = GRACE_STEPS * stepMs;
  }

  alert(alert: OpenAlert): void {
    this.#open.push(alert);
    if (this.#open.length > OPEN_MAX) this.#open.shift();
  }

  /** What is wrong at `atMs`; answers what can be said now. */
  observe(atMs: number, wrong: readonly Labels[]): { verdicts: readonly Verdict[]; misses: readonly Labels[] } {
    for (const labels of wrong) {
      const known = this.#faults.find((f) => atMs - f.endMs <= this.#graceMs && f.labels.equals(labels));
      if (known) known.endMs = atMs;
      else if (this.#faults.length < FAULTS_MAX)
        this.#faults.push({ labels, startMs: atMs, endMs: atMs, announced: false });
    }
    const verdicts: Verdict[] = [];
    this.#open = this.#open.filter((alert) => {
      const fault = this.#faults.find(
        (f) =>
          alert.atMs >= f.startMs - this.#graceMs &&
          alert.atMs <= f.endMs + this.#graceMs &&
          related(f.labels, alert.labels),
      );
      if (fault) {
        fault.announced = true;
        verdicts.push({ alert, status: 'hit', leadMs: Math.max(0, fault.startMs - alert.atMs) });
        return false;
      }
      if (atMs - alert.atMs <= this.#graceMs) return true;
      verdicts.push({ alert, status: 'false', leadMs: 0 });
      return false;
    });
    const misses: Labels[] = [];
    this.#faults = this.#faults.filter((f) => {
      if (atMs - f.endMs <= 2 * this.#graceMs) return true;
      if (!f.announced) misses.push(f.labels);
      return false;
    });
    return { verdicts, misses };
  }
}
