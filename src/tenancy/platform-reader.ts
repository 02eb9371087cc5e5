/**
 * Reading across tenants, for platform roles only and never unseen: each use is written to the audit log first. The
 * only place that makes a reader of a tenant other than the request's own.
 */
import { VigieError } from '../lib/errors.ts';
import { PLATFORM_TENANT, type TenantId } from '../model/tenant.ts';
import type { MetricsReader } from '../store/metrics.ts';
import type { RequestContext } from './context.ts';
import type { Tenant } from './tenant-directory.ts';

export interface PlatformReader {
  reader(tenant: TenantId): MetricsReader;
}

export interface PlatformReaderPorts {
  readonly reader: (tenant: TenantId) => MetricsReader;
  readonly audit: (
    context: RequestContext,
    action: string,
    target: string,
    before: unknown,
    after: unknown,
  ) => Promise<void>;
}

/** Throws `forbidden` unless the context has a platform role. `purpose` goes into the audit log. */
export async function platformReader(
  context: RequestContext,
  purpose: string,
  tenants: readonly TenantId[],
  ports: PlatformReaderPorts,
): Promise<PlatformReader> {
  if (context.role !== 'platform_admin')
    throw new VigieError('forbidden', 'reading across tenants needs a platform role');
  await ports.audit(context, 'platform.read', purpose, undefined, { tenants });
  const allowed = new Set(tenants);
  return {
    reader(tenant) {
      if (!allowed.has(tenant))
        throw new VigieError('forbidden', `this platform reader was not made for tenant ${tenant}`);
      return ports.reader(tenant);
    },
  };
}

/** Header with which a tenant asks for its view of the platform's telemetry instead of its own. */
export const VIEW_HEADER = 'x-vigie-view';
/** What may be asked through a view: the routes that put the view's matcher into every selector. Nothing else knows it. */
const VIEW_PATHS = /^\/(api\/v1\/(query|query_range|series|labels|label\/[^/]+\/values|query_exemplars)|federate)$/;

/** The context as the request's view header wants it. Throws `bad_data`, `forbidden`. */
export function viewedContext(
  context: RequestContext,
  header: string | string[] | undefined,
  path: string,
  tenant: Tenant | undefined,
): RequestContext {
  if (header === undefined || header === '') return context;
  if (header !== 'platform')
    throw new VigieError(
      'bad_data',
      `${VIEW_HEADER}: want platform, got ${JSON.stringify(String(header).slice(0, 40))}`,
    );
  if (!VIEW_PATHS.test(path))
    throw new VigieError('forbidden', `a view answers queries only; ${path} is not one of them`);
  return platformViewContext(context, tenant);
}

/** The context in which `tenant` reads its declared part of the platform tenant. Throws `forbidden` without a declared view. */
export function platformViewContext(context: RequestContext, tenant: Tenant | undefined): RequestContext {
  const view = tenant?.platformView;
  if (!view) throw new VigieError('forbidden', `tenant ${context.tenant} has no view of the platform's telemetry`);
  return {
    ...context,
    tenant: PLATFORM_TENANT,
    role: 'viewer',
    scopes: new Set(['query']),
    view: { name: 'platform', tenantLabel: view.label, tenantValue: view.value },
  };
}
