/**
 * Does an alert belong to an incident that is open, or does it open one? Evidence adds up (component, service graph,
 * labels weighed by how rare they are, time, text, what was learned), each piece in words. Pure; candidates come in.
 */
import type { CoOccurrence } from './co-occurrence.ts';
import { type ComponentId, componentName, componentOf, isDerived } from './component.ts';
import { ALERTS_PER_INCIDENT_MAX, type Incident, type IncidentAlert, type Signal } from './incident.ts';
import type { LabelRarity } from './label-rarity.ts';
import { isLive } from './life-cycle.ts';
import { DECLARED, type ServiceGraph } from './service-graph.ts';

export interface CorrelationSettings {
  /** Evidence that is enough to join, 0..1. Found on seeds `tune-*` of bench/incidents.ts. */
  readonly threshold: number;
  /** Alerts that begin further apart are joined only by component or graph. */
  readonly windowMs: number;
  /** An alert that comes back this soon after the resolve reopens its incident. */
  readonly reopenWindowMs: number;
}
export const CORRELATION_DEFAULTS: CorrelationSettings = {
  threshold: 0.5,
  windowMs: 45 * 60_000,
  reopenWindowMs: 30 * 60_000,
};

const WEIGHT = { component: 0.5, graph: [0, 0.5, 0.35, 0.2], time: 0.45, text: 0.18, learned: 0.45, sameRule: 0.45 };
/** Labels that say "the same thing": value of sharing a value nobody else has. */
const LABEL_WEIGHT: Readonly<Record<string, number>> = {
  tenant_id: 0.25,
  instance: 0.3,
  node: 0.3,
  host: 0.3,
  namespace: 0.2,
  pod: 0.3,
  cluster: 0.1,
  region: 0.1,
  availability_zone: 0.15,
  model: 0.25,
  version: 0.1,
  release: 0.2,
  queue: 0.2,
  datname: 0.2,
  provider: 0.2,
};
/** Different customers, databases or regions speak against belonging together. */
const CONFLICT_WEIGHT: Readonly<Record<string, number>> = { tenant_id: 0.3, cluster: 0.2, region: 0.15 };
const UNRELATED_WEIGHT = 0.35;
const TIME_SCALE_MS = 10 * 60_000;
const SAME_RULE_SCALE_MS = 20 * 60_000;

export interface CorrelationContext {
  readonly graph: ServiceGraph;
  readonly learned: CoOccurrence;
  readonly rarity: LabelRarity;
  readonly settings: CorrelationSettings;
}

export interface CorrelationDecision {
  /** Incident to join; undefined opens a new one. */
  readonly incident?: string;
  readonly score: number;
  readonly words: readonly string[];
}

/** Words of one incident that are compared; further ones add nothing. */
const WORDS_MAX = 400;

interface Summary {
  readonly components: Set<ComponentId>;
  readonly names: Set<string>;
  readonly values: Map<string, Set<string>>;
  readonly beginsMs: number[];
  readonly words: Set<string>;
  readonly fingerprints: Set<string>;
}
/** An incident is immutable, so what is derived from it is kept with it. */
const summaries = new WeakMap<Incident, Summary>();

/** Decides for one signal among the tenant's live and lately resolved incidents. */
export function correlate(
  signal: Signal,
  fingerprint: string,
  incidents: Iterable<Incident>,
  context: CorrelationContext,
  nowMs: number,
): CorrelationDecision {
  let best: CorrelationDecision | undefined;
  let bestId = '';
  for (const incident of incidents) {
    if (!isLive(incident.state)) {
      const own = incident.state === 'resolved' && summaryOf(incident).fingerprints.has(fingerprint);
      if (own && nowMs - (incident.resolvedAtMs ?? 0) <= context.settings.reopenWindowMs)
        return { incident: incident.id, score: 1, words: ['the same alert fires again soon after it was resolved'] };
      continue;
    }
    if (summaryOf(incident).fingerprints.has(fingerprint))
      return { incident: incident.id, score: 1, words: ['the same alert, by its labels'] };
    if (incident.alerts.length >= ALERTS_PER_INCIDENT_MAX) continue;
    const judged = judge(signal, incident, context);
    if (!best || judged.score > best.score) {
      best = judged;
      bestId = incident.id;
    }
  }
  if (!best) return { score: 1, words: ['nothing else is open'] };
  if (best.score >= context.settings.threshold) return { ...best, incident: bestId };
  return {
    score: 1,
    words: [
      `opened on its own: the nearest, ${bestId}, reached ${best.score.toFixed(2)} of ${context.settings.threshold.toFixed(2)}` +
        (best.words.length > 0 ? ` (${best.words.join('; ')})` : ''),
    ],
  };
}

/** Evidence for `signal` belonging to `incident`. */
export function judge(signal: Signal, incident: Incident, context: CorrelationContext): CorrelationDecision {
  const summary = summaryOf(incident);
  const words: string[] = [];
  let score = 0;
  const add = (weight: number, text: string): void => {
    if (Math.abs(weight) < 0.02) return;
    score += weight;
    words.push(`${text} (${weight > 0 ? '+' : ''}${weight.toFixed(2)})`);
  };
  const component = componentOf(signal.labels);
  const gapMs = nearestMs(signal.firstBadAtMs ?? signal.startsAtMs, summary.beginsMs);
  // later than the window only a part that is still bad goes on with its incident; a burning budget or a missed
  // objective burns for days and would collect everything that happens meanwhile
  const goesOn = incident.alerts.some(
    (a) => a.state !== 'resolved' && !isDerived(a.labels) && componentOf(a.labels) === component,
  );
  if (gapMs > context.settings.windowMs && !(goesOn && !isDerived(signal.labels)))
    return { score: 0, words: [`began ${spoken(gapMs)} apart, and its component is not bad any more`] };
  relation(component, summary, context, add);
  labelEvidence(signal, summary, context, add);
  const name = signal.labels['alertname'] ?? '';
  const sameRule = summary.names.has(name) && !summary.components.has(component);
  if (sameRule)
    add(WEIGHT.sameRule * Math.exp(-gapMs / SAME_RULE_SCALE_MS), `the same rule ${name} fires elsewhere too`);
  // closeness counts less where alerts begin all the time: by chance alone one would be this near
  const chance = 1 - Math.exp(-context.learned.ratePerMs * gapMs);
  add(
    WEIGHT.time * Math.exp(-gapMs / TIME_SCALE_MS) * (1 - chance),
    `began ${spoken(gapMs)} apart${chance > 0.3 ? ', where alerts are frequent' : ''}`,
  );
  const alike = similarity(tokensOf(signal), summary.words);
  add(WEIGHT.text * alike, 'texts are alike');
  learnedEvidence(name, summary, context, add);
  return { score: Math.max(0, Math.min(1, score)), words };
}

type Add = (weight: number, text: string) => void;

/** The components are the same or near in the graph. */
function relation(component: ComponentId, summary: Summary, context: CorrelationContext, add: Add): void {
  if (summary.components.has(component)) {
    add(WEIGHT.component, `the same component ${componentName(component)}`);
    return;
  }
  let best: { hops: number; to: ComponentId } | undefined;
  for (const to of summary.components) {
    const hops = context.graph.distance(component, to);
    if (hops !== undefined && (!best || hops < best.hops)) best = { hops, to };
  }
  const weight = best ? (WEIGHT.graph[best.hops] ?? 0) : 0;
  if (!best || weight === 0) {
    // knowing both and no way between them is evidence too; not knowing one of them is not
    const known = context.graph.knows(component) && [...summary.components].every((c) => context.graph.knows(c));
    if (known) add(-UNRELATED_WEIGHT, 'unrelated in the service graph');
    return;
  }
  const origin = best.hops === 1 ? context.graph.originOf(component, best.to) : undefined;
  const known = origin === undefined || origin === DECLARED ? '' : ` (${origin})`;
  add(
    weight,
    `${best.hops} ${best.hops === 1 ? 'hop' : 'hops'} from ${componentName(best.to)} in the service graph${known}`,
  );
}

function labelEvidence(signal: Signal, summary: Summary, context: CorrelationContext, add: Add): void {
  for (const [name, weight] of Object.entries(LABEL_WEIGHT)) {
    const value = signal.labels[name];
    const theirs = summary.values.get(name);
    if (!value || !theirs) continue;
    if (theirs.has(value)) {
      const rare = context.rarity.rarity(name, value);
      add(weight * rare, `shares ${name}="${value}"`);
    } else if (CONFLICT_WEIGHT[name] !== undefined) add(-CONFLICT_WEIGHT[name], `another ${name}`);
  }
}

function learnedEvidence(name: string, summary: Summary, context: CorrelationContext, add: Add): void {
  let best = { strength: 0, together: 0, of: 0 };
  let with_ = '';
  for (const other of summary.names) {
    const s = other === name ? best : context.learned.strength(name, other);
    if (s.strength > best.strength) {
      best = s;
      with_ = other;
    }
  }
  if (with_ !== '')
    add(WEIGHT.learned * best.strength, `came with ${with_} in ${best.together} of ${best.of} earlier cases`);
}

function summaryOf(incident: Incident): Summary {
  let summary = summaries.get(incident);
  if (summary) return summary;
  summary = {
    components: new Set(),
    names: new Set(),
    values: new Map(),
    beginsMs: [],
    words: new Set(),
    fingerprints: new Set(),
  };
  for (const a of incident.alerts) addTo(summary, a);
  summaries.set(incident, summary);
  return summary;
}

/** `next` is `before` with one alert more: what is known of it moves on, so that a storm stays linear. */
export function inheritSummary(before: Incident, next: Incident, alert: IncidentAlert): void {
  const summary = summaries.get(before);
  if (!summary || before === next) return;
  summaries.delete(before);
  addTo(summary, alert);
  summaries.set(next, summary);
}

function addTo(summary: Summary, a: IncidentAlert): void {
  summary.components.add(componentOf(a.labels));
  summary.fingerprints.add(a.fingerprint);
  summary.beginsMs.push(a.firstBadAtMs);
  if (a.startsAtMs !== a.firstBadAtMs) summary.beginsMs.push(a.startsAtMs);
  summary.names.add(a.labels['alertname'] ?? '');
  for (const label of Object.keys(LABEL_WEIGHT)) {
    const value = a.labels[label];
    if (!value) continue;
    let set = summary.values.get(label);
    if (!set) summary.values.set(label, (set = new Set()));
    set.add(value);
  }
  if (summary.words.size < WORDS_MAX) for (const t of tokensOf(a)) summary.words.add(t);
}

function nearestMs(atMs: number, beginsMs: readonly number[]): number {
  let best = Number.POSITIVE_INFINITY;
  for (const b of beginsMs) best = Math.min(best, Math.abs(b - atMs));
  return best;
}

const FREQUENT = new Set(
  'the of and for is in on to a has than more less over above below at by its with are'.split(' '),
);

/** Words of name, summary and description; camel case is taken apart, numbers are left out. */
export function tokensOf(a: {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}): ReadonlySet<string> {
  const text = `${a.labels['alertname'] ?? ''} ${a.annotations['summary'] ?? ''} ${(a.annotations['description'] ?? '').slice(0, 500)}`;
  const out = new Set<string>();
  for (const part of text
    .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
    .toLowerCase()
    .split(/[^a-z]+/))
    if (part.length > 2 && !FREQUENT.has(part)) out.add(part);
  return out;
}

/** Share of the smaller set found in the other (overlap coefficient). */
function similarity(a: ReadonlySet<string>, b: ReadonlySet<string>): number {
  if (a.size === 0 || b.size === 0) return 0;
  let both = 0;
  for (const t of a) if (b.has(t)) both++;
  return both / Math.min(a.size, b.size);
}

function spoken(ms: number): string {
  return ms < 60_000 ? `${Math.round(ms / 1000)} s` : `${Math.round(ms / 60_000)} min`;
}
