/** The notice to whoever comes on call: from when, after whom, and what is open. Pure. */
import type { Incident } from './incident.ts';
import type { OutgoingMessage } from './message.ts';
import type { ReachedTarget } from './reach.ts';

/** Incidents named in a notice; the rest is counted. */
const NAMED_MAX = 20;

export interface HandOverInput {
  readonly tenant: string;
  readonly schedule: string;
  readonly user: string;
  /** '' when nobody was. */
  readonly before: string;
  readonly sinceMs: number;
  readonly live: readonly Incident[];
  readonly to: ReachedTarget;
  readonly externalURL: string;
}

export function handOverMessage(input: HandOverInput): OutgoingMessage {
  const { live, user, schedule, to } = input;
  const sorted = [...live].sort((a, b) => (a.criticality < b.criticality ? -1 : 1));
  const lines = [
    `${user} is on call for ${schedule} since ${new Date(input.sinceMs).toISOString()}${input.before ? `, after ${input.before}` : ''}.`,
    live.length === 0 ? 'Nothing is open.' : `${live.length} open:`,
    ...sorted.slice(0, NAMED_MAX).map((i) => `${i.id} ${i.criticality} ${i.state}: ${i.title}`),
    ...(live.length > NAMED_MAX ? [`and ${live.length - NAMED_MAX} more`] : []),
    `${input.externalURL}/incidents?tenant=${encodeURIComponent(input.tenant)}`,
  ];
  const title = `On call: ${user} (${schedule})`;
  const id = `${input.tenant}/hand-over/${schedule}/${input.sinceMs}/${user}`;
  return {
    id,
    incident: '',
    kind: 'handover',
    ...(to.receiver === undefined ? {} : { receiver: to.receiver }),
    ...(to.email === undefined ? {} : { email: to.email }),
    contact: to.contact,
    level: '',
    status: 'firing',
    title,
    text: lines.join('\n'),
    labels: { alertname: 'HandOver', schedule, severity: 'info' },
    annotations: { summary: title, description: lines.join('\n') },
    links: [],
    thread: { messageId: `<${id.replaceAll('/', '.')}@vigie>`.toLowerCase(), references: [] },
  };
}
