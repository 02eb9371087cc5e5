/** What was announced and what became of it; people may say whether it was useful. */
import { Button } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import type { PredictionItem } from '../../../../src/http/contract/intelligence.ts';
import { giveFeedback, predictions } from '../../api/intelligence.ts';
import { type Column, DataTable } from '../../components/data-table.tsx';
import { Labels } from '../../components/labels.tsx';
import { QueryView } from '../../components/states.tsx';
import { useText } from '../../lib/use-text.ts';
import { useView } from '../../lib/view.ts';

const DOTS: Readonly<Record<PredictionItem['status'], string>> = {
  pending: 'pending',
  hit: 'ok',
  false: 'err',
  miss: 'err',
  unjudged: 'unknown',
};

export function PredictionsTable({ detector }: { readonly detector?: string }) {
  const { t, value, date } = useText();
  const { tenant } = useView();
  const client = useQueryClient();
  const query = useQuery({
    queryKey: ['predictions', tenant, detector],
    queryFn: () => predictions(tenant, detector),
    refetchInterval: 60_000,
  });
  const say = useMutation({
    mutationFn: (input: Parameters<typeof giveFeedback>[1]) => giveFeedback(tenant, input),
    onSuccess: () => {
      for (const key of ['predictions', 'detectors', 'detector']) void client.invalidateQueries({ queryKey: [key] });
    },
  });
  const columns: Column<PredictionItem>[] = [
    { id: 'at', label: t('chart.time'), key: (p) => p.madeAtMs, cell: (p) => date(p.madeAtMs), width: '180px' },
    ...(detector
      ? []
      : [{ id: 'detector', label: t('detectors.detector'), key: (p: PredictionItem) => p.detector, width: '150px' }]),
    {
      id: 'status',
      label: t('predictions.outcome'),
      width: '130px',
      key: (p) => p.status,
      cell: (p) => (
        <>
          <span className="dot" data-state={DOTS[p.status]} aria-hidden /> {t(`predictions.${p.status}`)}
        </>
      ),
    },
    {
      id: 'labels',
      label: t('alerts.labels'),
      key: (p) => Object.values(p.labels).join(' '),
      cell: (p) => <Labels labels={p.labels} />,
      width: 'minmax(180px, 2fr)',
    },
    {
      id: 'sure',
      label: t('predictions.sure'),
      numeric: true,
      key: (p) => p.probability ?? p.score ?? 0,
      cell: (p) => {
        const sure = p.probability ?? p.score;
        return sure === undefined ? '–' : value(sure, 'percentunit', 0);
      },
    },
    {
      id: 'lead',
      label: t('record.lead'),
      numeric: true,
      key: (p) => p.leadMs ?? 0,
      cell: (p) => (p.status === 'hit' && p.leadMs ? value(p.leadMs / 1_000, 's') : '–'),
    },
    {
      id: 'say',
      label: t('predictions.verdict'),
      width: '170px',
      key: () => '',
      cell: (p) =>
        p.status === 'miss' ? null : (
          <span style={{ display: 'flex', gap: 6 }}>
            {(['useful', 'noise'] as const).map((verdict) => (
              <Button
                key={verdict}
                size="compact-xs"
                variant="default"
                disabled={say.isPending}
                onClick={() => say.mutate({ detector: p.detector, verdict, prediction: p.id })}
              >
                {t(`predictions.${verdict}`)}
              </Button>
            ))}
          </span>
        ),
    },
  ];
  return (
    <QueryView query={query}>
      {(data) => (
        <>
          <DataTable
            label={t('predictions.title')}
            rows={data.predictions}
            columns={columns}
            rowKey={(p) => p.id}
            empty={t('predictions.none')}
          />
          <p role="status" className="muted" style={{ minHeight: 20, margin: '4px 0 0' }}>
            {say.data && t('predictions.thanks', { factor: value(say.data.budgetFactor, undefined, 2) })}
            {say.error?.message}
          </p>
        </>
      )}
    </QueryView>
  );
}
