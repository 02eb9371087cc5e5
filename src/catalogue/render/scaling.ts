/** Scaling objects of tenants' services: an HPA on CPU and memory, and a KEDA object where own metrics decide too. */
import type { Artefact } from '../artefact.ts';
import type { Scope } from '../scope.ts';
import type { RenderContext } from './context.ts';
import { documents, objectMeta } from './kubernetes.ts';

export function* scaling(context: RenderContext, scope: Scope): Generator<Artefact> {
  const wanted = context.sections.auto_scaling;
  if (!wanted.enabled) return;
  for (const service of scope.settings?.services ?? []) {
    if (!service.deployment) continue;
    const values = {
      deployment: service.deployment,
      min_replicas: wanted.min_replicas,
      max_replicas: wanted.max_replicas,
      cpu_threshold: wanted.cpu_threshold,
      memory_threshold: wanted.memory_threshold,
      // KEDA wants text where the HPA wants numbers
      cpu_text: String(wanted.cpu_threshold),
      memory_text: String(wanted.memory_threshold),
      prometheus_url: context.config.kubernetes.prometheus_url,
      service: service.name,
      tenant: scope.tenant ?? '',
    };
    const custom =
      wanted.custom_metrics === true
        ? ['http_requests_total']
        : wanted.custom_metrics === false
          ? []
          : wanted.custom_metrics;
    // a workload has one scaler: KEDA makes an HPA of its own, so never both
    const object =
      custom.length === 0
        ? context.native.object('automation/scaling/hpa.yaml', values)
        : {
            ...context.native.object('automation/scaling/scaledobject.yaml', values),
          };
    if (custom.length > 0) {
      const spec = object['spec'] as { triggers: unknown[] };
      spec.triggers = [
        ...spec.triggers,
        ...custom.map((metric) =>
          // a counter is judged by its growth, a level as it stands
          context.native.object(
            `automation/scaling/${/_(total|count|sum)$/.test(metric) ? 'trigger' : 'trigger-gauge'}.yaml`,
            { ...values, metric },
          ),
        ),
      ];
    }
    yield {
      path: `automation/scaling/${scope.slug}-${service.name}.yaml`,
      target: 'kubernetes',
      content: documents('automation/scaling/', scope, [
        { ...object, metadata: objectMeta(context, scope, `vigie-${service.name}`) },
      ]),
    };
  }
}
