/** Detectors with their records, what is unusual right now, and what was announced. */
import { Anchor, Button, SegmentedControl } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import type { DetectorItem } from '../../../../src/http/contract/intelligence.ts';
import { detectors } from '../../api/intelligence.ts';
import { type Column, DataTable } from '../../components/data-table.tsx';
import { Page, QueryView } from '../../components/states.tsx';
import { useText } from '../../lib/use-text.ts';
import { useView } from '../../lib/view.ts';
import { DetectorDetail } from './detector-detail.tsx';
import { PredictionsTable } from './predictions-table.tsx';
import { UnusualPane } from './unusual-pane.tsx';

const TABS = ['detectors', 'unusual', 'predictions'] as const;

export function DetectorsPage() {
  const { t } = useText();
  const { search, set } = useView();
  const chosen = search['detector'];
  const tab = search['tab'] ?? 'detectors';
  return (
    <Page
      title={t('nav.detectors')}
      actions={
        chosen ? (
          <Button size="xs" variant="default" onClick={() => set({ detector: undefined })}>
            {t('detectors.all')}
          </Button>
        ) : (
          <SegmentedControl
            size="xs"
            aria-label={t('nav.detectors')}
            value={tab}
            onChange={(v) => set({ tab: v === 'detectors' ? undefined : v })}
            data={TABS.map((v) => ({ value: v, label: t(`detectors.tab.${v}`) }))}
          />
        )
      }
    >
      {chosen ? (
        <DetectorDetail name={chosen} />
      ) : tab === 'unusual' ? (
        <UnusualPane />
      ) : tab === 'predictions' ? (
        <PredictionsTable />
      ) : (
        <All />
      )}
    </Page>
  );
}

function All() {
  const { t, value } = useText();
  const { tenant, set } = useView();
  const query = useQuery({
    queryKey: ['detectors', tenant],
    queryFn: () => detectors(tenant),
    refetchInterval: 30_000,
  });
  const ratio = (x: number | null): string => (x === null ? '–' : value(x, 'percentunit', 0));
  const columns: Column<DetectorItem>[] = [
    {
      id: 'name',
      label: t('detectors.detector'),
      key: (d) => d.name,
      width: 'minmax(160px, 1.2fr)',
      cell: (d) => (
        <Anchor component="button" size="sm" onClick={() => set({ detector: d.name })}>
          {d.name}
        </Anchor>
      ),
    },
    { id: 'kind', label: t('detectors.kind'), key: (d) => d.kind, cell: (d) => t(`detectors.kind.${d.kind}`) },
    {
      id: 'phase',
      label: t('alerts.state'),
      key: (d) => d.phase,
      width: '140px',
      cell: (d) => (
        <>
          <span
            className="dot"
            data-state={d.phase === 'running' ? 'ok' : d.phase === 'failing' ? 'err' : 'unknown'}
            aria-hidden
          />{' '}
          {t(`detectors.phase.${d.phase}`)}
        </>
      ),
    },
    {
      id: 'series',
      label: t('detectors.seriesCount'),
      numeric: true,
      key: (d) => d.series.ready,
      cell: (d) => `${value(d.series.ready)} / ${value(Object.values(d.series).reduce((a, b) => a + b, 0))}`,
    },
    {
      id: 'armed',
      label: t('detectors.mayAlert'),
      width: 'minmax(160px, 1.6fr)',
      key: (d) => `${d.armed ? 0 : 1}${d.unarmedWhy}`,
      cell: (d) => (d.armed ? t('detectors.armed') : <span className="muted">{d.unarmedWhy}</span>),
    },
    {
      id: 'precision',
      label: t('record.precision'),
      numeric: true,
      key: (d) => d.record.precision ?? -1,
      cell: (d) => ratio(d.record.precision),
    },
    {
      id: 'recall',
      label: t('record.recall'),
      numeric: true,
      key: (d) => d.record.recall ?? -1,
      cell: (d) => ratio(d.record.recall),
    },
    {
      id: 'lead',
      label: t('record.lead'),
      numeric: true,
      key: (d) => d.record.leadSeconds ?? -1,
      cell: (d) => (d.record.leadSeconds === null ? '–' : value(d.record.leadSeconds, 's')),
    },
  ];
  return (
    <QueryView query={query}>
      {(data) => (
        <DataTable
          label={t('nav.detectors')}
          rows={data.detectors}
          columns={columns}
          rowKey={(d) => d.name}
          empty={t('detectors.none')}
        />
      )}
    </QueryView>
  );
}
