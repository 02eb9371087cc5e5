/** /vigie/v1/events, /heartbeats and /services. */

import { parseCloudEvents } from '../../events/cloud-event.ts';
import type { EventStore } from '../../events/event-store.ts';
import type { HeartbeatMonitors } from '../../heartbeats/heartbeat-monitors.ts';
import type { Clock } from '../../lib/clock.ts';
import { VigieError } from '../../lib/errors.ts';
import type { EdgeDiscovery } from '../../services/edge-discovery.ts';
import type { ServiceRegistry } from '../../services/service-registry.ts';
import type { AuditChange } from '../../tenancy/context.ts';
import { parseBody } from '../body.ts';
import { heartbeatInput, type ServiceEdgesAnswer, serviceInput } from '../contract/events.ts';
import { EDITOR, type HttpRequest, INGEST, type Route, VIEWER } from '../route.ts';

export interface EventRoutePorts {
  readonly events: EventStore;
  readonly heartbeats: HeartbeatMonitors;
  readonly services: ServiceRegistry;
  readonly edges: EdgeDiscovery;
  /** Every change leaves an entry before it is acknowledged. */
  readonly audit: AuditChange;
  readonly clock: Clock;
}

const EVENT_BODY_BYTES_MAX = 8 * 1024 * 1024;

export function eventRoutes(ports: EventRoutePorts): Route[] {
  const { events, heartbeats, services, edges, audit, clock } = ports;
  const ping = async (request: HttpRequest) => {
    const status = request.query.get('status') ?? 'ok';
    if (status !== 'ok' && status !== 'failed')
      throw new VigieError('bad_data', `status: want ok or failed, got ${JSON.stringify(status.slice(0, 40))}`);
    return { json: await heartbeats.ping(request.context.tenant, request.params['name']!, status) };
  };
  const base = { family: 'vigie' } as const;
  return [
    {
      ...base,
      method: 'POST',
      path: '/vigie/v1/events',
      access: INGEST,
      summary: 'Take CloudEvents 1.0 (structured, batched or binary mode)',
      bodyBytesMax: EVENT_BODY_BYTES_MAX,
      handle: async (request) => {
        const list = parseCloudEvents(
          request.headers['content-type'] ?? '',
          request.headers,
          request.body.toString('utf8'),
          clock.now(),
        );
        return { status: 202, json: await events.add(request.context.tenant, list) };
      },
    },
    {
      ...base,
      method: 'GET',
      path: '/vigie/v1/events',
      access: VIEWER,
      summary: 'List events, newest first',
      handle: async (request) => ({ json: await events.list(request.context.tenant, eventFilter(request.query)) }),
    },
    {
      ...base,
      method: 'GET',
      path: '/vigie/v1/heartbeats',
      access: VIEWER,
      summary: 'List heartbeat monitors',
      handle: (request) => ({ json: { heartbeats: heartbeats.list(request.context.tenant) } }),
    },
    {
      ...base,
      method: 'PUT',
      path: '/vigie/v1/heartbeats',
      access: EDITOR,
      summary: 'Create or change a heartbeat monitor',
      input: heartbeatInput,
      handle: async (request) => {
        const input = parseBody(request, heartbeatInput);
        const before = heartbeats.list(request.context.tenant).find((m) => m.name === input.name);
        await audit(request.context, 'heartbeat.put', input.name, before, input);
        return {
          json: await heartbeats.put(request.context.tenant, {
            name: input.name,
            intervalMs: input.interval,
            ...(input.description === undefined ? {} : { description: input.description }),
            ...(input.grace === undefined ? {} : { graceMs: input.grace }),
          }),
        };
      },
    },
    {
      ...base,
      method: 'DELETE',
      path: '/vigie/v1/heartbeats/:name',
      access: EDITOR,
      summary: 'Remove a heartbeat monitor',
      handle: async (request) => {
        const name = request.params['name']!;
        await audit(
          request.context,
          'heartbeat.delete',
          name,
          heartbeats.list(request.context.tenant).find((m) => m.name === name),
          undefined,
        );
        if (!(await heartbeats.remove(request.context.tenant, name)))
          throw new VigieError('not_found', `no heartbeat monitor ${JSON.stringify(name)}`);
        return {};
      },
    },
    // GET too: cron jobs ping with whatever fetches an address
    {
      ...base,
      method: 'POST',
      path: '/vigie/v1/heartbeats/:name/ping',
      access: INGEST,
      summary: 'Sign of life of a job',
      handle: ping,
    },
    {
      ...base,
      method: 'GET',
      path: '/vigie/v1/heartbeats/:name/ping',
      access: INGEST,
      summary: 'Sign of life of a job',
      handle: ping,
    },
    {
      ...base,
      method: 'GET',
      path: '/vigie/v1/services',
      access: VIEWER,
      summary: 'List declared and discovered services',
      handle: async (request) => ({ json: { services: await services.list(request.context.tenant) } }),
    },
    {
      ...base,
      method: 'GET',
      path: '/vigie/v1/service-edges',
      access: VIEWER,
      summary: 'Calls between services as metrics show them, with where each was seen and when last',
      handle: async (request) => {
        const answer: ServiceEdgesAnswer = { edges: await edges.edges(request.context.tenant) };
        return { json: answer };
      },
    },
    {
      ...base,
      method: 'PUT',
      path: '/vigie/v1/services',
      access: EDITOR,
      summary: 'Declare a service',
      input: serviceInput,
      handle: async (request) => {
        const input = parseBody(request, serviceInput);
        await audit(request.context, 'service.declare', input.name, undefined, input);
        await services.declare(request.context.tenant, input as Parameters<ServiceRegistry['declare']>[1]);
        return {};
      },
    },
    {
      ...base,
      method: 'DELETE',
      path: '/vigie/v1/services/:name',
      access: EDITOR,
      summary: 'Remove a service',
      handle: async (request) => {
        await audit(request.context, 'service.remove', request.params['name']!, undefined, undefined);
        if (!(await services.remove(request.context.tenant, request.params['name']!)))
          throw new VigieError('not_found', 'no such service');
        return {};
      },
    },
  ];
}

function eventFilter(query: URLSearchParams): Parameters<EventStore['list']>[1] {
  const number = (name: string): number | undefined => {
    const text = query.get(name);
    if (text === null) return undefined;
    const value = Number(text);
    if (text === '' || !Number.isFinite(value))
      throw new VigieError('bad_data', `${name}: want a number, got ${JSON.stringify(text.slice(0, 40))}`);
    return value;
  };
  const out: { -readonly [K in keyof Parameters<EventStore['list']>[1]]: Parameters<EventStore['list']>[1][K] } = {};
  const type = query.get('type');
  const source = query.get('source');
  const after = query.get('after');
  const fromMs = number('from');
  const toMs = number('to');
  const limit = number('limit');
  if (type !== null) out.type = type;
  if (source !== null) out.source = source;
  if (after !== null) out.after = after;
  // seconds in the API, as in Prometheus'
  if (fromMs !== undefined) out.fromMs = fromMs * 1000;
  if (toMs !== undefined) out.toMs = toMs * 1000;
  if (limit !== undefined) out.limit = Math.max(1, Math.min(1_000, Math.trunc(limit)));
  return out;
}
