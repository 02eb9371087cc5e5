/** On-call: schedules, escalation policies, contacts, maintenance windows. Times are in ms since 1970. */
import { z } from 'zod';
import type { Contact } from '../../incidents/contacts.ts';
import type { Drill, DrillFigures, DrillRun } from '../../incidents/drill.ts';
import type { Policy } from '../../incidents/policy.ts';
import type { Schedule, Shift } from '../../incidents/schedule.ts';

export type { Contact, Drill, DrillFigures, DrillRun, Policy, Schedule, Shift };

/** A document as YAML text, or already as JSON: `{"yaml": "..."}` or `{"document": {...}}`. */
export const documentInput = z
  .strictObject({ yaml: z.string().max(200_000).optional(), document: z.unknown().optional() })
  .refine((d) => (d.yaml === undefined) !== (d.document === undefined), 'want either yaml or document');
export type DocumentInput = z.input<typeof documentInput>;

/** `GET /vigie/v1/on-call`: who is on call now, per schedule; next: the hand-over within a week. */
export interface OnCallAnswer {
  readonly onCall: readonly {
    readonly schedule: string;
    readonly user: string;
    readonly layer: string;
    readonly next?: Shift;
  }[];
  /** Criticalities that no policy tells anybody of. */
  readonly uncovered: readonly string[];
}
export interface SchedulesAnswer {
  readonly schedules: readonly Schedule[];
}
/** `GET /vigie/v1/on-call/schedules/:name/shifts?from&to`, in seconds. */
export interface ShiftsAnswer {
  readonly shifts: readonly Shift[];
}
export interface PoliciesAnswer {
  readonly policies: readonly Policy[];
  readonly uncovered: readonly string[];
}
export interface ContactsAnswer {
  readonly contacts: readonly Contact[];
}

/** `POST /vigie/v1/on-call/schedules/:name/overrides`. */
export const overrideInput = z
  .strictObject({
    user: z.string().min(1).max(100),
    from: z.number(),
    to: z.number(),
    reason: z.string().max(200).default(''),
  })
  .refine((o) => o.to > o.from, { path: ['to'], message: 'want an end after the begin' });

/** `PUT /vigie/v1/maintenance`. */
export const maintenanceInput = z.strictObject({
  id: z.string().min(1).max(100),
  services: z.array(z.string().min(1).max(100)).max(100).default([]),
  startsAtMs: z.number(),
  endsAtMs: z.number(),
  comment: z.string().max(1_000).default(''),
});
export interface MaintenanceAnswer {
  readonly windows: readonly {
    readonly id: string;
    readonly services: readonly string[];
    readonly startsAtMs: number;
    readonly endsAtMs: number;
    readonly comment: string;
    readonly createdBy: string;
  }[];
}

/** `GET /vigie/v1/on-call/drills`; runs newest first, figures over 90 days. */
export interface DrillsAnswer {
  readonly drills: readonly { readonly drill: Drill; readonly nextAtMs?: number }[];
  readonly runs: readonly DrillRun[];
  readonly figures: DrillFigures;
}
