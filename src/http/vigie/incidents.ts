/**
 * /vigie/v1/incidents, the hooks that feed them, and the links and callbacks that act from where people are. Long
 * because it is one table of routes; what they do is in src/incidents.
 */
import { hashKey } from '../../alerting/notify/http-post.ts';
import {
  type CallbackWish,
  checkDiscord,
  checkPagerDuty,
  checkSlack,
  type PagerDutyWish,
  readDiscord,
  readPagerDuty,
  readSlack,
} from '../../incidents/chat-callback.ts';
import type { RemediationAnswer } from '../../incidents/collections.ts';
import { componentOf } from '../../incidents/component.ts';
import { isDrill } from '../../incidents/drill.ts';
import type { HookMappings } from '../../incidents/hook-mappings.ts';
import { BY_PERSON, type Incident } from '../../incidents/incident.ts';
import type { IncidentFilter, IncidentService } from '../../incidents/incident-service.ts';
import { INCIDENT_EVENTS, INCIDENT_STATES, type IncidentEvent, moveOf } from '../../incidents/life-cycle.ts';
import { fromMapped, mappingSchema } from '../../incidents/mapping.ts';
import { groupKeyOf } from '../../incidents/message.ts';
import { fromAlertmanagerWebhook } from '../../incidents/signals.ts';
import { type LinkAction, readLink } from '../../incidents/signed-link.ts';
import { type EqualMatcher, silenceMatchers } from '../../incidents/silence-matchers.ts';
import type { Clock } from '../../lib/clock.ts';
import { VigieError } from '../../lib/errors.ts';
import { type TenantId, tenantId } from '../../model/tenant.ts';
import type { AuditChange } from '../../tenancy/context.ts';
import { parseBody } from '../body.ts';
import {
  INCIDENT_ACTIONS,
  type IncidentActionName,
  type IncidentAnswer,
  type IncidentItem,
  incidentActionInput,
  incidentInput,
  noteInput,
} from '../contract/incidents.ts';
import { EDITOR, type HttpAnswer, type HttpRequest, INGEST, PUBLIC, RESPONDER, type Route, VIEWER } from '../route.ts';
import { type ActSubject, confirmPage, donePage } from './act-page.ts';

export interface IncidentRoutePorts {
  readonly incidents: IncidentService;
  readonly hooks: HookMappings;
  readonly clock: Clock;
  /** The key links are signed with; that of the service's ports. */
  readonly linkKey: Uint8Array;
  /** The secret a tenant's Slack app, Discord application or PagerDuty subscription signs with; undefined: not set up. */
  readonly callbackSecret: (
    tenant: TenantId,
    program: 'slack' | 'discord' | 'pagerduty',
  ) => Promise<string | undefined>;
  /** Says something to who pressed a button in Slack. Not waited for: Slack gives a press three seconds. */
  readonly answerSlack?: (url: string, answer: Readonly<Record<string, unknown>>) => void;
  /** Creates silences; answers their ids. */
  readonly silence?: (
    tenant: TenantId,
    silences: readonly (readonly EqualMatcher[])[],
    options: { readonly durationMs: number; readonly comment: string; readonly createdBy: string },
  ) => Promise<readonly string[]>;
  /** Runs armed playbooks for an incident on a person's word. */
  readonly remediate?: (
    tenant: TenantId,
    incident: Incident,
    options: { readonly playbook?: string; readonly actor: string },
  ) => Promise<RemediationAnswer>;
  /** Every change leaves an entry before it is acknowledged. */
  readonly audit: AuditChange;
  /** The same for what comes by link or callback, where nobody is signed in. */
  readonly auditExternal: (tenant: TenantId, actor: string, action: string, target: string) => Promise<void>;
}

const HOOK_BODY_BYTES_MAX = 8 * 1024 * 1024;
const SNOOZE_MS = 3_600_000;
const SECONDS = 1_000;
/** Pages and answers to links are no place for scripts of others, nor to be framed or remembered. */
export const PAGE_HEADERS = {
  'content-type': 'text/html; charset=utf-8',
  'cache-control': 'no-store',
  'content-security-policy':
    "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
};

export function incidentRoutes(ports: IncidentRoutePorts): Route[] {
  return [...incidentReadRoutes(ports), ...incidentChangeRoutes(ports), ...hookRoutes(ports), ...callbackRoutes(ports)];
}

const base = { family: 'vigie' } as const;

function incidentReadRoutes({ incidents, clock }: IncidentRoutePorts): Route[] {
  return [
    {
      ...base,
      method: 'GET',
      path: '/vigie/v1/incidents',
      access: VIEWER,
      summary: 'List incidents, newest first',
      handle: async ({ context, query }) => {
        const page = await incidents.list(context.tenant, filterOf(query));
        return {
          json: { incidents: page.incidents.map(itemOf), ...(page.next === undefined ? {} : { next: page.next }) },
        };
      },
    },
    {
      ...base,
      method: 'GET',
      path: '/vigie/v1/incidents/:id',
      access: VIEWER,
      summary: 'One incident: alerts, verdict, causes with evidence, time line',
      handle: async ({ context, params }) => ({ json: await answerOf(incidents, context.tenant, params['id']!) }),
    },
    {
      ...base,
      method: 'GET',
      path: '/vigie/v1/incidents/:id/post-mortem',
      access: VIEWER,
      summary: 'Draft of a post-mortem in Markdown',
      handle: async ({ context, params }) => ({
        headers: { 'content-type': 'text/markdown; charset=utf-8' },
        body: await incidents.postMortem(context.tenant, params['id']!),
      }),
    },
    {
      ...base,
      method: 'GET',
      path: '/vigie/v1/incident-statistics',
      access: VIEWER,
      summary: 'Times to acknowledge and to resolve, and the share within the objective',
      handle: async ({ context, query }) => {
        const toMs = secondsOf(query, 'to') ?? clock.now() + 1;
        const fromMs = secondsOf(query, 'from') ?? toMs - 30 * 86_400_000;
        return { json: await incidents.statistics(context.tenant, fromMs, toMs) };
      },
    },
  ];
}

function incidentChangeRoutes(ports: IncidentRoutePorts): Route[] {
  const { incidents, clock, audit } = ports;
  return [
    {
      ...base,
      method: 'POST',
      path: '/vigie/v1/incidents',
      access: RESPONDER,
      summary: 'Open an incident by hand',
      input: incidentInput,
      handle: async (request) => {
        const input = parseBody(request, incidentInput);
        const { tenant, principal } = request.context;
        await audit(request.context, 'incident.open', input.title, undefined, input);
        const [id] = await incidents.observe(tenant, [
          {
            labels: {
              alertname: 'OpenedByHand',
              severity: input.severity,
              ...(input.service ? { service: input.service } : {}),
              // two people who open the same title open two incidents
              request: request.context.requestId,
            },
            annotations: { summary: input.title, description: input.description },
            status: 'firing',
            startsAtMs: clock.now(),
            source: `${BY_PERSON}${principal.name}`,
          },
        ]);
        return { status: 201, json: await answerOf(incidents, tenant, id!) };
      },
    },
    {
      ...base,
      method: 'POST',
      path: '/vigie/v1/incidents/:id/actions',
      access: RESPONDER,
      summary: 'Acknowledge, snooze, mitigate, resolve, reopen, escalate, silence, remediate, merge or split',
      input: incidentActionInput,
      handle: async (request) => {
        const input = parseBody(request, incidentActionInput);
        const id = request.params['id']!;
        const { tenant, principal } = request.context;
        const before = await incidents.get(tenant, id);
        await audit(request.context, `incident.${input.action}`, id, { state: before.state }, input);
        await actionOf(ports, tenant, id, principal.name, input);
        const now = input.action === 'merge' && input.into !== undefined ? input.into : id;
        return { json: await answerOf(incidents, tenant, now) };
      },
    },
    {
      ...base,
      method: 'POST',
      path: '/vigie/v1/incidents/:id/notes',
      access: RESPONDER,
      summary: 'Add a note to the time line',
      input: noteInput,
      handle: async (request) => {
        const { text } = parseBody(request, noteInput);
        const { tenant, principal } = request.context;
        await audit(request.context, 'incident.note', request.params['id']!, undefined, { text });
        await incidents.note(tenant, request.params['id']!, { kind: 'note', text, actor: principal.name });
        return { json: await answerOf(incidents, tenant, request.params['id']!) };
      },
    },
  ];
}

function hookRoutes({ incidents, hooks, clock, audit }: IncidentRoutePorts): Route[] {
  const body = (request: HttpRequest): unknown => {
    try {
      return JSON.parse(request.body.toString('utf8'));
    } catch (cause) {
      throw new VigieError('bad_data', `the body is not valid JSON: ${(cause as Error).message}`, { cause });
    }
  };
  return [
    {
      ...base,
      method: 'POST',
      path: '/vigie/v1/hooks/alertmanager',
      access: INGEST,
      summary: "Take an Alertmanager's webhook; needs no configuration beyond this address",
      bodyBytesMax: HOOK_BODY_BYTES_MAX,
      handle: async (request) => {
        const signals = fromAlertmanagerWebhook(body(request), clock.now());
        return { json: { incidents: await incidents.observe(request.context.tenant, signals) } };
      },
    },
    {
      ...base,
      method: 'POST',
      path: '/vigie/v1/hooks/:name',
      access: INGEST,
      summary: 'Take any JSON by the mapping of this name',
      bodyBytesMax: HOOK_BODY_BYTES_MAX,
      handle: async (request) => {
        const mapping = await hooks.get(request.context.tenant, request.params['name']!);
        const signals = fromMapped(mapping, body(request), clock.now());
        return { json: { incidents: await incidents.observe(request.context.tenant, signals) } };
      },
    },
    {
      ...base,
      method: 'GET',
      path: '/vigie/v1/hook-mappings',
      access: VIEWER,
      summary: 'List hook mappings',
      handle: async ({ context }) => ({ json: { mappings: await hooks.list(context.tenant) } }),
    },
    {
      ...base,
      method: 'PUT',
      path: '/vigie/v1/hook-mappings',
      access: EDITOR,
      summary: 'Create or change a hook mapping',
      input: mappingSchema,
      handle: async (request) => {
        const mapping = parseBody(request, mappingSchema);
        await audit(request.context, 'hook_mapping.put', mapping.name, undefined, mapping);
        await hooks.put(request.context.tenant, mapping);
        return { json: mapping };
      },
    },
    {
      ...base,
      method: 'DELETE',
      path: '/vigie/v1/hook-mappings/:name',
      access: EDITOR,
      summary: 'Remove a hook mapping',
      handle: async (request) => {
        const name = request.params['name']!;
        await audit(request.context, 'hook_mapping.delete', name, undefined, undefined);
        if (!(await hooks.remove(request.context.tenant, name)))
          throw new VigieError('not_found', `no hook mapping ${JSON.stringify(name)}`);
        return {};
      },
    },
  ];
}

/** Links and callbacks. They carry their own proof, so the routes are public; the tenant comes from the proof or path. */
function callbackRoutes(ports: IncidentRoutePorts): Route[] {
  const { clock, linkKey } = ports;
  const claims = (request: HttpRequest) => readLink(linkKey, request.query.get('token') ?? '', clock.now());
  const secretOf = async (request: HttpRequest, program: 'slack' | 'discord' | 'pagerduty') => {
    const tenant = tenantId(request.params['tenant']!);
    const secret = await ports.callbackSecret(tenant, program);
    if (secret === undefined) throw new VigieError('not_found', `no ${program} callbacks are set up here`);
    return { tenant, secret };
  };
  const wished = async (tenant: TenantId, wish: CallbackWish): Promise<string> => {
    await ports.auditExternal(tenant, wish.actor, `incident.${wish.action}`, wish.incident);
    const incident = await linkAction(ports, tenant, wish.incident, wish.action, wish.actor);
    return `${incident.id}: ${incident.state}`;
  };
  return [
    {
      ...base,
      method: 'GET',
      path: '/vigie/v1/act',
      access: PUBLIC,
      summary: 'The page behind a signed link; changes nothing',
      handle: async (request): Promise<HttpAnswer> => {
        const c = claims(request);
        const subject = await subjectOf(ports, tenantId(c.tenant), c.incident);
        const page = confirmPage(subject, c.action, request.query.get('token')!, languageOf(request));
        return { headers: PAGE_HEADERS, body: page };
      },
    },
    {
      ...base,
      method: 'POST',
      path: '/vigie/v1/act',
      access: PUBLIC,
      summary: 'Do what a signed link is for',
      handle: async (request): Promise<HttpAnswer> => {
        const c = claims(request);
        const tenant = tenantId(c.tenant);
        if (isDrill(c.incident)) {
          await ports.auditExternal(tenant, c.addressee, 'drill.acknowledge', c.incident);
          await (await ports.incidents.tenant(tenant)).drills.acknowledge(c.incident, c.addressee);
        } else await wished(tenant, { action: c.action, incident: c.incident, actor: c.addressee });
        const subject = await subjectOf(ports, tenant, c.incident);
        return { headers: PAGE_HEADERS, body: donePage(subject, c.action, languageOf(request)) };
      },
    },
    {
      ...base,
      method: 'POST',
      path: '/vigie/v1/callbacks/slack/:tenant',
      access: PUBLIC,
      summary: "Buttons of a tenant's Slack app",
      handle: async (request) => {
        const { tenant, secret } = await secretOf(request, 'slack');
        checkSlack(secret, request.headers, request.body, clock.now());
        const wish = readSlack(request.body);
        const text = await wished(tenant, wish).catch(said);
        const answer = { response_type: 'ephemeral', replace_original: false, text };
        if (wish.answerTo !== undefined) ports.answerSlack?.(wish.answerTo, answer);
        return { json: answer };
      },
    },
    {
      ...base,
      method: 'POST',
      path: '/vigie/v1/callbacks/discord/:tenant',
      access: PUBLIC,
      summary: "Buttons of a tenant's Discord application",
      handle: async (request) => {
        const { tenant, secret } = await secretOf(request, 'discord');
        checkDiscord(secret, request.headers, request.body, clock.now());
        const wish = readDiscord(request.body);
        if (wish === 'ping') return { json: { type: 1 } };
        // type 4 answers in the channel, flag 64 only to who pressed
        return { json: { type: 4, data: { content: await wished(tenant, wish).catch(said), flags: 64 } } };
      },
    },
    {
      ...base,
      method: 'POST',
      path: '/vigie/v1/callbacks/pagerduty/:tenant',
      access: PUBLIC,
      summary: "Webhooks (version 3) of a tenant's PagerDuty",
      handle: async (request) => {
        const { tenant, secret } = await secretOf(request, 'pagerduty');
        checkPagerDuty(secret, request.headers, request.body);
        const read = readPagerDuty(request.body);
        const incident = read && (await incidentOf(ports, tenant, read));
        const wish = incident === undefined ? undefined : { ...read!, incident };
        // refused wishes are no failure of the delivery: PagerDuty would send them again
        return { json: { result: wish ? await wished(tenant, wish).catch(said) : 'nothing to do' } };
      },
    },
  ];
}

async function subjectOf(ports: IncidentRoutePorts, tenant: TenantId, id: string): Promise<ActSubject> {
  if (!isDrill(id)) return ports.incidents.get(tenant, id);
  const run = (await (await ports.incidents.tenant(tenant)).drills.runs()).find((r) => r.id === id);
  if (!run) throw new VigieError('not_found', `no drill ${JSON.stringify(id.slice(0, 150))}`);
  return { id: 'DRILL', title: `${run.drill}: ${run.user}`, state: run.result };
}

/** By the key that its events are sent under, which no template can hide; else by the id in the title. */
async function incidentOf(
  ports: IncidentRoutePorts,
  tenant: TenantId,
  wish: PagerDutyWish,
): Promise<string | undefined> {
  const live = (await ports.incidents.tenant(tenant)).live();
  const byKey = live.find((i) => hashKey(groupKeyOf(tenant, i.id)) === wish.key);
  return byKey?.id ?? (wish.incident || undefined);
}

/** A refusal is an answer to whoever pressed the button. */
function said(error: unknown): string {
  if (error instanceof VigieError && (error.code === 'conflict' || error.code === 'not_found')) return error.message;
  throw error;
}

async function actionOf(
  ports: IncidentRoutePorts,
  tenant: TenantId,
  id: string,
  actor: string,
  input: ReturnType<typeof incidentActionInput.parse>,
): Promise<void> {
  const { incidents, clock } = ports;
  const text = input.comment || input.action;
  switch (input.action) {
    case 'merge':
      if (input.into === undefined) throw new VigieError('bad_data', 'body.into: want the incident to merge into');
      await (await incidents.tenant(tenant)).merge(id, input.into, actor);
      return;
    case 'split':
      await (await incidents.tenant(tenant)).split(id, input.alerts, actor);
      return;
    case 'silence': {
      if (!ports.silence) throw new VigieError('unsupported', 'silences are not available here');
      const incident = await incidents.get(tenant, id);
      const ids = await ports.silence(tenant, silenceMatchers(incident), {
        durationMs: input.durationMs,
        comment: input.comment || `${id}: ${incident.title}`,
        createdBy: actor,
      });
      await incidents.note(tenant, id, { kind: 'note', text: `silenced: ${ids.join(', ')}`, actor });
      return;
    }
    case 'remediate':
      await remediateBy(ports, tenant, id, actor, input.playbook);
      return;
    case 'escalate':
      await (await incidents.tenant(tenant)).escalateNow(id, actor);
      return;
    case 'snooze':
      await incidents.act(tenant, id, 'snooze', actor, text, { snoozeUntilMs: clock.now() + input.durationMs });
      return;
    default:
      await incidents.act(tenant, id, input.action, actor, text);
  }
}

async function remediateBy(
  ports: IncidentRoutePorts,
  tenant: TenantId,
  id: string,
  actor: string,
  playbook: string | undefined,
): Promise<void> {
  if (!ports.remediate) throw new VigieError('unsupported', 'playbooks are not available here');
  const incident = await ports.incidents.get(tenant, id);
  const answer = await ports.remediate(tenant, incident, { actor, ...(playbook === undefined ? {} : { playbook }) });
  await ports.incidents.note(tenant, id, { kind: 'remediation', text: answer.words, actor });
}

async function linkAction(
  ports: IncidentRoutePorts,
  tenant: TenantId,
  id: string,
  action: LinkAction,
  actor: string,
): Promise<Incident> {
  const { incidents, clock } = ports;
  if (action === 'escalate') return (await incidents.tenant(tenant)).escalateNow(id, actor);
  if (action === 'remediate') {
    await remediateBy(ports, tenant, id, actor, undefined);
    return incidents.get(tenant, id);
  }
  const more = action === 'snooze' ? { snoozeUntilMs: clock.now() + SNOOZE_MS } : {};
  return incidents.act(tenant, id, action, actor, `${action} by link`, more);
}

async function answerOf(service: IncidentService, tenant: TenantId, id: string): Promise<IncidentAnswer> {
  const incident = await service.get(tenant, id);
  const of = await service.tenant(tenant);
  const components = new Set(incident.alerts.map((a) => componentOf(a.labels)));
  return {
    incident,
    policy: of.policyOf(incident).name,
    actions: INCIDENT_ACTIONS.filter((a) => isPossible(incident, a)),
    edges: of.graph.around(components),
  };
}

function isPossible(incident: Incident, action: IncidentActionName): boolean {
  const event = (INCIDENT_EVENTS as readonly string[]).includes(action) ? (action as IncidentEvent) : undefined;
  if (event) return typeof moveOf(incident.state, event) === 'object';
  const live = incident.live === 1;
  return action === 'escalate' ? live || incident.state === 'resolved' : live;
}

export function itemOf(i: Incident): IncidentItem {
  const cause = i.causes[0]?.component;
  return {
    id: i.id,
    title: i.title,
    state: i.state,
    live: i.live,
    criticality: i.criticality,
    severity: i.severity,
    services: i.services,
    openedAtMs: i.openedAtMs,
    updatedAtMs: i.updatedAtMs,
    ...(i.acknowledgedBy === undefined ? {} : { acknowledgedBy: i.acknowledgedBy }),
    ...(i.resolvedAtMs === undefined ? {} : { resolvedAtMs: i.resolvedAtMs }),
    alerts: i.alerts.length,
    firing: i.alerts.filter((a) => a.state === 'firing').length,
    unknown: i.alerts.filter((a) => a.state === 'unknown').length,
    level: i.escalation.level,
    verdict: i.verdict.words,
    ...(cause === undefined ? {} : { cause }),
    flapping: i.flapping,
    hushed: i.hushed,
  };
}

function filterOf(query: URLSearchParams): IncidentFilter {
  const live = query.get('live');
  if (live !== null && live !== 'true' && live !== 'false')
    throw new VigieError('bad_data', `live: want true or false, got ${JSON.stringify(live.slice(0, 20))}`);
  const state = query.get('state');
  if (state !== null && !(INCIDENT_STATES as readonly string[]).includes(state))
    throw new VigieError('bad_data', `state: want one of ${INCIDENT_STATES.join(', ')}`);
  const criticality = query.get('criticality');
  const fromMs = secondsOf(query, 'from');
  const toMs = secondsOf(query, 'to');
  const limit = numberOf(query, 'limit');
  const after = query.get('after');
  return {
    ...(live === null ? {} : { live: live === 'true' }),
    ...(state === null ? {} : { state }),
    ...(criticality === null ? {} : { criticality }),
    ...(fromMs === undefined ? {} : { fromMs }),
    ...(toMs === undefined ? {} : { toMs }),
    ...(limit === undefined ? {} : { limit: Math.max(1, Math.min(1_000, Math.trunc(limit))) }),
    ...(after === null ? {} : { after }),
  };
}

export function numberOf(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  if (text === null) return undefined;
  const value = Number(text);
  if (text === '' || !Number.isFinite(value))
    throw new VigieError('bad_data', `${name}: want a number, got ${JSON.stringify(text.slice(0, 40))}`);
  return value;
}

/** Seconds in the API, as in Prometheus'; ms inside. */
export function secondsOf(query: URLSearchParams, name: string): number | undefined {
  const value = numberOf(query, name);
  return value === undefined ? undefined : value * SECONDS;
}

export function languageOf(request: HttpRequest): 'en' | 'fr' | 'de' {
  const wanted = (request.headers['accept-language'] ?? '').toLowerCase();
  return wanted.startsWith('fr') ? 'fr' : wanted.startsWith('de') ? 'de' : 'en';
}
