/** A drill on paper: for each hour and criticality, whom would an escalation reach, and how soon. Pure. */
import { CRITICALITIES, type Criticality } from './incident.ts';
import type { OnCallDirectory } from './on-call-directory.ts';
import { choosePolicy } from './policy.ts';
import { reach } from './reach.ts';

/** Somebody is to be reached within this. */
export const REACHED_WITHIN_MS = 15 * 60_000;
const STEP_MS = 3_600_000;
const HOLES_LISTED_MAX = 200;

export interface CoverageAnswer {
  readonly hours: number;
  readonly byCriticality: readonly {
    readonly criticality: Criticality;
    readonly policy: string;
    /** Share of hours in which somebody is reached within REACHED_WITHIN_MS, 0..1. */
    readonly share: number;
    /** Longest time until somebody is reached, over the hours in which anybody is. */
    readonly slowestMs: number;
  }[];
  /** Hours in which nobody would be reached, with what was missing. */
  readonly holes: readonly { readonly atMs: number; readonly criticality: Criticality; readonly why: string }[];
}

export function coverage(directory: OnCallDirectory, fromMs: number, toMs: number): CoverageAnswer {
  const hours = Math.max(1, Math.min(24 * 366, Math.ceil((toMs - fromMs) / STEP_MS)));
  const holes: { atMs: number; criticality: Criticality; why: string }[] = [];
  const byCriticality = CRITICALITIES.map((criticality) => {
    const policy = choosePolicy(directory.policies(), { criticality, services: [], labels: [] });
    let covered = 0;
    let slowestMs = 0;
    for (let h = 0; h < hours; h++) {
      const startMs = fromMs + h * STEP_MS;
      let afterMs = 0;
      let found: number | undefined;
      const missed: string[] = [];
      for (const step of policy.steps) {
        const answer = reach(step.notify, { criticality }, directory, startMs + afterMs);
        missed.push(...answer.missed);
        const soonest = Math.min(...answer.reached.map((r) => r.afterMs));
        if (answer.reached.length > 0) {
          found = afterMs + soonest;
          break;
        }
        if (
          step.notify.length > 0 &&
          reach(policy.fallback, { criticality }, directory, startMs + afterMs).reached.length > 0
        ) {
          found = afterMs;
          break;
        }
        afterMs += step.timeout;
      }
      if (found !== undefined) slowestMs = Math.max(slowestMs, found);
      if (found !== undefined && found <= REACHED_WITHIN_MS) covered++;
      else if (holes.length < HOLES_LISTED_MAX)
        holes.push({
          atMs: startMs,
          criticality,
          why:
            found !== undefined
              ? `only after ${Math.round(found / 60_000)} min`
              : (missed[0] ?? `${policy.name} tells nobody`),
        });
    }
    return { criticality, policy: policy.name, share: covered / hours, slowestMs };
  });
  return { hours, byCriticality, holes };
}
