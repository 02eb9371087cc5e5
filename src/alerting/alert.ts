/** An alert as alerting holds it, and how two reports of the same alert become one. Times in ms since the epoch. */
import { compareUtf8, Labels } from '../model/labels.ts';

export interface Alert {
  readonly fingerprint: string;
  readonly labels: Labels;
  readonly annotations: Labels;
  readonly startsAtMs: number;
  readonly endsAtMs: number;
  readonly updatedAtMs: number;
  /** The end was set by resolve_timeout, not by the sender. */
  readonly timeout: boolean;
  readonly generatorURL: string;
}

export const isResolved = (alert: Alert, atMs: number): boolean => alert.endsAtMs <= atMs;

/**
 * The stored alert after `next` arrived: overlapping reports are merged, others replace. The younger is the one that
 * came later, whatever the clock said meanwhile.
 */
export function mergeAlert(old: Alert | undefined, next: Alert, nowMs: number): Alert {
  if (!old) return next;
  const overlap =
    (next.endsAtMs > old.startsAtMs && next.endsAtMs < old.endsAtMs) ||
    (next.startsAtMs > old.startsAtMs && next.startsAtMs < old.endsAtMs);
  if (!overlap) return next;
  const [older, younger] = [old, next];
  let endsAtMs = younger.endsAtMs;
  if (isResolved(younger, nowMs)) {
    if (isResolved(older, nowMs) && older.endsAtMs > endsAtMs) endsAtMs = older.endsAtMs;
  } else if (older.endsAtMs > endsAtMs && !older.timeout) endsAtMs = older.endsAtMs;
  return { ...younger, startsAtMs: Math.min(older.startsAtMs, younger.startsAtMs), endsAtMs };
}

/** Order of alerts in a notification: by job, then instance, then all labels. */
export function compareAlerts(a: Alert, b: Alert): number {
  for (const name of ['job', 'instance']) {
    const [x, y] = [a.labels.get(name), b.labels.get(name)];
    if (x !== y) return x < y ? -1 : 1;
  }
  return compareLabelSets(a.labels, b.labels);
}

/** The fewer labels first; among as many, name by name, and who lacks a name comes first. */
export function compareLabelSets(a: Labels, b: Labels): number {
  if (a.size !== b.size) return a.size - b.size;
  for (let i = 0; i < a.flat.length; i += 2) {
    const order = compareUtf8(b.flat[i]!, a.flat[i]!) || compareUtf8(a.flat[i + 1]!, b.flat[i + 1]!);
    if (order !== 0) return order;
  }
  return 0;
}

/** One line of the state log. */
export type StoredAlert = readonly [
  labels: readonly string[],
  annotations: readonly string[],
  startsAtMs: number,
  endsAtMs: number,
  updatedAtMs: number,
  timeout: 0 | 1,
  generatorURL: string,
];

export const storeAlert = (a: Alert): StoredAlert => [
  a.labels.flat,
  a.annotations.flat,
  a.startsAtMs,
  a.endsAtMs,
  a.updatedAtMs,
  a.timeout ? 1 : 0,
  a.generatorURL,
];

export function loadAlert(s: StoredAlert): Alert {
  const labels = Labels.fromSorted(s[0]);
  return {
    fingerprint: labels.fingerprint(),
    labels,
    annotations: Labels.fromSorted(s[1]),
    startsAtMs: s[2],
    endsAtMs: s[3],
    updatedAtMs: s[4],
    timeout: s[5] === 1,
    generatorURL: s[6],
  };
}
