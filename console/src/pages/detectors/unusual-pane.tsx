/** What is unusual right now over all series, whether or not a detector follows them. A place to look, not an alarm. */
import { Anchor } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import type { UnusualItem } from '../../../../src/http/contract/intelligence.ts';
import { unusual } from '../../api/intelligence.ts';
import { type Column, DataTable } from '../../components/data-table.tsx';
import { Labels } from '../../components/labels.tsx';
import { QueryView } from '../../components/states.tsx';
import { useText } from '../../lib/use-text.ts';
import { frameSearch, useView } from '../../lib/view.ts';

/** The selector of one series, for a look at it. */
export function selectorOf(labels: Readonly<Record<string, string>>, counter: boolean): string {
  const { __name__: name = '', ...rest } = labels;
  const matchers = Object.entries(rest).map(([k, v]) => `${k}=${JSON.stringify(v)}`);
  const selector = `${name}{${matchers.join(', ')}}`;
  return counter ? `rate(${selector}[5m])` : selector;
}

export function UnusualPane() {
  const { t, value } = useText();
  const { tenant, search } = useView();
  const query = useQuery({ queryKey: ['unusual', tenant], queryFn: () => unusual(tenant), refetchInterval: 60_000 });
  const columns: Column<UnusualItem>[] = [
    {
      id: 'score',
      label: t('detectors.score'),
      numeric: true,
      width: '90px',
      key: (u) => u.score,
      cell: (u) => value(u.score, undefined, 2),
    },
    {
      id: 'metric',
      label: t('unusual.metric'),
      key: (u) => u.labels['__name__'] ?? '',
      width: 'minmax(220px, 1.4fr)',
      cell: (u) => (
        <Anchor
          component={Link}
          size="sm"
          className="mono"
          to={'/explore' as never}
          search={{ ...frameSearch(search), q: selectorOf(u.labels, u.counter) } as never}
        >
          {u.labels['__name__']}
        </Anchor>
      ),
    },
    {
      id: 'labels',
      label: t('alerts.labels'),
      key: (u) => Object.values(u.labels).join(' '),
      cell: (u) => <Labels labels={u.labels} without={['__name__']} />,
      width: 'minmax(220px, 2fr)',
    },
    { id: 'kind', label: t('unusual.how'), key: (u) => u.kind, cell: (u) => t(`unusual.${u.kind}`), width: '120px' },
    {
      id: 'now',
      label: t('forecasts.now'),
      numeric: true,
      key: (u) => u.value,
      cell: (u) => value(u.value, u.counter ? '/s' : undefined),
    },
    {
      id: 'usual',
      label: t('unusual.usual'),
      numeric: true,
      key: (u) => u.usual,
      cell: (u) => value(u.usual, u.counter ? '/s' : undefined),
    },
  ];
  return (
    <QueryView query={query}>
      {(data) => (
        <DataTable
          label={t('unusual.title')}
          rows={data.series}
          columns={columns}
          rowKey={(u) => JSON.stringify(u.labels)}
          empty={t('unusual.none')}
          actions={
            <span className="muted">
              {t('unusual.seen', { count: value(data.seriesSeen), took: value(data.tookMs / 1_000, 's') })}
              {data.seriesLeftOut > 0 && ` · ${t('unusual.leftOut', { count: value(data.seriesLeftOut) })}`}
            </span>
          }
        />
      )}
    </QueryView>
  );
}
