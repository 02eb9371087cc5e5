/** One dashboard: variables, panels on their grid, rows that open and close, history, editing, kiosk, export, snapshot. */
import { Alert, Button, Menu, UnstyledButton } from '@mantine/core';
import { useFullscreenElement } from '@mantine/hooks';
import { notifications } from '@mantine/notifications';
import { IconChevronDown, IconChevronRight } from '@tabler/icons-react';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useParams } from '@tanstack/react-router';
import { lazy, Suspense, useEffect, useMemo, useState } from 'react';
import { dashboard as fetchDashboard, saveDashboard, saveSnapshot } from '../../api/vigie.ts';
import { Empty, Loading, Page, QueryView } from '../../components/states.tsx';
import { download } from '../../lib/csv.ts';
import { reportOn } from '../../lib/dashboard/import-report.ts';
import { interpolate, type Values } from '../../lib/dashboard/interpolate.ts';
import { type Dashboard, layOut, type Panel } from '../../lib/dashboard/model.ts';
import { useText } from '../../lib/use-text.ts';
import { useView } from '../../lib/view.ts';
import { PanelFrame } from './panel-frame.tsx';
import { useAnnotations } from './use-annotations.ts';
import { useVariables, VariableBar } from './variables.tsx';

const Editor = lazy(async () => ({ default: (await import('./editor.tsx')).Editor }));
const History = lazy(async () => ({ default: (await import('./history.tsx')).History }));

export function DashboardPage() {
  const { uid } = useParams({ strict: false }) as { uid: string };
  const { tenant, search } = useView();
  const version = search['version'] ? Number(search['version']) : undefined;
  const query = useQuery({
    queryKey: ['dashboard', tenant, uid, version],
    queryFn: () => fetchDashboard(tenant, uid, version),
  });
  return (
    <QueryView query={query}>
      {(item) => (
        <Board
          key={`${uid}${item.version}`}
          uid={uid}
          version={item.version}
          editable={item.editable}
          dashboard={item.dashboard as unknown as Dashboard}
          folder={item.folder}
        />
      )}
    </QueryView>
  );
}

function Board({
  uid,
  version,
  editable,
  dashboard,
  folder,
}: {
  readonly uid: string;
  readonly version: number;
  readonly editable: boolean;
  readonly dashboard: Dashboard;
  readonly folder: string;
}) {
  const { t } = useText();
  const { tenant, search, set } = useView();
  const queries = useQueryClient();
  const { toggle } = useFullscreenElement();
  const [closed, setClosed] = useState<ReadonlySet<number>>(
    () => new Set((dashboard.panels ?? []).filter((p) => p.type === 'row' && p.collapsed).map((p) => p.id ?? -1)),
  );
  const [editing, setEditing] = useState<{ panel?: Panel } | undefined>();
  const [history, setHistory] = useState(false);
  const variables = useVariables(dashboard);
  const resolved = variables.data ?? [];
  const values: Values = useMemo(() => Object.fromEntries(resolved.map((r) => [r.variable.name, r.value])), [resolved]);
  const marks = useAnnotations(dashboard, values);
  const report = useMemo(() => reportOn(dashboard), [dashboard]);
  const placed = useMemo(
    () => layOut(dashboard, closed, (name) => values[name]?.values ?? []),
    [dashboard, closed, values],
  );

  // a dashboard opens with its own range, unless the address names one
  useEffect(() => {
    if (search['from'] === undefined && dashboard.time) set({ from: dashboard.time.from, to: dashboard.time.to }, true);
  }, [dashboard, search, set]);

  const save = useMutation({
    mutationFn: (next: { dashboard: Dashboard; message: string }) =>
      saveDashboard(tenant, uid, {
        dashboard: next.dashboard as never,
        folder,
        message: next.message,
        baseVersion: version,
      }),
    onSuccess: (item) => {
      setEditing(undefined);
      notifications.show({ message: t('dashboard.saved', { version: item.version }) });
      set({ version: undefined }, true);
      void queries.invalidateQueries({ queryKey: ['dashboard'] });
      void queries.invalidateQueries({ queryKey: ['dashboards'] });
    },
  });
  const snapshot = useMutation({
    mutationFn: () => saveSnapshot(tenant, { title: dashboard.title, dashboard: dashboard as never, data: { search } }),
    onSuccess: (made) => {
      const url = `${location.origin}/vigie/v1/snapshots/${made.id}`;
      void navigator.clipboard?.writeText(url).catch(() => undefined);
      notifications.show({ message: url, autoClose: 15_000 });
    },
    onError: (e) => notifications.show({ color: 'red', message: e.message }),
  });

  return (
    <Page
      title={interpolate(dashboard.title, values, 'text')}
      actions={
        <>
          {editable && (
            <Button variant="default" size="sm" onClick={() => setEditing({})}>
              {t('dashboard.edit')}
            </Button>
          )}
          <Menu position="bottom-end">
            <Menu.Target>
              <Button variant="default" size="sm" rightSection={<IconChevronDown size={14} aria-hidden />}>
                {t('dashboard.version', { version })}
              </Button>
            </Menu.Target>
            <Menu.Dropdown>
              <Menu.Item onClick={() => setHistory(true)}>{t('dashboard.history')}</Menu.Item>
              <Menu.Item
                onClick={() => download(`${uid}.json`, 'application/json', JSON.stringify(dashboard, null, 2))}
              >
                {t('dashboard.download')}
              </Menu.Item>
              <Menu.Item onClick={() => snapshot.mutate()}>{t('dashboard.snapshot')}</Menu.Item>
              <Menu.Item
                onClick={() => {
                  set({ kiosk: search['kiosk'] === '1' ? undefined : '1' });
                  void toggle();
                }}
              >
                {t('dashboard.kiosk')}
              </Menu.Item>
            </Menu.Dropdown>
          </Menu>
        </>
      }
    >
      {report.length > 0 && (
        <Alert color="yellow" variant="outline" mb="sm" title={t('dashboard.report')}>
          <ul style={{ margin: 0, paddingLeft: 18, color: 'var(--v-text)' }}>
            {report.slice(0, 12).map((line) => (
              <li key={line}>{line}</li>
            ))}
          </ul>
        </Alert>
      )}
      <VariableBar resolved={resolved} />
      {variables.isLoading ? (
        <Loading />
      ) : placed.length === 0 ? (
        <Empty title={t('state.noData')} />
      ) : (
        <div className="dash">
          {placed.map(({ panel, x, y, w, h }, i) => {
            const place = { gridColumn: `${x + 1} / span ${Math.min(w, 24 - x)}`, gridRow: `${y + 1} / span ${h}` };
            if (panel.type !== 'row')
              return (
                <div
                  key={`${panel.id ?? i}-${JSON.stringify(panel.scoped ?? '')}`}
                  style={{ ...place, minWidth: 0 }}
                  className="dash-cell"
                >
                  <PanelFrame
                    panel={panel}
                    values={values}
                    marks={marks}
                    {...(editable ? { edit: (p: Panel) => setEditing({ panel: p }) } : {})}
                  />
                </div>
              );
            const isClosed = closed.has(panel.id ?? -1);
            return (
              <UnstyledButton
                key={`row${panel.id ?? i}-${JSON.stringify(panel.scoped ?? '')}`}
                style={place}
                aria-expanded={!isClosed}
                fw={600}
                onClick={() =>
                  setClosed((c) => {
                    const next = new Set(c);
                    if (!next.delete(panel.id ?? -1)) next.add(panel.id ?? -1);
                    return next;
                  })
                }
              >
                {isClosed ? <IconChevronRight size={14} aria-hidden /> : <IconChevronDown size={14} aria-hidden />}{' '}
                {interpolate(
                  panel.title ?? '',
                  {
                    ...values,
                    ...Object.fromEntries(Object.entries(panel.scoped ?? {}).map(([k, v]) => [k, { values: [v] }])),
                  },
                  'text',
                )}
              </UnstyledButton>
            );
          })}
        </div>
      )}
      <Suspense>
        {editing && (
          <Editor
            dashboard={dashboard}
            {...(editing.panel ? { panel: editing.panel } : {})}
            close={() => setEditing(undefined)}
            save={(d, message) => save.mutate({ dashboard: d, message })}
            saving={save.isPending}
            error={save.error}
          />
        )}
        {history && (
          <History
            uid={uid}
            current={version}
            close={() => setHistory(false)}
            restore={(d, from) => save.mutate({ dashboard: d, message: t('dashboard.version', { version: from }) })}
          />
        )}
      </Suspense>
    </Page>
  );
}
