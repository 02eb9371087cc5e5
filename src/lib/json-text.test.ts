import fc from 'fast-check';
import { expect, it } from 'vitest';
import { jsonString } from './json-text.ts';

it('is what JSON.stringify says of any string (property)', () => {
  for (const text of [
    '',
    'host-1:9100',
    'é ü 漢',
    '\u007f\u2028\u2029',
    '"',
    '\\',
    '\n',
    '\u0000',
    '😀',
    '\ud83d',
    '\ude00x',
  ])
    expect(jsonString(text)).toBe(JSON.stringify(text));
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string({ unit: 'binary' }),
        fc.array(fc.nat(0xffff)).map((c) => String.fromCharCode(...c)),
      ),
      (text) => {
        expect(jsonString(text)).toBe(JSON.stringify(text));
      },
    ),
    { numRuns: 2_000 },
  );
});
