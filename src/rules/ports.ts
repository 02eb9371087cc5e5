/** What rules are handed from outside (templates, data, alerting, state) and what they show of themselves. */
import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/logger.ts';
import type { SelfMetrics } from '../lib/self-metrics.ts';
import type { AlertTransition, PostableAlert, RuleAlertState, RuleHealth } from '../model/alert.ts';
import type { NativeHistogram } from '../model/histogram.ts';
import type { Labels } from '../model/labels.ts';
import type { TenantId } from '../model/tenant.ts';
import type { Expr, VectorSelector } from '../promql/ast.ts';
import type { QueryLimits } from '../promql/context.ts';
import type { QueryEngine } from '../promql/engine.ts';
import type { SampleSource } from '../promql/source.ts';
import type { MetricsWriter } from '../store/metrics.ts';

export interface TemplateInput {
  /** Labels of the sample that raised the alert, metric name included. */
  readonly labels: Labels;
  readonly value: number;
  readonly timeMs: number;
  /** Of the alert, for error texts. */
  readonly name: string;
}

/** Go templates of labels and annotations, bound to one tenant (its external labels, URL and query function). */
export interface RuleTemplates {
  /** Throws when the text does not parse. */
  check(text: string, name?: string): void;
  expand(text: string, input: TemplateInput): Promise<string> | string;
}

/** Keeps one opaque text per tenant, so that alerts outlive a restart. */
export interface RuleStateStore {
  load(tenant: TenantId): Promise<string | undefined>;
  save(tenant: TenantId, text: string): Promise<void>;
  remove(tenant: TenantId): Promise<void>;
}

export interface RuleLimits {
  readonly rulesMax: number;
  /** Active alerts over all rules of a tenant; rules beyond it fail with an error. */
  readonly alertsMax: number;
  readonly query?: Partial<QueryLimits>;
}

export interface RuleSource {
  readonly name: string;
  readonly text: string;
}

export interface RuleHealthChange {
  readonly tenant: TenantId;
  readonly group: string;
  readonly rule: string;
  readonly health: RuleHealth;
  readonly lastError: string;
  readonly atMs: number;
}

export interface RuleServiceOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: SelfMetrics;
  readonly engine: QueryEngine;
  readonly source: (tenant: TenantId) => SampleSource;
  readonly writer: (tenant: TenantId) => MetricsWriter;
  /** Hands alerts to the tenant's alerting; never awaited by evaluation. */
  readonly notify: (tenant: TenantId, alerts: readonly PostableAlert[]) => void | Promise<void>;
  readonly onTransition?: (transition: AlertTransition) => void;
  readonly onHealth?: (change: RuleHealthChange) => void;
  readonly templates: (tenant: TenantId) => RuleTemplates;
  readonly externalUrl: string;
  /** Put on alerts that are sent, where the alert has no such label. */
  readonly externalLabels?: (tenant: TenantId) => Labels;
  /** Of groups that name none; a function is asked at each configuration. Default 1 minute. */
  readonly evaluationIntervalMs?: number | (() => number);
  /** Added to no group that names its own; default 0. */
  readonly queryOffsetMs?: number;
  readonly limits?: (tenant: TenantId) => RuleLimits;
  readonly state?: RuleStateStore;
  /** Group evaluations in flight over all tenants; each tenant has at most one. Default 4. */
  readonly concurrency?: number;
  /** Rules of one group that depend on no other and may wait for the store at the same time. Default 4. */
  readonly rulesConcurrency?: number;
  /** Longest outage after which `for` state is restored; default 1 hour. */
  readonly outageToleranceMs?: number;
  /** Least time a restored pending alert waits before firing; default 10 minutes. */
  readonly forGracePeriodMs?: number;
  /** Least time between two sends of one alert; default 1 minute. */
  readonly resendDelayMs?: number;
  /** Fast evaluation for rules it can take; others are evaluated by the engine. */
  readonly evaluator?: (tenant: TenantId) => RuleEvaluator | undefined;
}

export interface RuleSample {
  readonly labels: Labels;
  readonly value: number;
  readonly histogram?: NativeHistogram;
}

export interface RuleAnswer {
  /** Labels of the results: the same array as last time when nothing but values changed. */
  readonly labels: readonly Labels[];
  /** Their values, and perhaps more behind them; overwritten by the next evaluation of any rule. */
  readonly values: Float64Array;
  /** Had the selector any series? Asked only right after the evaluation. */
  readonly has: (selector: VectorSelector) => boolean;
}

export function samplesOf(answer: RuleAnswer): RuleSample[] {
  const { labels, values } = answer;
  const out: RuleSample[] = new Array(labels.length);
  for (let i = 0; i < labels.length; i++) out[i] = { labels: labels[i]!, value: values[i]! };
  return out;
}

/** Evaluates expressions of rules faster than the engine would, with the same answers. */
export interface RuleEvaluator {
  /** Undefined: this time the engine must evaluate it. */
  evaluate(rule: RuleExpression, timeMs: number): RuleAnswer | undefined;
  /** The rules that exist now; they are known by identity. */
  configure(rules: readonly RuleExpression[]): void;
  /** Set: the engine evaluates too, its answer counts, and differences are told here. */
  readonly onDifference?: (rule: RuleExpression, timeMs: number, difference: string) => void;
  [Symbol.dispose](): void;
}

export interface RuleExpression {
  readonly name: string;
  readonly expr: Expr;
}

export interface AlertView {
  readonly labels: Labels;
  readonly annotations: Labels;
  readonly state: RuleAlertState;
  readonly activeAtMs: number;
  readonly firedAtMs?: number;
  readonly keepFiringSinceMs?: number;
  readonly value: number;
}

export interface RuleView {
  readonly kind: 'alerting' | 'recording';
  readonly name: string;
  /** As Prometheus prints it. */
  readonly query: string;
  readonly labels: Labels;
  readonly annotations: Labels;
  readonly forMs: number;
  readonly keepFiringForMs: number;
  readonly health: RuleHealth;
  readonly lastError: string;
  /** Selectors without any series when the rule was last evaluated; why `health` is unknown. */
  readonly missing: readonly string[];
  readonly state: RuleAlertState;
  readonly alerts: readonly AlertView[];
  readonly evaluationSeconds: number;
  /** 0: not yet. */
  readonly lastEvaluationMs: number;
}

export interface RuleGroupView {
  readonly name: string;
  readonly file: string;
  readonly intervalMs: number;
  readonly limit: number;
  readonly queryOffsetMs: number;
  readonly evaluationSeconds: number;
  readonly lastEvaluationMs: number;
  readonly iterations: number;
  readonly iterationsMissed: number;
  readonly failures: number;
  readonly rules: readonly RuleView[];
}

export interface TenantRulesView {
  /** By file, then name. */
  readonly groups: readonly RuleGroupView[];
  readonly rulesFailing: number;
  readonly rulesUnknown: number;
  readonly iterationsMissed: number;
}
