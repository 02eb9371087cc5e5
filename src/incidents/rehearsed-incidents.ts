/**
 * Incidents and escalation of one tenant in virtual time: the real engine over documents that nobody keeps. People are
 * assumed: each incident is acknowledged so long after its first page, or never.
 */
import type { Clock } from '../lib/clock.ts';
import { silentLogger } from '../lib/logger.ts';
import type { TenantId } from '../model/tenant.ts';
import { CONTACTS, POLICIES, SCHEDULES, type TenantPicture } from './collections.ts';
import type { Contact } from './contacts.ts';
import type { Signal } from './incident.ts';
import { IncidentService } from './incident-service.ts';
import type { OutgoingMessage } from './message.ts';
import type { Policy } from './policy.ts';
import type { Schedule } from './schedule.ts';
import type { ServiceEdge, ServiceNode } from './service-graph.ts';
import { VolatileDocuments } from './volatile-documents.ts';

export interface RehearsedIncidentsOptions {
  readonly tenant: TenantId;
  readonly clock: Clock;
  readonly policies: readonly Policy[] | readonly unknown[];
  readonly schedules: readonly Schedule[] | readonly unknown[];
  readonly contacts: readonly Contact[] | readonly unknown[];
  readonly services: readonly ServiceNode[];
  readonly edges?: readonly ServiceEdge[];
  readonly picture: TenantPicture;
  /** Absent: nobody ever acknowledges. */
  readonly acknowledgeAfterMs?: number;
  readonly onPage: (page: RehearsedPage) => void;
}

export interface RehearsedPage {
  readonly atMs: number;
  readonly message: OutgoingMessage;
  readonly rules: readonly string[];
}

export interface RehearsedIncidents {
  observe(signals: readonly Signal[]): Promise<void>;
  /** Incidents opened so far. */
  count(): Promise<number>;
  close(): Promise<void>;
}

/** A policy as people write it: one that was read already has its durations in ms. */
function asWritten(policy: unknown): unknown {
  const p = policy as { readonly idle_after?: unknown; readonly steps?: readonly { readonly timeout?: unknown }[] };
  const text = (ms: unknown): unknown => (typeof ms === 'number' && ms > 0 ? `${ms}ms` : ms);
  return {
    ...p,
    ...(p.idle_after === undefined ? {} : { idle_after: text(p.idle_after) }),
    steps: (p.steps ?? []).map((s) => ({ ...s, timeout: text(s.timeout) })),
  };
}

export async function rehearsedIncidents(options: RehearsedIncidentsOptions): Promise<RehearsedIncidents> {
  const { tenant, clock } = options;
  const documents = new VolatileDocuments();
  for (const [spec, list] of [
    [SCHEDULES, options.schedules],
    [CONTACTS, options.contacts],
    [POLICIES, options.policies.map(asWritten)],
  ] as const)
    for (const d of list) await documents.collection<unknown>(tenant, spec).put((d as { name: string }).name, d);
  const acknowledged = new Set<string>();
  const service: IncidentService = new IncidentService({
    documents,
    clock,
    logger: silentLogger,
    externalURL: 'http://rehearsal.invalid',
    linkKey: new Uint8Array(32),
    publish: () => {},
    services: async () => options.services,
    edges: async () => options.edges ?? [],
    picture: async () => options.picture,
    send: async (_tenant, message) => {
      // a program that keeps incidents of its own hears of it; nobody is told
      if (message.kind === 'acknowledged') return false;
      const incident = await service.get(tenant, message.incident);
      const rules = [...new Set(incident.alerts.map((a) => a.labels['alertname'] ?? ''))];
      options.onPage({ atMs: clock.now(), message, rules });
      const key = `${message.incident}/${incident.escalation.generation}`;
      if (options.acknowledgeAfterMs === undefined || message.kind !== 'escalation' || acknowledged.has(key))
        return true;
      acknowledged.add(key);
      clock.setTimer(() => {
        // it may be over by then: nobody acknowledges what has ended
        service.act(tenant, message.incident, 'acknowledge', 'rehearsal', 'as assumed').catch(() => {});
      }, options.acknowledgeAfterMs);
      return true;
    },
  });
  await service.start();
  return {
    observe: async (signals) => void (await service.observe(tenant, signals)),
    count: async () => documents.collection(tenant, { name: 'incidents' }).count(),
    close: () => service[Symbol.asyncDispose](),
  };
}
