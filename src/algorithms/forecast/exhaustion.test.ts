/** Time to exhaustion: what must be foreseen, what must not be, and that no series breaks it. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { exhaustion, theilSen } from './exhaustion.ts';

const noise = (i: number): number => {
  const x = Math.sin(i * 12.9898 + 4.1) * 43758.5453;
  return (x - Math.floor(x) - 0.5) * 3.4;
};
const N = 2_000;
const H = 48;

describe('exhaustion', () => {
  const foreseen: Record<string, (i: number) => number> = {
    'steady and near': (i) => 0.9 - (N - i) * 0.002 + 0.002 * noise(i),
    'begun a while ago': (i) => (i < N - 20 ? 0.42 : 0.42 + (i - N + 20) * 0.02) + 0.001 * noise(i),
    'a runaway writer of the last seven points': (i) =>
      0.4 + (i % 288) * 0.0001 + (i < N - 7 ? 0 : (i - N + 7) * 0.02) + 0.0005 * noise(i),
    'a leak on a day wave, faster than the wave ever was': (i) =>
      0.4 + 0.06 * Math.sin((2 * Math.PI * i) / 288) + (i < N - 10 ? 0 : (i - N + 10) * 0.025) + 0.003 * noise(i),
    'a rotation that no longer comes': (i) => (i < N - 150 ? 0.2 + (i % 100) * 0.005 : 0.2 + (i - N + 150) * 0.005),
  };
  it.each(Object.entries(foreseen))('foresees %s', (_name, at) => {
    const e = exhaustion(
      Array.from({ length: N }, (_, i) => at(i)),
      { horizon: H, threshold: 0.95 },
    );
    expect(e.crossProbability).toBeGreaterThan(0.6);
    expect(e.pointsToThreshold).toBeLessThan(H);
  });

  const harmless: Record<string, (i: number) => number> = {
    flat: (i) => 0.4 + 0.002 * noise(i),
    constant: () => 0.4,
    'steady and far': (i) => 0.3 + i * 0.0001 + 0.002 * noise(i),
    'one burst of writing': (i) => (i < N - 4 ? 0.42 : 0.62) + 0.001 * noise(i),
    'log rotation by time': (i) => 0.2 + (i % 100) * 0.006,
    'log rotation by size, at its fullest': (i) => 0.2 + ((i + 99 - (N % 100)) % 100) * 0.006,
    'a nightly job that writes as fast, stops, and is tidied slowly': (i) => {
      const at = (i + 288 - ((N - 7) % 288)) % 288;
      return 0.4 + 0.02 * Math.min(at, 10) * Math.max(0, 1 - Math.max(0, at - 30) / 200) + 0.0005 * noise(i);
    },
    'a day wave on its way up': (i) => 0.5 + 0.2 * Math.sin((2 * Math.PI * (i - N + 16)) / 288) + 0.005 * noise(i),
    falling: (i) => 0.9 - i * 0.0001,
    'missing, infinite': (i) =>
      i % 7 === 0 ? Number.NaN : i % 11 === 0 ? Number.POSITIVE_INFINITY : 0.4 + 0.002 * noise(i),
    'a filled-up step long ago': (i) => (i < 500 ? 0.2 : 0.8) + 0.001 * noise(i),
  };
  it.each(Object.entries(harmless))('is not fooled by %s', (_name, at) => {
    const e = exhaustion(
      Array.from({ length: N }, (_, i) => at(i)),
      { horizon: H, threshold: 0.95 },
    );
    expect(e.crossProbability).toBeLessThan(0.3);
  });

  it('is seldom fooled by day waves wherever they stand, and sees fills on top of them', () => {
    let seed = 7;
    const random = (): number => (seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0) / 2 ** 32;
    const said = { waves: 0, falsely: 0, fills: 0, rightly: 0 };
    for (let k = 0; k < 240; k++) {
      const n = 1_440 + Math.floor(random() * 288);
      const [amplitude, phase, second, rough] = [0.05 + 0.25 * random(), 288 * random(), 0.4 * random(), random()];
      const from = n - 8 - Math.floor(random() * 60);
      const rate = k % 2 === 0 ? 0 : 0.004 + 0.02 * random();
      const y = Array.from({ length: n + H }, (_, i) => {
        const angle = (2 * Math.PI * (i - phase)) / 288;
        const wave = amplitude * (Math.sin(angle) + second * Math.sin(2 * angle));
        return 0.4 + wave + (0.0006 + 0.003 * rough) * noise(i + 9_999 * k) + rate * Math.max(0, i - from);
      });
      const past = y.slice(0, n);
      const threshold = Math.max(...past) + 0.01 + 0.1 * random();
      const crosses = Math.max(...y.slice(n)) > threshold;
      if (crosses !== rate > 0) continue;
      said[crosses ? 'fills' : 'waves']++;
      if (exhaustion(past, { horizon: H, threshold }).crossProbability > 0.5) said[crosses ? 'rightly' : 'falsely']++;
    }
    expect(said.waves).toBeGreaterThan(100);
    expect(said.fills).toBeGreaterThan(80);
    // 16 of 120 before the past was asked what came after the like
    expect(said.falsely / said.waves).toBeLessThan(0.08);
    expect(said.rightly / said.fills).toBeGreaterThan(0.8);
  });

  it('tells the time of a noiseless line to the point', () => {
    const e = exhaustion(
      Array.from({ length: 200 }, (_, i) => i),
      { horizon: 40, threshold: 230.5 },
    );
    expect(e.pointsToThreshold).toBeCloseTo(31.5, 6);
    expect(e.crossProbability).toBeGreaterThan(0.99);
    expect(exhaustion([1, 2, 99], { horizon: 5, threshold: 50 })).toMatchObject({
      crossProbability: 1,
      pointsToThreshold: 0,
    });
  });

  it('keeps what its 95 % interval promises for a noisy line', () => {
    let inside = 0;
    let all = 0;
    for (let k = 0; k < 120; k++) {
      const y = Array.from(
        { length: 348 },
        (_, i) => i * 0.01 + 0.5 * (noise(i + 1_000 * k) + noise(i + 77_777 + 1_000 * k)),
      );
      const band = exhaustion(y.slice(0, 300), { horizon: 48, threshold: 1e9, levels: [0.95] }).intervals[0]!;
      for (let h = 0; h < 48; h++) {
        all++;
        if (y[300 + h]! >= band.lower[h]! && y[300 + h]! <= band.upper[h]!) inside++;
      }
    }
    expect(inside / all).toBeGreaterThan(0.9);
  });

  it('answers finite numbers in range for any series', () => {
    const any = fc.oneof(
      fc.double({ noNaN: false }),
      fc.constantFrom(0, Number.NaN, Number.POSITIVE_INFINITY, 1e308, -1e308, 5e-324),
    );
    fc.assert(
      fc.property(
        fc.array(any, { minLength: 1, maxLength: 150 }),
        fc.integer({ min: 1, max: 60 }),
        fc.double({ noNaN: true, noDefaultInfinity: true }),
        (values, horizon, threshold) => {
          const e = exhaustion(values, { horizon, threshold, levels: [0.5, 0.95] });
          expect(e.crossProbability >= 0 && e.crossProbability <= 1).toBe(true);
          expect(e.pointsToThreshold >= 0).toBe(true);
          expect(e.mean).toHaveLength(horizon);
          for (const m of e.mean) expect(Number.isNaN(m)).toBe(false);
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe('theilSen', () => {
  it('is exact on a line with a quarter of outliers', () => {
    const y = Float64Array.from({ length: 40 }, (_, i) => (i % 5 === 4 ? 1_000 : 3 * i));
    expect(theilSen(y)).toBeCloseTo(3, 0);
  });
});
