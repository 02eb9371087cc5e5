/**
 * Drift of a model, seen in the stream of its errors (0 right, 1 wrong, or a loss in between): the newest windows of
 * several lengths against all since the last change, by the likelihood ratio of their rates (a windowed form of ADWIN,
 * Bifet and Gavalda, 2007, and FHDDM, Pesaranghader and Viktor, 2016). Only a growing error is a drift.
 */
const RING = 1024;
const WINDOWS = [16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512] as const;
/** Points after a change before the next may be seen: a reference is needed. */
const REFERENCE_MIN = 60;
/** Log-likelihood ratio at which a change is declared; about one false alarm in some hundred thousand points. */
const EVIDENCE_MIN = 11;

export interface ConceptDriftState {
  readonly seen: number;
  readonly total: number;
  readonly ring: readonly number[];
}

export interface ConceptDrift {
  /** Learns one error in 0..1; returns how many points ago the error rose, or 0. */
  update(error: number): number;
  state(): ConceptDriftState;
}

function divergence(p: number, q: number): number {
  const a = p <= 0 ? 0 : p * Math.log(p / q);
  const b = p >= 1 ? 0 : (1 - p) * Math.log((1 - p) / (1 - q));
  return a + b;
}

export function createConceptDrift(state?: ConceptDriftState): ConceptDrift {
  let seen = state?.seen ?? 0;
  let total = state?.total ?? 0;
  const ring = new Float64Array(RING);
  if (state) ring.set(state.ring);
  const sums = new Float64Array(WINDOWS.length);
  const at = (back: number): number => ring[(seen - back + RING * 2) % RING]!;
  for (let k = 0; k < WINDOWS.length; k++) for (let b = 1; b <= Math.min(seen, WINDOWS[k]!); b++) sums[k]! += at(b);
  return {
    update(value) {
      if (!Number.isFinite(value)) return 0;
      const error = Math.max(0, Math.min(1, value));
      for (let k = 0; k < WINDOWS.length; k++) {
        const w = WINDOWS[k]!;
        sums[k]! += error - (seen >= w ? at(w) : 0);
      }
      ring[seen % RING] = error;
      seen++;
      total += error;
      let most = EVIDENCE_MIN;
      let back = 0;
      for (let k = 0; k < WINDOWS.length; k++) {
        const w = WINDOWS[k]!;
        const before = seen - w;
        if (before < REFERENCE_MIN || before < w * 0.5) break;
        const reference = (total - sums[k]! + 0.5) / (before + 1);
        const now = sums[k]! / w;
        if (now <= reference) continue;
        const pooled = (total + 0.5) / (seen + 1);
        const evidence = w * divergence(now, pooled) + before * divergence(reference, pooled);
        if (evidence > most) {
          most = evidence;
          back = w;
        }
      }
      if (back > 0) {
        seen = 0;
        total = 0;
        sums.fill(0);
        ring.fill(0);
      }
      return back;
    },
    state: () => ({ seen, total, ring: Array.from(ring) }),
  };
}
