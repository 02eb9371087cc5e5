/** Runs of playbooks with every step, and what the audit trail says of them. */
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import type { PlaybookRun } from '../../../../src/http/contract/remediation.ts';
import { ApiError } from '../../api/client.ts';
import { playbookRuns } from '../../api/incidents.ts';
import { audit } from '../../api/vigie.ts';
import { Empty, Panel, QueryView } from '../../components/states.tsx';
import { useText } from '../../lib/use-text.ts';
import { frameSearch, useView } from '../../lib/view.ts';

const DOT: Readonly<Record<PlaybookRun['state'], string>> = {
  checking: 'pending',
  acting: 'pending',
  verifying: 'pending',
  rolling_back: 'pending',
  helped: 'ok',
  planned: 'ok',
  not_needed: 'ok',
  rolled_back: 'firing',
  failed: 'firing',
};
const AUDIT_SHOWN = 30;

export function PlaybookRuns() {
  const { t, date } = useText();
  const { tenant, search } = useView();
  const query = useQuery({
    queryKey: ['playbook-runs', tenant],
    queryFn: () => playbookRuns(tenant),
    refetchInterval: 5_000,
  });
  return (
    <Panel title={t('playbooks.runs')}>
      <QueryView query={query}>
        {({ runs }) =>
          runs.length === 0 ? (
            <Empty title={t('playbooks.noRuns')} />
          ) : (
            <div style={{ display: 'grid', gap: 6 }}>
              {runs.map((r, n) => (
                <details key={r.id} open={n === 0}>
                  <summary>
                    <span className="dot" data-state={DOT[r.state]} aria-hidden /> {date(r.startedAtMs)}{' '}
                    <strong>{r.playbook}</strong> {t(`playbooks.state.${r.state}`)}
                    {r.dryRun && ` (${t('playbooks.dryRun')})`}
                  </summary>
                  <div style={{ paddingLeft: 18 }}>
                    <Link to={'/incidents' as never} search={{ ...frameSearch(search), id: r.incident } as never}>
                      {r.incident}
                    </Link>{' '}
                    <span className="muted">{r.actor}</span>
                    <ol style={{ margin: '4px 0 0', paddingLeft: 20 }}>
                      {r.log.map((l) => (
                        <li key={`${l.atMs}${l.text}`} style={{ overflowWrap: 'anywhere' }}>
                          <span className="muted">{date(l.atMs)}</span> {l.text}
                        </li>
                      ))}
                    </ol>
                  </div>
                </details>
              ))}
            </div>
          )
        }
      </QueryView>
    </Panel>
  );
}

/** Shown to those who may read the trail. */
export function PlaybookAudit() {
  const { t, date } = useText();
  const { tenant } = useView();
  const query = useQuery({
    queryKey: ['playbook-audit', tenant],
    queryFn: () => audit(tenant),
    retry: (n, e) => !(e instanceof ApiError && e.status === 403) && n < 2,
  });
  if (query.error instanceof ApiError && query.error.status === 403) return null;
  return (
    <Panel title={t('admin.audit')}>
      <QueryView query={query}>
        {({ entries }) => {
          const mine = entries.filter((e) => /^(playbook|remediation)\./.test(e.action)).slice(0, AUDIT_SHOWN);
          return mine.length === 0 ? (
            <span className="muted">{t('admin.noAudit')}</span>
          ) : (
            <ul style={{ listStyle: 'none', margin: 0, padding: 0, display: 'grid', gap: 2 }}>
              {mine.map((e) => (
                <li key={e.sequence}>
                  <span className="muted">{date(e.atMs)}</span> {e.who} <span className="mono">{e.action}</span>{' '}
                  {e.target}
                </li>
              ))}
            </ul>
          );
        }}
      </QueryView>
    </Panel>
  );
}
