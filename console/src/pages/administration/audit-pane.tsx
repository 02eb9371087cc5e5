/** The audit trail, newest first, and the check of its chain. */
import { Button } from '@mantine/core';
import { useInfiniteQuery, useMutation } from '@tanstack/react-query';
import { audit, verifyAudit } from '../../api/vigie.ts';
import { DataTable } from '../../components/data-table.tsx';
import { Loading, Problem } from '../../components/states.tsx';
import { useText } from '../../lib/use-text.ts';
import { useView } from '../../lib/view.ts';

export function AuditPane() {
  const { t, date, value } = useText();
  const { tenant } = useView();
  const pages = useInfiniteQuery({
    queryKey: ['audit', tenant],
    initialPageParam: 0,
    queryFn: ({ pageParam }) => audit(tenant, pageParam || undefined),
    getNextPageParam: (last) => last.next,
  });
  const verify = useMutation({ mutationFn: () => verifyAudit(tenant) });
  if (pages.error) return <Problem error={pages.error} retry={() => void pages.refetch()} />;
  if (!pages.data) return <Loading />;
  return (
    <DataTable
      label={t('admin.audit')}
      rows={pages.data.pages.flatMap((p) => p.entries)}
      rowKey={(e) => String(e.sequence)}
      empty={t('admin.noAudit')}
      actions={
        <>
          {pages.hasNextPage && (
            <Button
              size="xs"
              variant="default"
              loading={pages.isFetchingNextPage}
              onClick={() => void pages.fetchNextPage()}
            >
              {t('action.more')}
            </Button>
          )}
          <Button size="xs" variant="default" loading={verify.isPending} onClick={() => verify.mutate()}>
            {t('admin.verify')}
          </Button>
          <span role="status" style={{ color: verify.data?.ok ? 'var(--v-ok)' : 'var(--v-bad)' }}>
            {verify.data &&
              (verify.data.ok
                ? t('admin.chainWhole', { count: value(verify.data.entries) })
                : t('admin.chainBroken', { at: verify.data.brokenAt ?? 0 }))}
            {verify.error?.message}
          </span>
        </>
      }
      columns={[
        { id: 'at', label: t('chart.time'), key: (e) => e.atMs, cell: (e) => date(e.atMs), width: '180px' },
        { id: 'who', label: t('silences.by'), key: (e) => e.who },
        { id: 'action', label: t('silences.action'), key: (e) => e.action },
        { id: 'target', label: t('admin.target'), key: (e) => e.target },
        {
          id: 'change',
          label: t('admin.change'),
          key: (e) => JSON.stringify([e.before, e.after]),
          cell: (e) => <span className="mono">{JSON.stringify(e.after ?? e.before ?? '').slice(0, 300)}</span>,
          width: 'minmax(220px, 2.4fr)',
        },
        {
          id: 'hash',
          label: t('admin.hash'),
          key: (e) => e.hash,
          cell: (e) => (
            <span className="mono muted" title={e.hash}>
              {e.hash.slice(0, 12)}
            </span>
          ),
          width: '130px',
        },
      ]}
    />
  );
}
