/** Float arithmetic where PromQL demands more than plain JavaScript: compensated sums, Go's pow, quantiles. */

/** Result of `kahan` besides its return value: the compensation. */
export const kahanState = { c: 0 };

/** Kahan-Neumaier step: returns the new sum, leaves the new compensation in `kahanState.c`. */
export function kahan(inc: number, sum: number, c: number): number {
  const t = sum + inc;
  if (t === Number.POSITIVE_INFINITY || t === Number.NEGATIVE_INFINITY) c = 0;
  else if (Math.abs(sum) >= Math.abs(inc)) c += sum - t + inc;
  else c += inc - t + sum;
  kahanState.c = c;
  return t;
}

/** Go's math.Pow where it differs from `**`: 1 to any power is 1, and -1 to ±Inf is 1. */
export function pow(a: number, b: number): number {
  if (a === 1) return 1;
  if (a === -1 && (b === Number.POSITIVE_INFINITY || b === Number.NEGATIVE_INFINITY)) return 1;
  return a ** b;
}

const byValue = (a: number, b: number): number =>
  a < b ? -1 : a > b ? 1 : Number.isNaN(a) ? (Number.isNaN(b) ? 0 : -1) : Number.isNaN(b) ? 1 : 0;

/** φ-quantile by linear interpolation between ranks; NaN sorts first. Sorts `values` in place. */
export function quantile(q: number, values: number[] | Float64Array): number {
  const n = values.length;
  if (n === 0 || Number.isNaN(q)) return Number.NaN;
  if (q < 0) return Number.NEGATIVE_INFINITY;
  if (q > 1) return Number.POSITIVE_INFINITY;
  values.sort(byValue);
  const rank = q * (n - 1);
  const lower = Math.max(0, Math.floor(rank));
  const upper = Math.min(n - 1, lower + 1);
  const weight = rank - Math.floor(rank);
  return values[lower]! * (1 - weight) + values[upper]! * weight;
}

/** Slope and intercept at `interceptMs` by least squares over [lo, hi). */
export function linearRegression(
  t: Float64Array,
  v: Float64Array,
  lo: number,
  hi: number,
  interceptMs: number,
): { readonly slope: number; readonly intercept: number } {
  let n = 0;
  let sumX = 0;
  let cX = 0;
  let sumY = 0;
  let cY = 0;
  let sumXY = 0;
  let cXY = 0;
  let sumX2 = 0;
  let cX2 = 0;
  const first = v[lo]!;
  let constant = true;
  for (let i = lo; i < hi; i++) {
    if (constant && i > lo && v[i] !== first) constant = false;
    n++;
    const x = (t[i]! - interceptMs) / 1000;
    const y = v[i]!;
    sumX = kahan(x, sumX, cX);
    cX = kahanState.c;
    sumY = kahan(y, sumY, cY);
    cY = kahanState.c;
    sumXY = kahan(x * y, sumXY, cXY);
    cXY = kahanState.c;
    sumX2 = kahan(x * x, sumX2, cX2);
    cX2 = kahanState.c;
  }
  if (constant) {
    if (!Number.isFinite(first)) return { slope: Number.NaN, intercept: Number.NaN };
    return { slope: 0, intercept: first };
  }
  sumX += cX;
  sumY += cY;
  sumXY += cXY;
  sumX2 += cX2;
  const covXY = sumXY - (sumX * sumY) / n;
  const varX = sumX2 - (sumX * sumX) / n;
  const slope = covXY / varX;
  return { slope, intercept: sumY / n - (slope * sumX) / n };
}
