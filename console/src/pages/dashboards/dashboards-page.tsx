/** All dashboards by folder, found by words; import of Grafana's JSON. */
import { Button, Group, TextInput } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import { dashboards } from '../../api/vigie.ts';
import { Empty, Page, Panel, QueryView } from '../../components/states.tsx';
import { useText } from '../../lib/use-text.ts';
import { frameSearch, useView } from '../../lib/view.ts';
import { ImportDialog } from './import-dialog.tsx';

export function DashboardsPage() {
  const { t, ago } = useText();
  const { tenant, search } = useView();
  const [text, setText] = useState('');
  const [importing, setImporting] = useState(false);
  const query = useQuery({ queryKey: ['dashboards', tenant], queryFn: () => dashboards(tenant) });
  return (
    <Page
      title={t('nav.dashboards')}
      actions={<Button onClick={() => setImporting(true)}>{t('dashboards.import')}</Button>}
    >
      <TextInput
        aria-label={t('table.filter')}
        placeholder={t('table.filter')}
        value={text}
        onChange={(e) => setText(e.currentTarget.value)}
        maw={360}
        mb="sm"
      />
      <QueryView query={query}>
        {(data) => {
          const found = data.dashboards.filter((d) =>
            `${d.title} ${d.folder} ${d.tags.join(' ')}`.toLowerCase().includes(text.toLowerCase()),
          );
          if (found.length === 0) return <Empty title={t('dashboards.none')}>{t('dashboards.noneHint')}</Empty>;
          const folders = [...new Set(found.map((d) => d.folder))].sort();
          return (
            <div style={{ display: 'grid', gap: 12 }}>
              {folders.map((folder) => (
                <Panel key={folder} title={folder || t('dashboards.top')}>
                  <ul style={{ listStyle: 'none', margin: 0, padding: 0 }}>
                    {found
                      .filter((d) => d.folder === folder)
                      .map((d) => (
                        <li key={d.uid}>
                          <Link
                            className="nav-link"
                            to={`/dashboards/${d.uid}` as never}
                            search={frameSearch(search) as never}
                          >
                            <span style={{ flex: 1 }}>{d.title}</span>
                            <span className="muted">
                              {d.source === 'catalogue' ? t('nav.catalogue') : `${d.updatedBy} · ${ago(d.updatedAtMs)}`}
                            </span>
                          </Link>
                        </li>
                      ))}
                  </ul>
                </Panel>
              ))}
            </div>
          );
        }}
      </QueryView>
      {importing && <ImportDialog close={() => setImporting(false)} />}
      <Group />
    </Page>
  );
}
