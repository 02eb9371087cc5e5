/** The whole catalogue checked for many tenants: what repeats is said once, and only what a tenant's tuning adds is its own. */
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { catalogueConfigSchema, DEFAULT_SECTIONS } from '../config.ts';
import { RenderContext } from '../render/context.ts';
import { checkCatalogue } from './catalogue.ts';

const check = async (tenants: Record<string, unknown>) => {
  const context = new RenderContext({
    config: catalogueConfigSchema.parse({ receivers: { slack: { channel: '#ops' } }, tenants }),
    sections: DEFAULT_SECTIONS,
    environment: 'prod',
    format: 'files',
    folders: [path.resolve(import.meta.dirname, '../../../templates')],
  });
  let scopes = 0;
  const report = await checkCatalogue(context, {}, undefined, () => scopes++);
  return { ...report, steps: scopes };
};

describe('a catalogue of many tenants', () => {
  it('tells every scope to the bar, and a finding of all once', async () => {
    const ratio = (n: number) => ({ overrides: { api: { parameters: { error_ratio: n } } } });
    const { findings, scopes, steps } = await check({ a: {}, b: ratio(0.05), c: ratio(0.06), d: ratio(0.05) });
    expect([scopes, steps]).toEqual([5, 5]);
    const dear = findings.filter((f) => f.kind === 'dear-rule' && f.where.startsWith('tenant '));
    expect(dear.length).toBeGreaterThan(0);
    for (const f of dear) {
      expect(f.where).toMatch(/^tenant a: /);
      // b and d are one tuning
      expect(f.message).toMatch(/\(and in 2 other tunings\)$/);
    }
    expect(JSON.stringify(findings)).not.toContain('⟦');
    expect(findings.filter((f) => f.level === 'error')).toEqual([]);
  });

  it('names the tenant whose tuning is at fault', async () => {
    const { findings } = await check({
      a: {},
      b: { overrides: { api: { rules: { ApiErrorsHigh: { severity: 'loud' } } } } },
      c: { overrides: { api: { parameters: { error_ratio: 7 } } } },
    });
    const own = findings.filter((f) => f.level === 'error').map((f) => `${f.where}: ${f.message}`);
    expect(
      own.some((f) => f.startsWith('tenant b: ') && f.includes('loud')),
      own.join('\n'),
    ).toBe(true);
    expect(own.some((f) => f.startsWith('catalogue.tenants.c: pack api') && f.includes('at most 1'))).toBe(true);
    expect(own.filter((f) => f.includes('tenant a'))).toEqual([]);
  });
});
