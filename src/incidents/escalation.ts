/**
 * The escalation of one incident as a full table of status x event, and the step it takes when its time has come.
 * Each step has a key made of generation, round and step; the key is what makes taking it twice harmless. Pure.
 */
import type { EscalationState } from './incident.ts';
import type { Policy, PolicyStep, Target } from './policy.ts';

export const ESCALATION_STATUS = ['idle', 'waiting', 'exhausted'] as const;
export type EscalationStatus = (typeof ESCALATION_STATUS)[number];
export const ESCALATION_EVENTS = ['start', 'stop', 'due', 'escalate_now', 'unreachable'] as const;
export type EscalationEvent = (typeof ESCALATION_EVENTS)[number];
/** `begin`: a new generation from step 0; `advance`: take the next step now; `halt`: no more steps; `none`: nothing. */
export type EscalationVerdict = 'begin' | 'advance' | 'halt' | 'none';

export const ESCALATION: {
  readonly [S in EscalationStatus]: { readonly [E in EscalationEvent]: EscalationVerdict };
} = {
  idle: { start: 'begin', stop: 'none', due: 'none', escalate_now: 'begin', unreachable: 'none' },
  waiting: { start: 'begin', stop: 'halt', due: 'advance', escalate_now: 'advance', unreachable: 'advance' },
  // everyone was told as often as the policy says; only a new start or a person goes on
  exhausted: { start: 'begin', stop: 'halt', due: 'none', escalate_now: 'begin', unreachable: 'none' },
};

export const IDLE: EscalationState = { status: 'idle', policy: '', generation: 0, round: 0, step: 0, level: '' };

export interface StepTaken {
  /** Unique for all time within the incident: `g2/r0/s1`. */
  readonly key: string;
  readonly step: PolicyStep;
  readonly index: number;
  readonly round: number;
  readonly targets: readonly Target[];
}

export interface EscalationMove {
  readonly state: EscalationState;
  /** When the next step is due; undefined when there is none. */
  readonly dueAtMs?: number;
  readonly taken?: StepTaken;
}

export function begin(old: EscalationState, policy: Policy, nowMs: number): EscalationMove {
  const state: EscalationState = {
    status: 'waiting',
    policy: policy.name,
    generation: old.generation + 1,
    round: 0,
    step: 0,
    level: '',
  };
  return { state, dueAtMs: nowMs };
}

export const halt = (old: EscalationState): EscalationMove => ({ state: { ...old, status: 'idle' } });

/**
 * Takes the step that is due. A step with nothing to wait for (an L1 without any playbook) makes the next one due at
 * once, which `waits` tells.
 */
export function advance(
  old: EscalationState,
  policy: Policy,
  nowMs: number,
  waits: (step: PolicyStep) => boolean,
): EscalationMove {
  const step = policy.steps[old.step];
  if (!step) return { state: { ...old, status: 'exhausted' } };
  const taken: StepTaken = {
    key: `g${old.generation}/r${old.round}/s${old.step}`,
    step,
    index: old.step,
    round: old.round,
    targets: step.notify,
  };
  const last = old.step === policy.steps.length - 1;
  const dueAtMs = nowMs + (waits(step) ? step.timeout : 0);
  if (!last) return { state: { ...old, step: old.step + 1, level: step.level }, dueAtMs, taken };
  // repeats begin at the first step that tells people: L1 has had its turn
  const from = policy.steps.findIndex((s) => s.notify.length > 0);
  if (old.round < policy.repeat && from >= 0)
    return { state: { ...old, round: old.round + 1, step: from, level: step.level }, dueAtMs, taken };
  return { state: { ...old, status: 'exhausted', level: step.level }, taken };
}
