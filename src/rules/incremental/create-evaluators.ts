/** Makes the incremental evaluator of each tenant, counts what it does, and can run it beside the engine to compare. */
import type { Logger } from '../../lib/logger.ts';
import type { SelfMetrics } from '../../lib/self-metrics.ts';
import type { TenantId } from '../../model/tenant.ts';
import type { Feature } from '../../promql/function-table.ts';
import type { CompileRegex } from '../../promql/regex-port.ts';
import type { RuleEvaluator } from '../ports.ts';
import { IncrementalEvaluator } from './incremental-evaluator.ts';
import type { IncrementalSource } from './source.ts';

/** `compare`: the engine evaluates too, its answer counts, differences are counted and logged. */
export const RULE_EVALUATION_MODES = ['incremental', 'engine', 'compare'] as const;
export type RuleEvaluationMode = (typeof RULE_EVALUATION_MODES)[number];

export interface EvaluatorsOptions {
  readonly mode: RuleEvaluationMode;
  readonly source: (tenant: TenantId) => IncrementalSource;
  readonly compileRegex: CompileRegex;
  readonly logger: Logger;
  readonly metrics: SelfMetrics;
  /** As the engine's. */
  readonly lookbackMs?: number;
  readonly features?: ReadonlySet<Feature>;
}

/** For RuleServiceOptions.evaluator. */
export function createEvaluators(options: EvaluatorsOptions): (tenant: TenantId) => RuleEvaluator | undefined {
  const { logger, metrics, mode } = options;
  // names that go at the end only are not compiled
  if (mode === 'engine' || options.features?.has('promql-delayed-name-removal')) return () => undefined;
  const done = metrics.counter(
    'vigie_rule_incremental_evaluations_total',
    'Evaluations of rules from new samples alone.',
  );
  const left = metrics.counter(
    'vigie_rule_fall_backs_total',
    'Evaluations of rules that were left to the engine, by reason; docs/rules.md lists the reasons.',
    ['reason'],
  );
  const differences = metrics.counter(
    'vigie_rule_incremental_differences_total',
    'Evaluations in which the incremental answer was not that of the engine.',
  );
  const memory = metrics.gauge(
    'vigie_rule_incremental_memory_bytes',
    'Recent samples kept for incremental evaluation.',
  );
  const running = new Set<IncrementalEvaluator>();
  let counted = 0;
  metrics.onCollect(() => {
    let bytes = 0;
    let evaluations = retired;
    for (const e of running) {
      bytes += e.memoryBytes;
      evaluations += e.evaluations.incremental;
    }
    memory.set(bytes);
    done.inc(evaluations - counted);
    counted = evaluations;
  });
  let retired = 0;
  return (tenant) => {
    const evaluator = new IncrementalEvaluator({
      source: options.source(tenant),
      compileRegex: options.compileRegex,
      ...(options.lookbackMs !== undefined && { lookbackMs: options.lookbackMs }),
      onFallBack: (reason) => left.labels(reason).inc(),
      ...(mode === 'compare' && {
        onDifference: (rule, timeMs, difference) => {
          differences.inc();
          logger.error('incremental and full evaluation of a rule differ', {
            tenant,
            rule: rule.name,
            timeMs,
            difference,
          });
        },
      }),
      onDispose: (e) => {
        running.delete(e);
        retired += e.evaluations.incremental;
      },
    });
    running.add(evaluator);
    return evaluator;
  };
}
