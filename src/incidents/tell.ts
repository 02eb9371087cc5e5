/** Who is told of an incident, as messages for the outbox and words for the time line. Decides; does not send. */
import type { TenantId } from '../model/tenant.ts';
import type { IncidentPorts } from './collections.ts';
import { type Incident, TOLD_MAX, withEntry } from './incident.ts';
import { composeMessage, type MessageKind, OUTBOX_PER_TENANT_MAX, type OutboxEntry } from './message.ts';
import type { OnCallDirectory } from './on-call-directory.ts';
import type { Target } from './policy.ts';
import { type ReachedTarget, reach } from './reach.ts';
import { LINK_LIFETIME_MS, type LinkAction, signLink } from './signed-link.ts';

const LINKED: readonly LinkAction[] = ['acknowledge', 'snooze', 'escalate'];

export interface TellInput {
  readonly incident: Incident;
  readonly targets: readonly Target[];
  /** Told instead when nobody of `targets` can be reached. */
  readonly fallback: readonly Target[];
  readonly kind: MessageKind;
  /** Unique within the incident; part of each message's id. */
  readonly key: string;
  readonly level: string;
  readonly nowMs: number;
}

export class Teller {
  readonly #tenant: TenantId;
  readonly #ports: IncidentPorts;
  readonly #directory: OnCallDirectory;
  readonly #waiting: () => number;

  constructor(tenant: TenantId, ports: IncidentPorts, directory: OnCallDirectory, waiting: () => number) {
    this.#tenant = tenant;
    this.#ports = ports;
    this.#directory = directory;
    this.#waiting = waiting;
  }

  /** Adds messages to `outgoing`; answers the incident with what its time line says of it. */
  tell(input: TellInput, outgoing: OutboxEntry[]): Incident {
    const { incident, targets, nowMs, level, key } = input;
    let next = incident;
    const say = (text: string): void => {
      next = withEntry(next, { atMs: nowMs, kind: 'escalation', text, actor: 'vigie' });
    };
    const answer = reach(targets, incident, this.#directory, nowMs);
    for (const m of answer.missed) say(m);
    let { reached } = answer;
    let { kind } = input;
    if (targets.length > 0 && reached.length === 0 && input.fallback.length > 0) {
      reached = reach(input.fallback, incident, this.#directory, nowMs).reached;
      kind = 'fallback';
      say('nobody could be reached: fallback');
    }
    const names = reached.map((r) => r.contact || r.receiver || r.email).join(', ');
    if (targets.length > 0) say(`${level || kind}: telling ${names || 'nobody'}`);
    const told = new Set(next.told);
    reached.forEach((r, n) => {
      if (this.#waiting() + outgoing.length >= OUTBOX_PER_TENANT_MAX) {
        say(`${OUTBOX_PER_TENANT_MAX} messages wait already: not sent`);
        return;
      }
      outgoing.push(this.entry(next, r, kind, `${key}/${kind === 'fallback' ? 'f' : ''}${n}`, level, nowMs));
      if (told.size < TOLD_MAX) told.add(r.receiver === undefined ? `email:${r.email}` : `receiver:${r.receiver}`);
    });
    return { ...next, told: [...told] };
  }

  /** Those who were told of the begin hear of the end. */
  end(incident: Incident, nowMs: number): OutboxEntry[] {
    return incident.told.map((told, n) => {
      const cut = told.indexOf(':');
      const name = told.slice(cut + 1);
      const to: ReachedTarget = {
        contact: '',
        afterMs: 0,
        ...(told.startsWith('email:') ? { email: name } : { receiver: name }),
      };
      const key = `g${incident.escalation.generation}/n${incident.reopenings}/end/${n}`;
      return this.entry(incident, to, 'resolved', key, '', nowMs);
    });
  }

  /** Receivers that were told hear that it was taken: those that keep incidents of their own stop paging. */
  acknowledged(incident: Incident, nowMs: number): OutboxEntry[] {
    return incident.told
      .filter((told) => told.startsWith('receiver:'))
      .map((told, n) => {
        const to: ReachedTarget = { contact: '', afterMs: 0, receiver: told.slice('receiver:'.length) };
        const key = `g${incident.escalation.generation}/t${incident.timeline.length}/ack/${n}`;
        return this.entry(incident, to, 'acknowledged', key, '', nowMs);
      });
  }

  entry(
    incident: Incident,
    to: ReachedTarget,
    kind: MessageKind,
    key: string,
    level: string,
    nowMs: number,
  ): OutboxEntry {
    const { externalURL, linkKey } = this.#ports;
    const addressee = to.contact || to.receiver || to.email || '';
    const expiresAtMs = nowMs + LINK_LIFETIME_MS;
    const link = (action: LinkAction): { action: string; url: string } => ({
      action,
      url: `${externalURL}/vigie/v1/act?token=${signLink(linkKey, { tenant: this.#tenant, incident: incident.id, action, addressee, expiresAtMs })}`,
    });
    const view = {
      action: 'view',
      url: `${externalURL}/incidents?tenant=${encodeURIComponent(this.#tenant)}&id=${encodeURIComponent(incident.id)}`,
    };
    const message = composeMessage({
      tenant: this.#tenant,
      incident,
      kind,
      key,
      ...(to.receiver === undefined ? {} : { receiver: to.receiver }),
      ...(to.email === undefined ? {} : { email: to.email }),
      contact: to.contact,
      level,
      links: kind === 'resolved' || kind === 'acknowledged' ? [view] : [view, ...LINKED.map(link)],
      externalURL,
    });
    const generation = kind === 'escalation' || kind === 'fallback' ? incident.escalation.generation : 0;
    return { message, dueAtMs: nowMs + to.afterMs, attempts: 0, generation };
  }
}
