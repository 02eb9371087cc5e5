import { expect, test } from 'vitest';
import { lineOf } from './plot-options.ts';

const lines = (count: number, own = {}) =>
  Array.from({ length: count }, (_, i) => lineOf({ name: `s${i}`, values: [1, 2], ...own }, i, '#0067b1', count));

test('few lines are told apart by dashes too, a crowd is drawn thin and plain', () => {
  const few = lines(30);
  expect(few.some((s) => (s.dash ?? []).length > 0)).toBe(true);
  expect(new Set(few.map((s) => s.width))).toEqual(new Set([1.6]));
  const crowd = lines(170);
  expect(crowd.every((s) => (s.dash ?? []).length === 0 && s.width === 1)).toBe(true);
});

test('what a panel asks for stays in a crowd', () => {
  expect(lines(170, { dashed: true, width: 3 }).every((s) => s.width === 3 && s.dash?.length === 2)).toBe(true);
});
