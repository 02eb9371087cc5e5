import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../test/support/peers.ts';
import { resolveOptions } from './options.ts';

function withFile<T>(text: string, use: (file: string) => T): T {
  using folder = temporaryFolder();
  const file = path.join(folder.path, 'vigie.yaml');
  writeFileSync(file, text);
  return use(file);
}

describe('resolveOptions', () => {
  it('has defaults for everything', () => {
    const { options, configuredSections } = resolveOptions({ flags: {}, env: {} });
    expect(options).toMatchObject({
      environment: 'dev',
      tenant: 'default',
      listen: { host: '127.0.0.1', port: 9390 },
      retention: 30 * 86_400_000,
      demo: false,
    });
    expect(options.auto_scaling).toEqual({
      enabled: false,
      min_replicas: 2,
      max_replicas: 100,
      cpu_threshold: 70,
      memory_threshold: 80,
      custom_metrics: false,
    });
    expect(options.tenant_isolation.metrics_prefix).toBe('tenant_');
    expect([...configuredSections]).toEqual([]);
  });

  it('lets flags win over the environment, and the environment over the file', () => {
    withFile('tenant: from-file\nlog_level: warn\ndata_dir: d\n', (file) => {
      const { options } = resolveOptions({
        file,
        env: { TENANT_ID: 'from-env', MONITORING_ENV: 'prod' },
        flags: { log_level: 'error', listen: '[::1]:0' },
      });
      expect(options).toMatchObject({
        tenant: 'from-env',
        environment: 'prod',
        log_level: 'error',
        data_dir: 'd',
        listen: { host: '::1', port: 0 },
      });
    });
  });

  it('takes the three feature sections as they are written in the quick start, and remembers them', () => {
    const text = [
      'tenant_isolation:\n  enabled: true\n  metrics_prefix: tenant_\n  namespace_separation: true\n  resource_quotas: true',
      'auto_scaling:\n  enabled: true\n  min_replicas: 2\n  max_replicas: 100\n  cpu_threshold: 70\n  memory_threshold: 80\n  custom_metrics: true',
      'intelligent_alerts:\n  predictive: true\n  machine_learning: true\n  correlation: true\n  auto_remediation: true',
    ].join('\n');
    withFile(text, (file) => {
      const { options, configuredSections } = resolveOptions({ file, env: {}, flags: {} });
      expect(options.intelligent_alerts.auto_remediation).toBe(true);
      expect([...configuredSections].sort()).toEqual(['auto_scaling', 'intelligent_alerts', 'tenant_isolation']);
    });
  });

  it.each([
    ['unknown: 1\n', /vigie\.yaml:1: unknown: unknown setting "unknown"/],
    [
      'tenant: ok\nauto_scaling:\n  enabled: true\n  min_replica: 3\n',
      /vigie\.yaml:4: auto_scaling\.min_replica: unknown setting/,
    ],
    [
      'auto_scaling:\n  min_replicas: 9\n  max_replicas: 3\n',
      /vigie\.yaml:2: auto_scaling\.min_replicas: min_replicas must not exceed/,
    ],
    ['retention: soon\n', /vigie\.yaml:1: retention: not a valid duration/],
    ['tenant: "../x"\n', /vigie\.yaml:1: tenant: invalid tenant id/],
    ['listen: nowhere\n', /vigie\.yaml:1: listen: want host:port/],
    [
      'enable_features:\n  - native-histograms\n  - nonsense\n',
      /vigie\.yaml:3: enable_features\[?\.?1\]?: feature "nonsense" is not built; want one of promql-experimental-functions/,
    ],
    ['a: [1\n', /vigie\.yaml:\d+: /],
    ['tenant: a\ntenant: b\n', /vigie\.yaml:2: Map keys must be unique/],
    ['- 1\n', /want a mapping of settings, got a list/],
  ])('names file, line, path and what was wanted: %j', (text, message) => {
    withFile(text, (file) => expect(() => resolveOptions({ file, env: {}, flags: {} })).toThrow(message));
  });

  it('names the variable or the flag when the value came from there', () => {
    expect(() => resolveOptions({ flags: {}, env: { MONITORING_ENV: 'production' } })).toThrow(
      /MONITORING_ENV: environment: /,
    );
    expect(() => resolveOptions({ flags: { data_dir: '' }, env: {} })).toThrow(/--data-dir: data_dir: /);
    expect(() => resolveOptions({ flags: {}, env: { JAEGER_URL: 'http://j' } })).toThrow(/JAEGER_URL is set, but/);
    expect(() => resolveOptions({ file: '/does/not/exist.yaml', flags: {}, env: {} })).toThrow(
      /cannot read the configuration file/,
    );
  });
});
