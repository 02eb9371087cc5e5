/** Marks that every dashboard has: alerts that began to fire, and deployments told as events. */
import { useQuery } from '@tanstack/react-query';
import { alertHistory, events } from '../../api/vigie.ts';
import type { Mark } from '../../components/chart/marks.ts';
import { absoluteRange } from '../../lib/time-range.ts';
import { useText } from '../../lib/use-text.ts';
import { useView } from '../../lib/view.ts';

const ALERTS_MAX = 300;
const REFRESH_MS = 60_000;
const NONE: readonly Mark[] = [];

export function useEventMarks(enabled: boolean): readonly Mark[] {
  const { t } = useText();
  const { tenant, range } = useView();
  const query = useQuery({
    queryKey: ['annotations', 'events', tenant, range.from, range.to],
    enabled,
    refetchInterval: REFRESH_MS,
    queryFn: async () => {
      const span = absoluteRange(range, Date.now());
      // a person who may not read one of them still gets the other
      const [history, deployments] = await Promise.allSettled([
        alertHistory(tenant, ALERTS_MAX, span),
        events(tenant, 'deploy', span),
      ]);
      return {
        alerts:
          history.status === 'fulfilled'
            ? history.value.transitions.filter((h) => h.to === 'firing' && h.labels['severity'] !== 'none')
            : [],
        deployments: deployments.status === 'fulfilled' ? deployments.value.events : [],
      };
    },
    select: (found): readonly Mark[] => [
      ...found.alerts.map(
        (a): Mark => ({ kind: 'firing', at: a.atMs / 1_000, text: t('annotations.alert', { name: a.rule }) }),
      ),
      ...found.deployments.map(
        (e): Mark => ({
          kind: 'deployment',
          at: e.timeMs / 1_000,
          text: t('annotations.deploy', { what: [e.subject ?? e.source, versionOf(e.data)].filter(Boolean).join(' ') }),
        }),
      ),
    ],
  });
  return enabled ? (query.data ?? NONE) : NONE;
}

function versionOf(data: unknown): string {
  const version = (data as { version?: unknown } | null | undefined)?.version;
  return typeof version === 'string' ? version : '';
}
