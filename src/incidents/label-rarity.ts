/** How much it says that two alerts share a label value: a value that every alert carries says nothing. Bounded. */
/** Alerts remembered; older ones no longer count. */
const REMEMBERED_MAX = 1_000;
/** Below this many alerts the shares mean little, and half of the weight is given. */
const ENOUGH = 20;

export class LabelRarity {
  readonly #seen: Readonly<Record<string, string>>[] = [];
  readonly #counts = new Map<string, number>();
  #next = 0;

  learn(labels: Readonly<Record<string, string>>): void {
    const old = this.#seen[this.#next];
    if (old) this.#count(old, -1);
    this.#seen[this.#next] = labels;
    this.#next = (this.#next + 1) % REMEMBERED_MAX;
    this.#count(labels, 1);
  }

  /** 1 for a value seen nowhere else, 0 for one that all alerts carry. */
  rarity(name: string, value: string): number {
    const n = this.#seen.length;
    if (n < ENOUGH) return 0.5;
    return 1 - (this.#counts.get(`${name}\u0000${value}`) ?? 0) / n;
  }

  #count(labels: Readonly<Record<string, string>>, by: number): void {
    for (const [name, value] of Object.entries(labels)) {
      const key = `${name}\u0000${value}`;
      const n = (this.#counts.get(key) ?? 0) + by;
      if (n <= 0) this.#counts.delete(key);
      else this.#counts.set(key, n);
    }
  }
}
