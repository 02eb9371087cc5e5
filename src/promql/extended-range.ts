/** `anchored` and `smoothed` ranges: the window's edges take values from around it instead of being extrapolated. */
import { VigieError } from '../lib/errors.ts';
import type { SeriesColumns } from '../model/sample.ts';
import type { Context } from './context.ts';
import { findResets, type Kernel, type Window } from './range-functions.ts';

const ANCHORED = new Set(['resets', 'changes', 'rate', 'increase', 'delta']);
const SMOOTHED = new Set(['rate', 'increase', 'delta']);

export function extendedWindow(
  c: Context,
  func: string,
  mode: 'anchored' | 'smoothed',
  s: SeriesColumns,
  startMs: number,
  endMs: number,
  w: Window,
  kernel: Kernel,
): number | undefined {
  const allowed = mode === 'anchored' ? ANCHORED : SMOOTHED;
  if (!allowed.has(func))
    throw new VigieError(
      'execution',
      `${mode} modifier can only be used with: ${[...allowed].sort().join(', ')} - not with ${func}`,
    );
  if (s.histograms) throw new VigieError('execution', `${mode} modifier is not supported with histograms`);
  const t = s.timestamps;
  const before = lastAtOrBefore(t, s.length, startMs);
  const last = lastAtOrBefore(t, s.length, endMs);
  const counter = func === 'rate' || func === 'increase';
  const seconds = func === 'rate' ? w.rangeMs / 1000 : 1;
  const usable = before >= 0 && t[before]! > startMs - c.lookbackMs ? before : -1;
  const first = usable >= 0 ? usable : before + 1;
  if (mode === 'anchored') {
    if (last < 0 || last <= before || first > last) return undefined;
    const times = t.slice(first, last + 1);
    const values = s.values.slice(first, last + 1);
    if (!counter && func !== 'delta') {
      w.none = false;
      return kernel(times, values, 0, values.length, w);
    }
    return change(values, counter) / seconds;
  }
  const after = last + 1;
  if (first >= s.length || (last < first && (after >= s.length || usable < 0))) return undefined;
  const edge = (at: number, i: number, left: boolean): number => {
    const x = s.values[i]!;
    if (i + 1 >= s.length || t[i + 1]! > endMs + c.lookbackMs) return x;
    const y = s.values[i + 1]!;
    const share = (at - t[i]!) / (t[i + 1]! - t[i]!);
    // a counter that falls is taken to start from zero at the sample before: at the left edge nothing of it is left
    if (counter && y < x) return left ? share * y : x + share * y;
    return x + share * (y - x);
  };
  const values: number[] = [];
  values.push(usable >= 0 ? edge(startMs, usable, true) : s.values[first]!);
  for (let i = before + 1; i <= last; i++) values.push(s.values[i]!);
  values.push(last >= 0 ? edge(endMs, last, false) : s.values[first]!);
  return change(Float64Array.from(values), counter) / seconds;
}

function change(v: Float64Array, counter: boolean): number {
  let d = v[v.length - 1]! - v[0]!;
  if (counter) for (const i of findResets(v, v.length)) d += v[i - 1]!;
  return d;
}

/** Value of a series at `atMs` on the straight line between the samples around it; the last one when none follows. */
export function smoothedAt(s: SeriesColumns, atMs: number, lookbackMs: number): number | undefined {
  const t = s.timestamps;
  const k = lastAtOrBefore(t, s.length, atMs);
  if (k < 0 || t[k]! <= atMs - lookbackMs) return undefined;
  const x = s.values[k]!;
  if (t[k] === atMs || k + 1 >= s.length || t[k + 1]! > atMs + lookbackMs) return x;
  return x + ((atMs - t[k]!) / (t[k + 1]! - t[k]!)) * (s.values[k + 1]! - x);
}

/** Index of the last entry at or before `t`, or -1. */
export function lastAtOrBefore(ts: Float64Array, length: number, t: number): number {
  let lo = 0;
  let hi = length;
  while (lo < hi) {
    const mid = (lo + hi) >> 1;
    if (ts[mid]! <= t) lo = mid + 1;
    else hi = mid;
  }
  return lo - 1;
}
