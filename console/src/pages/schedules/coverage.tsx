/** A drill on paper: the share of the next week's hours in which an escalation would reach somebody, and the holes. */
import { Progress } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { coverage } from '../../api/incidents.ts';
import { Empty, Panel, QueryView } from '../../components/states.tsx';
import { useText } from '../../lib/use-text.ts';
import { useView } from '../../lib/view.ts';

const HOLES_SHOWN = 50;

export function Coverage() {
  const { t, date, value } = useText();
  const { tenant } = useView();
  const query = useQuery({ queryKey: ['coverage', tenant], queryFn: () => coverage(tenant) });
  return (
    <QueryView query={query}>
      {(c) => (
        <div style={{ display: 'grid', gap: 12 }}>
          <Panel title={t('schedules.coverageOf', { hours: c.hours })}>
            <ul style={{ listStyle: 'none', margin: 0, padding: 0, display: 'grid', gap: 8 }}>
              {c.byCriticality.map((b) => (
                <li key={b.criticality}>
                  <strong>{b.criticality}</strong> {value(b.share, 'percentunit', 1)}{' '}
                  <span className="muted">
                    {b.policy}, {t('schedules.slowest', { time: value(b.slowestMs / 1000, 's') })}
                  </span>
                  <Progress
                    value={b.share * 100}
                    color={b.share === 1 ? 'green' : 'orange'}
                    aria-label={`${b.criticality} ${Math.round(b.share * 100)} %`}
                  />
                </li>
              ))}
            </ul>
          </Panel>
          <Panel title={t('schedules.holes')}>
            {c.holes.length === 0 ? (
              <Empty title={t('schedules.noHoles')} />
            ) : (
              <ul style={{ margin: 0, paddingLeft: 18 }}>
                {c.holes.slice(0, HOLES_SHOWN).map((h) => (
                  <li key={`${h.criticality}${h.atMs}`}>
                    {date(h.atMs)} <strong>{h.criticality}</strong> <span className="muted">{h.why}</span>
                  </li>
                ))}
              </ul>
            )}
          </Panel>
        </div>
      )}
    </QueryView>
  );
}
