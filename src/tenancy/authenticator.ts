/**
 * Who asks, and for which tenant: the rules of the HTTP contract in one place, over ports, without I/O.
 * Order of credentials: Authorization (Bearer key, Basic tenant:key, ApiKey), session cookie, trusted proxy, and in dev
 * on a loopback address none. Order of tenants: header X-Scope-OrgID, path prefix /t/<tenant>, user of Basic, the
 * credential's own, the default. A tenant that is named counts only if the credential's grants include it.
 */
import { BlockList, isIP } from 'node:net';
import { VigieError } from '../lib/errors.ts';
import { type TenantId, tenantId } from '../model/tenant.ts';
import type { Session, User } from './accounts.ts';
import type { ApiKey } from './api-keys.ts';
import { type Principal, type RequestContext, ROLES, type Role } from './context.ts';
import type { Tenant } from './tenant-directory.ts';

export const SESSION_COOKIE = 'vigie_session';
export const CSRF_HEADER = 'x-vigie-csrf';

export interface AuthenticatorOptions {
  readonly environment: 'dev' | 'staging' | 'prod';
  /** The address Vigie listens on; dev without credential needs a loopback one. */
  readonly listenHost: string;
  readonly externalUrl: string | undefined;
  readonly defaultTenant: TenantId;
  /** Addresses or CIDR networks whose X-Vigie-* headers are believed. */
  readonly trustedProxies: readonly string[];
  readonly verifyKey: (presented: string) => ApiKey | undefined;
  readonly keyById: (id: string) => ApiKey | undefined;
  readonly session: (cookie: string) => Session | undefined;
  readonly csrfMatches: (session: Session, token: string) => boolean;
  readonly user: (name: string) => User | undefined;
  readonly tenant: (id: TenantId) => Tenant | undefined;
  /** Dev only: creates an unknown tenant on its first write. */
  readonly createTenant: (id: TenantId) => Promise<Tenant>;
  /** Users of the operator's web configuration file; they are operators. Present: a credential is always needed. */
  readonly webUser?: (user: string, password: string) => Promise<boolean>;
  /** Every connection brought a verified client certificate of the operator's own authority. */
  readonly clientCertificates?: boolean;
}

export interface AuthRequest {
  readonly method: string;
  readonly path: string;
  readonly pathTenant: string | undefined;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly remoteAddress: string;
  /** What the route wants; `public` routes take anybody. */
  readonly access:
    | { readonly kind: 'public' }
    | { readonly kind: 'platform' }
    | { readonly kind: 'tenant'; readonly scope: 'ingest' | 'query' | 'admin' };
  readonly requestId: string;
}

interface Identity {
  readonly principal: Principal;
  readonly grants: 'all' | ReadonlyMap<TenantId, Role>;
  readonly tenant: TenantId | undefined;
  readonly scopes?: ReadonlySet<'ingest' | 'query' | 'admin'>;
}

const NOBODY: Principal = { id: 'anonymous', kind: 'local', name: 'anonymous' };

export class Authenticator {
  readonly #options: AuthenticatorOptions;
  readonly #proxies: BlockList;
  readonly #open: boolean;
  readonly #hosts: ReadonlySet<string>;

  constructor(options: AuthenticatorOptions) {
    this.#options = options;
    this.#proxies = blockListOf(options.trustedProxies);
    this.#open =
      options.environment === 'dev' &&
      isLoopback(options.listenHost) &&
      options.webUser === undefined &&
      options.clientCertificates !== true;
    const external = options.externalUrl === undefined ? [] : [new URL(options.externalUrl).hostname];
    this.#hosts = new Set(['localhost', '127.0.0.1', '::1', ...external]);
  }

  /** Is no credential asked for (dev on a loopback address)? */
  get open(): boolean {
    return this.#open;
  }

  /** Throws `unauthenticated`, `forbidden` or `bad_data`. Synchronous but for web users and a tenant to be created. */
  authenticate(request: AuthRequest): RequestContext | Promise<RequestContext> {
    const { webUser } = this.#options;
    const basic = webUser && basicCredentials(single(request.headers.authorization));
    if (!basic || basic.password.startsWith('vg_')) return this.#admit(request, this.#identify(request));
    return webUser(basic.user, basic.password).then((known) => {
      if (!known) throw new VigieError('unauthenticated', 'the user or the password is not in the web configuration');
      return this.#admit(request, this.#operator(`web:${basic.user}`, basic.user));
    });
  }

  #operator(id: string, name: string): Identity {
    return { principal: { id, kind: 'proxy', name }, grants: 'all', tenant: this.#options.defaultTenant };
  }

  #admit(request: AuthRequest, identity: Identity | undefined): RequestContext | Promise<RequestContext> {
    const { access } = request;
    if (!identity) {
      if (access.kind !== 'public')
        throw new VigieError(
          'unauthenticated',
          'a credential is needed: an API key as `Authorization: Bearer <key>`, or a signed-in session',
        );
      return {
        tenant: this.#options.defaultTenant,
        principal: NOBODY,
        role: 'viewer',
        grants: new Map(),
        scopes: new Set(),
        requestId: request.requestId,
      };
    }
    const named = this.#namedTenant(request);
    const tenant = named ?? identity.tenant ?? this.#options.defaultTenant;
    const role = identity.grants === 'all' ? 'platform_admin' : identity.grants.get(tenant);
    if (role === undefined) {
      if (access.kind === 'public') return this.#context(identity, tenant, 'viewer', request);
      throw new VigieError('forbidden', `the credential does not cover tenant ${tenant}`);
    }
    const known = this.#options.tenant(tenant);
    if (access.kind === 'tenant') {
      if (!known) {
        if (this.#open && access.scope === 'ingest')
          return this.#options.createTenant(tenant).then(() => this.#context(identity, tenant, role, request));
        // in dev an unknown tenant simply has no data yet; elsewhere it does not exist
        if (!this.#open) throw new VigieError('not_found', `no tenant ${tenant}`);
      } else if (known.state === 'deleting') throw new VigieError('not_found', `tenant ${tenant} is being deleted`);
      else if (known.state === 'suspended' && access.scope !== 'query')
        throw new VigieError('forbidden', `tenant ${tenant} is suspended: it can be read, not written`);
    }
    return this.#context(identity, tenant, role, request);
  }

  #context(identity: Identity, tenant: TenantId, role: Role, request: AuthRequest): RequestContext {
    return {
      tenant,
      principal: identity.principal,
      role,
      grants: identity.grants,
      requestId: request.requestId,
      ...(identity.scopes ? { scopes: identity.scopes } : {}),
    };
  }

  #namedTenant(request: AuthRequest): TenantId | undefined {
    const header = single(request.headers['x-scope-orgid']);
    // Mimir's clients join several ids with |; reading across tenants is not offered this way
    if (header?.includes('|'))
      throw new VigieError('bad_data', 'X-Scope-OrgID names several tenants; one request is for one tenant');
    const fromHeader = header === undefined || header === '' ? undefined : tenantId(header);
    const fromPath = request.pathTenant === undefined ? undefined : tenantId(request.pathTenant);
    if (fromHeader && fromPath && fromHeader !== fromPath)
      throw new VigieError(
        'bad_data',
        `the path names tenant ${fromPath}, the header X-Scope-OrgID names ${fromHeader}`,
      );
    if (fromHeader ?? fromPath) return fromHeader ?? fromPath;
    const basic = basicCredentials(single(request.headers.authorization));
    if (!basic || basic.user === '' || (this.#options.webUser && !basic.password.startsWith('vg_'))) return undefined;
    return tenantId(basic.user);
  }

  #identify(request: AuthRequest): Identity | undefined {
    const authorization = single(request.headers.authorization);
    if (authorization !== undefined && authorization !== '') return this.#fromKey(presentedKey(authorization));
    const cookie = cookieValue(single(request.headers.cookie), SESSION_COOKIE);
    if (cookie !== undefined) {
      const identity = this.#fromSession(cookie, request);
      if (identity) return identity;
    }
    const proxy = this.#fromProxy(request);
    if (proxy) return proxy;
    if (this.#options.clientCertificates) return this.#operator('client-certificate', 'client certificate');
    if (!this.#open) return undefined;
    const foreign = this.#rebinding(request);
    if (foreign) {
      // what anybody may ask is answered, as to anybody: the page behind a signed link sends the origin "null"
      if (request.access.kind === 'public') return undefined;
      throw foreign;
    }
    return {
      principal: { id: 'local', kind: 'local', name: 'local' },
      grants: 'all',
      tenant: this.#options.defaultTenant,
    };
  }

  #fromKey(presented: string | undefined): Identity {
    const key = presented === undefined ? undefined : this.#options.verifyKey(presented);
    if (!key) throw new VigieError('unauthenticated', 'the credential is unknown, expired or revoked');
    return identityOfKey(key, 'key');
  }

  #fromSession(cookie: string, request: AuthRequest): Identity | undefined {
    const session = this.#options.session(cookie);
    if (!session) return undefined;
    const safe = request.method === 'GET' || request.method === 'HEAD';
    if (!safe && request.access.kind !== 'public') {
      const token = single(request.headers[CSRF_HEADER]) ?? '';
      if (!this.#options.csrfMatches(session, token))
        throw new VigieError('forbidden', `a signed-in browser must send the header ${CSRF_HEADER} with changes`);
    }
    if (session.subject.kind === 'key') {
      const key = this.#options.keyById(session.subject.id);
      return key && key.revokedAtMs === undefined ? identityOfKey(key, 'session') : undefined;
    }
    const user = this.#options.user(session.subject.name);
    if (!user || user.disabled) return undefined;
    const grants = user.grants === 'all' ? 'all' : new Map(Object.entries(user.grants) as [TenantId, Role][]);
    return {
      principal: { id: `user:${user.name}`, kind: 'session', name: user.displayName },
      grants,
      tenant: firstOf(grants),
    };
  }

  /** X-Vigie-User, X-Vigie-Role and X-Vigie-Tenant (a list) from a proxy that signed the person in. */
  #fromProxy(request: AuthRequest): Identity | undefined {
    const user = single(request.headers['x-vigie-user']);
    if (user === undefined || !isListed(this.#proxies, request.remoteAddress)) return undefined;
    const role = single(request.headers['x-vigie-role']) ?? 'viewer';
    if (!(ROLES as readonly string[]).includes(role))
      throw new VigieError('forbidden', `the proxy sent an unknown role ${JSON.stringify(role.slice(0, 40))}`);
    const principal: Principal = { id: `proxy:${user.slice(0, 128)}`, kind: 'proxy', name: user.slice(0, 128) };
    if (role === 'platform_admin') return { principal, grants: 'all', tenant: this.#options.defaultTenant };
    const tenants = (single(request.headers['x-vigie-tenant']) ?? '')
      .split(',')
      .map((t) => t.trim())
      .filter((t) => t !== '')
      .map(tenantId);
    const grants = new Map(tenants.map((t) => [t, role as Role] as const));
    return { principal, grants, tenant: tenants[0] };
  }

  /** A page of another site must not reach an open Vigie through the user's browser (DNS rebinding, cross-site posts). */
  #rebinding(request: AuthRequest): VigieError | undefined {
    const host = single(request.headers.host);
    if (host !== undefined && !this.#hosts.has(hostName(host))) {
      return new VigieError(
        'forbidden',
        `the Host header ${JSON.stringify(host.slice(0, 100))} is not a loopback name; without credentials only those are served`,
      );
    }
    const origin = single(request.headers.origin);
    if (origin === undefined) return undefined;
    if (
      !URL.canParse(origin) ||
      !this.#hosts.has(stripBrackets(new URL(origin).hostname)) ||
      (host !== undefined && new URL(origin).host !== host)
    ) {
      return new VigieError(
        'forbidden',
        `requests from the origin ${JSON.stringify(origin.slice(0, 100))} are refused without credentials`,
      );
    }
    return undefined;
  }
}

function identityOfKey(key: ApiKey, kind: 'key' | 'session'): Identity {
  const grants = key.grants === 'all' ? 'all' : new Map(Object.entries(key.grants) as [TenantId, Role][]);
  return {
    principal: { id: `key:${key.id}`, kind, name: key.name },
    grants,
    tenant: key.tenant,
    ...(key.scopes ? { scopes: new Set(key.scopes) } : {}),
  };
}

/** The key inside an Authorization header: Bearer, Basic (as password) or ApiKey (base64 of id:key, or the key itself). */
function presentedKey(header: string): string | undefined {
  const space = header.indexOf(' ');
  const scheme = header.slice(0, space).toLowerCase();
  const value = header.slice(space + 1).trim();
  if (scheme === 'bearer') return value;
  if (scheme === 'basic') return basicCredentials(header)?.password;
  if (scheme === 'apikey') {
    if (value.startsWith('vg_')) return value;
    const text = Buffer.from(value, 'base64').toString('utf8');
    return text.slice(text.indexOf(':') + 1);
  }
  return undefined;
}

function basicCredentials(header: string | undefined): { user: string; password: string } | undefined {
  if (header === undefined || !/^basic /i.test(header)) return undefined;
  const text = Buffer.from(header.slice(6).trim(), 'base64').toString('utf8');
  const colon = text.indexOf(':');
  return colon < 0 ? undefined : { user: text.slice(0, colon), password: text.slice(colon + 1) };
}

export function cookieValue(header: string | undefined, name: string): string | undefined {
  for (const part of header?.split(';') ?? []) {
    const equals = part.indexOf('=');
    if (equals > 0 && part.slice(0, equals).trim() === name) return part.slice(equals + 1).trim();
  }
  return undefined;
}

const single = (value: string | string[] | undefined): string | undefined => (Array.isArray(value) ? value[0] : value);
const stripBrackets = (host: string): string => host.replace(/^\[|\]$/g, '');
const firstOf = (grants: 'all' | ReadonlyMap<TenantId, Role>): TenantId | undefined =>
  grants === 'all' ? undefined : grants.keys().next().value;

/** The name in a Host header, without port and brackets, in lower case. */
function hostName(host: string): string {
  const m = /^\[([^\]]*)\](?::\d+)?$|^([^:]*)(?::\d+)?$/.exec(host);
  return (m?.[1] ?? m?.[2] ?? host).toLowerCase();
}

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host);
}

/** Addresses and CIDR networks as a list that can be asked. Throws `bad_config`. */
export function blockListOf(entries: readonly string[]): BlockList {
  const list = new BlockList();
  for (const entry of entries) {
    const [address, bits] = entry.split('/') as [string, string | undefined];
    const family = isIP(address);
    const width = bits === undefined ? undefined : Number(bits);
    if (
      family === 0 ||
      (width !== undefined && !(Number.isInteger(width) && width >= 0 && width <= (family === 4 ? 32 : 128)))
    ) {
      throw new VigieError('bad_config', `${JSON.stringify(entry)} is not an address or a network such as 10.0.0.0/8`);
    }
    if (width === undefined) list.addAddress(address, family === 4 ? 'ipv4' : 'ipv6');
    else list.addSubnet(address, width, family === 4 ? 'ipv4' : 'ipv6');
  }
  return list;
}

function isListed(list: BlockList, address: string): boolean {
  const plain = address.startsWith('::ffff:') ? address.slice(7) : address;
  const family = isIP(plain);
  return family !== 0 && list.check(plain, family === 4 ? 'ipv4' : 'ipv6');
}
