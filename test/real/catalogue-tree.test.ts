/** Three environments x three tenants: every rendered rule file, configuration and route is taken by the real programs. */
import { execFileSync, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { resolveOptions } from '../../src/app/options.ts';
import { ENVIRONMENTS, type Environment } from '../../src/catalogue/config.ts';
import { type Format, RenderContext } from '../../src/catalogue/render/context.ts';
import { renderTree } from '../../src/catalogue/render/tree.ts';
import { writeTree } from '../../src/catalogue/write-tree.ts';
import { findPeer, peerMissing, temporaryFolder } from '../support/peers.ts';

const TEMPLATES = path.resolve(import.meta.dirname, '../../templates');
const FIXTURE = path.resolve(import.meta.dirname, 'fixtures/catalogue.yaml');

function render(environment: Environment, format: Format, folder: string, version: '0.25' | '0.28' = '0.28'): string[] {
  const { options } = resolveOptions({ flags: {}, env: {}, file: FIXTURE });
  const config = {
    ...options.catalogue,
    alertmanager: {
      ...options.catalogue.alertmanager,
      version,
      templates: path.join(folder, 'alertmanager/templates'),
    },
  };
  const context = new RenderContext({ config, sections: options, environment, format, folders: [TEMPLATES] });
  writeTree(renderTree(context), { folder, complete: true });
  return context.problems.map((p) => `${p.where}: ${p.message}`);
}

const DATA = path.resolve(import.meta.dirname, 'fixtures/notification-data.json');

const ROUTES: readonly (readonly [labels: readonly string[], receivers: string])[] = [
  [['alertname=Watchdog', 'severity=none'], 'watchdog'],
  [['alertname=A', 'severity=none'], 'nobody'],
  [['alertname=A', 'severity=warning', 'level=L1'], 'platform-L1'],
  [['alertname=A', 'severity=critical', 'level=L2'], 'platform-L2'],
  [['alertname=A', 'level=L4'], 'platform-L4'],
  [['alertname=A', 'tenant_id=dj-kolibri', 'level=L2'], 'platform-L2'],
  [['alertname=A', 'tenant_id=aurora-records', 'level=L1'], 'aurora-records-L1'],
  [['alertname=A', 'tenant_id=aurora-records', 'level=L3'], 'aurora-records-L3'],
  [['alertname=A', 'tenant_id=Indie_Wave', 'level=L2'], 'indie-wave-[0-9a-f]{8}-L2'],
];

describe.skipIf(peerMissing('promtool') || peerMissing('amtool'))('a rendered tree and the real programs', () => {
  it.each(ENVIRONMENTS)('%s: promtool takes rules and configuration', (environment) => {
    using folder = temporaryFolder();
    expect(render(environment, 'files', folder.path)).toEqual([]);
    const promtool = findPeer('promtool')!;
    const rules = readdirSync(path.join(folder.path, 'prometheus/rules'));
    expect(rules.length).toBeGreaterThanOrEqual(3 + 7 + 3 + 7);
    const checked = spawnSync(
      promtool,
      ['check', 'rules', ...rules.map((f) => path.join(folder.path, 'prometheus/rules', f))],
      { encoding: 'utf8' },
    );
    expect(checked.status, checked.stdout + checked.stderr).toBe(0);
    const config = spawnSync(promtool, ['check', 'config', path.join(folder.path, 'prometheus/prometheus.yml')], {
      encoding: 'utf8',
    });
    expect(config.status, config.stdout + config.stderr).toBe(0);
    expect(config.stdout).toContain('SUCCESS');
    // a fault that promtool must see, so that the check above means something
    const broken = path.join(folder.path, 'prometheus/rules/zz-broken.yml');
    writeFileSync(
      broken,
      readFileSync(path.join(folder.path, 'prometheus/rules', rules[0]!), 'utf8').replace('expr: ', 'expr: sum('),
    );
    expect(spawnSync(promtool, ['check', 'rules', broken]).status).not.toBe(0);
  });

  it.each([
    ['0.25', undefined],
    ['0.28', 'sid'],
  ] as const)('Alertmanager %s takes the routes, and they match', (version, suite) => {
    if (suite && peerMissing('amtool', suite)) return;
    const amtool = findPeer('amtool', suite)!;
    let asked = 0;
    for (const environment of ENVIRONMENTS) {
      using folder = temporaryFolder();
      const problems = render(environment, 'files', folder.path, version);
      // what 0.25 cannot take is said, not left out in silence
      expect(problems.map((p) => p.split(':')[0])).toEqual(version === '0.25' ? ['catalogue.receivers.discord'] : []);
      const file = path.join(folder.path, 'alertmanager/alertmanager.yml');
      const checked = spawnSync(amtool, ['check-config', file], { encoding: 'utf8' });
      expect(checked.status, checked.stdout + checked.stderr).toBe(0);
      expect(checked.stdout).toMatch(/1[6-9] inhibit rules\n.*14 receivers\n.*1 templates/);
      for (const [language, words] of Object.entries({
        en: /^\[FIRING 1\] prod acme/,
        fr: /ALERTE 1/,
        de: /ALARM 1/,
      })) {
        const shown = (type: 'text' | 'html', names: readonly string[]): string =>
          execFileSync(
            amtool,
            [
              'template',
              'render',
              `--template.glob=${path.join(folder.path, 'alertmanager/templates/*.tmpl')}`,
              `--template.type=${type}`,
              `--template.text=${names.map((n) => `{{ template "vigie.${n}.${language}" . }}`).join('\n')}`,
              `--template.data=${DATA}`,
            ],
            { encoding: 'utf8' },
          );
        const text = shown('text', ['title', 'text']);
        expect(text).toMatch(words);
        expect(text).toContain('https://vigie.example/docs/runbooks/api.md');
        expect(shown('html', ['html'])).toContain('&lt;b&gt;');
      }
      for (const [labels, receiver] of ROUTES) {
        const got = execFileSync(amtool, ['config', 'routes', 'test', `--config.file=${file}`, ...labels], {
          encoding: 'utf8',
        });
        expect(got.trim(), labels.join(' ')).toMatch(new RegExp(`^${receiver}`));
        asked++;
      }
    }
    expect(asked).toBe(ROUTES.length * 3);
  });
});
