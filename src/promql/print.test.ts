/** Printing and reading again: what is printed means the same, on one line and indented, and whatever is read never breaks. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { generateQueries } from '../../test/promql/generated-queries.ts';
import { compileRegex } from '../../test/promql/memory-source.ts';
import { isVigieError } from '../lib/errors.ts';
import type { Expr } from './ast.ts';
import { FEATURES } from './function-table.ts';
import { parse } from './parse.ts';
import { prettyPrint, print } from './print.ts';

const options = { compileRegex, features: new Set(FEATURES) };

/** The tree without positions, and without what printing does not keep: the order of matchers. */
function shape(e: Expr): string {
  return JSON.stringify(e, (key, value: unknown) => {
    if (key === 'pos' || key === 'opPos' || key === 'explicit' || key === 'name') return undefined;
    if (key === 'matchers') return [...(value as object[])].map((m) => JSON.stringify(m)).sort();
    // in one order of keys: modifiers may be written in either
    if (value !== null && typeof value === 'object' && !Array.isArray(value))
      return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
    return value;
  });
}

describe('print', () => {
  it('writes what reads as the same tree', () => {
    let read = 0;
    for (const { query } of generateQueries(3, 3_000)) {
      let tree: Expr;
      try {
        tree = parse(query, options);
      } catch {
        continue; // broken on purpose
      }
      // printed with its sign, as Prometheus does, and a sign binds less tightly than a power
      if (/Inf\s*\^/.test(query)) continue;
      read++;
      expect(shape(parse(print(tree), options)), query).toBe(shape(tree));
      expect(print(parse(prettyPrint(tree), options)), query).toBe(print(tree));
    }
    expect(read).toBeGreaterThan(2_500);
  }, 60_000);

  it('reads or refuses any text, and says where', () => {
    const piece = fc.oneof(
      fc.constantFrom(
        'sum',
        'rate',
        'm',
        '(',
        ')',
        '[5m]',
        '{',
        '}',
        'a="b"',
        '"',
        "'",
        '`',
        ' by ',
        ' on ',
        'offset ',
        '@ ',
        '5m',
        '1e3',
        '-',
        '+',
        '^',
        ',',
        ':',
        '#',
        '\n',
        '\\',
        ' and ',
        '=~',
        '0x',
        '5.',
      ),
      fc.string({ maxLength: 4, unit: 'grapheme' }),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        const text = pieces.join('');
        try {
          print(parse(text, options));
        } catch (error) {
          expect(isVigieError(error, 'bad_query'), `${JSON.stringify(text)}: ${(error as Error).stack}`).toBe(true);
          expect((error as Error).message).toContain('parse error: ');
        }
      }),
      { numRuns: 3_000 },
    );
  }, 60_000);
});
