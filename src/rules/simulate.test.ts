import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Labels } from '../model/labels.ts';
import type { SeriesColumns } from '../model/sample.ts';
import { AlertingState } from './alert-state.ts';
import { diffEpisodes, simulateRule, summarise } from './simulate.ts';

/** `.` no result, a digit is a result of that value; one character a minute. */
function series(text: string, labels: Record<string, string> = { __name__: 'x', i: '1' }): SeriesColumns {
  const points = [...text].flatMap((c, i) => (c === '.' ? [] : [[i * 60_000, Number(c)] as const]));
  return {
    labels: Labels.from(labels),
    length: points.length,
    timestamps: Float64Array.from(points, (p) => p[0]),
    values: Float64Array.from(points, (p) => p[1]),
  };
}
const run = (text: string, forMin: number, keepMin = 0, hold?: string) =>
  simulateRule({
    rule: {
      name: 'A',
      forMs: forMin * 60_000,
      keepFiringForMs: keepMin * 60_000,
      labels: Labels.from({ severity: 'page' }),
    },
    series: [series(text)],
    ...(hold !== undefined && { hold: [series(hold)] }),
    startMs: 0,
    endMs: (text.length - 1) * 60_000,
    stepMs: 60_000,
  });
const minutes = (text: string, forMin: number, keepMin = 0, hold?: string): (number | undefined)[][] =>
  run(text, forMin, keepMin, hold).episodes.map((e) =>
    [e.pendingAtMs, e.firedAtMs, e.endedAtMs, e.peak * 60_000].map((x) => (x === undefined ? undefined : x / 60_000)),
  );

describe('labels of a rule with templates', () => {
  const labelled = (labels: Record<string, string>, text: string) =>
    simulateRule({
      rule: { name: 'A', forMs: 0, keepFiringForMs: 0, labels: Labels.from(labels) },
      series: [series(text)],
      startMs: 0,
      endMs: (text.length - 1) * 60_000,
      stepMs: 60_000,
    }).episodes.map((e) => e.labels.toObject());

  it('stand in the episodes as the alert would have them', () => {
    expect(labelled({ team: 'team-{{ $labels.i }}', i: '{{ $labels.nothing }}' }, '.55.')).toEqual([
      { alertname: 'A', team: 'team-1' },
    ]);
  });

  it('make another alert of another value', () => {
    expect(labelled({ level: '{{ $value }}' }, '556').map((l) => l['level'])).toEqual(['5', '6']);
  });

  it('carry the error of what cannot be asked of the past', () => {
    expect(labelled({ x: '{{ query "up" | len }}' }, '5')[0]!['x']).toMatch(/^<error expanding template: /);
  });
});

describe('simulateRule', () => {
  it.each([
    ['fires at once', '..55..', 0, 0, undefined, [[2, 2, 4, 5]]],
    ['waits for `for`', '.5556..', 2, 0, undefined, [[1, 3, 5, 6]]],
    [
      'never holds long enough',
      '.5..5..',
      2,
      0,
      undefined,
      [
        [1, undefined, 2, 5],
        [4, undefined, 5, 5],
      ],
    ],
    ['is still active at the end', '...77', 1, 0, undefined, [[3, 4, undefined, 7]]],
    ['is kept firing over a gap', '55...5..', 0, 4, undefined, [[0, 0, undefined, 5]]],
    [
      'is kept firing, not pending',
      '5..5....',
      1,
      9,
      undefined,
      [
        [0, undefined, 1, 5],
        [3, undefined, 4, 5],
      ],
    ],
    ['is held by the second expression', '9.....', 0, 0, '9933..', [[0, 0, 4, 9]]],
    ['is not raised by the second expression', '......', 0, 0, '9999..', []],
  ])('%s', (_name, text, forMin, keepMin, hold, wanted) => {
    expect(minutes(text, forMin, keepMin, hold)).toEqual(wanted);
  });

  it('labels alerts, counts and finds flapping', () => {
    const s = run('5.5.5......5', 0);
    expect(s.episodes[0]!.labels.toObject()).toEqual({ alertname: 'A', i: '1', severity: 'page' });
    expect(summarise(s, 11 * 60_000, 3 * 60_000)).toEqual({
      fired: 4,
      pendingOnly: 0,
      firingMs: 180_000,
      longestMs: 60_000,
      flaps: 2,
    });
  });

  it('compares two versions', () => {
    const before = run('555...55..5', 0).episodes;
    const after = run('55....555..', 0).episodes;
    const d = diffEpisodes(before, after);
    expect([d.added.length, d.removed.length, d.changed.length]).toEqual([0, 1, 2]);
    expect(diffEpisodes(before, before)).toEqual({ added: [], removed: [], changed: [] });
  });

  it('agrees with the state machine step by step', () => {
    fc.assert(
      fc.property(
        fc.array(fc.boolean(), { maxLength: 60 }),
        fc.integer({ min: 0, max: 5 }),
        fc.integer({ min: 0, max: 5 }),
        (on, f, k) => {
          const text = on.map((x) => (x ? '1' : '.')).join('');
          if (text === '') return;
          const state = new AlertingState();
          let firing = 0;
          for (let i = 0; i < on.length; i++) {
            const labels = Labels.from({ alertname: 'A', i: '1', severity: 'page' });
            state.step(on[i] ? [{ labels, annotations: Labels.EMPTY, value: 1 }] : [], {
              timeMs: i * 60_000,
              forMs: f * 60_000,
              keepFiringForMs: k * 60_000,
              limit: 0,
              hold: false,
            });
            if (state.state === 'firing') firing++;
          }
          const end = (on.length - 1) * 60_000;
          const simulated = run(text, f, k).episodes.reduce(
            (n, e) => n + (e.firedAtMs === undefined ? 0 : ((e.endedAtMs ?? end + 60_000) - e.firedAtMs) / 60_000),
            0,
          );
          expect(simulated).toBe(firing);
        },
      ),
    );
  });
});
