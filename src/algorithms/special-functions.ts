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
