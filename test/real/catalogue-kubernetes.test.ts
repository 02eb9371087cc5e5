/**
 * Rendered Kubernetes objects against the OpenAPI and CRD schemas of their kinds, as the packages `kubernetes-models`
 * and its companions carry them. Where these are not installed the structural tests of src/catalogue stand alone.
 */
import { createRequire } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { resolveOptions } from '../../src/app/options.ts';
import { RenderContext } from '../../src/catalogue/render/context.ts';
import { renderTree } from '../../src/catalogue/render/tree.ts';

const PACKAGES: Readonly<Record<string, readonly [packageName: string, folder: string]>> = {
  v1: ['kubernetes-models', 'v1'],
  'networking.k8s.io/v1': ['kubernetes-models', 'networking.k8s.io/v1'],
  'autoscaling/v2': ['kubernetes-models', 'autoscaling/v2'],
  'monitoring.coreos.com/v1': ['@kubernetes-models/prometheus-operator', 'monitoring.coreos.com/v1'],
  'monitoring.coreos.com/v1alpha1': ['@kubernetes-models/prometheus-operator', 'monitoring.coreos.com/v1alpha1'],
  'keda.sh/v1alpha1': ['@kubernetes-models/keda', 'keda.sh/v1alpha1'],
};
/** Where the packages are; VIGIE_KUBERNETES_MODELS names another node_modules than the project's. */
const modules = process.env['VIGIE_KUBERNETES_MODELS'];
const require = createRequire(modules ? path.join(modules, 'x.js') : import.meta.url);
const folderOf = (name: string): string | undefined => {
  try {
    return path.dirname(require.resolve(`${name}/package.json`));
  } catch {
    return undefined;
  }
};
const missing = Object.values(PACKAGES).some(([name]) => folderOf(name) === undefined);
if (missing) console.warn('skipped: kubernetes-models and its companions are not installed');

type Kind = new (object: unknown) => { validate(): void };

describe.skipIf(missing)('rendered Kubernetes objects', () => {
  it.each([[['http_requests_total']], [false]] as const)(
    'are valid by the schemas of their kinds (own metrics: %s)',
    async (custom) => {
      const { options } = resolveOptions({
        flags: {},
        env: {},
        file: path.resolve(import.meta.dirname, 'fixtures/catalogue.yaml'),
      });
      const context = new RenderContext({
        config: {
          ...options.catalogue,
          prometheus: { ...options.catalogue.prometheus, targets: { haproxy: ['10.0.0.1:8404'] } },
        },
        sections: { ...options, auto_scaling: { ...options.auto_scaling, custom_metrics: custom as never } },
        environment: 'prod',
        format: 'kubernetes',
        folders: [path.resolve(import.meta.dirname, '../../templates')],
      });
      const counts: Record<string, number> = {};
      for (const { artefacts } of renderTree(context))
        for (const a of artefacts) {
          if (a.target !== 'kubernetes') continue;
          for (const document of parseAllDocuments(String(a.content))) {
            const object = document.toJS() as { apiVersion: string; kind: string };
            const [name, folder] = PACKAGES[object.apiVersion]!;
            const module = (await import(pathToFileURL(path.join(folderOf(name)!, folder, 'index.js')).href)) as Record<
              string,
              Kind
            >;
            const Model = module[object.kind]!;
            expect(() => new Model(object).validate(), `${a.path}: ${object.kind}`).not.toThrow();
            counts[object.kind] = (counts[object.kind] ?? 0) + 1;
          }
        }
      for (const kind of [
        'PrometheusRule',
        'ServiceMonitor',
        'PodMonitor',
        'Probe',
        'ScrapeConfig',
        'AlertmanagerConfig',
        'Alertmanager',
        'Secret',
        'ConfigMap',
        'Namespace',
        'NetworkPolicy',
        'ResourceQuota',
        custom ? 'ScaledObject' : 'HorizontalPodAutoscaler',
      ])
        expect(counts[kind], kind).toBeGreaterThan(0);
      expect(Object.values(counts).reduce((a, b) => a + b)).toBeGreaterThan(90);
      // planted: a wrong type is refused
      const { PrometheusRule } = (await import(
        pathToFileURL(
          path.join(folderOf('@kubernetes-models/prometheus-operator')!, 'monitoring.coreos.com/v1/index.js'),
        ).href
      )) as Record<string, Kind>;
      expect(() => new PrometheusRule!({ metadata: { name: 'a' }, spec: { groups: 'none' } }).validate()).toThrow();
    },
  );
});
