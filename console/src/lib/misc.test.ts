import { describe, expect, it } from 'vitest';
import { de } from '../locales/de.ts';
import { en } from '../locales/en.ts';
import { fr } from '../locales/fr.ts';
import { alertRuleYaml } from './alert-rule.ts';
import { csv } from './csv.ts';
import { parseMatchers } from './matchers.ts';
import { SERIES_DARK, SERIES_LIGHT } from './palette.ts';
import { safeRegex } from './safe-regex.ts';

const placeholders = (text: string): string[] => [...text.matchAll(/\{\{(\w+)\}\}/g)].map((m) => m[1]!).sort();

describe('catalogues', () => {
  it.each([
    ['fr', fr],
    ['de', de],
  ] as const)('%s has every key, with the same placeholders, and no text left empty', (_, catalogue) => {
    expect(Object.keys(catalogue).sort()).toEqual(Object.keys(en).sort());
    for (const [key, text] of Object.entries(catalogue)) {
      expect(text, key).not.toBe('');
      expect(placeholders(text), key).toEqual(placeholders(en[key as keyof typeof en]));
    }
  });
});

describe('matchers', () => {
  it('reads what people type', () => {
    expect(parseMatchers('{alertname="Disk\\"Full", host=~"db.*",env!=prod}')).toEqual([
      { name: 'alertname', value: 'Disk"Full', isRegex: false, isEqual: true },
      { name: 'host', value: 'db.*', isRegex: true, isEqual: true },
      { name: 'env', value: 'prod', isRegex: false, isEqual: false },
    ]);
  });
  it.each(['', 'x', 'a=', 'a="b', '=b'])('refuses %j', (text) => expect(parseMatchers(text)).toBeUndefined());
});

describe('csv', () => {
  it('quotes, and disarms formulas', () =>
    expect(
      csv(
        ['a', 'b,c'],
        [
          ['=1+1', 'x"y'],
          [-1, null],
        ],
      ),
    ).toBe('a,"b,c"\r\n\'=1+1,"x""y"\r\n-1,'));
});

describe('alertRuleYaml', () => {
  it('keeps quotes and newlines of the expression inside its string', () =>
    expect(alertRuleYaml({ name: 'A', expr: 'x{a="b"}\n> 1', hold: '5m', severity: 'info', summary: '' })).toContain(
      'expr: "x{a=\\"b\\"}\\n> 1"',
    ));
});

describe('palette', () => {
  const luminance = (hex: string): number => {
    const [r, g, b] = [1, 3, 5].map((i) => {
      const c = Number.parseInt(hex.slice(i, i + 2), 16) / 255;
      return c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
    }) as [number, number, number];
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (a: string, b: string): number =>
    (Math.max(luminance(a), luminance(b)) + 0.05) / (Math.min(luminance(a), luminance(b)) + 0.05);
  it.each(SERIES_LIGHT)('%s stands out on white', (c) => expect(contrast(c, '#ffffff')).toBeGreaterThanOrEqual(3));
  it.each(SERIES_DARK)('%s stands out on dark', (c) => expect(contrast(c, '#1a1e23')).toBeGreaterThanOrEqual(3));
});

describe('safeRegex', () => {
  it.each([
    ['/host-(.*)/', 'host-a', 'a'],
    ['/(?<value>\\d+)ms/', 'took 12ms', '12'],
    ['/^A/i', 'abc', 'a'],
    ['x', 'abc', undefined],
  ])('%s on %s', (pattern, text, want) => expect(safeRegex(pattern)!.pick(text)).toBe(want));
  it('refuses what RE2 has not', () => expect(safeRegex('/(?=x)/')).toBeUndefined());
  it('stays linear', () => expect(safeRegex('/(a+)+$/')!.test(`${'a'.repeat(5_000)}!`)).toBe(false));
  it('renames', () => expect(safeRegex('/(\\w+)-(\\w+)/')!.replace('disk-a', '$2 of $1')).toBe('a of disk'));
});
