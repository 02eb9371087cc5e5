/** Every rule file of the catalogue, rendered with defaults, is accepted by the real promtool and passes its unit tests. */
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { loadCatalogue, packNames } from '../../src/catalogue/load.ts';
import { findPeer, peerMissing, temporaryFolder } from '../support/peers.ts';

const TEMPLATES = path.resolve(import.meta.dirname, '../../templates');

describe.skipIf(peerMissing('promtool'))('the catalogue and promtool', () => {
  it('agree on every rule and every unit test, and every alert says what people need', { timeout: 180_000 }, () => {
    const promtool = findPeer('promtool')!;
    const { packs } = loadCatalogue(TEMPLATES, packNames(TEMPLATES));
    using folder = temporaryFolder();
    let alerts = 0;
    let tests = 0;
    for (const pack of packs) {
      for (const [file, rules] of pack.rules) {
        const target = path.join(folder.path, file);
        mkdirSync(path.dirname(target), { recursive: true });
        writeFileSync(target, stringify(rules));
        execFileSync(promtool, ['check', 'rules', target], { stdio: 'pipe' });
        for (const rule of rules.groups.flatMap((g) => g.rules)) {
          if (!rule.alert) continue;
          alerts++;
          expect(rule.labels?.['severity'], rule.alert).toBeTruthy();
          for (const key of ['summary', 'description', 'impact', 'runbook_url'])
            expect(rule.annotations?.[key], `${rule.alert}: ${key}`).toBeTruthy();
        }
      }
      if (pack.rules.size > 0)
        expect(pack.manifest.files.tests.length, `${pack.manifest.pack} has unit tests`).toBeGreaterThan(0);
      for (const test of pack.manifest.files.tests) {
        const target = path.join(folder.path, test);
        mkdirSync(path.dirname(target), { recursive: true });
        cpSync(path.join(TEMPLATES, test), target);
        const result = spawnSync(promtool, ['test', 'rules', target], { encoding: 'utf8' });
        expect(result.status, `${test}:\n${result.stdout}${result.stderr}`).toBe(0);
        tests++;
      }
    }
    expect(alerts).toBeGreaterThanOrEqual(90);
    expect(tests).toBeGreaterThanOrEqual(20);
  });
});
