/** What changed and what was sent, newest first. */
import { useQuery } from '@tanstack/react-query';
import { alertHistory, notifications } from '../../api/vigie.ts';
import { DataTable } from '../../components/data-table.tsx';
import { Labels } from '../../components/labels.tsx';
import { QueryView } from '../../components/states.tsx';
import { useText } from '../../lib/use-text.ts';
import { useView } from '../../lib/view.ts';
import { DeadLetters, Decisions } from './decisions.tsx';

export function NotificationHistory() {
  const { t, date } = useText();
  const { tenant } = useView();
  const history = useQuery({ queryKey: ['alerts', 'history', tenant], queryFn: () => alertHistory(tenant, 500) });
  const sent = useQuery({ queryKey: ['alerts', 'notifications', tenant], queryFn: () => notifications(tenant) });
  return (
    <div style={{ display: 'grid', gap: 16 }}>
      <h2 style={{ fontSize: 16, margin: 0 }}>{t('alerts.transitions')}</h2>
      <QueryView query={history}>
        {(data) => (
          <DataTable
            label={t('alerts.transitions')}
            rows={data.transitions}
            rowKey={(r) => `${r.atMs}${r.fingerprint}${r.to}`}
            empty={t('alerts.noHistory')}
            columns={[
              { id: 'at', label: t('chart.time'), key: (r) => r.atMs, cell: (r) => date(r.atMs), width: '180px' },
              { id: 'rule', label: t('alerts.name'), key: (r) => r.rule, width: 'minmax(210px, 1fr)' },
              {
                id: 'to',
                label: t('alerts.state'),
                key: (r) => r.to,
                cell: (r) => `${t(`rules.${r.from}`)} → ${t(`rules.${r.to}`)}`,
                width: '150px',
              },
              {
                id: 'labels',
                label: t('alerts.labels'),
                key: (r) => JSON.stringify(r.labels),
                cell: (r) => <Labels labels={r.labels} without={['alertname']} />,
                width: 'minmax(200px, 2fr)',
              },
            ]}
          />
        )}
      </QueryView>
      <DeadLetters />
      <h2 style={{ fontSize: 16, margin: 0 }}>{t('alerts.notifications')}</h2>
      <QueryView query={sent}>
        {(data) => (
          <DataTable
            label={t('alerts.notifications')}
            rows={data.notifications}
            rowKey={(r) => `${r.atMs}${r.receiver}${r.groupKey}${r.integration}`}
            empty={t('alerts.noNotifications')}
            columns={[
              { id: 'at', label: t('chart.time'), key: (r) => r.atMs, cell: (r) => date(r.atMs), width: '180px' },
              { id: 'receiver', label: t('admin.receiver'), key: (r) => `${r.receiver}/${r.integration}` },
              {
                id: 'state',
                label: t('alerts.state'),
                key: (r) => r.state,
                cell: (r) => (
                  <>
                    <span className="dot" data-state={r.state === 'sent' ? 'ok' : 'err'} aria-hidden />{' '}
                    {t(r.state === 'sent' ? 'why.sent' : 'why.failed')}
                  </>
                ),
              },
              { id: 'count', label: t('alerts.firing'), key: (r) => r.firing, numeric: true },
              { id: 'resolved', label: t('alerts.resolved'), key: (r) => r.resolved, numeric: true },
              { id: 'error', label: t('rules.error'), key: (r) => r.error, width: 'minmax(160px, 2fr)' },
            ]}
          />
        )}
      </QueryView>
      <h2 style={{ fontSize: 16, margin: 0 }}>{t('why.title')}</h2>
      <Decisions />
    </div>
  );
}
