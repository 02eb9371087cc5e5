/** One rule as it runs: what it answered last, its health, its alerts, and the series it wrote in the last evaluation. */
import { messageOf, VigieError } from '../lib/errors.ts';
import type { RuleHealth } from '../model/alert.ts';
import { Labels, METRIC_NAME } from '../model/labels.ts';
import type { Sample } from '../model/sample.ts';
import type { VectorSelector } from '../promql/ast.ts';
import type { QueryEngine, QueryOptions } from '../promql/engine.ts';
import type { SampleSource } from '../promql/source.ts';
import type { SampleVector } from '../store/metrics.ts';
import { type AlertCandidate, AlertingState, type StateChange } from './alert-state.ts';
import { AlertTemplates } from './alert-templates.ts';
import { selectorsOf } from './dependencies.ts';
import { CountingSource, missingSelectors } from './missing-data.ts';
import {
  type RuleAnswer,
  type RuleEvaluator,
  type RuleSample,
  type RuleTemplates,
  type RuleView,
  samplesOf,
} from './ports.ts';
import type { RuleSpec } from './rule-file.ts';

/** Evaluations for which a firing alert of an earlier run is held although its series is not seen yet. */
export const RESTORE_EVALUATIONS = 2;

export interface RuleInput {
  readonly engine: QueryEngine;
  readonly source: SampleSource;
  readonly evaluator: RuleEvaluator | undefined;
  readonly query: QueryOptions;
  readonly timeMs: number;
  readonly queryOffsetMs: number;
}

/** What an evaluation wants written, before staleness markers. */
export interface RuleOutput {
  readonly samples: readonly Sample[];
  /** Instead of samples, where the writer takes it; overwritten by the rule's next evaluation. */
  readonly vector?: SampleVector;
  readonly changes: readonly StateChange[];
}

const NONE: never[] = [];
/** No alert is an answer, not missing data. */
const isAlertSeries = (s: VectorSelector): boolean => s.name === 'ALERTS' || s.name === 'ALERTS_FOR_STATE';

export const labelsOf = ({ vector, samples }: RuleOutput): readonly Labels[] =>
  vector ? vector.labels : samples.length === 0 ? NONE : samples.map((s) => s.labels);

const overLimit = (limit: number, got: number): VigieError =>
  new VigieError('execution', `exceeded limit of ${limit} with ${got} series`);

/** Says where two answers differ by a bit; '' when they do not. Order is no difference. */
export function differenceOf(got: readonly RuleSample[], wanted: readonly RuleSample[]): string {
  if (got.length !== wanted.length) return `${got.length} results, the engine has ${wanted.length}`;
  const byKey = new Map(wanted.map((s) => [s.labels.key, s]));
  for (const s of got) {
    const other = byKey.get(s.labels.key);
    if (!other) return `${s.labels.toString()}: not in the engine's answer`;
    if (!Object.is(other.value, s.value)) return `${s.labels.toString()}: ${s.value}, the engine has ${other.value}`;
  }
  return '';
}

export class RunningRule {
  readonly spec: RuleSpec;
  readonly alerts: AlertingState | undefined;
  readonly #templates: AlertTemplates | undefined;
  /** Are ALERTS series written yet? Not before `for` state is restored. */
  restored: boolean;
  /** Evaluations left in which alerts of an earlier run are held. */
  holdEvaluations = 0;
  health: RuleHealth = 'unknown';
  lastError = '';
  missing: readonly string[] = [];
  evaluationSeconds = 0;
  lastEvaluationMs = 0;
  /** Labels of the series written by the last good evaluation. */
  written: readonly Labels[] = [];
  /** Sample labels -> labels as recorded, of the last evaluation; and both in order. */
  #recorded = new Map<Labels, Labels>();
  #selectors: readonly VectorSelector[] | undefined;
  #from: readonly Labels[] = [];
  #to: readonly Labels[] = [];
  /** What the last answer recorded, and the labels of the answer that it is for. */
  #vector: { labels: readonly Labels[]; timestampMs: number; values: Float64Array } = {
    labels: NONE,
    timestampMs: 0,
    values: new Float64Array(0),
  };
  #vectorFrom: readonly Labels[] = NONE;

  constructor(spec: RuleSpec, templates: RuleTemplates, restored: boolean, onTemplateError: (error: unknown) => void) {
    this.spec = spec;
    this.restored = restored;
    if (spec.kind === 'alerting') {
      this.alerts = new AlertingState();
      this.#templates = new AlertTemplates(spec, templates, onTemplateError);
    }
  }

  /**
   * Evaluates and moves the alerts on, at most `limit` results or alerts (0: no bound); at once when nothing has to be waited for. Throws what makes the rule fail; its
   * state is then as before.
   */
  evaluate(input: RuleInput, limit: number): RuleOutput | Promise<RuleOutput> {
    const atMs = input.timeMs - input.queryOffsetMs;
    const answer = input.evaluator?.evaluate(this.spec, atMs);
    if (!answer) return this.#query(input, atMs).then((samples) => this.#apply(input, atMs, limit, samples));
    this.missing = answer.labels.length > 0 ? NONE : this.#missingOf(answer.has);
    const tell = input.evaluator!.onDifference;
    if (!tell) {
      if (this.alerts) return this.#apply(input, atMs, limit, samplesOf(answer));
      return this.#recordAnswer(answer, atMs, limit);
    }
    const got = samplesOf(answer);
    return this.#query(input, atMs).then((wanted) => {
      const difference = differenceOf(got, wanted);
      if (difference !== '') tell(this.spec, atMs, difference);
      return this.#apply(input, atMs, limit, wanted);
    });
  }

  #apply(
    input: RuleInput,
    atMs: number,
    limit: number,
    samples: readonly RuleSample[],
  ): RuleOutput | Promise<RuleOutput> {
    if (!this.alerts) return { samples: this.#record(samples, atMs, limit), changes: NONE };
    const made = this.#templates!.candidates(samples, input.timeMs);
    if (made instanceof Promise) return made.then((c) => this.#step(input, atMs, limit, c));
    return this.#step(input, atMs, limit, made);
  }

  #step(input: RuleInput, atMs: number, limit: number, candidates: readonly AlertCandidate[]): RuleOutput {
    const hold = this.holdEvaluations > 0 || (this.spec.keepWithoutData && this.missing.length > 0);
    const changes = this.alerts!.step(candidates, {
      timeMs: input.timeMs,
      forMs: this.spec.forMs,
      keepFiringForMs: this.spec.keepFiringForMs,
      limit,
      hold,
    });
    if (this.holdEvaluations > 0) this.holdEvaluations--;
    return { samples: this.restored ? this.alerts!.samples(this.spec, atMs) : NONE, changes };
  }

  #missingOf(has: (s: VectorSelector) => boolean): readonly string[] {
    this.#selectors ??= selectorsOf(this.spec.expr).filter((s) => !isAlertSeries(s));
    // mostly all are there, and then there is nothing to think about
    if (this.#selectors.every(has)) return NONE;
    return missingSelectors(this.spec.expr, (s) => isAlertSeries(s) || has(s));
  }

  async #query(input: RuleInput, atMs: number): Promise<readonly RuleSample[]> {
    const source = new CountingSource(input.source);
    const { value } = await input.engine.instant(source, this.spec.expr, atMs, {
      ...input.query,
      text: this.spec.text,
    });
    if (value.type === 'scalar') {
      this.missing = [];
      return [{ labels: Labels.EMPTY, value: value.value }];
    }
    if (value.type !== 'vector') throw new VigieError('execution', 'rule result is not a vector or scalar');
    this.missing =
      value.samples.length > 0 ? [] : missingSelectors(this.spec.expr, (s) => isAlertSeries(s) || source.has(s));
    return value.samples;
  }

  /** As long as the answer has the same labels, what is recorded has too: only values are copied. */
  #recordAnswer(answer: RuleAnswer, atMs: number, limit: number): RuleOutput {
    const { labels, values } = answer;
    const n = labels.length;
    if (labels !== this.#vectorFrom) {
      this.#recordLabels(labels, limit);
      this.#vector = { labels: this.#to, timestampMs: atMs, values: new Float64Array(n) };
      this.#vectorFrom = labels;
    } else if (limit > 0 && n > limit) throw overLimit(limit, n);
    const vector = this.#vector;
    vector.timestampMs = atMs;
    for (let i = 0; i < n; i++) vector.values[i] = values[i]!;
    return { samples: NONE, vector, changes: NONE };
  }

  #record(samples: readonly RuleSample[], atMs: number, limit: number): Sample[] {
    let same = samples.length === this.#from.length;
    for (let i = 0; same && i < samples.length; i++) same = samples[i]!.labels === this.#from[i];
    if (!same)
      this.#recordLabels(
        samples.map((s) => s.labels),
        limit,
      );
    else if (limit > 0 && samples.length > limit) throw overLimit(limit, samples.length);
    const to = this.#to;
    const out: Sample[] = new Array(samples.length);
    for (let i = 0; i < samples.length; i++) {
      const { value, histogram } = samples[i]!;
      out[i] = histogram
        ? { labels: to[i]!, timestampMs: atMs, value, histogram }
        : { labels: to[i]!, timestampMs: atMs, value };
    }
    return out;
  }

  /** Names what is recorded. Objects that came before keep what they were named, so that the store knows them again. */
  #recordLabels(from: readonly Labels[], limit: number): void {
    const { name, labels } = this.spec;
    const next = new Map<Labels, Labels>();
    const to: Labels[] = [];
    for (const l of from) {
      const recorded = this.#recorded.get(l) ?? l.with(METRIC_NAME, name).merge(labels);
      next.set(l, recorded);
      to.push(recorded);
    }
    if (new Set(to.map((l) => l.key)).size !== to.length)
      throw new VigieError('execution', 'vector contains metrics with the same labelset after applying rule labels');
    if (limit > 0 && from.length > limit) throw overLimit(limit, from.length);
    this.#recorded = next;
    this.#from = from;
    this.#to = to;
  }

  /** Stale markers for series of the last evaluation that are not in the output. */
  stale(output: RuleOutput, atMs: number): readonly Sample[] {
    const { written } = this;
    if (written.length === 0 || output.vector?.labels === written) return NONE;
    const now = labelsOf(output);
    let same = written.length === now.length;
    for (let i = 0; same && i < written.length; i++) same = written[i] === now[i];
    if (same) return NONE;
    const keys = new Set(now.map((l) => l.key));
    return written
      .filter((l) => !keys.has(l.key))
      .map((labels) => ({ labels, timestampMs: atMs, value: 0, stale: true }));
  }

  /** The output is in the store. */
  wrote(output: RuleOutput): void {
    if (output.vector?.labels === this.written) return;
    this.written = labelsOf(output);
  }

  failed(error: unknown): void {
    this.health = 'err';
    this.lastError = messageOf(error);
  }

  succeeded(): void {
    this.health = this.missing.length > 0 ? 'unknown' : 'ok';
    this.lastError = '';
  }

  view(): RuleView {
    const { spec } = this;
    return {
      kind: spec.kind,
      name: spec.name,
      query: spec.query,
      labels: spec.labels,
      annotations: spec.annotations,
      forMs: spec.forMs,
      keepFiringForMs: spec.keepFiringForMs,
      health: this.health,
      lastError: this.lastError,
      missing: this.missing,
      state: this.alerts?.state ?? 'inactive',
      alerts:
        this.alerts?.list().map((a) => ({
          labels: a.labels,
          annotations: a.annotations,
          state: a.state,
          activeAtMs: a.activeAtMs,
          ...(a.firedAtMs > 0 && { firedAtMs: a.firedAtMs }),
          ...(a.keepFiringSinceMs > 0 && { keepFiringSinceMs: a.keepFiringSinceMs }),
          value: a.value,
        })) ?? [],
      evaluationSeconds: this.evaluationSeconds,
      lastEvaluationMs: this.lastEvaluationMs,
    };
  }
}
