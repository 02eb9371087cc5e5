/**
 * People who want to know how a service is without being on call: lists of mail addresses, what is told to them by
 * itself, and its words. They read nothing of alerts, labels or causes: only the components of the status page that
 * are hit, and what people wrote.
 */
import { z } from 'zod';
import { parseDuration } from '../model/duration.ts';
import type { TenantId } from '../model/tenant.ts';
import { CRITICALITIES, type Criticality, type Incident, PHASES, type Phase } from './incident.ts';
import { isLive } from './life-cycle.ts';
import { composeMessage, type OutgoingMessage } from './message.ts';
import type { StatusPage } from './status-page.ts';
import { signUnsubscribe } from './unsubscribe-link.ts';

export const STAKEHOLDER_LISTS_PER_TENANT_MAX = 20;
export const MEMBERS_PER_LIST_MAX = 500;
/** Addresses that asked for no more mail; those of nobody on a list any more go first. */
export const UNSUBSCRIBED_PER_TENANT_MAX = 20_000;

export const LANGUAGES = ['en', 'fr', 'de'] as const;
type Language = (typeof LANGUAGES)[number];

const accepted = (text: string): boolean => {
  try {
    return parseDuration(text) >= 0;
  } catch {
    return false;
  }
};

export const stakeholderListSchema = z.strictObject({
  version: z.literal(1),
  kind: z.literal('stakeholder_list'),
  name: z.string().regex(/^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,62}$/, 'want 1 to 63 of a-z A-Z 0-9 _ . -'),
  language: z.enum(LANGUAGES).default('en'),
  members: z
    .array(z.email().max(254))
    .max(MEMBERS_PER_LIST_MAX)
    .refine((m) => new Set(m.map((a) => a.toLowerCase())).size === m.length, 'want each address once')
    .default([]),
  /** Only what is about these; empty: all services. */
  services: z.array(z.string().min(1).max(100)).max(100).default([]),
  /** Without it members read only what people write. */
  automatic: z
    .strictObject({
      /** This criticality, and worse. */
      criticality: z.enum(CRITICALITIES as [Criticality, ...Criticality[]]).default('P2'),
      on: z
        .array(z.enum(PHASES))
        .min(1)
        .default([...PHASES]),
      /** Between two mails about one incident, as a duration or in ms, as it is answered; its end is told all the same. */
      min_interval: z
        .union([z.number().int().nonnegative(), z.string().refine(accepted, 'want a duration such as 15m')])
        .default('15m')
        .transform((d) => (typeof d === 'number' ? d : parseDuration(d))),
    })
    .optional(),
});
export type StakeholderList = z.output<typeof stakeholderListSchema>;
export type StakeholderListInput = z.input<typeof stakeholderListSchema>;

/** A member who wants no more mail of this list. */
export interface Unsubscribed {
  readonly list: string;
  readonly email: string;
  readonly atMs: number;
}

/** undefined: merged or split, which goes on elsewhere. */
export function phaseOf(incident: Incident): Phase | undefined {
  if (incident.state === 'mitigated' || incident.state === 'resolved') return incident.state;
  return isLive(incident.state) ? 'open' : undefined;
}

/** The public names of what is hit; empty when none of it has one, and then nothing is told by itself. */
export function componentsHit(incident: Incident, list: StakeholderList, page: StatusPage | undefined): string[] {
  const wanted = incident.services.filter((s) => list.services.length === 0 || list.services.includes(s));
  const named = (page?.components ?? []).filter((c) => c.services.some((s) => wanted.includes(s))).map((c) => c.name);
  // a service that the list names may be named to its members
  const own = wanted.filter((s) => list.services.includes(s) && !page?.components.some((c) => c.services.includes(s)));
  return [...new Set([...named, ...own])];
}

export const concerns = (list: StakeholderList, incident: Incident): boolean =>
  list.services.length === 0 || incident.services.some((s) => list.services.includes(s));

/**
 * What a list is to be told now. `silent`: only remembered, so that the end is told to who wanted only that. Pure; the
 * same incident asks again after every change, so what is too early now is told with a later one.
 */
export function dueAnnouncement(
  list: StakeholderList,
  incident: Incident,
  page: StatusPage | undefined,
  nowMs: number,
): { readonly phase: Phase; readonly silent: boolean } | undefined {
  const { automatic } = list;
  const phase = phaseOf(incident);
  if (!automatic || phase === undefined || incident.hushed !== '') return undefined;
  const last = incident.announced?.[list.name];
  if (last?.phase === phase) return undefined;
  const silent = !automatic.on.includes(phase);
  if (phase === 'resolved') return last ? { phase, silent } : undefined;
  if (last && nowMs - last.atMs < automatic.min_interval) return undefined;
  if (phase === 'mitigated') return last?.phase === 'open' ? { phase, silent } : undefined;
  // P1 is the worst and comes first
  if (CRITICALITIES.indexOf(incident.criticality) > CRITICALITIES.indexOf(automatic.criticality)) return undefined;
  return componentsHit(incident, list, page).length > 0 ? { phase, silent } : undefined;
}

const WORDS: Readonly<
  Record<
    Language,
    Readonly<Record<Phase | 'down' | 'said' | 'since' | 'for' | 'page' | 'why' | 'leave' | 'test' | 'testText', string>>
  >
> = {
  en: {
    open: 'is degraded',
    down: 'is down',
    mitigated: 'works again; we keep watching it',
    resolved: 'works again',
    said: 'We are working on it and will write again when something changes.',
    since: 'Since',
    for: 'Duration',
    page: 'Status page',
    why: 'You get this mail because you are on the list',
    leave: 'No more of these',
    test: 'TEST',
    testText: 'This is a test. Nothing has happened.',
  },
  fr: {
    open: 'fonctionne de façon dégradée',
    down: 'est en panne',
    mitigated: 'fonctionne à nouveau ; nous restons attentifs',
    resolved: 'fonctionne à nouveau',
    said: 'Nous y travaillons et vous écrirons dès que quelque chose change.',
    since: 'Depuis',
    for: 'Durée',
    page: "Page d'état",
    why: 'Vous recevez ce message parce que vous êtes inscrit à la liste',
    leave: 'Ne plus recevoir ces messages',
    test: 'ESSAI',
    testText: "Ceci est un essai. Il ne s'est rien passé.",
  },
  de: {
    open: 'ist eingeschränkt',
    down: 'ist ausgefallen',
    mitigated: 'arbeitet wieder; wir beobachten weiter',
    resolved: 'arbeitet wieder',
    said: 'Wir arbeiten daran und schreiben wieder, wenn sich etwas ändert.',
    since: 'Seit',
    for: 'Dauer',
    page: 'Statusseite',
    why: 'Sie erhalten diese Nachricht, weil Sie auf dieser Liste stehen:',
    leave: 'Keine weiteren davon',
    test: 'TEST',
    testText: 'Dies ist ein Test. Es ist nichts geschehen.',
  },
};

export interface StakeholderWords {
  readonly title: string;
  readonly text: string;
}

const utc = (ms: number): string => `${new Date(ms).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
const minutes = (ms: number): string => {
  const m = Math.max(1, Math.round(ms / 60_000));
  return m < 60 ? `${m} min` : `${Math.floor(m / 60)} h ${m % 60} min`;
};

/** What is told by itself, in the list's language. */
export function automaticWords(
  list: StakeholderList,
  incident: Incident,
  page: StatusPage | undefined,
  phase: Phase,
  nowMs: number,
): StakeholderWords {
  const w = WORDS[list.language];
  const what = componentsHit(incident, list, page).join(', ');
  const state = phase === 'open' && incident.criticality === 'P1' ? w.down : w[phase];
  const title = `${page ? `${page.title}: ` : ''}${what} ${state}`;
  const lines = [`${what} ${state}.`, `${w.since}: ${utc(incident.firstBadAtMs)}`];
  if (phase === 'open') lines.push('', w.said);
  if (phase === 'resolved')
    lines.push(`${w.for}: ${minutes((incident.recoveredAtMs ?? nowMs) - incident.firstBadAtMs)}`);
  return { title, text: lines.join('\n') };
}

export const testWords = (list: StakeholderList): StakeholderWords => {
  const w = WORDS[list.language];
  return { title: `${w.test}: ${list.name}`, text: w.testText };
};

export interface StakeholderMailInput {
  readonly tenant: TenantId;
  readonly list: StakeholderList;
  readonly email: string;
  /** undefined: about none, a test. */
  readonly incident: Incident | undefined;
  readonly words: StakeholderWords;
  /** Unique within the incident; part of the message's id. */
  readonly key: string;
  readonly page: StatusPage | undefined;
  readonly externalURL: string;
  readonly linkKey: Uint8Array;
}

/** One mail to one member: its link to leave is its own. */
export function stakeholderMail(input: StakeholderMailInput): OutgoingMessage {
  const { tenant, list, email, incident, words, page, externalURL } = input;
  const w = WORDS[list.language];
  const token = signUnsubscribe(input.linkKey, { tenant, list: list.name, email });
  const unsubscribe = `${externalURL}/vigie/v1/unsubscribe?token=${token}`;
  const text = [
    words.text,
    ...(page?.enabled ? ['', `${w.page}: ${externalURL}/vigie/v1/public/status/${page.slug}`] : []),
    '',
    '-- ',
    `${w.why} ${list.name}. ${w.leave}: ${unsubscribe}`,
  ].join('\n');
  const about = { kind: 'stakeholders', email, contact: '', level: '', title: words.title, text, links: [] } as const;
  const annotations = { summary: words.title, description: text };
  if (!incident) {
    const id = `${tenant}/${list.name}/${input.key}`;
    return {
      ...about,
      id,
      incident: '',
      status: 'firing',
      labels: { alertname: words.title.slice(0, 200) },
      annotations,
      thread: { messageId: `<${id.replaceAll('/', '.')}@${hostOf(externalURL)}>`.toLowerCase(), references: [] },
      unsubscribe,
    };
  }
  const { thread, status, id } = composeMessage({
    tenant,
    incident,
    kind: 'stakeholders',
    key: input.key,
    email,
    contact: '',
    level: '',
    links: [],
    externalURL,
  });
  return {
    ...about,
    id,
    incident: incident.id,
    status,
    // nothing of its own labels: templates could show them
    labels: { alertname: words.title.slice(0, 200), incident: incident.id },
    annotations,
    thread,
    unsubscribe,
  };
}

function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).hostname : 'vigie.invalid';
}
