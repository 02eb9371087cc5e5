/**
 * Heartbeat monitors with a deadline, for cron jobs and backups: whoever should call in does, and silence past the
 * deadline is a fault. State is exported as ordinary series, so that a shipped rule alerts and any other rule can:
 * `vigie_heartbeat_last_timestamp_seconds{heartbeat}` and `vigie_heartbeat_deadline_timestamp_seconds{heartbeat}`.
 */
import type { Clock, Timer } from '../lib/clock.ts';
import { messageOf, VigieError } from '../lib/errors.ts';
import type { Logger } from '../lib/logger.ts';
import { Labels } from '../model/labels.ts';
import type { Sample } from '../model/sample.ts';
import type { TenantId } from '../model/tenant.ts';
import type { CollectionSpec, DocumentStore } from '../store/documents.ts';

export const HEARTBEATS: CollectionSpec = { name: 'heartbeats' };
export const HEARTBEATS_PER_TENANT_MAX = 500;
export const INTERVAL_MS_MIN = 10_000;
const EXPORT_INTERVAL_MS = 15_000;

export interface HeartbeatMonitor {
  readonly name: string;
  readonly description: string;
  /** A ping is expected at least this often. */
  readonly intervalMs: number;
  /** Patience beyond the interval. */
  readonly graceMs: number;
  readonly createdAtMs: number;
  /** Undefined: never heard of, which is `waiting`, not `late`, until the first deadline passes. */
  readonly lastAtMs?: number;
  readonly lastStatus?: 'ok' | 'failed';
}

export type HeartbeatState = 'waiting' | 'ok' | 'late' | 'failed';

export interface HeartbeatView extends HeartbeatMonitor {
  readonly state: HeartbeatState;
  readonly deadlineMs: number;
}

/** When the next ping is due at the latest. */
export const deadlineOf = (m: HeartbeatMonitor): number => (m.lastAtMs ?? m.createdAtMs) + m.intervalMs + m.graceMs;

export function stateOf(m: HeartbeatMonitor, nowMs: number): HeartbeatState {
  if (nowMs > deadlineOf(m)) return 'late';
  if (m.lastAtMs === undefined) return 'waiting';
  return m.lastStatus === 'failed' ? 'failed' : 'ok';
}

export interface HeartbeatMonitorsOptions {
  readonly documents: DocumentStore;
  readonly writeSamples: (tenant: TenantId, samples: readonly Sample[]) => Promise<unknown>;
  readonly clock: Clock;
  readonly logger: Logger;
}

export class HeartbeatMonitors {
  readonly #options: HeartbeatMonitorsOptions;
  readonly #tenants = new Map<TenantId, Map<string, HeartbeatMonitor>>();
  #timer: Timer | undefined;

  constructor(options: HeartbeatMonitorsOptions) {
    this.#options = options;
  }

  /** Loads what is stored and starts to export. */
  async start(): Promise<void> {
    for (const tenant of await this.#options.documents.tenants()) {
      const page = await this.#options.documents
        .collection<HeartbeatMonitor>(tenant, HEARTBEATS)
        .list({ limit: HEARTBEATS_PER_TENANT_MAX });
      if (page.items.length > 0) this.#tenants.set(tenant, new Map(page.items.map((d) => [d.id, d.body])));
    }
    const tick = (): void => {
      void this.exportNow();
      this.#timer = this.#options.clock.setTimer(tick, EXPORT_INTERVAL_MS);
    };
    tick();
  }

  stop(): void {
    this.#timer?.cancel();
  }

  list(tenant: TenantId): readonly HeartbeatView[] {
    const now = this.#options.clock.now();
    const monitors = [...(this.#tenants.get(tenant)?.values() ?? [])];
    return monitors
      .map((m) => ({ ...m, state: stateOf(m, now), deadlineMs: deadlineOf(m) }))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Creates or changes a monitor; what it heard so far is kept. Throws `bad_data` or `quota`. */
  async put(
    tenant: TenantId,
    input: { name: string; description?: string; intervalMs: number; graceMs?: number },
  ): Promise<HeartbeatView> {
    if (!/^[a-zA-Z0-9_.-]{1,100}$/.test(input.name))
      throw new VigieError(
        'bad_data',
        `name: want 1 to 100 of a-z A-Z 0-9 _ . -, got ${JSON.stringify(input.name.slice(0, 100))}`,
      );
    if (!(input.intervalMs >= INTERVAL_MS_MIN))
      throw new VigieError(
        'bad_data',
        `interval: want at least ${INTERVAL_MS_MIN / 1000} s, got ${input.intervalMs / 1000} s`,
      );
    const existing = this.#tenants.get(tenant)?.get(input.name);
    if (!existing && (this.#tenants.get(tenant)?.size ?? 0) >= HEARTBEATS_PER_TENANT_MAX)
      throw new VigieError('quota', `at most ${HEARTBEATS_PER_TENANT_MAX} heartbeat monitors per tenant`);
    const monitor: HeartbeatMonitor = {
      createdAtMs: this.#options.clock.now(),
      ...existing,
      name: input.name,
      description: input.description ?? existing?.description ?? '',
      intervalMs: input.intervalMs,
      graceMs: input.graceMs ?? Math.max(INTERVAL_MS_MIN, input.intervalMs * 0.1),
    };
    await this.#store(tenant, monitor);
    return this.list(tenant).find((m) => m.name === input.name)!;
  }

  /** A sign of life, durable when this resolves. Throws `not_found`. */
  async ping(tenant: TenantId, name: string, status: 'ok' | 'failed' = 'ok'): Promise<HeartbeatView> {
    const monitor = this.#tenants.get(tenant)?.get(name);
    if (!monitor) throw new VigieError('not_found', `no heartbeat monitor ${JSON.stringify(name.slice(0, 100))}`);
    await this.#store(tenant, { ...monitor, lastAtMs: this.#options.clock.now(), lastStatus: status });
    return this.list(tenant).find((m) => m.name === name)!;
  }

  async remove(tenant: TenantId, name: string): Promise<boolean> {
    const existed = this.#tenants.get(tenant)?.delete(name) ?? false;
    await this.#options.documents.collection(tenant, HEARTBEATS).delete(name);
    return existed;
  }

  forget(tenant: TenantId): void {
    this.#tenants.delete(tenant);
  }

  /** Writes the series of all monitors at this moment. */
  async exportNow(): Promise<void> {
    const timestampMs = this.#options.clock.now();
    for (const [tenant, monitors] of this.#tenants) {
      const samples: Sample[] = [];
      for (const m of monitors.values()) {
        const add = (name: string, value: number): void =>
          void samples.push({ labels: Labels.from({ __name__: name, heartbeat: m.name }), timestampMs, value });
        add('vigie_heartbeat_deadline_timestamp_seconds', deadlineOf(m) / 1000);
        if (m.lastAtMs !== undefined) {
          add('vigie_heartbeat_last_timestamp_seconds', m.lastAtMs / 1000);
          add('vigie_heartbeat_failed', m.lastStatus === 'failed' ? 1 : 0);
        }
      }
      try {
        if (samples.length > 0) await this.#options.writeSamples(tenant, samples);
      } catch (error) {
        this.#options.logger.warn('heartbeat series could not be written', { tenant, error: messageOf(error) });
      }
    }
  }

  async #store(tenant: TenantId, monitor: HeartbeatMonitor): Promise<void> {
    await this.#options.documents.collection<HeartbeatMonitor>(tenant, HEARTBEATS).put(monitor.name, monitor);
    let monitors = this.#tenants.get(tenant);
    if (!monitors) this.#tenants.set(tenant, (monitors = new Map()));
    monitors.set(monitor.name, monitor);
  }
}
