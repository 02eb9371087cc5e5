/** Texts to trees and back, what is refused and where, and that an injected matcher reaches every selector. */
import { describe, expect, it } from 'vitest';
import { children, type Expr, injectMatchers } from './ast.ts';
import { FEATURES, type Feature } from './function-table.ts';
import { parse } from './parse.ts';
import { print } from './print.ts';

const features = new Set<Feature>(FEATURES);

describe('parse', () => {
  it.each([
    ['sum by (a) (rate(x{a="b","c"!="d"}[5m] offset -5m))', 'sum by (a) (rate(x{a="b",c!="d"}[5m] offset -5m))'],
    ['-1^2', '-1 ^ 2'],
    ['{"foo bar", x="y"}', '{__name__="foo bar",x="y"}'],
    ['foo{b="1",a="2"}', 'foo{a="2",b="1"}'],
    ['5. + 5.e3', '5 + 5000'],
    ['foo[5m:] @ end()', 'foo[5m:] @ end()'],
    ['rate(foo[max_of(1m,step())])', 'rate(foo[max_of(1m, step())])'],
    ['a + b offset 5m', 'a + b offset 5m'],
    ['foo+fill(0)bar', 'foo + fill (0) bar'],
  ])('%s', (text, wanted) => {
    expect(print(parse(text, { features }))).toBe(wanted);
  });

  it.each([
    ['a or b @ end() unless c', 'or'],
    ['a + b offset 5m * c', '+'],
    ['a ^ b offset 1m ^ c', '^'],
  ])('%s binds as without the modifier', (text, top) => {
    const e = parse(text);
    expect(e.kind === 'binary' && e.op).toBe(top);
    expect(e.kind === 'binary' && e.left.kind).toBe('selector');
  });

  it.each([
    ['foo bar', '1:5: parse error: unexpected identifier "bar"'],
    ['sum(', '1:5: parse error: unclosed left parenthesis'],
    ['\n unknownf(x)', '2:2: parse error: unknown function with name "unknownf"'],
    ['1==1', '1:2: parse error: comparisons between scalars must use BOOL modifier'],
    ['abs(1)', '1:5: parse error: expected type instant vector in call to function "abs", got scalar'],
    ['{}', '1:1: parse error: vector selector must contain at least one non-empty matcher'],
    ['', 'unknown position: parse error: no expression found in input'],
  ])('refuses %j', (text, message) => {
    expect(() => parse(text)).toThrow(message);
  });

  it('injects a matcher into every selector, ranges and subqueries included', () => {
    const e = injectMatchers(parse('rate(a[5m]) + max_over_time(sum(b)[5m:1m]) / topk(scalar(c), {d="e"})'), [
      { name: 't', op: '=', value: '1' },
    ]);
    let selectors = 0;
    const visit = (x: Expr): void => {
      if (x.kind === 'selector') {
        selectors++;
        expect(x.matchers.at(-1)).toEqual({ name: 't', op: '=', value: '1' });
      }
      children(x).forEach(visit);
    };
    visit(e);
    expect(selectors).toBe(4);
  });

  it('refuses a query that nests too deeply instead of exhausting the stack', () => {
    expect(() => parse(`${'('.repeat(1_000)}a${')'.repeat(1_000)}`)).toThrow(/nests deeper/);
  });
});
