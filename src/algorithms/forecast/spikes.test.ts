/** Which values a fit must not see, and which it must. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { forecast } from './forecast.ts';
import { SPIKE_TUNING, withoutSpikes } from './spikes.ts';

const DAY = 24;
const WEEK = 7 * DAY;

/** Four weeks by the hour: a daily wave with a little of a generated noise. */
function days(change: (values: Float64Array) => void = () => {}): Float64Array {
  let s = 7;
  const values = Float64Array.from({ length: 4 * WEEK }, (_, t) => {
    s = (s * 1_664_525 + 1_013_904_223) >>> 0;
    return 50 + 20 * Math.sin((2 * Math.PI * t) / DAY) + (4 * s) / 4_294_967_296;
  });
  change(values);
  return values;
}

const set = (values: Float64Array, every: number, from: number): void => {
  for (let t = from; t < values.length; t += every) values[t] = 500;
};

describe('values without spikes', () => {
  it.each([
    ['one high value', (v: Float64Array) => (v[500] = 5_000), [500]],
    ['a low run of three', (v: Float64Array) => v.fill(-900, 300, 303), [300, 301, 302]],
    ['the newest value', (v: Float64Array) => (v[4 * WEEK - 1] = 5_000), [4 * WEEK - 1]],
  ])('%s is cut to what is usual around it', (_, change, at) => {
    const values = days((v) => void change(v));
    const out = withoutSpikes(values, [DAY, WEEK]);
    for (const t of at) {
      expect(out[t]).toBeGreaterThan(25);
      expect(out[t]).toBeLessThan(76);
    }
  });

  it.each([
    ['a level of half a day', (v: Float64Array) => v.fill(500, 300, 312)],
    ['a new level at the end', (v: Float64Array) => v.fill(500, 4 * WEEK - SPIKE_TUNING.runMax - 1)],
    ['what comes every day', (v: Float64Array) => set(v, DAY, 2)],
    ['what comes every week', (v: Float64Array) => set(v, WEEK, 50)],
  ])('%s stays', (_, change) => {
    const values = days((v) => void change(v));
    const out = withoutSpikes(values, [DAY, WEEK]);
    values.forEach((v, t) => {
      if (v === 500) expect(out[t], `at ${t}`).toBe(v);
    });
  });

  it('a steady rise and short series stay', () => {
    const rise = Float64Array.from({ length: 400 }, (_, t) => t * t);
    const out = withoutSpikes(rise, []);
    // its ends are the extremes of all that is near
    expect([...out.subarray(10, 390)]).toEqual([...rise.subarray(10, 390)]);
    expect(out[399]).toBeGreaterThan(rise[385]!);
    const short = Float64Array.of(1, 1, 1, 900, 1);
    expect([...withoutSpikes(short, [])]).toEqual([...short]);
  });

  it('never leaves the range, never moves a value that is not extreme, and takes any numbers', () => {
    fc.assert(
      fc.property(
        fc.float64Array({ minLength: 1, maxLength: 300, noNaN: true, min: -1e300, max: 1e300 }),
        fc.subarray([2, 7, 24, 168]),
        (values, seasons) => {
          const out = withoutSpikes(values, seasons);
          const sorted = values.slice().sort();
          const [low, high] = [sorted[0]!, sorted[sorted.length - 1]!];
          const usual = [
            sorted[Math.ceil(0.03 * (values.length - 1))]!,
            sorted[Math.floor(0.97 * (values.length - 1))]!,
          ];
          out.forEach((v, t) => {
            expect(v >= low && v <= high).toBe(true);
            if (values[t]! > usual[0]! && values[t]! < usual[1]!) expect(v).toBe(values[t]);
          });
        },
      ),
    );
  });
});

describe('a forecast after a spike', () => {
  it('follows the rhythm, and its interval is no narrower for what it left out', () => {
    const ahead = { stepSeconds: 3600, horizon: DAY, levels: [0.95] };
    const calm = forecast(days(), ahead);
    const after = forecast(
      days((v) => {
        v[4 * WEEK - 2] = 5_000;
        v[4 * WEEK - 60] = 4_000;
      }),
      ahead,
    );
    for (let h = 0; h < DAY; h++) expect(Math.abs(after.mean[h]! - calm.mean[h]!)).toBeLessThan(8);
    const width = (f: typeof calm): number => f.intervals[0]!.upper[12]! - f.intervals[0]!.lower[12]!;
    expect(width(after)).toBeGreaterThanOrEqual(width(calm));
  });
});
