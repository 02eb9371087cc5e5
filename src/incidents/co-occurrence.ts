/**
 * Which alerts tend to begin together, learned from their begin times alone (never from our own grouping, which would
 * confirm itself). Strength compares how often B begins near A with how often it would by chance. Pure, bounded.
 */
/** Two begins this close count as together. */
export const TOGETHER_MS = 15 * 60_000;
/** Alert names counted per tenant; further ones are not learned. */
export const NAMES_MAX = 300;
export const PAIRS_MAX = 5_000;
/** Begins remembered for pairing. */
const RECENT_MAX = 500;

export interface CoOccurrenceState {
  readonly sinceMs: number;
  readonly lastMs: number;
  readonly begins: Readonly<Record<string, number>>;
  /** `a\u001fb` with a < b -> begins of one that had the other nearby. */
  readonly pairs: Readonly<Record<string, number>>;
}

export class CoOccurrence {
  #sinceMs: number;
  #lastMs: number;
  readonly #begins = new Map<string, number>();
  readonly #pairs = new Map<string, number>();
  #recent: { readonly name: string; readonly atMs: number }[] = [];

  constructor(state?: CoOccurrenceState) {
    this.#sinceMs = state?.sinceMs ?? 0;
    this.#lastMs = state?.lastMs ?? 0;
    for (const [k, v] of Object.entries(state?.begins ?? {})) this.#begins.set(k, v);
    for (const [k, v] of Object.entries(state?.pairs ?? {})) this.#pairs.set(k, v);
  }

  /** One alert began. */
  learn(name: string, atMs: number): void {
    this.#sinceMs = this.#sinceMs === 0 ? atMs : Math.min(this.#sinceMs, atMs);
    this.#lastMs = Math.max(this.#lastMs, atMs);
    if (!this.#begins.has(name) && this.#begins.size >= NAMES_MAX) return;
    this.#begins.set(name, (this.#begins.get(name) ?? 0) + 1);
    this.#recent = this.#recent.filter((r) => Math.abs(atMs - r.atMs) <= TOGETHER_MS);
    const seen = new Set<string>();
    for (const r of this.#recent) {
      if (r.name === name || seen.has(r.name)) continue;
      seen.add(r.name);
      const key = pairKey(name, r.name);
      if (!this.#pairs.has(key) && this.#pairs.size >= PAIRS_MAX) continue;
      this.#pairs.set(key, (this.#pairs.get(key) ?? 0) + 1);
    }
    this.#recent.push({ name, atMs });
    if (this.#recent.length > RECENT_MAX) this.#recent.shift();
  }

  /**
   * 0..1: how surely a begin of one comes with the other. `together / (fewer begins + 2)` (shrunk: two meetings prove
   * little), times 1 - 1/lift, where lift is over independent begins spread evenly on the time observed.
   */
  strength(a: string, b: string): { readonly strength: number; readonly together: number; readonly of: number } {
    const together = this.#pairs.get(pairKey(a, b)) ?? 0;
    const na = this.#begins.get(a) ?? 0;
    const nb = this.#begins.get(b) ?? 0;
    const of = Math.min(na, nb);
    if (together < 2 || of === 0) return { strength: 0, together, of };
    const spanMs = Math.max(this.#lastMs - this.#sinceMs, 2 * TOGETHER_MS);
    const expected = Math.min(1, (Math.max(na, nb) * 2 * TOGETHER_MS) / spanMs);
    const lift = Math.min(1, together / of) / expected;
    return { strength: Math.max(0, Math.min(1, together / (of + 2)) * (1 - 1 / Math.max(lift, 1))), together, of };
  }

  /** Begins of any alert per ms, over the time observed; 0 before there is anything to divide. */
  get ratePerMs(): number {
    const spanMs = this.#lastMs - this.#sinceMs;
    if (spanMs < 2 * TOGETHER_MS) return 0;
    let all = 0;
    for (const n of this.#begins.values()) all += n;
    return all / spanMs;
  }

  state(): CoOccurrenceState {
    return {
      sinceMs: this.#sinceMs,
      lastMs: this.#lastMs,
      begins: Object.fromEntries(this.#begins),
      pairs: Object.fromEntries(this.#pairs),
    };
  }
}

const pairKey = (a: string, b: string): string => (a < b ? `${a}\u001f${b}` : `${b}\u001f${a}`);
