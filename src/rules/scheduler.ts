/**
 * Decides which group runs when: each at its own slots, all tenants in turn, a bounded number at once. A slot that is
 * over before its group could run is missed, and counted. Knows nothing of what a run does.
 */
import type { Clock, Timer } from '../lib/clock.ts';
import { groupOffsetNs, slotAtOrBefore } from './group-offset.ts';

/** The clock is looked at this often at least, so that a step of it is noticed. */
const LOOK_MS_MAX = 15_000;
const STEP_BACK_MS = 1_000;

export interface ScheduledRun {
  readonly slotMs: number;
  readonly missed: number;
}

export interface ScheduledGroup {
  readonly tenant: string;
  readonly name: string;
  readonly file: string;
  readonly intervalMs: number;
  /** Must not throw. */
  run(run: ScheduledRun): Promise<void>;
}

interface Entry {
  readonly group: ScheduledGroup;
  readonly offsetNs: bigint;
  dueMs: number;
  cancelled: boolean;
  running: Promise<void> | undefined;
}

const nextSlot = (e: Entry, nowMs: number): number =>
  slotAtOrBefore(nowMs, e.offsetNs, e.group.intervalMs) + e.group.intervalMs;

export interface Scheduled {
  /** No run begins any more; resolves when the one in flight ended. */
  cancel(): Promise<void>;
}

export class Scheduler implements AsyncDisposable {
  readonly #clock: Clock;
  readonly #concurrency: number;
  readonly #perTenant: number;
  readonly #entries = new Set<Entry>();
  /** Waiting entries by tenant; the map's order is the order of turns. */
  readonly #ready = new Map<string, Entry[]>();
  readonly #busy = new Map<string, number>();
  #running = 0;
  #timer: Timer | undefined;
  #timerDueMs = Number.POSITIVE_INFINITY;
  #lastLookMs: number;
  #closed = false;

  constructor(clock: Clock, concurrency: number, perTenant: number) {
    this.#clock = clock;
    this.#concurrency = concurrency;
    this.#perTenant = perTenant;
    this.#lastLookMs = clock.now();
  }

  add(group: ScheduledGroup): Scheduled {
    const offsetNs = groupOffsetNs(group.name, group.file, group.intervalMs);
    const entry: Entry = {
      group,
      offsetNs,
      dueMs: slotAtOrBefore(this.#clock.now(), offsetNs, group.intervalMs) + group.intervalMs,
      cancelled: false,
      running: undefined,
    };
    this.#entries.add(entry);
    this.#arm(entry.dueMs);
    return {
      cancel: async () => {
        entry.cancelled = true;
        this.#entries.delete(entry);
        await entry.running;
      },
    };
  }

  #arm(dueMs: number): void {
    if (this.#closed || dueMs >= this.#timerDueMs) return;
    this.#timer?.cancel();
    this.#timerDueMs = dueMs;
    const delay = Math.min(LOOK_MS_MAX, Math.max(0, dueMs - this.#clock.now()));
    this.#timer = this.#clock.setTimer(() => this.#look(), delay);
  }

  #look(): void {
    this.#timer = undefined;
    this.#timerDueMs = Number.POSITIVE_INFINITY;
    const now = this.#clock.now();
    if (now < this.#lastLookMs - STEP_BACK_MS)
      for (const e of this.#entries) if (e.dueMs !== Number.POSITIVE_INFINITY) e.dueMs = nextSlot(e, now);
    this.#lastLookMs = now;
    let next = Number.POSITIVE_INFINITY;
    const due: Entry[] = [];
    for (const e of this.#entries) {
      if (e.dueMs === Number.POSITIVE_INFINITY) continue;
      if (e.dueMs <= now) due.push(e);
      else if (e.dueMs < next) next = e.dueMs;
    }
    due.sort((a, b) => a.dueMs - b.dueMs);
    for (const e of due) this.#enqueue(e);
    this.#arm(next);
    this.#pump();
  }

  readonly #planned = new Map<Entry, number>();

  #enqueue(e: Entry): void {
    this.#planned.set(e, e.dueMs);
    e.dueMs = Number.POSITIVE_INFINITY;
    const list = this.#ready.get(e.group.tenant);
    if (list) list.push(e);
    else this.#ready.set(e.group.tenant, [e]);
  }

  #pump(): void {
    while (!this.#closed && this.#running < this.#concurrency) {
      let found = false;
      for (const [tenant, list] of this.#ready) {
        const busy = this.#busy.get(tenant) ?? 0;
        if (busy >= this.#perTenant) continue;
        const entry = list.shift()!;
        // to the back of the line: every tenant has its turn before this one has another
        this.#ready.delete(tenant);
        if (list.length > 0) this.#ready.set(tenant, list);
        const planned = this.#planned.get(entry)!;
        this.#planned.delete(entry);
        found = true;
        if (entry.cancelled) break;
        this.#busy.set(tenant, busy + 1);
        this.#running++;
        entry.running = this.#run(entry, planned);
        break;
      }
      if (!found) return;
    }
  }

  async #run(entry: Entry, plannedMs: number): Promise<void> {
    const { group } = entry;
    const began = this.#clock.now();
    const missed = Math.max(0, Math.floor((began - plannedMs) / group.intervalMs));
    // the clock was put back while this run waited: its slot lies ahead now
    const slotMs =
      plannedMs > began ? nextSlot(entry, began) - group.intervalMs : plannedMs + missed * group.intervalMs;
    try {
      await group.run({ slotMs, missed });
    } finally {
      entry.running = undefined;
      this.#running--;
      const busy = this.#busy.get(group.tenant)! - 1;
      if (busy > 0) this.#busy.set(group.tenant, busy);
      else this.#busy.delete(group.tenant);
      if (!entry.cancelled && !this.#closed) {
        const now = this.#clock.now();
        // the clock was put back during the run: the slot after it may be an hour or a hundred days away
        entry.dueMs = slotMs > now ? nextSlot(entry, now) : slotMs + group.intervalMs;
        if (entry.dueMs <= now) this.#enqueue(entry);
        else this.#arm(entry.dueMs);
      }
      this.#pump();
    }
  }

  /** Nothing begins any more; waits for what runs. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    await Promise.all([...this.#entries].map((e) => e.running));
    this.#entries.clear();
    this.#ready.clear();
  }
}
