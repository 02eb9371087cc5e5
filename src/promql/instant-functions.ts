/** Functions from vector to vector that look at one sample at a time, and the date functions. */
import type { NativeHistogram } from '../model/histogram.ts';
import { nativeVariance } from './histogram-quantile.ts';

/** `a` and `b` are scalar arguments. */
export type Mapper = (v: number, a: number, b: number) => number;

const DAY = 86_400_000;
/** The Gregorian calendar repeats after 400 years of this many seconds. */
const CYCLE_SECONDS = 146_097 * 86_400;
/** What Go makes of a time outside its 64-bit seconds, NaN included, on amd64. */
const OUT_OF_RANGE = { date: new Date(Date.UTC(2016, 11, 4, 15, 30, 8)), years: 292_277_024_580 };

const date =
  (f: (d: Date) => number, isYear = false): Mapper =>
  (v) => {
    if (!(Math.abs(v) < 2 ** 63)) return f(OUT_OF_RANGE.date) + (isYear ? OUT_OF_RANGE.years : 0);
    const seconds = Math.trunc(v);
    const cycles = Math.floor(seconds / CYCLE_SECONDS);
    return f(new Date((seconds - cycles * CYCLE_SECONDS) * 1000)) + (isYear ? cycles * 400 : 0);
  };

export const DATE_FUNCTIONS: ReadonlyMap<string, Mapper> = new Map<string, Mapper>([
  ['minute', date((d) => d.getUTCMinutes())],
  ['hour', date((d) => d.getUTCHours())],
  ['day_of_week', date((d) => d.getUTCDay())],
  ['day_of_month', date((d) => d.getUTCDate())],
  ['day_of_year', date((d) => Math.floor((d.getTime() - Date.UTC(d.getUTCFullYear(), 0, 1)) / DAY) + 1)],
  ['days_in_month', date((d) => new Date(Date.UTC(d.getUTCFullYear(), d.getUTCMonth() + 1, 0)).getUTCDate())],
  ['month', date((d) => d.getUTCMonth() + 1)],
  ['year', date((d) => d.getUTCFullYear(), true)],
]);

/** As Go: an infinity wins over NaN. */
const max = (a: number, b: number): number =>
  a === Number.POSITIVE_INFINITY || b === Number.POSITIVE_INFINITY ? Number.POSITIVE_INFINITY : Math.max(a, b);
const min = (a: number, b: number): number =>
  a === Number.NEGATIVE_INFINITY || b === Number.NEGATIVE_INFINITY ? Number.NEGATIVE_INFINITY : Math.min(a, b);

export const MAPPERS: ReadonlyMap<string, Mapper> = new Map<string, Mapper>([
  ['abs', Math.abs],
  ['acos', Math.acos],
  ['acosh', Math.acosh],
  ['asin', Math.asin],
  ['asinh', Math.asinh],
  ['atan', Math.atan],
  ['atanh', Math.atanh],
  ['ceil', Math.ceil],
  ['cos', Math.cos],
  // as Go: exp overflows before the hyperbolic functions would have to
  ['cosh', (v) => (Math.abs(v) > 21 ? Math.exp(Math.abs(v)) * 0.5 : Math.cosh(v))],
  ['deg', (v) => (v * 180) / Math.PI],
  ['exp', Math.exp],
  ['floor', Math.floor],
  ['ln', Math.log],
  ['log10', Math.log10],
  ['log2', Math.log2],
  ['rad', (v) => (v * Math.PI) / 180],
  ['sgn', (v) => (v < 0 ? -1 : v > 0 ? 1 : v)],
  ['sin', Math.sin],
  ['sinh', (v) => (Math.abs(v) > 21 ? Math.sign(v) * Math.exp(Math.abs(v)) * 0.5 : Math.sinh(v))],
  ['sqrt', Math.sqrt],
  ['tan', Math.tan],
  ['tanh', Math.tanh],
  ['clamp', (v, a, b) => max(a, min(b, v))],
  ['clamp_max', (v, a) => min(a, v)],
  ['clamp_min', (v, a) => max(a, v)],
  [
    'round',
    (v, to) => {
      const inverse = 1 / to;
      return Math.floor(v * inverse + 0.5) / inverse;
    },
  ],
  ...DATE_FUNCTIONS,
]);

export const HISTOGRAM_MAPPERS: ReadonlyMap<string, (h: NativeHistogram) => number> = new Map([
  ['histogram_count', (h: NativeHistogram): number => h.count],
  ['histogram_sum', (h: NativeHistogram): number => h.sum],
  ['histogram_avg', (h: NativeHistogram): number => h.sum / h.count],
  ['histogram_stdvar', nativeVariance],
  ['histogram_stddev', (h: NativeHistogram): number => Math.sqrt(nativeVariance(h))],
]);

/** Natural order of label values, digits by number: what sort_by_label goes by. */
export function naturalCompare(a: string, b: string): number {
  const x = a.match(/\d+|\D+/g) ?? [];
  const y = b.match(/\d+|\D+/g) ?? [];
  for (let i = 0; i < Math.min(x.length, y.length); i++) {
    const p = x[i]!;
    const q = y[i]!;
    if (p === q) continue;
    if (/^\d/.test(p) && /^\d/.test(q)) {
      const d = Number(p) - Number(q);
      if (d !== 0) return d;
      if (p.length !== q.length) return p.length - q.length;
      continue;
    }
    return p < q ? -1 : 1;
  }
  return x.length - y.length;
}
