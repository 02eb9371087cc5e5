/** /vigie/v1/on-call: schedules with their calendar, escalation policies, contacts; and maintenance windows. */
import { parseDocument } from 'yaml';
import { toICalendar } from '../../incidents/icalendar.ts';
import type { IncidentService } from '../../incidents/incident-service.ts';
import type { OnCallDirectory } from '../../incidents/on-call-directory.ts';
import { uncovered } from '../../incidents/policy.ts';
import { nextHandOver, onCallAt, type Schedule, shiftsBetween } from '../../incidents/schedule.ts';
import type { Clock } from '../../lib/clock.ts';
import { VigieError } from '../../lib/errors.ts';
import { yamlProblem, yamlValue } from '../../lib/nesting.ts';
import type { AuditChange } from '../../tenancy/context.ts';
import { parseBody } from '../body.ts';
import {
  type DrillsAnswer,
  documentInput,
  maintenanceInput,
  type OnCallAnswer,
  overrideInput,
} from '../contract/on-call.ts';
import { EDITOR, type HttpRequest, RESPONDER, type Route, VIEWER } from '../route.ts';
import { secondsOf } from './incidents.ts';

export interface OnCallRoutePorts {
  readonly incidents: IncidentService;
  readonly clock: Clock;
  readonly audit: AuditChange;
}

const base = { family: 'vigie' } as const;
const DAY_MS = 86_400_000;
/** A calendar program that names no period gets this much. */
const CALENDAR_BEFORE_MS = 7 * DAY_MS;
const CALENDAR_AFTER_MS = 90 * DAY_MS;

export function onCallRoutes(ports: OnCallRoutePorts): Route[] {
  const { clock } = ports;
  const directory = async (request: HttpRequest): Promise<OnCallDirectory> =>
    (await ports.incidents.tenant(request.context.tenant)).directory;
  return [
    {
      ...base,
      method: 'GET',
      path: '/vigie/v1/on-call',
      access: VIEWER,
      summary: 'Who is on call now',
      handle: async (request) => {
        const d = await directory(request);
        const nowMs = clock.now();
        const answer: OnCallAnswer = {
          onCall: d.schedules().map((s) => {
            const next = nextHandOver(s, nowMs);
            return { schedule: s.name, ...onCallAt(s, nowMs), ...(next ? { next } : {}) };
          }),
          uncovered: uncovered(d.policies()),
        };
        return { json: answer };
      },
    },
    ...scheduleRoutes(ports, directory),
    ...kind(ports, directory, 'policies', 'escalation_policy', {
      list: (d) => ({ policies: d.policies(), uncovered: uncovered(d.policies()) }),
      get: (d, name) => d.policy(name),
      put: (d, value) => d.putPolicy(value),
      remove: (d, name) => d.removePolicy(name),
    }),
    ...kind(ports, directory, 'contacts', 'contact', {
      list: (d) => ({ contacts: d.contacts() }),
      get: (d, name) => d.contact(name),
      put: (d, value) => d.putContact(value),
      remove: (d, name) => d.removeContact(name),
    }),
    ...kind(ports, directory, 'schedules', 'schedule', {
      list: (d) => ({ schedules: d.schedules() }),
      get: (d, name) => d.schedule(name),
      put: (d, value) => d.putSchedule(value),
      remove: (d, name) => d.removeSchedule(name),
    }),
    ...drillRoutes(ports),
    ...maintenanceRoutes(ports, directory),
  ];
}

interface Kind {
  readonly list: (d: OnCallDirectory) => unknown;
  readonly get: (d: OnCallDirectory, name: string) => unknown;
  readonly put: (d: OnCallDirectory, value: unknown) => Promise<{ readonly name: string }>;
  readonly remove: (d: OnCallDirectory, name: string) => Promise<boolean>;
}

type DirectoryOf = (request: HttpRequest) => Promise<OnCallDirectory>;

/** List, put (YAML or JSON) and remove of one kind of document. */
function kind(ports: OnCallRoutePorts, directory: DirectoryOf, plural: string, word: string, k: Kind): Route[] {
  const path = `/vigie/v1/on-call/${plural}`;
  const spoken = word.replaceAll('_', ' ');
  return [
    {
      ...base,
      method: 'GET',
      path,
      access: VIEWER,
      summary: `List: ${plural}`,
      handle: async (request) => ({ json: k.list(await directory(request)) }),
    },
    {
      ...base,
      method: 'PUT',
      path,
      access: EDITOR,
      summary: `Create or change: ${spoken}, as YAML or JSON`,
      input: documentInput,
      handle: async (request) => {
        const value = documentOf(request);
        const d = await directory(request);
        const name = String((value as { name?: unknown } | null)?.name ?? '');
        await ports.audit(request.context, `${word}.put`, name, k.get(d, name), value);
        return { json: await k.put(d, value) };
      },
    },
    {
      ...base,
      method: 'DELETE',
      path: `${path}/:name`,
      access: EDITOR,
      summary: `Remove: ${spoken}`,
      handle: async (request) => {
        const d = await directory(request);
        const name = request.params['name']!;
        await ports.audit(request.context, `${word}.delete`, name, k.get(d, name), undefined);
        if (!(await k.remove(d, name))) throw new VigieError('not_found', `no ${spoken} ${JSON.stringify(name)}`);
        return {};
      },
    },
  ];
}

function scheduleRoutes({ clock, audit }: OnCallRoutePorts, directory: DirectoryOf): Route[] {
  const find = async (request: HttpRequest): Promise<{ d: OnCallDirectory; schedule: Schedule }> => {
    const d = await directory(request);
    const schedule = d.schedule(request.params['name']!);
    if (!schedule) throw new VigieError('not_found', `no schedule ${JSON.stringify(request.params['name'])}`);
    return { d, schedule };
  };
  const period = (request: HttpRequest): [number, number] => {
    const nowMs = clock.now();
    const fromMs = secondsOf(request.query, 'from') ?? nowMs - CALENDAR_BEFORE_MS;
    const toMs = secondsOf(request.query, 'to') ?? nowMs + CALENDAR_AFTER_MS;
    if (!(toMs > fromMs)) throw new VigieError('bad_data', 'to: want an end after from');
    return [fromMs, toMs];
  };
  return [
    {
      ...base,
      method: 'GET',
      path: '/vigie/v1/on-call/schedules/:name/shifts',
      access: VIEWER,
      summary: 'Shifts of a period; gaps are shifts of nobody',
      handle: async (request) => {
        const { schedule } = await find(request);
        return { json: { shifts: shiftsBetween(schedule, ...period(request)) } };
      },
    },
    {
      ...base,
      method: 'GET',
      path: '/vigie/v1/on-call/schedules/:name/calendar.ics',
      access: VIEWER,
      summary: 'Shifts as an iCalendar file; ?user= for one person',
      handle: async (request) => {
        const { schedule } = await find(request);
        const user = request.query.get('user');
        const body = toICalendar({
          name: schedule.name,
          shifts: shiftsBetween(schedule, ...period(request)),
          nowMs: clock.now(),
          ...(user === null ? {} : { user }),
        });
        return { headers: { 'content-type': 'text/calendar; charset=utf-8' }, body };
      },
    },
    {
      ...base,
      method: 'POST',
      path: '/vigie/v1/on-call/schedules/:name/overrides',
      access: RESPONDER,
      summary: 'Take a shift, or give it to somebody',
      input: overrideInput,
      handle: async (request) => {
        const override = parseBody(request, overrideInput);
        const { d, schedule } = await find(request);
        await audit(request.context, 'schedule.override', schedule.name, undefined, override);
        // what is over needs no override any more
        const overrides = [...schedule.overrides.filter((o) => o.to > clock.now() - 30 * DAY_MS), override];
        return { json: await d.putSchedule({ ...schedule, overrides }) };
      },
    },
  ];
}

function drillRoutes({ incidents, audit }: OnCallRoutePorts): Route[] {
  const drills = async (request: HttpRequest) => (await incidents.tenant(request.context.tenant)).drills;
  const path = '/vigie/v1/on-call/drills';
  return [
    {
      ...base,
      method: 'GET',
      path,
      access: VIEWER,
      summary: 'Drills, those held lately, and how well the on-call people answered',
      handle: async (request) => {
        const d = await drills(request);
        const answer: DrillsAnswer = { drills: d.list(), runs: await d.runs(), figures: await d.figures() };
        return { json: answer };
      },
    },
    {
      ...base,
      method: 'PUT',
      path,
      access: EDITOR,
      summary: 'Create or change: drill, as YAML or JSON',
      input: documentInput,
      handle: async (request) => {
        const value = documentOf(request);
        const d = await drills(request);
        const name = String((value as { name?: unknown } | null)?.name ?? '');
        await audit(request.context, 'drill.put', name, d.get(name), value);
        return { json: await d.put(value) };
      },
    },
    {
      ...base,
      method: 'DELETE',
      path: `${path}/:name`,
      access: EDITOR,
      summary: 'Remove: drill',
      handle: async (request) => {
        const d = await drills(request);
        const name = request.params['name']!;
        await audit(request.context, 'drill.delete', name, d.get(name), undefined);
        if (!(await d.remove(name))) throw new VigieError('not_found', `no drill ${JSON.stringify(name)}`);
        return {};
      },
    },
    {
      ...base,
      method: 'POST',
      path: `${path}/:name/runs`,
      access: RESPONDER,
      summary: 'Hold a drill now: whoever is on call is paged, as a drill',
      handle: async (request) => {
        const name = request.params['name']!;
        await audit(request.context, 'drill.hold', name, undefined, undefined);
        return { status: 201, json: await (await drills(request)).hold(name) };
      },
    },
  ];
}

function maintenanceRoutes({ audit }: OnCallRoutePorts, directory: DirectoryOf): Route[] {
  return [
    {
      ...base,
      method: 'GET',
      path: '/vigie/v1/maintenance',
      access: VIEWER,
      summary: 'List maintenance windows',
      handle: async (request) => ({ json: { windows: (await directory(request)).maintenance() } }),
    },
    {
      ...base,
      method: 'PUT',
      path: '/vigie/v1/maintenance',
      access: RESPONDER,
      summary: 'Create or change a maintenance window: nobody is told of its services meanwhile',
      input: maintenanceInput,
      handle: async (request) => {
        const input = parseBody(request, maintenanceInput);
        await audit(request.context, 'maintenance.put', input.id, undefined, input);
        const d = await directory(request);
        return { json: await d.putMaintenance({ ...input, createdBy: request.context.principal.name }) };
      },
    },
    {
      ...base,
      method: 'DELETE',
      path: '/vigie/v1/maintenance/:id',
      access: RESPONDER,
      summary: 'Remove a maintenance window',
      handle: async (request) => {
        const id = request.params['id']!;
        await audit(request.context, 'maintenance.delete', id, undefined, undefined);
        if (!(await (await directory(request)).removeMaintenance(id)))
          throw new VigieError('not_found', `no maintenance window ${JSON.stringify(id)}`);
        return {};
      },
    },
  ];
}

/** The document of a request, YAML with the line of what is wrong. */
export function documentOf(request: HttpRequest): unknown {
  const input = parseBody(request, documentInput);
  if (input.yaml === undefined) return input.document;
  const doc = parseDocument(input.yaml);
  const problem = doc.errors[0];
  if (problem) throw new VigieError('bad_data', `yaml: ${yamlProblem(problem)}`);
  return yamlValue(doc, 50);
}
