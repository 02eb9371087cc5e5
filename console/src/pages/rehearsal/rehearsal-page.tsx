/** Rehearsal: stored history through the present and a proposed configuration; what would be said, as a difference. */
import { Alert, Button, Group, NativeSelect, Textarea } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import type { PageBudget, RehearsalAnswer, Told } from '../../../../src/http/contract/rehearsal.ts';
import { rehearse } from '../../api/incidents.ts';
import { DataTable } from '../../components/data-table.tsx';
import { Empty, Loading, Page, Panel, Problem } from '../../components/states.tsx';
import { useText } from '../../lib/use-text.ts';
import { useView } from '../../lib/view.ts';

const DAY_MS = 86_400_000;
const PERIODS = [1, 7, 21, 90] as const;
const mono = { input: { fontFamily: 'var(--mantine-font-family-monospace)', fontSize: 12.5 } };

export function RehearsalPage() {
  const { t } = useText();
  const { tenant } = useView();
  const [days, setDays] = useState<number>(21);
  const [alertmanager, setAlertmanager] = useState('');
  const [policies, setPolicies] = useState('');
  const [taken, setTaken] = useState('');
  const run = useMutation({
    mutationFn: () => {
      const toMs = Date.now();
      const proposed = {
        ...(alertmanager.trim() === '' ? {} : { alertmanager }),
        ...(policies.trim() === '' ? {} : { policies }),
        ...(taken === '' ? {} : { acknowledgeAfterMs: Number(taken) }),
      };
      return rehearse(tenant, {
        fromMs: toMs - days * DAY_MS,
        toMs,
        timeZone: Intl.DateTimeFormat().resolvedOptions().timeZone,
        ...(Object.keys(proposed).length === 0 ? {} : { proposed }),
      });
    },
  });
  return (
    <Page title={t('nav.rehearsal')}>
      <Panel title={t('rehearsal.what')}>
        <p className="muted" style={{ marginTop: 0 }}>
          {t('rehearsal.hint')}
        </p>
        <form
          onSubmit={(e) => {
            e.preventDefault();
            run.mutate();
          }}
        >
          <Group align="flex-end" gap="sm">
            <NativeSelect
              label={t('rehearsal.period')}
              value={String(days)}
              onChange={(e) => setDays(Number(e.currentTarget.value))}
              data={PERIODS.map((d) => ({ value: String(d), label: t('rehearsal.days', { count: d }) }))}
            />
            <NativeSelect
              label={t('rehearsal.taken')}
              value={taken}
              onChange={(e) => setTaken(e.currentTarget.value)}
              data={[
                { value: '', label: t('rehearsal.never') },
                ...[5, 15, 60].map((m) => ({
                  value: String(m * 60_000),
                  label: t('rehearsal.afterMinutes', { count: m }),
                })),
              ]}
            />
            <Button type="submit" loading={run.isPending}>
              {t('rehearsal.run')}
            </Button>
          </Group>
          <Group align="flex-start" grow mt="sm">
            <Textarea
              label={t('rehearsal.alertmanager')}
              autosize
              minRows={4}
              maxRows={20}
              spellCheck={false}
              styles={mono}
              value={alertmanager}
              onChange={(e) => setAlertmanager(e.currentTarget.value)}
            />
            <Textarea
              label={t('rehearsal.policies')}
              autosize
              minRows={4}
              maxRows={20}
              spellCheck={false}
              styles={mono}
              value={policies}
              onChange={(e) => setPolicies(e.currentTarget.value)}
            />
          </Group>
        </form>
      </Panel>
      <div style={{ height: 12 }} />
      {run.isPending && <Loading />}
      {run.error && <Problem error={run.error} retry={() => run.mutate()} />}
      {run.data && <Answer a={run.data} />}
      {!run.data && !run.error && !run.isPending && <Empty title={t('rehearsal.nothingYet')} />}
    </Page>
  );
}

function Answer({ a }: { readonly a: RehearsalAnswer }) {
  const { t, value } = useText();
  const side = a.proposed ?? a.present;
  return (
    <div style={{ display: 'grid', gap: 12 }}>
      <p style={{ margin: 0 }} role="status">
        {t('rehearsal.result', {
          episodes: a.episodes,
          messages: a.present.messages,
          pages: a.present.pages,
          time: value(a.tookMs / 1000, 's'),
        })}
      </p>
      {a.reality && (
        <Alert variant="outline" color={a.reality.missing + a.reality.extra === 0 ? 'green' : 'orange'}>
          {t('rehearsal.reality', { ...a.reality })}
        </Alert>
      )}
      {a.diff && (
        <Panel
          title={t('rehearsal.difference', { more: a.diff.addedCount, fewer: a.diff.removedCount, same: a.diff.same })}
        >
          <DataTable
            label={t('rehearsal.byReceiver')}
            rows={a.diff.byReceiver}
            rowKey={(r) => r.to}
            empty={t('state.nothingFound')}
            columns={[
              { id: 'to', label: t('admin.receiver'), key: (r) => r.to },
              { id: 'before', label: t('rehearsal.before'), key: (r) => r.before, numeric: true },
              { id: 'after', label: t('rehearsal.after'), key: (r) => r.after, numeric: true },
            ]}
          />
          <ToldTable label={t('rehearsal.more')} told={a.diff.added} />
          <ToldTable label={t('rehearsal.fewer')} told={a.diff.removed} />
        </Panel>
      )}
      <Panel title={t('rehearsal.budgets')}>
        <Budgets rows={side.budgets} />
      </Panel>
      <Panel title={t('rehearsal.told')}>
        <ToldTable label={t('rehearsal.told')} told={side.told} />
      </Panel>
    </div>
  );
}

function Budgets({ rows }: { readonly rows: readonly PageBudget[] }) {
  const { t } = useText();
  return (
    <DataTable
      label={t('rehearsal.budgets')}
      rows={rows}
      rowKey={(b) => b.to}
      empty={t('rehearsal.nobody')}
      columns={[
        { id: 'to', label: t('admin.receiver'), key: (b) => b.to },
        { id: 'pages', label: t('rehearsal.pages'), key: (b) => b.pages, numeric: true, width: '90px' },
        {
          id: 'week',
          label: t('rehearsal.perWeek'),
          key: (b) => b.perWeek,
          numeric: true,
          width: '150px',
          cell: (b) => (
            <span>
              {b.perWeek.toFixed(1)} / {b.budgetPerWeek} {b.over && <strong>{t('rehearsal.over')}</strong>}
            </span>
          ),
        },
        { id: 'night', label: t('rehearsal.atNight'), key: (b) => b.atNight, numeric: true, width: '90px' },
        {
          id: 'rules',
          label: t('rehearsal.spentBy'),
          width: 'minmax(200px, 2fr)',
          key: (b) =>
            b.rules
              .slice(0, 5)
              .map((r) => `${r.rule} ${r.pages}`)
              .join(', '),
        },
      ]}
    />
  );
}

function ToldTable({ label, told }: { readonly label: string; readonly told: readonly Told[] }) {
  const { t, date } = useText();
  return (
    <DataTable
      label={label}
      rows={told}
      rowKey={(r) => `${r.atMs}/${r.to}/${r.about}/${r.reason}`}
      empty={t('state.nothingFound')}
      columns={[
        { id: 'at', label: t('rehearsal.when'), key: (r) => r.atMs, cell: (r) => date(r.atMs), width: '170px' },
        { id: 'to', label: t('admin.receiver'), key: (r) => r.to, width: '160px' },
        { id: 'kind', label: t('rehearsal.kind'), key: (r) => t(`rehearsal.${r.kind}`), width: '130px' },
        { id: 'rules', label: t('nav.alerts'), key: (r) => r.rules.join(', ') },
        { id: 'reason', label: t('why.reason'), key: (r) => r.reason },
      ]}
    />
  );
}
