/** The odd sibling is found; what all do together, what one always does, and churn are not alarms. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createPeerDetector } from './peers.ts';

const noise = (i: number, k: number): number => {
  const x = Math.sin(i * 12.9898 + k * 7.13) * 43758.5453;
  return (x - Math.floor(x) - 0.5) * 3.4;
};
const step = (i: number, change: (k: number) => number, members = 8): Map<string, number> =>
  new Map(
    Array.from({ length: members }, (_, k) => [`i${k}`, 50 + 20 * Math.sin(i / 100) + 2 * noise(i, k) + change(k)]),
  );

describe('peers', () => {
  it('finds the one that leaves the others, within a few steps, and nobody else', () => {
    const d = createPeerDetector();
    const alerts: [number, string][] = [];
    for (let i = 0; i < 3_000; i++)
      for (const [key, v] of d.update(step(i, (k) => (k === 5 && i >= 2_500 ? 15 : 0))))
        if (v.alert) alerts.push([i, key]);
    expect(alerts.length).toBeGreaterThan(0);
    expect(alerts.every(([i, key]) => key === 'i5' && i >= 2_500)).toBe(true);
    expect(alerts[0]![0]).toBeLessThan(2_510);
  });

  it.each([
    ['a jump of all', (i: number, _k: number) => (i > 1_000 ? 40 : 0)],
    ['one that is always different', (_i: number, k: number) => (k === 2 ? 9 : 0)],
    ['nothing', () => 0],
  ])('does not alarm on %s', (_name, change) => {
    const d = createPeerDetector();
    let alerts = 0;
    for (let i = 0; i < 3_000; i++)
      for (const v of d.update(step(i, (k) => change(i, k))).values()) if (v.alert) alerts++;
    expect(alerts).toBe(0);
  });

  it('says nothing of fewer than three, and forgets those that left', () => {
    const d = createPeerDetector();
    expect(
      d.update(
        new Map([
          ['a', 1],
          ['b', 900],
        ]),
      ).size,
    ).toBe(0);
    for (let i = 0; i < 2_000; i++)
      d.update(new Map(Array.from({ length: 5 }, (_, k) => [`pod-${Math.floor(i / 3)}-${k}`, 1])));
    expect(d.state().members.length).toBeLessThan(3_000);
  });

  it('goes on after a restart', () => {
    const whole = createPeerDetector();
    let half = createPeerDetector();
    for (let i = 0; i < 900; i++) {
      if (i === 400) half = createPeerDetector(0.25, JSON.parse(JSON.stringify(half.state())));
      const values = step(i, (k) => (k === 1 && i > 800 ? 30 : 0));
      expect([...half.update(values)]).toEqual([...whole.update(values)]);
    }
  });

  it('keeps scores in 0..1 for any values', () => {
    const any = fc.oneof(fc.double({ noNaN: false }), fc.constantFrom(0, 1e308, -1e308, 5e-324));
    fc.assert(
      fc.property(fc.array(fc.array(any, { minLength: 1, maxLength: 9 }), { maxLength: 60 }), (rows) => {
        const d = createPeerDetector();
        for (const row of rows)
          for (const v of d.update(new Map(row.map((x, k) => [String(k), x]))).values())
            expect(v.score >= 0 && v.score <= 1).toBe(true);
      }),
    );
  });
});
