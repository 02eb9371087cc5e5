/** A native histogram as Prometheus' text form, which count_values puts into a label. */
import type { NativeHistogram } from '../model/histogram.ts';
import { formatG } from './literal.ts';
import { bucketsOf, isCustom } from './native-histogram.ts';

/** `{count:3, sum:5, [-1,-0.5):1, (0.5,1]:2}`: non-empty buckets, a bracket where the bound belongs to the bucket. */
export function histogramText(h: NativeHistogram): string {
  const parts = [`count:${formatG(h.count)}`, `sum:${formatG(h.sum)}`];
  for (const b of bucketsOf(h, true)) {
    if (b.count === 0) continue;
    const rule = boundaryRule(h, b);
    const open = rule === 1 || rule === 3 ? '[' : '(';
    const close = rule === 0 || rule === 3 ? ']' : ')';
    parts.push(`${open}${formatG(b.lower)},${formatG(b.upper)}${close}:${formatG(b.count)}`);
  }
  return `{${parts.join(', ')}}`;
}

/** Which bounds belong to a bucket, as Prometheus' JSON numbers it: 0 the upper, 1 the lower, 2 none, 3 both. */
export function boundaryRule(h: NativeHistogram, b: { readonly lower: number; readonly upper: number }): 0 | 1 | 3 {
  if (isCustom(h)) return b.lower === Number.NEGATIVE_INFINITY ? 3 : 0;
  if (b.lower < 0) return b.upper > 0 ? 3 : 1;
  return 0;
}
