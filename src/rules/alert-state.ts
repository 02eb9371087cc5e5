/**
 * The life of one alerting rule's alerts: inactive -> pending -> firing -> inactive, with `for`, `keep_firing_for`,
 * resolved alerts kept for 15 minutes, and what is due to be sent. As Prometheus' rules/alerting.go behaves; pure, time
 * is passed in. Times are ms; 0 means "never".
 */
import { VigieError } from '../lib/errors.ts';
import type { RuleAlertState } from '../model/alert.ts';
import { Labels, METRIC_NAME } from '../model/labels.ts';
import type { Sample } from '../model/sample.ts';

/** How long a resolved alert is kept, and told of again. */
export const RESOLVED_RETENTION_MS = 15 * 60_000;
/** A sent alert holds for this many resend delays (or intervals, when longer): two sends may fail. */
const VALID_SENDS = 4;

export interface ActiveAlert {
  readonly key: string;
  readonly labels: Labels;
  annotations: Labels;
  state: RuleAlertState;
  value: number;
  activeAtMs: number;
  firedAtMs: number;
  resolvedAtMs: number;
  keepFiringSinceMs: number;
  lastSentMs: number;
  validUntilMs: number;
  /** Labels of its ALERTS and ALERTS_FOR_STATE series, made once per state. */
  series?: { readonly state: RuleAlertState; readonly alerts: Labels; readonly forState: Labels };
}

export interface AlertCandidate {
  readonly labels: Labels;
  readonly annotations: Labels;
  readonly value: number;
}

export interface StateChange {
  readonly alert: ActiveAlert;
  readonly from: RuleAlertState;
  readonly to: RuleAlertState;
}

export interface AlertStep {
  readonly timeMs: number;
  readonly forMs: number;
  readonly keepFiringForMs: number;
  /** Most alerts that may be pending or firing; 0: no bound. */
  readonly limit: number;
  /** Firing alerts that are not among the candidates go on firing: their data is missing, or they were just restored. */
  readonly hold: boolean;
}

const NONE: never[] = [];

export class AlertingState {
  readonly active = new Map<string, ActiveAlert>();

  /** Applies one evaluation. Throws `execution` for two alerts with equal labels, or more than `limit`. */
  step(candidates: readonly AlertCandidate[], step: AlertStep): StateChange[] {
    if (candidates.length === 0 && this.active.size === 0) return NONE;
    const { timeMs } = step;
    const found = new Map<string, AlertCandidate>();
    for (const c of candidates) {
      const { key } = c.labels;
      if (found.has(key))
        throw new VigieError('execution', 'vector contains metrics with the same labelset after applying alert labels');
      found.set(key, c);
    }
    const changes: StateChange[] = [];
    const before = new Map<ActiveAlert, RuleAlertState>();
    for (const [key, c] of found) {
      const known = this.active.get(key);
      if (known && known.state !== 'inactive') {
        known.value = c.value;
        known.annotations = c.annotations;
        continue;
      }
      const alert = newAlert(key, c, timeMs);
      this.active.set(key, alert);
      before.set(alert, 'inactive');
    }
    let alive = 0;
    for (const [key, alert] of this.active) {
      const from = before.get(alert) ?? alert.state;
      if (!found.has(key)) {
        let keep = alert.state === 'firing' && step.hold;
        if (alert.state === 'firing' && step.keepFiringForMs > 0) {
          if (alert.keepFiringSinceMs === 0) alert.keepFiringSinceMs = timeMs;
          if (timeMs - alert.keepFiringSinceMs < step.keepFiringForMs) keep = true;
        }
        if (
          alert.state === 'pending' ||
          (alert.state === 'inactive' && timeMs - alert.resolvedAtMs > RESOLVED_RETENTION_MS)
        )
          this.active.delete(key);
        if (!keep) {
          if (alert.state !== 'inactive') {
            alert.state = 'inactive';
            alert.resolvedAtMs = timeMs;
            changes.push({ alert, from, to: 'inactive' });
          }
          continue;
        }
      } else alert.keepFiringSinceMs = 0;
      alive++;
      if (alert.state === 'pending' && timeMs - alert.activeAtMs >= step.forMs) {
        alert.state = 'firing';
        alert.firedAtMs = timeMs;
      }
      if (alert.state !== from) changes.push({ alert, from, to: alert.state });
    }
    if (step.limit > 0 && alive > step.limit) {
      this.active.clear();
      throw new VigieError('execution', `exceeded limit of ${step.limit} with ${alive} alerts`);
    }
    return changes;
  }

  /** ALERTS and ALERTS_FOR_STATE of all pending and firing alerts. */
  samples(rule: { readonly name: string; readonly labels: Labels }, timeMs: number): Sample[] {
    if (this.active.size === 0) return NONE;
    const out: Sample[] = [];
    for (const alert of this.active.values()) {
      if (alert.state === 'inactive') continue;
      const { alerts, forState } = seriesOf(rule, alert);
      out.push({ labels: alerts, timestampMs: timeMs, value: 1 });
      out.push({ labels: forState, timestampMs: timeMs, value: Math.trunc(alert.activeAtMs / 1000) });
    }
    return out;
  }

  /** Alerts to send now, marked as sent. */
  due(timeMs: number, resendDelayMs: number, intervalMs: number): ActiveAlert[] {
    if (this.active.size === 0) return NONE;
    const out: ActiveAlert[] = [];
    for (const alert of this.active.values()) {
      if (alert.state === 'pending') continue;
      const newlyResolved = alert.resolvedAtMs > alert.lastSentMs;
      if (!newlyResolved && !(alert.lastSentMs + resendDelayMs < timeMs)) continue;
      alert.lastSentMs = timeMs;
      alert.validUntilMs = timeMs + VALID_SENDS * Math.max(resendDelayMs, intervalMs);
      out.push(alert);
    }
    return out;
  }

  /** Pending and firing. */
  get count(): number {
    if (this.active.size === 0) return 0;
    let n = 0;
    for (const a of this.active.values()) if (a.state !== 'inactive') n++;
    return n;
  }

  /** Pending and firing, by labels. */
  list(): ActiveAlert[] {
    return [...this.active.values()]
      .filter((a) => a.state !== 'inactive')
      .sort((a, b) => Labels.compare(a.labels, b.labels));
  }

  /** The highest state of any alert. */
  get state(): RuleAlertState {
    let state: RuleAlertState = 'inactive';
    for (const a of this.active.values()) {
      if (a.state === 'firing') return 'firing';
      if (a.state === 'pending') state = 'pending';
    }
    return state;
  }
}

function newAlert(key: string, c: AlertCandidate, timeMs: number): ActiveAlert {
  return {
    key,
    labels: c.labels,
    annotations: c.annotations,
    state: 'pending',
    value: c.value,
    activeAtMs: timeMs,
    firedAtMs: 0,
    resolvedAtMs: 0,
    keepFiringSinceMs: 0,
    lastSentMs: 0,
    validUntilMs: 0,
  };
}

function seriesOf(
  rule: { readonly name: string; readonly labels: Labels },
  alert: ActiveAlert,
): { readonly alerts: Labels; readonly forState: Labels } {
  if (alert.series?.state === alert.state) return alert.series;
  const base = rule.labels.merge(alert.labels).with('alertname', rule.name);
  const series = {
    state: alert.state,
    alerts: base.with(METRIC_NAME, 'ALERTS').with('alertstate', alert.state),
    forState: base.with(METRIC_NAME, 'ALERTS_FOR_STATE'),
  };
  alert.series = series;
  return series;
}

/**
 * When a restored pending alert became active, so that only time that was watched counts towards `for`; as Prometheus'
 * RestoreForState. Undefined: it was firing, and its old time stands.
 */
export function restoredActiveAt(input: {
  readonly activeAtMs: number;
  readonly downAtMs: number;
  readonly nowMs: number;
  readonly forMs: number;
  readonly gracePeriodMs: number;
}): number {
  const remaining = input.forMs - (input.downAtMs - input.activeAtMs);
  if (remaining <= 0) return input.activeAtMs;
  if (remaining < input.gracePeriodMs) return input.nowMs + input.gracePeriodMs - input.forMs;
  return input.activeAtMs + (input.nowMs - input.downAtMs);
}
