/** Ask anything of the metrics: editor, chart or table, cost, last week beside today, saved queries, and from here an alert. */
import { Button, Checkbox, Group, SegmentedControl } from '@mantine/core';
import { IconBell, IconPlayerPlay } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { lazy, Suspense, useEffect, useState } from 'react';
import { asVector, queryInstant } from '../../api/prometheus.ts';
import { useRange } from '../../api/use-range.ts';
import { type ChartSeries, TimeSeriesChart } from '../../components/chart/time-series-chart.tsx';
import { DataTable } from '../../components/data-table.tsx';
import { Labels } from '../../components/labels.tsx';
import { Empty, Loading, Page, Panel, Problem } from '../../components/states.tsx';
import { csv, download } from '../../lib/csv.ts';
import { metricName, parseValue } from '../../lib/series.ts';
import { durationText, rateIntervalMs } from '../../lib/time-range.ts';
import { useText } from '../../lib/use-text.ts';
import { useView } from '../../lib/view.ts';
import { SavedQueries } from './saved-queries.tsx';

const PromqlEditor = lazy(async () => ({ default: (await import('./promql-editor.tsx')).PromqlEditor }));
const MakeAlert = lazy(async () => ({ default: (await import('./make-alert.tsx')).MakeAlert }));
const WEEK_MS = 7 * 86_400_000;
const SERIES_SHOWN_MAX = 200;

export function ExplorePage() {
  const { t } = useText();
  const { tenant, search, set } = useView();
  const asked = search['q'] ?? '';
  const [text, setText] = useState(asked);
  useEffect(() => setText(asked), [asked]);
  const tab = search['tab'] ?? 'graph';
  const alerting = search['make'] === 'alert';
  const run = (expr: string): void => set({ q: expr });
  return (
    <Page title={t('nav.explore')}>
      <div style={{ display: 'grid', gap: 12 }}>
        <Suspense fallback={<Loading />}>
          <PromqlEditor value={text} label={t('explore.query')} tenant={tenant} onChange={setText} onRun={run} />
        </Suspense>
        <Group gap="sm">
          <Button
            leftSection={<IconPlayerPlay size={16} aria-hidden />}
            onClick={() => run(text)}
            disabled={text.trim() === ''}
          >
            {t('explore.run')}
          </Button>
          <SegmentedControl
            size="sm"
            aria-label={t('explore.show')}
            value={tab}
            onChange={(v) => set({ tab: v === 'graph' ? undefined : v })}
            data={[
              { value: 'graph', label: t('explore.graph') },
              { value: 'table', label: t('explore.table') },
            ]}
          />
          <Checkbox
            label={t('explore.lastWeek')}
            checked={search['week'] === '1'}
            onChange={(e) => set({ week: e.currentTarget.checked ? '1' : undefined })}
          />
          <span style={{ flex: 1 }} />
          <SavedQueries expr={text} pick={run} />
          <Button
            variant="default"
            leftSection={<IconBell size={16} aria-hidden />}
            disabled={asked === ''}
            onClick={() => set({ make: alerting ? undefined : 'alert' })}
          >
            {t('explore.makeAlert')}
          </Button>
        </Group>
        {asked === '' ? (
          <Panel title={t('explore.result')}>
            <Empty title={t('explore.start')}>{t('explore.startHint')}</Empty>
          </Panel>
        ) : tab === 'table' ? (
          <Table expr={asked} />
        ) : (
          <Graph expr={asked} />
        )}
        {alerting && asked !== '' && (
          <Suspense fallback={<Loading />}>
            <MakeAlert expr={asked} />
          </Suspense>
        )}
      </div>
    </Page>
  );
}

/** Explore knows the intervals that dashboards use, so that their queries run here unchanged. */
function withIntervals(expr: string, stepMs: number): string {
  return expr
    .replaceAll(/\$\{?__rate_interval\}?/g, durationText(rateIntervalMs(stepMs)))
    .replaceAll(/\$\{?__interval\}?/g, durationText(stepMs));
}

function Graph({ expr }: { readonly expr: string }) {
  const { t, value } = useText();
  const { search } = useView();
  const week = search['week'] === '1';
  const ready = withIntervals(expr, 60_000);
  const range = useRange(ready, { widthPx: 1_200 });
  const before = useRange(ready, { widthPx: 1_200, offsetMs: WEEK_MS, enabled: week });
  const { columns, error, stats, tookMs } = range;
  const series: ChartSeries[] = (columns?.series ?? [])
    .slice(0, SERIES_SHOWN_MAX)
    .map((s) => ({ name: metricName(s.metric), values: s.values }));
  const old =
    week && columns && before.columns && before.columns.times.length > 0
      ? before.columns.series.slice(0, SERIES_SHOWN_MAX)
      : [];
  for (const s of old)
    series.push({
      name: `${metricName(s.metric)} · ${t('explore.weekAgo')}`,
      values: columns!.times.map((_, i) => s.values[i] ?? null),
      dashed: true,
      width: 1,
    });
  const cost = [
    columns && t('explore.series', { count: value(columns.series.length) }),
    stats?.samples !== undefined && `${value(stats.samples)} ${t('explore.samples')}`,
    tookMs !== undefined && value(tookMs, 'ms'),
    t('explore.step', { step: value(range.stepMs, 'ms') }),
  ].filter(Boolean);
  return (
    <Panel
      title={t('explore.graph')}
      actions={
        <>
          <span className="muted" style={{ fontSize: 12.5 }} role="status">
            {cost.join(' · ')}
          </span>
          <Button
            size="compact-sm"
            variant="default"
            disabled={!columns}
            onClick={() =>
              columns &&
              download(
                'query.csv',
                'text/csv',
                csv(
                  ['time', ...series.map((s) => s.name)],
                  columns.times.map((at, i) => [new Date(at * 1_000).toISOString(), ...series.map((s) => s.values[i])]),
                ),
              )
            }
          >
            CSV
          </Button>
        </>
      }
    >
      {error ? (
        <Problem error={error} retry={range.refetch} />
      ) : !columns ? (
        <Loading />
      ) : series.length === 0 ? (
        <Empty title={t('state.noData')} />
      ) : (
        <TimeSeriesChart label={expr} times={columns.times} series={series} height={360} legend="table" />
      )}
      {range.warnings.map((w) => (
        <p key={w} style={{ color: 'var(--v-warn)', margin: '6px 0 0' }}>
          {w}
        </p>
      ))}
      {(columns?.series.length ?? 0) > SERIES_SHOWN_MAX && (
        <p className="muted">{t('explore.more', { shown: SERIES_SHOWN_MAX, count: columns!.series.length })}</p>
      )}
    </Panel>
  );
}

function Table({ expr }: { readonly expr: string }) {
  const { t, value } = useText();
  const { tenant } = useView();
  const ready = withIntervals(expr, 60_000);
  const query = useQuery({
    queryKey: ['instant', tenant, ready],
    queryFn: ({ signal }) => queryInstant(tenant, ready, undefined, signal),
    refetchInterval: 15_000,
  });
  if (query.error) return <Problem error={query.error} retry={() => void query.refetch()} />;
  if (!query.data) return <Loading />;
  const rows = asVector(query.data.data).map((r, i) => ({ ...r, i }));
  return (
    <Panel title={t('explore.table')}>
      <DataTable
        label={t('explore.table')}
        rows={rows}
        rowKey={(r) => String(r.i)}
        empty={t('state.noData')}
        columns={[
          {
            id: 'metric',
            label: t('chart.series'),
            key: (r) => metricName(r.metric),
            cell: (r) => (
              <>
                <strong className="mono">{r.metric['__name__']}</strong>{' '}
                <Labels labels={r.metric} without={['__name__']} />
              </>
            ),
            width: 'minmax(240px, 4fr)',
          },
          {
            id: 'value',
            label: t('explore.value'),
            numeric: true,
            key: (r) => (r.value ? parseValue(r.value[1]) : Number.NaN),
            cell: (r) =>
              r.value ? <span title={r.value[1]}>{value(parseValue(r.value[1]))}</span> : t('explore.histogram'),
            width: 'minmax(110px, 1fr)',
          },
        ]}
      />
    </Panel>
  );
}
