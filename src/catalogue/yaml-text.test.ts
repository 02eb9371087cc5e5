import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { yamlText } from './yaml-text.ts';

const leaf = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 12 }),
  fc.string({
    unit: fc.constantFrom('a', ' ', '\n', ':', '#', '-', '"', "'", '|', '\t', '1', 'e', '{', '\ue000', '\u0085'),
  }),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((n) => (Object.is(n, -0) ? 0 : n)),
  fc.integer(),
  fc.boolean(),
  fc.constantFrom(
    null,
    'true',
    'No',
    '1e3',
    '0x1f',
    '5m',
    '2026-01-01',
    '~',
    '',
    'null',
    '1:30',
    '.5',
    'e',
    '- a',
    '1_000',
  ),
);
const tree = fc.letrec((tie) => ({
  node: fc.oneof(
    { maxDepth: 4 },
    leaf,
    fc.array(tie('node'), { maxLength: 4 }),
    fc.dictionary(fc.string({ maxLength: 6 }), tie('node'), { maxKeys: 4, noNullPrototype: true }),
  ),
})).node;

describe('YAML text', () => {
  it.each(['1.1', '1.2'] as const)('reads back as the same data under YAML %s', (version) => {
    fc.assert(
      fc.property(tree, (value) => {
        fc.pre(!JSON.stringify(value).includes('__proto__'));
        expect(parse(yamlText(value), { version, merge: false, maxAliasCount: 0 })).toEqual(value);
      }),
      { numRuns: 3_000, seed: 5 },
    );
  });
  it('is written one way, whatever the order of keys', () => {
    expect(
      yamlText({
        spec: { b: 1, a: [] },
        kind: 'K',
        apiVersion: 'v1',
        text: 'a\n\nb\n',
        list: [{ x: 1, name: 'm' }, ['z']],
      }),
    ).toBe(
      'apiVersion: v1\nkind: K\nlist:\n  - name: m\n    x: 1\n  -\n    - z\nspec:\n  a: []\n  b: 1\ntext: |\n  a\n\n  b\n',
    );
  });
  it('refuses a cycle', () => {
    const a: { self?: unknown } = {};
    a.self = a;
    expect(() => yamlText(a)).toThrow(/deeper than 64/);
  });
});
