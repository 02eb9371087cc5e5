/** Rule files, as Prometheus reads them or wrapped as PrometheusRule objects. */
import { type Artefact, header } from '../artefact.ts';
import type { RuleFile } from '../pack.ts';
import type { Scope } from '../scope.ts';
import { ruleFileFor } from '../tenant-rules.ts';
import { yamlText } from '../yaml-text.ts';
import type { RenderContext } from './context.ts';
import { objectMeta } from './kubernetes.ts';

export function* rules(context: RenderContext, scope: Scope): Generator<Artefact> {
  const kubernetes = context.format === 'kubernetes';
  for (const pack of context.packs(scope)) {
    const groups: RuleFile['groups'] = [];
    for (const file of pack.rules.values()) {
      const made = ruleFileFor(pack, file, { scope, config: context.config, namespaceLabel: kubernetes });
      groups.push(...made.groups);
    }
    if (groups.length === 0) continue;
    const top = header({
      template: [...pack.rules.keys()].join(', '),
      version: pack.manifest.version,
      environment: scope.environment,
      tenant: scope.tenant,
      parameters: pack.parameters,
    });
    const name = `${scope.slug}-${pack.manifest.pack}`;
    yield kubernetes
      ? {
          path: `prometheus/rules/${name}.yaml`,
          target: 'kubernetes',
          content: `${top}${yamlText({
            apiVersion: 'monitoring.coreos.com/v1',
            kind: 'PrometheusRule',
            metadata: objectMeta(context, scope, `vigie-${name}`, { role: 'alert-rules' }),
            spec: { groups },
          })}`,
        }
      : { path: `prometheus/rules/${name}.yml`, target: 'prometheus', content: `${top}${yamlText({ groups })}` };
  }
}
