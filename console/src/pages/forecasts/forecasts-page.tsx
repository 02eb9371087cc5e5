/** What is expected to fill up, run out or pass its limit, likeliest first, each with its band and its record. */
import { Anchor, Badge } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import type { DetectorItem, ForecastItem } from '../../../../src/http/contract/intelligence.ts';
import { detectors, forecasts } from '../../api/intelligence.ts';
import { type Column, DataTable } from '../../components/data-table.tsx';
import { Labels } from '../../components/labels.tsx';
import { Empty, Page, Panel, QueryView } from '../../components/states.tsx';
import { useText } from '../../lib/use-text.ts';
import { frameSearch, useView } from '../../lib/view.ts';
import { RecordFigures } from '../detectors/record-figures.tsx';
import { ForecastChart } from './forecast-chart.tsx';

const keyOf = (f: ForecastItem): string => `${f.detector} ${JSON.stringify(f.labels)}`;

export function ForecastsPage() {
  const { t, value, ago } = useText();
  const { tenant, search, set } = useView();
  const query = useQuery({
    queryKey: ['forecasts', tenant],
    queryFn: () => forecasts(tenant),
    refetchInterval: 60_000,
  });
  const known = useQuery({
    queryKey: ['detectors', tenant],
    queryFn: () => detectors(tenant),
    refetchInterval: 60_000,
  });
  const columns: Column<ForecastItem>[] = [
    {
      id: 'what',
      label: t('forecasts.what'),
      key: (f) => f.detector,
      width: 'minmax(150px, 1fr)',
      cell: (f) => (
        <Anchor component="button" size="sm" onClick={() => set({ forecast: keyOf(f) })} aria-label={keyOf(f)}>
          {f.detector}
        </Anchor>
      ),
    },
    {
      id: 'labels',
      label: t('alerts.labels'),
      key: (f) => Object.values(f.labels).join(' '),
      cell: (f) => <Labels labels={f.labels} without={['__name__']} />,
      width: 'minmax(200px, 2fr)',
    },
    { id: 'now', label: t('forecasts.now'), numeric: true, key: (f) => f.value ?? 0, cell: (f) => value(f.value) },
    {
      id: 'probability',
      label: t('forecasts.probability'),
      numeric: true,
      key: (f) => f.crossProbability ?? -1,
      cell: (f) => (f.crossProbability === null ? '–' : value(f.crossProbability, 'percentunit', 0)),
    },
    {
      id: 'time',
      label: t('forecasts.timeLeft'),
      numeric: true,
      key: (f) => f.secondsToThreshold ?? Number.MAX_VALUE,
      cell: (f) =>
        f.threshold === null
          ? '–'
          : f.secondsToThreshold === null
            ? t('forecasts.notInSight')
            : value(f.secondsToThreshold, 's'),
    },
    {
      id: 'state',
      label: t('alerts.state'),
      key: (f) => `${f.state}${f.armed}`,
      width: '170px',
      cell: (f) => (
        <span>
          {t(`detectors.series.${f.state}`)}{' '}
          {!f.armed && (
            <Badge size="xs" variant="default" tt="none" fw={400}>
              {t('detectors.unarmed')}
            </Badge>
          )}
        </span>
      ),
    },
  ];
  return (
    <Page title={t('nav.forecasts')}>
      <QueryView query={query}>
        {(data) => {
          if (data.forecasts.length === 0) return <Empty title={t('forecasts.none')}>{t('forecasts.noneHint')}</Empty>;
          const ready = data.forecasts.filter((f) => f.mean.length > 0);
          const chosen = data.forecasts.find((f) => keyOf(f) === search['forecast']) ?? ready[0];
          const owner = known.data?.detectors.find((d) => d.name === chosen?.detector);
          return (
            <div style={{ display: 'grid', gap: 12, minWidth: 0 }}>
              {chosen && (
                <Panel
                  title={`${chosen.detector} · ${Object.entries(chosen.labels)
                    .filter(([k]) => k !== '__name__')
                    .map(([, v]) => v)
                    .join(' · ')}`}
                  actions={<Owner owner={owner} />}
                >
                  {chosen.mean.length > 0 ? (
                    <>
                      <ForecastChart item={chosen} />
                      <p className="muted" style={{ margin: '4px 0 0' }}>
                        {chosen.description}{' '}
                        {chosen.fitAtMs !== null && `${t('forecasts.made')} ${ago(chosen.fitAtMs)}.`}
                      </p>
                    </>
                  ) : (
                    <Empty title={t(`detectors.series.${chosen.state}`)} />
                  )}
                  {owner && <RecordFigures record={owner.record} />}
                </Panel>
              )}
              <DataTable
                label={t('nav.forecasts')}
                rows={data.forecasts}
                columns={columns}
                rowKey={keyOf}
                empty={t('forecasts.none')}
              />
            </div>
          );
        }}
      </QueryView>
    </Page>
  );
}

function Owner({ owner }: { readonly owner: DetectorItem | undefined }) {
  const { t } = useText();
  const { search } = useView();
  if (!owner) return null;
  return (
    <Anchor
      component={Link}
      size="sm"
      to={'/detectors' as never}
      search={{ ...frameSearch(search), detector: owner.name } as never}
    >
      {t('detectors.open')}
    </Anchor>
  );
}
