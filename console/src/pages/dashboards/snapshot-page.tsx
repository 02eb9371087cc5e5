/** A snapshot: a dashboard as somebody saw it, from the kept data alone; nothing is asked of the metrics. */
import { Alert } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useParams } from '@tanstack/react-router';
import { useState } from 'react';
import { snapshot as fetchSnapshot } from '../../api/vigie.ts';
import { Page, QueryView } from '../../components/states.tsx';
import { interpolate, type Values } from '../../lib/dashboard/interpolate.ts';
import { migrate } from '../../lib/dashboard/migrate.ts';
import { type Dashboard, layOut } from '../../lib/dashboard/model.ts';
import { useText } from '../../lib/use-text.ts';
import { useView } from '../../lib/view.ts';
import { PanelGrid } from './panel-grid.tsx';
import type { PanelData } from './use-panel-data.ts';

/** What a snapshot's `data` holds; the server does not look into it. */
export interface SnapshotData {
  readonly panels: Readonly<Record<string, KeptData>>;
  readonly values: Values;
  readonly closed: readonly number[];
}
export type KeptData = Pick<PanelData, 'times' | 'series' | 'frames' | 'expressions'>;

export const keepOf = ({ times, series, frames, expressions }: PanelData): KeptData => ({
  times,
  series,
  frames,
  expressions,
});

export function SnapshotPage() {
  const { id } = useParams({ strict: false }) as { id: string };
  const { t, date } = useText();
  const { tenant } = useView();
  const query = useQuery({
    queryKey: ['snapshot', tenant, id],
    queryFn: () => fetchSnapshot(tenant, id),
    staleTime: Number.POSITIVE_INFINITY,
  });
  return (
    <QueryView query={query}>
      {(made) => {
        const data = made.data as unknown as Partial<SnapshotData>;
        return (
          <Page title={interpolate(made.title, data.values ?? {}, 'text')}>
            <Alert color="blue" variant="outline" mb="sm" p="xs">
              {t('dashboard.snapshotOf', { when: date(made.atMs), by: made.by })}
            </Alert>
            <Kept dashboard={made.dashboard as unknown as Dashboard} data={data} />
          </Page>
        );
      }}
    </QueryView>
  );
}

function Kept({ dashboard, data }: { readonly dashboard: Dashboard; readonly data: Partial<SnapshotData> }) {
  const [closed, setClosed] = useState<ReadonlySet<number>>(new Set(data.closed ?? []));
  const values = data.values ?? {};
  return (
    <PanelGrid
      placed={layOut(migrate(dashboard).dashboard, closed, (name) => values[name]?.values ?? [])}
      values={values}
      marks={[]}
      closed={closed}
      toggle={(row) => setClosed((c) => toggled(c, row))}
      fixed={(key) => {
        const kept = data.panels?.[key];
        return kept ? { ...kept, loading: false, error: null, refetch: () => undefined } : undefined;
      }}
    />
  );
}

export function toggled(set: ReadonlySet<number>, item: number): ReadonlySet<number> {
  const next = new Set(set);
  if (!next.delete(item)) next.add(item);
  return next;
}
