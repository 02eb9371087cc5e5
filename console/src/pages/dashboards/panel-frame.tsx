/** A panel's frame: title, menu (explore, inspect, CSV, PNG, links), and its data only while it is on the screen. */
import { ActionIcon, Anchor, Code, Menu, Modal, Tabs, Tooltip } from '@mantine/core';
import { useElementSize, useIntersection } from '@mantine/hooks';
import { IconDotsVertical, IconInfoCircle } from '@tabler/icons-react';
import { useNavigate } from '@tanstack/react-router';
import { useCallback, useEffect, useRef, useState } from 'react';
import { ChartTable } from '../../components/chart/chart-table.tsx';
import type { Mark } from '../../components/chart/marks.ts';
import { Empty } from '../../components/states.tsx';
import { csv, download } from '../../lib/csv.ts';
import { interpolate, type Values } from '../../lib/dashboard/interpolate.ts';
import { linkOf } from '../../lib/dashboard/links.ts';
import { PANEL_TYPES, type Panel } from '../../lib/dashboard/model.ts';
import { panelRange } from '../../lib/dashboard/panel-range.ts';
import { seriesColour } from '../../lib/palette.ts';
import { durationText } from '../../lib/time-range.ts';
import { useText } from '../../lib/use-text.ts';
import { frameSearch, useView } from '../../lib/view.ts';
import { PanelBody } from './panels/panel-body.tsx';
import { usePageContext } from './panels/use-page-context.ts';
import { type PanelData, usePanelData } from './use-panel-data.ts';

const INSTANT = ['table', 'stat', 'gauge', 'bargauge', 'barchart', 'piechart'];

export function PanelFrame({
  panel,
  values,
  marks,
  edit,
  always = false,
  keep,
  fixed,
}: {
  readonly panel: Panel;
  readonly values: Values;
  readonly marks: readonly Mark[];
  readonly edit?: (panel: Panel) => void;
  /** Loaded though it is not on the screen. */
  readonly always?: boolean;
  /** Told what it shows. */
  readonly keep?: (data: PanelData) => void;
  /** Kept data instead of queries; null: none was kept. */
  readonly fixed?: PanelData | null;
}) {
  const { t } = useText();
  const { search, range } = useView();
  const navigate = useNavigate();
  const { ref: body, width, height } = useElementSize();
  const { ref: seen, entry } = useIntersection({ rootMargin: '200px' });
  const [inspecting, setInspecting] = useState(false);
  const canvas = useRef<HTMLCanvasElement | undefined>(undefined);
  const onCanvas = useCallback((c: HTMLCanvasElement | undefined) => void (canvas.current = c), []);
  const visible = always || (entry?.isIntersecting ?? false);
  // a panel below the fold neither asks nor draws until it was on the screen once
  const met = useRef(false);
  if (visible) met.current = true;
  const scoped: Values = {
    ...values,
    ...Object.fromEntries(Object.entries(panel.scoped ?? {}).map(([k, v]) => [k, { values: [v] }])),
  };
  const asked = usePanelData(
    panel,
    values,
    width || 600,
    INSTANT.includes(PANEL_TYPES[panel.type] ?? '') ? 'instant' : 'range',
    visible && fixed === undefined,
  );
  const data = fixed ?? asked;
  useEffect(() => {
    if (!asked.loading) keep?.(asked);
  });
  const title = interpolate(panel.title ?? '', scoped, 'text');
  const page = usePageContext(scoped);
  const links = (panel.links ?? []).flatMap((l) => linkOf(l, page) ?? []);
  const own = panelRange(panel, range, scoped);
  const ownTime = panel.hideTimeOverride
    ? ''
    : [
        own.from && (own.from.startsWith('now') ? own.from : t('time.last', { range: own.from })),
        own.shift && t('dashboard.shifted', { by: own.shift }),
      ]
        .filter(Boolean)
        .join(', ');
  const asCsv = (): string =>
    csv(
      ['time', ...data.series.map((s) => s.name)],
      data.times.length > 0
        ? data.times.map((at, i) => [new Date(at * 1_000).toISOString(), ...data.series.map((s) => s.values[i])])
        : [['', ...data.series.map((s) => s.values[0])]],
    );
  return (
    <section className="panel" ref={seen} style={{ height: '100%' }} aria-label={title || panel.type}>
      <header style={{ marginBottom: 4 }}>
        <h2>
          {title}{' '}
          {panel.description && (
            <IconInfoCircle size={14} aria-label={panel.description}>
              <title>{panel.description}</title>
            </IconInfoCircle>
          )}
          {ownTime && (
            <span className="muted" style={{ fontSize: 12, fontWeight: 400 }}>
              {' '}
              {ownTime}
            </span>
          )}
          {data.notLive && (
            <Tooltip label={notLiveText(t, data)} multiline maw={320} withinPortal>
              {/* biome-ignore lint/a11y/noNoninteractiveTabindex: the reason is for the keyboard too */}
              <span className="badge" tabIndex={0} role="note" aria-label={notLiveText(t, data)}>
                {t('dashboard.asked', { every: durationText(data.everyMs ?? 0) })}
              </span>
            </Tooltip>
          )}
        </h2>
        <Menu position="bottom-end">
          <Menu.Target>
            <ActionIcon
              variant="subtle"
              color="gray"
              size="sm"
              className="no-print"
              aria-label={`${t('dashboard.viewPanel')}: ${title || panel.type}`}
            >
              <IconDotsVertical size={16} aria-hidden />
            </ActionIcon>
          </Menu.Target>
          <Menu.Dropdown>
            {data.expressions[0] && (
              <Menu.Item
                onClick={() =>
                  void navigate({
                    to: '/explore' as never,
                    search: { ...frameSearch(search), q: data.expressions[0]!.expr } as never,
                  })
                }
              >
                {t('action.explore')}
              </Menu.Item>
            )}
            <Menu.Item onClick={() => setInspecting(true)}>{t('dashboard.inspect')}</Menu.Item>
            <Menu.Item onClick={() => download(`${title || 'panel'}.csv`, 'text/csv', asCsv())}>CSV</Menu.Item>
            {canvas.current && (
              <Menu.Item
                onClick={() => canvas.current?.toBlob((b) => b && download(`${title || 'panel'}.png`, 'image/png', b))}
              >
                {t('dashboard.png')}
              </Menu.Item>
            )}
            {edit && <Menu.Item onClick={() => edit(panel)}>{t('dashboard.edit')}</Menu.Item>}
            {links.map((l) => (
              <Menu.Item
                key={l.href}
                component="a"
                href={l.href}
                target={l.newTab ? '_blank' : undefined}
                rel="noreferrer noopener"
              >
                {l.text}
              </Menu.Item>
            ))}
          </Menu.Dropdown>
        </Menu>
      </header>
      <div ref={body} style={{ flex: 1, minHeight: 0, minWidth: 0 }}>
        {fixed === null && (panel.targets ?? []).length > 0 ? (
          <Empty title={t('dashboard.snapshotMissing')} />
        ) : (
          width > 0 &&
          met.current && (
            <PanelBody
              panel={panel}
              data={data}
              height={Math.max(24, height)}
              values={scoped}
              marks={marks}
              onCanvas={onCanvas}
            />
          )
        )}
      </div>
      {inspecting && (
        <Inspect title={title} panel={panel} data={data} close={() => setInspecting(false)} asCsv={asCsv} />
      )}
    </section>
  );
}

function notLiveText(t: ReturnType<typeof useText>['t'], { notLive, everyMs }: PanelData): string {
  const every = durationText(everyMs ?? 0);
  if (notLive?.kind === 'refused') return t('dashboard.notLiveRefused', { reason: notLive.reason, every });
  return t(notLive?.kind === 'lost' ? 'dashboard.notLiveLost' : 'dashboard.notLiveSilent', { every });
}

function Inspect({
  title,
  panel,
  data,
  close,
  asCsv,
}: {
  readonly title: string;
  readonly panel: Panel;
  readonly data: PanelData;
  readonly close: () => void;
  readonly asCsv: () => string;
}) {
  const { t } = useText();
  return (
    <Modal
      opened
      onClose={close}
      size="xl"
      title={`${t('dashboard.inspect')}: ${title}`}
      closeButtonProps={{ 'aria-label': t('action.close') }}
    >
      <Tabs defaultValue="data" keepMounted={false}>
        <Tabs.List>
          <Tabs.Tab value="data">{t('explore.table')}</Tabs.Tab>
          <Tabs.Tab value="queries">{t('dashboard.queries')}</Tabs.Tab>
          <Tabs.Tab value="json">{t('dashboard.json')}</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="data" pt="sm">
          <Anchor
            component="button"
            type="button"
            onClick={() => download(`${title || 'panel'}.csv`, 'text/csv', asCsv())}
          >
            CSV
          </Anchor>
          <ChartTable
            label={title}
            times={data.times.length > 0 ? data.times.slice(-300) : [Date.now() / 1_000]}
            series={data.series.map((s, i) => ({
              ...s,
              values: s.values.slice(-300),
              colour: seriesColour(i, 'light'),
            }))}
            height={360}
          />
        </Tabs.Panel>
        <Tabs.Panel value="queries" pt="sm">
          {data.expressions.map((e) => (
            <Code block key={e.refId} mb="xs" style={{ whiteSpace: 'pre-wrap' }}>{`${e.refId}: ${e.expr}`}</Code>
          ))}
        </Tabs.Panel>
        <Tabs.Panel value="json" pt="sm">
          <Code block style={{ maxHeight: 400, overflow: 'auto' }} tabIndex={0}>
            {JSON.stringify(panel, null, 2)}
          </Code>
        </Tabs.Panel>
      </Tabs>
    </Modal>
  );
}
