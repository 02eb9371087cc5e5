/** The alerts that matter now, most severe first; each leads to its detail. */
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { alerts } from '../../api/alertmanager.ts';
import { Empty, QueryView } from '../../components/states.tsx';
import { namedColour, severityColour } from '../../lib/palette.ts';
import { useText } from '../../lib/use-text.ts';
import { frameSearch, useView } from '../../lib/view.ts';

const SHOWN_MAX = 8;
/** What an alert is about, the most telling label first. */
const ABOUT = ['instance', 'service', 'queue', 'model', 'job'];
const ORDER = ['critical', 'page', 'error', 'high', 'warning', 'medium', 'info', 'low'];
const rank = (severity: string | undefined): number => {
  const at = ORDER.indexOf(severity ?? '');
  return at < 0 ? ORDER.length : at;
};

export function SeverityBadge({ severity }: { readonly severity: string | undefined }) {
  const named = severityColour(severity ?? '');
  // both themes in one value: a list holds thousands of these, and none of them should watch the theme
  const colour = `light-dark(${namedColour(named, 'light')}, ${namedColour(named, 'dark')})`;
  return (
    <span className="severity" style={{ color: colour }}>
      {severity || '–'}
    </span>
  );
}

export function ActiveAlerts() {
  const { t, ago } = useText();
  const { tenant, search } = useView();
  const query = useQuery({ queryKey: ['alerts', tenant], queryFn: () => alerts(tenant), refetchInterval: 30_000 });
  return (
    <QueryView query={query}>
      {(list) => {
        const active = list
          .filter((a) => a.status.state !== 'suppressed')
          .sort((a, b) => rank(a.labels['severity']) - rank(b.labels['severity']));
        if (active.length === 0) return <Empty title={t('alerts.none')} />;
        return (
          <ul style={{ listStyle: 'none', margin: 0, padding: 0, display: 'grid', gap: 4 }}>
            {active.slice(0, SHOWN_MAX).map((a) => (
              <li key={a.fingerprint}>
                <Link
                  className="nav-link"
                  style={{ padding: '4px 6px' }}
                  to={'/alerts' as never}
                  search={{ ...frameSearch(search), alert: a.fingerprint } as never}
                >
                  <SeverityBadge severity={a.labels['severity']} />
                  <span style={{ flex: 1, overflowWrap: 'anywhere' }}>
                    {a.labels['alertname']}{' '}
                    <span className="muted">{ABOUT.map((l) => a.labels[l]).find(Boolean) ?? ''}</span>
                  </span>
                  <span className="muted" style={{ whiteSpace: 'nowrap' }}>
                    {ago(Date.parse(a.startsAt))}
                  </span>
                </Link>
              </li>
            ))}
          </ul>
        );
      }}
    </QueryView>
  );
}
