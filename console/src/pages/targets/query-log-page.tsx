/** Finished queries with what they cost. */
import { Anchor } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { queryLog } from '../../api/vigie.ts';
import { DataTable } from '../../components/data-table.tsx';
import { Page, QueryView } from '../../components/states.tsx';
import { useText } from '../../lib/use-text.ts';
import { frameSearch, useView } from '../../lib/view.ts';

export function QueryLogPage() {
  const { t, date, value } = useText();
  const { tenant, search } = useView();
  const query = useQuery({ queryKey: ['query-log', tenant], queryFn: () => queryLog(tenant), refetchInterval: 15_000 });
  return (
    <Page title={t('nav.queryLog')}>
      <QueryView query={query}>
        {(data) => (
          <DataTable
            label={t('nav.queryLog')}
            rows={data.queries.map((q, i) => ({ ...q, i }))}
            rowKey={(q) => `${q.atMs}-${q.i}`}
            empty={t('queryLog.none')}
            initialSort={{ id: 'at', down: true }}
            columns={[
              { id: 'at', label: t('chart.time'), key: (q) => q.atMs, cell: (q) => date(q.atMs), width: '180px' },
              { id: 'kind', label: t('rules.kind'), key: (q) => q.kind, width: '80px' },
              {
                id: 'expr',
                label: t('explore.query'),
                key: (q) => q.expr,
                width: 'minmax(220px, 3fr)',
                cell: (q) => (
                  <Anchor
                    component={Link}
                    className="mono"
                    to={'/explore' as never}
                    search={{ ...frameSearch(search), q: q.expr } as never}
                  >
                    {q.expr}
                  </Anchor>
                ),
              },
              {
                id: 'took',
                label: t('targets.took'),
                numeric: true,
                key: (q) => q.durationMs,
                cell: (q) => value(q.durationMs, 'ms'),
              },
              {
                id: 'samples',
                label: t('explore.samples'),
                numeric: true,
                key: (q) => q.samples,
                cell: (q) => value(q.samples),
              },
              { id: 'by', label: t('silences.by'), key: (q) => q.by, width: '110px' },
              { id: 'error', label: t('rules.error'), key: (q) => q.error },
            ]}
          />
        )}
      </QueryView>
    </Page>
  );
}
