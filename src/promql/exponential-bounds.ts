/**
 * Bounds of exponential buckets, bit for bit as Prometheus has them: its table was generated with a power function whose
 * last bit is not that of JavaScript's, and bounds are compared, printed and interpolated between.
 */

const LN2_HI = 0.6931471803691238;
const LN2_LO = 1.9082149292705877e-10;
/** Coefficients of the Remez polynomial for r (exp(r) + 1) / (exp(r) - 1), as in FreeBSD's e_exp.c. */
const P = [
  0.16666666666666666, -0.0027777777777015593, 0.00006613756321437934, -0.0000016533902205465252, 4.1381367970572385e-8,
] as const;

/** 2^x for 0 < x <= 0.5 by the method of FreeBSD's exp: reduction by ln 2, then a rational approximation. */
function exp2(x: number): number {
  const k = Math.trunc(x + 0.5);
  const t = x - k;
  const hi = t * LN2_HI;
  const lo = -t * LN2_LO;
  const r = hi - lo;
  const s = r * r;
  const c = r - s * (P[0] + s * (P[1] + s * (P[2] + s * (P[3] + s * P[4]))));
  return (1 - (lo - (r * c) / (2 - c) - hi)) * 2 ** k;
}

/** Highest resolution: 256 buckets for each power of two. */
const SCHEMA_MAX = 8;

/** Fractions in [0.5, 1) of each schema; every other one comes from the schema before, so that errors do not add up. */
const FRACTIONS: readonly Float64Array[] = (() => {
  const tables = [Float64Array.of(0.5)];
  for (let schema = 1; schema <= SCHEMA_MAX; schema++) {
    const bounds = new Float64Array(2 ** schema);
    const factor = exp2(2 ** -schema);
    bounds[0] = 0.5;
    for (let i = 1; i < bounds.length; i++)
      bounds[i] = i % 2 === 0 ? tables[schema - 1]![i / 2]! : bounds[i - 1]! * factor;
    tables.push(bounds);
  }
  return tables;
})();

/** Upper bound of the positive bucket `index`; the highest is the largest float. */
export function exponentialBound(index: number, schema: number): number {
  if (schema <= 0) {
    const exponent = index * 2 ** -schema;
    return exponent >= 1024 ? Number.MAX_VALUE : 2 ** exponent;
  }
  const exponent = (index >> schema) + 1;
  const fraction = FRACTIONS[Math.min(schema, SCHEMA_MAX)]![index & ((1 << schema) - 1)]!;
  if (exponent > 1023)
    return fraction === 0.5 && exponent === 1025 ? Number.MAX_VALUE : fraction * 2 * 2 ** (exponent - 1);
  return fraction * 2 ** exponent;
}
