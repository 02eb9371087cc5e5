/** The index of sources against the plain reading of the rules, and that its work does not grow with the alerts. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Labels } from '../model/labels.ts';
import type { CompiledMatcher } from '../model/matcher.ts';
import type { Alert } from './alert.ts';
import { Inhibitor, type InhibitRule } from './inhibitor.ts';
import { matchesAll, parseMatchers } from './matchers.ts';

const NOW_MS = 1_000;
const alertOf = (labels: Record<string, string>, endsAtMs = 2 * NOW_MS): Alert => {
  const set = Labels.from(labels);
  return {
    fingerprint: set.fingerprint(),
    labels: set,
    annotations: Labels.EMPTY,
    startsAtMs: 0,
    endsAtMs,
    updatedAtMs: 0,
    timeout: false,
    generatorURL: '',
  };
};

/** What Alertmanager documents, alert by alert. */
function plainly(rules: readonly InhibitRule[], alerts: readonly Alert[], target: Alert): boolean {
  for (const rule of rules) {
    if (!matchesAll(rule.target, target.labels)) continue;
    for (const source of alerts) {
      if (source.endsAtMs <= NOW_MS || !matchesAll(rule.source, source.labels)) continue;
      if (matchesAll(rule.target, source.labels) && matchesAll(rule.source, target.labels)) continue;
      if (rule.equal.every((name) => source.labels.get(name) === target.labels.get(name))) return true;
    }
  }
  return false;
}

const NAMES = ['a', 'b', 'c'];
const matchers = fc
  .array(fc.tuple(fc.constantFrom(...NAMES), fc.constantFrom('=', '!=', '=~'), fc.constantFrom('', '1', '1|2')), {
    minLength: 1,
    maxLength: 2,
  })
  .map((list) => list.flatMap(([name, op, value]) => parseMatchers(`${name}${op}"${value}"`)));
const rule = fc.record({
  name: fc.constant(''),
  source: matchers,
  target: matchers,
  equal: fc.subarray(NAMES, { maxLength: 2 }),
});
const labels = fc
  .record({ i: fc.constantFrom('x', 'y', 'z') }, { requiredKeys: ['i'] })
  .chain((own) =>
    fc
      .dictionary(fc.constantFrom(...NAMES), fc.constantFrom('1', '2'), { maxKeys: 3 })
      .map((rest) => ({ ...rest, ...own })),
  );
/** Alerts that come, change their end, and go. */
const events = fc.array(fc.tuple(labels, fc.constantFrom('fires', 'ends', 'goes')), { maxLength: 20 });

it('inhibits exactly what the rules say, whatever came, ended and went before', () => {
  let inhibited = 0;
  fc.assert(
    fc.property(fc.array(rule, { minLength: 1, maxLength: 3 }), events, (rules, list) => {
      const inhibitor = new Inhibitor(rules);
      const held = new Map<string, Alert>();
      for (const [set, event] of list) {
        const alert = alertOf(set, event === 'ends' ? NOW_MS : 2 * NOW_MS);
        const old = held.get(alert.fingerprint);
        if (event === 'goes') {
          if (old) inhibitor.remove(old);
          held.delete(alert.fingerprint);
        } else {
          inhibitor.update(alert);
          held.set(alert.fingerprint, alert);
        }
      }
      for (const target of held.values()) {
        const ours = inhibitor.inhibitedBy(target, NOW_MS);
        expect(ours.length > 0).toBe(plainly(rules, [...held.values()], target));
        for (const f of ours) expect(held.get(f)!.endsAtMs).toBeGreaterThan(NOW_MS);
        if (ours.length > 0) inhibited++;
      }
    }),
    { numRuns: 500 },
  );
  expect(inhibited).toBeGreaterThan(50);
});

it('asks each rule a few times, not once for each of 10,000 alerts', () => {
  let asked = 0;
  const counted = (name: string, value: string): CompiledMatcher => ({
    name,
    op: '=',
    value,
    matches: (text) => {
      asked++;
      return text === value;
    },
  });
  const rules = Array.from({ length: 86 }, (_, i) => ({
    name: '',
    source: [counted('sev', 'critical'), counted('kind', `k${i}`)],
    target: [counted('sev', 'warning'), counted('kind', `k${i}`)],
    equal: ['node'],
  }));
  const inhibitor = new Inhibitor(rules);
  for (let i = 0; i < 10_000; i++)
    inhibitor.update(alertOf({ sev: 'critical', kind: `k${i % 86}`, node: `n${i}`, i: String(i) }));
  asked = 0;
  expect(inhibitor.inhibitedBy(alertOf({ sev: 'warning', kind: 'k7', node: 'n7' }), NOW_MS)).toHaveLength(1);
  expect(inhibitor.inhibitedBy(alertOf({ sev: 'warning', kind: 'k7', node: 'n8' }), NOW_MS)).toHaveLength(0);
  expect(asked).toBeLessThan(2 * 86 * 3);
});
