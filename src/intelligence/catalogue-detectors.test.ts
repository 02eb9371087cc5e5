/** The detectors that the catalogue ships fit the schema, have names of their own, and are what the shipped rules name. */
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { renderPack } from '../catalogue/pack.ts';
import { checkDetectors } from './config.ts';

const TEMPLATES = path.resolve(import.meta.dirname, '../../templates');

describe('detectors of the catalogue', () => {
  const pack = renderPack(TEMPLATES, 'intelligence', { parameters: { disk_limit: 0.1 } });
  const detectors = [...pack.detectors].flatMap(([file, value]) => checkDetectors(value, file));

  it('fit the schema, with parameters put in', () => {
    expect(detectors.length).toBeGreaterThanOrEqual(15);
    expect(new Set(detectors.map((d) => d.name)).size).toBe(detectors.length);
    expect(detectors.find((d) => d.name === 'disk-exhaustion')).toMatchObject({ threshold: { below: 0.1 } });
  });

  it('are those that the rules name, and no rule alerts on one that is not armed', () => {
    const rules = [...pack.rules.values()].flatMap((f) => f.groups.flatMap((g) => g.rules));
    const known = new Set(detectors.map((d) => d.name));
    let named = 0;
    for (const rule of rules) {
      const names = [...rule.expr.matchAll(/vigie_(?:forecast|anomaly)[a-z_]*\{detector=~?"([^"]+)"/g)].flatMap((m) =>
        m[1]!.split('|'),
      );
      named += names.length;
      for (const name of names) expect(known, rule.alert).toContain(name);
      if (names.length > 0) expect(rule.expr, rule.alert).toContain('vigie_detector_armed');
    }
    expect(named).toBeGreaterThanOrEqual(20);
  });
});
