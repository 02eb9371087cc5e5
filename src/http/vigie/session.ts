/** /vigie/v1/session: who is using the console, how they come in and go out. */
import { VigieError } from '../../lib/errors.ts';
import type { TenantId } from '../../model/tenant.ts';
import type { Accounts, Session } from '../../tenancy/accounts.ts';
import type { ApiKeys } from '../../tenancy/api-keys.ts';
import { CSRF_HEADER, cookieValue, SESSION_COOKIE } from '../../tenancy/authenticator.ts';
import type { AuditChange, RequestContext, Role } from '../../tenancy/context.ts';
import type { TenantDirectory } from '../../tenancy/tenant-directory.ts';
import { parseBody } from '../body.ts';
import { type SessionAnswer, signInInput, type TenantChoice } from '../contract/session.ts';
import { type HttpAnswer, type HttpRequest, PUBLIC, type Route } from '../route.ts';

export interface SessionRoutePorts {
  readonly accounts: Accounts;
  readonly keys: ApiKeys;
  readonly directory: TenantDirectory;
  readonly environment: 'dev' | 'staging' | 'prod';
  readonly version: string;
  readonly defaultTenant: string;
  /** HTTPS in front or served: the cookie is then Secure. */
  readonly secure: boolean;
  readonly proxies: boolean;
  readonly audit: AuditChange;
}

export function sessionRoutes(ports: SessionRoutePorts): Route[] {
  const { accounts, keys, directory } = ports;
  const cookie = (value: string, maxAgeSeconds: number): string =>
    `${SESSION_COOKIE}=${value}; Path=/; HttpOnly; SameSite=Strict; Max-Age=${maxAgeSeconds}${ports.secure ? '; Secure' : ''}`;
  const current = (request: HttpRequest): Session | undefined => {
    const value = cookieValue(request.headers.cookie, SESSION_COOKIE);
    return value === undefined ? undefined : accounts.session(value);
  };

  const answer = (context: RequestContext, csrfToken: string): SessionAnswer => {
    const signedIn = context.principal.id !== 'anonymous';
    return {
      state: signedIn ? 'signed_in' : 'signed_out',
      csrfToken,
      ...(signedIn
        ? { principal: { id: context.principal.id, name: context.principal.name, kind: context.principal.kind } }
        : {}),
      tenants: signedIn ? choices(context) : [],
      defaultTenant: signedIn && context.grants !== 'all' ? context.tenant : ports.defaultTenant,
      platform: signedIn && context.grants === 'all',
      environment: ports.environment,
      version: ports.version,
      methods: [
        'key',
        ...(accounts.users().length > 0 ? (['password'] as const) : []),
        ...(ports.proxies ? (['proxy'] as const) : []),
      ],
    };
  };

  const choices = (context: RequestContext): TenantChoice[] => {
    const { grants } = context;
    return directory
      .list()
      .filter((t) => t.state !== 'deleting' && (grants === 'all' || grants.has(t.id)))
      .map((t) => ({
        id: t.id,
        name: t.displayName,
        role: (grants === 'all' ? 'platform_admin' : grants.get(t.id)!) as Role,
        synthetic: t.demo,
      }));
  };

  const signIn = async (request: HttpRequest): Promise<HttpAnswer> => {
    const input = parseBody(request, signInInput);
    const refused = new VigieError('unauthenticated', 'the key, or the name and password, are not known here');
    let subject: Session['subject'];
    let context: RequestContext;
    if ('key' in input) {
      const key = keys.verify(input.key.trim());
      if (!key) throw refused;
      subject = { kind: 'key', id: key.id };
      const grants =
        key.grants === 'all'
          ? ('all' as const)
          : (new Map(Object.entries(key.grants)) as unknown as ReadonlyMap<TenantId, Role>);
      context = {
        ...request.context,
        tenant: key.tenant,
        principal: { id: `key:${key.id}`, kind: 'session', name: key.name },
        role: grants === 'all' ? 'platform_admin' : (key.grants as Record<string, Role>)[key.tenant]!,
        grants,
      };
    } else {
      const user = await accounts.checkPassword(input.user, input.password);
      if (!user) throw refused;
      subject = { kind: 'user', name: user.name };
      const grants =
        user.grants === 'all'
          ? ('all' as const)
          : (new Map(Object.entries(user.grants)) as unknown as ReadonlyMap<TenantId, Role>);
      const first = user.grants === 'all' ? ports.defaultTenant : (Object.keys(user.grants)[0] ?? ports.defaultTenant);
      context = {
        ...request.context,
        tenant: first as RequestContext['tenant'],
        principal: { id: `user:${user.name}`, kind: 'session', name: user.displayName },
        role: grants === 'all' ? 'platform_admin' : ((user.grants as Record<string, Role>)[first] ?? 'viewer'),
        grants,
      };
    }
    await ports.audit(context, 'session.open', context.principal.id, undefined, undefined);
    const opened = await accounts.openSession(subject);
    return {
      headers: { 'set-cookie': cookie(opened.cookie, 7 * 86_400), 'cache-control': 'no-store' },
      json: answer(context, opened.csrf),
    };
  };

  return [
    {
      method: 'GET',
      path: '/vigie/v1/session',
      family: 'vigie',
      access: PUBLIC,
      summary: 'Who is signed in, and which tenants they may see',
      handle: async (request) => {
        const session = current(request);
        // the page keeps the token in memory only; a reload gets a new one
        const csrf = session && request.context.principal.kind === 'session' ? await accounts.renewCsrf(session) : '';
        return { headers: { 'cache-control': 'no-store' }, json: answer(request.context, csrf) };
      },
    },
    {
      method: 'POST',
      path: '/vigie/v1/session',
      family: 'vigie',
      access: PUBLIC,
      summary: 'Sign in with a key or a local account',
      input: signInInput,
      bodyBytesMax: 8 * 1024,
      handle: signIn,
    },
    {
      method: 'DELETE',
      path: '/vigie/v1/session',
      family: 'vigie',
      access: PUBLIC,
      summary: 'Sign out',
      handle: async (request) => {
        const session = current(request);
        if (session) {
          if (!accounts.csrfMatches(session, String(request.headers[CSRF_HEADER] ?? '')))
            throw new VigieError('forbidden', `a signed-in browser must send the header ${CSRF_HEADER} with changes`);
          await accounts.endSessions((s) => s.id === session.id);
        }
        return { status: 204, headers: { 'set-cookie': cookie('', 0) } };
      },
    },
  ];
}
