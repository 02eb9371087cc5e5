/** Scrape targets with health, and what discovery found before relabelling. */
import { SegmentedControl } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { type Target, targets } from '../../api/prometheus.ts';
import { serviceDiscovery } from '../../api/vigie.ts';
import { type Column, DataTable } from '../../components/data-table.tsx';
import { Labels } from '../../components/labels.tsx';
import { Page, Panel, QueryView } from '../../components/states.tsx';
import { useText } from '../../lib/use-text.ts';
import { useView } from '../../lib/view.ts';

export function TargetsPage() {
  const { t, value, ago } = useText();
  const { tenant, search, set } = useView();
  const tab = search['tab'] ?? 'targets';
  const query = useQuery({ queryKey: ['targets', tenant], queryFn: () => targets(tenant), refetchInterval: 15_000 });
  const columns: Column<Target>[] = [
    {
      id: 'health',
      label: t('targets.health'),
      width: '110px',
      key: (r) => r.health,
      cell: (r) => (
        <>
          <span className="dot" data-state={r.health} aria-hidden /> {t(`targets.${r.health}`)}
        </>
      ),
    },
    { id: 'pool', label: t('targets.pool'), width: 'minmax(100px, .8fr)', key: (r) => r.scrapePool },
    {
      id: 'url',
      label: t('targets.address'),
      width: 'minmax(200px, 1.6fr)',
      key: (r) => r.scrapeUrl,
      cell: (r) => <span className="mono">{r.scrapeUrl}</span>,
    },
    {
      id: 'labels',
      label: t('alerts.labels'),
      width: 'minmax(180px, 1.6fr)',
      key: (r) => Object.values(r.labels).join(' '),
      cell: (r) => <Labels labels={r.labels} />,
    },
    {
      id: 'last',
      label: t('targets.last'),
      width: '110px',
      key: (r) => r.lastScrape,
      cell: (r) => (r.lastScrape && !r.lastScrape.startsWith('0001') ? ago(Date.parse(r.lastScrape)) : '–'),
    },
    {
      id: 'took',
      label: t('targets.took'),
      numeric: true,
      key: (r) => r.lastScrapeDuration,
      cell: (r) => value(r.lastScrapeDuration, 's'),
    },
    {
      id: 'error',
      label: t('rules.error'),
      width: 'minmax(140px, 1.2fr)',
      key: (r) => r.lastError,
      cell: (r) => <span style={{ color: 'var(--v-bad)' }}>{r.lastError}</span>,
    },
  ];
  return (
    <Page
      title={t('nav.targets')}
      actions={
        <SegmentedControl
          size="xs"
          aria-label={t('nav.targets')}
          value={tab}
          onChange={(v) => set({ tab: v === 'targets' ? undefined : v })}
          data={[
            { value: 'targets', label: t('nav.targets') },
            { value: 'discovery', label: t('targets.discovery') },
          ]}
        />
      }
    >
      {tab === 'discovery' ? (
        <Discovery />
      ) : (
        <QueryView query={query}>
          {(data) => (
            <DataTable
              label={t('nav.targets')}
              rows={data.activeTargets}
              columns={columns}
              rowKey={(r) => `${r.scrapePool}${r.scrapeUrl}${JSON.stringify(r.labels)}`}
              empty={t('targets.none')}
            />
          )}
        </QueryView>
      )}
    </Page>
  );
}

function Discovery() {
  const { t } = useText();
  const { tenant } = useView();
  const query = useQuery({ queryKey: ['targets', 'discovery', tenant], queryFn: () => serviceDiscovery(tenant) });
  return (
    <QueryView query={query}>
      {(data) => (
        <div style={{ display: 'grid', gap: 12 }}>
          {data.pools.map((pool) => (
            <Panel
              key={pool.name}
              title={`${pool.name} · ${t('targets.counts', { active: pool.active, dropped: pool.dropped })}`}
            >
              {pool.error && <p style={{ color: 'var(--v-bad)', margin: 0 }}>{pool.error}</p>}
              <DataTable
                label={pool.name}
                rows={pool.targets.map((target, i) => ({ ...target, i }))}
                rowKey={(r) => String(r.i)}
                empty={t('targets.none')}
                columns={[
                  {
                    id: 'found',
                    label: t('targets.discovered'),
                    key: (r) => JSON.stringify(r.discovered),
                    cell: (r) => <Labels labels={r.discovered} />,
                  },
                  {
                    id: 'labels',
                    label: t('targets.relabelled'),
                    key: (r) => JSON.stringify(r.labels ?? ''),
                    cell: (r) =>
                      r.labels ? <Labels labels={r.labels} /> : <em className="muted">{t('targets.dropped')}</em>,
                  },
                ]}
              />
            </Panel>
          ))}
        </div>
      )}
    </QueryView>
  );
}
