/** Values that nest or repeat without end are told apart from plain ones, and never by the library's own words. */
import { describe, expect, it } from 'vitest';
import { parseDocument } from 'yaml';
import { checkNesting, NESTING_LEVELS_MAX, nestsDeeperThan, yamlProblem, yamlValue } from './nesting.ts';

const deep = (levels: number): unknown => {
  let value: unknown = 1;
  for (let i = 0; i < levels; i++) value = i % 2 ? [value] : { a: value };
  return value;
};

describe('nesting', () => {
  it.each([
    [1, 0, false],
    [null, 0, false],
    [[], 1, false],
    [[], 0, true],
    [deep(5), 5, false],
    [deep(6), 5, true],
    [deep(1_000_000), 200, true],
  ])('case %#', (value, levels, want) => {
    expect(nestsDeeperThan(value, levels)).toBe(want);
  });

  it('ends for shared parts and for rings', () => {
    let shared: unknown = ['x'];
    for (let i = 0; i < 60; i++) shared = [shared, shared];
    expect(nestsDeeperThan(shared, 100)).toBe(false);
    const ring: unknown[] = [];
    ring.push(ring);
    expect(nestsDeeperThan(ring, 100)).toBe(true);
  });

  it('says what the limit is', () => {
    expect(() => checkNesting(deep(NESTING_LEVELS_MAX), 'body')).not.toThrow();
    expect(() => checkNesting(deep(NESTING_LEVELS_MAX + 1), 'body')).toThrow(/body: nested too deeply.*200/);
  });
});

describe('yaml', () => {
  it('refuses aliases and levels without end, at any depth', () => {
    const bomb = [
      'a0: &a0 [x,x,x,x]',
      ...[1, 2, 3, 4, 5, 6, 7].map((i) => `a${i}: &a${i} [*a${i - 1},*a${i - 1},*a${i - 1},*a${i - 1}]`),
    ].join('\n');
    expect(() => yamlValue(parseDocument(bomb), 100)).toThrow(/aliases expand/);
    for (const levels of [201, 500, 1_000, 2_000]) {
      const doc = parseDocument(`a: ${'['.repeat(levels)}${']'.repeat(levels)}`);
      const problem = doc.errors[0];
      if (problem) expect(yamlProblem(problem)).toBe('lists or mappings are nested too deeply');
      else expect(() => yamlValue(doc, 100)).toThrow(/nested too deeply/);
    }
    expect(yamlValue(parseDocument('a: [1, *b]\nb: &b 2'.replace('[1, *b]', '[1]')), 100)).toEqual({ a: [1], b: 2 });
  });
});
