/**
 * Holds the drills of one tenant when they are due. A drill is held at most once for each of its times: its messages
 * are in the outbox before the run is written, both under names made of that time. One that came due while Vigie was
 * away is left out; a page about it hours later would prove nothing.
 */
import { VigieError } from '../lib/errors.ts';
import { parseDuration } from '../model/duration.ts';
import type { TenantId } from '../model/tenant.ts';
import type { CollectionSpec } from '../store/documents.ts';
import type { IncidentPorts } from './collections.ts';
import { nextCron, parseCron } from './cron.ts';
import {
  answered,
  DRILL_RUNS_MAX,
  DRILLS_PER_TENANT_MAX,
  type Drill,
  type DrillFigures,
  type DrillRun,
  drillFigures,
  drillMessage,
  drillOver,
  drillRunId,
  drillSchema,
  overdue,
} from './drill.ts';
import type { OutboxEntry } from './message.ts';
import { checkedBy, type OnCallDirectory } from './on-call-directory.ts';
import { reach } from './reach.ts';
import { onCallAt } from './schedule.ts';
import { signLink } from './signed-link.ts';

export const DRILLS: CollectionSpec = { name: 'drills' };
export const DRILL_RUNS: CollectionSpec = { name: 'drill_runs', indexed: ['atMs'] };
/** How late a drill may be held. */
const LATE_MS_MAX = 10 * 60_000;
const LOOK_MS = 10_000;
const LINK_LIFETIME_MS = 86_400_000;

export interface DrillWatchOptions {
  readonly tenant: TenantId;
  readonly ports: IncidentPorts;
  readonly directory: OnCallDirectory;
  /** Resolves once the messages are in the outbox. */
  readonly post: (entries: readonly OutboxEntry[]) => Promise<void>;
}

export interface DrillView {
  readonly drill: Drill;
  /** Absent when it is switched off or never comes. */
  readonly nextAtMs?: number;
}

export class DrillWatch {
  readonly #o: DrillWatchOptions;
  readonly #drills = new Map<string, Drill>();
  /** When each is due; made anew after a restart from the time then. */
  readonly #due = new Map<string, number>();
  readonly #waiting = new Map<string, DrillRun>();
  /** Of this process; a message that waits longer than a process lives is sent. */
  readonly #answered = new Set<string>();
  #lookedMs = Number.NEGATIVE_INFINITY;

  constructor(options: DrillWatchOptions) {
    this.#o = options;
  }

  async load(): Promise<void> {
    for (const d of (await this.#collection().list()).items)
      this.#drills.set(d.id, checkedBy(drillSchema, d.body, 'drill'));
    for (const run of await this.#runs()) if (run.result === 'waiting') this.#waiting.set(run.id, run);
  }

  list(): readonly DrillView[] {
    const nowMs = this.#o.ports.clock.now();
    return [...this.#drills.values()]
      .sort((a, b) => (a.name < b.name ? -1 : 1))
      .map((drill) => {
        const nextAtMs = this.#next(drill, nowMs);
        return { drill, ...(nextAtMs === undefined ? {} : { nextAtMs }) };
      });
  }

  get(name: string): Drill | undefined {
    return this.#drills.get(name);
  }

  /** Throws `bad_data`, `quota`. */
  async put(value: unknown): Promise<Drill> {
    const drill = checkedBy(drillSchema, value, 'drill');
    if (!this.#o.directory.schedule(drill.schedule))
      throw new VigieError(
        'bad_data',
        `drill.schedule: no schedule ${JSON.stringify(drill.schedule)}; create it first`,
      );
    if (!this.#drills.has(drill.name) && this.#drills.size >= DRILLS_PER_TENANT_MAX)
      throw new VigieError('quota', `at most ${DRILLS_PER_TENANT_MAX} drills per tenant`);
    await this.#collection().put(drill.name, value);
    this.#drills.set(drill.name, drill);
    this.#due.delete(drill.name);
    return drill;
  }

  async remove(name: string): Promise<boolean> {
    this.#drills.delete(name);
    this.#due.delete(name);
    return this.#collection().delete(name);
  }

  /** Newest first, at most `limit`. */
  async runs(limit = 100): Promise<readonly DrillRun[]> {
    const nowMs = this.#o.ports.clock.now();
    return (await this.#runs(limit)).map((r) => overdue(r, nowMs));
  }

  async figures(): Promise<DrillFigures> {
    const nowMs = this.#o.ports.clock.now();
    const people = new Set(this.#o.directory.schedules().flatMap((s) => s.layers.flatMap((l) => l.rotation.users)));
    return drillFigures(await this.runs(DRILL_RUNS_MAX), people, nowMs);
  }

  /** Holds one now, on a person's word. Throws `not_found`. */
  async hold(name: string): Promise<DrillRun> {
    const drill = this.#drills.get(name);
    if (!drill) throw new VigieError('not_found', `no drill ${JSON.stringify(name)}`);
    return this.#hold(drill, this.#o.ports.clock.now());
  }

  /** Somebody pressed the button of its page. Throws `not_found`. */
  async acknowledge(id: string, by: string): Promise<DrillRun> {
    const runs = this.#o.ports.documents.collection<DrillRun>(this.#o.tenant, DRILL_RUNS);
    const found = await runs.get(id);
    if (!found) throw new VigieError('not_found', `no drill ${JSON.stringify(id.slice(0, 150))}`);
    const run = answered(found.body, by, this.#o.ports.clock.now());
    if (run === found.body) return run;
    await runs.put(id, run, found.version);
    this.#answered.add(id);
    await this.#over(run);
    return run;
  }

  /** False once somebody answered: a later way of the same person is not needed. */
  wants(id: string): boolean {
    return !this.#answered.has(id);
  }

  /** A page of it was given up: the run says so, and is missed unless another way is answered. */
  async undelivered(id: string, why: string): Promise<void> {
    const runs = this.#o.ports.documents.collection<DrillRun>(this.#o.tenant, DRILL_RUNS);
    const found = await runs.get(id);
    if (found && found.body.why === '') await runs.put(id, { ...found.body, why }, found.version);
  }

  async #over(run: DrillRun): Promise<void> {
    this.#waiting.delete(run.id);
    const { tenant, ports } = this.#o;
    const dueAtMs = ports.clock.now();
    await this.#o.post(
      run.receivers.map((receiver, n) => ({
        message: drillOver(tenant, run, receiver, n),
        dueAtMs,
        attempts: 0,
        generation: 0,
      })),
    );
  }

  /** Holds what is due, and closes what nobody answered. */
  async look(): Promise<void> {
    const { clock } = this.#o.ports;
    const steadyMs = clock.monotonicMs();
    if (steadyMs - this.#lookedMs < LOOK_MS) return;
    this.#lookedMs = steadyMs;
    const nowMs = clock.now();
    for (const drill of this.#drills.values()) {
      if (!drill.enabled) continue;
      const due = this.#due.get(drill.name);
      const next = this.#next(drill, nowMs);
      // a clock that was set back brings the next time nearer, never the same time again
      if (due === undefined || due > nowMs) {
        if (next !== undefined && (due === undefined || next < due)) this.#due.set(drill.name, next);
        continue;
      }
      if (next === undefined) this.#due.delete(drill.name);
      else this.#due.set(drill.name, next);
      if (nowMs - due <= LATE_MS_MAX) await this.#hold(drill, due);
    }
    for (const run of this.#waiting.values()) {
      const now = overdue(run, nowMs);
      if (now === run) continue;
      const runs = this.#o.ports.documents.collection<DrillRun>(this.#o.tenant, DRILL_RUNS);
      const kept = await runs.get(run.id);
      if (kept?.body.result === 'waiting') await runs.put(run.id, { ...now, why: kept.body.why }, kept.version);
      await this.#over(run);
    }
  }

  async #hold(drill: Drill, atMs: number): Promise<DrillRun> {
    const { tenant, ports, directory } = this.#o;
    const runs = ports.documents.collection<DrillRun>(tenant, DRILL_RUNS);
    const id = drillRunId(drill.name, atMs);
    const before = await runs.get(id);
    if (before) return before.body;
    const schedule = directory.schedule(drill.schedule);
    const { user } = schedule ? onCallAt(schedule, atMs) : { user: '' };
    const { reached, missed } = reach([{ schedule: drill.schedule }], drill, directory, atMs);
    const run: DrillRun = {
      id,
      drill: drill.name,
      schedule: drill.schedule,
      atMs,
      user,
      withinMs: parseDuration(drill.within),
      receivers: [...new Set(reached.flatMap((r) => r.receiver ?? []))],
      result: reached.length === 0 ? 'nobody' : 'waiting',
      why: reached.length === 0 ? (missed[0] ?? 'nobody is on call') : '',
    };
    const link = { tenant, incident: id, action: 'acknowledge', addressee: user } as const;
    const token = signLink(ports.linkKey, { ...link, expiresAtMs: atMs + LINK_LIFETIME_MS });
    const acknowledgeUrl = `${ports.externalURL}/vigie/v1/act?token=${token}`;
    await this.#o.post(
      reached.map((to, n) => ({
        message: drillMessage({ tenant, run, to, n, acknowledgeUrl }),
        dueAtMs: atMs + to.afterMs,
        attempts: 0,
        generation: 0,
      })),
    );
    await runs.put(id, run);
    if (run.result === 'waiting') this.#waiting.set(id, run);
    await this.#forgetOld();
    return run;
  }

  async #forgetOld(): Promise<void> {
    const runs = this.#o.ports.documents.collection<DrillRun>(this.#o.tenant, DRILL_RUNS);
    const over = (await runs.count()) - DRILL_RUNS_MAX;
    if (over <= 0) return;
    const oldest = await runs.list({ orderBy: { field: 'atMs', direction: 'asc' }, limit: over });
    for (const d of oldest.items) await runs.delete(d.id);
  }

  #next(drill: Drill, nowMs: number): number | undefined {
    if (!drill.enabled) return undefined;
    const zone = drill.time_zone ?? this.#o.directory.schedule(drill.schedule)?.time_zone;
    return zone === undefined ? undefined : nextCron(parseCron(drill.cron), zone, nowMs);
  }

  async #runs(limit = DRILL_RUNS_MAX): Promise<readonly DrillRun[]> {
    const runs = this.#o.ports.documents.collection<DrillRun>(this.#o.tenant, DRILL_RUNS);
    const page = await runs.list({ orderBy: { field: 'atMs', direction: 'desc' }, limit: Math.min(limit, 1_000) });
    return page.items.map((d) => d.body);
  }

  #collection() {
    return this.#o.ports.documents.collection<unknown>(this.#o.tenant, DRILLS);
  }
}
