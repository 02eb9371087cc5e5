/** "Why was I told, why was I not": each decision of a flush, and what could not be delivered. Bounded, searchable. */
import type { StoredAlert } from './alert.ts';

/** Decisions and dead letters kept per tenant; the oldest go first. */
export const HISTORY_MAX = 10_000;
export const DEAD_LETTERS_MAX = 1_000;
/** Fingerprints named in one decision. */
export const FINGERPRINTS_PER_DECISION_MAX = 200;

export type Verdict =
  | 'sent'
  | 'failed'
  | 'not_needed'
  | 'inhibited'
  | 'silenced'
  | 'muted_by_time'
  | 'outside_active_time';

export interface Decision {
  readonly id: string;
  readonly atMs: number;
  readonly receiver: string;
  /** `slack/0`; '' when the decision was made for the whole receiver. */
  readonly integration: string;
  readonly groupKey: string;
  readonly groupLabels: Readonly<Record<string, string>>;
  readonly verdict: Verdict;
  /** In words: the reason of the flush, the silence, the interval, or the receiver's error. Holds no secret. */
  readonly reason: string;
  readonly attempts: number;
  readonly firing: number;
  readonly resolved: number;
  readonly fingerprints: readonly string[];
}

export interface DeadLetter {
  readonly id: string;
  readonly atMs: number;
  readonly receiver: string;
  readonly integration: string;
  readonly routeId: string;
  readonly groupKey: string;
  readonly groupLabels: Readonly<Record<string, string>>;
  readonly error: string;
  readonly attempts: number;
  readonly alerts: readonly StoredAlert[];
}

export interface HistoryQuery {
  readonly fingerprint?: string;
  /** Further condition: of labels, for example. */
  readonly keeps?: (decision: Decision) => boolean;
  readonly receiver?: string;
  readonly verdict?: Verdict;
  readonly startMs?: number;
  readonly endMs?: number;
  /** Default 100, at most HISTORY_MAX. */
  readonly limit?: number;
}

export class History {
  #decisions: Decision[] = [];
  readonly #deadLetters = new Map<string, DeadLetter>();
  /** The last verdict per group and integration: a tick that changes nothing is not recorded again. */
  readonly #last = new Map<string, string>();

  /** False when it only repeats the last decision. */
  add(decision: Decision): boolean {
    const key = `${decision.groupKey}\u0000${decision.receiver}\u0000${decision.integration}\u0000${decision.verdict === 'inhibited' || decision.verdict === 'silenced' ? decision.verdict : ''}`;
    const said = `${decision.verdict} ${decision.reason} ${decision.fingerprints.join(' ')}`;
    const repeated = this.#last.get(key) === said;
    if (repeated && decision.verdict !== 'sent' && decision.verdict !== 'failed') return false;
    this.#last.set(key, said);
    if (this.#last.size > HISTORY_MAX * 2) this.#last.delete(this.#last.keys().next().value!);
    this.#decisions.push(decision);
    if (this.#decisions.length > HISTORY_MAX * 1.2) this.#decisions = this.#decisions.slice(-HISTORY_MAX);
    return true;
  }

  /** Newest first. */
  search(query: HistoryQuery): Decision[] {
    const out: Decision[] = [];
    const limit = Math.min(query.limit ?? 100, HISTORY_MAX);
    for (let i = this.#decisions.length - 1; i >= 0 && out.length < limit; i--) {
      const d = this.#decisions[i]!;
      if (query.fingerprint !== undefined && !d.fingerprints.includes(query.fingerprint)) continue;
      if (query.receiver !== undefined && d.receiver !== query.receiver) continue;
      if (query.verdict !== undefined && d.verdict !== query.verdict) continue;
      if (query.startMs !== undefined && d.atMs < query.startMs) continue;
      if (query.endMs !== undefined && d.atMs > query.endMs) continue;
      if (query.keeps && !query.keeps(d)) continue;
      out.push(d);
    }
    return out;
  }

  kept(): readonly Decision[] {
    return this.#decisions.slice(-HISTORY_MAX);
  }

  deadLetter(letter: DeadLetter): void {
    // one per group and integration: the newest try replaces the one before
    for (const [id, l] of this.#deadLetters)
      if (l.groupKey === letter.groupKey && l.receiver === letter.receiver && l.integration === letter.integration)
        this.#deadLetters.delete(id);
    this.#deadLetters.set(letter.id, letter);
    if (this.#deadLetters.size > DEAD_LETTERS_MAX) this.#deadLetters.delete(this.#deadLetters.keys().next().value!);
  }

  letters(): DeadLetter[] {
    return [...this.#deadLetters.values()].reverse();
  }

  letter(id: string): DeadLetter | undefined {
    return this.#deadLetters.get(id);
  }

  /** The integration was told after all. Answers the ids that are settled by it. */
  settle(groupKey: string, receiver: string, integration: string): string[] {
    if (this.#deadLetters.size === 0) return [];
    const ids = [...this.#deadLetters.values()]
      .filter((l) => l.groupKey === groupKey && l.receiver === receiver && l.integration === integration)
      .map((l) => l.id);
    for (const id of ids) this.#deadLetters.delete(id);
    return ids;
  }

  drop(id: string): boolean {
    return this.#deadLetters.delete(id);
  }
}
