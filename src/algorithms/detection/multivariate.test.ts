/** What several metrics together must show, and what must not fool them. Rows are generated with a seed. */
import { describe, expect, it } from 'vitest';
import { createMultivariateDetector, type MultivariateState } from './multivariate.ts';

function noise(seed: number): () => number {
  let s = seed >>> 0;
  const uniform = (): number => {
    s = (s * 1_664_525 + 1_013_904_223) >>> 0;
    return (s + 0.5) / 4_294_967_296;
  };
  return () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
}

/** Load drives four metrics; a fifth stands still, a sixth is noise. */
function machine(seed: number): (i: number) => number[] {
  const next = noise(seed);
  return (i) => {
    const load = 50 + 20 * Math.sin((2 * Math.PI * i) / 1440) + 3 * next();
    return [load, 2 * load + next(), 1e6 * (load + next()), 0.001 * load + 0.001 * next(), 7, next()];
  };
}

describe('multivariate detection', () => {
  it('ranks a broken relation above everything normal, though every value stays in its range', () => {
    const row = machine(1);
    const detector = createMultivariateDetector({ dims: 6 });
    const usual: number[] = [];
    const broken: number[] = [];
    let named = -1;
    for (let i = 0; i < 6000; i++) {
      const r = row(i);
      const wrong = i >= 5400 && i < 5500;
      // what follows the load goes against it
      if (wrong) r[1] = 200 - r[1]!;
      const d = detector.update(i * 60, r, i < 4000);
      if (i === 5490) {
        const shares = detector.contributions();
        named = shares.indexOf(Math.max(...shares));
        expect(shares.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 9);
      }
      if (wrong && i >= 5405) broken.push(d.score);
      else if (i > 2000 && i < 5400) usual.push(d.score);
    }
    usual.sort((a, b) => a - b);
    const limit = usual[Math.floor(0.999 * usual.length)]!;
    expect(broken.filter((s) => s > limit).length).toBeGreaterThan(0.9 * broken.length);
    expect([0, 1, 2]).toContain(named);
  });

  it.each([
    ['a minute', 60, 0.25],
    ['five minutes', 300, 0.25],
    ['a minute, small budget', 60, 0.02],
  ])('alerts once on a relation that breaks and never before, rows every %s', (_, stepS, falseAlertsPerWeek) => {
    for (const seed of [1, 2, 3, 4, 5]) {
      const row = machine(seed);
      const detector = createMultivariateDetector({ dims: 6, falseAlertsPerWeek });
      const alerts: number[] = [];
      for (let i = 0; i < 9000; i++) {
        const r = row(i);
        if (i >= 8400 && i < 8500) r[1] = 200 - r[1]!;
        if (detector.update(i * stepS, r, i < 4000).alert) alerts.push(i);
      }
      expect(alerts.length, `seed ${seed}: ${alerts}`).toBe(1);
      expect(alerts[0]).toBeGreaterThanOrEqual(8402);
      expect(alerts[0]).toBeLessThan(8420);
    }
  });

  it('a larger budget alerts earlier or more often, never less', () => {
    const count = (falseAlertsPerWeek: number): number => {
      const row = machine(6);
      const next = noise(7);
      const detector = createMultivariateDetector({ dims: 6 });
      detector.setBudget(falseAlertsPerWeek);
      let n = 0;
      for (let i = 0; i < 30_000; i++) {
        const r = row(i);
        // odd spells of five rows, of every size
        if (i > 4000 && i % 200 < 5) r[1]! += 2 * Math.abs(next()) * (i % 200 === 0 ? 1 : 2);
        if (detector.update(i * 60, r, i < 4000).alert) n++;
      }
      return n;
    };
    const counts = [0.01, 0.25, 4].map(count);
    expect(counts[2]).toBeGreaterThan(counts[1]!);
    expect(counts[1]).toBeGreaterThanOrEqual(counts[0]!);
  });

  it('one metric that stood still and moves does not drown the rest', () => {
    const [a, b, c] = [machine(21), machine(22), machine(23)];
    const detector = createMultivariateDetector({ dims: 18 });
    let still = 0;
    let all = 0;
    for (let i = 0; i < 5000; i++) {
      const r = [...a(i), ...b(i), ...c(i)];
      if (i === 4200) r[4] = 1e9;
      if (i >= 4700 && i < 4720) for (let k = 0; k < 18; k += 2) r[k]! *= 2;
      const { score } = detector.update(i * 60, r, i < 4000);
      if (i === 4200) still = score;
      if (i === 4719) all = score;
    }
    expect(still).toBeGreaterThan(0.3);
    expect(all).toBeGreaterThan(still);
  });

  it('learns a new norm in the end, and does not learn a fault of hours', () => {
    const row = machine(3);
    const detector = createMultivariateDetector({ dims: 6 });
    const mean = (from: number, to: number, scores: readonly number[]): number =>
      scores.slice(from, to).reduce((a, b) => a + b, 0) / (to - from);
    const scores: number[] = [];
    for (let i = 0; i < 90_000; i++) {
      const r = row(i);
      if (i >= 6000) r[5]! += 12;
      scores.push(detector.update(i * 60, r, i < 4000).score);
    }
    const calm = mean(4500, 5900, scores);
    expect(mean(6010, 6300, scores)).toBeGreaterThan(1.5 * calm);
    expect(mean(6900, 7200, scores)).toBeGreaterThan(1.3 * calm);
    expect(mean(85_000, 90_000, scores)).toBeLessThan(1.2 * calm);
  });

  it('missing numbers do not raise the score, in the first rows neither', () => {
    const row = machine(4);
    const detector = createMultivariateDetector({ dims: 6 });
    let worst = 0;
    for (let i = 0; i < 4000; i++) {
      const r: (number | null)[] = row(i);
      if (i % 7 === 0) r[i % 6] = null;
      if (i > 2000 && i < 2200) r.fill(null);
      const { score } = detector.update(i * 60, r);
      if (i > 2005 && i < 2200) worst = Math.max(worst, score);
    }
    expect(worst).toBeLessThan(0.3);
  });

  it('a state of another version is refused with what was wanted', () => {
    const old = { ...createMultivariateDetector({ dims: 2 }).state(), version: 1 } as unknown as MultivariateState;
    expect(() => createMultivariateDetector({ dims: 2 }, old)).toThrow(/version 3.*got 1/);
  });
});
