/** Two rehearsals side by side, a rehearsal beside what really was sent, and what a team's nights cost. Pure. */
import type { Told } from './rehearsal.ts';

/** Two messages about the same thing this close are the same message. */
export const SAME_MS = 60_000;
/** Entries listed in an answer; the counts are of all. */
export const LISTED_MAX = 500;

export interface ToldDiff {
  readonly same: number;
  readonly addedCount: number;
  readonly removedCount: number;
  readonly added: readonly Told[];
  readonly removed: readonly Told[];
  readonly byReceiver: readonly { readonly to: string; readonly before: number; readonly after: number }[];
}

const keyOf = (t: Told): string => `${t.kind}\u0000${t.to}\u0000${t.about}\u0000${t.resolved ? 'r' : 'f'}`;

/**
 * Pairs messages with the same receiver, subject and direction, nearest in time, within SAME_MS. Incidents are paired by
 * the rules they are about: their numbers differ between two configurations.
 */
export function diffTold(before: readonly Told[], after: readonly Told[], sameMs = SAME_MS): ToldDiff {
  const named = (t: Told): Told => (t.kind === 'page' ? { ...t, about: [...t.rules].sort().join(',') } : t);
  const open = new Map<string, Told[]>();
  for (const t of before) {
    const key = keyOf(named(t));
    open.set(key, [...(open.get(key) ?? []), t]);
  }
  const added: Told[] = [];
  let same = 0;
  for (const t of after) {
    const list = open.get(keyOf(named(t)));
    const i = list?.findIndex((b) => Math.abs(b.atMs - t.atMs) <= sameMs) ?? -1;
    if (list && i >= 0) {
      list.splice(i, 1);
      same++;
    } else added.push(t);
  }
  const removed = [...open.values()].flat().sort((a, b) => a.atMs - b.atMs);
  const receivers = new Map<string, { before: number; after: number }>();
  const count = (list: readonly Told[], side: 'before' | 'after'): void => {
    for (const t of list) {
      const r = receivers.get(t.to) ?? { before: 0, after: 0 };
      r[side]++;
      receivers.set(t.to, r);
    }
  };
  count(before, 'before');
  count(after, 'after');
  return {
    same,
    addedCount: added.length,
    removedCount: removed.length,
    added: added.slice(0, LISTED_MAX),
    removed: removed.slice(0, LISTED_MAX),
    byReceiver: [...receivers].map(([to, n]) => ({ to, ...n })).sort((a, b) => (a.to < b.to ? -1 : 1)),
  };
}

export interface PageBudget {
  readonly to: string;
  /** Firing messages, without the notices of an end. */
  readonly pages: number;
  readonly perWeek: number;
  readonly budgetPerWeek: number;
  readonly over: boolean;
  /** Between 22:00 and 07:00 of the zone asked for. */
  readonly atNight: number;
  /** Rules that spend it, most first. */
  readonly rules: readonly { readonly rule: string; readonly pages: number }[];
}

/** What each receiver was told, against its budget per week. `hourOf`: local hour of the day. */
export function pageBudgets(
  told: readonly Told[],
  periodMs: number,
  budgetOf: (to: string) => number,
  hourOf: (atMs: number) => number,
): readonly PageBudget[] {
  const weeks = periodMs / (7 * 86_400_000);
  const by = new Map<string, { pages: number; atNight: number; rules: Map<string, number> }>();
  for (const t of told) {
    if (t.resolved) continue;
    let b = by.get(t.to);
    if (!b) by.set(t.to, (b = { pages: 0, atNight: 0, rules: new Map() }));
    b.pages++;
    const hour = hourOf(t.atMs);
    if (hour >= 22 || hour < 7) b.atNight++;
    for (const r of new Set(t.rules)) b.rules.set(r, (b.rules.get(r) ?? 0) + 1);
  }
  return [...by]
    .map(([to, b]): PageBudget => {
      const perWeek = b.pages / weeks;
      const budgetPerWeek = budgetOf(to);
      return {
        to,
        pages: b.pages,
        perWeek,
        budgetPerWeek,
        over: perWeek > budgetPerWeek,
        atNight: b.atNight,
        rules: [...b.rules]
          .map(([rule, pages]) => ({ rule, pages }))
          .sort((x, y) => y.pages - x.pages || (x.rule < y.rule ? -1 : 1)),
      };
    })
    .sort((a, b) => b.pages - a.pages || (a.to < b.to ? -1 : 1));
}

/** A transition as alert history keeps it. */
export interface HistoryTransition {
  readonly atMs: number;
  readonly fingerprint: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly from: 'inactive' | 'pending' | 'firing';
  readonly to: 'inactive' | 'pending' | 'firing';
}

/** Episodes from transitions in any order; one that began before the first transition begins with the period. */
export function episodesOf(
  transitions: readonly HistoryTransition[],
  fromMs: number,
): {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly firstBadAtMs?: number;
  readonly startsAtMs: number;
  readonly endsAtMs?: number;
}[] {
  type Open = {
    labels: Readonly<Record<string, string>>;
    annotations: Readonly<Record<string, string>>;
    startsAtMs: number;
    firstBadAtMs?: number;
  };
  const pending = new Map<string, number>();
  const open = new Map<string, Open>();
  const out: (Open & { endsAtMs?: number })[] = [];
  for (const t of [...transitions].sort((a, b) => a.atMs - b.atMs)) {
    if (t.to === 'pending') pending.set(t.fingerprint, t.atMs);
    const annotations = t.annotations ?? {};
    if (t.to === 'firing' && !open.has(t.fingerprint)) {
      const firstBadAtMs = pending.get(t.fingerprint);
      open.set(t.fingerprint, {
        labels: t.labels,
        annotations,
        startsAtMs: t.atMs,
        ...(firstBadAtMs === undefined ? {} : { firstBadAtMs }),
      });
      pending.delete(t.fingerprint);
    } else if (t.from === 'firing' && t.to !== 'firing') {
      const began = open.get(t.fingerprint) ?? { labels: t.labels, annotations, startsAtMs: fromMs };
      open.delete(t.fingerprint);
      out.push({ ...began, endsAtMs: t.atMs });
    }
  }
  out.push(...open.values());
  return out.sort((a, b) => a.startsAtMs - b.startsAtMs);
}
