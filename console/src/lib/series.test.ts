import { describe, expect, it } from 'vitest';
import { advance, legendName, mergePart, metricName, summarise, telling, toColumns } from './series.ts';

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
    const step = [
      { metric: { a: '1' }, value: [30, '3'] as const },
      { metric: { a: '3' }, value: [30, '7'] as const },
    ];
    const next = advance(start, 30, 15, step, 15);
    expect(next.times).toEqual([15, 30]);
    expect(next.series.map((s) => s.values)).toEqual([
      [2, 3],
      [9, null],
      [null, 7],
    ]);
  });
  const three = toColumns(
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
  const five = [{ metric: {}, value: [37, '5'] as const }];
  it('ignores what is not new', () => {
    expect(advance(three, 30, 15, five, 0)).toBe(three);
    expect(advance(three, 15, 15, five, 0)).toBe(three);
  });
  it('moves the newest point on until it is a step away from the one before', () => {
    const next = advance(three, 37, 15, five, 0);
    expect(next.times).toEqual([0, 15, 30, 37]);
    expect(advance(next, 42, 15, [{ metric: {}, value: [42, '6'] }], 0).times).toEqual([0, 15, 30, 42]);
    expect(advance(next, 45, 15, five, 0).times).toEqual([0, 15, 30, 37, 45]);
  });
  it('lets a series go that has slid out, and keeps one whose value cannot be drawn', () => {
    const next = advance(three, 60, 15, [{ metric: { b: '1' }, value: [60, 'NaN'] }], 45);
    expect(next).toEqual({ times: [60], series: [{ metric: { b: '1' }, values: [null] }] });
  });
  it('takes a part in between: known series, fresh ones, and one that has ended', () => {
    const part = toColumns(
      [
        { metric: { a: 'fresh' }, values: [[15, '8']] },
        {
          metric: {},
          values: [
            [15, '2.5'],
            [30, '3.5'],
          ],
        },
      ],
      15,
      45,
      15,
    );
    const next = mergePart(three, part, 0);
    expect(next.times).toEqual([0, 15, 30, 45]);
    expect(next.series).toEqual([
      { metric: {}, values: [1, 2.5, 3.5, null] },
      { metric: { a: 'fresh' }, values: [null, 8, null, null] },
    ]);
    const inner = toColumns([], 15, 15, 15);
    expect(mergePart(three, inner, 0).series[0]!.values).toEqual([1, null, 3]);
    expect(mergePart(three, inner, 15).times).toEqual([15, 30]);
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
