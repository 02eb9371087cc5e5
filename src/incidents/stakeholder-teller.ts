/** Tells stakeholder lists: what people wrote, and by itself how an incident goes. Decides; the outbox sends. */
import { VigieError } from '../lib/errors.ts';
import type { TenantId } from '../model/tenant.ts';
import type { IncidentPorts } from './collections.ts';
import { type Incident, type Phase, withEntry } from './incident.ts';
import { OUTBOX_PER_TENANT_MAX, type OutboxEntry, type OutgoingMessage } from './message.ts';
import { StakeholderLists } from './stakeholder-lists.ts';
import {
  automaticWords,
  componentsHit,
  concerns,
  dueAnnouncement,
  type StakeholderList,
  type StakeholderWords,
  stakeholderMail,
  testWords,
} from './stakeholders.ts';
import { type StatusPage, StatusPages } from './status-page.ts';

/** What a list would get. */
export interface StakeholderPreview {
  readonly recipients: readonly string[];
  readonly left: readonly string[];
  readonly subject: string;
  readonly text: string;
  /** Whether the list would be told of this by itself; '' when it would, else why not. */
  readonly silentBecause: string;
}

export class Stakeholders {
  readonly lists: StakeholderLists;
  readonly #tenant: TenantId;
  readonly #ports: IncidentPorts;
  readonly #waiting: () => number;

  constructor(tenant: TenantId, ports: IncidentPorts, waiting: () => number) {
    this.#tenant = tenant;
    this.#ports = ports;
    this.#waiting = waiting;
    this.lists = new StakeholderLists(ports.documents, tenant);
  }

  /** What a person wrote goes to every list it concerns; answers how many are told, for the time line. */
  async announce(
    incident: Incident,
    words: StakeholderWords & { readonly key: string },
    outgoing: OutboxEntry[],
  ): Promise<string> {
    const lists = this.lists.all().filter((l) => concerns(l, incident));
    if (lists.length === 0) return '';
    const page = await this.#page();
    return lists.map((l) => this.#tell(l, incident, words, words.key, page, outgoing)).join(', ');
  }

  /** Called with every change of an incident, before it is stored: what is told and that it was told are one write. */
  async follow(incident: Incident, outgoing: OutboxEntry[]): Promise<Incident> {
    const lists = this.lists.all().filter((l) => l.automatic && concerns(l, incident));
    if (lists.length === 0) return incident;
    const page = await this.#page();
    const nowMs = this.#ports.clock.now();
    let next = incident;
    for (const list of lists) {
      const due = dueAnnouncement(list, incident, page, nowMs);
      if (!due) continue;
      next = { ...next, announced: { ...next.announced, [list.name]: { phase: due.phase, atMs: nowMs } } };
      if (due.silent) continue;
      const words = automaticWords(list, incident, page, due.phase, nowMs);
      const told = this.#tell(list, incident, words, `auto/${due.phase}/${nowMs}`, page, outgoing);
      next = withEntry(next, { atMs: nowMs, kind: 'stakeholders', text: `${words.title} (${told})`, actor: 'vigie' });
    }
    return next;
  }

  #tell(
    list: StakeholderList,
    incident: Incident,
    words: StakeholderWords,
    key: string,
    page: StatusPage | undefined,
    outgoing: OutboxEntry[],
  ): string {
    const recipients = this.lists.recipients(list);
    const room = Math.max(0, OUTBOX_PER_TENANT_MAX - this.#waiting() - outgoing.length);
    for (const email of recipients.slice(0, room)) {
      const message = this.#mail(list, email, incident, words, `${key}/${list.name}/${email.toLowerCase()}`, page);
      outgoing.push({ message, dueAtMs: this.#ports.clock.now(), attempts: 0, generation: 0 });
    }
    return room < recipients.length
      ? `${list.name}: ${room} of ${recipients.length} told, ${OUTBOX_PER_TENANT_MAX} messages wait already`
      : `${list.name}: ${recipients.length} told`;
  }

  #mail(
    list: StakeholderList,
    email: string,
    incident: Incident | undefined,
    words: StakeholderWords,
    key: string,
    page: StatusPage | undefined,
  ): OutgoingMessage {
    const { externalURL, linkKey } = this.#ports;
    return stakeholderMail({ tenant: this.#tenant, list, email, incident, words, key, page, externalURL, linkKey });
  }

  /** Who would get what, without telling anybody. Without an incident: the words of a test. */
  async preview(name: string, incident: Incident | undefined, phase: Phase): Promise<StakeholderPreview> {
    const list = this.#named(name);
    const page = await this.#page();
    const nowMs = this.#ports.clock.now();
    const words = incident ? automaticWords(list, incident, page, phase, nowMs) : testWords(list);
    const recipients = this.lists.recipients(list);
    const shown = this.#mail(list, recipients[0] ?? 'somebody@example.org', incident, words, 'preview', page);
    return {
      recipients,
      left: this.lists.left(list),
      subject: shown.title,
      // the link of one member is nobody else's to press
      text: shown.text.replace(/token=\S+/, 'token=…'),
      silentBecause: incident ? silence(list, incident, page) : '',
    };
  }

  /** Sends a test to one address and answers when it went out. Throws `not_found`, `upstream`. */
  async test(name: string, email: string, key: string): Promise<void> {
    const list = this.#named(name);
    const message = this.#mail(list, email, undefined, testWords(list), `test/${key}`, await this.#page());
    await this.#ports.send(this.#tenant, message);
  }

  #named(name: string): StakeholderList {
    const list = this.lists.get(name);
    if (!list) throw new VigieError('not_found', `no stakeholder list ${JSON.stringify(name.slice(0, 70))}`);
    return list;
  }

  #page(): Promise<StatusPage | undefined> {
    return new StatusPages(this.#ports.documents).get(this.#tenant);
  }
}

/** Why this incident is not told by itself, in words; '' when it is. */
function silence(list: StakeholderList, incident: Incident, page: StatusPage | undefined): string {
  if (!list.automatic) return 'the list has no automatic part';
  if (!concerns(list, incident)) return 'it is about none of the services of the list';
  if (componentsHit(incident, list, page).length === 0)
    return 'none of its services belongs to a component of the status page';
  if (incident.criticality > list.automatic.criticality)
    return `it is ${incident.criticality}; told from ${list.automatic.criticality}`;
  return incident.hushed;
}
