/** Every alert of the tenant, live: filters in the address, detail at the side with the graph behind it. */
import { Button, Drawer, SegmentedControl } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useMemo } from 'react';
import { alerts, type GettableAlert } from '../../api/alertmanager.ts';
import { type Rule, rules } from '../../api/prometheus.ts';
import { type Column, DataTable } from '../../components/data-table.tsx';
import { Labels } from '../../components/labels.tsx';
import { Page, QueryView } from '../../components/states.tsx';
import { metricKey } from '../../lib/series.ts';
import { useText } from '../../lib/use-text.ts';
import { useView } from '../../lib/view.ts';
import { SeverityBadge } from '../overview/active-alerts.tsx';
import { AlertDetail } from './alert-detail.tsx';
import { NotificationHistory } from './notification-history.tsx';

export interface AlertRow {
  readonly id: string;
  readonly name: string;
  readonly state: 'firing' | 'pending' | 'silenced' | 'inhibited';
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly sinceMs: number;
  readonly rule?: Rule;
  readonly alert?: GettableAlert;
}
const STATES = ['all', 'firing', 'pending', 'silenced', 'history'] as const;

function rowsOf(list: readonly GettableAlert[], ruleList: readonly Rule[]): AlertRow[] {
  const byName = new Map(ruleList.filter((r) => r.type === 'alerting').map((r) => [r.name, r]));
  const rows: AlertRow[] = list.map((alert) => {
    const rule = byName.get(alert.labels['alertname'] ?? '');
    return {
      id: alert.fingerprint,
      name: alert.labels['alertname'] ?? '',
      state:
        alert.status.silencedBy.length > 0 ? 'silenced' : alert.status.inhibitedBy.length > 0 ? 'inhibited' : 'firing',
      labels: alert.labels,
      annotations: alert.annotations,
      sinceMs: Date.parse(alert.startsAt),
      alert,
      ...(rule ? { rule } : {}),
    };
  });
  for (const rule of ruleList)
    for (const a of rule.alerts ?? [])
      if (a.state === 'pending')
        rows.push({
          id: metricKey(a.labels),
          name: rule.name,
          state: 'pending',
          labels: a.labels,
          annotations: a.annotations,
          sinceMs: Date.parse(a.activeAt),
          rule,
        });
  return rows;
}

export function AlertsPage() {
  const { t, ago } = useText();
  const { tenant, search, set } = useView();
  const state = (search['state'] ?? 'all') as (typeof STATES)[number];
  const list = useQuery({ queryKey: ['alerts', tenant], queryFn: () => alerts(tenant), refetchInterval: 30_000 });
  const ruleQuery = useQuery({ queryKey: ['rules', tenant], queryFn: () => rules(tenant), refetchInterval: 30_000 });
  const rows = useMemo(
    () =>
      rowsOf(
        list.data ?? [],
        (ruleQuery.data?.groups ?? []).flatMap((g) => g.rules),
      ),
    [list.data, ruleQuery.data],
  );
  const shown = rows.filter(
    (r) =>
      state === 'all' || (state === 'silenced' ? r.state === 'silenced' || r.state === 'inhibited' : r.state === state),
  );
  const open = rows.find((r) => r.id === search['alert']);
  const columns: Column<AlertRow>[] = [
    {
      id: 'state',
      label: t('alerts.state'),
      width: '120px',
      key: (r) => r.state,
      cell: (r) => (
        <>
          <span className="dot" data-state={r.state} aria-hidden /> {t(`alerts.${r.state}`)}
        </>
      ),
    },
    {
      id: 'severity',
      label: t('alerts.severity'),
      width: '110px',
      key: (r) => r.labels['severity'] ?? '',
      cell: (r) => <SeverityBadge severity={r.labels['severity']} />,
    },
    {
      id: 'name',
      label: t('alerts.name'),
      width: 'minmax(210px, 1.4fr)',
      key: (r) => r.name,
      cell: (r) => (
        <button type="button" className="link-button" onClick={() => set({ alert: r.id })}>
          {r.name}
        </button>
      ),
    },
    {
      id: 'labels',
      label: t('alerts.labels'),
      width: 'minmax(220px, 3fr)',
      key: (r) =>
        Object.entries(r.labels)
          .map(([k, v]) => `${k}=${v}`)
          .join(' '),
      cell: (r) => <Labels labels={r.labels} without={['alertname', 'severity']} />,
    },
    { id: 'since', label: t('alerts.since'), width: '110px', key: (r) => r.sinceMs, cell: (r) => ago(r.sinceMs) },
  ];
  return (
    <Page
      title={t('nav.alerts')}
      actions={
        <SegmentedControl
          size="xs"
          aria-label={t('alerts.state')}
          value={state}
          onChange={(v) => set({ state: v === 'all' ? undefined : v })}
          data={STATES.map((s) => ({ value: s, label: t(`alerts.${s}`) }))}
          style={{ maxWidth: '100%', overflowX: 'auto' }}
        />
      }
    >
      {state === 'history' ? (
        <NotificationHistory />
      ) : (
        <QueryView query={list}>
          {() => (
            <DataTable
              label={t('nav.alerts')}
              rows={shown}
              columns={columns}
              rowKey={(r) => r.id}
              empty={t('alerts.none')}
            />
          )}
        </QueryView>
      )}
      <Drawer
        opened={open !== undefined}
        onClose={() => set({ alert: undefined })}
        position="right"
        size="xl"
        title={open?.name}
        closeButtonProps={{ 'aria-label': t('action.close') }}
      >
        {open && <AlertDetail row={open} />}
        <Button variant="default" mt="md" onClick={() => set({ alert: undefined })}>
          {t('action.close')}
        </Button>
      </Drawer>
    </Page>
  );
}
