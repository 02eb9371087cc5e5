/** One incident: who is hit, the likely cause with its evidence, actions, alerts with the reason they belong, changes, time line, notes. */
import { Anchor, Button, Group, NativeSelect, Progress, Textarea } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import type {
  Incident,
  IncidentActionInput,
  IncidentActionName,
  IncidentAlert,
  ServiceEdge,
} from '../../../../src/http/contract/incidents.ts';
import { actOn, addNote, incident, postMortemPath } from '../../api/incidents.ts';
import { Labels } from '../../components/labels.tsx';
import { Empty, Panel, QueryView } from '../../components/states.tsx';
import { useText } from '../../lib/use-text.ts';
import { frameSearch, useView } from '../../lib/view.ts';
import { CriticalityBadge } from './incidents-page.tsx';
import { TimeLine } from './time-line.tsx';

/** Merge and split need a choice of their own and have their own controls below. */
const BUTTONS = [
  'acknowledge',
  'unacknowledge',
  'mitigate',
  'resolve',
  'reopen',
  'escalate',
  'remediate',
] as const satisfies readonly IncidentActionName[];
const LENGTHS = [
  ['30 min', 1_800_000],
  ['1 h', 3_600_000],
  ['4 h', 14_400_000],
  ['24 h', 86_400_000],
] as const;

export function IncidentDetail({ id }: { readonly id: string }) {
  const { tenant } = useView();
  const query = useQuery({
    queryKey: ['incident', tenant, id],
    queryFn: () => incident(tenant, id),
    refetchInterval: 15_000,
  });
  return (
    <QueryView query={query}>
      {({ incident: i, actions, policy, edges }) => <Shown i={i} actions={actions} policy={policy} edges={edges} />}
    </QueryView>
  );
}

function Shown({
  i,
  actions,
  policy,
  edges,
}: {
  readonly i: Incident;
  readonly actions: readonly IncidentActionName[];
  readonly policy: string;
  readonly edges: readonly ServiceEdge[];
}) {
  const { t, date, ago } = useText();
  const { tenant, search } = useView();
  const firing = i.alerts.filter((a) => a.state === 'firing').length;
  return (
    <div style={{ display: 'grid', gap: 14 }}>
      <div>
        <Group gap="sm">
          <CriticalityBadge level={i.criticality} />
          <strong>{t(`incidents.state.${i.state}`)}</strong>
          <span className="muted">
            {date(i.openedAtMs)} ({ago(i.openedAtMs)})
          </span>
          {i.acknowledgedBy && <span>{t('incidents.takenBy', { who: i.acknowledgedBy })}</span>}
          {i.escalation.level && <span>{t('incidents.level', { level: i.escalation.level, policy })}</span>}
        </Group>
        <h2 style={{ fontSize: 18, margin: '6px 0', overflowWrap: 'anywhere' }}>{i.title}</h2>
        <div className="muted">{i.criticalityWords.join(' · ')}</div>
        {i.hushed && <div role="status">{t('incidents.hushed', { why: i.hushed })}</div>}
        {i.mergedInto && <div>{t('incidents.mergedInto', { id: i.mergedInto })}</div>}
      </div>
      <Actions i={i} actions={actions} />
      <Panel title={t('incidents.verdict')}>
        <p style={{ margin: 0 }}>{i.verdict.words}</p>
        {i.verdict.tenantsKnown > 1 && (
          <Progress
            value={Math.round(i.verdict.share * 100)}
            aria-label={t('incidents.share')}
            size="sm"
            mt={6}
            style={{ maxWidth: 320 }}
          />
        )}
      </Panel>
      <Panel title={t('incidents.causes')}>
        {i.causes.length === 0 ? (
          <Empty title={t('incidents.noCauses')} />
        ) : (
          <ol style={{ margin: 0, paddingLeft: 20, display: 'grid', gap: 8 }}>
            {i.causes.map((c) => (
              <li key={c.component}>
                <span className="mono" style={{ fontWeight: 600 }}>
                  {c.component}
                </span>{' '}
                {Math.round(c.score * 100)} %
                <Progress value={c.score * 100} size="xs" aria-hidden style={{ maxWidth: 320 }} />
                <div className="muted">{c.evidence.join(' · ')}</div>
              </li>
            ))}
          </ol>
        )}
      </Panel>
      <Panel title={t('incidents.graph')}>
        <Edges edges={edges} causes={new Set(i.causes.map((c) => c.component))} />
      </Panel>
      <Panel title={t('incidents.alertsOf', { firing, all: i.alerts.length })}>
        <Alerts i={i} canSplit={actions.includes('split')} />
      </Panel>
      <Panel title={t('incidents.changes')}>
        {i.changes.length === 0 ? (
          <span className="muted">{t('incidents.noChanges')}</span>
        ) : (
          <ul style={{ margin: 0, paddingLeft: 18 }}>
            {i.changes.map((c) => (
              <li key={`${c.source}${c.id}`}>
                {date(c.atMs)} <strong>{c.type}</strong> {c.subject} <span className="muted">{c.source}</span>
              </li>
            ))}
          </ul>
        )}
      </Panel>
      <Notes id={i.id} />
      <Panel
        title={t('incidents.timeLine')}
        actions={
          <Anchor href={postMortemPath(tenant, i.id)} target="_blank" rel="noreferrer" size="sm">
            {t('incidents.postMortem')}
          </Anchor>
        }
      >
        <TimeLine entries={i.timeline} dropped={i.timelineDropped} />
      </Panel>
      <Group>
        <Button
          component={Link}
          variant="default"
          to={'/explore' as never}
          search={{ ...frameSearch(search), q: graphOf(i) } as never}
        >
          {t('action.explore')}
        </Button>
      </Group>
    </div>
  );
}

/** Who needs whom around the incident, and how that is known; ranked causes stand out. */
function Edges({ edges, causes }: { readonly edges: readonly ServiceEdge[]; readonly causes: ReadonlySet<string> }) {
  const { t } = useText();
  if (edges.length === 0) return <span className="muted">{t('incidents.graphNone')}</span>;
  const name = (c: string) => (
    <span className="mono" style={causes.has(c) ? { fontWeight: 700 } : undefined}>
      {c}
    </span>
  );
  return (
    <ul style={{ listStyle: 'none', margin: 0, padding: 0, display: 'grid', gap: 2 }}>
      {edges.map((e) => (
        <li key={`${e.from} ${e.to}`}>
          {name(e.from)} {t('incidents.needs')} {name(e.to)} <span className="muted">({e.origin})</span>
        </li>
      ))}
    </ul>
  );
}

/** When the alerts of this incident fired, as a query that any store with ALERTS answers. */
const graphOf = (i: Incident): string => {
  const names = [...new Set(i.alerts.map((a) => a.labels['alertname'] ?? ''))].filter((n) => /^[\w:]+$/.test(n));
  return `count by (alertname) (ALERTS{alertname=~"${names.join('|')}", alertstate="firing"})`;
};

function useAction(id: string) {
  const { tenant } = useView();
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (input: IncidentActionInput) => actOn(tenant, id, input),
    onSettled: () => {
      void queries.invalidateQueries({ queryKey: ['incident'] });
      void queries.invalidateQueries({ queryKey: ['incidents'] });
    },
    onError: (e) => notifications.show({ color: 'red', message: e.message }),
  });
}

function Actions({ i, actions }: { readonly i: Incident; readonly actions: readonly IncidentActionName[] }) {
  const { t } = useText();
  const act = useAction(i.id);
  const [length, setLength] = useState(String(LENGTHS[1][1]));
  const shown = BUTTONS.filter((a) => actions.includes(a));
  if (actions.length === 0) return null;
  return (
    <Group gap="xs" align="flex-end" role="group" aria-label={t('incidents.actions')}>
      {shown.map((a, n) => (
        <Button
          key={a}
          size="xs"
          variant={n === 0 ? 'filled' : 'default'}
          loading={act.isPending && act.variables?.action === a}
          onClick={() => act.mutate({ action: a })}
        >
          {t(`incidents.act.${a}`)}
        </Button>
      ))}
      {(actions.includes('snooze') || actions.includes('silence')) && (
        <NativeSelect
          size="xs"
          aria-label={t('silences.length')}
          value={length}
          onChange={(e) => setLength(e.currentTarget.value)}
          data={LENGTHS.map(([label, ms]) => ({ label, value: String(ms) }))}
        />
      )}
      {(['snooze', 'silence'] as const)
        .filter((a) => actions.includes(a))
        .map((a) => (
          <Button
            key={a}
            size="xs"
            variant="default"
            loading={act.isPending && act.variables?.action === a}
            onClick={() => act.mutate({ action: a, durationMs: Number(length) })}
          >
            {t(`incidents.act.${a}`)}
          </Button>
        ))}
    </Group>
  );
}

function Alerts({ i, canSplit }: { readonly i: Incident; readonly canSplit: boolean }) {
  const { t } = useText();
  const act = useAction(i.id);
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const toggle = (a: IncidentAlert): void => {
    const next = new Set(chosen);
    if (!next.delete(a.fingerprint)) next.add(a.fingerprint);
    setChosen(next);
  };
  return (
    <>
      <ul style={{ listStyle: 'none', margin: 0, padding: 0, display: 'grid', gap: 10 }}>
        {i.alerts.slice(0, 100).map((a) => (
          <li key={a.fingerprint} style={{ display: 'flex', gap: 8 }}>
            {canSplit && i.alerts.length > 1 && (
              <input
                type="checkbox"
                aria-label={t('incidents.choose', { name: a.labels['alertname'] ?? '' })}
                checked={chosen.has(a.fingerprint)}
                onChange={() => toggle(a)}
              />
            )}
            <div style={{ minWidth: 0 }}>
              <span
                className="dot"
                data-state={a.state === 'firing' ? 'firing' : a.state === 'unknown' ? 'pending' : 'ok'}
                aria-hidden
              />{' '}
              <strong>{a.labels['alertname']}</strong> {t(`incidents.signal.${a.state}`)}
              <div>
                <Labels labels={a.labels} without={['alertname']} />
              </div>
              <div className="muted">{a.why.join(' · ')}</div>
            </div>
          </li>
        ))}
      </ul>
      {i.alerts.length > 100 && <p className="muted">{t('incidents.moreAlerts', { count: i.alerts.length - 100 })}</p>}
      {chosen.size > 0 && (
        <Button
          size="xs"
          mt="sm"
          variant="default"
          loading={act.isPending}
          onClick={() =>
            act.mutate({ action: 'split', alerts: [...chosen] }, { onSuccess: () => setChosen(new Set()) })
          }
        >
          {t('incidents.split', { count: chosen.size })}
        </Button>
      )}
    </>
  );
}

function Notes({ id }: { readonly id: string }) {
  const { t } = useText();
  const { tenant } = useView();
  const queries = useQueryClient();
  const [text, setText] = useState('');
  const add = useMutation({
    mutationFn: () => addNote(tenant, id, text),
    onSuccess: () => {
      setText('');
      void queries.invalidateQueries({ queryKey: ['incident'] });
    },
    onError: (e) => notifications.show({ color: 'red', message: e.message }),
  });
  return (
    <form
      onSubmit={(e) => {
        e.preventDefault();
        if (text.trim() !== '') add.mutate();
      }}
    >
      <Textarea
        label={t('incidents.note')}
        autosize
        minRows={2}
        maxRows={8}
        value={text}
        onChange={(e) => setText(e.currentTarget.value)}
      />
      <Button type="submit" size="xs" mt={6} disabled={text.trim() === ''} loading={add.isPending}>
        {t('incidents.addNote')}
      </Button>
    </form>
  );
}
