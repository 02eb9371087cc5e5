/**
 * What an alerting rule would have done over given history: the rule's own state machine, fed with the answers of its
 * expression at each evaluation time. Pure; where the answers come from is the caller's business. Shared by the rule
 * preview and by back-tests.
 */
import { Labels, METRIC_NAME } from '../model/labels.ts';
import { isStale, type SeriesColumns } from '../model/sample.ts';
import { type AlertCandidate, AlertingState } from './alert-state.ts';
import { createRuleTemplates } from './templates.ts';

export const EPISODES_MAX = 10_000;

export interface SimulatedRule {
  readonly name: string;
  readonly forMs: number;
  readonly keepFiringForMs: number;
  readonly labels: Labels;
}

export interface SimulationInput {
  readonly rule: SimulatedRule;
  /** Results of the expression, at exactly the evaluation times. */
  readonly series: readonly SeriesColumns[];
  /** Results of the hold condition (`vigie_resolve_expr`), likewise. */
  readonly hold?: readonly SeriesColumns[];
  readonly startMs: number;
  readonly endMs: number;
  readonly stepMs: number;
}

export interface Episode {
  readonly labels: Labels;
  readonly pendingAtMs: number;
  /** Absent: it never held long enough. */
  readonly firedAtMs?: number;
  /** Absent: still active at the end. */
  readonly endedAtMs?: number;
  /** Largest value while it was active. */
  readonly peak: number;
}

export interface Simulation {
  readonly evaluations: number;
  /** By start, then labels. */
  readonly episodes: readonly Episode[];
  readonly truncated: boolean;
}

interface Cursor {
  readonly series: SeriesColumns;
  /** The alert's labels: the series' and the rule's, templates expanded. */
  readonly labelsAt: (value: number, timeMs: number) => Labels;
  at: number;
}

// nothing is asked while history is run through: a label that queries carries the error that Prometheus would write
const templates = createRuleTemplates({ externalUrl: '', externalLabels: Labels.EMPTY });

export function simulateRule(input: SimulationInput): Simulation {
  const { rule, startMs, endMs, stepMs } = input;
  const state = new AlertingState();
  const cursors = input.series.map((s) => cursor(s, rule));
  const holds = (input.hold ?? []).map((s) => cursor(s, rule));
  const open = new Map<string, { -readonly [K in keyof Episode]: Episode[K] }>();
  const episodes: Episode[] = [];
  let truncated = false;
  let evaluations = 0;
  for (let t = startMs; t <= endMs; t += stepMs) {
    evaluations++;
    const candidates: AlertCandidate[] = [];
    const keys = new Set<string>();
    for (const c of cursors) {
      const value = valueAt(c, t);
      if (value === undefined) continue;
      const labels = c.labelsAt(value, t);
      candidates.push({ labels, annotations: Labels.EMPTY, value });
      keys.add(labels.key);
    }
    for (const c of holds) {
      const value = valueAt(c, t);
      if (value === undefined) continue;
      const labels = c.labelsAt(value, t);
      if (keys.has(labels.key) || state.active.get(labels.key)?.state !== 'firing') continue;
      candidates.push({ labels, annotations: Labels.EMPTY, value });
      keys.add(labels.key);
    }
    const changes = state.step(candidates, {
      timeMs: t,
      forMs: rule.forMs,
      keepFiringForMs: rule.keepFiringForMs,
      limit: 0,
      hold: false,
    });
    for (const { alert, from, to } of changes) {
      if (from === 'inactive') {
        if (open.size + episodes.length >= EPISODES_MAX) truncated = true;
        else open.set(alert.key, { labels: alert.labels, pendingAtMs: t, peak: alert.value });
      }
      const episode = open.get(alert.key);
      if (!episode) continue;
      if (to === 'firing') episode.firedAtMs = t;
      if (to === 'inactive') {
        episodes.push({ ...episode, endedAtMs: t });
        open.delete(alert.key);
      }
    }
    for (const c of candidates) {
      const episode = open.get(c.labels.key);
      if (episode && c.value > episode.peak) episode.peak = c.value;
    }
  }
  episodes.push(...open.values());
  episodes.sort((a, b) => a.pendingAtMs - b.pendingAtMs || Labels.compare(a.labels, b.labels));
  return { evaluations, episodes, truncated };
}

function cursor(series: SeriesColumns, rule: SimulatedRule): Cursor {
  const own = series.labels.without(METRIC_NAME);
  const expand = (value: number, timeMs: number): Labels => {
    const flat: string[] = [];
    for (const [name, text] of rule.labels.entries()) {
      const data = { labels: series.labels, value, timeMs, name: rule.name };
      flat.push(name, text.includes('{{') ? String(templates.expand(text, data)) : text);
    }
    return own.merge(Labels.fromSorted(flat)).with('alertname', rule.name);
  };
  const texts = [...rule.labels.entries()].map(([, text]) => text).filter((text) => text.includes('{{'));
  if (texts.some((text) => /value|now/i.test(text))) return { series, labelsAt: expand, at: 0 };
  const fixed = expand(0, 0);
  return { series, labelsAt: () => fixed, at: 0 };
}

/** The value at exactly `t`; cursors only move forward. */
function valueAt(c: Cursor, t: number): number | undefined {
  const { timestamps, values, length } = c.series;
  while (c.at < length && timestamps[c.at]! < t) c.at++;
  if (c.at >= length || timestamps[c.at] !== t || isStale(values, c.at)) return undefined;
  return values[c.at];
}

export interface SimulationSummary {
  /** Episodes that fired. */
  readonly fired: number;
  /** Episodes that ended while pending. */
  readonly pendingOnly: number;
  readonly firingMs: number;
  readonly longestMs: number;
  /** Times an alert fired again within `flapWindowMs` of its end. */
  readonly flaps: number;
}

export function summarise(simulation: Simulation, endMs: number, flapWindowMs: number): SimulationSummary {
  let fired = 0;
  let pendingOnly = 0;
  let firingMs = 0;
  let longestMs = 0;
  let flaps = 0;
  const lastEnd = new Map<string, number>();
  for (const e of simulation.episodes) {
    if (e.firedAtMs === undefined) {
      pendingOnly++;
      continue;
    }
    fired++;
    const ms = (e.endedAtMs ?? endMs) - e.firedAtMs;
    firingMs += ms;
    longestMs = Math.max(longestMs, ms);
    const before = lastEnd.get(e.labels.key);
    if (before !== undefined && e.firedAtMs - before <= flapWindowMs) flaps++;
    if (e.endedAtMs !== undefined) lastEnd.set(e.labels.key, e.endedAtMs);
  }
  return { fired, pendingOnly, firingMs, longestMs, flaps };
}

export interface EpisodeDiff {
  /** Firing in `after` where `before` was quiet for the same alert and time. */
  readonly added: readonly Episode[];
  readonly removed: readonly Episode[];
  /** Overlapping, but with another start or end of firing. */
  readonly changed: readonly { readonly before: Episode; readonly after: Episode }[];
}

/** Compares two versions of a rule by when their alerts fired; labels in `ignore` need not be equal. */
export function diffEpisodes(
  before: readonly Episode[],
  after: readonly Episode[],
  ignore: readonly string[] = [],
): EpisodeDiff {
  const key = (e: Episode): string => e.labels.without(...ignore).key;
  const overlap = (a: Episode, b: Episode): boolean =>
    a.firedAtMs! < (b.endedAtMs ?? Number.POSITIVE_INFINITY) &&
    b.firedAtMs! < (a.endedAtMs ?? Number.POSITIVE_INFINITY);
  const rest = new Map<string, Episode[]>();
  for (const e of before) if (e.firedAtMs !== undefined) rest.set(key(e), [...(rest.get(key(e)) ?? []), e]);
  const added: Episode[] = [];
  const changed: { before: Episode; after: Episode }[] = [];
  for (const e of after) {
    if (e.firedAtMs === undefined) continue;
    const list = rest.get(key(e)) ?? [];
    const at = list.findIndex((b) => overlap(b, e));
    if (at < 0) added.push(e);
    else {
      const [old] = list.splice(at, 1);
      if (old!.firedAtMs !== e.firedAtMs || old!.endedAtMs !== e.endedAtMs) changed.push({ before: old!, after: e });
    }
  }
  const removed = [...rest.values()].flat().sort((a, b) => a.pendingAtMs - b.pendingAtMs);
  return { added, removed, changed };
}
