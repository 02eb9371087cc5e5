import { describe, expect, it } from 'vitest';
import { formatAgo, formatValue } from './format-value.ts';

describe('formatValue', () => {
  it.each([
    [1234, 'short', '1.234 K'],
    [0, 'short', '0'],
    [1536, 'bytes', '1.5 KiB'],
    [1_500_000, 'Bps', '1.5 MB/s'],
    [2048, 'kbytes', '2 MiB'],
    [0.5, 'percentunit', '50 %'],
    [12.345, 'percent', '12.3 %'],
    [0.0123, 's', '12.3 ms'],
    [90, 's', '1.5 min'],
    [250, 'ms', '250 ms'],
    [1e-7, 's', '100 ns'],
    [86_400 * 3, 's', '3 d'],
    [7, 'reqps', '7 req/s'],
    [1, 'bool_yes_no', 'yes'],
    [0, 'bool_on_off', 'off'],
    [255, 'hex', 'ff'],
    [3, 'suffix:things', '3 things'],
    [3, 'prefix:~', '~3'],
    [5, 'mystery', '5 mystery'],
    [21.5, 'celsius', '21.5 °C'],
  ])('%d %s', (value, unit, want) => expect(formatValue(value, { unit })).toBe(want));
  it('speaks the language', () => {
    expect(formatValue(1234.5, { unit: 'none', locale: 'de' })).toBe('1.235');
    expect(formatValue(1.5, { unit: 'short', locale: 'fr', decimals: 2 })).toBe('1,50');
  });
  it.each([
    [null, '–'],
    [Number.NaN, '–'],
    [Number.POSITIVE_INFINITY, '+∞'],
    [Number.NEGATIVE_INFINITY, '−∞'],
  ])('%s', (value, want) => expect(formatValue(value, { unit: 'bytes' })).toBe(want));
  it('says how long ago', () => {
    expect(formatAgo(0, 180_000, 'en')).toBe('3 min. ago');
    expect(formatAgo(0, 2 * 86_400_000, 'de')).toBe('vorgestern');
  });
});
