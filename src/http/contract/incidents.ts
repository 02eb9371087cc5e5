/** Incidents: what our own API takes and answers. Times are in ms since 1970. */
import { z } from 'zod';
import type {
  Cause,
  Criticality,
  EscalationState,
  Incident,
  IncidentAlert,
  RelatedChange,
  TimelineEntry,
  Verdict,
} from '../../incidents/incident.ts';
import type { IncidentState } from '../../incidents/life-cycle.ts';
import type { ServiceEdge } from '../../incidents/service-graph.ts';
import type { IncidentStatistics } from '../../incidents/statistics.ts';

export type {
  Cause,
  Criticality,
  EscalationState,
  Incident,
  IncidentAlert,
  IncidentState,
  IncidentStatistics,
  RelatedChange,
  ServiceEdge,
  TimelineEntry,
  Verdict,
};

/** `GET /vigie/v1/incidents?live=true|false&state&criticality&from&to&limit&after`: newest first; from and to in seconds. */
export interface IncidentItem {
  readonly id: string;
  readonly title: string;
  readonly state: IncidentState;
  readonly live: 0 | 1;
  readonly criticality: Criticality;
  readonly severity: string;
  readonly services: readonly string[];
  readonly openedAtMs: number;
  readonly updatedAtMs: number;
  readonly acknowledgedBy?: string;
  readonly resolvedAtMs?: number;
  readonly alerts: number;
  readonly firing: number;
  readonly unknown: number;
  readonly level: string;
  readonly verdict: string;
  readonly cause?: string;
  readonly flapping: boolean;
  readonly hushed: string;
}
export interface IncidentsAnswer {
  readonly incidents: readonly IncidentItem[];
  /** Pass as `after` for the next page. */
  readonly next?: string;
}

/** `GET /vigie/v1/incidents/:id`. */
export interface IncidentAnswer {
  readonly incident: Incident;
  /** What `actions` take in this state. */
  readonly actions: readonly IncidentActionName[];
  readonly policy: string;
  /** The service graph around its components. */
  readonly edges: readonly ServiceEdge[];
}

export const INCIDENT_ACTIONS = [
  'acknowledge',
  'unacknowledge',
  'snooze',
  'mitigate',
  'resolve',
  'reopen',
  'escalate',
  'silence',
  'remediate',
  'merge',
  'split',
] as const;
export type IncidentActionName = (typeof INCIDENT_ACTIONS)[number];

/** `POST /vigie/v1/incidents/:id/actions`. */
export const incidentActionInput = z.strictObject({
  action: z.enum(INCIDENT_ACTIONS),
  comment: z.string().max(2_000).default(''),
  /** For snooze and silence. Default one hour. */
  durationMs: z
    .int()
    .min(60_000)
    .max(30 * 86_400_000)
    .default(3_600_000),
  /** For merge: the incident that takes the alerts. */
  into: z.string().max(40).optional(),
  /** For split: fingerprints of the alerts that go. */
  alerts: z.array(z.string().max(64)).max(1_000).default([]),
  /** For remediate: a playbook by name; absent, all that fit. */
  playbook: z.string().max(100).optional(),
});
export type IncidentActionInput = z.input<typeof incidentActionInput>;

/** `POST /vigie/v1/incidents`: opened by a person. */
export const incidentInput = z.strictObject({
  title: z.string().min(1).max(200),
  severity: z.enum(['critical', 'error', 'warning', 'info']).default('warning'),
  service: z.string().max(100).optional(),
  description: z.string().max(5_000).default(''),
});
export type IncidentInput = z.input<typeof incidentInput>;

/** `POST /vigie/v1/incidents/:id/notes`. */
export const noteInput = z.strictObject({ text: z.string().min(1).max(10_000) });

/** `POST /vigie/v1/hooks/:name` and `/vigie/v1/hooks/alertmanager`. */
export interface HookAnswer {
  /** Incident of each alert, '' where it ended nothing known. */
  readonly incidents: readonly string[];
}

/** `event: incident` of the live stream. */
export interface LiveIncident {
  readonly id: string;
  readonly title: string;
  readonly state: IncidentState;
  readonly criticality: Criticality;
  readonly live: 0 | 1;
  readonly alerts: number;
  readonly firing: number;
  readonly services: readonly string[];
  readonly openedAtMs: number;
  readonly updatedAtMs: number;
  readonly level: string;
}
