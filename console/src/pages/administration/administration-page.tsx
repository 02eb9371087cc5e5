/** Administration: one tab a subject, the tab in the address. */
import { Tabs } from '@mantine/core';
import { lazy, Suspense } from 'react';
import { Loading, Page } from '../../components/states.tsx';
import type { Key } from '../../lib/i18n.ts';
import { useText } from '../../lib/use-text.ts';
import { useView } from '../../lib/view.ts';

const PANES = {
  health: lazy(async () => ({ default: (await import('./health-pane.tsx')).HealthPane })),
  tenants: lazy(async () => ({ default: (await import('./tenants-pane.tsx')).TenantsPane })),
  keys: lazy(async () => ({ default: (await import('./keys-pane.tsx')).KeysPane })),
  users: lazy(async () => ({ default: (await import('./users-pane.tsx')).UsersPane })),
  receivers: lazy(async () => ({ default: (await import('./receivers-pane.tsx')).ReceiversPane })),
  audit: lazy(async () => ({ default: (await import('./audit-pane.tsx')).AuditPane })),
} as const;
type Pane = keyof typeof PANES;

export function AdministrationPage() {
  const { t } = useText();
  const { search, set } = useView();
  const tab = (search['tab'] && search['tab'] in PANES ? search['tab'] : 'health') as Pane;
  return (
    <Page title={t('nav.administration')}>
      <Tabs value={tab} onChange={(v) => set({ tab: v ?? undefined })} keepMounted={false}>
        <Tabs.List mb="md">
          {(Object.keys(PANES) as Pane[]).map((id) => (
            <Tabs.Tab key={id} value={id}>
              {t(`admin.${id}` as Key)}
            </Tabs.Tab>
          ))}
        </Tabs.List>
        {(Object.entries(PANES) as [Pane, (typeof PANES)[Pane]][]).map(([id, Content]) => (
          <Tabs.Panel key={id} value={id}>
            <Suspense fallback={<Loading />}>
              <Content />
            </Suspense>
          </Tabs.Panel>
        ))}
      </Tabs>
    </Page>
  );
}
