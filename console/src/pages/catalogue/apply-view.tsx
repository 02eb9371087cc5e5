/** Diff and apply: a dry run of the catalogue against files and live systems, its confirmation, and the progress of both. */
import { Alert, Anchor, Button, Group, NativeSelect, Progress, Table, Text } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import type {
  CatalogueJob,
  CatalogueJobSummary,
  CatalogueJobsAnswer,
  JobStartInput,
} from '../../../../src/http/contract/catalogue-jobs.ts';
import { Empty, Panel, Problem, QueryView } from '../../components/states.tsx';
import { useText } from '../../lib/use-text.ts';
import { frameSearch, useView } from '../../lib/view.ts';
import { applyPlan, job as fetchJob, jobs as fetchJobs, startJob, stopJob } from './api.ts';
import { Diff } from './diff.tsx';
import type { CatalogueTexts } from './texts.ts';

/** A running job is asked about this often. */
const POLL_MS = 700;

type Words = { readonly words: CatalogueTexts };

export function ApplyView({ words }: Words) {
  const { tenant, search, set } = useView();
  const client = useQueryClient();
  const list = useQuery({ queryKey: ['catalogue-jobs', tenant], queryFn: () => fetchJobs(tenant) });
  const chosen = search['job'];
  const shown = useQuery({
    queryKey: ['catalogue-job', tenant, chosen],
    queryFn: async () => {
      const job = await fetchJob(tenant, chosen!);
      if (job.state !== 'running') void client.invalidateQueries({ queryKey: ['catalogue-jobs', tenant] });
      return job;
    },
    enabled: chosen !== undefined,
    refetchInterval: (query) => (query.state.data?.state === 'running' ? POLL_MS : false),
  });
  const show = (job: CatalogueJob): void => {
    client.setQueryData(['catalogue-job', tenant, job.id], job);
    void client.invalidateQueries({ queryKey: ['catalogue-jobs', tenant] });
    set({ job: job.id });
  };
  const start = useMutation({ mutationFn: (input: JobStartInput) => startJob(tenant, input), onSuccess: show });
  const apply = useMutation({ mutationFn: (plan: string) => applyPlan(tenant, plan), onSuccess: show });
  return (
    <div style={{ display: 'grid', gap: 12 }}>
      <p className="muted" style={{ margin: 0 }}>
        {words.applyHint}
      </p>
      <QueryView query={list}>
        {(data) => (
          <>
            <Starter data={data} words={words} busy={start.isPending} onStart={(input) => start.mutate(input)} />
            {start.error && <Problem error={start.error} />}
            {apply.error && <Problem error={apply.error} />}
            {chosen && (
              <QueryView query={shown}>
                {(job) => (
                  <JobView
                    key={job.id}
                    job={job}
                    words={words}
                    mayApply={data.may.apply}
                    busy={apply.isPending || start.isPending}
                    onApply={() => apply.mutate(job.id)}
                    onAgain={() => start.mutate({ scope: job.scope, against: 'live' })}
                    onStop={() => void stopJob(tenant, job.id).then(() => shown.refetch())}
                  />
                )}
              </QueryView>
            )}
            <History jobs={data.jobs} words={words} />
          </>
        )}
      </QueryView>
    </div>
  );
}

function Starter({
  data,
  words,
  busy,
  onStart,
}: Words & {
  readonly data: CatalogueJobsAnswer;
  readonly busy: boolean;
  readonly onStart: (input: JobStartInput) => void;
}) {
  const [scope, setScope] = useState<NonNullable<JobStartInput['scope']>>(data.may.platform ? 'all' : 'tenant');
  return (
    <Panel title={words.apply}>
      <div style={{ padding: 12, display: 'grid', gap: 10 }}>
        <Group align="flex-end" gap="sm">
          {data.may.platform && (
            <NativeSelect
              label={words.scope}
              value={scope}
              onChange={(e) => setScope(e.currentTarget.value as typeof scope)}
              data={[
                { value: 'all', label: words.scopeAll },
                { value: 'platform', label: words.scopePlatform },
                { value: 'tenant', label: words.scopeTenant },
              ]}
            />
          )}
          <Button variant="default" disabled={busy} onClick={() => onStart({ scope, against: 'render' })}>
            {words.compare}
          </Button>
          <Button disabled={busy || !data.may.apply} onClick={() => onStart({ scope, against: 'live' })}>
            {words.dryRun}
          </Button>
        </Group>
        <Text size="xs" className="muted">
          {data.may.apply
            ? data.systems.length > 0
              ? `${words.systems}: ${data.systems.join(', ')}`
              : words.noSystems
            : words.platformOnly}
          {data.output && (
            <>
              {' · '}
              {words.folder}: <span className="mono">{data.output}</span>
            </>
          )}
        </Text>
      </div>
    </Panel>
  );
}

function JobView({
  job,
  words,
  mayApply,
  busy,
  onApply,
  onAgain,
  onStop,
}: Words & {
  readonly job: CatalogueJob;
  readonly mayApply: boolean;
  readonly busy: boolean;
  readonly onApply: () => void;
  readonly onAgain: () => void;
  readonly onStop: () => void;
}) {
  const [asked, setAsked] = useState(false);
  const share = job.total > 0 ? Math.round((job.done / job.total) * 100) : 0;
  return (
    <Panel title={`${words[MODE[job.mode]]}: ${words[SCOPE[job.scope]]}`}>
      <div style={{ padding: 12, display: 'grid', gap: 10 }}>
        <div aria-live="polite">
          <Text size="sm" fw={600}>
            {words[job.state]}
            {job.state === 'running' && ` · ${job.stage} · ${job.done} / ${job.total}`}
          </Text>
        </div>
        {job.state === 'running' && (
          <Group gap="sm" wrap="nowrap">
            <Progress style={{ flex: 1 }} value={share} aria-label={words.progress} />
            <Button size="xs" variant="default" onClick={onStop}>
              {words.stop}
            </Button>
          </Group>
        )}
        {job.error && (
          <Alert color="red" variant="outline" title={words.failed} role="alert">
            <div className="mono" style={{ whiteSpace: 'pre-wrap' }}>
              {job.error.message}
            </div>
          </Alert>
        )}
        {job.mode === 'apply' &&
          (job.state === 'failed' || job.state === 'canceled' || job.state === 'interrupted') && (
            <Group gap="sm">
              <Text size="sm">{words.resume}</Text>
              <Button size="xs" disabled={busy || !mayApply} onClick={onAgain}>
                {words.again}
              </Button>
            </Group>
          )}
        {job.problems.map((p) => (
          <Text key={p.where + p.message} size="sm" className="mono">
            {p.where}: {p.message}
          </Text>
        ))}
        {job.systems.map((s) => (
          <Text key={s.system} size="sm">
            <strong>{s.system}</strong> <span className="muted mono">{s.address}</span>: {s.report.created}{' '}
            {words.created}, {s.report.updated} {words.updated}, {s.report.removed} {words.removed}, {s.report.same}{' '}
            {words.same}
            {s.said && (
              <>
                <br />
                {s.said}
              </>
            )}
          </Text>
        ))}
        {job.mode === 'plan' && job.state === 'done' && (
          <Group gap="sm">
            {asked ? (
              <>
                <Text size="sm">{words.confirmAsk}</Text>
                <Button color="red" disabled={busy || !mayApply} loading={busy} onClick={onApply}>
                  {words.confirm}
                </Button>
              </>
            ) : (
              <Button disabled={!mayApply} onClick={() => setAsked(true)}>
                {words.confirm}
              </Button>
            )}
          </Group>
        )}
        <Steps job={job} words={words} />
        <Files job={job} words={words} />
      </div>
    </Panel>
  );
}

function Steps({ job, words }: Words & { readonly job: CatalogueJob }) {
  if (job.mode === 'files' || job.systems.length + job.steps.length === 0) return null;
  return (
    <section aria-label={words.steps}>
      <Text fw={600} size="sm">
        {words.steps} ({job.stepsTotal})
      </Text>
      {job.stepsTotal === 0 && <Text size="sm">{words.noSteps}</Text>}
      <ul style={{ margin: 0, paddingLeft: 18 }}>
        {job.steps.map((s) => (
          <li key={`${s.system}${s.id}`} style={{ overflowWrap: 'anywhere', fontSize: 13 }}>
            {words[s.action]} <span className="mono">{s.id}</span>
          </li>
        ))}
      </ul>
      <More count={job.stepsTotal - job.steps.length} words={words} />
    </section>
  );
}

function Files({ job, words }: Words & { readonly job: CatalogueJob }) {
  if (job.state === 'running') return null;
  return (
    <section aria-label={words.files}>
      <Text fw={600} size="sm">
        {words.files} ({job.filesChanged})
      </Text>
      {job.filesChanged === 0 && job.state === 'done' && <Text size="sm">{words.noFiles}</Text>}
      {job.files.map((f) => {
        const name = (
          <>
            {words[FILE[f.kind]]} <span className="mono">{f.path}</span>
          </>
        );
        const line = { overflowWrap: 'anywhere', fontSize: 13, paddingBlock: 3, minHeight: 26 } as const;
        return f.diff ? (
          <details key={f.path}>
            <summary style={line}>{name}</summary>
            <Diff text={f.diff} />
          </details>
        ) : (
          <div key={f.path} style={line}>
            {name}
          </div>
        );
      })}
      <More count={job.filesChanged - job.files.length} words={words} />
    </section>
  );
}

function More({ count, words }: Words & { readonly count: number }) {
  return count > 0 ? (
    <Text size="xs" className="muted">
      {count} {words.more}
    </Text>
  ) : null;
}

function History({ jobs, words }: Words & { readonly jobs: readonly CatalogueJobSummary[] }) {
  const { locale } = useText();
  const { search } = useView();
  const at = new Intl.DateTimeFormat(locale, { dateStyle: 'short', timeStyle: 'medium' });
  return (
    <Panel title={words.history}>
      {jobs.length === 0 ? (
        <Empty title={words.noHistory} />
      ) : (
        <Table.ScrollContainer minWidth={560}>
          <Table aria-label={words.history}>
            <Table.Thead>
              <Table.Tr>
                <Table.Th>{words.when}</Table.Th>
                <Table.Th>{words.job}</Table.Th>
                <Table.Th>{words.who}</Table.Th>
                <Table.Th>{words.state}</Table.Th>
                <Table.Th>{words.result}</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {jobs.map((j) => (
                <Table.Tr key={j.id}>
                  <Table.Td>
                    <Anchor
                      component={Link}
                      size="sm"
                      to={'/catalogue' as never}
                      search={{ ...frameSearch(search), view: 'apply', job: j.id } as never}
                    >
                      {at.format(j.startedAtMs)}
                    </Anchor>
                  </Table.Td>
                  <Table.Td>
                    {words[MODE[j.mode]]}: {words[SCOPE[j.scope]]}
                  </Table.Td>
                  <Table.Td>{j.by}</Table.Td>
                  <Table.Td>{words[j.state]}</Table.Td>
                  <Table.Td>
                    {j.error?.message ??
                      [
                        `${words.files}: ${j.filesChanged}`,
                        ...j.systems.map(
                          (s) => `${s.system}: ${s.report.created + s.report.updated + s.report.removed}`,
                        ),
                      ].join(' · ')}
                  </Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </Table.ScrollContainer>
      )}
    </Panel>
  );
}

const MODE = { files: 'modeFiles', plan: 'modePlan', apply: 'modeApply' } as const;
const SCOPE = { tenant: 'scopeTenant', platform: 'scopePlatform', all: 'scopeAll' } as const;
const FILE = { new: 'fileNew', changed: 'fileChanged', removed: 'fileRemoved' } as const;
