// biome-ignore-all lint/suspicious/noArrayIndexKey: the pieces of a text have no other name than their place
/** What is inside a panel, by its type; a type that is not drawn says so in its place. */
import { Anchor } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useMemo } from 'react';
import { dashboards } from '../../../api/vigie.ts';
import type { Mark } from '../../../components/chart/marks.ts';
import { Empty, Loading, Problem } from '../../../components/states.tsx';
import { interpolate, type Values } from '../../../lib/dashboard/interpolate.ts';
import { markdownLite } from '../../../lib/dashboard/markdown-lite.ts';
import { LIBRARY_PANEL } from '../../../lib/dashboard/migrate.ts';
import { PANEL_TYPES, type Panel } from '../../../lib/dashboard/model.ts';
import { shape } from '../../../lib/dashboard/panel-answer.ts';
import type { Key } from '../../../lib/i18n.ts';
import { useText } from '../../../lib/use-text.ts';
import { frameSearch, useView } from '../../../lib/view.ts';
import { ActiveAlerts } from '../../overview/active-alerts.tsx';
import type { PanelData } from '../use-panel-data.ts';
import { BarChart } from './bar-chart.tsx';
import { BarGauge, Gauges, Stats } from './figures.tsx';
import { Heatmap } from './heatmap.tsx';
import { PieChart } from './pie-chart.tsx';
import { StateTimeline } from './state-timeline.tsx';
import { TablePanel } from './table-panel.tsx';
import { TimeSeriesPanel } from './time-series-panel.tsx';

/** Panels whose place is kept, with what is missing. */
const NOTICES: Readonly<Record<string, Key>> = {
  logs: 'dashboard.logsNotShown',
  traces: 'dashboard.tracesNotShown',
  nodeGraph: 'dashboard.tracesNotShown',
  geomap: 'dashboard.geomapNotShown',
  'grafana-worldmap-panel': 'dashboard.geomapNotShown',
};

export interface BodyProps {
  readonly panel: Panel;
  readonly data: PanelData;
  readonly height: number;
  readonly marks: readonly Mark[];
  /** Of the dashboard, with those that a repeat gave. */
  readonly values: Values;
  readonly onCanvas?: (canvas: HTMLCanvasElement | undefined) => void;
}

export function PanelBody(given: BodyProps) {
  const { panel, values } = given;
  const { t } = useText();
  const { times, series, frames } = given.data;
  const shaped = useMemo(
    () => shape({ times, series, frames }, panel.transformations ?? []),
    [times, series, frames, panel.transformations],
  );
  const data = { ...given.data, ...shaped };
  const props: BodyProps = { ...given, data };
  const type = PANEL_TYPES[panel.type];
  if (panel.type === LIBRARY_PANEL) return <Empty title={t('dashboard.libraryPanel')} />;
  if (!type)
    return (
      <Empty title={panel.type in NOTICES ? t(NOTICES[panel.type]!) : t('dashboard.notShown', { type: panel.type })} />
    );
  if (type === 'text') return <TextPanel panel={panel} values={values} />;
  if (type === 'alertlist') return <ActiveAlerts />;
  if (type === 'dashlist') return <DashboardList />;
  const foreign = (panel.targets ?? []).map((q) => q.foreign);
  if (foreign.length > 0 && foreign.every((f) => f !== undefined))
    return <Empty title={t('dashboard.foreign', { source: [...new Set(foreign)].join(', ') })} />;
  if (data.error && data.series.length === 0) return <Problem error={data.error} retry={data.refetch} />;
  if (data.loading) return <Loading />;
  if (data.series.length === 0 && data.frames.every((f) => (f.fields[0]?.values.length ?? 0) === 0))
    return <Nothing text={panel.fieldConfig?.defaults?.noValue || t('state.noData')} height={props.height} />;
  switch (type) {
    case 'stat':
      return <Stats {...props} />;
    case 'gauge':
      return <Gauges {...props} />;
    case 'bargauge':
      return <BarGauge {...props} />;
    case 'barchart':
      return <BarChart {...props} />;
    case 'piechart':
      return <PieChart {...props} />;
    case 'table':
      return <TablePanel {...props} />;
    case 'heatmap':
      return <Heatmap {...props} />;
    case 'state-timeline':
    case 'status-history':
      return <StateTimeline {...props} />;
    default:
      return <TimeSeriesPanel {...props} />;
  }
}

/** In a panel of two grid rows there is room for the words only. */
function Nothing({ text, height }: { readonly text: string; readonly height: number }) {
  if (height >= NOTHING_PX_MIN) return <Empty title={text} />;
  return (
    <div className="muted" style={{ display: 'grid', placeItems: 'center', height: '100%', fontWeight: 600 }}>
      {text}
    </div>
  );
}
const NOTHING_PX_MIN = 90;

/** Text is built from a small safe subset of Markdown; HTML in it is shown as text, never run. */
function TextPanel({ panel, values }: { readonly panel: Panel; readonly values: Values }) {
  const { t } = useText();
  const content = interpolate(
    String(panel.options?.['content'] ?? (panel as { content?: string }).content ?? ''),
    values,
    'text',
  );
  return (
    <section
      // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls where it is small
      tabIndex={0}
      aria-label={panel.title || t('dashboard.viewPanel')}
      style={{ overflow: 'auto', fontSize: 14, height: '100%' }}
    >
      {markdownLite(content).map((block, i) => {
        const inner = block.spans.map((s, k) =>
          s.href ? (
            <Anchor key={k} href={s.href} target="_blank" rel="noreferrer noopener">
              {s.text}
            </Anchor>
          ) : s.bold ? (
            <strong key={k}>{s.text}</strong>
          ) : s.code ? (
            <code key={k}>{s.text}</code>
          ) : (
            <span key={k}>{s.text}</span>
          ),
        );
        return block.kind === 'heading' ? (
          <p key={i} style={{ fontWeight: 650, fontSize: 16, margin: '4px 0' }}>
            {inner}
          </p>
        ) : (
          <p key={i} style={{ margin: '4px 0', paddingLeft: block.kind === 'item' ? 14 : 0 }}>
            {block.kind === 'item' && '• '}
            {inner}
          </p>
        );
      })}
    </section>
  );
}

function DashboardList() {
  const { tenant, search } = useView();
  const query = useQuery({ queryKey: ['dashboards', tenant], queryFn: () => dashboards(tenant) });
  return (
    <div style={{ overflow: 'auto' }}>
      {query.data?.dashboards.map((d) => (
        <Link
          key={d.uid}
          className="nav-link"
          to={`/dashboards/${d.uid}` as never}
          search={frameSearch(search) as never}
        >
          {d.title}
        </Link>
      ))}
    </div>
  );
}
