/**
 * One rule group as it runs: evaluates its rules in order (those that depend on no other may wait together), writes
 * their results in one go as far as no later rule reads them, marks vanished series stale, restores `for` state from
 * ALERTS_FOR_STATE. Behaves as Prometheus' rules/group.go; when to run is not its business.
 */
import type { Clock } from '../lib/clock.ts';
import { isVigieError, messageOf } from '../lib/errors.ts';
import type { Logger } from '../lib/logger.ts';
import type { AlertTransition, PostableAlert, RuleHealth } from '../model/alert.ts';
import { type Labels, METRIC_NAME } from '../model/labels.ts';
import { isStale, type Sample } from '../model/sample.ts';
import type { TenantId } from '../model/tenant.ts';
import type { QueryEngine, QueryOptions } from '../promql/engine.ts';
import type { SampleSource } from '../promql/source.ts';
import type { MetricsWriter, RejectReason, SampleVector, WriteResult } from '../store/metrics.ts';
import { type ActiveAlert, restoredActiveAt, type StateChange } from './alert-state.ts';
import type { Breather } from './breather.ts';
import { type RuleDependencies, ruleDependencies } from './dependencies.ts';
import type { RuleEvaluator, RuleGroupView, RuleHealthChange, RuleTemplates } from './ports.ts';
import type { RuleGroupSpec } from './rule-file.ts';
import { labelsOf, RESTORE_EVALUATIONS, type RuleInput, type RuleOutput, type RunningRule } from './running-rule.ts';

/** What every group of a tenant shares. */
export interface GroupContext {
  readonly tenant: TenantId;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly engine: QueryEngine;
  readonly source: SampleSource;
  readonly writer: MetricsWriter;
  readonly templates: RuleTemplates;
  readonly evaluator: RuleEvaluator | undefined;
  readonly breather: Breather;
  readonly query: QueryOptions;
  readonly notify: (alerts: readonly PostableAlert[]) => void;
  readonly onTransition: (transition: AlertTransition) => void;
  readonly onHealth: (change: RuleHealthChange) => void;
  readonly onEvaluated: (seconds: number, failed: boolean) => void;
  readonly externalUrl: string;
  readonly externalLabels: Labels;
  readonly resendDelayMs: number;
  readonly outageToleranceMs: number;
  readonly forGracePeriodMs: number;
  readonly rulesConcurrency: number;
  /** Pending and firing alerts of the tenant now, and how many it may have. */
  readonly alerts: { count: number; readonly max: number };
}

/** Refusals that are normal for stale markers and repeated evaluations. */
const HARMLESS: ReadonlySet<RejectReason> = new Set(['out_of_order', 'duplicate_timestamp', 'too_old']);

interface Pending {
  readonly rule: RunningRule;
  readonly output: RuleOutput;
  readonly markers: readonly Sample[];
}

/** What the rules of one evaluation share. */
interface Run {
  readonly input: RuleInput;
  readonly context: GroupContext;
  readonly pending: Pending[];
}

const resultsOf = ({ samples, vector }: RuleOutput): number => samples.length + (vector?.labels.length ?? 0);

function write(
  writer: MetricsWriter,
  vectors: readonly SampleVector[],
  samples: readonly Sample[],
): Promise<WriteResult>[] {
  const out: Promise<WriteResult>[] = [];
  if (writer.appendVectors) {
    if (vectors.length > 0) out.push(writer.appendVectors(vectors));
    if (samples.length > 0) out.push(writer.appendSamples(samples));
    return out;
  }
  const all: Sample[] = [];
  for (const { labels, timestampMs, values } of vectors)
    for (let i = 0; i < labels.length; i++) all.push({ labels: labels[i]!, timestampMs, value: values[i]! });
  for (const s of samples) all.push(s);
  if (all.length > 0) out.push(writer.appendSamples(all));
  return out;
}

export class RunningGroup {
  readonly spec: RuleGroupSpec;
  readonly intervalMs: number;
  readonly queryOffsetMs: number;
  readonly rules: readonly RunningRule[];
  readonly #dependencies: RuleDependencies;
  /** Series of rules that are gone: marked stale by the next evaluation. */
  staleSeries: Labels[] = [];
  /** Evaluations until `for` state is restored from the store; 0: nothing to restore. */
  restoreIn = 0;
  evaluationSeconds = 0;
  lastEvaluationMs = 0;
  /** The slot of the last evaluation. */
  lastSlotMs = 0;
  iterations = 0;
  iterationsMissed = 0;
  failures = 0;
  readonly #counted = new Map<RunningRule, number>();
  readonly #toldHealth = new Map<RunningRule, RuleHealth>();

  constructor(spec: RuleGroupSpec, rules: readonly RunningRule[], intervalMs: number, queryOffsetMs: number) {
    this.spec = spec;
    this.rules = rules;
    this.intervalMs = intervalMs;
    this.queryOffsetMs = queryOffsetMs;
    this.#dependencies = ruleDependencies(rules.map((r) => r.spec));
  }

  /** Runs all rules for one slot. Never throws: failures are the rules' health. */
  async evaluate(timeMs: number, context: GroupContext, signal: AbortSignal): Promise<void> {
    const began = context.clock.monotonicMs();
    const pending: Pending[] = [];
    const { rules } = this;
    const { independent, needsFlush } = this.#dependencies;
    const input: RuleInput = {
      engine: context.engine,
      source: context.source,
      evaluator: context.evaluator,
      query: { ...context.query, signal },
      timeMs,
      queryOffsetMs: this.queryOffsetMs,
    };
    const run: Run = { input, context, pending };
    for (let i = 0; i < rules.length; ) {
      if (signal.aborted) return;
      if (needsFlush[i] && pending.length > 0) await this.#flush(pending, context);
      const pause = context.breather.pause();
      if (pause) await pause;
      let n = 1;
      if (independent[i]) while (n < context.rulesConcurrency && i + n < rules.length && independent[i + n]) n++;
      let waits: Promise<void>[] | undefined;
      for (const end = i + n; i < end; i++) {
        const wait = this.#run(rules[i]!, run);
        if (wait) (waits ??= []).push(wait);
      }
      if (waits) await Promise.all(waits);
    }
    if (pending.length > 0) await this.#flush(pending, context);
    await this.#markGone(timeMs - this.queryOffsetMs, context);
    this.iterations++;
    this.lastSlotMs = timeMs;
    if (this.restoreIn > 0 && --this.restoreIn === 0) await this.#restore(context);
    this.evaluationSeconds = (context.clock.monotonicMs() - began) / 1000;
    this.lastEvaluationMs = timeMs;
    this.#tellHealth(timeMs, context);
  }

  /** Nothing to await when the rule could answer at once. Never throws. */
  #run(rule: RunningRule, run: Run): Promise<void> | undefined {
    const { context } = run;
    const beganMs = context.clock.monotonicMs();
    rule.lastEvaluationMs = context.clock.now();
    const limit = rule.alerts ? this.#alertLimit(context, this.#counted.get(rule) ?? 0) : this.spec.limit;
    try {
      const output = rule.evaluate(run.input, limit);
      if (output instanceof Promise)
        return output.then((o) => this.#took(rule, run, o, beganMs)).catch((e) => this.#failed(rule, run, e, beganMs));
      this.#took(rule, run, output, beganMs);
    } catch (error) {
      this.#failed(rule, run, error, beganMs);
    }
    return undefined;
  }

  #took(rule: RunningRule, run: Run, output: RuleOutput, beganMs: number): void {
    const { timeMs } = run.input;
    const { context } = run;
    rule.succeeded();
    for (const change of output.changes) this.#tell(rule, change, timeMs, context);
    if (rule.alerts) this.#send(rule, timeMs, context);
    const markers = rule.stale(output, timeMs - this.queryOffsetMs);
    // an alerting rule mostly has nothing to write, and never had
    if (resultsOf(output) > 0 || markers.length > 0 || rule.written.length > 0)
      run.pending.push({ rule, output, markers });
    this.#ended(rule, run, false, beganMs);
  }

  #failed(rule: RunningRule, run: Run, error: unknown, beganMs: number): void {
    if (run.input.query.signal?.aborted) return;
    this.#fail(rule, error, run.context);
    this.#ended(rule, run, true, beganMs);
  }

  #ended(rule: RunningRule, { context }: Run, failed: boolean, beganMs: number): void {
    if (rule.alerts) {
      const counted = this.#counted.get(rule) ?? 0;
      const now = rule.alerts.count;
      if (now !== counted) {
        context.alerts.count += now - counted;
        this.#counted.set(rule, now);
      }
    }
    rule.evaluationSeconds = (context.clock.monotonicMs() - beganMs) / 1000;
    context.onEvaluated(rule.evaluationSeconds, failed);
  }

  /** The group's own limit, or what is left of the tenant's when that is less. */
  #alertLimit(context: GroupContext, counted: number): number {
    const left = Math.max(1, context.alerts.max - (context.alerts.count - counted));
    return this.spec.limit > 0 ? Math.min(this.spec.limit, left) : left;
  }

  #fail(rule: RunningRule, error: unknown, context: GroupContext): void {
    rule.failed(error);
    this.failures++;
    context.logger.warn('evaluating a rule failed', {
      tenant: context.tenant,
      file: this.spec.file,
      group: this.spec.name,
      rule: rule.spec.name,
      error: isVigieError(error) ? error.message : messageOf(error),
    });
  }

  #tell(rule: RunningRule, { alert, from, to }: StateChange, timeMs: number, context: GroupContext): void {
    context.onTransition({
      tenant: context.tenant,
      atMs: timeMs,
      rule: rule.spec.name,
      group: this.spec.name,
      fingerprint: alert.labels.fingerprint(),
      labels: alert.labels,
      annotations: alert.annotations,
      from,
      to,
      value: alert.value,
      activeAtMs: alert.activeAtMs,
    });
  }

  #send(rule: RunningRule, timeMs: number, context: GroupContext): void {
    const due = rule.alerts!.due(timeMs, context.resendDelayMs, this.intervalMs);
    if (due.length === 0) return;
    const generatorURL = generatorUrl(context.externalUrl, rule.spec.query);
    context.notify(
      due.map((a) => ({
        labels: context.externalLabels.flat.length === 0 ? a.labels : context.externalLabels.merge(a.labels),
        annotations: a.annotations,
        startsAtMs: a.firedAtMs,
        endsAtMs: a.resolvedAtMs > 0 ? a.resolvedAtMs : a.validUntilMs,
        generatorURL,
      })),
    );
  }

  /** Writes what is pending; the rules remember as written only what was. */
  async #flush(pending: Pending[], context: GroupContext): Promise<void> {
    const batch = pending.splice(0);
    const samples: Sample[] = [];
    const vectors: SampleVector[] = [];
    let markers = 0;
    for (const p of batch) {
      const { vector } = p.output;
      if (vector && vector.labels.length > 0) vectors.push(vector);
      for (const s of p.output.samples) samples.push(s);
      for (const s of p.markers) samples.push(s);
      markers += p.markers.length;
    }
    try {
      // both are in the log and seen by readers at once: nothing is awaited between them
      const results = await Promise.all(write(context.writer, vectors, samples));
      let refused = 0;
      const bad: string[] = [];
      for (const r of results)
        for (const reason in r.rejected) {
          refused += r.rejected[reason as RejectReason] ?? 0;
          if (!HARMLESS.has(reason as RejectReason)) bad.push(reason);
        }
      if (bad.length > 0) {
        const example = results.flatMap((r) => r.examples)[0] ?? '';
        for (const p of batch)
          if (resultsOf(p.output) > 0)
            this.#fail(p.rule, `results were refused by the store: ${bad.join(', ')}; ${example}`, context);
      }
      if (refused > markers) this.#failDuplicates(batch, context);
    } catch (error) {
      for (const p of batch) if (resultsOf(p.output) + p.markers.length > 0) this.#fail(p.rule, error, context);
      return;
    }
    for (const p of batch) p.rule.wrote(p.output);
  }

  /** Two rules that write one series: the later one is told, as its sample was refused. */
  #failDuplicates(batch: readonly Pending[], context: GroupContext): void {
    const seen = new Map<string, RunningRule>();
    for (const p of batch)
      for (const labels of labelsOf(p.output)) {
        const first = seen.get(labels.key);
        if (!first) seen.set(labels.key, p.rule);
        else if (first !== p.rule && p.rule.health !== 'err')
          this.#fail(
            p.rule,
            `duplicate sample for timestamp: ${labels.toString()} is also written by ${first.spec.name}`,
            context,
          );
      }
  }

  async #markGone(atMs: number, context: GroupContext): Promise<void> {
    if (this.staleSeries.length === 0) return;
    const gone = this.staleSeries;
    this.staleSeries = [];
    await markStale(gone, atMs, context);
  }

  /** All series its rules wrote, and those it still had to mark. */
  takeSeries(): Labels[] {
    return [...this.staleSeries, ...this.rules.flatMap((r) => r.written)];
  }

  /** Takes over state from the group it replaces: rules are paired by name and labels, in order. */
  copyState(from: RunningGroup): void {
    this.evaluationSeconds = from.evaluationSeconds;
    this.lastEvaluationMs = from.lastEvaluationMs;
    this.iterations = from.iterations;
    this.iterationsMissed = from.iterationsMissed;
    this.failures = from.failures;
    this.restoreIn = from.restoreIn;
    this.staleSeries.push(...from.staleSeries);
    const byKey = new Map<string, RunningRule[]>();
    for (const rule of from.rules) {
      const key = identity(rule);
      byKey.set(key, [...(byKey.get(key) ?? []), rule]);
    }
    for (const rule of this.rules) {
      const old = byKey.get(identity(rule))?.shift();
      if (!old) continue;
      rule.written = old.written;
      if (!rule.alerts || !old.alerts) continue;
      rule.restored = old.restored;
      rule.holdEvaluations = old.holdEvaluations;
      for (const [key, alert] of old.alerts.active) rule.alerts.active.set(key, alert);
      this.#counted.set(rule, from.#counted.get(old) ?? 0);
      from.#counted.delete(old);
    }
    for (const rest of byKey.values()) for (const rule of rest) this.staleSeries.push(...rule.written);
  }

  /** Takes the group's alerts out of the tenant's count. */
  forget(context: GroupContext): void {
    for (const n of this.#counted.values()) context.alerts.count -= n;
    this.#counted.clear();
  }

  /** Puts an alert of an earlier run back. */
  adopt(rule: RunningRule, alert: ActiveAlert, context: GroupContext): void {
    rule.alerts!.active.set(alert.key, alert);
    rule.restored = true;
    rule.holdEvaluations = RESTORE_EVALUATIONS;
    if (alert.state === 'inactive') return;
    this.#counted.set(rule, (this.#counted.get(rule) ?? 0) + 1);
    context.alerts.count++;
  }

  async #restore(context: GroupContext): Promise<void> {
    const nowMs = context.clock.now();
    for (const rule of this.rules) {
      if (!rule.alerts || rule.restored) continue;
      rule.restored = true;
      if (rule.spec.forMs < context.forGracePeriodMs) continue;
      try {
        await this.#restoreRule(rule, nowMs, context);
      } catch (error) {
        context.logger.error('restoring `for` state failed', {
          tenant: context.tenant,
          group: this.spec.name,
          rule: rule.spec.name,
          error: messageOf(error),
        });
      }
    }
  }

  async #restoreRule(rule: RunningRule, nowMs: number, context: GroupContext): Promise<void> {
    const found = await context.source.select(
      [
        { name: METRIC_NAME, op: '=', value: 'ALERTS_FOR_STATE' },
        { name: 'alertname', op: '=', value: rule.spec.name },
      ],
      { startMs: nowMs - context.outageToleranceMs, endMs: nowMs },
    );
    const byKey = new Map(found.map((s) => [s.labels.without(METRIC_NAME).key, s]));
    for (const alert of rule.alerts!.active.values()) {
      const series = byKey.get(alert.key);
      if (!series || series.length === 0 || isStale(series.values, series.length - 1)) continue;
      const k = series.length - 1;
      alert.activeAtMs = restoredActiveAt({
        activeAtMs: Math.trunc(series.values[k]!) * 1000,
        downAtMs: Math.trunc(series.timestamps[k]! / 1000) * 1000,
        nowMs,
        forMs: rule.spec.forMs,
        gracePeriodMs: context.forGracePeriodMs,
      });
    }
  }

  #tellHealth(timeMs: number, context: GroupContext): void {
    for (const rule of this.rules) {
      if (this.#toldHealth.get(rule) === rule.health) continue;
      const first = !this.#toldHealth.has(rule);
      this.#toldHealth.set(rule, rule.health);
      if (first && rule.health === 'ok') continue;
      context.onHealth({
        tenant: context.tenant,
        group: this.spec.name,
        rule: rule.spec.name,
        health: rule.health,
        lastError: rule.lastError,
        atMs: timeMs,
      });
    }
  }

  view(): RuleGroupView {
    const { spec } = this;
    return {
      name: spec.name,
      file: spec.file,
      intervalMs: this.intervalMs,
      limit: spec.limit,
      queryOffsetMs: this.queryOffsetMs,
      evaluationSeconds: this.evaluationSeconds,
      lastEvaluationMs: this.lastEvaluationMs,
      iterations: this.iterations,
      iterationsMissed: this.iterationsMissed,
      failures: this.failures,
      rules: this.rules.map((r) => r.view()),
    };
  }
}

const identity = (rule: RunningRule): string => `${rule.spec.kind}\u0000${rule.spec.name}\u0000${rule.spec.labels.key}`;

/** Writes a stale marker for each series; refusals are expected when another rule writes the series now. */
export async function markStale(series: readonly Labels[], atMs: number, context: GroupContext): Promise<void> {
  if (series.length === 0) return;
  try {
    await context.writer.appendSamples(series.map((labels) => ({ labels, timestampMs: atMs, value: 0, stale: true })));
  } catch (error) {
    context.logger.warn('marking series of removed rules stale failed', {
      tenant: context.tenant,
      error: messageOf(error),
    });
  }
}

/** Where the alert's expression can be looked at: Prometheus' graph path under the external URL. */
export function generatorUrl(externalUrl: string, query: string): string {
  const text = encodeURIComponent(query)
    .replaceAll('%20', '+')
    .replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
  return `${externalUrl.replace(/\/+$/, '')}/graph?g0.expr=${text}&g0.tab=1`;
}
