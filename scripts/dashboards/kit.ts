/**
 * Short forms over Grafana's Foundation SDK, so that a dashboard reads as a list of panels: every panel gets a unit, a
 * place, the data source variable and at least one query. Does not know any particular dashboard.
 */
import * as common from '@grafana/grafana-foundation-sdk/common';
import {
  AnnotationQueryBuilder,
  type Dashboard,
  DashboardBuilder,
  DashboardCursorSync,
  DashboardLinkBuilder,
  DashboardLinkType,
  DatasourceVariableBuilder,
  IntervalVariableBuilder,
  type Panel,
  QueryVariableBuilder,
  RowBuilder,
  ThresholdsConfigBuilder,
  ThresholdsMode,
  VariableRefresh,
  VariableSort,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { DataqueryBuilder } from '@grafana/grafana-foundation-sdk/prometheus';
import { PanelBuilder as StatBuilder } from '@grafana/grafana-foundation-sdk/stat';
import { PanelBuilder as TableBuilder } from '@grafana/grafana-foundation-sdk/table';
import { PanelBuilder as TextBuilder, TextMode } from '@grafana/grafana-foundation-sdk/text';
import { PanelBuilder as TimeSeriesBuilder } from '@grafana/grafana-foundation-sdk/timeseries';

const SOURCE = { type: 'prometheus', uid: '${datasource}' };
const GRID_COLUMNS = 24;

/** Matchers for series that applications write. */
export const SCOPE = 'tenant_id=~"$tenant", env=~"$environment"';
/** Matchers for series that carry a service. */
export const SERVICE = `${SCOPE}, service=~"$service"`;
/** Matchers for series of a machine or a database server. */
export const INSTANCE = `${SCOPE}, instance=~"$instance"`;

export type VariableName = 'tenant' | 'environment' | 'service' | 'instance';

export interface Query {
  readonly expr: string;
  /** Legend in Grafana's form, such as `{{route}}`. */
  readonly legend?: string;
}
export interface PanelSpec {
  readonly kind: 'timeseries' | 'stat' | 'table' | 'text' | 'row';
  readonly title: string;
  readonly description?: string;
  readonly queries?: readonly Query[];
  /** Grafana's unit id, such as `s`, `percentunit`, `reqps`. */
  readonly unit?: string;
  readonly decimals?: number;
  /** From low to high: the first colour holds below the first value. */
  readonly thresholds?: readonly [colour: string, from: number | null][];
  readonly min?: number;
  readonly max?: number;
  readonly width?: number;
  readonly height?: number;
  readonly stack?: boolean;
  readonly text?: string;
}
export interface DashboardSpec {
  readonly file: string;
  readonly uid: string;
  readonly title: string;
  readonly description: string;
  readonly tags: readonly string[];
  readonly variables: readonly VariableName[];
  /** A metric that carries the labels of the variables. */
  readonly labelsFrom: string;
  readonly panels: readonly PanelSpec[];
}

/** Green below `warning`, orange from there, red from `critical`. */
export const rising = (warning: number, critical: number): PanelSpec['thresholds'] => [
  ['green', null],
  ['orange', warning],
  ['red', critical],
];
/** Red below `critical`, orange up to `warning`, green above. */
export const falling = (critical: number, warning: number): PanelSpec['thresholds'] => [
  ['red', null],
  ['orange', critical],
  ['green', warning],
];

export const row = (title: string): PanelSpec => ({ kind: 'row', title });
type Extra = Omit<PanelSpec, 'kind' | 'title' | 'queries'>;
const asQueries = (q: string | readonly Query[]): readonly Query[] => (typeof q === 'string' ? [{ expr: q }] : q);
export const graph = (title: string, queries: string | readonly Query[], extra: Extra = {}): PanelSpec => ({
  kind: 'timeseries',
  title,
  queries: asQueries(queries),
  ...extra,
});
export const stat = (title: string, expr: string, extra: Extra = {}): PanelSpec => ({
  kind: 'stat',
  title,
  queries: [{ expr }],
  ...extra,
});
export const table = (title: string, expr: string, extra: Extra = {}): PanelSpec => ({
  kind: 'table',
  title,
  queries: [{ expr }],
  ...extra,
});
/** A panel that says what is not measured yet, instead of inventing a figure. */
export const note = (title: string, text: string, extra: Extra = {}): PanelSpec => ({
  kind: 'text',
  title,
  text,
  ...extra,
});

/** The finished dashboard of a specification, in schema version 42. */
export function build(spec: DashboardSpec): Dashboard {
  const builder = new DashboardBuilder(spec.title)
    .uid(spec.uid)
    .description(spec.description)
    .tags(['vigie', ...spec.tags])
    .timezone('browser')
    .readonly()
    .refresh('30s')
    .time({ from: 'now-6h', to: 'now' })
    .tooltip(DashboardCursorSync.Crosshair)
    .withVariable(new DatasourceVariableBuilder('datasource').label('Data source').type('prometheus'))
    .annotation(
      new AnnotationQueryBuilder()
        .name('Alerts')
        .datasource(SOURCE)
        .enable(true)
        .iconColor('red')
        .expr('ALERTS{alertstate="firing", severity=~"critical|warning"}')
        .titleFormat('{{alertname}}')
        .textFormat('{{severity}} {{instance}} {{service}}'),
    )
    .annotation(
      new AnnotationQueryBuilder()
        .name('Deployments')
        .datasource(SOURCE)
        .enable(true)
        .iconColor('blue')
        // a new generation that the controller has taken up
        .expr('changes(kube_deployment_status_observed_generation[2m]) > 0')
        .titleFormat('{{deployment}} deployed')
        .textFormat('{{namespace}}'),
    )
    .link(
      new DashboardLinkBuilder('Vigie')
        .type(DashboardLinkType.Dashboards)
        .tags(['vigie'])
        .asDropdown(true)
        .includeVars(true)
        .keepTime(true)
        .icon('external link'),
    );
  for (const name of spec.variables) builder.withVariable(labelVariable(name, spec.labelsFrom));
  builder.withVariable(
    new IntervalVariableBuilder('interval')
      .label('Interval')
      .values('1m,5m,15m,1h')
      .current({ selected: true, text: '5m', value: '5m' }),
  );
  let x = 0;
  let y = 0;
  let lineHeight = 0;
  let id = 0;
  const newLine = (): void => {
    y += lineHeight;
    x = 0;
    lineHeight = 0;
  };
  for (const panel of spec.panels) {
    id++;
    if (panel.kind === 'row') {
      newLine();
      builder.withRow(new RowBuilder(panel.title).id(id).gridPos({ x: 0, y, w: GRID_COLUMNS, h: 1 }));
      y++;
      continue;
    }
    const w = panel.width ?? (panel.kind === 'stat' ? 6 : 12);
    const h = panel.height ?? (panel.kind === 'stat' ? 4 : 8);
    if (x + w > GRID_COLUMNS) newLine();
    const made: Panel = { ...buildPanel(panel), id, gridPos: { x, y, w, h } };
    builder.withPanel({ build: () => made });
    x += w;
    lineHeight = Math.max(lineHeight, h);
  }
  return builder.build();
}

const LABEL_OF: Readonly<Record<VariableName, readonly [label: string, title: string]>> = {
  tenant: ['tenant_id', 'Tenant'],
  environment: ['env', 'Environment'],
  service: ['service', 'Service'],
  instance: ['instance', 'Instance'],
};

function labelVariable(name: VariableName, metric: string): QueryVariableBuilder {
  const [label, title] = LABEL_OF[name];
  const query = `label_values(${metric}, ${label})`;
  return (
    new QueryVariableBuilder(name)
      .label(title)
      .datasource(SOURCE)
      .query({ query, refId: `${name}-values` })
      .definition(query)
      .refresh(VariableRefresh.OnTimeRangeChanged)
      .sort(VariableSort.AlphabeticalAsc)
      .multi(true)
      .includeAll(true)
      // also matches series without the label: a machine's own exporter knows no tenant
      .allValue('.*')
      .current({ selected: true, text: 'All', value: '$__all' })
  );
}

function buildPanel(spec: PanelSpec): Panel {
  if (spec.kind === 'text')
    return new TextBuilder()
      .title(spec.title)
      .mode(TextMode.Markdown)
      .content(spec.text ?? '')
      .build();
  const builder =
    spec.kind === 'stat'
      ? new StatBuilder().graphMode(common.BigValueGraphMode.Area).colorMode(common.BigValueColorMode.Value)
      : spec.kind === 'table'
        ? new TableBuilder()
        : new TimeSeriesBuilder()
            .fillOpacity(spec.stack ? 30 : 8)
            .lineWidth(1)
            .showPoints(common.VisibilityMode.Never)
            .legend(
              new common.VizLegendOptionsBuilder()
                .displayMode(common.LegendDisplayMode.Table)
                .placement(common.LegendPlacement.Bottom)
                .showLegend(true)
                .calcs(['lastNotNull', 'max']),
            );
  if (spec.stack && builder instanceof TimeSeriesBuilder)
    builder.stacking(new common.StackingConfigBuilder().mode(common.StackingMode.Normal));
  builder.title(spec.title).datasource(SOURCE);
  if (spec.description) builder.description(spec.description);
  if (spec.unit) builder.unit(spec.unit);
  if (spec.decimals !== undefined) builder.decimals(spec.decimals);
  if (spec.min !== undefined) builder.min(spec.min);
  if (spec.max !== undefined) builder.max(spec.max);
  builder.thresholds(
    new ThresholdsConfigBuilder()
      .mode(ThresholdsMode.Absolute)
      .steps((spec.thresholds ?? [['green', null]]).map(([color, value]) => ({ color, value }))),
  );
  spec.queries?.forEach((q, i) => {
    const query = new DataqueryBuilder()
      .expr(q.expr)
      .refId(String.fromCharCode(65 + i))
      .datasource(SOURCE);
    if (q.legend) query.legendFormat(q.legend);
    if (spec.kind === 'table') query.instant().format('table' as never);
    else query.range();
    builder.withTarget(query);
  });
  return builder.build();
}
