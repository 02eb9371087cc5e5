/** Vigie itself and what it is connected to; the switch of the demonstration. */
import { Switch } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useSession } from '../../api/session.ts';
import { demo, overview, switchDemo } from '../../api/vigie.ts';
import { DataTable } from '../../components/data-table.tsx';
import { Panel, Problem, QueryView } from '../../components/states.tsx';
import type { Key } from '../../lib/i18n.ts';
import { useText } from '../../lib/use-text.ts';
import { useView } from '../../lib/view.ts';

export function HealthPane() {
  const { t, ago, value } = useText();
  const { tenant } = useView();
  const session = useSession();
  const query = useQuery({ queryKey: ['overview', tenant], queryFn: () => overview(tenant), refetchInterval: 15_000 });
  return (
    <div style={{ display: 'grid', gap: 12 }}>
      <QueryView query={query}>
        {(data) => (
          <Panel
            title={`Vigie ${data.version} · ${data.environment} · ${t('admin.started', { when: ago(data.startedAtMs) })} · ${t('admin.retention', { length: value(data.storage.retentionMs, 'ms') })}`}
          >
            <DataTable
              label={t('overview.health')}
              rows={data.health}
              rowKey={(h) => h.id}
              empty={t('state.noData')}
              filter={false}
              columns={[
                { id: 'id', label: t('admin.part'), key: (h) => h.id },
                {
                  id: 'kind',
                  label: t('rules.kind'),
                  key: (h) => h.kind,
                  cell: (h) => t(`admin.kind.${h.kind}` as Key),
                  width: '120px',
                },
                {
                  id: 'state',
                  label: t('alerts.state'),
                  key: (h) => h.state,
                  cell: (h) => (
                    <>
                      <span className="dot" data-state={h.state} aria-hidden /> {t(`health.${h.state}`)}
                    </>
                  ),
                  width: '120px',
                },
                {
                  id: 'detail',
                  label: t('admin.detail'),
                  key: (h) => `${h.detail} ${h.url ?? ''}`,
                  width: 'minmax(180px, 2fr)',
                },
              ]}
            />
          </Panel>
        )}
      </QueryView>
      {session?.platform && <Demo />}
    </div>
  );
}

function Demo() {
  const { t, value } = useText();
  const queries = useQueryClient();
  const state = useQuery({
    queryKey: ['demo'],
    queryFn: demo,
    refetchInterval: (q) => (q.state.data?.enabled && q.state.data.progress < 1 ? 2_000 : false),
  });
  const change = useMutation({ mutationFn: switchDemo, onSettled: () => queries.invalidateQueries() });
  return (
    <Panel title={t('admin.demo')}>
      <p className="muted" style={{ margin: '0 0 8px' }}>
        {t('admin.demoHint')}
      </p>
      <QueryView query={state}>
        {(data) => (
          <Switch
            label={
              data.enabled && data.progress < 1
                ? t('admin.demoFilling', { progress: value(data.progress, 'percentunit', 0) })
                : t('admin.demoOn')
            }
            checked={data.enabled}
            disabled={change.isPending}
            onChange={(e) => change.mutate(e.currentTarget.checked)}
          />
        )}
      </QueryView>
      {change.error && <Problem error={change.error} />}
    </Panel>
  );
}
