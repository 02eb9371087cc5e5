/** Which metrics and labels make the series: counts with bars, and a step to Explore for each. */
import { Anchor, Progress } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import { tsdb } from '../../api/prometheus.ts';
import { Empty, Page, Panel, QueryView } from '../../components/states.tsx';
import { useText } from '../../lib/use-text.ts';
import { frameSearch, useView } from '../../lib/view.ts';

export function CardinalityPage() {
  const { t, value } = useText();
  const { tenant, search } = useView();
  const query = useQuery({ queryKey: ['tsdb', tenant], queryFn: () => tsdb(tenant), refetchInterval: 30_000 });
  const explore = (q: string, text: string): ReactNode => (
    <Anchor component={Link} to={'/explore' as never} search={{ ...frameSearch(search), q } as never} className="mono">
      {text}
    </Anchor>
  );
  return (
    <Page title={t('nav.cardinality')}>
      <QueryView query={query}>
        {(data) => (
          <>
            <div className="tiles" style={{ marginBottom: 12 }}>
              {Object.entries(data.headStats)
                .filter(([, v]) => typeof v === 'number')
                .map(([k, v]) => (
                  <div key={k} className="panel">
                    <span className="muted">{k}</span>
                    <span className="tile-value" style={{ fontSize: 20 }}>
                      {/time$/i.test(k) ? <Time ms={v} /> : value(v)}
                    </span>
                  </div>
                ))}
            </div>
            <div className="grid">
              <Bars
                title={t('cardinality.byMetric')}
                items={data.seriesCountByMetricName}
                link={(n) => explore(n, n)}
              />
              <Bars
                title={t('cardinality.byLabel')}
                items={data.labelValueCountByLabelName}
                link={(n) => <span className="mono">{n}</span>}
              />
              <Bars
                title={t('cardinality.byPair')}
                items={data.seriesCountByLabelValuePair}
                link={(n) => <span className="mono">{n}</span>}
              />
              <Bars
                title={t('cardinality.memory')}
                items={data.memoryInBytesByLabelName}
                unit="bytes"
                link={(n) => <span className="mono">{n}</span>}
              />
            </div>
          </>
        )}
      </QueryView>
    </Page>
  );
}

function Time({ ms }: { readonly ms: number }) {
  const { date } = useText();
  return <span style={{ fontSize: 14 }}>{ms > 0 && ms < 8.6e15 ? date(ms) : '–'}</span>;
}

function Bars({
  title,
  items,
  link,
  unit,
}: {
  readonly title: string;
  readonly items: readonly { readonly name: string; readonly value: number }[];
  readonly link: (name: string) => ReactNode;
  readonly unit?: string;
}) {
  const { t, value } = useText();
  const most = Math.max(1, ...items.map((i) => i.value));
  return (
    <Panel title={title}>
      {items.length === 0 ? (
        <Empty title={t('state.noData')} />
      ) : (
        <ul style={{ listStyle: 'none', margin: 0, padding: 0, display: 'grid', gap: 6 }}>
          {items.map((i) => (
            <li key={i.name}>
              <div style={{ display: 'flex', gap: 8 }}>
                <span style={{ flex: 1, minWidth: 0, overflowWrap: 'anywhere' }}>{link(i.name)}</span>
                <span className="num">{value(i.value, unit)}</span>
              </div>
              <Progress value={(100 * i.value) / most} size={4} aria-label={i.name} />
            </li>
          ))}
        </ul>
      )}
    </Panel>
  );
}
