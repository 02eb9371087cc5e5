/**
 * From the samples of an alerting rule to alerts: labels and annotations with their templates expanded. What cannot have
 * changed since the last evaluation is not expanded again. An expansion that fails becomes its own text, as Prometheus
 * has it, so that the alert still goes out.
 */
import { messageOf } from '../lib/errors.ts';
import { Labels, METRIC_NAME } from '../model/labels.ts';
import type { AlertCandidate } from './alert-state.ts';
import type { RuleSample, RuleTemplates } from './ports.ts';
import type { RuleSpec } from './rule-file.ts';

interface Remembered {
  readonly value: number;
  readonly candidate: AlertCandidate;
}

const hasTemplate = (labels: Labels): boolean => labels.flat.some((v, i) => i % 2 === 1 && v.includes('{{'));
/** Texts that may expand differently for the same labels and value: they ask data or the time. */
const mayChange = (labels: Labels): boolean =>
  labels.flat.some((v, i) => i % 2 === 1 && /\b(?:query|now|tmpl|template)\b/.test(v));

export class AlertTemplates {
  readonly #rule: RuleSpec;
  readonly #templates: RuleTemplates;
  readonly #onError: (error: unknown) => void;
  readonly #labelsFixed: boolean;
  readonly #annotationsFixed: boolean;
  readonly #volatile: boolean;
  #memory = new Map<Labels, Remembered>();

  constructor(rule: RuleSpec, templates: RuleTemplates, onError: (error: unknown) => void) {
    this.#rule = rule;
    this.#templates = templates;
    this.#onError = onError;
    this.#labelsFixed = !hasTemplate(rule.labels);
    this.#annotationsFixed = !hasTemplate(rule.annotations);
    this.#volatile =
      (!this.#labelsFixed && mayChange(rule.labels)) || (!this.#annotationsFixed && mayChange(rule.annotations));
  }

  /** Alerts of the samples, in their order. Answers at once when no template has to wait. */
  candidates(
    samples: readonly RuleSample[],
    timeMs: number,
  ): readonly AlertCandidate[] | Promise<readonly AlertCandidate[]> {
    if (samples.length === 0) {
      if (this.#memory.size > 0) this.#memory = new Map();
      return [];
    }
    const next = new Map<Labels, Remembered>();
    const out: (AlertCandidate | Promise<AlertCandidate>)[] = [];
    let waits = false;
    for (const s of samples) {
      const old = this.#memory.get(s.labels);
      if (old && !this.#volatile && (old.value === s.value || (this.#labelsFixed && this.#annotationsFixed))) {
        const kept = old.value === s.value ? old : { value: s.value, candidate: { ...old.candidate, value: s.value } };
        next.set(s.labels, kept);
        out.push(kept.candidate);
        continue;
      }
      const made = this.#make(s, timeMs);
      out.push(made);
      if (made instanceof Promise) {
        waits = true;
        made.then(
          (candidate) => next.set(s.labels, { value: s.value, candidate }),
          () => undefined,
        );
      } else next.set(s.labels, { value: s.value, candidate: made });
    }
    this.#memory = next;
    return waits ? Promise.all(out) : (out as AlertCandidate[]);
  }

  #make(s: RuleSample, timeMs: number): AlertCandidate | Promise<AlertCandidate> {
    const labels = this.#expandAll(this.#rule.labels, this.#labelsFixed, s, timeMs);
    const annotations = this.#expandAll(this.#rule.annotations, this.#annotationsFixed, s, timeMs);
    const build = (l: Labels, a: Labels): AlertCandidate => ({
      labels: s.labels.without(METRIC_NAME).merge(l).with('alertname', this.#rule.name),
      annotations: a,
      value: s.value,
    });
    if (labels instanceof Promise || annotations instanceof Promise)
      return Promise.all([labels, annotations]).then(([l, a]) => build(l as Labels, a as Labels));
    return build(labels as Labels, annotations as Labels);
  }

  /** A rule's label that expands to nothing removes the sample's: so empty values are kept until the merge. */
  #expandAll(from: Labels, fixed: boolean, s: RuleSample, timeMs: number): Labels | Promise<Labels> {
    if (fixed) return from;
    const flat: (string | Promise<string>)[] = [];
    let waits = false;
    for (const [name, text] of from.entries()) {
      const value = text.includes('{{') ? this.#expand(text, s, timeMs) : text;
      if (value instanceof Promise) waits = true;
      flat.push(name, value);
    }
    return waits ? Promise.all(flat).then((done) => Labels.fromSorted(done)) : Labels.fromSorted(flat as string[]);
  }

  #expand(text: string, s: RuleSample, timeMs: number): string | Promise<string> {
    const failed = (error: unknown): string => {
      this.#onError(error);
      return `<error expanding template: ${messageOf(error)}>`;
    };
    try {
      const done = this.#templates.expand(text, { labels: s.labels, value: s.value, timeMs, name: this.#rule.name });
      return done instanceof Promise ? done.catch(failed) : done;
    } catch (error) {
      return failed(error);
    }
  }
}
