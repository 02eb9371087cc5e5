/**
 * The life of an incident as a full table: every state answers every event, and the compiler proves that none is
 * missing. SPEC.md beside this file names the invariants and their tests. Pure: no clock, no store.
 */
export const INCIDENT_STATES = [
  'open',
  'acknowledged',
  'snoozed',
  'mitigated',
  'resolved',
  'reopened',
  'merged',
  'split',
] as const;
export type IncidentState = (typeof INCIDENT_STATES)[number];

export const INCIDENT_EVENTS = [
  /** A correlated alert started to fire, or fires again. */
  'alert_fired',
  /** The data an alert needs is missing. Never ends anything. */
  'data_lost',
  /** Every alert recovered and stayed so for the hysteresis. */
  'signals_recovered',
  /** Criticality rose, for instance because more tenants are hit. */
  'criticality_raised',
  'acknowledge',
  'unacknowledge',
  /** Acknowledged, and nobody did anything for the policy's `idle_after`. */
  'idle_timeout',
  'snooze',
  'snooze_over',
  'mitigate',
  'resolve',
  'reopen',
  /** Its alerts moved into another incident. */
  'merge',
  /** Its last alert moved into another incident by a split. */
  'split',
] as const;
export type IncidentEvent = (typeof INCIDENT_EVENTS)[number];

/** What the change means to the escalation: begin anew, end, or leave it. */
export type EscalationVerb = 'start' | 'stop' | 'keep';

export interface Move {
  readonly to: IncidentState;
  readonly escalation: EscalationVerb;
}
/** `ignore`: nothing changes and that is right; `refuse`: a person asked for what makes no sense here. */
export type Cell = Move | 'ignore' | 'refuse';

const go = (to: IncidentState, escalation: EscalationVerb): Move => ({ to, escalation });

export const LIFE_CYCLE: { readonly [S in IncidentState]: { readonly [E in IncidentEvent]: Cell } } = {
  open: {
    alert_fired: 'ignore',
    data_lost: 'ignore',
    signals_recovered: go('resolved', 'stop'),
    criticality_raised: go('open', 'start'),
    acknowledge: go('acknowledged', 'stop'),
    unacknowledge: 'refuse',
    idle_timeout: 'ignore',
    snooze: go('snoozed', 'stop'),
    snooze_over: 'ignore',
    mitigate: go('mitigated', 'stop'),
    resolve: go('resolved', 'stop'),
    reopen: 'refuse',
    merge: go('merged', 'stop'),
    split: go('split', 'stop'),
  },
  acknowledged: {
    alert_fired: 'ignore',
    data_lost: 'ignore',
    signals_recovered: go('resolved', 'stop'),
    // who took a warning did not take the outage it became
    criticality_raised: go('open', 'start'),
    acknowledge: 'ignore',
    unacknowledge: go('open', 'start'),
    idle_timeout: go('open', 'start'),
    snooze: go('snoozed', 'stop'),
    snooze_over: 'ignore',
    mitigate: go('mitigated', 'stop'),
    resolve: go('resolved', 'stop'),
    reopen: 'refuse',
    merge: go('merged', 'stop'),
    split: go('split', 'stop'),
  },
  snoozed: {
    alert_fired: 'ignore',
    data_lost: 'ignore',
    signals_recovered: go('resolved', 'stop'),
    criticality_raised: go('open', 'start'),
    acknowledge: go('acknowledged', 'stop'),
    unacknowledge: go('open', 'start'),
    idle_timeout: 'ignore',
    snooze: go('snoozed', 'stop'),
    snooze_over: go('open', 'start'),
    mitigate: go('mitigated', 'stop'),
    resolve: go('resolved', 'stop'),
    reopen: 'refuse',
    merge: go('merged', 'stop'),
    split: go('split', 'stop'),
  },
  mitigated: {
    // the mitigation did not hold
    alert_fired: go('reopened', 'start'),
    data_lost: 'ignore',
    signals_recovered: go('resolved', 'stop'),
    criticality_raised: go('reopened', 'start'),
    acknowledge: 'ignore',
    unacknowledge: go('open', 'start'),
    idle_timeout: go('open', 'start'),
    snooze: go('snoozed', 'stop'),
    snooze_over: 'ignore',
    mitigate: 'ignore',
    resolve: go('resolved', 'stop'),
    reopen: go('reopened', 'start'),
    merge: go('merged', 'stop'),
    split: go('split', 'stop'),
  },
  resolved: {
    // only within the reopen window; later the correlation opens a new incident
    alert_fired: go('reopened', 'start'),
    data_lost: 'ignore',
    signals_recovered: 'ignore',
    criticality_raised: 'ignore',
    acknowledge: 'refuse',
    unacknowledge: 'refuse',
    idle_timeout: 'ignore',
    snooze: 'refuse',
    snooze_over: 'ignore',
    mitigate: 'refuse',
    resolve: 'ignore',
    reopen: go('reopened', 'start'),
    merge: go('merged', 'stop'),
    split: go('split', 'stop'),
  },
  reopened: {
    alert_fired: 'ignore',
    data_lost: 'ignore',
    signals_recovered: go('resolved', 'stop'),
    criticality_raised: go('reopened', 'start'),
    acknowledge: go('acknowledged', 'stop'),
    unacknowledge: 'refuse',
    idle_timeout: 'ignore',
    snooze: go('snoozed', 'stop'),
    snooze_over: 'ignore',
    mitigate: go('mitigated', 'stop'),
    resolve: go('resolved', 'stop'),
    reopen: 'ignore',
    merge: go('merged', 'stop'),
    split: go('split', 'stop'),
  },
  merged: terminal(),
  split: terminal(),
};

/** Its alerts live on elsewhere: machines' events are ignored, people's are refused. */
function terminal(): { readonly [E in IncidentEvent]: Cell } {
  return {
    alert_fired: 'ignore',
    data_lost: 'ignore',
    signals_recovered: 'ignore',
    criticality_raised: 'ignore',
    acknowledge: 'refuse',
    unacknowledge: 'refuse',
    idle_timeout: 'ignore',
    snooze: 'refuse',
    snooze_over: 'ignore',
    mitigate: 'refuse',
    resolve: 'refuse',
    reopen: 'refuse',
    merge: 'refuse',
    split: 'refuse',
  };
}

/** States in which an incident is somebody's work: listed first, counted, able to take alerts. */
export const isLive = (s: IncidentState): boolean => s !== 'resolved' && s !== 'merged' && s !== 'split';
/** States in which people are being told, step by step. */
export const isEscalating = (s: IncidentState): boolean => s === 'open' || s === 'reopened';

export function moveOf(state: IncidentState, event: IncidentEvent): Cell {
  return LIFE_CYCLE[state][event];
}
