import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileMatcher } from './matcher.ts';
import { COMPILED_KEPT_MAX, compileRe2, PATTERN_LENGTH_MAX } from './re2.ts';

const anchored = { anchored: true } as const;

describe('compileRe2', () => {
  it.each([
    ['abc', 'abc', true],
    ['abc', 'xabc', false],
    ['a|b|', '', true],
    ['a|b', 'ab', false],
    ['(?:api|web)', 'web', true],
    ['(api|web)', 'apiweb', false],
    ['.*', 'x\ny', true],
    ['.+', '', false],
    ['.+', '\n', true],
    ['api-.*', 'api-', true],
    ['api-.+', 'api-', false],
    ['.*-prod', 'x-prod', true],
    ['.*err.*', 'an error', true],
    ['node_(cpu|mem).*', 'node_mem_total', true],
    ['node_(cpu|mem).*', 'node_disk', false],
    ['a\\.b', 'a.b', true],
    ['a\\.b', 'axb', false],
    ['5..', '503', true],
    ['(?i)ERR', 'err', true],
    ['a|b.*', 'bcd', true],
    ['a[)]|b', 'b', true],
    ['a(b|[)])|c', 'c', true],
    ['^abc$', 'abc', true],
    ['\\d+', '42', true],
    ['\\pL+', 'é', true],
  ])('anchored %j on %j is %j', (pattern, text, expected) => {
    expect(compileRe2(pattern, anchored).test(text)).toBe(expected);
  });

  it('agrees with the native engine on a safe subset, anchored and not', () => {
    const piece = fc.constantFrom('a', 'b', 'ab', '.', '.*', '.+', '(a|b)', '[ab]', 'a?', 'b*', '\\.', '(?:ab)+', 'c');
    const pattern = fc
      .array(fc.array(piece, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 3 })
      .map((alts) => alts.map((a) => a.join('')).join('|'));
    const text = fc.array(fc.constantFrom('a', 'b', 'c', '.', '\n'), { maxLength: 7 }).map((t) => t.join(''));
    fc.assert(
      fc.property(pattern, text, (p, t) => {
        expect(compileRe2(p, anchored).test(t)).toBe(new RegExp(`^(?:${p})$`, 's').test(t));
        expect(compileRe2(p).test(t)).toBe(new RegExp(p).test(t));
      }),
      { numRuns: 3_000 },
    );
  });

  it('is linear where a backtracking engine is not', () => {
    const bomb = `${'a'.repeat(5_000)}!`;
    expect(compileRe2('(a+)+', anchored).test(bomb)).toBe(false);
    expect(compileRe2('(a|aa)+$').test(bomb)).toBe(false);
    expect(compileRe2('(.*)*x').test(bomb)).toBe(false);
  });

  it.each([
    ['a(', /missing closing \)/],
    ['a)(b', /invalid regular expression "a\)\(b"/],
    ['(a)\\1', /invalid regular expression/],
    ['(?=a)', /invalid regular expression/],
    ['a{5000}', /invalid regular expression/],
    ['x'.repeat(PATTERN_LENGTH_MAX + 1), /at most 8192/],
  ])('refuses %.20j', (pattern, message) => {
    expect(() => compileRe2(pattern, anchored)).toThrow(message);
  });

  it('bounds compiled programs and its cache', () => {
    expect(() => compileRe2('((((a{10}){10}){10}){10}){10}', anchored)).toThrow(
      /invalid regular expression|too complex/,
    );
    for (let i = 0; i < COMPILED_KEPT_MAX + 10; i++) compileRe2(`p${i}`, anchored);
    expect(compileRe2('p1', anchored).test('p1')).toBe(true);
  });

  it.each([
    ['(.*)-(\\d+)', 'api-42', '$2/$1', '42/api'],
    ['(?P<name>.*)-(\\d+)', 'api-42', '${name}_x', 'api_x'],
    ['(.*)-(\\d+)', 'api-42', '$1x', ''],
    ['(.*)-(\\d+)', 'api-42', '${1}x$$', 'apix$'],
    ['(a)|(b)', 'b', '[$1][$2]', '[][b]'],
    ['nope', 'x', 'y', undefined],
  ])('expands %j on %j by %j', (pattern, text, template, expected) => {
    expect(compileRe2(pattern, anchored).expand(text, template)).toBe(expected);
  });

  it.each([
    ['a(x*)b', '-ab-axxb-', 'T', '-T-T-'],
    ['a(x*)b', '-ab-axxb-', '$1', '--xx-'],
    ['x*', 'abc', '-', '-a-b-c-'],
    ['b*', 'abc', '-', '-a-c-'],
    ['\\s+', 'a  b c', ' ', 'a b c'],
  ])('replaces %j in %j by %j', (pattern, text, template, expected) => {
    expect(compileRe2(pattern).replaceAll(text, template)).toBe(expected);
  });
});

describe('compileMatcher', () => {
  it('tells an index what it can use, and tests absent labels as empty', () => {
    expect(compileMatcher({ name: 'a', op: '=~', value: 'x|y' }).literals).toEqual(['x', 'y']);
    expect(compileMatcher({ name: 'a', op: '=~', value: 'x.*' })).toMatchObject({ prefix: 'x' });
    expect(compileMatcher({ name: 'a', op: '=~', value: 'xa.*|xb' }).prefix).toBe('');
    expect(compileMatcher({ name: 'a', op: '!~', value: 'x|y' }).literals).toBeUndefined();
    expect(compileMatcher({ name: 'a', op: '!~', value: '.+' }).matches('')).toBe(true);
    expect(compileMatcher({ name: 'a', op: '!=', value: '' }).matches('')).toBe(false);
  });

  it('never names a literal or prefix that the expression contradicts', () => {
    const pattern = fc
      .array(fc.constantFrom('a', 'b', '|', '.*', '.', '(', ')', '\\.', '[ab]', '[)]', '[(]', '?'), { maxLength: 8 })
      .map((p) => p.join(''));
    fc.assert(
      fc.property(pattern, fc.array(fc.constantFrom('a', 'b', '.'), { maxLength: 4 }), (p, chars) => {
        let m: ReturnType<typeof compileMatcher>;
        try {
          m = compileMatcher({ name: 'x', op: '=~', value: p });
        } catch {
          return;
        }
        const text = chars.join('');
        if (!m.matches(text)) return;
        expect(text.startsWith(m.prefix!)).toBe(true);
        if (m.literals) expect(m.literals).toContain(text);
      }),
      { numRuns: 3_000 },
    );
  });
});
