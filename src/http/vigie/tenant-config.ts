/** /vigie/v1/tenants/:id/config: a tenant's own rule files, Alertmanager and scrape configuration, versioned. */
import { VigieError } from '../../lib/errors.ts';
import { type TenantId, tenantId } from '../../model/tenant.ts';
import { parsePrometheusConfig } from '../../scrape/config.ts';
import { type RequestContext, type Role, roleAtLeast } from '../../tenancy/context.ts';
import { redactConfig } from '../alertmanager/redact-config.ts';
import { parseBody } from '../body.ts';
import {
  type TenantConfigAnswer,
  type TenantConfigVersionsAnswer,
  tenantConfigInput,
} from '../contract/tenant-config.ts';
import { EDITOR, type HttpRequest, type Route } from '../route.ts';
import { withKeptSecrets } from './kept-secrets.ts';

/** A whole configuration may be this large as JSON. */
export const TENANT_CONFIG_BYTES_MAX = 8 * 1024 * 1024;

/** What a tenant configured by API, secrets as they are. */
export interface StoredTenantConfig {
  /** Name -> text of a Prometheus rule file. */
  readonly rules: Readonly<Record<string, string>>;
  readonly alertmanager?: string;
  readonly templates?: Readonly<Record<string, string>>;
  readonly scrape?: string;
  /** Principal id of who put it; '' when nobody did. */
  readonly by: string;
}
export interface TenantConfigDocument extends StoredTenantConfig {
  /** 0 when nothing was ever put. */
  readonly version: number;
  readonly updatedAtMs: number;
  readonly files: TenantConfigAnswer['files'];
  readonly problem: string;
}

/** Left out: unchanged; null: removed. */
export interface TenantConfigChange {
  readonly rules?: Readonly<Record<string, string | null>>;
  readonly alertmanager?: string | null;
  readonly templates?: Readonly<Record<string, string>> | null;
  readonly scrape?: string | null;
}

export interface TenantConfigPorts {
  /** Throws `not_found` for a tenant that does not exist (and may not be created by writing to it). */
  readonly requireTenant: (tenant: TenantId) => Promise<void> | void;
  readonly get: (tenant: TenantId) => Promise<TenantConfigDocument>;
  /**
   * Checks everything, stores a new version, then loads it: a bad one changes nothing. `by` is a principal id. Throws
   * `bad_config` naming file and line, `conflict` when `expectVersion` is not current, `quota`, `too_large`.
   */
  readonly put: (
    tenant: TenantId,
    change: TenantConfigChange,
    by: string,
    expectVersion?: number,
  ) => Promise<TenantConfigDocument>;
  /** Newest first. */
  readonly versions: (
    tenant: TenantId,
  ) => Promise<readonly { readonly version: number; readonly atMs: number; readonly config: StoredTenantConfig }[]>;
  /** Puts an old version back as a new one. Throws as `put`, and `not_found`. */
  readonly restore: (tenant: TenantId, version: number, by: string) => Promise<TenantConfigDocument>;
  /** Leaves an entry before the change is made; secrets are masked there. */
  readonly audit: (
    context: RequestContext,
    action: string,
    target: string,
    before: unknown,
    after: unknown,
  ) => Promise<void>;
}

/** The tenant a path names. Throws `forbidden` unless the principal is at least `role` there. */
export function coveredTenant(request: HttpRequest, role: Role): TenantId {
  const { context } = request;
  const id = tenantId(request.params['id'] ?? '');
  if (id === context.tenant || context.grants === 'all') return id;
  const granted = context.grants.get(id);
  if (granted === undefined || !roleAtLeast(granted, role))
    throw new VigieError('forbidden', `the credential does not cover tenant ${id}`);
  return id;
}

/** A document as clients may see it. */
export function shownConfig(document: TenantConfigDocument): TenantConfigAnswer {
  const { version, updatedAtMs, by, rules, templates = {}, files, problem } = document;
  const shown = (of: { readonly alertmanager?: string; readonly scrape?: string }) => ({
    ...(of.alertmanager === undefined ? {} : { alertmanager: redactConfig(of.alertmanager) }),
    ...(of.scrape === undefined ? {} : { scrape: shownScrape(of.scrape) }),
  });
  return {
    version,
    updatedAtMs,
    by,
    rules,
    templates,
    ...shown(document),
    files: { rules: files.rules.map(({ name, source, text }) => ({ name, source, text })), ...shown(files) },
    problem,
  };
}

function shownScrape(text: string): string {
  try {
    return parsePrometheusConfig('scrape.yml', text).printed;
  } catch {
    // stored by an older release and no longer readable: its secrets cannot be told from the rest
    return '<unreadable>';
  }
}

/** `change` with the stored secrets in the place of `<secret>`. */
export function withStoredSecrets(change: TenantConfigChange, current: TenantConfigDocument): TenantConfigChange {
  const { alertmanager, scrape } = change;
  return {
    ...change,
    ...(typeof alertmanager === 'string' ? { alertmanager: withKeptSecrets(alertmanager, current.alertmanager) } : {}),
    ...(typeof scrape === 'string' ? { scrape: withKeptSecrets(scrape, current.scrape) } : {}),
  };
}

/** For the audit log: which parts, never their text. */
export function summaryOf(change: TenantConfigChange): Record<string, unknown> {
  const one = (text: unknown): string => (text === null ? 'removed' : 'changed');
  const files = Object.entries(change.rules ?? {}).map(([name, text]) => [name, one(text)]);
  return {
    ...(change.rules ? { rules: Object.fromEntries(files) } : {}),
    ...(change.templates === undefined ? {} : { templates: one(change.templates) }),
    ...(change.alertmanager === undefined ? {} : { alertmanager: one(change.alertmanager) }),
    ...(change.scrape === undefined ? {} : { scrape: one(change.scrape) }),
  };
}

export function tenantConfigRoutes(ports: TenantConfigPorts): Route[] {
  const base = { family: 'vigie', access: EDITOR } as const;
  return [
    {
      ...base,
      method: 'GET',
      path: '/vigie/v1/tenants/:id/config',
      summary: "A tenant's own configuration; secrets show as <secret>",
      handle: async (request) => {
        const tenant = coveredTenant(request, 'editor');
        await ports.requireTenant(tenant);
        return { json: shownConfig(await ports.get(tenant)) };
      },
    },
    {
      ...base,
      method: 'PUT',
      path: '/vigie/v1/tenants/:id/config',
      summary: "Change a tenant's own configuration; a bad one leaves the old one running",
      input: tenantConfigInput,
      bodyBytesMax: TENANT_CONFIG_BYTES_MAX,
      handle: async (request) => {
        const tenant = coveredTenant(request, 'editor');
        const { expectVersion, ...rest } = parseBody(request, tenantConfigInput);
        const change = rest as TenantConfigChange;
        if (Object.keys(change).length === 0)
          throw new VigieError('bad_data', 'body: nothing to change; want rules, alertmanager, templates or scrape');
        await ports.requireTenant(tenant);
        const current = await ports.get(tenant);
        const filled = withStoredSecrets(change, current);
        await ports.audit(request.context, 'tenant.config', tenant, { version: current.version }, summaryOf(change));
        return { json: shownConfig(await ports.put(tenant, filled, request.context.principal.id, expectVersion)) };
      },
    },
    {
      ...base,
      method: 'GET',
      path: '/vigie/v1/tenants/:id/config/versions',
      summary: "Versions of a tenant's configuration, newest first",
      handle: async (request) => {
        const found = await ports.versions(coveredTenant(request, 'editor'));
        const answer: TenantConfigVersionsAnswer = {
          versions: found.map(({ version, atMs, config }) => ({
            version,
            atMs,
            by: config.by,
            rules: Object.keys(config.rules).sort(),
            alertmanager: config.alertmanager !== undefined,
            scrape: config.scrape !== undefined,
          })),
        };
        return { json: answer };
      },
    },
    {
      ...base,
      method: 'POST',
      path: '/vigie/v1/tenants/:id/config/versions/:version/restore',
      summary: "Put an old version of a tenant's configuration back",
      handle: async (request) => {
        const tenant = coveredTenant(request, 'editor');
        const version = Number(request.params['version']);
        if (!Number.isSafeInteger(version) || version < 1)
          throw new VigieError(
            'bad_data',
            `version: want a whole number from 1, got ${JSON.stringify(request.params['version'])}`,
          );
        await ports.audit(request.context, 'tenant.config.restore', tenant, undefined, { version });
        return { json: shownConfig(await ports.restore(tenant, version, request.context.principal.id)) };
      },
    },
  ];
}
