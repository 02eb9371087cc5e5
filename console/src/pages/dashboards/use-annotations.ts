/** Annotations of a dashboard from PromQL: each step at which the expression becomes true is a mark on its charts. */
import { useQuery } from '@tanstack/react-query';
import { queryRange } from '../../api/prometheus.ts';
import type { Mark } from '../../components/chart/marks.ts';
import { builtInValues, interpolate, type Values } from '../../lib/dashboard/interpolate.ts';
import type { Dashboard } from '../../lib/dashboard/model.ts';
import { legendName } from '../../lib/series.ts';
import { absoluteRange, durationText, rateIntervalMs, stepFor } from '../../lib/time-range.ts';
import { useView } from '../../lib/view.ts';

const MARKS_MAX = 300;
const NONE: readonly Mark[] = [];

/** `ready`: the variables have their values; before, a query would ask with their names in it. */
export function useAnnotations(dashboard: Dashboard, values: Values, ready: boolean): readonly Mark[] {
  const { tenant, range } = useView();
  const list = (dashboard.annotations?.list ?? []).filter((a) => a.enable !== false && a.expr);
  const query = useQuery({
    queryKey: ['annotations', tenant, dashboard.uid, range.from, range.to, values],
    enabled: ready && list.length > 0,
    refetchInterval: 60_000,
    queryFn: async () => {
      const span = absoluteRange(range, Date.now());
      const stepMs = stepFor(span, 600, 15_000);
      const built = builtInValues({
        interval: durationText(stepMs),
        intervalMs: stepMs,
        rateInterval: durationText(rateIntervalMs(stepMs)),
        ...span,
        dashboard: dashboard.title,
        tenant,
      });
      const marks: Mark[] = [];
      for (const a of list) {
        const answer = await queryRange(tenant, {
          expr: interpolate(a.expr!, { ...built, ...values }),
          ...span,
          stepMs,
        });
        for (const s of answer.data) {
          let last = Number.NEGATIVE_INFINITY;
          for (const [at] of s.values) {
            if (at - last > (stepMs / 1_000) * 1.5)
              marks.push({ kind: 'annotation', at, text: legendName(a.titleFormat ?? a.name, s.metric) });
            last = at;
          }
        }
      }
      return marks.slice(0, MARKS_MAX);
    },
  });
  return query.data ?? NONE;
}
