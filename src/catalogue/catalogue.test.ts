import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../test/support/peers.ts';
import { loadCatalogue, packNames } from './load.ts';
import { renderPack } from './pack.ts';
import { type Parameter, parameterValues, substitute } from './parameters.ts';

const TEMPLATES = path.resolve(import.meta.dirname, '../../templates');

describe('parameters', () => {
  const declared: Record<string, Parameter> = {
    ratio: { type: 'number', default: 0.5, min: 0, max: 1, help: 'h' },
    window: { type: 'duration', default: '90s', min: '1m', help: 'h' },
    types: { type: 'text', default: 'a|b', help: 'h' },
    on: { type: 'boolean', default: true, help: 'h' },
  };

  it('have defaults, canonical durations, and are put in as values', () => {
    const values = parameterValues(declared, { ratio: 0.25 }, 'p');
    expect(values).toEqual({ ratio: 0.25, window: '1m30s', types: 'a|b', on: true });
    expect(
      substitute({ a: '${ratio}', b: ['x[${window}] < ${ratio}', 3], c: '{t=~"${types}"} ${{ $x }}' }, values, 'f'),
    ).toEqual({ a: 0.25, b: ['x[1m30s] < 0.25', 3], c: '{t=~"a|b"} ${{ $x }}' });
  });

  it.each([
    [{ ratio: 2 }, /p\.ratio: got 2, want at most 1/],
    [{ ratio: '0.1' }, /want a number/],
    [{ window: '1s' }, /want at least 1m/],
    [{ window: 'soon' }, /want a duration/],
    [{ types: 'a"} or vector(1)' }, /without quotes/],
    [{ types: 'a\\' }, /without quotes, backslashes/],
    [{ on: 'yes' }, /want true or false/],
    [{ nope: 1 }, /unknown parameter "nope"; known are on, ratio, types, window/],
  ])('refuse %j', (overrides, message) => {
    expect(() => parameterValues(declared, overrides, 'p')).toThrow(message);
  });

  it('refuse a placeholder nobody declared', () => {
    expect(() => substitute({ a: ['${what}'] }, {}, 'f')).toThrow(/f\.a\[0\]: \$\{what\} is not a parameter/);
  });
});

describe('packs', () => {
  it('of the catalogue all load', () => {
    const names = packNames(TEMPLATES);
    expect(names.length).toBeGreaterThanOrEqual(3);
    const { packs, problems } = loadCatalogue(TEMPLATES, names);
    expect(problems).toEqual([]);
    expect(packs).toHaveLength(names.length);
  });

  it('take thresholds, for, severity, labels and annotations without an edit, and can drop a rule', () => {
    const pack = renderPack(TEMPLATES, 'host', {
      parameters: { cpu_busy_ratio: 0.8 },
      rules: {
        HostCpuBusy: {
          for: '1m',
          severity: 'critical',
          labels: { team: 'infra' },
          annotations: { runbook_url: 'https://wiki.example/cpu' },
        },
        HostDown: { enabled: false },
      },
    });
    const rules = [...pack.rules.values()].flatMap((f) => f.groups.flatMap((g) => g.rules));
    const cpu = rules.find((r) => r.alert === 'HostCpuBusy')!;
    expect(cpu.expr).toContain('> 0.8');
    expect(cpu).toMatchObject({
      for: '1m',
      labels: { severity: 'critical', team: 'infra', pack: 'host' },
      annotations: { runbook_url: 'https://wiki.example/cpu' },
    });
    expect(rules.find((r) => r.alert === 'HostDown')).toBeUndefined();
    expect(() => renderPack(TEMPLATES, 'host', { rules: { Nope: {} } })).toThrow(/no rule "Nope"/);
  });

  it('carry files of detectors with values put in', () => {
    const pack = renderPack(TEMPLATES, 'intelligence', { parameters: { queue_limit: 77 } });
    const detectors = [...pack.detectors.values()].flatMap(
      (f) => (f as { detectors: { name: string; threshold?: unknown }[] }).detectors,
    );
    expect(detectors.find((d) => d.name === 'queue-growth')?.threshold).toEqual({ above: 77 });
  });

  it('fail alone, with file, line and path', () => {
    using folder = temporaryFolder();
    cpSync(TEMPLATES, folder.path, { recursive: true });
    mkdirSync(path.join(folder.path, 'packs'), { recursive: true });
    writeFileSync(path.join(folder.path, 'packs/broken.yaml'), 'pack: broken\nversion: [1\n');
    writeFileSync(
      path.join(folder.path, 'packs/outside.yaml'),
      'pack: outside\nversion: 1.0.0\ntitle: x\ndescription: x\nfiles: { rules: [../../etc/passwd] }\n',
    );
    const { packs, problems } = loadCatalogue(folder.path, ['broken', 'outside', 'missing', 'host']);
    expect(packs.map((p) => p.manifest.pack)).toEqual(['host']);
    expect(problems[0]).toMatchObject({ pack: 'broken', message: expect.stringMatching(/packs\/broken\.yaml:\d+: /) });
    expect(problems[1]!.message).toMatch(/packs\/outside\.yaml: files\.rules\.0: /);
    expect(problems[2]!.message).toMatch(/cannot read packs\/missing\.yaml/);
  });
});
