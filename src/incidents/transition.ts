/** Applies an event of the life cycle to an incident: state, times, timers and time line. Pure; SPEC.md has the invariants. */
import { VigieError } from '../lib/errors.ts';
import { begin, halt } from './escalation.ts';
import { type Incident, type TimelineKind, withEntry, withoutTimer, withTimers } from './incident.ts';
import { type IncidentEvent, isLive, moveOf } from './life-cycle.ts';
import type { Policy } from './policy.ts';

export interface TransitionInput {
  readonly event: IncidentEvent;
  readonly nowMs: number;
  readonly actor: string;
  /** What the time line says; the states are added. */
  readonly text: string;
  readonly policy: Policy;
  /** When people may be told: later than now during a maintenance window. */
  readonly notBeforeMs?: number;
  /** For `snooze`. */
  readonly snoozeUntilMs?: number;
  /** For `merge`. */
  readonly mergedInto?: string;
}

/** The incident after the event; the same object when it is ignored. Throws `conflict` when a person's wish is refused. */
export function transition(incident: Incident, input: TransitionInput): Incident {
  const { event, nowMs, actor } = input;
  const cell = moveOf(incident.state, event);
  if (cell === 'ignore') return incident;
  if (cell === 'refuse')
    throw new VigieError(
      'conflict',
      `${incident.id} is ${incident.state}: ${event.replaceAll('_', ' ')} makes no sense now`,
    );
  const from = incident.state;
  let next: Incident = { ...incident, state: cell.to, live: isLive(cell.to) ? 1 : 0, updatedAtMs: nowMs };
  next = escalate(next, cell.escalation, input);
  next = timed(next, input);
  const kind: TimelineKind = event === 'merge' || event === 'split' ? 'merge' : 'state';
  const states = from === cell.to ? from : `${from} -> ${cell.to}`;
  next = withEntry(next, { atMs: nowMs, kind, text: `${states}: ${input.text}`, actor });
  if (isLive(cell.to)) return next;
  return withTimers(next, {});
}

function escalate(incident: Incident, verb: 'start' | 'stop' | 'keep', input: TransitionInput): Incident {
  if (verb === 'keep') return incident;
  if (verb === 'stop') {
    const { state } = halt(incident.escalation);
    return withTimers({ ...incident, escalation: state }, withoutTimer(incident.timers, 'escalation'));
  }
  const move = begin(incident.escalation, input.policy, Math.max(input.nowMs, input.notBeforeMs ?? 0));
  return withTimers(
    { ...incident, escalation: move.state },
    { ...withoutTimer(incident.timers, 'idle', 'snooze'), escalation: move.dueAtMs! },
  );
}

/** Times and timers that belong to the state just entered. */
function timed(incident: Incident, input: TransitionInput): Incident {
  const { nowMs, actor, policy } = input;
  const idle = policy.idle_after > 0 ? { idle: nowMs + policy.idle_after } : {};
  switch (incident.state) {
    case 'acknowledged':
      return withTimers(
        {
          ...incident,
          // the first acknowledgement counts; a second person changes the name only
          acknowledgedAtMs: incident.acknowledgedAtMs ?? nowMs,
          acknowledgedBy: actor,
        },
        { ...withoutTimer(incident.timers, 'snooze'), ...idle },
      );
    case 'mitigated':
      return withTimers(
        { ...incident, mitigatedAtMs: nowMs, acknowledgedAtMs: incident.acknowledgedAtMs ?? nowMs },
        { ...withoutTimer(incident.timers, 'snooze'), ...idle },
      );
    case 'snoozed':
      return withTimers(
        { ...incident, acknowledgedAtMs: incident.acknowledgedAtMs ?? nowMs },
        { ...withoutTimer(incident.timers, 'idle'), snooze: input.snoozeUntilMs ?? nowMs + 3_600_000 },
      );
    case 'resolved':
      return { ...incident, resolvedAtMs: nowMs, recoveredAtMs: incident.recoveredAtMs ?? nowMs };
    case 'reopened': {
      if (input.event === 'criticality_raised' && incident.resolvedAtMs === undefined) return incident;
      const {
        resolvedAtMs: _r,
        recoveredAtMs: _c,
        acknowledgedAtMs: _a,
        acknowledgedBy: _b,
        mitigatedAtMs: _m,
        ...rest
      } = incident;
      return { ...rest, reopenings: incident.reopenings + 1 };
    }
    case 'merged':
      return { ...incident, ...(input.mergedInto === undefined ? {} : { mergedInto: input.mergedInto }) };
    case 'open':
    case 'split':
      return incident;
  }
}

/** A person did something: an acknowledged incident is not idle. */
export function touched(incident: Incident, policy: Policy, nowMs: number): Incident {
  if (incident.timers.idle === undefined) return incident;
  return withTimers(incident, { ...incident.timers, idle: nowMs + policy.idle_after });
}
