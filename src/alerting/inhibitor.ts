/**
 * Inhibition: while a source alert fires, matching targets with equal labels are not told. Sources are indexed by rule
 * and by the values of its `equal` labels, so that the answer does not grow with the number of alerts. Sources count
 * whether or not they are themselves silenced, inhibited or muted.
 */
import type { CompiledMatcher } from '../model/matcher.ts';
import { type Alert, isResolved } from './alert.ts';
import { matchesAll } from './matchers.ts';

export interface InhibitRule {
  readonly name: string;
  readonly source: readonly CompiledMatcher[];
  readonly target: readonly CompiledMatcher[];
  readonly equal: readonly string[];
}

const NONE: readonly string[] = [];

export class Inhibitor {
  readonly #rules: readonly { rule: InhibitRule; sources: Map<string, Map<string, Alert>> }[];

  constructor(rules: readonly InhibitRule[]) {
    this.#rules = rules.map((rule) => ({ rule, sources: new Map() }));
  }

  /** Takes note of an alert that is new or has changed. */
  update(alert: Alert): void {
    for (const { rule, sources } of this.#rules) {
      if (!matchesAll(rule.source, alert.labels)) continue;
      const key = keyOf(rule, alert);
      let bucket = sources.get(key);
      if (!bucket) sources.set(key, (bucket = new Map()));
      bucket.set(alert.fingerprint, alert);
    }
  }

  remove(alert: Alert): void {
    for (const { rule, sources } of this.#rules) {
      const key = keyOf(rule, alert);
      const bucket = sources.get(key);
      if (bucket?.delete(alert.fingerprint) && bucket.size === 0) sources.delete(key);
    }
  }

  /** Fingerprints of firing alerts that inhibit `target`: the first found of each rule. */
  inhibitedBy(target: Alert, nowMs: number): readonly string[] {
    if (this.#rules.length === 0) return NONE;
    const out: string[] = [];
    for (const { rule, sources } of this.#rules) {
      if (sources.size === 0 || !matchesAll(rule.target, target.labels)) continue;
      const bucket = sources.get(keyOf(rule, target));
      if (!bucket) continue;
      // an alert that matches both sides cannot be inhibited by another that matches both
      const targetIsSource = matchesAll(rule.source, target.labels);
      for (const source of bucket.values()) {
        if (isResolved(source, nowMs)) continue;
        if (targetIsSource && matchesAll(rule.target, source.labels)) continue;
        if (!out.includes(source.fingerprint)) out.push(source.fingerprint);
        break;
      }
    }
    return out;
  }
}

/** A label that is missing on both sides counts as equal: both give ''. */
const keyOf = (rule: InhibitRule, alert: Alert): string => rule.equal.map((n) => alert.labels.get(n)).join('\u0000');
