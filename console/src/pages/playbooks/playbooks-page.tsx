/** Playbooks of the first level: what waits for a person's word, what each would do, its runs step by step, the audit. */
import { Alert, Badge, Button, Group, Modal } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import type { PlaybooksAnswer, PlaybookView } from '../../../../src/http/contract/remediation.ts';
import { armPlaybook, playbooks, runPlaybook } from '../../api/incidents.ts';
import { Empty, Page, Panel, QueryView } from '../../components/states.tsx';
import { useText } from '../../lib/use-text.ts';
import { frameSearch, useView } from '../../lib/view.ts';
import { DocumentEditor } from '../schedules/document-editor.tsx';
import { PlaybookAudit, PlaybookRuns } from './runs.tsx';

type Proposal = PlaybooksAnswer['proposals'][number];

export function PlaybooksPage() {
  const { t } = useText();
  const { tenant } = useView();
  const query = useQuery({
    queryKey: ['playbooks', tenant],
    queryFn: () => playbooks(tenant),
    refetchInterval: 10_000,
  });
  return (
    <Page title={t('nav.playbooks')}>
      <div style={{ display: 'grid', gap: 12 }}>
        <QueryView query={query}>
          {(answer) => (
            <>
              {!answer.enabled && (
                <Alert color="orange" variant="outline">
                  {t('playbooks.off')}
                </Alert>
              )}
              <Proposals all={answer.proposals} playbooks={answer.playbooks} />
              {answer.playbooks.length === 0 && <Empty title={t('playbooks.none')}>{t('playbooks.noneHint')}</Empty>}
              {answer.playbooks.map((p) => (
                <Playbook key={p.playbook.name} p={p} />
              ))}
            </>
          )}
        </QueryView>
        <PlaybookRuns />
        <PlaybookAudit />
        <DocumentEditor kind="playbooks" example={EXAMPLE} />
      </div>
    </Page>
  );
}

/** Asks before anything is armed or done: the plan is what a person agrees to. */
function Confirm(props: {
  readonly title: string;
  readonly p: PlaybookView;
  readonly word: string;
  readonly pending: boolean;
  readonly onYes: () => void;
  readonly onClose: () => void;
}) {
  const { t } = useText();
  return (
    <Modal opened onClose={props.onClose} title={props.title} closeButtonProps={{ 'aria-label': t('action.close') }}>
      <Plan p={props.p} />
      <Group mt="md" justify="flex-end">
        <Button variant="default" onClick={props.onClose}>
          {t('action.cancel')}
        </Button>
        <Button color="red" loading={props.pending} onClick={props.onYes}>
          {props.word}
        </Button>
      </Group>
    </Modal>
  );
}

function Plan({ p }: { readonly p: PlaybookView }) {
  const { t, value } = useText();
  const { playbook } = p;
  const list = (lines: readonly string[]) => lines.map((line) => <div key={line}>{line}</div>);
  return (
    <dl style={{ display: 'grid', gridTemplateColumns: 'max-content 1fr', gap: '4px 14px', margin: 0 }}>
      <dt className="muted">{t('playbooks.for')}</dt>
      <dd className="mono" style={{ margin: 0, overflowWrap: 'anywhere' }}>
        {Object.entries(playbook.match.labels)
          .map(([k, v]) => `${k}="${v}"`)
          .join(' ')}
      </dd>
      {playbook.pre_check && (
        <>
          <dt className="muted">{t('playbooks.check')}</dt>
          <dd className="mono" style={{ margin: 0, overflowWrap: 'anywhere' }}>
            {playbook.pre_check.expr}
          </dd>
        </>
      )}
      <dt className="muted">{t('playbooks.does')}</dt>
      <dd style={{ margin: 0, overflowWrap: 'anywhere' }}>{list(p.plan)}</dd>
      <dt className="muted">{t('playbooks.verify')}</dt>
      <dd style={{ margin: 0, overflowWrap: 'anywhere' }}>
        {playbook.verify.expr ? <span className="mono">{playbook.verify.expr}</span> : t('playbooks.alertRecovers')}{' '}
        {t('playbooks.within', { time: value(playbook.verify.within / 1000, 's') })}
      </dd>
      <dt className="muted">{t('playbooks.undo')}</dt>
      <dd style={{ margin: 0, overflowWrap: 'anywhere' }}>
        {p.undo.length > 0 ? list(p.undo) : t('playbooks.noUndo')}
      </dd>
      <dt className="muted">{t('playbooks.limits')}</dt>
      <dd style={{ margin: 0 }}>
        {t('playbooks.limitsOf', {
          coolDown: value(playbook.limits.cool_down / 1000, 's'),
          runs: playbook.limits.runs_per_day,
          failures: playbook.limits.failures_max,
        })}
      </dd>
    </dl>
  );
}

function Playbook({ p }: { readonly p: PlaybookView }) {
  const { t, ago } = useText();
  const { tenant } = useView();
  const queries = useQueryClient();
  const [asking, setAsking] = useState(false);
  const { name, description } = p.playbook;
  const armed = p.armedBy !== '';
  const arm = useMutation({
    mutationFn: () => armPlaybook(tenant, name, !armed),
    onSettled: () => {
      setAsking(false);
      void queries.invalidateQueries({ queryKey: ['playbooks'] });
      void queries.invalidateQueries({ queryKey: ['playbook-audit'] });
    },
    onError: (e) => notifications.show({ color: 'red', message: e.message }),
  });
  const word = armed ? t('playbooks.disarm') : t('playbooks.arm');
  return (
    <Panel
      title={name}
      actions={
        <Button size="xs" variant={armed ? 'default' : 'filled'} onClick={() => setAsking(true)}>
          {word}
        </Button>
      }
    >
      <Group gap="xs" mb={6}>
        <Badge color={armed ? 'green' : 'gray'} variant="light">
          {armed ? t('playbooks.armedBy', { who: p.armedBy, when: ago(p.armedAtMs) }) : t('playbooks.notArmed')}
        </Badge>
        {p.openedAtMs > 0 && (
          <Badge color="red" variant="light">
            {t('playbooks.breaker', { failures: p.failuresInRow })}
          </Badge>
        )}
        {armed && p.objection && <span className="muted">{p.objection}</span>}
      </Group>
      {description && <p style={{ margin: '0 0 6px' }}>{description}</p>}
      <Plan p={p} />
      {asking && (
        <Confirm
          title={armed ? t('playbooks.askDisarm', { name }) : t('playbooks.askArm', { name })}
          p={p}
          word={word}
          pending={arm.isPending}
          onYes={() => arm.mutate()}
          onClose={() => setAsking(false)}
        />
      )}
    </Panel>
  );
}

function Proposals({
  all,
  playbooks: known,
}: {
  readonly all: readonly Proposal[];
  readonly playbooks: readonly PlaybookView[];
}) {
  const { t } = useText();
  const { tenant, search } = useView();
  const queries = useQueryClient();
  const [asking, setAsking] = useState<Proposal>();
  const run = useMutation({
    mutationFn: ({ p, dryRun }: { readonly p: Proposal; readonly dryRun: boolean }) =>
      runPlaybook(tenant, p.playbook, p.incident, dryRun),
    onSuccess: (r) => notifications.show({ message: r.log.at(-1)?.text ?? r.state }),
    onSettled: () => {
      setAsking(undefined);
      for (const key of ['playbooks', 'playbook-runs', 'playbook-audit', 'incident'])
        void queries.invalidateQueries({ queryKey: [key] });
    },
    onError: (e) => notifications.show({ color: 'red', message: e.message }),
  });
  const asked = known.find((k) => k.playbook.name === asking?.playbook);
  return (
    <Panel title={t('playbooks.proposals')}>
      {all.length === 0 && <span className="muted">{t('playbooks.noProposals')}</span>}
      <ul style={{ listStyle: 'none', margin: 0, padding: 0, display: 'grid', gap: 8 }}>
        {all.map((p) => (
          <li key={`${p.incident} ${p.playbook}`}>
            <strong>{p.playbook}</strong> →{' '}
            <Link to={'/incidents' as never} search={{ ...frameSearch(search), id: p.incident } as never}>
              {p.incident}
            </Link>{' '}
            {p.title} {p.objection && <span className="muted">({p.objection})</span>}
            <Group gap="xs" mt={4}>
              <Button
                size="compact-xs"
                variant="default"
                loading={run.isPending && run.variables?.dryRun === true && run.variables.p === p}
                onClick={() => run.mutate({ p, dryRun: true })}
              >
                {t('playbooks.dryRun')}
              </Button>
              <Button size="compact-xs" onClick={() => setAsking(p)}>
                {t('playbooks.approve')}
              </Button>
            </Group>
          </li>
        ))}
      </ul>
      {asking && asked && (
        <Confirm
          title={t('playbooks.askRun', { name: asking.playbook, incident: asking.incident })}
          p={asked}
          word={t('playbooks.approve')}
          pending={run.isPending}
          onYes={() => run.mutate({ p: asking, dryRun: false })}
          onClose={() => setAsking(undefined)}
        />
      )}
    </Panel>
  );
}

const EXAMPLE = `version: 1
kind: playbook
name: restart-agent-api
match: { labels: { alertname: ServiceDown, service: agent-api } }
act:
  - { do: restart_unit, unit: agent-api.service }
verify: { within: 5m }
`;
