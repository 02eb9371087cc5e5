/** What is said to whom: one message per target and step, ready for a receiver of the tenant's alerting or for mail. */
import type { Incident } from './incident.ts';

/** Messages waiting per tenant; more is a fault in a policy and is refused with a time line entry. */
export const OUTBOX_PER_TENANT_MAX = 5_000;

export type MessageKind =
  | 'escalation'
  | 'fallback'
  | 'acknowledged'
  | 'resolved'
  | 'handover'
  | 'stakeholders'
  | 'drill'
  | 'drill_over';

export interface OutgoingMessage {
  /** Idempotency key: a receiver that sees it twice may drop the second. */
  readonly id: string;
  /** '' for what is about none. */
  readonly incident: string;
  /** What belongs together for programs that keep incidents of their own; default the incident, else the message. */
  readonly group?: string;
  readonly kind: MessageKind;
  /** Exactly one is set. */
  readonly receiver?: string;
  readonly email?: string;
  /** '' for a receiver named by the policy itself. */
  readonly contact: string;
  readonly level: string;
  readonly status: 'firing' | 'resolved';
  readonly title: string;
  readonly text: string;
  /** As an alert: what a receiver's templates can show. */
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly links: readonly { readonly action: string; readonly url: string }[];
  /** For mail to people who can leave a list: the address that takes them off it (RFC 8058). */
  readonly unsubscribe?: string;
  /** For mail: the thread of the incident (RFC 5322 Message-ID, In-Reply-To, References). */
  readonly thread: { readonly messageId: string; readonly inReplyTo?: string; readonly references: readonly string[] };
}

/** A message in the outbox. Indexed by `dueAtMs`. */
export interface OutboxEntry {
  readonly message: OutgoingMessage;
  readonly dueAtMs: number;
  readonly attempts: number;
  /** Not sent any more once the incident left this generation of its escalation; 0: always sent. */
  readonly generation: number;
}

export interface MessageInput {
  readonly tenant: string;
  readonly incident: Incident;
  readonly kind: MessageKind;
  readonly key: string;
  readonly receiver?: string;
  readonly email?: string;
  readonly contact: string;
  readonly level: string;
  readonly links: readonly { readonly action: string; readonly url: string }[];
  readonly externalURL: string;
}

/** Words for people, and the same as labels and annotations for templates. Pure. */
export function composeMessage(input: MessageInput): OutgoingMessage {
  const { incident, kind, tenant } = input;
  const resolved = incident.state === 'resolved' || kind === 'resolved';
  const firing = incident.alerts.filter((a) => a.state === 'firing').length;
  const unknown = incident.alerts.filter((a) => a.state === 'unknown').length;
  const cause = incident.causes[0];
  const prefix = kind === 'drill' ? 'DRILL ' : resolved ? 'RESOLVED ' : '';
  const title = `${prefix}[${incident.criticality}] ${incident.id} ${incident.title}`;
  const lines = [
    `${incident.id}, ${incident.criticality}, ${incident.state}${input.level ? `, level ${input.level}` : ''}`,
    `${firing} of ${incident.alerts.length} alerts firing${unknown > 0 ? `, ${unknown} without data` : ''}`,
    `Who is hit: ${incident.verdict.words}`,
    ...(cause
      ? [`Likely cause: ${cause.component} (${Math.round(cause.score * 100)} %): ${cause.evidence.join('; ')}`]
      : []),
    ...incident.changes.slice(0, 3).map((c) => `Change: ${c.type} ${c.subject} at ${new Date(c.atMs).toISOString()}`),
    ...input.links.map((l) => `${l.action}: ${l.url}`),
  ];
  const root = `<${incident.id}.${tenant}@${host(input.externalURL)}>`.toLowerCase();
  const first = incident.told.length === 0 && kind === 'escalation';
  const messageId = first
    ? root
    : `<${incident.id}.${input.key.replaceAll('/', '.')}.${tenant}@${host(input.externalURL)}>`.toLowerCase();
  return {
    id: `${tenant}/${incident.id}/${input.key}`,
    incident: incident.id,
    kind,
    ...(input.receiver === undefined ? {} : { receiver: input.receiver }),
    ...(input.email === undefined ? {} : { email: input.email }),
    contact: input.contact,
    level: input.level,
    status: resolved ? 'resolved' : 'firing',
    title,
    text: lines.join('\n'),
    labels: {
      // default templates show the name of an alert and little else
      alertname: title.slice(0, 200),
      incident: incident.id,
      severity: incident.severity,
      criticality: incident.criticality,
      ...(input.level ? { level: input.level } : {}),
      ...(incident.services[0] ? { service: incident.services[0] } : {}),
    },
    annotations: {
      summary: title,
      description: lines.join('\n'),
      ...Object.fromEntries(input.links.map((l) => [`${l.action}_url`, l.url])),
    },
    links: input.links,
    thread: first ? { messageId, references: [] } : { messageId, inReplyTo: root, references: [root] },
  };
}

/** What belongs together for programs that keep incidents of their own; unique over tenants, which may share one. */
export const groupKeyOf = (tenant: string, incident: string): string => `${INCIDENT_KEY}${tenant}/${incident}`;
const INCIDENT_KEY = 'incident:';
/** Said by incidents themselves: a route's key begins with its matchers. */
export const isOfIncident = (groupKey: string): boolean => groupKey.startsWith(INCIDENT_KEY);

function host(url: string): string {
  try {
    return new URL(url).hostname;
  } catch {
    return 'vigie.invalid';
  }
}
