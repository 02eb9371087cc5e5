/** Incidents, live: what is somebody's work first; one opens at the side with verdict, causes, time line and actions. */
import { Badge, Button, Drawer, Group, SegmentedControl, UnstyledButton, useComputedColorScheme } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import type { IncidentItem } from '../../../../src/http/contract/incidents.ts';
import { incidentStatistics, incidents } from '../../api/incidents.ts';
import { type Column, DataTable } from '../../components/data-table.tsx';
import { Page, QueryView } from '../../components/states.tsx';
import { namedColour } from '../../lib/palette.ts';
import { useText } from '../../lib/use-text.ts';
import { useView } from '../../lib/view.ts';
import { IncidentDetail } from './incident-detail.tsx';
import { useLiveIncidents } from './use-live-incidents.ts';

const COLOURS = { P1: 'red', P2: 'orange', P3: 'yellow', P4: 'blue' } as const;

export function CriticalityBadge({ level }: { readonly level: keyof typeof COLOURS }) {
  const theme = useComputedColorScheme('light');
  const colour = namedColour(COLOURS[level], theme);
  return (
    <Badge variant="outline" style={{ color: colour, borderColor: colour, flex: 'none' }}>
      {level}
    </Badge>
  );
}

export function IncidentsPage() {
  const { t, ago } = useText();
  const { tenant, search, set } = useView();
  useLiveIncidents();
  const all = search['show'] === 'all';
  const list = useQuery({
    queryKey: ['incidents', tenant, all],
    queryFn: () => incidents(tenant, !all),
    refetchInterval: 30_000,
  });
  const open = search['id'];
  const columns: Column<IncidentItem>[] = [
    {
      id: 'criticality',
      label: t('incidents.criticality'),
      width: '90px',
      key: (i) => i.criticality,
      cell: (i) => <CriticalityBadge level={i.criticality} />,
    },
    {
      id: 'state',
      label: t('alerts.state'),
      width: '140px',
      key: (i) => i.state,
      cell: (i) => (
        <span>
          {t(`incidents.state.${i.state}`)}
          {i.flapping && <span className="muted"> · {t('incidents.flapping')}</span>}
        </span>
      ),
    },
    {
      id: 'title',
      label: t('incidents.title'),
      width: 'minmax(220px, 2.4fr)',
      key: (i) => `${i.id} ${i.title}`,
      cell: (i) => (
        <UnstyledButton
          fz={13.5}
          fw={600}
          c="var(--mantine-color-anchor)"
          style={{ overflow: 'hidden', textOverflow: 'ellipsis', whiteSpace: 'nowrap', maxWidth: '100%' }}
          onClick={() => set({ id: i.id })}
        >
          {i.id} {i.title}
        </UnstyledButton>
      ),
    },
    {
      id: 'alerts',
      label: t('nav.alerts'),
      width: '120px',
      numeric: true,
      key: (i) => i.alerts,
      cell: (i) => t('incidents.firingOf', { firing: i.firing, all: i.alerts }),
    },
    {
      id: 'verdict',
      label: t('incidents.verdict'),
      width: 'minmax(120px, 1.2fr)',
      key: (i) => i.verdict,
    },
    {
      id: 'cause',
      label: t('incidents.cause'),
      width: 'minmax(120px, 1fr)',
      key: (i) => i.cause ?? '',
      cell: (i) => <span className="mono">{i.cause ?? '–'}</span>,
    },
    {
      id: 'who',
      label: t('incidents.who'),
      width: '110px',
      key: (i) => i.acknowledgedBy ?? i.level,
      cell: (i) => i.acknowledgedBy ?? (i.level || '–'),
    },
    { id: 'since', label: t('alerts.since'), width: '110px', key: (i) => i.openedAtMs, cell: (i) => ago(i.openedAtMs) },
  ];
  return (
    <Page
      title={t('nav.incidents')}
      actions={
        <SegmentedControl
          size="xs"
          aria-label={t('alerts.state')}
          value={all ? 'all' : 'live'}
          onChange={(v) => set({ show: v === 'all' ? 'all' : undefined })}
          data={[
            { value: 'live', label: t('incidents.live') },
            { value: 'all', label: t('alerts.all') },
          ]}
        />
      }
    >
      <Times />
      <QueryView query={list}>
        {({ incidents: rows }) => (
          <DataTable
            label={t('nav.incidents')}
            rows={rows}
            columns={columns}
            rowKey={(i) => i.id}
            empty={all ? t('incidents.noneEver') : t('incidents.none')}
          />
        )}
      </QueryView>
      <Drawer
        opened={open !== undefined}
        onClose={() => set({ id: undefined })}
        position="right"
        size="min(920px, 96vw)"
        title={open}
        closeButtonProps={{ 'aria-label': t('action.close') }}
      >
        {open && <IncidentDetail id={open} />}
        <Button variant="default" mt="md" onClick={() => set({ id: undefined })}>
          {t('action.close')}
        </Button>
      </Drawer>
    </Page>
  );
}

/** Times of the last thirty days against the objective. */
function Times() {
  const { t, value } = useText();
  const { tenant } = useView();
  const query = useQuery({
    queryKey: ['incidents', tenant, 'statistics'],
    queryFn: () => incidentStatistics(tenant),
    refetchInterval: 60_000,
  });
  const s = query.data;
  if (!s || s.incidents === 0) return null;
  const figures = [
    [t('incidents.count30'), String(s.incidents)],
    [t('incidents.perIncident'), (s.alerts / s.incidents).toFixed(1)],
    [t('incidents.mtta'), s.acknowledge.count === 0 ? '–' : value(s.acknowledge.medianMs / 1000, 's')],
    [t('incidents.mttr'), s.resolve.count === 0 ? '–' : value(s.resolve.medianMs / 1000, 's')],
    [t('incidents.within'), s.withinObjective === undefined ? '–' : value(s.withinObjective, 'percentunit', 0)],
  ] as const;
  return (
    <Group gap="lg" mb="sm" component="section" aria-label={t('incidents.times')}>
      {figures.map(([label, text]) => (
        <div key={label}>
          <div className="muted" style={{ fontSize: 12 }}>
            {label}
          </div>
          <div style={{ fontSize: 18, fontWeight: 600 }}>{text}</div>
        </div>
      ))}
    </Group>
  );
}
