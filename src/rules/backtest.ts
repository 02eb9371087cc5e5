/** Runs the alerting rules of rule files over past data and says when they would have fired. Where data is, is a port. */
import { VigieError } from '../lib/errors.ts';
import { METRIC_NAME } from '../model/labels.ts';
import type { Sample, SeriesColumns } from '../model/sample.ts';
import { RESOLVE_ANNOTATION } from './hysteresis.ts';
import type { RuleGroupSpec, RuleSpec } from './rule-file.ts';
import {
  diffEpisodes,
  type EpisodeDiff,
  type Simulation,
  type SimulationSummary,
  simulateRule,
  summarise,
} from './simulate.ts';

/** Evaluations of one rule. */
export const BACKTEST_STEPS_MAX = 1_000_000;
/** Steps asked for at once: what a range query may have. */
const CHUNK_STEPS = 10_000;

export interface BacktestRange {
  readonly startMs: number;
  readonly endMs: number;
  /** Of groups that name no interval. */
  readonly stepMs: number;
  /** An alert that fires again so soon after its end flaps. */
  readonly flapWindowMs: number;
}

export interface BacktestPorts {
  /** A range query. */
  readonly query: (
    expr: string,
    range: { readonly startMs: number; readonly endMs: number; readonly stepMs: number },
  ) => Promise<readonly SeriesColumns[]>;
  /** Takes what recording rules yield; absent when the data has them already. */
  readonly record?: (samples: readonly Sample[]) => void;
}

export interface BacktestResult {
  readonly group: string;
  readonly rule: string;
  readonly severity: string;
  readonly simulation: Simulation;
  readonly summary: SimulationSummary;
}

/** One result per alerting rule, in order. Throws what the query throws, with the rule's name before it. */
export async function backtest(
  groups: readonly RuleGroupSpec[],
  range: BacktestRange,
  ports: BacktestPorts,
  wanted: (rule: RuleSpec) => boolean = () => true,
): Promise<BacktestResult[]> {
  const out: BacktestResult[] = [];
  for (const group of groups) {
    const stepMs = group.intervalMs ?? range.stepMs;
    // evaluations stand on multiples of the interval, so that two runs over one range agree
    const startMs = Math.ceil(range.startMs / stepMs) * stepMs;
    const { endMs } = range;
    if ((endMs - startMs) / stepMs > BACKTEST_STEPS_MAX)
      throw new VigieError(
        'bad_data',
        `group ${group.name} would be evaluated more than ${BACKTEST_STEPS_MAX} times; shorten the range`,
      );
    const grid = { startMs, endMs, stepMs };
    for (const rule of group.rules) {
      try {
        if (rule.kind === 'recording') {
          if (ports.record) record(rule, await queryAll(rule.text, grid, ports), stepMs, ports.record);
          continue;
        }
        if (!wanted(rule)) continue;
        const hold = rule.annotations.get(RESOLVE_ANNOTATION);
        const simulation = simulateRule({
          rule,
          series: await queryAll(rule.text, grid, ports),
          ...(hold !== '' && { hold: await queryAll(hold, grid, ports) }),
          ...grid,
        });
        out.push({
          group: group.name,
          rule: rule.name,
          severity: rule.labels.get('severity'),
          simulation,
          summary: summarise(simulation, endMs, range.flapWindowMs),
        });
      } catch (cause) {
        if (!(cause instanceof VigieError)) throw cause;
        throw new VigieError(cause.code, `group ${group.name}, rule ${rule.name}: ${cause.message}`, { cause });
      }
    }
  }
  return out;
}

/** As the rule would have written it: with a stale marker where a series ends. */
function record(
  rule: RuleSpec,
  series: readonly SeriesColumns[],
  stepMs: number,
  put: (samples: readonly Sample[]) => void,
): void {
  for (const s of series) {
    const labels = s.labels.with(METRIC_NAME, rule.name).merge(rule.labels);
    const samples: Sample[] = [];
    for (let i = 0; i < s.length; i++) {
      const histogram = s.histograms?.[i];
      const timestampMs = s.timestamps[i]!;
      samples.push({ labels, timestampMs, value: s.values[i]!, ...(histogram && { histogram }) });
      const next = i + 1 < s.length ? s.timestamps[i + 1]! : Number.POSITIVE_INFINITY;
      if (next - timestampMs > stepMs)
        samples.push({ labels, timestampMs: timestampMs + stepMs, value: 0, stale: true });
    }
    put(samples);
  }
}

/** The whole range, asked for in pieces and joined by series. */
async function queryAll(
  expr: string,
  { startMs, endMs, stepMs }: { readonly startMs: number; readonly endMs: number; readonly stepMs: number },
  ports: BacktestPorts,
): Promise<readonly SeriesColumns[]> {
  const parts: (readonly SeriesColumns[])[] = [];
  for (let from = startMs; from <= endMs; from += CHUNK_STEPS * stepMs)
    parts.push(
      await ports.query(expr, { startMs: from, endMs: Math.min(endMs, from + (CHUNK_STEPS - 1) * stepMs), stepMs }),
    );
  if (parts.length <= 1) return parts[0] ?? [];
  const byKey = new Map<string, SeriesColumns[]>();
  for (const part of parts) for (const s of part) byKey.set(s.labels.key, [...(byKey.get(s.labels.key) ?? []), s]);
  return [...byKey.values()].map(joined);
}

function joined(parts: readonly SeriesColumns[]): SeriesColumns {
  const length = parts.reduce((n, p) => n + p.length, 0);
  const timestamps = new Float64Array(length);
  const values = new Float64Array(length);
  let at = 0;
  for (const p of parts) {
    timestamps.set(p.timestamps.subarray(0, p.length), at);
    values.set(p.values.subarray(0, p.length), at);
    at += p.length;
  }
  return { labels: parts[0]!.labels, length, timestamps, values };
}

export interface RuleDiff extends EpisodeDiff {
  readonly group: string;
  readonly rule: string;
  readonly before: SimulationSummary | undefined;
  readonly after: SimulationSummary | undefined;
}

/** Two versions side by side, paired by alert name; what only one has counts as added or removed. */
export function diffBacktests(before: readonly BacktestResult[], after: readonly BacktestResult[]): RuleDiff[] {
  const keyOf = (r: BacktestResult, all: readonly BacktestResult[]): string =>
    `${r.rule}\u0000${all.filter((x) => x.rule === r.rule).indexOf(r)}`;
  const old = new Map(before.map((r) => [keyOf(r, before), r]));
  const out: RuleDiff[] = [];
  const pair = (a: BacktestResult | undefined, b: BacktestResult | undefined): void => {
    const diff = diffEpisodes(a?.simulation.episodes ?? [], b?.simulation.episodes ?? [], ['severity']);
    out.push({ group: (b ?? a)!.group, rule: (b ?? a)!.rule, before: a?.summary, after: b?.summary, ...diff });
  };
  for (const r of after) {
    const key = keyOf(r, after);
    pair(old.get(key), r);
    old.delete(key);
  }
  for (const r of old.values()) pair(r, undefined);
  return out;
}
