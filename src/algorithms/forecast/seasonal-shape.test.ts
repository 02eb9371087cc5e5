/** Shapes of day and week are found again, and what is forecast from them continues the pattern. */
import { describe, expect, it } from 'vitest';
import { forecast } from './forecast.ts';
import { forecastProfile, seasonalShape } from './seasonal-shape.ts';

const DAY = 24;
const WEEK = 168;
const pattern = (t: number): number =>
  10 * Math.sin((2 * Math.PI * t) / DAY) + (Math.floor(t / DAY) % 7 >= 5 ? -6 : 2.4);

describe('seasonal shape', () => {
  it('is the deviation from the mean by position, the week shrunk towards the day', () => {
    const values = Float64Array.from({ length: 4 * WEEK }, (_, t) => 100 + pattern(t));
    const shape = seasonalShape(values, values.length, { season: DAY, period: WEEK, cycles: 28 });
    expect(shape.length).toBe(WEEK);
    for (let k = 0; k < WEEK; k++) expect(Math.abs(shape[k]! - pattern(k))).toBeLessThan(1.1);
    expect(Math.abs(shape.reduce((a, b) => a + b, 0) / WEEK)).toBeLessThan(0.2);
    const day = seasonalShape(values, values.length, { season: DAY, period: DAY, cycles: 28 });
    for (let k = 0; k < DAY; k++) expect(day[k]).toBeCloseTo(10 * Math.sin((2 * Math.PI * k) / DAY), 9);
  });

  it('goes on from any phase, around a level that moved', () => {
    const values = Float64Array.from(
      { length: 500 },
      (_, t) => (t < 300 ? 0 : 50) + 10 * Math.sin((2 * Math.PI * t) / DAY),
    );
    const path = forecastProfile(values, 499, 30, { season: DAY, period: DAY, cycles: 4, rate: 0.05 });
    for (const [h, v] of path.entries()) expect(v).toBeCloseTo(50 + 10 * Math.sin((2 * Math.PI * (499 + h)) / DAY), 6);
  });

  it('in the combination, weekends of five weeks of hours are told from weekdays', () => {
    const values = Array.from({ length: 5 * WEEK - 48 }, (_, t) => 100 + pattern(t) + Math.sin(t * 12.9898) * 0.5);
    const f = forecast(values, { stepSeconds: 3600, horizon: 48 });
    expect(f.seasons).toEqual([DAY, WEEK]);
    let error = 0;
    f.mean.forEach((m, h) => {
      error += Math.abs(m - 100 - pattern(values.length + h)) / 48;
    });
    expect(error).toBeLessThan(1);
  });

  it('a season that is no divisor of the longer one does not break it', () => {
    const values = Array.from({ length: 300 }, (_, t) => Math.sin((2 * Math.PI * t) / 10) + 0.01 * t);
    const f = forecast(values, { stepSeconds: 60, horizon: 12, seasons: [10, 25] });
    expect(f.mean.every(Number.isFinite)).toBe(true);
  });
});
