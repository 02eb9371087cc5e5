/** Times to acknowledge and to resolve over a period, and the share within the objective. Pure. */
import type { Criticality, Incident } from './incident.ts';

export interface TimeSummary {
  readonly count: number;
  readonly meanMs: number;
  readonly medianMs: number;
  readonly p95Ms: number;
}
export interface IncidentStatistics {
  readonly incidents: number;
  readonly alerts: number;
  readonly live: number;
  readonly reopened: number;
  readonly byCriticality: Readonly<Record<Criticality, number>>;
  /** From opening to the first acknowledgement. */
  readonly acknowledge: TimeSummary;
  /** From the first bad sample to the recovered signal. */
  readonly resolve: TimeSummary;
  readonly objectiveMs: number;
  /** Of the resolved ones; undefined without any. */
  readonly withinObjective?: number;
}

export function statisticsOf(incidents: readonly Incident[], objectiveMs: number): IncidentStatistics {
  const byCriticality: Record<Criticality, number> = { P1: 0, P2: 0, P3: 0, P4: 0 };
  const acknowledge: number[] = [];
  const resolve: number[] = [];
  let alerts = 0;
  let counted = 0;
  for (const i of incidents) {
    // merged and split ones live on in others
    if (i.state === 'merged' || i.state === 'split') continue;
    counted++;
    alerts += i.alerts.length;
    byCriticality[i.criticality]++;
    if (i.acknowledgedAtMs !== undefined) acknowledge.push(i.acknowledgedAtMs - i.openedAtMs);
    const ttr = timeToResolveMs(i);
    if (ttr !== undefined) resolve.push(ttr);
  }
  return {
    incidents: counted,
    alerts,
    live: incidents.filter((i) => i.live === 1).length,
    reopened: incidents.filter((i) => i.reopenings > 0).length,
    byCriticality,
    acknowledge: summary(acknowledge),
    resolve: summary(resolve),
    objectiveMs,
    ...(resolve.length === 0
      ? {}
      : { withinObjective: resolve.filter((t) => t <= objectiveMs).length / resolve.length }),
  };
}

/** First bad sample to recovered signal; undefined while it is not over. */
export const timeToResolveMs = (i: Incident): number | undefined =>
  i.state === 'resolved'
    ? Math.max(0, (i.recoveredAtMs ?? i.resolvedAtMs ?? i.updatedAtMs) - i.firstBadAtMs)
    : undefined;

function summary(values: number[]): TimeSummary {
  const sorted = values.sort((a, b) => a - b);
  const at = (q: number): number => sorted[Math.min(sorted.length - 1, Math.ceil(q * sorted.length) - 1)] ?? 0;
  return {
    count: sorted.length,
    meanMs: sorted.length === 0 ? 0 : sorted.reduce((a, b) => a + b, 0) / sorted.length,
    medianMs: sorted.length === 0 ? 0 : at(0.5),
    p95Ms: sorted.length === 0 ? 0 : at(0.95),
  };
}
