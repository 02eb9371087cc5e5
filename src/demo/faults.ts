/**
 * The schedule of injected faults: a pure function of seed and day, so that a back-fill, the live run, tests and the
 * grading of predictions agree on what was wrong when. Kinds and seeds used in tests differ from those used in tuning.
 */
import { Random } from './random.ts';

export const FAULT_KINDS = [
  'latency-regression',
  'error-burst',
  'disk-fill',
  'memory-leak',
  'login-attack',
  'model-drift',
] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

export interface Fault {
  readonly kind: FaultKind;
  readonly tenant: string;
  readonly startMs: number;
  readonly endMs: number;
  /** 0.5 mild .. 1.5 severe. */
  readonly severity: number;
}

const DAY_MS = 86_400_000;
const MINUTE_MS = 60_000;

/** Length of a fault of each kind in minutes: fills and leaks build up slowly, bursts are short. */
const MINUTES: Readonly<Record<FaultKind, readonly [number, number]>> = {
  'latency-regression': [25, 60],
  'error-burst': [10, 25],
  'disk-fill': [240, 420],
  'memory-leak': [180, 360],
  'login-attack': [15, 40],
  'model-drift': [360, 720],
};

/** Faults that touch [fromMs, toMs), ordered by start. About two per tenant and three days. */
export function faultsBetween(
  seed: number | string,
  tenants: readonly string[],
  fromMs: number,
  toMs: number,
): readonly Fault[] {
  const out: Fault[] = [];
  // the day before matters too: a slow fault may reach across midnight
  for (let day = Math.floor(fromMs / DAY_MS) - 1; day * DAY_MS < toMs; day++) {
    for (const tenant of tenants) {
      const random = new Random(`${seed}/${tenant}/${day}`);
      if (random.unit() > 0.66) continue;
      const kind = random.pick(FAULT_KINDS);
      const [shortest, longest] = MINUTES[kind];
      const startMs = day * DAY_MS + Math.round(random.between(4 * 60, 20 * 60)) * MINUTE_MS;
      const endMs = startMs + Math.round(random.between(shortest, longest)) * MINUTE_MS;
      const severity = random.between(0.7, 1.4);
      if (startMs < toMs && endMs > fromMs) out.push({ kind, tenant, startMs, endMs, severity });
    }
  }
  return out.sort((a, b) => a.startMs - b.startMs || (a.tenant < b.tenant ? -1 : 1));
}

/** Fills and leaks of a live demonstration take this long: short enough to watch, long enough to be foreseen. */
const SLOW_LIVE_MS = 90 * MINUTE_MS;
const SLOW_LIVE_EVERY_MS = 4 * 60 * MINUTE_MS;
const SLOW_LIVE: readonly FaultKind[] = ['disk-fill', 'memory-leak'];

/**
 * Extra faults for people who watch a live demonstration: after a quiet start one quick kind after the other, compressed
 * in time, on a rotating tenant; beside them a disk that fills and a leak, at a pace that forecasts can follow.
 */
export function liveFaults(
  seed: number | string,
  tenants: readonly string[],
  liveSinceMs: number,
  untilMs: number,
): readonly Fault[] {
  const random = new Random(`${seed}/live`);
  const quick = FAULT_KINDS.filter((k) => !SLOW_LIVE.includes(k));
  const first = random.integer(0, quick.length);
  const out: Fault[] = [];
  const everyMs = 12 * MINUTE_MS;
  for (let i = 0; liveSinceMs + 3 * MINUTE_MS + i * everyMs < untilMs && i < 10_000; i++) {
    const startMs = liveSinceMs + 3 * MINUTE_MS + i * everyMs;
    out.push({
      kind: quick[(first + i) % quick.length]!,
      tenant: tenants[i % tenants.length]!,
      startMs,
      endMs: startMs + 8 * MINUTE_MS,
      severity: random.between(1, 1.4),
    });
  }
  for (let i = 0; liveSinceMs + 3 * MINUTE_MS + i * SLOW_LIVE_EVERY_MS < untilMs && i < 1_000; i++)
    for (const [n, kind] of SLOW_LIVE.entries()) {
      const startMs = liveSinceMs + 3 * MINUTE_MS + i * SLOW_LIVE_EVERY_MS;
      const tenant = tenants[(i + n + 1) % tenants.length]!;
      out.push({ kind, tenant, startMs, endMs: startMs + SLOW_LIVE_MS, severity: random.between(1.1, 1.3) });
    }
  return out.sort((a, b) => a.startMs - b.startMs);
}

/** How far a fault of `kind` has grown at `tMs`: 0 outside, ramping to `severity`; fills and leaks grow linearly. */
export function intensity(faults: readonly Fault[], kind: FaultKind, tenant: string, tMs: number): number {
  let most = 0;
  for (const f of faults) {
    if (f.kind !== kind || f.tenant !== tenant || tMs < f.startMs || tMs >= f.endMs) continue;
    const through = (tMs - f.startMs) / (f.endMs - f.startMs);
    const slow = kind === 'disk-fill' || kind === 'memory-leak' || kind === 'model-drift';
    most = Math.max(most, f.severity * (slow ? through : Math.min(1, through * 6)));
  }
  return most;
}
