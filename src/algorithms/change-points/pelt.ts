/**
 * Change points of a finished series for reports: optimal partitioning by penalised cost with pruning (PELT: Killick,
 * Fearnhead and Eckley, 2012), cost of a change in mean over all columns, each scaled by its own noise. The penalty grows
 * with the autocorrelation of the noise, so that slow wander is not cut into steps. Not for streams.
 */

export interface ChangePointOptions {
  /** Multiplies the penalty; above 1 finds fewer changes. */
  readonly strictness?: number;
  /** Shortest regime, in points. */
  readonly regimePointsMin?: number;
}

/** Rows beyond this are averaged in pairs until they fit. */
export const ROWS_MAX = 20_000;
const CLIP = 6;

/** First index of each new regime, ascending. Missing numbers count as the value before them. */
export function changepoints(
  rows: readonly (readonly (number | null)[])[],
  options: ChangePointOptions = {},
): number[] {
  const factor = Math.max(1, 2 ** Math.ceil(Math.log2(rows.length / ROWS_MAX)));
  const n = Math.floor(rows.length / factor);
  const dims = rows[0]?.length ?? 0;
  const regimeMin = Math.max(2, options.regimePointsMin ?? Math.max(3, Math.min(10, Math.floor(n / 20))));
  if (n < 2 * regimeMin || dims === 0) return [];
  const columns: Float64Array[] = [];
  let correlation = 0;
  for (let d = 0; d < dims; d++) {
    const c = standardised(column(rows, d, n, factor));
    if (!c) continue;
    columns.push(c.values);
    correlation = Math.max(correlation, c.correlation);
  }
  if (columns.length === 0) return [];
  const inflation = Math.min(12, (1 + correlation) / (1 - Math.min(0.9, correlation)));
  const d = columns.length;
  const penalty = (d + Math.sqrt(8 * d * Math.log(n)) + 4 * Math.log(n)) * inflation * (options.strictness ?? 1);
  return segment(columns, n, penalty, regimeMin).map((i) => i * factor);
}

function column(rows: readonly (readonly (number | null)[])[], d: number, n: number, factor: number): Float64Array {
  const out = new Float64Array(n);
  let last = 0;
  for (const r of rows) {
    const v = r[d];
    if (typeof v === 'number' && Number.isFinite(v)) {
      last = v;
      break;
    }
  }
  for (let i = 0; i < n; i++) {
    let sum = 0;
    for (let k = 0; k < factor; k++) {
      const v = rows[i * factor + k]![d];
      if (typeof v === 'number' && Number.isFinite(v)) last = Math.max(-1e300, Math.min(1e300, v));
      sum += last / factor;
    }
    out[i] = sum;
  }
  return out;
}

function median(x: Float64Array): number {
  const s = Float64Array.from(x).sort();
  return s.length % 2 ? s[s.length >> 1]! : s[s.length / 2 - 1]! / 2 + s[s.length / 2]! / 2;
}

/** Scaled by the noise left over after a running median, cut against single outliers; undefined if constant. */
function standardised(x: Float64Array): { values: Float64Array; correlation: number } | undefined {
  const n = x.length;
  const differences = Float64Array.from({ length: n - 1 }, (_, i) => Math.abs(x[i + 1]! - x[i]!));
  let low = x[0]!;
  let high = x[0]!;
  for (const v of x) {
    low = Math.min(low, v);
    high = Math.max(high, v);
  }
  if (!(high > low)) return undefined;
  const half = Math.max(2, Math.min(12, Math.floor(n / 40)));
  const smooth = Float64Array.from({ length: n }, (_, i) =>
    median(x.subarray(Math.max(0, i - half), Math.min(n, i + half + 1))),
  );
  const residual = x.map((v, i) => v - smooth[i]!);
  let noise = Math.max(1.4826 * median(residual.map(Math.abs)), (1.4826 * median(differences)) / Math.SQRT2);
  if (!(noise > (high - low) * 1e-6)) noise = (high - low) * 0.02;
  let over = 0;
  let under = 0;
  const cut = residual.map((r) => Math.max(-3, Math.min(3, r / noise)));
  for (let i = 1; i < n; i++) {
    over += cut[i]! * cut[i - 1]!;
    under += cut[i]! * cut[i]!;
  }
  // A running median removes part of the correlation; what is left is scaled back by the share it can see.
  const correlation = Math.max(0, Math.min(0.9, under > 0 ? over / under + 1.5 / (2 * half + 1) : 0));
  const values = residual.map((r, i) => {
    const z = Math.abs(r) > CLIP * noise ? smooth[i]! + Math.sign(r) * CLIP * noise : x[i]!;
    return (z - low) / noise;
  });
  return { values, correlation };
}

function segment(columns: readonly Float64Array[], n: number, penalty: number, regimeMin: number): number[] {
  const d = columns.length;
  const sums = columns.map((c) => {
    const s = new Float64Array(n + 1);
    for (let i = 0; i < n; i++) s[i + 1] = s[i]! + c[i]!;
    return s;
  });
  const squares = new Float64Array(n + 1);
  for (let i = 0; i < n; i++) {
    let q = 0;
    for (const c of columns) q += c[i]! * c[i]!;
    squares[i + 1] = squares[i]! + q;
  }
  const cost = (from: number, to: number): number => {
    let fit = 0;
    for (let k = 0; k < d; k++) {
      const s = sums[k]![to]! - sums[k]![from]!;
      fit += s * s;
    }
    return squares[to]! - squares[from]! - fit / (to - from);
  };
  const best = new Float64Array(n + 1).fill(Number.POSITIVE_INFINITY);
  const previous = new Int32Array(n + 1);
  best[0] = -penalty;
  let candidates: number[] = [0];
  for (let t = regimeMin; t <= n; t++) {
    let least = Number.POSITIVE_INFINITY;
    let from = 0;
    const values = candidates.map((s) => best[s]! + cost(s, t));
    values.forEach((v, i) => {
      if (v + penalty < least) {
        least = v + penalty;
        from = candidates[i]!;
      }
    });
    best[t] = least;
    previous[t] = from;
    candidates = candidates.filter((_, i) => values[i]! <= least);
    const next = t - regimeMin + 1;
    if (next >= regimeMin) candidates.push(next);
  }
  const out: number[] = [];
  for (let t = previous[n]!; t > 0; t = previous[t]!) out.push(t);
  return out.reverse();
}
