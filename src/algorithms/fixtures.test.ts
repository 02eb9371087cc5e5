/**
 * Values against independent implementations: src/algorithms/fixtures/statistics.json was written by
 * scripts/fixtures/statistics.py with the versions of scipy, numpy and statsmodels named in it.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { drift } from './drift/data-drift.ts';
import { theilSen } from './forecast/exhaustion.ts';
import { fitRidge } from './forecast/ridge-regression.ts';
import { findSeasons } from './forecast/season.ts';
import { forecastSmoothing } from './forecast/smoothing.ts';
import { symmetricEigen } from './linear-algebra.ts';
import { chiSquaredTail, kolmogorovTail, normalQuantile, normalTwoSided, normalUpper } from './special-functions.ts';

interface Fixture {
  normalTwoSided: [number, number][];
  normalUpper: [number, number][];
  normalQuantile: [number, number][];
  chiSquaredTail: [number, number, number][];
  kolmogorovTail: [number, number, number][];
  drift: { reference: number[]; current: number[]; ks: number; wassersteinSd: number };
  theilSen: { y: number[]; slope: number };
  smoothing: { y: number[]; alpha: number; beta: number; gamma: number; season: number; ahead: number[] };
  ridge: { y: number[]; lags: number[]; centre: number; penalty: number; coefficients: number[] };
  acf: { y: number[]; season: number; at24: number };
  eigen: { matrix: number[]; values: number[] };
}
const f = JSON.parse(readFileSync(path.join(import.meta.dirname, 'fixtures/statistics.json'), 'utf8')) as Fixture;
const close = (got: number, want: number, absolute: number): void =>
  expect(Math.abs(got - want), `got ${got}, want ${want}`).toBeLessThanOrEqual(absolute);

describe('against scipy', () => {
  it('tails and quantiles of the normal', () => {
    for (const [z, p] of f.normalTwoSided) close(normalTwoSided(z), p, 2e-7);
    for (const [z, p] of f.normalUpper) close(normalUpper(z), p, 2e-7);
    for (const [p, z] of f.normalQuantile) close(normalQuantile(p), z, 1e-7);
  });
  it('chi-squared, as far as its approximation reaches', () => {
    for (const [x, k, p] of f.chiSquaredTail) close(chiSquaredTail(x, k), p, k === 1 ? 0.012 : 0.006);
  });
  it('Kolmogorov', () => {
    for (const [d, n, p] of f.kolmogorovTail) close(kolmogorovTail(d, n), p, 1e-9);
  });
  it('two-sample distance, Wasserstein distance, Theil-Sen slope', () => {
    const rows = (x: number[]): number[][] => x.map((v) => [v]);
    const found = drift(rows(f.drift.reference), rows(f.drift.current)).features[0]!;
    close(found.ks, f.drift.ks, 1e-12);
    close(found.wasserstein, f.drift.wassersteinSd, 0.02);
    // 40 of the 41 points are paired here, all of them there
    close(theilSen(Float64Array.from(f.theilSen.y)), f.theilSen.slope, 0.02);
  });
});

describe('against numpy and statsmodels', () => {
  it('ridge coefficients', () => {
    const { y, lags, centre, penalty, coefficients } = f.ridge;
    const model = fitRidge(Float64Array.from(y), y.length, lags, centre, penalty)!;
    for (const [i, c] of coefficients.entries()) close(model.coefficients[i]!, c, 1e-9);
  });
  it('eigenvalues of a symmetric matrix', () => {
    const { values } = symmetricEigen(Float64Array.from(f.eigen.matrix), 6);
    for (const [i, v] of f.eigen.values.entries()) close(values[i]!, v, 1e-8);
  });
  it('the season that its autocorrelation shows', () => {
    expect(f.acf.at24).toBeGreaterThan(0.8);
    expect(findSeasons(Float64Array.from(f.acf.y), 3600)[0]).toBe(f.acf.season);
  });
  it('damped seasonal smoothing, forecast by forecast', () => {
    const y = Float64Array.from(f.smoothing.y);
    const ours = forecastSmoothing(f.smoothing, y, y.length, f.smoothing.ahead.length);
    let compared = 0;
    for (const [h, want] of f.smoothing.ahead.entries()) {
      // statsmodels forecasts the season's last step with its state before the newest value
      if (h % f.smoothing.season === f.smoothing.season - 1) continue;
      close(ours[h]!, want, 1e-9);
      compared++;
    }
    expect(compared).toBeGreaterThanOrEqual(28);
  });
});
