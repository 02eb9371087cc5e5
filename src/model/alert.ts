/** Alerts as they travel from rules to routing, incidents and people. */
import type { Labels } from './labels.ts';

/** What a rule, an API client or a detector hands to alerting: Alertmanager's `PostableAlert`. Times in ms. */
export interface PostableAlert {
  readonly labels: Labels;
  readonly annotations: Labels;
  readonly startsAtMs?: number;
  /** In the past (or now): resolved. Absent: firing until resolve_timeout. */
  readonly endsAtMs?: number;
  readonly generatorURL: string;
}

export type RuleAlertState = 'inactive' | 'pending' | 'firing';
/** `unknown`: the data an answer needs is missing. It is shown, and never treated as resolved. */
export type RuleHealth = 'ok' | 'err' | 'unknown';

/** A change in the life of a rule's alert, for the live stream, incidents and history. */
export interface AlertTransition {
  readonly tenant: string;
  readonly atMs: number;
  readonly rule: string;
  readonly group: string;
  readonly fingerprint: string;
  readonly labels: Labels;
  readonly annotations: Labels;
  readonly from: RuleAlertState;
  readonly to: RuleAlertState;
  readonly value: number;
  readonly activeAtMs: number;
}
