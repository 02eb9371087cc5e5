import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseHistogram, parseMetric, parseValues } from './series-values.ts';

describe('parseValues', () => {
  it.each([
    ['1 2.5 -3', [1, 2.5, -3]],
    ['1+2x3', [1, 3, 5, 7]],
    ['-5-3x2', [-5, -8, -11]],
    ['4x2', [4, 4, 4]],
    ['_ 1 _x2', [undefined, 1, undefined, undefined]],
    ['stale stalex1', ['stale', 'stale', 'stale']],
    ['Inf -Inf +Inf', [Infinity, -Infinity, Infinity]],
    ['1e3 .5', [1000, 0.5]],
    ['0.1+0.1x2', [0.1, 0.2, 0.1 + 0.1 + 0.1]],
    ['', []],
  ])('%s', (text, wanted) => expect(parseValues(text)).toEqual(wanted));

  it.each(['one', '1 + 2x3', '0x10 1x', '1+x3', 'stale+1x2', '_x', '{{schema:0', '1x99999999999'])(
    'refuses %s',
    (text) => {
      if (text === '0x10 1x') expect(() => parseValues(text)).toThrow();
      else expect(() => parseValues(text)).toThrow(/bad|not |more than|without|stale|at most/);
    },
  );

  it('reads native histograms and sequences of them', () => {
    const [a, b, c] = parseValues(
      '{{schema:1 count:3 sum:4 buckets:[1 2] offset:-1}}+{{schema:1 count:1 sum:1 buckets:[0 1] offset:-1}}x2',
    );
    expect([a, b, c]).toMatchObject([
      { count: 3, sum: 4, positiveBuckets: [1, 2], positiveSpans: [{ offset: -1, length: 2 }] },
      { count: 4, sum: 5, positiveBuckets: [1, 3] },
      { count: 5, sum: 6, positiveBuckets: [1, 4] },
    ]);
    expect(parseHistogram('{{schema:-53 custom_values:[1 2] buckets:[1 2 3] counter_reset_hint:gauge}}')).toMatchObject(
      {
        schema: -53,
        customValues: [1, 2],
        counterResetHint: 'gauge',
      },
    );
    expect(() => parseHistogram('{{schema:1 schema:2}}')).toThrow('duplicate key');
    expect(() => parseHistogram('{{colour:1}}')).toThrow('bad histogram descriptor');
  });

  it('never fails in another way than by naming what is wrong', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'0123456789.x+-_ eInfNaNstl{}[]:schemabuckets') }), (text) => {
        try {
          parseValues(text);
        } catch (error) {
          expect(error).toMatchObject({ code: 'bad_data' });
        }
      }),
    );
  });
});

describe('parseMetric', () => {
  it.each([
    ['x', { __name__: 'x' }],
    ['x{a="b", c=\'d\'}', { __name__: 'x', a: 'b', c: 'd' }],
    ['{}', {}],
    ['{"with space", a="b"}', { __name__: 'with space', a: 'b' }],
    ['{"x.y"="z"}', { 'x.y': 'z' }],
    ['x{a=""}', { __name__: 'x' }],
    ['x{a="}{,="}', { __name__: 'x', a: '}{,=' }],
  ])('%s', (text, wanted) => expect(parseMetric(text).toObject()).toEqual(wanted));

  it.each(['', 'x{', 'x{a}', 'x{a="b" c="d"}', 'x{a="1",a="2"}', '1x', 'x y'])('refuses %j', (text) =>
    expect(() => parseMetric(text)).toThrow(),
  );
});
