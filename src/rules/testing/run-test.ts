/**
 * Runs one test of a rule test file as promtool does: the input series grow sample by sample, all groups are evaluated
 * at each interval, alerts are compared at their times, and expressions at the end.
 */
import type { Clock } from '../../lib/clock.ts';
import { messageOf, VigieError } from '../../lib/errors.ts';
import { silentLogger } from '../../lib/logger.ts';
import { formatDuration } from '../../model/duration.ts';
import { Labels } from '../../model/labels.ts';
import type { CompiledMatcher, Matcher } from '../../model/matcher.ts';
import type { Sample } from '../../model/sample.ts';
import type { TenantId } from '../../model/tenant.ts';
import type { QueryEngine } from '../../promql/engine.ts';
import { formatValue } from '../../promql/literal.ts';
import { equalHistograms } from '../../promql/native-histogram.ts';
import type { SampleSource } from '../../promql/source.ts';
import type { MetricsWriter } from '../../store/metrics.ts';
import { Breather } from '../breather.ts';
import type { RuleSample, RuleTemplates } from '../ports.ts';
import type { RuleGroupSpec } from '../rule-file.ts';
import { type GroupContext, RunningGroup } from '../running-group.ts';
import { RunningRule } from '../running-rule.ts';
import { MemorySamples } from './memory-samples.ts';
import { parseHistogram, parseMetric, parseValues } from './series-values.ts';
import type { AlertCase, ExprCase, RuleTest, RuleTestFile } from './test-file.ts';

/** Evaluations of one test. */
export const EVALUATIONS_MAX = 1_000_000;

export interface TestPorts {
  /** An engine whose subqueries step by `defaultStepMs` where they name no step. */
  readonly engine: (defaultStepMs: number) => QueryEngine;
  readonly compileMatcher: (matcher: Matcher) => CompiledMatcher;
  readonly templates: (input: {
    readonly externalLabels: Labels;
    readonly externalUrl: string;
    readonly query: (expr: string, timeMs: number) => Promise<readonly RuleSample[]>;
  }) => RuleTemplates;
}

/** Reads groups of all rule files with the given templates; throws `bad_config`. */
export type LoadGroups = (engine: QueryEngine, templates: RuleTemplates) => readonly RuleGroupSpec[];

interface Fed {
  readonly labels: Labels;
  readonly values: ReturnType<typeof parseValues>;
  at: number;
}

/** What went wrong, one text each; empty when the test passes. */
export async function runRuleTest(
  file: RuleTestFile,
  test: RuleTest,
  load: LoadGroups,
  ports: TestPorts,
): Promise<readonly string[]> {
  const run = new TestRun(file, test, ports);
  try {
    return await run.run(load);
  } catch (error) {
    if (!(error instanceof VigieError)) throw error;
    return [error.message];
  }
}

class TestRun {
  readonly #file: RuleTestFile;
  readonly #test: RuleTest;
  readonly #samples: MemorySamples;
  readonly #engine: QueryEngine;
  readonly #templates: RuleTemplates;
  readonly #fed: Fed[] = [];
  readonly #failures: string[] = [];
  #nowMs = 0;
  /** Series of which the evaluation under way wrote a sample that was refused. */
  readonly #refused = new Map<string, { times: number; readonly reason: string }>();

  constructor(file: RuleTestFile, test: RuleTest, ports: TestPorts) {
    this.#file = file;
    this.#test = test;
    this.#samples = new MemorySamples(ports.compileMatcher);
    this.#engine = ports.engine(file.evaluationIntervalMs);
    this.#templates = ports.templates({
      externalLabels: test.externalLabels,
      externalUrl: test.externalUrl,
      query: (expr, timeMs) => this.#query(expr, timeMs),
    });
  }

  async run(load: LoadGroups): Promise<readonly string[]> {
    const { startMs } = this.#test;
    const intervalMs = this.#file.evaluationIntervalMs;
    for (const { series, values, line } of this.#test.inputSeries)
      try {
        this.#fed.push({ labels: parseMetric(series), values: parseValues(values), at: 0 });
      } catch (error) {
        throw new VigieError('bad_data', `${this.#file.name}:${line}: input_series: ${messageOf(error)}`);
      }
    const groups = this.#groups(load(this.#engine, this.#templates));
    const context = this.#context();
    const cases = this.#test.alertCases;
    const lastMs = Math.max(0, ...cases.map((c) => c.evalTimeMs), ...this.#test.exprCases.map((c) => c.evalTimeMs));
    if (lastMs / intervalMs > EVALUATIONS_MAX)
      throw new VigieError('bad_data', `the test needs more than ${EVALUATIONS_MAX} evaluations`);
    const signal = new AbortController().signal;
    for (let atMs = 0; atMs <= lastMs; atMs += intervalMs) {
      this.#nowMs = startMs + atMs;
      this.#feed(atMs);
      const errors: string[] = [];
      for (const group of groups) {
        this.#refused.clear();
        await group.evaluate(this.#nowMs, context, signal);
        const late = this.#refusedOf(group.rules);
        for (const rule of group.rules) {
          const problem = rule.lastError || late.get(rule);
          if (problem) errors.push(`    rule: ${rule.spec.name}, time: ${goDuration(atMs)}, err: ${problem}`);
        }
      }
      this.#failures.push(...errors);
      if (errors.length > 0) return this.#failures;
      for (const c of cases)
        if (atMs <= c.evalTimeMs && c.evalTimeMs < atMs + intervalMs) this.#compareAlerts(c, groups);
    }
    for (const c of this.#test.exprCases) await this.#compareExpr(c);
    return this.#failures;
  }

  #groups(specs: readonly RuleGroupSpec[]): RunningGroup[] {
    const order = new Map(this.#file.groupEvalOrder.map((name, i) => [name, i]));
    const place = (g: RuleGroupSpec): number => order.get(g.name) ?? 0;
    return [...specs]
      .sort((a, b) => place(a) - place(b))
      .map((spec) => {
        const rules = spec.rules.map((r) => new RunningRule(r, this.#templates, true, () => undefined));
        return new RunningGroup(spec, rules, spec.intervalMs ?? this.#test.intervalMs, spec.queryOffsetMs ?? 0);
      });
  }

  /** Adds the samples up to and including `atMs`. */
  #feed(atMs: number): void {
    const { intervalMs, startMs } = this.#test;
    for (const f of this.#fed)
      for (; f.at < f.values.length && f.at * intervalMs <= atMs; f.at++) {
        const v = f.values[f.at];
        if (v === undefined) continue;
        const base = { labels: f.labels, timestampMs: startMs + f.at * intervalMs };
        const sample: Sample =
          v === 'stale'
            ? { ...base, value: 0, stale: true }
            : typeof v === 'number'
              ? { ...base, value: v }
              : { ...base, value: 0, histogram: v };
        const refused = this.#samples.add(sample);
        if (refused)
          throw new VigieError('bad_data', `input series ${f.labels.toString()}: ${refused} at ${base.timestampMs}`);
      }
  }

  /** Rules whose results were refused: of those that wrote a series, the last ones, for the first was in time. */
  #refusedOf(rules: readonly RunningRule[]): Map<RunningRule, string> {
    const out = new Map<RunningRule, string>();
    if (this.#refused.size === 0) return out;
    for (const rule of [...rules].reverse())
      for (const { key } of rule.written) {
        const entry = this.#refused.get(key);
        if (!entry || entry.times === 0) continue;
        entry.times--;
        out.set(rule, entry.reason === 'duplicate_timestamp' ? 'duplicate sample for timestamp' : entry.reason);
      }
    return out;
  }

  #context(): GroupContext {
    const clock: Clock = {
      now: () => this.#nowMs,
      monotonicMs: () => 0,
      setTimer: () => ({ cancel: () => undefined }),
    };
    const writer: MetricsWriter = {
      append: () => this.#samples.append(),
      appendSamples: async (samples) => {
        for (const s of samples) {
          const refused = this.#samples.add(s);
          if (!refused || s.stale) continue;
          const before = this.#refused.get(s.labels.key);
          this.#refused.set(s.labels.key, { times: (before?.times ?? 0) + 1, reason: refused });
        }
        return {
          samplesAccepted: samples.length,
          histogramsAccepted: 0,
          exemplarsAccepted: 0,
          rejected: {},
          examples: [],
        };
      },
    };
    const source: SampleSource = this.#samples;
    return {
      tenant: 'test' as TenantId,
      clock,
      logger: silentLogger,
      engine: this.#engine,
      source,
      writer,
      templates: this.#templates,
      evaluator: undefined,
      breather: new Breather(() => 0),
      query: {},
      notify: () => undefined,
      onTransition: () => undefined,
      onHealth: () => undefined,
      onEvaluated: () => undefined,
      externalUrl: this.#test.externalUrl,
      externalLabels: Labels.EMPTY,
      resendDelayMs: 60_000,
      outageToleranceMs: 0,
      forGracePeriodMs: 0,
      rulesConcurrency: 1,
      alerts: { count: 0, max: Number.MAX_SAFE_INTEGER },
    };
  }

  #compareAlerts(c: AlertCase, groups: readonly RunningGroup[]): void {
    const texts = (alerts: readonly Told[]): string[] =>
      [...alerts]
        .sort((a, b) => Labels.compare(a.labels, b.labels) || Labels.compare(a.annotations, b.annotations))
        .map((a) => `Labels:${a.labels.toString()}\nAnnotations:${a.annotations.toString()}`);
    const firing = groups
      .flatMap((g) => g.rules)
      .filter((r) => r.alerts && r.spec.name === c.alertname)
      .flatMap((r) => r.alerts!.list().filter((a) => a.state === 'firing'));
    const got = texts(firing);
    const wanted = texts(c.expected);
    if (JSON.stringify(got) === JSON.stringify(wanted)) return;
    const name = this.#test.name === '' ? '' : `    name: ${this.#test.name},\n`;
    this.#failures.push(
      `${name}    alertname: ${c.alertname}, time: ${formatDuration(c.evalTimeMs)},\n        exp:${list(wanted)},\n        got:${list(got)}`,
    );
  }

  async #query(expr: string, timeMs: number): Promise<readonly RuleSample[]> {
    const { value } = await this.#engine.instant(this.#samples, expr, timeMs);
    if (value.type === 'scalar') return [{ labels: Labels.EMPTY, value: value.value }];
    if (value.type === 'vector') return value.samples;
    throw new VigieError('execution', 'rule result is not a vector or scalar');
  }

  async #compareExpr(c: ExprCase): Promise<void> {
    const head = `    expr: ${JSON.stringify(c.expr)}, time: ${formatDuration(c.evalTimeMs)},`;
    let got: RuleSample[];
    let wanted: RuleSample[];
    try {
      got = [...(await this.#query(c.expr, this.#test.startMs + c.evalTimeMs))];
      wanted = c.expected.map((e) => ({
        labels: parseMetric(e.labels === '' ? '{}' : e.labels),
        value: e.value,
        ...(e.histogram !== '' && { histogram: parseHistogram(e.histogram) }),
      }));
    } catch (error) {
      this.#failures.push(`${head} err: ${messageOf(error)}`);
      return;
    }
    const byLabels = (a: RuleSample, b: RuleSample): number => Labels.compare(a.labels, b.labels);
    got.sort(byLabels);
    wanted.sort(byLabels);
    const fuzzy = this.#file.fuzzyCompare;
    if (got.length === wanted.length && got.every((s, i) => sameSample(s, wanted[i]!, fuzzy))) return;
    this.#failures.push(`${head}\n        exp: ${samplesText(wanted)}\n        got: ${samplesText(got)}`);
  }
}

interface Told {
  readonly labels: Labels;
  readonly annotations: Labels;
}

/** `1h5m0s`: how promtool names the time of an evaluation. */
function goDuration(ms: number): string {
  const s = ms / 1000;
  const h = Math.floor(s / 3600);
  const m = Math.floor(s / 60) % 60;
  return `${h > 0 ? `${h}h` : ''}${s >= 60 ? `${m}m` : ''}${s % 60}s`;
}

const FUZZY_EPSILON = 1e-15;

function sameSample(a: RuleSample, b: RuleSample, fuzzy: boolean): boolean {
  if (!a.labels.equals(b.labels)) return false;
  if (a.histogram || b.histogram)
    return a.histogram !== undefined && b.histogram !== undefined && equalHistograms(a.histogram, b.histogram);
  if (a.value === b.value) return true;
  if (!fuzzy) return false;
  if (Number.isNaN(a.value) && Number.isNaN(b.value)) return true;
  return Math.abs(a.value - b.value) <= FUZZY_EPSILON * (Math.abs(a.value) + Math.abs(b.value));
}

const samplesText = (samples: readonly RuleSample[]): string =>
  samples.length === 0
    ? 'nil'
    : samples
        .map((s) => `${s.labels.toString()} ${s.histogram ? JSON.stringify(s.histogram) : formatValue(s.value)}`)
        .join(', ');

const list = (texts: readonly string[]): string =>
  texts.length === 0
    ? '[]'
    : `[\n${texts.map((t, i) => `            ${i}:\n${t.replace(/^/gm, '              ')}`).join(',\n')}\n            ]`;
