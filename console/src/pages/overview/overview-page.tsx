/** The first page: is all well, what is wrong, and this host live. */
import { Anchor, Badge, Group } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import type { OverviewAnswer } from '../../../../src/http/contract/overview.ts';
import { earlyOverview } from '../../api/early.ts';
import { asVector, queryInstant } from '../../api/prometheus.ts';
import { overview } from '../../api/vigie.ts';
import { QueryChart } from '../../components/chart/query-chart.tsx';
import { Page, Panel, QueryView } from '../../components/states.tsx';
import { useText } from '../../lib/use-text.ts';
import { frameSearch, useView } from '../../lib/view.ts';
import { ActiveAlerts } from './active-alerts.tsx';
import { FirstRun } from './first-run.tsx';

const REFRESH_MS = 10_000;
/** A rate over a minute has its first value after two scrapes. */
const FIRST_VALUES_MS = 60_000;
const SIGNALS = 'count by (__name__) ({__name__=~"http_requests_total|node_cpu_seconds_total"})';
const DISK = 'fstype!~"tmpfs|ramfs|overlay|squashfs|devtmpfs|nsfs|proc"';

/** Which charts this tenant has data for; while nothing is known, or nothing came, the host's charts say what is missing. */
function useSignals(): { readonly services: boolean; readonly host: boolean } {
  const { tenant } = useView();
  const { data, isLoading } = useQuery({
    queryKey: ['signals', tenant],
    queryFn: async () =>
      asVector((await queryInstant(tenant, SIGNALS)).data).map((item) => item.metric['__name__'] ?? ''),
    staleTime: 60_000,
  });
  const services = data?.includes('http_requests_total') ?? false;
  return { services, host: !isLoading && (!services || data!.includes('node_cpu_seconds_total')) };
}

export function OverviewPage() {
  const { t } = useText();
  const { tenant } = useView();
  const query = useQuery({
    queryKey: ['overview', tenant],
    queryFn: async () => (await earlyOverview(tenant)) ?? overview(tenant),
    refetchInterval: REFRESH_MS,
  });
  const { services, host } = useSignals();
  const early = query.data !== undefined && query.data.atMs - query.data.startedAtMs < FIRST_VALUES_MS;
  return (
    <Page title={t('nav.overview')}>
      <FirstRun />
      <QueryView query={query}>{(data) => <Tiles data={data} />}</QueryView>
      <div style={{ height: 12 }} />
      <div className="grid">
        <Panel title={t('overview.activeAlerts')}>
          <ActiveAlerts />
        </Panel>
        {query.data && <Health data={query.data} />}
        {services && <ServiceCharts />}
        {host && <HostCharts early={early} />}
      </div>
    </Page>
  );
}

/** Requests, failures and latency: what the people of a service ask first. */
function ServiceCharts() {
  const { t } = useText();
  return (
    <>
      <Chart
        title={t('overview.latency')}
        expr={'histogram_quantile(0.95, sum by (le, service) (rate(http_request_duration_seconds_bucket[5m])))'}
        legend="{{service}}"
        unit="s"
      />
      <Chart
        title={t('overview.failed')}
        expr={
          'sum by (service) (rate(http_requests_total{status=~"5.."}[5m])) / sum by (service) (rate(http_requests_total[5m]))'
        }
        legend="{{service}}"
        unit="percentunit"
      />
      <Chart
        title={t('overview.requests')}
        expr={'sum by (service) (rate(http_requests_total[5m]))'}
        legend="{{service}}"
        unit="reqps"
      />
    </>
  );
}

function HostCharts({ early }: { readonly early: boolean }) {
  const { t } = useText();
  const emptyHint = t(early ? 'overview.hostSoon' : 'overview.noHost');
  return (
    <>
      <Chart
        emptyHint={emptyHint}
        title={t('overview.cpu')}
        expr={'100 * (1 - avg by (instance) (rate(node_cpu_seconds_total{mode="idle"}[1m])))'}
        unit="percent"
        max={100}
      />
      <Chart
        emptyHint={emptyHint}
        title={t('overview.memory')}
        expr={'100 * (1 - node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes)'}
        unit="percent"
        max={100}
      />
      <Chart
        emptyHint={emptyHint}
        title={t('overview.disk')}
        expr={`100 * (1 - node_filesystem_avail_bytes{${DISK}} / node_filesystem_size_bytes{${DISK}})`}
        legend="{{mountpoint}}"
        unit="percent"
        max={100}
      />
      <Chart
        emptyHint={emptyHint}
        title={t('overview.diskIo')}
        expr={
          'sum by (instance, device) (rate(node_disk_read_bytes_total[1m]) + rate(node_disk_written_bytes_total[1m]))'
        }
        legend="{{device}}"
        unit="binBps"
      />
      <Chart
        emptyHint={emptyHint}
        title={t('overview.network')}
        expr={
          'sum by (device) (rate(node_network_receive_bytes_total{device!="lo"}[1m]) + rate(node_network_transmit_bytes_total{device!="lo"}[1m]))'
        }
        legend="{{device}}"
        unit="Bps"
      />
      <Chart title={t('overview.load')} expr="node_load1" emptyHint={emptyHint} />
    </>
  );
}

function Chart({
  title,
  expr,
  legend = '{{instance}}',
  unit,
  max,
  emptyHint,
}: {
  readonly title: string;
  readonly expr: string;
  readonly legend?: string;
  readonly unit?: string;
  readonly max?: number;
  readonly emptyHint?: string;
}) {
  const { t } = useText();
  const { search } = useView();
  return (
    <Panel
      title={title}
      actions={
        <Anchor
          component={Link}
          to={'/explore' as never}
          search={{ ...frameSearch(search), q: expr } as never}
          size="xs"
          aria-label={`${t('action.explore')}: ${title}`}
        >
          {t('action.explore')}
        </Anchor>
      }
    >
      <QueryChart
        label={title}
        expr={expr}
        legend={legend}
        min={0}
        {...(emptyHint ? { emptyHint } : {})}
        {...(unit ? { unit } : {})}
        {...(max ? { max } : {})}
      />
    </Panel>
  );
}

function Tile({
  label,
  value,
  detail,
  state,
  to,
}: {
  readonly label: string;
  readonly value: string;
  readonly detail?: ReactNode;
  readonly state?: string;
  readonly to: string;
}) {
  const { search } = useView();
  return (
    <Link
      to={to as never}
      search={frameSearch(search) as never}
      className="panel"
      style={{ textDecoration: 'none', color: 'inherit' }}
    >
      <span className="muted" style={{ fontSize: 13, display: 'flex', gap: 6, alignItems: 'center' }}>
        {state && <span className="dot" data-state={state} aria-hidden />}
        {label}
      </span>
      <span className="tile-value">{value}</span>
      <span className="muted" style={{ fontSize: 12.5 }}>
        {detail}
      </span>
    </Link>
  );
}

function Tiles({ data }: { readonly data: OverviewAnswer }) {
  const { t, value, ago } = useText();
  const targets = data.targets.up + data.targets.down + data.targets.unknown;
  const worst = data.health.some((h) => h.state === 'down')
    ? 'down'
    : data.health.some((h) => h.state === 'degraded')
      ? 'degraded'
      : data.health.some((h) => h.state === 'unknown')
        ? 'unknown'
        : 'ok';
  // severity none is the dead man's switch: it fires as long as all is well
  const serious = data.alerts.firing - (data.alerts.bySeverity['none'] ?? 0);
  const refused = Object.values(data.ingest.refused).reduce((a, b) => a + b, 0);
  return (
    <div className="tiles">
      <Tile
        to="/administration"
        label={t('overview.health')}
        state={worst}
        value={t(`health.${worst}`)}
        detail={`Vigie ${data.version} · ${data.environment}`}
      />
      <Tile
        to="/alerts"
        label={t('overview.firing')}
        state={serious > 0 ? 'firing' : 'ok'}
        value={value(serious, 'none')}
        detail={
          Object.entries(data.alerts.bySeverity)
            .filter(([s]) => s !== 'none')
            .map(([s, n]) => `${s || '–'} ${n}`)
            .join(' · ') || t('overview.pending', { count: data.alerts.pending })
        }
      />
      <Tile
        to="/cardinality"
        label={t('overview.ingest')}
        value={value(data.ingest.samplesPerSecond, 'short')}
        detail={`${t('overview.series', { count: value(data.ingest.activeSeries) })}${refused ? ` · ${t('overview.refused', { count: value(refused) })}` : ''}`}
      />
      <Tile
        to="/rules"
        label={t('nav.rules')}
        state={data.rules.failing > 0 ? 'err' : data.rules.unknown > 0 ? 'unknown' : 'ok'}
        value={value(data.rules.rules, 'none')}
        detail={
          data.rules.failing > 0
            ? t('overview.failing', { count: data.rules.failing })
            : data.rules.lastEvaluationAtMs
              ? ago(data.rules.lastEvaluationAtMs)
              : t('overview.groups', { count: data.rules.groups })
        }
      />
      <Tile
        to="/targets"
        label={t('nav.targets')}
        state={data.targets.down > 0 ? 'down' : data.targets.up > 0 ? 'ok' : 'unknown'}
        value={targets === 0 ? '0' : `${data.targets.up}/${targets}`}
        detail={targets === 0 ? t('targets.none') : t('overview.up')}
      />
      <Tile
        to="/administration"
        label={t('overview.storage')}
        value={value(data.storage.bytes || data.storage.headBytes, 'bytes')}
        detail={
          data.storage.bytes === 0 && data.storage.headBytes > 0
            ? t('overview.inHead')
            : data.storage.diskFreeBytes === undefined
              ? ''
              : t('overview.free', { size: value(data.storage.diskFreeBytes, 'bytes') })
        }
      />
    </div>
  );
}

function Health({ data }: { readonly data: OverviewAnswer }) {
  const { t } = useText();
  return (
    <Panel title={t('overview.health')}>
      <ul style={{ listStyle: 'none', margin: 0, padding: 0, display: 'grid', gap: 6 }}>
        {data.health.map((h) => (
          <li key={h.id} style={{ display: 'flex', gap: 8, alignItems: 'baseline' }}>
            <span className="dot" data-state={h.state} aria-hidden />
            <span style={{ flex: 1, overflowWrap: 'anywhere' }}>
              {h.id} {h.version && <span className="muted">{h.version}</span>}
              {h.detail && (
                <div className="muted" style={{ fontSize: 12.5 }}>
                  {h.detail}
                </div>
              )}
            </span>
            <span>{t(`health.${h.state}`)}</span>
          </li>
        ))}
      </ul>
      {data.features.some((f) => f.state !== 'off') && (
        <Group gap={6} mt="sm">
          {data.features
            .filter((f) => f.state !== 'off')
            .map((f) => (
              <Badge key={f.id} variant="default" tt="none" fw={400} title={f.detail}>
                {f.id}: {t(f.state === 'active' ? 'feature.active' : 'feature.inactive')}
              </Badge>
            ))}
        </Group>
      )}
    </Panel>
  );
}
