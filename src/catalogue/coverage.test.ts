import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { coverage, coverageText, PANELS, SIGNALS, testedAlerts } from '../../scripts/coverage.ts';
import { loadCatalogue, packNames } from './load.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');
const TEMPLATES = path.join(ROOT, 'templates');
const { packs } = loadCatalogue(TEMPLATES, packNames(TEMPLATES));

describe('coverage', () => {
  const { signals, panels } = coverage();
  it('has a rule, a test and a panel for each signal', () => {
    expect(signals.length).toBe(Object.values(SIGNALS).flatMap((s) => Object.keys(s)).length);
    expect(signals.length).toBeGreaterThan(35);
    for (const s of signals) {
      expect(s.rules.length, `${s.domain}, ${s.signal}: rules`).toBeGreaterThan(0);
      expect(s.tests.length, `${s.domain}, ${s.signal}: tests`).toBeGreaterThan(0);
      expect(s.panels.length, `${s.domain}, ${s.signal}: panels`).toBeGreaterThan(0);
    }
  });
  it('has a query for each promised panel, or says why not', () => {
    expect(panels.length).toBe(Object.values(PANELS).flat().length);
    for (const p of panels) expect(p.query, `${p.dashboard}: ${p.panel}`).not.toBe('');
    expect(panels.filter((p) => p.says).map((p) => p.panel)).toEqual(['compliance status', 'audit log']);
  });
  it('is written down as it is', () => {
    expect(readFileSync(path.join(ROOT, 'docs/coverage.md'), 'utf8'), 'run scripts/coverage.ts').toBe(coverageText());
  });
});

describe.each(packs.filter((p) => p.rules.size > 0).map((p) => [p.manifest.pack, p] as const))(
  'pack %s',
  (_name, pack) => {
    const alerts = [...pack.rules.values()].flatMap((f) => f.groups.flatMap((g) => g.rules)).filter((r) => r.alert);
    it('sees every alert fire in a test, and stays quiet without data', () => {
      const tested = new Set(pack.manifest.files.tests.flatMap((t) => [...testedAlerts(t)]));
      expect(alerts.map((a) => a.alert).filter((a) => !tested.has(a!))).toEqual([]);
      const withoutData = pack.manifest.files.tests.flatMap((t) =>
        (
          parse(readFileSync(path.join(TEMPLATES, t), 'utf8')) as {
            tests: { name?: string; input_series?: unknown[] }[];
          }
        ).tests.filter((x) => (x.input_series ?? []).length === 0 || /^missing |without data/i.test(x.name ?? '')),
      );
      expect(withoutData.length).toBeGreaterThan(0);
    });
    it('has a page with a heading for every alert', () => {
      for (const a of alerts) {
        const [file, anchor] = a.annotations!['runbook_url']!.split('#') as [string, string];
        const headings = [...readFileSync(path.join(ROOT, file), 'utf8').matchAll(/^## (.+)$/gm)].map((m) =>
          m[1]!.toLowerCase(),
        );
        expect(headings, `${file}#${anchor}`).toContain(anchor);
      }
    });
  },
);
