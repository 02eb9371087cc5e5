/** The live stream (server-sent events) and its query subscriptions. */
import type { Clock } from '../../lib/clock.ts';
import { messageOf, VigieError } from '../../lib/errors.ts';
import type { EventLog, LiveEvent } from '../../live/event-log.ts';
import type { LiveResult, QuerySubscriptions } from '../../live/query-subscriptions.ts';
import type { RequestContext } from '../../tenancy/context.ts';
import { parseBody } from '../body.ts';
import { type LiveSnapshot, type LiveSubscriptionsAnswer, liveSubscriptionsInput } from '../contract/live.ts';
import { type HttpRequest, type Route, VIEWER } from '../route.ts';

/** Events waiting for a slow reader; past this the stream is closed, and the reader resumes by id. */
export const QUEUE_MAX = 1_000;
/** Streams of this process. */
export const STREAMS_MAX = 5_000;
const KEEP_ALIVE_MS = 15_000;

export interface LiveRoutePorts {
  readonly log: EventLog;
  readonly queries: QuerySubscriptions<RequestContext>;
  readonly snapshot: (context: RequestContext) => LiveSnapshot;
  /** Throws when an expression does not parse. */
  readonly checkQuery: (expr: string) => void;
  readonly liveQueriesMax: (context: RequestContext) => number;
  /** Calls back when a credential is worth nothing any more. */
  readonly onRevoked: (listener: (principalId: string) => void) => () => void;
  readonly newId: () => string;
  readonly clock: Clock;
}

interface Stream {
  readonly context: RequestContext;
  push(text: string): void;
  close(): void;
  /** By id: what it watches, and how to end that. */
  watched: Map<string, Watched>;
}
interface Watched {
  readonly expr: string;
  readonly stepMs: number;
  readonly stop: () => void;
}

export function liveRoutes(ports: LiveRoutePorts): Route[] {
  const streams = new Map<string, Stream>();
  ports.onRevoked((principalId) => {
    for (const stream of streams.values()) if (stream.context.principal.id === principalId) stream.close();
  });
  return [
    {
      method: 'GET',
      path: '/vigie/v1/live',
      family: 'vigie',
      access: VIEWER,
      summary: 'Live stream of the tenant (server-sent events)',
      handle: (request) => {
        if (streams.size >= STREAMS_MAX)
          throw new VigieError('unavailable', `this server has ${STREAMS_MAX} live streams`, {
            details: { retryAfterMs: 10_000 },
          });
        return {
          headers: {
            'content-type': 'text/event-stream; charset=utf-8',
            'cache-control': 'no-store',
            'x-accel-buffering': 'no',
          },
          body: openStream(request, streams, ports),
        };
      },
    },
    {
      method: 'POST',
      path: '/vigie/v1/live/subscriptions',
      family: 'vigie',
      access: VIEWER,
      summary: 'Replace the queries that a stream watches',
      input: liveSubscriptionsInput,
      handle: (request) => {
        const input = parseBody(request, liveSubscriptionsInput);
        const { context } = request;
        const stream = streams.get(input.client);
        if (!stream || stream.context.tenant !== context.tenant || stream.context.principal.id !== context.principal.id)
          throw new VigieError('not_found', 'no such live stream');
        const refused: Record<string, string> = {};
        const watched = new Map<string, Watched>();
        const asked = new Map(input.queries.map((q) => [q.id, q]));
        if (asked.size < input.queries.length) throw new VigieError('bad_data', 'queries: every id must occur once');
        // what it watches already goes on, without its newest result being sent again; what it leaves makes room first
        for (const [id, before] of stream.watched) {
          const now = asked.get(id);
          if (now && now.expr === before.expr && now.stepMs === before.stepMs) watched.set(id, before);
          else before.stop();
        }
        for (const { id, expr, stepMs } of input.queries) {
          if (watched.has(id)) continue;
          try {
            ports.checkQuery(expr);
            const viewer = (r: LiveResult): void =>
              stream.push(
                sse('query', {
                  id,
                  atMs: r.atMs,
                  ...(r.result ? { result: r.result } : {}),
                  ...(r.error === undefined ? {} : { error: r.error }),
                }),
              );
            const query = { expr, stepMs };
            const most = ports.liveQueriesMax(context);
            const stop = ports.queries.add(context.tenant, scopeKey(context), context, query, viewer, most);
            watched.set(id, { expr, stepMs, stop });
          } catch (error) {
            refused[id] = messageOf(error);
          }
        }
        stream.watched = watched;
        const answer: LiveSubscriptionsAnswer = { accepted: watched.size, refused };
        return { json: answer };
      },
    },
  ];
}

/** Restricted views of one tenant see different data and share nothing. */
const scopeKey = (context: RequestContext): string =>
  context.view ? `${context.view.name}\u0000${context.view.tenantLabel}\u0000${context.view.tenantValue}` : '';

function openStream(request: HttpRequest, streams: Map<string, Stream>, ports: LiveRoutePorts): AsyncIterable<string> {
  const { context, signal } = request;
  const { log, clock } = ports;
  const queue: string[] = [];
  let wake: (() => void) | undefined;
  let open = true;
  const stream: Stream = {
    context,
    watched: new Map(),
    push(text) {
      if (queue.length >= QUEUE_MAX) return this.close();
      queue.push(text);
      wake?.();
    },
    close() {
      open = false;
      wake?.();
    },
  };
  const client = ports.newId();
  const unsubscribe = log.subscribe(context.tenant, (event) => stream.push(sseEvent(event)));
  if (!unsubscribe)
    throw new VigieError('quota', `tenant ${context.tenant} has too many live streams`, {
      details: { retryAfterMs: 10_000 },
    });
  streams.set(client, stream);
  const lastId = String(request.headers['last-event-id'] ?? request.query.get('lastEventId') ?? '');
  const missed = lastId === '' ? 'gap' : log.since(context.tenant, lastId);
  queue.unshift(sse('hello', { client, atMs: clock.now(), fresh: missed === 'gap' }));
  if (missed === 'gap') queue.push(sse('snapshot', ports.snapshot(context), log.lastId(context.tenant)));
  else for (const event of missed) queue.push(sseEvent(event));

  const end = (): void => stream.close();
  signal.addEventListener('abort', end, { once: true });
  if (signal.aborted) end();
  let timer = clock.setTimer(keepAlive, KEEP_ALIVE_MS);
  function keepAlive(): void {
    stream.push(': still here\n\n');
    timer = clock.setTimer(keepAlive, KEEP_ALIVE_MS);
  }
  const release = (): void => {
    timer.cancel();
    unsubscribe();
    streams.delete(client);
    for (const { stop } of stream.watched.values()) stop();
    stream.watched = new Map();
    signal.removeEventListener('abort', end);
  };
  return (async function* () {
    try {
      while (open || queue.length > 0) {
        if (queue.length > 0) yield queue.splice(0).join('');
        else
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        wake = undefined;
      }
    } finally {
      release();
    }
  })();
}

const sseEvent = (event: LiveEvent): string => sse(event.kind, event.data, event.id);

function sse(kind: string, data: unknown, id?: string): string {
  return `${id === undefined ? '' : `id: ${id}\n`}event: ${kind}\ndata: ${JSON.stringify(data)}\n\n`;
}
