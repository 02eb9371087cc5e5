/** What an incident is made of. Plain data, kept as one document per incident; every list has a named limit. */
import type { IncidentState } from './life-cycle.ts';

/** Alerts held by one incident; further ones open another that points back. */
export const ALERTS_PER_INCIDENT_MAX = 1_000;
/** Time line entries kept; the first 100 and the newest are kept, the middle goes and is counted. */
export const TIMELINE_MAX = 600;
/** Targets remembered for the notice of the end. */
export const TOLD_MAX = 50;
export const NOTE_CHARS_MAX = 10_000;
/** Changes of one alert that are remembered for flap detection. */
const CHANGES_KEPT = 12;

/** `unknown`: the data it needs is missing. It counts as not recovered. */
export type SignalStatus = 'firing' | 'resolved' | 'unknown';

/** Begin of the source of what a person opened; the rest is who. */
export const BY_PERSON = 'person/';

/** An alert as correlation sees it, wherever it came from. Times in ms. */
export interface Signal {
  /** Stable per label set; computed from labels when absent. */
  readonly fingerprint?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly status: SignalStatus;
  readonly startsAtMs: number;
  readonly endsAtMs?: number;
  /** First bad sample, when known: rules know it as the begin of pending. Default `startsAtMs`. */
  readonly firstBadAtMs?: number;
  /** `rules`, `api`, `alertmanager`, `hook/<name>`, `person/<name>`. */
  readonly source: string;
  readonly generatorURL?: string;
}

export interface IncidentAlert {
  readonly fingerprint: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly source: string;
  readonly generatorURL: string;
  readonly state: SignalStatus;
  readonly startsAtMs: number;
  readonly firstBadAtMs: number;
  readonly endsAtMs?: number;
  /** Times of the last changes between firing and not, oldest first. */
  readonly changesMs: readonly number[];
  /** Why it belongs here, in words. */
  readonly why: readonly string[];
  /** 0..1; 1 for the alert that opened the incident. */
  readonly score: number;
}

export const TIMELINE_KINDS = [
  'opened',
  'alert',
  'state',
  'criticality',
  'escalation',
  'notification',
  'remediation',
  'note',
  'change',
  'merge',
  'stakeholders',
] as const;
export type TimelineKind = (typeof TIMELINE_KINDS)[number];

export interface TimelineEntry {
  readonly atMs: number;
  readonly kind: TimelineKind;
  readonly text: string;
  /** Principal or part that did it: `local`, `vigie`, a contact's id. */
  readonly actor: string;
}

export type Criticality = 'P1' | 'P2' | 'P3' | 'P4';
export const CRITICALITIES: readonly Criticality[] = ['P1', 'P2', 'P3', 'P4'];

/** What people outside hear of. */
export const PHASES = ['open', 'mitigated', 'resolved'] as const;
export type Phase = (typeof PHASES)[number];
/** What a stakeholder list was told last of an incident. */
export interface Announced {
  readonly phase: Phase;
  readonly atMs: number;
}

export interface Verdict {
  readonly kind: 'one_tenant' | 'plan' | 'model' | 'region' | 'several' | 'everybody' | 'unknown';
  /** The plan, model or region; the tenant's own id for `one_tenant` where it may be named. */
  readonly name: string;
  readonly tenantsHit: number;
  readonly tenantsKnown: number;
  /** tenantsHit / tenantsKnown, 0..1. */
  readonly share: number;
  /** Named on the platform tenant only. */
  readonly tenants: readonly string[];
  readonly noisyNeighbour?: { readonly tenant: string; readonly share: number; readonly usualShare: number };
  readonly words: string;
}

export interface Cause {
  /** `service:agent-api`, `host:node-1:9100`. */
  readonly component: string;
  /** 0..1; the causes of one incident add up to at most 1. */
  readonly score: number;
  readonly evidence: readonly string[];
}

export interface RelatedChange {
  readonly id: string;
  readonly atMs: number;
  readonly type: string;
  readonly subject: string;
  readonly source: string;
}

export interface EscalationState {
  readonly status: 'idle' | 'waiting' | 'exhausted';
  readonly policy: string;
  /** +1 with every start: part of each step's key. */
  readonly generation: number;
  readonly round: number;
  /** Index of the next step to take. */
  readonly step: number;
  /** Level reached: '' before the first step. */
  readonly level: string;
}

export interface IncidentTimers {
  /** When the next escalation step is due. */
  readonly escalation?: number;
  /** When the recovery has held long enough. */
  readonly recovery?: number;
  /** When an acknowledged incident counts as idle. */
  readonly idle?: number;
  /** When a snooze ends. */
  readonly snooze?: number;
}
export type TimerKind = keyof IncidentTimers;
export const TIMER_KINDS: readonly TimerKind[] = ['escalation', 'recovery', 'idle', 'snooze'];

export interface Incident {
  readonly id: string;
  readonly number: number;
  readonly title: string;
  readonly state: IncidentState;
  /** 1 while it is somebody's work; a number, because it is an indexed column. */
  readonly live: 0 | 1;
  readonly criticality: Criticality;
  readonly criticalityWords: readonly string[];
  /** The highest `severity` label of its alerts. */
  readonly severity: string;
  readonly services: readonly string[];
  readonly openedAtMs: number;
  readonly updatedAtMs: number;
  readonly firstBadAtMs: number;
  readonly acknowledgedAtMs?: number;
  readonly acknowledgedBy?: string;
  readonly mitigatedAtMs?: number;
  readonly resolvedAtMs?: number;
  /** When the last signal recovered; the end of the time to resolution. */
  readonly recoveredAtMs?: number;
  readonly reopenings: number;
  readonly flapping: boolean;
  readonly mergedInto?: string;
  readonly splitFrom?: string;
  /** Why people are not told: a maintenance window. '' when they are. */
  readonly hushed: string;
  readonly alerts: readonly IncidentAlert[];
  readonly timeline: readonly TimelineEntry[];
  readonly timelineDropped: number;
  readonly verdict: Verdict;
  readonly causes: readonly Cause[];
  readonly changes: readonly RelatedChange[];
  readonly escalation: EscalationState;
  /** What each stakeholder list was told last. */
  readonly announced?: Readonly<Record<string, Announced>>;
  /** Who was told since it opened, as `receiver:<name>` or `contact:<name>`; they hear of the end too. */
  readonly told: readonly string[];
  readonly timers: IncidentTimers;
  /** The earliest of `timers`; 0 when there is none. Indexed. */
  readonly nextDueAtMs: number;
}

/** Without NUL, which PostgreSQL cannot keep: one odd label must not lose an alert. */
export const keepable = (text: string): string => (text.includes('\0') ? text.replaceAll('\0', '') : text);
export const keepableTexts = (texts: Readonly<Record<string, string>>): Readonly<Record<string, string>> =>
  Object.values(texts).some((v) => v.includes('\0'))
    ? Object.fromEntries(Object.entries(texts).map(([k, v]) => [k, keepable(v)]))
    : texts;

/** An entry more; the middle of a long time line goes first, its begin and its end stay. */
export function withEntry(incident: Incident, given: TimelineEntry): Incident {
  const entry = { ...given, text: keepable(given.text) };
  if (incident.timeline.length < TIMELINE_MAX) return { ...incident, timeline: [...incident.timeline, entry] };
  const head = incident.timeline.slice(0, 100);
  const tail = incident.timeline.slice(100 + 50);
  return { ...incident, timeline: [...head, ...tail, entry], timelineDropped: incident.timelineDropped + 50 };
}

export function withTimers(incident: Incident, timers: IncidentTimers): Incident {
  const due = TIMER_KINDS.map((k) => timers[k]).filter((t): t is number => t !== undefined);
  return { ...incident, timers, nextDueAtMs: due.length === 0 ? 0 : Math.min(...due) };
}

export function withoutTimer(timers: IncidentTimers, ...kinds: readonly TimerKind[]): IncidentTimers {
  return Object.fromEntries(Object.entries(timers).filter(([k]) => !kinds.includes(k as TimerKind)));
}

/** The alert after `signal`: its state, and its change remembered when it is one. */
export function updatedAlert(old: IncidentAlert, signal: Signal, nowMs: number): IncidentAlert {
  const { endsAtMs: _old, ...rest } = old;
  const changed = old.state !== signal.status;
  const endsAtMs = signal.status === 'resolved' ? (signal.endsAtMs ?? nowMs) : undefined;
  return {
    ...rest,
    annotations: keepableTexts(signal.annotations),
    state: signal.status,
    startsAtMs: changed && signal.status === 'firing' ? signal.startsAtMs : old.startsAtMs,
    changesMs: changed ? [...old.changesMs, nowMs].slice(-CHANGES_KEPT) : old.changesMs,
    ...(endsAtMs === undefined ? {} : { endsAtMs }),
  };
}

/** Only a resolved alert counts as recovered; an unknown one never does. */
export const allRecovered = (incident: Incident): boolean =>
  incident.alerts.length > 0 && incident.alerts.every((a) => a.state === 'resolved');
