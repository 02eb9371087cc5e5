/**
 * /vigie/v1/platform/query: one question to many tenants, for platform roles only. Each tenant's answer is computed on
 * its own store and marked with its name; the audit log of the platform says who asked whom before anything is read.
 */
import { z } from 'zod';
import { VigieError } from '../../lib/errors.ts';
import { type TenantId, tenantId } from '../../model/tenant.ts';
import type { VectorSample } from '../../promql/engine.ts';
import { formatValue } from '../../promql/literal.ts';
import type { MetricsReader } from '../../store/metrics.ts';
import type { RequestContext } from '../../tenancy/context.ts';
import { type PlatformReaderPorts, platformReader } from '../../tenancy/platform-reader.ts';
import { parseBody } from '../body.ts';
import { PLATFORM, type Route } from '../route.ts';

/** Tenants asked at a time. */
export const PLATFORM_TENANTS_MAX = 1_000;

export const platformQueryInput = z.strictObject({
  query: z.string().min(1).max(20_000),
  /** Why, for the audit log. */
  purpose: z.string().min(1).max(500),
  /** Absent: all. */
  tenants: z.array(z.string()).max(PLATFORM_TENANTS_MAX).optional(),
  /** Seconds; absent: now. */
  time: z.number().optional(),
});

export interface PlatformQueryPorts extends PlatformReaderPorts {
  readonly tenants: () => readonly TenantId[];
  readonly evaluate: (
    context: RequestContext,
    tenant: TenantId,
    reader: MetricsReader,
    expr: string,
    atMs: number,
    signal: AbortSignal,
  ) => Promise<readonly VectorSample[]>;
  readonly nowMs: () => number;
}

export function platformRoutes(ports: PlatformQueryPorts): Route[] {
  return [
    {
      method: 'POST',
      path: '/vigie/v1/platform/query',
      family: 'vigie',
      access: PLATFORM,
      summary: 'An instant query over many tenants, audited',
      input: platformQueryInput,
      handle: async (request) => {
        const input = parseBody(request, platformQueryInput);
        const known = ports.tenants();
        const wanted = input.tenants?.map(tenantId) ?? known.slice(0, PLATFORM_TENANTS_MAX);
        for (const t of wanted) if (!known.includes(t)) throw new VigieError('not_found', `no tenant ${t}`);
        const atMs = input.time === undefined ? ports.nowMs() : input.time * 1000;
        const reader = await platformReader(request.context, input.purpose, wanted, ports);
        const result: unknown[] = [];
        for (const tenant of wanted) {
          request.signal.throwIfAborted();
          const samples = await ports.evaluate(
            request.context,
            tenant,
            reader.reader(tenant),
            input.query,
            atMs,
            request.signal,
          );
          for (const s of samples)
            result.push({ tenant, metric: s.labels.toObject(), value: [atMs / 1000, formatValue(s.value)] });
        }
        return { json: { tenants: wanted.length, result, truncated: !input.tenants && known.length > wanted.length } };
      },
    },
  ];
}
