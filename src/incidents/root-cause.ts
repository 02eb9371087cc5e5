/**
 * Which component is the cause and which only suffers: a random walk over the service graph from what alerts towards
 * what it needs (the idea of MonitorRank, Kim, Sumbaly and Shah, SIGMETRICS 2013), together with who was bad first,
 * what kind of alert it is, what its metrics did, and what was changed there. Every share comes with evidence. Pure.
 */
import { asComponent, type ComponentId, componentName, componentOf, isDerived } from './component.ts';
import type { Cause, IncidentAlert, RelatedChange } from './incident.ts';
import { DECLARED, type ServiceGraph } from './service-graph.ts';

/** Components ranked in one incident. */
export const CANDIDATES_MAX = 200;
export const CAUSES_SHOWN = 5;
/** A change this long before the first bad sample may explain it. */
export const CHANGE_BEFORE_MS = 60 * 60_000;
const CHANGE_AFTER_MS = 2 * 60_000;
/** Later onsets count less: e-fold after this. */
const ONSET_SCALE_MS = 4 * 60_000;
/** Share of the affected that must need a silent dependency directly. */
const SHARED = 0.6;
/** How bad a part looks that has neither alert nor metric. */
const SILENT_ANOMALY = 0.45;
const PRECEDENCE_SCALE_MS = 3 * 60_000;
const RESTART = 0.15;
const BACKWARD = 0.2;
const ITERATIONS = 60;
const WEIGHT = { walk: 0.5, onset: 0.2, nature: 0.15, metric: 0.15 };
/** Share that a change on the component adds. */
const CHANGE_FACTOR = 0.8;

/** What metrics say about a component around the begin of the incident. */
export interface MetricEvidence {
  readonly component: string;
  readonly metric: string;
  /** Robust distance from usual, in units of the usual spread; the sign is its direction. */
  readonly z: number;
  readonly before: number;
  readonly after: number;
  /** First sample beyond usual. */
  readonly sinceMs?: number;
}

export interface RootCauseInput {
  readonly alerts: readonly IncidentAlert[];
  readonly graph: ServiceGraph;
  readonly metrics?: readonly MetricEvidence[];
  readonly changes?: readonly RelatedChange[];
}

interface Candidate {
  readonly id: ComponentId;
  readonly alerts: readonly IncidentAlert[];
  readonly metric: MetricEvidence | undefined;
  /** 0..1: how bad it looks. */
  readonly anomaly: number;
  readonly sinceMs: number | undefined;
  readonly changes: readonly RelatedChange[];
}

export function rankCauses(input: RootCauseInput): readonly Cause[] {
  const candidates = candidatesOf(input);
  if (candidates.length === 0) return [];
  const walk = randomWalk(candidates, input.graph);
  const walkMost = Math.max(...walk, Number.MIN_VALUE);
  const onsets = candidates.map((c) => c.sinceMs).filter((t): t is number => t !== undefined);
  const firstMs = Math.min(...onsets);
  const raw = candidates.map((c, i) => {
    const late = c.sinceMs === undefined ? undefined : c.sinceMs - firstMs;
    const parts =
      WEIGHT.walk * (walk[i]! / walkMost) +
      WEIGHT.onset * (late === undefined ? 0 : Math.exp(-late / ONSET_SCALE_MS)) +
      WEIGHT.nature * natureOf(c.alerts) +
      WEIGHT.metric * (c.metric ? squash(c.metric.z) : 0);
    return parts * (c.changes.length > 0 ? 1 + CHANGE_FACTOR : 1);
  });
  const sharp = raw.map((s) => s ** 3);
  const total = sharp.reduce((a, b) => a + b, 0) || 1;
  return candidates
    .map(
      (c, i): Cause => ({
        component: c.id,
        score: round(sharp[i]! / total),
        evidence: evidenceOf(c, candidates, input, firstMs),
      }),
    )
    .sort((a, b) => b.score - a.score || (a.component < b.component ? -1 : 1))
    .slice(0, CAUSES_SHOWN);
}

function candidatesOf(input: RootCauseInput): Candidate[] {
  const byComponent = new Map<ComponentId, IncidentAlert[]>();
  for (const a of input.alerts) {
    const id = componentOf(a.labels);
    const list = byComponent.get(id);
    if (list) list.push(a);
    else byComponent.set(id, [a]);
  }
  const metrics = new Map<ComponentId, MetricEvidence>();
  for (const m of input.metrics ?? []) {
    const id = asComponent(m.component);
    const known = metrics.get(id);
    if (!known || Math.abs(m.z) > Math.abs(known.z)) metrics.set(id, m);
  }
  const changes = new Map<ComponentId, RelatedChange[]>();
  const firstBadMs = Math.min(...input.alerts.map((a) => a.firstBadAtMs));
  for (const c of input.changes ?? []) {
    if (c.subject === '' || c.atMs < firstBadMs - CHANGE_BEFORE_MS || c.atMs > firstBadMs + CHANGE_AFTER_MS) continue;
    const id = asComponent(c.subject);
    changes.set(id, [...(changes.get(id) ?? []), c]);
  }
  const ids = new Set<ComponentId>(byComponent.keys());
  // a silent dependency may be the cause: no alert of its own, but a jump in its metrics or a change
  for (const id of byComponent.keys())
    for (const dep of input.graph.allNeeds(id).keys()) if (metrics.has(dep) || changes.has(dep)) ids.add(dep);
  for (const dep of sharedSilent([...byComponent.keys()], input.graph)) ids.add(dep);
  return [...ids].slice(0, CANDIDATES_MAX).map((id) => {
    const alerts = byComponent.get(id) ?? [];
    const metric = metrics.get(id);
    const fromAlerts = Math.max(0, ...alerts.map((a) => (a.labels['severity'] === 'critical' ? 0.8 : 0.6)));
    const fromMetric = metric ? squash(metric.z) : 0;
    const onsets = [...alerts.map((a) => a.firstBadAtMs), ...(metric?.sinceMs === undefined ? [] : [metric.sinceMs])];
    return {
      id,
      alerts,
      metric,
      anomaly: alerts.length === 0 && !metric ? SILENT_ANOMALY : 1 - (1 - fromAlerts) * (1 - fromMetric),
      sinceMs: onsets.length === 0 ? undefined : Math.min(...onsets),
      changes: changes.get(id) ?? [],
    };
  });
}

/** Direct dependencies without an alert that most of the affected share: a part nobody watches may be what failed. */
function sharedSilent(affected: readonly ComponentId[], graph: ServiceGraph): ComponentId[] {
  if (affected.length < 2) return [];
  const by = new Map<ComponentId, number>();
  for (const a of affected) for (const d of graph.needs(a)) by.set(d, (by.get(d) ?? 0) + 1);
  return [...by].filter(([d, n]) => !affected.includes(d) && n >= 2 && n >= affected.length * SHARED).map(([d]) => d);
}

/** Visits per candidate of a walker that starts at alerts, goes to bad dependencies, and stays where none is worse. */
function randomWalk(candidates: readonly Candidate[], graph: ServiceGraph): number[] {
  const index = new Map(candidates.map((c, i) => [c.id, i]));
  const steps = candidates.map((c, i) => {
    const out: { to: number; weight: number }[] = [];
    let worst = 0;
    // candidates further down count too: what lies between may have no alert of its own
    for (const [dep, hops] of graph.allNeeds(c.id)) {
      const to = index.get(dep);
      if (to === undefined) continue;
      const weight = candidates[to]!.anomaly * precedence(candidates[to]!, c);
      worst = Math.max(worst, weight);
      out.push({ to, weight: weight / hops });
    }
    for (const caller of graph.neededBy(c.id)) {
      const to = index.get(caller);
      if (to !== undefined) out.push({ to, weight: BACKWARD * candidates[to]!.anomaly });
    }
    out.push({ to: i, weight: Math.max(0.05, c.anomaly - worst) });
    const total = out.reduce((s, o) => s + o.weight, 0);
    return out.map((o) => ({ to: o.to, share: o.weight / total }));
  });
  const starts = candidates.map((c) => (c.alerts.length > 0 ? c.anomaly : 0));
  const startTotal = starts.reduce((a, b) => a + b, 0) || 1;
  let visits = starts.map((s) => s / startTotal);
  for (let n = 0; n < ITERATIONS; n++) {
    const next = starts.map((s) => (RESTART * s) / startTotal);
    visits.forEach((v, i) => {
      for (const { to, share } of steps[i]!) next[to]! += (1 - RESTART) * v * share;
    });
    visits = next;
  }
  return visits;
}

/** A cause is bad no later than its effect; windows and intervals of rules blur that by a few minutes. */
function precedence(cause: Candidate, effect: Candidate): number {
  if (cause.sinceMs === undefined || effect.sinceMs === undefined) return 1;
  return Math.exp(-Math.max(0, cause.sinceMs - effect.sinceMs) / PRECEDENCE_SCALE_MS);
}

/** How much an alert speaks of a cause: a full disk or a dead host does, a burning budget only tells of the effect. */
function natureOf(alerts: readonly IncidentAlert[]): number {
  let best = 0;
  for (const a of alerts) {
    const derived = isDerived(a.labels);
    const text = a.labels['alertname'] ?? '';
    const cause = /full|down|gone|oom|memory|disk|crash|expired|attack|readonly|failing|drift|errors/i.test(text);
    best = Math.max(best, derived ? 0.1 : cause ? 1 : 0.6);
  }
  return best;
}

function evidenceOf(c: Candidate, all: readonly Candidate[], input: RootCauseInput, firstMs: number): string[] {
  const out: string[] = [];
  const names = [...new Set(c.alerts.map((a) => a.labels['alertname'] ?? 'an alert'))];
  if (names.length > 0)
    out.push(`${c.alerts.length === 1 ? 'alert' : `${c.alerts.length} alerts`}: ${names.slice(0, 5).join(', ')}`);
  else out.push('no alert of its own');
  if (c.sinceMs !== undefined)
    out.push(
      c.sinceMs === firstMs ? 'bad first of all' : `bad ${Math.round((c.sinceMs - firstMs) / 1000)} s after the first`,
    );
  const callers = input.graph.allNeededBy(c.id);
  const others = all.filter((o) => o.id !== c.id && o.alerts.length > 0);
  const explained = others.filter((o) => callers.has(o.id));
  if (explained.length > 0)
    out.push(
      `${explained.length} of ${others.length} other affected need it: ${explained
        .slice(0, 4)
        .map((o) => named(o.id, input.graph.originOf(o.id, c.id)))
        .join(', ')}`,
    );
  const worse = all.filter((o) => o.id !== c.id && o.alerts.length > 0 && input.graph.allNeeds(c.id).has(o.id));
  if (worse.length > 0)
    out.push(
      `it needs ${worse
        .slice(0, 4)
        .map((o) => named(o.id, input.graph.originOf(c.id, o.id)))
        .join(', ')}, affected too`,
    );
  if (c.metric)
    out.push(
      `${c.metric.metric} went from ${short(c.metric.before)} to ${short(c.metric.after)} (${c.metric.z.toFixed(1)} usual spreads)`,
    );
  for (const ch of c.changes.slice(0, 3)) {
    const min = Math.round((firstMs - ch.atMs) / 60_000);
    out.push(`${ch.type} ${min >= 0 ? `${min} min before` : 'just after'} the first bad sample`);
  }
  return out;
}

/** With where the dependency was seen, unless people declared it. */
const named = (id: ComponentId, origin: string | undefined): string =>
  `${componentName(id)}${origin === undefined || origin === DECLARED ? '' : ` (by ${origin})`}`;

const squash = (z: number): number => {
  const a = Math.abs(z);
  return a <= 3 ? 0 : Math.min(1, (a - 3) / 12);
};
const round = (n: number): number => Math.round(n * 1000) / 1000;
const short = (n: number): string => Number(n.toPrecision(3)).toString();
