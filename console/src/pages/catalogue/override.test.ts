import { describe, expect, it } from 'vitest';
import type { PackAnswer, PackParameter } from '../../../../src/http/contract/catalogue.ts';
import { fieldValue, shownValue, withParameter, withRule } from './override.ts';

const number: PackParameter = { name: 'n', type: 'number', help: '', default: 1, value: 2, usedBy: [] };

describe('changes to a pack', () => {
  it('come and go without leaving empty parts', () => {
    const one = withParameter({}, number, 3);
    expect(one).toEqual({ parameters: { n: 3 } });
    expect(withParameter(one, number, undefined)).toEqual({});
    const off = withRule(one, 'R', { enabled: false });
    expect(off).toEqual({ parameters: { n: 3 }, rules: { R: { enabled: false } } });
    expect(withRule(off, 'R', { enabled: undefined, for: '5m' }).rules).toEqual({ R: { for: '5m' } });
    expect(withRule(withRule(off, 'R', { for: '' }), 'R', { enabled: undefined })).toEqual({ parameters: { n: 3 } });
  });
  it.each([
    ['', undefined],
    [' 0,5 ', 0.5],
    ['1e3', 1000],
    ['many', 'many'],
  ])('a number field of %j is %j', (text, value) => expect(fieldValue(number, text)).toBe(value));
  it('shows what is being changed, then what is in force', () => {
    const pack = { override: {} } as PackAnswer;
    expect(shownValue(pack, {}, number)).toBe('2');
    expect(shownValue(pack, { parameters: { n: 7 } }, number)).toBe('7');
  });
});
