/** The container file, the unit and the manifests call Vigie as it can be called, and ask it for what it serves. */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { resolveOptions } from '../../src/app/options.ts';
import type { CommandContext } from '../../src/cli/context.ts';
import { addServe } from '../../src/cli/serve.ts';
import { addTenant } from '../../src/cli/tenant.ts';
import { operationsRoutes } from '../../src/http/vigie/operations.ts';
import { temporaryFolder } from '../support/peers.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');
const read = (file: string): string => readFileSync(path.join(ROOT, 'deploy', file), 'utf8');

/** Parses a command line with the real definitions, running nothing. Throws what a user would be told. */
async function understood(argv: readonly string[]): Promise<string> {
  const context = { env: {}, stdout: process.stdout, stderr: process.stderr, exitCode: 0 } as CommandContext;
  const program = new Command('vigie').exitOverride().configureOutput({ writeErr: () => {} });
  addServe(program, context);
  addTenant(program, context);
  let called = '';
  const muted = (c: Command, name: string): void => {
    c.exitOverride().configureOutput({ writeErr: () => {} });
    c.action(() => void (called = name));
    for (const sub of c.commands) muted(sub, `${name} ${sub.name()}`);
  };
  for (const c of program.commands) muted(c, c.name());
  await program.parseAsync([...argv], { from: 'user' });
  return called;
}

const paths = new Set(operationsRoutes({} as never).map((r) => r.path));

interface Container {
  readonly name: string;
  readonly args: readonly string[];
  readonly ports?: readonly { readonly name: string; readonly containerPort: number }[];
  readonly readinessProbe?: { readonly httpGet: { readonly path: string; readonly port: string } };
  readonly livenessProbe?: { readonly httpGet: { readonly path: string; readonly port: string } };
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[];
}
interface PodSpec {
  readonly initContainers: readonly Container[];
  readonly containers: readonly Container[];
  readonly volumes: readonly { readonly name: string }[];
}

describe('deploy/', () => {
  it('would see a command line that is not understood', async () => {
    await expect(understood(['serve', '--colour'])).rejects.toThrow(/unknown option/);
    await expect(understood(['tenant', 'bootstrap', '--output'])).rejects.toThrow(/argument missing/);
    expect(await understood(['tenant', 'bootstrap', '--if-missing'])).toBe('tenant bootstrap');
  });

  it('Dockerfile: what it runs, its variables and its health check', async () => {
    const text = read('Dockerfile');
    const list = (word: string): string[] =>
      JSON.parse(new RegExp(`^${word} (\\[.*\\])$`, 'm').exec(text)![1]!) as string[];
    expect(list('ENTRYPOINT')).toEqual(['vigie']);
    expect(await understood(list('CMD'))).toBe('serve');
    const env = Object.fromEntries(
      [.../^ENV (.*)$/m.exec(text)![1]!.matchAll(/(\w+)=(\S+)/g)].map((m) => [m[1], m[2]]),
    );
    const { options } = resolveOptions({ env, flags: {} });
    expect(options).toMatchObject({ environment: 'prod', data_dir: '/data', listen: { host: '0.0.0.0', port: 9390 } });
    expect(text).toContain(`EXPOSE ${options.listen.port}`);
    const [, health] = /fetch\('http:\/\/127\.0\.0\.1:9390([^']*)'\)/.exec(text)!;
    expect(paths).toContain(health);
    for (const [, argv] of text.matchAll(/^#.*vigie (tenant bootstrap)/gm))
      expect(await understood(argv!.split(' '))).toBe(argv);
  });

  it('systemd unit: its command line, reload and first key', async () => {
    const text = read('vigie.service');
    const words = (line: RegExp): string[] => line.exec(text)![1]!.trim().split(/\s+/);
    expect(await understood(words(/^ExecStart=\S+node (?:--\S+ )*\S+main\.js (.*)$/m))).toBe('serve');
    expect(await understood(words(/main\.js (tenant bootstrap.*)$/m))).toBe('tenant bootstrap');
    expect(text).toMatch(/^ExecReload=\/bin\/kill -HUP \$MAINPID$/m);
    // the clean-ups promise 8 s; systemd waits longer than that
    expect(Number(/^TimeoutStopSec=(\d+)$/m.exec(text)![1])).toBeGreaterThan(8);
  });

  it('Kubernetes manifests: command lines, configuration, probes, volumes', async () => {
    const documents = parseAllDocuments(read('kubernetes/vigie.yaml')).map((d) => {
      expect(d.errors).toEqual([]);
      return d.toJS() as { kind: string; metadata: { name: string; namespace?: string }; [key: string]: unknown };
    });
    const of = (kind: string) => documents.find((d) => d.kind === kind)!;
    for (const d of documents)
      if (!['Namespace', 'ClusterRole', 'ClusterRoleBinding'].includes(d.kind))
        expect(d.metadata.namespace, d.kind).toBe('vigie');
    const { template, selector } = of('Deployment')['spec'] as {
      template: { metadata: { labels: object }; spec: PodSpec };
      selector: { matchLabels: object };
    };
    expect(template.metadata.labels).toMatchObject(selector.matchLabels);
    expect((of('Service')['spec'] as { selector: object }).selector).toEqual(selector.matchLabels);

    using folder = temporaryFolder();
    const file = path.join(folder.path, 'vigie.yaml');
    writeFileSync(file, (of('ConfigMap')['data'] as Record<string, string>)['vigie.yaml']!);
    const { options } = resolveOptions({ file, env: {}, flags: {} });
    expect(options).toMatchObject({ environment: 'prod', data_dir: '/data' });

    const { initContainers, containers, volumes } = template.spec;
    expect(await Promise.all([...initContainers, ...containers].map((c) => understood(c.args)))).toEqual([
      'tenant bootstrap',
      'serve',
    ]);
    for (const c of [...initContainers, ...containers])
      for (const m of c.volumeMounts) expect(volumes.map((v) => v.name)).toContain(m.name);
    const [main] = containers;
    expect(main!.ports!.map((p) => p.containerPort)).toEqual([options.listen.port]);
    for (const probe of [main!.readinessProbe!, main!.livenessProbe!]) {
      expect(paths).toContain(probe.httpGet.path);
      expect(main!.ports!.map((p) => p.name)).toContain(probe.httpGet.port);
    }
  });
});
