/**
 * How often `exhaustion` announces what does not come, and sees what does: generated day waves, fills on top of them and
 * on flat series, waves with a slow trend, random walks; 48 points ahead. The figures of docs/intelligence.md.
 * Usage: node scripts/tune/exhaustion.ts
 */
import { exhaustion } from '../../src/algorithms/forecast/exhaustion.ts';

const DAY = 288;
const HORIZON = 48;
let seed = 12_345;
const random = (): number => (seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0) / 2 ** 32;
const gauss = (): number => Math.sqrt(-2 * Math.log(random() + 1e-12)) * Math.cos(2 * Math.PI * random());

interface Case {
  /** The history and, after its first `n` points, what came. */
  readonly y: readonly number[];
  readonly n: number;
  readonly threshold: number;
}

/** A day wave with a second harmonic; each day's height deviates by `jitter`. */
function wave(days: number, jitter: number): (i: number) => number {
  const [amplitude, phase, second, secondPhase] = [
    0.05 + 0.25 * random(),
    random() * DAY,
    0.4 * random(),
    random() * DAY,
  ];
  const base = 0.2 + 0.3 * random();
  const heights = Array.from({ length: days + 2 }, () => 1 + jitter * gauss());
  return (i) => {
    const height = heights[Math.min(days + 1, Math.max(0, Math.floor((i - phase + DAY) / DAY)))]!;
    const angle = (at: number): number => (2 * Math.PI * (i - at)) / DAY;
    return base + amplitude * height * (Math.sin(angle(phase)) + second * Math.sin(2 * angle(secondPhase)));
  };
}

let asked = 0;
function judge(name: string, count: number, crosses: boolean, make: () => Case): void {
  let cases = 0;
  let announced = 0;
  for (let k = 0; k < count; k++) {
    const { y, n, threshold } = make();
    if (Math.max(...y.slice(n, n + HORIZON)) > threshold !== crosses) continue;
    cases++;
    asked++;
    if (exhaustion(y.slice(0, n), { horizon: HORIZON, threshold }).crossProbability > 0.5) announced++;
  }
  console.log(`${name}: ${announced} of ${cases} announced, ${crosses ? 'all of which come' : 'none of which comes'}`);
}

/** A wave of some days with noise and what is added to it; the threshold is `above` its height so far. */
function onWave(
  days: number,
  jitter: number,
  noise: number,
  added: (i: number, n: number) => number,
  above: number,
): Case {
  const n = days * DAY + Math.floor(random() * DAY);
  const at = wave(days + 2, jitter);
  const y = Array.from({ length: n + HORIZON }, (_, i) => at(i) + noise * gauss() + added(i, n));
  return { y, n, threshold: Math.max(...y.slice(0, n)) + above };
}

const before = process.cpuUsage();
for (const jitter of [0, 0.05])
  for (const days of [3, 7, 14])
    judge(`day waves, ${days} days, heights that differ by ${jitter}`, 250, false, () =>
      onWave(days, jitter, 0.002 + 0.01 * random(), () => 0, 0.01 + 0.1 * random()),
    );
judge('fills on waves', 400, true, () => {
  const [back, rate] = [8 + Math.floor(random() * 60), 0.004 + 0.02 * random()];
  return onWave(7, 0.05, 0.002 + 0.008 * random(), (i, n) => rate * Math.max(0, i - (n - back)), 0.02 + 0.2 * random());
});
judge('fills on flat series', 400, true, () => {
  const [back, rate, noise] = [7 + Math.floor(random() * 100), 0.002 + 0.02 * random(), 0.001 + 0.005 * random()];
  const n = 7 * DAY;
  const y = Array.from({ length: n + HORIZON }, (_, i) => 0.3 + noise * gauss() + rate * Math.max(0, i - (n - back)));
  return { y, n, threshold: y[n - 1]! + 0.05 + 0.3 * random() };
});
for (const crosses of [true, false])
  judge(`waves with a slow trend that ${crosses ? 'cross' : 'stay below'}`, 500, crosses, () => {
    const trend = 0.01 + 0.08 * random();
    return onWave(7, 0.02, 0.005, (i) => (trend * i) / DAY, 0.01 + 0.08 * random());
  });
judge('random walks', 300, false, () => {
  let x = 0.5;
  const y = Array.from({ length: 7 * DAY + HORIZON }, () => (x += 0.004 * gauss()));
  return { y, n: 7 * DAY, threshold: Math.max(...y.slice(0, 7 * DAY)) + 0.05 };
});
const { user, system } = process.cpuUsage(before);
console.log(`${asked} histories, ${Math.round(asked / ((user + system) / 1e6))} a CPU second with making them`);
