/** The tenant's public status page: its settings, what the public sees now, and what people say to stakeholders. */
import { Anchor, Button, Group, NativeSelect, Switch, Textarea, TextInput } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import type { StakeholderUpdate, StatusPage, StatusPageInput } from '../../../../src/http/contract/status-page.ts';
import {
  incidents,
  postUpdate,
  publicStatus,
  publicStatusPath,
  saveStatusPage,
  statusPage,
} from '../../api/incidents.ts';
import { Empty, Page, Panel, Problem, QueryView } from '../../components/states.tsx';
import { useText } from '../../lib/use-text.ts';
import { useView } from '../../lib/view.ts';
import { MailLists } from './mail-lists.tsx';

const STATUS = ['investigating', 'identified', 'monitoring', 'resolved'] as const;
const LANGUAGES = ['en', 'fr', 'de'] as const;

export function StatusPagePage() {
  const { t } = useText();
  const { tenant } = useView();
  const query = useQuery({ queryKey: ['status-page', tenant], queryFn: () => statusPage(tenant) });
  return (
    <Page title={t('nav.statusPage')}>
      <QueryView query={query}>
        {({ page, updates }) => (
          <div style={{ display: 'grid', gap: 12 }}>
            {page?.enabled && <Preview slug={page.slug} />}
            <Updates updates={updates} />
            <MailLists />
            <Settings key={JSON.stringify(page)} page={page} />
          </div>
        )}
      </QueryView>
    </Page>
  );
}

function Preview({ slug }: { readonly slug: string }) {
  const { t, date } = useText();
  const query = useQuery({
    queryKey: ['public-status', slug],
    queryFn: () => publicStatus(slug),
    refetchInterval: 15_000,
  });
  return (
    <Panel
      title={t('statusPage.preview')}
      actions={
        <Anchor href={publicStatusPath(slug)} target="_blank" rel="noreferrer" size="sm">
          {t('statusPage.open')}
        </Anchor>
      }
    >
      <QueryView query={query}>
        {(s) => (
          <>
            <p style={{ margin: 0 }}>
              <strong>{s.title}</strong>: {t(`statusPage.state.${s.state}`)}
            </p>
            {s.components.length === 0 && <span className="muted">{t('statusPage.noComponents')}</span>}
            <ul style={{ listStyle: 'none', margin: 0, padding: 0, display: 'grid', gap: 2 }}>
              {s.components.map((c) => (
                <li key={c.name}>
                  <span
                    className="dot"
                    data-state={c.state === 'operational' ? 'ok' : c.state === 'down' ? 'firing' : 'pending'}
                    aria-hidden
                  />{' '}
                  {c.name}: {t(`statusPage.state.${c.state}`)}
                </li>
              ))}
            </ul>
            {s.maintenance.map((m) => (
              <p key={m.startsAtMs} className="muted" style={{ margin: '6px 0 0' }}>
                {date(m.startsAtMs)} – {date(m.endsAtMs)}: {m.components.join(', ')}
              </p>
            ))}
          </>
        )}
      </QueryView>
    </Panel>
  );
}

function Updates({ updates }: { readonly updates: readonly StakeholderUpdate[] }) {
  const { t, date } = useText();
  const { tenant } = useView();
  const queries = useQueryClient();
  const live = useQuery({ queryKey: ['incidents', tenant, true], queryFn: () => incidents(tenant, true) });
  const [incident, setIncident] = useState('');
  const [status, setStatus] = useState<(typeof STATUS)[number]>('investigating');
  const [title, setTitle] = useState('');
  const [text, setText] = useState('');
  const choice = incident || live.data?.incidents[0]?.id || '';
  const post = useMutation({
    mutationFn: () => postUpdate(tenant, choice, { status, title, text }),
    onSuccess: () => {
      setText('');
      notifications.show({ message: t('statusPage.said') });
      for (const key of ['status-page', 'public-status', 'incident'])
        void queries.invalidateQueries({ queryKey: [key] });
    },
  });
  return (
    <Panel title={t('statusPage.updates')}>
      {choice === '' ? (
        <span className="muted">{t('incidents.none')}</span>
      ) : (
        <form
          onSubmit={(e) => {
            e.preventDefault();
            post.mutate();
          }}
        >
          <Group align="flex-end" gap="sm">
            <NativeSelect
              size="xs"
              label={t('incidents.title')}
              value={choice}
              data={(live.data?.incidents ?? []).map((i) => ({
                value: i.id,
                label: `${i.id} ${i.title.slice(0, 60)}`,
              }))}
              onChange={(e) => setIncident(e.currentTarget.value)}
            />
            <NativeSelect
              size="xs"
              label={t('statusPage.status')}
              value={status}
              data={STATUS.map((s) => ({ value: s, label: t(`statusPage.status.${s}`) }))}
              onChange={(e) => setStatus(e.currentTarget.value as typeof status)}
            />
            <TextInput
              size="xs"
              label={t('statusPage.headline')}
              value={title}
              onChange={(e) => setTitle(e.currentTarget.value)}
            />
          </Group>
          <Textarea
            label={t('statusPage.text')}
            autosize
            minRows={2}
            value={text}
            onChange={(e) => setText(e.currentTarget.value)}
          />
          <Button
            type="submit"
            size="xs"
            mt={6}
            loading={post.isPending}
            disabled={title.trim() === '' || text.trim() === ''}
          >
            {t('statusPage.say')}
          </Button>
          {post.error && <Problem error={post.error} />}
        </form>
      )}
      {updates.length === 0 && <Empty title={t('statusPage.noUpdates')} />}
      <ul style={{ listStyle: 'none', margin: '8px 0 0', padding: 0, display: 'grid', gap: 6 }}>
        {updates.slice(0, 50).map((u) => (
          <li key={u.id}>
            <span className="muted">
              {date(u.atMs)} {u.incident} {u.by}
            </span>{' '}
            <strong>
              {t(`statusPage.status.${u.status}`)}: {u.title}
            </strong>
            <div>{u.text}</div>
          </li>
        ))}
      </ul>
    </Panel>
  );
}

/** One component a line: its name, then the services it stands for. */
const linesOf = (page: StatusPage | null): string =>
  (page?.components ?? []).map((c) => `${c.name}: ${c.services.join(', ')}`).join('\n');
const words = (text: string): string[] => text.split(/[\s,]+/).filter((w) => w !== '');
function componentsOf(text: string): { name: string; services: string[] }[] {
  return text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => {
      const cut = line.lastIndexOf(':');
      const name = (cut < 0 ? line : line.slice(0, cut)).trim();
      return { name, services: cut < 0 ? [name] : words(line.slice(cut + 1)) };
    });
}

function Settings({ page }: { readonly page: StatusPage | null }) {
  const { t } = useText();
  const { tenant } = useView();
  const queries = useQueryClient();
  const [slug, setSlug] = useState(page?.slug ?? '');
  const [title, setTitle] = useState(page?.title ?? '');
  const [language, setLanguage] = useState<(typeof LANGUAGES)[number]>(page?.language ?? 'en');
  const [enabled, setEnabled] = useState(page?.enabled ?? true);
  const [components, setComponents] = useState(linesOf(page));
  const [receivers, setReceivers] = useState((page?.receivers ?? []).join(', '));
  const save = useMutation({
    mutationFn: () => {
      const json: StatusPageInput = {
        version: 1,
        kind: 'status_page',
        enabled,
        slug,
        title,
        language,
        components: componentsOf(components),
        receivers: words(receivers),
      };
      return saveStatusPage(tenant, json);
    },
    onSuccess: () => {
      notifications.show({ message: t('schedules.saved') });
      for (const key of ['status-page', 'public-status']) void queries.invalidateQueries({ queryKey: [key] });
    },
  });
  return (
    <Panel title={t('statusPage.settings')}>
      <form
        onSubmit={(e) => {
          e.preventDefault();
          save.mutate();
        }}
      >
        <Group align="flex-end" gap="sm">
          <TextInput
            size="xs"
            label={t('statusPage.title')}
            value={title}
            onChange={(e) => setTitle(e.currentTarget.value)}
          />
          <TextInput
            size="xs"
            label={t('statusPage.slug')}
            value={slug}
            onChange={(e) => setSlug(e.currentTarget.value)}
          />
          <NativeSelect
            size="xs"
            label={t('statusPage.language')}
            value={language}
            data={[...LANGUAGES]}
            onChange={(e) => setLanguage(e.currentTarget.value as typeof language)}
          />
          <Switch
            label={t('statusPage.enabled')}
            checked={enabled}
            onChange={(e) => setEnabled(e.currentTarget.checked)}
          />
        </Group>
        <Textarea
          mt="sm"
          label={t('statusPage.components')}
          description={t('statusPage.componentsHint')}
          autosize
          minRows={3}
          value={components}
          onChange={(e) => setComponents(e.currentTarget.value)}
        />
        <TextInput
          mt="sm"
          label={t('statusPage.receivers')}
          description={t('statusPage.receiversHint')}
          value={receivers}
          onChange={(e) => setReceivers(e.currentTarget.value)}
        />
        <Button type="submit" size="xs" mt="sm" loading={save.isPending} disabled={slug === '' || title.trim() === ''}>
          {t('action.save')}
        </Button>
        {save.error && <Problem error={save.error} />}
      </form>
    </Panel>
  );
}
