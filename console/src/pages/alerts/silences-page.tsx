/** Silences: who silenced what, until when, and a form for a new one (Alertmanager's matcher syntax). */
import { Button, Group, NativeSelect, TextInput } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { notifications } from '@mantine/notifications';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { createSilence, expireSilence, matcherText, type SilenceMatcher, silences } from '../../api/alertmanager.ts';
import { silencePreview } from '../../api/routing.ts';
import { useSession } from '../../api/session.ts';
import { DataTable } from '../../components/data-table.tsx';
import { Labels } from '../../components/labels.tsx';
import { Page, Panel, Problem, QueryView } from '../../components/states.tsx';
import { parseMatchers } from '../../lib/matchers.ts';
import { parseDurationMs } from '../../lib/time-range.ts';
import { useText } from '../../lib/use-text.ts';
import { useView } from '../../lib/view.ts';

const PREVIEW_AFTER_MS = 400;
const PREVIEW_SHOWN_MAX = 20;

export function SilencesPage() {
  const { t, date } = useText();
  const { tenant } = useView();
  const queries = useQueryClient();
  const query = useQuery({ queryKey: ['silences', tenant], queryFn: () => silences(tenant), refetchInterval: 30_000 });
  const again = (): void => {
    void queries.invalidateQueries({ queryKey: ['silences'] });
    void queries.invalidateQueries({ queryKey: ['alerts'] });
  };
  const expire = useMutation({
    mutationFn: (id: string) => expireSilence(tenant, id),
    onSettled: again,
    onError: (e) => notifications.show({ color: 'red', message: e.message }),
  });
  return (
    <Page title={t('nav.silences')}>
      <NewSilence done={again} />
      <div style={{ height: 12 }} />
      <QueryView query={query}>
        {(list) => (
          <DataTable
            label={t('nav.silences')}
            rows={list}
            rowKey={(s) => s.id}
            empty={t('silences.none')}
            columns={[
              {
                id: 'state',
                label: t('alerts.state'),
                key: (s) => s.status.state,
                cell: (s) => t(`silences.${s.status.state}`),
                width: '100px',
              },
              {
                id: 'matchers',
                label: t('silences.matchers'),
                key: (s) => s.matchers.map(matcherText).join(', '),
                cell: (s) => <span className="mono">{s.matchers.map(matcherText).join(', ')}</span>,
                width: 'minmax(200px, 2fr)',
              },
              { id: 'comment', label: t('silences.comment'), key: (s) => s.comment },
              { id: 'by', label: t('silences.by'), key: (s) => s.createdBy, width: '120px' },
              {
                id: 'until',
                label: t('silences.until'),
                key: (s) => s.endsAt,
                cell: (s) => date(Date.parse(s.endsAt)),
                width: '170px',
              },
              {
                id: 'end',
                label: t('silences.action'),
                key: () => '',
                width: '120px',
                cell: (s) =>
                  s.status.state !== 'expired' && (
                    <Button
                      size="compact-sm"
                      variant="default"
                      aria-label={`${t('silences.expire')}: ${s.matchers.map(matcherText).join(', ')}`}
                      onClick={() => expire.mutate(s.id)}
                    >
                      {t('silences.expire')}
                    </Button>
                  ),
              },
            ]}
          />
        )}
      </QueryView>
    </Page>
  );
}

function NewSilence({ done }: { readonly done: () => void }) {
  const { t } = useText();
  const { tenant, search, set } = useView();
  const session = useSession();
  const [text, setText] = useState(search['for'] ?? '');
  const [length, setLength] = useState('2h');
  const [comment, setComment] = useState('');
  const matchers = parseMatchers(text);
  const create = useMutation({
    mutationFn: () => {
      const now = Date.now();
      return createSilence(tenant, {
        matchers: matchers as SilenceMatcher[],
        startsAt: new Date(now).toISOString(),
        endsAt: new Date(now + (parseDurationMs(length) ?? 7_200_000)).toISOString(),
        createdBy: session?.principal?.name ?? 'console',
        comment,
      });
    },
    onSuccess: () => {
      setText('');
      setComment('');
      set({ for: undefined }, true);
      notifications.show({ message: t('silences.created') });
      done();
    },
  });
  return (
    <Panel title={t('silences.new')}>
      <form
        onSubmit={(e) => {
          e.preventDefault();
          create.mutate();
        }}
      >
        <Group align="flex-end" gap="sm">
          <TextInput
            label={t('silences.matchers')}
            required
            placeholder={'alertname="DiskFull", instance=~"db.*"'}
            value={text}
            error={text !== '' && !matchers ? t('silences.unreadable') : null}
            onChange={(e) => setText(e.currentTarget.value)}
            style={{ flex: '3 1 260px' }}
          />
          <NativeSelect
            label={t('silences.length')}
            value={length}
            data={['30m', '1h', '2h', '4h', '8h', '1d', '2d', '7d']}
            onChange={(e) => setLength(e.currentTarget.value)}
          />
          <TextInput
            label={t('silences.comment')}
            required
            value={comment}
            onChange={(e) => setComment(e.currentTarget.value)}
            style={{ flex: '2 1 200px' }}
          />
          <Button type="submit" disabled={!matchers} loading={create.isPending}>
            {t('silences.create')}
          </Button>
        </Group>
        {create.error && <Problem error={create.error} />}
        {matchers && <Preview matchers={matchers.map(matcherText)} />}
      </form>
    </Panel>
  );
}

/** What the silence would mute now, asked once the typing rests. */
function Preview({ matchers }: { readonly matchers: readonly string[] }) {
  const { t } = useText();
  const { tenant } = useView();
  const [asked] = useDebouncedValue(matchers.join(','), PREVIEW_AFTER_MS);
  const query = useQuery({
    queryKey: ['silence-preview', tenant, asked],
    queryFn: () => silencePreview(tenant, [asked]),
    retry: false,
  });
  if (query.error) return <Problem error={query.error} />;
  if (!query.data) return null;
  return (
    <div role="status" style={{ marginTop: 10 }}>
      <strong>{t('silences.preview', { count: query.data.total })}</strong>
      <ul style={{ margin: '4px 0 0', paddingLeft: 18, maxHeight: 160, overflow: 'auto' }}>
        {query.data.alerts.slice(0, PREVIEW_SHOWN_MAX).map((a) => (
          <li key={a.fingerprint}>
            {a.labels['alertname']} <Labels labels={a.labels} without={['alertname']} />
          </li>
        ))}
      </ul>
    </div>
  );
}
