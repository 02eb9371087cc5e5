/**
 * Groups alerts and decides when each group is flushed: first at group_wait after its first alert, then every
 * group_interval from the start of the flush, whether or not anything was sent. It does not know what a flush does.
 */
import { setMaxListeners } from 'node:events';
import type { Clock, Timer } from '../lib/clock.ts';
import type { Labels } from '../model/labels.ts';
import { type Alert, isResolved } from './alert.ts';
import { groupKeyOf, groupLabelsOf, type Route, routesOf } from './routes.ts';

/** Groups of one tenant; an alert that would need one more is refused a group and counted. */
export const GROUPS_MAX = 100_000;
/** Empty groups are forgotten this often. */
export const MAINTENANCE_MS = 30_000;
/** A flush has at least this long, however short group_interval is. */
export const FLUSH_MS_MIN = 10_000;

/** Combinations of receivers that share one list; further ones have a list for each alert. */
const RECEIVER_LISTS_MAX = 10_000;

interface Way {
  readonly routes: readonly Route[];
  readonly receivers: readonly string[];
}

export interface Flush {
  readonly route: Route;
  readonly groupKey: string;
  readonly groupLabels: Labels;
  readonly alerts: readonly Alert[];
  readonly nowMs: number;
  /** Aborts when the next tick is due. */
  readonly signal: AbortSignal;
}
/** True when everybody has been told; false keeps the resolved alerts for the next tick. */
export type OnFlush = (flush: Flush) => Promise<boolean>;

export interface Group {
  readonly route: Route;
  readonly key: string;
  readonly labels: Labels;
  readonly alerts: ReadonlyMap<string, Alert>;
}

export class Dispatcher {
  readonly #root: Route;
  readonly #clock: Clock;
  readonly #onFlush: OnFlush;
  readonly #groups = new Map<string, AlertGroup>();
  readonly #ways = new WeakMap<Labels, Way>();
  readonly #receiverLists = new Map<string, readonly string[]>();
  #maintenance: Timer;
  #refused = 0;
  #stopped = false;

  constructor(root: Route, clock: Clock, onFlush: OnFlush) {
    this.#root = root;
    this.#clock = clock;
    this.#onFlush = onFlush;
    this.#maintenance = this.#keepUp();
  }

  routesFor(labels: Labels): readonly Route[] {
    return this.#way(labels).routes;
  }

  /** Names in the order of the routes, each once; the same list for all alerts that go the same way. */
  receiversFor(labels: Labels): readonly string[] {
    return this.#way(labels).receivers;
  }

  #way(labels: Labels): Way {
    let way = this.#ways.get(labels);
    if (!way) {
      const routes = routesOf(this.#root, labels);
      const id = routes.map((r) => r.id).join(' ');
      let receivers = this.#receiverLists.get(id);
      if (!receivers) {
        receivers = [...new Set(routes.map((r) => r.receiver))];
        if (this.#receiverLists.size < RECEIVER_LISTS_MAX) this.#receiverLists.set(id, receivers);
      }
      this.#ways.set(labels, (way = { routes, receivers }));
    }
    return way;
  }

  /** `only`: restricts to groups for which it holds; used when alerts come back after a restart. */
  insert(alert: Alert, only?: (groupKey: string, route: Route) => boolean): void {
    for (const route of this.routesFor(alert.labels)) {
      const labels = groupLabelsOf(route, alert.labels);
      const id = `${route.id}\u0000${labels.key}`;
      let group = this.#groups.get(id);
      const key = group?.key ?? groupKeyOf(route, labels);
      if (only && !only(key, route)) continue;
      if (!group) {
        if (this.#groups.size >= GROUPS_MAX) {
          this.#refused++;
          continue;
        }
        group = new AlertGroup(route, key, labels, this.#clock, this.#onFlush);
        this.#groups.set(id, group);
      }
      group.insert(alert);
    }
  }

  groups(): Group[] {
    return [...this.#groups.values()];
  }

  get groupCount(): number {
    return this.#groups.size;
  }

  /** Alerts that got no group because of GROUPS_MAX. */
  get refusedCount(): number {
    return this.#refused;
  }

  #keepUp(): Timer {
    return this.#clock.setTimer(() => {
      if (this.#stopped) return;
      for (const [id, group] of this.#groups)
        if (group.idle) {
          group.stop();
          this.#groups.delete(id);
        }
      this.#maintenance = this.#keepUp();
    }, MAINTENANCE_MS);
  }

  /** Ends all timers and running flushes; what was not told is told by the next dispatcher. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#maintenance.cancel();
    await Promise.all([...this.#groups.values()].map((g) => g.stop()));
  }
}

class AlertGroup implements Group {
  readonly route: Route;
  readonly key: string;
  readonly labels: Labels;
  readonly alerts = new Map<string, Alert>();
  readonly #clock: Clock;
  readonly #onFlush: OnFlush;
  #timer: Timer;
  #flushed = false;
  #running: Promise<void> | undefined;
  #tickWaits = false;
  #abort: AbortController | undefined;
  #stopped = false;

  constructor(route: Route, key: string, labels: Labels, clock: Clock, onFlush: OnFlush) {
    this.route = route;
    this.key = key;
    this.labels = labels;
    this.#clock = clock;
    this.#onFlush = onFlush;
    this.#timer = this.#after(route.groupWaitMs);
  }

  get idle(): boolean {
    return this.alerts.size === 0 && !this.#running;
  }

  insert(alert: Alert): void {
    this.alerts.set(alert.fingerprint, alert);
    // the wait is over already when the alert began long ago, as after a restart
    if (!this.#flushed && alert.startsAtMs + this.route.groupWaitMs < this.#clock.now()) {
      this.#timer.cancel();
      this.#timer = this.#after(0);
    }
  }

  #after(delayMs: number): Timer {
    return this.#clock.setTimer(() => this.#tick(), delayMs);
  }

  #tick(): void {
    if (this.#stopped) return;
    this.#flushed = true;
    if (this.#running) {
      this.#tickWaits = true;
      return;
    }
    this.#timer.cancel();
    this.#timer = this.#after(this.route.groupIntervalMs);
    this.#running = this.#flush().finally(() => {
      this.#running = undefined;
      if (this.#tickWaits) {
        this.#tickWaits = false;
        this.#tick();
      }
    });
  }

  async #flush(): Promise<void> {
    if (this.alerts.size === 0) return;
    const nowMs = this.#clock.now();
    const alerts = [...this.alerts.values()];
    const abort = new AbortController();
    // each integration of the receiver listens
    setMaxListeners(0, abort.signal);
    this.#abort = abort;
    const deadline = this.#clock.setTimer(
      () => abort.abort(new Error('the time of this flush is over')),
      Math.max(this.route.groupIntervalMs, FLUSH_MS_MIN),
    );
    try {
      const told = await this.#onFlush({
        route: this.route,
        groupKey: this.key,
        groupLabels: this.labels,
        alerts,
        nowMs,
        signal: abort.signal,
      });
      if (!told) return;
      for (const a of alerts)
        if (isResolved(a, nowMs) && this.alerts.get(a.fingerprint) === a) this.alerts.delete(a.fingerprint);
    } finally {
      deadline.cancel();
      this.#abort = undefined;
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer.cancel();
    this.#abort?.abort(new Error('stopped'));
    await this.#running?.catch(() => {});
  }
}
