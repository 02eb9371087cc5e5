/** Kubernetes objects: metadata that says who made them, and what isolates one tenant's namespace. */
import { type Artefact, header } from '../artefact.ts';
import type { Scope } from '../scope.ts';
import { yamlText } from '../yaml-text.ts';
import type { RenderContext } from './context.ts';

/** On every object that Vigie makes; `apply` prunes by it. */
export const MANAGED_BY = 'app.kubernetes.io/managed-by';

export interface ObjectMeta {
  readonly name: string;
  readonly namespace?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

export function objectMeta(
  context: RenderContext,
  scope: Scope,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): ObjectMeta {
  return {
    name,
    namespace: scope.namespace,
    labels: {
      [MANAGED_BY]: 'vigie',
      'vigie.io/environment': scope.environment,
      'vigie.io/scope': scope.slug,
      ...context.config.kubernetes.labels,
      ...labels,
    },
  };
}

/** One file of several objects. */
export function documents(template: string, scope: Scope, objects: readonly unknown[]): string {
  const top = header({ template, environment: scope.environment, tenant: scope.tenant });
  return `${top}${objects.map(yamlText).join('---\n')}`;
}

/** Namespace, network policies and quota of a tenant, as `tenant_isolation` switches them. */
export function* isolation(context: RenderContext, scope: Scope): Generator<Artefact> {
  const { tenant_isolation: wanted } = context.sections;
  if (scope.tenant === undefined || !wanted.enabled) return;
  const values = {
    name: scope.namespace,
    slug: scope.slug,
    monitoring: context.config.kubernetes.namespace,
    cpu: scope.settings?.quota?.cpu ?? '8',
    memory: scope.settings?.quota?.memory ?? '16Gi',
    pods: scope.settings?.quota?.pods ?? 50,
  };
  const objects: Record<string, unknown>[] = [];
  const add = (file: string, name: string, clusterWide = false): void => {
    const { metadata, ...rest } = context.native.object(`kubernetes/${file}`, values);
    const made = objectMeta(
      context,
      scope,
      name,
      (metadata as { labels?: Record<string, string> } | undefined)?.labels,
    );
    const { namespace: _namespace, ...meta } = made;
    objects.push({ ...rest, metadata: clusterWide ? meta : made });
  };
  if (wanted.namespace_separation) {
    add('namespace.yaml', scope.namespace, true);
    add('network-policy-default.yaml', 'vigie-default');
    add('network-policy-monitoring.yaml', 'vigie-monitoring');
  }
  if (wanted.resource_quotas) add('resource-quota.yaml', 'vigie-quota');
  if (objects.length > 0)
    yield {
      path: `kubernetes/${scope.slug}.yaml`,
      target: 'kubernetes',
      content: documents('kubernetes/', scope, objects),
    };
}
