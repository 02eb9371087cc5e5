import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatFloat } from './float-text.ts';
import { sprint, sprintf, sprintln } from './format.ts';
import { quoteGo, unquoteGo } from './quote.ts';
import { durationText } from './time-value.ts';
import { type GoValue, stringMap, stringSlice } from './value.ts';

describe('sprintf', () => {
  // answers of fmt.Sprintf in Go 1.26
  it.each<[string, GoValue[], string]>([
    ['%d|%5d|%-5d|%05d|%+d|% d', [42n, 42n, 42n, 42n, 42n, 42n], '42|   42|42   |00042|+42| 42'],
    ['%x %X %#x %o %#o %O %b %#b', [255n, 255n, 255n, 8n, 8n, 8n, 5n, 5n], 'ff FF 0xff 10 010 0o10 101 0b101'],
    [
      '%v %g %e %f %.3f %8.2f|%-8.2f|%+.1e',
      [1.5, 1e21, 1.0, 2.5, 3.14259, 2.5, 2.5, 12345.678],
      '1.5 1e+21 1.000000e+00 2.500000 3.143     2.50|2.50    |+1.2e+04',
    ],
    [
      '%s|%10s|%-10s|%.2s|%q|%x',
      ['abc', 'abc', 'abc', 'abc', 'a"b', 'hi'],
      'abc|       abc|abc       |ab|"a\\"b"|6869',
    ],
    ['%v %d %s', [stringSlice(['a', 'b']), 'x', 5n], '[a b] %!d(string=x) %!s(int=5)'],
    [
      '%v %+v %T',
      [stringMap([['k', 'v']]), stringMap([['k', 'v']]), stringMap([])],
      'map[k:v] map[k:v] map[string]string',
    ],
    ['%[2]d %[1]d', [1n, 2n], '2 1'],
    ['%d %d', [1n], '1 %!d(MISSING)'],
    ['%d', [1n, 2n], '1%!(EXTRA int=2)'],
    ['%!', [], '%!!(MISSING)'],
    ['%', [], '%!(NOVERB)'],
    ['%v %v', [undefined, true], '<nil> true'],
    ['%*d|%-*d|%.*f', [5n, 42n, 5n, 42n, 2n, 3.14259], '   42|42   |3.14'],
    ['%c %U %q', [8364n, 8364n, 8364n], "€ U+20AC '€'"],
    ['%v %v %v', [Number.NaN, Infinity, -Infinity], 'NaN +Inf -Inf'],
    ['%#v %#v %#v', ['a', 1.0, stringSlice(['x'])], '"a" 1 []string{"x"}'],
  ])('%s', (format, args, wanted) => {
    expect(sprintf(format, args)).toBe(wanted);
  });

  it('never throws on any format', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(...'%|d|s|v|q|x|f|g|+|-|#| |0|1|9|.|*|[|]|2|T|t|é|!'.split('|')), { maxLength: 12 }),
        fc.array(fc.oneof(fc.bigInt(-1000n, 1000n), fc.double(), fc.string(), fc.boolean(), fc.constant(undefined)), {
          maxLength: 4,
        }),
        (parts, args) => typeof sprintf(parts.join(''), args) === 'string',
      ),
      { numRuns: 2_000 },
    );
  });
});

it('puts spaces as Sprint and Sprintln do', () => {
  expect(sprint([1n, 2n, 'a', 'b', 3n, 4n])).toBe('1 2a b3 4'.replace('a b', 'ab'));
  expect(sprintln([1n, 'a', true])).toBe('1 a true\n');
});

describe('numbers', () => {
  it('reads back what the shortest form writes', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (v) => {
        for (const verb of ['g', 'e', 'f']) expect(Number(formatFloat(v, verb, -1))).toBe(v);
      }),
    );
  });

  it('rounds as toExponential does, halves to even on the exact value', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true, min: 1e-300 }), fc.nat(17), (v, digits) => {
        const [mantissa, exponent] = v.toExponential(digits).split('e') as [string, string];
        const [ours, power] = formatFloat(v, 'e', digits).split('e') as [string, string];
        expect(Number(power)).toBe(Number(exponent));
        // ties only may differ: toExponential takes the larger
        if (!v.toExponential(Math.min(digits + 2, 100)).includes('50e')) expect(ours).toBe(mantissa);
      }),
    );
  });
});

it('unquotes what it quotes', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (s) => {
      const clean = s.toWellFormed();
      expect(unquoteGo(quoteGo(clean))).toBe(clean);
      expect(unquoteGo(quoteGo(clean, true))).toBe(clean);
    }),
  );
});

it.each([
  [0n, '0s'],
  [1n, '1ns'],
  [1_500n, '1.5µs'],
  [2_000_000n, '2ms'],
  [1_500_000_000n, '1.5s'],
  [60_000_000_000n, '1m0s'],
  [3_661_500_000_000n, '1h1m1.5s'],
  [-90_000_000_000n, '-1m30s'],
])('writes a duration of %s ns', (ns, wanted) => {
  expect(durationText(ns)).toBe(wanted);
});
