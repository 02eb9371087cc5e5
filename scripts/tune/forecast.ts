/**
 * Forecasts on hourly means of real series: `node scripts/tune/forecast.ts --data DIR`. Rolling origins; MASE against
 * the seasonal naive of the history, symmetric error and OWA against a seasonally adjusted naive (M4's Naive 2 without
 * its significance test), coverage and width of 95 % intervals, F1 of crossings of the 90th percentile within 6 hours.
 */
import { CROSS_PROBABILITY_MIN, forecast } from '../../src/algorithms/forecast/forecast.ts';
import { readLabelled } from './nab.ts';
import { readMachines } from './servers.ts';

const HORIZON = 48;
const HISTORY = 700;
const STEP = 3600;
const SEASON = 24;

interface Hourly {
  readonly name: string;
  readonly values: number[];
  /** Hours with a labelled fault. */
  readonly faulty: boolean[];
}

function hourly(
  name: string,
  times: ArrayLike<number>,
  values: ArrayLike<number>,
  isFaulty: (i: number) => boolean,
): Hourly {
  const sums = new Map<number, [number, number]>();
  const marked = new Set<number>();
  for (let i = 0; i < times.length; i++) {
    const h = Math.floor(times[i]! / STEP);
    const s = sums.get(h) ?? [0, 0];
    s[0] += values[i]!;
    s[1]++;
    if (isFaulty(i)) marked.add(h);
    sums.set(h, s);
  }
  const hours = [...sums.keys()].sort((a, b) => a - b);
  const out: number[] = [];
  const faulty: boolean[] = [];
  for (let h = hours[0]!; h <= hours[hours.length - 1]!; h++) {
    const s = sums.get(h);
    out.push(s ? s[0] / s[1] : (out[out.length - 1] ?? 0));
    faulty.push(marked.has(h));
  }
  return { name, values: out, faulty };
}

/** Seasonally adjusted random walk: the last season's shape around the last level. */
function naive2(history: readonly number[], horizon: number): number[] {
  const n = history.length;
  const mean = history.reduce((a, b) => a + b, 0) / n;
  const index = Array.from({ length: SEASON }, (_, k) => {
    let sum = 0;
    let count = 0;
    for (let i = k; i < n; i += SEASON) {
      sum += history[i]!;
      count++;
    }
    return sum / count - mean;
  });
  const level = history[n - 1]! - index[(n - 1) % SEASON]!;
  return Array.from({ length: horizon }, (_, h) => level + index[(n + h) % SEASON]!);
}

export interface ForecastRecord {
  mase: number;
  mase24: number;
  owa: number;
  covered: number;
  crossing: readonly [boolean, boolean];
  probability: number;
}

export function judgeForecast(history: readonly number[], truth: readonly number[]): ForecastRecord {
  const sorted = [...history].sort((a, b) => a - b);
  const threshold = sorted[Math.floor(sorted.length * 0.9)]!;
  const f = forecast(history, { stepSeconds: STEP, horizon: HORIZON, levels: [0.95], threshold, within: 6 });
  let scale = 0;
  for (let i = SEASON; i < history.length; i++) scale += Math.abs(history[i]! - history[i - SEASON]!);
  scale = scale / (history.length - SEASON) || 1e-9;
  const reference = naive2(history, HORIZON);
  const error = (g: ArrayLike<number>, h: number): number =>
    truth.slice(0, h).reduce((s, y, i) => s + Math.abs(y - g[i]!), 0) / h;
  const smape = (g: ArrayLike<number>): number =>
    truth.reduce((s, y, i) => s + (2 * Math.abs(y - g[i]!)) / (Math.abs(y) + Math.abs(g[i]!) || 1), 0);
  const { lower, upper } = f.intervals[0]!;
  return {
    mase: error(f.mean, HORIZON) / scale,
    mase24: error(f.mean, 24) / scale,
    owa:
      0.5 * (error(f.mean, HORIZON) / (error(reference, HORIZON) || 1e-9) + smape(f.mean) / (smape(reference) || 1e-9)),
    covered: truth.filter((y, i) => y >= lower[i]! && y <= upper[i]!).length / HORIZON,
    crossing: [f.crossProbability! >= CROSS_PROBABILITY_MIN, truth.slice(0, 6).some((y) => y > threshold)],
    probability: f.crossProbability!,
  };
}

/** History and truth of every rolling origin, and whether a fault is labelled in the first day of the truth. */
export function readCases(folder: string): [number[], number[], boolean][] {
  const series: Hourly[] = readLabelled(folder).map((s) =>
    hourly(s.name, s.times, s.values, (i) => s.windows.some(([from, to]) => s.times[i]! >= from && s.times[i]! <= to)),
  );
  for (const m of readMachines(folder))
    for (const k of [0, 3, 11, 19, 25])
      series.push(
        hourly(
          `${m.name} m${k}`,
          m.t,
          m.rows.map((r) => r[k]!),
          (i) => m.label[i] === 1,
        ),
      );
  const out: [number[], number[], boolean][] = [];
  for (const s of series)
    for (let origin = HISTORY; origin + HORIZON <= s.values.length; origin += 24) {
      const history = s.values.slice(origin - HISTORY, origin);
      // A series with hardly any distinct value says nothing about a forecaster.
      if (new Set(history).size >= 20)
        out.push([
          history,
          s.values.slice(origin, origin + HORIZON),
          s.faulty.slice(origin, origin + SEASON).includes(true),
        ]);
    }
  return out;
}

if (import.meta.main) {
  const at = process.argv.indexOf('--data');
  if (at < 0) throw new Error('usage: forecast.ts --data DIR');
  const cases = readCases(process.argv[at + 1]!);
  const before = process.cpuUsage();
  const records = cases.map(([history, truth]) => judgeForecast(history, truth));
  const used = process.cpuUsage(before);
  const mean = (pick: (r: ForecastRecord) => number): string =>
    (records.reduce((s, r) => s + pick(r), 0) / records.length).toFixed(3);
  process.stdout.write(
    `${records.length} forecasts, MASE 48 h ${mean((r) => r.mase)}, 24 h ${mean((r) => r.mase24)}, OWA ${mean((r) => Math.min(5, r.owa))}, coverage ${mean((r) => r.covered)}\n`,
  );
  const sound = records.filter((_, i) => !cases[i]![2]);
  process.stdout.write(
    `without the ${records.length - sound.length} whose day holds a labelled fault, MASE 24 h ${(sound.reduce((s, r) => s + r.mase24, 0) / sound.length).toFixed(3)}\n`,
  );
  for (const limit of [0.25, 0.3, 0.35, 0.4, 0.5]) {
    const tp = records.filter((r) => r.probability >= limit && r.crossing[1]).length;
    const wrong = records.filter((r) => r.probability >= limit !== r.crossing[1]).length;
    process.stdout.write(`crossing F1 at probability ${limit}: ${((2 * tp) / (2 * tp + wrong)).toFixed(3)}\n`);
  }
  process.stdout.write(`${Math.round(records.length / ((used.user + used.system) / 1e6))} forecasts per CPU second\n`);
}
