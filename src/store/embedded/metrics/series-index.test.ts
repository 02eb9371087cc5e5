import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compilePlain } from '../../../../test/support/metrics-store.ts';
import { Labels } from '../../../model/labels.ts';
import type { Matcher } from '../../../model/matcher.ts';
import { NO_SERIES, SeriesIndex } from './series-index.ts';

const value = fc.constantFrom('', 'a', 'b', 'c', 'd');
const labels = fc
  .record({ __name__: fc.constantFrom('m', 'n', 'o'), x: value, y: value, z: value })
  .map((r) => Labels.from(r));
const matcher: fc.Arbitrary<Matcher> = fc.record({
  name: fc.constantFrom('__name__', 'x', 'y', 'absent'),
  op: fc.constantFrom('=', '!=', '=~', '!~'),
  value: fc.constantFrom('', 'm', 'a', 'a|b', 'b|c|m', '|a'),
});
const step = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('add' as const), labels }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('remove' as const), share: fc.integer({ min: 1, max: 5 }) }) },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('select' as const), matchers: fc.array(matcher, { maxLength: 3 }) }),
  },
);

describe('series index', () => {
  it('selects what a scan of all series selects, through additions and removals', () => {
    let selected = 0;
    fc.assert(
      fc.property(fc.array(step, { minLength: 10, maxLength: 200 }), (steps) => {
        const index = new SeriesIndex(compilePlain);
        const model = new Map<string, Labels>();
        for (const s of steps) {
          if (s.kind === 'add') {
            const known = index.find(s.labels);
            expect(known === NO_SERIES).toBe(!model.has(s.labels.key));
            if (known === NO_SERIES) {
              const ref = index.add(s.labels);
              expect(index.labels(ref).key).toBe(s.labels.key);
              model.set(s.labels.key, s.labels);
            }
          } else if (s.kind === 'remove') {
            const gone = [...model.values()].filter((_, i) => i % 5 < s.share);
            index.remove(gone.map((l) => index.find(l)));
            for (const l of gone) model.delete(l.key);
          } else {
            const compiled = s.matchers.map(compilePlain);
            const want = [...model.values()].filter((l) => compiled.every((m) => m.matches(l.get(m.name))));
            const got = [...index.select(s.matchers)].map((ref) => index.labels(ref).key);
            expect(got.sort()).toEqual(want.map((l) => l.key).sort());
            selected += got.length;
          }
          expect(index.alive).toBe(model.size);
        }
        const names = new Set([...model.values()].flatMap((l) => [...l].map(([n]) => n)));
        expect([...index.labelNames()].sort()).toEqual([...names].sort());
        for (const name of names) {
          const counts = new Map<string, number>();
          for (const l of model.values())
            if (l.get(name) !== '') counts.set(l.get(name), (counts.get(l.get(name)) ?? 0) + 1);
          expect(new Map(index.labelValues(name))).toEqual(counts);
        }
      }),
      { numRuns: 150 },
    );
    expect(selected).toBeGreaterThan(500);
  });
});
