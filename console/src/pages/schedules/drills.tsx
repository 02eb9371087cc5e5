/** Drills: when the next comes, how well people answered, whom the night was never tried with, and what was held. */
import { Button } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { drills, holdDrill } from '../../api/incidents.ts';
import { Empty, Panel, QueryView } from '../../components/states.tsx';
import { useText } from '../../lib/use-text.ts';
import { useView } from '../../lib/view.ts';
import { DocumentEditor } from './document-editor.tsx';

const EXAMPLE = `version: 1
kind: drill
name: monday
schedule: primary
cron: 0 10 * * mon
within: 15m
`;

export function Drills() {
  const { t, date, value } = useText();
  const { tenant } = useView();
  const queries = useQueryClient();
  const query = useQuery({ queryKey: ['drills', tenant], queryFn: () => drills(tenant), refetchInterval: 15_000 });
  const hold = useMutation({
    mutationFn: (name: string) => holdDrill(tenant, name),
    onSettled: () => void queries.invalidateQueries({ queryKey: ['drills'] }),
    onError: (e) => notifications.show({ color: 'red', message: e.message }),
  });
  return (
    <div style={{ display: 'grid', gap: 12 }}>
      <QueryView query={query}>
        {({ drills: all, runs, figures: f }) => (
          <>
            <Panel title={t('drills.figures')}>
              {f.held === 0 ? (
                <Empty title={t('drills.noneHeld')} />
              ) : (
                <p style={{ margin: 0 }}>
                  {t('drills.answered', {
                    share: f.answeredShare === undefined ? '–' : value(f.answeredShare, 'percentunit', 0),
                    held: f.held,
                    median: f.medianAcknowledgeMs === undefined ? '–' : value(f.medianAcknowledgeMs / 1000, 's'),
                  })}
                </p>
              )}
              <p style={{ margin: '6px 0 0' }}>
                {t('drills.people', { tried: f.peopleAnswered, all: f.people })}
                {f.untried.length > 0 && (
                  <span className="muted"> {t('drills.untried', { who: f.untried.join(', ') })}</span>
                )}
              </p>
            </Panel>
            <Panel title={t('schedules.drills')}>
              {all.length === 0 && <Empty title={t('drills.none')} />}
              <ul style={{ listStyle: 'none', margin: 0, padding: 0, display: 'grid', gap: 6 }}>
                {all.map(({ drill, nextAtMs }) => (
                  <li key={drill.name}>
                    <strong>{drill.name}</strong> <span className="mono">{drill.cron}</span> {drill.schedule}{' '}
                    <span className="muted">
                      {nextAtMs === undefined ? t('drills.off') : t('drills.next', { when: date(nextAtMs) })}
                    </span>{' '}
                    <Button
                      size="compact-xs"
                      variant="default"
                      loading={hold.isPending && hold.variables === drill.name}
                      onClick={() => hold.mutate(drill.name)}
                    >
                      {t('drills.hold')}
                    </Button>
                  </li>
                ))}
              </ul>
            </Panel>
            {runs.length > 0 && (
              <Panel title={t('drills.held')}>
                <ul style={{ listStyle: 'none', margin: 0, padding: 0, display: 'grid', gap: 4 }}>
                  {runs.slice(0, 50).map((r) => (
                    <li key={r.id}>
                      <span
                        className="dot"
                        data-state={r.result === 'acknowledged' ? 'ok' : r.result === 'waiting' ? 'pending' : 'firing'}
                        aria-hidden
                      />{' '}
                      {date(r.atMs)} <strong>{r.drill}</strong> {r.user || t('schedules.nobody')}:{' '}
                      {t(`drills.result.${r.result}`)}
                      {r.acknowledgedAtMs !== undefined && ` (${value((r.acknowledgedAtMs - r.atMs) / 1000, 's')})`}
                      {r.why && <span className="muted"> {r.why}</span>}
                    </li>
                  ))}
                </ul>
              </Panel>
            )}
          </>
        )}
      </QueryView>
      <DocumentEditor kind="drills" example={EXAMPLE} />
    </div>
  );
}
