/** Mail lists of stakeholders: members, what they are told by themselves, a dry run, a test, and who left. */
import { Button, Group, NativeSelect, Switch, Textarea, TextInput } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import type { StakeholderListInput, StakeholdersAnswer } from '../../../../src/http/contract/stakeholders.ts';
import {
  bringBack,
  incidents,
  previewStakeholders,
  removeStakeholders,
  saveStakeholders,
  stakeholders,
  testStakeholders,
} from '../../api/incidents.ts';
import { Empty, Panel, Problem, QueryView } from '../../components/states.tsx';
import { useText } from '../../lib/use-text.ts';
import { useView } from '../../lib/view.ts';

type List = StakeholdersAnswer['lists'][number];
const LANGUAGES = ['en', 'fr', 'de'] as const;
const CRITICALITIES = ['P1', 'P2', 'P3', 'P4'] as const;
const words = (text: string): string[] => text.split(/[\s,;]+/).filter((w) => w !== '');

export function MailLists() {
  const { t } = useText();
  const { tenant } = useView();
  const query = useQuery({ queryKey: ['stakeholders', tenant], queryFn: () => stakeholders(tenant) });
  const [chosen, setChosen] = useState<string>();
  return (
    <Panel title={t('mailLists.title')}>
      <QueryView query={query}>
        {({ lists }) => {
          const list = lists.find((l) => l.name === chosen);
          return (
            <>
              {lists.length === 0 && chosen === undefined && (
                <Empty title={t('mailLists.none')}>{t('mailLists.noneHint')}</Empty>
              )}
              <Group gap="xs" mb="sm">
                {lists.map((l) => (
                  <Button
                    key={l.name}
                    size="compact-sm"
                    variant={l.name === chosen ? 'filled' : 'default'}
                    aria-pressed={l.name === chosen}
                    onClick={() => setChosen(l.name)}
                  >
                    {l.name} · {t('mailLists.count', { count: l.members.length - l.left.length })}
                  </Button>
                ))}
                <Button size="compact-sm" variant="subtle" onClick={() => setChosen('')}>
                  {t('mailLists.new')}
                </Button>
              </Group>
              {chosen !== undefined && (
                <Editor key={list ? JSON.stringify(list) : 'new'} list={list} onSaved={setChosen} />
              )}
            </>
          );
        }}
      </QueryView>
    </Panel>
  );
}

function Editor({
  list,
  onSaved,
}: {
  readonly list: List | undefined;
  readonly onSaved: (name: string | undefined) => void;
}) {
  const { t } = useText();
  const { tenant } = useView();
  const queries = useQueryClient();
  const [name, setName] = useState(list?.name ?? '');
  const [language, setLanguage] = useState<(typeof LANGUAGES)[number]>(list?.language ?? 'en');
  const [members, setMembers] = useState((list?.members ?? []).join('\n'));
  const [services, setServices] = useState((list?.services ?? []).join(', '));
  const [automatic, setAutomatic] = useState(list ? list.automatic !== undefined : true);
  const [criticality, setCriticality] = useState(list?.automatic?.criticality ?? 'P2');
  const [pause, setPause] = useState(`${Math.round((list?.automatic?.min_interval ?? 900_000) / 60_000)}m`);
  const [sure, setSure] = useState(false);
  const done = (): void => void queries.invalidateQueries({ queryKey: ['stakeholders'] });
  const save = useMutation({
    mutationFn: () => {
      const document: StakeholderListInput = {
        version: 1,
        kind: 'stakeholder_list',
        name,
        language,
        members: words(members),
        services: words(services),
        ...(automatic
          ? {
              automatic: {
                criticality,
                min_interval: pause,
                ...(list?.automatic ? { on: [...list.automatic.on] } : {}),
              },
            }
          : {}),
      };
      return saveStakeholders(tenant, document);
    },
    onSuccess: () => {
      notifications.show({ message: t('schedules.saved') });
      onSaved(name);
      done();
    },
  });
  const remove = useMutation({
    mutationFn: () => removeStakeholders(tenant, name),
    onSuccess: () => {
      onSaved(undefined);
      done();
    },
  });
  return (
    <form
      aria-label={t('mailLists.one')}
      onSubmit={(e) => {
        e.preventDefault();
        save.mutate();
      }}
    >
      <Group align="flex-end" gap="sm">
        <TextInput
          size="xs"
          label={t('mailLists.name')}
          value={name}
          readOnly={list !== undefined}
          onChange={(e) => setName(e.currentTarget.value)}
        />
        <NativeSelect
          size="xs"
          label={t('statusPage.language')}
          value={language}
          data={[...LANGUAGES]}
          onChange={(e) => setLanguage(e.currentTarget.value as typeof language)}
        />
        <TextInput
          size="xs"
          label={t('mailLists.services')}
          placeholder={t('mailLists.all')}
          value={services}
          onChange={(e) => setServices(e.currentTarget.value)}
        />
      </Group>
      <Textarea
        mt="sm"
        label={t('mailLists.members')}
        description={t('mailLists.membersHint')}
        autosize
        minRows={3}
        maxRows={12}
        value={members}
        onChange={(e) => setMembers(e.currentTarget.value)}
      />
      <Group align="flex-end" gap="sm" mt="sm">
        <Switch
          label={t('mailLists.automatic')}
          checked={automatic}
          onChange={(e) => setAutomatic(e.currentTarget.checked)}
        />
        {automatic && (
          <>
            <NativeSelect
              size="xs"
              label={t('mailLists.criticality')}
              value={criticality}
              data={[...CRITICALITIES]}
              onChange={(e) => setCriticality(e.currentTarget.value as typeof criticality)}
            />
            <TextInput
              size="xs"
              label={t('mailLists.pause')}
              value={pause}
              onChange={(e) => setPause(e.currentTarget.value)}
            />
          </>
        )}
      </Group>
      <Group gap="xs" mt="sm">
        <Button type="submit" size="xs" loading={save.isPending} disabled={name.trim() === ''}>
          {t('action.save')}
        </Button>
        {list && !sure && (
          <Button size="xs" variant="default" onClick={() => setSure(true)}>
            {t('mailLists.remove')}
          </Button>
        )}
        {list && sure && (
          <>
            <span role="alert">{t('mailLists.removeSure', { name })}</span>
            <Button size="xs" color="red" loading={remove.isPending} onClick={() => remove.mutate()}>
              {t('mailLists.remove')}
            </Button>
            <Button size="xs" variant="default" onClick={() => setSure(false)}>
              {t('action.cancel')}
            </Button>
          </>
        )}
      </Group>
      {(save.error ?? remove.error) && <Problem error={(save.error ?? remove.error)!} />}
      {list && <Trial list={list} />}
      {list && list.left.length > 0 && <Left list={list} onBack={done} />}
    </form>
  );
}

/** Who would get what; and a test to one address. */
function Trial({ list }: { readonly list: List }) {
  const { t } = useText();
  const { tenant } = useView();
  const live = useQuery({ queryKey: ['incidents', tenant, true], queryFn: () => incidents(tenant, true) });
  const newest = live.data?.incidents[0]?.id;
  const preview = useMutation({ mutationFn: () => previewStakeholders(tenant, list.name, newest) });
  const [email, setEmail] = useState('');
  const test = useMutation({
    mutationFn: () => testStakeholders(tenant, list.name, email),
    onSuccess: () => notifications.show({ message: t('mailLists.tested', { email }) }),
  });
  return (
    <div style={{ marginTop: 12 }}>
      <Group align="flex-end" gap="xs">
        <Button size="xs" variant="default" loading={preview.isPending} onClick={() => preview.mutate()}>
          {newest ? t('mailLists.previewOf', { incident: newest }) : t('mailLists.preview')}
        </Button>
        <TextInput
          size="xs"
          type="email"
          label={t('mailLists.testTo')}
          value={email}
          onChange={(e) => setEmail(e.currentTarget.value)}
        />
        <Button
          size="xs"
          variant="default"
          loading={test.isPending}
          disabled={email === ''}
          onClick={() => test.mutate()}
        >
          {t('mailLists.test')}
        </Button>
      </Group>
      {(preview.error ?? test.error) && <Problem error={(preview.error ?? test.error)!} />}
      {preview.data && (
        <div role="status" style={{ marginTop: 8 }}>
          <p style={{ margin: 0 }}>
            {preview.data.silentBecause === ''
              ? t('mailLists.would', { count: preview.data.recipients.length })
              : t('mailLists.wouldNot', { why: preview.data.silentBecause })}
          </p>
          <p style={{ margin: '6px 0' }}>
            <strong>{preview.data.subject}</strong>
          </p>
          {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls */}
          <pre style={{ margin: 0, whiteSpace: 'pre-wrap', overflowWrap: 'anywhere' }} tabIndex={0}>
            {preview.data.text}
          </pre>
        </div>
      )}
    </div>
  );
}

function Left({ list, onBack }: { readonly list: List; readonly onBack: () => void }) {
  const { t } = useText();
  const { tenant } = useView();
  const back = useMutation({
    mutationFn: (email: string) => bringBack(tenant, list.name, email),
    onSuccess: onBack,
  });
  return (
    <div style={{ marginTop: 12 }}>
      <strong>{t('mailLists.left')}</strong>
      <ul style={{ listStyle: 'none', margin: '4px 0 0', padding: 0, display: 'grid', gap: 4 }}>
        {list.left.map((email) => (
          <li key={email}>
            {email}{' '}
            <Button size="compact-xs" variant="subtle" onClick={() => back.mutate(email)}>
              {t('mailLists.back')}
            </Button>
          </li>
        ))}
      </ul>
      {back.error && <Problem error={back.error} />}
    </div>
  );
}
