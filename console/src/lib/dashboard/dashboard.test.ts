// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the subject is text with such placeholders
import { describe, expect, it } from 'vitest';
import { fieldConfig, show } from './fields.ts';
import { importDashboard } from './import-report.ts';
import { builtInValues, interpolate, variableQuery } from './interpolate.ts';
import { markdownLite } from './markdown-lite.ts';
import { migrate } from './migrate.ts';
import { type Dashboard, layOut, type Panel } from './model.ts';
import { type Frame, transform } from './transformations.ts';

describe('interpolate', () => {
  const values = {
    job: { values: ['api'] },
    host: { values: ['a.b', 'c'] },
    all: { values: ['x', 'y'], allValue: '.*' },
  };
  it.each([
    ['up{job="$job"}', 'up{job="api"}'],
    ['up{host=~"$host"}', 'up{host=~"(a\\\\.b|c)"}'],
    ['up{host=~"${host:regex}"}', 'up{host=~"(a\\.b|c)"}'],
    ['${host:csv}|${host:pipe}|${host:json}', 'a.b,c|a.b|c|["a.b","c"]'],
    ['${host:glob} ${host:singlequote} ${host:doublequote}', '{a.b,c} \'a.b\',\'c\' "a.b","c"'],
    ['[[job]] [[host:csv]]', 'api a.b,c'],
    ['x{h=~"$all"} ${all:text}', 'x{h=~".*"} x + y'],
    ['label_replace(x, "a", "$1", "b", "$unknown")', 'label_replace(x, "a", "$1", "b", "$unknown")'],
    ['${host:queryparam}', 'var-host=a.b&var-host=c'],
  ])('%s', (text, want) => expect(interpolate(text, values)).toBe(want));
  it('keeps quotes in a value inside its string', () =>
    expect(interpolate('{a="$v"}', { v: { values: ['x"} or {'] } })).toBe('{a="x\\"} or {"}'));
  it('knows the intervals', () => {
    const built = builtInValues({
      interval: '15s',
      intervalMs: 15_000,
      rateInterval: '1m',
      startMs: 0,
      endMs: 3_600_000,
      dashboard: 'd',
      tenant: 't',
    });
    expect(interpolate('rate(x[$__rate_interval]) [$__interval] [$__range] $__range_s', built)).toBe(
      'rate(x[1m]) [15s] [3600s] 3600',
    );
  });
});

describe('variableQuery', () => {
  it.each([
    ['label_values(job)', { kind: 'label_values', label: 'job' }],
    ['label_values(up{a="b,c"}, instance)', { kind: 'label_values', match: 'up{a="b,c"}', label: 'instance' }],
    ['metrics(node_.*)', { kind: 'metrics', pattern: 'node_.*' }],
    ['query_result(topk(3, up))', { kind: 'query_result', expr: 'topk(3, up)' }],
    ['label_names()', { kind: 'label_names' }],
    ['up{a="b"}', { kind: 'series', match: 'up{a="b"}' }],
    ['', undefined],
  ])('%s', (text, want) => expect(variableQuery(text)).toEqual(want));
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

describe('transform', () => {
  const a = frame('A', { Time: [1, 1], host: ['x', 'y'], 'Value #A': [3, 1] });
  const b = frame('B', { Time: [1, 1], host: ['y', 'z'], 'Value #B': [7, 8] });
  const cases: [string, Frame[], object, Record<string, unknown>[]][] = [
    [
      'merge',
      [a, b],
      {},
      [{ Time: [1, 1, 1], host: ['x', 'y', 'z'], 'Value #A': [3, 1, null], 'Value #B': [null, 7, 8] }],
    ],
    [
      'organize',
      [a],
      { excludeByName: { Time: true }, indexByName: { 'Value #A': 0, host: 1 }, renameByName: { host: 'Host' } },
      [{ 'Value #A': [3, 1], Host: ['x', 'y'] }],
    ],
    ['filterFieldsByName', [a], { include: { pattern: '/^Value/' } }, [{ 'Value #A': [3, 1] }]],
    ['filterFieldsByName', [a], { exclude: { names: ['Time'] } }, [{ host: ['x', 'y'], 'Value #A': [3, 1] }]],
    ['sortBy', [a], { sort: [{ field: 'Value #A' }] }, [{ Time: [1, 1], host: ['y', 'x'], 'Value #A': [1, 3] }]],
    [
      'reduce',
      [frame('A', { Time: [1, 2], m: [3, 5] })],
      { reducers: ['max', 'mean'] },
      [{ Field: ['m'], Max: [5], Mean: [4] }],
    ],
    [
      'calculateField',
      [frame('A', { p: [6, 8], q: [2, 4] })],
      { mode: 'binary', binary: { left: 'p', operator: '/', right: 'q' }, alias: 'r' },
      [{ p: [6, 8], q: [2, 4], r: [3, 2] }],
    ],
    [
      'calculateField',
      [frame('A', { p: [6], q: [2] })],
      { mode: 'reduceRow', reduce: { reducer: 'sum' } },
      [{ p: [6], q: [2], Total: [8] }],
    ],
    [
      'joinByField',
      [frame('A', { Time: [1, 2], m: [1, 2] }), frame('B', { Time: [2, 3], n: [5, 6] })],
      { byField: 'Time' },
      [{ Time: [1, 2, 3], m: [1, 2, null], n: [null, 5, 6] }],
    ],
    [
      'seriesToRows',
      [frame('A', { Time: [1, 2], m: [3, 4] })],
      {},
      [{ Time: [2, 1], Metric: ['m', 'm'], Value: [4, 3] }],
    ],
    [
      'groupBy',
      [frame('A', { host: ['x', 'x', 'y'], v: [1, 2, 3] })],
      { fields: { host: { operation: 'groupby' }, v: { operation: 'aggregate', aggregations: ['sum'] } } },
      [{ host: ['x', 'y'], 'v (sum)': [3, 3] }],
    ],
    ['unheardOf', [frame('A', { m: [1] })], {}, [{ m: [1] }]],
  ];
  it.each(cases)('%s', (id, frames, options, want) =>
    expect(plain(transform(frames, [{ id, options: options as never }]))).toEqual(want),
  );
  it('leaves out what is switched off', () =>
    expect(transform([a], [{ id: 'organize', disabled: true, options: { excludeByName: { host: true } } }])).toEqual([
      a,
    ]));
});

describe('fields', () => {
  const panel: Panel = {
    type: 'stat',
    fieldConfig: {
      defaults: {
        unit: 'percent',
        thresholds: {
          mode: 'absolute',
          steps: [
            { color: 'green', value: null },
            { color: 'red', value: 80 },
          ],
        },
        mappings: [
          { type: 'value', options: { '0': { text: 'none', color: 'gray' } } },
          { type: 'range', options: { from: 99, to: null, result: { text: 'full' } } },
          { type: 'special', options: { match: 'null', result: { text: 'n/a' } } },
        ],
      },
      overrides: [
        {
          matcher: { id: 'byRegexp', options: '/^disk/' },
          properties: [
            { id: 'unit', value: 'bytes' },
            { id: 'custom.width', value: 3 },
          ],
        },
      ],
    },
  };
  it('applies overrides', () => {
    expect(fieldConfig(panel, 'cpu').unit).toBe('percent');
    expect(fieldConfig(panel, 'disk a')).toMatchObject({ unit: 'bytes', custom: { width: 3 } });
  });
  it.each([
    [50, { text: '50 %', colour: 'green' }],
    [85, { text: '85 %', colour: 'red' }],
    [0, { text: 'none', colour: 'gray' }],
    [99.5, { text: 'full', colour: 'red' }],
    [null, { text: 'n/a' }],
  ])('%s', (value, want) => expect(show(value, fieldConfig(panel, 'cpu'), 'en')).toEqual(want));
});

describe('layout', () => {
  const dashboard: Dashboard = {
    title: 'x',
    panels: [
      {
        id: 1,
        type: 'row',
        title: 'r',
        collapsed: true,
        gridPos: { x: 0, y: 0, w: 24, h: 1 },
        panels: [{ id: 2, type: 'stat', gridPos: { x: 0, y: 1, w: 6, h: 4 } }],
      },
      { id: 3, type: 'timeseries', repeat: 'host', maxPerRow: 2, gridPos: { x: 0, y: 1, w: 12, h: 8 } },
      { id: 4, type: 'text', gridPos: { x: 0, y: 9, w: 24, h: 3 } },
    ],
  };
  const values = (): string[] => ['a', 'b', 'c'];
  it('repeats, and moves down what is below', () => {
    const placed = layOut(dashboard, new Set([1]), values);
    expect(placed.map((p) => [p.panel.id, p.x, p.y])).toEqual([
      [1, 0, 0],
      [3, 0, 1],
      [3, 12, 1],
      [3, 0, 9],
      [4, 0, 17],
    ]);
  });
  it('closes a row without a hole', () => {
    const at = (id: number, type: string, y: number): Panel => ({
      id,
      type,
      gridPos: { x: 0, y, w: 24, h: type === 'row' ? 1 : 8 },
    });
    const placed = layOut(
      { title: 'x', panels: [at(1, 'row', 0), at(2, 'stat', 1), at(3, 'row', 9), at(4, 'stat', 10)] },
      new Set([1]),
      values,
    );
    expect(placed.map((p) => [p.panel.id, p.y])).toEqual([
      [1, 0],
      [3, 1],
      [4, 2],
    ]);
  });
  it('repeats an open row with the panels below it, and closes all of its copies without a hole', () => {
    const panels: Panel[] = [
      { id: 1, type: 'row', repeat: 'host', gridPos: { x: 0, y: 0, w: 24, h: 1 }, panels: [] },
      { id: 2, type: 'stat', gridPos: { x: 0, y: 1, w: 12, h: 4 } },
      { id: 3, type: 'stat', gridPos: { x: 12, y: 1, w: 12, h: 4 } },
      { id: 4, type: 'row', gridPos: { x: 0, y: 5, w: 24, h: 1 } },
      { id: 5, type: 'stat', gridPos: { x: 0, y: 6, w: 12, h: 4 } },
    ];
    const places = (closed: number[]) =>
      layOut({ title: 'x', panels }, new Set(closed), () => ['a', 'b']).map((p) => [
        p.panel.id,
        p.panel.scoped?.['host'],
        p.y,
      ]);
    expect(places([])).toEqual([
      [1, 'a', 0],
      [2, 'a', 1],
      [3, 'a', 1],
      [1, 'b', 5],
      [2, 'b', 6],
      [3, 'b', 6],
      [4, undefined, 10],
      [5, undefined, 11],
    ]);
    expect(places([1])).toEqual([
      [1, 'a', 0],
      [1, 'b', 1],
      [4, undefined, 2],
      [5, undefined, 3],
    ]);
  });
  it('opens a row', () => {
    const placed = layOut({ title: 'x', panels: [dashboard.panels![0]!] }, new Set(), values);
    expect(placed.map((p) => [p.panel.id, p.y])).toEqual([
      [1, 0],
      [2, 1],
    ]);
  });
});

describe('import', () => {
  it('names everything it cannot show, with its panel', () => {
    const read = importDashboard(
      JSON.stringify({
        dashboard: {
          uid: 'a b',
          title: 'T',
          schemaVersion: 43,
          panels: [
            { type: 'geomap', title: 'M' },
            {
              type: 'table',
              title: 'L',
              transformations: [{ id: 'heatmap' }],
              targets: [{ refId: 'A', rawSql: 'select 1' }],
              fieldConfig: { defaults: { unit: 'quux' } },
            },
          ],
          templating: { list: [{ name: 'g', type: 'groupby' }] },
        },
      }),
    );
    expect(read).toMatchObject({
      uid: 'a-b',
      report: [
        'schemaVersion 43: known up to 42, newer features may be missing',
        'panel "M": type geomap is not shown',
        'panel "L": transformation heatmap is left out',
        'panel "L": unit quux is written behind the number',
        'panel "L": query A is not PromQL',
        'variable g: type groupby is not known',
      ],
    });
  });
  it.each(['', '[', '1', '{}', '{"title":"x","elements":{}}'])('refuses %j', (text) =>
    expect(importDashboard(text)).toHaveProperty('problem'),
  );
});

describe('markdownLite', () => {
  it('reads the safe part, and never a script or a javascript link', () => {
    expect(markdownLite('# A\n- **b** `c` [d](https://e)\n<img src=x onerror=y>[f](javascript:g)')).toEqual([
      { kind: 'heading', spans: [{ text: 'A' }] },
      {
        kind: 'item',
        spans: [
          { text: 'b', bold: true },
          { text: ' ' },
          { text: 'c', code: true },
          { text: ' ' },
          { text: 'd', href: 'https://e' },
        ],
      },
      { kind: 'paragraph', spans: [{ text: 'f' }] },
    ]);
  });
});

describe('migrate', () => {
  it('makes rows of twelve columns a grid, and old panels their successors', () => {
    const { dashboard, notes } = migrate({
      title: 'old',
      rows: [
        {
          title: 'Top',
          showTitle: true,
          height: '152px',
          panels: [
            { id: 1, type: 'singlestat', title: 'S', span: 4, format: 's', valueName: 'current', thresholds: '1,2' },
            { id: 2, type: 'graph', title: 'G', span: 8, stack: true, fill: 3, yaxes: [{ format: 'Bps' }] },
          ],
        },
        { title: 'Hidden', collapse: true, panels: [{ id: 3, type: 'text', span: 12 }] },
      ],
    } as unknown as Dashboard);
    expect(notes).toEqual([]);
    expect(dashboard.panels?.map((p) => [p.type, p.gridPos])).toEqual([
      ['row', { x: 0, y: 0, w: 24, h: 1 }],
      ['stat', { x: 0, y: 1, w: 8, h: 4 }],
      ['timeseries', { x: 8, y: 1, w: 16, h: 4 }],
      ['row', { x: 0, y: 5, w: 24, h: 1 }],
    ]);
    expect(dashboard.panels?.[1]?.fieldConfig?.defaults).toMatchObject({
      unit: 's',
      thresholds: { steps: [{ value: null }, { value: 1 }, { value: 2 }] },
    });
    expect(dashboard.panels?.[2]?.fieldConfig?.defaults).toMatchObject({
      unit: 'Bps',
      custom: { fillOpacity: 30, stacking: { mode: 'normal' } },
    });
    expect(dashboard.panels?.[3]?.panels).toHaveLength(1);
  });
  it('leaves what is new as it is', () => {
    const now: Dashboard = {
      title: 'new',
      panels: [{ id: 1, type: 'timeseries', gridPos: { x: 0, y: 0, w: 1, h: 1 } }],
    };
    expect(migrate(now)).toEqual({ dashboard: now, notes: [] });
  });
});
