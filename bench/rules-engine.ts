/** The embedded store and the rule manager as the product wires them, and nothing else: what the rule benches run. */
import { promqlRegex } from '../src/app/regex-ports.ts';
import type { Clock } from '../src/lib/clock.ts';
import { silentLogger } from '../src/lib/logger.ts';
import { SelfMetrics } from '../src/lib/self-metrics.ts';
import { Labels } from '../src/model/labels.ts';
import type { TenantId } from '../src/model/tenant.ts';
import { QueryEngine } from '../src/promql/engine.ts';
import { compileMatcher } from '../src/regex/matcher.ts';
import { IncrementalEvaluator } from '../src/rules/incremental/incremental-evaluator.ts';
import { RuleService } from '../src/rules/rule-service.ts';
import { createRuleTemplates } from '../src/rules/templates.ts';
import { EmbeddedMetricsStore } from '../src/store/embedded/metrics/embedded-metrics-store.ts';
import type { MetricsWriter, WriteResult } from '../src/store/metrics.ts';

export type RulesMode = 'incremental' | 'engine';

export interface RulesEngine {
  readonly store: EmbeddedMetricsStore;
  readonly engine: QueryEngine;
  readonly service: RuleService;
  /** Evaluations by how they were done, why some were left to the engine, and samples kept for them. */
  stats(): Record<string, unknown>;
  /** Samples written by rules so far. */
  readonly written: { samples: number; waiting: number };
}

export async function openRulesEngine(folder: string, clock: Clock, mode: RulesMode): Promise<RulesEngine> {
  const store = await EmbeddedMetricsStore.open({
    folder,
    clock,
    logger: silentLogger,
    metrics: new SelfMetrics(),
    compileMatcher,
    quota: () => ({}),
    background: false,
  });
  const engine = new QueryEngine({ compileRegex: promqlRegex, monotonicMs: () => clock.monotonicMs() });
  const evaluators: IncrementalEvaluator[] = [];
  const reasons = new Map<string, number>();
  const written = { samples: 0, waiting: 0 };
  const count = async (samples: number, done: Promise<WriteResult>): Promise<WriteResult> => {
    written.samples += samples;
    written.waiting++;
    try {
      return await done;
    } finally {
      written.waiting--;
    }
  };
  const counted = (w: MetricsWriter): MetricsWriter => ({
    append: (batch) => w.append(batch),
    appendSamples: (samples) => count(samples.length, w.appendSamples(samples)),
    appendVectors: (vectors) =>
      count(
        vectors.reduce((n, v) => n + v.labels.length, 0),
        w.appendVectors!(vectors),
      ),
  });
  const service = new RuleService({
    clock,
    logger: silentLogger,
    metrics: new SelfMetrics(),
    engine,
    source: (t) => store.reader(t),
    writer: (t: TenantId) => counted(store.writer(t)),
    notify: () => undefined,
    templates: () => createRuleTemplates({ externalUrl: '', externalLabels: Labels.EMPTY }),
    externalUrl: '',
    evaluationIntervalMs: 15_000,
    limits: () => ({ rulesMax: 100_000, alertsMax: 100_000 }),
    ...(mode === 'incremental' && {
      evaluator: (t: TenantId) => {
        const evaluator = new IncrementalEvaluator({
          source: store.incremental(t),
          compileRegex: promqlRegex,
          onFallBack: (r) => reasons.set(r, (reasons.get(r) ?? 0) + 1),
        });
        evaluators.push(evaluator);
        return evaluator;
      },
    }),
  });
  return {
    store,
    engine,
    service,
    written,
    stats() {
      const views = store.tenants().map((t) => service.view(t));
      const evaluations = { incremental: 0, engine: 0 };
      for (const e of evaluators) {
        evaluations.incremental += e.evaluations.incremental;
        evaluations.engine += e.evaluations.engine;
      }
      return {
        iterations: views.reduce((n, v) => n + v.groups.reduce((k, g) => k + g.iterations, 0), 0),
        missed: views.reduce((n, v) => n + v.iterationsMissed, 0),
        failing: views.reduce((n, v) => n + v.rulesFailing, 0),
        unknown: views.reduce((n, v) => n + v.rulesUnknown, 0),
        samplesWritten: written.samples,
        evaluations,
        reasons: Object.fromEntries(reasons),
        ringBytes: evaluators.reduce((n, e) => n + e.memoryBytes, 0),
      };
    },
  };
}
