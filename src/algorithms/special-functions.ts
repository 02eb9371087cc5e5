/** Tail probabilities of the distributions that the tests here need. Accurate to about 1e-7, enough for decisions. */

/** P(|Z| >= |z|) of a standard normal. */
export function normalTwoSided(z: number): number {
  const x = Math.abs(z) / Math.SQRT2;
  const t = 1 / (1 + 0.5 * x);
  const poly =
    -1.26551223 +
    t *
      (1.00002368 +
        t *
          (0.37409196 +
            t *
              (0.09678418 +
                t *
                  (-0.18628806 +
                    t * (0.27886807 + t * (-1.13520398 + t * (1.48851587 + t * (-0.82215223 + t * 0.17087277))))))));
  return t * Math.exp(-x * x + poly);
}

/** P(Z >= z) of a standard normal. */
export function normalUpper(z: number): number {
  if (Number.isNaN(z)) return 0.5;
  const two = normalTwoSided(z);
  return z > 0 ? two / 2 : 1 - two / 2;
}

/** P(X >= x) of a chi-squared variable, by the cube-root normal of Wilson and Hilferty. */
export function chiSquaredTail(x: number, degrees: number): number {
  if (!(x > 0) || degrees <= 0) return 1;
  const c = 2 / (9 * degrees);
  const z = (Math.cbrt(x / degrees) - (1 - c)) / Math.sqrt(c);
  const two = normalTwoSided(z);
  return z > 0 ? two / 2 : 1 - two / 2;
}

/** P(D >= d) of the two-sample Kolmogorov-Smirnov statistic with effective size n (Stephens' correction). */
export function kolmogorovTail(d: number, n: number): number {
  const root = Math.sqrt(n);
  const lambda = (root + 0.12 + 0.11 / root) * d;
  if (lambda < 0.2) return 1;
  let sum = 0;
  for (let k = 1; k <= 100; k++) {
    const term = (k % 2 ? 2 : -2) * Math.exp(-2 * k * k * lambda * lambda);
    sum += term;
    if (Math.abs(term) < 1e-12) break;
  }
  return Math.max(0, Math.min(1, sum));
}

/** Inverse of the standard normal distribution (Acklam's rational approximation, error under 1.2e-9). */
export function normalQuantile(p: number): number {
  if (!(p > 0)) return Number.NEGATIVE_INFINITY;
  if (!(p < 1)) return Number.POSITIVE_INFINITY;
  const a = [
    -3.969683028665376e1, 2.209460984245205e2, -2.759285104469687e2, 1.38357751867269e2, -3.066479806614716e1,
    2.506628277459239,
  ];
  const b = [
    -5.447609879822406e1, 1.615858368580409e2, -1.556989798598866e2, 6.680131188771972e1, -1.328068155288572e1,
  ];
  const c = [
    -7.784894002430293e-3, -3.223964580411365e-1, -2.400758277161838, -2.549732539343734, 4.374664141464968,
    2.938163982698783,
  ];
  const d = [7.784695709041462e-3, 3.224671290700398e-1, 2.445134137142996, 3.754408661907416];
  const poly = (k: readonly number[], x: number): number => k.reduce((s, v) => s * x + v, 0);
  if (p < 0.02425 || p > 1 - 0.02425) {
    const tail = Math.min(p, 1 - p);
    const q = Math.sqrt(-2 * Math.log(tail));
    const x = poly(c, q) / (poly(d, q) * q + 1);
    return p < 0.5 ? x : -x;
  }
  const q = p - 0.5;
  const r = q * q;
  return (poly(a, r) * q) / (poly(b, r) * r + 1);
}
