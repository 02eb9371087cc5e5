/**
 * Incidents of all tenants: opens each on first use, takes what is due, notices that the clock was set, compares
 * tenants for the verdict, and counts. What one tenant sees of another is a number, made here.
 */
import type { Timer } from '../lib/clock.ts';
import { messageOf } from '../lib/errors.ts';
import type { Counter, Family, Histogram } from '../lib/self-metrics.ts';
import type { TenantId } from '../model/tenant.ts';
import type { ListOptions } from '../store/documents.ts';
import { INCIDENTS, type IncidentPorts, type IncidentSettings, OUTBOX, SCHEDULES } from './collections.ts';
import { CORRELATION_DEFAULTS } from './correlate.ts';
import type { Incident, Signal, SignalStatus, TimelineEntry } from './incident.ts';
import type { IncidentEvent } from './life-cycle.ts';
import { postMortem } from './post-mortem.ts';
import { type IncidentStatistics, statisticsOf, timeToResolveMs } from './statistics.ts';
import { TenantIncidents } from './tenant-incidents.ts';

export const SETTINGS_DEFAULTS: IncidentSettings = {
  correlation: CORRELATION_DEFAULTS,
  resolveAfterMs: 120_000,
  resolveAfterFlappingMs: 600_000,
  resolveObjectiveMs: 300_000,
  correlate: true,
};
/** A deadline further away is looked at again after this, so that a set clock is noticed. */
const LOOK_MS = 15_000;
/** The wall clock may drift this far from the steady one between looks before it counts as set. */
const STEP_MS = 2_000;
const ENRICH_MS = 1_000;
/** After a failure to store, a tenant's deadlines wait this long: a full disk must not become a busy loop. */
const PAUSE_MS = 5_000;
/** Incidents of two tenants that opened this close, with a rule in common, are one event to the verdict. */
const SAME_EVENT_MS = 20 * 60_000;
/** Incidents read for statistics at most. */
const STATISTICS_MAX = 10_000;

export interface IncidentFilter {
  readonly live?: boolean;
  readonly state?: string;
  readonly criticality?: string;
  readonly fromMs?: number;
  readonly toMs?: number;
  readonly limit?: number;
  readonly after?: string;
}

export class IncidentService {
  readonly settings: IncidentSettings;
  readonly #ports: IncidentPorts;
  readonly #tenants = new Map<TenantId, Promise<TenantIncidents>>();
  readonly #open = new Map<TenantId, TenantIncidents>();
  readonly #meters: Meters | undefined;
  #timer: Timer | undefined;
  #timerAtMs = Number.POSITIVE_INFINITY;
  #enrichTimer: Timer | undefined;
  #lastWallMs = 0;
  #lastSteadyMs = 0;
  #running: Promise<void> | undefined;
  #again = false;
  /** A set clock that could not be followed yet. */
  readonly #owedShiftMs = new Map<TenantId, number>();
  /** Steady time before which a tenant that failed is not tried again. */
  readonly #pausedUntilMs = new Map<TenantId, number>();
  #closed = false;

  constructor(ports: IncidentPorts) {
    this.#ports = ports;
    this.settings = { ...SETTINGS_DEFAULTS, ...ports.settings };
    this.#meters = ports.metrics ? meters(ports.metrics) : undefined;
    const live = ports.metrics?.gauge('vigie_incidents_live', 'Incidents that are not over.', ['tenant']);
    ports.metrics?.onCollect(() => {
      for (const [tenant, t] of this.#open) live?.labels(tenant).set(t.live().length);
    });
  }

  /** Opens every tenant that has documents: what was due while Vigie was away is taken now. */
  async start(): Promise<void> {
    this.#lastWallMs = this.#ports.clock.now();
    this.#lastSteadyMs = this.#ports.clock.monotonicMs();
    for (const tenant of await this.#ports.documents.tenants()) {
      const { documents } = this.#ports;
      const needed =
        (await documents.collection(tenant, INCIDENTS).count({ live: 1 })) > 0 ||
        // the end of an incident may still have to be told, and schedules hand over whatever is open
        (await documents.collection(tenant, OUTBOX).count()) > 0 ||
        (await documents.collection(tenant, SCHEDULES).count()) > 0;
      if (needed) await this.tenant(tenant);
    }
    this.#arm();
  }

  /** The incidents of `tenant`, opened on first use. */
  tenant(tenant: TenantId): Promise<TenantIncidents> {
    let found = this.#tenants.get(tenant);
    if (!found) {
      found = this.#load(tenant);
      this.#tenants.set(tenant, found);
      // a failed opening is tried again by the next caller
      found.catch(() => this.#tenants.delete(tenant));
    }
    return found;
  }

  async #load(tenant: TenantId): Promise<TenantIncidents> {
    const made = new TenantIncidents({
      tenant,
      ports: this.#ports,
      settings: this.settings,
      alsoHit: (t, i) => this.#alsoHit(t, i),
      onChanged: (after, before) => this.#changed(tenant, after, before),
      onDeadline: () => this.#arm(),
    });
    await made.load();
    this.#open.set(tenant, made);
    this.#arm();
    return made;
  }

  /** Takes signals of a tenant; resolved means durable. Answers the incident of each. */
  async observe(tenant: TenantId, signals: readonly Signal[]): Promise<readonly string[]> {
    if (signals.length === 0) return [];
    return (await this.tenant(tenant)).observe(signals);
  }

  async get(tenant: TenantId, id: string): Promise<Incident> {
    return (await this.tenant(tenant)).get(id);
  }

  /** Newest first. */
  async list(
    tenant: TenantId,
    filter: IncidentFilter = {},
  ): Promise<{ incidents: readonly Incident[]; next?: string }> {
    const where: Record<string, string | number> = {};
    if (filter.live !== undefined) where['live'] = filter.live ? 1 : 0;
    if (filter.state !== undefined) where['state'] = filter.state;
    if (filter.criticality !== undefined) where['criticality'] = filter.criticality;
    const openedAtMs: { from?: number; to?: number } = {};
    if (filter.fromMs !== undefined) openedAtMs.from = filter.fromMs;
    if (filter.toMs !== undefined) openedAtMs.to = filter.toMs;
    const options: ListOptions = {
      where,
      ...(filter.fromMs === undefined && filter.toMs === undefined ? {} : { range: { openedAtMs } }),
      orderBy: { field: 'number', direction: 'desc' },
      limit: filter.limit ?? 100,
      ...(filter.after === undefined ? {} : { after: filter.after }),
    };
    const page = await this.#ports.documents.collection<Incident>(tenant, INCIDENTS).list(options);
    return { incidents: page.items.map((d) => d.body), ...(page.next === undefined ? {} : { next: page.next }) };
  }

  async statistics(tenant: TenantId, fromMs: number, toMs: number): Promise<IncidentStatistics> {
    const all: Incident[] = [];
    let after: string | undefined;
    do {
      const page = await this.list(tenant, { fromMs, toMs, limit: 1_000, ...(after === undefined ? {} : { after }) });
      all.push(...page.incidents);
      after = page.next;
    } while (after !== undefined && all.length < STATISTICS_MAX);
    return statisticsOf(all, this.settings.resolveObjectiveMs);
  }

  async act(
    tenant: TenantId,
    id: string,
    event: IncidentEvent,
    actor: string,
    text: string,
    more: { readonly snoozeUntilMs?: number } = {},
  ): Promise<Incident> {
    return (await this.tenant(tenant)).act(id, event, actor, text, more);
  }

  async note(tenant: TenantId, id: string, entry: Omit<TimelineEntry, 'atMs'>): Promise<Incident> {
    return (await this.tenant(tenant)).note(id, entry);
  }

  /** The state of one alert, for playbooks that verify on the same signal. */
  async signalState(tenant: TenantId, fingerprint: string): Promise<SignalStatus> {
    return (await this.tenant(tenant)).signalState(fingerprint);
  }

  async postMortem(tenant: TenantId, id: string): Promise<string> {
    return postMortem(await this.get(tenant, id), this.settings.resolveObjectiveMs);
  }

  /** Other tenants whose live incidents share a rule with this one and opened about the same time. */
  #alsoHit(tenant: TenantId, incident: Incident): ReadonlySet<string> {
    const rules = new Set(incident.alerts.map((a) => a.labels['alertname'] ?? ''));
    const out = new Set<string>();
    for (const [other, theirs] of this.#open) {
      if (other === tenant) continue;
      const same = theirs
        .live()
        .some(
          (i) =>
            Math.abs(i.openedAtMs - incident.openedAtMs) <= SAME_EVENT_MS &&
            i.alerts.some((a) => rules.has(a.labels['alertname'] ?? '')),
        );
      if (same) out.add(other);
    }
    return out;
  }

  #changed(tenant: TenantId, after: Incident, before: Incident | undefined): void {
    this.#ports.publish(tenant, liveView(after));
    this.#meters?.changed(tenant, after, before, this.settings.resolveObjectiveMs);
  }

  #arm(): void {
    if (this.#closed) return;
    const { clock } = this.#ports;
    const nowMs = clock.now();
    let dueAtMs = nowMs + LOOK_MS;
    for (const t of this.#open.values()) {
      const pauseMs = Math.max(0, (this.#pausedUntilMs.get(t.tenant) ?? 0) - clock.monotonicMs());
      dueAtMs = Math.min(dueAtMs, Math.max(t.nextDueAtMs() ?? dueAtMs, nowMs + pauseMs));
    }
    if (!this.#timer || dueAtMs < this.#timerAtMs) {
      this.#timer?.cancel();
      this.#timerAtMs = dueAtMs;
      this.#timer = clock.setTimer(
        () => {
          this.#timer = undefined;
          this.#timerAtMs = Number.POSITIVE_INFINITY;
          void this.tick();
        },
        Math.max(0, dueAtMs - nowMs),
      );
    }
    if (!this.#enrichTimer && [...this.#open.values()].some((t) => t.wantsEnrichment)) {
      this.#enrichTimer = clock.setTimer(() => {
        this.#enrichTimer = undefined;
        void this.#enrich();
      }, ENRICH_MS);
    }
  }

  /** Takes what is due, in every tenant; one that fails holds up no other. */
  async tick(): Promise<void> {
    if (this.#running) {
      this.#again = true;
      return this.#running;
    }
    this.#running = (async () => {
      do {
        this.#again = false;
        this.#noticeStep();
        await Promise.all(
          [...this.#open.values()].map(async (t) => {
            if ((this.#pausedUntilMs.get(t.tenant) ?? 0) > this.#ports.clock.monotonicMs()) return;
            try {
              const owedMs = this.#owedShiftMs.get(t.tenant);
              if (owedMs !== undefined) {
                await t.shiftTimers(owedMs);
                this.#owedShiftMs.delete(t.tenant);
              }
              await t.tick();
              this.#pausedUntilMs.delete(t.tenant);
            } catch (error) {
              this.#pausedUntilMs.set(t.tenant, this.#ports.clock.monotonicMs() + PAUSE_MS);
              this.#ports.logger.error('what is due could not be taken', { tenant: t.tenant, error: messageOf(error) });
            }
          }),
        );
      } while (this.#again && !this.#closed);
    })().finally(() => {
      this.#running = undefined;
      this.#arm();
    });
    return this.#running;
  }

  /** The wall clock moved against the steady one: deadlines move with it. */
  #noticeStep(): void {
    const { clock, logger } = this.#ports;
    const wallMs = clock.now();
    const steadyMs = clock.monotonicMs();
    const byMs = wallMs - this.#lastWallMs - (steadyMs - this.#lastSteadyMs);
    const known = this.#lastWallMs !== 0;
    this.#lastWallMs = wallMs;
    this.#lastSteadyMs = steadyMs;
    if (!known || Math.abs(byMs) <= STEP_MS) return;
    logger.warn('the clock was set; deadlines of incidents move with it', { byMs });
    for (const t of this.#open.keys()) this.#owedShiftMs.set(t, (this.#owedShiftMs.get(t) ?? 0) + byMs);
  }

  async #enrich(): Promise<void> {
    for (const t of this.#open.values()) {
      if (!t.wantsEnrichment) continue;
      await t
        .enrich()
        .catch((error) =>
          this.#ports.logger.warn('incidents were not enriched', { tenant: t.tenant, error: messageOf(error) }),
        );
    }
    this.#arm();
  }

  /** Forgets a removed tenant in memory; its documents are removed by the store. */
  async forget(tenant: TenantId): Promise<void> {
    const open = this.#open.get(tenant);
    this.#open.delete(tenant);
    this.#tenants.delete(tenant);
    await open?.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    this.#enrichTimer?.cancel();
    await this.#running;
    await Promise.allSettled([...this.#open.values()].map((t) => t.close()));
  }
}

/** What the live stream carries: enough for a list, not the whole incident. */
export function liveView(i: Incident): Record<string, unknown> {
  return {
    id: i.id,
    title: i.title,
    state: i.state,
    criticality: i.criticality,
    live: i.live,
    alerts: i.alerts.length,
    firing: i.alerts.filter((a) => a.state === 'firing').length,
    services: i.services,
    openedAtMs: i.openedAtMs,
    updatedAtMs: i.updatedAtMs,
    level: i.escalation.level,
  };
}

interface Meters {
  changed(tenant: TenantId, after: Incident, before: Incident | undefined, objectiveMs: number): void;
}

const SECONDS = [30, 60, 120, 300, 600, 1_800, 3_600, 14_400, 86_400];

function meters(metrics: NonNullable<IncidentPorts['metrics']>): Meters {
  const opened: Family<Counter> = metrics.counter('vigie_incidents_opened_total', 'Incidents opened.', [
    'tenant',
    'criticality',
  ]);
  const acknowledge: Family<Histogram> = metrics.histogram(
    'vigie_incident_time_to_acknowledge_seconds',
    'From opening to the first acknowledgement.',
    { buckets: SECONDS, labelNames: ['tenant'] },
  );
  const resolve: Family<Histogram> = metrics.histogram(
    'vigie_incident_time_to_resolve_seconds',
    'From the first bad sample to the recovered signal.',
    { buckets: SECONDS, labelNames: ['tenant'] },
  );
  const objective: Family<Counter> = metrics.counter(
    'vigie_incident_resolve_objective_total',
    'Resolved incidents, by whether the time-to-resolution objective was met.',
    ['tenant', 'met'],
  );
  return {
    changed(tenant, after, before, objectiveMs) {
      if (!before) opened.labels(tenant, after.criticality).inc();
      if (after.acknowledgedAtMs !== undefined && before?.acknowledgedAtMs === undefined)
        acknowledge.labels(tenant).observe((after.acknowledgedAtMs - after.openedAtMs) / 1000);
      const ttr = timeToResolveMs(after);
      if (ttr === undefined || before?.state === 'resolved') return;
      resolve.labels(tenant).observe(ttr / 1000);
      objective.labels(tenant, String(ttr <= objectiveMs)).inc();
    },
  };
}
