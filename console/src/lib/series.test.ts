import { describe, expect, it } from 'vitest';
import { appendStep, legendName, metricName, summarise, telling, toColumns } from './series.ts';

describe('columns', () => {
  it('keeps gaps, and puts points on the grid', () => {
    const columns = toColumns(
      [
        {
          metric: { a: '1' },
          values: [
            [0, '1'],
            [30, 'NaN'],
            [45, '4'],
          ],
        },
      ],
      0,
      60,
      15,
    );
    expect(columns.times).toEqual([0, 15, 30, 45, 60]);
    expect(columns.series[0]!.values).toEqual([1, null, null, 4, null]);
  });
  it('advances by a live step: the oldest leaves, new series start with gaps, lost ones end', () => {
    const start = toColumns(
      [
        {
          metric: { a: '1' },
          values: [
            [0, '1'],
            [15, '2'],
          ],
        },
        { metric: { a: '2' }, values: [[15, '9']] },
      ],
      0,
      15,
      15,
    );
    const next = appendStep(start, 30, 15, [
      { metric: { a: '1' }, value: [30, '3'] },
      { metric: { a: '3' }, value: [30, '7'] },
    ]);
    expect(next.times).toEqual([15, 30]);
    expect(next.series.map((s) => s.values)).toEqual([
      [2, 3],
      [9, null],
      [null, 7],
    ]);
  });
  it('fills missed steps with gaps, and ignores what is old', () => {
    const start = toColumns(
      [
        {
          metric: {},
          values: [
            [0, '1'],
            [15, '2'],
            [30, '3'],
          ],
        },
      ],
      0,
      30,
      15,
    );
    expect(appendStep(start, 60, 15, [{ metric: {}, value: [60, '5'] }]).series[0]!.values).toEqual([3, null, 5]);
    expect(appendStep(start, 30, 15, [])).toBe(start);
    expect(appendStep(start, 15, 15, [])).toBe(start);
  });
  it('survives a jump longer than the window', () => {
    const start = toColumns(
      [
        {
          metric: {},
          values: [
            [0, '1'],
            [15, '2'],
          ],
        },
      ],
      0,
      15,
      15,
    );
    const next = appendStep(start, 15_000, 15, [{ metric: {}, value: [15_000, '5'] }]);
    expect(next.times).toEqual([14_985, 15_000]);
    expect(next.series[0]!.values).toEqual([null, 5]);
  });
});

describe('names', () => {
  it('writes metrics and legends', () => {
    expect(metricName({ __name__: 'up', job: 'a"b' })).toBe('up{job="a\\"b"}');
    expect(metricName({})).toBe('{}');
    expect(legendName('{{ job }}/{{gone}}', { job: 'x' })).toBe('x/');
  });
  it('finds what tells series apart', () => {
    expect(
      telling([
        { a: '1', b: 'x' },
        { a: '2', b: 'x' },
      ]),
    ).toEqual([{ a: '1' }, { a: '2' }]);
    expect(telling([{ a: '1' }])).toEqual([{}]);
  });
  it('summarises', () =>
    expect(summarise([null, 2, 4, null])).toEqual({ first: 2, last: 4, min: 2, max: 4, avg: 3, sum: 6, count: 2 }));
});
