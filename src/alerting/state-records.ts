/** The records of a tenant's alerting log: what each kind means, and how a batch of alerts becomes few of them. */
import type { PostableAlert } from '../model/alert.ts';
import { type Alert, type StoredAlert, storeAlert } from './alert.ts';
import type { DeadLetter, Decision } from './history.ts';
import type { LogEntry } from './notification-log.ts';
import type { SilenceRecord } from './silences.ts';

/** Characters of one alert's labels and annotations together, and of the alerts in one record of the log. */
export const ALERT_CHARS_MAX = 1_000_000;
/** Alerts in one record of the log. */
const ALERTS_PER_RECORD_MAX = 100;

type NewEnd = readonly [fingerprint: string, endsAtMs: number, updatedAtMs: number];
export type StateRecord =
  | { readonly k: 'a'; readonly v: StoredAlert }
  /** Many of one batch in one record, which costs a tenth of one each. */
  | { readonly k: 'A'; readonly v: StoredAlert[] }
  | { readonly k: 'e'; readonly f: string; readonly e: number; readonly u: number }
  | { readonly k: 'E'; readonly v: NewEnd[] }
  | { readonly k: 's'; readonly v: SilenceRecord }
  | { readonly k: 'n'; readonly v: LogEntry }
  | { readonly k: 'h'; readonly v: Decision }
  | { readonly k: 'd'; readonly v: DeadLetter }
  | { readonly k: 'D'; readonly id: string }
  /** What `sendTo` has delivered: the key of one integration. */
  | { readonly k: 'o'; readonly v: string; readonly t: number }
  /** A sweep at `t` that left `keep` alone. */
  | { readonly k: 'w'; readonly t: number; readonly keep: readonly string[] };

/** What a batch of alerts adds to the log; many alerts share a record, in the order they came. */
export class AlertRecords {
  readonly all: StateRecord[] = [];
  #chars = 0;

  add(alert: Alert, endOnly: boolean): void {
    const last = this.all.at(-1);
    if (endOnly) {
      const end: NewEnd = [alert.fingerprint, alert.endsAtMs, alert.updatedAtMs];
      if (last?.k === 'E' && last.v.length < ALERTS_PER_RECORD_MAX) last.v.push(end);
      else this.all.push({ k: 'E', v: [end] });
      return;
    }
    const chars = charsOf(alert);
    this.#chars += chars;
    if (last?.k === 'A' && last.v.length < ALERTS_PER_RECORD_MAX && this.#chars <= ALERT_CHARS_MAX)
      last.v.push(storeAlert(alert));
    else {
      this.#chars = chars;
      this.all.push({ k: 'A', v: [storeAlert(alert)] });
    }
  }
}

export function charsOf(alert: Pick<PostableAlert, 'labels' | 'annotations' | 'generatorURL'>): number {
  let chars = alert.generatorURL.length;
  for (const text of alert.labels.flat) chars += text.length;
  for (const text of alert.annotations.flat) chars += text.length;
  return chars;
}
