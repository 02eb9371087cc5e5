/** On-call: who it is now, the calendar of each schedule, taking a shift, policies and contacts as YAML, and coverage. */
import { Alert, Anchor, Button, Group, NativeSelect, SegmentedControl, TextInput } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { calendarPath, contacts, onCall, policies, schedules, takeShift } from '../../api/incidents.ts';
import { Empty, Page, Panel, Problem, QueryView } from '../../components/states.tsx';
import { useText } from '../../lib/use-text.ts';
import { useView } from '../../lib/view.ts';
import { Coverage } from './coverage.tsx';
import { DocumentEditor } from './document-editor.tsx';
import { Drills } from './drills.tsx';
import { ShiftCalendar } from './shift-calendar.tsx';

const PANES = ['calendar', 'policies', 'contacts', 'coverage', 'drills'] as const;

export function SchedulesPage() {
  const { t } = useText();
  const { search, set } = useView();
  const pane = (search['pane'] ?? 'calendar') as (typeof PANES)[number];
  return (
    <Page
      title={t('nav.schedules')}
      actions={
        <SegmentedControl
          size="xs"
          aria-label={t('schedules.show')}
          value={pane}
          onChange={(v) => set({ pane: v === 'calendar' ? undefined : v })}
          data={PANES.map((p) => ({ value: p, label: t(`schedules.${p}`) }))}
        />
      }
    >
      {pane === 'calendar' && <Calendars />}
      {pane === 'policies' && <Policies />}
      {pane === 'contacts' && <Contacts />}
      {pane === 'coverage' && <Coverage />}
      {pane === 'drills' && <Drills />}
    </Page>
  );
}

function Calendars() {
  const { t, date } = useText();
  const { tenant } = useView();
  const now = useQuery({ queryKey: ['on-call', tenant], queryFn: () => onCall(tenant), refetchInterval: 60_000 });
  const list = useQuery({ queryKey: ['schedules', tenant], queryFn: () => schedules(tenant) });
  return (
    <div style={{ display: 'grid', gap: 12 }}>
      <QueryView query={now}>
        {(answer) => (
          <Panel title={t('schedules.now')}>
            {answer.onCall.length === 0 && <Empty title={t('schedules.none')}>{t('schedules.noneHint')}</Empty>}
            <ul style={{ listStyle: 'none', margin: 0, padding: 0, display: 'grid', gap: 4 }}>
              {answer.onCall.map((o) => (
                <li key={o.schedule}>
                  <strong>{o.schedule}</strong>: {o.user || <strong>{t('schedules.nobody')}</strong>}
                  {o.next && (
                    <span className="muted">
                      {' '}
                      {t('schedules.next', { who: o.next.user || t('schedules.nobody'), when: date(o.next.fromMs) })}
                    </span>
                  )}
                </li>
              ))}
            </ul>
            {answer.uncovered.length > 0 && (
              <Alert color="orange" variant="outline" mt="sm">
                {t('schedules.uncovered', { levels: answer.uncovered.join(', ') })}
              </Alert>
            )}
          </Panel>
        )}
      </QueryView>
      <QueryView query={list}>
        {({ schedules: all }) => (
          <>
            {all.map((s) => (
              <Panel
                key={s.name}
                title={`${s.name} (${s.time_zone})`}
                actions={
                  <Anchor href={calendarPath(tenant, s.name)} size="sm">
                    iCalendar
                  </Anchor>
                }
              >
                <ShiftCalendar schedule={s} />
                <TakeShift name={s.name} users={[...new Set(s.layers.flatMap((l) => l.rotation.users))]} />
              </Panel>
            ))}
          </>
        )}
      </QueryView>
      <DocumentEditor kind="schedules" example={EXAMPLES.schedules} />
    </div>
  );
}

function TakeShift({ name, users }: { readonly name: string; readonly users: readonly string[] }) {
  const { t } = useText();
  const { tenant } = useView();
  const queries = useQueryClient();
  const [user, setUser] = useState(users[0] ?? '');
  const [from, setFrom] = useState('');
  const [to, setTo] = useState('');
  const take = useMutation({
    mutationFn: () => takeShift(tenant, name, { user, from: Date.parse(from), to: Date.parse(to), reason: '' }),
    onSuccess: () => {
      notifications.show({ message: t('schedules.taken') });
      void queries.invalidateQueries({ queryKey: ['shifts'] });
      void queries.invalidateQueries({ queryKey: ['on-call'] });
    },
  });
  const ready = user !== '' && Date.parse(to) > Date.parse(from);
  return (
    <form
      onSubmit={(e) => {
        e.preventDefault();
        if (ready) take.mutate();
      }}
    >
      <Group align="flex-end" gap="sm" mt="sm">
        <NativeSelect
          size="xs"
          label={t('schedules.person')}
          value={user}
          data={[...users]}
          onChange={(e) => setUser(e.currentTarget.value)}
        />
        <TextInput
          size="xs"
          type="datetime-local"
          label={t('time.from')}
          value={from}
          onChange={(e) => setFrom(e.currentTarget.value)}
        />
        <TextInput
          size="xs"
          type="datetime-local"
          label={t('time.to')}
          value={to}
          onChange={(e) => setTo(e.currentTarget.value)}
        />
        <Button size="xs" type="submit" variant="default" disabled={!ready} loading={take.isPending}>
          {t('schedules.take')}
        </Button>
      </Group>
      {take.error && <Problem error={take.error} />}
    </form>
  );
}

function Policies() {
  const { t, value } = useText();
  const { tenant } = useView();
  const query = useQuery({ queryKey: ['policies', tenant], queryFn: () => policies(tenant) });
  return (
    <div style={{ display: 'grid', gap: 12 }}>
      <QueryView query={query}>
        {({ policies: all, uncovered }) => (
          <>
            {all.length === 0 && <Empty title={t('schedules.noPolicies')}>{t('schedules.noPoliciesHint')}</Empty>}
            {uncovered.length > 0 && all.length > 0 && (
              <Alert color="orange" variant="outline">
                {t('schedules.uncovered', { levels: uncovered.join(', ') })}
              </Alert>
            )}
            {all.map((p) => (
              <Panel key={p.name} title={p.name}>
                <p className="muted" style={{ margin: 0 }}>
                  {p.description} {JSON.stringify(p.match)}
                </p>
                <ol style={{ margin: 0, paddingLeft: 20 }}>
                  {p.steps.map((s, i) => (
                    <li key={`${s.level}/${String(i)}`}>
                      <strong>{s.level}</strong> {s.remediate && t('schedules.remediate')}{' '}
                      {s.notify.map((n) => Object.entries(n).map(([k, v]) => `${k} ${v}`)).join(', ')}{' '}
                      <span className="muted">{t('schedules.waits', { time: value(s.timeout / 1000, 's') })}</span>
                    </li>
                  ))}
                </ol>
                <span className="muted">{t('schedules.repeats', { count: p.repeat })}</span>
              </Panel>
            ))}
          </>
        )}
      </QueryView>
      <DocumentEditor kind="policies" example={EXAMPLES.policies} />
    </div>
  );
}

function Contacts() {
  const { t } = useText();
  const { tenant } = useView();
  const query = useQuery({ queryKey: ['contacts', tenant], queryFn: () => contacts(tenant) });
  return (
    <div style={{ display: 'grid', gap: 12 }}>
      <QueryView query={query}>
        {({ contacts: all }) =>
          all.length === 0 ? (
            <Empty title={t('schedules.noContacts')} />
          ) : (
            <ul style={{ margin: 0, paddingLeft: 18 }}>
              {all.map((c) => (
                <li key={c.name}>
                  <strong>{c.display_name || c.name}</strong>{' '}
                  {c.rules.map((r) => `${r.after} ${r.receiver ?? r.email ?? ''}`).join(' → ')}
                  {c.quiet_hours && (
                    <span className="muted">
                      {' '}
                      {t('schedules.quiet', {
                        from: c.quiet_hours.from,
                        to: c.quiet_hours.to,
                        zone: c.quiet_hours.time_zone,
                      })}
                    </span>
                  )}
                </li>
              ))}
            </ul>
          )
        }
      </QueryView>
      <DocumentEditor kind="contacts" example={EXAMPLES.contacts} />
    </div>
  );
}

const EXAMPLES = {
  schedules: `version: 1
kind: schedule
name: primary
time_zone: Europe/Berlin
layers:
  - name: weekly
    start: 2026-01-05T09:00
    rotation: { every: 1w, users: [ada, ben] }
`,
  policies: `version: 1
kind: escalation_policy
name: standard
match: { criticality: [P1, P2] }
steps:
  - { level: L1, remediate: true, timeout: 5m }
  - { level: L2, notify: [{ schedule: primary }], timeout: 10m }
repeat: 2
idle_after: 30m
`,
  contacts: `version: 1
kind: contact
name: ada
rules:
  - { email: ada@example.org }
`,
} as const;
