/**
 * What each integration of each group was last told: the memory that prevents second pages. An entry is written only
 * after the receiver's success, and decides what the next flush must send.
 */
export interface LogEntry {
  readonly groupKey: string;
  readonly receiver: string;
  /** `slack/0`: kind and index of the integration. */
  readonly integration: string;
  /** 0: tried, and never known to have arrived. */
  readonly atMs: number;
  /** Fingerprints. */
  readonly firing: readonly string[];
  readonly resolved: readonly string[];
  readonly expiresAtMs: number;
  /**
   * Written before a notification is tried, gone when it worked: what it says begins and ends. While nobody knows
   * whether it arrived, each of them counts as told and as not told, whichever tells more.
   */
  readonly maybeFiring?: readonly string[];
  readonly maybeEnded?: readonly string[];
}

export interface FlushView {
  readonly firing: readonly string[];
  readonly resolved: readonly string[];
  readonly sendResolved: boolean;
  readonly repeatIntervalMs: number;
  readonly nowMs: number;
}

/** In the words that Alertmanager puts into webhooks as `notification_reason`. */
export type FlushReason =
  | 'first notification'
  | 'new alerts added'
  | 'all alerts resolved'
  | 'some alerts resolved'
  | 'repeat interval elapsed';

/** Entries are kept this long at most; twice the repeat interval when that is shorter. */
export const LOG_RETENTION_MS = 120 * 3_600_000;

/** Why the integration must be told now; undefined when it need not. */
export function reasonToNotify(entry: LogEntry | undefined, view: FlushView): FlushReason | undefined {
  if (!entry) return view.firing.length > 0 ? 'first notification' : undefined;
  const told = new Set(entry.firing);
  for (const f of entry.maybeEnded ?? []) told.delete(f);
  if (view.firing.some((f) => !told.has(f)))
    return entry.firing.length === 0 ? 'first notification' : 'new alerts added';
  if (view.firing.length === 0)
    return entry.firing.length > 0 || (entry.maybeFiring ?? []).length > 0 ? 'all alerts resolved' : undefined;
  if (view.sendResolved) {
    const ended = new Set(entry.resolved);
    if (view.resolved.some((f) => !ended.has(f))) return 'some alerts resolved';
  }
  return entry.atMs < view.nowMs - view.repeatIntervalMs ? 'repeat interval elapsed' : undefined;
}

/** Was the alert told as firing, or may it have been? */
export const toldFiring = (entry: LogEntry | undefined, fingerprint: string): boolean =>
  entry !== undefined && (entry.firing.includes(fingerprint) || (entry.maybeFiring ?? []).includes(fingerprint));

/** The entry to note before a notification of `firing` is tried; undefined when it says nothing that is not there. */
export function beforeTrying(entry: LogEntry, firing: readonly string[]): LogEntry | undefined {
  if (entry.firing.length === 0 && entry.maybeFiring === undefined && entry.maybeEnded === undefined)
    return firing.length === 0 ? undefined : { ...entry, maybeFiring: firing, maybeEnded: [] };
  const [now, told] = [new Set(firing), new Set(entry.firing)];
  const begun = firing.filter((f) => !told.has(f));
  const ended = entry.firing.filter((f) => !now.has(f));
  const old = { begun: entry.maybeFiring ?? [], ended: entry.maybeEnded ?? [] };
  if (begun.every((f) => old.begun.includes(f)) && ended.every((f) => old.ended.includes(f))) return undefined;
  return {
    ...entry,
    maybeFiring: [...new Set([...old.begun, ...begun])],
    maybeEnded: [...new Set([...old.ended, ...ended])],
  };
}

export const entryKey = (groupKey: string, receiver: string, integration: string): string =>
  `${groupKey}\u0000${receiver}\u0000${integration}`;

export class NotificationLog {
  readonly #entries = new Map<string, LogEntry>();

  get(groupKey: string, receiver: string, integration: string): LogEntry | undefined {
    return this.#entries.get(entryKey(groupKey, receiver, integration));
  }

  set(entry: LogEntry): void {
    this.#entries.set(entryKey(entry.groupKey, entry.receiver, entry.integration), entry);
  }

  all(): LogEntry[] {
    return [...this.#entries.values()];
  }

  sweep(nowMs: number): void {
    for (const [key, e] of this.#entries) if (e.expiresAtMs < nowMs) this.#entries.delete(key);
  }
}
