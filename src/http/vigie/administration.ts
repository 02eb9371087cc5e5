/** /vigie/v1/tenants, /keys, /users, /audit: what administrators of a tenant and of the platform change. */
import { VigieError } from '../../lib/errors.ts';
import { type TenantId, tenantId } from '../../model/tenant.ts';
import type { AuditLog } from '../../security/audit/audit-log.ts';
import type { Accounts } from '../../tenancy/accounts.ts';
import type { ApiKey, ApiKeys } from '../../tenancy/api-keys.ts';
import type { AuditChange, RequestContext, Role } from '../../tenancy/context.ts';
import { limitsSchema, type TenantLimits } from '../../tenancy/limits.ts';
import type { Tenant, TenantDirectory } from '../../tenancy/tenant-directory.ts';
import { checked, parseBody } from '../body.ts';
import {
  type AuditAnswer,
  type KeyItem,
  keyInput,
  type LimitUse,
  type TenantItem,
  tenantInput,
  userInput,
} from '../contract/administration.ts';
import { ADMIN, PLATFORM, type Route } from '../route.ts';

export interface AdministrationPorts {
  readonly directory: TenantDirectory;
  readonly keys: ApiKeys;
  readonly accounts: Accounts;
  readonly auditLog: AuditLog;
  readonly audit: AuditChange;
  readonly use: (tenant: TenantId) => {
    readonly activeSeries: number;
    readonly diskBytes: number;
    readonly rules: number;
    readonly queriesRunning: number;
    readonly liveQueries: number;
  };
  /** Removes everything of a tenant; resolves when nothing is left. */
  readonly deleteTenant: (tenant: TenantId) => Promise<void>;
  /** Everything of a tenant as JSON lines. */
  readonly exportTenant: (tenant: TenantId) => AsyncIterable<string>;
  readonly nowMs: () => number;
}

export function administrationRoutes(ports: AdministrationPorts): Route[] {
  const { directory, keys, accounts, auditLog, audit } = ports;
  const base = { family: 'vigie' } as const;
  const visible = (context: RequestContext): readonly Tenant[] =>
    directory.list().filter((t) => context.grants === 'all' || t.id === context.tenant);
  const named = (request: { params: Readonly<Record<string, string>> }): TenantId => tenantId(request.params['id']!);

  return [
    {
      ...base,
      method: 'GET',
      path: '/vigie/v1/tenants',
      access: ADMIN,
      summary: 'Tenants with their limits and use',
      handle: (request) => ({ json: { tenants: visible(request.context).map((t) => tenantItem(t, ports)) } }),
    },
    {
      ...base,
      method: 'PUT',
      path: '/vigie/v1/tenants/:id',
      access: PLATFORM,
      summary: 'Create or change a tenant',
      input: tenantInput,
      handle: async (request) => {
        const id = named(request);
        const input = parseBody(request, tenantInput);
        const limits = checkedLimits(input.limits);
        const before = directory.get(id);
        await audit(request.context, before ? 'tenant.change' : 'tenant.create', id, before, input);
        const tenant = await directory.put(id, {
          ...(input.name === undefined ? {} : { displayName: input.name }),
          ...(limits ? { limits } : {}),
        });
        return { json: tenantItem(tenant, ports) };
      },
    },
    {
      ...base,
      method: 'PUT',
      path: '/vigie/v1/tenants/:id/settings',
      access: PLATFORM,
      summary: "A tenant's tier, labels, state and view of the platform",
      handle: async (request) => {
        const id = named(request);
        const { tenantInput: schema } = await import('../../tenancy/tenant-directory.ts');
        const input = parseBody(request, schema);
        await audit(request.context, 'tenant.settings', id, directory.get(id), input);
        return { json: await directory.put(id, input) };
      },
    },
    {
      ...base,
      method: 'DELETE',
      path: '/vigie/v1/tenants/:id',
      access: PLATFORM,
      summary: 'Remove a tenant and everything it owns',
      handle: async (request) => {
        const id = named(request);
        if (!directory.get(id)) throw new VigieError('not_found', `no tenant ${id}`);
        await audit(request.context, 'tenant.delete', id, directory.get(id), undefined);
        await ports.deleteTenant(id);
        return { status: 202, json: { deleted: id } };
      },
    },
    {
      ...base,
      method: 'GET',
      path: '/vigie/v1/tenants/:id/export',
      access: ADMIN,
      summary: 'Everything of a tenant as JSON lines',
      handle: async (request) => {
        const id = named(request);
        if (request.context.grants !== 'all' && id !== request.context.tenant)
          throw new VigieError('forbidden', `the credential does not cover tenant ${id}`);
        if (!directory.get(id)) throw new VigieError('not_found', `no tenant ${id}`);
        await audit(request.context, 'tenant.export', id, undefined, undefined);
        return {
          headers: {
            'content-type': 'application/x-ndjson',
            'content-disposition': `attachment; filename="${encodeURIComponent(id)}.ndjson"`,
          },
          body: ports.exportTenant(id),
        };
      },
    },
    {
      ...base,
      method: 'GET',
      path: '/vigie/v1/keys',
      access: ADMIN,
      summary: 'Keys of the tenant',
      handle: (request) => ({ json: { keys: keys.list().flatMap((k) => keyItem(k, request.context)) } }),
    },
    {
      ...base,
      method: 'POST',
      path: '/vigie/v1/keys',
      access: ADMIN,
      summary: 'Create a key; the secret is shown only in this answer',
      input: keyInput,
      handle: async (request) => {
        const { context } = request;
        const input = parseBody(request, keyInput);
        if (input.role === 'platform_admin' && context.role !== 'platform_admin')
          throw new VigieError('forbidden', 'only a platform role creates platform keys');
        await audit(context, 'key.create', input.name, undefined, { role: input.role, scopes: input.scopes });
        const { key, info } = await keys.create({
          name: input.name,
          grants: input.role === 'platform_admin' ? 'all' : { [context.tenant]: input.role },
          tenant: context.tenant,
          createdBy: context.principal.id,
          ...(input.scopes ? { scopes: input.scopes } : {}),
          ...(input.expiresInMs === undefined ? {} : { expiresAtMs: ports.nowMs() + input.expiresInMs }),
        });
        return {
          status: 201,
          headers: { 'cache-control': 'no-store' },
          json: { ...keyItem(info, context)[0], secret: key },
        };
      },
    },
    {
      ...base,
      method: 'DELETE',
      path: '/vigie/v1/keys/:id',
      access: ADMIN,
      summary: 'Revoke a key and close its streams',
      handle: async (request) => {
        const key = keys.get(request.params['id']!);
        if (!key || keyItem(key, request.context).length === 0) throw new VigieError('not_found', 'no such key');
        await audit(request.context, 'key.revoke', key.id, { name: key.name }, undefined);
        await keys.revoke(key.id);
        return { status: 204 };
      },
    },
    {
      ...base,
      method: 'GET',
      path: '/vigie/v1/users',
      access: ADMIN,
      summary: 'Local accounts with a role on this tenant',
      handle: (request) => ({ json: { users: accounts.users().flatMap((u) => userItem(u, request.context)) } }),
    },
    {
      ...base,
      method: 'PUT',
      path: '/vigie/v1/users/:name',
      access: ADMIN,
      summary: 'Create or change a local account',
      input: userInput,
      bodyBytesMax: 8 * 1024,
      handle: async (request) => {
        const { context } = request;
        const name = request.params['name']!;
        const input = parseBody(request, userInput);
        const existing = accounts.user(name);
        const platform = context.role === 'platform_admin';
        if (input.role === 'platform_admin' && !platform)
          throw new VigieError('forbidden', 'only a platform role grants platform roles');
        // an account that others use too is theirs as well: a tenant's admin must not take it over
        const shared =
          existing && (existing.grants === 'all' || Object.keys(existing.grants).some((t) => t !== context.tenant));
        if (existing && !platform && (shared ? input.password !== undefined || existing.grants === 'all' : false))
          throw new VigieError('forbidden', 'this account belongs to others too; a platform role must change it');
        await audit(context, existing ? 'user.change' : 'user.create', name, existing, {
          role: input.role,
          password: input.password === undefined ? 'unchanged' : 'changed',
        });
        const grants =
          input.role === 'platform_admin'
            ? ('all' as const)
            : {
                ...(existing && existing.grants !== 'all' ? existing.grants : {}),
                [context.tenant]: input.role as Role,
              };
        await accounts.putUser({ name, grants, ...(input.password === undefined ? {} : { password: input.password }) });
        return { json: userItem(accounts.user(name)!, context)[0] };
      },
    },
    {
      ...base,
      method: 'DELETE',
      path: '/vigie/v1/users/:name',
      access: ADMIN,
      summary: 'Take the tenant from an account; the last one removes it',
      handle: async (request) => {
        const { context } = request;
        const user = accounts.user(request.params['name']!);
        if (!user || userItem(user, context).length === 0) throw new VigieError('not_found', 'no such user');
        if (user.grants === 'all' && context.role !== 'platform_admin')
          throw new VigieError('forbidden', 'only a platform role removes platform accounts');
        await audit(context, 'user.remove', user.name, user, undefined);
        const { [context.tenant]: _gone, ...rest } = user.grants === 'all' ? ({} as Record<string, Role>) : user.grants;
        if (Object.keys(rest).length > 0) await accounts.putUser({ name: user.name, grants: rest });
        else await accounts.removeUser(user.name);
        return { status: 204 };
      },
    },
    {
      ...base,
      method: 'GET',
      path: '/vigie/v1/audit',
      access: ADMIN,
      summary: 'Audit log, newest first',
      handle: async (request) => {
        const limit = Math.max(1, Math.min(1_000, Number(request.query.get('limit') ?? 100) || 100));
        const before = request.query.get('before');
        const action = request.query.get('action');
        const who = request.query.get('who');
        const entries = await auditLog.list(request.context.tenant, {
          limit,
          ...(before === null ? {} : { beforeSequence: Number(before) || 0 }),
          ...(action === null || action === '' ? {} : { action }),
          ...(who === null || who === '' ? {} : { actor: who }),
        });
        const last = entries.at(-1);
        const answer: AuditAnswer = {
          entries: entries.map((e) => ({
            sequence: e.sequence,
            atMs: e.atMs,
            who: e.actorName === e.actor ? e.actor : `${e.actorName} (${e.actor})`,
            action: e.action,
            target: e.target,
            hash: e.hash,
            ...(e.before === undefined ? {} : { before: e.before }),
            ...(e.after === undefined ? {} : { after: e.after }),
          })),
          ...(entries.length === limit && last && last.sequence > 1 ? { next: last.sequence } : {}),
        };
        return { json: answer };
      },
    },
    {
      ...base,
      method: 'POST',
      path: '/vigie/v1/audit/verify',
      access: ADMIN,
      summary: 'Walk the chain of the audit log',
      handle: async (request) => ({ json: await auditLog.verify(request.context.tenant) }),
    },
  ];
}

function checkedLimits(limits: Readonly<Record<string, number | null>> | undefined): Partial<TenantLimits> | undefined {
  if (!limits) return undefined;
  const defaults = limitsSchema.parse({}) as Record<string, number | undefined>;
  const filled = Object.fromEntries(
    Object.entries(limits)
      .map(([name, value]) => [name, value ?? defaults[name]])
      .filter(([, v]) => v !== undefined),
  );
  return checked(limitsSchema.partial(), filled, 'limits') as Partial<TenantLimits>;
}

function tenantItem(tenant: Tenant, ports: AdministrationPorts): TenantItem {
  const use = ports.use(tenant.id);
  const { limits } = tenant;
  const item = (id: string, unit: LimitUse['unit'], used: number, limit?: number): LimitUse => ({
    id,
    unit,
    used,
    ...(limit === undefined ? {} : { limit }),
  });
  return {
    id: tenant.id,
    name: tenant.displayName,
    createdAtMs: tenant.createdAtMs,
    state: tenant.state,
    synthetic: tenant.demo,
    limits: [
      item('active_series', 'count', use.activeSeries, limits.active_series),
      item('rules', 'count', use.rules, limits.rules),
      item('query_concurrency', 'count', use.queriesRunning, limits.query_concurrency),
      item('live_queries', 'count', use.liveQueries, limits.live_queries),
      item('storage_bytes', 'bytes', use.diskBytes),
    ],
  };
}

/** The key as `context` may see it: none when it does not concern the tenant. */
function keyItem(key: ApiKey, context: RequestContext): KeyItem[] {
  if (key.revokedAtMs !== undefined) return [];
  const role =
    key.grants === 'all'
      ? context.role === 'platform_admin'
        ? 'platform_admin'
        : undefined
      : key.grants[context.tenant];
  if (role === undefined) return [];
  return [
    {
      id: key.id,
      name: key.name,
      role,
      scopes: key.scopes ?? ['ingest', 'query', 'admin'],
      createdAtMs: key.createdAtMs,
      createdBy: key.createdBy,
      ...(key.expiresAtMs === undefined ? {} : { expiresAtMs: key.expiresAtMs }),
      ...(key.lastUsedAtMs === undefined ? {} : { lastUsedAtMs: key.lastUsedAtMs }),
    },
  ];
}

function userItem(
  user: { readonly name: string; readonly grants: 'all' | Readonly<Record<string, Role>> },
  context: RequestContext,
): { name: string; role: Role }[] {
  const role =
    user.grants === 'all'
      ? context.role === 'platform_admin'
        ? ('platform_admin' as const)
        : undefined
      : user.grants[context.tenant];
  return role === undefined ? [] : [{ name: user.name, role }];
}
