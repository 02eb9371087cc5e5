import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import vm from 'node:vm';
import { describe, expect, it } from 'vitest';
import { buildGrafanaPlugin } from '../../scripts/build-grafana-plugin.ts';
import { findPeer, temporaryFolder } from '../../test/support/peers.ts';

/** What Grafana's loader hands in, as far as the plugin uses it. */
function load(code: string, answers: Readonly<Record<string, unknown>>) {
  const asked: string[] = [];
  const modules: Record<string, unknown> = {
    react: { createElement: (type: unknown, props: unknown, ...children: unknown[]) => ({ type, props, children }) },
    '@grafana/data': {
      DataSourceApi: class {},
      DataSourcePlugin: class {
        DataSourceClass: unknown;
        components: Record<string, unknown> = {};
        constructor(api: unknown) {
          this.DataSourceClass = api;
        }
        setConfigEditor(e: unknown) {
          this.components['ConfigEditor'] = e;
          return this;
        }
        setQueryEditor(e: unknown) {
          this.components['QueryEditor'] = e;
          return this;
        }
      },
      FieldType: { time: 'time', number: 'number', string: 'string' },
      createDataFrame: (f: unknown) => f,
    },
    '@grafana/runtime': {
      getTemplateSrv: () => ({ replace: (t: string) => t.replace('$d', 'api') }),
      getBackendSrv: () => ({
        get: async (url: string, params: Record<string, string>) => {
          asked.push(`${url}?${new URLSearchParams(params)}`);
          const key = Object.keys(answers).find(
            (k) => url.endsWith(k) && (params['query'] ?? '').startsWith((answers[k] as { for?: string }).for ?? ''),
          );
          return answers[key!];
        },
      }),
    },
  };
  let exported: Record<string, any> = {};
  const define = Object.assign(
    (dependencies: string[], factory: (...args: unknown[]) => unknown) => {
      const exports = {};
      const result = factory(...dependencies.map((d) => (d === 'exports' ? exports : modules[d])));
      exported = (result ?? exports) as Record<string, any>;
    },
    { amd: {} },
  );
  vm.runInNewContext(code, { define, self: {}, globalThis: {}, URLSearchParams });
  return { plugin: exported['plugin'], asked };
}

describe('the Grafana plugin', () => {
  it('is built and packed in the official layout, loads as AMD, and turns answers into frames', {
    timeout: 60_000,
  }, async () => {
    using folder = temporaryFolder();
    const made = await buildGrafanaPlugin(folder.path, '2026-01-01');
    expect(readdirSync(made.folder).sort()).toEqual([
      'CHANGELOG.md',
      'LICENSE',
      'README.md',
      'img',
      'module.js',
      'plugin.json',
    ]);
    const manifest = JSON.parse(readFileSync(path.join(made.folder, 'plugin.json'), 'utf8'));
    expect(manifest).toMatchObject({
      type: 'datasource',
      id: made.id,
      info: { updated: '2026-01-01', version: expect.stringMatching(/^\d+\.\d+\.\d+/) },
      dependencies: { grafanaDependency: expect.any(String) },
    });
    expect(manifest.id).toMatch(/^[a-z0-9-]+-datasource$/);
    for (const logo of Object.values(manifest.info.logos))
      expect(readFileSync(path.join(made.folder, String(logo)), 'utf8')).toContain('<svg');
    // another program's reader of the archive, where there is one
    const python = findPeer('python3');
    if (python) {
      const listed = execFileSync(
        python,
        [
          '-c',
          'import sys,zipfile; z=zipfile.ZipFile(sys.argv[1]); assert z.testzip() is None; print("\\n".join(z.namelist()))',
          made.zip,
        ],
        { encoding: 'utf8' },
      );
      expect(listed.trim().split('\n')).toContain(`${made.id}/module.js`);
    }

    const { plugin, asked } = load(readFileSync(path.join(made.folder, 'module.js'), 'utf8'), {
      '/vigie/v1/incidents': {
        incidents: [
          {
            id: 'INC-1',
            title: 'API fails',
            state: 'resolved',
            severity: 'critical',
            level: 'L2',
            services: ['api'],
            openedAtMs: 2_000,
            resolvedAtMs: 3_000,
            alerts: 2,
          },
          {
            id: 'INC-2',
            title: 'later',
            state: 'open',
            severity: 'warning',
            level: 'L1',
            services: [],
            openedAtMs: 99_000,
            alerts: 1,
          },
        ],
      },
      '/vigie/v1/forecasts': {
        forecasts: [
          {
            detector: 'api',
            labels: { service: 'a' },
            fitAtMs: 1_000,
            stepMs: 500,
            mean: [1, 2],
            lower: [0, 1],
            upper: [2, 3],
          },
          { detector: 'new', labels: {}, fitAtMs: null, stepMs: 500, mean: [], lower: [], upper: [] },
        ],
      },
      '/api/v1/query_range': {
        data: {
          result: [
            {
              metric: { __name__: 'x', detector: 'api' },
              values: [
                [1, '1'],
                [2, 'NaN'],
              ],
            },
          ],
        },
      },
    });
    const source = new plugin.DataSourceClass({ uid: 'u', name: 'n', url: '/proxy', jsonData: {} });
    const ask = async (target: object) =>
      (
        await source.query({
          targets: [
            { refId: 'A', ...target },
            { refId: 'B', hide: true },
          ],
          range: { from: 1_000, to: 5_000 },
          intervalMs: 1_000,
        })
      ).data as {
        name: string;
        fields: { name: string; type: string; values: unknown[]; config?: { custom: { fillBelowTo?: string } } }[];
      }[];
    const [incidents] = await ask({ kind: 'incidents' });
    expect(Object.fromEntries(incidents!.fields.map((f) => [f.name, f.values]))).toMatchObject({
      time: [2_000],
      timeEnd: [3_000],
      title: ['INC-1 API fails'],
      severity: ['critical'],
    });
    const forecasts = await ask({ kind: 'forecast', detector: '$d' });
    expect(forecasts).toHaveLength(1);
    expect(forecasts[0]!.fields.map((f) => [f.name, f.type, f.values])).toEqual([
      ['time', 'time', [1_500, 2_000]],
      ['forecast', 'number', [1, 2]],
      ['forecast lower', 'number', [0, 1]],
      ['forecast upper', 'number', [2, 3]],
    ]);
    expect(forecasts[0]!.fields[3]!.config!.custom.fillBelowTo).toBe('forecast lower');
    const [band] = await ask({ kind: 'band', detector: 'a"b' });
    expect(band!.fields.map((f) => f.values)).toEqual([
      [1_000, 2_000],
      [1, null],
      [1, null],
    ]);
    expect(asked.at(-1)).toContain(encodeURIComponent('{detector="a\\"b"}'));
    expect(asked.some((a) => a.includes('detector=api'))).toBe(true);
    expect(
      plugin.components.QueryEditor({ query: { refId: 'A', kind: 'band' }, onChange() {}, onRunQuery() {} }).children,
    ).toHaveLength(2);
  });
});
