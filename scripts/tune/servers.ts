/**
 * Multivariate detection on labelled machines: `node scripts/tune/servers.ts --data DIR` (DIR holds servers-NN.csv.gz
 * with columns t, train, anomaly, metrics). Prints VUS-PR (Paparrizos et al., VLDB 2022: the area under precision and
 * recall averaged over buffer widths 0..100), average precision and false alerts per series and week.
 */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';
import { createMultivariateDetector, MULTIVARIATE_TUNING } from '../../src/algorithms/detection/multivariate.ts';

export interface Machine {
  readonly name: string;
  readonly t: number[];
  readonly train: boolean[];
  readonly label: Uint8Array;
  readonly rows: number[][];
}

export function readMachines(folder: string): Machine[] {
  return readdirSync(folder)
    .filter((f) => /^servers-\d+\.csv\.gz$/.test(f))
    .sort()
    .map((name) => {
      const lines = gunzipSync(readFileSync(path.join(folder, name)))
        .toString()
        .trim()
        .split('\n')
        .slice(1);
      const cells = lines.map((l) => l.split(',').map(Number));
      return {
        name,
        t: cells.map((c) => c[0]!),
        train: cells.map((c) => c[1] === 1),
        label: Uint8Array.from(cells, (c) => c[2]!),
        rows: cells.map((c) => c.slice(3)),
      };
    });
}

const BUFFER_MAX = 100;
const THRESHOLDS = 250;

function segments(label: Uint8Array): [number, number][] {
  const out: [number, number][] = [];
  for (let i = 0; i < label.length; i++)
    if (label[i] && !label[i - 1]) {
      let e = i;
      while (e + 1 < label.length && label[e + 1]) e++;
      out.push([i, e]);
    }
  return out;
}

/**
 * Range-aware area under precision and recall, averaged over buffer widths. Equal to 1e-12 with the implementation that
 * the benchmark TSB-AD publishes when every width is taken; steps of `widthStep` change the third decimal at most.
 */
export function vusPr(label: Uint8Array, score: Float64Array, widthStep = 10): number {
  const n = label.length;
  const found = segments(label);
  if (found.length === 0) return Number.NaN;
  const order = Array.from(score.keys()).sort((a, b) => score[b]! - score[a]!);
  const thresholds: number[] = [];
  const counts: number[] = [];
  for (let k = 0, i = 0; k < THRESHOLDS; k++) {
    const threshold = score[order[Math.floor(((n - 1) * k) / (THRESHOLDS - 1))]!]!;
    while (i < n && score[order[i]!]! >= threshold) i++;
    thresholds.push(threshold);
    counts.push(i);
  }
  let positives = 0;
  for (const l of label) positives += l;
  let volume = 0;
  let widths = 0;
  for (let w = 0; w <= BUFFER_MAX; w += widthStep, widths++) {
    const soft = Float64Array.from(label);
    const half = Math.floor(w / 2);
    for (const [from, to] of found)
      for (let k = 1; k <= half; k++) {
        const value = Math.sqrt(1 - k / w);
        if (from - k >= 0) soft[from - k] = Math.min(1, soft[from - k]! + value);
        if (to + k < n) soft[to + k] = Math.min(1, soft[to + k]! + value);
      }
    const reach: [number, number][] = [];
    for (const [from, to] of found) {
      const a = Math.max(0, from - half);
      const b = Math.min(n - 1, to + half);
      const last = reach[reach.length - 1];
      if (last && a <= last[1]) last[1] = b;
      else reach.push([a, b]);
    }
    const peaks = reach.map(([a, b]) => score.subarray(a, b + 1).reduce((x, y) => Math.max(x, y), 0));
    let tp = 0;
    let beside = 0;
    let area = 0;
    let recallBefore = 0;
    for (let k = 0, i = 0; k < THRESHOLDS; k++) {
      for (; i < counts[k]!; i++) {
        tp += soft[order[i]!]!;
        // What is due grows with what was found beside the labels.
        if (!label[order[i]!]) beside += soft[order[i]!]!;
      }
      const existence = peaks.filter((p) => p >= thresholds[k]!).length / peaks.length;
      const recall = Math.min(1, tp / (positives + beside / 2)) * existence;
      area += (recall - recallBefore) * (tp / counts[k]!);
      recallBefore = recall;
    }
    volume += area;
  }
  return volume / widths;
}

export function averagePrecision(label: Uint8Array, score: Float64Array): number {
  const order = Array.from(score.keys()).sort((a, b) => score[b]! - score[a]!);
  let tp = 0;
  let sum = 0;
  order.forEach((i, k) => {
    if (label[i]) sum += ++tp / (k + 1);
  });
  return tp > 0 ? sum / tp : Number.NaN;
}

export function judgeMachine(
  m: Machine,
  falseAlertsPerWeek = 0.25,
): {
  vus: number;
  ap: number;
  falsePerWeek: number;
  hit: number;
  of: number;
  cpuS: number;
} {
  const before = process.cpuUsage();
  const detector = createMultivariateDetector({ dims: m.rows[0]!.length, falseAlertsPerWeek });
  const scores: number[] = [];
  const label: number[] = [];
  const alerts: number[] = [];
  m.rows.forEach((row, i) => {
    const d = detector.update(m.t[i]!, row, m.train[i]!);
    if (m.train[i]) return;
    scores.push(d.score);
    label.push(m.label[i]!);
    if (d.alert) alerts.push(label.length - 1);
  });
  const used = process.cpuUsage(before);
  const marks = Uint8Array.from(label);
  const score = Float64Array.from(scores);
  const spans = segments(marks);
  const hit = new Set<number>();
  let wrong = 0;
  for (const a of alerts) {
    const s = spans.findIndex(([from, to]) => a >= from - 5 && a <= to + 5);
    if (s < 0) wrong++;
    else hit.add(s);
  }
  const weeks = label.length / 10_080;
  return {
    vus: vusPr(marks, score),
    ap: averagePrecision(marks, score),
    falsePerWeek: wrong / weeks,
    hit: hit.size,
    of: spans.length,
    cpuS: (used.user + used.system) / 1e6,
  };
}

/** Settings that were looked at around the chosen ones, and far from them. */
const SETTINGS = [0.01, 0.02, 0.04].flatMap((unitFloor) => [20, 40, 80].map((clip) => ({ unitFloor, clip })));

/** For each machine the settings that are best on the others: what choosing by these data is worth on unseen ones. */
function leaveOneOut(machines: readonly Machine[]): void {
  const before = { ...MULTIVARIATE_TUNING };
  const table = SETTINGS.map((settings) => {
    Object.assign(MULTIVARIATE_TUNING, settings);
    return machines.map((m) => judgeMachine(m).vus);
  });
  Object.assign(MULTIVARIATE_TUNING, before);
  const held = machines.map((m, i) => {
    const others = (row: readonly number[]): number => row.reduce((sum, v, k) => (k === i ? sum : sum + v), 0);
    const best = table.reduce((a, b, k) => (others(b) > others(table[a]!) ? k : a), 0);
    process.stdout.write(
      `${m.name} left out: ${JSON.stringify(SETTINGS[best])} gives ${table[best]![i]!.toFixed(3)}\n`,
    );
    return table[best]![i]!;
  });
  process.stdout.write(`leave-one-out VUS-PR ${(held.reduce((a, b) => a + b, 0) / held.length).toFixed(3)}\n`);
}

if (import.meta.main) {
  const at = process.argv.indexOf('--data');
  if (at < 0) throw new Error('usage: servers.ts --data DIR');
  const results = readMachines(process.argv[at + 1]!).map((m) => {
    const r = judgeMachine(m);
    process.stdout.write(
      `${m.name} VUS-PR ${r.vus.toFixed(3)} AP ${r.ap.toFixed(3)} false/week ${r.falsePerWeek.toFixed(2)} hit ${r.hit}/${r.of} ${Math.round(m.rows.length / r.cpuS)} rows per CPU s\n`,
    );
    return r;
  });
  process.stdout.write(`mean VUS-PR ${(results.reduce((s, r) => s + r.vus, 0) / results.length).toFixed(3)}\n`);
  if (process.argv.includes('--budgets'))
    for (const budget of [0.1, 0.25, 0.5, 1, 2, 4]) {
      const all = readMachines(process.argv[at + 1]!).map((m) => judgeMachine(m, budget));
      const sum = (of: (r: (typeof all)[number]) => number): number => all.reduce((s, r) => s + of(r), 0);
      process.stdout.write(
        `budget ${budget}: hit ${sum((r) => r.hit)}/${sum((r) => r.of)}, ${(sum((r) => r.falsePerWeek) / all.length).toFixed(2)} false a machine-week\n`,
      );
    }
  if (process.argv.includes('--folds')) leaveOneOut(readMachines(process.argv[at + 1]!));
}
