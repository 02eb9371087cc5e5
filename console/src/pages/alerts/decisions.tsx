/** Why somebody was told and why not: every decision of the notification pipeline, and what could not be delivered. */
import { Button } from '@mantine/core';
import { notifications as toasts } from '@mantine/notifications';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import type { DecisionsAnswer } from '../../../../src/http/contract/routing.ts';
import { deadLetters, decisions, resend } from '../../api/routing.ts';
import { DataTable } from '../../components/data-table.tsx';
import { Labels } from '../../components/labels.tsx';
import { Problem, QueryView } from '../../components/states.tsx';
import type { Key } from '../../lib/i18n.ts';
import { useText } from '../../lib/use-text.ts';
import { useView } from '../../lib/view.ts';

type Decision = DecisionsAnswer['decisions'][number];
const dotOf = (verdict: Decision['verdict']): string =>
  verdict === 'sent' ? 'ok' : verdict === 'failed' ? 'err' : 'unknown';

export function Verdict({ verdict }: { readonly verdict: Decision['verdict'] }) {
  const { t } = useText();
  return (
    <span style={{ whiteSpace: 'nowrap' }}>
      <span className="dot" data-state={dotOf(verdict)} aria-hidden /> {t(`why.${verdict}` as Key)}
    </span>
  );
}

export function Decisions() {
  const { t, date } = useText();
  const { tenant } = useView();
  const query = useQuery({
    queryKey: ['alerts', 'decisions', tenant],
    queryFn: () => decisions(tenant, { limit: 500 }),
  });
  return (
    <QueryView query={query}>
      {(data) => (
        <DataTable
          label={t('why.title')}
          rows={data.decisions}
          rowKey={(d) => d.id}
          empty={t('why.none')}
          columns={[
            { id: 'at', label: t('chart.time'), key: (d) => d.atMs, cell: (d) => date(d.atMs), width: '180px' },
            {
              id: 'receiver',
              label: t('admin.receiver'),
              key: (d) => [d.receiver, d.integration].filter(Boolean).join('/'),
            },
            {
              id: 'verdict',
              label: t('why.verdict'),
              key: (d) => t(`why.${d.verdict}` as Key),
              cell: (d) => <Verdict verdict={d.verdict} />,
              width: '170px',
            },
            { id: 'reason', label: t('why.reason'), key: (d) => d.reason, width: 'minmax(200px, 2fr)' },
            {
              id: 'group',
              label: t('alerts.labels'),
              key: (d) => JSON.stringify(d.groupLabels),
              cell: (d) => <Labels labels={d.groupLabels} />,
              width: 'minmax(180px, 1.5fr)',
            },
            { id: 'firing', label: t('alerts.firing'), key: (d) => d.firing, numeric: true },
            { id: 'resolved', label: t('alerts.resolved'), key: (d) => d.resolved, numeric: true },
          ]}
        />
      )}
    </QueryView>
  );
}

/** The decisions about one alert, in its detail. */
export function DecisionsAbout({ fingerprint }: { readonly fingerprint: string }) {
  const { t, date } = useText();
  const { tenant } = useView();
  const query = useQuery({
    queryKey: ['alerts', 'decisions', tenant, fingerprint],
    queryFn: () => decisions(tenant, { fingerprint, limit: 20 }),
  });
  return (
    <section aria-label={t('why.title')}>
      <h3 style={{ fontSize: 14, margin: '0 0 6px' }}>{t('why.title')}</h3>
      <QueryView query={query}>
        {(data) =>
          data.decisions.length === 0 ? (
            <p className="muted" style={{ margin: 0 }}>
              {t('why.none')}
            </p>
          ) : (
            <ul style={{ listStyle: 'none', margin: 0, padding: 0, display: 'grid', gap: 6 }}>
              {data.decisions.map((d) => (
                <li key={d.id}>
                  <Verdict verdict={d.verdict} />{' '}
                  <strong>{[d.receiver, d.integration].filter(Boolean).join('/')}</strong>{' '}
                  <span className="muted">{date(d.atMs)}</span>
                  <div className="muted" style={{ fontSize: 12.5, overflowWrap: 'anywhere' }}>
                    {d.reason}
                  </div>
                </li>
              ))}
            </ul>
          )
        }
      </QueryView>
    </section>
  );
}

/** Nothing is shown while there is nothing undelivered. */
export function DeadLetters() {
  const { t, date } = useText();
  const { tenant } = useView();
  const queries = useQueryClient();
  const query = useQuery({ queryKey: ['alerts', 'dead-letters', tenant], queryFn: () => deadLetters(tenant) });
  const again = useMutation({
    mutationFn: (id: string) => resend(tenant, id),
    onSuccess: (answer) =>
      toasts.show(answer.ok ? { message: t('dead.sent') } : { color: 'red', message: answer.error }),
    onSettled: () => queries.invalidateQueries({ queryKey: ['alerts'] }),
  });
  if (!query.data || query.data.deadLetters.length === 0) return null;
  return (
    <>
      <h2 style={{ fontSize: 16, margin: 0 }}>{t('dead.title')}</h2>
      {again.error && <Problem error={again.error} />}
      <DataTable
        label={t('dead.title')}
        rows={query.data.deadLetters}
        rowKey={(d) => d.id}
        empty=""
        filter={false}
        columns={[
          { id: 'at', label: t('chart.time'), key: (d) => d.atMs, cell: (d) => date(d.atMs), width: '180px' },
          { id: 'receiver', label: t('admin.receiver'), key: (d) => `${d.receiver}/${d.integration}` },
          { id: 'error', label: t('rules.error'), key: (d) => d.error, width: 'minmax(200px, 2fr)' },
          { id: 'attempts', label: t('why.attempts'), key: (d) => d.attempts, numeric: true },
          {
            id: 'again',
            label: t('silences.action'),
            key: () => '',
            width: '150px',
            cell: (d) => (
              <Button
                size="compact-sm"
                variant="default"
                aria-label={`${t('dead.resend')}: ${d.receiver}/${d.integration}`}
                onClick={() => again.mutate(d.id)}
              >
                {t('dead.resend')}
              </Button>
            ),
          },
        ]}
      />
    </>
  );
}
