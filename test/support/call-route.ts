/** Calls a handler of a route table as the server would, without socket: access is checked, errors become answers. */
import { asVigieError, errorAnswer } from '../../src/http/error-body.ts';
import type { HttpRequest, Route } from '../../src/http/route.ts';
import { checkAccess } from '../../src/http/server.ts';
import type { TenantId } from '../../src/model/tenant.ts';
import type { RequestContext, Role } from '../../src/tenancy/context.ts';

export interface CallOptions {
  readonly tenant?: string;
  readonly role?: Role;
  /** Default: the tenant alone, with the role; all for platform_admin. */
  readonly grants?: Readonly<Record<string, Role>>;
  /** A string is sent as it is, anything else as JSON. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Called<T> {
  readonly status: number;
  readonly json: T;
  readonly text: string;
}

/** `path` may carry a query; path parameters are percent-decoded. Throws when no route fits. */
export async function callRoute<T = Record<string, unknown>>(
  routes: readonly Route[],
  method: Route['method'],
  path: string,
  options: CallOptions = {},
): Promise<Called<T>> {
  const url = new URL(path, 'http://local');
  const { tenant = 'default', role = 'platform_admin', body } = options;
  let params: Record<string, string> = {};
  const fits = (route: Route): boolean => {
    const [want, got] = [route.path.split('/'), url.pathname.split('/')];
    if (route.method !== method || want.length !== got.length) return false;
    params = {};
    return want.every((w, i) => {
      if (!w.startsWith(':')) return w === got[i];
      params[w.slice(1)] = decodeURIComponent(got[i]!);
      return got[i] !== '';
    });
  };
  // fixed words before parameters, as the server's router decides
  const ordered = [...routes].sort((a, b) => a.path.split(':').length - b.path.split(':').length);
  const route = ordered.find(fits);
  if (!route) throw new Error(`no route ${method} ${path}`);
  fits(route);
  const granted = options.grants ?? { [tenant]: role };
  const context: RequestContext = {
    tenant: tenant as TenantId,
    principal: { id: `key:${tenant}`, kind: 'key', name: tenant },
    role,
    grants: role === 'platform_admin' ? 'all' : new Map(Object.entries(granted) as [TenantId, Role][]),
    requestId: 'test',
  };
  const request: HttpRequest = {
    context,
    method,
    path: url.pathname,
    params,
    query: url.searchParams,
    headers: options.headers ?? {},
    body: Buffer.from(body === undefined ? '' : typeof body === 'string' ? body : JSON.stringify(body)),
    signal: new AbortController().signal,
    remoteAddress: '127.0.0.1',
  };
  let answer: Awaited<ReturnType<Route['handle']>>;
  try {
    checkAccess(route.access, context);
    answer = await route.handle(request);
  } catch (error) {
    answer = errorAnswer(route.family, asVigieError(error), 'test');
  }
  const status = answer.status ?? (answer.body === undefined && answer.json === undefined ? 204 : 200);
  const text = typeof answer.body === 'string' ? answer.body : JSON.stringify(answer.json ?? null);
  return { status, json: answer.json as T, text };
}
