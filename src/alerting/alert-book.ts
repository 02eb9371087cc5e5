/** The alerts of one tenant by fingerprint, also in order: sorting all of them for each listing takes long in a storm. */
import type { Alert } from './alert.ts';

/** More found alerts than these are brought into order with all others. */
const SORTED_ALONE_MAX = 2_000;

export class AlertBook {
  readonly #alerts = new Map<string, Alert>();
  /** Fingerprints in order, and those that came since; undefined when some are gone. */
  #order: string[] | undefined;
  #unordered: string[] = [];
  /** All alerts in that order, until one changes. */
  #listed: readonly Alert[] | undefined;

  get size(): number {
    return this.#alerts.size;
  }

  get(fingerprint: string): Alert | undefined {
    return this.#alerts.get(fingerprint);
  }

  values(): IterableIterator<Alert> {
    return this.#alerts.values();
  }

  set(alert: Alert): void {
    const { size } = this.#alerts;
    this.#alerts.set(alert.fingerprint, alert);
    this.#listed = undefined;
    if (this.#alerts.size > size) this.#unordered.push(alert.fingerprint);
  }

  /** Forgets those of which `gone` says so; answers them. */
  remove(gone: (alert: Alert) => boolean): Alert[] {
    const removed = [...this.#alerts.values()].filter(gone);
    for (const a of removed) this.#alerts.delete(a.fingerprint);
    this.#order = undefined;
    this.#unordered = [];
    this.#listed = undefined;
    return removed;
  }

  /** Those that have not ended at `atMs` and that `keep` takes, by fingerprint. */
  current(atMs: number, keep?: (alert: Alert) => boolean): Alert[] {
    if (!keep) return this.#ordered().filter((a) => a.endsAtMs >= atMs);
    const found: Alert[] = [];
    for (const a of this.#alerts.values()) if (a.endsAtMs >= atMs && keep(a)) found.push(a);
    if (found.length <= SORTED_ALONE_MAX) return found.sort(byFingerprint);
    const kept = new Set(found);
    return this.#ordered().filter((a) => kept.has(a));
  }

  /** New ones are merged in. */
  #ordered(): readonly Alert[] {
    if (this.#listed) return this.#listed;
    const old = this.#order ?? [];
    const fresh = (this.#order ? this.#unordered : [...this.#alerts.keys()]).sort();
    if (fresh.length > 0) {
      const merged: string[] = [];
      for (let i = 0, j = 0; i < old.length || j < fresh.length; )
        merged.push(j >= fresh.length || (i < old.length && old[i]! < fresh[j]!) ? old[i++]! : fresh[j++]!);
      this.#order = merged;
      this.#unordered = [];
    }
    this.#listed = (this.#order ?? []).map((f) => this.#alerts.get(f)!);
    return this.#listed;
  }
}

const byFingerprint = (a: Alert, b: Alert): number => (a.fingerprint < b.fingerprint ? -1 : 1);
