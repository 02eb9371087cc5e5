// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the subject is text with such placeholders
import { describe, expect, it } from 'vitest';
import { withFilters } from './ad-hoc-filters.ts';
import { fieldConfig } from './fields.ts';
import { reportOn } from './import-report.ts';
import { LIBRARY_PANEL, migrate } from './migrate.ts';
import type { Dashboard, Panel } from './model.ts';
import { panelAnswer, shape } from './panel-answer.ts';
import { ownRange, panelRange, shifted } from './panel-range.ts';
import { type Frame, transform } from './transformations.ts';

describe('withFilters', () => {
  const filters = [{ key: 'host', operator: '=~', value: 'a"|b' }];
  const put = 'host=~"a\\"|b"';
  it.each([
    ['up', `up{${put}}`],
    ['rate(a{b="}"}[5m]) / on (x) c{}', `rate(a{b="}", ${put}}[5m]) / on (x) c{${put}}`],
    ['up offset 5m', `up{${put}} offset 5m`],
    ['max_over_time(up[1h:5m])', `max_over_time(up{${put}}[1h:5m])`],
    ['a{b="c",}', `a{b="c",${put}}`],
    ['{"a.b"}', `{"a.b", ${put}}`],
    ['vector(1)', 'vector(1)'],
    ['sum(', 'sum('],
  ])('%s', (expr, want) => expect(withFilters(expr, filters)).toBe(want));
  it('quotes names that are no plain ones, and leaves unknown operators out', () => {
    expect(withFilters('up', [{ key: 'a.b', operator: '=', value: 'x' }])).toBe('up{"a.b"="x"}');
    expect(withFilters('up', [{ key: 'a', operator: '<', value: '3' }])).toBe('up');
  });
});

describe('a panel’s own time', () => {
  const panel = (own: Partial<Panel>): Panel => ({ type: 'timeseries', ...own });
  const relative = { from: 'now-6h', to: 'now' };
  const H = 3_600_000;
  it.each([
    [{ timeFrom: '2h' }, relative, [8 * H, 10 * H]],
    [{ timeFrom: '2h', timeShift: '1h' }, relative, [7 * H, 9 * H]],
    [{ timeShift: '1h' }, relative, [3 * H, 9 * H]],
    [{ timeFrom: '2h' }, { from: '1970-01-01T02:00:00Z', to: '1970-01-01T04:00:00Z' }, [2 * H, 4 * H]],
    [{ timeFrom: 'nonsense' }, relative, [4 * H, 10 * H]],
    [{ timeFrom: '$w' }, relative, [9 * H, 10 * H]],
  ])('%o over %o', (own, range, [startMs, endMs]) => {
    const r = panelRange(panel(own), range, { w: { values: ['1h'] } });
    expect(shifted(r, 10 * H, true)).toEqual({ startMs, endMs });
  });
  it('reads beginnings too', () => {
    expect(ownRange('now/d')).toEqual({ from: 'now/d', to: 'now' });
    expect(ownRange('yesterday')).toBeUndefined();
  });
});

describe('panelAnswer and shape', () => {
  const columns = (times: number[], ...values: (number | null)[][]) => ({
    times,
    series: values.map((v, i) => ({ metric: { i: String(i) }, values: v })),
  });
  it('puts queries of different steps on one axis', () => {
    const got = panelAnswer([
      { refId: 'A', columns: columns([0, 10, 20], [1, 2, 3]) },
      { refId: 'B', legend: 'b', columns: columns([0, 20], [7, 9]) },
    ]);
    expect(got.times).toEqual([0, 10, 20]);
    expect(got.series.map((s) => [s.name, s.values])).toEqual([
      ['{i="0"}', [1, 2, 3]],
      ['b', [7, null, 9]],
    ]);
  });
  it('draws what the transformations make', () => {
    const answer = panelAnswer([{ refId: 'A', columns: columns([0, 10], [1, 2], [3, 6]) }]);
    const got = shape(answer, [
      { id: 'joinByField', options: { byField: 'Time' } },
      {
        id: 'calculateField',
        options: {
          mode: 'binary',
          binary: { left: '1', operator: '/', right: '0' },
          alias: 'ratio',
          replaceFields: true,
        },
      },
    ]);
    expect(got.times).toEqual([0, 10]);
    expect(got.series.map((s) => [s.name, s.values])).toEqual([['ratio', [3, 3]]]);
  });
});

const frame = (refId: string, columns: Record<string, (string | number | null)[]>): Frame => ({
  refId,
  fields: Object.entries(columns).map(([name, values]) => ({
    name,
    values,
    type: name === 'Time' ? 'time' : typeof values.find((v) => v !== null) === 'number' ? 'number' : 'string',
  })),
});
const plain = (frames: readonly Frame[]): Record<string, unknown>[] =>
  frames.map((f) => Object.fromEntries(f.fields.map((x) => [x.name, x.values])));

describe('transformations of rows', () => {
  const hosts = frame('A', { host: ['x', 'y', 'z'], load: [1, 5, null] });
  const filter = (id: string, value: unknown, more: object = {}): object => ({
    type: 'include',
    match: 'any',
    filters: [{ fieldName: 'load', config: { id, options: { value } } }],
    ...more,
  });
  it.each([
    ['filterByValue', [hosts], filter('greater', 2), [{ host: ['y'], load: [5] }]],
    ['filterByValue', [hosts], filter('greater', 2, { type: 'exclude' }), [{ host: ['x', 'z'], load: [1, null] }]],
    ['filterByValue', [hosts], filter('isNull', undefined), [{ host: ['z'], load: [null] }]],
    [
      'filterByValue',
      [hosts],
      {
        type: 'include',
        match: 'all',
        filters: [
          { fieldName: 'load', config: { id: 'lowerOrEqual', options: { value: 5 } } },
          { fieldName: 'host', config: { id: 'regex', options: { value: '^[yz]' } } },
        ],
      },
      [{ host: ['y'], load: [5] }],
    ],
    ['filterByValue', [hosts], filter('notHeardOf', 2), [{ host: ['x', 'y', 'z'], load: [1, 5, null] }]],
    ['concatenate', [frame('A', { a: [1] }), frame('B', { b: [2] })], {}, [{ a: [1], b: [2] }]],
    [
      'convertFieldType',
      [frame('A', { v: ['1', 'x', ''] })],
      { conversions: [{ targetField: 'v', destinationType: 'number' }] },
      [{ v: [1, null, null] }],
    ],
    ['rowsToFields', [frame('A', { k: ['cpu', 'ram'], v: [1, 2] })], {}, [{ cpu: [1], ram: [2] }]],
    [
      'groupingToMatrix',
      [frame('A', { r: ['a', 'a', 'b'], c: ['x', 'y', 'x'], v: [1, 2, 3] })],
      { rowField: 'r', columnField: 'c', valueField: 'v' },
      [{ 'r\\c': ['a', 'b'], x: [1, 3], y: [2, null] }],
    ],
    [
      'partitionByValues',
      [frame('A', { zone: ['n', 's', 'n'], v: [1, 2, 3] })],
      { fields: ['zone'] },
      [{ 'v n': [1, 3] }, { 'v s': [2] }],
    ],
    ['transpose', [frame('A', { k: ['a', 'b'], v: [1, 2] })], {}, [{ Field: ['v'], a: [1], b: [2] }]],
  ])('%s', (id, frames, options, want) =>
    expect(plain(transform(frames, [{ id, options: options as never }]))).toEqual(want),
  );
  it('leaves frames alone that a step is not for', () =>
    expect(
      plain(
        transform(
          [hosts, frame('B', { v: [1, 2] })],
          [{ id: 'limit', options: { limitField: 1 }, filter: { id: 'byRefId', options: 'B' } }],
        ),
      ),
    ).toEqual([{ v: [1] }, { host: ['x', 'y', 'z'], load: [1, 5, null] }]));
});

it('overrides by value look at the whole series', () => {
  const panel: Panel = {
    type: 'timeseries',
    fieldConfig: {
      overrides: [
        {
          matcher: { id: 'byValue', options: { reducer: 'max', op: 'gte', value: 5 } },
          properties: [{ id: 'unit', value: 'bytes' }],
        },
      ],
    },
  };
  expect(fieldConfig(panel, 'a', 'A', 'number', [1, 6, 2]).unit).toBe('bytes');
  expect(fieldConfig(panel, 'a', 'A', 'number', [1, 4]).unit).toBeUndefined();
});

describe('queries for other programs', () => {
  const dashboard = (targets: object[], more: object = {}): Dashboard =>
    ({ title: 't', panels: [{ id: 1, type: 'timeseries', title: 'P', targets }], ...more }) as Dashboard;
  it.each([
    [[{ refId: 'A', expr: '{app="x"} |= "y"', datasource: { type: 'loki', uid: 'l' } }], {}, 'loki'],
    [
      [{ refId: 'A', expr: '{app="x"}', datasource: '${DS_LOGS}' }],
      { __inputs: [{ name: 'DS_LOGS', pluginId: 'loki' }] },
      'loki',
    ],
    [[{ refId: 'A', expr: 'x', datasource: 'Elasticsearch prod' }], {}, 'elastic'],
    [
      [{ refId: 'A', expr: 'x', datasource: { uid: '$source' } }],
      { templating: { list: [{ name: 'source', type: 'datasource', query: 'tempo' }] } },
      'tempo',
    ],
  ])('%o', (targets, more, kind) => {
    expect(reportOn(dashboard(targets, more))).toEqual([`panel "P": query A is for ${kind}, not PromQL`]);
    expect(migrate(dashboard(targets, more)).dashboard.panels![0]!.targets![0]!.expr).toBeUndefined();
  });
  it.each([
    [{ type: 'prometheus', uid: 'p' }],
    ['Prometheus'],
    [{ uid: '${DS_PROMETHEUS}' }],
    [{ type: 'datasource', uid: '-- Mixed --' }],
    [undefined],
    [null],
  ])('PromQL of %o', (datasource) => expect(reportOn(dashboard([{ refId: 'A', expr: 'up', datasource }]))).toEqual([]));
});

describe('library panels', () => {
  const panel = { id: 4, gridPos: { x: 0, y: 0, w: 6, h: 4 }, libraryPanel: { uid: 'lib', name: 'Shared' } } as Panel;
  it('come with an export', () => {
    const model: Panel = { type: 'stat', title: 'Up', targets: [{ expr: 'up' }] };
    const got = migrate({ title: 't', panels: [panel], __elements: { lib: { model } } });
    expect(got.dashboard.panels![0]).toMatchObject({ id: 4, type: 'stat', title: 'Up', gridPos: panel.gridPos });
    expect(reportOn({ title: 't', panels: [panel], __elements: { lib: { model } } })).toEqual([]);
  });
  it('are named where they do not', () => {
    expect(migrate({ title: 't', panels: [panel] }).dashboard.panels![0]!.type).toBe(LIBRARY_PANEL);
    expect(reportOn({ title: 't', panels: [panel] })[0]).toContain('panel "Shared": a library panel');
  });
});
