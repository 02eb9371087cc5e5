/**
 * Old dashboards as new ones: `graph`, `singlestat` and the old table become their successors, rows of schema 15 and
 * earlier become a grid. Only for showing: what is stored stays as it came. What is lost on the way is noted.
 * Not here: the meaning of today's keys, which the panels read themselves.
 */
import type { Dashboard, FieldConfig, Link, Override, Panel, Transformation, ValueMapping } from './model.ts';
import { foreignSource, type SourceOf, sourcesOf } from './sources.ts';

/** Stands in for the type of a library panel whose model is elsewhere. */
export const LIBRARY_PANEL = 'library-panel';

type Old = Readonly<Record<string, unknown>>;
type Note = (text: string) => void;
const object = (v: unknown): Old => (v && typeof v === 'object' && !Array.isArray(v) ? (v as Old) : {});
const list = (v: unknown): readonly Old[] => (Array.isArray(v) ? (v as Old[]) : []);
const number = (v: unknown): number | undefined =>
  typeof v === 'number'
    ? v
    : typeof v === 'string' && v.trim() !== '' && Number.isFinite(Number(v))
      ? Number(v)
      : undefined;
const text = (v: unknown): string | undefined => (typeof v === 'string' && v !== '' ? v : undefined);
/** Without the keys that hold nothing: an absent key has its default. */
const some = <T extends object>(o: T): T =>
  Object.fromEntries(Object.entries(o).filter(([, v]) => v !== undefined && v !== null)) as T;

const DEFAULT_COLOURS = ['green', 'orange', 'red'];
const CALCS: Readonly<Record<string, string>> = {
  current: 'lastNotNull',
  avg: 'mean',
  total: 'sum',
  min: 'min',
  max: 'max',
  first: 'first',
  delta: 'delta',
  range: 'range',
};

export interface Migrated {
  readonly dashboard: Dashboard;
  /** One line per thing that was lost, naming its panel. */
  readonly notes: readonly string[];
}

export function migrate(raw: Dashboard): Migrated {
  const notes: string[] = [];
  const rows = (raw as { rows?: unknown }).rows;
  const panels = Array.isArray(rows) && !raw.panels ? fromRows(list(rows)) : (raw.panels ?? []);
  const sourceOf = sourcesOf(raw);
  const one = (stored: Panel): Panel => {
    const p = fromLibrary(stored, raw);
    const where = `panel "${p.title || p.id || p.type}"`;
    const changed = ownQueries(
      migratePanel(p, (what) => notes.push(`${where}: ${what}`)),
      sourceOf,
    );
    return changed.panels ? { ...changed, panels: changed.panels.map(one) } : changed;
  };
  const { rows: _, ...rest } = raw as Dashboard & { rows?: unknown };
  return { dashboard: { ...rest, panels: panels.map(one) }, notes };
}

/** A panel kept in a library: an exported file brings its model along, a saved dashboard only its name. */
function fromLibrary(p: Panel, raw: Dashboard): Panel {
  if (!p.libraryPanel) return p;
  const model = raw.__elements?.[p.libraryPanel.uid ?? '']?.model;
  const { libraryPanel } = p;
  if (model) return { ...model, ...some({ id: p.id, gridPos: p.gridPos, title: p.title ?? model.title }) };
  return p.type ? p : { ...p, type: LIBRARY_PANEL, title: p.title ?? libraryPanel.name ?? '' };
}

/** LogQL and its like stand under `expr` too: they are named, not asked as PromQL. */
function ownQueries(p: Panel, sourceOf: SourceOf): Panel {
  if (!Array.isArray(p.targets)) return p;
  const targets = p.targets.map((t) => {
    const foreign = foreignSource(p, t, sourceOf);
    if (foreign === undefined) return t;
    const { expr: _, ...rest } = t;
    return { ...rest, foreign };
  });
  return { ...p, targets };
}

const GRID = 24;
const ROW_PX = 38;
/** Rows of twelve columns, as high as their pixels say. */
function fromRows(rows: readonly Old[]): Panel[] {
  const out: Panel[] = [];
  let y = 0;
  let id = 1 + Math.max(0, ...rows.flatMap((r) => list(r['panels']).map((p) => number(p['id']) ?? 0)));
  for (const row of rows) {
    const titled = row['showTitle'] === true || row['collapse'] === true || text(row['repeat']) !== undefined;
    const height = Math.max(3, Math.round((number(String(row['height'] ?? '250').replace('px', '')) ?? 250) / ROW_PX));
    const inner: Panel[] = [];
    let x = 0;
    let top = y + (titled ? 1 : 0);
    for (const p of list(row['panels'])) {
      const w = Math.max(1, Math.min(GRID, Math.round((number(p['span']) ?? 12) * 2)));
      if (x + w > GRID) {
        x = 0;
        top += height;
      }
      const { span: _, ...kept } = p;
      inner.push({ ...(kept as unknown as Panel), id: number(p['id']) ?? id++, gridPos: { x, y: top, w, h: height } });
      x += w;
    }
    const collapsed = row['collapse'] === true;
    if (titled)
      out.push({
        id: id++,
        type: 'row',
        title: text(row['title']) ?? '',
        collapsed,
        gridPos: { x: 0, y, w: GRID, h: 1 },
        ...(text(row['repeat']) ? { repeat: text(row['repeat'])! } : {}),
        panels: collapsed || text(row['repeat']) ? inner : [],
      });
    if (!titled || (!collapsed && !text(row['repeat']))) out.push(...inner);
    y = collapsed ? y + 1 : top + height;
  }
  return out;
}

function migratePanel(p: Panel, note: Note): Panel {
  const old = p as unknown as Old;
  if (p.type === 'graph') return graph(p, old, note);
  if (p.type === 'singlestat' || p.type === 'grafana-singlestat-panel') return singleStat(p, old, note);
  if (p.type === 'grafana-piechart-panel') return oldPie(p, old);
  if (p.type === 'table-old' || (p.type === 'table' && Array.isArray(old['styles']))) return oldTable(p, old, note);
  return p;
}

function graph(p: Panel, old: Old, note: Note): Panel {
  const [left = {}, right = {}] = list(old['yaxes']);
  const legend = object(old['legend']);
  const lines = old['lines'] !== false;
  const steps = list(old['thresholds']).filter((t) => number(t['value']) !== undefined);
  if (object(old['xaxis'])['mode'] === 'histogram' || object(old['xaxis'])['mode'] === 'series')
    note(`x axis by ${String(object(old['xaxis'])['mode'])} is shown over time`);
  for (const t of steps) if (t['op'] === 'lt') note(`threshold below ${String(t['value'])} is drawn as a line only`);
  const custom = some({
    drawStyle: old['bars'] === true && !lines ? 'bars' : !lines && old['points'] === true ? 'points' : 'line',
    fillOpacity: lines ? (number(old['fill']) ?? 1) * 10 : 80,
    lineWidth: number(old['linewidth']),
    lineInterpolation: old['steppedLine'] === true ? 'stepAfter' : undefined,
    showPoints: old['points'] === true ? 'always' : undefined,
    stacking: old['stack'] === true ? { mode: old['percentage'] === true ? 'percent' : 'normal' } : undefined,
    thresholdsStyle:
      steps.length > 0 ? { mode: steps.some((t) => t['fill'] === true) ? 'line+area' : 'line' } : undefined,
  });
  const overrides: Override[] = [];
  for (const [name, colour] of Object.entries(object(old['aliasColors'])))
    overrides.push({ matcher: { id: 'byName', options: name }, properties: [fixed(String(colour))] });
  for (const s of list(old['seriesOverrides'])) {
    const alias = String(s['alias'] ?? '');
    const properties = [
      ...(s['yaxis'] === 2 ? [{ id: 'custom.axisPlacement', value: 'right' }] : []),
      ...(s['yaxis'] === 2 && text(right['format']) ? [{ id: 'unit', value: right['format'] }] : []),
      ...(s['transform'] === 'negative-Y' ? [{ id: 'custom.transform', value: 'negative-Y' }] : []),
      ...(s['stack'] === false ? [{ id: 'custom.stacking', value: { mode: 'none' } }] : []),
      ...(typeof s['stack'] === 'string'
        ? [{ id: 'custom.stacking', value: { mode: 'normal', group: s['stack'] } }]
        : []),
      ...(s['lines'] === false && s['points'] === true ? [{ id: 'custom.drawStyle', value: 'points' }] : []),
      ...(text(s['fillBelowTo']) ? [{ id: 'custom.fillBelowTo', value: s['fillBelowTo'] }] : []),
      ...(s['legend'] === false ? [{ id: 'custom.hideFrom', value: { legend: true } }] : []),
      ...(text(s['color']) ? [fixed(String(s['color']))] : []),
      ...(s['bars'] === true ? [{ id: 'custom.drawStyle', value: 'bars' }] : []),
      ...(number(s['fill']) === undefined ? [] : [{ id: 'custom.fillOpacity', value: number(s['fill'])! * 10 }]),
      ...(number(s['linewidth']) === undefined ? [] : [{ id: 'custom.lineWidth', value: number(s['linewidth']) }]),
      ...(s['dashes'] === true ? [{ id: 'custom.lineStyle', value: { fill: 'dash' } }] : []),
    ];
    const id = alias.startsWith('/') ? 'byRegexp' : 'byName';
    if (properties.length > 0) overrides.push({ matcher: { id, options: alias }, properties });
  }
  const defaults: FieldConfig = some({
    unit: text(left['format']),
    decimals: number(old['decimals']) ?? number(left['decimals']),
    min: number(left['min']),
    max: number(left['max']),
    custom,
    thresholds:
      steps.length > 0
        ? {
            mode: 'absolute' as const,
            steps: [
              { color: 'transparent', value: null },
              ...steps.map((t) => ({ color: levelColour(t), value: number(t['value'])! })),
            ],
          }
        : undefined,
  }) as FieldConfig;
  return {
    ...p,
    type: 'timeseries',
    fieldConfig: { defaults, overrides },
    options: {
      legend: {
        showLegend: legend['show'] !== false,
        displayMode: legend['alignAsTable'] === true ? 'table' : 'list',
        calcs: ['current', 'min', 'max', 'avg', 'total'].filter((k) => legend[k] === true).map((k) => CALCS[k]!),
      },
    },
  };
}

const fixed = (colour: string) => ({ id: 'color', value: { mode: 'fixed', fixedColor: colour } });
const levelColour = (t: Old): string =>
  text(t['lineColor']) ?? text(t['fillColor']) ?? { ok: 'green', warning: 'orange' }[String(t['colorMode'])] ?? 'red';

/** `"50,80"` with three colours. */
function levels(thresholds: unknown, colours: unknown): NonNullable<FieldConfig['thresholds']> | undefined {
  const limits = String(thresholds ?? '')
    .split(',')
    .flatMap((t) => number(t) ?? []);
  if (limits.length === 0) return undefined;
  const named = Array.isArray(colours) ? colours.map(String) : DEFAULT_COLOURS;
  return {
    mode: 'absolute',
    steps: [null, ...limits].map((value, i) => ({ color: named[i] ?? DEFAULT_COLOURS[i] ?? 'red', value })),
  };
}

function mappingsOf(old: Old): ValueMapping[] {
  const out: ValueMapping[] = [];
  for (const m of list(old['valueMaps'])) {
    const result = { text: String(m['text'] ?? '') };
    if (m['value'] === 'null') out.push({ type: 'special', options: { match: 'null', result } });
    else out.push({ type: 'value', options: { [String(m['value'])]: result } });
  }
  for (const m of list(old['rangeMaps']))
    out.push({
      type: m['from'] === 'null' ? 'special' : 'range',
      options:
        m['from'] === 'null'
          ? { match: 'null', result: { text: String(m['text'] ?? '') } }
          : { from: number(m['from']) ?? null, to: number(m['to']) ?? null, result: { text: String(m['text'] ?? '') } },
    });
  return out;
}

function singleStat(p: Panel, old: Old, note: Note): Panel {
  const gauge = object(old['gauge']);
  const coloured = old['colorValue'] === true || old['colorBackground'] === true || gauge['show'] === true;
  if (text(old['prefix'])) note(`prefix "${String(old['prefix'])}" is left out`);
  if (text(old['postfix'])) note(`postfix "${String(old['postfix'])}" is left out`);
  const calc = CALCS[String(old['valueName'] ?? 'avg')];
  if (!calc) note(`value ${String(old['valueName'])} is shown as the last one`);
  const defaults: FieldConfig = some({
    unit: text(old['format']),
    decimals: number(old['decimals']),
    noValue: text(old['nullText']),
    mappings: mappingsOf(old),
    thresholds: levels(old['thresholds'], old['colors']),
    color: coloured ? { mode: 'thresholds' } : { mode: 'fixed', fixedColor: 'text' },
    min: gauge['show'] === true ? number(gauge['minValue']) : undefined,
    max: gauge['show'] === true ? number(gauge['maxValue']) : undefined,
  }) as FieldConfig;
  return {
    ...p,
    type: gauge['show'] === true ? 'gauge' : 'stat',
    fieldConfig: { defaults, overrides: [] },
    options: {
      graphMode: object(old['sparkline'])['show'] === true ? 'area' : 'none',
      reduceOptions: { calcs: [calc ?? 'lastNotNull'] },
    },
  };
}

function oldPie(p: Panel, old: Old): Panel {
  const defaults: FieldConfig = some({ unit: text(old['format']), decimals: number(old['decimals']) }) as FieldConfig;
  const overrides = Object.entries(object(old['aliasColors'])).map(([name, colour]) => ({
    matcher: { id: 'byName', options: name },
    properties: [fixed(String(colour))],
  }));
  const calc = CALCS[String(old['valueName'] ?? 'current')] ?? 'lastNotNull';
  return {
    ...p,
    type: 'piechart',
    fieldConfig: { defaults, overrides },
    options: { reduceOptions: { calcs: [calc] } },
  };
}

/** `$__cell` was the value, `$__cell_2` the third column of its row. */
function cellLink(style: Old): Link {
  const modern = (url: string): string =>
    url
      .replace(/\$\{?__cell_(\d+)(?::\w+)?\}?/g, (_, n: string) => `\${__data.fields[${n}]}`)
      .replace(/\$\{?__cell(?::\w+)?\}?/g, `\${__value.raw}`);
  return some({
    title: text(style['linkTooltip']) ? modern(String(style['linkTooltip'])) : undefined,
    url: modern(String(style['linkUrl'])),
    targetBlank: style['linkTargetBlank'] === true,
  }) as Link;
}

const TABLE_TRANSFORMS: Readonly<Record<string, string>> = {
  timeseries_to_rows: 'seriesToRows',
  timeseries_to_columns: 'joinByField',
  table: 'merge',
};

function oldTable(p: Panel, old: Old, note: Note): Panel {
  const kind = String(old['transform'] ?? '');
  const transformations: Transformation[] = [];
  if (kind === 'timeseries_aggregations')
    transformations.push({
      id: 'reduce',
      options: { reducers: list(old['columns']).map((c) => CALCS[String(c['value'])] ?? 'lastNotNull') },
    });
  else if (TABLE_TRANSFORMS[kind]) transformations.push({ id: TABLE_TRANSFORMS[kind] });
  else if (kind !== '') note(`table transform ${kind} is left out`);
  const overrides: Override[] = [];
  for (const s of list(old['styles'])) {
    const pattern = String(s['pattern'] ?? '');
    const properties: { id: string; value?: unknown }[] = [
      ...(text(s['alias']) ? [{ id: 'displayName', value: s['alias'] }] : []),
      ...(s['type'] === 'hidden' ? [{ id: 'custom.hidden', value: true }] : []),
      ...(s['type'] === 'number' && text(s['unit']) ? [{ id: 'unit', value: s['unit'] }] : []),
      ...(s['type'] === 'number' && number(s['decimals']) !== undefined
        ? [{ id: 'decimals', value: number(s['decimals']) }]
        : []),
      ...(text(s['colorMode']) ? [{ id: 'custom.displayMode', value: 'color-text' }] : []),
      ...(levels(s['thresholds'], s['colors'])
        ? [{ id: 'thresholds', value: levels(s['thresholds'], s['colors']) }]
        : []),
    ];
    if (s['link'] === true && text(s['linkUrl'])) properties.push({ id: 'links', value: [cellLink(s)] });
    const id = pattern.startsWith('/') ? 'byRegexp' : 'byName';
    if (properties.length > 0) overrides.push({ matcher: { id, options: pattern }, properties });
  }
  return { ...p, type: 'table', fieldConfig: { defaults: {}, overrides: [...overrides] }, transformations };
}
