/**
 * How right one detector has been: tallies per day and the newest verdicts, from which precision, recall, lead and
 * coverage follow, and whether it has to be quiet. Pure state; predictions.ts stores it.
 */

/** Days that are kept, and over which the record is told. */
export const RECORD_DAYS_MAX = 90;
export const RECORD_WINDOW_DAYS = 30;
/** Newest judged predictions that decide about muting. */
const RECENT_MAX = 20;
const DAY_MS = 86_400_000;

export interface DayTally {
  announced: number;
  hits: number;
  falseAlerts: number;
  misses: number;
  /** Announced, and nobody can say yet whether rightly. */
  unjudged: number;
  leadMs: number;
  /** Forecast values compared with what came, and those inside the 95 % interval. */
  values: number;
  inside: number;
  /** Series times seconds watched. */
  seriesSeconds: number;
}

export interface RecordState {
  readonly days: Readonly<Record<string, DayTally>>;
  readonly recent: readonly ('hit' | 'false')[];
  readonly muted: boolean;
  readonly mutedWhy: string;
}

export interface RecordSummary {
  readonly days: number;
  readonly announced: number;
  readonly hits: number;
  readonly falseAlerts: number;
  readonly misses: number;
  readonly unjudged: number;
  /** NaN while undefined. */
  readonly precision: number;
  readonly recall: number;
  readonly leadSeconds: number;
  readonly coverage95: number;
  /** Forecast values that were compared. */
  readonly values: number;
  readonly alertsPerSeriesWeek: number;
  readonly muted: boolean;
  readonly mutedWhy: string;
}

export const MUTING = {
  /** Judged predictions before precision counts, and the limits below and above which it mutes and speaks again. */
  judgedMin: 5,
  precisionMin: 0.3,
  precisionBack: 0.5,
  /** Forecast values before coverage counts. */
  valuesMin: 500,
  coverageMin: 0.75,
  coverageBack: 0.85,
  /** Unjudged alerts over the budget before a detector counts as noisy. */
  alertsMin: 10,
  overBudget: 10,
};

const EMPTY = (): DayTally => ({
  announced: 0,
  hits: 0,
  falseAlerts: 0,
  misses: 0,
  unjudged: 0,
  leadMs: 0,
  values: 0,
  inside: 0,
  seriesSeconds: 0,
});

export class DetectorRecord {
  readonly #days = new Map<string, DayTally>();
  readonly #recent: ('hit' | 'false')[] = [];
  #muted = false;
  #mutedWhy = '';
  /** Changed since it was last stored; `urgent` when that was a verdict, which must survive a crash. */
  dirty = false;
  urgent = false;

  constructor(state?: RecordState) {
    if (!state) return;
    for (const [day, tally] of Object.entries(state.days)) this.#days.set(day, { ...EMPTY(), ...tally });
    this.#recent.push(...state.recent);
    this.#muted = state.muted;
    this.#mutedWhy = state.mutedWhy;
  }

  get muted(): boolean {
    return this.#muted;
  }
  get mutedWhy(): string {
    return this.#mutedWhy;
  }

  day(atMs: number): DayTally {
    this.dirty = true;
    const key = new Date(Math.floor(atMs / DAY_MS) * DAY_MS).toISOString().slice(0, 10);
    let day = this.#days.get(key);
    if (!day) {
      this.#days.set(key, (day = EMPTY()));
      while (this.#days.size > RECORD_DAYS_MAX) this.#days.delete([...this.#days.keys()].sort()[0]!);
    }
    return day;
  }

  verdict(atMs: number, verdict: 'hit' | 'false' | 'miss', leadMs = 0): void {
    const day = this.day(atMs);
    this.urgent = true;
    if (verdict === 'miss') day.misses++;
    else {
      if (verdict === 'hit') {
        day.hits++;
        day.leadMs += Math.max(0, leadMs);
      } else day.falseAlerts++;
      this.#recent.push(verdict);
      if (this.#recent.length > RECENT_MAX) this.#recent.shift();
    }
  }

  /** Takes back one verdict, for feedback that is withdrawn. */
  withdraw(atMs: number, verdict: 'hit' | 'false'): void {
    const day = this.day(atMs);
    if (verdict === 'hit') day.hits = Math.max(0, day.hits - 1);
    else day.falseAlerts = Math.max(0, day.falseAlerts - 1);
    day.unjudged++;
    const at = this.#recent.lastIndexOf(verdict);
    if (at >= 0) this.#recent.splice(at, 1);
  }

  summary(nowMs: number): RecordSummary {
    const from = new Date(nowMs - RECORD_WINDOW_DAYS * DAY_MS).toISOString().slice(0, 10);
    const sum = EMPTY();
    let days = 0;
    for (const [day, t] of this.#days) {
      if (day < from) continue;
      days++;
      for (const key of Object.keys(sum) as (keyof DayTally)[]) sum[key] += t[key];
    }
    const judged = sum.hits + sum.falseAlerts;
    const weeks = sum.seriesSeconds / 604_800;
    return {
      days,
      announced: sum.announced,
      hits: sum.hits,
      falseAlerts: sum.falseAlerts,
      misses: sum.misses,
      unjudged: sum.unjudged,
      precision: judged > 0 ? sum.hits / judged : Number.NaN,
      recall: sum.hits + sum.misses > 0 ? sum.hits / (sum.hits + sum.misses) : Number.NaN,
      leadSeconds: sum.hits > 0 ? sum.leadMs / sum.hits / 1000 : Number.NaN,
      values: sum.values,
      coverage95: sum.values > 0 ? sum.inside / sum.values : Number.NaN,
      alertsPerSeriesWeek: weeks > 0 ? sum.announced / weeks : Number.NaN,
      muted: this.#muted,
      mutedWhy: this.#mutedWhy,
    };
  }

  /** Looks at the record and mutes or speaks again. `budget`: alerts per series and week. True when that changed. */
  review(nowMs: number, budget: number): boolean {
    const s = this.summary(nowMs);
    const judged = this.#recent.length;
    const hits = this.#recent.filter((v) => v === 'hit').length;
    const precision = judged >= MUTING.judgedMin ? hits / judged : Number.NaN;
    const precisionLimit = this.#muted ? MUTING.precisionBack : MUTING.precisionMin;
    const coverageLimit = this.#muted ? MUTING.coverageBack : MUTING.coverageMin;
    const noisy = (this.#muted ? MUTING.overBudget / 2 : MUTING.overBudget) * budget;
    let why = '';
    if (precision < precisionLimit)
      why = `${judged - hits} of its last ${judged} announcements were wrong; at least ${percent(precisionLimit)} must be right`;
    else if (s.values >= MUTING.valuesMin && s.coverage95 < coverageLimit)
      why = `its 95 % interval held ${percent(s.coverage95)} of ${s.values} values; at least ${percent(coverageLimit)} are wanted`;
    else if (s.announced >= MUTING.alertsMin && s.unjudged > 0.5 * s.announced && s.alertsPerSeriesWeek > noisy)
      why = `${s.alertsPerSeriesWeek.toFixed(2)} alerts per series and week against a budget of ${budget}`;
    const muted = why !== '';
    if (muted === this.#muted && why === this.#mutedWhy) return false;
    const changed = muted !== this.#muted;
    this.#muted = muted;
    this.#mutedWhy = why;
    this.dirty = true;
    this.urgent = true;
    return changed;
  }

  state(): RecordState {
    return {
      days: Object.fromEntries(this.#days),
      recent: [...this.#recent],
      muted: this.#muted,
      mutedWhy: this.#mutedWhy,
    };
  }

  /** Days in order, for a chart. */
  byDay(): readonly (DayTally & { readonly day: string })[] {
    return [...this.#days].sort(([a], [b]) => (a < b ? -1 : 1)).map(([day, t]) => ({ day, ...t }));
  }
}

const percent = (x: number): string => `${Math.round(100 * x)} %`;
