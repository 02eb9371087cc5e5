/** Rule groups with health, timing and, for alerting rules, their state. */
import { Accordion, Anchor, Code, SegmentedControl, TextInput } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import { type Rule, type RuleGroup, rules } from '../../api/prometheus.ts';
import { Labels } from '../../components/labels.tsx';
import { Empty, Page, QueryView } from '../../components/states.tsx';
import { useText } from '../../lib/use-text.ts';
import { frameSearch, useView } from '../../lib/view.ts';

const FILTERS = ['all', 'alerting', 'recording', 'err'] as const;

export function RulesPage() {
  const { t } = useText();
  const { tenant, search, set } = useView();
  const kind = search['kind'] ?? 'all';
  const [text, setText] = useState('');
  const query = useQuery({ queryKey: ['rules', tenant], queryFn: () => rules(tenant), refetchInterval: 30_000 });
  const wanted = (r: Rule): boolean =>
    (kind === 'all' || (kind === 'err' ? r.health !== 'ok' : r.type === kind)) &&
    `${r.name} ${r.query}`.toLowerCase().includes(text.toLowerCase());
  return (
    <Page
      title={t('nav.rules')}
      actions={
        <SegmentedControl
          size="xs"
          aria-label={t('rules.kind')}
          value={kind}
          onChange={(v) => set({ kind: v === 'all' ? undefined : v })}
          data={FILTERS.map((f) => ({ value: f, label: t(`rules.${f}`) }))}
        />
      }
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
        {({ groups }) => {
          const shown = groups
            .map((g) => ({ group: g, rules: g.rules.filter(wanted) }))
            .filter((g) => g.rules.length > 0);
          if (shown.length === 0) return <Empty title={t('rules.none')} />;
          return (
            <Accordion
              multiple
              variant="contained"
              defaultValue={shown.length <= 6 ? shown.map(({ group }) => `${group.file}/${group.name}`) : []}
              chevronPosition="left"
              order={2}
              styles={{ label: { padding: '7px 0', fontSize: 14 }, content: { padding: '4px 16px 12px' } }}
            >
              {shown.map(({ group, rules: list }) => (
                <Group key={`${group.file}/${group.name}`} group={group} list={list} />
              ))}
            </Accordion>
          );
        }}
      </QueryView>
    </Page>
  );
}

function Group({ group, list }: { readonly group: RuleGroup; readonly list: readonly Rule[] }) {
  const { t, value, ago } = useText();
  const bad = list.some((r) => r.health === 'err');
  return (
    <Accordion.Item value={`${group.file}/${group.name}`}>
      <Accordion.Control>
        <span className="dot" data-state={bad ? 'err' : 'ok'} aria-hidden /> <strong>{group.name}</strong>{' '}
        <span className="muted">
          {t('rules.every', { interval: value(group.interval, 's') })} · {value(group.evaluationTime, 's')} ·{' '}
          {list.length}
        </span>
      </Accordion.Control>
      <Accordion.Panel>
        <ul style={{ listStyle: 'none', margin: 0, padding: 0, display: 'grid', gap: 12 }}>
          {list.map((r, i) => (
            <li
              // biome-ignore lint/suspicious/noArrayIndexKey: two rules of a group may share name and query
              key={`${r.name}${i}`}
              style={{ borderTop: i === 0 ? undefined : '1px solid var(--v-grid)', paddingTop: i === 0 ? 0 : 10 }}
            >
              <RuleRow rule={r} when={Date.parse(r.lastEvaluation) > 0 ? ago(Date.parse(r.lastEvaluation)) : '–'} />
            </li>
          ))}
        </ul>
      </Accordion.Panel>
    </Accordion.Item>
  );
}

function RuleRow({ rule, when }: { readonly rule: Rule; readonly when: string }) {
  const { t, value } = useText();
  const { search } = useView();
  const state = rule.type === 'alerting' ? rule.state : undefined;
  return (
    <>
      <div style={{ display: 'flex', gap: 10, flexWrap: 'wrap', alignItems: 'baseline' }}>
        <span
          className="dot"
          data-state={rule.health === 'ok' && state ? (state === 'inactive' ? 'ok' : state) : rule.health}
          aria-hidden
        />
        <strong>{rule.name}</strong>
        <span>{state ? t(`rules.${state}`) : t('rules.recording')}</span>
        {rule.health !== 'ok' && (
          <span style={{ color: rule.health === 'err' ? 'var(--v-bad)' : 'var(--v-unknown)' }}>
            {t(`rules.health.${rule.health}`)}
          </span>
        )}
        <span className="muted" style={{ marginLeft: 'auto' }}>
          {rule.duration ? `for ${value(rule.duration, 's')} · ` : ''}
          {when} · {value(rule.evaluationTime, 's')}
        </span>
        <Anchor
          component={Link}
          size="sm"
          to={'/explore' as never}
          search={{ ...frameSearch(search), q: rule.query } as never}
          aria-label={`${t('action.explore')}: ${rule.name}`}
        >
          {t('action.explore')}
        </Anchor>
      </div>
      <Code block style={{ whiteSpace: 'pre-wrap', margin: '4px 0' }}>
        {rule.query}
      </Code>
      {rule.lastError && (
        <div style={{ color: 'var(--v-bad)' }} className="mono">
          {rule.lastError}
        </div>
      )}
      {rule.labels && <Labels labels={rule.labels} />}
    </>
  );
}
