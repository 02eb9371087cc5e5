/** /vigie/v1/query-log, /cardinality, /service-discovery: what queries and series cost, and what discovery found. */
import { VigieError } from '../../lib/errors.ts';
import type { RequestContext } from '../../tenancy/context.ts';
import type { CardinalityAnswer, QueryLogAnswer, ServiceDiscoveryAnswer } from '../contract/insight.ts';
import { type Route, VIEWER } from '../route.ts';

export interface InsightPorts {
  readonly queryLog: (context: RequestContext, limit: number, minMs: number) => QueryLogAnswer;
  readonly cardinality: (context: RequestContext, limit: number) => Promise<CardinalityAnswer>;
  readonly serviceDiscovery: (context: RequestContext) => ServiceDiscoveryAnswer;
}

export function insightRoutes(ports: InsightPorts): Route[] {
  const base = { method: 'GET', family: 'vigie', access: VIEWER } as const;
  return [
    {
      ...base,
      path: '/vigie/v1/query-log',
      summary: 'Finished queries, newest first',
      handle: (request) => ({
        json: ports.queryLog(
          request.context,
          whole(request.query, 'limit', 200, 1_000),
          whole(request.query, 'minMs', 0, 1e9),
        ),
      }),
    },
    {
      ...base,
      path: '/vigie/v1/cardinality',
      summary: 'What series the tenant has',
      handle: async (request) => ({
        json: await ports.cardinality(request.context, whole(request.query, 'limit', 50, 1_000)),
      }),
    },
    {
      ...base,
      path: '/vigie/v1/service-discovery',
      summary: 'What discovery found and what relabelling made of it',
      handle: (request) => ({ json: ports.serviceDiscovery(request.context) }),
    },
  ];
}

function whole(query: URLSearchParams, name: string, fallback: number, max: number): number {
  const text = query.get(name);
  if (text === null || text === '') return fallback;
  const value = Number(text);
  if (!Number.isFinite(value) || value < 0)
    throw new VigieError('bad_data', `${name}: want a number of at least 0, got ${JSON.stringify(text.slice(0, 40))}`);
  return Math.min(max, Math.trunc(value));
}
