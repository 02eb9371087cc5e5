/** Range functions on windows that hold native histograms, alone or mixed with floats. The slow path, by intent. */
import type { NativeHistogram } from '../model/histogram.ts';
import type { SeriesColumns } from '../model/sample.ts';
import type { Pos } from './ast.ts';
import { type Context, ofMetric } from './context.ts';
import { addHistograms, detectReset, equalHistograms, isCustom, scaleHistogram } from './native-histogram.ts';
import { extrapolationFactor, type Kernel, type Window } from './range-functions.ts';

type Answer = number | NativeHistogram | undefined;

export function histogramWindow(
  c: Context,
  func: string,
  s: SeriesColumns,
  lo: number,
  hi: number,
  w: Window,
  kernel: Kernel,
  pos: Pos,
): Answer {
  const all = s.histograms!;
  const points: { t: number; h: NativeHistogram | undefined; v: number }[] = [];
  for (let i = lo; i < hi; i++) points.push({ t: s.timestamps[i]!, h: all[i], v: s.values[i]! });
  const floats = points.filter((p) => !p.h);
  const hists = points.filter((p) => p.h) as { t: number; h: NativeHistogram; v: number }[];
  const name = s.labels.metricName;
  const mixed = floats.length > 0 && hists.length > 0;
  const mixedWarning = (): undefined => {
    c.notes.warn(`encountered a mix of histograms and floats${ofMetric(name)}`, pos);
    return undefined;
  };
  const onFloats = (): Answer => {
    if (floats.length === 0) return undefined;
    if (mixed)
      c.notes.info(`ignored histograms in a range containing both floats and histograms${ofMetric(name)}`, pos);
    const t = Float64Array.from(floats, (p) => p.t);
    const v = Float64Array.from(floats, (p) => p.v);
    w.none = false;
    const r = kernel(t, v, 0, v.length, w);
    return w.none ? undefined : r;
  };
  switch (func) {
    case 'count_over_time':
    case 'present_over_time':
      return func === 'count_over_time' ? points.length : 1;
    case 'last_over_time':
      return points.at(-1)!.h ?? points.at(-1)!.v;
    case 'first_over_time':
      return points[0]!.h ?? points[0]!.v;
    case 'ts_of_first_over_time':
      return points[0]!.t / 1000;
    case 'ts_of_last_over_time':
      return points.at(-1)!.t / 1000;
    case 'sum_over_time':
    case 'avg_over_time': {
      if (mixed) return mixedWarning();
      if (hists.length === 0) return onFloats();
      let total = hists[0]!.h;
      for (const p of hists.slice(1)) {
        const next = addHistograms(total, p.h, 1);
        if (!next) {
          c.notes.warn(
            `vector contains a mix of histograms with exponential and custom buckets schemas${ofMetric(name)}`,
            pos,
          );
          return undefined;
        }
        total = next;
      }
      return func === 'avg_over_time' ? scaleHistogram(total, 1 / hists.length, hists.length) : total;
    }
    case 'changes':
    case 'resets': {
      let n = 0;
      for (let i = 1; i < points.length; i++) {
        const a = points[i - 1]!;
        const b = points[i]!;
        if (func === 'changes') {
          if (
            a.h && b.h
              ? !equalHistograms(a.h, b.h)
              : a.h || b.h
                ? true
                : a.v !== b.v && !(Number.isNaN(a.v) && Number.isNaN(b.v))
          )
            n++;
        } else if (a.h && b.h ? detectReset(b.h, a.h) : a.h || b.h ? true : b.v < a.v) n++;
      }
      return n;
    }
    case 'rate':
    case 'increase':
    case 'delta': {
      if (points.length < 2) return undefined;
      if (mixed) return mixedWarning();
      if (hists.length === 0) return onFloats();
      return histogramRate(c, func, hists, w, name, pos);
    }
    case 'irate':
    case 'idelta': {
      if (points.length < 2) return undefined;
      const a = points.at(-2)!;
      const b = points.at(-1)!;
      if (!a.h && !b.h) {
        w.none = false;
        const r = kernel(s.timestamps, s.values, hi - 2, hi, w);
        return w.none ? undefined : r;
      }
      if (!a.h || !b.h) return mixedWarning();
      const gauge = a.h.counterResetHint === 'gauge' || b.h.counterResetHint === 'gauge';
      if (func === 'irate' && gauge)
        c.notes.warn(`this native histogram metric is not a counter: ${JSON.stringify(name)}`, pos);
      if (func === 'idelta' && (a.h.counterResetHint !== 'gauge' || b.h.counterResetHint !== 'gauge'))
        c.notes.warn(`this native histogram metric is not a gauge: ${JSON.stringify(name)}`, pos);
      const delta = func === 'irate' && detectReset(b.h, a.h) ? b.h : addHistograms(b.h, a.h, -1);
      if (!delta) {
        c.notes.warn(
          `vector contains a mix of histograms with exponential and custom buckets schemas${ofMetric(name)}`,
          pos,
        );
        return undefined;
      }
      const asGauge: NativeHistogram = { ...delta, counterResetHint: 'gauge' };
      return func === 'irate' ? scaleHistogram(asGauge, 0, (b.t - a.t) / 1000) : asGauge;
    }
    default:
      return onFloats();
  }
}

function histogramRate(
  c: Context,
  func: string,
  points: readonly { t: number; h: NativeHistogram }[],
  w: Window,
  name: string,
  pos: Pos,
): NativeHistogram | undefined {
  const counter = func !== 'delta';
  const first = points[0]!.h;
  const last = points.at(-1)!.h;
  if (counter && points.some((p) => p.h.counterResetHint === 'gauge'))
    c.notes.warn(`this native histogram metric is not a counter: ${JSON.stringify(name)}`, pos);
  if (!counter && (first.counterResetHint !== 'gauge' || last.counterResetHint !== 'gauge'))
    c.notes.warn(`this native histogram metric is not a gauge: ${JSON.stringify(name)}`, pos);
  // a reset right after the first point takes it out of the sum, whatever its buckets were like
  const from = counter && detectReset(points[1]!.h, first) ? 1 : 0;
  const start = points[from]!.h;
  if (points.slice(from).some((p) => isCustom(p.h) !== isCustom(start))) {
    c.notes.warn(
      `vector contains a mix of histograms with exponential and custom buckets schemas${ofMetric(name)}`,
      pos,
    );
    return undefined;
  }
  let result: NativeHistogram = from === 1 ? last : addHistograms(last, first, -1)!;
  if (counter)
    for (let i = from + 1; i < points.length; i++)
      if (detectReset(points[i]!.h, points[i - 1]!.h)) result = addHistograms(result, points[i - 1]!.h, 1)!;
  let factor = extrapolationFactor(
    points[0]!.t,
    points.at(-1)!.t,
    points.length,
    w,
    counter && result.count > 0 && first.count >= 0 ? first.count / result.count : Number.POSITIVE_INFINITY,
  );
  if (func === 'rate') factor /= w.rangeMs / 1000;
  return { ...scaleHistogram(result, factor), counterResetHint: 'gauge' };
}
