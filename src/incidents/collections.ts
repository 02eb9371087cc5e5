/** The collections incidents keep their state in; the service's ports and their types. */
import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/logger.ts';
import type { SelfMetrics } from '../lib/self-metrics.ts';
import type { TenantId } from '../model/tenant.ts';
import type { CollectionSpec, DocumentStore } from '../store/documents.ts';
import type { CorrelationSettings } from './correlate.ts';
import type { Incident, RelatedChange } from './incident.ts';
import type { OutgoingMessage } from './message.ts';
import type { MetricEvidence } from './root-cause.ts';
import type { ServiceEdge, ServiceNode } from './service-graph.ts';
import type { TenantFacts, UsageShare } from './verdict.ts';

export const INCIDENTS: CollectionSpec = {
  name: 'incidents',
  indexed: ['number', 'live', 'state', 'criticality', 'openedAtMs', 'nextDueAtMs'],
};
export const OUTBOX: CollectionSpec = { name: 'incident_outbox', indexed: ['dueAtMs'] };
export const POLICIES: CollectionSpec = { name: 'escalation_policies' };
export const SCHEDULES: CollectionSpec = { name: 'on_call_schedules' };
export const CONTACTS: CollectionSpec = { name: 'contacts' };
export const LEARNED: CollectionSpec = { name: 'incident_learned' };
export const MAINTENANCE: CollectionSpec = { name: 'maintenance_windows', indexed: ['endsAtMs'] };

export const HAND_OVERS: CollectionSpec = { name: 'hand_overs' };
/** Who was told last that they are on call. */
export interface HandOver {
  readonly user: string;
  readonly sinceMs: number;
}

export interface TenantPicture {
  /** Tier of the tenant; '' when not known. */
  readonly tier: string;
  /** All tenants that share the service. Never shown to a tenant. */
  readonly population: readonly TenantFacts[];
  /** How much each uses, when it was looked at. Never shown to a tenant. */
  readonly usage?: readonly UsageShare[];
}

export interface RemediationAnswer {
  /** Playbooks that were started for this incident. */
  readonly started: number;
  /** Playbooks that would fit and are not armed. */
  readonly proposed: number;
  readonly words: string;
}

export interface IncidentSettings {
  readonly correlation: CorrelationSettings;
  /** All signals must stay recovered this long; an alert's annotation `resolve_after` may ask for longer. */
  readonly resolveAfterMs: number;
  /** The same for an incident whose alerts flap. */
  readonly resolveAfterFlappingMs: number;
  /** Time from the first bad sample to the recovered signal that is promised. */
  readonly resolveObjectiveMs: number;
  /** false: each alert opens an incident of its own (`intelligent_alerts.correlation: false`). */
  readonly correlate: boolean;
}

export interface IncidentPorts {
  readonly documents: DocumentStore;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics?: SelfMetrics;
  /** Shown in links; no trailing slash. */
  readonly externalURL: string;
  /** Key for signed links, at least 32 bytes, the same after a restart. */
  readonly linkKey: Uint8Array;
  /** To the live stream, kind `incident`. */
  readonly publish: (tenant: TenantId, data: unknown) => void;
  /**
   * Rejects when it was not delivered; called again with the same message id then. False: nobody there wants to hear of
   * this kind.
   */
  readonly send: (tenant: TenantId, message: OutgoingMessage) => Promise<boolean>;
  readonly services?: (tenant: TenantId) => Promise<readonly ServiceNode[]>;
  readonly edges?: (tenant: TenantId) => Promise<readonly ServiceEdge[]>;
  readonly picture?: (tenant: TenantId) => Promise<TenantPicture>;
  /** How much of the shared service each tenant uses now and usually. */
  readonly usage?: () => Promise<readonly UsageShare[]>;
  readonly changes?: (tenant: TenantId, fromMs: number, toMs: number) => Promise<readonly RelatedChange[]>;
  readonly evidence?: (tenant: TenantId, incident: Incident) => Promise<readonly MetricEvidence[]>;
  /** Offers the incident to the playbooks; answers quickly and runs on. `key` repeats after a crash: start only once. */
  readonly remediate?: (tenant: TenantId, incident: Incident, key: string) => Promise<RemediationAnswer>;
  readonly settings?: Partial<IncidentSettings>;
}
