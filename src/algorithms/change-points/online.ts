/**
 * Bayesian online change points (Adams and MacKay, 2007) with a normal-inverse-gamma model and pruned run lengths: the
 * probability, after each value, that the regime is young. Bounded memory; it expects values of any scale and learns
 * the scale from the first points.
 */
const RUNS_MAX = 160;
const PRUNE_BELOW = 1e-7;
const START_POINTS = 12;

export interface OnlineChangeState {
  readonly seen: number;
  readonly start: readonly number[];
  readonly runs: readonly (readonly number[])[];
}

export interface OnlineChangePoints {
  /** Learns one value; returns the probability that the present regime is at most `young` points old. */
  update(value: number): number;
  /** Most probable length of the present regime, in points. */
  runLength(): number;
  state(): OnlineChangeState;
}

interface Run {
  length: number;
  p: number;
  mean: number;
  kappa: number;
  alpha: number;
  beta: number;
}

export interface OnlineChangeOptions {
  /** Expected points between changes. */
  readonly regimePoints?: number;
  /** Age in points up to which a regime counts as new. */
  readonly young?: number;
}

function logGamma(x: number): number {
  let shift = 0;
  let y = x;
  while (y < 7) {
    shift -= Math.log(y);
    y++;
  }
  const r = 1 / (y * y);
  return shift + (y - 0.5) * Math.log(y) - y + 0.9189385332046727 + (1 / 12 - r * (1 / 360 - r / 1260)) / y;
}

function density(run: Run, x: number): number {
  const nu = 2 * run.alpha;
  const spread = (run.beta * (run.kappa + 1)) / (run.alpha * run.kappa);
  const z = (x - run.mean) ** 2 / (nu * spread);
  return Math.exp(
    logGamma((nu + 1) / 2) - logGamma(nu / 2) - 0.5 * Math.log(nu * Math.PI * spread) - ((nu + 1) / 2) * Math.log1p(z),
  );
}

/** A stream of change probabilities; hand `state` of an earlier one to go on after a restart. */
export function createOnlineChangePoints(
  options: OnlineChangeOptions = {},
  state?: OnlineChangeState,
): OnlineChangePoints {
  const hazard = 1 / (options.regimePoints ?? 500);
  const young = options.young ?? 10;
  let seen = state?.seen ?? 0;
  const start: number[] = [...(state?.start ?? [])];
  let runs: Run[] = (state?.runs ?? []).map(([length, p, mean, kappa, alpha, beta]) => ({
    length: length!,
    p: p!,
    mean: mean!,
    kappa: kappa!,
    alpha: alpha!,
    beta: beta!,
  }));
  let centre = 0;
  let scale = 1;
  const calibrate = (): void => {
    const sorted = [...start].sort((a, b) => a - b);
    centre = sorted[sorted.length >> 1]!;
    const gaps = start.map((x) => Math.abs(x - centre)).sort((a, b) => a - b);
    scale = 1.4826 * gaps[gaps.length >> 1]! || Math.max(...gaps) || Math.abs(centre) * 1e-3 || 1;
  };
  if (start.length === START_POINTS) calibrate();
  const fresh = (p: number): Run => ({ length: 0, p, mean: 0, kappa: 0.05, alpha: 1, beta: 1 });
  const step = (value: number): void => {
    const x = Math.max(-1e6, Math.min(1e6, (value - centre) / scale));
    if (runs.length === 0) runs = [fresh(1)];
    let change = 0;
    let total = 0;
    const grown: Run[] = [];
    for (const run of runs) {
      const joint = run.p * Math.max(density(run, x), 1e-300);
      change += joint * hazard;
      const p = joint * (1 - hazard);
      total += joint;
      const kappa = run.kappa + 1;
      grown.push({
        length: run.length + 1,
        p,
        mean: (run.kappa * run.mean + x) / kappa,
        kappa,
        alpha: run.alpha + 0.5,
        beta: run.beta + (run.kappa * (x - run.mean) ** 2) / (2 * kappa),
      });
    }
    grown.push(fresh(change));
    for (const r of grown) r.p /= total;
    runs = grown.filter((r) => r.p > PRUNE_BELOW || r.length === 0);
    if (runs.length > RUNS_MAX) runs = runs.sort((a, b) => b.p - a.p).slice(0, RUNS_MAX);
  };
  return {
    update(value) {
      if (!Number.isFinite(value)) return 0;
      seen++;
      if (start.length < START_POINTS) {
        start.push(value);
        if (start.length === START_POINTS) {
          calibrate();
          for (const v of start) step(v);
        }
        return 0;
      }
      step(value);
      if (seen < START_POINTS + young) return 0;
      return runs.reduce((sum, r) => (r.length <= young ? sum + r.p : sum), 0);
    },
    runLength: () => runs.reduce((best, r) => (r.p > best.p ? r : best), fresh(0)).length,
    state: () => ({
      seen,
      start: [...start],
      runs: runs.map((r) => [r.length, r.p, r.mean, r.kappa, r.alpha, r.beta]),
    }),
  };
}
