/**
 * Detection on labelled series in the layout of the Numenta Anomaly Benchmark: `node scripts/tune/nab.ts --data DIR`
 * (DIR holds nab.json and its CSV files). Prints the three profiles for all series, and for each half.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { createDetector } from '../../src/algorithms/detection/detector.ts';
import { NAB_PROFILES, nabScore, probationPoints, type ScoredSeries } from './nab-score.ts';

export interface LabelledSeries {
  readonly name: string;
  readonly times: Float64Array;
  readonly values: Float64Array;
  readonly windows: readonly (readonly [number, number])[];
}

export function readLabelled(folder: string): LabelledSeries[] {
  const index = JSON.parse(readFileSync(path.join(folder, 'nab.json'), 'utf8')) as {
    id: string;
    name: string;
    windows: [number, number][];
  }[];
  return index.map(({ id, name, windows }) => {
    const rows = readFileSync(path.join(folder, `${id}.csv`), 'utf8')
      .trim()
      .split('\n')
      .slice(1);
    const times = new Float64Array(rows.length);
    const values = new Float64Array(rows.length);
    rows.forEach((row, i) => {
      const [t, v] = row.split(',');
      times[i] = Number(t);
      values[i] = Number(v);
    });
    return { name, times, values, windows };
  });
}

export function medianStep(times: Float64Array): number {
  const gaps = Array.from(times.subarray(1), (t, i) => t - times[i]!).sort((a, b) => a - b);
  return gaps[gaps.length >> 1] ?? 0;
}

export function scoreSeries(s: LabelledSeries): ScoredSeries & { alerts: number[]; raw: Float64Array } {
  const scores = new Float64Array(s.times.length);
  const raw = new Float64Array(s.times.length);
  const alerts: number[] = [];
  const detector = createDetector({ stepSeconds: medianStep(s.times), warmupPoints: probationPoints(s.times.length) });
  for (let i = 0; i < scores.length; i++) {
    const d = detector.update(s.times[i]!, s.values[i]!);
    scores[i] = d.alertScore;
    raw[i] = d.score;
    if (d.alert) alerts.push(i);
  }
  return { times: s.times, scores, raw, windows: s.windows, alerts };
}

if (import.meta.main) {
  const at = process.argv.indexOf('--data');
  if (at < 0) throw new Error('usage: nab.ts --data DIR');
  const series = readLabelled(process.argv[at + 1]!);
  const before = process.cpuUsage();
  const scored = series.map(scoreSeries);
  const used = process.cpuUsage(before);
  const points = series.reduce((n, s) => n + s.times.length, 0);
  const halves = { all: scored, even: scored.filter((_, i) => i % 2 === 0), odd: scored.filter((_, i) => i % 2 === 1) };
  for (const [name, part] of Object.entries(halves)) {
    for (const [profile, costs] of Object.entries(NAB_PROFILES)) {
      const r = nabScore(part, costs);
      process.stdout.write(
        `${name.padEnd(5)} ${profile.padEnd(9)} ${r.score.toFixed(1).padStart(6)}  found ${r.found}/${r.windows}, false ${r.falseAlerts}, threshold ${r.threshold.toFixed(3)}\n`,
      );
    }
  }
  let falseAlerts = 0;
  let hits = 0;
  let weeks = 0;
  scored.forEach((s) => {
    weeks += (s.times[s.times.length - 1]! - s.times[0]!) / 604_800;
    const hit = new Set<number>();
    for (const i of s.alerts) {
      const w = s.windows.findIndex(([from, to]) => s.times[i]! >= from && s.times[i]! <= to);
      if (w < 0) falseAlerts++;
      else hit.add(w);
    }
    hits += hit.size;
  });
  process.stdout.write(`alerts: windows hit ${hits}, false per series-week ${(falseAlerts / weeks).toFixed(2)}\n`);
  process.stdout.write(`${Math.round(points / ((used.user + used.system) / 1e6))} points per CPU second\n`);
}
