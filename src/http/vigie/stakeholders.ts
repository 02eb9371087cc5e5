/** /vigie/v1/stakeholders: mail lists of a tenant, with a dry run and a test; and the page behind a member's own link to leave. */
import type { IncidentService } from '../../incidents/incident-service.ts';
import type { Stakeholders } from '../../incidents/stakeholder-teller.ts';
import { readUnsubscribe } from '../../incidents/unsubscribe-link.ts';
import type { Clock } from '../../lib/clock.ts';
import { VigieError } from '../../lib/errors.ts';
import { type TenantId, tenantId } from '../../model/tenant.ts';
import type { AuditChange } from '../../tenancy/context.ts';
import { parseBody } from '../body.ts';
import { documentInput } from '../contract/on-call.ts';
import { type StakeholdersAnswer, stakeholderPreviewInput, stakeholderTestInput } from '../contract/stakeholders.ts';
import { EDITOR, type HttpRequest, PUBLIC, type Route } from '../route.ts';
import { html } from './act-page.ts';
import { languageOf, PAGE_HEADERS } from './incidents.ts';
import { documentOf } from './on-call.ts';

export interface StakeholderRoutePorts {
  readonly incidents: IncidentService;
  readonly clock: Clock;
  /** The key links are signed with; that of the service's ports. */
  readonly linkKey: Uint8Array;
  readonly audit: AuditChange;
  /** Without a sign-in: who held the link. */
  readonly auditExternal: (tenant: TenantId, actor: string, action: string, target: string) => Promise<void>;
}

const base = { family: 'vigie' } as const;
const PATH = '/vigie/v1/stakeholders';

export function stakeholderRoutes(ports: StakeholderRoutePorts): Route[] {
  const { incidents, clock, audit } = ports;
  const of = async (request: HttpRequest): Promise<Stakeholders> =>
    (await incidents.tenant(request.context.tenant)).stakeholders;
  const none = (name: string): VigieError => new VigieError('not_found', `no stakeholder list ${JSON.stringify(name)}`);
  return [
    {
      ...base,
      method: 'GET',
      path: PATH,
      // addresses of people outside: not for everybody who may look
      access: EDITOR,
      summary: 'List: stakeholder lists, with the members that left them',
      handle: async (request) => {
        const { lists } = await of(request);
        const answer: StakeholdersAnswer = { lists: lists.all().map((l) => ({ ...l, left: lists.left(l) })) };
        return { json: answer };
      },
    },
    {
      ...base,
      method: 'PUT',
      path: PATH,
      access: EDITOR,
      summary: 'Create or change: stakeholder list, as YAML or JSON',
      input: documentInput,
      handle: async (request) => {
        const value = documentOf(request);
        const { lists } = await of(request);
        const name = String((value as { name?: unknown } | null)?.name ?? '');
        await audit(request.context, 'stakeholder_list.put', name, lists.get(name), value);
        return { json: await lists.put(value) };
      },
    },
    {
      ...base,
      method: 'DELETE',
      path: `${PATH}/:name`,
      access: EDITOR,
      summary: 'Remove: stakeholder list',
      handle: async (request) => {
        const { lists } = await of(request);
        const name = request.params['name']!;
        await audit(request.context, 'stakeholder_list.delete', name, lists.get(name), undefined);
        if (!(await lists.remove(name))) throw none(name);
        return {};
      },
    },
    {
      ...base,
      method: 'POST',
      path: `${PATH}/:name/preview`,
      access: EDITOR,
      summary: 'Who would get what; tells nobody',
      input: stakeholderPreviewInput,
      handle: async (request) => {
        const { incident, phase } = parseBody(request, stakeholderPreviewInput);
        const about = incident === undefined ? undefined : await incidents.get(request.context.tenant, incident);
        return { json: await (await of(request)).preview(request.params['name']!, about, phase) };
      },
    },
    {
      ...base,
      method: 'POST',
      path: `${PATH}/:name/test`,
      access: EDITOR,
      summary: 'Send a test mail to one address, and say whether it went out',
      input: stakeholderTestInput,
      handle: async (request) => {
        const { email } = parseBody(request, stakeholderTestInput);
        const name = request.params['name']!;
        await audit(request.context, 'stakeholder_list.test', name, undefined, { email });
        await (await of(request)).test(name, email, request.context.requestId);
        return { json: { sent: email } };
      },
    },
    {
      ...base,
      method: 'DELETE',
      path: `${PATH}/:name/left/:email`,
      access: EDITOR,
      summary: 'Put a member that left back on the list, because they asked for it',
      handle: async (request) => {
        const { name, email } = request.params as { name: string; email: string };
        const { lists } = await of(request);
        if (!lists.get(name)) throw none(name);
        await audit(request.context, 'stakeholder_list.come_back', name, undefined, { email });
        if (!(await lists.comeBack(name, email)))
          throw new VigieError('not_found', `${JSON.stringify(email.slice(0, 254))} has not left ${name}`);
        return {};
      },
    },
    {
      ...base,
      method: 'GET',
      path: '/vigie/v1/unsubscribe',
      access: PUBLIC,
      summary: 'The page behind the link to leave a list; changes nothing',
      handle: async (request) => {
        const token = request.query.get('token') ?? '';
        const { list, email } = readUnsubscribe(ports.linkKey, token);
        const w = WORDS[languageOf(request)];
        const form = `<form method="post" action="unsubscribe?token=${html(encodeURIComponent(token))}"><button autofocus>${html(w.leave)}</button></form>`;
        return { headers: PAGE_HEADERS, body: page(languageOf(request), list, email, form) };
      },
    },
    {
      ...base,
      method: 'POST',
      path: '/vigie/v1/unsubscribe',
      access: PUBLIC,
      summary: 'Leave a list (RFC 8058: mail programs post here)',
      handle: async (request) => {
        const claims = readUnsubscribe(ports.linkKey, request.query.get('token') ?? '');
        const { list, email } = claims;
        const tenant = tenantId(claims.tenant);
        const { lists } = (await incidents.tenant(tenant)).stakeholders;
        await ports.auditExternal(tenant, email, 'stakeholder_list.leave', list);
        await lists.leave(list, email, clock.now());
        const language = languageOf(request);
        const done = `<p role="status">${html(WORDS[language].done)}</p>`;
        return { headers: PAGE_HEADERS, body: page(language, list, email, done) };
      },
    },
  ];
}

type Language = 'en' | 'fr' | 'de';
const WORDS: Readonly<Record<Language, Readonly<Record<'title' | 'leave' | 'done', string>>>> = {
  en: { title: 'Mail list', leave: 'Send me no more of these', done: 'Done: no more mail of this list.' },
  fr: {
    title: 'Liste de diffusion',
    leave: 'Ne plus m’envoyer ces messages',
    done: 'C’est fait : plus aucun message de cette liste.',
  },
  de: {
    title: 'Mailverteiler',
    leave: 'Keine weiteren Nachrichten',
    done: 'Erledigt: keine weiteren Nachrichten dieses Verteilers.',
  },
};

function page(language: Language, list: string, email: string, inner: string): string {
  const title = `${WORDS[language].title} ${list}`;
  return `<!doctype html><html lang="${language}"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><meta name="robots" content="noindex"><title>${html(title)}</title><style>:root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:40rem;margin:3rem auto;padding:0 1rem}button{font:inherit;padding:.6rem 1.2rem}</style><h1>${html(title)}</h1><p>${html(email)}</p>${inner}</html>`;
}
