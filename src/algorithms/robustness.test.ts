/** What no series may do to the algorithms: break them, or make them alarm where nothing happened. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createOnlineChangePoints } from './change-points/online.ts';
import { changepoints } from './change-points/pelt.ts';
import { createDetector, restoreDetector } from './detection/detector.ts';
import { createMultivariateDetector } from './detection/multivariate.ts';
import { createConceptDrift } from './drift/concept-drift.ts';
import { drift } from './drift/data-drift.ts';
import { forecast } from './forecast/forecast.ts';

const DAY = 86_400;
const noise = (i: number): number => {
  const x = Math.sin(i * 12.9898 + 4.1) * 43758.5453;
  const y = Math.sin(i * 78.233 + 2.7) * 24634.6345;
  return Math.sqrt(-2 * Math.log(x - Math.floor(x) + 1e-9)) * Math.cos(2 * Math.PI * (y - Math.floor(y)));
};

const anyNumber = fc.oneof(
  fc.double({ noNaN: false }),
  fc.constantFrom(0, -0, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1e308, -1e308, 5e-324, 1),
);

describe('nothing breaks', () => {
  it('scores stay in 0..1 for any values and times', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(anyNumber, anyNumber), { maxLength: 150 }), fc.double(), (points, base) => {
        const one = createDetector();
        const two = createMultivariateDetector({ dims: 2 });
        points.forEach(([t, v], i) => {
          for (const d of [one.update(i % 7 === 0 ? t : i * 60, v), two.update(i * 60, [v, base])]) {
            expect(d.score >= 0 && d.score <= 1).toBe(true);
            expect(d.alertScore >= 0 && d.alertScore <= 1).toBe(true);
          }
        });
      }),
      { numRuns: 150 },
    );
  });

  it('forecasts are finite for any history', () => {
    fc.assert(
      fc.property(
        fc.array(anyNumber, { minLength: 1, maxLength: 120 }),
        fc.integer({ min: 1, max: 30 }),
        (values, horizon) => {
          const f = forecast(values, { stepSeconds: 3600, horizon, levels: [0.95], threshold: 3, within: 2 });
          const { lower, upper } = f.intervals[0]!;
          f.mean.forEach((m, h) => {
            expect(Number.isFinite(m)).toBe(true);
            expect(lower[h]! <= upper[h]!).toBe(true);
          });
          expect(f.crossProbability! >= 0 && f.crossProbability! <= 1).toBe(true);
        },
      ),
      { numRuns: 150 },
    );
  });

  it('change points ascend within the series; drift answers for any rows', () => {
    fc.assert(
      fc.property(fc.array(fc.array(anyNumber, { minLength: 2, maxLength: 2 }), { maxLength: 80 }), (rows) => {
        const found = changepoints(rows);
        for (const [i, c] of found.entries()) expect(c > (found[i - 1] ?? 0) && c < rows.length).toBe(true);
        const d = drift(rows, [...rows].reverse());
        expect(d.score >= 0 && d.score <= 1).toBe(true);
        const online = createOnlineChangePoints();
        const errors = createConceptDrift();
        for (const row of rows) {
          const p = online.update(row[0]!);
          expect(p >= 0 && p <= 1 + 1e-9).toBe(true);
          expect(errors.update(row[0]!)).toBeGreaterThanOrEqual(0);
        }
      }),
      { numRuns: 120 },
    );
  });
});

describe('nothing alarms that did not happen', () => {
  const calm: Record<string, (i: number) => readonly [number, number | null]> = {
    constant: (i) => [i * 300, 42],
    'all missing': (i) => [i * 300, null],
    'every third missing': (i) => [i * 300, i % 3 ? null : 10 + noise(i)],
    infinite: (i) => [i * 300, i % 50 === 0 ? Number.POSITIVE_INFINITY : 5 + noise(i)],
    resetting: (i) => [i * 300, (i % 100) * 7],
    'sparse, another period': (i) => [i * 300, i % 45 === 0 ? 1 : 0],
    sparse: (i) => [i * 300, i % 40 === 0 ? 1 : 0],
    negative: (i) => [i * 300, -500 + 3 * noise(i)],
    tiny: (i) => [i * 300, 1e-250 * (3 + 0.2 * noise(i))],
    huge: (i) => [i * 300, 1e250 * (3 + 0.2 * noise(i))],
    'one point': (i) => [0 * i, 7],
    'night job': (i) => [i * 300, i % 288 > 24 && i % 288 < 36 ? 90 : 10 + noise(i)],
    'summer time': (i) => [i * 300 + (i > 2000 ? 3600 : 0), 50 + 20 * Math.sin((2 * Math.PI * i) / 288) + noise(i)],
    'clock step back': (i) => [i * 300 - (i > 2000 ? 7200 : 0), 20 + noise(i)],
    'coarser resolution': (i) => [i < 2000 ? i * 60 : 120_000 + (i - 2000) * 300, 20 + noise(i)],
    'daily wave': (i) => [i * 300, 50 + 20 * Math.sin((2 * Math.PI * i * 300) / DAY) + noise(i)],
  };
  it.each(Object.entries(calm))('%s', (_name, at) => {
    const detector = createDetector({ warmupPoints: 600 });
    let alerts = 0;
    for (let i = 0; i < 4000; i++) {
      const [t, v] = at(i);
      if (detector.update(t, v).alert) alerts++;
    }
    expect(alerts).toBe(0);
  });
});

describe('state', () => {
  it('goes on after a restart as if nothing had happened', () => {
    const whole = createDetector({ stepSeconds: 300 });
    let half = createDetector({ stepSeconds: 300 });
    for (let i = 0; i < 1500; i++) {
      const v = 10 + 3 * noise(i) + (i === 1200 ? 60 : 0);
      if (i === 700) half = restoreDetector(JSON.parse(JSON.stringify(half.state())));
      expect(half.update(i * 300, v)).toEqual(whole.update(i * 300, v));
    }
    const bytes = JSON.stringify(whole.state()).length;
    expect(bytes).toBeLessThan(30_000);
  });

  it('of the multivariate detector, too', () => {
    const whole = createMultivariateDetector({ dims: 3 });
    let half = createMultivariateDetector({ dims: 3 });
    for (let i = 0; i < 900; i++) {
      const row = [noise(i), noise(i) + 0.1 * noise(i + 5000), noise(i + 9000)];
      if (i === 500) half = createMultivariateDetector({ dims: 3 }, JSON.parse(JSON.stringify(half.state())));
      const a = whole.update(i * 60, row).score;
      const b = half.update(i * 60, row).score;
      expect(b).toBe(a);
    }
  });
});
