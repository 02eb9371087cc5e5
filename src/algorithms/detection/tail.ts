/**
 * How surprising a non-negative number is against its own history: a streaming high quantile (stochastic
 * approximation) with a generalised Pareto tail above it (SPOT: Siffer et al., KDD 2017; moment fit as in Hosking and
 * Wallis, 1987). It does not keep samples: five numbers per stream, in a slice of the caller's array.
 */

/** Numbers that one tail occupies in the caller's array. */
export const TAIL_SIZE = 5;
const N = 0;
const MEAN = 1;
const U = 2;
const EXCESS_MEAN = 3;
/** Offsets within a tail: the tracked quantile, and the mean excess above it. */
export const TAIL_QUANTILE = U;
export const TAIL_EXCESS = EXCESS_MEAN;
const EXCESS_SQUARE = 4;

/** Share of values above the tracked quantile. */
const TAIL_SHARE = 0.03;
const LOG_TAIL_SHARE = Math.log10(TAIL_SHARE);
/** Until so many values were seen the quantile is a multiple of the mean. */
const START_COUNT = 40;
const START_MULTIPLE = 3;
/** Learned values are cut here, in mean excesses above the quantile, so that one outlier does not hide the next. */
const CLIP_EXCESSES = 6;
/** Slowest learning rates of quantile and excess. */
const RATE_MIN = 0.001;
const EXCESS_RATE_MIN = 0.01;
const SHAPE_MIN = -0.1;
const SHAPE_MAX = 0.35;
/** Largest surprise, in powers of ten. */
export const SURPRISE_MAX = 12;

/** Minus the decimal logarithm of the probability of a value at least this large; 0..SURPRISE_MAX. */
export function tailSurprise(a: Float64Array, at: number, x: number): number {
  const u = a[at + U]!;
  if (!(x > 0) || a[at + N]! < 2) return 0;
  if (!(u > 0)) return SURPRISE_MAX / 3;
  if (x <= u) return (-LOG_TAIL_SHARE * x) / u;
  const mean = a[at + EXCESS_MEAN]!;
  if (!(mean > 0)) return Math.min(SURPRISE_MAX, -LOG_TAIL_SHARE * (x / u));
  const variance = a[at + EXCESS_SQUARE]! - 1;
  const shape = Math.min(SHAPE_MAX, Math.max(SHAPE_MIN, variance > 0 ? 0.5 * (1 - 1 / variance) : 0));
  const scaled = (x - u) / (mean * (1 - shape));
  const log =
    Math.abs(shape) < 1e-3
      ? scaled
      : 1 + shape * scaled <= 0
        ? Number.POSITIVE_INFINITY
        : Math.log1p(shape * scaled) / shape;
  return Math.min(SURPRISE_MAX, -LOG_TAIL_SHARE + log / Math.LN10);
}

/** Learns one value, cut against outliers. */
export function tailLearn(a: Float64Array, at: number, value: number): void {
  const n = a[at + N]! + 1;
  a[at + N] = n;
  let x = value;
  const u = a[at + U]!;
  if (n > START_COUNT) {
    const cut = u + CLIP_EXCESSES * (a[at + EXCESS_MEAN]! || u);
    if (cut > 0 && x > cut) x = cut;
  } else if (n > 3 && x > 20 * a[at + MEAN]! && a[at + MEAN]! > 0) x = 20 * a[at + MEAN]!;
  const mean = a[at + MEAN]! + (x - a[at + MEAN]!) * Math.max(1 / n, RATE_MIN);
  a[at + MEAN] = mean;
  if (n <= START_COUNT) {
    a[at + U] = START_MULTIPLE * mean;
    a[at + EXCESS_MEAN] = mean;
    a[at + EXCESS_SQUARE] = 2;
    return;
  }
  const rate = Math.max(1 / n ** 0.75, RATE_MIN * 4);
  const width = Math.max(a[at + EXCESS_MEAN]!, 0.05 * u, mean * 0.1);
  if (x > u) {
    const r = Math.max(1 / (8 + n * TAIL_SHARE), EXCESS_RATE_MIN);
    const y = x - u;
    const before = a[at + EXCESS_MEAN]!;
    const after = before + (y - before) * r;
    a[at + EXCESS_MEAN] = after;
    const ratio = after > 0 ? y / after : 1;
    // The square is kept relative to the mean, so that no magnitude overflows.
    a[at + EXCESS_SQUARE] = Math.max(
      1,
      a[at + EXCESS_SQUARE]! + (Math.min(36, ratio * ratio) - a[at + EXCESS_SQUARE]!) * r,
    );
    a[at + U] = u + width * rate * (1 - TAIL_SHARE) * 3;
  } else {
    a[at + U] = Math.max(0, u - width * rate * TAIL_SHARE * 3);
  }
}
