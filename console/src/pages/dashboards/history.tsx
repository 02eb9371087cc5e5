/** The versions of a dashboard, and the way back to one. */
import { Button, Modal, Table } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { dashboardVersions, dashboard as fetchDashboard } from '../../api/vigie.ts';
import { QueryView } from '../../components/states.tsx';
import type { Dashboard } from '../../lib/dashboard/model.ts';
import { useText } from '../../lib/use-text.ts';
import { useView } from '../../lib/view.ts';

export function History({
  uid,
  current,
  close,
  restore,
}: {
  readonly uid: string;
  readonly current: number;
  readonly close: () => void;
  readonly restore: (dashboard: Dashboard, version: number) => void;
}) {
  const { t, date } = useText();
  const { tenant } = useView();
  const query = useQuery({
    queryKey: ['dashboard', 'versions', tenant, uid],
    queryFn: () => dashboardVersions(tenant, uid),
  });
  const bring = async (version: number): Promise<void> => {
    const item = await fetchDashboard(tenant, uid, version);
    restore(item.dashboard as unknown as Dashboard, version);
    close();
  };
  return (
    <Modal
      opened
      onClose={close}
      size="lg"
      title={t('dashboard.history')}
      closeButtonProps={{ 'aria-label': t('action.close') }}
    >
      <QueryView query={query}>
        {({ versions }) => (
          <Table>
            <Table.Tbody>
              {versions.map((v) => (
                <Table.Tr key={v.version}>
                  <Table.Td>{t('dashboard.version', { version: v.version })}</Table.Td>
                  <Table.Td>{date(v.atMs)}</Table.Td>
                  <Table.Td>{v.by}</Table.Td>
                  <Table.Td>{v.message}</Table.Td>
                  <Table.Td>
                    {v.version !== current && (
                      <Button
                        size="compact-sm"
                        variant="default"
                        aria-label={`${t('dashboard.restore')} ${v.version}`}
                        onClick={() => void bring(v.version)}
                      >
                        {t('dashboard.restore')}
                      </Button>
                    )}
                  </Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        )}
      </QueryView>
    </Modal>
  );
}
