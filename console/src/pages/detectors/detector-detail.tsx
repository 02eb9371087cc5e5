/** One detector: whether it may alert and why not, its record, its back-test, its series, and what it announced. */
import { Button, Code } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import type { BacktestAnswer, DetectorAnswer, DetectorSeriesItem } from '../../../../src/http/contract/intelligence.ts';
import { detector, runBacktest } from '../../api/intelligence.ts';
import { QueryChart } from '../../components/chart/query-chart.tsx';
import { type Column, DataTable } from '../../components/data-table.tsx';
import { Labels } from '../../components/labels.tsx';
import { Panel, QueryView } from '../../components/states.tsx';
import { useText } from '../../lib/use-text.ts';
import { useView } from '../../lib/view.ts';
import { PredictionsTable } from './predictions-table.tsx';
import { RecordFigures } from './record-figures.tsx';

const SCORES: Readonly<Record<DetectorAnswer['kind'], string>> = {
  anomaly: 'vigie_anomaly_score',
  peers: 'vigie_anomaly_score',
  multivariate: 'vigie_anomaly_score',
  change: 'vigie_change_probability',
  forecast: 'vigie_forecast_crossing_probability',
};

export function DetectorDetail({ name }: { readonly name: string }) {
  const { t, value, ago } = useText();
  const { tenant } = useView();
  const query = useQuery({
    queryKey: ['detector', tenant, name],
    queryFn: () => detector(tenant, name),
    refetchInterval: 30_000,
  });
  return (
    <QueryView query={query}>
      {(d) => (
        <div style={{ display: 'grid', gap: 12, minWidth: 0 }}>
          <Panel
            title={d.name}
            actions={
              <span>
                <span className="dot" data-state={d.armed ? 'ok' : 'unknown'} aria-hidden />{' '}
                {d.armed ? t('detectors.armed') : t('detectors.unarmed')}
              </span>
            }
          >
            <p style={{ margin: '0 0 6px' }}>{d.description}</p>
            <Code block style={{ whiteSpace: 'pre-wrap' }}>
              {d.expr}
            </Code>
            <p className="muted" style={{ margin: '6px 0 0' }}>
              {t(`detectors.kind.${d.kind}`)} · {t('rules.every', { interval: value(d.stepMs / 1_000, 's') })}
              {d.lastEvaluationMs !== null && ` · ${ago(d.lastEvaluationMs)}`} ·{' '}
              {t('detectors.cost', {
                took: value(d.evaluationMs / 1_000, 's'),
                share: value(d.coreShare, 'percentunit', 2),
              })}
              {d.budgetFactor !== 1 && ` · ${t('detectors.factor', { factor: value(d.budgetFactor, undefined, 2) })}`}
            </p>
            {d.error && <p style={{ color: 'var(--v-bad)', margin: '6px 0 0' }}>{d.error}</p>}
            {!d.armed && <p style={{ margin: '6px 0 0' }}>{t('detectors.unarmedWhy', { why: d.unarmedWhy })}</p>}
            <RecordFigures record={d.record} />
          </Panel>
          <Backtest name={name} last={d.backtest} />
          <Panel title={t('detectors.scores')}>
            <QueryChart
              label={t('detectors.scores')}
              expr={`topk(12, ${SCORES[d.kind]}{detector="${d.name}"})`}
              min={0}
              max={1}
            />
          </Panel>
          <Panel title={t('detectors.topSeries')}>
            <SeriesTable rows={d.topSeries} />
          </Panel>
          <Panel title={t('predictions.title')}>
            <PredictionsTable detector={name} />
          </Panel>
        </div>
      )}
    </QueryView>
  );
}

function Backtest({ name, last }: { readonly name: string; readonly last: BacktestAnswer | null }) {
  const { t, value, ago } = useText();
  const { tenant } = useView();
  const client = useQueryClient();
  const run = useMutation({
    mutationFn: () => runBacktest(tenant, name),
    onSuccess: () => void client.invalidateQueries({ queryKey: ['detector', tenant, name] }),
  });
  const ratio = (x: number | null): string => (x === null ? '–' : value(x, 'percentunit', 0));
  const figures: readonly (readonly [string, string])[] = last
    ? [
        [t('record.hits'), value(last.hits)],
        [t('record.false'), value(last.falseAlerts)],
        [t('record.misses'), value(last.misses)],
        [t('record.precision'), ratio(last.precision)],
        [t('record.recall'), ratio(last.recall)],
        [t('record.lead'), last.leadSeconds === null ? '–' : value(last.leadSeconds, 's')],
        [t('backtest.perWeek'), last.falseAlertsPerWeek === null ? '–' : value(last.falseAlertsPerWeek, undefined, 2)],
        [t('record.coverage'), ratio(last.coverage95)],
        [t('backtest.weeks'), value(last.weeks, undefined, 1)],
      ]
    : [];
  return (
    <Panel
      title={t('backtest.title')}
      actions={
        <Button size="xs" variant="default" loading={run.isPending} onClick={() => run.mutate()}>
          {t('backtest.run')}
        </Button>
      }
    >
      {run.error && <p style={{ color: 'var(--v-bad)' }}>{run.error.message}</p>}
      {last ? (
        <>
          <p style={{ margin: '0 0 8px' }}>
            <span className="dot" data-state={last.passed ? 'ok' : 'err'} aria-hidden />{' '}
            {last.passed ? t('backtest.passed') : t('backtest.failed', { why: last.why })} · {ago(last.atMs)}
          </p>
          <dl
            style={{
              display: 'grid',
              gridTemplateColumns: 'repeat(auto-fit, minmax(110px, 1fr))',
              gap: '8px 14px',
              margin: 0,
            }}
          >
            {figures.map(([label, shown]) => (
              <div key={label}>
                <dt className="muted" style={{ fontSize: 12 }}>
                  {label}
                </dt>
                <dd style={{ margin: 0, fontSize: 17 }}>{shown}</dd>
              </div>
            ))}
          </dl>
          {!last.judged && <p className="muted">{t('backtest.unjudged')}</p>}
        </>
      ) : (
        <p className="muted" style={{ margin: 0 }}>
          {t('backtest.none')}
        </p>
      )}
    </Panel>
  );
}

function SeriesTable({ rows }: { readonly rows: readonly DetectorSeriesItem[] }) {
  const { t, value, ago } = useText();
  const columns: Column<DetectorSeriesItem>[] = [
    {
      id: 'labels',
      label: t('alerts.labels'),
      key: (s) => Object.values(s.labels).join(' '),
      cell: (s) => <Labels labels={s.labels} />,
      width: 'minmax(200px, 2fr)',
    },
    { id: 'state', label: t('alerts.state'), key: (s) => s.state, cell: (s) => t(`detectors.series.${s.state}`) },
    {
      id: 'score',
      label: t('detectors.score'),
      numeric: true,
      key: (s) => s.score,
      cell: (s) => value(s.score, undefined, 2),
    },
    { id: 'value', label: t('forecasts.now'), numeric: true, key: (s) => s.value ?? 0, cell: (s) => value(s.value) },
    {
      id: 'expected',
      label: t('forecasts.expected'),
      numeric: true,
      width: 'minmax(210px, 1.4fr)',
      key: (s) => s.expected ?? 0,
      cell: (s) =>
        s.expected === null || s.lower === null ? '–' : `${value(s.expected)} (${value(s.lower)} – ${value(s.upper)})`,
    },
    {
      id: 'last',
      label: t('targets.last'),
      key: (s) => s.lastAtMs ?? 0,
      cell: (s) => (s.lastAtMs === null ? '–' : ago(s.lastAtMs)),
    },
  ];
  return (
    <DataTable
      label={t('detectors.topSeries')}
      rows={rows}
      columns={columns}
      rowKey={(s) => JSON.stringify(s.labels)}
      empty={t('state.noData')}
    />
  );
}
