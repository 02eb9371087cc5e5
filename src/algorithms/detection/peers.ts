/**
 * One of several siblings that is unlike the others: each value against the median of the group in robust scales
 * (median absolute deviation), less what this member always differs by; the smoothed difference becomes tail surprise
 * against the group's own history. What moves all siblings together is no anomaly here. Groups under three are not
 * judged: nobody could say which one is odd.
 */
import { TAIL_SIZE, tailLearn, tailSurprise } from './tail.ts';

export const MEMBERS_MIN = 3;
export const MEMBERS_MAX = 2_000;

export interface PeerDetection {
  /** 0..1, comparable between groups. */
  score: number;
  alert: boolean;
  /** The group's median at this moment. */
  expected: number;
  lower: number;
  upper: number;
}

export interface PeerState {
  readonly version: 1;
  readonly tail: readonly number[];
  readonly scale: number;
  readonly steps: number;
  readonly members: readonly (readonly [key: string, offset: number, smooth: number, steps: number, held: number])[];
}

export interface PeerDetector {
  /** Judges all present members of the group at one moment, then learns. Missing values (NaN, infinite) are left out. */
  update(values: ReadonlyMap<string, number>): ReadonlyMap<string, PeerDetection>;
  setBudget(falseAlertsPerWeek: number): void;
  state(): PeerState;
}

interface Member {
  offset: number;
  smooth: number;
  steps: number;
  held: number;
  /** Step of the group at which it was last present. */
  seen: number;
}

const SMOOTH_RATE = 0.3;
const OFFSET_RATE = 0.01;
const HOLD = 0.98;
const SCORE_SCALE = 4;
/** Surprise of a member that is far out for the first time. */
const ALERT_AT = 5;
/** Robust scales that must be exceeded besides, so that groups in lock-step do not alarm on rounding. */
const DISTANCE_MIN = 4;
const WARM_STEPS = 30;

export function createPeerDetector(falseAlertsPerWeek = 0.25, state?: PeerState): PeerDetector {
  const tail = new Float64Array(TAIL_SIZE);
  if (state) tail.set(state.tail);
  let scale = state?.scale ?? 0;
  let steps = state?.steps ?? 0;
  let alertAt = levelOf(falseAlertsPerWeek);
  const members = new Map<string, Member>(
    (state?.members ?? []).map(([key, offset, smooth, count, held]) => [
      key,
      { offset, smooth, steps: count, held, seen: steps },
    ]),
  );
  return {
    setBudget(budget) {
      alertAt = levelOf(budget);
    },
    update(values) {
      const out = new Map<string, PeerDetection>();
      const present = [...values].filter(([, v]) => Number.isFinite(v) && Math.abs(v) < 1e300).slice(0, MEMBERS_MAX);
      if (present.length < MEMBERS_MIN) return out;
      steps++;
      const sorted = Float64Array.from(present, ([, v]) => v).sort();
      const centre = middle(sorted);
      const apart = 1.4826 * middle(sorted.map((v) => Math.abs(v - centre)).sort());
      scale += (apart - scale) * Math.max(1 / steps, 0.02);
      const unit = Math.max(
        0.5 * (apart + scale),
        0.01 * Math.abs(centre),
        1e-12 * Math.abs(sorted[sorted.length - 1]!),
        1e-300,
      );
      for (const [key, v] of present) {
        let m = members.get(key);
        if (!m) members.set(key, (m = { offset: 0, smooth: 0, steps: 0, held: 0, seen: steps }));
        m.seen = steps;
        m.steps++;
        const z = Math.max(-1e6, Math.min(1e6, (v - centre) / unit));
        // the habitual difference is learned slowly and never from more than a moderate one
        const habit = m.offset;
        m.offset += (Math.max(-6, Math.min(6, z)) - m.offset) * Math.max(OFFSET_RATE, 1 / (m.steps + 10));
        m.smooth += (Math.max(-50, Math.min(50, z - habit)) - m.smooth) * SMOOTH_RATE;
        const distance = Math.abs(m.smooth);
        const surprise = tailSurprise(tail, 0, distance);
        tailLearn(tail, 0, Math.min(distance, 20));
        const young = (m.steps / (m.steps + 20)) * (steps / (steps + 20));
        const combined = distance > DISTANCE_MIN ? surprise * young : Math.min(surprise, 1) * young;
        const held = m.held * HOLD;
        m.held = Math.max(held, combined);
        out.set(key, {
          score: 1 - Math.exp(-combined / SCORE_SCALE),
          alert: steps > WARM_STEPS && m.steps > WARM_STEPS && combined > alertAt && combined > held,
          expected: centre + habit * unit,
          lower: centre + (habit - DISTANCE_MIN) * unit,
          upper: centre + (habit + DISTANCE_MIN) * unit,
        });
      }
      // forgets members that left, so that churn of names is bounded
      if (members.size > 2 * present.length + 10)
        for (const [key, m] of members) if (steps - m.seen > 500) members.delete(key);
      if (members.size > 2 * MEMBERS_MAX) for (const [key, m] of members) if (m.seen !== steps) members.delete(key);
      return out;
    },
    state: () => ({
      version: 1,
      tail: Array.from(tail),
      scale,
      steps,
      members: [...members].map(([key, m]) => [key, m.offset, m.smooth, m.steps, m.held] as const),
    }),
  };
}

function levelOf(falseAlertsPerWeek: number): number {
  return Math.max(3, Math.min(11, ALERT_AT + Math.log10(0.25 / Math.max(1e-6, falseAlertsPerWeek))));
}

function middle(sorted: Float64Array): number {
  const m = sorted.length >> 1;
  return sorted.length % 2 ? sorted[m]! : sorted[m - 1]! / 2 + sorted[m]! / 2;
}
