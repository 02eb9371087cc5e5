/** Reads a dashboard's JSON as it is exported or shared, and says exactly what of it the console cannot show. */
import { unitIsKnown } from '../format-value.ts';
import { migrate } from './migrate.ts';
import { type Dashboard, PANEL_TYPES, type Panel } from './model.ts';
import { isKnownTransformation } from './transformations.ts';

export const SCHEMA_VERSION_MAX = 42;
const MATCHERS = ['byName', 'byRegexp', 'byType', 'byFrameRefID', 'byNames'];
const VARIABLE_TYPES = ['query', 'custom', 'constant', 'interval', 'textbox', 'datasource', 'adhoc'];

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
    if (!(p.type in PANEL_TYPES)) report.push(`${where}: type ${p.type} is not shown`);
    else if (p.type === 'piechart') report.push(`${where}: type piechart is shown as bars`);
    for (const t of p.transformations ?? [])
      if (!isKnownTransformation(t.id)) report.push(`${where}: transformation ${t.id} is left out`);
    for (const o of p.fieldConfig?.overrides ?? [])
      if (!MATCHERS.includes(o.matcher.id)) report.push(`${where}: overrides by ${o.matcher.id} are left out`);
    const own = p as { timeFrom?: unknown; timeShift?: unknown };
    if (own.timeFrom) report.push(`${where}: its own time range ${String(own.timeFrom)} is left out`);
    if (own.timeShift) report.push(`${where}: its time shift ${String(own.timeShift)} is left out`);
    const stacking = p.fieldConfig?.defaults?.custom?.['stacking'] as { mode?: string } | undefined;
    if (stacking?.mode === 'percent') report.push(`${where}: stacking to 100 % is shown as a plain stack`);
    const unit = p.fieldConfig?.defaults?.unit;
    if (unit && !unitIsKnown(unit)) report.push(`${where}: unit ${unit} is written behind the number`);
    for (const t of p.targets ?? [])
      if (t.expr === undefined && p.type in PANEL_TYPES) report.push(`${where}: query ${t.refId ?? ''} is not PromQL`);
  }
  for (const v of dashboard.templating?.list ?? [])
    if (!VARIABLE_TYPES.includes(v.type)) report.push(`variable ${v.name}: type ${v.type} is not known`);
    else if (v.type === 'adhoc') report.push(`variable ${v.name}: ad hoc filters are not applied`);
  return report;
}
