/** Verdict, severity and criticality of what an incident holds; how one is born. Pure. */
import type { TenantPicture } from './collections.ts';
import { componentKind, componentName, componentOf } from './component.ts';
import type { CorrelationDecision } from './correlate.ts';
import { criticalityOf, severityOf } from './criticality.ts';
import { IDLE } from './escalation.ts';
import { type Incident, type IncidentAlert, keepable, keepableTexts, type Signal } from './incident.ts';
import { towardsTenant, VERDICT_UNKNOWN, verdictOf } from './verdict.ts';

export interface JudgeInput {
  readonly tenant: string;
  /** The operators' own tenant: its alerts carry the customer as `tenant_id`, and it may see names. */
  readonly platform: boolean;
  readonly picture: TenantPicture;
  readonly alsoHit: ReadonlySet<string>;
}

/** The incident with verdict, severity, services and criticality as its alerts say now. */
export function judged(incident: Incident, input: JudgeInput): Incident {
  const { picture, platform, tenant } = input;
  const hit = new Set<string>(input.alsoHit);
  if (platform) for (const a of incident.alerts) if (a.labels['tenant_id']) hit.add(a.labels['tenant_id']);
  if (!platform) hit.add(tenant);
  const models = new Set(incident.alerts.map((a) => a.labels['model'] ?? '').filter((m) => m !== ''));
  const { population, usage } = picture;
  const verdict = verdictOf({ hit, population, models, ...(usage ? { usage } : {}) });
  const level = criticalityOf({ alerts: incident.alerts, verdict, tier: picture.tier });
  return {
    ...incident,
    verdict: platform ? verdict : towardsTenant(verdict, tenant),
    severity: severityOf(incident.alerts),
    services: servicesOf(incident.alerts),
    criticality: level.level,
    criticalityWords: level.words,
  };
}

export function newIncident(number: number, alert: IncidentAlert, title: string, nowMs: number): Incident {
  return {
    id: `INC-${number}`,
    number,
    title,
    state: 'open',
    live: 1,
    criticality: 'P4',
    criticalityWords: [],
    severity: severityOf([alert]),
    services: servicesOf([alert]),
    openedAtMs: nowMs,
    updatedAtMs: nowMs,
    firstBadAtMs: alert.firstBadAtMs,
    reopenings: 0,
    flapping: false,
    hushed: '',
    alerts: [alert],
    timeline: [],
    timelineDropped: 0,
    verdict: VERDICT_UNKNOWN,
    causes: [],
    changes: [],
    escalation: IDLE,
    told: [],
    timers: {},
    nextDueAtMs: 0,
  };
}

export function newAlert(
  signal: Signal,
  fingerprint: string,
  decision: CorrelationDecision,
  nowMs: number,
): IncidentAlert {
  return {
    fingerprint,
    labels: keepableTexts(signal.labels),
    annotations: keepableTexts(signal.annotations),
    source: signal.source,
    generatorURL: signal.generatorURL ?? '',
    state: signal.status,
    startsAtMs: signal.startsAtMs,
    firstBadAtMs: Math.min(signal.firstBadAtMs ?? signal.startsAtMs, signal.startsAtMs),
    changesMs: [nowMs],
    why: decision.words,
    score: decision.score,
  };
}

export function servicesOf(alerts: readonly IncidentAlert[]): readonly string[] {
  const out = new Set<string>();
  for (const a of alerts) {
    const c = componentOf(a.labels);
    if (componentKind(c) === 'service') out.add(componentName(c));
  }
  return [...out].sort();
}

export function titleOf(signal: Pick<Signal, 'labels' | 'annotations'>): string {
  const summary = signal.annotations['summary'] ?? '';
  if (summary !== '') return keepable(summary).slice(0, 200);
  return `${signal.labels['alertname'] ?? 'Alert'} on ${componentName(componentOf(signal.labels))}`.slice(0, 200);
}
