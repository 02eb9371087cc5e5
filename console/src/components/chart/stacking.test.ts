import { describe, expect, it } from 'vitest';
import { stackColumns } from './stacking.ts';

const one = (values: (number | null)[], group = 'A', hidden = false) => ({ values, group, hidden });
const alone = (values: (number | null)[]) => ({ values, group: undefined, hidden: false });

describe('stackColumns', () => {
  it('adds up from the first; a gap counts as nothing', () => {
    const { columns, on } = stackColumns([one([1, 2, 3]), one([10, null, 30]), one([100, 200, 300])], false);
    expect(columns).toEqual([
      [1, 2, 3],
      [11, null, 33],
      [111, 202, 333],
    ]);
    expect(on).toEqual([undefined, 0, 1]);
  });
  it('leaves a hidden series and one of no group out of it', () => {
    const { columns, on } = stackColumns([one([1]), one([10], 'A', true), alone([7]), one([100])], false);
    expect(columns).toEqual([[1], [10], [7], [101]]);
    expect(on).toEqual([undefined, undefined, undefined, 0]);
  });
  it('stacks below zero apart, and groups apart', () => {
    const { columns, on } = stackColumns([one([1]), one([-2]), one([3]), one([-4]), one([5], 'B')], false);
    expect(columns).toEqual([[1], [-2], [4], [-6], [5]]);
    expect(on).toEqual([undefined, undefined, 0, 1, undefined]);
  });
  it('gives shares of what is shown, which end at 1', () => {
    const { columns } = stackColumns([one([1, 0]), one([3, 0]), one([50, 50], 'A', true)], true);
    expect(columns[0]).toEqual([0.25, 0]);
    expect(columns[1]).toEqual([1, 0]);
  });
});
