/** The status page of a tenant: its settings, stakeholder updates, and the public page (HTML and JSON) without sign-in. */
import type { IncidentService } from '../../incidents/incident-service.ts';
import { type ComponentState, type PublicStatus, publicStatus, type StatusPages } from '../../incidents/status-page.ts';
import type { Clock } from '../../lib/clock.ts';
import { VigieError } from '../../lib/errors.ts';
import type { TenantId } from '../../model/tenant.ts';
import type { AuditChange } from '../../tenancy/context.ts';
import { parseBody } from '../body.ts';
import { statusPageInput, updateInput } from '../contract/status-page.ts';
import { ADMIN, type HttpRequest, PUBLIC, RESPONDER, type Route, VIEWER } from '../route.ts';
import { html } from './act-page.ts';

export interface StatusPageRoutePorts {
  readonly incidents: IncidentService;
  readonly pages: StatusPages;
  readonly clock: Clock;
  /** Services of the tenant that have no data now. */
  readonly silentServices: (tenant: TenantId) => Promise<ReadonlySet<string>>;
  readonly audit: AuditChange;
}

const base = { family: 'vigie' } as const;
/** Public answers are the same for everybody, and asked for by many at the worst moment. */
const CACHE = 'public, max-age=15';

export function statusPageRoutes(ports: StatusPageRoutePorts): Route[] {
  const { pages, incidents, clock, audit } = ports;
  const shown = async (request: HttpRequest): Promise<PublicStatus> => {
    const found = await pages.tenantOf(request.params['slug']!);
    // the same words whether it never was, or is switched off
    if (!found) throw new VigieError('not_found', 'no such status page');
    const tenant = await incidents.tenant(found.tenant);
    return publicStatus({
      page: found.page,
      live: tenant.live(),
      silent: await ports.silentServices(found.tenant),
      maintenance: tenant.directory.maintenance(),
      updates: await pages.updates(found.tenant),
      nowMs: clock.now(),
    });
  };
  return [
    {
      ...base,
      method: 'GET',
      path: '/vigie/v1/status-page',
      access: VIEWER,
      summary: "Settings of the tenant's status page, and its updates",
      handle: async ({ context }) => ({
        json: { page: (await pages.get(context.tenant)) ?? null, updates: await pages.updates(context.tenant) },
      }),
    },
    {
      ...base,
      method: 'PUT',
      path: '/vigie/v1/status-page',
      access: ADMIN,
      summary: "Set up the tenant's status page",
      input: statusPageInput,
      handle: async (request) => {
        const page = parseBody(request, statusPageInput);
        await audit(request.context, 'status_page.put', page.slug, await pages.get(request.context.tenant), page);
        await pages.put(request.context.tenant, page);
        return { json: page };
      },
    },
    {
      ...base,
      method: 'POST',
      path: '/vigie/v1/incidents/:id/updates',
      access: RESPONDER,
      summary: 'Say something about an incident to stakeholders and on the public page',
      input: updateInput,
      handle: async (request) => {
        const input = parseBody(request, updateInput);
        const { tenant, principal, requestId } = request.context;
        const id = request.params['id']!;
        await incidents.get(tenant, id);
        await audit(request.context, 'incident.update', id, undefined, input);
        const update = { ...input, id: `${id}-${requestId}`, incident: id, atMs: clock.now(), by: principal.name };
        await pages.addUpdate(tenant, update);
        const page = await pages.get(tenant);
        await (await incidents.tenant(tenant)).announce(id, page?.receivers ?? [], {
          key: `update/${requestId}`,
          title: input.title,
          text: `${input.status}: ${input.text}`,
          actor: principal.name,
        });
        return { status: 201, json: update };
      },
    },
    {
      ...base,
      method: 'GET',
      path: '/vigie/v1/public/status/:slug',
      access: PUBLIC,
      summary: 'A public status page',
      handle: async (request) => ({
        headers: {
          'content-type': 'text/html; charset=utf-8',
          'cache-control': CACHE,
          'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
        },
        body: statusHtml(await shown(request)),
      }),
    },
    {
      ...base,
      method: 'GET',
      path: '/vigie/v1/public/status/:slug/summary.json',
      access: PUBLIC,
      summary: 'The same for programs',
      handle: async (request) => ({
        headers: { 'cache-control': CACHE, 'access-control-allow-origin': '*' },
        json: await shown(request),
      }),
    },
  ];
}

const WORDS: Readonly<
  Record<'en' | 'fr' | 'de', Readonly<Record<ComponentState | 'updates' | 'none' | 'planned', string>>>
> = {
  en: {
    operational: 'Operational',
    degraded: 'Degraded',
    down: 'Down',
    maintenance: 'Under maintenance',
    unknown: 'Unknown',
    updates: 'Updates',
    none: 'Nothing to report in the last 14 days.',
    planned: 'Maintenance',
  },
  fr: {
    operational: 'Opérationnel',
    degraded: 'Dégradé',
    down: 'En panne',
    maintenance: 'En maintenance',
    unknown: 'Inconnu',
    updates: 'Informations',
    none: 'Rien à signaler ces 14 derniers jours.',
    planned: 'Maintenance',
  },
  de: {
    operational: 'In Betrieb',
    degraded: 'Eingeschränkt',
    down: 'Ausgefallen',
    maintenance: 'In Wartung',
    unknown: 'Unbekannt',
    updates: 'Mitteilungen',
    none: 'Nichts zu berichten in den letzten 14 Tagen.',
    planned: 'Wartung',
  },
};
const MARKS: Readonly<Record<ComponentState, string>> = {
  operational: '✓',
  degraded: '!',
  down: '✗',
  maintenance: '⚙',
  unknown: '?',
};

function statusHtml(s: PublicStatus): string {
  const w = WORDS[s.language];
  const time = (ms: number): string => {
    const iso = new Date(ms).toISOString();
    return `<time datetime="${iso}">${iso.slice(0, 16).replace('T', ' ')} UTC</time>`;
  };
  const mark = (state: ComponentState): string =>
    `<span class="${state}"><span aria-hidden="true">${MARKS[state]}</span> ${html(w[state])}</span>`;
  const components = s.components.map((c) => `<li><span>${html(c.name)}</span> ${mark(c.state)}</li>`).join('');
  const maintenance = s.maintenance
    .map((m) => `<li>${time(m.startsAtMs)} – ${time(m.endsAtMs)} ${html(m.components.join(', '))}</li>`)
    .join('');
  const updates = s.updates
    .map(
      (u) =>
        `<article><h3>${html(u.title)}</h3>${u.entries.map((e) => `<p>${time(e.atMs)} <strong>${html(e.status)}</strong> ${html(e.text)}</p>`).join('')}</article>`,
    )
    .join('');
  return `<!doctype html><html lang="${s.language}"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${html(s.title)}</title><style>:root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem}ul{list-style:none;padding:0}li{display:flex;justify-content:space-between;gap:1rem;padding:.5rem 0;border-bottom:1px solid #8884;flex-wrap:wrap}.operational{color:#207a3c}.down{color:#c02626;font-weight:700}.degraded,.unknown,.maintenance{color:#9a5b00}@media(prefers-color-scheme:dark){.operational{color:#6fd08c}.down{color:#ff8a8a}.degraded,.unknown,.maintenance{color:#f5b264}}</style><main><h1>${html(s.title)}</h1><p role="status">${mark(s.state)}</p><ul>${components}</ul>${maintenance ? `<h2>${html(w.planned)}</h2><ul>${maintenance}</ul>` : ''}<h2>${html(w.updates)}</h2>${updates || `<p>${html(w.none)}</p>`}</main></html>`;
}
