/**
 * A pack's rule file as it stands for one scope: every selector demands the tenant, alerts carry environment, tenant,
 * level and (on Kubernetes) namespace, runbook and dashboard are full addresses.
 */
import { injectMatchers } from '../promql/ast.ts';
import { parse } from '../promql/parse.ts';
import { print } from '../promql/print.ts';
import type { CatalogueConfig, Level } from './config.ts';
import type { RenderedPack, RuleFile, RuleNode } from './pack.ts';
import type { Scope } from './scope.ts';

/** Who acts first on an alert of this severity, unless its labels say otherwise. */
export const LEVEL_OF_SEVERITY: Readonly<Record<string, Level>> = {
  none: 'L1',
  info: 'L1',
  warning: 'L1',
  critical: 'L2',
  emergency: 'L4',
};

export interface RuleFileForScope {
  readonly scope: Scope;
  readonly config: CatalogueConfig;
  /** Puts `namespace` on tenants' alerts: the operator's routes match on it. */
  readonly namespaceLabel: boolean;
}

/** `file` of `pack`, restricted to the scope's tenant. */
export function ruleFileFor(pack: RenderedPack, file: RuleFile, options: RuleFileForScope): RuleFile {
  const { scope, config } = options;
  const restrict = scope.tenant !== undefined;
  return {
    groups: file.groups.map((group) => ({
      ...group,
      rules: group.rules.map((rule): RuleNode => {
        const expr = restrict ? restrictToTenant(rule.expr, scope.tenant!) : rule.expr.trim();
        if (rule.record !== undefined)
          return { ...rule, expr, ...(restrict ? { labels: { ...rule.labels, tenant_id: scope.tenant! } } : {}) };
        const labels: Record<string, string> = {
          level: LEVEL_OF_SEVERITY[rule.labels?.['severity'] ?? 'warning'] ?? 'L1',
          ...rule.labels,
          env: scope.environment,
          ...scope.settings?.labels,
          ...(restrict ? { tenant_id: scope.tenant! } : {}),
          ...(restrict && options.namespaceLabel ? { namespace: scope.namespace } : {}),
        };
        return { ...rule, expr, labels, annotations: linked(pack, rule.annotations ?? {}, config, scope) };
      }),
    })),
  };
}

/** The expression in which every selector also demands the tenant: on the parsed tree, never in the text. */
export function restrictToTenant(expr: string, tenant: string): string {
  return print(injectMatchers(parse(expr), [{ name: 'tenant_id', op: '=', value: tenant }]));
}

function linked(
  pack: RenderedPack,
  annotations: Readonly<Record<string, string>>,
  config: CatalogueConfig,
  scope: Scope,
): Record<string, string> {
  const out: Record<string, string> = { ...annotations };
  const runbook = out['runbook_url'];
  if (config.links.runbooks && runbook?.startsWith('docs/'))
    out['runbook_url'] = `${config.links.runbooks.replace(/\/+$/, '')}/${runbook}`;
  if (pack.manifest.dashboard && out['dashboard_url'] === undefined)
    out['dashboard_url'] =
      `${config.links.dashboards?.replace(/\/+$/, '') ?? ''}/d/${pack.manifest.dashboard}?var-environment=${scope.environment}${
        scope.tenant === undefined ? '' : `&var-tenant=${scope.tenant}`
      }`;
  return out;
}
