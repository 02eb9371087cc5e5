/** The reasons why a rule is left to the engine are a promise to operators: the page and the code name the same ones. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { FALL_BACK_REASONS } from './source.ts';

describe('reasons of fall-backs', () => {
  it('are those that docs/rules.md lists', () => {
    const page = readFileSync(new URL('../../../docs/rules.md', import.meta.url), 'utf8');
    const table = /\| reason \| when \|\n\|---\|---\|\n((?:\|.*\n)+)/.exec(page)![1]!;
    const named = table.split('\n').flatMap((row) => row.split('|')[1]?.match(/`([a-z_]+)`/g) ?? []);
    expect(named.map((n) => n.slice(1, -1)).sort()).toEqual([...FALL_BACK_REASONS].sort());
  });
});
