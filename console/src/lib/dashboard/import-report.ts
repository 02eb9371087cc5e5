/** Reads a dashboard's JSON as it is exported or shared, and says exactly what of it the console cannot show. */
import { unitIsKnown } from '../format-value.ts';
import { parseDurationMs } from '../time-range.ts';
import { MATCHERS } from './fields.ts';
import { LIBRARY_PANEL, migrate } from './migrate.ts';
import { type Dashboard, PANEL_TYPES, type Panel } from './model.ts';
import { ownRange } from './panel-range.ts';
import { isKnownTransformation, leftOutOf } from './transformations.ts';

export const SCHEMA_VERSION_MAX = 42;
const VARIABLE_TYPES = ['query', 'custom', 'constant', 'interval', 'textbox', 'datasource', 'adhoc'];
/** As in ad-hoc-filters.ts, which is fetched only where a dashboard filters. */
const FILTER_OPERATORS = ['=', '!=', '=~', '!~'];

export type ImportResult =
  | { readonly problem: string }
  | { readonly uid: string; readonly dashboard: Dashboard; readonly report: readonly string[] };

export function allPanels(dashboard: Dashboard): Panel[] {
  return (dashboard.panels ?? []).flatMap((p) => [p, ...(p.panels ?? [])]);
}

export function importDashboard(text: string): ImportResult {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return { problem: (error as Error).message };
  }
  if (!value || typeof value !== 'object') return { problem: 'want an object' };
  // the API wraps it as {dashboard, meta}
  const inner = (value as { dashboard?: unknown }).dashboard;
  const raw = (inner && typeof inner === 'object' ? inner : value) as Record<string, unknown>;
  if (typeof raw['title'] !== 'string') return { problem: 'it has no title' };
  if ('elements' in raw || String(raw['apiVersion'] ?? '').includes('v2'))
    return { problem: 'schema v2 (elements and layout) is not read yet; export it as classic JSON' };
  const report: string[] = [];
  const dashboard = raw as unknown as Dashboard;
  if ((dashboard.schemaVersion ?? 0) > SCHEMA_VERSION_MAX)
    report.push(
      `schemaVersion ${dashboard.schemaVersion}: known up to ${SCHEMA_VERSION_MAX}, newer features may be missing`,
    );
  report.push(...reportOn(dashboard));
  const uid =
    (dashboard.uid ?? dashboard.title)
      .replace(/[^A-Za-z0-9_-]+/g, '-')
      .slice(0, 80)
      .replace(/^-+/, '') || 'dashboard';
  return { uid, dashboard: { ...dashboard, uid }, report };
}

/** One line per thing that is not shown, with the panel it is in. */
export function reportOn(raw: Dashboard): string[] {
  const { dashboard, notes } = migrate(raw);
  const report: string[] = [...notes];
  for (const p of allPanels(dashboard)) {
    const where = `panel "${p.title || p.id || p.type}"`;
    report.push(...panelReport(p).map((line) => `${where}: ${line}`));
  }
  for (const v of dashboard.templating?.list ?? []) {
    if (!VARIABLE_TYPES.includes(v.type)) report.push(`variable ${v.name}: type ${v.type} is not known`);
    const other = v.type === 'adhoc' ? (v.filters ?? []).filter((f) => !FILTER_OPERATORS.includes(f.operator)) : [];
    for (const f of other) report.push(`variable ${v.name}: the filter ${f.key} ${f.operator} ${f.value} is left out`);
  }
  for (const a of dashboard.annotations?.list ?? [])
    if (a.builtIn !== 1 && a.enable !== false && !a.expr)
      report.push(`annotation ${a.name ?? ''}: its query is not PromQL`);
  return report;
}

function panelReport(p: Panel): string[] {
  const out: string[] = [];
  if (p.type === LIBRARY_PANEL)
    return ['a library panel: its model is not in this file; export it with its library panels'];
  if (!(p.type in PANEL_TYPES)) out.push(`type ${p.type} is not shown`);
  for (const t of p.transformations ?? []) {
    const part = leftOutOf(t);
    if (!isKnownTransformation(t.id)) out.push(`transformation ${t.id} is left out`);
    else if (part) out.push(`transformation ${t.id}: ${part} is left out`);
  }
  for (const o of p.fieldConfig?.overrides ?? [])
    if (!MATCHERS.includes(o.matcher.id)) out.push(`overrides by ${o.matcher.id} are left out`);
  if (p.timeFrom && !p.timeFrom.includes('$') && !ownRange(p.timeFrom))
    out.push(`its own time range ${p.timeFrom} cannot be read`);
  if (p.timeShift && !p.timeShift.includes('$') && parseDurationMs(p.timeShift) === undefined)
    out.push(`its time shift ${p.timeShift} cannot be read`);
  if (p.type === 'heatmap' && p.options?.['calculate'] === true && p.options['calculation'])
    out.push(...heatmapReport(p.options['calculation'] as Record<string, unknown>));
  const unit = p.fieldConfig?.defaults?.unit;
  if (unit && !unitIsKnown(unit)) out.push(`unit ${unit} is written behind the number`);
  if (p.type in PANEL_TYPES)
    for (const t of p.targets ?? [])
      if (t.foreign) out.push(`query ${t.refId ?? ''} is for ${t.foreign}, not PromQL`);
      else if (t.expr === undefined) out.push(`query ${t.refId ?? ''} is not PromQL`);
  return out;
}

/** Buckets of time are those of the query's step. */
function heatmapReport(calculation: Readonly<Record<string, unknown>>): string[] {
  const axis = calculation['yBuckets'] as { scale?: { type?: string } } | undefined;
  return axis?.scale?.type === 'log' ? ['buckets on a log scale are drawn evenly'] : [];
}
