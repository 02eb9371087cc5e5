/** Whom a tree is rendered for: one environment and the operators or one of their tenants, with what was tuned for it. */
import { createHash } from 'node:crypto';
import type { CatalogueConfig, CatalogueTenant, Environment } from './config.ts';
import type { PackOverride } from './pack.ts';

export interface Scope {
  readonly environment: Environment;
  /** undefined: the operators, who see everything. */
  readonly tenant: string | undefined;
  /** Name in paths and Kubernetes objects: a DNS label of at most 29 characters (a Grafana uid has 40), unique by tenant. */
  readonly slug: string;
  readonly namespace: string;
  readonly settings: CatalogueTenant | undefined;
  /** Pack -> what is changed, all four layers merged. */
  readonly overrides: Readonly<Record<string, PackOverride>>;
}

/** Names that no tenant has: what is equal for all but the name is made once for them, and the name is put in. */
export const STAND_IN = { tenant: '⟦tenant⟧', slug: '⟦slug⟧', namespace: '⟦namespace⟧' } as const;

/** In file and object names where the operators stand beside tenants. */
export const PLATFORM_SLUG = 'platform';

export function platformScope(config: CatalogueConfig, environment: Environment): Scope {
  return {
    environment,
    tenant: undefined,
    slug: PLATFORM_SLUG,
    namespace: config.kubernetes.namespace,
    settings: undefined,
    overrides: mergeOverrides(config.overrides, config.environments[environment]?.overrides ?? {}),
  };
}

export function tenantScope(config: CatalogueConfig, environment: Environment, tenant: string): Scope {
  const settings = config.tenants[tenant];
  const slug = slugOf(tenant);
  return {
    environment,
    tenant,
    slug,
    namespace: settings?.namespace ?? `${config.kubernetes.tenant_namespace_prefix}${slug}`,
    settings,
    overrides: [
      config.environments[environment]?.overrides,
      settings?.overrides,
      settings?.environments[environment]?.overrides,
    ].reduce<Readonly<Record<string, PackOverride>>>((all, next) => mergeOverrides(all, next ?? {}), config.overrides),
  };
}

/** A DNS label for a tenant id: the id itself where it is one, else its letters and a hash that keeps ids apart. */
export function slugOf(tenant: string): string {
  if (/^[a-z0-9]([a-z0-9-]{0,27}[a-z0-9])?$/.test(tenant) && tenant !== PLATFORM_SLUG && !/-[0-9a-f]{8}$/.test(tenant))
    return tenant;
  const letters = tenant
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 20)
    .replace(/-+$/, '');
  return `${letters || 't'}-${createHash('sha256').update(tenant).digest('hex').slice(0, 8)}`;
}

/** Later settings win, member by member. */
export function mergeOverrides(
  a: Readonly<Record<string, PackOverride>>,
  b: Readonly<Record<string, PackOverride>>,
): Readonly<Record<string, PackOverride>> {
  const out: Record<string, PackOverride> = { ...a };
  for (const [pack, over] of Object.entries(b)) {
    const under = out[pack];
    if (!under) {
      out[pack] = over;
      continue;
    }
    const rules: NonNullable<PackOverride['rules']> = { ...under.rules };
    for (const [name, rule] of Object.entries(over.rules ?? {})) {
      const below = rules[name];
      rules[name] = {
        ...below,
        ...defined(rule),
        ...(below?.labels || rule.labels ? { labels: { ...below?.labels, ...rule.labels } } : {}),
        ...(below?.annotations || rule.annotations
          ? { annotations: { ...below?.annotations, ...rule.annotations } }
          : {}),
      };
    }
    out[pack] = { ...under, ...defined(over), parameters: { ...under.parameters, ...over.parameters }, rules };
  }
  return out;
}

const defined = <T extends object>(value: T): Partial<T> =>
  Object.fromEntries(Object.entries(value).filter(([, v]) => v !== undefined)) as Partial<T>;
