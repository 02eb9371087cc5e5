/** One dashboard: variables, panels on their grid, rows that open and close, history, editing, kiosk, export, snapshot. */
import { Alert, Anchor, Button, Menu } from '@mantine/core';
import { useFullscreenElement } from '@mantine/hooks';
import { notifications } from '@mantine/notifications';
import { IconCheck, IconChevronDown } from '@tabler/icons-react';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useParams } from '@tanstack/react-router';
import { lazy, Suspense, useEffect, useMemo, useRef, useState } from 'react';
import { useSession } from '../../api/session.ts';
import { dashboard as fetchDashboard, saveDashboard, saveSnapshot } from '../../api/vigie.ts';
import { Empty, Loading, Page, QueryView } from '../../components/states.tsx';
import { download } from '../../lib/csv.ts';
import { allPanels, reportOn } from '../../lib/dashboard/import-report.ts';
import { interpolate, type Values } from '../../lib/dashboard/interpolate.ts';
import { migrate } from '../../lib/dashboard/migrate.ts';
import { type Dashboard, layOut, type Panel } from '../../lib/dashboard/model.ts';
import { absoluteRange } from '../../lib/time-range.ts';
import { useText } from '../../lib/use-text.ts';
import { useView } from '../../lib/view.ts';
import { PanelGrid } from './panel-grid.tsx';
import { keepOf, type SnapshotData, toggled } from './snapshot-page.tsx';
import { useAnnotations } from './use-annotations.ts';
import { useEventMarks } from './use-event-marks.ts';
import { useTakeaway } from './use-takeaway.ts';
import { chosenText, isChoice, useVariables, VariableBar, valuesOf } from './variables.tsx';

const Editor = lazy(async () => ({ default: (await import('./editor.tsx')).Editor }));
const History = lazy(async () => ({ default: (await import('./history.tsx')).History }));

/** What is edited are the queries as they are stored: those for other programs are only left out of what is shown. */
function storedPanel(dashboard: Dashboard, shown: Panel): Panel {
  const stored = allPanels(dashboard).find((p) => p.id === shown.id);
  return stored?.targets ? { ...shown, targets: stored.targets } : shown;
}

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
  const { t, date } = useText();
  const { tenant, range, timeZone, search, set } = useView();
  const session = useSession();
  const queries = useQueryClient();
  const { toggle } = useFullscreenElement();
  const [closed, setClosed] = useState<ReadonlySet<number>>(
    () =>
      new Set(
        (migrate(dashboard).dashboard.panels ?? [])
          .filter((p) => p.type === 'row' && p.collapsed)
          .map((p) => p.id ?? -1),
      ),
  );
  const [editing, setEditing] = useState<{ panel?: Panel } | undefined>();
  const [history, setHistory] = useState(false);
  // old panels are shown as their successors; what is saved and exported stays as it came
  const shown = useMemo(() => migrate(dashboard).dashboard, [dashboard]);
  const variables = useVariables(dashboard);
  const resolved = variables.data ?? [];
  const values: Values = useMemo(() => valuesOf(resolved), [resolved]);
  const ownMarks = search['marks'] !== '0';
  const fromQueries = useAnnotations(dashboard, values, variables.data !== undefined);
  const fromEvents = useEventMarks(ownMarks);
  const marks = useMemo(() => [...fromQueries, ...fromEvents], [fromQueries, fromEvents]);
  const report = useMemo(() => reportOn(dashboard), [dashboard]);
  const placed = useMemo(() => layOut(shown, closed, (name) => values[name]?.values ?? []), [shown, closed, values]);

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
  const grid = useRef<HTMLDivElement>(null);
  const span = absoluteRange(range, Date.now(), timeZone === 'UTC');
  const choice = session?.tenants?.find((c) => c.id === tenant);
  const about = [
    choice?.name ?? tenant,
    choice?.synthetic ? t('demo.synthetic') : '',
    `${date(span.startMs)} – ${date(span.endMs)}`,
  ];
  const caption = about.filter(Boolean).join(' · ');
  // on paper the choices are words
  const said = resolved
    .filter((r) => isChoice(r) && r.chosen.length > 0)
    .map((r) => `${r.variable.label || r.variable.name}: ${chosenText(r, t)}`);
  const title = interpolate(dashboard.title, values, 'text');
  const away = useTakeaway(uid, `${title} · ${caption}`, grid);
  const failed = (e: unknown): void =>
    void notifications.show({ color: 'red', message: e instanceof Error ? e.message : String(e) });
  const snapshot = useMutation({
    mutationFn: async () => {
      const panels = Object.entries(await away.collect()).map(([key, data]) => [key, keepOf(data)]);
      const data: SnapshotData = { panels: Object.fromEntries(panels), values, closed: [...closed] };
      return saveSnapshot(tenant, {
        title,
        dashboard: dashboard as never,
        data: data as never,
      });
    },
    onSuccess: (made) => {
      const path = `/snapshots/${made.id}?tenant=${encodeURIComponent(tenant)}`;
      void navigator.clipboard?.writeText(location.origin + path).catch(() => undefined);
      notifications.show({
        title: t('dashboard.snapshotMade'),
        message: (
          <Anchor href={path} size="sm">
            {t('dashboard.snapshotOpen')}
          </Anchor>
        ),
        autoClose: 15_000,
      });
    },
    onError: failed,
  });

  return (
    <Page
      title={title}
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
              {session?.tenants?.some((c) => c.id === tenant && c.role !== 'viewer') && (
                <Menu.Item onClick={() => snapshot.mutate()}>{t('dashboard.snapshot')}</Menu.Item>
              )}
              <Menu.Item onClick={() => void away.picture().catch(failed)}>{t('dashboard.pngAll')}</Menu.Item>
              <Menu.Item onClick={() => void away.print().catch(failed)}>{t('dashboard.print')}</Menu.Item>
              <Menu.Item
                leftSection={<IconCheck size={14} aria-hidden style={{ opacity: ownMarks ? 1 : 0 }} />}
                onClick={() => set({ marks: ownMarks ? '0' : undefined })}
              >
                {t('dashboard.marks')}
              </Menu.Item>
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
      <p className="print-only" style={{ margin: '0 0 8px' }}>
        {[caption, ...said].join(' · ')}
      </p>
      {report.length > 0 && (
        <Alert className="no-print" color="yellow" variant="outline" mb="sm" title={t('dashboard.report')}>
          <ul style={{ margin: 0, paddingLeft: 18, color: 'var(--v-text)' }}>
            {report.slice(0, 12).map((line) => (
              <li key={line}>{line}</li>
            ))}
          </ul>
        </Alert>
      )}
      <div className="no-print">
        <VariableBar resolved={resolved} />
      </div>
      {variables.isLoading ? (
        <Loading />
      ) : placed.length === 0 ? (
        <Empty title={t('state.noData')} />
      ) : (
        <PanelGrid
          placed={placed}
          values={values}
          marks={marks}
          closed={closed}
          toggle={(row) => setClosed((c) => toggled(c, row))}
          gridRef={grid}
          everything={away.everything}
          keep={away.keep}
          {...(editable ? { edit: (p: Panel) => setEditing({ panel: storedPanel(dashboard, p) }) } : {})}
        />
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
