/**
 * Exponential smoothing with an additive season and a damped trend (Holt and Winters; Gardner and McKenzie, 1985), its
 * parameters taken from a small grid by squared one-step error. With no season it is damped Holt.
 */
export interface SmoothingModel {
  readonly alpha: number;
  readonly beta: number;
  readonly gamma: number;
  readonly season: number;
}

const DAMPING = 0.97;
const GRID: readonly (readonly [number, number, number])[] = [
  [0.05, 0, 0.1],
  [0.2, 0, 0.1],
  [0.5, 0, 0.1],
  [0.9, 0, 0.1],
  [0.2, 0.02, 0.1],
  [0.5, 0.05, 0.1],
  [0.2, 0, 0.3],
  [0.6, 0, 0.4],
];

interface SmoothingState {
  level: number;
  trend: number;
  readonly seasonal: Float64Array;
  error: number;
}

function run(values: Float64Array, end: number, m: SmoothingModel): SmoothingState {
  const s = Math.max(1, m.season);
  const seasonal = new Float64Array(s);
  const first = Math.min(s, end);
  let level = 0;
  for (let i = 0; i < first; i++) level += values[i]! / first;
  if (m.season > 1) {
    const cycles = Math.min(3, Math.floor(end / s));
    for (let c = 0; c < cycles; c++) {
      let mean = 0;
      for (let i = 0; i < s; i++) mean += values[c * s + i]! / s;
      for (let i = 0; i < s; i++) seasonal[i]! += (values[c * s + i]! - mean) / cycles;
    }
  }
  let trend = 0;
  let error = 0;
  for (let t = m.season > 1 ? 0 : 1; t < end; t++) {
    const k = m.season > 1 ? t % s : 0;
    const season = m.season > 1 ? seasonal[k]! : 0;
    const base = level + DAMPING * trend;
    const e = values[t]! - base - season;
    if (t >= end >> 1) error += Math.min(e * e, Number.MAX_VALUE);
    level = base + m.alpha * e;
    trend = DAMPING * trend + m.beta * e;
    if (m.season > 1) seasonal[k] = season + m.gamma * (1 - m.alpha) * e;
  }
  return { level, trend, seasonal, error };
}

export function fitSmoothing(values: Float64Array, end: number, season: number): SmoothingModel {
  let best: SmoothingModel = { alpha: 0.2, beta: 0, gamma: 0.1, season };
  let least = Number.POSITIVE_INFINITY;
  for (const [alpha, beta, gamma] of GRID) {
    const model = { alpha, beta, gamma, season };
    const { error } = run(values, end, model);
    if (error < least) {
      least = error;
      best = model;
    }
  }
  return best;
}

export function forecastSmoothing(
  model: SmoothingModel,
  values: Float64Array,
  origin: number,
  horizon: number,
): Float64Array {
  const state = run(values, origin, model);
  const out = new Float64Array(horizon);
  let damped = 0;
  let factor = 1;
  for (let h = 0; h < horizon; h++) {
    factor *= DAMPING;
    damped += factor;
    const season = model.season > 1 ? state.seasonal[(origin + h) % model.season]! : 0;
    out[h] = state.level + damped * state.trend + season;
  }
  return out;
}
