/**
 * Rules and dashboard queries against stored data: does each metric exist, does each label, how often would each alert
 * have fired, and what does each query cost. Works on everything with Prometheus' query API.
 */
import { messageOf } from '../../lib/errors.ts';
import { parseChecked, reads, type Selection, selectionsOf } from './expression.ts';
import type { CheckedQuery, CheckedRule, Finding } from './finding.ts';

export interface LivePorts {
  readonly metricNames: () => Promise<readonly string[]>;
  /** Label names of the series of a metric within the window. */
  readonly labelNames: (metric: string) => Promise<readonly string[]>;
  /** Per series the times (Unix seconds, ascending, `stepS` apart) at which the expression had a value. */
  readonly range: (
    expr: string,
    startS: number,
    endS: number,
    stepS: number,
  ) => Promise<readonly (readonly number[])[]>;
  /** Samples read by an instant query, and how long it took; undefined where the server does not tell. */
  readonly cost: (expr: string) => Promise<{ readonly samples: number | undefined; readonly ms: number }>;
}
export interface LiveOptions {
  readonly endS: number;
  readonly windowS: number;
  readonly stepS: number;
  readonly onStep?: (name: string) => void;
}
/** What an alert would have done over the window. */
export interface AlertPast {
  readonly where: string;
  readonly name: string;
  /** Episodes of firing, over all series. */
  readonly fired: number;
  readonly firingS: number;
  /** Episodes that never lasted as long as `for`. */
  readonly onlyPending: number;
  readonly samples: number | undefined;
  readonly ms: number;
}
export interface LiveReport {
  readonly findings: readonly Finding[];
  readonly alerts: readonly AlertPast[];
}

/** A query that reads more is told. */
export const SAMPLES_TOLD = 1_000_000;
/** More episodes a day than a person can heed. */
export const FIRED_PER_DAY_MAX = 20;

export async function checkLive(
  rules: readonly CheckedRule[],
  queries: readonly CheckedQuery[],
  ports: LivePorts,
  options: LiveOptions,
): Promise<LiveReport> {
  const findings: Finding[] = [];
  const names = await ports.metricNames();
  const known = new Set(names);
  const labels = new Map<string, Promise<ReadonlySet<string>>>();
  const labelsOf = (metric: string): Promise<ReadonlySet<string>> => {
    let found = labels.get(metric);
    if (!found) {
      found = ports.labelNames(metric).then((l) => new Set(l));
      labels.set(metric, found);
    }
    return found;
  };
  const recorded = new Set(rules.filter((r) => r.kind === 'record').map((r) => r.name));
  const look = async (where: string, expr: string, level: 'error' | 'warning'): Promise<readonly Selection[]> => {
    let selections: readonly Selection[];
    try {
      selections = selectionsOf(parseChecked(expr));
    } catch (error) {
      findings.push({ level: 'error', kind: 'bad-expression', where, message: messageOf(error) });
      return [];
    }
    for (const s of selections) {
      const there = s.metric === '' ? names.some((n) => reads(s, n)) || s.nameRegex === undefined : known.has(s.metric);
      if (!there) {
        // a recording that has not been evaluated yet is no fault of its reader
        if (!recorded.has(s.metric))
          findings.push({ level, kind: 'no-such-metric', where, message: `${s.metric || s.nameRegex} has no series` });
        continue;
      }
      if (s.metric === '') continue;
      const has = await labelsOf(s.metric);
      for (const l of s.labels)
        if (!has.has(l))
          findings.push({ level: 'warning', kind: 'no-such-label', where, message: `${s.metric} has no label ${l}` });
    }
    return selections;
  };
  const alerts: AlertPast[] = [];
  for (const rule of rules) {
    options.onStep?.(rule.name);
    await look(rule.where, rule.expr, 'warning');
    if (rule.kind !== 'alert') continue;
    try {
      const past = await ports.range(rule.expr, options.endS - options.windowS, options.endS, options.stepS);
      const { samples, ms } = await ports.cost(rule.expr);
      const made = {
        where: rule.where,
        name: rule.name,
        samples,
        ms,
        ...episodes(past, options.stepS, rule.forMs / 1_000),
      };
      alerts.push(made);
      const perDay = (made.fired / options.windowS) * 86_400;
      if (perDay > FIRED_PER_DAY_MAX)
        findings.push({
          level: 'warning',
          kind: 'noisy-alert',
          where: rule.where,
          message: `would have fired ${Math.round(perDay)} times a day`,
        });
      if (samples !== undefined && samples > SAMPLES_TOLD)
        findings.push({
          level: 'warning',
          kind: 'dear-query',
          where: rule.where,
          message: `reads ${samples.toLocaleString('en')} samples at each evaluation`,
        });
    } catch (error) {
      findings.push({ level: 'error', kind: 'query-failed', where: rule.where, message: messageOf(error) });
    }
  }
  for (const q of queries) await look(q.where, q.expr, 'warning');
  return { findings, alerts };
}

/** Runs of times no further apart than a step are one episode; it fires from `forS` on. */
export function episodes(
  series: readonly (readonly number[])[],
  stepS: number,
  forS: number,
): { readonly fired: number; readonly firingS: number; readonly onlyPending: number } {
  let fired = 0;
  let firingS = 0;
  let onlyPending = 0;
  for (const times of series) {
    let start: number | undefined;
    times.forEach((t, i) => {
      start ??= t;
      const next = times[i + 1];
      if (next !== undefined && next - t <= stepS * 1.5) return;
      if (t - start >= forS) {
        fired++;
        firingS += t - start - forS + stepS;
      } else onlyPending++;
      start = undefined;
    });
  }
  return { fired, firingS, onlyPending };
}
